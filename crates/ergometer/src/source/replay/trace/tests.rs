//! Traces with arbitrary numbers, valid and damaged.

use std::fmt::Write as _;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::testing::corrupt::damaged;

const HEADER: &str = "seconds,domain,kind,joules,watts\n";
const TRACE: &str = "\
seconds,domain,kind,joules,watts
# a comment
0.0,gpu-0,gpu,0,250
0.1,gpu-0,gpu,25,
0.1,cpu,cpu-package,,65
0.2, \"gpu-0\" ,gpu,50.5,1e2
";

fn read_text(text: impl AsRef<[u8]>) -> Result<Vec<Channel>> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    read(file.path())
}

fn plausible(channels: &[Channel]) {
    assert!(!channels.is_empty());
    for channel in channels {
        assert!(!channel.name.is_empty() && !channel.rows.is_empty());
        assert!(channel.rows.is_sorted_by_key(|row| row.after));
        let joules: Vec<f64> =
            channel.rows.iter().filter_map(|row| Some(row.joules?.get())).collect();
        assert!(joules.first().is_none_or(|first| *first == 0.0));
        assert!(joules.is_sorted() && joules.iter().all(|joules| joules.is_finite()), "{joules:?}");
        let watts = channel.rows.iter().filter_map(|row| Some(row.watts?.get()));
        assert!(watts.into_iter().all(|watts| (0.0..=1e5).contains(&watts)));
    }
}

proptest! {
    #[test]
    fn a_damaged_trace_is_refused_with_its_line_or_can_be(text in damaged(TRACE.as_bytes())) {
        match read_text(text) {
            Ok(channels) => plausible(&channels),
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::Format);
                prop_assert!(error.to_string().contains("line "), "{}", error);
            }
        }
    }

    #[test]
    fn any_numbers_are_a_trace_or_refused(
        rows in prop::collection::vec((any::<f64>(), any::<Option<f64>>(), any::<Option<f64>>()), 1..9),
    ) {
        let mut text = HEADER.to_owned();
        for (seconds, joules, watts) in rows {
            let shown = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            writeln!(text, "{seconds},node,node,{},{}", shown(joules), shown(watts)).unwrap();
        }
        if let Ok(channels) = read_text(text) {
            plausible(&channels);
        }
    }

    #[test]
    fn what_is_written_is_read(
        rows in prop::collection::vec((0.0..1e3_f64, 0.0..1e6_f64, 0.0..1e5_f64), 1..20),
        origin in 0.0..1e9_f64,
    ) {
        let mut text = HEADER.to_owned();
        let (mut seconds, mut joules) = (0.0, origin);
        let mut expected = Vec::new();
        for (length, drawn, watts) in rows {
            (seconds, joules) = (seconds + length, joules + drawn);
            writeln!(text, "{seconds},a b,gpu,{joules},{watts}").unwrap();
            expected.push((seconds, joules, watts));
        }
        let channels = read_text(text).unwrap();
        let first = expected[0].1;
        prop_assert_eq!(channels[0].name.as_str(), "a b");
        for (row, (seconds, joules, watts)) in channels[0].rows.iter().zip(expected) {
            prop_assert_eq!(row.after, Duration::from_secs_f64(seconds));
            prop_assert_eq!(row.joules, Some(Joules::new(joules - first)));
            prop_assert_eq!(row.watts, Some(Watts::new(watts)));
        }
    }
}

#[test]
fn a_counter_whose_difference_is_no_number_is_refused() {
    let text = format!("{HEADER}0,a,gpu,-1e308,\n1,a,gpu,1e308,\n");
    let error = read_text(text).unwrap_err();
    assert!(error.to_string().contains("line 3"), "{error}");
}

/// Each row is compared only with the last of its domain, however many there are. With quadratic cost this
/// would take minutes.
#[test]
fn a_trace_of_many_rows_and_domains_is_read() {
    let mut text = HEADER.to_owned();
    for row in 0..200_000_u32 {
        writeln!(text, "{row},d{},gpu,,100", if row < 100_000 { 0 } else { row % 20_000 }).unwrap();
    }
    let channels = read_text(text).unwrap();
    assert_eq!(channels.iter().map(|channel| channel.rows.len()).sum::<usize>(), 200_000);
}
