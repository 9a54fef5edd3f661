//! What is asked and answered, when nothing comes, and what is held back until it is confirmed.

use super::super::bounds::ASKS_MAX;
use super::super::{Lane, LinkState, NotAsked};
use super::engine::Engine;
use super::world::World;

/// A link that has been up for ten seconds.
fn up() -> World {
    let mut world = World::new(vec![Engine::default()]);
    world.wait(10_100);
    assert_eq!(world.events(), ["up as 1 at replicated"]);
    world
}

const LANES: [Lane; 3] = [Lane::Writer, Lane::Reader, Lane::Bus];

/// The same with a bus, where something was just asked of each connection.
fn asked() -> World {
    let mut world = World::with_bus(vec![Engine::default()]);
    world.wait(10_100);
    assert_eq!(world.events(), ["up as 1 at replicated"]);
    world.ask(Lane::Writer, 7, "append").unwrap();
    world.ask(Lane::Reader, 8, "echo").unwrap();
    assert!(world.link.mention(b"typing"));
    world
}

#[test]
fn requests_are_answered_by_their_tags_in_the_order_of_their_lane() {
    let mut world = up();
    for (lane, tag, name) in [
        (Lane::Writer, 7, "append"),
        (Lane::Writer, 8, "bad"),
        (Lane::Writer, 9, "append"),
        (Lane::Reader, 1, "echo"),
    ] {
        assert_eq!(world.ask(lane, tag, name), Ok(()));
    }
    let sent = world.sent;
    world.run();
    // One after the other, in one piece for each lane.
    assert_eq!(world.sent - sent, 2);
    let mut events = world.events();
    events.sort();
    assert_eq!(events, ["1: 1 rows", "7: 1 rows", "8: 42601", "9: 1 rows"]);
}

#[test]
fn a_request_without_an_answer_opens_the_circuit_and_is_lost_in_the_end() {
    for (lane, name, after) in [
        (
            Lane::Writer,
            "append",
            [
                (0, vec![]),
                (299, vec![]),
                (300, vec!["slow"]),
                (999, vec![]),
                (1_000, vec!["down: db0:5432: no answer to a write for 1000 ms"]),
                (1_499, vec![]),
                (1_500, vec!["7: lost"]),
            ],
        ),
        // Whether it is the read or the engine, a beat tells.
        (
            Lane::Reader,
            "echo",
            [
                (0, vec![]),
                (599, vec![]),
                (600, vec!["slow"]),
                (1_299, vec![]),
                (1_300, vec!["down: db0:5432: no answer to a write for 1000 ms"]),
                (1_799, vec![]),
                (1_800, vec!["7: lost"]),
            ],
        ),
    ] {
        let mut world = up();
        world.engines[0].is_paused = true;
        world.ask(lane, 7, name).unwrap();
        let begin = world.now;
        for (at, expect) in after {
            world.wait(begin + at - world.now);
            assert_eq!(world.events(), expect, "{name} at {at}");
        }
        assert_eq!(world.ask(lane, 8, name), Err(NotAsked::Down));
        world.engines[0].is_paused = false;
        world.wait(2_000);
        assert_eq!(world.events(), ["up as 1 at replicated"]);
    }
}

#[test]
fn an_engine_that_was_slow_is_up_again_with_its_answer_and_no_connection_is_made_anew() {
    for (silence, expect) in [
        (200, vec!["7: 1 rows"]),
        (400, vec!["slow", "7: 1 rows", "up as 1 at replicated"]),
        (
            1_200,
            vec![
                "slow",
                "down: db0:5432: no answer to a write for 1000 ms",
                "7: 1 rows",
                "up as 1 at replicated",
            ],
        ),
    ] {
        let mut world = up();
        world.engines[0].holds_commits = true;
        world.ask(Lane::Writer, 7, "append").unwrap();
        world.wait(silence);
        world.engines[0].holds_commits = false;
        world.run();
        assert_eq!(
            (world.events(), world.attempts.len()),
            (expect.iter().map(ToString::to_string).collect(), 2)
        );
    }
}

