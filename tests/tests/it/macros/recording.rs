//! A stand-in for the library that writes down what the expansion asks of it.
//!
//! `#[track_energy(crate = ..)]` points the expansion here. A span is written as
//! `kind:name{..}`, with what happened between its opening and closing inside the braces.

use std::cell::{Cell, RefCell};

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
    static METER: Cell<bool> = const { Cell::new(true) };
}

/// Stands in for a meter; its spans are written with its name before them.
pub struct Meter(pub &'static str);

/// Runs `action` without an installed meter.
pub fn unmetered<R>(action: impl FnOnce() -> R) -> R {
    METER.set(false);
    let result = action();
    METER.set(true);
    result
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

    pub use std::future::Future;
    pub use std::option::Option::{None, Some};

    /// `None` without a meter.
    #[must_use = "a span ends when it is dropped"]
    pub struct Span(Option<Label>);

    pub fn enter(label: Label) -> Span {
        installed().enter("", label)
    }

    pub fn enter_run(label: Label) -> Span {
        enter(label)
    }

    /// A meter by its name.
    #[derive(Clone, Copy)]
    pub struct Under(Option<&'static str>);

    impl Under {
        fn enter(self, mark: &str, label: Label) -> Span {
            let Self(Some(meter)) = self else { return Span(None) };
            let kind = format!("{:?}", label.kind).to_lowercase();
            LOG.with_borrow_mut(|log| {
                log.write(&format!("{meter}{mark}{kind}:{}{{", label.name));
                log.open.push(label.name);
            });
            Span(Some(label))
        }
    }

    /// Without a name, unless there is none.
    pub fn installed() -> Under {
        Under(super::METER.get().then_some(""))
    }

    pub fn meter(meter: &super::Meter) -> Under {
        Under(Some(meter.0))
    }

    pub fn is_on(under: Under) -> bool {
        under.0.is_some()
    }

    pub fn enter_under(under: Under, label: Label) -> Span {
        let mark = if under.0.is_some_and(|meter| !meter.is_empty()) { "/" } else { "" };
        under.enter(mark, label)
    }

    pub fn name<T: AsRef<str> + ?Sized>(text: &T) -> &'static str {
        ergometer::span::Label::intern(text.as_ref())
    }

    pub fn is_open(span: &Span) -> bool {
        span.0.is_some()
    }

    pub fn index(_: &Span, number: impl Display) {
        super::note(&format!("#{number}"));
    }

    pub const fn check_budget(_: &str) {}

    pub fn budget<T: Display + ?Sized>(_: &Span, budget: &T) {
        super::note(&format!("<{budget}>"));
    }

    pub fn report(span: &Span) {
        if span.0.is_some() {
            super::note("reported");
        }
    }

    /// Counts steps as the library does; only what opens is written.
    pub struct Every {
        of: u32,
        nth: u32,
        open: Option<Span>,
    }

    pub fn every(of: u32) -> Every {
        super::note(&format!("every {of}"));
        Every { of, nth: 0, open: None }
    }

    pub struct Each<'a>(&'a mut Every);

    pub fn each(every: &mut Every, under: Under, label: Label) -> Each<'_> {
        if every.nth < 2 {
            every.open = Some(enter_under(under, label));
        }
        Each(every)
    }

    impl std::ops::Deref for Each<'_> {
        type Target = Span;

        fn deref(&self) -> &Span {
            self.0.open.as_ref().expect("a step is open")
        }
    }

    impl Drop for Each<'_> {
        fn drop(&mut self) {
            let Self(every) = self;
            let alone = every.nth == 0;
            every.nth = (every.nth + 1) % every.of;
            if alone || every.nth == 0 {
                every.open = None;
            }
        }
    }

    pub struct Waits<'a, S: Fn()>(Option<&'a S>);

    pub fn waits<S: Fn()>(device: Option<&S>) -> Waits<'_, S> {
        if let Some(device) = device {
            device();
        }
        Waits(device)
    }

    impl<S: Fn()> Drop for Waits<'_, S> {
        fn drop(&mut self) {
            if let Some(device) = self.0 {
                device();
            }
        }
    }

    impl Drop for Span {
        fn drop(&mut self) {
            let Some(label) = self.0 else { return };
            LOG.with_borrow_mut(|log| {
                // Written rather than asserted: this also runs while a panic unwinds.
                if log.open.pop() == Some(label.name) {
                    log.text.push('}');
                } else {
                    log.write(&format!("closed out of order: {}", label.name));
                }
            });
        }
    }

    pub fn items(span: &Span, count: impl Display) {
        if let Some(label) = span.0 {
            super::note(&format!("{count} {}", label.unit));
        }
    }

    /// What is known of a span before it opens, as it will be noted.
    #[derive(Clone, Copy)]
    pub struct Opening {
        label: Label,
        under: Option<Under>,
        note: Option<&'static str>,
    }

    impl Opening {
        pub fn new(label: Label) -> Self {
            Self { label, under: None, note: None }
        }

        pub fn under(self, meter: Under) -> Self {
            Self { under: Some(meter), ..self }
        }

        fn noted(self, note: &str) -> Self {
            let earlier = self.note.map_or(String::new(), |earlier| format!("{earlier} "));
            Self { note: Some(name(&format!("{earlier}{note}"))), ..self }
        }

        pub fn items(self, count: impl Display) -> Self {
            self.noted(&format!("{count} {}", self.label.unit))
        }

        pub fn index(self, number: impl Display) -> Self {
            self.noted(&format!("#{number}"))
        }

        pub fn budget<T: Display + ?Sized>(self, budget: &T) -> Self {
            self.noted(&format!("<{budget}>"))
        }

        pub fn report(self) -> Self {
            self.noted("reported")
        }
    }

    pub struct Metered<F> {
        opening: Opening,
        future: Pin<Box<F>>,
        span: Option<Span>,
    }

    pub fn metered<F: Future>(label: Label, future: F) -> Metered<F> {
        opened(Opening::new(label), future)
    }

    pub fn opened<F: Future>(opening: Opening, future: F) -> Metered<F> {
        Metered { opening, future: Box::pin(future), span: None }
    }

    /// Spans here are a stack of the test, so there is nothing to take along.
    pub fn scoped<F: Future>(future: F) -> F {
        future
    }

    impl<F: Future> Future for Metered<F> {
        type Output = F::Output;

        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
            if self.span.is_none() {
                let Opening { label, under, note } = self.opening;
                self.span = Some(enter_under(under.unwrap_or_else(installed), label));
                note.into_iter().for_each(super::note);
            }
            let poll = self.future.as_mut().poll(context);
            if poll.is_ready() {
                self.span = None;
            }
            poll
        }
    }
}
