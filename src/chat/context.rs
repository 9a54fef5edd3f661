//! What every part of the domain is given: the bounds, the time, the timers, and where outputs and
//! requests go.

use std::collections::{BTreeSet, VecDeque};

use super::keys::{RoomKey, UserKey};
use super::model::event::Event;
use super::model::limits::Limits;
use super::model::log::{LogId, LogRequest};
use super::model::name::{RoomName, UserName};
use super::model::other_nodes::NodeId;
use super::model::output::{Output, Request};
use super::model::pressure::Pressure;
use super::model::reply::{Refusal, Reply};
use super::model::stats::Stats;
use super::model::webhook::{EventSet, Notice, NoticeKind};
use crate::net::ConnId;
use crate::time::clock::Now;
use crate::time::wall_watch::WallWatch;
use crate::time::wheel::TimerWheel;

/// The purpose of one of the domain's deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// A user's leave grace ends, or the time after which a guest's memberships end.
    UserAbsent(UserKey),
    /// A room's presence, typing or receipts have been gathered long enough to be told.
    EphemeralDue(RoomKey),
    /// A room has had no member for long enough to be dropped.
    RoomEmpty(RoomKey),
    /// Marks have been gathered long enough to be written.
    SaveReceipts,
    /// What a connection has proved ends, or the client is to be told that it will.
    TokenDue(ConnId),
    /// It is looked whether other nodes have brought a user, who has come, into further rooms.
    LookAgain(UserKey),
    /// It is looked whether a report is over.
    ReportsDue,
    /// Pages that could not be read are tried again.
    RetryPages,
    /// Some of the rooms are looked at, for whether they can be forgotten.
    SweepRooms,
}

/// The domain's surroundings, the same for all of its rooms.
#[derive(Debug)]
pub(super) struct Context {
    pub limits: Limits,
    pub now: Now,
    /// Whether the wall clock was set.
    pub wall: WallWatch,
    /// Rises with each turn: bytes that a session was given in an earlier one have been flushed.
    pub turn: u32,
    /// The server is stopping: no record is taken any more.
    pub stopping: bool,
    pub wheel: TimerWheel<Timer>,
    /// Outputs in the order in which they are to be sent.
    pub outputs: VecDeque<Output>,
    /// Requests to the logs, in order.
    pub requests: VecDeque<LogRequest>,
    /// The logs of rooms that are about to be forgotten, of which nothing was asked since.
    pub leaving: BTreeSet<LogId>,
    pub stats: Stats,
    /// What webhooks are told.
    pub webhooks: EventSet,
    /// The number of this node, where logs are shared with others.
    pub node: Option<NodeId>,
    /// What is done now was done by another node, which has written it: nothing of it is asked of
    /// the logs again.
    pub follows: bool,
    /// What waits for all connections, and how much of the budget for it is left.
    pub pressure: Pressure,
    /// Rises with each change that somebody's inbox shows.
    pub rev: u64,
    /// What it was when the server started.
    pub first_rev: u64,
    /// When the youngest membership began, as [`next_joined`](Self::next_joined) counts.
    pub joined: u64,
}

/// Ids that nodes give at the same moment: what is left of 2^53, where JSON's numbers end, for a
/// step of each millisecond.
const IDS_OF_STEP: u64 = 1_000;
/// Random bits of the `rev` at which a start begins.
const REV_BITS: u32 = 48;

impl Context {
    pub(super) fn new(limits: Limits, now: Now) -> Self {
        Self {
            pressure: Pressure::new(limits.outbound_total),
            limits,
            now,
            wall: WallWatch::new(now, None, None),
            turn: 0,
            stopping: false,
            wheel: TimerWheel::new(),
            outputs: VecDeque::new(),
            requests: VecDeque::new(),
            leaving: BTreeSet::new(),
            stats: Stats::default(),
            webhooks: EventSet::NONE,
            node: None,
            follows: false,
            // Above those of earlier starts, which clients may still have.
            rev: now.wall_ms.saturating_mul(1_000),
            first_rev: now.wall_ms.saturating_mul(1_000),
            joined: 0,
        }
    }

    /// When a membership begins: later than all that are known, also if the wall clock has gone
    /// back. It is kept, and other nodes are told of it: it must not be a `rev`, which means
    /// nothing to another start.
    pub(super) fn next_joined(&mut self) -> u64 {
        let now = self.now.wall_ms.saturating_mul(IDS_OF_STEP);
        self.joined = self.id_above(self.joined).max(now);
        self.joined
    }

