//! How connections end.

use std::ops::ControlFlow;

use super::harness::{Client, Harness, Seen, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Ending, Pause};
use crate::time::Tick;

const MUCH: usize = 8 * 1024 * 1024;

fn close(conn: ConnId, ending: Ending) -> Effect {
    Effect::Close { conn, reason: CloseReason::Violation, ending }
}

/// A harness with one connection, whose ring takes much.
fn one() -> (Harness, Client, ConnId) {
    let mut harness = Harness::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (client, conn) = harness.connect();
    (harness, client, conn)
}

/// The end is told once, as the last thing.
#[track_caller]
fn check_ended(harness: &mut Harness, conn: ConnId) {
    let closed = Seen::Closed(conn, CloseReason::Violation);
    harness.until_seen(&closed);
    harness.turn();
    assert_eq!((harness.count(&closed), harness.handler.seen.last()), (1, Some(&closed)));
    harness.assert_nothing_left();
}

#[test]
fn flush_sends_what_waits_and_then_fin() {
    let (mut harness, mut client, conn) = one();
    harness.ask([send(conn, b"bye"), close(conn, Ending::Flush), send(conn, b"too late")]);
    check_ended(&mut harness, conn);
    client.expect_end(b"bye");
}

#[test]
fn flush_waits_for_a_reader_that_needs_time() {
    let (mut harness, mut client, conn) = one();
    harness.ask([send(conn, &vec![1; MUCH]), close(conn, Ending::Flush)]);
    harness.turn();
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    assert_eq!(client.take(&mut harness, MUCH).len(), MUCH);
    check_ended(&mut harness, conn);
    client.expect_end(b"");
}

#[test]
fn a_closing_connection_that_takes_nothing_is_reset_at_the_close_deadline() {
    for ending in [Ending::Flush, Ending::Linger] {
        let (mut harness, mut client, conn) = one();
        harness.ask([send(conn, &vec![1; MUCH]), close(conn, ending)]);
        harness.pass(4999);
        assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
        harness.pass(1);
        check_ended(&mut harness, conn);
        client.expect_reset_in_the_end();
    }
}

#[test]
fn one_that_closes_while_it_stalls_ends_at_the_close_deadline_and_not_before() {
    let (mut harness, mut client, conn) = one();
    harness.ask([send(conn, &vec![1; MUCH])]);
    harness.until_quiet();
    harness.pass(119_000);
    harness.ask([close(conn, Ending::Flush)]);
    // Here it would have stalled.
    harness.pass(1_000);
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    harness.pass(4_000);
    check_ended(&mut harness, conn);
    client.expect_reset_in_the_end();
}

#[test]
fn linger_lets_a_peer_read_the_last_word_although_it_goes_on_talking() {
    let (mut harness, mut client, conn) = one();
    client.say(b"something that nobody reads");
    harness.ask([
        Effect::Pause { conn, pause: Pause::Answers },
        send(conn, b"no"),
        close(conn, Ending::Linger),
    ]);
    for _ in 0..20 {
        client.say(&[0; 1000]);
        harness.turn();
    }
    client.expect_end(b"no");
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    client.finish();
    check_ended(&mut harness, conn);
}

