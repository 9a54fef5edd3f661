//! What comes from outside the sockets.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level;

use super::harness::{Harness, Seen, run_alone, silence};
use crate::net::StopSignal;

#[test]
fn the_first_signal_drains_and_the_second_stops() {
    // A process that has once watched for SIGTERM no longer dies of it, so the test has one of its
    // own.
    run_alone("reactor::tests::stop::in_a_process_that_may_be_signalled");
}

#[test]
#[ignore = "signals its process: run by the test above in a process of its own"]
fn in_a_process_that_may_be_signalled() {
    let mut harness = Harness::new(silence, |config| config.signals = true);
    low_level::raise(SIGTERM).unwrap();
    harness.until_seen(&Seen::Stop(StopSignal::Drain));
    assert_eq!(harness.count(&Seen::Stop(StopSignal::Now)), 0);
    low_level::raise(SIGINT).unwrap();
    harness.until_seen(&Seen::Stop(StopSignal::Now));
    assert_eq!(harness.handler.seen.len(), 2);
}

#[test]
fn a_waker_ends_the_wait_and_its_wakes_are_told_once() {
    let mut harness = Harness::new(silence, |_| {});
    harness.turn();
    let waker = harness.reactor.waker();
    waker.wake().unwrap();
    waker.wake().unwrap();
    let turns = harness.handler.turns;
    // It would wait for longer than the test may take.
    assert!(harness.turn_after(std::time::Duration::MAX).is_continue());
    assert_eq!(harness.handler.turns, turns + 1);
    harness.turn();
    assert_eq!(harness.handler.seen, [Seen::StoreReady]);
}
