//! How long each step of a training took, for `cargo xtask performance`, which compares trainings step by step.

use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

/// The moments at which batches were asked for, and what the meter's threads took meanwhile.
#[derive(Debug)]
pub struct Pace {
    begin: Instant,
    asked: Asked,
    /// Processor time at the beginning: of the meter's threads, and of all.
    threads: Option<(Duration, Duration)>,
}

/// When a batch was asked for, and whether one came.
type Asked = Arc<Mutex<Vec<(Instant, bool)>>>;

impl Pace {
    /// Of a training that begins now.
    pub fn start() -> Self {
        Self { begin: Instant::now(), asked: Asked::default(), threads: processor_time() }
    }

    /// The same batches, with a note of each moment at which one is asked for.
    pub fn of<B: 'static>(&self, loader: Arc<dyn DataLoader<B>>) -> Arc<dyn DataLoader<B>> {
        Arc::new(Noted { loader, asked: Arc::clone(&self.asked) })
    }

    /// As a line each: the seconds of each step, from one batch that is asked for to the next; those around the
    /// steps, before the first, from one pass over data to the next, and after the last; the processor time that
    /// the meter's threads took, and that all threads did.
    pub fn lines(&self) -> String {
        let end = Instant::now();
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut steps, mut around) = ("steps:".to_owned(), "around:".to_owned());
        let mut last = (self.begin, false);
        for &next in asked.iter().chain([&(end, false)]) {
            let passed = next.0.saturating_duration_since(last.0).as_secs_f64();
            let line = if last.1 { &mut steps } else { &mut around };
            let _ = write!(line, " {passed:.6}");
            last = next;
        }
        let mut lines = format!("{steps}\n{around}\n");
        if let Some((before, now)) = self.threads.zip(processor_time()) {
            let meter = now.0.saturating_sub(before.0).as_secs_f64();
            let all = now.1.saturating_sub(before.1).as_secs_f64();
            let _ = writeln!(
                lines,
                "the meter's threads took {meter:.6} s\nall threads took {all:.2} s"
            );
        }
        lines
    }
}

/// Processor time of the threads of this process whose name begins with `ergometer`, by the Linux kernel's
/// `schedstat`, and of all that there are and were, by its `stat` to a hundredth of a second; `None` elsewhere.
fn processor_time() -> Option<(Duration, Duration)> {
    let mut meter = Duration::ZERO;
    for task in fs::read_dir("/proc/self/task").ok()?.flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").starts_with("ergometer") {
            let nanoseconds = read("schedstat").split_whitespace().next()?.parse().ok()?;
            meter += Duration::from_nanos(nanoseconds);
        }
    }
    // Fields 14 and 15, user and system time, in hundredths of a second on Linux; the name before may hold spaces.
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut hundredths = || fields.next()?.parse::<u64>().ok();
    let all = Duration::from_millis(10 * (hundredths()? + hundredths()?));
    Some((meter, all))
}

/// A loader that notes when it is asked.
struct Noted<B> {
    loader: Arc<dyn DataLoader<B>>,
    asked: Asked,
}

impl<B: 'static> DataLoader<B> for Noted<B> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<B> + 'a> {
        Box::new(Iter { batches: self.loader.iter(), asked: &self.asked })
    }

    fn num_items(&self) -> usize {
        self.loader.num_items()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<B>> {
        Arc::new(Self { loader: self.loader.to_device(device), asked: Arc::clone(&self.asked) })
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<B>> {
        Arc::new(Self { loader: self.loader.slice(start, end), asked: Arc::clone(&self.asked) })
    }
}

struct Iter<'a, B> {
    batches: Box<dyn DataLoaderIterator<B> + 'a>,
    asked: &'a Mutex<Vec<(Instant, bool)>>,
}

impl<B> Iterator for Iter<'_, B> {
    type Item = Result<B, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let now = Instant::now();
        let batch = self.batches.next();
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push((now, batch.is_some()));
        batch
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.batches.size_hint()
    }
}

impl<B> DataLoaderIterator<B> for Iter<'_, B> {
    fn progress(&self) -> Progress {
        self.batches.progress()
    }
}
