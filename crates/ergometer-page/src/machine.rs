//! What a run computed on, and how that was metered, in words.

use ergometer::record::Record;

/// The boards by name, with their number.
#[must_use]
pub fn boards(labels: &[String]) -> Vec<String> {
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for label in labels {
        match counts.iter_mut().find(|(known, _)| *known == label) {
            Some((_, count)) => *count += 1,
            None => counts.push((label, 1)),
        }
    }
    let name = |(label, count): (&String, usize)| match count {
        1 => label.clone(),
        _ => format!("{count} × {label}"),
    };
    counts.into_iter().map(name).collect()
}

/// Boards and processor of the machine.
#[must_use]
pub fn hardware(record: &Record) -> String {
    let mut parts = boards(&record.machine.accelerators);
    parts.extend(record.machine.cpu.clone());
    if parts.is_empty() { "not known".to_owned() } else { parts.join(", ") }
}

/// How the energies were obtained: `counter`, `counter and modelled`.
#[must_use]
pub fn methods(record: &Record) -> String {
    let words: Vec<&str> = record.method_shares.keys().map(|method| method.as_str()).collect();
    if words.is_empty() { "no energy".to_owned() } else { words.join(" and ") }
}
