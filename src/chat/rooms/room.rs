//! A room: the end of its log, and what holds in it.

use super::restrictions::ModerationState;
use super::ring::Ring;
use crate::chat::context::Context;
use crate::chat::keys::MembershipKey;
use crate::chat::model::code::Code;
use crate::chat::model::edits;
use crate::chat::model::log::{LogId, LogRequest, RoomMeta};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::{Policy, PresenceMode};
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Refusal, Reply};
use crate::time::wheel::TimerId;

/// A room: its log's head and recent end, its members, and its rules.
#[derive(Debug)]
pub(in crate::chat) struct Room {
    pub name: RoomName,
    pub log: LogId,
    pub epoch: Epoch,
    /// The level at which its records are kept.
    pub durability: Durability,
    /// The last seq that the log has assigned, 0 if none.
    pub head: u64,
    /// The first seq that the store still has, if the room is stored.
    pub oldest: u64,
    pub topic: Box<str>,
    pub private: bool,
    pub owned: bool,
    pub presence: PresenceMode,
    /// How many users are typing, at most; kept by `ephemeral`, so that a `send` need not look
    /// there.
    pub typists: u8,
    pub moderation: ModerationState,
    pub ring: Ring,
    pub members: Vec<MembershipKey>,
    /// Requests to the logs that have not been answered, for which the room stays.
    pub pending_ops: u32,
    /// The inbox's `rev` of the last record.
    pub rev: u64,
    /// When presence, typing or receipts are due, or, without members, when the room is to be
    /// dropped.
    pub timer: Option<TimerId>,
    /// Whether it is in use, as it was seen last.
    pub idle: Idle,
    pub audited: Audited,
}

/// What the audit has of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Audited {
    /// Nothing, or its end after everything else.
    Nothing,
    /// Perhaps acts, and not yet that it has ended.
    Acts,
}

/// Whether a room is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Idle {
    /// It is, or was when it was looked at last.
    No,
    /// It was not when it was looked at last.
    Yes,
    /// It is about to be forgotten, if nobody uses it meanwhile.
    Leaving,
}

impl Room {
    pub(super) fn new(name: RoomName, log: LogId, epoch: Epoch, policy: &Policy) -> Self {
        Self {
            name,
            log,
            epoch,
            durability: policy.durability,
            head: 0,
            oldest: 1,
            topic: "".into(),
            private: false,
            owned: false,
            presence: policy.presence,
            typists: 0,
            moderation: ModerationState::default(),
            ring: Ring::default(),
            members: Vec::new(),
            pending_ops: 0,
            rev: 0,
            timer: None,
            idle: Idle::No,
            audited: Audited::Nothing,
        }
    }

    /// The first seq that is still there, `head + 1` if none is.
    pub(in crate::chat) fn oldest(&self) -> u64 {
        // A room in memory has no other records than those of its ring, so that the budget of all
        // rings prunes it.
        if self.is_stored() { self.oldest } else { self.ring.first().unwrap_or(self.head + 1) }
    }

    /// Whether its records outlive the ring.
    pub(in crate::chat) fn is_stored(&self) -> bool {
        self.durability != Durability::Memory
    }

    /// Seq and time of the record since which it is so already what a record of `from` with this
    /// body would say, where the ring is all there is. A stored room's log looks for itself.
    pub(in crate::chat) fn since(&self, from: &UserName, body: &Body) -> Option<Box<(u64, u64)>> {
        // Nearly every record: nothing of the ring is looked at on the way of a message.
        if self.is_stored() || matches!(body, Body::Message { .. } | Body::Moderation { .. }) {
            return None;
        }
        // From the newest on: the first record about the same thing decides, whatever earlier ones
        // said.
        let mut records = self.ring.from(0).rev();
        let said = records.find_map(|earlier| {
            let repeats = edits::repeats(earlier, from, body)?;
            Some(repeats.then_some((earlier.seq, earlier.at)))
        });
        let is_topic = |text: &str| *self.topic == *text;
        let since = match (said, body) {
            // The record that has set it is gone, or the room was made with it.
            (None, Body::Topic { text }) if is_topic(text) => {
                Some((self.head, self.ring.get(self.head).map_or(0, |last| last.at)))
            }
            (said, _) => said.flatten(),
        };
        since.map(Box::new)
    }

