//! A strict reader of Prometheus' text format 0.0.4, for what this library writes of it.
//!
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

use std::collections::BTreeMap;

pub type Labels = BTreeMap<String, String>;

/// A family of series.
#[derive(Debug, PartialEq)]
pub struct Family {
    pub name: String,
    pub kind: String,
    pub help: String,
    pub series: Vec<(Labels, f64)>,
}

impl Family {
    /// The one series whose label has this value.
    pub fn with(&self, label: &str, value: &str) -> Option<f64> {
        let mut found =
            self.series.iter().filter(|(labels, _)| labels.get(label).is_some_and(|v| v == value));
        let (_, value) = found.next()?;
        assert!(found.next().is_none(), "more than one: {self:#?}");
        Some(*value)
    }
}

/// The families of a text, in its order.
pub fn parse(text: &str) -> Vec<Family> {
    assert!(text.ends_with('\n'), "the last line has no end");
    let mut families: Vec<Family> = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let (name, help) = line.strip_prefix("# HELP ").unwrap().split_once(' ').unwrap();
        assert!(!help.contains('\\') && is_name(name, true), "{line}");
        let line = lines.next().unwrap();
        let (typed, kind) = line.strip_prefix("# TYPE ").unwrap().split_once(' ').unwrap();
        assert_eq!(typed, name);
        assert!(matches!(kind, "counter" | "gauge"), "{line}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        assert!(families.iter().all(|family| family.name != name), "twice: {name}");
        let mut series: Vec<(Labels, f64)> = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            let (labels, value) = sample(line, name);
            assert!(series.iter().all(|(other, _)| *other != labels), "twice: {line}");
            assert!(value.is_finite(), "{line}");
            assert!(kind == "gauge" || value >= 0.0, "{line}");
            series.push((labels, value));
        }
        assert!(!series.is_empty(), "{name} has no series");
        let [name, kind, help] = [name, kind, help].map(str::to_owned);
        families.push(Family { name, kind, help, series });
    }
    families
}

/// The family of a name.
pub fn family<'a>(families: &'a [Family], name: &str) -> &'a Family {
    families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn sample(line: &str, name: &str) -> (Labels, f64) {
    let mut rest = line.strip_prefix(name).unwrap().strip_prefix('{').unwrap();
    let mut labels = Labels::new();
    loop {
        let (label, after) = rest.split_once("=\"").unwrap();
        assert!(is_name(label, false), "{line}");
        let (value, after) = quoted(after);
        assert!(labels.insert(label.to_owned(), value).is_none(), "twice {label}: {line}");
        let Some(next) = after.strip_prefix(',') else {
            let value = after.strip_prefix("} ").unwrap();
            return (labels, value.parse().unwrap());
        };
        rest = next;
    }
}

/// The text up to the closing quote, and what comes after it.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.push(match chars.next().unwrap().1 {
                'n' => '\n',
                same @ ('\\' | '"') => same,
                other => panic!("no escape: \\{other}"),
            }),
            char => value.push(char),
        }
    }
    panic!("no end: {text}")
}

fn is_name(name: &str, colon: bool) -> bool {
    let letter = |c: char| c.is_ascii_alphabetic() || c == '_' || (colon && c == ':');
    name.starts_with(letter) && name.chars().all(|c| letter(c) || c.is_ascii_digit())
}

#[test]
fn the_reader_is_strict() {
    let good = "# HELP a_total b\n# TYPE a_total counter\na_total{c=\"d\\\"\\\\\\n\"} 1.5\n";
    let families = parse(good);
    assert_eq!(families[0].series[0].0["c"], "d\"\\\n");
    assert_eq!(families[0].with("c", "d\"\\\n"), Some(1.5));
    for bad in [
        good.trim_end().to_owned(),
        good.replace("_total", ""),
        good.replace("\\n", "\\t"),
        good.replace("1.5", "NaN"),
        good.replace("1.5", "-1"),
        good.replace("{c", "{1c"),
        good.replace("# TYPE", "# TIPE"),
        format!("{good}{good}"),
        format!("{good}a_total{{c=\"d\\\"\\\\\\n\"}} 1.5\n"),
        format!("{good}# EOF\n"),
    ] {
        assert!(std::panic::catch_unwind(|| parse(&bad)).is_err(), "{bad}");
    }
}
