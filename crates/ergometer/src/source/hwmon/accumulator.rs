//! The energy accumulator of AMD's boards, in the binary file `gpu_metrics` of sysfs.
//!
//! The file begins with its size, a format and a revision, each of which has its own layout (Linux,
//! `drivers/gpu/drm/amd/include/kgd_pp_interface.h`). Of those with an accumulator these are read:
//! * 1.4 to 1.8 (MI300): the header states units of 2^-16 J;
//! * 1.3 of the MI200 family (Aldebaran), whose firmware counts in 15.259 µJ (2^-16 J) in 64 bits
//!   (`smu_v13_0`, `EnergyAcc64bitLow`).
//!
//! The accumulator of other boards with 1.3 has no documented unit, and the kernel took that of RDNA 3 out in 2026 as not
//! valid ("remove invalid `gpu_metrics.energy_accumulator` on smu v13.0.x"). 1.9 and 2.x have none at a fixed place.
//!
//! On some boards it stands still (MI100, MI210: ROCm, `rocm_smi_lib` issue 180), and so it does in guests and on a
//! board's second die. It is used only if it moves when the meter starts, and no longer when it stops; power is integrated
//! instead.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::device::Device;
use crate::clock::Timestamp;
use crate::source::tracked_counter::TrackedCounter;
use crate::source::{Value, proof, sysfs};
use crate::units::{Joules, Watts};

const UNITS_PER_JOULE: f64 = 65536.0;

/// What the accumulator counts.
pub(super) const QUANTUM: Joules = Joules::new(1.0 / UNITS_PER_JOULE);

/// An accumulator that has not moved for this long while power was drawn stands still: at 1 W it should have moved
/// 100,000 times.
const STANDSTILL: Duration = Duration::from_secs(2);

/// The PCI devices of the MI200 family (MI250X, MI250, MI210).
const MI200: [&str; 3] = ["0x7408", "0x740c", "0x740f"];

/// The accumulator is in the first bytes of every layout.
const HEAD: usize = 96;

/// Size of 1.6; one with other fields was in the kernel for some weeks.
const SIZE_OF_1_6: usize = 1664;

#[derive(Debug)]
pub(super) struct Accumulator {
    path: PathBuf,
    file: Option<File>,
    /// Whether the board is one whose layout 1.3 has a known unit.
    mi200: bool,
    counter: TrackedCounter,
    /// The last value, and since when it is that.
    last: Option<(u64, Timestamp)>,
    stands_still: bool,
}

impl Accumulator {
    /// The accumulator of `device`, if it has one that moves. The error is why one that it has is not used.
    pub(super) fn of(device: &Device, impossible: Watts) -> Result<Option<Self>, String> {
        let mi200 = sysfs::word(&device.parent("device"))
            .is_some_and(|id| MI200.iter().any(|known| id.eq_ignore_ascii_case(known)));
        let mut accumulator = Self {
            path: device.parent("gpu_metrics"),
            file: None,
            mi200,
            // 64 bits: more than a board draws in its life.
            counter: TrackedCounter::new(UNITS_PER_JOULE, "units of 2^-16 J", None, impossible),
            last: None,
            stands_still: false,
        };
        if accumulator.raw().is_err() {
            return Ok(None);
        }
        if proof::first_to_move(&mut [&mut || accumulator.raw()]).is_none() {
            return Err("its energy accumulator stands still: power is integrated".to_owned());
        }
        Ok(Some(accumulator))
    }

    fn raw(&mut self) -> io::Result<u64> {
        let mut head = [0; HEAD];
        let known = self.file.take().and_then(|file| {
            let length = sysfs::read_start(&file, &mut head).ok()?;
            Some((file, length))
        });
        // A driver that is loaded again has another file.
        let (file, length) = if let Some(known) = known {
            known
        } else {
            let file = File::open(&self.path)?;
            let length = sysfs::read_start(&file, &mut head)?;
            (file, length)
        };
        self.file = Some(file);
        energy(&head[..length], self.mi200).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "it holds no accumulator with a known unit")
        })
    }

    /// Reads it at `at`, when the board drew `watts`, and pushes the reading that follows.
    pub(super) fn take(&mut self, watts: f64, at: Timestamp, mut push: impl FnMut(Value)) {
        let raw = match self.raw() {
            Ok(raw) => raw,
            Err(error) => {
                let path = self.path.display();
                push(Value::Missing(format!("{path} cannot be read: {error}")));
                return;
            }
        };
        match self.last {
            Some((last, since)) if last == raw => {
                if !self.stands_still && watts > 0.0 && at.since(since) >= STANDSTILL {
                    self.stands_still = true;
                    push(Value::Restarted(
                        "the energy accumulator stands still while power is drawn: power is integrated"
                            .to_owned(),
                    ));
                }
            }
            _ => {
                self.last = Some((raw, at));
                self.stands_still = false;
            }
        }
        if !self.stands_still {
            self.counter.take(raw, at, push);
        }
    }
}

