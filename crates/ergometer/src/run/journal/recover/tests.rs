//! Journals that are whole, cut off, damaged, and none at all.

use std::sync::LazyLock;
use std::time::Duration;
use std::{fs, thread};

use proptest::prelude::*;

use super::*;
use crate::source::DomainKind;
use crate::span::{Kind, Label};
use crate::{Meter, clock};

/// The journal of a run of about 0.8 s and several epochs that was finished, and its record.
static JOURNAL: LazyLock<(Vec<u8>, Record)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .journal(folder.path())
        .journal_steps(10)
        .start()
        .unwrap();
    let journal = meter.journal().unwrap().to_owned();
    let end = clock::now().after(Duration::from_millis(800));
    while clock::now() < end {
        let _epoch = meter.enter(Label::new(Kind::Epoch, "train"));
        for _ in 0..20 {
            let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
            step.items(8_u32);
            thread::sleep(Duration::from_millis(10));
        }
        meter.result("loss", 0.5);
    }
    let record = meter.finish().unwrap();
    (fs::read(journal).unwrap(), record)
});

fn recover(bytes: &[u8]) -> Result<Record> {
    replay(Path::new("test.journal"), bytes).unwrap()
}

/// Where each line ends.
fn ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

fn conserved(record: &Record) {
    for (index, whole) in record.total.by_domain.iter().enumerate() {
        let joules =
            |energy: Option<crate::run::record::Energy>| energy.map_or(0.0, |e| e.joules.get());
        let inside: f64 =
            record.epochs.iter().map(|epoch| joules(epoch.usage.by_domain[index])).sum();
        let sum = inside + record.outside_epochs[index].get();
        assert!((sum - joules(*whole)).abs() < 1e-6, "{sum} {whole:?}");
    }
}

fn says(record: &Record, word: &str) -> bool {
    record.warnings.iter().any(|line| line.contains(word))
}

#[test]
fn cut_off_at_any_byte_no_more_than_the_torn_line_is_lost() {
    let (bytes, record) = &*JOURNAL;
    let ends = ends(bytes);
    assert!(ends.len() > 8, "{} lines", ends.len());
    for length in 0..ends[0] - 1 {
        assert_eq!(recover(&bytes[..length]).unwrap_err().kind(), ErrorKind::Format);
    }
    // As `replay` does; what the lines before the cut say is the same for every cut of a line.
    let mut found = Found::begin(Path::new("test"), &bytes[..ends[0] - 1]).unwrap();
    for line in ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]) {
        let whole = found.clone().record();
        conserved(&whole);
        assert!(!whole.run.finished && !says(&whole, "torn"));
        // Without its line feed it is still whole.
        for length in 1..line.len() - 1 {
            let mut cut = found.clone();
            cut.take(&line[..length]);
            let mut cut = cut.record();
            let torn = format!("{length} bytes of a torn last line of the journal were dropped");
            let said = cut.warnings.iter().position(|line| *line == torn);
            cut.warnings.remove(said.unwrap_or_else(|| panic!("{:?}", cut.warnings)));
            assert_eq!(cut, whole, "{length} bytes");
        }
        found.take(line);
    }
    assert_eq!(&found.record(), record);
    let last = ends[ends.len() - 2];
    assert!(says(&recover(&bytes[..last + 20]).unwrap(), "20 bytes of a torn last line"));
    assert_eq!(&recover(&bytes[..bytes.len() - 1]).unwrap(), record, "without the last line feed");
}

#[test]
fn a_damaged_line_is_passed_over_and_said() {
    let (bytes, record) = &*JOURNAL;
    let ends = ends(bytes);
    // Without the last line, which has everything.
    let bytes = &bytes[..ends[ends.len() - 2]];
    let mut epochs = 0;
    for pair in ends[..ends.len() - 1].windows(2) {
        let [from, to] = [pair[0], pair[1]];
        let mut damaged = bytes.to_vec();
        damaged[usize::midpoint(from, to)] ^= 1;
        let recovered = recover(&damaged).unwrap();
        conserved(&recovered);
        let last = to == bytes.len();
        assert_eq!(says(&recovered, "passed over: 1"), !last, "{:?}", recovered.warnings);
        assert_eq!(says(&recovered, "torn"), last);
        if bytes[from..to].windows(13).any(|text| text == br#""row":"epoch""#) {
            epochs += 1;
            assert!(says(&recovered, "no row") || !last);
        }
        if !last {
            assert!(recovered.run.seconds >= record.run.seconds, "{}", recovered.run.seconds);
        }
    }
    assert!(epochs >= 3, "{epochs}");
}

#[test]
fn another_major_version_is_refused_and_a_later_minor_one_is_read() {
    let (bytes, record) = &*JOURNAL;
    let as_version = |version: &str| {
        let end = ends(bytes)[0];
        let json = String::from_utf8(bytes[9..end - 1].to_vec()).unwrap();
        let json = json.replace(SCHEMA, version);
        let mut text = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes())).into_bytes();
        let new = r#"{"row":"weather","sun":true}"#;
        text.extend(format!("{:08x} {new}\n", crc32fast::hash(new.as_bytes())).into_bytes());
        text.extend_from_slice(&bytes[end..]);
        recover(&text)
    };
    assert_eq!(&as_version("ergometer-journal/1.7").unwrap(), record);
    let error = as_version("ergometer-journal/2").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Format);
    assert!(error.remedy().is_some());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = recover(&bytes);
        let (journal, _) = &*JOURNAL;
        let mut behind = journal[..ends(journal)[0]].to_vec();
        behind.extend_from_slice(&bytes);
        prop_assert!(recover(&behind).is_ok());
    }

    #[test]
    fn lines_in_any_order_and_number_make_a_record(
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let (bytes, _) = &*JOURNAL;
        let ends = ends(bytes);
        let mut shuffled = bytes[..ends[0]].to_vec();
        for index in order {
            let line = index.index(ends.len() - 1);
            shuffled.extend_from_slice(&bytes[ends[line]..ends[line + 1]]);
        }
        conserved(&recover(&shuffled).unwrap());
    }
}
