//! What time brings.

use std::time::Duration;

use super::harness::{Client, Harness, Seen, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Effects, ListenerId, Pause};
use crate::reactor::budget::EXPIRED_MAX;
use crate::reactor::expire::expire;
use crate::reactor::{ListenerConfig, TlsListener};
use crate::time::Tick;

const MUCH: usize = 8 * 1024 * 1024;

fn arm(conn: ConnId, millis: u64) -> Effect {
    Effect::Arm { conn, deadline: Tick::from_millis(millis) }
}

/// When a connection whose deadlines are set as by `effects` at tick 0 is told that they have
/// passed.
#[track_caller]
fn check_expiry(deadlines: &[u64], expect: &[u64]) {
    let mut harness = Harness::new(silence, |_| {});
    let (_client, conn) = harness.connect();
    harness.ask(deadlines.iter().map(|millis| arm(conn, *millis)));
    let mut told = Vec::new();
    while harness.now < 500 {
        let before = harness.count(&Seen::Expired(conn));
        harness.pass(1);
        if harness.count(&Seen::Expired(conn)) > before {
            told.push(harness.now);
        }
    }
    assert_eq!(told, expect, "deadlines {deadlines:?}");
    assert_eq!(harness.reactor.connections.shared.wheel.len(), 0);
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
    let mut harness = Harness::new(silence, |_| {});
    let (_client, conn) = harness.connect();
    harness.ask((1..1000).map(|nth| arm(conn, nth * 1000)));
    assert_eq!(harness.reactor.connections.shared.wheel.len(), 1);
    assert_eq!(
        harness.reactor.connections.shared.wheel.next_deadline(),
        Some(Tick::from_millis(960))
    );
    harness.pass(1000);
    assert_eq!(harness.count(&Seen::Expired(conn)), 0);
    harness.pass(998_000);
    assert_eq!(harness.count(&Seen::Expired(conn)), 1);
}

#[test]
fn the_loop_sleeps_until_the_next_deadline() {
    let mut harness = Harness::new(silence, |_| {});
    let waits = |harness: &Harness| harness.reactor.time_to_wait(Tick::from_millis(harness.now));
    harness.turn();
    assert_eq!(waits(&harness), None);
    let (_client, conn) = harness.connect();
    assert_eq!(waits(&harness), None);
    harness.ask([arm(conn, 40)]);
    assert_eq!(waits(&harness), Some(Duration::from_millis(40)));
    harness.ask([Effect::Alarm { deadline: Tick::from_millis(30) }]);
    assert_eq!(waits(&harness), Some(Duration::from_millis(30)));
    harness.pass(30);
    assert_eq!((harness.count(&Seen::Alarm), harness.count(&Seen::Expired(conn))), (1, 0));
    assert_eq!(waits(&harness), Some(Duration::from_millis(10)));
    harness.pass(10);
    assert_eq!((harness.count(&Seen::Alarm), harness.count(&Seen::Expired(conn))), (1, 1));
    assert_eq!(waits(&harness), None);
}

#[test]
fn bytes_that_came_in_time_are_told_before_the_deadline_however_late_the_loop_is() {
    let mut harness = Harness::new(silence, |config| config.read_per_turn_max = 1);
    let mut peers: Vec<_> = (0..4).map(|_| harness.connect()).collect();
    harness.ask(peers.iter().map(|peer| arm(peer.1, 50)));
    for (client, _) in &mut peers {
        client.say(b"pong");
    }
    // As after SIGSTOP: all at once, long after the deadline. One connection is read in a turn.
    harness.now = 1_000_000;
    harness.until_edge();
    for _ in 0..20 {
        harness.pass(1);
    }
    for (_, conn) in &peers {
        let share = |wanted: &Seen| harness.handler.seen.iter().position(|seen| seen == wanted);
        let received = share(&Seen::Received(*conn, b"pong".into()));
        let expired = share(&Seen::Expired(*conn));
        assert!(received.is_some() && received < expired, "{:?}", harness.handler.seen);
    }
}

