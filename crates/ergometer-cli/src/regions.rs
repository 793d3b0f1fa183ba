//! `ergometer regions [SEARCH]`: the grids that are known.

use std::path::PathBuf;

use ergometer::footprint::Grids;
use ergometer::report::Column;

use crate::outcome::{Outcome, Stop};
use crate::table::{table, wrapped};

/// List the grids that `--region` knows: carbon intensity, kind, year and source
#[derive(Debug, clap::Args)]
pub struct Regions {
    /// Show those whose code or name contains this, whatever the case
    #[arg(value_name = "SEARCH")]
    search: Option<String>,
    /// CSV file of grids of your own, which come before those that are shipped: `code,g_per_kwh,year,source`
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Regions {
    pub fn run(self) -> Result<Outcome, Stop> {
        let search = self.search.unwrap_or_default().to_lowercase();
        let is_wanted = |text: &str| text.to_lowercase().contains(&search);
        let grids = self.grid.as_ref().map_or_else(|| Ok(Grids::default()), Grids::read)?;
        let mut found: Vec<_> =
            grids.places().filter(|row| is_wanted(&row.code) || is_wanted(&row.place)).collect();
        if found.is_empty() {
            // It knows other names too (`UK`, `DEU`), and what is spelt alike.
            found.push(grids.find(&search)?);
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
