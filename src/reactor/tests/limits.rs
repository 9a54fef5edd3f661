//! Who is let in.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::harness::{Client, Harness, Seen, echo, run_alone, send, silence};
use crate::net::{CloseReason, ListenerId};
use crate::reactor::ListenerConfig;
use crate::time::Tick;
use crate::time::rate::Rate;

const REFUSAL: &[u8] = b"full, come back later";

fn refusing(harness: &mut crate::reactor::ReactorConfig) {
    for listener in &mut harness.listeners {
        listener.refusal = |_, _| Bytes::from_static(REFUSAL);
    }
}

/// The client is told the refusal, although it has said something that nobody will read.
#[track_caller]
fn check_turned_away(harness: &mut Harness, mut client: Client) {
    client.say(b"GET / HTTP/1.1\r\n\r\n");
    harness.until_idle();
    client.expect_end(REFUSAL);
    client.finish();
    harness.until_idle();
}

#[test]
fn one_over_the_limit_is_told_so_and_the_next_takes_the_place_of_one_that_left() {
    let mut harness = Harness::new(silence, |config| {
        config.connections_max = 2;
        refusing(config);
    });
    let (first, conn) = harness.connect();
    let (_second, _) = harness.connect();
    let client = harness.client();
    check_turned_away(&mut harness, client);
    assert_eq!(harness.handler.seen.len(), 2, "the handler hears nothing of it");
    first.reset();
    harness.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    let (_third, _) = harness.connect();
    let metrics = harness.reactor.metrics();
    assert_eq!((metrics.accepted.value(), metrics.refused_full.value()), (3, 1));
}

#[test]
fn one_address_has_its_share() {
    let mut harness = Harness::new(silence, |config| {
        (config.connections_per_address_max, config.loopback_counts) = (1, true);
        refusing(config);
    });
    let (first, conn) = harness.connect();
    let client = harness.client();
    check_turned_away(&mut harness, client);
    first.reset();
    harness.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    harness.connect();
    assert_eq!(harness.reactor.metrics().refused_address.value(), 1);
}

#[test]
fn whoever_is_turned_away_in_numbers_leaves_nothing_behind() {
    let mut harness = Harness::new(silence, |config| {
        config.connections_max = 0;
        refusing(config);
    });
    let clients: Vec<_> = (0..200).map(|_| harness.client()).collect();
    while harness.reactor.metrics().refused_full.value() < 200 {
        harness.turn();
    }
    drop(clients);
    while !harness.reactor.connections.slab.is_empty() {
        harness.until_edge();
    }
    harness.assert_nothing_left();
    assert_eq!(harness.handler.seen, []);
}

#[test]
fn who_connects_too_often_is_turned_away_and_comes_in_later() {
    let mut harness = Harness::new(silence, |config| {
        config.connects = Rate::new(Some(1), 2);
        config.loopback_counts = true;
        refusing(config);
    });
    for _ in 0..2 {
        harness.connect();
    }
    let client = harness.client();
    check_turned_away(&mut harness, client);
    assert_eq!(harness.reactor.metrics().refused_connects.value(), 1);
    harness.pass(1_000);
    harness.connect();
}

#[test]
fn while_much_waits_for_slow_readers_nobody_else_is_let_in() {
    let mut harness = Harness::new(silence, |config| {
        config.outbound_total_max = Some(1 << 20);
        config.outbound_bytes_max = 32 << 20;
        refusing(config);
    });
    let (mut slow, conn) = harness.connect();
    harness.ask([send(conn, &vec![b'x'; 16 << 20])]);
    assert!(harness.reactor.connections.shared.pool.queued_bytes() > 1 << 20);
    let client = harness.client();
    check_turned_away(&mut harness, client);
    assert_eq!(harness.reactor.metrics().refused_memory.value(), 1);
    // It reads: there is room again.
    let mut left = 16 << 20;
    while left > 0 {
        let len = left.min(1 << 16);
        let _flow = harness.turn_now();
        slow.expect(&vec![b'x'; len]);
        left -= len;
    }
    harness.connect();
}

