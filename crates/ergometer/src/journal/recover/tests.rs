//! Journals that are complete, cut off, damaged, or not journals at all.

use std::sync::LazyLock;
use std::time::Duration;
use std::{fs, thread};

use proptest::prelude::*;

use super::*;
use crate::clock;
use crate::deadline::Deadline;
use crate::meter::Meter;
use crate::source::DomainKind;
use crate::span::{Kind, Label};
use crate::testing::corrupt::damaged;

/// The journal of a finished run of about 0.8 s with several epochs, and its record.
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
    let mut found = Found::begin(Path::new("test.journal"), bytes)?;
    found.lines(bytes).unwrap();
    Ok(found.record())
}

/// The position after each line.
fn ends(bytes: &[u8]) -> Vec<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect()
}

fn conserved(record: &Record) {
    for (index, whole) in record.total.by_domain.iter().enumerate() {
        let joules = |energy: Option<crate::energy::Energy>| energy.map_or(0.0, |e| e.joules.get());
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
    // Like `lines`. The rows before the cut have the same effect for every cut of one line.
    let mut found = Found::begin(Path::new("test"), &bytes[..ends[0] - 1]).unwrap();
    for line in ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]) {
        let whole = found.clone().record();
        conserved(&whole);
        assert!(!whole.run.finished && !says(&whole, "torn"));
        // Without its newline the line is still complete.
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
    assert_eq!(&recover(&bytes[..bytes.len() - 1]).unwrap(), record, "without the last newline");
}

#[test]
fn a_damaged_line_is_passed_over_and_said() {
    let (bytes, record) = &*JOURNAL;
    let ends = ends(bytes);
    // Without the last line, which contains everything.
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
fn a_journal_whose_first_line_is_damaged_is_read_by_its_copies_or_its_end() {
    let (bytes, record) = &*JOURNAL;
    for byte in 0..ends(bytes)[0] {
        let mut damaged = bytes.clone();
        damaged[byte] = b'~';
        let mut found = recover(&damaged).unwrap();
        assert!(says(&found, "passed over: 1"), "byte {byte}: {:?}", found.warnings);
        found.warnings.pop();
        assert_eq!(&found, record, "byte {byte}");
    }
}

#[test]
fn the_head_is_written_again_as_the_journal_grows() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .journal(folder.path())
        .journal_steps(1)
        .start()
        .unwrap();
    let mut deadline = Deadline::after(Duration::from_mins(1));
    let bytes = loop {
        assert!(!deadline.has_passed(), "no copy of the head after a minute");
        for _ in 0..500 {
            let _step = meter.enter(Label::new(Kind::Step, "step"));
        }
        let bytes = fs::read(meter.journal().unwrap()).unwrap();
        let heads = bytes.windows(12).filter(|text| text == br#""row":"head""#).count();
        let states = bytes.windows(13).filter(|text| text == br#""row":"state""#).count();
        if heads > 1 && states > 1 && bytes.ends_with(b"\n") {
            break bytes;
        }
        thread::yield_now();
    };
    let mut damaged = bytes.clone();
    damaged[..ends(&bytes)[0] - 1].fill(b'~');
    let (mut found, mut whole) = (recover(&damaged).unwrap(), recover(&bytes).unwrap());
    assert!(
        found.run.seconds > 0.0 && found.steps.values().any(|steps| steps.count > 500),
        "{found:?}"
    );
    assert!(says(&found, "passed over: 1"), "{:?}", found.warnings);
    found.warnings.retain(|line| !line.contains("passed over"));
    whole.warnings.retain(|line| !line.contains("passed over"));
    assert_eq!(found, whole);
    meter.finish().unwrap();
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

/// The undamaged lines.
fn whole(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split(|byte| *byte == b'\n').filter_map(line::checked).collect()
}

#[test]
fn whatever_bit_flips_no_line_says_anything_else() {
    let (bytes, _) = &*JOURNAL;
    let written = whole(bytes);
    let ends = ends(bytes);
    let mut from = 0;
    for (number, &to) in ends.iter().enumerate() {
        // Including the next line, as the newline may be the byte that changes.
        let next = ends.get(number + 1).copied().unwrap_or(to);
        let mut piece = bytes[from..next].to_vec();
        // All bits of the first line and the checksums, and one bit per byte of the rest.
        for at in 0..to - from {
            let bits = if number == 0 || at < 9 { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                piece[at] ^= 1 << bit;
                let read = whole(&piece);
                let known =
                    read.iter().all(|line| written[number..].iter().take(2).any(|w| w == line));
                let case_alone = at < 8 && bit == 5;
                assert!(
                    known && (read.len() < 2 || next == to || case_alone),
                    "line {number}, byte {at}"
                );
                piece[at] ^= 1 << bit;
            }
        }
        from = to;
    }
}

proptest! {
    #[test]
    fn a_journal_with_a_flipped_bit_is_that_journal_less_a_line_and_says_so(
        index in any::<prop::sample::Index>(),
        bit in 0_u8..8,
    ) {
        let (bytes, _) = &*JOURNAL;
        let mut flipped = bytes.clone();
        let at = index.index(bytes.len());
        flipped[at] ^= 1 << bit;
        let mut found = recover(&flipped).unwrap();
        let mut kept = Vec::new();
        for json in whole(&flipped) {
            kept.extend(format!("{:08x} ", crc32fast::hash(json)).into_bytes());
            kept.extend_from_slice(json);
            kept.push(b'\n');
        }
        let expected = recover(&kept).unwrap();
        let said = found.warnings.iter().position(|line| {
            line.contains("passed over") || line.contains("torn")
        });
        if whole(&flipped) == whole(bytes) {
            prop_assert!(said.is_none() || flipped.last() != Some(&b'\n'));
        } else {
            prop_assert!(said.is_some(), "{:?}", found.warnings);
        }
        found.warnings.retain(|line| !line.contains("passed over") && !line.contains("torn"));
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_damaged_journal_adds_up_or_is_none(bytes in damaged(&JOURNAL.0)) {
        match recover(&bytes) {
            Ok(record) => {
                conserved(&record);
                prop_assert_eq!(record.check(), Ok(()));
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Format),
        }
    }

    /// Rows that a meter never writes, with valid checksums.
    #[test]
    fn rows_that_cannot_be_are_passed_over(
        rows in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 1..4),
        number in prop::sample::select(vec!["-1", "0", "1e308", "18446744073709551615", "null"]),
    ) {
        let (bytes, _) = &*JOURNAL;
        let lines = whole(bytes);
        let mut text = bytes[..ends(bytes)[0]].to_vec();
        for (index, place) in rows {
            let row = std::str::from_utf8(lines[1 + index.index(lines.len() - 1)]).unwrap();
            // Replaces the number after some colon or comma.
            let starts: Vec<usize> = row
                .match_indices([':', ',', '['])
                .map(|(at, _)| at + 1)
                .filter(|at| row[*at..].starts_with(|c: char| c.is_ascii_digit()))
                .collect();
            if starts.is_empty() {
                continue;
            }
            let at = starts[usize::try_from(place % starts.len() as u64).unwrap()];
            let rest = row[at..].trim_start_matches(|c: char| "0123456789.e-".contains(c));
            let row = format!("{}{number}{rest}", &row[..at]);
            text.extend(format!("{:08x} {row}\n", crc32fast::hash(row.as_bytes())).into_bytes());
        }
        let record = recover(&text).unwrap();
        prop_assert_eq!(record.to_csv().is_ok(), true);
        prop_assert!(!record.to_markdown().is_empty());
    }

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
