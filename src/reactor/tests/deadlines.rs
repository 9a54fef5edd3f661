//! What time brings.

use std::time::Duration;

use super::bench::{Bench, Seen, send, silence};
use crate::net::{CloseReason, ConnId, Effect};
use crate::time::Tick;

const MUCH: usize = 8 * 1024 * 1024;

fn arm(conn: ConnId, millis: u64) -> Effect {
    Effect::Arm { conn, deadline: Tick::from_millis(millis) }
}

/// When a connection whose deadlines are set as by `effects` at tick 0 is told that they have passed.
#[track_caller]
fn check_expiry(deadlines: &[u64], expect: &[u64]) {
    let mut bench = Bench::new(silence, |_| {});
    let (_client, conn) = bench.connect();
    bench.ask(deadlines.iter().map(|millis| arm(conn, *millis)));
    let mut told = Vec::new();
    while bench.now < 500 {
        let before = bench.count(&Seen::Expired(conn));
        bench.pass(1);
        if bench.count(&Seen::Expired(conn)) > before {
            told.push(bench.now);
        }
    }
    assert_eq!(told, expect, "deadlines {deadlines:?}");
    assert_eq!(bench.reactor.connections.wheel.len(), 0);
}

#[test]
fn a_deadline_is_told_once_and_the_last_one_set_counts() {
    check_expiry(&[100], &[100]);
    check_expiry(&[100, 200], &[200]);
    check_expiry(&[200, 100], &[100]);
    check_expiry(&[100, 300, 200], &[200]);
    check_expiry(&[100, u64::MAX], &[]);
    check_expiry(&[u64::MAX, 100], &[100]);
    check_expiry(&[0], &[1]);
}

#[test]
fn moving_a_deadline_back_costs_the_wheel_nothing() {
    let mut bench = Bench::new(silence, |_| {});
    let (_client, conn) = bench.connect();
    bench.ask((1..1000).map(|nth| arm(conn, nth * 1000)));
    assert_eq!(bench.reactor.connections.wheel.len(), 1);
    assert_eq!(bench.reactor.connections.wheel.next_deadline(), Some(Tick::from_millis(960)));
    bench.pass(1000);
    assert_eq!(bench.count(&Seen::Expired(conn)), 0);
    bench.pass(998_000);
    assert_eq!(bench.count(&Seen::Expired(conn)), 1);
}

#[test]
fn the_loop_sleeps_until_the_next_deadline() {
    let mut bench = Bench::new(silence, |_| {});
    let waits = |bench: &Bench| bench.reactor.time_to_wait(Tick::from_millis(bench.now));
    bench.turn();
    assert_eq!(waits(&bench), None);
    let (_client, conn) = bench.connect();
    assert_eq!(waits(&bench), None);
    bench.ask([arm(conn, 40)]);
    assert_eq!(waits(&bench), Some(Duration::from_millis(40)));
    bench.ask([Effect::Alarm { deadline: Tick::from_millis(30) }]);
    assert_eq!(waits(&bench), Some(Duration::from_millis(30)));
    bench.pass(30);
    assert_eq!((bench.count(&Seen::Alarm), bench.count(&Seen::Expired(conn))), (1, 0));
    assert_eq!(waits(&bench), Some(Duration::from_millis(10)));
    bench.pass(10);
    assert_eq!((bench.count(&Seen::Alarm), bench.count(&Seen::Expired(conn))), (1, 1));
    assert_eq!(waits(&bench), None);
}

#[test]
fn bytes_that_came_in_time_are_told_before_the_deadline_however_late_the_loop_is() {
    let mut bench = Bench::new(silence, |config| config.read_per_turn_max = 1);
    let mut peers: Vec<_> = (0..4).map(|_| bench.connect()).collect();
    bench.ask(peers.iter().map(|peer| arm(peer.1, 50)));
    for (client, _) in &mut peers {
        client.say(b"pong");
    }
    // As after SIGSTOP: all at once, long after the deadline. One connection is read in a turn.
    bench.now = 1_000_000;
    bench.until_edge();
    for _ in 0..20 {
        bench.pass(1);
    }
    for (_, conn) in &peers {
        let place = |wanted: &Seen| bench.handler.seen.iter().position(|seen| seen == wanted);
        let received = place(&Seen::Received(*conn, b"pong".into()));
        let expired = place(&Seen::Expired(*conn));
        assert!(received.is_some() && received < expired, "{:?}", bench.handler.seen);
    }
}

#[test]
fn a_socket_that_takes_nothing_is_closed_at_the_stall_deadline() {
    let mut bench = Bench::new(silence, |config| config.outbound_bytes_max = 2 * MUCH);
    let (mut client, conn) = bench.connect();
    bench.ask([send(conn, &vec![1; MUCH])]);
    bench.until_quiet();
    let closed = Seen::Closed(conn, CloseReason::Stalled);
    // What the peer's kernel took without an edge shows at the last try, and counts, once.
    while bench.now < 240_000 && bench.count(&closed) == 0 {
        bench.pass(119_999);
        // More to say is no progress.
        bench.ask([send(conn, b"more")]);
        assert_eq!(bench.count(&closed), 0);
        bench.pass(1);
    }
    assert_eq!(bench.count(&closed), 1);
    client.expect_reset_in_the_end();
    bench.assert_nothing_left();
}

#[test]
fn any_progress_puts_the_stall_deadline_off() {
    let mut bench = Bench::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = bench.connect();
    bench.ask([send(conn, &vec![1; MUCH])]);
    let mut left = MUCH;
    bench.until_quiet();
    for _ in 0..3 {
        bench.pass(100_000);
        left -= client.take(&mut bench, MUCH / 4).len();
    }
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    client.take(&mut bench, left);
    bench.until_seen(&Seen::Drained(conn));
    bench.pass(1_000_000);
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    assert_eq!(bench.reactor.connections.wheel.len(), 0);
}

#[test]
fn before_the_verdict_a_write_is_tried() {
    let mut bench = Bench::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = bench.connect();
    bench.ask([send(conn, &vec![1; MUCH])]);
    bench.until_quiet();
    // It reads, but the loop, long away, gets to its deadlines before it has seen the edge.
    let taken = client.drain_kernel().len();
    bench.now = 120_000;
    assert!(bench.turn_unseeing().is_continue());
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    client.take(&mut bench, MUCH - taken);
    bench.until_seen(&Seen::Drained(conn));
}
