//! What `doctor` and `run` have in common: how the meter is set up.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;
use ergometer::source::DomainKind;
use ergometer::source::external::External;
use ergometer::units::Watts;
use ergometer::{Meter, MeterBuilder, Scope};

use crate::outcome::Stop;
use crate::site::SiteArgs;

/// Settings of a meter.
#[derive(Clone, Debug, clap::Args)]
pub struct MeteringArgs {
    #[command(flatten)]
    site: SiteArgs,
    /// Whose energy: all that the machine draws, or this program's share of it
    #[arg(long, value_enum, default_value_t = Whose::Machine)]
    scope: Whose,
    /// A power that you state for what no sensor measures: `node=350`, `gpu=250`; may be repeated
    #[arg(long, value_name = "KIND=WATTS", value_parser = stated)]
    fixed: Vec<(DomainKind, Watts)>,
    /// Accelerators that show no power, whose published mean is assumed: `tpu-v4=4`; may be repeated
    #[arg(long, value_name = "NAME=COUNT", value_parser = counted)]
    assumed: Vec<(String, u32)>,
    /// What the processors draw in all when idle and when busy, watts: makes their model better
    #[arg(long, value_name = "IDLE,FULL", value_parser = pair)]
    cpu_power: Option<(f64, f64)>,
    /// A file of `ergometer calibrate`, for processors that no sensor measures here
    #[arg(long, value_name = "FILE")]
    processors: Option<PathBuf>,
    /// A file or FIFO with `time,watts` lines of a meter of yours, as a wall plug; what it measures is in no other sum. It
    /// measures the whole machine, or what stands before it: `gpu=boards.csv`; may be repeated
    #[arg(long, value_name = "[KIND=]FILE")]
    external: Vec<String>,
    /// A command that writes such lines, run by the shell as long as the run lasts
    #[arg(long, value_name = "[KIND=]CMD")]
    external_command: Vec<String>,
    /// Meter the whole platform (`psys`) instead of the packages and memory in it
    #[arg(long)]
    platform: bool,
    /// Look for no hardware: only powers that you state are used
    #[arg(long)]
    without_probe: bool,
    /// Play a recorded trace instead of reading hardware
    #[arg(long, value_name = "CSV")]
    replay: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Whose {
    Machine,
    Process,
}

impl MeteringArgs {
    /// A meter with these settings.
    pub fn builder(&self) -> Result<MeterBuilder, Stop> {
        let scope = match self.scope {
            Whose::Machine => Scope::Machine,
            Whose::Process => Scope::Process,
        };
        let mut builder = self.site.place(Meter::builder())?.scope(scope);
        for &(kind, watts) in &self.fixed {
            builder = builder.fixed(kind, watts);
        }
        for (name, count) in &self.assumed {
            builder = builder.assumed(name, *count);
        }
        if let Some((idle, full)) = self.cpu_power {
            builder = builder.cpu_power(idle, full);
        }
        if let Some(path) = &self.processors {
            builder = builder.processors(path);
        }
        let files = self.external.iter().map(|text| External::parse_file(text));
        let commands = self.external_command.iter().map(|text| External::parse_command(text));
        for meter in files.chain(commands) {
            builder = builder.external(meter);
        }
        if self.platform {
            builder = builder.platform();
        }
        if self.without_probe {
            builder = builder.without_probe();
        }
        if let Some(path) = &self.replay {
            builder = builder.replay(path);
        }
        Ok(builder)
    }
}

fn stated(text: &str) -> Result<(DomainKind, Watts), String> {
    let (word, watts) = text.split_once('=').ok_or("write it as KIND=WATTS, as node=350")?;
    let kind =
        DomainKind::ALL.into_iter().find(|kind| kind.as_str() == word.trim()).ok_or_else(|| {
            let words = DomainKind::ALL.map(DomainKind::as_str).join(", ");
            format!("'{word}' is not a kind of domain; expected one of {words}")
        })?;
    let watts: f64 = watts.trim().parse().map_err(|_| format!("'{watts}' is not a power"))?;
    Ok((kind, Watts::new(watts)))
}

fn counted(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("'{text}' is not a name and a number; write it as tpu-v4=4");
    let (name, count) = text.split_once('=').ok_or_else(wrong)?;
    Ok((name.trim().to_owned(), count.trim().parse().map_err(|_| wrong())?))
}

fn pair(text: &str) -> Result<(f64, f64), String> {
    let wrong = || format!("'{text}' is not two powers; write them as 20,180");
    let (idle, full) = text.split_once(',').ok_or_else(wrong)?;
    idle.trim().parse().ok().zip(full.trim().parse().ok()).ok_or_else(wrong)
}

/// `2`, `2s`, `500ms`, `3min`: a length of time.
pub fn length(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let scale = match text[number.len()..].trim() {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        unit => return Err(format!("'{unit}' is not a unit of time; expected ms, s, min or h")),
    };
    let value: f64 = number.trim().parse().map_err(|_| format!("'{text}' is not a time"))?;
    Duration::try_from_secs_f64(value * scale).map_err(|_| format!("'{text}' is not a time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_times_are_read_with_their_units() {
        assert_eq!(stated("gpu=250"), Ok((DomainKind::Gpu, Watts::new(250.0))));
        assert!(stated("cpu=1").unwrap_err().contains("cpu-package"));
        assert_eq!(pair("20, 180"), Ok((20.0, 180.0)));
        assert_eq!(counted("tpu-v4=4"), Ok(("tpu-v4".to_owned(), 4)));
        assert!(counted("tpu-v4").unwrap_err().contains("tpu-v4=4"));
        assert_eq!(length("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(length("2"), Ok(Duration::from_secs(2)));
        assert!(length("-1").is_err() && length("2 days").is_err());
    }
}