#[test]
fn what_came_in_time_to_anybody_is_told_before_the_alarm_however_late_the_loop_is() {
    // What is read may set it anew, to what is over already.
    let anew = |seen: &Seen, _, effects: &mut Effects| {
        if matches!(seen, Seen::Received(..)) {
            effects.push(Effect::Alarm { deadline: Tick::from_millis(60) });
        }
    };
    let mut harness = Harness::new(anew, |config| config.read_per_turn_max = 1);
    let mut peers: Vec<_> = (0..4).map(|_| harness.connect()).collect();
    harness.ask([Effect::Alarm { deadline: Tick::from_millis(50) }]);
    for (client, _) in &mut peers {
        client.say(b"answer");
    }
    harness.now = 1_000_000;
    harness.until_edge();
    for _ in 0..20 {
        harness.pass(1);
    }
    let seen = &harness.handler.seen;
    let alarm = seen.iter().position(|seen| *seen == Seen::Alarm);
    let last = seen.iter().rposition(|seen| matches!(seen, Seen::Received(..)));
    assert!(last < alarm && harness.count(&Seen::Alarm) == 1, "{seen:?}");
    let received = seen.iter().filter(|seen| matches!(seen, Seen::Received(..)));
    assert_eq!(received.count(), 4, "{seen:?}");
}

#[test]
fn whoever_always_has_more_to_say_holds_up_the_alarm_for_a_second_at_the_most() {
    let mut harness = Harness::new(silence, |config| config.read_len_max = 256);
    let (mut client, _conn) = harness.connect();
    client.say(&vec![b'x'; 64 << 10]);
    harness.ask([Effect::Alarm { deadline: Tick::from_millis(50) }]);
    harness.now = 1_000;
    while harness.count(&Seen::Alarm) == 0 {
        harness.pass(100);
    }
    assert_eq!(harness.now, 2_100);
    // An alarm for the past is not late.
    harness.ask([Effect::Alarm { deadline: Tick::ZERO }]);
    harness.pass(1);
    assert_eq!(harness.count(&Seen::Alarm), 2);
}

#[test]
fn a_proxy_whose_header_came_in_time_is_let_in_however_late_the_loop_is() {
    let mut harness = Harness::new(silence, |config| {
        config.read_per_turn_max = 1;
        config.listeners[0].proxies = Some(["127.0.0.1/32".parse().unwrap()].into());
        config.listeners.push(ListenerConfig::new(([127, 0, 0, 1], 0).into()));
    });
    let mut other = Client::connect(harness.reactor.local_addr(ListenerId(1)).unwrap());
    let mut proxy = harness.client();
    let is_opened = |seen: &&Seen| matches!(seen, Seen::Opened(..));
    while harness.handler.seen.is_empty() || harness.reactor.connections.arrivals.is_empty() {
        harness.until_edge();
    }
    // What the other one says is all that a turn reads.
    other.say(b"hello");
    proxy.say(b"PROXY TCP4 10.0.0.1 10.0.0.2 1000 80\r\n");
    harness.now = 1_000_000;
    harness.until_edge();
    assert_eq!(harness.handler.seen.iter().filter(is_opened).count(), 1);
    harness.pass(1);
    assert_eq!(harness.handler.seen.iter().filter(is_opened).count(), 2);
}

#[test]
fn a_handshake_that_waits_for_a_place_ends_at_its_deadline() {
    let mut harness = Harness::new(silence, |config| {
        let config_of_tls = crate::tls::tests::configs(&["localhost"]).0;
        let otherwise = |_: &[u8], _| bytes::Bytes::new();
        config.listeners[0].tls = Some(TlsListener { config: config_of_tls, otherwise });
        config.handshakes_max = 0;
    });
    let mut client = harness.client();
    client.say(&[22, 3, 1, 2, 0, 1]);
    while harness.reactor.connections.shared.tls.handshakes() != (0, 1) {
        harness.until_edge();
    }
    harness.pass(4_999);
    assert_eq!(harness.reactor.connections.slab.len(), 1);
    harness.pass(1);
    harness.pass(1);
    assert_eq!(harness.reactor.connections.slab.len(), 0);
}

