//! Bytes in and bytes out.

use super::harness::{Harness, Seen, echo, frame, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Ending, Pause};
use crate::reactor::budget::{CLOSES_MAX, DRAINED_MAX};
use crate::reactor::connection::Flags;
use crate::reactor::work_lists::Report;

/// More than the kernel takes for a peer that does not read.
const MUCH: usize = 8 * 1024 * 1024;

#[test]
fn what_comes_goes_back() {
    let mut harness = Harness::new(echo, |_| {});
    let (mut client, conn) = harness.connect();
    for text in ["one", "two", "three"] {
        client.say(text.as_bytes());
        harness.until_seen(&Seen::Received(conn, text.into()));
        client.expect(text.as_bytes());
    }
    client.finish();
    harness.until_seen(&Seen::Closed(conn, CloseReason::Bye));
    client.expect_end(b"");
    harness.assert_nothing_left();
}

#[test]
fn a_text_may_come_byte_by_byte() {
    let mut harness = Harness::new(echo, |_| {});
    let (mut client, conn) = harness.connect();
    for byte in b"byte by byte" {
        client.say(&[*byte]);
        let before = harness.received(conn).len();
        harness.until_received(conn, before + 1);
    }
    assert_eq!(harness.received(conn), b"byte by byte");
    client.expect(b"byte by byte");
}

#[test]
fn one_round_takes_one_wait_one_read_and_one_write() {
    let mut harness = Harness::new(echo, |_| {});
    let (mut client, conn) = harness.connect();
    let before = harness.calls();
    for _ in 0..10 {
        client.say(b"ping");
        let seen = harness.received(conn).len();
        harness.until_received(conn, seen + 4);
        client.expect(b"ping");
    }
    let after = harness.calls();
    assert_eq!((after.0 - before.0, after.1 - before.1, after.2 - before.2), (10, 10, 10));
}

#[test]
fn everything_that_a_turn_says_leaves_in_one_write() {
    let mut harness = Harness::new(silence, |_| {});
    let (mut client, conn) = harness.connect();
    let before = harness.calls().2;
    harness.ask((0..60).map(|nth| send(conn, &[nth; 3])));
    assert_eq!(harness.calls().2, before + 1);
    let expect: Vec<u8> = (0..60).flat_map(|nth| [nth; 3]).collect();
    client.expect(&expect);
}

#[test]
fn bytes_and_fin_in_one_segment_are_both_told() {
    let mut harness = Harness::new(silence, |_| {});
    let mut client = harness.client();
    client.say(b"last words");
    client.finish();
    let conn = harness.until(|seen| match seen.first() {
        Some(Seen::Opened(conn, _)) => Some(*conn),
        _ => None,
    });
    harness.until_seen(&Seen::Finished(conn));
    let told = [Seen::Received(conn, b"last words".into()), Seen::Finished(conn)];
    assert_eq!(harness.handler.seen.get(1..), Some(&told[..]));
    // Half closed: it still listens.
    harness.ask([send(conn, b"farewell"), close(conn, CloseReason::PeerGone, Ending::Flush)]);
    client.expect_end(b"farewell");
    harness.assert_nothing_left();
}

fn close(conn: ConnId, reason: CloseReason, ending: Ending) -> Effect {
    Effect::Close { conn, reason, ending }
}

#[test]
fn fin_is_told_once_and_a_reset_after_it_too() {
    let mut harness = Harness::new(silence, |_| {});
    let (client, conn) = harness.connect();
    client.finish();
    harness.until_seen(&Seen::Finished(conn));
    client.reset();
    harness.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    let finished = harness.handler.seen.iter().filter(|seen| **seen == Seen::Finished(conn));
    assert_eq!(finished.count(), 1);
    harness.assert_nothing_left();
}

