use proptest::prelude::*;

use super::*;

/// A fake `/proc`.
struct Proc(tempfile::TempDir);

impl Proc {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.busy(0);
        this
    }

    /// Sets the machine's busy time.
    fn busy(&self, ticks: u64) {
        fs::write(self.0.path().join("stat"), format!("cpu  {ticks} 0 0 9999 0 0 0 0 0 0\n"))
            .unwrap();
    }

    /// Begins a process, or sets its times: its own and that of children it waited for.
    fn process(&self, pid: u32, parent: u32, own: u64, reaped: u64) {
        self.process_since(pid, parent, own, reaped, u64::from(pid));
    }

    fn process_since(&self, pid: u32, parent: u32, own: u64, reaped: u64, start: u64) {
        let folder = self.0.path().join(pid.to_string());
        fs::create_dir_all(&folder).unwrap();
        let (user, system) = (own / 3, own - own / 3);
        let line = format!(
            "{pid} (a (name) 1 2) S {parent} 1 1 0 -1 0 0 0 0 0 {user} {system} {reaped} 0 20 0 1 0 \
             {start} 1 1"
        );
        fs::write(folder.join("stat"), line).unwrap();
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.0.path().join(pid.to_string())).unwrap();
    }

    fn tree(&self, root: u32) -> ProcessTree {
        ProcessTree::open(self.0.path(), root).unwrap()
    }
}

fn tree_time(tree: &mut ProcessTree) -> u64 {
    tree.advance(|_| true).unwrap().unwrap().tree
}

#[test]
fn a_process_and_its_descendants_are_one_tree() {
    let proc = Proc::new();
    proc.process(1, 0, 500, 0);
    proc.process(10, 1, 100, 0);
    proc.process(11, 10, 50, 0);
    proc.process(12, 11, 7, 0);
    proc.process(20, 1, 1000, 0);
    let mut tree = proc.tree(10);
    proc.busy(100);
    proc.process(10, 1, 110, 0);
    proc.process(11, 10, 55, 0);
    proc.process(12, 11, 17, 0);
    proc.process(20, 1, 1060, 0);
    let spent = tree.advance(|_| true).unwrap().unwrap();
    assert_eq!(spent, TreeTime { tree: 25, machine: 100 });
    assert_eq!(spent.share(), Some(0.25));
}

#[test]
fn a_child_that_came_and_went_is_counted_once() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    let mut tree = proc.tree(10);
    // Began and ended between two looks: known only from its parent's times.
    proc.process(10, 1, 5, 30);
    assert_eq!(tree_time(&mut tree), 35);
    // Seen at 40 of its 42 ticks, then waited for.
    proc.process(11, 10, 40, 0);
    assert_eq!(tree_time(&mut tree), 40);
    proc.end(11);
    proc.process(10, 1, 6, 72);
    assert_eq!(tree_time(&mut tree), 1 + 2);
}

#[test]
fn a_child_whose_parent_ended_too_is_counted_once() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    proc.process(11, 10, 20, 0);
    proc.process(12, 11, 30, 0);
    let mut tree = proc.tree(10);
    proc.end(11);
    proc.end(12);
    proc.process(10, 1, 0, 20 + 30 + 4);
    assert_eq!(tree_time(&mut tree), 4);
}

#[test]
fn a_child_that_nobody_waited_for_takes_nothing_off() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    proc.process(11, 10, 1000, 0);
    let mut tree = proc.tree(10);
    proc.end(11);
    proc.process(10, 1, 8, 0);
    assert_eq!(tree_time(&mut tree), 8);
}

#[test]
fn an_orphan_stays_in_the_tree_and_a_number_that_is_used_again_does_not() {
    let proc = Proc::new();
    proc.process(1, 0, 0, 0);
    proc.process(10, 1, 0, 0);
    proc.process(11, 10, 0, 0);
    let mut tree = proc.tree(10);
    proc.end(10);
    proc.process(11, 1, 9, 0);
    assert_eq!(tree_time(&mut tree), 9, "its parent ended");
    proc.process_since(11, 1, 50, 0, 99);
    let error = tree.advance(|_| true).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound, "another process of the same number");
}

#[test]
fn a_process_that_was_overlooked_brings_no_time_of_before() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    proc.process(30, 1, 0, 0);
    let mut tree = proc.tree(10);
    proc.process(20, 10, 5000, 0);
    proc.process(40, 10, 3, 0);
    assert_eq!(tree_time(&mut tree), 3);
}

#[test]
fn a_share_is_never_above_one() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    let mut tree = proc.tree(10);
    // The machine's time comes from samples and may lag behind.
    proc.busy(3);
    proc.process(10, 1, 20, 0);
    assert_eq!(tree.advance(|_| true).unwrap().unwrap().share(), Some(1.0));
    assert_eq!(tree.advance(|_| true).unwrap().unwrap().share(), None, "nothing was done");
}

#[test]
fn what_does_not_count_is_left_to_the_next_look() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    let mut tree = proc.tree(10);
    proc.process(10, 1, 2, 0);
    assert_eq!(tree.advance(|spent| spent.tree > 4).unwrap(), None);
    proc.process(10, 1, 7, 0);
    assert_eq!(tree.advance(|spent| spent.tree > 4).unwrap().unwrap().tree, 7);
}

#[test]
fn a_process_that_is_not_there_has_no_tree() {
    let proc = Proc::new();
    proc.process(10, 1, 0, 0);
    assert_eq!(ProcessTree::open(proc.0.path(), 11).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(ProcessTree::own(proc.0.path()).is_err(), "no self/stat");
    assert!(ProcessTree::open(&proc.0.path().join("nowhere"), 10).is_err());
}

#[test]
fn this_process_finds_itself_in_the_real_proc() {
    let mut tree = ProcessTree::own(Path::new("/proc")).unwrap();
    let spent = tree.advance(|_| true).unwrap().unwrap();
    assert!(spent.tree <= spent.machine);
}

fn process() -> impl Strategy<Value = Process> {
    (0_u32..12, 0_u64..3, 0_u64..100, 0_u64..100).prop_map(|(parent, start, own, reaped)| Process {
        parent,
        start,
        own,
        reaped,
    })
}

fn any_processes() -> impl Strategy<Value = Processes> {
    proptest::collection::btree_map(1_u32..12, process(), 0..12)
}

proptest! {
    #[test]
    fn shares_of_programs_with_nothing_in_common_never_add_up_to_more_than_one(
        before in any_processes(),
        now in any_processes(),
        busy in 0_u64..200,
        root in 1_u32..12,
    ) {
        let one = members(&now, BTreeSet::from([root]));
        let other: BTreeSet<u32> = now.keys().copied().filter(|pid| !one.contains(pid)).collect();
        let each = spent(&before, &now);
        let machine = busy.max(sum(each.values()));
        let share = |members: &BTreeSet<u32>| {
            let tree = sum(members.iter().filter_map(|pid| each.get(pid)));
            TreeTime { tree, machine }.share()
        };
        if let (Some(one), Some(other)) = (share(&one), share(&other)) {
            prop_assert!((0.0..=1.0).contains(&one) && (0.0..=1.0).contains(&other));
            prop_assert!(one + other <= 1.0 + 1e-12, "{one} + {other}");
        }
    }
}
