//! Operations that wait for the log: each is one [`PendingOp`], resumed by its answer.
//!
//! ```text
//!   operation ─ begin(op) ─▶ Ticket ─▶ LogRequest … LogReply ─▶ finish(ticket) ─▶ the op, resumed
//! ```
//!
//! What is being read of the logs is told of the edits and deletions that happen meanwhile: see
//! [`Changes`].

mod changes;
mod loads;
mod people;
mod retry;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use changes::{Change, Changes, Mark};
pub(super) use loads::{Loads, Waiter, WaitingLoad};
pub(super) use people::{HashOp, PeopleOp, Stranger};
pub(super) use retry::Again;

use super::delivery::{DeliveryMut, PageId, Sender};
use super::keys::{MembershipKey, PendingKey, RoomKey, UserKey};
use super::model::command::{Command, Page};
use super::model::hello::Hello;
use super::model::log::{Farewell, LogId, RestrictionMeta, Ticket};
use super::model::name::{RoomName, UserName};
use super::model::output::Request;
use super::model::people::Report;
use super::model::record::{Epoch, SharedRecord};
use super::model::reply::{InboxRow, Invitation, Refusal};
use super::rooms::{Marks, Rooms, WaitingAck};
use crate::collections::Table;
use crate::net::ConnId;

/// The weight of an operation of which a connection has one under way at a time: more than all
/// others together, so that everything that waits for one connection fits its hard limit.
pub(super) const EXCLUSIVE_WEIGHT: u8 = 65;

/// Who has asked for something, and by which request.
#[derive(Debug)]
pub(super) struct Requester {
    pub conn: ConnId,
    pub user: UserKey,
    pub request: Request,
}

impl Requester {
    /// The same with the request, which is then no more here: for an operation that answers it
    /// later.
    pub(super) fn take(&mut self) -> Self {
        let request = Request { id: self.request.id.take(), op: self.request.op };
        Self { conn: self.conn, user: self.user, request }
    }
}

/// Where a join wants its cursor: after this seq, of this epoch if it gave one.
#[derive(Clone, Debug)]
pub(super) struct JoinPosition {
    pub epoch: Option<Box<str>>,
    pub after: u64,
}

/// A part of a page of history that is being read.
#[derive(Debug)]
pub(super) enum PagePart {
    /// What is below the seq that the page is about; so many records are wanted in all.
    Lower(Page, u32),
    /// What is from there on, and what was found below.
    Upper(Page, u32, Vec<SharedRecord>),
}

/// An inbox of which a part is being read.
#[derive(Debug)]
pub(super) struct PartialInbox {
    /// The rows, by name.
    pub rows: Vec<InboxRow>,
    /// The indices of the rows that the store is asked for, in the order in which it is.
    pub open: Vec<usize>,
    /// The `rev` that names the answer.
    pub rev: u64,
    /// Whether there is more after it.
    pub more: bool,
    /// Rooms in which the user is no more.
    pub gone: Vec<RoomName>,
    /// Whether it is a part of the whole.
    pub full: bool,
    /// The user's open invitations.
    pub invitations: Vec<Invitation>,
}

/// A change of an invitation that memory has and the store may not.
#[derive(Debug)]
pub(super) struct PendingInvitation {
    /// Who is, or was, invited.
    pub user: UserName,
    pub change: InvitationChange,
}

/// What is done to an invitation, and what it was before.
#[derive(Debug)]
pub(super) enum InvitationChange {
    /// The user is invited, for the first time or again.
    Given { is_new: bool },
    /// It was withdrawn.
    Withdrawn(RestrictionMeta),
    /// The invited user has declined.
    Declined(RestrictionMeta),
}
/// Marks of one membership that are being written, and who waits for that.
pub(super) type WrittenMarks = (MembershipKey, Marks, Vec<WaitingAck>);

/// A message that was found, and its log.
pub(super) type Found = (LogId, SharedRecord);

/// Which page of the rooms that everybody may find is wanted.
#[derive(Debug)]
pub(super) struct DirectoryPage {
    /// Only rooms that are meant by this.
    pub text: Box<str>,
    /// Only what is after this name.
    pub after: Box<str>,
    pub limit: u32,
}

/// A reading that waits until everything that its connection has sent before is answered.
#[derive(Debug)]
pub(super) struct DeferredReading {
    pub conn: ConnId,
    pub request: Request,
    pub command: Command<'static>,
}

