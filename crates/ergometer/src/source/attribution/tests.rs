use std::fs;
use std::sync::{Arc, Mutex};

use super::*;
use crate::source::{Sensor, nvml};

/// Returns scripted readings of a processor, its memory and a board.
struct Scripted {
    domains: Vec<Domain>,
    next: Arc<Mutex<Vec<Reading>>>,
}

fn domain(kind: DomainKind) -> Domain {
    Domain {
        id: format!("test:{}", kind.as_str()),
        kind,
        label: kind.as_str().to_owned(),
        source: "test".to_owned(),
        method: Method::Counter,
        sensor: Sensor {
            counter_period_s: None,
            counter_quantum: None,
            power_period_s: None,
            power_window_s: None,
            relative_error: 0.04,
            absolute_error: Watts::ZERO,
        },
        pci_address: None,
        power_limit: None,
        note: None,
    }
}

impl PowerSource for Scripted {
    fn domains(&self) -> &[Domain] {
        &self.domains
    }
    fn read(&mut self, _: Request, readings: &mut Vec<Reading>) {
        readings.append(&mut self.next.lock().unwrap());
    }
}

/// Process 10 among others, with a source of `kinds`.
struct Bench {
    proc: tempfile::TempDir,
    next: Arc<Mutex<Vec<Reading>>>,
}

impl Bench {
    fn new() -> Self {
        let this = Self { proc: tempfile::tempdir().unwrap(), next: Arc::default() };
        fs::create_dir(this.proc.path().join("self")).unwrap();
        fs::create_dir(this.proc.path().join("10")).unwrap();
        this.time(0, 0);
        this
    }

    /// Sets the processor time of process 10 and of the machine.
    fn time(&self, own: u64, machine: u64) {
        let line = format!("10 (p) S 1 1 1 0 -1 0 0 0 0 0 {own} 0 0 0 20 0 1 0 5 1 1");
        for place in ["self/stat", "10/stat"] {
            fs::write(self.proc.path().join(place), &line).unwrap();
        }
        let stat = format!("cpu  {machine} 0 0 9 0 0 0 0 0 0\n");
        fs::write(self.proc.path().join("stat"), stat).unwrap();
    }

    fn source(&self, kinds: &[DomainKind]) -> Scripted {
        let domains = kinds.iter().copied().map(domain).collect();
        Scripted { domains, next: Arc::clone(&self.next) }
    }

    fn shared(&self, kinds: &[DomainKind]) -> Attributed<Scripted> {
        Attributed::new(self.source(kinds), self.proc.path(), self.proc.path()).unwrap()
    }

    fn read(
        &self,
        shared: &mut Attributed<Scripted>,
        request: Request,
        values: Vec<(usize, Value)>,
    ) -> Vec<(usize, Value)> {
        let reading = |(domain, value)| Reading::new(domain, clock::now(), value);
        self.next.lock().unwrap().extend(values.into_iter().map(reading));
        let mut readings = Vec::new();
        shared.read(request, &mut readings);
        readings.into_iter().map(|reading| (reading.domain, reading.value)).collect()
    }
}

const KINDS: [DomainKind; 3] = [DomainKind::CpuPackage, DomainKind::Dram, DomainKind::Gpu];

fn joules(value: f64) -> Value {
    Value::Energy(Joules::new(value))
}

#[test]
fn each_interval_is_shared_out_by_its_own_share() {
    let bench = Bench::new();
    let mut shared = bench.shared(&KINDS);
    let first = vec![(0, joules(500.0)), (1, joules(50.0)), (2, joules(5.0))];
    let read = bench.read(&mut shared, Request::Edge, first);
    assert_eq!(read, [(0, joules(0.0)), (1, joules(0.0)), (2, joules(5.0))]);

    bench.time(30, 40);
    let read = bench.read(&mut shared, Request::Edge, vec![(0, joules(600.0)), (1, joules(60.0))]);
    assert_eq!(read, [(0, joules(75.0)), (1, joules(7.5))]);

    bench.time(30, 140);
    let read = bench.read(&mut shared, Request::Edge, vec![(0, joules(700.0))]);
    assert_eq!(read, [(0, joules(75.0))], "the machine worked for others");

    // Two readings in one interval; more time than the machine says it had.
    bench.time(90, 150);
    let both = vec![(0, joules(710.0)), (0, joules(720.0))];
    let read = bench.read(&mut shared, Request::Last, both);
    assert_eq!(read, [(0, joules(95.0))], "never more than the whole");
}

