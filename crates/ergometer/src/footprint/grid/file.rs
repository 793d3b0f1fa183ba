//! Places and intensities of the user's own.

use super::{CarbonIntensity, IntensityKind, cloud_row, on_the_grid};
use crate::error::{Error, ErrorKind, Result};

/// Places with a carbon intensity that add to those of this crate, and come before them: newer figures need no new
/// release.
///
/// ```
/// use ergometer::footprint::{Grids, Site};
///
/// let grids = Grids::from_csv(
///     "code,g_per_kwh,year,source,place\n\
///      DE,301.5,2026,my grid operator,Germany\n\
///      campus,120,2026,meter of the plant,Campus\n",
/// )?;
/// assert_eq!(grids.find("de")?.grams_per_kwh, 301.5);
/// assert_eq!(grids.find("FR")?.year, 2024, "what the file does not name is as shipped");
/// let site = Site::current().region_in("campus", &grids)?;
/// assert_eq!(site.carbon.source, "meter of the plant");
/// # Ok::<(), ergometer::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grids {
    own: Vec<CarbonIntensity>,
}

/// Columns that a file must have.
const NEEDED: [&str; 4] = ["code", "g_per_kwh", "year", "source"];

impl Grids {
    /// Reads a CSV file with a row of headings: `code`, `g_per_kwh` (grams of CO2 equivalent per kilowatt-hour), `year`
    /// and `source`, and, if it has them, `place` (the name) and `kind` (`life-cycle` or `direct`). Other columns, empty
    /// lines and lines that begin with `#` are skipped. Of two rows with one code the later counts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Format`] with the line and what is wrong with it.
    pub fn from_csv(text: &str) -> Result<Self> {
        let mut rows = csv::ReaderBuilder::new()
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let headings = rows.headers().map_err(not_csv)?.clone();
        let column =
            |name: &str| headings.iter().position(|heading| heading.eq_ignore_ascii_case(name));
        if let Some(missing) = NEEDED.iter().find(|name| column(name).is_none()) {
            return Err(Error::new(
                ErrorKind::Format,
                format!("the grid file has no column '{missing}'"),
            )
            .with_remedy(format!(
                "begin it with a row of headings: {},place,kind",
                NEEDED.join(",")
            )));
        }
        let mut own: Vec<CarbonIntensity> = Vec::new();
        for row in rows.records() {
            let row = row.map_err(not_csv)?;
            let line = row.position().map_or(0, csv::Position::line);
            let cell = |name: &str| column(name).and_then(|at| row.get(at)).unwrap_or_default();
            let place = place(cell).map_err(|why| {
                Error::new(ErrorKind::Format, format!("line {line} of the grid file: {why}"))
                    .with_remedy("write lines like DE,301.5,2026,my grid operator")
            })?;
            own.retain(|known| !known.code.eq_ignore_ascii_case(&place.code));
            own.push(place);
        }
        Ok(Self { own })
    }

    /// Reads [such a file](Self::from_csv).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Io`] if it cannot be read, [`ErrorKind::Format`] if it is not such a file.
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("the grid file {} cannot be read", path.display()))
                .with_source(error)
                .with_remedy("name a CSV file with the columns code,g_per_kwh,year,source")
        })?;
        Self::from_csv(&text)
    }

    /// The grid of a place: of the file, or else as [`CarbonIntensity::find`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::UnknownRegion`] if neither has it.
    pub fn find(&self, code: &str) -> Result<CarbonIntensity> {
        let wanted = code.trim();
        let is = |name: &str| name.eq_ignore_ascii_case(wanted);
        let own = self.own.iter().find(|row| is(&row.code));
        let own = own.or_else(|| self.own.iter().find(|row| is(&row.place)));
        // `Germany` and `DEU` are `DE`, which the file may have.
        own.cloned().map_or_else(
            || {
                let shipped = CarbonIntensity::find(wanted)?;
                let of = |code: &str| {
                    self.own.iter().find(|row| row.code.eq_ignore_ascii_case(code)).cloned()
                };
                // A region of a cloud that publishes nothing is on a grid that the file may have.
                let around =
                    || cloud_row(wanted).and_then(|row| Some(on_the_grid(row, &of(row.grid)?)));
                Ok(of(&shipped.code).or_else(around).unwrap_or(shipped))
            },
            Ok,
        )
    }

    /// Every place: those of the file, and those of this crate that it does not override.
    pub fn places(&self) -> impl Iterator<Item = CarbonIntensity> {
        let is_own = |code: &str| self.own.iter().any(|row| row.code.eq_ignore_ascii_case(code));
        self.own
            .iter()
            .cloned()
            .chain(CarbonIntensity::places().filter(move |place| !is_own(&place.code)))
    }
}

