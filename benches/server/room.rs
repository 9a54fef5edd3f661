//! Everybody in one room: what a connection costs to open, to keep and to speak to.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::handshake;
use crate::load::{self, Load, Sender};
use crate::process::Kernel;
use crate::report::{Report, each, median};
use crate::{Bench, Outcome, Plan};

/// Messages that are sent one at a time.
const SINGLE: usize = 20;

pub(crate) fn measure(bench: &Bench, plan: &Plan, report: &mut Report) -> Outcome<()> {
    let (server, clock) = (&bench.server, &bench.clock);
    let count = plan.connections;
    let text_len = plan.text_len.unwrap_or(128);
    let load = Load { rooms: 1, members: count, all_send: false, window: 4, text_len };

    let (resident, kernel) = (server.resident()?, Kernel::now()?);
    let mut crowd = handshake::connect(bench, count, Some(report))?;
    let open = server.resident()?;
    handshake::join(bench, &mut crowd, load, Some(report))?;
    crowd.settle(clock)?;
    let (joined, kernel_after) = (server.resident()?, Kernel::now()?);
    report.add("open_bytes", each(open, resident, count), "bytes of user memory, upgraded");
    report.add("user_bytes", each(joined, resident, count), "bytes of user memory, named, joined");
    let slabs = each(kernel_after.slabs, kernel.slabs, count);
    report.add(
        "slab_bytes",
        slabs,
        "bytes of the kernel's slabs, both ends and all else that runs",
    );
    let buffers = each(kernel_after.buffers, kernel.buffers, count);
    report.add("buffer_bytes", buffers, "bytes of sockets' buffers, both ends (sockstat)");

    if plan.idle_s > 0 {
        idle(bench, &mut crowd, plan.idle_s, report)?;
    }
    single(bench, &mut crowd, &load, report)?;
    load::run(bench, &mut crowd, ("C", load), report)?;
    crowd.check(|_| 0)?;
    report.add(
        "busy_bytes",
        each(server.resident()?, resident, count),
        "bytes of user memory, after all",
    );
    Ok(())
}

/// Lets time pass in which the server has nothing to do but to ask who is still there.
fn idle(bench: &Bench, crowd: &mut Crowd, idle_s: u64, report: &mut Report) -> Outcome<()> {
    let began = bench.now()?;
    let end = began.us + idle_s * 1_000_000;
    let mut pings = 0;
    while bench.clock.micros() < end {
        let left = Duration::from_micros(end.saturating_sub(bench.clock.micros()));
        pings += crowd.turn(left, |_, _, _| Ok(()))?.pings;
    }
    let spent = bench.since(began)?;
    report.add("idle_busy", spent.busy(), "% of a core while nobody speaks");
    let pings = usize::try_from(pings)?;
    report.add(
        "ping_us",
        spent.us_each(pings),
        &format!("µs of server CPU for each of {pings} pings"),
    );
    Ok(())
}

/// Sends messages one at a time, each when everybody has got the one before.
fn single(bench: &Bench, crowd: &mut Crowd, load: &Load, report: &mut Report) -> Outcome<()> {
    let count = load.members;
    let sender = Sender::new(load, 0);
    let mut times = Vec::with_capacity(SINGLE);
    let began = bench.now()?;
    for _ in 0..SINGLE {
        let (sent_at, mut told) = (bench.clock.micros(), 0);
        let first = crowd.peers.first_mut().ok_or("nobody there")?;
        sender.send(first, 1)?;
        crowd.until(&bench.clock, |_, _, seen| {
            told += seen.messages;
            Ok(usize::try_from(told)? == count)
        })?;
        times.push(bench.clock.micros() - sent_at);
    }
    let spent = bench.since(began)?;
    report.add("single_ms", median(&mut times) / 1000.0, "ms from a message to its last delivery");
    report.add("single_us", spent.us_each(SINGLE * count), "µs of server CPU for each delivery");
    Ok(())
}
