//! Quality against energy: the held-out loss after each epoch, and the energy until then.

use super::run::Run;

/// Rows of a table at most; of a longer curve the first, the last and some between are shown.
const ROWS: usize = 8;

/// The end of an epoch's evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Number of the epoch, from 1.
    pub epoch: u64,
    /// Energy of all epochs up to this one, training and evaluation, joules; `None` where one of them was not metered.
    pub joules: Option<f64>,
    /// Held-out loss.
    pub loss: f64,
}

/// The curve of a run, in the order of its epochs. It is empty where the record has no losses of epochs, as those of
/// earlier versions.
pub fn of(run: &Run) -> Vec<Point> {
    let mut joules = Some(0.0);
    let mut points = Vec::new();
    for epoch in &run.epochs {
        let own = epoch.usage.energy.map(|energy| energy.joules.get());
        joules = joules.zip(own).map(|(sum, own)| sum + own);
        let name = format!("valid_loss_epoch_{}", epoch.index);
        if epoch.split == "valid"
            && let Some(&loss) = run.results.get(&name)
        {
            points.push(Point { epoch: epoch.index, joules, loss });
        }
    }
    points
}

/// At most [`ROWS`] of `points`, evenly spread, with the first and the last.
pub fn thinned(points: &[Point]) -> Vec<Point> {
    let Some(last) = points.len().checked_sub(1).filter(|last| *last >= ROWS) else {
        return points.to_vec();
    };
    (0..ROWS).map(|row| points[(row * last + (ROWS - 1) / 2) / (ROWS - 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_models::Model;
    use crate::bench_models::report::tests::records::{record, report};

    /// The curve of a run with one epoch of training and one of evaluation, of 4000 J, whose record has `results`.
    fn curve(metered: bool, results: &[(&str, f64)]) -> Vec<Point> {
        let mut record = record(1, 4000.0);
        for (name, value) in results {
            record.results.insert((*name).to_owned(), *value);
        }
        if !metered {
            record.epochs[0].usage.energy = None;
        }
        of(&report(vec![(Model::Gpt2, record)]).models[0].runs[0])
    }

    #[test]
    fn a_point_has_the_energy_of_all_epochs_up_to_it() {
        let points = curve(true, &[("valid_loss_epoch_1", 2.5), ("valid_loss_epoch_2", 2.0)]);
        let record = record(1, 4000.0);
        let sum: f64 =
            record.epochs.iter().map(|epoch| epoch.usage.energy.unwrap().joules.get()).sum();
        assert_eq!(record.epochs.len(), 2);
        // The record has no second epoch: its loss has no place on the curve.
        assert_eq!(points, [Point { epoch: 1, joules: Some(sum), loss: 2.5 }]);
    }

    #[test]
    fn an_epoch_that_was_not_metered_leaves_no_figure_behind_it() {
        let points = curve(false, &[("valid_loss_epoch_1", 2.5)]);
        assert_eq!(points, [Point { epoch: 1, joules: None, loss: 2.5 }]);
        assert_eq!(curve(true, &[]), []);
    }

    #[test]
    fn a_long_curve_is_shown_from_end_to_end() {
        let point = |epoch| Point { epoch, joules: None, loss: 1.0 };
        for count in [0, 1, 7, 8, 9, 30, 100] {
            let points: Vec<Point> = (1..=count).map(point).collect();
            let shown = thinned(&points);
            assert_eq!(shown.len(), points.len().min(ROWS));
            assert_eq!((shown.first(), shown.last()), (points.first(), points.last()));
            assert!(shown.windows(2).all(|two| two[0].epoch < two[1].epoch), "{shown:?}");
        }
    }
}
