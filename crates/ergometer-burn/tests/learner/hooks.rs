//! Budgets, forecasts, totals and the parts of a step.

use std::fs;

use burn::optim::SgdConfig;
use burn::tensor::Device;
use burn::train::metric::{Metric as _, MetricAttributes, SerializedEntry};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, LearnerModel, LearningResult, SupervisedTraining};
use ergometer::clock::{self, Timestamp};
use ergometer::record::Record;
use ergometer::record::SpanNode;
use ergometer::source::DomainKind;
use ergometer::units::{Joules, Watts};
use ergometer::{Budget, Meter};
use ergometer_burn::{
    CarbonMetric, CostMetric, EnergyTraining as _, ForecastMetric, ItemEnergyMetric, Metering,
    Profiled, TotalEnergyMetric,
};

use crate::toy::{self, Batch, Diary, Line};
use crate::{POWER, close, installed, meter};

const EPOCHS: usize = 3;
const TRAIN: u8 = 22;
const VALID: u8 = 10;

/// What a training left behind.
struct Run<M> {
    result: LearningResult<M>,
    record: Record,
    directory: tempfile::TempDir,
    train: Diary,
}

/// Trains `model`; `set` adds to how it is metered.
fn train<M>(meter: &Meter, model: M, set: impl FnOnce(Metering) -> Metering) -> Run<M>
where
    M: LearnerModel + burn::train::TrainStep<Input = Batch>,
    M: burn::train::InferenceStep<Input = Batch>,
{
    let directory = tempfile::tempdir().unwrap();
    let (train, valid) = (Diary::new(meter, "train"), Diary::new(meter, "valid"));
    let training = SupervisedTraining::metered(
        set(Metering::new(meter)),
        directory.path(),
        toy::loader(&train, TRAIN),
        toy::loader(&valid, VALID),
    )
    .num_epochs(EPOCHS)
    .with_application_logger(None)
    .renderer(Box::new(CliMetricsRenderer::new()));
    let result = training.launch(Learner::new(model, SgdConfig::new().init(), 0.1));
    assert!(result.error.is_none(), "{:?}", result.error);
    let record = meter.finish().unwrap();
    Run { result, record, directory, train }
}

fn line() -> Line {
    Line::new(&Device::flex().autodiff())
}

#[test]
fn a_budget_of_three_fifths_of_the_total_stops_within_a_step_of_it() {
    let known = train(&meter(), line(), |metering| metering);
    let total = known.record.total.energy.unwrap().joules;
    let budget = Budget::Energy((total * 0.6).to_kwh());

    let before = clock::now();
    let meter = meter();
    let after = clock::now();
    let run = train(&meter, line(), |metering| metering.budget(budget).unwrap());
    let reason = run.result.interrupted.expect("it was stopped").reason.expect("with a reason");
    assert!(reason.contains("budget") && reason.contains("is spent"), "{reason}");
    assert!(run.record.warnings.contains(&reason), "{:?}", run.record.warnings);

    // At constant power the budget is a moment; the run began between two of ours.
    let length = std::time::Duration::from_secs_f64(total.get() * 0.6 / POWER);
    let (earliest, latest) = (before.after(length), after.after(length));
    let steps = run.train.steps.lock().unwrap();
    let after_it = |moment: Timestamp| steps.iter().filter(|(begin, _)| *begin > moment).count();
    assert!(after_it(latest) <= 1, "{} steps began after the budget", after_it(latest));
    let last = steps.last().unwrap().1;
    let valid = run.record.steps.get("valid").map_or(0, |steps| steps.count);
    assert!(
        last >= earliest || valid > 0,
        "it was stopped {} s early",
        earliest.since(last).as_secs_f64()
    );
    // What there is of the model is the caller's.
    assert!(run.result.model.to_string().contains("Line"));
    let drawn = run.record.total.energy.unwrap().joules;
    assert!(drawn >= total * 0.6 && drawn < total, "{drawn} of {total}");
}

#[test]
fn a_planned_run_is_foreseen() {
    let meter = meter();
    let run = train(&meter, line(), |metering| metering.epochs(EPOCHS));
    let total = run.record.total.energy.unwrap().joules.get();
    let forecasts = &run.record.forecasts;
    assert!(forecasts.len() >= 3, "{forecasts:?}");
    assert!(forecasts.windows(2).all(|pair| pair[0].progress < pair[1].progress));
    let [.., last, end] = forecasts.as_slice() else { panic!("{forecasts:?}") };
    assert!(end.is_final() && close(end.energy().get(), total, 0.1), "{end:?} of {total} J");
    assert!(close(last.energy().get(), total, 0.25), "{last:?} of {total} J");
    // At constant power energy and time are one.
    assert!(close(last.joules.value, last.seconds.value * POWER, 0.05), "{last:?}");
    assert!(log(&run, "train", ForecastMetric::NAME).is_some());
    let again = Record::from_json(&run.record.to_json().unwrap()).unwrap();
    assert_eq!(&again.forecasts, forecasts);
}