#[test]
fn what_lies_in_the_sockets_after_a_pause_of_this_process_is_not_late() {
    // Right behind a deadline, and so late that it cannot have been waited for.
    let pauses = [301, 60_000].into_iter();
    for (pause, last) in pauses.flat_map(|pause| LANES.map(|last| (pause, last))) {
        let mut world = asked();
        world.pause(pause, last);
        let mut events = world.events();
        events.sort();
        assert_eq!(events, ["7: 1 rows", "8: 1 rows"], "{pause}, {last:?} last");
        assert_eq!((world.attempts.len(), world.bus_attempts.len()), (2, 1));
    }
}

#[test]
fn what_was_asked_right_before_a_pause_of_this_process_has_its_time_after_it() {
    for (pause, is_sent) in [(600, false), (1_600, false), (800, true), (60_000, true)] {
        let mut world = asked();
        if is_sent {
            world.send();
        }
        world.stand_still(pause);
        let mut events = world.events();
        events.sort();
        assert_eq!(events, ["7: 1 rows", "8: 1 rows"], "{pause}");
        assert_eq!((world.attempts.len(), world.bus_attempts.len()), (2, 1), "{pause}");
    }
    // And no more than that.
    let mut world = asked();
    world.engines[0].is_paused = true;
    world.stand_still(60_000);
    world.wait(1_499);
    assert_eq!(world.events(), ["slow", "down: db0:5432: no answer to a write for 1000 ms"]);
    world.wait(1);
    assert_eq!(world.events(), ["7: lost", "8: lost"]);
}

#[test]
fn a_pause_of_this_process_is_no_answer_and_is_allowed_for_once() {
    for (before, events) in [(0, 0), (400, 1), (1_100, 2)] {
        let mut world = asked();
        world.engines[0].is_paused = true;
        world.wait(before);
        assert_eq!(world.events().len(), events, "{before}");
        world.stand_still(60_000);
        assert_eq!(world.events(), [""; 0], "{before}");
        world.stand_still(60_000);
        let said = world.events();
        assert!(said.iter().any(|event| event == "7: lost"), "{before}: {said:?}");
    }
}

#[test]
fn a_long_read_is_no_fault_of_the_engine_until_its_own_deadline() {
    let mut world = up();
    // Only the reader's answers do not come: nobody else asks it.
    world.engines[0].hold_reads(true);
    world.ask(Lane::Reader, 7, "echo").unwrap();
    world.wait(3_990);
    assert_eq!(world.events(), [""; 0]);
    world.wait(20);
    assert_eq!(world.events(), ["slow", "7: lost"]);
    world.engines[0].hold_reads(false);
    world.wait(1_000);
    assert_eq!(world.events(), ["up as 1 at replicated"]);
}

#[test]
fn a_connection_that_breaks_loses_what_waits_and_is_made_anew_at_once() {
    let mut world = up();
    world.engines[0].holds_commits = true;
    for tag in 1..4 {
        world.ask(Lane::Writer, tag, "append").unwrap();
    }
    world.run();
    world.engines[0].holds_commits = false;
    world.break_all(0);
    assert_eq!(world.events(), ["slow", "1: lost", "2: lost", "3: lost"]);
    world.wait(60);
    assert_eq!(world.events(), ["up as 1 at replicated"]);
}

