//! The wheel against a sorted list.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::index_wheel::LEVELS;
use super::*;

fn at(millis: u64) -> Tick {
    Tick::from_millis(millis)
}

/// Everything that is due at `now`.
fn poll_all<K: Copy>(wheel: &mut TimerWheel<K>, now: u64) -> Vec<K> {
    std::iter::from_fn(|| wheel.poll(at(now))).collect()
}

/// The obvious way: a list sorted by deadline, then by the order of arming.
#[derive(Default)]
struct SortedList {
    timers: BTreeMap<(u64, usize), TimerId>,
    present: u64,
    next_key: usize,
}

impl SortedList {
    fn due(&mut self, now: u64) -> Vec<usize> {
        let mut due = Vec::new();
        while let Some(first) = self.timers.first_entry().filter(|first| first.key().0 <= now) {
            due.push(first.key().1);
            first.remove();
        }
        self.present = self.present.max(now);
        due
    }
}

#[derive(Clone, Debug)]
enum Op {
    Arm { after: u64 },
    Cancel { which: usize },
    Pass { millis: u64 },
    SleepToNext,
}

fn span() -> impl Strategy<Value = u64> {
    let year = 1000u64 * 60 * 60 * 24 * 365;
    prop_oneof![
        4 => 0..3u64,
        4 => 0..130u64,
        4 => 0..5_000u64,
        3 => 0..300_000u64,
        2 => 0..100 * year,
        1 => any::<u64>(),
        1 => (0..64u32, 0..3u64).prop_map(|(bit, off)| (1u64 << bit).wrapping_add(off).wrapping_sub(1)),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => span().prop_map(|after| Op::Arm { after }),
        2 => any::<usize>().prop_map(|which| Op::Cancel { which }),
        1 => prop_oneof![9 => 0..5_000u64, 1 => span().prop_map(|s| s >> 20)]
            .prop_map(|millis| Op::Pass { millis }),
        1 => Just(Op::SleepToNext),
    ]
}

