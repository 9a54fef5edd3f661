//! What one turn does at most, and who comes first.

use super::harness::{Harness, Seen, frame, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Effects, Ending, SharedFrame};
use crate::reactor::budget::{CLOSES_MAX, DRAINED_MAX, MADE_BYTES_MAX, READS_MAX};
use crate::reactor::connection::Flags;
use crate::reactor::work_lists::Report;
use crate::time::clock::Now;

/// More than the kernel takes for a peer that does not read.
const MUCH: usize = 8 * 1024 * 1024;

#[test]
fn a_loud_connection_does_not_hold_up_a_quiet_one() {
    let mut harness = Harness::new(silence, |config| config.receive_buffer_len = Some(MUCH));
    let (mut loud, noise) = harness.connect();
    let (mut quiet, voice) = harness.connect();
    loud.offer(&vec![0; MUCH]);
    quiet.say(b"hello");
    harness.until_received(voice, 5);
    let heard = harness.received(noise).len();
    assert!(heard <= 2 * 64 * 1024, "{heard} bytes of noise came first");
}

#[test]
fn a_turn_reads_no_more_than_its_budget_and_forgets_nobody() {
    let mut harness = Harness::new(silence, |config| config.read_per_turn_max = 10);
    let mut peers: Vec<_> = (0..5).map(|_| harness.connect()).collect();
    for (client, _) in &mut peers {
        client.say(b"12345678");
    }
    let mut rounds = 0;
    while peers.iter().any(|(_, conn)| harness.received(*conn).len() < 8) {
        let before = harness.handler.seen.len();
        harness.until_edge();
        assert!(harness.handler.seen.len() <= before + 2);
        rounds += 1;
        assert!(rounds < 1000, "somebody was forgotten");
    }
}

#[test]
fn a_large_broadcast_does_not_hold_up_what_is_sent_to_one() {
    let mut harness = Harness::new(silence, |config| config.bulk_flushes_per_turn_max = 10);
    let mut peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let to: Vec<_> = peers.iter().map(|peer| peer.1).collect();
    let last = to[99];
    harness.ask([Effect::Broadcast { to, frame: frame(b"all") }, send(last, b"you")]);
    // The first ten, and the last one out of turn, in the order in which it was said.
    assert_eq!(harness.reactor.connections.shared.pool.in_use(), 89);
    peers[99].0.expect(b"allyou");
    for _ in 0..9 {
        harness.turn();
    }
    assert_eq!(harness.reactor.connections.shared.pool.in_use(), 0);
    for (client, _) in &mut peers[..99] {
        client.expect(b"all");
    }
    harness.turn();
    assert!(!harness.reactor.connections.shared.lists.has_work());
}

#[test]
fn a_portion_ends_when_much_has_been_copied() {
    const LARGE: usize = 60 * 1024;
    let mut harness = Harness::new(silence, |config| {
        config.outbound_bytes_max = 16 * 1024 * 1024;
        config.send_buffer_len = 256 * 1024;
    });
    let mut peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let to = peers.iter().map(|peer| peer.1).collect();
    harness.ask([Effect::Broadcast { to, frame: frame(&vec![b'x'; LARGE]) }]);
    // Each of these counts for eleven of the 128 small writes.
    assert_eq!(harness.calls().2, 12);
    for (client, _) in &mut peers {
        assert_eq!(client.take(&mut harness, LARGE).len(), LARGE);
    }
}

