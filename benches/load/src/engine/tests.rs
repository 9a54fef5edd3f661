//! Verification with planted faults: what a server can do wrong is done here on purpose, and each
//! must be counted as what it is, wherever the reads are cut.

use super::core::Core;
use super::peer::Stage;
use crate::choices::Senders;
use crate::pattern::Pattern;
use crate::plan::{Dialect, Layout, Load, Plan, ReconnectMode};
use crate::results::Faults;
use chinwag::client::Framing;
use chinwag::net::{ConnId, Effect, Effects};
use chinwag::time::clock::Clock;
use chinwag::ws::{Opcode, encode};

const TEXT_LEN: usize = 20;
const NONE: Faults =
    Faults { gaps: 0, duplicates: 0, reordered: 0, lost: 0, unexpected: 0, disconnected: 0 };

fn plan(dialect: Dialect, members: u32, (senders, echo): (Senders, bool)) -> Plan {
    let pattern = match dialect {
        Dialect::Chinwag => Pattern::numbered(TEXT_LEN),
        Dialect::Plain => Pattern::parse("{from} {n} {fill}", TEXT_LEN, members),
    };
    Plan {
        addr: ([127, 0, 0, 1], 1).into(),
        host: "localhost".to_owned(),
        path: "/".to_owned(),
        framing: Framing::WebSocket,
        dialect,
        pattern,
        greeting: None,
        connections: members,
        first_peer: 0,
        first_room: 0,
        rooms: 1,
        room_prefix: "r".into(),
        layout: Layout::Even,
        senders,
        load: Load::Window(1),
        events: false,
        echo,
        warm_up_us: 0,
        measured_us: 0,
        at_a_time: members,
        sources: 1,
        slow: 0,
        crawl_per_s: 0,
        crawlers: 0,
        patience_us: 0,
        reconnect_mode: ReconnectMode::None,
        background_per_s: 0.0,
        seed: 1,
        message_len_max: 100_000,
    }
}

/// A room full of members, without a server.
struct Bench {
    core: Core,
    effects: Effects,
    now_us: u64,
}

impl Bench {
    /// Members who are in and have heard nothing; the first one sends, or all do.
    fn new(dialect: Dialect, members: u32, (senders, echo): (Senders, bool)) -> Self {
        let core = Core::new(plan(dialect, members, (senders, echo)), Clock::start());
        let mut bench = Self { core, effects: Effects::new(), now_us: 1_000 };
        bench.core.open(0..members, &mut bench.effects);
        for member in 0..members {
            let conn = ConnId::new(member as usize, 1).unwrap();
            bench.core.on_connected(conn, member, &mut bench.effects);
            bench.core.on_upgraded(member);
            bench.core.enter(member, &mut bench.effects);
            if bench.core.plan.is_chinwag() {
                bench.hear(member, &join(0));
            }
            assert_eq!(bench.core.peers[member as usize].stage, Stage::Ready);
            if senders == Senders::All || member == 0 {
                bench.core.add_sender(member);
            }
        }
        bench.core.window = (0, u64::MAX);
        bench.effects.clear();
        bench
    }

    fn send(&mut self, member: u32, count: u64) {
        let sender = self.core.peers[member as usize].sender;
        self.core.send(sender, count, self.now_us, &mut self.effects);
    }

    /// What a member receives, a second later; returns how many of its own have come back.
    fn hear(&mut self, member: u32, bytes: &[u8]) -> u64 {
        self.core.receive(member, bytes, self.now_us + 1_000_000, &mut self.effects)
    }

    /// The same in pieces of `piece_len` bytes.
    fn hear_in_pieces(&mut self, member: u32, bytes: &[u8], piece_len: usize) -> u64 {
        bytes.chunks(piece_len).map(|piece| self.hear(member, piece)).sum()
    }

    fn faults(&mut self) -> Faults {
        self.core.settle_accounts();
        self.core.ledger.faults
    }
}

fn text_frame(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Opcode::Text, text.as_bytes(), None, &mut out);
    out
}

fn join(seq: u64) -> Vec<u8> {
    text_frame(&format!(
        r#"{{"id":2,"code":0,"message":"ok","data":{{"room":"r0","epoch":"e","seq":{seq}}}}}"#
    ))
}

