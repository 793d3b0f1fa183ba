//! A run's meter from the command line, and its record at the end.

use burn::tensor::Device;
use ergometer::footprint::Site;
use ergometer::{Devices, Meter, MeterBuilder, Record};

use crate::{Failure, Fingerprint, Flops, Losses, TrainArgs, accelerators, describe};

/// What a model's own measure of quality came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Name of the measure and of its key in the record: `exact_match`, `perplexity`.
    pub name: &'static str,
    /// Its value before or after the first epoch, so that the change can be shown.
    pub first: f64,
    /// Its value at the end.
    pub last: f64,
}

/// What a finished training has to say for itself.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// Name of the model: `transformer`, `elmo`.
    pub model: &'a str,
    /// What it was trained on: a path, or the built-in corpus's name.
    pub corpus: &'a str,
    /// Trainable parameters.
    pub parameters: usize,
    /// Its quality.
    pub quality: Quality,
    /// Its losses.
    pub losses: Losses,
    /// Operations of its training steps.
    pub flops: Flops,
    /// Fingerprint of the data, training and held-out.
    pub data: String,
    /// All that decides the losses beside data, machine and software, in words.
    pub configuration: String,
}

/// Starts the meter of a run of `model` on `device` and installs it as the process's own. Of the
/// machine's boards it meters the device's own, or all with `--all-boards`.
///
/// # Errors
/// [`Failure::Usage`] for a region, preset or PUE that makes no sense.
pub fn meter(args: &TrainArgs, model: &str, device: &Device) -> Result<Meter, Failure> {
    let own = || ergometer_burn::boards(std::slice::from_ref(device));
    let devices = if args.all_boards { Devices::All } else { own() };
    let mut builder = builder(args, model)?.devices(devices);
    if let Some(folder) = &args.journal {
        builder = builder.journal(folder);
    }
    Ok(builder.install()?)
}

fn builder(args: &TrainArgs, model: &str) -> Result<MeterBuilder, Failure> {
    let label = args.label.clone().unwrap_or_else(|| format!("{model}-{}", args.size));
    let idle = args.idle.unwrap_or_default();
    Ok(Meter::builder().label(label).site(site(args)?).idle(idle))
}

fn site(args: &TrainArgs) -> Result<Site, Failure> {
    let mut site = Site::preset(&args.preset)?;
    if let Some(region) = &args.region {
        site = site.region(region)?;
    }
    if let Some(pue) = args.pue {
        site = site.with_pue(pue)?;
    }
    Ok(site)
}

/// What `--probe` or `--peak` print in place of a training; `None` where neither is asked for.
#[must_use]
pub fn shown_instead(args: &TrainArgs) -> Option<Result<(), Failure>> {
    if args.probe {
        return Some(probe(args));
    }
    args.peak.then(|| crate::peak::peak(args))
}

/// Prints what each power source found, as a JSON array of
/// [`ergometer::source::SourceReport`].
fn probe(args: &TrainArgs) -> Result<(), Failure> {
    let meter = builder(args, "probe")?.devices(Devices::All).install()?;
    let json = serde_json::to_string_pretty(meter.sources()).map_err(Failure::run)?;
    println!("{json}");
    Ok(())
}

/// Ends the run: waits for the device, records what the training came to, prints the record's
/// table and writes it where `--record` says.
///
/// # Errors
/// When the device reports a failure or the record cannot be written.
pub fn finish(
    meter: &Meter,
    args: &TrainArgs,
    device: &Device,
    summary: &Summary<'_>,
) -> Result<Record, Failure> {
    // Work still queued on a GPU belongs to this run.
    device.sync().map_err(Failure::run)?;
    meter.fact("model", summary.model);
    meter.fact("size", args.size);
    meter.fact("corpus", summary.corpus);
    meter.fact("seed", args.seed);
    meter.fact("backend", &args.backend);
    meter.fact("device", describe(device));
    meter.fact("accelerators", accelerators(device));
    meter.fact("parameters", summary.parameters);
    meter.fact("quality", summary.quality.name);
    result(meter, summary.quality.name, Some(summary.quality.last));
    result(meter, &format!("{}_first", summary.quality.name), Some(summary.quality.first));
    identify(meter, args, summary);
    let flops = summary.flops.epochs();
    result(
        meter,
        "training_flops",
        Some(flops.iter().sum::<u64>() as f64).filter(|sum| *sum > 0.0),
    );
    result(meter, "training_flops_first_epoch", flops.first().map(|first| *first as f64));
    let Losses { train, valid, .. } = &summary.losses;
    result(meter, "train_loss_first", train.first());
    result(meter, "train_loss", train.last());
    result(meter, "valid_loss_first", valid.first());
    result(meter, "valid_loss", valid.last());
    // With the energy of the record's epochs these are the curve of quality against energy.
    for (epoch, loss) in (1..).zip(valid.epochs()) {
        result(meter, &format!("valid_loss_epoch_{epoch}"), Some(*loss));
    }
    let record = meter.finish()?;
    println!("{record}");
    if let Some(path) = &args.record {
        record.write(path)?;
    }
    Ok(record)
}

/// Records what has to agree for two runs to have the same losses, and the fingerprint of these.
fn identify(meter: &Meter, args: &TrainArgs, summary: &Summary<'_>) {
    let TrainArgs { size, seed, backend, .. } = args;
    let Summary { model, configuration, data, losses, .. } = summary;
    let configuration = format!("{model} {size}, seed {seed}, {backend}: {configuration}");
    meter.fact("configuration fingerprint", Fingerprint::of([configuration.as_str()]));
    meter.fact("configuration", configuration);
    meter.fact("data fingerprint", data);
    meter.fact("losses fingerprint", &losses.fingerprint);
    eprintln!("losses {}, data {data}", losses.fingerprint);
}

/// Records `value` if there is one; a diverged loss is not a number, and JSON could not hold it.
pub fn result(meter: &Meter, name: &str, value: Option<f64>) {
    if let Some(value) = value.filter(|value| value.is_finite()) {
        meter.result(name, value);
    }
}
