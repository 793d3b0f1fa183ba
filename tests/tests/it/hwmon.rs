//! hwmon trees as the kernel lays them out: entries of the class folder are links into the device
//! folders, and each has a link back to its device. Names and values follow recorded listings.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use ergometer::energy::Method;
use ergometer::private::sources::Hwmon;
use ergometer::source::{Availability, DomainKind, PowerSource, Request, SourceReport, Value};
use ergometer::units::{Joules, Watts};
use tempfile::TempDir;

use crate::child;

/// A sysfs of our own.
pub struct Tree {
    root: TempDir,
}

impl Tree {
    pub fn new() -> Self {
        Self { root: tempfile::tempdir().unwrap() }
    }

    pub fn sys(&self) -> PathBuf {
        self.root.path().join("sys")
    }

    /// Adds `hwmon<number>` of the device at `place` (below `sys/devices`).
    pub fn device(self, number: u32, place: &str, files: &[(&str, &str)]) -> Self {
        let device = self.sys().join("devices").join(place);
        let folder = device.join(format!("hwmon/hwmon{number}"));
        fs::create_dir_all(&folder).unwrap();
        symlink(&device, folder.join("device")).unwrap();
        for (name, text) in files {
            write(&folder.join(name), text);
        }
        let class = self.sys().join("class/hwmon");
        fs::create_dir_all(&class).unwrap();
        symlink(&folder, class.join(format!("hwmon{number}"))).unwrap();
        self
    }

    pub fn file(&self, number: u32, name: &str) -> PathBuf {
        self.sys().join(format!("class/hwmon/hwmon{number}/{name}"))
    }

    fn set(&self, number: u32, name: &str, text: &str) {
        write(&self.file(number, name), text);
    }

    fn open(&self) -> (Option<Hwmon>, SourceReport) {
        Hwmon::open(&self.sys(), None)
    }
}

fn write(file: &Path, text: &str) {
    fs::write(file, format!("{text}\n")).unwrap();
}

fn read(hwmon: &mut Hwmon) -> Vec<Value> {
    let mut readings = Vec::new();
    hwmon.read(Request::Routine, &mut readings);
    readings.into_iter().map(|reading| reading.value).collect()
}

fn energy(joules: f64) -> Value {
    Value::Energy(Joules::new(joules))
}

fn power(watts: f64) -> Value {
    Value::Power(Watts::new(watts))
}

pub const RX_7900: &str = "pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:00.0/0000:03:00.0";
pub const MI_250: &str = "pci0000:30/0000:30:03.1/0000:31:00.0";
const PHOENIX: &str = "pci0000:00/0000:00:08.1/0000:c1:00.0";
pub const ARC: &str = "pci0000:00/0000:00:1c.0/0000:04:00.0";
const JETSON: &str = "platform/bus@0/c240000.i2c/i2c-1/1-0040";

fn rx_7900() -> Tree {
    Tree::new().device(
        3,
        RX_7900,
        &[
            ("name", "amdgpu"),
            ("in0_input", "826"),
            ("in0_label", "vddgfx"),
            ("power1_label", "PPT"),
            ("power1_average", "301000000"),
            ("power1_input", "289000000"),
            ("power1_cap", "303000000"),
            ("power1_cap_max", "348000000"),
            ("fan1_input", "1405"),
            ("temp1_input", "61000"),
        ],
    )
}

/// A processor with a GPU in it.
pub fn phoenix() -> Tree {
    Tree::new().device(
        5,
        PHOENIX,
        &[
            ("name", "amdgpu"),
            ("in0_label", "vddgfx"),
            ("in1_label", "vddnb"),
            ("power1_label", "PPT"),
            ("power1_average", "24000000"),
            ("power1_input", "25000000"),
        ],
    )
}

pub fn orin() -> Tree {
    Tree::new().device(
        1,
        JETSON,
        &[
            ("name", "ina3221"),
            ("update_interval", "20"),
            ("in1_label", "VDD_IN"),
            ("in1_input", "19096"),
            ("curr1_input", "480"),
            ("in2_label", "VDD_CPU_GPU_CV"),
            ("in2_input", "19088"),
            ("curr2_input", "120"),
            ("in3_label", "VDD_SOC"),
            ("in3_input", "19088"),
            ("curr3_input", "88"),
            ("in7_label", "sum of shunt voltages"),
        ],
    )
}

