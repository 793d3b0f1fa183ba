//! The model of the CPU on machines that its fit has not seen.

use ergometer::private::sources::{
    KNOWN_ERROR, UNKNOWN_ERROR, errors, median, own_validation, validation,
};

/// Prints the tables.
pub(super) fn print() {
    let rows = validation();
    println!("| machine left out | points | median | mean | rms | worst | covered |");
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for row in &rows {
        println!(
            "| {} | {} | {:.0} % | {:+.0} % | {:.0} % | {:+.0} % | {:.0} % |",
            row.machine,
            row.points,
            row.median * 100.0,
            row.mean * 100.0,
            row.rms * 100.0,
            row.worst * 100.0,
            row.covered * 100.0
        );
    }
    let points: usize = rows.iter().map(|row| row.points).sum();
    let covered: f64 = rows.iter().map(|row| row.covered * row.points as f64).sum();
    let off = errors();
    println!(
        "\nOver all {points} points: median {:.0} %, {:.0} % covered by two standard uncertainties of {:.0} % (TDP \
         known); {:.0} % where the TDP is not known.\n",
        median(off) * 100.0,
        covered / points as f64 * 100.0,
        KNOWN_ERROR * 100.0,
        UNKNOWN_ERROR * 100.0
    );

    let rows = own_validation();
    println!(
        "| machine left out, its idle and full power known | points | median | p95 | covered |"
    );
    println!("|---|---:|---:|---:|---:|");
    for row in &rows {
        println!(
            "| {} | {} | {:.0} % | {:.0} % | {:.0} % |",
            row.machine,
            row.points,
            row.median * 100.0,
            quantile(&row.errors, 0.95) * 100.0,
            row.covered * 100.0
        );
    }
    let mut errors: Vec<f64> = rows.iter().flat_map(|row| row.errors.iter().copied()).collect();
    errors.sort_by(f64::total_cmp);
    println!(
        "\nOver all {} points: median {:.0} %, p95 {:.0} %.",
        errors.len(),
        quantile(&errors, 0.5) * 100.0,
        quantile(&errors, 0.95) * 100.0
    );
}

/// The value that a share `q` of the `sorted` ones stays below.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range")]
    let index = ((sorted.len() as f64 - 1.0) * q).round() as usize;
    sorted[index]
}
