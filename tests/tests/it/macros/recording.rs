//! A stand-in for the library that writes down what the expansion asks of it.
//!
//! `#[track_energy(crate = ..)]` points the expansion here. A span is written as
//! `kind:name{..}`, with what happened between its opening and closing inside the braces.

use std::cell::RefCell;

#[derive(Default)]
struct Log {
    text: String,
    open: Vec<&'static str>,
}

impl Log {
    fn write(&mut self, text: &str) {
        if !self.text.is_empty() && !self.text.ends_with('{') {
            self.text.push(' ');
        }
        self.text.push_str(text);
    }
}

thread_local! {
    static LOG: RefCell<Log> = RefCell::default();
}

/// Notes something that the code under test did.
pub fn note(text: &str) {
    LOG.with_borrow_mut(|log| log.write(text));
}

/// What was written since the last call.
pub fn written() -> String {
    LOG.with_borrow_mut(|log| {
        assert_eq!(log.open, [""; 0], "spans are open after: {}", log.text);
        std::mem::take(&mut log.text)
    })
}

/// What the generated code may name.
pub mod private {
    use std::fmt::Display;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use super::LOG;

    #[derive(Clone, Copy, Debug)]
    pub enum Kind {
        Run,
        Epoch,
        Step,
        Phase,
        Function,
    }

    #[derive(Clone, Copy, Debug)]
    pub struct Label {
        kind: Kind,
        name: &'static str,
        unit: &'static str,
    }

    impl Label {
        pub const fn new(kind: Kind, name: &'static str) -> Self {
            Self { kind, name, unit: "items" }
        }

        pub const fn with_unit(self, unit: &'static str) -> Self {
            Self { unit, ..self }
        }
    }

    #[must_use = "a span ends when it is dropped"]
    pub struct Span(Label);

    pub fn enter(label: Label) -> Span {
        let kind = format!("{:?}", label.kind).to_lowercase();
        LOG.with_borrow_mut(|log| {
            log.write(&format!("{kind}:{}{{", label.name));
            log.open.push(label.name);
        });
        Span(label)
    }

    impl Drop for Span {
        fn drop(&mut self) {
            LOG.with_borrow_mut(|log| {
                // Written rather than asserted: this also runs while a panic unwinds.
                if log.open.pop() == Some(self.0.name) {
                    log.text.push('}');
                } else {
                    log.write(&format!("closed out of order: {}", self.0.name));
                }
            });
        }
    }

    pub fn items(span: &Span, count: impl Display) {
        super::note(&format!("{count} {}", span.0.unit));
    }

    pub struct Metered<F> {
        label: Label,
        span: Option<Span>,
        future: Pin<Box<F>>,
    }

    pub fn metered<F: Future>(label: Label, future: F) -> Metered<F> {
        Metered { label, span: None, future: Box::pin(future) }
    }

    impl<F: Future> Future for Metered<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
            if self.span.is_none() {
                self.span = Some(enter(self.label));
            }
            let poll = self.future.as_mut().poll(context);
            if poll.is_ready() {
                self.span = None;
            }
            poll
        }
    }
}