#[test]
fn an_amd_board_gives_instantaneous_power_under_its_pci_address() {
    let tree = rx_7900();
    let (hwmon, report) = tree.open();
    let mut hwmon = hwmon.unwrap();
    assert_eq!(report.domains, ["hwmon:0000:03:00.0"]);
    let domain = &hwmon.domains()[0];
    assert_eq!(domain.kind, DomainKind::Gpu);
    assert_eq!(domain.method, Method::Integrated);
    assert_eq!(domain.pci_address.as_deref(), Some("0000:03:00.0"));
    assert_eq!(domain.power_limit, Some(Watts::new(303.0)));
    assert!(!domain.note.as_ref().unwrap().contains("averaged"), "{domain:?}");
    assert_eq!(read(&mut hwmon), [power(289.0)]);
    tree.set(3, "power1_input", "55000000");
    assert_eq!(read(&mut hwmon), [power(55.0)]);
}

#[test]
fn an_amd_board_with_an_average_only_says_so() {
    let tree = Tree::new().device(
        0,
        MI_250,
        &[("name", "amdgpu"), ("power1_average", "92000000"), ("power1_cap", "560000000")],
    );
    write(&tree.sys().join("devices").join(MI_250).join("product_name"), "AMD INSTINCT MI250");
    let mut hwmon = tree.open().0.unwrap();
    let domain = &hwmon.domains()[0];
    assert_eq!(domain.label, "AMD INSTINCT MI250");
    assert!(domain.note.as_ref().unwrap().contains("averaged"), "{domain:?}");
    assert_eq!(read(&mut hwmon), [power(92.0)]);
}

#[test]
fn an_apu_is_its_package_and_steps_back_where_the_package_is_read() {
    let tree = phoenix();
    let hwmon = tree.open().0.unwrap();
    assert_eq!(hwmon.domains()[0].kind, DomainKind::CpuPackage);

    let (hwmon, report) = Hwmon::open(&tree.sys(), Some("rapl"));
    assert!(hwmon.is_none() && report.domains.is_empty());
    assert!(report.remarks.iter().any(|remark| remark.contains("rapl")), "{report:?}");

    // The one APU whose driver hides what the others are known by.
    let tree = Tree::new().device(0, MI_250, &[("name", "amdgpu"), ("power1_input", "1")]);
    write(&tree.sys().join("devices").join(MI_250).join("product_name"), "AMD Instinct MI300A");
    assert_eq!(tree.open().0.unwrap().domains()[0].kind, DomainKind::CpuPackage);
}

#[test]
fn an_intel_card_gives_its_counter_and_its_tile_is_not_added() {
    let tree = Tree::new()
        .device(
            4,
            ARC,
            &[
                ("name", "i915"),
                ("in0_input", "640"),
                ("energy1_input", "9035421000"),
                ("power1_max", "190000000"),
            ],
        )
        .device(5, ARC, &[("name", "i915_gt0"), ("energy1_input", "9035421000")]);
    let (hwmon, report) = tree.open();
    let mut hwmon = hwmon.unwrap();
    assert_eq!(report.domains, ["hwmon:0000:04:00.0"]);
    assert!(report.remarks.iter().any(|remark| remark.contains("i915_gt0")), "{report:?}");
    assert_eq!(hwmon.domains()[0].method, Method::Counter);
    assert_eq!(hwmon.domains()[0].power_limit, Some(Watts::new(190.0)));
    assert_eq!(read(&mut hwmon), [energy(0.0)]);
    tree.set(4, "energy1_input", "9045421000");
    assert_eq!(read(&mut hwmon), [energy(10.0)]);
    // A driver that is loaded again starts at 0; that is no wrap of anything.
    tree.set(4, "energy1_input", "1000000");
    assert!(matches!(read(&mut hwmon)[..], [Value::Restarted(_)]));
    tree.set(4, "energy1_input", "3000000");
    assert_eq!(read(&mut hwmon), [energy(12.0)]);
}

#[test]
fn of_card_and_chip_the_card_is_metered() {
    let files = [
        ("name", "xe"),
        ("energy1_label", "card"),
        ("energy1_input", "5000000"),
        ("energy2_label", "pkg"),
        ("energy2_input", "4000000"),
    ];
    let tree = Tree::new().device(2, ARC, &files);
    let mut hwmon = tree.open().0.unwrap();
    assert_eq!(hwmon.domains().len(), 1);
    read(&mut hwmon);
    tree.set(2, "energy1_input", "8000000");
    tree.set(2, "energy2_input", "6000000");
    assert_eq!(read(&mut hwmon), [energy(3.0)]);

    let chip_only: Vec<_> =
        files.into_iter().filter(|(name, _)| !name.starts_with("energy1")).collect();
    let hwmon = Tree::new().device(2, ARC, &chip_only).open().0.unwrap();
    assert!(hwmon.domains()[0].note.as_ref().unwrap().contains("chip alone"));
}

