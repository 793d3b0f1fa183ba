//! `#[track_energy]`.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod attribute;
mod body;
mod expand;
mod future;
mod item;

/// Measures.
#[proc_macro_attribute]
pub fn track_energy(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(args.into(), item.into()).into()
}
