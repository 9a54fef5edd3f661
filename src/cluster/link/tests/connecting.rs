//! Which engine is chosen, which are refused and with what words, and when it is tried again.

use super::super::LinkState;
use super::super::bounds::{BACKOFF_MAX, BACKOFF_MIN, WAITING_MAX};
use super::engine::Engine;
use super::world::World;
use crate::cluster::check::Level;
use crate::rng::Rng;

/// Something happens to an engine.
type Fault = Box<dyn Fn(&mut World)>;

const UP: &str = "up as 1 at replicated";

#[test]
fn a_link_is_up_when_a_write_was_waited_for_and_its_own_greeting_was_heard() {
    let mut world = World::new(vec![Engine::default()]);
    assert_eq!(world.events(), [UP]);
    let done =
        ["look", "identify", "version", "listen", "look", "identify", "version", "beat", "notify"];
    assert_eq!(world.engines[0].done, done);
    let health = world.link.health();
    assert_eq!(
        (health.state, health.host, &*health.version, health.nodes.len()),
        (LinkState::Up, Some(0), "15.18", 1)
    );
}

#[test]
fn of_all_hosts_the_primary_is_taken_wherever_it_stands() {
    let refusing = || Engine { refuses: true, ..Engine::default() };
    let paused = || Engine { is_paused: true, ..Engine::default() };
    let promoted = || Engine { timeline: 2, ..Engine::default() };
    for (engines, expect) in [
        (vec![Engine::default(), Engine::standby()], 0),
        (vec![Engine::standby(), Engine::standby(), Engine::default()], 2),
        (vec![refusing(), Engine::default()], 1),
        (vec![Engine::default(), paused()], 0),
        (vec![paused(), Engine::standby(), Engine::default()], 2),
        // An old primary that was not stopped.
        (vec![Engine::default(), promoted()], 1),
        (vec![promoted(), Engine::default()], 0),
    ] {
        let shown = format!("{engines:?}");
        let mut world = World::new(engines);
        // No host that does not answer is waited for.
        world.wait(150);
        assert_eq!(
            (world.events(), world.link.health().host),
            (vec![UP.into()], Some(expect)),
            "{shown}"
        );
        assert_eq!(world.open(), 2, "{shown}");
    }
}

/// Engines of which none is used, what is wanted of them, and with which words they are refused.
fn unusable() -> Vec<(Engine, Level, &'static str)> {
    vec![
        (
            Engine { refuses: true, ..Engine::default() },
            Level::Disk,
            "db0:5432: connection refused",
        ),
        (
            Engine { is_paused: true, ..Engine::default() },
            Level::Disk,
            "db0:5432: no answer within 1500 ms",
        ),
        (Engine::standby(), Level::Disk, "db0:5432: it is a standby: name the primary, too"),
        (
            Engine { version: 140_001, ..Engine::default() },
            Level::Disk,
            "db0:5432: PostgreSQL 14 is too old: use 15 or later",
        ),
        (
            Engine { schema: None, ..Engine::default() },
            Level::Disk,
            "db0:5432: it has no schema yet: run chinwag cluster init",
        ),
        (
            Engine { schema: Some("2.0"), ..Engine::default() },
            Level::Disk,
            "db0:5432: its schema has version 2, and this program knows 1: use the newer program",
        ),
        (
            Engine { is_pooler: true, ..Engine::default() },
            Level::Disk,
            "db0:5432: this is a pooler, in which no session is ours: connect to PostgreSQL \
             itself, or have it pool whole sessions without giving them numbers of its own",
        ),
        (
            Engine { locked: Some("chinwag.room is locked by session 7"), ..Engine::default() },
            Level::Disk,
            "db0:5432: chinwag.room is locked by session 7, and everything waits for that: it goes \
             on by itself when that transaction ends, or is ended by pg_terminate_backend",
        ),
        (
            Engine { fsync: false, ..Engine::default() },
            Level::Disk,
            "db0:5432: fsync is off, so that it loses what it has confirmed: set fsync = on",
        ),
    ]
}

/// The same, of those that do not confirm what they write.
fn unconfirming() -> Vec<(Engine, Level, &'static str)> {
    vec![
        (
            Engine { standby_names: "", ..Engine::default() },
            Level::Replicated,
            "db0:5432: it gives level disk, and level replicated is wanted: set \
             synchronous_standby_names = 'ANY 1 (*)' and synchronous_commit = on, on each of its \
             standbys, too",
        ),
        (
            Engine { connected: 0, ..Engine::default() },
            Level::Replicated,
            "db0:5432: each commit waits for a standby, and none is connected: start one, or have \
             commits wait for none by synchronous_standby_names = ''",
        ),
        (
            Engine { waiting: WAITING_MAX, ..Engine::default() },
            Level::Replicated,
            "db0:5432: 16 commits wait for a standby: look at the standbys that \
             synchronous_standby_names names",
        ),
        (
            Engine { holds_commits: true, ..Engine::default() },
            Level::Replicated,
            "db0:5432: a commit was not confirmed within 1500 ms: does a standby answer that \
             synchronous_standby_names names?",
        ),
        (
            Engine { write_error: Some("53100"), ..Engine::default() },
            Level::Disk,
            "db0:5432: it cannot (53100)",
        ),
        (
            Engine { is_deaf: true, ..Engine::default() },
            Level::Disk,
            "db0:5432: what is told is not heard: is that a pooler, in which no session is ours?",
        ),
    ]
}

