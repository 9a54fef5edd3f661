//! How a run is shared out among processes: whole rooms to each, so that each verifies all of what
//! it gets.

use crate::args::Args;
use crate::choices::Kind;
use crate::failure::Failure;
use crate::plan::{Layout, Load, Plan};
use crate::results::float;
use crate::share::{PROCESSES_MAX, Share};

/// Refuses to have several processes do what only one can verify.
pub(crate) fn check(args: &Args) -> Result<(), Failure> {
    if args.processes.is_some_and(|count| count > 1) && !is_divisible(args) {
        return Err(Failure::Wrong(format!(
            "--processes is for idle, fanout, echo, handshake, and direct without --background; \
             not for this {}: one process must see all of it",
            args.scenario.name()
        )));
    }
    Ok(())
}

fn is_divisible(args: &Args) -> bool {
    match args.scenario {
        Kind::Idle | Kind::Fanout | Kind::Echo | Kind::Handshake => true,
        Kind::Direct => args.background.unwrap_or(0) == 0,
        Kind::Churn | Kind::Slow | Kind::Storm | Kind::History | Kind::Mixed => false,
    }
}

/// How many processes are to do it: as many as were asked for, or as few as have descriptors for
/// all connections, where one process may have `fit` of them.
pub(crate) fn processes(args: &Args, plan: &Plan, fit: u64) -> Result<u32, Failure> {
    let wanted = plan.connections;
    let fits = |count: u32| u64::from(largest(args.scenario, plan, count)) <= fit;
    let (units, name) = units(args.scenario, plan);
    match args.processes {
        Some(count) if count > units => Err(Failure::Wrong(format!(
            "--processes {count} is more than there are {name} ({units}), and none can be split among processes"
        ))),
        Some(count) if fits(count) => Ok(count),
        Some(count) => Err(Failure::Failed(format!(
            "{wanted} connections in {count} processes are more than the {fit} that each may have: \
             take more --processes, or raise the hard limit of open files"
        ))),
        None if fits(1) => Ok(1),
        None if !is_divisible(args) => Err(Failure::Failed(format!(
            "{wanted} connections are more than the {fit} that this process may have: raise the \
             hard limit of open files"
        ))),
        None => (2..=units.min(PROCESSES_MAX)).find(|count| fits(*count)).ok_or_else(|| {
            Failure::Wrong(format!(
                "{wanted} connections are more than the {fit} that a process may have, and too few \
                 {name} ({units}), which cannot be split among processes: take more of them, or \
                 raise the hard limit of open files"
            ))
        }),
    }
}

/// What is shared out, and what it is called.
fn units(kind: Kind, plan: &Plan) -> (u32, &'static str) {
    match (&plan.layout, kind) {
        (_, Kind::Handshake) => (plan.connections, "connections"),
        (Layout::Pairs(pairs), _) => (*pairs, "pairs"),
        _ => (plan.rooms, "rooms"),
    }
}

/// The connections of the largest part.
fn largest(kind: Kind, plan: &Plan, count: u32) -> u32 {
    if count == 1 {
        return plan.connections;
    }
    // Rooms that have one more come first, and so do parts that have one more.
    extent(kind, plan, Share::new(0, count)).connections
}

/// What a part has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    first_peer: u32,
    connections: u32,
    first_room: u32,
    rooms: u32,
}

fn extent(kind: Kind, plan: &Plan, share: Share) -> Extent {
    let (first, len) = share.of(units(kind, plan).0);
    if kind == Kind::Handshake {
        // Nobody joins: they may all be of the same rooms.
        let rooms = plan.rooms.min(len);
        return Extent { first_peer: first, connections: len, first_room: 0, rooms };
    }
    let (each, left) = (plan.connections / plan.rooms, plan.connections % plan.rooms);
    let before = |room: u32| room * each + room.min(left);
    let first_peer = before(first);
    let connections = before(first + len) - first_peer;
    Extent { first_peer, connections, first_room: first, rooms: len }
}

/// The part of a plan that a process does.
pub(crate) fn take(kind: Kind, plan: Plan, share: Share) -> Plan {
    let Extent { first_peer, connections, first_room, rooms } = extent(kind, &plan, share);
    let (layout, is_everybody) = match plan.layout {
        Layout::Pairs(_) => (Layout::Pairs(rooms), true),
        Layout::Even | Layout::Listed(_) => (Layout::Even, plan.everybody_sends()),
    };
    let (part, whole) =
        if is_everybody { (connections, plan.connections) } else { (rooms, plan.rooms) };
    let load = match plan.load {
        Load::Rate(per_s) => Load::Rate(per_s * float(part.into()) / float(whole.into())),
        window @ Load::Window(_) => window,
    };
    let at_a_time = plan.at_a_time.div_ceil(share.count);
    Plan { connections, first_peer, first_room, rooms, layout, load, at_a_time, ..plan }
}

#[cfg(test)]
mod tests;
