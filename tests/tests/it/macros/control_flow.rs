//! Values and control flow are those of the function without the attribute.

use std::num::ParseIntError;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ergometer::track_energy;

use super::recording::{self, note, written};

/// Tells when it is dropped.
struct Loud(&'static str);

impl Drop for Loud {
    fn drop(&mut self) {
        note(self.0);
    }
}

#[track_energy(crate = recording)]
fn parsed(text: &str) -> Result<u32, ParseIntError> {
    let number: u32 = text.parse()?;
    if number == 1 {
        return Ok(100);
    }
    note("end");
    Ok(number)
}

#[test]
fn question_mark_and_return_close_the_function() {
    assert_eq!(parsed("7"), Ok(7));
    assert_eq!(written(), "function:parsed{end}");
    assert_eq!(parsed("1"), Ok(100));
    assert_eq!(written(), "function:parsed{}");
    assert!(parsed("x").is_err());
    assert_eq!(written(), "function:parsed{}");
}

#[track_energy(run, items = rows.len(), unit = "rows", crate = recording)]
fn search(rows: &[[u32; 2]], wanted: u32) -> Result<Option<usize>, u32> {
    #[track_energy(phase = "scan")]
    let found = 'scan: {
        #[track_energy(epoch, name = "row")]
        'rows: for (index, row) in rows.iter().enumerate() {
            #[track_energy(step, items = cell)]
            for &cell in row {
                match cell {
                    0 => continue,
                    1 => continue 'rows,
                    2 => break,
                    3 => break 'rows,
                    4 => return Err(cell),
                    _ => {}
                }
                #[track_energy(phase = "compare")]
                if cell == wanted {
                    break 'scan Some(index);
                }
            }
        }
        None
    };
    note("after");
    Ok(found)
}

#[test]
fn every_way_out_of_a_loop_closes_what_it_leaves() {
    type Row<'a> = (&'a [[u32; 2]], Result<Option<usize>, u32>, &'a str);
    let table: [Row; 7] = [
        (&[], Ok(None), "0 rows phase:scan{} after"),
        (
            &[[0, 0]],
            Ok(None),
            "1 rows phase:scan{epoch:row{step:step{0 items} step:step{0 items}}} after",
        ),
        (
            &[[1, 9], [2, 9]],
            Ok(None),
            "2 rows phase:scan{epoch:row{step:step{1 items}} epoch:row{step:step{2 items}}} after",
        ),
        (&[[3, 9], [9, 9]], Ok(None), "2 rows phase:scan{epoch:row{step:step{3 items}}} after"),
        (&[[4, 9]], Err(4), "1 rows phase:scan{epoch:row{step:step{4 items}}}"),
        (
            &[[7, 9]],
            Ok(Some(0)),
            "1 rows phase:scan{epoch:row{step:step{7 items} \
             step:step{9 items phase:compare{}}}} after",
        ),
        (
            &[[1, 1], [9, 1]],
            Ok(Some(1)),
            "2 rows phase:scan{epoch:row{step:step{1 items}} \
             epoch:row{step:step{9 items phase:compare{}}}} after",
        ),
    ];
    for (rows, value, spans) in table {
        assert_eq!(search(rows, 9), value, "{rows:?}");
        assert_eq!(written(), format!("run:search{{{spans}}}"), "{rows:?}");
    }
}

#[track_energy(crate = recording)]
fn panics(at: &str) {
    let _first = Loud("first dropped");
    #[track_energy(epoch)]
    for epoch in 0..3 {
        #[track_energy(phase = "work")]
        let _second = {
            let second = Loud("second dropped");
            assert!(epoch < 1, "{at}");
            second
        };
    }
}

#[test]
fn a_panic_closes_spans_innermost_first() {
    let panic = catch_unwind(AssertUnwindSafe(|| panics("the second epoch"))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "the second epoch");
    assert_eq!(
        written(),
        "function:panics{epoch:epoch{phase:work{second dropped}} \
         epoch:epoch{phase:work{second dropped}} first dropped}"
    );
}

#[track_energy(crate = recording)]
fn temporaries(text: &str) -> usize {
    #[track_energy(phase = "temporary")]
    let borrowed = &Loud("temporary dropped");
    note("used");
    #[track_energy(phase = "else")]
    let Some(first) = text.chars().next() else {
        note(borrowed.0);
        return 0;
    };
    #[track_energy(phase = "both", items = 2)]
    let (left, mut right) = (first.len_utf8(), text.len());
    right += left;
    right
}

