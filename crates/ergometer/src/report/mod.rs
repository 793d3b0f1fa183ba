//! Record → people.