/// A row as a place, or what is wrong with it.
fn place<'a>(cell: impl Fn(&str) -> &'a str) -> std::result::Result<CarbonIntensity, String> {
    let (code, grams, year, source) =
        (cell("code"), cell("g_per_kwh"), cell("year"), cell("source"));
    if code.is_empty() || source.is_empty() {
        return Err("a place needs a code and a source".to_owned());
    }
    let grams_per_kwh =
        grams.parse::<f64>().ok().filter(|grams| grams.is_finite() && *grams >= 0.0);
    let grams_per_kwh =
        grams_per_kwh.ok_or_else(|| format!("'{grams}' is not an intensity in g/kWh"))?;
    let year = year.parse::<u16>().ok().filter(|year| (1900..=2200).contains(year));
    let year = year.ok_or_else(|| format!("'{}' is not a year", cell("year")))?;
    let kind = match cell("kind").to_ascii_lowercase().as_str() {
        "life-cycle" | "lifecycle" => IntensityKind::LifeCycle,
        "direct" => IntensityKind::Direct,
        "" => IntensityKind::Unstated,
        other => return Err(format!("'{other}' is not a kind: life-cycle or direct")),
    };
    let name = cell("place");
    Ok(CarbonIntensity {
        grams_per_kwh,
        code: code.to_owned(),
        place: if name.is_empty() { code } else { name }.to_owned(),
        kind,
        assumed: false,
        source: source.to_owned(),
        year,
    })
}

fn not_csv(error: csv::Error) -> Error {
    Error::new(ErrorKind::Format, "the grid file is not CSV").with_source(error)
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exact in closed form")]
mod tests {
    use super::*;

    const FILE: &str = "# ours\nCode,year,g_per_kwh,source,kind,note\nDE,2026,301.5,operator,life-cycle,x\n\n\
                        gcp:us-central1,2026,99,operator,direct,\nDE,2026,299,operator,direct,the later counts\n";

    #[test]
    fn a_file_comes_before_the_tables_and_adds_to_them() {
        let grids = Grids::from_csv(FILE).unwrap();
        for name in ["DE", "de", "Germany", "DEU"] {
            let found = grids.find(name).unwrap();
            assert_eq!(
                (found.grams_per_kwh, found.year, found.kind),
                (299.0, 2026, IntensityKind::Direct),
                "{name}"
            );
        }
        assert_eq!(grids.find("gcp:us-central1").unwrap().grams_per_kwh, 99.0);
        assert_eq!(grids.find("FR").unwrap(), CarbonIntensity::find("FR").unwrap());
        assert_eq!(
            grids.places().count(),
            CarbonIntensity::places().count(),
            "two that are known were replaced"
        );
        let there = grids.find("aws:eu-central-1").unwrap();
        assert_eq!((there.code.as_str(), there.grams_per_kwh), ("aws:eu-central-1", 299.0));
        assert!(grids.find("Nowhere").is_err());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let read = |rows: &str| {
            Grids::from_csv(&format!("code,g_per_kwh,year,source,kind\n{rows}")).unwrap_err()
        };
        for (rows, why) in [
            ("DE,many,2026,us,", "line 2 of the grid file: 'many'"),
            ("DE,1,2026,us,\nFR,-1,2026,us,", "line 3"),
            ("DE,1,now,us,", "'now' is not a year"),
            ("DE,1,2026,,", "a source"),
            (",1,2026,us,", "a code"),
            ("DE,1,2026,us,green", "'green' is not a kind"),
            ("DE,inf,2026,us,", "'inf'"),
        ] {
            let error = read(rows);
            assert_eq!(error.kind(), ErrorKind::Format);
            assert!(error.to_string().contains(why), "{rows}: {error}");
        }
        let error = Grids::from_csv("code,grams,year,source\nDE,1,2026,us\n").unwrap_err();
        assert!(error.to_string().contains("'g_per_kwh'"), "{error}");
        assert_eq!(Grids::read("/nowhere/grids.csv").unwrap_err().kind(), ErrorKind::Io);
    }
}