#[test]
fn a_socket_that_takes_nothing_is_closed_at_the_stall_deadline() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = 2 * MUCH);
    let (mut client, conn) = harness.connect();
    harness.ask([send(conn, &vec![1; MUCH])]);
    harness.until_quiet();
    let closed = Seen::Closed(conn, CloseReason::Stalled);
    // What the peer's kernel took without an edge shows at the last try, and counts, once.
    while harness.now < 240_000 && harness.count(&closed) == 0 {
        harness.pass(119_999);
        // More to say is no progress.
        harness.ask([send(conn, b"more")]);
        assert_eq!(harness.count(&closed), 0);
        harness.pass(1);
    }
    assert_eq!(harness.count(&closed), 1);
    client.expect_reset_in_the_end();
    harness.assert_nothing_left();
}

#[test]
fn a_deadline_that_comes_first_leaves_that_of_a_stalled_socket_in_place() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (_client, conn) = harness.connect();
    harness.ask([send(conn, &vec![1; MUCH]), arm(conn, 50)]);
    harness.until_quiet();
    harness.pass(50);
    assert_eq!(harness.count(&Seen::Expired(conn)), 1);
    // What the peer's kernel took without an edge may count at the first of these.
    harness.pass(120_000);
    harness.pass(120_000);
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Stalled)), 1);
    harness.assert_nothing_left();
}

#[test]
fn a_turn_tells_of_so_many_deadlines_and_the_next_one_of_the_others() {
    let mut harness = Harness::new(silence, |_| {});
    let (_client, conn) = harness.connect();
    harness.ask([arm(conn, 10)]);
    let (connections, now) = (&mut harness.reactor.connections, Tick::from_millis(10));
    let mut expired = vec![conn; EXPIRED_MAX];
    expire(connections, now, &mut expired);
    assert_eq!(expired.len(), EXPIRED_MAX);
    expired.clear();
    expire(connections, now, &mut expired);
    assert_eq!(expired, [conn]);
}

#[test]
fn whoever_is_paused_at_the_rate_has_not_stalled() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    let pause = |pause| [Effect::Pause { conn, pause }];
    harness.ask([send(conn, &vec![1; MUCH])]);
    harness.ask(pause(Pause::Rate));
    harness.until_quiet();
    let closed = Seen::Closed(conn, CloseReason::Stalled);
    for _ in 0..5 {
        harness.pass(120_000);
    }
    assert_eq!(harness.count(&closed), 0);
    harness.ask(pause(Pause::Answers));
    harness.pass(240_000);
    assert_eq!(harness.count(&closed), 1);
    client.expect_reset_in_the_end();
    harness.assert_nothing_left();
}

#[test]
fn any_progress_puts_the_stall_deadline_off() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    harness.ask([send(conn, &vec![1; MUCH])]);
    let mut left = MUCH;
    harness.until_quiet();
    for _ in 0..3 {
        harness.pass(100_000);
        left -= client.take(&mut harness, MUCH / 4).len();
    }
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    client.take(&mut harness, left);
    harness.until_seen(&Seen::Drained(conn));
    harness.pass(1_000_000);
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    assert_eq!(harness.reactor.connections.shared.wheel.len(), 0);
}

#[test]
fn before_the_verdict_a_write_is_tried() {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (mut client, conn) = harness.connect();
    harness.ask([send(conn, &vec![1; MUCH])]);
    harness.until_quiet();
    // It reads, but the loop, long away, gets to its deadlines before it has seen the edge.
    let taken = client.drain_kernel().len();
    harness.now = 120_000;
    assert!(harness.turn_unseeing().is_continue());
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Stalled)), 0);
    client.take(&mut harness, MUCH - taken);
    harness.until_seen(&Seen::Drained(conn));
}
