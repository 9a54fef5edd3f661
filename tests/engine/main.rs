//! A node's link against PostgreSQL itself, whose processes are killed, paused and promoted.
//!
//! It is not among the tests that always run, since it needs PostgreSQL: `scripts/cluster` runs it.

mod driver;
mod free_port;
mod postgres;

use std::time::Duration;

use chinwag::cluster::link::bounds::WAITING_MAX;
use chinwag::cluster::link::{Lane, LinkEvent, LinkState};
use chinwag::pg::{Param, Statement};
use chinwag::time::clock::Clock;

use self::driver::{Driver, PATIENCE};
use self::postgres::Cluster;

/// A write that is waited for, as an append is.
const WRITE: Statement =
    Statement { name: "write", sql: "INSERT INTO chinwag.meta VALUES ($1, 'written')" };

/// How many writes everybody sees.
const VISIBLE: &str = "SELECT count(*) FROM chinwag.meta WHERE value = 'written'";

const COUNT: Statement = Statement { name: "count", sql: VISIBLE };

/// A cluster and a link that has been up for longer than it takes to count as steady.
fn up() -> (Cluster, Driver) {
    let cluster = Cluster::start();
    let mut driver = Driver::new(&cluster.address(), "a", 1);
    assert!(!driver.until_up(), "nothing can have changed since never");
    (cluster, driver)
}

fn write(driver: &mut Driver, tag: u64) {
    driver.ask(Lane::Writer, tag, WRITE, &[Param::Text(&format!("key {tag}"))]).unwrap();
}

fn is_answer(event: &LinkEvent, wanted: u64) -> bool {
    matches!(event, LinkEvent::Answered { tag, outcome: Ok(_) } if *tag == wanted)
}

