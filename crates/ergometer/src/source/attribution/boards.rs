//! A program's share of the time in which boards were used, by what the kernel shows of each open device.
//!
//! `/proc/<pid>/fdinfo/<n>` of a file below `/dev/dri` has the time that its client's work took on each engine (Linux,
//! `Documentation/gpu/drm-usage-stats.rst`: `amdgpu`, `i915` and `xe`). A client is counted once, however many files it
//! has.
//!
//! Not covered: ROCm, whose queues the kernel does not account to programs, and drivers without such lines. A program that
//! uses a board in such a way is charged for all of it, and a warning says so.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source::sysfs;

/// The engines that compute, by the names of the three drivers; copies and video are left out. `xe` counts cycles, all
/// others nanoseconds, so that shares are of one unit on each board.
const ENGINES: [&str; 5] = [
    "drm-engine-gfx",
    "drm-engine-compute",
    "drm-engine-render",
    "drm-cycles-rcs",
    "drm-cycles-ccs",
];

/// What was seen of all clients.
#[derive(Debug)]
pub(super) struct BoardUse {
    proc_root: PathBuf,
    sysfs_root: PathBuf,
    before: Clients,
}

/// The clients of each board by number.
type Clients = BTreeMap<(String, u64), Client>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Client {
    busy: u64,
    /// Whether a process of the tree has it open.
    own: bool,
}

/// What a look found.
#[derive(Debug, Default)]
struct Look {
    clients: Clients,
    /// The tree has files open that tell nothing of its use.
    hidden: bool,
}

/// The shares of an interval.
#[derive(Debug, Default)]
pub(super) struct Shares {
    by_board: BTreeMap<String, f64>,
    /// Whether the tree uses boards in a way that is not accounted.
    pub(super) hidden: bool,
}

impl Shares {
    /// The share in the board at this PCI address: all of it where that is not known, and none where the tree did
    /// nothing there.
    pub(super) fn of(&self, address: &str) -> f64 {
        if self.hidden { 1.0 } else { self.by_board.get(address).copied().unwrap_or(0.0) }
    }
}

impl BoardUse {
    pub(super) fn open(proc_root: &Path, sysfs_root: &Path, tree: &BTreeSet<u32>) -> Self {
        let (proc_root, sysfs_root) = (proc_root.to_owned(), sysfs_root.to_owned());
        let before = look(&proc_root, tree).clients;
        Self { proc_root, sysfs_root, before }
    }

    /// The tree's shares in the last `seconds`.
    pub(super) fn advance(&mut self, tree: &BTreeSet<u32>, seconds: f64) -> Shares {
        let Look { clients, hidden } = look(&self.proc_root, tree);
        let mut used: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (id, client) in &clients {
            let then = self.before.get(id).map_or(0, |then| then.busy);
            let spent = client.busy.saturating_sub(then);
            let (own, all) = used.entry(&id.0).or_default();
            *all = all.saturating_add(spent);
            *own = own.saturating_add(if client.own { spent } else { 0 });
        }
        let by_board = used
            .into_iter()
            .filter(|(_, (own, _))| *own > 0)
            .map(|(address, (own, all))| {
                // What other users' programs do is not shown; that the board was busier is.
                let all = (all as f64).max(self.busy(address, seconds));
                (address.to_owned(), (own as f64 / all).min(1.0))
            })
            .collect();
        self.before = clients;
        Shares { by_board, hidden }
    }

    /// Nanoseconds of `seconds` in which an AMD board was busy, as of now; 0 where that is not shown.
    fn busy(&self, address: &str, seconds: f64) -> f64 {
        let file = self.sysfs_root.join("bus/pci/devices").join(address).join("gpu_busy_percent");
        let percent = sysfs::number::<u32>(&file).unwrap_or(0).min(100);
        f64::from(percent) * 1e-2 * seconds * 1e9
    }
}

/// Looks at the open devices of every process that may be seen.
fn look(proc_root: &Path, tree: &BTreeSet<u32>) -> Look {
    let mut found = Look::default();
    for entry in fs::read_dir(proc_root).into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let (own, folder) = (tree.contains(&pid), entry.path());
        for file in fs::read_dir(folder.join("fd")).into_iter().flatten().flatten() {
            let Ok(target) = fs::read_link(file.path()) else { continue };
            if target == Path::new("/dev/kfd") {
                found.hidden |= own;
            } else if target.starts_with("/dev/dri") {
                let info = fs::read_to_string(folder.join("fdinfo").join(file.file_name()));
                match info.ok().as_deref().map(client) {
                    Some(Some((id, busy))) => {
                        let client = found.clients.entry(id).or_default();
                        client.busy = client.busy.max(busy);
                        client.own |= own;
                    }
                    // The file may have been closed meanwhile.
                    Some(None) => found.hidden |= own,
                    None => {}
                }
            }
        }
    }
    found
}

