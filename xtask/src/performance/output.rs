//! What the benchmark and callgrind print.

/// A line of the benchmark's table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Timing {
    /// The function it stands under, and the argument.
    pub group: String,
    pub name: String,
    /// Nanoseconds of one iteration.
    pub fastest: f64,
    pub median: f64,
}

/// The rows with times in the table that divan draws.
pub(super) fn timings(table: &str) -> Vec<Timing> {
    let mut group = String::new();
    let mut rows = Vec::new();
    for line in table.lines() {
        let mut cells = line.split('│').map(str::trim).filter(|cell| !cell.is_empty());
        let Some(head) = cells.next() else { continue };
        let Some((_, head)) = head.split_once("─ ") else { continue };
        let name = head.split_whitespace().next().unwrap_or_default();
        let fastest = head.strip_prefix(name).and_then(nanos);
        let median = cells.nth(1).and_then(nanos);
        match (fastest, median) {
            (Some(fastest), Some(median)) => {
                rows.push(Timing { group: group.clone(), name: name.to_owned(), fastest, median });
            }
            _ => name.clone_into(&mut group),
        }
    }
    rows
}

/// Nanoseconds of a text such as `58.42 ns`.
fn nanos(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let scale = match unit.trim() {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// The instructions that callgrind says it collected.
pub(super) fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_under_their_function() {
        let table = "\
Timer precision: 22 ns
span                       fastest       │ slowest       │ median        │ mean          │ samples │ iters
├─ thousand                              │               │               │               │         │
│  ├─ disabled_span        2.338 µs      │ 92.7 µs       │ 2.928 µs      │ 3.411 µs      │ 200     │ 200
│  │                       427.6 Mitem/s │ 10.79 Mitem/s │ 341.5 Mitem/s │ 293.1 Mitem/s │         │
│  ╰─ two_instants         45.33 µs      │ 852.4 µs      │ 58.43 µs      │ 68.49 µs      │ 200     │ 200
╰─ threads                               │               │               │               │         │
   ╰─ 8                    1.282 ms      │ 31.86 ms      │ 4.084 ms      │ 5.678 ms      │ 50      │ 50
                           18.71 Mitem/s │ 753.2 Kitem/s │ 5.876 Mitem/s │ 4.227 Mitem/s │         │
";
        let rows = timings(table);
        let names: Vec<_> =
            rows.iter().map(|row| (row.group.as_str(), row.name.as_str())).collect();
        assert_eq!(
            names,
            [("thousand", "disabled_span"), ("thousand", "two_instants"), ("threads", "8")]
        );
        assert!((rows[1].median - 58_430.0).abs() < 1e-6);
        assert!((rows[2].fastest - 1_282_000.0).abs() < 1e-6);
    }

    #[test]
    fn callgrind_says_what_it_collected() {
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 64028\n"), Some(64028));
        assert_eq!(collected("==1== Nothing\n"), None);
    }
}
