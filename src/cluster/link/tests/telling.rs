//! What nodes tell each other.

use super::super::frame::FrameWriter;
use super::super::{Lane, NodeRow};
use super::engine::Engine;
use super::world::World;
use crate::chat::model::other_nodes::NodeId;

/// A link that is up, with node 8 beside it.
fn up() -> World {
    let mut world = World::new(vec![Engine { nodes: vec![8], next_node: 20, ..Engine::default() }]);
    assert_eq!(world.events(), ["up as 20 at replicated", "8 begins"]);
    world.wait(100);
    world
}

/// Another node tells.
fn tell(world: &mut World, node: u64, write: impl Fn(&mut FrameWriter)) {
    let mut frame = FrameWriter::new(NodeId(node), 1);
    write(&mut frame);
    world.engines[0].notify(&frame.payload());
    world.run();
}

fn notifies(world: &World) -> usize {
    world.engines[0].done.iter().filter(|name| *name == "notify").count()
}

#[test]
fn what_another_node_tells_is_reported() {
    let mut world = up();
    tell(&mut world, 8, |frame| {
        frame.beat();
        frame.grew([3, 4, 70_000].into_iter());
        frame.message(b"hi");
    });
    assert_eq!(world.events(), ["grew [3, 4, 70000]", "8 tells b\"hi\""]);
    tell(&mut world, 8, FrameWriter::hello);
    tell(&mut world, 9, |frame| frame.message(b"ho"));
    assert_eq!(world.events(), ["8 begins", "9 begins", "9 tells b\"ho\""]);
    for other in ["", "hello", "{\"room\": 3}"] {
        world.engines[0].notify(other);
    }
    world.run();
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn what_we_tell_goes_out_behind_the_append_at_most_once_in_five_milliseconds() {
    let mut world = up();
    let before = notifies(&world);
    for nth in 0..100 {
        world.ask(Lane::Writer, nth, "append").unwrap();
        world.link.grew([i64::try_from(nth).unwrap()]);
        assert!(world.link.tell(b"x"));
        world.wait(1);
    }
    world.wait(5);
    let done = &world.engines[0].done;
    let first = done.iter().position(|name| name == "append").unwrap();
    assert_eq!(done[first + 1], "notify");
    assert_eq!(notifies(&world) - before, 21);
    // What we have told ourselves is no news.
    assert!(world.events().iter().all(|event| event.ends_with(": 1 rows")));
}

#[test]
fn nodes_come_and_go_with_the_registry() {
    let mut world = up();
    world.engines[0].nodes = vec![8, 12];
    world.wait(2_000);
    assert_eq!(world.events(), ["12 begins"]);
    world.engines[0].nodes = vec![12];
    world.wait(2_000);
    assert_eq!(world.events(), ["8 is gone"]);
    let ids = |rows: &[NodeRow]| rows.iter().map(|row| (row.id.0, row.is_own)).collect::<Vec<_>>();
    assert_eq!(ids(&world.link.health().nodes), [(12, false), (20, true)]);
}

#[test]
fn a_node_that_was_away_for_too_long_gets_another_number() {
    let mut world = up();
    world.engines[0].own_node = None;
    world.engines[0].next_node = 31;
    world.wait(2_000);
    assert_eq!(world.link.health().node, Some(NodeId(31)));
    // It is told at once, without a new connection; the others have taken it for gone.
    assert_eq!(world.events(), ["up as 31 at replicated", "8 begins"]);
    assert_eq!(world.attempts.len(), 2);
}

#[test]
fn nodes_are_greeted_again_after_each_new_connection_and_those_that_went_meanwhile_are_gone() {
    let mut world = up();
    world.engines[0].nodes = vec![9];
    world.break_all(0);
    assert!(!world.link.tell(b"in vain"));
    world.wait(1_000);
    assert_eq!(world.events(), ["slow", "8 is gone", "up as 20 at replicated", "9 begins"]);
}

#[test]
fn a_listener_that_hears_nothing_is_found_by_its_own_beat() {
    let mut world = up();
    world.engines[0].is_deaf = true;
    world.wait(3_900);
    let events = world.events();
    assert_eq!(events.first().map(String::as_str), Some("slow"), "{events:?}");
    let faults = world.link.health().faults.join("; ");
    assert!(faults.contains("what is told is not heard"), "{faults}");
    world.engines[0].is_deaf = false;
    world.wait(3_000);
    assert_eq!(world.events().last().map(String::as_str), Some("8 begins"));
}

#[test]
fn a_listener_that_is_busy_with_a_read_is_not_deaf() {
    let mut world = up();
    world.engines[0].hold_reads(true);
    world.ask(Lane::Reader, 7, "echo").unwrap();
    world.wait(3_500);
    world.engines[0].hold_reads(false);
    world.wait(1_000);
    assert_eq!(world.events(), ["7: 1 rows"]);
}