#[test]
fn the_kernel_keeps_no_more_than_the_buffer_and_one_write_where_it_is_bounded() {
    let waiting_in_kernel = |segment_len_max: Option<usize>| {
        let mut harness = Harness::new(silence, |config| {
            (config.send_buffer_len, config.segment_len_max) = (4096, segment_len_max);
            config.outbound_bytes_max = 32 << 20;
        });
        let (_slow, conn) = harness.connect();
        harness.ask([send(conn, &vec![b'x'; 400_000])]);
        for _ in 0..20 {
            let _flow = harness.turn_now();
        }
        let (_, connection) = harness.reactor.connections.slab.iter().next().unwrap();
        (400_000 - connection.outbound.queued()) as u64
    };
    // The peer's receive buffer is in both; what this end's kernel adds is bounded in one.
    let (bounded, usual) = (waiting_in_kernel(Some(4096)), waiting_in_kernel(None));
    assert!(bounded + 20_000 < usual, "{bounded} and {usual} bytes");
}

#[test]
fn a_listener_that_is_not_limited_lets_in_when_all_is_full() {
    let mut harness = Harness::new(echo, |config| {
        config.connections_max = 0;
        config.listeners.push(ListenerConfig {
            limited: false,
            ..ListenerConfig::new(([127, 0, 0, 1], 0).into())
        });
    });
    let addr = harness.reactor.local_addr(ListenerId(1)).unwrap();
    let mut client = Client::connect(addr);
    let conn = harness.until(|seen| match seen.first() {
        Some(Seen::Opened(conn, ListenerId(1))) => Some(*conn),
        _ => None,
    });
    client.say(b"metrics?");
    harness.until_received(conn, 8);
    client.expect(b"metrics?");
}

#[test]
fn a_turn_accepts_its_budget_and_the_next_ones_the_rest() {
    let mut harness = Harness::new(silence, |config| config.accepts_per_turn_max = 3);
    let clients: Vec<_> = (0..8).map(|_| harness.client()).collect();
    for expect in [3, 6, 8, 8] {
        harness.turn();
        assert_eq!(harness.handler.seen.len(), expect);
    }
    drop(clients);
}

#[test]
fn nobody_hears_of_connections_that_are_gone_before_they_are_accepted() {
    let mut harness = Harness::new(silence, |_| {});
    for _ in 0..100 {
        harness.client().reset();
    }
    let (client, conn) = harness.connect();
    client.reset();
    harness.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    harness.until(|seen| {
        let closed = seen.iter().filter(|seen| matches!(seen, Seen::Closed(..))).count();
        let opened = seen.iter().filter(|seen| matches!(seen, Seen::Opened(..))).count();
        (closed == opened).then_some(())
    });
    harness.assert_nothing_left();
}

#[test]
fn without_descriptors_the_loop_neither_spins_nor_goes_deaf() {
    // The limit is the process's, so the test has one of its own.
    run_alone("reactor::tests::limits::in_a_process_with_three_descriptors_to_spare");
}

#[test]
#[ignore = "lowers its process's limit: run by the test above in a process of its own"]
fn in_a_process_with_three_descriptors_to_spare() {
    let mut harness = Harness::new(echo, refusing);
    let addr = harness.reactor.local_addr(ListenerId(0)).unwrap();
    let late = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let mut clients: Vec<_> = (0..24).map(|_| harness.client()).collect();
    let next = io::pipe().unwrap().0.as_raw_fd().unsigned_abs();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(u64::from(next) + 3), maximum }).unwrap();

    // Three are let in, sixteen are turned away with the spare, five wait, and the loop sleeps.
    harness.turn();
    let waits = |harness: &Harness| harness.reactor.time_to_wait(Tick::from_millis(harness.now));
    assert_eq!(harness.handler.seen.len(), 3);
    assert_eq!(waits(&harness), Some(Duration::from_millis(10)));
    for client in &mut clients[3..19] {
        client.expect_end(REFUSAL);
    }
    harness.pass(9);
    assert_eq!(harness.reactor.metrics().accept_exhausted.value(), 1);
    harness.pass(1);
    assert_eq!(harness.reactor.metrics().accept_exhausted.value(), 2);
    for client in &mut clients[19..] {
        client.expect_end(REFUSAL);
    }
    assert_eq!(waits(&harness), None);

    // Those who are in are served.
    clients[0].say(b"hello");
    harness.until(|seen| seen.iter().any(|seen| matches!(seen, Seen::Received(..))).then_some(()));
    clients[0].expect(b"hello");

    // A descriptor is free again: the next is let in after the pause.
    clients[1].finish();
    harness.until(|seen| seen.iter().any(|seen| matches!(seen, Seen::Closed(..))).then_some(()));
    late.connect(&addr.into()).unwrap();
    harness.pass(100);
    harness.until(|seen| {
        let opened = seen.iter().filter(|seen| matches!(seen, Seen::Opened(..))).count();
        (opened == 4).then_some(())
    });
}
