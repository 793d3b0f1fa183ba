use proptest::prelude::*;

use super::*;

const A: &str = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6";
const B: &str = "GPU-8932aaaa-0000-4000-8000-000000000001";
const C: &str = "GPU-5d5ba0d6-0000-4000-8000-000000000002";
const INSTANCE: &str = "MIG-3a7b1c2d-0000-5000-8000-000000000003";

/// Two boards of one model and, cut into instances, a third; NVML's order is not that of addresses.
fn boards() -> Vec<BoardIdentity> {
    let board = |index, uuid: &str, address: &str| BoardIdentity {
        index,
        uuid: uuid.to_owned(),
        pci_address: Some(address.to_owned()),
        name: "NVIDIA Test".to_owned(),
        mig: Vec::new(),
    };
    let mut third = board(2, C, "00000000:AF:00.0");
    third.mig = vec![INSTANCE.to_owned(), INSTANCE.replace("3a7b", "3a7c")];
    vec![board(0, B, "0000:5e:00.0"), board(1, A, "00000000:3B:00.0"), third]
}

fn visible(value: Option<&str>) -> Result<Choice> {
    let environment =
        Environment { visible: value.map(ToOwned::to_owned), ..Environment::default() };
    choose(&Devices::Visible, &environment, &boards())
}

fn uuids(choice: &Choice) -> Vec<&str> {
    choice.boards.iter().map(|board| board.uuid.as_str()).collect()
}

#[test]
fn cuda_visible_devices_gives_the_boards_that_cuda_shows() {
    let old_instance = format!("MIG-{C}/1/0");
    let two_instances = format!("{INSTANCE},{}", INSTANCE.replace("3a7b", "3a7c"));
    let whole = format!("{C},{A}");
    // In the order of addresses: A, B, C.
    let cases: &[(Option<&str>, &[&str])] = &[
        (None, &[B, A, C]),
        (Some(""), &[]),
        (Some("  "), &[]),
        (Some("NoDevFiles"), &[]),
        (Some("-1"), &[]),
        (Some("-1,0"), &[]),
        (Some("0"), &[A]),
        (Some("1,0"), &[B, A]),
        (Some(" 2 , 0 "), &[C, A]),
        (Some("1,-1,0"), &[B]),
        (Some("+1"), &[B]),
        (Some("1gpu,2nd"), &[B, C]),
        (Some(A), &[A]),
        (Some(&whole), &[C, A]),
        (Some("GPU-8932f"), &[A]),
        (Some("GPU-5,GPU-8932a"), &[C, B]),
        (Some(INSTANCE), &[C]),
        (Some("MIG-3a7b"), &[C]),
        (Some(&two_instances), &[C]),
        (Some(&old_instance), &[C]),
        (Some("MIG-GPU-5d5b/0/0"), &[C]),
        // What follows a mistake is passed over.
        (Some("0,7,1"), &[A]),
        (Some("0,,1"), &[A]),
        (Some("0,nonsense,1"), &[A]),
        (Some("0,GPU-5"), &[A]),
        (Some("GPU-5,0"), &[C]),
        (Some("GPU-5,GPU-8932"), &[C]),
        (Some("GPU-5,GPU-0"), &[C]),
    ];
    for (value, expected) in cases {
        let choice = visible(*value).unwrap_or_else(|error| panic!("{value:?}: {error}"));
        assert_eq!(uuids(&choice), *expected, "{value:?}");
    }
}

#[test]
fn a_mistake_that_leaves_no_board_is_a_typed_error() {
    let twice = format!("{A},GPU-8932f");
    for (value, words) in [
        ("7", "3 boards"),
        ("7,0", "3 boards"),
        ("99999999999999999999", "neither an index nor a UUID"),
        ("nonsense", "neither an index nor a UUID"),
        (",0", "neither an index nor a UUID"),
        ("-", "neither an index nor a UUID"),
        ("0,0", "a second time"),
        ("0,1,0", "a second time"),
        (&twice, "a second time"),
        ("GPU-8932", "and GPU-8932"),
        ("GPU-", "and GPU-"),
        ("GPU-ffff", "no board has"),
        ("gpu-8932f", "neither an index nor a UUID"),
        ("MIG-ffff", "no board has"),
        ("MIG-GPU-5d5b", "lacks the numbers"),
        ("MIG-GPU-5d5b/x/0", "lacks the numbers"),
        ("MIG-GPU-ffff/1/0", "no board has"),
    ] {
        let error = visible(Some(value)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownDevice, "{value}");
        assert!(error.to_string().contains(words), "{value}: {error}");
        assert!(error.remedy().is_some_and(|remedy| remedy.contains(A)), "{value}: {error}");
    }
}

#[test]
fn the_board_that_was_meant_is_named_first() {
    let error = visible(Some("GPU-5d5ba0d7")).unwrap_err();
    assert!(error.remedy().unwrap().starts_with(&format!("there are {C}")), "{error}");
}

#[test]
fn boards_that_are_not_chosen_are_named() {
    let choice = visible(Some("1")).unwrap();
    for uuid in [A, C] {
        let remark = format!("board {uuid} is not among CUDA_VISIBLE_DEVICES and is not metered");
        assert!(choice.remarks.contains(&remark), "{:?}", choice.remarks);
    }
    assert_eq!(choice.remarks.len(), 2, "{:?}", choice.remarks);
    assert_eq!(visible(None).unwrap().remarks, Vec::<String>::new());
}

#[test]
fn what_follows_a_mistake_is_said_to_be_passed_over() {
    let choice = visible(Some("0,7")).unwrap();
    assert!(choice.remarks[0].contains("before its entry '7'"), "{:?}", choice.remarks);
}