/// What Burn logged of a metric in the last epoch.
fn log<M>(run: &Run<M>, split: &str, metric: &str) -> Option<String> {
    let file = format!("{}.log", metric.replace(' ', "_"));
    let folder = run.directory.path().join(split).join(format!("epoch-{EPOCHS}"));
    fs::read_to_string(folder.join(file)).ok()
}

#[test]
fn totals_stand_in_burns_files() {
    let meter = meter();
    let run = train(&meter, line(), |metering| metering.totals().sync_every(8));
    let synced = "after every 8 steps and at the end of each epoch";
    assert_eq!(run.record.facts["device sync, train"], synced);
    let final_value = |split, metric| {
        let text = log(&run, split, metric).unwrap_or_else(|| panic!("no {metric}"));
        let entry = text.lines().last().unwrap().to_owned();
        burn::train::metric::NumericEntry::deserialize(&entry).unwrap().current()
    };
    let kwh = final_value("train", TotalEnergyMetric::NAME);
    let total = run.record.total.energy.unwrap().joules.to_kwh().get();
    assert!(kwh > 0.5 * total && kwh <= total, "{kwh} kWh of {total}");
    let site = &run.record.footprint.site;
    let facility = kwh * site.pue.value;
    let grams = final_value("train", CarbonMetric::NAME);
    assert!(close(grams, facility * site.carbon.grams_per_kwh, 0.2), "{grams} g");
    let cost = final_value("train", "Electricity cost (USD)");
    let price = site.electricity_price.as_ref().unwrap().value.get();
    assert!(close(cost, facility * price, 0.2), "{cost}");
    for split in ["train", "valid"] {
        let item = final_value(split, ItemEnergyMetric::NAME);
        let items = run.record.steps[split].items.as_ref().unwrap();
        assert!(close(item, items.joules_per_item.get(), 0.9), "{item} J: {items:?}");
        assert!(Joules::new(item) > Joules::ZERO);
    }
}

/// Name, unit and text of the cost at a price.
fn cost(price: Option<&str>) -> (String, Option<String>, String) {
    let meter = Meter::builder().without_environment().without_probe();
    let meter = meter.fixed(DomainKind::Node, Watts::new(POWER));
    let meter = if let Some(price) = price { meter.price(price) } else { meter };
    let meter = meter.start().unwrap();
    let mut metric = CostMetric::new(&meter);
    let MetricAttributes::Numeric(attributes) = metric.attributes() else {
        panic!("{:?}", metric.attributes())
    };
    let text = metric.compute().unwrap().formatted;
    meter.finish().unwrap();
    (metric.name().to_string(), attributes.unit, text)
}

#[test]
fn the_cost_has_the_currency_of_its_price_and_is_not_available_without_one() {
    for currency in ["EUR", "USD"] {
        let (name, unit, text) = cost(Some(&format!("0.31 {currency}")));
        assert_eq!(name, format!("Electricity cost ({currency})"));
        assert_eq!(unit.as_deref(), Some(currency));
        assert!(text.ends_with(&format!(" {currency}")), "{text}");
    }
    let (name, unit, text) = cost(None);
    assert_eq!((name.as_str(), unit), ("Electricity cost", None));
    assert_eq!(text, SerializedEntry::not_available(None).formatted);
}

fn find<'a>(nodes: &'a [SpanNode], name: &str) -> &'a SpanNode {
    nodes.iter().find(|node| node.name == name).unwrap_or_else(|| panic!("{name}"))
}

#[test]
fn a_profiled_model_is_the_same_model_with_its_steps_in_parts() {
    let (meter, _installed) = installed();
    let run = train(&meter, Profiled::new(line()), |metering| metering);
    let model: Line = run.result.model.into_inner();
    assert!(model.to_string().contains("Line"));
    for (split, steps) in [("train", 18), ("valid", 9)] {
        let epoch = find(&run.record.spans, split);
        let step = find(&epoch.children, split);
        assert_eq!(step.count, steps);
        let parts =
            if split == "train" { &["data", "model", "optimizer"][..] } else { &["data", "model"] };
        let names: Vec<_> = step.children.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, parts, "{split}");
        assert!(step.children.iter().all(|node| node.count == steps), "{split}");
        let inside: f64 = step.children.iter().map(|node| node.seconds).sum();
        assert!(inside <= step.seconds + 1e-9);
    }
}

#[test]
fn batches_and_updates_are_both_counted() {
    let (meter, _installed) = installed();
    let run = train(&meter, Profiled::new(line()), |metering| metering.accumulated(4));
    assert_eq!(run.record.facts["batches an update"], "4");
    // Of six batches an epoch, Burn updates after the fourth and after the last.
    assert_eq!(run.record.steps["train"].count, 18);
    let epoch = find(&run.record.spans, "train");
    let step = find(&epoch.children, "train");
    let updates = find(&step.children, "optimizer");
    assert_eq!((step.count, updates.count), (18, 6));
    assert!(updates.by_domain[0] > Joules::ZERO && updates.by_domain[0] < step.by_domain[0]);
    assert_eq!(find(&step.children, "model").count, 18);
}
