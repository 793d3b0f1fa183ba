use super::*;
use crate::span::Label;

/// Seconds on the clock.
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_secs_f64(seconds)
}

/// A clock that jumped at 103.45 s, which was seen at 103.5 s; the run began at 100 s.
fn jumped(by: f64) -> Stamps {
    #[expect(clippy::cast_possible_truncation)]
    let by = (by * 1e9) as i64;
    Stamps {
        start: Some(at(100.0)),
        drained: at(103.0),
        jumps: vec![Jump { from: at(103.4), to: at(103.5), by }],
        ..Stamps::default()
    }
}

/// What a clock that jumped by this many seconds at 103.45 s showed before it was put right, at 103.5 s.
fn shown(seconds: f64, by: f64) -> Timestamp {
    if !(103.45..103.5).contains(&seconds) {
        return at(seconds);
    }
    #[expect(clippy::cast_possible_truncation)]
    let by = (by * 1e9) as i64;
    Timestamp::from_nanos(at(seconds).as_nanos().wrapping_add(by.cast_unsigned()))
}

fn mark(kind: Kind, start: Timestamp, end: Timestamp) -> Mark {
    let label = Box::leak(Box::new(Label::new(kind, "some")));
    Mark { id: 7, ..Mark::new(label, (start, end)) }
}

#[test]
fn what_was_stamped_before_a_jump_was_seen_is_put_back() {
    // Forward by an hour, back by two seconds, and a counter of ten days that starts again at 0.
    for by in [3600.0, -2.0, -864_000.0] {
        let spans =
            [(103.1, 103.2), (103.3, 103.46), (103.46, 103.47), (103.47, 103.55), (103.55, 103.6)];
        let mut marks = spans.map(|(a, b)| mark(Kind::Step, shown(a, by), shown(b, by)));
        jumped(by).put_right(&mut marks, at(104.0), |_| None);
        for (mark, (start, end)) in marks.iter().zip(spans) {
            let (start, end) = (at(start), at(end));
            assert!(
                mark.start.since(start) + start.since(mark.start)
                    < std::time::Duration::from_nanos(9)
            );
            assert!(mark.end.since(end) + end.since(mark.end) < std::time::Duration::from_nanos(9));
        }
    }
}

#[test]
fn an_epoch_begins_when_that_was_first_heard_of() {
    // It began two seconds before the jump, where marks that were stamped after it lie as well.
    let began = at(101.46);
    let mut marks = [mark(Kind::Epoch, began, at(103.8))];
    jumped(-2.0).put_right(&mut marks, at(104.0), |_| Some(began));
    assert_eq!((marks[0].start, marks[0].end), (began, at(103.8)));

    let mut start = shown(103.46, 3600.0);
    jumped(3600.0).put_start_right(&mut start, at(103.6));
    assert!(start.since(at(103.46)) < std::time::Duration::from_nanos(9), "{start:?}");
}

#[test]
fn an_hour_after_a_jump_its_moments_are_moments_like_others() {
    let mut stamps = jumped(3600.0);
    stamps.drained = at(3700.0);
    let late = (at(3703.44), at(3703.47));
    let mut marks = [mark(Kind::Step, late.0, late.1)];
    stamps.put_right(&mut marks, at(3704.0), |_| None);
    assert_eq!((marks[0].start, marks[0].end), late);
}

#[test]
fn spans_before_the_run_or_in_the_future_are_limited_and_counted() {
    let mut stamps = Stamps { start: Some(at(100.0)), ..Stamps::default() };
    let mut marks = [
        mark(Kind::Epoch, at(95.0), at(101.0)),
        mark(Kind::Epoch, at(90.0), at(95.0)),
        mark(Kind::Epoch, at(102.0), at(5000.0)),
        mark(Kind::Step, at(103.0), at(102.5)),
    ];
    stamps.put_right(&mut marks, at(104.0), |_| None);
    let times = marks.map(|mark| (mark.start.as_secs_f64(), mark.end.as_secs_f64()));
    assert_eq!(times, [(100.0, 101.0), (100.0, 100.0), (102.0, 104.0), (103.0, 103.0)]);
    let warnings = stamps.warnings();
    let [early, future] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(early.starts_with("2 spans were given a start before"), "{early}");
    assert!(future.starts_with("1 span was given a start or an end in the future"), "{future}");
}

#[test]
fn what_is_given_an_end_after_the_run_ends_with_it_in_the_order_of_its_begin() {
    let mut stamps = Stamps { start: Some(at(100.0)), ..Stamps::default() };
    stamps.end(at(103.0));
    let mut marks = [
        mark(Kind::Phase, at(102.5), at(5000.0)),
        mark(Kind::Step, at(102.0), at(5000.0)),
        mark(Kind::Step, at(4000.0), at(5000.0)),
        // Of a thread that goes on while the run is finished.
        mark(Kind::Step, at(103.2), at(103.4)),
    ];
    stamps.put_right(&mut marks, at(104.0), |_| None);
    let times = marks.map(|mark| (mark.start.as_secs_f64(), mark.end.as_secs_f64()));
    assert_eq!(times, [(102.5, 103.0), (102.0, 103.0), (103.0, 103.0), (103.2, 103.4)]);
    let warnings = stamps.warnings();
    let [future] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(future.starts_with("3 spans were given a start or an end in the future"), "{future}");
}