#[test]
fn what_a_full_socket_leaves_counts_for_the_bytes_that_are_copied() {
    const FRAME: usize = 3 * 1024;
    let mut harness = Harness::new(silence, |config| {
        (config.flushes_per_turn_max, config.send_buffer_len) = (40, 4 * 1024);
    });
    let peers: Vec<_> = (0..8).map(|_| harness.connect()).collect();
    let all = frame(&vec![b'x'; 80 * FRAME]);
    let pieces: Vec<_> = (0..80).map(|at| all.slice(at * FRAME..(at + 1) * FRAME)).collect();
    let sends = peers.iter().flat_map(|&(_, conn)| {
        pieces.iter().map(move |piece| Effect::Send { conn, frame: piece.clone() })
    });
    harness.ask(sends);
    let blocked = |harness: &Harness| {
        let slab = &harness.reactor.connections.slab;
        slab.iter().filter(|(_, connection)| connection.flags.any(Flags::BLOCKED)).count()
    };
    let mut before = blocked(&harness);
    assert!((1..=2).contains(&before), "{before} in the first turn");
    while harness.reactor.connections.shared.lists.has_work() {
        harness.turn();
        let now = blocked(&harness);
        assert!(now <= before + 2, "{before}, {now}");
        before = now;
    }
    assert_eq!(before, peers.len());
    drop(pieces);
    assert!(all.is_unique(), "who is slow keeps a copy, and not the buffer that all were sent");
}

#[test]
fn a_turn_reads_so_many_connections_and_the_next_one_the_others() {
    let mut harness = Harness::new(silence, |_| {});
    let (_idle, other) = harness.connect();
    let (mut client, conn) = harness.connect();
    let slots = std::iter::repeat_n(u32::try_from(other.slot()).unwrap(), READS_MAX);
    harness.reactor.connections.shared.lists.readable.extend(slots);
    client.say(b"late");
    harness.turn();
    assert_eq!(harness.received(conn), b"");
    harness.until_received(conn, 4);
}

#[test]
fn a_turn_that_has_made_much_for_single_ones_takes_no_more_requests() {
    fn answer(seen: &Seen, _: Now, effects: &mut Effects) {
        if let Seen::Received(conn, _) = seen {
            effects.push(send(*conn, &vec![7; usize::try_from(MADE_BYTES_MAX).unwrap()]));
        }
    }
    let mut harness = Harness::new(answer, |config| config.outbound_bytes_max = MUCH);
    let mut peers: Vec<_> = (0..3).map(|_| harness.connect()).collect();
    for (client, _) in &mut peers {
        client.say(b"more");
    }
    let received =
        |seen: &[Seen]| seen.iter().filter(|seen| matches!(seen, Seen::Received(..))).count();
    for expect in 1..=peers.len() {
        assert_eq!(
            harness.until(|seen| Some(received(seen)).filter(|&count| count >= expect)),
            expect
        );
    }
}

#[test]
fn a_turn_tells_of_so_many_drained_rings_and_the_next_one_of_the_others() {
    const COUNT: usize = 2 * DRAINED_MAX + 7;
    let mut harness = Harness::new(silence, |_| {});
    let (_client, conn) = harness.connect();
    harness.reactor.connections.shared.lists.reports = vec![Report::Drained(conn); COUNT];
    for expect in [DRAINED_MAX, 2 * DRAINED_MAX, COUNT, COUNT] {
        harness.turn();
        assert_eq!(harness.count(&Seen::Drained(conn)), expect);
    }
}

#[test]
fn a_turn_closes_so_many_and_the_next_one_the_others() {
    let mut harness = Harness::new(silence, |_| {});
    let peers: Vec<_> = (0..CLOSES_MAX + 7).map(|_| harness.connect()).collect();
    let (reason, ending) = (CloseReason::Bye, Ending::Abort);
    let closes = peers.iter().map(|&(_, conn)| Effect::Close { conn, reason, ending });
    harness.ask(closes);
    assert_eq!(harness.reactor.connections.len(), 7);
    harness.turn();
    assert_eq!(harness.reactor.connections.len(), 0);
}

