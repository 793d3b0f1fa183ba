//! Accelerators that show no power to the program: TPUs, and boards that a cloud lends without the maker's driver.
//!
//! The figures are powers that somebody measured and published, never a thermal design power. What another training
//! draws differs, so they are assumptions with a wide error. A name without a published measurement is not in the table.

use super::Fixed;
use crate::error::{Error, ErrorKind, Result};
use crate::source::DomainKind;
use crate::units::Watts;

/// What is published of an accelerator.
struct Accelerator {
    name: &'static str,
    label: &'static str,
    watts: f64,
    /// Relative standard uncertainty for another training: the published range taken as rectangular, 15 % at least. A
    /// judgement.
    error: f64,
    /// What the measurement covers, of what, where and when.
    measured: &'static str,
}

/// The published powers.
static ACCELERATORS: [Accelerator; 6] = [
    Accelerator {
        name: "tpu-v2",
        label: "TPU v2",
        watts: 221.0,
        error: 0.15,
        measured: "a chip with its share of the host, network and fans, mean of Google's trainings (Patterson et al. \
                   2021, arXiv:2104.10350, Table 3; 208 W for the Evolved Transformer)",
    },
    Accelerator {
        name: "tpu-v3",
        label: "TPU v3",
        watts: 220.0,
        error: 0.15,
        measured: "a chip with its memory, without the host, mean of Google's applications, 175 to 262 W (Jouppi et \
                   al. 2023, arXiv:2304.01433, Table 4)",
    },
    Accelerator {
        name: "tpu-v4",
        label: "TPU v4",
        watts: 170.0,
        error: 0.15,
        measured: "a chip with its memory, without the host, mean of Google's applications, 121 to 192 W (Jouppi et \
                   al. 2023, arXiv:2304.01433, Table 4)",
    },
    Accelerator {
        name: "p100",
        label: "P100",
        watts: 271.0,
        error: 0.15,
        measured: "a board with its share of the host, network and fans, mean of Google's trainings (Patterson et al. \
                   2021, arXiv:2104.10350, Table 3)",
    },
    Accelerator {
        name: "v100",
        label: "V100",
        watts: 325.0,
        error: 0.15,
        measured: "a board with its share of the host, network and fans (Patterson et al. 2021, arXiv:2104.10350, \
                   Table 3; 330 W for GPT-3)",
    },
    Accelerator {
        name: "a100",
        label: "A100",
        watts: 326.0,
        error: 0.2,
        measured: "a board's chip with its memory, without the host, mean of ResNet (273 W) and BERT (380 W) in \
                   MLPerf (Jouppi et al. 2023, arXiv:2304.01433)",
    },
];

/// No machine has more of them.
const MOST: u32 = 64;

/// `count` accelerators of this name, each a domain of its own.
///
/// # Errors
///
/// [`ErrorKind::InvalidSetting`] for a name without a published power, or a count that is not 1 to 64.
pub(in crate::source) fn assumed(name: &str, count: u32) -> Result<Vec<Fixed>> {
    if !(1..=MOST).contains(&count) {
        let message = format!("{count} accelerators of the name '{name}' in one machine");
        return Err(Error::new(ErrorKind::InvalidSetting, message)
            .with_remedy(format!("give the number that this machine has, 1 to {MOST}")));
    }
    let wanted = name.trim();
    let found = ACCELERATORS.iter().find(|one| one.name.eq_ignore_ascii_case(wanted));
    let Some(Accelerator { name, label, watts, error, measured }) = found else {
        let names: Vec<&str> = ACCELERATORS.iter().map(|one| one.name).collect();
        let message = format!(
            "no power of an accelerator '{wanted}' is known that was measured and published"
        );
        return Err(Error::new(ErrorKind::InvalidSetting, message).with_remedy(format!(
            "state it yourself, as `gpu=250`; known are {}",
            names.join(", ")
        )));
    };
    (1..=count)
        .map(|number| {
            let mut fixed = Fixed::new(DomainKind::Gpu, Watts::new(*watts), *error)?;
            let domain = &mut fixed.domains[0];
            domain.id = format!("{}:{name}-{number}", super::NAME);
            domain.label = format!("{label} at an assumed {}", Watts::new(*watts));
            domain.note = Some(format!("assumed, not measured here: {measured}"));
            Ok(fixed)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::Method;
    use crate::source::PowerSource as _;

    #[test]
    fn each_is_a_domain_of_its_own_that_says_where_its_power_is_from() {
        for known in &ACCELERATORS {
            let found = assumed(&known.name.to_uppercase(), 3).unwrap();
            let ids: Vec<_> = found.iter().map(|fixed| fixed.domains()[0].id.clone()).collect();
            let expected = [1, 2, 3].map(|number| format!("fixed:{}-{number}", known.name));
            assert_eq!(ids, expected);
            let domain = &found[0].domains()[0];
            assert_eq!((domain.kind, domain.method), (DomainKind::Gpu, Method::Assumed));
            assert!(domain.sensor.relative_error >= 0.15, "{}", known.name);
            let note = domain.note.as_ref().unwrap();
            assert!(note.contains("arXiv:") && note.contains(" 202"), "{note}");
        }
    }

    #[test]
    fn a_name_without_a_measurement_is_refused_with_what_to_write() {
        let error = assumed("tpu-v5p", 4).unwrap_err();
        let remedy = error.remedy().unwrap();
        assert!(remedy.contains("gpu=250") && remedy.contains("tpu-v4"), "{remedy}");
        for count in [0, 65] {
            assert_eq!(assumed("tpu-v4", count).unwrap_err().kind(), ErrorKind::InvalidSetting);
        }
    }
}