/// The event of a member's message, as Chinwag sends it.
fn event(seq: u64, from: u32, number: u64) -> Vec<u8> {
    text_frame(&format!(
        r#"{{"ev":"message","room":"r0","seq":{seq},"from":"u{from}","at":5,"text":"{number:010}xxxxxxxxxx"}}"#
    ))
}

fn receipt(number: u64, seq: u64) -> Vec<u8> {
    text_frame(&format!(
        r#"{{"id":"{number:010}","code":0,"message":"ok","data":{{"room":"r0","seq":{seq}}}}}"#
    ))
}

/// A member's message as a server passes it on.
fn plain(from: u32, number: u64) -> Vec<u8> {
    text_frame(&format!("u{from} {number:010} xxxxxx"))
}

const PIECES: [usize; 6] = [1, 2, 3, 7, 64, usize::MAX];

/// One member sends six messages that all get rightly; another member receives `wrong` instead,
/// before or after the others, in pieces of every length.
#[track_caller]
fn check(dialect: &Dialect, frames: &[Vec<u8>], wrong: &[Vec<u8>], expect: Faults) {
    for (piece_len, is_first) in PIECES.into_iter().flat_map(|len| [(len, false), (len, true)]) {
        let mut bench = Bench::new(dialect.clone(), 3, (Senders::One, true));
        bench.send(0, frames.len() as u64);
        let (right, wrong) = (frames.concat(), wrong.concat());
        if is_first {
            bench.hear_in_pieces(1, &wrong, piece_len);
        }
        let back = bench.hear_in_pieces(0, &right, piece_len);
        assert_eq!(back, frames.len() as u64, "all of its own");
        bench.hear_in_pieces(2, &right, piece_len);
        if !is_first {
            bench.hear_in_pieces(1, &wrong, piece_len);
        }
        let place =
            format!("pieces of {piece_len}, first {is_first}: {:?}", bench.core.ledger.named);
        assert_eq!(bench.faults(), expect, "{place}");
    }
}

fn events() -> Vec<Vec<u8>> {
    (0..6).map(|number| event(number + 1, 0, number)).collect()
}

fn plains() -> Vec<Vec<u8>> {
    (0..6).map(|number| plain(0, number)).collect()
}

/// The same with each fault; `frames` are the right ones.
fn check_faults(dialect: &Dialect, frames: &[Vec<u8>]) {
    let with = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut wrong = frames.to_vec();
        change(&mut wrong);
        wrong
    };
    check(dialect, frames, frames, NONE);
    let missing = with(&|frames| drop(frames.remove(2)));
    check(dialect, frames, &missing, Faults { gaps: 1, lost: 1, ..NONE });
    let three_missing = with(&|frames| drop(frames.drain(1..4)));
    check(dialect, frames, &three_missing, Faults { gaps: 1, lost: 3, ..NONE });
    let twice = with(&|frames| frames.insert(3, frames[2].clone()));
    check(dialect, frames, &twice, Faults { duplicates: 1, ..NONE });
    let again = with(&|frames| frames.push(frames[0].clone()));
    check(dialect, frames, &again, Faults { duplicates: 1, ..NONE });
    let swapped = with(&|frames| frames.swap(2, 3));
    check(dialect, frames, &swapped, Faults { reordered: 1, ..NONE });
    let late = with(&|frames| {
        let frame = frames.remove(1);
        frames.push(frame);
    });
    check(dialect, frames, &late, Faults { reordered: 1, ..NONE });
    let lost = with(&|frames| drop(frames.pop()));
    check(dialect, frames, &lost, Faults { lost: 1, ..NONE });
    let pinged = with(&|frames| frames.insert(2, b"\x89\x01?".to_vec()));
    check(dialect, frames, &pinged, NONE);
    let chatty = with(&|frames| frames.insert(2, text_frame("what?")));
    let found = Faults { unexpected: 1, ..NONE };
    if let Dialect::Plain = dialect {
        check(dialect, frames, &chatty, found);
    }
}

