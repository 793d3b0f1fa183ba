//! `ergometer regions [SEARCH]`: the grids that are known.

use ergometer::footprint::CarbonIntensity;
use ergometer::report::Column;

use crate::outcome::{Outcome, Stop};
use crate::table::{table, wrapped};

/// List the grids that `--region` knows: carbon intensity, kind, year and source
#[derive(Debug, clap::Args)]
pub struct Regions {
    /// Show those whose code or name contains this, whatever the case
    #[arg(value_name = "SEARCH")]
    search: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Regions {
    pub fn run(self) -> Result<Outcome, Stop> {
        let search = self.search.unwrap_or_default().to_lowercase();
        let is_wanted = |text: &str| text.to_lowercase().contains(&search);
        let mut found: Vec<_> = CarbonIntensity::places()
            .filter(|row| is_wanted(&row.code) || is_wanted(&row.place))
            .collect();
        if found.is_empty() {
            // It knows other names too (`UK`, `DEU`), and what is spelt alike.
            found.push(CarbonIntensity::find(&search)?);
        }
        if self.json {
            return Outcome::json(&found);
        }
        let rows = found.iter().map(|row| {
            vec![
                row.code.clone(),
                row.place.clone(),
                row.kind.as_str().to_owned(),
                row.year.to_string(),
                row.source.clone(),
                format!("{:.2}", row.grams_per_kwh),
            ]
        });
        let columns = [
            Column::exact("code"),
            Column::prose("place"),
            Column::prose("kind"),
            Column::exact("year"),
            Column::prose("source"),
        ];
        let text = table(columns, ["g CO2e/kWh"], rows);
        let note =
            wrapped("life-cycle and direct values differ by about 10 %: do not compare them");
        Ok(Outcome::of(text + &note))
    }
}
