//! The boards of AMD and Intel that the program uses.
//!
//! NVIDIA's boards are chosen by [`nvml`](super::nvml), as CUDA chooses them. The other makers' variables
//! apply here in the order in which their software reads them:
//!
//! * AMD ("GPU isolation techniques" of the `ROCm` documentation): `ROCR_VISIBLE_DEVICES` (indices or
//!   UUIDs) first. Of the boards left by it, `HIP_VISIBLE_DEVICES` selects, or `CUDA_VISIBLE_DEVICES` in
//!   its place, or `GPU_DEVICE_ORDINAL`. A list ends before its first invalid entry. Boards are numbered in
//!   the order of the kernel's KFD topology, or of their PCI addresses where there is none.
//! * Intel: `ZE_AFFINITY_MASK` (devices, or tiles of them) first, then `ONEAPI_DEVICE_SELECTOR` among the
//!   boards left. Boards are numbered in the order of their PCI addresses.
//!
//! A variable that is not understood hides nothing, and is reported.

use std::path::Path;
use std::{fs, iter};

use super::nvml::{DeviceId, Devices, Environment};
use super::sysfs;

/// The maker of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Maker {
    Amd,
    Intel,
}

/// A board that the kernel shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Board {
    pub maker: Maker,
    /// PCI address, or the entry's own name where there is none.
    pub address: String,
    /// `GPU-…`, in `ROCm`'s notation.
    pub uuid: Option<String>,
}

impl Board {
    fn is(&self, id: &DeviceId) -> bool {
        id.names(self.uuid.as_deref(), Some(&self.address))
    }
}

/// Which boards of AMD and Intel are metered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Choice {
    /// Addresses of boards that are not metered, and the list that left each out.
    hidden: Vec<(String, &'static str)>,
    pub remarks: Vec<String>,
}

impl Choice {
    /// The boards among `boards` that `devices` selects.
    pub(super) fn of(
        devices: &Devices,
        environment: &Environment,
        sysfs_root: &Path,
        boards: &[Board],
    ) -> Self {
        let mut choice = Self::default();
        match devices {
            Devices::All => {}
            Devices::List(ids) => {
                let asked = |board: &Board| ids.iter().any(|id| board.is(id));
                choice.hide(boards.iter().filter(|board| !asked(board)), "the boards asked for");
            }
            Devices::Visible => {
                choice.amd(environment, sysfs_root, boards);
                choice.intel(environment, boards);
            }
        }
        choice
    }