/// A counter that is read seldom, beside power that is read often.
#[test]
fn what_a_counter_counted_under_several_shares_is_divided_by_power() {
    let bench = Bench::new();
    let mut shared = bench.shared(&[DomainKind::CpuPackage]);
    let power = |at: u64, watts| (at, Value::Power(Watts::new(watts)));
    let read = |shared: &mut Attributed<Scripted>, values: Vec<(u64, Value)>| {
        let reading =
            |(at, value)| Reading::new(0, Timestamp::from_nanos(at * 1_000_000_000), value);
        bench.next.lock().unwrap().extend(values.into_iter().map(reading));
        let mut readings = Vec::new();
        shared.read(Request::Edge, &mut readings);
        readings
    };
    read(&mut shared, vec![(0, joules(50.0))]);
    bench.time(20, 100);
    read(&mut shared, vec![]);
    // 10 s at 100 W under a share of 0.2, then 10 s at 300 W under 0.8.
    bench.time(40, 200);
    read(&mut shared, vec![power(0, 100.0), power(10, 100.0)]);
    bench.time(120, 300);
    let readings =
        read(&mut shared, vec![power(10, 300.0), power(20, 300.0), (20, joules(4050.0))]);
    let Some(Value::Energy(own)) = readings.last().map(|reading| &reading.value) else {
        panic!("{readings:?}")
    };
    assert!((own.get() - (0.2 * 1000.0 + 0.8 * 3000.0)).abs() < 1e-6, "{own}");
}

#[test]
fn readings_wait_for_a_share_worth_the_name() {
    let bench = Bench::new();
    let mut shared = bench.shared(&KINDS[..1]);
    bench.read(&mut shared, Request::Edge, vec![(0, joules(0.0))]);
    bench.time(2, 2);
    assert_eq!(bench.read(&mut shared, Request::Edge, vec![(0, joules(10.0))]), []);
    bench.time(10, 20);
    assert_eq!(bench.read(&mut shared, Request::Routine, vec![(0, joules(20.0))]), []);
    let read = bench.read(&mut shared, Request::Last, vec![]);
    assert_eq!(read, [(0, joules(10.0))]);
}

#[test]
fn power_is_shared_out_by_the_last_share_and_troubles_pass() {
    let bench = Bench::new();
    let mut shared = bench.shared(&KINDS);
    let power = || (0, Value::Power(Watts::new(80.0)));
    assert_eq!(bench.read(&mut shared, Request::Routine, vec![power()]), [], "no share yet");
    bench.time(5, 20);
    let read = bench.read(&mut shared, Request::Edge, vec![]);
    assert_eq!(read, [(0, Value::Power(Watts::new(20.0)))], "it was kept for the first share");
    let missing = (1, Value::Missing("a reason".to_owned()));
    let board = (2, Value::Power(Watts::new(300.0)));
    let all = vec![power(), missing.clone(), board.clone()];
    let read = bench.read(&mut shared, Request::Routine, all);
    assert_eq!(read, [(0, Value::Power(Watts::new(20.0))), missing, board]);
}

#[test]
fn without_the_process_there_is_no_share_and_no_number() {
    let bench = Bench::new();
    let mut shared = bench.shared(&KINDS);
    bench.read(&mut shared, Request::Edge, vec![(0, joules(0.0))]);
    fs::remove_dir_all(bench.proc.path().join("10")).unwrap();
    let values = vec![(0, joules(10.0)), (2, joules(1.0))];
    let read = bench.read(&mut shared, Request::Edge, values);
    let [(2, Value::Energy(_)), (0, Value::Missing(reason)), (1, Value::Missing(_))] = &read[..]
    else {
        panic!("{read:?}")
    };
    assert!(reason.contains("process 10"), "{reason}");
}

