//! What the energy means for the building, the climate and the payer.

use super::Section;
use crate::error::Error;
use crate::footprint::{
    AcceleratorPrice, CarbonIntensity, ElectricityPrice, Estimate, Footprint, Payer,
};
use crate::record::Record;
use crate::report::columns::Column;
use crate::report::figure::{self, ABSENT, or_absent};
use crate::units::GramsCo2e;

pub(super) fn footprint(record: &Record) -> Section {
    let footprint = &record.footprint;
    let site = &footprint.site;
    let kwh = |estimate: Estimate<crate::units::KilowattHours>| {
        let (value, error) = (estimate.value.get(), estimate.standard_uncertainty.get());
        figure::plus_minus(value * 1000.0, error * 1000.0, "Wh")
    };
    let gases = |estimate: Option<Estimate<GramsCo2e>>| {
        or_absent(estimate, |estimate| {
            let grams =
                figure::plus_minus(estimate.value.get(), estimate.standard_uncertainty.get(), "g");
            format!("{grams} ({} lb)", figure::significant(estimate.value.pounds()))
        })
    };
    let mut rows = vec![
        vec!["IT energy".to_owned(), or_absent(footprint.it_energy, kwh), String::new()],
        vec![
            "facility energy".to_owned(),
            or_absent(footprint.facility_energy, kwh),
            format!("PUE {} ({}, {})", site.pue.value, site.pue.source, site.pue.year),
        ],
        vec!["CO2e".to_owned(), gases(footprint.co2e), grid(footprint)],
    ];
    if let Some(market) = &site.market {
        let CarbonIntensity { grams_per_kwh, place, source, year, .. } = market;
        let constant =
            format!("{grams_per_kwh:.1} g/kWh, market-based, {place} ({source}, {year})");
        rows.push(vec!["CO2e, market".to_owned(), gases(footprint.co2e_market), constant]);
    }
    if let Some(wue) = &site.wue {
        let litres = or_absent(footprint.water, |water| {
            figure::plus_minus(water.value.get(), water.standard_uncertainty.get(), "l")
        });
        let constant = format!("WUE {} l/kWh ({}, {})", wue.value, wue.source, wue.year);
        rows.push(vec!["water".to_owned(), litres, constant]);
    }
    rows.push(electricity(footprint));
    rows.push(cloud(footprint));
    Section {
        title: "Footprint".to_owned(),
        columns: vec![
            Column::exact(""),
            Column::figure("this run"),
            Column::prose("constant (source, year)"),
        ],
        rows,
    }
}

/// The price of the facility energy, or what to do where none is known.
fn electricity(footprint: &Footprint) -> Vec<String> {
    let Some(price) = &footprint.site.electricity_price else {
        let code = &footprint.site.carbon.code;
        let why = ElectricityPrice::find(code, Payer::Industry).err();
        let remedy =
            why.as_ref().and_then(Error::remedy).unwrap_or("state a price or a region").to_owned();
        return vec![
            "electricity".to_owned(),
            ABSENT.to_owned(),
            format!("no price is known: {remedy}"),
        ];
    };
    let cost = or_absent(footprint.electricity_cost, |cost| {
        price.currency.mark(&figure::pair(cost.value.get(), cost.standard_uncertainty.get()))
    });
    vec!["electricity".to_owned(), cost, price.describe()]
}

/// The rent of the accelerators, or why there is none.
fn cloud(footprint: &Footprint) -> Vec<String> {
    let cost = footprint.cloud_cost.map(|cost| format!("{} to {}", cost.low, cost.high));
    let constant = match footprint.accelerator_price() {
        Some(AcceleratorPrice { name, low, high, unit, source, year, quotes }) => {
            let days = quotes.iter().map(|quote| quote.date.as_str());
            let (first, last) = (days.clone().min(), days.max());
            let days = match first.zip(last) {
                Some((first, last)) if first == last => first.to_owned(),
                Some((first, last)) => format!("{first} to {last}"),
                None => year.to_string(),
            };
            format!("{name}: {low} to {high} a {} hour ({source}, {days})", unit.as_str())
        }
        None if footprint.accelerators == 0 => "no accelerator".to_owned(),
        None => "no price is known for these accelerators: state one with `Site::with_accelerator`"
            .to_owned(),
    };
    vec!["cloud".to_owned(), cost.unwrap_or_else(|| ABSENT.to_owned()), constant]
}

/// The grid that the CO2e was computed for.
fn grid(footprint: &Footprint) -> String {
    let carbon = &footprint.site.carbon;
    format!(
        "{}{}, {}, {} ({}, {})",
        if carbon.assumed { "ASSUMED, no region was given: " } else { "" },
        intensity(footprint),
        carbon.place,
        carbon.kind.as_str(),
        carbon.source,
        carbon.year
    )
}

/// The intensity that the CO2e was computed with.
fn intensity(footprint: &Footprint) -> String {
    let site = &footprint.site;
    match (footprint.mean_intensity, &site.carbon_series) {
        (Some(mean), Some(series)) => {
            let (count, least, most) = series.range();
            let values = if count == 1 { "value" } else { "values" };
            format!(
                "{mean:.1} g/kWh by energy, {count} {values} of {least:.1} to {most:.1} over time"
            )
        }
        (Some(mean), None) => format!("{mean:.1} g/kWh by energy"),
        (None, _) => format!("{:.1} g/kWh", site.carbon.grams_per_kwh),
    }
}