    /// The list that the board at `address` is missing from, if it is not metered.
    pub(super) fn hides(&self, address: &str) -> Option<&'static str> {
        self.hidden.iter().find(|(hidden, _)| hidden == address).map(|(_, what)| *what)
    }

    fn hide<'a>(&mut self, boards: impl Iterator<Item = &'a Board>, what: &'static str) {
        let new = boards.map(|board| (board.address.clone(), what));
        self.hidden.extend(new);
    }

    /// Keeps the boards at `positions`.
    fn keep(&mut self, boards: &mut Vec<&Board>, positions: &[usize], variable: &'static str) {
        let gone = boards.iter().enumerate().filter(|(position, _)| !positions.contains(position));
        self.hide(gone.map(|(_, board)| *board), variable);
        *boards = positions.iter().filter_map(|&position| boards.get(position).copied()).collect();
    }

    fn amd(&mut self, environment: &Environment, sysfs_root: &Path, boards: &[Board]) {
        let mut left: Vec<&Board> =
            boards.iter().filter(|board| board.maker == Maker::Amd).collect();
        let order = kfd_order(sysfs_root);
        // Boards that the topology does not show come last.
        left.sort_by_key(|board| {
            order.iter().position(|address| *address == board.address).unwrap_or(usize::MAX)
        });
        // The runtime hides all boards if its variable is empty; HIP treats an empty variable as not set.
        if let Some(value) = &environment.rocr {
            let positions = self.listed(&left, value, "ROCR_VISIBLE_DEVICES");
            self.keep(&mut left, &positions, "ROCR_VISIBLE_DEVICES");
        }
        let second = [
            ("HIP_VISIBLE_DEVICES", &environment.hip),
            ("CUDA_VISIBLE_DEVICES", &environment.visible),
            ("GPU_DEVICE_ORDINAL", &environment.opencl),
        ];
        let set = second.into_iter().find_map(|(variable, value)| {
            let value = value.as_ref().filter(|value| !value.trim().is_empty())?;
            Some((variable, value))
        });
        if let Some((variable, value)) = set {
            let positions = self.listed(&left, value, variable);
            self.keep(&mut left, &positions, variable);
        }
    }

    /// Positions among `boards` that a list of indices and UUIDs selects, up to its first invalid entry.
    fn listed(&mut self, boards: &[&Board], value: &str, variable: &str) -> Vec<usize> {
        let mut positions = Vec::new();
        for entry in value.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let found = if let Ok(index) = entry.parse::<usize>() {
                (index < boards.len()).then_some(index)
            } else {
                let uuid = |board: &&Board| {
                    board.uuid.as_ref().is_some_and(|uuid| uuid.eq_ignore_ascii_case(entry))
                };
                boards.iter().position(uuid)
            };
            match found {
                Some(position) if positions.contains(&position) => {}
                Some(position) => positions.push(position),
                None => {
                    // -1 hides boards on purpose.
                    if !entry.starts_with('-') && !boards.is_empty() {
                        let entry: String = entry.chars().take(40).collect();
                        self.remarks.push(format!(
                            "{variable} ends for AMD's software before its entry '{entry}', which is not one of {} boards",
                            boards.len()
                        ));
                    }
                    break;
                }
            }
        }
        positions
    }

    fn intel(&mut self, environment: &Environment, boards: &[Board]) {
        let mut left: Vec<&Board> =
            boards.iter().filter(|board| board.maker == Maker::Intel).collect();
        if left.is_empty() {
            return;
        }
        let set = |value: &Option<String>| value.clone().filter(|value| !value.trim().is_empty());
        if let Some(mask) = set(&environment.level_zero) {
            match affinity(&mask) {
                Some(positions) => self.keep(&mut left, &positions, "ZE_AFFINITY_MASK"),
                None => self.not_understood("ZE_AFFINITY_MASK", &mask),
            }
        }
        if let Some(selector) = set(&environment.oneapi) {
            match selected(&selector, left.len()) {
                Some(positions) => self.keep(&mut left, &positions, "ONEAPI_DEVICE_SELECTOR"),
                None => self.not_understood("ONEAPI_DEVICE_SELECTOR", &selector),
            }
        }
    }

    fn not_understood(&mut self, variable: &str, value: &str) {
        let value: String = value.chars().filter(|c| !c.is_control()).take(40).collect();
        self.remarks.push(format!(
            "{variable} is '{value}', which is not understood: it hides no board here"
        ));
    }
}

/// The `ids` that match none of `boards`: NVIDIA's, if any.
pub(super) fn of_others(ids: &[DeviceId], boards: &[Board]) -> Vec<DeviceId> {
    ids.iter().filter(|id| !boards.iter().any(|board| board.is(id))).cloned().collect()
}

/// Devices in `ZE_AFFINITY_MASK`: `0,2.1` selects the first board and a tile of the third, whose sensor
/// covers the whole board.
fn affinity(mask: &str) -> Option<Vec<usize>> {
    let device = |entry: &str| entry.trim().split('.').next()?.parse::<usize>().ok();
    let mut devices = mask.split(',').map(device).collect::<Option<Vec<_>>>()?;
    devices.sort_unstable();
    devices.dedup();
    Some(devices)
}

