//! `#[track_energy]`: what it accepts, what it says, and that it changes nothing else.

mod budgets;
mod control_flow;
mod forms;
mod futures;
mod layers;
mod measured;
mod options;
mod recording;
mod statements;

/// One call for both folders: cargo is started once, and cases share what it built.
#[test]
fn accepts_and_rejects() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
