//! How connections end.

use std::ops::ControlFlow;

use super::bench::{Bench, Client, Seen, send, silence};
use crate::net::{CloseReason, ConnId, Effect, Ending};
use crate::time::Tick;

const MUCH: usize = 8 * 1024 * 1024;

fn close(conn: ConnId, ending: Ending) -> Effect {
    Effect::Close { conn, reason: CloseReason::Violation, ending }
}

/// A bench with one connection, whose ring takes much.
fn one() -> (Bench, Client, ConnId) {
    let mut bench = Bench::new(silence, |config| config.outbound_bytes_max = MUCH);
    let (client, conn) = bench.connect();
    (bench, client, conn)
}

/// The end is told once, as the last thing.
#[track_caller]
fn check_ended(bench: &mut Bench, conn: ConnId) {
    let closed = Seen::Closed(conn, CloseReason::Violation);
    bench.until_seen(&closed);
    bench.turn();
    assert_eq!((bench.count(&closed), bench.handler.seen.last()), (1, Some(&closed)));
    bench.assert_nothing_left();
}

#[test]
fn flush_sends_what_waits_and_then_fin() {
    let (mut bench, mut client, conn) = one();
    bench.ask([send(conn, b"bye"), close(conn, Ending::Flush), send(conn, b"too late")]);
    check_ended(&mut bench, conn);
    client.expect_end(b"bye");
}

#[test]
fn flush_waits_for_a_reader_that_needs_time() {
    let (mut bench, mut client, conn) = one();
    bench.ask([send(conn, &vec![1; MUCH]), close(conn, Ending::Flush)]);
    bench.turn();
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    assert_eq!(client.take(&mut bench, MUCH).len(), MUCH);
    check_ended(&mut bench, conn);
    client.expect_end(b"");
}

#[test]
fn a_closing_connection_that_takes_nothing_is_reset_at_the_close_deadline() {
    for ending in [Ending::Flush, Ending::Linger] {
        let (mut bench, mut client, conn) = one();
        bench.ask([send(conn, &vec![1; MUCH]), close(conn, ending)]);
        bench.pass(4999);
        assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
        bench.pass(1);
        check_ended(&mut bench, conn);
        client.expect_reset_in_the_end();
    }
}

#[test]
fn linger_lets_a_peer_read_the_last_word_although_it_goes_on_talking() {
    let (mut bench, mut client, conn) = one();
    client.say(b"something that nobody reads");
    bench.ask([Effect::Pause { conn }, send(conn, b"no"), close(conn, Ending::Linger)]);
    for _ in 0..20 {
        client.say(&[0; 1000]);
        bench.turn();
    }
    client.expect_end(b"no");
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    client.finish();
    check_ended(&mut bench, conn);
}

#[test]
fn linger_ends_at_the_close_deadline_if_the_peer_does_not() {
    let (mut bench, mut client, conn) = one();
    bench.ask([send(conn, b"no"), close(conn, Ending::Linger)]);
    client.expect_end(b"no");
    bench.pass(4999);
    assert_eq!(bench.count(&Seen::Closed(conn, CloseReason::Violation)), 0);
    bench.pass(1);
    check_ended(&mut bench, conn);
    assert_eq!(bench.reactor.metrics.closed_late.value(), 1);
}

#[test]
fn linger_after_the_peers_fin_needs_no_waiting() {
    let (mut bench, mut client, conn) = one();
    client.finish();
    bench.until_seen(&Seen::Finished(conn));
    bench.ask([send(conn, b"no"), close(conn, Ending::Linger)]);
    check_ended(&mut bench, conn);
    client.expect_end(b"no");
}

#[test]
fn abort_resets_and_drops_what_waits() {
    let (mut bench, mut client, conn) = one();
    bench.ask([send(conn, &vec![1; MUCH])]);
    bench.ask([close(conn, Ending::Abort)]);
    check_ended(&mut bench, conn);
    client.expect_reset_in_the_end();
}

#[test]
fn a_reset_ends_a_closing_connection_and_the_first_reason_stands() {
    for ending in [Ending::Flush, Ending::Linger] {
        let (mut bench, client, conn) = one();
        bench.ask([send(conn, &vec![1; MUCH]), close(conn, ending)]);
        client.reset();
        check_ended(&mut bench, conn);
    }
}

#[test]
fn a_closing_connection_hears_and_says_nothing_more() {
    let (mut bench, mut client, conn) = one();
    bench.ask([
        Effect::Arm { conn, deadline: Tick::from_millis(10) },
        Effect::Wake { conn },
        send(conn, &vec![1; MUCH]),
        close(conn, Ending::Linger),
        Effect::Close { conn, reason: CloseReason::Banned, ending: Ending::Abort },
        Effect::Arm { conn, deadline: Tick::from_millis(20) },
    ]);
    client.say(b"hello?");
    bench.pass(100);
    bench.turn();
    let about = |seen: &&Seen| !matches!(seen, Seen::Opened(..));
    assert_eq!(bench.handler.seen.iter().find(about), None);
    client.take(&mut bench, MUCH);
    client.finish();
    check_ended(&mut bench, conn);
}

#[test]
fn exit_leaves_when_the_last_connection_has_gone() {
    let (mut bench, client, conn) = one();
    let deadline = Tick::from_millis(5000);
    bench.ask([Effect::StopAccepting, Effect::Exit { deadline }]);
    assert_eq!(bench.turn_now(), ControlFlow::Continue(()));
    client.reset();
    while bench.turn_now().is_continue() {}
    assert_eq!(bench.handler.seen.last(), Some(&Seen::Closed(conn, CloseReason::Reset)));
    bench.assert_nothing_left();
}

#[test]
fn exit_leaves_at_its_deadline_and_ends_whoever_is_left() {
    let (mut bench, mut client, conn) = one();
    let deadline = Tick::from_millis(5000);
    bench.ask([Effect::Exit { deadline }]);
    bench.now = 4999;
    assert_eq!(bench.turn_now(), ControlFlow::Continue(()));
    assert_eq!(bench.reactor.time_to_wait(Tick::from_millis(4999)).unwrap().as_millis(), 1);
    bench.now = 5000;
    assert_eq!(bench.turn_now(), ControlFlow::Break(()));
    assert_eq!(bench.handler.seen.last(), Some(&Seen::Closed(conn, CloseReason::Shutdown)));
    client.expect_reset_in_the_end();
    bench.assert_nothing_left();
}

#[test]
fn once_accepting_has_stopped_the_kernel_refuses() {
    let (mut bench, _client, _) = one();
    let addr = bench.reactor.local_addr(crate::net::ListenerId(0)).unwrap();
    bench.ask([Effect::StopAccepting]);
    let error = std::net::TcpStream::connect(addr).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn who_is_from_an_address_that_is_sought_is_named_and_nobody_else() {
    let (mut bench, _client, conn) = one();
    let addresses = |addresses: &[&str]| -> Vec<std::net::IpAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    };
    bench.ask([Effect::Seek { addresses: addresses(&["127.0.0.9", "::1"]) }]);
    bench.turn();
    assert!(!bench.handler.seen.contains(&Seen::Sought(conn)));
    bench.ask([Effect::Seek { addresses: addresses(&["127.0.0.9", "127.0.0.1"]) }]);
    bench.turn();
    assert!(bench.handler.seen.contains(&Seen::Sought(conn)));
}