#[test]
fn no_turn_flushes_more_than_its_bound_and_the_rest_follows_in_order() {
    let mut harness = Harness::new(silence, |config| {
        (config.flushes_per_turn_max, config.bulk_flushes_per_turn_max) = (10, 2);
    });
    let mut peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let to: Vec<_> = peers.iter().map(|peer| peer.1).collect();
    let mut before = harness.calls().2;
    harness.ask([Effect::Broadcast { to: to.clone(), frame: frame(b"all") }]);
    harness.ask(to.iter().map(|&conn| send(conn, b"you")));
    harness.ask([send(to[0], b"!")]);
    while harness.reactor.connections.shared.lists.has_work() {
        let writes = harness.calls().2;
        assert!(writes - before <= 3 * 12, "{} writes in some turns", writes - before);
        before = writes;
        harness.turn();
    }
    for (at, (client, _)) in peers.iter_mut().enumerate() {
        client.expect(if at == 0 { b"allyou!" } else { b"allyou" });
    }
}

#[test]
fn of_much_that_waits_for_its_turn_the_handler_is_told_before_and_after() {
    check_much_that_waits(|to, frame| vec![Effect::Broadcast { to: to.to_vec(), frame }]);
    check_much_that_waits(|to, frame| {
        to.iter().map(|&conn| Effect::Send { conn, frame: frame.clone() }).collect()
    });
}

/// Says much to many, by these effects.
#[track_caller]
fn check_much_that_waits(say: impl Fn(&[ConnId], SharedFrame) -> Vec<Effect>) {
    const FRAME: usize = 3 * 1024;
    let mut harness = Harness::new(silence, |config| {
        (config.flushes_per_turn_max, config.bulk_flushes_per_turn_max) = (20, 5);
        config.outbound_bytes_max = 64 * 1024;
    });
    let mut peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let to: Vec<_> = peers.iter().map(|peer| peer.1).collect();
    for round in 0..4 {
        let writes = harness.calls().2;
        harness.ask(say(&to, frame(&[b'a' + round; FRAME])));
        let writes = harness.calls().2 - writes;
        assert!(writes <= 20);
        // Once much waits for some, a portion is as large as a turn allows.
        assert!(round == 0 || writes > 5, "{writes} in round {round}");
    }
    harness.turn();
    // Four kibibytes may wait without being told.
    let last = to[99];
    assert!(harness.count(&Seen::Blocked(last, 4 * FRAME)) > 0, "{:?}", harness.handler.seen);
    let mut client = peers.pop().unwrap().0;
    let all: Vec<u8> = (b'a'..=b'd').flat_map(|letter| [letter; FRAME]).collect();
    assert!(client.take(&mut harness, all.len()) == all);
    harness.until_seen(&Seen::Drained(last));
    assert_eq!(harness.count(&Seen::Closed(last, CloseReason::Overloaded)), 0);
    while harness.reactor.connections.shared.lists.has_work() {
        harness.turn();
    }
    for (client, _) in &mut peers {
        assert!(client.take(&mut harness, all.len()) == all);
    }
    assert_eq!(harness.reactor.connections.shared.pool.in_use(), 0);
}

#[test]
fn the_longer_the_bulk_list_the_less_is_read_from_a_loud_one() {
    let mut harness = Harness::new(silence, |config| config.bulk_flushes_per_turn_max = 10);
    let peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let (mut loud, id) = harness.connect();
    let everybody =
        Effect::Broadcast { to: peers.iter().map(|peer| peer.1).collect(), frame: frame(b"all") };
    loud.say(&[b'x'; 10_000]);
    harness.turn_after(std::time::Duration::from_secs(5)).is_break().then(|| panic!("it left"));
    assert_eq!(harness.received(id).len(), 10_000);
    harness.ask([everybody]);
    loud.say(&[b'x'; 10_000]);
    // Ninety wait in nine portions, then eighty in eight, and so on.
    let mut before = 10_000;
    for expect in [1137, 1280, 1462, 1706, 2048, 2367] {
        harness.turn();
        let now = harness.received(id).len();
        assert_eq!(now - before, expect);
        before = now;
    }
}