#[test]
fn a_shared_domain_says_so_and_is_not_taken_for_the_whole() {
    let shared = Bench::new().shared(&KINDS);
    let [package, dram, board] = shared.domains() else { panic!("three domains") };
    assert_eq!(
        (package.id.as_str(), dram.id.as_str(), board.id.as_str()),
        ("test:cpu-package/process", "test:dram/process", "test:gpu")
    );
    assert_eq!((package.method, board.method), (Method::Modelled, Method::Counter));
    assert!((package.sensor.relative_error - 0.04_f64.hypot(ATTRIBUTION_ERROR)).abs() < 1e-12);
    let note = package.note.as_deref().unwrap();
    assert!(note.starts_with("attributed: this process tree's share of CPU time"), "{note}");
    assert!(note.contains("counter"), "{note}");
    assert!(board.note.as_deref().unwrap().starts_with("whole board"), "{board:?}");
    assert!((board.sensor.relative_error - 0.04).abs() < 1e-12);
}

#[test]
fn reports_tell_of_the_shared_domains_or_why_there_are_none() {
    let bench = Bench::new();
    let report = || SourceReport {
        source: "test".to_owned(),
        availability: Availability::Available,
        domains: vec!["test:cpu-package".to_owned()],
        remarks: Vec::new(),
    };
    let boxed = |kinds: &[DomainKind]| Box::new(bench.source(kinds)) as Box<dyn PowerSource>;

    let mut reports = [report()];
    // Without a board of NVIDIA no driver is asked.
    let no_driver = |boards: Vec<String>| panic!("asked of {boards:?}");
    let share_out = |source, reports: &mut [SourceReport], root| {
        share_out(vec![source], reports, root, root, no_driver)
    };
    let kept = share_out(boxed(&KINDS[..1]), &mut reports, bench.proc.path());
    assert_eq!(kept[0].domains()[0].id, "test:cpu-package/process");
    assert_eq!(reports[0].domains, ["test:cpu-package/process"]);

    let nowhere = bench.proc.path().join("nowhere");
    let mut reports = [report()];
    assert!(share_out(boxed(&KINDS), &mut reports, &nowhere).is_empty());
    assert!(matches!(reports[0].availability, Availability::Unavailable { .. }));
    assert!(reports[0].domains.is_empty());

    // A board needs no share.
    let kept = share_out(boxed(&KINDS[2..]), &mut [report()], &nowhere);
    assert!(kept[0].domains()[0].note.as_deref().unwrap().starts_with("whole board"));

    let stated = fixed::Fixed::new(DomainKind::CpuPackage, Watts::new(5.0), 0.1).unwrap();
    let kept = share_out(Box::new(stated), &mut [], bench.proc.path());
    assert_eq!(kept[0].domains()[0].method, Method::Assumed, "as the user said");
}

#[test]
fn a_share_that_is_not_known_elsewhere_is_no_matter_of_mounting_proc() {
    let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
    let remedy = |system| match no_share(system, Path::new("/proc"), &missing) {
        Availability::Unavailable { remedy, .. } => remedy,
        Availability::Available => panic!("it is not known"),
    };
    assert!(remedy(System::Linux).contains("run where /proc shows"));
    for system in [System::MacOs, System::Windows] {
        let remedy = remedy(system);
        assert!(remedy.contains("Linux only") && !remedy.contains("/proc"), "{remedy}");
        assert!(remedy.contains("Scope::Machine"), "{remedy}");
    }
}

