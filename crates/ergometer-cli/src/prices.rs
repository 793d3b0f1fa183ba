//! `ergometer prices [SEARCH]`: the prices that are known.

use ergometer::footprint::{
    AcceleratorPrice, CarbonIntensity, CloudQuote, ElectricityPrice, Payer,
};
use ergometer::report::Column;
use ergometer::units::{Currency, Money, UsDollars};
use serde::Serialize;

use crate::outcome::{Outcome, Stop};
use crate::table::{table, wrapped};

/// List the prices of electricity by place, and what clouds ask for an accelerator, each with year and source
#[derive(Debug, clap::Args)]
pub struct Prices {
    /// Show those whose place or accelerator contains this, whatever the case
    #[arg(value_name = "SEARCH")]
    search: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Found {
    electricity: Vec<ElectricityPrice>,
    accelerators: Vec<AcceleratorPrice>,
}

impl Prices {
    pub fn run(self) -> Result<Outcome, Stop> {
        let search = self.search.unwrap_or_default().to_lowercase();
        let is_wanted = |text: &str| text.to_lowercase().contains(&search);
        let name = |code: &str| {
            CarbonIntensity::find(code).map_or_else(|_| String::new(), |grid| grid.place)
        };
        let mut electricity: Vec<_> = ElectricityPrice::all()
            .filter(|price| is_wanted(&price.place) || is_wanted(&name(&price.place)))
            .collect();
        let accelerators: Vec<_> =
            AcceleratorPrice::all_boards().filter(|price| is_wanted(&price.name)).collect();
        if electricity.is_empty() && accelerators.is_empty() {
            // It knows other names too (`UK`, `DEU`); its error says what to write, and which places with a price are near.
            electricity.push(ElectricityPrice::find(&search, Payer::Industry)?);
        }
        let found = Found { electricity, accelerators };
        if self.json {
            return Outcome::json(&found);
        }
        let mut text = String::new();
        if !found.electricity.is_empty() {
            let rows =
                found.electricity.iter().map(|price| electricity_row(price, name(&price.place)));
            let columns = ["place", "", "payer", "year", "source"].map(Column::prose);
            text += &table(columns, ["a kWh"], rows);
        }
        if !found.accelerators.is_empty() {
            let rows = found.accelerators.iter().flat_map(|price| {
                price.quotes.iter().map(move |quote| cloud_row(&price.name, quote))
            });
            let columns =
                ["accelerator", "cloud", "rented", "read on", "source"].map(Column::prose);
            text += &table(columns, ["on demand", "spot"], rows);
            text +=
                &wrapped("an hour of one accelerator, US dollars, list prices; your bill is exact");
        }
        Ok(Outcome::of(text))
    }
}

fn electricity_row(price: &ElectricityPrice, name: String) -> Vec<String> {
    vec![
        price.place.clone(),
        name,
        price.payer.as_str().to_owned(),
        price.year.to_string(),
        price.source.clone(),
        price.currency.show(price.value),
    ]
}

fn cloud_row(name: &str, quote: &CloudQuote) -> Vec<String> {
    let each = |price: Option<UsDollars>| {
        let each = price.map(|price| Money::new(price.get() / f64::from(quote.boards)));
        each.map_or_else(|| "n/a".to_owned(), |each| Currency::USD.show(each))
    };
    let rented = match (quote.instance.as_str(), quote.boards) {
        ("", 1) => "one".to_owned(),
        ("", boards) => format!("{boards} together"),
        (instance, boards) => format!("{instance}, {boards} in it"),
    };
    let cloud = format!("{} {}", quote.provider, quote.region);
    vec![
        name.to_owned(),
        cloud.trim().to_owned(),
        rented,
        quote.date.clone(),
        quote.source.clone(),
        each(quote.on_demand),
        each(quote.spot),
    ]
}
