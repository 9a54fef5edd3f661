//! A budget for what waits for all connections.

use super::*;
use crate::chat::model::pressure::Pressure;

/// Connections with what waits for each: what a reactor would keep.
struct Sockets {
    queued: Vec<usize>,
    /// The last seq that each was sent.
    seen: Vec<u64>,
}

impl Sockets {
    fn new(count: usize) -> Self {
        Self { queued: vec![0; count], seen: vec![0; count] }
    }

    fn push(&mut self, to: ConnId, records: &[SharedRecord]) {
        for record in records {
            self.queued[to.slot()] += usize::try_from(record.weight).unwrap();
            assert_eq!(record.seq, self.seen[to.slot()] + 1, "{to} misses something");
            self.seen[to.slot()] = record.seq;
        }
    }

    fn take(&mut self, said: Vec<Output>) {
        for output in said {
            match output {
                Output::Fanout(fanout) => {
                    let all = fanout.whole.clone().into_lists().flat_map(|(_, list)| list);
                    all.for_each(|to| self.push(to, &fanout.records));
                }
                Output::Event { to, event: Event::Replay { items, .. } } => self.push(to, &items),
                Output::Event { event: Event::Gap { .. }, .. } => panic!("a gap"),
                _ => {}
            }
        }
    }

    fn waiting(&self) -> usize {
        self.queued.iter().sum()
    }

    /// Nobody reads but `quick`; tells the domain what waits after the flush.
    fn flush(&mut self, harness: &mut Harness, quick: std::ops::Range<usize>) {
        self.queued[quick].fill(0);
        harness.chat.handle_waiting(self.waiting());
        for (number, &queued) in self.queued.iter().enumerate().filter(|(_, queued)| **queued > 0) {
            harness.chat.handle_blocked(conn(number), queued);
        }
    }
}

/// What a connection is named by in these tests begins with 1.
const READERS: usize = 200;
const QUICK: std::ops::Range<usize> = READERS..READERS + 10;
const TOTAL: usize = 256 * 1024;

