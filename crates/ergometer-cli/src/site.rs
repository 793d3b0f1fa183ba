//! `--preset`, `--region`, `--pue`: where a run takes place.

use ergometer::footprint::{Cited, Site};
use ergometer::units::UsDollars;

use crate::outcome::Stop;

/// The constants that turn joules into CO2e and money.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SiteArgs {
    /// Set of constants to begin with: `current` or `strubell2019`
    #[arg(long, value_name = "NAME", default_value = "current")]
    preset: String,
    /// Grid that the run draws from: `DE`, `US-eGRID`, `gcp:europe-west3`; see `ergometer regions`
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// Power usage effectiveness of the data centre, at least 1
    #[arg(long, value_name = "RATIO")]
    pue: Option<f64>,
    /// Price of a kilowatt-hour, US dollars
    #[arg(long, value_name = "USD")]
    price: Option<f64>,
}

impl SiteArgs {
    /// The site that they describe.
    pub fn site(&self) -> Result<Site, Stop> {
        let mut site = Site::preset(&self.preset)?;
        if let Some(region) = &self.region {
            site = site.region(region)?;
        }
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        }
        if let Some(price) = self.price {
            let year = site.electricity_price.year;
            let price = Cited::new(UsDollars::new(price), "stated by the user", year);
            site = site.with_electricity_price(price)?;
        }
        Ok(site)
    }
}