/// Boards that `ONEAPI_DEVICE_SELECTOR` selects among `count`. It is a list of terms `backend:devices`,
/// separated by `;`; a term that begins with `!` removes devices. `None` if a term is not understood.
fn selected(selector: &str, count: usize) -> Option<Vec<usize>> {
    let all = || (0..count).collect::<Vec<_>>();
    let (mut accepted, mut discarded, mut only_discards) = (Vec::new(), Vec::new(), true);
    for term in selector.split(';').map(str::trim).filter(|term| !term.is_empty()) {
        let (term, discards) = term.strip_prefix('!').map_or((term, false), |term| (term, true));
        let (backend, devices) = term.split_once(':')?;
        let backend = backend.trim().to_ascii_lowercase();
        let boards = match backend.as_str() {
            "level_zero" | "*" | "opencl" => {
                let mut boards = Vec::new();
                for device in devices.split(',').map(|device| device.trim().to_ascii_lowercase()) {
                    match device.as_str() {
                        "*" | "gpu" => boards.extend(all()),
                        "cpu" | "fpga" => {}
                        // OpenCL numbers processors too, so the index of a board is not known.
                        _ if backend == "opencl" => return None,
                        number => boards.push(number.split('.').next()?.parse().ok()?),
                    }
                }
                boards
            }
            "cuda" | "hip" | "native_cpu" => Vec::new(),
            _ => return None,
        };
        only_discards &= discards;
        if discards { &mut discarded } else { &mut accepted }.extend(boards);
    }
    if only_discards {
        accepted = all();
    }
    accepted.retain(|board| *board < count && !discarded.contains(board));
    accepted.sort_unstable();
    accepted.dedup();
    Some(accepted)
}

