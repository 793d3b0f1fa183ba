//! `cargo xtask bench-models`: trains the example models, each in a process of its own, and
//! reports what that cost.

mod against;
mod amount;
mod args;
mod checks;
mod child;
mod choices;
mod commit_tree;
mod comparison;
mod conditions;
mod corpus;
mod csv_rows;
mod curve;
mod figure;
mod files;
mod html;
mod mean;
mod model_report;
mod notes;
mod order;
mod page;
mod paper;
mod peak;
mod projection;
mod replay;
mod report;
mod run;
pub mod simulate;
mod software;
mod spread;
mod steady;
mod sweep;
mod table;

use std::path::{Path, PathBuf};

use ergometer::Record;
use ergometer::report::{paragraph, width};

use crate::stop::{Doing, Stop};
use crate::workspace;
pub use args::BenchModels;
use choices::{Backend, Model, Subject, word};
use comparison::Comparison;
use conditions::Conditions;
use peak::Peak;
use report::{Report, Setting};
use run::Measured;

impl BenchModels {
    /// Builds, trains and reports.
    pub fn run(&self) -> Result<(), Stop> {
        self.check_input()?;
        let old = self.compare.as_deref().map(Report::read).transpose()?;
        let out = self.out.clone().unwrap_or_else(|| workspace::root().join("target/bench-models"));
        std::fs::create_dir_all(&out).doing(format!("create the folder {}", out.display()))?;

        let nvml = self.simulate.map(|boards| boards.library(&out)).transpose()?;
        if let Some(record) = &self.replay {
            return self.run_again(record, nvml.as_deref(), &out);
        }
        if let Some(file) = &self.sweep {
            return self.run_sweep(file, nvml.as_deref(), &out);
        }
        let report = if self.merge.is_empty() {
            self.measure(nvml.as_deref(), &out)?
        } else {
            let reports = self.merge.iter().map(|path| self.read(path));
            Some(Report::merged(reports.collect::<Result<_, _>>()?)?)
        };
        let Some(mut report) = report else {
            return Err(Stop::failed("every run failed"));
        };
        report.remarks.extend(self.remark.iter().cloned());
        if let (Some(old), Some(path)) = (&old, &self.compare) {
            let name = path.display().to_string();
            let (new, old) = (report.benchmark(), old.benchmark());
            report.comparisons = Comparison::between(new, old, &name, self.margin);
        }
        self.show(&report, &out)?;
        match report.failures.len() {
            0 => self
                .fail_above
                .map_or(Ok(()), |limit| comparison::judge(&report.comparisons, limit)),
            failed => Err(Stop::failed(format!("runs that failed: {failed}"))),
        }
    }

    /// Builds and trains; `None` where no run wrote a record.
    fn measure(&self, nvml: Option<&Path>, out: &Path) -> Result<Option<Report>, Stop> {
        let models = self.distinct_models();
        let programs = child::build(&models, &self.backends, self.profile, None)?;
        let before = Conditions::now();
        let mut peaks = Vec::new();
        if let Some((_, program)) = programs.first() {
            let sources = child::probe(program, nvml)?;
            eprint!("{}", notes::sources(&sources));
            peaks = self.peaks(program);
        }
        let (measured, failures, comparisons) = if let Some(base) = &self.against {
            let against::Outcome { comparisons, measured, failures } =
                self.run_pairs(base, &models, nvml, out)?;
            (measured, failures, comparisons)
        } else {
            let (measured, failures) = self.train_all(&programs, nvml, out)?;
            (measured, failures, Vec::new())
        };
        let setting = Setting {
            settings: self.settings(),
            software: software::read(),
            conditions: vec![before, Conditions::now()],
            peaks,
        };
        let report = Report::new(setting, &models, measured, failures);
        Ok(report.map(|report| Report { comparisons, ..report }))
    }

    /// An earlier report, or the record of a model's program as a report of its own.
    fn read(&self, path: &Path) -> Result<Report, Stop> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let Ok(record) = Record::from_json(&text) else { return Report::read(path) };
        let subject = Subject::of(&record.facts).ok_or_else(|| {
            Stop::wrong_input(format!("{} is not of a model here", path.display()))
        })?;
        let run = Measured {
            subject,
            record,
            record_path: path.to_owned(),
            log_path: path.with_extension("log"),
        };
        let setting = Setting {
            settings: self.settings(),
            software: software::read(),
            conditions: Vec::new(),
            peaks: Vec::new(),
        };
        Report::new(setting, &[subject.model], vec![run], Vec::new())
            .ok_or_else(|| Stop::failed("no run"))
    }

    /// What each backend reaches here, where it can be measured.
    fn peaks(&self, program: &Path) -> Vec<(Backend, Peak)> {
        let peak = |backend: &Backend| {
            Some((*backend, child::peak(program, &word(*backend), self.device)?))
        };
        self.backends.iter().filter_map(peak).collect()
    }

    /// Writes the report's files and prints it.
    fn show(&self, report: &Report, out: &Path) -> Result<(), Stop> {
        let mut written = files::write(report, out)?;
        if let Some(path) = &self.page {
            std::fs::write(path, page::of(report)).doing(format!("write {}", path.display()))?;
            written.push(path.clone());
        }
        if self.json {
            println!("{}", report.to_json()?);
        } else {
            print!("{}", notes::notice(report));
            print!("{}", table::terminal(report));
            for line in notes::of(report).lines() {
                println!("{}", paragraph(line, 4, width()));
            }
            print!("{}", notes::written(&written));
        }
        Ok(())
    }

    /// Trains every model on every backend in every repeat; returns the failures apart.
    fn train_all(
        &self,
        programs: &[(Model, PathBuf)],
        nvml: Option<&Path>,
        out: &Path,
    ) -> Result<(Vec<Measured>, Vec<String>), Stop> {
        let (mut measured, mut failures) = (Vec::new(), Vec::new());
        for (subject, repeat) in order::of(&self.subjects(), self.repeats, self.seed) {
            let Some((_, program)) = programs.iter().find(|(one, _)| *one == subject.model) else {
                continue;
            };
            match self.train(subject, program, nvml, repeat, out) {
                Ok(run) => measured.push(run),
                Err(child::Failure::WrongInput) => return Err(Stop::relayed(2)),
                Err(child::Failure::Other(message)) => {
                    eprintln!("error: {message}");
                    failures.push(message);
                }
            }
        }
        Ok((measured, failures))
    }

    /// Trains one model once.
    fn train(
        &self,
        subject: Subject,
        program: &Path,
        nvml: Option<&Path>,
        repeat: u32,
        out: &Path,
    ) -> Result<Measured, child::Failure> {
        let number = repeat + 1;
        let seed = self.seed.wrapping_add(u64::from(repeat));
        let name = format!("{}-{number}", subject.file_stem());
        let (record_path, log_path) =
            (out.join(format!("{name}.json")), out.join(format!("{name}.log")));
        eprintln!("==> {subject}, seed {seed}, run {number} of {}", self.repeats);
        let idle = (self.idle > 0.0).then_some(self.idle);
        let arguments = self.arguments(subject, seed, idle);
        let record = child::train(program, nvml, &arguments, &record_path, &log_path)?;
        Ok(Measured { subject, record, record_path, log_path })
    }
}