/// An operation that waits for an answer of the logs. Each `send` is one, so that large and rare
/// ones are boxed.
#[derive(Debug)]
pub(super) enum PendingOp {
    /// A record to be stored, and what is done if other nodes have changed meanwhile what its
    /// sender may do.
    Append { room: RoomKey, sender: Sender, again: Option<Box<Again>> },
    /// A message that may not be stored, unless it is already: otherwise this is the answer.
    Question { room: RoomKey, sender: Sender, refusal: Box<Refusal> },
    /// A reading that is done when everything that its connection has sent before is answered.
    Deferred(Box<DeferredReading>),
    /// A membership that is written before its `join` or `create` is answered.
    Join { by: Requester, room: RoomKey, epoch: Epoch, position: Option<JoinPosition> },
    /// The end of a membership, likewise, and that of the room with it.
    Leave { by: Requester, room: RoomKey, ends: bool },
    /// How many messages would be lost with the room that its last member wants to leave.
    LeaveAsLast { by: Requester, room: RoomKey, since: Mark },
    /// That a room is to end for all who are in it, likewise.
    Close { by: Requester, room: RoomKey, farewell: Box<Farewell> },
    /// How many messages would be lost with it.
    BeforeClose { by: Requester, room: RoomKey, since: Mark },
    /// A change of an invitation, likewise.
    Invite { by: Requester, room: RoomKey, invitation: Box<PendingInvitation> },
    /// An `ack` whose marks are not kept yet.
    Ack { by: Requester },
    /// Marks of a room that are written before anybody is told.
    Marks { room: RoomKey, epoch: Epoch, written: Vec<WrittenMarks> },
    /// A page for lagging cursors.
    Page(PageId),
    /// A part of a page of history.
    History { by: Requester, room: RoomKey, part: PagePart, since: Mark },
    /// The rows of an inbox that are not in memory.
    Inbox { by: Requester, inbox: Box<PartialInbox>, since: Mark },
    /// A search, and what was found in memory.
    Search { by: Requester, here: Vec<Found>, since: Mark },
    /// The message that is reported.
    Report { by: Requester, room: RoomKey, report: Box<Report>, since: Mark },
    /// How much a user has not read in a room, before its devices are told of this seq.
    Unread { user: UserName, room: RoomKey, seq: u64 },
    /// A page of a thread.
    Thread { by: Requester, room: RoomKey, thread: u64, since: Mark },
    /// The threads that a user follows.
    Threads { by: Requester, since: Mark },
    /// What was noted.
    Audit { by: Requester },
    /// A page of the rooms that everybody may find.
    Directory { by: Requester, page: Box<DirectoryPage> },
    /// What a user has written.
    Export { by: Requester, since: Mark },
    /// A change of what is kept of people, and the names that it makes somebody's.
    People(Box<PeopleOp>, Box<[UserName]>),
    /// A `hello` whose session is being claimed.
    Claim { conn: ConnId, request: Request, hello: Box<Hello<'static>>, user: UserName },
    /// A password that is being hashed or compared.
    Hash(HashOp),
    /// Something that needs rooms or users that are not in memory.
    Waiting(Box<WaitingLoad>),
    /// What is being loaded, and who waits for it.
    Load(Vec<Ticket>),
    /// A room that is forgotten when everything of it is on the disk.
    Forget { room: RoomKey },
}

impl PendingOp {
    /// How much it counts against its connection. A reading is exclusive. So are `join` and
    /// `leave`, since what a connection asks for after them is meant for the time after them.
    const fn weight(&self) -> u8 {
        match self {
            Self::Append { .. }
            | Self::Question { .. }
            | Self::Ack { .. }
            | Self::Marks { .. }
            | Self::Load(_)
            | Self::Unread { .. }
            | Self::Forget { .. }
            | Self::Page(_) => 1,
            Self::Deferred(_)
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::LeaveAsLast { .. }
            | Self::Close { .. }
            | Self::BeforeClose { .. }
            | Self::Invite { .. }
            | Self::History { .. }
            | Self::Inbox { .. }
            | Self::People(..)
            | Self::Claim { .. }
            | Self::Hash(_)
            | Self::Waiting(_)
            | Self::Report { .. }
            | Self::Export { .. }
            | Self::Audit { .. }
            | Self::Thread { .. }
            | Self::Threads { .. }
            | Self::Directory { .. }
            | Self::Search { .. } => EXCLUSIVE_WEIGHT,
        }
    }

