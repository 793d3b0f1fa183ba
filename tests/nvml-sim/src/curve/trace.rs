//! A recorded trace of power, played over and over.

use super::Levels;

impl Levels {
    /// Reads lines of `seconds,watts`, each of which holds until the next; the last holds as long as
    /// the one before it (a single line: a second), then the trace begins again.
    ///
    /// A first line of words is a heading; empty lines and lines that begin with `#` are left out.
    ///
    /// # Errors
    /// The line that cannot be understood, in words.
    pub fn trace(text: &str) -> Result<Self, String> {
        let mut rows: Vec<(f64, f64)> = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            let heading = rows.is_empty() && line.starts_with(char::is_alphabetic);
            if line.is_empty() || line.starts_with('#') || heading {
                continue;
            }
            rows.push(row(line).ok_or_else(|| format!("line {number} is not seconds,watts"))?);
        }
        let Some(&(first, _)) = rows.first() else { return Err("has no line".to_owned()) };
        let last = match rows[..] {
            [.., (before, _), (last, _)] => last + (last - before),
            _ => first + 1.0,
        };
        let starts = rows.into_iter().map(|(seconds, watts)| (nanos(seconds - first), watts));
        Self::new(starts, nanos(last - first)).ok_or_else(|| "goes back in time".to_owned())
    }
}

fn row(line: &str) -> Option<(f64, f64)> {
    /// More seconds than any machine runs, more watts than any draws: sums stay finite.
    const MOST: f64 = 1e12;
    let (seconds, watts) = line.split_once(',')?;
    let number = |text: &str| text.trim().parse().ok().filter(|number: &f64| number.abs() <= MOST);
    Some((number(seconds)?, number(watts)?))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a saturating cast")]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_until_the_next() {
        let text = "seconds,watts\n# idle\n10.0, 100\n10.5, 300\n\n11.0, 50\n";
        let levels = Levels::trace(text).unwrap();
        assert_eq!(levels.period_ns(), 1_500_000_000);
        assert!((levels.joules() - (50.0 + 150.0 + 25.0)).abs() < 1e-9);
        assert!((levels.part(750_000_000) - (50.0 + 75.0)).abs() < 1e-9);
        assert!((Levels::trace("3,70").unwrap().joules() - 70.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_trace_is_said() {
        for (text, said) in [
            ("", "no line"),
            ("0,1\nx,2", "line 2"),
            ("0,1\n1,inf", "line 2"),
            ("0,1\n1,1e300", "line 2"),
            ("1,100\n0,200", "back in time"),
            ("0,1\n1,2\n1,3", "back in time"),
        ] {
            let error = Levels::trace(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
    }
}