#[test]
fn a_reset_closes_whether_anyone_reads_or_not() {
    for paused in [false, true] {
        let mut harness = Harness::new(silence, |_| {});
        let (client, conn) = harness.connect();
        if paused {
            harness.ask([Effect::Pause { conn, pause: Pause::Answers }]);
        }
        client.reset();
        harness.until_seen(&Seen::Closed(conn, CloseReason::Reset));
        harness.assert_nothing_left();
    }
}

#[test]
fn whoever_is_paused_at_the_rate_is_read_to_the_end_once_fin_has_come() {
    let mut harness = Harness::new(silence, |config| config.read_len_max = 1_000);
    let (mut client, conn) = harness.connect();
    harness.ask([Effect::Pause { conn, pause: Pause::Rate }]);
    client.say(&[7; 5_000]);
    harness.until_quiet();
    assert_eq!(harness.received(conn), b"", "it is paused");
    client.finish();
    harness.until_seen(&Seen::Finished(conn));
    assert_eq!(harness.received(conn), [7; 5_000]);
    // FIN may have come before.
    let (mut client, conn) = harness.connect();
    harness.ask([Effect::Pause { conn, pause: Pause::Answers }]);
    client.say(b"later");
    client.finish();
    harness.until_quiet();
    assert_eq!(harness.received(conn), b"", "its answers come first");
    harness.ask([Effect::Pause { conn, pause: Pause::Rate }]);
    harness.until_seen(&Seen::Finished(conn));
    assert_eq!(harness.received(conn), b"later");
}

#[test]
fn a_slow_reader_is_told_of_and_gets_everything_in_the_end() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    let bytes: Vec<u8> = (0..MUCH / 8).flat_map(|nth| (nth as u64).to_be_bytes()).collect();
    harness.ask(bytes.chunks(100_000).map(|chunk| send(conn, chunk)));
    let queued = harness.until(|seen| match seen.last() {
        Some(Seen::Blocked(of, queued)) if *of == conn => Some(*queued),
        _ => None,
    });
    assert!(queued > 0 && queued < MUCH, "{queued} bytes wait");
    assert_eq!(harness.reactor.connections.shared.pool.queued_bytes(), queued as u64);
    let writes = harness.calls().2;
    harness.ask([]);
    assert_eq!(harness.calls().2, writes, "a write to a socket that is known to be full");
    assert!(client.take(&mut harness, MUCH) == bytes);
    harness.until_seen(&Seen::Drained(conn));
    assert_eq!(harness.reactor.connections.shared.pool.in_use(), 0);
}

#[test]
fn a_ring_that_would_exceed_its_limit_ends_its_connection() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    harness.ask([Effect::OutboundMax { conn, bytes_max: 1000 }, send(conn, &[1; 1000])]);
    client.expect(&[1; 1000]);
    harness.ask([send(conn, &[2; 1000]), send(conn, &[3])]);
    harness.until_seen(&Seen::Closed(conn, CloseReason::Overloaded));
    client.expect_reset_in_the_end();
    harness.assert_nothing_left();
}

#[test]
fn a_paused_connection_is_not_read_until_it_is_resumed() {
    let mut harness = Harness::new(silence, |_| {});
    let (mut client, conn) = harness.connect();
    harness.ask([Effect::Pause { conn, pause: Pause::Answers }]);
    client.say(b"patience");
    harness.until_edge();
    assert_eq!(harness.received(conn), b"");
    harness.ask([Effect::Resume { conn }]);
    harness.until_seen(&Seen::Received(conn, b"patience".into()));
}

#[test]
fn pausing_in_the_middle_of_a_flood_loses_nothing() {
    let mut harness = Harness::new(silence, |_| {});
    let (mut client, conn) = harness.connect();
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_be_bytes).collect();
    let mut rest = &bytes[..];
    while harness.received(conn).len() < bytes.len() {
        rest = client.offer(rest);
        harness.ask([Effect::Pause { conn, pause: Pause::Answers }]);
        harness.ask([Effect::Resume { conn }]);
    }
    assert!(harness.received(conn) == bytes);
}

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
    harness.until_received(peers[0].1, 8);
    let mut rounds = 0;
    while peers.iter().any(|(_, conn)| harness.received(*conn).len() < 8) {
        let before = harness.handler.seen.len();
        harness.turn();
        assert!(harness.handler.seen.len() <= before + 2);
        rounds += 1;
        assert!(rounds < 1000, "somebody was forgotten");
    }
}