#[test]
fn a_jetson_gives_its_input_rail_and_nothing_behind_it() {
    let tree = orin();
    let (hwmon, report) = tree.open();
    let mut hwmon = hwmon.unwrap();
    assert_eq!(report.domains, ["hwmon:1-0040"]);
    let domain = &hwmon.domains()[0];
    assert_eq!((domain.kind, domain.pci_address.as_deref()), (DomainKind::Module, None));
    assert_eq!(domain.sensor.power_period_s, Some(0.02));
    let [Value::Power(watts)] = read(&mut hwmon)[..] else { panic!("no power") };
    assert!((watts.get() - 19.096 * 0.480).abs() < 1e-9, "{watts}");
    tree.set(1, "curr1_input", "-8");
    assert!(matches!(read(&mut hwmon)[..], [Value::Missing(_)]));
}

#[test]
fn rails_that_feed_no_whole_module_are_named_and_left_out() {
    let tree = Tree::new().device(
        1,
        JETSON,
        &[
            ("name", "ina3221"),
            ("in1_label", "VDD_GPU_SOC"),
            ("in1_input", "19000"),
            ("curr1_input", "100"),
        ],
    );
    let (hwmon, report) = tree.open();
    assert!(hwmon.is_none());
    assert!(report.remarks.iter().any(|remark| remark.contains("VDD_GPU_SOC")), "{report:?}");
}

#[test]
fn devices_come_by_address_and_other_sensors_are_passed_over() {
    let tree = rx_7900()
        .device(0, "platform/coretemp.0", &[("name", "coretemp"), ("temp1_input", "40000")])
        .device(11, MI_250, &[("name", "amdgpu"), ("power1_average", "90000000")])
        .device(12, "virtual/nvme", &[("name", "nvme"), ("power1_input", "5000000")]);
    let (_, report) = tree.open();
    assert_eq!(report.domains, ["hwmon:0000:03:00.0", "hwmon:0000:31:00.0"]);
    // What shows a power is named, what shows none is not.
    let [drive] = &report.remarks[..] else { panic!("{report:?}") };
    assert!(drive.contains("nvme") && drive.contains("power1_input, which is not used"), "{drive}");
}

/// The ACPI power meters of a Grace; some drivers have their files at the device behind.
pub fn grace() -> Tree {
    let meters = [
        ("Module Power Socket 0", 610, "ACPI000D:00"),
        ("Grace Power Socket 0", 144, "ACPI000D:01"),
        ("CPU Power Socket 0", 90, "ACPI000D:02"),
        ("SysIO Power Socket 0", 20, "ACPI000D:03"),
    ];
    let mut tree = Tree::new();
    for (number, (what, watts, name)) in (0..).zip(meters) {
        let place = format!("LNXSYSTM:00/{name}");
        tree = tree.device(number, &place, &[("name", "power_meter")]);
        let folder = tree.sys().join("devices").join(place);
        write(&folder.join("power1_oem_info"), what);
        write(&folder.join("power1_average"), &format!("{watts}000000"));
        write(&folder.join("power1_average_interval"), "50");
    }
    tree
}

#[test]
fn a_grace_gives_its_socket_and_nothing_in_it_or_around_it() {
    let tree = grace();
    let (hwmon, report) = tree.open();
    let mut hwmon = hwmon.unwrap();
    assert_eq!(report.domains, ["hwmon:ACPI000D:01"]);
    let domain = &hwmon.domains()[0];
    assert_eq!((domain.kind, domain.method), (DomainKind::CpuPackage, Method::Integrated));
    assert_eq!(domain.sensor.power_period_s, Some(0.05));
    assert_eq!(read(&mut hwmon), [power(144.0)]);
    for part in ["Module Power", "CPU Power", "SysIO Power"] {
        assert!(report.remarks.iter().any(|remark| remark.contains(part)), "{part}: {report:?}");
    }
}