#[test]
fn let_binds_as_before_and_its_span_ends_with_it() {
    assert_eq!(temporaries("abc"), 4);
    assert_eq!(
        written(),
        "function:temporaries{phase:temporary{} used phase:else{} phase:both{2 items} \
         temporary dropped}"
    );
    assert_eq!(temporaries(""), 0);
    assert_eq!(
        written(),
        "function:temporaries{phase:temporary{} used phase:else{temporary dropped} \
         temporary dropped}"
    );
}

#[track_energy(crate = recording)]
fn initialisers(texts: &[&str]) -> Result<u32, ParseIntError> {
    let mut sum = 0;
    for text in texts {
        #[track_energy(phase = "parse")]
        let number: u32 = match *text {
            "skip" => continue,
            "stop" => break,
            text => text.parse()?,
        };
        sum += number;
    }
    note("end");
    Ok(sum)
}

#[test]
fn leaving_an_initialiser_closes_its_span() {
    assert_eq!(initialisers(&["1", "skip", "2", "stop", "4"]), Ok(3));
    let each = "phase:parse{}";
    assert_eq!(written(), format!("function:initialisers{{{each} {each} {each} {each} end}}"));
    assert!(initialisers(&["1", "x", "2"]).is_err());
    assert_eq!(written(), format!("function:initialisers{{{each} {each}}}"));
}

#[track_energy(name = "whole", crate = recording)]
fn statements(count: u32) -> u32 {
    fn nested(number: u32) -> u32 {
        #[track_energy(phase = "nested")]
        let next = number + 1;
        next
    }

    let mut total = 0;
    #[track_energy(phase = "loop", items = count)]
    #[track_energy(step, items = number, unit = "tokens")]
    for number in 0..count {
        total += number;
    }
    #[track_energy(run, name = "drain")]
    while total > 2 {
        total -= 1;
    }
    let mut stack = vec![1, 2];
    #[track_energy(epoch)]
    while let Some(top) = stack.pop() {
        note(&top.to_string());
    }
    #[track_energy(phase = "assign")]
    total = total * 2 + 1;
    #[track_energy(phase = "call")]
    note("called");
    #[track_energy(phase = "macro")]
    assert!(total > 0);
    #[track_energy(step)]
    {
        note("block");
    }
    let half = #[track_energy(phase = "inner")]
    if total > 1 { total / 2 } else { 0 };
    let each = |number: u32| {
        #[track_energy(phase = "closure")]
        let next = number + 1;
        next
    };
    let next = nested(each(half));
    #[track_energy(phase = "tail")]
    match next {
        0 => 0,
        next => next * 10,
    }
}

#[test]
fn statements_are_spans() {
    assert_eq!(statements(3), 40);
    assert_eq!(
        written(),
        "function:whole{phase:loop{3 items step:step{0 tokens} step:step{1 tokens} \
         step:step{2 tokens}} run:drain{} epoch:epoch{2} epoch:epoch{1} phase:assign{} \
         phase:call{called} phase:macro{} step:step{block} phase:inner{} phase:closure{} \
         phase:nested{} phase:tail{}}"
    );
}

#[track_energy(items = count, crate = recording)]
fn recursive(count: u32) -> u32 {
    if count == 0 { 0 } else { count + recursive(count - 1) }
}

#[test]
fn recursion_nests() {
    assert_eq!(recursive(2), 3);
    assert_eq!(
        written(),
        "function:recursive{2 items function:recursive{1 items function:recursive{0 items}}}"
    );
}

#[track_energy(crate = recording)]
fn makes(by: u32) -> impl Iterator<Item = u32> {
    let _local = Loud("local dropped");
    (0..2).map(move |number| number + by)
}

struct Model(u32);

impl Model {
    #[track_energy(step, crate = recording)]
    fn step(&mut self) -> &mut u32 {
        self.0 += 1;
        &mut self.0
    }

    #[track_energy(epoch, name = "train", crate = recording)]
    fn epoch<const STEPS: usize, T: Into<u32> + Copy>(&mut self, by: T) -> u32 {
        for _ in 0..STEPS {
            *self.step() += by.into();
        }
        self.0
    }
}

#[test]
fn methods_generics_and_impl_trait() {
    assert_eq!(makes(3).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(written(), "function:makes{local dropped}");
    assert_eq!(Model(0).epoch::<2, u8>(10), 22);
    assert_eq!(written(), "epoch:train{step:step{} step:step{}}");
}