#[test]
fn a_board_with_instances_is_shared_however_it_was_named() {
    for value in [None, Some("2"), Some(C), Some(INSTANCE)] {
        let choice = visible(value).unwrap();
        let shared = |uuid| choice.boards.iter().find(|board| board.uuid == uuid).map(|b| b.shared);
        assert_eq!(shared(C), Some(true), "{value:?}");
        assert_ne!(shared(A), Some(true), "{value:?}");
    }
    // NVML may not list the instances; the name says it.
    let mut plain = boards();
    plain[2].mig.clear();
    let environment =
        Environment { visible: Some(format!("MIG-{C}/1/0")), ..Environment::default() };
    let choice = choose(&Devices::Visible, &environment, &plain).unwrap();
    assert!(choice.boards[0].shared);
}

#[test]
fn an_order_that_only_cuda_knows_is_remarked() {
    let mut mixed = boards();
    mixed[0].name = "NVIDIA Other".to_owned();
    let remarked = |value: &str, order: Option<&str>, boards: &[BoardIdentity]| {
        let environment = Environment {
            visible: Some(value.to_owned()),
            order: order.map(ToOwned::to_owned),
            ..Environment::default()
        };
        let choice = choose(&Devices::Visible, &environment, boards).unwrap();
        choice.remarks.iter().any(|remark| remark.contains("CUDA_DEVICE_ORDER"))
    };
    assert!(remarked("0", None, &mixed));
    assert!(remarked("0", Some("FASTEST_FIRST"), &mixed));
    for (value, order, boards) in [
        ("0", Some("PCI_BUS_ID"), &mixed),
        ("0", None, &boards()),
        ("GPU-5", None, &mixed),
        // All of them, in whatever order.
        ("2,1,0", None, &mixed),
        ("-1", None, &mixed),
    ] {
        assert!(!remarked(value, order, boards), "{value} {order:?}");
    }
}

#[test]
fn a_list_is_taken_whatever_the_environment_says() {
    let environment = Environment { visible: Some("-1".to_owned()), ..Environment::default() };
    let list = |ids: &[&str]| {
        let ids = ids.iter().map(|id| id.parse().unwrap()).collect();
        choose(&Devices::List(ids), &environment, &boards())
    };
    assert_eq!(uuids(&list(&["3b:00.0", "GPU-5"]).unwrap()), [A, C]);
    assert_eq!(uuids(&list(&["00000000:AF:00.0", C]).unwrap()), [C], "one board, named twice");
    let instance = list(&[INSTANCE]).unwrap();
    assert_eq!((uuids(&instance), instance.boards[0].shared), (vec![C], true));
    assert!(instance.remarks.iter().any(|remark| remark.contains("boards asked for")));
    for unknown in ["GPU-8932", "GPU-ffff", "MIG-ffff", "0000:01:00.0"] {
        assert_eq!(list(&[A, unknown]).unwrap_err().kind(), ErrorKind::UnknownDevice, "{unknown}");
    }
    let all = choose(&Devices::All, &environment, &boards()).unwrap();
    assert_eq!(uuids(&all), [B, A, C]);
}

#[test]
fn without_boards_nothing_is_missed_unless_it_was_asked_for() {
    let environment = Environment { visible: Some("0,1".to_owned()), ..Environment::default() };
    assert_eq!(choose(&Devices::Visible, &environment, &[]).unwrap(), Choice::default());
    let list = Devices::List(vec![A.parse().unwrap()]);
    assert_eq!(choose(&list, &environment, &[]).unwrap_err().kind(), ErrorKind::UnknownDevice);
}

#[test]
fn addresses_have_many_spellings_and_one_meaning() {
    let id = |text: &str| text.parse::<DeviceId>();
    for same in ["0000:3b:00.0", "00000000:3B:00.0", "3b:00.0", " 0:3b:0.0 "] {
        assert_eq!(id(same).unwrap(), id("0000:3b:00.0").unwrap(), "{same}");
        assert_eq!(id(same).unwrap().to_string(), "0000:3b:00.0");
    }
    assert_eq!(id("10000:01:00.0").unwrap().to_string(), "10000:01:00.0");
    for wrong in
        ["", "0", "3b:00", "3b:00.", "zz:00.0", "3b:00.0.0", "100:00.0", "0000:0000:3b:0.0"]
    {
        assert_eq!(id(wrong).unwrap_err().kind(), ErrorKind::InvalidSetting, "{wrong}");
    }
}

proptest! {
    #[test]
    fn whatever_the_variable_holds_the_answer_is_boards_or_an_error(
        value in prop_oneof![
            any::<String>(),
            "[-+]?[0-9]{0,3}(,[-+ ]?[0-9]{0,2}){0,4}",
            "(GPU-|MIG-|MIG-GPU-)[0-9a-f/,éGPU-]{0,20}",
        ],
        order in proptest::option::of(any::<String>()),
    ) {
        let environment = Environment { visible: Some(value.clone()), order, ..Environment::default() };
        let boards = boards();
        match choose(&Devices::Visible, &environment, &boards) {
            Ok(choice) => {
                let mut chosen = uuids(&choice);
                chosen.sort_unstable();
                chosen.dedup();
                prop_assert_eq!(chosen.len(), choice.boards.len(), "each board once");
                let named = choice.remarks.iter().filter(|r| r.ends_with("not metered")).count();
                prop_assert_eq!(named + choice.boards.len(), boards.len());
            }
            Err(error) => {
                prop_assert_eq!(error.kind(), ErrorKind::UnknownDevice);
                prop_assert!(!error.to_string().contains('\n'));
            }
        }
        let _ = value.parse::<DeviceId>();
    }
}
