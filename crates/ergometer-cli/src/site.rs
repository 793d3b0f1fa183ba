//! `--preset`, `--region`, `--pue`: where a run takes place.

use ergometer::MeterBuilder;
use ergometer::footprint::{Cited, Site};
use ergometer::units::UsDollars;

use crate::outcome::Stop;

/// The constants that turn joules into CO2e and money.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SiteArgs {
    /// Set of constants to begin with: `current`, which is the default, or `strubell2019`
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
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
        let mut site = self.constants()?;
        if let Some(region) = &self.region {
            site = site.region(region)?;
        }
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        }
        Ok(site)
    }

    /// A meter at this site; the environment may state what they leave open.
    pub fn place(&self, mut meter: MeterBuilder) -> Result<MeterBuilder, Stop> {
        // Wrong ones are reported by the name that they have here.
        self.site()?;
        if self.preset.is_some() || self.price.is_some() {
            meter = meter.site(self.constants()?);
        }
        if let Some(region) = &self.region {
            meter = meter.region(region);
        }
        if let Some(pue) = self.pue {
            meter = meter.pue(pue);
        }
        Ok(meter)
    }

    /// The preset, with the price.
    fn constants(&self) -> Result<Site, Stop> {
        let mut site = Site::preset(self.preset.as_deref().unwrap_or("current"))?;
        if let Some(price) = self.price {
            let year = site.electricity_price.year;
            let price = Cited::new(UsDollars::new(price), "stated by the user", year);
            site = site.with_electricity_price(price)?;
        }
        Ok(site)
    }
}