#[test]
fn wake_is_answered_once_in_the_next_turn() {
    let mut harness = Harness::new(silence, |_| {});
    let (_client, conn) = harness.connect();
    let count = |harness: &Harness| harness.count(&Seen::Drained(conn));
    harness.ask([Effect::Wake { conn }]);
    assert_eq!(count(&harness), 0);
    harness.turn();
    assert_eq!(count(&harness), 1);
    harness.turn();
    assert_eq!(count(&harness), 1);
    harness.ask([send(conn, b"a page"), Effect::Wake { conn }, Effect::Wake { conn }]);
    harness.turn();
    assert_eq!(count(&harness), 2);
}

#[test]
fn wake_on_a_blocked_connection_waits_for_it_to_drain() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    harness.ask([send(conn, &vec![7; MUCH]), Effect::Wake { conn }]);
    harness.turn();
    harness.ask([Effect::Wake { conn }]);
    harness.turn();
    assert_eq!(harness.count(&Seen::Drained(conn)), 0);
    client.take(&mut harness, MUCH);
    harness.until_seen(&Seen::Drained(conn));
    harness.turn();
    assert_eq!(harness.count(&Seen::Drained(conn)), 1);
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
    const FRAME: usize = 3 * 1024;
    let mut harness = Harness::new(silence, |config| {
        (config.flushes_per_turn_max, config.bulk_flushes_per_turn_max) = (20, 5);
        config.outbound_bytes_max = 64 * 1024;
    });
    let mut peers: Vec<_> = (0..100).map(|_| harness.connect()).collect();
    let to: Vec<_> = peers.iter().map(|peer| peer.1).collect();
    for round in 0..4 {
        let writes = harness.calls().2;
        let frame = frame(&[b'a' + round; FRAME]);
        harness.ask([Effect::Broadcast { to: to.clone(), frame }]);
        assert!(harness.calls().2 - writes <= 20);
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

/// A read stops at an urgent byte, and no edge tells of what follows it in the same segment.
#[test]
fn urgent_bytes_stay_in_their_place_and_nothing_waits_behind_them() {
    let mut harness = Harness::new(echo, |_| {});
    let (mut client, conn) = harness.connect();
    client.say(b"one ");
    client.urge(b"!");
    client.say(b" two");
    client.urge(b"?");
    client.say(b" three");
    harness.until_received(conn, 16);
    client.expect(b"one ! two? three");
    client.say(b"four");
    harness.until_received(conn, 20);
    client.expect(b"four");
}

#[test]
fn a_stale_name_finds_nothing() {
    let mut harness = Harness::new(silence, |_| {});
    let (client, old) = harness.connect();
    client.reset();
    harness.until_seen(&Seen::Closed(old, CloseReason::Reset));
    let (mut client, new) = harness.connect();
    assert_eq!((old.slot(), old.generation() + 1), (new.slot(), new.generation()));
    harness.ask([
        send(old, b"for somebody else"),
        Effect::Broadcast { to: vec![old], frame: frame(b"for somebody else") },
        Effect::Arm { conn: old, deadline: crate::time::Tick::ZERO },
        Effect::Wake { conn: old },
        Effect::Pause { conn: old, pause: Pause::Answers },
        Effect::OutboundMax { conn: old, bytes_max: 0 },
        close(old, CloseReason::Banned, Ending::Abort),
        send(new, b"for you"),
    ]);
    client.expect(b"for you");
    client.say(b"still here");
    harness.until_received(new, 10);
    let about_old =
        |seen: &Seen| matches!(seen, Seen::Expired(conn) | Seen::Drained(conn) if *conn == old);
    assert!(!harness.handler.seen.iter().any(about_old));
}
