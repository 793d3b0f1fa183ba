//! Records of `ergometer` as a page, as single plots, and as flame graphs.
//!
//! ```text
//!  Record ──► chart ──┬──► article ──► Page ──► HTML, one file
//!         └─► flame ──┤
//!                     └──► plot ──► SVG
//! ```
//!
//! A page has no script and loads nothing. Everything that it shows is in the records. The command `ergometer`
//! and the workspace's benchmark both write it.

mod article;
pub mod chart;
mod element;
mod escape;
pub mod figure;
pub mod flame;
mod machine;
mod page;
pub mod plot;

pub use machine::{boards, hardware, methods};
pub use page::{Page, Section};