/// The accumulator in the first bytes of `gpu_metrics`; `None` if its layout has none, or one of unknown unit.
fn energy(head: &[u8], mi200: bool) -> Option<u64> {
    let &[low, high, 1, revision, ..] = head else { return None };
    let size = usize::from(u16::from_le_bytes([low, high]));
    let place = match revision {
        3 if mi200 => 24,
        4 | 7 | 8 => 24,
        5 => 88,
        6 if size == SIZE_OF_1_6 => 16,
        _ => return None,
    };
    let field = head.get(place..place + 8).filter(|_| size >= place + 8)?;
    let value = u64::from_le_bytes(field.try_into().ok()?);
    // All ones: the driver has no value.
    (value != u64::MAX).then_some(value)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The file of a revision with this energy at `place`.
    fn table(revision: u8, size: u16, place: usize, energy: u64) -> Vec<u8> {
        let mut bytes = vec![0xA5; size.into()];
        bytes[..2].copy_from_slice(&size.to_le_bytes());
        bytes[2..4].copy_from_slice(&[1, revision]);
        bytes[place..place + 8].copy_from_slice(&energy.to_le_bytes());
        bytes
    }

    #[test]
    fn each_layout_has_its_place_and_those_without_a_unit_are_not_read() {
        for (revision, size, place) in
            [(4, 304, 24), (5, 392, 88), (6, 1664, 16), (7, 2208, 24), (8, 3872, 24)]
        {
            let bytes = table(revision, size, place, 7 << 40);
            assert_eq!(energy(&bytes, false), Some(7 << 40), "1.{revision}");
            assert_eq!(energy(&bytes[..HEAD], false), Some(7 << 40), "only the head is read");
        }
        let old = table(3, 120, 24, 655_360);
        assert_eq!((energy(&old, true), energy(&old, false)), (Some(655_360), None));
        assert_eq!(energy(&table(6, 1000, 16, 1), false), None, "a layout that was withdrawn");
        assert_eq!(energy(&table(4, 304, 24, u64::MAX), false), None, "no value");
        for other in [table(9, 304, 24, 1), table(0, 96, 24, 1), vec![0; 3], Vec::new()] {
            assert_eq!(energy(&other, true), None);
        }
        let mut apu = table(4, 304, 24, 1);
        apu[2] = 2;
        assert_eq!(energy(&apu, true), None);
        assert_eq!(energy(&table(4, 304, 24, 1)[..28], false), None, "cut off");
    }

    fn board(folder: &Path, energy: u64) -> Accumulator {
        let path = folder.join("gpu_metrics");
        fs::write(&path, table(4, 304, 24, energy)).unwrap();
        let impossible = Watts::new(3000.0);
        let counter = TrackedCounter::new(UNITS_PER_JOULE, "units", None, impossible);
        Accumulator { path, file: None, mi200: false, counter, last: None, stands_still: false }
    }

    fn at(accumulator: &mut Accumulator, seconds: f64, joules: f64) -> Vec<Value> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "of a test")]
        let raw = (joules * UNITS_PER_JOULE) as u64;
        fs::write(&accumulator.path, table(4, 304, 24, raw)).unwrap();
        let mut values = Vec::new();
        let at = Timestamp::from_secs_f64(100.0 + seconds);
        accumulator.take(500.0, at, |value| values.push(value));
        values
    }

    #[test]
    fn it_counts_joules_and_one_that_stops_is_no_longer_used_until_it_moves() {
        let folder = tempfile::tempdir().unwrap();
        let mut accumulator = board(folder.path(), 0);
        let energy = |joules: f64| vec![Value::Energy(Joules::new(joules))];
        assert_eq!(at(&mut accumulator, 0.0, 1000.0), energy(0.0));
        assert_eq!(at(&mut accumulator, 1.0, 1500.0), energy(500.0));
        assert_eq!(at(&mut accumulator, 2.0, 1500.0), energy(500.0), "not for long");
        let stopped = at(&mut accumulator, 3.5, 1500.0);
        assert!(
            matches!(&stopped[..], [Value::Restarted(why)] if why.contains("stands still")),
            "{stopped:?}"
        );
        assert_eq!(at(&mut accumulator, 4.0, 1500.0), Vec::new());
        // What it counted meanwhile follows; the timeline begins anew there and counts it once.
        assert_eq!(at(&mut accumulator, 5.0, 2500.0), energy(1500.0));
        // A driver that is loaded again.
        assert!(matches!(at(&mut accumulator, 6.0, 3.0)[..], [Value::Restarted(_)]));
        assert_eq!(at(&mut accumulator, 7.0, 13.0), energy(1510.0));
    }
}