#[test]
fn an_engine_that_cannot_be_used_is_refused_with_what_to_change() {
    for (engine, level, why) in unusable().into_iter().chain(unconfirming()) {
        let shown = format!("{engine:?}");
        let mut world = World::with(vec![engine], level, None);
        world.wait(2_000);
        let events = world.events();
        // The circuit may open before the reason is known.
        assert!(matches!(&events[..], [down] if down.starts_with("down: ")), "{events:?} {shown}");
        let health = world.link.health();
        assert_eq!(
            (health.state, health.faults),
            (LinkState::Down, vec![why.to_owned()]),
            "{shown}"
        );
        assert!(world.ask(super::super::Lane::Reader, 1, "echo").is_err(), "{shown}");
    }
}

#[test]
fn an_engine_that_could_be_better_is_used_and_says_so() {
    let engine = Engine { standby_names: "", connected: 1, ..Engine::default() };
    let mut world = World::with(vec![engine], Level::Disk, None);
    assert_eq!(world.events(), ["up as 1 at disk"]);
    let faults = world.link.health().faults;
    assert!(faults[0].contains("set synchronous_standby_names = 'ANY 1 (*)'"), "{faults:?}");
}

#[test]
fn a_clock_that_is_not_the_engines_is_said_while_that_is_so() {
    const HOUR_MS: i64 = 3_600_000;
    for (wall_ms, words) in [
        (5 * HOUR_MS, Some("db0:5432: this node's clock is 18000 s behind")),
        (-HOUR_MS, Some("db0:5432: this node's clock is 3600 s ahead of")),
        (4_000, None),
    ] {
        let mut world = World::new(vec![Engine { wall_ms, ..Engine::default() }]);
        world.wait(10_000);
        assert_eq!(world.events(), [UP]);
        let faults = world.link.health().faults;
        assert_eq!(faults.len(), usize::from(words.is_some()), "{faults:?}");
        assert!(faults.iter().all(|fault| fault.starts_with(words.unwrap())), "{faults:?}");
        world.engines[0].wall_ms = 0;
        world.wait(3_000);
        assert!(world.link.health().faults.is_empty(), "{words:?}");
    }
}

#[test]
fn a_clock_that_stands_at_the_bound_is_said_until_it_is_right() {
    let mut world = World::new(vec![Engine::default()]);
    world.wait(10_000);
    let mut is_said = Vec::new();
    for wall_ms in [4_900, 5_100, 4_900, 5_100, 2_600, 2_400, 4_900] {
        world.engines[0].wall_ms = wall_ms;
        world.wait(3_000);
        is_said.push(!world.link.health().faults.is_empty());
    }
    assert_eq!(is_said, [false, true, true, true, true, false, false]);
}

#[test]
fn the_hosts_are_tried_again_the_later_the_longer_they_are_away() {
    let engine = Engine { refuses: true, ..Engine::default() };
    let mut world = World::new(vec![engine]);
    world.wait(300_000);
    let pauses = world.attempts.windows(2).map(|pair| (pair[1].0, pair[1].0 - pair[0].0));
    let pauses = pauses.collect::<Vec<_>>();
    let (least, most) = (BACKOFF_MIN.as_millis(), BACKOFF_MAX.as_millis());
    for (at, pause) in &pauses {
        assert!((least * 3 / 4..=most).contains(&u128::from(*pause)), "{pause} at {at}");
        // Whenever the engine comes back, it is found soon after.
        assert!(*pause <= 250.max(at / 32), "{pause} at {at}");
    }
    assert!(pauses.iter().any(|(_, pause)| *pause > 3_500), "{pauses:?}");
    let mut different = pauses.iter().take(10).map(|(_, pause)| *pause).collect::<Vec<_>>();
    different.sort_unstable();
    different.dedup();
    assert!(different.len() > 5, "no jitter: {different:?}");
    // It comes back.
    world.engines[0].refuses = false;
    world.wait(4_000);
    let events = world.events();
    assert_eq!(events, ["down: db0:5432: connection refused", UP]);
}

