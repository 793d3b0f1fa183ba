//! Checks a record that was read, since all further computation relies on it.

use crate::energy::{Energy, Usage};
use crate::footprint::Footprint;
use crate::forecast::{Forecast, Interval};
use crate::record::{Epoch, MoreEpochs, NamedSteps, Part, Record, SpanNode, Steps};
use crate::units::Joules;

/// The largest count. Counts are summed, also over ranks, and converted to floats. 2^53 steps of a
/// nanosecond take 104 days.
const LARGEST_COUNT: u64 = 1 << 53;
/// Values may lie this far below 0 through rounding, joules.
const ROUNDING: f64 = 1e-6;

type Checked = Result<(), String>;

impl Record {
    /// Why this record is invalid, if it is: a list lacks a domain, a time, energy or uncertainty is
    /// negative, a count is impossible, or a coverage is above 1.
    pub(crate) fn check(&self) -> Checked {
        let domains = self.domains.len();
        usage("total", &self.total, domains)?;
        seconds("run", self.run.seconds)?;
        self.run.asleep_seconds.iter().try_for_each(|asleep| seconds("run", *asleep))?;
        if self.run.cpu_utilisation.is_some_and(|busy| !(0.0..=1.0).contains(&busy)) {
            return Err("the processors' utilisation is not between 0 and 1".to_owned());
        }
        for row in &self.domains {
            row.energy.iter().try_for_each(|one| energy(&row.domain.id, one))?;
            count(&row.domain.id, row.readings)?;
            count(&row.domain.id, row.failed_readings)?;
        }
        if self.method_shares.values().any(|share| !(-ROUNDING..=1.0 + ROUNDING).contains(share)) {
            return Err("a method's share of the total is not between 0 and 1".to_owned());
        }
        list("outside_epochs", &self.outside_epochs, domains)?;
        for epoch in &self.epochs {
            epoch.check(domains)?;
        }
        for (split, more) in &self.more_epochs {
            more.check(split, domains)?;
        }
        for (split, one) in &self.steps {
            steps(split, one, domains)?;
        }
        self.steps_by_name.values().try_for_each(|rows| named(rows, domains))?;
        self.spans.iter().try_for_each(|node| node.check(domains))?;
        footprint(&self.footprint)?;
        self.power.iter().try_for_each(|power| power.check(domains))?;
        self.earlier.iter().try_for_each(Part::check)?;
        self.forecasts.iter().try_for_each(Forecast::check)
    }
}

impl Part {
    fn check(&self) -> Checked {
        let name = &self.run_id;
        seconds(name, self.seconds)?;
        intensity(self.mean_intensity)?;
        self.energy.iter().try_for_each(|one| energy(name, one))?;
        for row in &self.domains {
            row.energy.iter().try_for_each(|one| energy(&row.domain.id, one))?;
            count(&row.domain.id, row.readings)?;
            count(&row.domain.id, row.failed_readings)?;
        }
        for (split, steps) in &self.steps {
            count(split, steps.totals.count)?;
            seconds(split, steps.totals.seconds)?;
            if !steps.by_domain.is_empty() {
                list(split, &steps.by_domain, self.domains.len())?;
            }
        }
        self.power.iter().try_for_each(|power| power.check(self.domains.len()))?;
        self.footprint.iter().try_for_each(footprint)
    }
}

impl Forecast {
    pub(crate) fn check(&self) -> Checked {
        let ordered = |one: &Interval| one.low <= one.value && one.value <= one.high;
        seconds("a forecast", self.at_s)?;
        if ordered(&self.joules) && ordered(&self.seconds) && (0.0..=1.0).contains(&self.progress) {
            return Ok(());
        }
        Err(format!("a forecast at {} of the run is invalid", self.progress))
    }
}

impl Epoch {
    pub(crate) fn check(&self, domains: usize) -> Checked {
        let name = &self.split;
        usage(name, &self.usage, domains)?;
        seconds(name, self.start_s)?;
        list(name, &self.between_steps, domains)?;
        named(&self.steps_by_name, domains)?;
        self.steps.iter().try_for_each(|one| steps(name, one, domains))
    }
}

impl MoreEpochs {
    pub(crate) fn check(&self, split: &str, domains: usize) -> Checked {
        count(split, self.count)?;
        usage(split, &self.usage, domains)?;
        list(split, &self.between_steps, domains)?;
        named(&self.steps_by_name, domains)?;
        self.steps.iter().try_for_each(|one| steps(split, one, domains))
    }
}

impl SpanNode {
    pub(crate) fn check(&self, domains: usize) -> Checked {
        seconds(&self.name, self.seconds)?;
        count(&self.name, self.count)?;
        if self.folded > self.count {
            return Err(format!(
                "{} has {} folded spans of {}",
                self.name, self.folded, self.count
            ));
        }
        list(&self.name, &self.by_domain, domains)?;
        self.children.iter().try_for_each(|node| node.check(domains))
    }
}

fn usage(name: &str, usage: &Usage, domains: usize) -> Checked {
    seconds(name, usage.seconds)?;
    list(name, &usage.by_domain, domains)?;
    usage
        .energy
        .iter()
        .chain(usage.by_domain.iter().flatten())
        .try_for_each(|one| energy(name, one))
}

pub(crate) fn steps(name: &str, steps: &Steps, domains: usize) -> Checked {
    count(name, steps.count)?;
    if steps.folded > steps.count {
        return Err(format!("{name} has {} folded steps of {}", steps.folded, steps.count));
    }
    seconds(name, steps.seconds)?;
    list(name, &steps.by_domain, domains)
}

fn footprint(footprint: &Footprint) -> Checked {
    intensity(footprint.mean_intensity)?;
    footprint.site.check().map_err(|error| format!("its site is invalid: {error}"))
}

pub(crate) fn named(rows: &[NamedSteps], domains: usize) -> Checked {
    rows.iter().try_for_each(|row| steps(&row.name, &row.steps, domains))
}

fn energy(name: &str, energy: &Energy) -> Checked {
    let positive = |joules: Joules| joules.get() >= -ROUNDING;
    if !positive(energy.joules) || !positive(energy.standard_uncertainty) {
        let (joules, uncertainty) = (energy.joules, energy.standard_uncertainty);
        return Err(format!("{name} has an energy of {joules} ± {uncertainty}"));
    }
    if (-ROUNDING..=1.0 + ROUNDING).contains(&energy.coverage) {
        Ok(())
    } else {
        Err(format!("{name} has a coverage of {}", energy.coverage))
    }
}

fn seconds(name: &str, seconds: f64) -> Checked {
    if seconds >= 0.0 { Ok(()) } else { Err(format!("{name} has a time of {seconds} s")) }
}

fn intensity(grams: Option<f64>) -> Checked {
    match grams {
        Some(grams) if !(grams >= 0.0 && grams.is_finite()) => {
            Err(format!("the mean carbon intensity is {grams} g/kWh"))
        }
        _ => Ok(()),
    }
}

fn count(name: &str, count: u64) -> Checked {
    if count <= LARGEST_COUNT { Ok(()) } else { Err(format!("{name} has a count of {count}")) }
}

fn list<T>(name: &str, list: &[T], domains: usize) -> Checked {
    if list.len() == domains {
        return Ok(());
    }
    Err(format!("{name} has {} values for {domains} domains", list.len()))
}

#[cfg(test)]
mod tests;