#[test]
fn each_fault_of_a_chat_is_found_wherever_the_reads_are_cut() {
    check_faults(&Dialect::Chinwag, &events());
    let presence = text_frame(r#"{"ev":"presence","room":"r0","v":2,"count":3}"#);
    let mut with_presence = events();
    with_presence.insert(4, presence);
    check(&Dialect::Chinwag, &events(), &with_presence, NONE);
    let mut gap = events();
    let told = text_frame(r#"{"ev":"gap","room":"r0","from":2,"to":4,"why":"pruned"}"#);
    gap.splice(1..4, [told]);
    check(&Dialect::Chinwag, &events(), &gap, NONE);
}

#[test]
fn each_fault_of_a_plain_server_is_found_wherever_the_reads_are_cut() {
    check_faults(&Dialect::Plain, &plains());
}

#[test]
fn a_byte_that_differs_is_found_wherever_it_is() {
    let frames = events();
    for nth in 0..frames[2].len() - 2 {
        let mut bench = Bench::new(Dialect::Chinwag, 2, (Senders::One, true));
        bench.send(0, 6);
        bench.hear(0, &frames.concat());
        let mut wrong = frames.clone();
        // Behind the header: what is wrong there is a violation.
        wrong[2][nth + 2] ^= 1;
        bench.hear(1, &wrong.concat());
        assert_ne!(bench.faults(), NONE, "byte {nth}");
    }
}

#[test]
fn a_message_that_nobody_gets_is_lost_for_everybody() {
    let mut bench = Bench::new(Dialect::Chinwag, 3, (Senders::One, true));
    bench.send(0, 3);
    for member in 0..3 {
        bench.hear(member, &[event(1, 0, 0), event(2, 0, 2)].concat());
    }
    let found = bench.faults();
    assert_eq!(found, Faults { gaps: 1, lost: 3, ..NONE }, "{:?}", bench.core.ledger.named);

    let mut bench = Bench::new(Dialect::Chinwag, 3, (Senders::One, true));
    bench.send(0, 3);
    for member in 0..3 {
        bench.hear(member, &[event(1, 0, 0), event(2, 0, 1)].concat());
    }
    assert!(!bench.core.has_all());
    assert_eq!(bench.faults(), Faults { lost: 3, ..NONE });
}

#[test]
fn what_all_were_told_is_gone_is_missed_by_nobody() {
    let mut bench = Bench::new(Dialect::Chinwag, 3, (Senders::One, true));
    bench.send(0, 6);
    let gap = text_frame(r#"{"ev":"gap","room":"r0","from":2,"to":4,"why":"pruned"}"#);
    let all = [event(1, 0, 0), gap, event(5, 0, 4), event(6, 0, 5)].concat();
    for member in 0..3 {
        bench.hear_in_pieces(member, &all, 30);
    }
    assert!(bench.core.has_all());
    assert_eq!((bench.core.tally.deliveries, bench.core.tally.told_gone), (9, 9));
    // The stream goes on behind the gap.
    assert_eq!(bench.core.rooms[0].stream.next(), 7);
    assert_eq!(bench.faults(), NONE, "{:?}", bench.core.ledger.named);
}

#[test]
fn a_message_of_nobody_is_unexpected() {
    let unexpected = Faults { unexpected: 1, lost: 1, ..NONE };
    let strange = event(2, 0, 1);
    let text = String::from_utf8_lossy(&strange[2..]).into_owned();
    for (what, instead) in [("u0", "u1"), ("u0", "u9"), ("u0", "ann"), ("xx\"", "yx\"")] {
        let mut bench = Bench::new(Dialect::Chinwag, 2, (Senders::One, true));
        bench.send(0, 1);
        bench.hear(0, &event(1, 0, 0));
        let changed = text_frame(&text.replace("\"seq\":2", "\"seq\":1").replace(what, instead));
        bench.hear(1, &changed);
        assert_eq!(bench.faults(), unexpected, "{what} {instead}");
    }
}

/// What each member gets if everybody sends and `echo` is not asked for: the reply in the place of
/// its own.
fn without_echo(member: u32, order: &[(u32, u64)]) -> Vec<u8> {
    let said = (1..).zip(order).map(|(seq, &(from, number))| {
        if from == member { receipt(number, seq) } else { event(seq, from, number) }
    });
    said.collect::<Vec<_>>().concat()
}

#[test]
fn a_reply_stands_in_the_place_of_the_message() {
    let order = [(0, 0), (1, 0), (2, 0), (1, 1), (0, 1), (0, 2), (2, 1), (1, 2), (2, 2)];
    for piece_len in PIECES {
        let mut bench = Bench::new(Dialect::Chinwag, 3, (Senders::All, false));
        for member in 0..3 {
            bench.send(member, 3);
        }
        for member in 0..3 {
            let all = without_echo(member, &order);
            assert_eq!(bench.hear_in_pieces(member, &all, piece_len), 3, "three receipts");
        }
        assert!(bench.core.has_all());
        assert_eq!((bench.core.tally.deliveries, bench.core.tally.replies), (18, 9));
        assert_eq!(bench.faults(), NONE, "{:?}", bench.core.ledger.named);
    }
}

#[test]
fn a_reply_out_of_its_place_is_a_fault() {
    let mut bench = Bench::new(Dialect::Chinwag, 2, (Senders::All, false));
    bench.send(0, 1);
    bench.send(1, 1);
    bench.hear(0, &[receipt(0, 1), event(2, 1, 0)].concat());
    bench.hear(1, &[receipt(0, 2), event(1, 0, 0)].concat());
    assert_eq!(bench.faults(), Faults { reordered: 1, ..NONE });
}

#[test]
fn members_of_a_plain_room_may_hear_different_senders_in_different_orders() {
    for piece_len in PIECES {
        let mut bench = Bench::new(Dialect::Plain, 3, (Senders::All, true));
        for member in 0..3 {
            bench.send(member, 2);
        }
        let orders = [
            [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)],
            [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)],
            [(2, 0), (1, 0), (2, 1), (0, 0), (0, 1), (1, 1)],
        ];
        for (member, order) in (0..).zip(orders) {
            let all: Vec<_> =
                order.iter().flat_map(|&(from, number)| plain(from, number)).collect();
            assert_eq!(bench.hear_in_pieces(member, &all, piece_len), 2, "its own two");
        }
        assert!(bench.core.has_all());
        assert_eq!(bench.faults(), NONE, "{:?}", bench.core.ledger.named);
        assert_eq!(bench.core.recent[0].count(), 18);
    }
}

#[test]
fn a_latency_counts_from_when_the_message_was_due() {
    let mut bench = Bench::new(Dialect::Chinwag, 2, (Senders::One, true));
    bench.send(0, 2);
    bench.now_us = 5_000;
    bench.send(0, 1);
    let frames = [event(1, 0, 0), event(2, 0, 1), event(3, 0, 2)].concat();
    bench.hear(0, &frames);
    bench.hear_in_pieces(1, &frames, 10);
    let values = bench.core.recent[0].values();
    // Three digits are exact.
    let near = |us: u64, expect: u64| us.abs_diff(expect) < expect / 500;
    assert_eq!(values.iter().map(|value| value.1).collect::<Vec<_>>(), [2, 4], "{values:?}");
    assert!(near(values[0].0, 1_000_000) && near(values[1].0, 1_004_000), "{values:?}");
}

#[test]
fn who_is_far_behind_the_others_is_verified_all_the_same() {
    let count = 3_000;
    let frames: Vec<_> = (0..count).map(|number| event(number + 1, 0, number)).collect();
    let mut bench = Bench::new(Dialect::Chinwag, 3, (Senders::One, true));
    // A small stream, so that its beginning is long gone when the slow ones get there.
    bench.core.rooms[0].stream = crate::stream::Stream::new(1, 0);
    bench.send(0, count);
    let all = frames.concat();
    // One is in the middle of a frame at the time.
    bench.hear(1, &all[..50]);
    bench.hear(0, &all);
    bench.hear_in_pieces(1, &all[50..], 1_000);
    let mut wrong = frames;
    wrong.remove(10);
    bench.hear(2, &wrong.concat());
    assert_eq!(bench.core.tally.deliveries, 3 * count - 1);
    assert_eq!(bench.core.recent[0].count(), 3 * count - 1);
    assert_eq!(bench.faults(), Faults { gaps: 1, lost: 1, ..NONE });
}

#[test]
fn a_ping_is_answered_and_a_violation_ends_the_connection() {
    let mut bench = Bench::new(Dialect::Chinwag, 2, (Senders::One, true));
    bench.hear(0, b"\x89\x02hi");
    assert!(
        matches!(&bench.effects[..], [Effect::Send { frame, .. }] if frame[..2] == [0x8a, 0x82])
    );
    bench.effects.clear();
    bench.hear(1, b"\x81\x80");
    assert!(matches!(&bench.effects[..], [Effect::Close { .. }]), "{:?}", bench.effects);
    assert_eq!(bench.faults(), Faults { unexpected: 1, ..NONE });
}
