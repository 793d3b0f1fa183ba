//! Records in which any one value is changed or missing.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use crate::energy::StepTotals;
use crate::error::ErrorKind;
use crate::forecast::{Forecast, Interval};
use crate::meter::Meter;
use crate::record::{Part, PartSteps, Record};
use crate::source::DomainKind;
use crate::span::{Kind, Label};
use crate::testing::corrupt::damaged;
use crate::units::{Joules, Watts};

/// The record of a short run with epochs, steps and phases, as one rank of two.
static RECORD: LazyLock<Record> = LazyLock::new(|| {
    let meter = Meter::builder()
        .without_probe()
        .fixed(DomainKind::Gpu, Watts::new(300.0))
        .fixed(DomainKind::Dram, Watts::new(30.0))
        .rank(0, 2)
        .start()
        .unwrap();
    for split in ["train", "valid"] {
        let _epoch = meter.enter(Label::new(Kind::Epoch, split));
        for _ in 0..3 {
            let step = meter.enter(Label::new(Kind::Step, "step").with_unit("tokens"));
            step.items(8_u32);
            drop(meter.enter(Label::new(Kind::Phase, "forward")));
        }
    }
    meter.result("loss", 0.5);
    let mut record = meter.finish().unwrap();
    let mut steps: PartSteps = record.part().steps["train"].clone();
    steps.totals =
        StepTotals { count: 3, seconds: 1.5, joules: Joules::new(400.0), ..steps.totals };
    record.earlier.push(Part {
        run_id: "before".to_owned(),
        seconds: 2.0,
        steps: [("train".to_owned(), steps)].into(),
        finished: false,
        mean_intensity: Some(450.0),
        ..record.part()
    });
    let expected = Interval { value: 900.0, low: 800.0, high: 1000.0 };
    record.forecasts.push(Forecast {
        progress: 0.25,
        at_s: 0.5,
        joules: expected,
        seconds: expected.scaled(0.01),
    });
    record
});

/// Reads the record and uses it in every way.
fn use_all(text: &str) -> Result<Record, crate::error::Error> {
    let record = Record::from_json(text)?;
    let again = Record::from_json(&record.to_json().unwrap()).unwrap();
    assert_eq!(again, record, "what is read is written as it was");
    record.to_csv().unwrap();
    let _ = record.whole();
    assert!(!record.to_markdown().is_empty() && !record.to_string().is_empty());
    let mut other = record.clone();
    if let Some(rank) = &mut other.run.rank {
        rank.rank = 1 - rank.rank.min(1);
    }
    let _ = Record::merge([record.clone(), other]);
    Ok(record)
}

/// All values in `value` that are neither lists nor objects.
fn places(value: &mut Value) -> Vec<&mut Value> {
    match value {
        Value::Array(all) => all.iter_mut().flat_map(places).collect(),
        Value::Object(all) => all.values_mut().flat_map(places).collect(),
        leaf => vec![leaf],
    }
}

fn lists(value: &mut Value, action: &mut impl FnMut(&mut Vec<Value>)) {
    match value {
        Value::Array(all) => {
            for one in &mut *all {
                lists(one, action);
            }
            action(all);
        }
        Value::Object(all) => {
            for one in all.values_mut() {
                lists(one, action);
            }
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_value_a_record_has_it_is_refused_or_can_be_used(
        index in any::<Index>(),
        value in select(vec![
            json!(null), json!(0), json!(-1), json!(-1e300), json!(1e308), json!(u64::MAX),
            json!(i64::MIN), json!(""), json!("é\u{0}\n"), json!([]), json!({}), json!(true),
        ]),
    ) {
        let mut json = serde_json::to_value(&*RECORD).unwrap();
        let mut all = places(&mut json);
        let place = index.index(all.len());
        *all[place] = value;
        if let Err(error) = use_all(&json.to_string()) {
            prop_assert_eq!(error.kind(), ErrorKind::Format);
        }
    }

    #[test]
    fn whatever_list_is_longer_or_shorter_it_is_refused_or_can_be_used(
        index in any::<Index>(),
        longer in any::<bool>(),
    ) {
        let mut json = serde_json::to_value(&*RECORD).unwrap();
        let mut count = 0_usize;
        lists(&mut json, &mut |_| count += 1);
        let mut left = index.index(count);
        lists(&mut json, &mut |list| {
            if left == 0 {
                if longer { list.extend(list.last().cloned()) } else { drop(list.pop()) }
            }
            left = left.wrapping_sub(1);
        });
        if let Err(error) = use_all(&json.to_string()) {
            prop_assert_eq!(error.kind(), ErrorKind::Format);
        }
    }

    #[test]
    fn damaged_text_is_refused_or_can_be_used(
        text in damaged(RECORD.to_json().unwrap().as_bytes()),
    ) {
        if let Err(error) = use_all(&String::from_utf8_lossy(&text)) {
            prop_assert_eq!(error.kind(), ErrorKind::Format);
            prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    for (path, value, said) in [
        ("/total/seconds", json!(-1.0), "total has a time of -1 s"),
        ("/total/by_domain", json!([]), "total has 0 values for 2 domains"),
        ("/epochs/1/between_steps", json!([1.0]), "valid has 1 values"),
        ("/epochs/0/usage/energy/joules", json!(-5.0), "train has an energy of -5"),
        ("/steps/train/count", json!(u64::MAX), "train has a count of"),
        ("/domains/1/readings", json!(u64::MAX), "fixed:dram has a count of"),
        ("/spans/0/by_domain", json!([1.0, 2.0, 3.0]), "3 values for 2 domains"),
        ("/domains/0/energy/coverage", json!(7.0), "a coverage of 7"),
    ] {
        let mut json = serde_json::to_value(&*RECORD).unwrap();
        *json.pointer_mut(path).unwrap() = value;
        let error = Record::from_json(&json.to_string()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Format);
        assert!(error.to_string().contains(said), "{path}: {error}");
    }
    assert_eq!(use_all(&RECORD.to_json().unwrap()).unwrap(), *RECORD);
}

#[test]
fn spans_of_any_depth_make_a_record_that_can_be_read_and_harm_nothing() {
    let meter =
        Meter::builder().without_probe().fixed(DomainKind::Gpu, Watts::new(300.0)).start().unwrap();
    let open: Vec<_> =
        (0..5000).map(|_| meter.enter(Label::new(Kind::Function, "descend"))).collect();
    open.into_iter().rev().for_each(drop);
    let record = meter.finish().unwrap();
    assert_eq!(use_all(&record.to_json().unwrap()).unwrap(), record);
    assert!(record.warnings.iter().any(|line| line.contains("deep")), "{:?}", record.warnings);
}

#[test]
fn a_world_of_four_thousand_million_ranks_is_reported_in_a_line() {
    let mut record = RECORD.clone();
    record.run.rank.as_mut().unwrap().world_size = u32::MAX;
    let merged = Record::merge([record]).unwrap();
    let line = merged.warnings.iter().find(|line| line.contains("missing")).unwrap();
    assert!(line.len() < 1000 && line.contains(" and 4294967230 more of 4294967295"), "{line}");
}