#[test]
fn sockets_of_an_amd_driver_are_packages_unless_rapl_gives_them() {
    let tree = Tree::new().device(
        0,
        "platform/zenergy.0",
        &[
            ("name", "zenergy"),
            ("energy1_label", "Ecore000"),
            ("energy1_input", "77000000"),
            ("energy2_label", "Esocket0"),
            ("energy2_input", "5000000"),
            ("energy3_label", "Esocket1"),
            ("energy3_input", "9000000"),
        ],
    );
    let (hwmon, report) = tree.open();
    let mut hwmon = hwmon.unwrap();
    assert_eq!(report.domains, ["hwmon:zenergy.0:Esocket0", "hwmon:zenergy.0:Esocket1"]);
    read(&mut hwmon);
    tree.set(0, "energy2_input", "8000000");
    assert_eq!(read(&mut hwmon), [energy(3.0), energy(0.0)]);
    let (hwmon, report) = Hwmon::open(&tree.sys(), Some("rapl"));
    assert!(hwmon.is_none() && report.remarks[0].contains("rapl reads"), "{report:?}");
}

#[test]
fn the_inputs_of_a_thor_and_of_a_nano_are_their_modules() {
    let thor = Tree::new().device(
        0,
        "platform/bus@0/810c600000.i2c/i2c-2/2-0044",
        &[("name", "ina238"), ("in1_label", "VIN"), ("power1_input", "41500000")],
    );
    let (hwmon, report) = thor.open();
    assert_eq!(report.domains, ["hwmon:2-0044"]);
    let mut hwmon = hwmon.unwrap();
    assert_eq!(hwmon.domains()[0].kind, DomainKind::Module);
    assert_eq!(read(&mut hwmon), [power(41.5)]);

    let nano = Tree::new();
    let device = nano.sys().join("devices/i2c-6/6-0040/iio:device0");
    fs::create_dir_all(&device).unwrap();
    for (name, text) in [
        ("name", "ina3221x"),
        ("rail_name_0", "POM_5V_IN"),
        ("in_power0_input", "4200"),
        ("rail_name_1", "POM_5V_GPU"),
        ("in_power1_input", "900"),
    ] {
        write(&device.join(name), text);
    }
    let class = nano.sys().join("bus/iio/devices");
    fs::create_dir_all(&class).unwrap();
    symlink(&device, class.join("iio:device0")).unwrap();
    let (hwmon, report) = nano.open();
    assert_eq!(report.domains, ["hwmon:6-0040"], "{report:?}");
    assert_eq!(read(&mut hwmon.unwrap()), [power(4.2)]);
}

#[test]
fn a_value_that_stops_being_readable_is_missing_and_the_others_go_on() {
    let tree = rx_7900().device(11, MI_250, &[("name", "amdgpu"), ("power1_average", "90000000")]);
    let mut hwmon = tree.open().0.unwrap();
    fs::remove_file(tree.file(3, "power1_input")).unwrap();
    let during = read(&mut hwmon);
    assert!(matches!(during[0], Value::Missing(_)), "{during:?}");
    assert_eq!(during[1], power(90.0));
    for text in ["", "-5", "nan", "9999999999999999"] {
        tree.set(3, "power1_input", text);
        assert!(matches!(read(&mut hwmon)[0], Value::Missing(_)), "{text:?}");
    }
    tree.set(3, "power1_input", "61000000");
    assert_eq!(read(&mut hwmon), [power(61.0), power(90.0)]);
}

#[test]
fn what_cannot_be_read_at_the_start_is_said() {
    let broken = rx_7900().device(11, MI_250, &[("name", "amdgpu"), ("power1_average", "?")]);
    let (_, report) = broken.open();
    assert_eq!(report.domains, ["hwmon:0000:03:00.0"]);
    assert!(report.remarks.iter().any(|remark| remark.contains("0000:31:00.0")), "{report:?}");

    let powerless = Tree::new().device(0, MI_250, &[("name", "amdgpu"), ("temp1_input", "1")]);
    let (_, report) = powerless.open();
    assert!(report.remarks.iter().any(|remark| remark.contains("shows no power")), "{report:?}");

    let Availability::Unavailable { reason, remedy } = Tree::new().open().1.availability else {
        panic!("available in an empty folder")
    };
    assert!(reason.contains("class/hwmon") && remedy.contains("amdgpu"), "{reason}; {remedy}");
}

#[test]
fn permission_denied_names_the_file_and_the_command() {
    use std::os::unix::fs::PermissionsExt as _;
    // Root may read everything.
    if child::passed_as_nobody("hwmon::permission_denied_names_the_file_and_the_command") {
        return;
    }
    let tree = rx_7900();
    let file = tree.file(3, "power1_input");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    let (hwmon, report) = tree.open();
    assert!(hwmon.is_none());
    let Availability::Unavailable { reason, remedy } = report.availability else {
        panic!("{report:?}")
    };
    assert!(reason.starts_with("permission denied"), "{reason}");
    assert!(remedy.contains(&format!("sudo chmod a+r {}", file.display())), "{remedy}");
}
