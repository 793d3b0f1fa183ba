//! How wide a report may be.

use std::env;

/// Columns of a log, or of a terminal whose width is not known.
const USUAL: usize = 120;

/// The width of the terminal: what `COLUMNS` states or else what the terminal reports, and 120 where there is none.
#[must_use]
pub fn width() -> usize {
    let stated = env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    stated.filter(|columns| *columns > 0).or_else(terminal).unwrap_or(USUAL)
}

#[cfg(unix)]
fn terminal() -> Option<usize> {
    let width = |size: rustix::termios::Winsize| usize::from(size.ws_col);
    let sizes = [
        rustix::termios::tcgetwinsize(std::io::stdout()),
        rustix::termios::tcgetwinsize(std::io::stderr()),
    ];
    sizes.into_iter().flatten().map(width).find(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn terminal() -> Option<usize> {
    None
}