/// How many writes are there, as the link reads it.
fn count(driver: &mut Driver) -> i64 {
    driver.ask(Lane::Reader, 9_999, COUNT, &[]).unwrap();
    let events = driver.until("count", |event| is_answer(event, 9_999));
    match events.last() {
        Some(LinkEvent::Answered { outcome: Ok(rows), .. }) => rows[0].int(0).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_primary_that_is_killed_is_followed_by_the_promoted_standby_and_no_answered_write_is_lost() {
    let (cluster, mut driver) = up();
    let answers = |events: &[LinkEvent]| {
        let is_one =
            |event: &&LinkEvent| matches!(event, LinkEvent::Answered { outcome: Ok(_), .. });
        events.iter().filter(is_one).count()
    };
    let (mut asked, mut answered) = (0, 0);
    // Some are under way when it is killed.
    while answered <= 100 {
        for _ in asked..answered + 50 {
            write(&mut driver, asked as u64);
            asked += 1;
        }
        driver.turn();
        answered += answers(&driver.events());
    }
    cluster.members[0].kill();
    let is_lost = |event: &LinkEvent| matches!(event, LinkEvent::Slow | LinkEvent::Down { .. });
    answered += answers(&driver.until("loss", is_lost));
    let promoted = cluster.promote();
    let begin = driver.now();
    assert!(driver.until_up(), "another timeline");
    let took = driver.now().since(begin);
    assert_eq!(driver.link.health().host, Some(promoted));
    let there = usize::try_from(count(&mut driver)).unwrap();
    assert!(there >= answered, "{answered} answered, {there} there");
    assert!(took.as_secs() < 10, "{took:?}");
}

#[test]
fn an_engine_that_is_started_anew_is_used_again_and_is_another() {
    let (cluster, mut driver) = up();
    write(&mut driver, 1);
    driver.until("answer", |event| is_answer(event, 1));
    cluster.members[0].stop();
    driver.go_on(100);
    cluster.members[0].start();
    assert!(driver.until_up(), "it was started since");
    assert_eq!((driver.link.health().host, count(&mut driver)), (Some(0), 1));
}

#[test]
fn an_engine_that_was_paused_is_the_same_afterwards() {
    let (cluster, mut driver) = up();
    cluster.members[0].pause();
    write(&mut driver, 1);
    let events = driver.until("loss", |event| *event == LinkEvent::Lost { tag: 1 });
    let circuit = events.iter().filter(|event| !matches!(event, LinkEvent::Lost { .. }));
    let circuit = circuit.collect::<Vec<_>>();
    assert!(matches!(circuit[..], [LinkEvent::Slow, LinkEvent::Down { .. }]), "{circuit:?}");
    driver.go_on(1_000);
    cluster.members[0].go_on();
    assert!(!driver.until_up());
    // What was lost was done all the same, and found out by who asks again.
    assert_eq!(count(&mut driver), 1);
}

#[test]
fn a_primary_that_was_paused_during_the_failover_is_not_gone_back_to() {
    let (cluster, mut driver) = up();
    cluster.members[0].pause();
    driver.until("circuit", |event| matches!(event, LinkEvent::Down { .. }));
    let promoted = cluster.promote();
    assert!(driver.until_up());
    assert_eq!(driver.link.health().host, Some(promoted));
    cluster.members[0].go_on();
    cluster.members[promoted].pause();
    driver.until("circuit", |event| matches!(event, LinkEvent::Down { .. }));
    driver.until_told("it is on timeline 1, and a standby was promoted");
    cluster.members[promoted].go_on();
    assert!(!driver.until_up());
    assert_eq!(driver.link.health().host, Some(promoted));
}

#[test]
fn while_no_standby_answers_nothing_is_confirmed_and_few_sessions_are_left_behind() {
    let cluster = Cluster::start();
    // It would cancel the wait for a standby.
    cluster.members[0].sql("ALTER ROLE chat SET statement_timeout = 300");
    let mut driver = Driver::new(&cluster.address(), "a", 1);
    driver.until_up();
    for standby in cluster.standbys() {
        standby.pause();
    }
    write(&mut driver, 1);
    driver.until("loss", |event| *event == LinkEvent::Lost { tag: 1 });
    driver.go_on(20_000);
    let faults = driver.link.health().faults.join("; ");
    assert!(faults.contains("standby"), "{faults}");
    let sessions = cluster.members[0]
        .sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'chinwag'");
    let sessions = sessions.parse::<i64>().unwrap();
    assert!((1..=WAITING_MAX + 2).contains(&sessions), "{sessions}");
    let events = driver.events();
    assert!(!events.iter().any(|event| matches!(event, LinkEvent::Up { .. })), "{events:?}");
    assert_eq!(cluster.members[0].chat_sql(VISIBLE), "0");
    for standby in cluster.standbys() {
        standby.go_on();
    }
    assert!(!driver.until_up());
    assert_eq!(count(&mut driver), 1);
}

#[test]
fn an_answer_whose_wait_for_a_standby_was_cancelled_is_held_until_a_standby_has_it() {
    let (cluster, mut driver) = up();
    for standby in cluster.standbys() {
        standby.pause();
    }
    write(&mut driver, 1);
    let cancel = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity \
                  WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT%'";
    let end = driver.now().after(PATIENCE);
    while cluster.members[0].sql(cancel) == "0" {
        assert!(driver.now() < end, "nobody waits for a standby");
        driver.turn();
    }
    driver.go_on(400);
    // It is there for all who look.
    assert_eq!(cluster.members[0].chat_sql(VISIBLE), "1");
    let events = driver.events();
    assert!(!events.iter().any(|event| matches!(event, LinkEvent::Answered { .. })), "{events:?}");
    for standby in cluster.standbys() {
        standby.go_on();
    }
    driver.until("answer", |event| is_answer(event, 1));
}

/// Two nodes go on until one of them is told that; what both were told.
#[track_caller]
fn both(
    one: &mut Driver,
    two: &mut Driver,
    is_it: &dyn Fn(&LinkEvent) -> bool,
) -> [Vec<LinkEvent>; 2] {
    let end = one.now().after(Duration::from_secs(30));
    let mut events = [Vec::new(), Vec::new()];
    loop {
        one.turn();
        two.turn();
        let mut is_there = false;
        for (events, driver) in events.iter_mut().zip([&mut *one, &mut *two]) {
            let new = driver.events();
            is_there |= new.iter().any(is_it);
            events.extend(new);
        }
        if is_there {
            return events;
        }
        assert!(one.now() < end, "it did not come: {events:?} {:?}", two.link.health());
    }
}

#[test]
fn a_node_that_is_silent_is_gone_after_ten_seconds_but_not_while_the_engine_is_away() {
    let (cluster, mut one) = up();
    let mut two = Driver::new(&cluster.address(), "b", 2);
    let is_up = |event: &LinkEvent| matches!(event, LinkEvent::Up { .. });
    both(&mut one, &mut two, &is_up);
    let ids = [one.link.health().node, two.link.health().node];
    cluster.members[0].pause();
    let end = one.now().after(Duration::from_secs(12));
    while one.now() < end {
        one.turn();
        two.turn();
    }
    cluster.members[0].go_on();
    let mut events = both(&mut one, &mut two, &is_up);
    let is_slow = |driver: &Driver| driver.link.health().state != LinkState::Up;
    if is_slow(&one) || is_slow(&two) {
        let more = both(&mut one, &mut two, &is_up);
        events.iter_mut().zip(more).for_each(|(events, more)| events.extend(more));
    }
    let is_gone = |event: &LinkEvent| matches!(event, LinkEvent::NodeGone { .. });
    assert!(!events.iter().flatten().any(is_gone), "{events:?}");
    assert_eq!([one.link.health().node, two.link.health().node], ids);
    // Now it says nothing any more, although nothing was closed.
    let (begin, node) = (Clock::start(), ids[1].unwrap());
    let silent = format!(
        "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint - beat \
         FROM chinwag.node WHERE id = {}",
        node.0
    );
    let silent: u64 = cluster.members[0].chat_sql(&silent).parse().unwrap();
    one.until("going", |event| *event == LinkEvent::NodeGone { node });
    let silent = silent + begin.micros() / 1_000;
    assert!((10_000..30_000).contains(&silent), "gone after {silent} ms of silence");
    // It comes back as another.
    two.until("up", |event| matches!(event, LinkEvent::Up { node: new, .. } if *new > node));
}

#[test]
fn nodes_hear_each_other_without_waiting_for_a_standby() {
    let (cluster, mut one) = up();
    let mut two = Driver::new(&cluster.address(), "b", 2);
    both(&mut one, &mut two, &|event| matches!(event, LinkEvent::Up { .. }));
    // Its beat is just over: nothing waits for a standby before what is told.
    for standby in cluster.standbys() {
        standby.pause();
    }
    two.link.grew([7, 3]);
    assert!(two.link.tell(&[0, 255, b'\'']));
    let (first, second) = (one.link.health().node.unwrap(), two.link.health().node.unwrap());
    assert_ne!(first, second);
    let payload = vec![0, 255, b'\''].into();
    let told = LinkEvent::Bus { node: second, payload };
    let [heard, echo] = both(&mut one, &mut two, &|event| *event == told);
    assert!(heard.contains(&LinkEvent::Grew { rooms: vec![3, 7] }), "{heard:?}");
    assert!(!echo.iter().any(|event| matches!(event, LinkEvent::Bus { .. })), "{echo:?}");
    for standby in cluster.standbys() {
        standby.go_on();
    }
    two.leave();
    both(&mut one, &mut two, &|event| *event == LinkEvent::NodeGone { node: second });
    assert_eq!(one.link.health().nodes.len(), 1);
}
