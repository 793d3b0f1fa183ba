//! What the library must never do to the program it is in: use a network, run programs, believe the
//! wall clock.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use std::{env, fs, thread};

use ergometer::source::DomainKind;
use ergometer::units::Watts;
use ergometer::{Devices, Kind, Meter};

use crate::nvml::Simulated;
use crate::{cases, child};

/// The lines of the library's code that hold one of `words`, each after its file.
fn lines_with(words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for package in ["crates/ergometer/src", "crates/ergometer-macros/src"] {
        for (path, text) in cases::sources(&cases::root().join(package)) {
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let lines = code.filter(|line| words.iter().any(|word| line.contains(word)));
            found.extend(lines.map(|line| format!("{}: {line}", path.display())));
        }
    }
    found
}

#[test]
fn the_library_names_neither_sockets_nor_programs() {
    let words = [
        "std::net",
        "net::",
        "TcpStream",
        "UdpSocket",
        "UnixStream",
        "UnixDatagram",
        "process::Command",
        "Command::new",
    ];
    // What exports figures is asked for twice: by a feature, and by the program or its environment.
    let found = lines_with(&words);
    let exports = ["crates/ergometer/src/export/", "crates/ergometer/src/meter/exporting.rs"];
    let (export, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|line| exports.iter().any(|path| line.contains(path)));
    // A meter of the user's own may be the output of a command, which the user names; its tests make a FIFO.
    let (external, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|line| line.contains("crates/ergometer/src/source/external/"));
    assert!(found.is_empty(), "{found:#?}");
    let known =
        ["Command::new(\"sh\")", "Command::new(\"cmd\")", "Command::new(\"mkfifo\")", "CommandExt"];
    assert!(
        external.iter().all(|line| known.iter().any(|word| line.contains(word))),
        "{external:#?}"
    );
    assert!(export.iter().all(|line| !line.contains("Command")), "{export:#?}");
    let library = fs::read_to_string(cases::root().join("crates/ergometer/src/lib.rs")).unwrap();
    assert!(library.contains("#[cfg(feature = \"_export\")]\npub mod export;"));
    let meter =
        fs::read_to_string(cases::root().join("crates/ergometer/src/meter/mod.rs")).unwrap();
    assert!(meter.contains("#[cfg(feature = \"_export\")]\nmod exporting;"));
    let manifest = fs::read_to_string(cases::root().join("crates/ergometer/Cargo.toml")).unwrap();
    assert!(manifest.contains("default = [\"macros\", \"nvml\", \"perf\"]"));
    // What is looked for would be found.
    assert!(!lines_with(&["std::thread"]).is_empty());
}

/// A wall clock that jumps has no effect on what never asks it. It is asked once a run, for the date
/// at the head of the record; code that needs another date for people is to be added here. NVIDIA's driver stamps its
/// samples by it: how old they are is worked out in the call that gives them.
#[test]
fn the_wall_clock_is_asked_for_the_date_of_a_run_and_nothing_else() {
    let found = lines_with(&["SystemTime::now(", "Timestamp::now(", "Zoned::now("]);
    // That it was set is found by comparing it with another clock, on Linux through the kernel's names of both.
    let (compared, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|line| line.contains("src/clock/machine.rs"));
    assert_eq!(compared.len(), 1, "{compared:#?}");
    let (stamps, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|line| line.contains("src/source/nvml/query.rs"));
    assert_eq!(stamps.len(), 1, "{stamps:#?}");
    let [line] = &found[..] else { panic!("{found:#?}") };
    assert!(line.contains("src/clock.rs") && line.contains("jiff::Timestamp::now()"), "{line}");
}

/// Everything that a run does, from the probe of this machine to the written record.
fn run() {
    let machine = Simulated::new("curve=constant:300");
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::builder()
        .nvml_library(machine.library())
        .devices(Devices::All)
        .fixed(DomainKind::Dram, Watts::new(5.0))
        .region("DE")
        .start()
        .unwrap();
    for _ in 0..10 {
        let _step = meter.span(Kind::Step);
        thread::sleep(Duration::from_millis(60));
    }
    let record = meter.finish().unwrap();
    assert_eq!(record.steps["run"].count, 10);
    assert!(record.domains[0].energy.unwrap().joules.get() > 100.0, "{record}");
    assert_eq!(record.footprint.site.carbon.code, "DE");
    for name in ["r.json", "r.md", "r.csv"] {
        record.write(folder.path().join(name)).unwrap();
    }
}

/// Whether a tool is there and may do what it is for.
fn works(launcher: &[&str]) -> bool {
    let mut command = Command::new(launcher[0]);
    command.args(&launcher[1..]).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// As far as this machine has the tools: `unshare` cuts the network off, `strace` sees attempts.
#[test]
fn without_a_network_a_run_is_the_same_and_none_is_tried() {
    if child::is_one() {
        return run();
    }
    let folder = tempfile::tempdir().unwrap();
    let calls = folder.path().join("calls");
    let cut = ["unshare", "--map-root-user", "--net"];
    let watched = ["strace", "-f", "-qq", "-e", "trace=socket,connect,execve", "-o"];
    let watched = [&watched[..], &[calls.to_str().unwrap()]].concat();
    let mut launcher = Vec::new();
    for tool in [&cut[..], &watched[..]] {
        if works(tool) {
            launcher.extend(tool);
        } else {
            eprintln!("not checked with `{}`: it does not work here", tool[0]);
        }
    }
    let _ = fs::remove_file(&calls);
    let test = "abstains::without_a_network_a_run_is_the_same_and_none_is_tried";
    child::passes(&mut child::of(test, &launcher));
    if let Ok(calls) = fs::read_to_string(&calls) {
        only_itself(&calls);
    }
}

/// The one program that was run is this one, and no socket was opened.
fn only_itself(calls: &str) {
    let made = |name: &str| calls.lines().filter(|line| line.contains(name)).collect::<Vec<_>>();
    let programs = made("execve(");
    let this = env::current_exe().unwrap();
    let this = this.file_name().map(Path::new).unwrap();
    assert!(programs.len() == 1 && programs[0].contains(this.to_str().unwrap()), "{programs:#?}");
    for call in ["socket(", "connect("] {
        assert_eq!(made(call), [""; 0]);
    }
}
