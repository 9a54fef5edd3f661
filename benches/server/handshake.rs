//! Coming in: connecting, saying hello and joining; and workload E.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::load::Load;
use crate::peer::{Peer, frame};
use crate::report::Report;
use crate::{Bench, Outcome};

/// Connections that come in at a time.
const AT_A_TIME: usize = 64;

/// Opens `count` connections, a few at a time, and tells what that costs.
pub(crate) fn connect(bench: &Bench, count: usize, report: Option<&mut Report>) -> Outcome<Crowd> {
    let mut crowd = Crowd::new()?;
    let began = bench.now()?;
    let mut upgraded = 0;
    while upgraded < count {
        while crowd.peers.len() < count.min(upgraded + AT_A_TIME) {
            crowd.add(Peer::connect(bench.server.addr(), crowd.peers.len())?)?;
        }
        crowd.until(&bench.clock, |_, _, seen| {
            upgraded += usize::from(seen.upgraded);
            Ok(true)
        })?;
    }
    if let Some(report) = report {
        let spent = bench.since(began)?;
        report.add("connect_per_s", spent.per_second(count), "connections opened a second");
        report.add("connect_us", spent.us_each(count), "µs of server CPU for each");
    }
    Ok(crowd)
}

/// Has everybody say hello and join their room of `load`, a few at a time, and tells what that costs.
pub(crate) fn join(
    bench: &Bench,
    crowd: &mut Crowd,
    load: Load,
    report: Option<&mut Report>,
) -> Outcome<()> {
    let count = crowd.peers.len();
    let began = bench.now()?;
    let (mut asked, mut replies) = (0, 0);
    while replies < 2 * count {
        while asked < count.min(replies / 2 + AT_A_TIME) {
            let peer = crowd.peers.get_mut(asked).ok_or("no such connection")?;
            let room = load.room_of(asked);
            let mut requests = frame(&format!(r#"{{"op":"hello","id":1,"name":"u{asked}"}}"#));
            requests.extend(frame(&format!(r#"{{"op":"join","id":2,"room":"r{room}"}}"#)));
            peer.watch_own(&format!("u{asked}"));
            peer.write(&requests)?;
            asked += 1;
        }
        crowd.until(&bench.clock, |_, _, seen| {
            replies += usize::try_from(seen.replies)?;
            Ok(seen.replies > 0)
        })?;
    }
    if let Some(report) = report {
        let spent = bench.since(began)?;
        report.add("join_per_s", spent.per_second(count), "hello and join a second");
        report.add("join_us", spent.us_each(count), "µs of server CPU for both, presence included");
    }
    Ok(())
}

/// Workload E: connect, upgrade, close, [`AT_A_TIME`] at a time.
pub(crate) fn churn(bench: &Bench, report: &mut Report) -> Outcome<()> {
    let addr = bench.server.addr();
    let mut crowd = Crowd::new()?;
    for number in 0..AT_A_TIME {
        crowd.add(Peer::connect(addr, number)?)?;
    }
    let mut number = AT_A_TIME;
    let began = bench.now()?;
    let end = began.us + bench.seconds * 1_000_000;
    let mut count = 0;
    let mut upgraded = Vec::new();
    while bench.clock.micros() < end {
        crowd.turn(Duration::from_secs(1), |index, _, seen| {
            if seen.upgraded {
                upgraded.push(index);
            }
            Ok(())
        })?;
        count += upgraded.len();
        for index in upgraded.drain(..) {
            crowd.replace(index, Peer::connect(addr, number)?)?;
            number += 1;
        }
    }
    let spent = bench.since(began)?;
    report.add("e_per_s", spent.per_second(count), "E: connect, upgrade, close a second");
    report.add("e_us", spent.us_each(count), "E: µs of server CPU for each");
    Ok(())
}
