//! What became known of a domain's sensor while it was read.

/// Counts and remarks about a domain's readings.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub readings: u64,
    pub failed: u64,
    /// Joules by the counter and by integrated power over the same intervals, where both were read.
    pub counter_joules: f64,
    pub integrated_joules: f64,
    pub compared: bool,
    /// The highest power that was read above what the domain's limit allows.
    pub above_limit: Option<f64>,
    /// Distinct remarks in the order of their first occurrence, with their number.
    pub remarks: Vec<(String, u64)>,
}

impl Health {
    /// Counts one more `text`; beyond some distinct ones, further are left out.
    pub(crate) fn remark(&mut self, text: &str) {
        const MOST_REMARKS: usize = 16;
        if let Some((_, count)) = self.remarks.iter_mut().find(|(known, _)| known == text) {
            *count += 1;
        } else if self.remarks.len() < MOST_REMARKS {
            self.remarks.push((text.to_owned(), 1));
        }
    }
}