#[cfg(unix)]
#[test]
fn a_board_is_divided_by_the_time_of_its_programs_and_a_package_beside_it_by_its_own() {
    let bench = Bench::new();
    let client = |pid: u32, milliseconds: u64| {
        let folder = bench.proc.path().join(pid.to_string());
        for part in ["fd", "fdinfo"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let link = folder.join("fd/5");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("/dev/dri/renderD128", link).unwrap();
        let spent = milliseconds * 1_000_000;
        let text = format!(
            "drm-driver:\tamdgpu\ndrm-client-id:\t{pid}\ndrm-pdev:\t0000:03:00.0\ndrm-engine-compute:\t{spent} ns\n"
        );
        fs::write(folder.join("fdinfo/5"), text).unwrap();
    };
    client(10, 0);
    client(20, 0);
    let mut source = bench.source(&[DomainKind::CpuPackage, DomainKind::Gpu]);
    source.domains[1].source = hwmon::NAME.to_owned();
    source.domains[1].pci_address = Some("0000:03:00.0".to_owned());
    let proc = bench.proc.path();
    let mut shared = Attributed::new(source, proc, proc).unwrap();
    assert_eq!(shared.domains()[1].id, "test:gpu/process");
    assert_eq!(shared.domains()[1].method, Method::Modelled);

    let energy = |joules: f64| Value::Energy(Joules::new(joules));
    let both = |joules: f64| vec![(0, energy(joules)), (1, energy(joules))];
    bench.read(&mut shared, Request::Routine, both(0.0));
    // A quarter of the processors' time, and three fifths of the board's.
    bench.time(25, 100);
    client(10, 300);
    client(20, 200);
    let read = bench.read(&mut shared, Request::Last, both(1000.0));
    assert_eq!(read, [(0, energy(250.0)), (1, energy(600.0))]);
    assert_eq!(shared.warnings(), Vec::<String>::new());
}

/// Says the same at every question.
struct Always(nvml::Use);

impl Account for Always {
    fn ask(&mut self) -> Result<nvml::Use, String> {
        Ok(self.0.clone())
    }
    fn rest(&self) -> Duration {
        Duration::ZERO
    }
}

#[cfg(unix)]
#[test]
fn each_nvidia_board_is_divided_by_its_own_account_and_whole_with_the_reason_without_one() {
    let bench = Bench::new();
    fs::create_dir(bench.proc.path().join("self/ns")).unwrap();
    let link = bench.proc.path().join("self/ns/pid");
    std::os::unix::fs::symlink("pid:[4026531836]", link).unwrap();
    let board = |uuid: &str| {
        let mut source = bench.source(&[DomainKind::Gpu]);
        source.domains[0].source = nvml::NAME.to_owned();
        source.domains[0].id = format!("nvml:{uuid}");
        Box::new(source) as Box<dyn PowerSource>
    };
    let accounts = |boards: Vec<String>| -> Vec<Result<Box<dyn Account>, String>> {
        assert_eq!(boards, ["GPU-a", "GPU-b"]);
        let use_of_a = nvml::Use::Percent(vec![(10, 30), (20, 60)]);
        vec![Ok(Box::new(Always(use_of_a))), Err("it is not supported".to_owned())]
    };
    let mut report = SourceReport {
        source: nvml::NAME.to_owned(),
        availability: Availability::Available,
        domains: vec!["nvml:GPU-a".to_owned(), "nvml:GPU-b".to_owned()],
        remarks: Vec::new(),
    };
    let (sources, reports) =
        (vec![board("GPU-a"), board("GPU-b")], std::slice::from_mut(&mut report));
    let root = bench.proc.path();
    let mut kept = share_out(sources, reports, root, root, accounts);
    assert_eq!(report.domains, ["nvml:GPU-a/process", "nvml:GPU-b"]);
    let domains: Vec<Domain> = kept.iter().map(|source| source.domains()[0].clone()).collect();
    assert_eq!((domains[0].method, domains[1].method), (Method::Modelled, Method::Counter));
    assert!((domains[0].sensor.relative_error - 0.04_f64.hypot(ATTRIBUTION_ERROR)).abs() < 1e-12);
    let notes: Vec<&str> = domains.iter().map(|domain| domain.note.as_deref().unwrap()).collect();
    assert!(notes[0].contains("the time of the board's multiprocessors"), "{notes:?}");
    assert!(notes[1].ends_with("is not separated: it is not supported"), "{notes:?}");

    // The benches' readings go to whichever source is read.
    for (source, value) in [(0, 1000.0), (0, 1090.0), (1, 1000.0), (1, 1090.0)] {
        let reading = Reading::new(0, clock::now(), joules(value));
        bench.next.lock().unwrap().push(reading);
        let mut readings = Vec::new();
        kept[source].read(Request::Edge, &mut readings);
        let read: Vec<Value> = readings.into_iter().map(|reading| reading.value).collect();
        let expected = match (source, value) {
            (0, 1000.0) => 0.0,
            (0, _) => 30.0,
            (_, whole) => whole,
        };
        assert_eq!(read, [joules(expected)]);
    }
}