    /// Has the store keep something that is true of the room. Nothing of a memory room is kept.
    pub(in crate::chat) fn put_meta(&self, context: &mut Context, meta: RoomMeta) {
        // What another node has done it has written itself.
        if self.is_stored() && !context.follows {
            context.requests.push_back(LogRequest::PutMeta { log: self.log, meta });
        }
    }

    /// Has the store keep who may enter.
    pub(in crate::chat) fn put_access(&self, context: &mut Context) {
        let Self { private, owned, .. } = *self;
        let policy = self.moderation.policy().map(Into::into);
        self.put_meta(context, RoomMeta::Access { private, owned, policy });
    }

    /// With `ends`, the room ends with its last membership: no other private room is without an
    /// owner.
    pub(in crate::chat) const fn close_for_good(&mut self, ends: bool) {
        if ends {
            (self.private, self.owned) = (true, false);
        }
    }

    /// Whether its last member has closed it.
    pub(in crate::chat) const fn is_closed_for_good(&self) -> bool {
        // No flag of its own: the store keeps these two with the room, so that one closed by a
        // crash's last write ends at the next start.
        self.private && !self.owned
    }

    /// Whether it was closed and waits only for what the log still owes: nobody enters it again.
    pub(in crate::chat) fn has_ended(&self) -> bool {
        self.is_closed_for_good() && self.members.is_empty() && !self.name.is_direct()
    }

    /// The reply to a `send` whose record is at `seq`.
    pub(in crate::chat) fn sent(&self, seq: u64, at: u64, dup: bool) -> Reply {
        let not_members = Box::default();
        Reply::Sent { room: self.name.clone(), seq, at, durable: self.durability, dup, not_members }
    }

    /// # Errors
    ///
    /// [`Code::EpochChanged`] with the present epoch, if `epoch` is given and is another.
    pub(in crate::chat) fn check_epoch(&self, epoch: Option<&str>) -> Result<(), Refusal> {
        // A text that is no epoch is another epoch: the client has it from somewhere, and is told
        // the present one.
        if epoch.is_none_or(|epoch| Epoch::parse(epoch) == Some(self.epoch)) {
            return Ok(());
        }
        Err(self.epoch_changed())
    }

    /// # Errors
    ///
    /// The same, if the log is another one than that of this epoch.
    pub(in crate::chat) fn check_same(&self, epoch: Epoch) -> Result<(), Refusal> {
        if epoch == self.epoch { Ok(()) } else { Err(self.epoch_changed()) }
    }

    /// The refusal of what is about a log that was there before.
    pub(in crate::chat) fn epoch_changed(&self) -> Refusal {
        let message = "the room's log began anew; its seqs count from 1 again";
        let refusal = Refusal::new(Code::EpochChanged, message);
        Refusal { epoch: Some(self.epoch), ..refusal.field("epoch", self.epoch.to_string()) }
    }

    /// # Errors
    ///
    /// [`Code::SeqUnavailable`] for a seq beyond the head, naming `field`.
    pub(in crate::chat) fn check_reached(
        &self,
        field: &'static str,
        seq: u64,
    ) -> Result<(), Refusal> {
        if seq <= self.head {
            return Ok(());
        }
        let refusal = Refusal::new(Code::SeqUnavailable, "the room's log has not reached this seq");
        Err(refusal.field(field, format!("at most {}", self.head)))
    }
}

// The documentation of `server` states what a connection, a user and a room take. This is a part
// of it.
const _: () = assert!(size_of::<Option<Room>>() <= 168);
