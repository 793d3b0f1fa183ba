//! `--preset`, `--region`, `--grid`, `--pue`, `--price` and others: where a run takes place.

use std::path::PathBuf;

use ergometer::MeterBuilder;
use ergometer::footprint::{CarbonSeries, Cited, Grids, Site};

use crate::outcome::Stop;

/// The constants that turn joules into CO2e, water and money.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SiteArgs {
    /// Set of constants to begin with: `current`, which is the default, or `strubell2019`
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// Grid that the run draws from: `DE`, `US-TX`, `gcp:europe-west3`; see `ergometer regions`
    #[arg(long, value_name = "CODE")]
    region: Option<String>,
    /// CSV file of grids of your own, which come before those that are shipped: `code,g_per_kwh,year,source`
    #[arg(long, value_name = "FILE")]
    grid: Option<PathBuf>,
    /// CSV file of carbon intensities over time: lines like 2026-07-01T10:00:00Z,310.5
    #[arg(long, value_name = "FILE")]
    carbon_series: Option<PathBuf>,
    /// Market-based intensity beside the location-based one: g/kWh of the contract, or `residual`
    #[arg(long, value_name = "G|residual")]
    market: Option<String>,
    /// Power usage effectiveness of the data centre, at least 1
    #[arg(long, value_name = "RATIO")]
    pue: Option<f64>,
    /// Price of a kilowatt-hour, as `0.31 EUR` (a number alone is in USD), or that of `households` or `industry`
    #[arg(long, value_name = "PRICE")]
    price: Option<String>,
    /// Water usage effectiveness: litres for a kilowatt-hour of IT energy
    #[arg(long, value_name = "LITRES")]
    wue: Option<f64>,
}

impl SiteArgs {
    /// The site that they describe.
    pub fn site(&self) -> Result<Site, Stop> {
        let mut site = Site::preset(self.preset.as_deref().unwrap_or("current"))?;
        let grids = self.grids()?;
        if let Some(region) = &self.region {
            site = site.region_in(region, &grids)?;
        }
        if let Some(path) = &self.carbon_series {
            site = site.with_carbon_series(CarbonSeries::read(path)?)?;
        }
        if let Some(market) = &self.market {
            site = site.with_market_text(market)?;
        }
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        }
        if let Some(price) = &self.price {
            site = site.with_price(price)?;
        }
        if let Some(wue) = self.wue {
            let year = site.pue.year;
            site = site.with_wue(Cited::new(wue, "stated by the user", year))?;
        }
        Ok(site)
    }

    /// The grids that are known: those of the file, and those that are shipped.
    pub fn grids(&self) -> Result<Grids, Stop> {
        Ok(self.grid.as_ref().map_or_else(|| Ok(Grids::default()), Grids::read)?)
    }

    /// A meter at this site; the environment may state what they leave open.
    pub fn place(&self, mut meter: MeterBuilder) -> Result<MeterBuilder, Stop> {
        // Wrong ones are reported by the name that they have here.
        self.site()?;
        if let Some(preset) = &self.preset {
            meter = meter.site(Site::preset(preset)?);
        }
        if let Some(region) = &self.region {
            meter = meter.region(region);
        }
        if let Some(grid) = &self.grid {
            meter = meter.grid(grid);
        }
        if let Some(series) = &self.carbon_series {
            meter = meter.carbon_series(series);
        }
        if let Some(market) = &self.market {
            meter = meter.market(market);
        }
        if let Some(pue) = self.pue {
            meter = meter.pue(pue);
        }
        if let Some(price) = &self.price {
            meter = meter.price(price);
        }
        if let Some(wue) = self.wue {
            meter = meter.wue(wue);
        }
        Ok(meter)
    }
}
