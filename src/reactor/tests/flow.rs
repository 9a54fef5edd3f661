//! Bytes in and bytes out.

use super::harness::{Harness, Seen, echo, frame, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Ending, Pause};
use crate::reactor::connection::WRITE_MAX;
use crate::reactor::outbound::IOVECS_MAX;
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
fn what_is_said_to_a_full_socket_is_told_with_what_waits_already() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = 2 * MUCH);
    let (_client, conn) = harness.connect();
    harness.ask([send(conn, &vec![7; MUCH])]);
    harness.until_quiet();
    let queued = harness.reactor.connections.shared.pool.queued_bytes();
    let queued = usize::try_from(queued).unwrap();
    harness.ask([send(conn, b"more")]);
    harness.turn();
    assert_eq!(harness.count(&Seen::Blocked(conn, queued + 4)), 1, "{:?}", harness.handler.seen);
}

#[test]
fn a_flush_ends_when_much_was_taken_and_the_rest_follows_by_itself() {
    // As many of these as one write takes are just too much for a second write.
    const PIECE: usize = WRITE_MAX / IOVECS_MAX + 1;
    let mut harness = Harness::new(silence, |config| {
        (config.outbound_bytes_max, config.send_buffer_len) = (MUCH, MUCH);
    });
    let (mut client, conn) = harness.connect();
    harness.ask((0..4 * IOVECS_MAX).map(|_| send(conn, &[7; PIECE])));
    client.take(&mut harness, 4 * IOVECS_MAX * PIECE);
}

#[test]
fn what_is_no_longer_so_is_not_told() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    harness.reactor.connections.shared.lists.reports = vec![Report::Blocked(conn)];
    harness.turn();
    assert_eq!(harness.handler.seen.len(), 1, "nothing waits: {:?}", harness.handler.seen);
    harness.ask([send(conn, &vec![7; MUCH])]);
    harness.until_quiet();
    harness.reactor.connections.shared.lists.reports = vec![Report::Drained(conn)];
    harness.turn();
    assert_eq!(harness.count(&Seen::Drained(conn)), 0, "much waits");
    client.take(&mut harness, MUCH);
    harness.until_seen(&Seen::Drained(conn));
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
    harness.reactor.connections.shared.lists.reports = vec![Report::Drained(old)];
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
