//! A client: follows "What a client does" of the protocol, over a network and with habits that are
//! not always good.

mod actions;
mod events;
mod moderation;
mod network;
mod quiesce;
mod renames;
mod replies;
mod requests;
mod stream;

use std::collections::{BTreeMap, VecDeque};

use chinwag::rng::Rng;
use chinwag::time::Tick;

pub(crate) use self::requests::{Draft, Pending, Target};
use crate::codec::{Codec, Kind, Scratch};
use crate::history::{History, View};
use crate::link::Link;
use crate::plan::Plan;
use crate::reactor::Reactor;
use crate::tamper::Tamper;
use crate::trace::Trace;

/// What a client needs of the world around it.
pub(crate) struct Context<'a> {
    pub(crate) now: Tick,
    pub(crate) history: &'a mut History,
    pub(crate) links: &'a mut Vec<Link>,
    /// Of each node.
    pub(crate) reactors: &'a mut [Reactor],
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) tamper: &'a mut Tamper,
    pub(crate) trace: &'a mut Trace,
    pub(crate) plan: &'a Plan,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// As people and networks are.
    Normal,
    /// It keeps its connection, answers everything, and says nothing of its own.
    Quiet,
    /// It does not come back.
    Leaving,
}

/// Where a client is.
#[derive(Debug)]
pub(crate) enum ClientState {
    Offline { until: Tick },
    Online(Box<Connection>),
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) state: ClientState,
    pub(crate) behaviour: Behaviour,
    rng: Rng,
    /// The secret of the last session.
    session: Option<String>,
    /// Whether that session has said that it is away; `None` while that is not answered.
    away: Option<bool>,
    /// What it has of each room it is in, from connections that are gone.
    positions: BTreeMap<String, (String, u64)>,
    /// Sends that were not answered, with a `cid`, to be repeated.
    pub(crate) outbox: VecDeque<Draft>,
    /// The last message that was answered, to be repeated as by a client that has missed the
    /// answer.
    answered: Option<Draft>,
    /// Messages that it has sent, to be changed: room, epoch and seq.
    mine: Vec<(String, String, u64)>,
    /// How many things it has said.
    said: u64,
    /// What its last connection was told when it ended: when to come back, and the close code.
    pub(crate) farewell: (Option<u64>, Option<u16>),
}

/// How a connection's network is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NetworkState {
    Flowing,
    /// Takes nothing.
    Stalled {
        until: Tick,
    },
    /// Takes and sends a few bytes at a time.
    Crawling {
        until: Tick,
    },
}

/// One connection, from the client's side.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) link: usize,
    pub(crate) codec: Codec,
    pub(crate) network: NetworkState,
    /// Said, not sent yet.
    out: Vec<u8>,
    said_hello: bool,
    pub(crate) greeted: bool,
    /// It has said goodbye.
    closing: bool,
    /// It has sent what no client may: whatever follows is right.
    hostile: bool,
    next_id: u64,
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// Errors without an `id` that must still come.
    errors_due: u64,
    pub(crate) views: BTreeMap<String, View>,
    /// The rooms of its stream, in the order in which they were asked for.
    pub(crate) streamed: Vec<String>,
    /// The last `rev` of the inbox.
    rev: u64,
    /// The rooms of the inbox when it was last asked for.
    pub(crate) inbox: Vec<String>,
    /// Whether the last `status` said away.
    pub(crate) away: bool,
    /// When the server asked it to come back.
    pub(crate) drain: Option<u64>,
    /// The code with which the server has ended it.
    pub(crate) told: Option<u16>,
    /// How far the user has read, by room, as it was answered here.
    pub(crate) acked: BTreeMap<String, (u64, u64)>,
    /// How far the user has read on other connections, by room, as it was told here.
    pub(crate) own: BTreeMap<String, u64>,
    /// What the room that gets other names is called, as it was told here.
    pub(crate) called: Option<String>,
    /// What users say of themselves, as it was told here last: display name and status text.
    pub(crate) profiles: BTreeMap<String, [String; 2]>,
}

impl Client {
    pub(crate) fn new(id: usize, name: String, kind: Kind, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let until = Tick::from_millis(rng.below(3_000));
        Self {
            id,
            name,
            kind,
            state: ClientState::Offline { until },
            behaviour: Behaviour::Normal,
            rng,
            session: None,
            away: Some(false),
            positions: BTreeMap::new(),
            outbox: VecDeque::new(),
            answered: None,
            mine: Vec::new(),
            said: 0,
            farewell: (None, None),
        }
    }

    /// The connection, if it has one and was welcomed.
    pub(crate) fn greeted(&self) -> Option<&Connection> {
        match &self.state {
            ClientState::Online(conn) if conn.greeted && !conn.closing => Some(conn),
            _ => None,
        }
    }

    /// What is under way, in words.
    pub(crate) fn describe_pending(&self) -> String {
        let Some(conn) = self.greeted() else { return format!("{self:?}") };
        let behind: Vec<_> = conn.views.iter().filter(|(_, view)| view.behind).collect();
        let (name, outbox, pending) = (&self.name, &self.outbox, &conn.pending);
        format!("{name}: outbox {outbox:?}, asked {pending:?}, behind {behind:?}")
    }

    /// Whether nothing is under way: all is answered, and every cursor is live.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = |conn: &Connection| {
            conn.pending.is_empty() && conn.out.is_empty() && conn.views.values().all(|v| !v.behind)
        };
        self.outbox.is_empty() && self.greeted().is_some_and(settled)
    }
}