/// The client that such a text describes, and the time or cycles that its work took; `None` if it shows none.
fn client(text: &str) -> Option<((String, u64), u64)> {
    let (mut address, mut number, mut busy) = (None, None, None);
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let first = value.split_whitespace().next().unwrap_or_default();
        match key {
            "drm-pdev" => address = Some(value.trim().to_owned()),
            "drm-client-id" => number = first.parse::<u64>().ok(),
            key if ENGINES.contains(&key) => {
                let spent = first.parse::<u64>().ok()?;
                busy = Some(busy.unwrap_or(0_u64).saturating_add(spent));
            }
            _ => {}
        }
    }
    Some(((address?, number?), busy?))
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const BOARD: &str = "0000:03:00.0";

    struct Proc(tempfile::TempDir);

    impl Proc {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        /// A file that the process `pid` has open, and its text.
        fn open(&self, pid: u32, file: u32, target: &str, text: &str) {
            let folder = self.0.path().join("proc").join(pid.to_string());
            fs::create_dir_all(folder.join("fd")).unwrap();
            fs::create_dir_all(folder.join("fdinfo")).unwrap();
            let link = folder.join("fd").join(file.to_string());
            let _ = fs::remove_file(&link);
            symlink(target, link).unwrap();
            fs::write(folder.join("fdinfo").join(file.to_string()), text).unwrap();
        }

        /// A client of the board that has computed for `milliseconds`.
        fn client(&self, pid: u32, file: u32, number: u32, milliseconds: u64) {
            let (gfx, compute) = (milliseconds * 250_000, milliseconds * 750_000);
            let text = format!(
                "pos:\t0\nflags:\t02100002\ndrm-driver:\tamdgpu\ndrm-client-id:\t{number}\ndrm-pdev:\t{BOARD}\n\
                 drm-memory-vram:\t65536 KiB\ndrm-engine-gfx:\t{gfx} ns\ndrm-engine-compute:\t{compute} ns\n\
                 drm-engine-capacity-compute:\t4\ndrm-engine-dma:\t9000000000 ns\n"
            );
            self.open(pid, file, "/dev/dri/renderD128", &text);
        }

        fn busy(&self, percent: u32) {
            let folder = self.0.path().join("sys/bus/pci/devices").join(BOARD);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("gpu_busy_percent"), format!("{percent}\n")).unwrap();
        }

        fn begin(&self, tree: &BTreeSet<u32>) -> BoardUse {
            fs::create_dir_all(self.0.path().join("proc")).unwrap();
            BoardUse::open(&self.0.path().join("proc"), &self.0.path().join("sys"), tree)
        }
    }

    #[test]
    fn the_share_is_the_trees_part_of_the_time_and_a_client_counts_once() {
        let (proc, tree) = (Proc::new(), BTreeSet::from([10, 11]));
        proc.client(10, 5, 1, 1000);
        proc.client(20, 5, 2, 1000);
        let mut boards = proc.begin(&tree);
        // 300 ms by the tree, in two processes that share a client, and 100 ms by another program.
        proc.client(10, 5, 1, 1200);
        proc.client(10, 6, 1, 1200);
        proc.client(11, 7, 1, 1200);
        proc.client(11, 8, 3, 100);
        proc.client(20, 5, 2, 1100);
        proc.open(20, 9, "/dev/null", "pos:\t0\n");
        let shares = boards.advance(&tree, 1.0);
        assert!((shares.of(BOARD) - 0.75).abs() < 1e-12 && !shares.hidden, "{shares:?}");
        assert!(shares.of("0000:04:00.0") <= 0.0, "another board");
        // Nobody did anything.
        assert!(boards.advance(&tree, 1.0).of(BOARD) <= 0.0);
    }

    #[test]
    fn a_board_that_was_busier_than_can_be_seen_was_used_by_others() {
        let (proc, tree) = (Proc::new(), BTreeSet::from([10]));
        proc.client(10, 5, 1, 1000);
        let mut boards = proc.begin(&tree);
        proc.client(10, 5, 1, 1200);
        proc.busy(80);
        assert!((boards.advance(&tree, 1.0).of(BOARD) - 0.25).abs() < 1e-12);
        // Two engines at once take more than the time that passed: the share is never above the whole.
        proc.client(10, 5, 1, 3200);
        assert!((boards.advance(&tree, 1.0).of(BOARD) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_program_whose_use_is_not_accounted_is_charged_for_all_of_it() {
        for (target, text) in [
            ("/dev/kfd", "pos:\t0\n"),
            ("/dev/dri/renderD128", "pos:\t0\nflags:\t02100002\n"),
            ("/dev/dri/renderD128", "drm-pdev:\t0000:03:00.0\ndrm-client-id:\t4\n"),
        ] {
            let (proc, tree) = (Proc::new(), BTreeSet::from([10]));
            let mut boards = proc.begin(&tree);
            proc.open(20, 5, target, text);
            assert!(boards.advance(&tree, 1.0).of(BOARD) <= 0.0, "another program's: {target}");
            proc.open(10, 5, target, text);
            let shares = boards.advance(&tree, 1.0);
            assert!(shares.hidden && shares.of(BOARD) >= 1.0, "{target}");
        }
    }

    #[test]
    fn cycles_of_an_intel_board_are_shares_too() {
        let text = |cycles: u64| {
            format!(
                "drm-pdev:\t{BOARD}\ndrm-client-id:\t7\ndrm-cycles-ccs:\t{cycles}\ndrm-total-cycles-ccs:\t99\n"
            )
        };
        assert_eq!(client(&text(1234)), Some(((BOARD.to_owned(), 7), 1234)));
        assert_eq!(
            client("drm-pdev:\t0000:03:00.0\ndrm-client-id:\t7\ndrm-cycles-rcs:\tmany\n"),
            None
        );
        assert_eq!(client(""), None);
    }
}
