//! Burn's `Evaluator` under a meter.

use std::fs;

use burn::tensor::Device;
use burn::train::EvaluatorBuilder;
use burn::train::metric::NumericEntry;
use burn::train::renderer::CliMetricsRenderer;
use ergometer_burn::{EnergyEvaluation as _, EnergyMetric, PowerMetric};

use crate::toy::{self, Diary, Line};
use crate::{POWER, assert_conserved, close, counts, meter, names};

#[test]
fn each_test_is_an_epoch_of_its_own_name() {
    let meter = meter();
    let directory = tempfile::tempdir().unwrap();
    let (test, hard) = (Diary::new(&meter, "test"), Diary::new(&meter, "hard"));
    let result = EvaluatorBuilder::new(directory.path())
        .metric_numeric(EnergyMetric::evaluation(&meter))
        .metric_numeric(PowerMetric::named(&meter, "test"))
        .with_application_logger(None)
        .renderer(Box::new(CliMetricsRenderer::new()))
        .build(Line::new(&Device::flex()))
        .eval_all_metered(
            &meter,
            [("test", toy::loader(&test, 10)), ("hard", toy::loader(&hard, 8))],
        );
    assert!(result.error.is_none(), "{:?}", result.error);
    let record = meter.finish().unwrap();

    assert_eq!(names(&record.epochs), [("test", 1), ("hard", 1)]);
    assert_eq!(record.epochs.iter().map(counts).collect::<Vec<_>>(), [(3, 10.0), (2, 8.0)]);
    for (epoch, diary) in record.epochs.iter().zip([&test, &hard]) {
        assert_conserved(epoch);
        let joules = epoch.usage.energy.unwrap().joules.get();
        assert!(close(joules, POWER * epoch.usage.seconds, 1e-6), "{joules} J");
        let steps = diary.steps.lock().unwrap();
        let used: f64 = steps.iter().map(|(begin, end)| end.since(*begin).as_secs_f64()).sum();
        assert!(record.steps[diary.split].seconds >= used);
    }

    // Burn logs what the metrics showed, a file for each test.
    let file = directory.path().join("test/test").join("Watts.log");
    let log = fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    for line in log.lines() {
        let watts = NumericEntry::deserialize(line).unwrap().current();
        assert!(close(watts, POWER, 1e-6), "{line}");
    }
    assert!(log.lines().count() > 0);
}
