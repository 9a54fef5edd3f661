//! What is written of sessions, as `sessions.sql` takes it, and what it answers.

use std::fmt::Write as _;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::chat::model::columns::signed;
use crate::chat::model::log::Ticket;
use crate::chat::model::other_nodes::NodeId;
use crate::chat::model::sessions::{Claimed, SessionChange, SessionClaim, SessionSecret};
use crate::net::ConnId;
use crate::pg::{Param, Row, WrongType};
use crate::time::{Tick, millis};

/// For how long a session that has ended can be resumed: as long as the membership of a guest in a
/// room that is not kept.
const KEPT: Duration = Duration::from_mins(10);
/// Ended sessions of one user.
const EACH_MAX: i64 = 16;
/// In the flag of a claim: the former secret is good until this session is used.
const KEEPS_FORMER: i64 = 2;

/// What is written of a session.
#[derive(Debug)]
pub(super) enum SessionOp {
    Claim {
        ticket: Ticket,
        claim: SessionClaim,
        since: Tick,
        /// It was sent, and nobody knows what became of it.
        is_lost: bool,
    },
    Change(SessionChange),
    /// This node knows that the one of this hash and connection goes on elsewhere.
    Told(Box<str>, ConnId),
}

/// The columns of a statement.
#[derive(Default)]
pub(super) struct Acts {
    acts: Vec<Option<i64>>,
    hashes: Vec<Option<String>>,
    olds: Vec<Option<String>>,
    names: Vec<Option<String>>,
    flags: Vec<Option<i64>>,
    conns: Vec<Option<i64>>,
}

/// The hash of a secret as text.
pub(super) fn hash_of(secret: SessionSecret) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(secret.0.to_be_bytes()) {
        // Writing to a string does not fail.
        _ = write!(text, "{byte:02x}");
    }
    text
}

/// The same as a number.
pub(super) fn kept() -> i64 {
    signed(millis(KEPT))
}

impl Acts {
    /// Those of these, in their order.
    pub(super) fn of(ops: &[SessionOp]) -> Self {
        let mut acts = Self::default();
        for op in ops {
            acts.add(op);
        }
        acts
    }

    fn add(&mut self, op: &SessionOp) {
        let hash = |secret: &SessionSecret| Some(hash_of(*secret));
        let (act, hash, old, name, flag, conn) = match op {
            SessionOp::Claim { claim, .. } => {
                let SessionClaim { secret, former, user, is_guest, conn } = claim;
                let old = former.as_ref().and_then(hash);
                // Programs of before did not ask for that: their sessions go on without it.
                let flag = KEEPS_FORMER + i64::from(*is_guest);
                (0, hash(secret), old, Some(user.to_string()), flag, conn.as_u64().cast_signed())
            }
            SessionOp::Change(SessionChange::End(secret)) => (1, hash(secret), None, None, 0, 0),
            SessionOp::Change(SessionChange::Away(secret, away)) => {
                (2, hash(secret), None, None, i64::from(*away), 0)
            }
            SessionOp::Change(SessionChange::EndAll(user)) => {
                (3, None, None, Some(user.to_string()), 0, 0)
            }
            SessionOp::Told(hash, conn) => {
                (4, Some(hash.to_string()), None, None, 0, conn.as_u64().cast_signed())
            }
            SessionOp::Change(SessionChange::Used(secret)) => (5, hash(secret), None, None, 0, 0),
        };
        self.acts.push(Some(act));
        self.hashes.push(hash);
        self.olds.push(old);
        self.names.push(name);
        self.flags.push(Some(flag));
        self.conns.push(Some(conn));
    }

    /// Calls `ask` with the parameters of the statement of this node.
    pub(super) fn with_params<T>(&self, node: i64, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let [hashes, olds, names] = [&self.hashes, &self.olds, &self.names]
            .map(|texts| texts.iter().map(Option::as_deref).collect::<Vec<_>>());
        ask(&[
            Param::Ints(&self.acts),
            Param::Texts(&hashes),
            Param::Texts(&olds),
            Param::Texts(&names),
            Param::Ints(&self.flags),
            Param::Ints(&self.conns),
            Param::Int(node),
            Param::Int(kept()),
            Param::Int(EACH_MAX),
        ])
    }
}

/// What became of a claim, and at which node the former session is live.
pub(super) fn read(row: &Row) -> Result<(Claimed, Option<NodeId>), WrongType> {
    let claimed = match row.int(0)? {
        0 => Claimed::New,
        1 => Claimed::Resumed { away: row.int(1)? != 0 },
        2 => Claimed::Taken,
        _ => return Err(WrongType { column: 0 }),
    };
    Ok((claimed, row.int_or_null(2)?.map(|id| NodeId(id.cast_unsigned()))))
}
