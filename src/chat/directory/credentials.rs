//! What connections have proved that ends, that does not let them into all rooms, or that makes
//! them an administrator's.

use std::collections::BTreeMap;

use crate::chat::model::identity::{Grant, Identity, Rights};
use crate::chat::model::policy::pattern_matches;
use crate::net::ConnId;
use crate::time::wheel::TimerId;

/// What one connection has proved.
#[derive(Debug)]
pub(in crate::chat) struct Credential {
    /// Who it is, for how long and where.
    pub identity: Identity,
    /// It was told that the end is near.
    pub is_warned: bool,
    /// Until it is told, or ends.
    pub timer: Option<TimerId>,
}

/// The credentials of connections whose identity is more than a name: nobody else has a row.
///
/// Bound: one row for each connection that has said hello.
#[derive(Debug, Default)]
pub(in crate::chat) struct Credentials {
    rows: BTreeMap<ConnId, Box<Credential>>,
}

impl Credentials {
    /// Keeps what a connection has proved, if it matters later.
    pub(in crate::chat) fn insert(&mut self, conn: ConnId, identity: Identity) {
        let row = Credential { identity, is_warned: false, timer: None };
        self.rows.insert(conn, Box::new(row));
    }

    /// What this connection has proved.
    pub(in crate::chat) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Credential> {
        self.rows.get_mut(&conn).map(|row| &mut **row)
    }

    /// Who this connection has proved to be.
    pub(in crate::chat) fn get(&self, conn: ConnId) -> Option<&Identity> {
        self.rows.get(&conn).map(|row| &row.identity)
    }

    /// What this connection has proved, and whether it was told of the end.
    pub(in crate::chat) fn state(&self, conn: ConnId) -> Option<(Identity, bool)> {
        self.rows.get(&conn).map(|row| (row.identity.clone(), row.is_warned))
    }

    /// The connections that have a row.
    pub(in crate::chat) fn connections(&self) -> impl Iterator<Item = ConnId> {
        self.rows.keys().copied()
    }

    /// The connection is gone.
    pub(in crate::chat) fn remove(&mut self, conn: ConnId) -> Option<Box<Credential>> {
        self.rows.remove(&conn)
    }

    /// What the connection may do in the room of this name.
    pub(in crate::chat) fn rights(&self, conn: ConnId, room: &str) -> Rights {
        let everything = Rights { read: true, send: true };
        // Nearly always.
        if self.rows.is_empty() {
            return everything;
        }
        self.rows.get(&conn).map_or(everything, |row| rights_of(&row.identity.grants, room))
    }

    /// Whether the connection may know of the room of this name.
    pub(in crate::chat) fn may_read(&self, conn: ConnId, room: &str) -> bool {
        self.rights(conn, room).read
    }

    /// Whether the connection is let into some rooms only.
    pub(in crate::chat) fn is_restricted(&self, conn: ConnId) -> bool {
        self.rows.get(&conn).is_some_and(|row| !row.identity.grants.is_empty())
    }
}

/// What the grants let their holder do in a room; without any, everything.
pub(in crate::chat) fn rights_of(grants: &[Grant], room: &str) -> Rights {
    if grants.is_empty() {
        return Rights { read: true, send: true };
    }
    // Grants add up, and none takes away: the order in which a token lists them means nothing.
    let fitting = grants.iter().filter(|grant| pattern_matches(&grant.rooms, room));
    fitting.fold(Rights::default(), |all, grant| Rights {
        read: all.read || grant.rights.read,
        send: all.send || grant.rights.send,
    })
}