fn step(wheel: &mut TimerWheel<usize>, list: &mut SortedList, ids: &mut Vec<TimerId>, op: &Op) {
    match *op {
        Op::Arm { after } => {
            let deadline = list.present.saturating_add(after);
            let id = wheel.arm(at(deadline), list.next_key);
            assert_eq!(wheel.deadline(id), Some(at(deadline)));
            list.timers.insert((deadline, list.next_key), id);
            list.next_key += 1;
            ids.push(id);
        }
        Op::Cancel { which } if !ids.is_empty() => {
            let id = ids[which % ids.len()];
            let key = list.timers.iter().find(|timer| *timer.1 == id).map(|timer| *timer.0);
            assert_eq!(wheel.cancel(id), key.map(|key| key.1));
            key.and_then(|key| list.timers.remove(&key));
        }
        Op::Cancel { .. } => {}
        Op::Pass { millis } => {
            let now = list.present.saturating_add(millis);
            assert_eq!(poll_all(wheel, now), list.due(now));
        }
        Op::SleepToNext => {
            if let Some(next) = wheel.next_deadline() {
                assert_eq!(poll_all(wheel, next.as_millis()), list.due(next.as_millis()));
            }
        }
    }
    assert_eq!(wheel.len(), list.timers.len());
    let first = list.timers.first_key_value().map(|(key, _)| key.0);
    let next = wheel.next_deadline().map(Tick::as_millis);
    assert_eq!(first.is_some(), next.is_some());
    assert!(next <= first, "would wake at {next:?}, too late for {first:?}");
    assert!(next.is_none_or(|next| next >= list.present), "would wake in the past: {next:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(160))]
    #[test]
    fn a_wheel_is_a_sorted_list(ops in prop::collection::vec(op(), 500..1000)) {
        let (mut wheel, mut list, mut ids) = (TimerWheel::new(), SortedList::default(), Vec::new());
        for op in &ops {
            step(&mut wheel, &mut list, &mut ids, op);
        }
        prop_assert_eq!(poll_all(&mut wheel, u64::MAX), list.due(u64::MAX));
    }
}

/// Arms one timer `after` ms from `start`, then sleeps by the wheel's word until it fires.
#[track_caller]
fn check_sleeper(start: u64, after: u64) {
    let mut wheel = TimerWheel::new();
    assert_eq!(poll_all(&mut wheel, start), [0; 0]);
    let deadline = start.saturating_add(after);
    wheel.arm(at(deadline), 7);
    for _ in 0..LEVELS {
        let next = wheel.next_deadline().unwrap();
        let due = poll_all(&mut wheel, next.as_millis());
        if !due.is_empty() {
            assert_eq!((next, due), (at(deadline), vec![7]));
            return;
        }
    }
    panic!("a timer {after} ms after {start} took more than {LEVELS} wake-ups");
}

#[test]
fn whoever_sleeps_by_the_wheel_wakes_on_time_and_seldom() {
    let year = 1000u64 * 60 * 60 * 24 * 365;
    let spans = [0, 1, 63, 64, 65, 4095, 4096, 4097, 120_000, 262_144, year, 100 * year, u64::MAX];
    for start in spans {
        for after in spans {
            check_sleeper(start, after);
        }
    }
}

#[test]
fn what_shares_a_slot_comes_in_the_order_of_arming_without_what_was_cancelled() {
    // In a slot of level 0, and in one above, which is spread over it.
    for deadline in [5, 100] {
        for cancelled in 0..3 {
            let mut wheel = TimerWheel::new();
            let ids: Vec<_> = (0..3).map(|key| wheel.arm(at(deadline), key)).collect();
            assert_eq!(wheel.cancel(ids[cancelled]), Some(cancelled));
            let expect: Vec<_> = (0..3).filter(|key| *key != cancelled).collect();
            assert_eq!(poll_all(&mut wheel, deadline), expect, "{deadline} without {cancelled}");
            assert!(wheel.is_empty());
        }
    }
}

#[test]
fn nothing_fires_a_tick_early_at_any_border() {
    for bit in 0..u64::BITS {
        let deadline = 1 << bit;
        let mut wheel = TimerWheel::new();
        wheel.arm(at(deadline), 0);
        assert_eq!(poll_all(&mut wheel, deadline - 1), [0; 0]);
        assert_eq!(poll_all(&mut wheel, deadline), [0]);
    }
}

#[test]
fn time_that_goes_back_fires_nothing() {
    let mut wheel = TimerWheel::new();
    assert_eq!(wheel.poll(at(1000)), None);
    assert_eq!(wheel.poll(at(10)), None);
    wheel.arm(at(500), 'a');
    assert_eq!(wheel.poll(at(999)), None);
    assert_eq!(wheel.poll(at(1000)), Some('a'));
}

#[test]
fn a_stale_name_does_not_find_the_next_timer_in_the_same_place() {
    let mut wheel = TimerWheel::new();
    let first = wheel.arm(at(5), 'a');
    assert_eq!(wheel.poll(at(5)), Some('a'));
    let second = wheel.arm(at(9), 'b');
    assert_eq!(first.index, second.index);
    assert_eq!((wheel.cancel(first), wheel.deadline(first)), (None, None));
    assert_eq!((wheel.cancel(second), wheel.cancel(second)), (Some('b'), None));
    assert!(wheel.is_empty());
}

#[test]
fn timers_take_no_more_places_than_were_armed_together() {
    let mut wheel = TimerWheel::new();
    for round in 0..1000 {
        let ids = [1, 70, 5000].map(|after| wheel.arm(at(round + after), ()));
        wheel.cancel(ids[1]);
        wheel.poll(at(round + 1));
        wheel.cancel(ids[2]);
    }
    assert_eq!((wheel.len(), wheel.named.len()), (0, 3));
}

#[test]
fn the_name_of_a_timer_is_small() {
    assert!(size_of::<Option<TimerId>>() <= 8);
}