#[test]
fn each_failover_ends_up_again_and_says_whether_anything_may_have_changed() {
    let promoted = |world: &mut World| {
        world.engines[0].refuses = true;
        world.engines[1] = Engine { timeline: 2, started: 900, ..Engine::default() };
        world.engines[1].own_node = Some(1);
    };
    let cases: [(&str, Fault, Fault, u64, &str); 5] = [
        (
            "the primary is killed and a standby promoted",
            Box::new(|world| {
                world.engines[0].refuses = true;
                world.break_all(0);
            }),
            Box::new(promoted),
            500,
            "up as 1 at replicated, changed",
        ),
        (
            "the primary is paused and a standby promoted",
            Box::new(|world| world.engines[0].is_paused = true),
            Box::new(promoted),
            3_000,
            "up as 1 at replicated, changed",
        ),
        (
            "the primary is started anew",
            Box::new(|world| {
                world.engines[0].refuses = true;
                world.break_all(0);
            }),
            Box::new(|world| {
                world.engines[0].refuses = false;
                world.engines[0].started = 2_000;
            }),
            500,
            "up as 1 at replicated, changed",
        ),
        (
            "the primary is paused and goes on",
            Box::new(|world| world.engines[0].is_paused = true),
            Box::new(|world| world.engines[0].is_paused = false),
            3_000,
            UP,
        ),
        (
            "the connections are cut",
            Box::new(|world| world.break_all(0)),
            Box::new(|_| ()),
            500,
            UP,
        ),
    ];
    for (case, fault, mend, away, expect) in cases {
        let mut world = World::new(vec![Engine::default(), Engine::standby()]);
        world.wait(10_000);
        world.events();
        fault(&mut world);
        world.wait(away);
        mend(&mut world);
        world.wait(2_000);
        let events = world.events();
        assert_eq!(events.first().map(String::as_str), Some("slow"), "{case}: {events:?}");
        assert_eq!(events.last().map(String::as_str), Some(expect), "{case}: {events:?}");
        let downs = events.iter().filter(|event| event.starts_with("down")).count();
        assert_eq!(downs, usize::from(away > 1_000), "{case}: {events:?}");
        assert_eq!(world.open(), 2, "{case}");
    }
}

#[test]
fn a_standby_that_is_promoted_is_found_while_the_old_primary_takes_connections_and_is_silent() {
    let mut world = World::new(vec![Engine::default(), Engine::standby()]);
    world.wait(10_000);
    world.events();
    world.engines[0].is_paused = true;
    world.ask(super::super::Lane::Writer, 1, "append").unwrap();
    for (round, after) in (2..).zip([2_000, 3_100, 4_700, 5_550]) {
        world.wait(after);
        let engine = &mut world.engines[1];
        (engine.is_standby, engine.timeline) = (false, round);
        // A pause, a 32nd of 17 s at most, and what the silent one is waited for.
        world.wait(650);
        assert_eq!(world.link.health().host, Some(1), "{after}");
        world.engines[1].is_standby = true;
        world.break_all(1);
    }
}

#[test]
fn a_primary_that_a_failover_has_left_behind_is_never_taken_again() {
    let engines = vec![Engine { timeline: 2, ..Engine::default() }, Engine::default()];
    let mut world = World::new(engines);
    world.wait(5_000);
    world.engines[0].refuses = true;
    world.break_all(0);
    world.wait(5_000);
    let faults = world.link.health().faults.join("; ");
    assert!(faults.contains("timeline 1, and a standby was promoted to timeline 2"), "{faults}");
    world.engines[0].refuses = false;
    world.wait(1_000);
    assert_eq!(world.link.health().host, Some(0));
}

#[test]
fn any_split_of_the_bytes_gives_the_same() {
    let run = |pieces: Option<Rng>| {
        let engines = vec![Engine::standby(), Engine { nodes: vec![4], ..Engine::default() }];
        let mut world = World::with(engines, Level::Replicated, pieces);
        world.wait(20);
        for tag in 0..20 {
            let lane =
                if tag % 3 == 0 { super::super::Lane::Reader } else { super::super::Lane::Writer };
            let name = ["echo", "append", "bad"][usize::try_from(tag % 3).unwrap()];
            world.ask(lane, tag, name).unwrap();
            world.link.grew([3, i64::try_from(tag).unwrap()]);
            world.link.tell(b"x");
        }
        world.wait(5_000);
        world.engines[1].warning = Some(("01000", "canceling wait"));
        world.ask(super::super::Lane::Writer, 50, "append").unwrap();
        world.wait(3_000);
        (world.events(), world.engines[1].done.clone(), world.attempts.clone())
    };
    let whole = run(None);
    assert!(whole.0.len() > 20, "{:?}", whole.0);
    for seed in 0..100 {
        assert_eq!(run(Some(Rng::new(seed))), whole, "seed {seed}");
    }
}