    /// The room that must stay until it is answered.
    const fn room(&self) -> Option<RoomKey> {
        match self {
            Self::Append { room, .. }
            | Self::Question { room, .. }
            | Self::Join { room, .. }
            | Self::Leave { room, .. }
            | Self::LeaveAsLast { room, .. }
            | Self::Close { room, .. }
            | Self::BeforeClose { room, .. }
            | Self::Invite { room, .. }
            | Self::Marks { room, .. }
            | Self::Forget { room }
            | Self::Unread { room, .. }
            | Self::Report { room, .. }
            | Self::Thread { room, .. }
            | Self::History { room, .. } => Some(*room),
            Self::Ack { .. }
            | Self::Deferred(_)
            | Self::Page(_)
            | Self::Inbox { .. }
            | Self::People(..)
            | Self::Claim { .. }
            | Self::Hash(_)
            | Self::Waiting(_)
            | Self::Load(_)
            | Self::Export { .. }
            | Self::Audit { .. }
            | Self::Threads { .. }
            | Self::Directory { .. }
            | Self::Search { .. } => None,
        }
    }

    /// When it began to be read, if changes that are told meanwhile are to be made to it.
    pub(super) const fn since(&self) -> Option<Mark> {
        match self {
            Self::History { since, .. }
            | Self::Inbox { since, .. }
            | Self::LeaveAsLast { since, .. }
            | Self::BeforeClose { since, .. }
            | Self::Report { since, .. }
            | Self::Export { since, .. }
            | Self::Thread { since, .. }
            | Self::Threads { since, .. }
            | Self::Search { since, .. } => Some(*since),
            // Pages keep their own books.
            Self::Page(_)
            | Self::Append { .. }
            | Self::Question { .. }
            | Self::Ack { .. }
            | Self::Marks { .. }
            | Self::Deferred(_)
            | Self::Join { .. }
            | Self::Leave { .. }
            | Self::Close { .. }
            | Self::Invite { .. }
            | Self::Audit { .. }
            | Self::Directory { .. }
            | Self::Hash(_)
            | Self::Claim { .. }
            | Self::Waiting(_)
            | Self::Load(_)
            | Self::Forget { .. }
            | Self::Unread { .. }
            | Self::People(..) => None,
        }
    }

    /// The connection that is answered.
    const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Append { sender, .. } | Self::Question { sender, .. } => Some(sender.conn),
            Self::Deferred(reading) => Some(reading.conn),
            Self::Ack { by }
            | Self::Hash(HashOp::Password(by, _))
            | Self::Join { by, .. }
            | Self::Leave { by, .. }
            | Self::LeaveAsLast { by, .. }
            | Self::Close { by, .. }
            | Self::BeforeClose { by, .. }
            | Self::Invite { by, .. }
            | Self::History { by, .. }
            | Self::Inbox { by, .. }
            | Self::Report { by, .. }
            | Self::Export { by, .. }
            | Self::Audit { by }
            | Self::Thread { by, .. }
            | Self::Threads { by, .. }
            | Self::Directory { by, .. }
            | Self::Search { by, .. } => Some(by.conn),
            Self::People(op, _) => op.conn(),
            Self::Waiting(waiting) => waiting.waiter.conn(),
            // Who has not said hello has no reader yet: see `held`.
            Self::Hash(HashOp::Register(..) | HashOp::Login(..))
            | Self::Claim { .. }
            | Self::Marks { .. }
            | Self::Load(_)
            | Self::Unread { .. }
            | Self::Forget { .. }
            | Self::Page(_) => None,
        }
    }
}

/// All operations that wait for the logs.
///
/// Invariant: a room and a reader know how many operations wait for them, by number and by weight.
#[derive(Debug, Default)]
pub(super) struct Pending {
    ops: Table<PendingKey, PendingOp>,
    /// How many operations connections have begun, to be compared.
    pub begun: u32,
    /// The readings that wait for what their connections have sent before.
    deferred: BTreeMap<ConnId, Ticket>,
    pub changes: Changes,
    /// Rooms and users that are being loaded.
    pub loads: Loads,
    /// Connections without a user that wait for an answer, and are not read from meanwhile: one
    /// each.
    pub held: BTreeSet<ConnId>,
    /// The connection whose deferred reading is run now: it has waited, and does so once.
    pub resuming: Option<ConnId>,
    /// What is asked for now was asked for before, under rights that have changed: it is so once.
    pub is_again: bool,
}

impl Pending {
    /// How many operations wait.
    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether a reading of this connection is deferred.
    pub(super) fn is_deferred(&self, conn: ConnId) -> bool {
        self.deferred.contains_key(&conn)
    }

