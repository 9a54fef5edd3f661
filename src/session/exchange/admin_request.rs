//! What an operator asks for, and the list that is being made of it.

use super::top_list::TopList;
use crate::admin::requests::{ConnectionSort, RoomSort};
use crate::admin::routes::Route;
use crate::net::ConnId;

/// What an operator asks for.
#[derive(Clone, Debug, Default)]
pub(in crate::session) struct AdminRequest {
    /// There once the path is known.
    pub route: Option<&'static Route>,
    pub query: Box<str>,
    /// The `Idempotency-Key`.
    pub cid: Option<Box<str>>,
}

impl AdminRequest {
    /// Whether nothing is to stand in its body.
    pub(in crate::session) fn takes_nothing(&self) -> bool {
        self.route.is_some_and(|route| route.request.fields.is_empty())
    }
}

/// What the operator wants of the server, beyond the sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperatorWish {
    /// All clients are to be sent away, and the server is to stop.
    Drain,
    /// The configuration is to be read again; this connection is told what came of it.
    Reload(ConnId),
}

/// A list that is being made: which place is looked at next, and what was found so far.
#[derive(Debug)]
pub(in crate::session) enum Scan {
    Connections { sort: ConnectionSort, user: Option<String>, next: usize, top: TopList<ConnId> },
    Rooms { sort: RoomSort, next: usize, top: TopList<usize> },
    Users { next: usize, top: TopList<usize> },
    Members { room: String, next: usize, top: TopList<usize> },
}