#[test]
fn linger_ends_at_the_close_deadline_if_the_peer_does_not() {
    let (mut harness, mut client, conn) = one();
    harness.ask([send(conn, b"no"), close(conn, Ending::Linger)]);
    client.expect_end(b"no");
    harness.pass(4999);
    assert_eq!(harness.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    harness.pass(1);
    check_ended(&mut harness, conn);
    assert_eq!(harness.reactor.metrics.closed_late.value(), 1);
}

#[test]
fn linger_after_the_peers_fin_needs_no_waiting() {
    let (mut harness, mut client, conn) = one();
    client.finish();
    harness.until_seen(&Seen::Finished(conn));
    harness.ask([send(conn, b"no"), close(conn, Ending::Linger)]);
    check_ended(&mut harness, conn);
    client.expect_end(b"no");
}

#[test]
fn abort_resets_and_drops_what_waits() {
    let (mut harness, mut client, conn) = one();
    harness.ask([send(conn, &vec![1; MUCH])]);
    harness.ask([close(conn, Ending::Abort)]);
    check_ended(&mut harness, conn);
    client.expect_reset_in_the_end();
}

#[test]
fn a_reset_ends_a_closing_connection_and_the_first_reason_stands() {
    for ending in [Ending::Flush, Ending::Linger] {
        let (mut harness, client, conn) = one();
        harness.ask([send(conn, &vec![1; MUCH]), close(conn, ending)]);
        client.reset();
        check_ended(&mut harness, conn);
    }
}

#[test]
fn a_closing_connection_hears_and_says_nothing_more() {
    let (mut harness, mut client, conn) = one();
    harness.ask([
        Effect::Arm { conn, deadline: Tick::from_millis(10) },
        Effect::Wake { conn },
        send(conn, &vec![1; MUCH]),
        close(conn, Ending::Linger),
        Effect::Close { conn, reason: CloseReason::Banned, ending: Ending::Abort },
        Effect::Arm { conn, deadline: Tick::from_millis(20) },
    ]);
    client.say(b"hello?");
    harness.pass(100);
    harness.turn();
    let about = |seen: &&Seen| !matches!(seen, Seen::Opened(..));
    assert_eq!(harness.handler.seen.iter().find(about), None);
    client.take(&mut harness, MUCH);
    client.finish();
    check_ended(&mut harness, conn);
}

#[test]
fn exit_leaves_when_the_last_connection_has_gone() {
    let (mut harness, client, conn) = one();
    let deadline = Tick::from_millis(5000);
    harness.ask([Effect::StopAccepting, Effect::Exit { deadline }]);
    assert_eq!(harness.turn_now(), ControlFlow::Continue(()));
    client.reset();
    while harness.turn_now().is_continue() {}
    assert_eq!(harness.handler.seen.last(), Some(&Seen::Closed(conn, CloseReason::Reset)));
    harness.assert_nothing_left();
}

#[test]
fn exit_leaves_at_its_deadline_and_ends_whoever_is_left() {
    let (mut harness, mut client, conn) = one();
    let deadline = Tick::from_millis(5000);
    harness.ask([Effect::Exit { deadline }]);
    harness.now = 4999;
    assert_eq!(harness.turn_now(), ControlFlow::Continue(()));
    assert_eq!(harness.reactor.time_to_wait(Tick::from_millis(4999)).unwrap().as_millis(), 1);
    harness.now = 5000;
    assert_eq!(harness.turn_now(), ControlFlow::Break(()));
    assert_eq!(harness.handler.seen.last(), Some(&Seen::Closed(conn, CloseReason::Shutdown)));
    client.expect_reset_in_the_end();
    harness.assert_nothing_left();
}

#[test]
fn once_accepting_has_stopped_the_kernel_refuses() {
    let (mut harness, _client, _) = one();
    let addr = harness.reactor.local_addr(crate::net::ListenerId(0)).unwrap();
    harness.ask([Effect::StopAccepting]);
    let error = std::net::TcpStream::connect(addr).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn connections_from_an_address_are_found_and_no_others() {
    let (mut harness, _client, conn) = one();
    let addresses = |addresses: &[&str]| -> Vec<crate::net::Network> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    };
    harness.ask([Effect::FindByAddress { addresses: addresses(&["127.0.0.9", "::1"]) }]);
    harness.turn();
    assert!(!harness.handler.seen.contains(&Seen::AddressFound(conn)));
    harness.ask([Effect::FindByAddress { addresses: addresses(&["127.0.0.9", "127.0.0.0/16"]) }]);
    harness.turn();
    assert!(harness.handler.seen.contains(&Seen::AddressFound(conn)));
}