/// PCI addresses of the GPUs in the order in which the kernel shows them to `ROCm`.
fn kfd_order(sysfs_root: &Path) -> Vec<String> {
    let nodes = sysfs_root.join("class/kfd/kfd/topology/nodes");
    let mut numbers: Vec<u32> = fs::read_dir(&nodes)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    numbers.sort_unstable();
    let address = |number: u32| {
        let properties = sysfs::word(&nodes.join(number.to_string()).join("properties"))?;
        let value = |name: &str| {
            let line =
                properties.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
            line.trim().parse::<u32>().ok()
        };
        // A node without SIMD units is a processor.
        if value("simd_count")? == 0 {
            return None;
        }
        let (domain, place) = (value("domain").unwrap_or(0), value("location_id")?);
        let (bus, device, function) = (place >> 8 & 0xff, place >> 3 & 0x1f, place & 7);
        Some(format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
    };
    iter::once(numbers).flatten().filter_map(address).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boards(maker: Maker) -> Vec<Board> {
        let board = |number: u32| Board {
            maker,
            address: format!("0000:0{number}:00.0"),
            uuid: (maker == Maker::Amd).then(|| format!("GPU-{number:016x}")),
        };
        (0..4).map(board).collect()
    }

    /// Numbers of the boards that are metered.
    fn shown(maker: Maker, sysfs_root: &Path, environment: &Environment) -> (Vec<usize>, usize) {
        let boards = boards(maker);
        let choice = Choice::of(&Devices::Visible, environment, sysfs_root, &boards);
        let shown = |number: &usize| choice.hides(&boards[*number].address).is_none();
        ((0..4).filter(shown).collect(), choice.remarks.len())
    }

    #[test]
    fn amd_variables_take_effect_in_their_order() {
        let nowhere = Path::new("/nowhere");
        let set =
            |rocr: Option<&str>, hip: Option<&str>, cuda: Option<&str>, opencl: Option<&str>| {
                let own = |value: Option<&str>| value.map(ToOwned::to_owned);
                let environment = Environment {
                    rocr: own(rocr),
                    hip: own(hip),
                    visible: own(cuda),
                    opencl: own(opencl),
                    ..Environment::default()
                };
                shown(Maker::Amd, nowhere, &environment)
            };
        let all = vec![0, 1, 2, 3];
        assert_eq!(set(None, None, None, None), (all.clone(), 0));
        assert_eq!(set(Some("2"), None, None, None), (vec![2], 0));
        assert_eq!(set(Some("GPU-0000000000000003,0"), None, None, None), (vec![0, 3], 0));
        assert_eq!(set(Some(""), None, None, None), (vec![], 0));
        assert_eq!(set(None, Some("1,3"), None, None), (vec![1, 3], 0));
        assert_eq!(set(None, None, Some("1"), None), (vec![1], 0), "in HIP's place");
        assert_eq!(set(None, Some("0"), Some("1"), Some("2")), (vec![0], 0));
        assert_eq!(set(None, None, None, Some("2,0")), (vec![0, 2], 0));
        assert_eq!(
            set(Some("1,2,3"), Some("0,2"), None, None),
            (vec![1, 3], 0),
            "among what is left"
        );
        assert_eq!(set(None, Some(""), None, None), (all, 0), "as if it were not set");
        assert_eq!(set(None, Some("-1"), None, None), (vec![], 0));
        assert_eq!(set(None, Some("0,9,1"), None, None), (vec![0], 1));
    }

    #[test]
    fn amd_boards_count_in_the_order_of_the_kernels_topology() {
        let folder = tempfile::tempdir().unwrap();
        let nodes = folder.path().join("class/kfd/kfd/topology/nodes");
        for (node, simd, bus) in [(0, 0, 0), (1, 304, 3), (2, 304, 1), (10, 304, 0), (3, 304, 2)] {
            fs::create_dir_all(nodes.join(node.to_string())).unwrap();
            let text = format!(
                "cpu_cores_count 0\nsimd_count {simd}\nlocation_id {}\ndomain 0\n",
                bus << 8
            );
            fs::write(nodes.join(format!("{node}/properties")), text).unwrap();
        }
        let environment = Environment { rocr: Some("0,3".to_owned()), ..Environment::default() };
        assert_eq!(shown(Maker::Amd, folder.path(), &environment), (vec![0, 3], 0));
        let environment = Environment { rocr: Some("2".to_owned()), ..Environment::default() };
        assert_eq!(shown(Maker::Amd, folder.path(), &environment), (vec![2], 0));
    }

    #[test]
    fn intel_variables_take_effect_in_their_order() {
        let set = |mask: Option<&str>, selector: Option<&str>| {
            let environment = Environment {
                level_zero: mask.map(ToOwned::to_owned),
                oneapi: selector.map(ToOwned::to_owned),
                ..Environment::default()
            };
            shown(Maker::Intel, Path::new("/nowhere"), &environment)
        };
        let all = vec![0, 1, 2, 3];
        assert_eq!(set(Some("1"), None), (vec![1], 0));
        assert_eq!(set(Some("0.1,2"), None), (vec![0, 2], 0));
        assert_eq!(set(Some("x"), None), (all.clone(), 1));
        for (selector, boards) in [
            ("level_zero:1", vec![1]),
            ("level_zero:gpu", all.clone()),
            ("*:gpu", all.clone()),
            ("opencl:cpu", vec![]),
            ("level_zero:0,3;opencl:cpu", vec![0, 3]),
            ("!level_zero:2", vec![0, 1, 3]),
            ("level_zero:*;!level_zero:0", vec![1, 2, 3]),
            ("cuda:*", vec![]),
        ] {
            assert_eq!(set(None, Some(selector)), (boards, 0), "{selector}");
        }
        assert_eq!(
            set(None, Some("opencl:1")),
            (all.clone(), 1),
            "which device that is is not known"
        );
        assert_eq!(set(None, Some("gpu")), (all, 1));
        assert_eq!(set(Some("1,2"), Some("level_zero:1")), (vec![2], 0), "among what is left");
    }

    #[test]
    fn a_list_names_boards_of_any_maker() {
        let amd = boards(Maker::Amd);
        let ids: Vec<DeviceId> = ["0000:02:00.0", "GPU-8932f937", "00000000:01:00.0"]
            .map(|id| id.parse().unwrap())
            .to_vec();
        assert_eq!(of_others(&ids, &amd), [ids[1].clone()]);
        let choice = |devices| Choice::of(&devices, &Environment::default(), Path::new("/"), &amd);
        let hidden = choice(Devices::List(ids));
        let hides = |number: usize| hidden.hides(&amd[number].address).is_some();
        assert_eq!([0, 1, 2, 3].map(hides), [true, false, false, true]);
        let none = choice(Devices::List(Vec::new()));
        assert!(amd.iter().all(|board| none.hides(&board.address).is_some()));
    }
}