#[test]
fn what_waits_for_all_stays_within_its_budget_at_every_turn_and_nobody_loses_anything() {
    let limits = Limits {
        outbound_total: Some(TOTAL),
        ring_records: 10_000,
        ring_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut harness = Harness::new(limits);
    for number in 1..QUICK.end {
        harness.hello(number, &format!("u{number}"));
        harness.join(number, "lobby");
    }
    harness.wait(10_000);
    let mut sockets = Sockets::new(QUICK.end);
    let text = "x".repeat(100);
    let mut sent = 0;
    for turn in 0..400 {
        // One that is in another room says it, so that all others get events.
        for _ in 0..=turn % 4 {
            harness.say(QUICK.end - 1, &text);
            sent += 1;
        }
        sockets.seen[QUICK.end - 1] = 0;
        let said = harness.end_turn();
        sockets.take(said);
        sockets.flush(&mut harness, QUICK);
        let waiting = sockets.waiting();
        let most = TOTAL + READERS * Pressure::LEAST / 4;
        assert!(waiting <= most, "turn {turn}: {waiting} bytes wait, above {most}");
        // Those who read are live, and have everything.
        assert_eq!(sockets.seen[QUICK.start], sent);
    }
    assert!(sockets.waiting() > TOTAL / 2, "the budget is used");
    assert!(harness.chat.outbound_limit() < 4_096);
    // Then all read, and get what they missed.
    for _ in 0..4_000 {
        let slow: Vec<_> = (1..READERS).filter(|&number| sockets.seen[number] < sent).collect();
        if slow.is_empty() {
            break;
        }
        sockets.queued.fill(0);
        harness.chat.handle_waiting(0);
        for number in slow {
            harness.chat.handle_drained(harness.now, conn(number));
        }
        let said = harness.end_turn();
        sockets.take(said);
    }
    assert!(sockets.seen[1..READERS].iter().all(|&seen| seen == sent), "nobody lost anything");
}

#[test]
fn what_one_fan_out_gives_to_many_stays_within_the_budget_of_all() {
    let limits = Limits { outbound_total: Some(TOTAL), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, READERS);
    let mut sockets = Sockets::new(READERS);
    sockets.queued[1..].fill(1_000);
    sockets.flush(&mut harness, 0..0);
    // Each of them alone could have it.
    harness.say(0, &"x".repeat(3_000));
    sockets.take(harness.end_turn());
    assert!(sockets.waiting() <= TOTAL, "{} bytes wait", sockets.waiting());
    let got = sockets.seen.iter().filter(|&&seen| seen == 1).count();
    assert!((1..READERS / 2).contains(&got), "{got} of them are live");
}

#[test]
fn when_little_is_left_much_comes_by_pages_also_to_who_has_nothing_waiting() {
    let limits = Limits { outbound_total: Some(TOTAL), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.chat.handle_waiting(TOTAL - 8 * 1024);
    let text = "x".repeat(2_000);
    assert!(harness.chat.outbound_limit() < text.len());
    harness.say(0, &text);
    assert_eq!(sent_to(&harness.end_turn(), 1), ["#1"], "it is little");
    for _ in 0..3 {
        harness.say(0, &text);
    }
    assert_eq!(sent_to(&harness.end_turn(), 1), ["wake"]);
    for expect in [["replay 2..=2", "wake"], ["replay 3..=3", "wake"], ["replay 4..=4", "live 4"]] {
        harness.chat.handle_drained(harness.now, conn(1));
        assert_eq!(sent_to(&harness.end_turn(), 1), expect);
    }
}

#[test]
fn what_one_turn_says_in_a_room_is_given_to_a_reader_as_far_as_its_credit_goes() {
    const MESSAGES: u64 = 60;
    let limits = Limits { ring_bytes: 16 << 20, ..Limits::default() };
    let credit = limits.outbound_soft;
    let mut harness = Harness::with_lobby(limits, 2);
    let mut sockets = Sockets::new(2);
    for _ in 0..MESSAGES {
        harness.say(0, &"x".repeat(8_000));
    }
    sockets.take(harness.end_turn());
    assert!((1..=credit).contains(&sockets.waiting()), "{} bytes wait", sockets.waiting());
    while sockets.seen[1] < MESSAGES {
        let before = sockets.seen[1];
        sockets.queued.fill(0);
        harness.chat.handle_drained(harness.now, conn(1));
        sockets.take(harness.end_turn());
        assert!(sockets.seen[1] > before, "it goes on");
    }
}

#[test]
fn while_nothing_is_left_long_answers_wait_and_short_ones_do_not() {
    let limits = Limits { outbound_total: Some(TOTAL), ..Limits::default() };
    let mut harness = Harness::with_lobby(limits, 2);
    harness.chat.handle_waiting(TOTAL);
    let ask = |harness: &mut Harness, command| sent_to(&harness.run(1, command), 1).join(" ");
    assert_eq!(ask(&mut harness, Command::Rooms { since: None }), "no 5004");
    let members = Command::Members { room: "lobby".into(), limit: None, after: None };
    assert_eq!(ask(&mut harness, members), "no 5004");
    let said = ask(&mut harness, message(Target::Room("lobby".into()), "hi", None));
    assert!(said.starts_with("sent 1"), "{said}");
    harness.chat.handle_waiting(TOTAL / 2);
    assert!(!ask(&mut harness, Command::Rooms { since: None }).starts_with("no"));
}

#[test]
fn memberships_are_bounded_in_all() {
    let mut harness = Harness::with_lobby(Limits { memberships: 3, ..Limits::default() }, 2);
    assert!(sent_to(&harness.join(0, "one"), 0)[0].starts_with("joined"));
    assert_eq!(sent_to(&harness.join(1, "one"), 1)[0], "no 5004");
    harness.run(0, Command::Leave { room: "one".into() });
    assert!(sent_to(&harness.join(1, "one"), 1)[0].starts_with("joined"));
}
