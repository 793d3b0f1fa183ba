//! Where the run takes place: what the program states, and the environment for what it leaves open.

use super::MeterBuilder;
use crate::error::{Error, ErrorKind, Result};
use crate::footprint::{CarbonSeries, Cited, Grids, Site};

const REGION: &str = "ERGOMETER_REGION";
const PUE: &str = "ERGOMETER_PUE";
const GRID: &str = "ERGOMETER_GRID";
const SERIES: &str = "ERGOMETER_CARBON_SERIES";
const MARKET: &str = "ERGOMETER_MARKET";
const PRICE: &str = "ERGOMETER_PRICE";
const WUE: &str = "ERGOMETER_WUE";

impl MeterBuilder {
    /// The site of the run.
    pub(super) fn place(&mut self) -> Result<Site> {
        let stated = self.site.is_some();
        let mut site = self.site.take().unwrap_or_else(Site::current);
        site = self.on_its_grid(site, stated)?;
        site = self.with_series(site, stated)?;
        if let Some(pue) = self.pue {
            site = site.with_pue(pue)?;
        } else {
            let ratio = |site: Site, text: &str| {
                site.with_pue(number(text, "a ratio of at least 1, as 1.2")?)
            };
            site = self.open(site, stated, PUE, ratio);
        }
        site = match self.place.market.take() {
            Some(text) => site.with_market_text(&text)?,
            None => self.open(site, stated, MARKET, Site::with_market_text),
        };
        site = match self.place.price.take() {
            Some(text) => site.with_price(&text)?,
            None => self.open(site, stated, PRICE, Site::with_price),
        };
        let litres = |site: Site, litres: f64| {
            let year = site.pue.year;
            site.with_wue(Cited::new(litres, "stated by the user", year))
        };
        site = match self.place.wue {
            Some(wue) => litres(site, wue)?,
            None => self.open(site, stated, WUE, |site, text| {
                litres(site, number(text, "litres a kilowatt-hour, as 1.8")?)
            }),
        };
        // Its fields are the caller's to set.
        site.check()?;
        Ok(site)
    }

    /// The site on the grid of the region, which may be in a file.
    fn on_its_grid(&mut self, site: Site, stated: bool) -> Result<Site> {
        let grids = match self.place.grid.take() {
            Some(path) => Grids::read(path)?,
            None => self.variable(GRID).map_or_else(Grids::default, |path| {
                Grids::read(&path).unwrap_or_else(|error| {
                    self.not_used(GRID, &path, &error.to_string());
                    Grids::default()
                })
            }),
        };
        let Some(region) = &self.region else {
            return Ok(
                self.open(site, stated, REGION, |site, region| site.region_in(region, &grids))
            );
        };
        if site.carbon_series.is_some() {
            let message =
                format!("a region, '{region}', and a site with a carbon series of its own");
            return Err(Error::new(ErrorKind::InvalidSetting, message)
                .with_remedy("leave the region out, or the series"));
        }
        site.region_in(region, &grids)
    }

    /// The site with the intensities of a file. A region beside it sets the price.
    fn with_series(&mut self, site: Site, stated: bool) -> Result<Site> {
        let Some(path) = self.place.series.take() else {
            let is_open = !stated && self.region.is_none();
            return Ok(self.open(site, !is_open, SERIES, |site, path| {
                site.with_carbon_series(CarbonSeries::read(path)?)
            }));
        };
        if site.carbon_series.is_some() {
            let message =
                format!("the carbon series {} and a site with one of its own", path.display());
            return Err(
                Error::new(ErrorKind::InvalidSetting, message).with_remedy("leave one of them out")
            );
        }
        site.with_carbon_series(CarbonSeries::read(path)?)
    }

    /// The site with what a variable says, unless the program stated a site. An invalid value is reported and changes
    /// nothing.
    fn open(
        &mut self,
        site: Site,
        stated: bool,
        name: &str,
        set: impl Fn(Site, &str) -> Result<Site>,
    ) -> Site {
        let Some(text) = self.variable(name).filter(|_| !stated) else { return site };
        match set(site.clone(), &text) {
            Ok(there) => there,
            Err(error) => {
                let remedy = error.remedy().map(|remedy| format!("; {remedy}")).unwrap_or_default();
                self.not_used(name, &text, &format!("{error}{remedy}"));
                site
            }
        }
    }
}

fn number(text: &str, what: &str) -> Result<f64> {
    text.trim().parse().map_err(|_| {
        Error::new(ErrorKind::InvalidSetting, format!("'{text}' is not a number"))
            .with_remedy(format!("give {what}"))
    })
}
