use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use super::*;

/// A driver that answers as scripted, and is asked at most every half second.
struct Scripted(VecDeque<Result<Use, String>>);

impl Account for Scripted {
    fn ask(&mut self) -> Result<Use, String> {
        self.0.pop_front().expect("it is asked as often as it has answers")
    }
    fn rest(&self) -> Duration {
        Duration::from_millis(500)
    }
}

/// Processes below a folder: 10 is this one, 11 its child, and 20 another.
struct Proc(tempfile::TempDir);

impl Proc {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        fs::write(this.path().join("stat"), "cpu  1 0 0 9 0 0 0 0 0 0\n").unwrap();
        for (pid, parent) in [("self", 1), ("10", 1), ("11", 10), ("20", 1)] {
            this.process(pid, parent);
        }
        this
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn process(&self, name: &str, parent: u32) {
        let pid = if name == "self" { "10" } else { name };
        let line = format!("{pid} (p) S {parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 5 1 1");
        fs::create_dir(self.path().join(name)).unwrap();
        fs::write(self.path().join(name).join("stat"), line).unwrap();
    }

    fn end(&self, pid: u32) {
        fs::remove_dir_all(self.path().join(pid.to_string())).unwrap();
    }

    fn users(&self, answers: impl IntoIterator<Item = Use>) -> Users {
        self.failing_users(answers.into_iter().map(Ok))
    }

    fn failing_users(&self, answers: impl IntoIterator<Item = Result<Use, String>>) -> Users {
        let now = at(0.0);
        let account = Box::new(Scripted(answers.into_iter().collect()));
        Users::new(account, Family::open(self.path(), now).unwrap(), now)
    }
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_secs_f64(100.0 + seconds)
}

fn by(percent: &[(u32, u32)]) -> Use {
    Use::Percent(percent.to_vec())
}

#[test]
fn the_share_is_the_trees_part_of_the_multiprocessors_time() {
    let proc = Proc::new();
    for (percent, expected) in [
        (&[(10, 30), (20, 60)][..], 1.0 / 3.0),
        (&[(10, 30), (11, 15), (20, 15)], 0.75),
        (&[(10, 80), (11, 90)], 1.0),
        (&[(20, 60), (999, 1)], 0.0),
        // Another user's process may not be seen in /proc; it is not this tree's.
        (&[(10, 20), (999, 60)], 0.25),
    ] {
        let mut users = proc.users([by(percent)]);
        assert_eq!(users.look(Request::Routine, at(0.4)), Ok(None), "too early");
        let share = users.look(Request::Routine, at(0.5)).unwrap().unwrap();
        assert!((share - expected).abs() < 1e-12, "{percent:?}: {share}");
        assert_eq!(users.look(Request::Edge, at(0.9)), Ok(None), "too early again");
        assert!(users.warnings().is_empty());
    }
}

#[test]
fn shares_of_programs_without_a_common_process_add_up_to_the_whole() {
    let percent = [(10, 37), (11, 5), (20, 41), (30, 17)];
    let mut sum = 0.0;
    for root in ["10", "20", "30"] {
        let proc = Proc::new();
        proc.process("30", 1);
        fs::copy(proc.path().join(root).join("stat"), proc.path().join("self/stat")).unwrap();
        sum += proc.users([by(&percent)]).look(Request::Last, at(0.1)).unwrap().unwrap();
    }
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
}

#[test]
fn while_nobody_uses_the_board_the_last_share_holds_and_none_before_the_first() {
    let proc = Proc::new();
    let nobody = || Use::Nobody;
    let mut users = proc.users([nobody(), by(&[(10, 10), (20, 30)]), nobody(), nobody()]);
    let shares: Vec<_> = (1..=4).map(|n| users.look(Request::Routine, at(f64::from(n)))).collect();
    assert_eq!(shares, [Ok(Some(0.0)), Ok(Some(0.25)), Ok(Some(0.25)), Ok(Some(0.25))]);
    assert!(users.warnings().is_empty());
}

#[test]
fn use_that_the_driver_hides_is_waited_for_and_then_charged_in_full() {
    let proc = Proc::new();
    let hidden = || Use::Hidden;
    // The driver tells it later.
    let mut users = proc.users([hidden(), by(&[(10, 10), (20, 10)])]);
    assert_eq!(users.look(Request::Routine, at(1.0)), Ok(None));
    assert_eq!(users.look(Request::Routine, at(1.5)), Ok(Some(0.5)));
    assert!(users.warnings().is_empty());
    // It does not: never 0, whoever was seen before.
    let mut users = proc.users([hidden(), hidden(), by(&[(20, 10)]), hidden(), hidden()]);
    let mut look = |t| users.look(Request::Routine, at(t));
    assert_eq!((look(1.0), look(2.0)), (Ok(None), Ok(Some(1.0))));
    assert_eq!((look(3.0), look(4.0)), (Ok(Some(0.0)), Ok(None)));
    assert_eq!(look(5.0), Ok(Some(1.0)));
    assert_eq!(users.warnings(), [HIDDEN]);
    assert!(users.warnings().is_empty(), "told once");
    // The end of a run waits for nothing: the last share holds, also where it was 0.
    for (percent, share) in [((10, 10), 0.5), ((11, 0), 0.0)] {
        let mut users = proc.users([by(&[percent, (20, 10)]), hidden()]);
        assert_eq!(users.look(Request::Routine, at(1.0)), Ok(Some(share)));
        assert_eq!(users.look(Request::Last, at(1.1)), Ok(Some(share)));
    }
    let mut users = proc.users([hidden()]);
    assert_eq!(users.look(Request::Last, at(0.1)), Ok(Some(1.0)), "none is known");
}