    /// What waits for this ticket to be loaded.
    pub(super) fn waiting(&self, ticket: Ticket) -> Option<&WaitingLoad> {
        match self.ops.get(key_of(ticket))? {
            PendingOp::Waiting(waiting) => Some(waiting),
            _ => None,
        }
    }

    /// The connection for which this ticket is, if any reading is deferred at all.
    pub(super) fn conn_of(&self, ticket: Ticket) -> Option<ConnId> {
        // Nearly always, and then an answer of the log is spared this look-up.
        if self.deferred.is_empty() {
            return None;
        }
        self.ops.get(key_of(ticket)).and_then(PendingOp::conn)
    }

    /// Begins an operation: the log's answer is to name the ticket.
    pub(super) fn begin(
        &mut self,
        rooms: &mut Rooms,
        delivery: &mut super::delivery::Delivery,
        op: PendingOp,
    ) -> Ticket {
        // A room that is dropped while its log still owes an answer would lose the answer.
        if let Some(room) = op.room().and_then(|room| rooms.table.get_mut(room)) {
            room.pending_ops += 1;
        }
        if let Some(reader) = op.conn().and_then(|conn| delivery.reader_mut(conn)) {
            reader.pending_weight = reader.pending_weight.saturating_add(op.weight());
            self.begun = self.begun.wrapping_add(1);
        }
        Ticket(self.ops.insert(op).to_bits())
    }

    /// Defers a reading until everything that its connection has sent before is answered.
    pub(super) fn defer(
        &mut self,
        rooms: &mut Rooms,
        delivery: &mut super::delivery::Delivery,
        (conn, request, command): (ConnId, Request, Command<'static>),
    ) {
        let reading = DeferredReading { conn, request, command };
        let ticket = self.begin(rooms, delivery, PendingOp::Deferred(Box::new(reading)));
        self.deferred.insert(conn, ticket);
    }

    /// Takes back the deferred reading of a connection, if there is one.
    pub(super) fn take_deferred(
        &mut self,
        rooms: &mut Rooms,
        delivery: DeliveryParts<'_>,
        conn: ConnId,
    ) -> Option<PendingOp> {
        let ticket = self.deferred.remove(&conn)?;
        self.finish(rooms, delivery, ticket)
    }

    /// The log has answered: the operation is to be resumed.
    pub(super) fn finish(
        &mut self,
        rooms: &mut Rooms,
        (context, delivery): DeliveryParts<'_>,
        ticket: Ticket,
    ) -> Option<PendingOp> {
        let op = self.ops.remove(key_of(ticket))?;
        if let Some(room) = op.room().and_then(|room| rooms.table.get_mut(room)) {
            room.pending_ops = room.pending_ops.saturating_sub(1);
        }
        if let Some(conn) = op.conn() {
            // Given back by the same rule by which it was taken, since the weight itself is not
            // kept.
            let weight = op.weight();
            let mut delivery = DeliveryMut { context, rooms, delivery };
            delivery.relieve(conn, |reader| {
                reader.pending_weight = reader.pending_weight.saturating_sub(weight);
            });
        }
        Some(op)
    }

    /// Checks the invariant.
    pub(super) fn debug_check(&self, delivery: &super::delivery::Delivery) {
        let readings = self.ops.iter().filter(|(_, op)| op.since().is_some());
        self.changes.debug_check(readings.count());
        let mut weights = BTreeMap::new();
        for (_, op) in self.ops.iter() {
            if let Some(conn) = op.conn() {
                *weights.entry(conn).or_insert(0_u32) += u32::from(op.weight());
            }
        }
        for (&conn, ticket) in &self.deferred {
            let op = self.ops.get(key_of(*ticket)).and_then(PendingOp::conn);
            debug_assert_eq!(op, Some(conn), "a deferred reading is pending");
            let weight = delivery.reader(conn).map_or(0, |reader| reader.pending_weight);
            debug_assert!(weight > EXCLUSIVE_WEIGHT, "and waits for something");
        }
        for reader in delivery.readers() {
            let weight = weights.remove(&reader.conn).unwrap_or(0);
            let counted = u32::from(reader.pending_weight);
            debug_assert_eq!(counted, weight.min(255), "a reader knows what it waits for");
        }
    }
}

/// What finishing an operation needs of delivery.
type DeliveryParts<'a> = (&'a mut super::context::Context, &'a mut super::delivery::Delivery);

const fn key_of(ticket: Ticket) -> PendingKey {
    PendingKey::from_bits(ticket.0)
}