    /// The id of something new, above the last one that is known here. Of two nodes that give one
    /// before they know of each other's, each gives another: it ends in the number of its node.
    pub(super) fn id_above(&self, last: u64) -> u64 {
        let Some(node) = self.node else { return last + 1 };
        let step = self.now.wall_ms.max(last / IDS_OF_STEP + 1);
        step * IDS_OF_STEP + node.0 % IDS_OF_STEP
    }

    /// Begins the `rev`s elsewhere: nobody can take one of another start for one of this.
    pub(super) fn vary_revs(&mut self, random: u128) {
        // Twice a `rev` is a number of JSON, below 2^53: there is room until the year 2077.
        let random = u64::try_from(random >> (128 - REV_BITS)).unwrap_or(0);
        self.rev = self.rev.saturating_add(random);
        self.first_rev = self.rev;
    }

    /// Bytes that may wait for one connection before its cursors fall behind.
    pub(super) fn outbound_limit(&self) -> usize {
        self.pressure.limit(self.limits.outbound_soft)
    }

    /// Answers a request.
    pub(super) fn reply(&mut self, to: ConnId, request: Request, result: Result<Reply, Refusal>) {
        // One list for all connections, so that what is said to one stays in order with what is
        // said to its rooms.
        self.outputs.push_back(Output::Reply { to, request, result });
    }

    /// Tells one connection an event.
    pub(super) fn tell(&mut self, to: ConnId, event: Event) {
        self.outputs.push_back(Output::Event { to, event });
    }

    /// Has the domain told by `handle_drained` when the connection can take more.
    pub(super) fn wake(&mut self, conn: ConnId) {
        self.outputs.push_back(Output::Wake { conn });
    }

    /// The next request to the logs. What is asked of a log keeps its room in memory.
    #[inline]
    pub(super) fn next_request(&mut self) -> Option<LogRequest> {
        // Looked at before it is taken, so that it is moved once.
        if !self.leaving.is_empty()
            && let Some(
                LogRequest::Append { log, .. }
                | LogRequest::PutMeta { log, .. }
                | LogRequest::Sync { log, .. }
                | LogRequest::Drop { log },
            ) = self.requests.front()
        {
            // It is used again, so that it stays: what is asked of it now must not meet a log that
            // was closed.
            self.leaving.remove(log);
        }
        self.requests.pop_front()
    }

    /// Whether nothing was asked of this log since its room was to be forgotten.
    pub(super) fn is_leaving(&self, log: LogId) -> bool {
        let is_about = |request: &LogRequest| match request {
            LogRequest::Append { log: of, .. }
            | LogRequest::PutMeta { log: of, .. }
            | LogRequest::Sync { log: of, .. } => *of == log,
            _ => false,
        };
        // What still waits in the list has not come by `next_request`.
        self.leaving.contains(&log) && !self.requests.iter().any(is_about)
    }

    /// Tells the webhooks of something that is in no log, if one wants to know: in which room,
    /// which may be in memory only, and of whom.
    pub(super) fn notice(
        &mut self,
        room: Option<(&RoomName, bool)>,
        user: Option<&UserName>,
        what: NoticeKind,
    ) {
        if self.webhooks.has(what.kind()) && !self.follows {
            let is_in_memory = room.is_some_and(|(_, is_in_memory)| is_in_memory);
            let (room, user) = (room.map(|(room, _)| room.clone()), user.cloned());
            let notice = Notice { at: self.now.wall_ms, room, is_in_memory, user, what };
            self.requests.push_back(LogRequest::Notice(notice));
        }
    }

    /// The next number of the inboxes' history.
    pub(super) fn next_rev(&mut self) -> u64 {
        self.rev += 1;
        self.rev
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::time::Tick;

    #[test]
    fn what_two_nodes_make_in_the_same_moment_has_two_ids() {
        let now = Now { tick: Tick::ZERO, wall_ms: 1_763_700_000_000 };
        let mut given = BTreeSet::new();
        for node in [1, 2, 3] {
            let context =
                Context { node: Some(NodeId(node)), ..Context::new(Limits::default(), now) };
            // From where the others stand, and from where it stands itself.
            let mut last = given.iter().next_back().copied().unwrap_or(7);
            for _ in 0..3 {
                last = context.id_above(last);
                assert!(given.insert(last), "{last} of node {node}");
            }
        }
        let alone = Context::new(Limits::default(), now);
        assert_eq!((alone.id_above(0), alone.id_above(7)), (1, 8));
    }
}
