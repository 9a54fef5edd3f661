//! Who is let in.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};

use super::bench::{Bench, Client, Seen, echo, run_alone, silence};
use crate::net::{CloseReason, ListenerId};
use crate::reactor::ListenerConfig;
use crate::time::Tick;

const REFUSAL: &[u8] = b"full, come back later";

fn refusing(bench: &mut crate::reactor::ReactorConfig) {
    for listener in &mut bench.listeners {
        listener.refusal = Bytes::from_static(REFUSAL);
    }
}

/// The client is told the refusal, although it has said something that nobody will read.
#[track_caller]
fn check_turned_away(bench: &mut Bench, mut client: Client) {
    client.say(b"GET / HTTP/1.1\r\n\r\n");
    bench.until_idle();
    client.expect_end(REFUSAL);
    client.finish();
    bench.until_idle();
}

#[test]
fn one_over_the_limit_is_told_so_and_the_next_takes_the_place_of_one_that_left() {
    let mut bench = Bench::new(silence, |config| {
        config.connections_max = 2;
        refusing(config);
    });
    let (first, conn) = bench.connect();
    let (_second, _) = bench.connect();
    let client = bench.client();
    check_turned_away(&mut bench, client);
    assert_eq!(bench.handler.seen.len(), 2, "the handler hears nothing of it");
    first.reset();
    bench.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    let (_third, _) = bench.connect();
    let metrics = bench.reactor.metrics();
    assert_eq!((metrics.accepted.value(), metrics.refused_full.value()), (3, 1));
}

#[test]
fn one_address_has_its_share() {
    let mut bench = Bench::new(silence, |config| {
        (config.connections_per_address_max, config.loopback_counts) = (1, true);
        refusing(config);
    });
    let (first, conn) = bench.connect();
    let client = bench.client();
    check_turned_away(&mut bench, client);
    first.reset();
    bench.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    bench.connect();
    assert_eq!(bench.reactor.metrics().refused_address.value(), 1);
}

#[test]
fn whoever_is_turned_away_in_numbers_leaves_nothing_behind() {
    let mut bench = Bench::new(silence, |config| {
        config.connections_max = 0;
        refusing(config);
    });
    let clients: Vec<_> = (0..200).map(|_| bench.client()).collect();
    while bench.reactor.metrics().refused_full.value() < 200 {
        bench.turn();
    }
    drop(clients);
    while !bench.reactor.connections.slab.is_empty() {
        bench.until_edge();
    }
    bench.assert_nothing_left();
    assert_eq!(bench.handler.seen, []);
}

#[test]
fn a_listener_that_is_not_limited_lets_in_when_all_is_full() {
    let mut bench = Bench::new(echo, |config| {
        config.connections_max = 0;
        config.listeners.push(ListenerConfig {
            limited: false,
            ..ListenerConfig::new(([127, 0, 0, 1], 0).into())
        });
    });
    let addr = bench.reactor.local_addr(ListenerId(1)).unwrap();
    let mut client = Client::connect(addr);
    let conn = bench.until(|seen| match seen.first() {
        Some(Seen::Opened(conn, ListenerId(1))) => Some(*conn),
        _ => None,
    });
    client.say(b"metrics?");
    bench.until_received(conn, 8);
    client.expect(b"metrics?");
}

#[test]
fn a_turn_accepts_its_budget_and_the_next_ones_the_rest() {
    let mut bench = Bench::new(silence, |config| config.accepts_per_turn_max = 3);
    let clients: Vec<_> = (0..8).map(|_| bench.client()).collect();
    for expect in [3, 6, 8, 8] {
        bench.turn();
        assert_eq!(bench.handler.seen.len(), expect);
    }
    drop(clients);
}

#[test]
fn nobody_hears_of_connections_that_are_gone_before_they_are_accepted() {
    let mut bench = Bench::new(silence, |_| {});
    for _ in 0..100 {
        bench.client().reset();
    }
    let (client, conn) = bench.connect();
    client.reset();
    bench.until_seen(&Seen::Closed(conn, CloseReason::Reset));
    bench.until(|seen| {
        let closed = seen.iter().filter(|seen| matches!(seen, Seen::Closed(..))).count();
        let opened = seen.iter().filter(|seen| matches!(seen, Seen::Opened(..))).count();
        (closed == opened).then_some(())
    });
    bench.assert_nothing_left();
}

#[test]
fn without_descriptors_the_loop_neither_spins_nor_goes_deaf() {
    // The limit is the process's, so the test has one of its own.
    run_alone("reactor::tests::limits::in_a_process_with_three_descriptors_to_spare");
}

#[test]
#[ignore = "lowers its process's limit: run by the test above in a process of its own"]
fn in_a_process_with_three_descriptors_to_spare() {
    let mut bench = Bench::new(echo, refusing);
    let addr = bench.reactor.local_addr(ListenerId(0)).unwrap();
    let late = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let mut clients: Vec<_> = (0..24).map(|_| bench.client()).collect();
    let next = io::pipe().unwrap().0.as_raw_fd().unsigned_abs();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(u64::from(next) + 3), maximum }).unwrap();

    // Three are let in, sixteen are turned away with the spare, five wait, and the loop sleeps.
    bench.turn();
    let waits = |bench: &Bench| bench.reactor.time_to_wait(Tick::from_millis(bench.now));
    assert_eq!(bench.handler.seen.len(), 3);
    assert_eq!(waits(&bench), Some(Duration::from_millis(10)));
    for client in &mut clients[3..19] {
        client.expect_end(REFUSAL);
    }
    bench.pass(9);
    assert_eq!(bench.reactor.metrics().accept_exhausted.value(), 1);
    bench.pass(1);
    assert_eq!(bench.reactor.metrics().accept_exhausted.value(), 2);
    for client in &mut clients[19..] {
        client.expect_end(REFUSAL);
    }
    assert_eq!(waits(&bench), None);

    // Those who are in are served.
    clients[0].say(b"hello");
    bench.until(|seen| seen.iter().any(|seen| matches!(seen, Seen::Received(..))).then_some(()));
    clients[0].expect(b"hello");

    // A descriptor is free again: the next is let in after the pause.
    clients[1].finish();
    bench.until(|seen| seen.iter().any(|seen| matches!(seen, Seen::Closed(..))).then_some(()));
    late.connect(&addr.into()).unwrap();
    bench.pass(100);
    bench.until(|seen| {
        let opened = seen.iter().filter(|seen| matches!(seen, Seen::Opened(..))).count();
        (opened == 4).then_some(())
    });
}
