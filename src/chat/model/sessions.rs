//! Sessions where several nodes share the logs: who may go on as whom, wherever it was before.
//!
//! A node claims each session that begins there, and the former one ends with the same step: of two
//! nodes that are shown one secret, one has it. By the same step a guest's name gets one owner. The
//! former secret stays good until the client of the new session asks for anything: whoever has lost
//! the connection before the welcome came has no other one.

use std::fmt;

use super::name::UserName;
use crate::net::ConnId;

/// What nobody can guess of a session's secret. The store keeps a hash of it only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionSecret(pub u128);

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret(…)")
    }
}

/// A session that has ended or is live, at any node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerSession {
    /// Whose it is.
    pub user: UserName,
    /// Whether the user has nothing but its secret to be known by.
    pub is_guest: bool,
}

/// A session that is to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionClaim {
    /// By which its client resumes it later.
    pub secret: SessionSecret,
    /// That of the user's session which it goes on from.
    pub former: Option<SessionSecret>,
    /// Whose it is.
    pub user: UserName,
    /// Whether nobody else may have the name meanwhile.
    pub is_guest: bool,
    /// The connection.
    pub conn: ConnId,
}

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// The session has begun. There is no former one, or not any more.
    New,
    /// The session has begun, and the former one has ended, at whichever node it was.
    Resumed {
        /// Whether that one had reported itself idle.
        away: bool,
    },
    /// It has not begun: the guest's name is somebody else's.
    Taken,
}

/// Something that has become of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// Its connection is gone. It can be resumed for a while.
    End(SessionSecret),
    /// Its client has got the new secret, so that the secret it came with is spent.
    Used(SessionSecret),
    /// It has reported itself idle, or not to be so any more.
    Away(SessionSecret, bool),
    /// No session of the user can be resumed.
    EndAll(UserName),
}