/// A counter that is read every few seconds would fall silent if its energy waited for the next question.
#[test]
fn energy_that_waits_asks_at_once_and_right_after_a_question_takes_the_last_share() {
    let proc = Proc::new();
    let mut users = proc.users([by(&[(10, 10), (20, 10)]), by(&[(10, 30), (20, 10)])]);
    assert_eq!(users.look(Request::Routine, at(1.0)), Ok(Some(0.5)));
    assert_eq!(users.look_now(at(1.1)), Ok(Some(0.5)), "it was just asked");
    assert_eq!(users.look(Request::Routine, at(1.2)), Ok(None), "too early");
    assert_eq!(users.look_now(at(2.1)), Ok(Some(0.75)));
}

#[test]
fn a_server_that_works_for_other_programs_is_charged_in_full() {
    let proc = Proc::new();
    proc.process("40", 1);
    fs::write(proc.path().join("40/comm"), "nvidia-cuda-mps\n").unwrap();
    let mut users = proc.users([by(&[(10, 10), (20, 20), (40, 10)])]);
    assert_eq!(users.look(Request::Routine, at(1.0)), Ok(Some(0.5)));
    assert_eq!(users.warnings(), [MPS]);
}

#[test]
fn processes_that_begin_later_or_have_ended_are_still_the_trees() {
    let proc = Proc::new();
    let both = || by(&[(10, 25), (12, 50), (20, 25)]);
    let mut users = proc.users([both(), both(), both()]);
    proc.process("12", 11);
    assert_eq!(users.look(Request::Routine, at(1.0)), Ok(Some(0.75)));
    // The driver tells of it later, and all processes are looked at again meanwhile.
    proc.end(12);
    assert_eq!(users.look(Request::Routine, at(5.0)), Ok(Some(0.75)));
    // Its number is another's.
    proc.process("12", 20);
    assert_eq!(users.look(Request::Routine, at(9.0)), Ok(Some(0.25)));
}

#[test]
fn a_process_that_ended_long_ago_is_forgotten() {
    let proc = Proc::new();
    proc.process("12", 11);
    let family = Family::open(proc.path(), at(0.0)).unwrap();
    let known = |seconds| family.among(&[10, 12, 20], at(seconds)).unwrap().own;
    assert_eq!(known(1.0), BTreeSet::from([10, 12]));
    proc.end(12);
    assert_eq!(known(20.0), BTreeSet::from([10, 12]));
    assert_eq!(known(40.0), BTreeSet::from([10]));
    assert_eq!(family.0.lock().unwrap().ever.len(), 2, "this process and its child");
}

#[test]
fn an_answer_that_fails_gives_no_share_and_the_next_one_does() {
    let proc = Proc::new();
    let mut users = proc.failing_users([Err("timeout".to_owned()), Ok(by(&[(10, 1)]))]);
    assert_eq!(users.look(Request::Routine, at(1.0)), Err("timeout".to_owned()));
    assert_eq!(users.look(Request::Routine, at(1.1)), Ok(None), "not asked at once");
    assert_eq!(users.look(Request::Routine, at(1.5)), Ok(Some(1.0)));
    // Without this process there is no share.
    let mut users = proc.users([by(&[(999, 1)])]);
    proc.end(10);
    proc.end(11);
    let error = users.look(Request::Last, at(1.0)).unwrap_err();
    assert!(error.contains("process 10"), "{error}");
}

#[test]
fn the_driver_and_proc_number_alike_only_in_the_first_namespace_or_through_the_hosts_proc() {
    let proc = Proc::new();
    assert!(!has_the_drivers_numbers(proc.path()), "nothing is known");
    fs::create_dir(proc.path().join("self/ns")).unwrap();
    let namespace = |number: &str| {
        let link = proc.path().join("self/ns/pid");
        let _ = fs::remove_file(&link);
        symlink(format!("pid:[{number}]"), link).unwrap();
    };
    namespace("4026531836");
    assert!(has_the_drivers_numbers(proc.path()));
    namespace("4026532999");
    assert!(!has_the_drivers_numbers(proc.path()), "a container");
    let status = |text: &str| fs::write(proc.path().join("self/status"), text).unwrap();
    status("Name:\tp\nNSpid:\t10\t1\n");
    assert!(!has_the_drivers_numbers(proc.path()), "that of a container around it");
    proc.process("2", 0);
    fs::write(proc.path().join("2/comm"), "kthreadd\n").unwrap();
    assert!(has_the_drivers_numbers(proc.path()), "the host's");
    status("Name:\tp\nNSpid:\t10\n");
    assert!(!has_the_drivers_numbers(proc.path()), "its own");
}