#[test]
fn after_a_wait_for_a_standby_was_cancelled_nothing_is_handed_up_before_a_write_is_confirmed() {
    for code in ["01000", "57P01"] {
        let mut world = up();
        world.engines[0].warning = Some((code, "the wait was cancelled"));
        world.ask(Lane::Writer, 7, "append").unwrap();
        world.run();
        assert_eq!(world.events(), ["7: 1 rows"]);
        let done = &world.engines[0].done;
        assert_eq!(done[done.len() - 3..], ["append", "beat", "notify"]);

        world.engines[0].warning = Some((code, "the wait was cancelled"));
        world.ask(Lane::Writer, 8, "append").unwrap();
        world.engines[0].holds_after(1);
        world.run();
        // What is read in between is held as well: it may be what was not confirmed.
        world.ask(Lane::Reader, 9, "echo").unwrap();
        world.run();
        assert_eq!(world.events(), [""; 0]);
        world.engines[0].holds_commits = false;
        world.run();
        assert_eq!(world.events(), ["8: 1 rows", "9: 1 rows"]);

        // Held answers of a connection that breaks are lost.
        world.engines[0].warning = Some((code, "the wait was cancelled"));
        world.ask(Lane::Writer, 10, "append").unwrap();
        world.engines[0].holds_after(1);
        world.run();
        world.break_all(0);
        assert_eq!(world.events(), ["slow", "10: lost"]);
    }
}

#[test]
fn a_barrier_whose_own_wait_was_cancelled_is_none() {
    let mut world = up();
    world.engines[0].warning = Some(("01000", "cancelled"));
    world.ask(Lane::Writer, 7, "append").unwrap();
    world.engines[0].holds_after(1);
    world.run();
    world.engines[0].warning = Some(("01000", "cancelled"));
    world.engines[0].holds_after(1);
    world.run();
    assert_eq!(world.events(), [""; 0]);
    world.engines[0].holds_commits = false;
    world.run();
    assert_eq!(world.events(), ["7: 1 rows"]);
}

#[test]
fn a_primary_that_takes_no_writes_any_more_is_left() {
    for code in ["25006", "57P01", "57P03"] {
        let mut world = up();
        world.engines[0].write_error = Some(code);
        // All three are answered in one piece.
        for (tag, name) in [(7, "append"), (8, "echo"), (9, "append")] {
            world.ask(Lane::Writer, tag, name).unwrap();
        }
        world.run();
        assert_eq!(world.events(), ["slow", "7: lost", "8: lost", "9: lost"], "{code}");
        assert_eq!(world.link.health().faults, [format!("db0:5432: it cannot ({code})")]);
    }
}

#[test]
fn settings_that_change_are_looked_at_again() {
    let mut world = up();
    world.engines[0].standby_names = "";
    world.wait(4_000);
    let events = world.events();
    assert!(events[0] == "slow" && events[1].contains("it gives level disk"), "{events:?}");
}

#[test]
fn an_engine_at_rest_is_written_to_every_two_seconds() {
    let mut world = up();
    let beats = |world: &World| world.engines[0].done.iter().filter(|name| *name == "beat").count();
    let before = beats(&world);
    world.wait(20_000);
    assert_eq!(beats(&world) - before, 10);
    assert_eq!((world.events(), world.attempts.len()), (vec![], 2));
    assert!(world.link.health().beat_ms.is_some());
}

#[test]
fn more_requests_than_may_wait_are_refused_and_the_link_s_own_still_fit() {
    let mut world = up();
    world.engines[0].is_paused = true;
    for tag in 0..u64::try_from(ASKS_MAX).unwrap() {
        world.ask(Lane::Writer, tag, "append").unwrap();
    }
    assert_eq!(world.ask(Lane::Writer, 0, "append"), Err(NotAsked::Busy));
    world.engines[0].is_paused = false;
    world.wait(5_000);
    let events = world.events();
    assert_eq!((events.len(), world.link.health().state), (ASKS_MAX, LinkState::Up));
}

#[test]
fn a_node_that_stops_leaves_the_registry_and_does_not_come_back() {
    let mut world = up();
    world.leave();
    // Its connections are needed until the engine has confirmed that.
    assert!(world.link.is_leaving());
    world.run();
    assert!(!world.link.is_leaving());
    world.wait(5_000);
    let engine = &world.engines[0];
    assert_eq!((engine.own_node, engine.done.last().map(String::as_str)), (None, Some("leave")));
}
