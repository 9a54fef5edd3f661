//! Who waits for rooms and users that are not in memory.
//!
//! ```text
//!  Waiting ─▶ queue ─▶ one Load, for all that wait ─▶ in memory ─▶ each goes on, or waits again
//! ```
//!
//! One load is under way at a time. Rooms are forgotten between two of them only, so that no answer
//! is about a room as it was before it was last in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::chat::keys::RoomKey;
use crate::chat::model::account::Extra;
use crate::chat::model::command::Command;
use crate::chat::model::hello::Hello;
use crate::chat::model::limits::{LOADS_MAX, OVERDUE_MAX};
use crate::chat::model::load::Wanted;
use crate::chat::model::log::Ticket;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::operator::OperatorAct;
use crate::chat::model::output::Request;
use crate::net::ConnId;

/// Who are answered by one load.
const BATCH_MAX: usize = 256;

/// Something that waits for rooms or users.
#[derive(Debug)]
pub(in crate::chat) struct WaitingLoad {
    pub waiter: Waiter,
    /// What it waits for.
    pub wanted: Wanted,
    /// What it has waited for.
    pub requested: Wanted,
    /// Rooms of which it is known that they are needed, too.
    pub listed: Vec<RoomName>,
    /// The user that is to be in memory with all of its rooms.
    pub whole: Vec<UserName>,
    /// How often it has waited.
    pub rounds: u8,
}

/// What is done then.
#[derive(Debug)]
pub(in crate::chat) enum Waiter {
    Hello {
        conn: ConnId,
        request: Request,
        hello: Box<Hello<'static>>,
    },
    Command {
        conn: ConnId,
        request: Request,
        command: Box<Command<'static>>,
    },
    /// A registration or a login.
    Account {
        conn: ConnId,
        request: Request,
        command: Box<Command<'static>>,
        extra: Box<Extra>,
    },
    /// A stream of events that begins, or a list that the operator is shown: told when the rooms
    /// are there.
    Rooms {
        conn: ConnId,
        request: Request,
    },
    /// The operator gives a name to a program.
    Operator {
        conn: ConnId,
        request: Request,
        by: UserName,
        act: Box<OperatorAct>,
    },
    /// Another node has done something in these rooms that concerns a user who is here: in those
    /// that were loaded, if none is named.
    Look {
        room: Option<RoomName>,
        user: UserName,
    },
    /// A link leads into this room: for whom, and by whom.
    Grant {
        room: RoomName,
        user: UserName,
        by: Option<UserName>,
    },
}

impl Waiter {
    /// The connection that is answered, if it has said hello.
    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self {
            // Counted as any other, so that it is not let go before it is answered.
            Self::Command { conn, .. } | Self::Rooms { conn, .. } => Some(*conn),
            Self::Hello { .. }
            | Self::Account { .. }
            | Self::Operator { .. }
            | Self::Look { .. }
            | Self::Grant { .. } => None,
        }
    }
}

/// What is being loaded.
#[derive(Debug, Default)]
pub(in crate::chat) struct Loads {
    /// There may be rooms and users that are not in memory.
    pub on_demand: bool,
    /// Who waits for the next load.
    queue: VecDeque<Ticket>,
    /// One is under way, or its answer is being handled.
    pub is_busy: bool,
    /// Rooms that the store wants to be loaded, for which nobody waits.
    overdue: BTreeSet<RoomName>,
    /// Users that are being loaded with all of their rooms, and by how many.
    whole: BTreeMap<UserName, usize>,
    /// For what other nodes have pointed to, so that it is looked at once.
    pub looks: BTreeSet<(Option<RoomName>, UserName)>,
    /// Rooms that can be forgotten when the load that is under way is answered.
    pub leaving: Vec<RoomKey>,
}

impl Loads {
    /// How many wait.
    pub(in crate::chat) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether as many wait as may.
    pub(in crate::chat) fn is_full(&self) -> bool {
        self.queue.len() >= LOADS_MAX
    }

    /// Another one waits.
    pub(in crate::chat) fn push(&mut self, ticket: Ticket) {
        self.queue.push_back(ticket);
    }

    /// Those that are to be answered by the next load.
    pub(in crate::chat) fn take(&mut self) -> Vec<Ticket> {
        // A bound on what one answer sets going within one turn.
        let count = self.queue.len().min(BATCH_MAX);
        self.queue.drain(..count).collect()
    }

    /// The store wants these rooms to be loaded. Those beyond the bound are named again later.
    pub(in crate::chat) fn add_overdue(&mut self, rooms: Vec<RoomName>) {
        // Nobody waits for these, so that to forget one only delays it.
        let free = OVERDUE_MAX.saturating_sub(self.overdue.len());
        self.overdue.extend(rooms.into_iter().take(free));
    }

    /// These rooms.
    pub(in crate::chat) fn take_overdue(&mut self) -> BTreeSet<RoomName> {
        std::mem::take(&mut self.overdue)
    }

    /// The user is being loaded: its rooms are not forgotten meanwhile.
    pub(in crate::chat) fn pin(&mut self, user: &UserName) {
        *self.whole.entry(user.clone()).or_default() += 1;
    }

    /// One of those who load the user has it, or has given up.
    pub(in crate::chat) fn unpin(&mut self, user: &UserName) {
        let Some(count) = self.whole.get_mut(user) else { return };
        *count -= 1;
        if *count == 0 {
            self.whole.remove(user);
        }
    }

    /// Whether any user is being loaded.
    pub(in crate::chat) fn has_pins(&self) -> bool {
        !self.whole.is_empty()
    }

    /// Whether this user is.
    pub(in crate::chat) fn is_pinned(&self, user: &UserName) -> bool {
        self.whole.contains_key(user)
    }
}
