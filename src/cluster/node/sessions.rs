//! Sessions over all nodes: claims and what else becomes of them, written in batches, and the news
//! that one of this node's goes on at another.

use std::time::Duration;

use super::Node;
use super::bus_text::Word;
use super::engine::Engine;
use super::queue::Op;
use super::reader::Reading;
use super::session_ops::{Acts, SessionOp, kept, read};
use super::writer::{Flight, What};
use super::writer_replies::is_transient;
use crate::chat::model::columns::signed;
use crate::chat::model::log::{LogFault, LogReply, Ticket};
use crate::chat::model::sessions::{SessionChange, SessionClaim};
use crate::cluster::link::Lane;
use crate::net::ConnId;
use crate::pg::{EngineError, Param, Row, Statement, WrongType};

/// What becomes of sessions: see `sessions.sql`.
const SESSIONS: Statement = Statement {
    name: "sessions",
    sql: "SELECT outcome, away, other FROM chinwag.sessions_1($1::bigint[], $2::text[], \
          $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint, $8::bigint, $9::bigint)",
};

/// Sessions of these nodes that go on at others.
const REPLACED: Statement = Statement {
    name: "replaced",
    sql: "SELECT hash, conn FROM chinwag.session WHERE node = ANY ($1::bigint[]) AND taken \
          LIMIT 1000",
};

/// Sessions of this node, which was thought to be gone, are live: how many.
const RETURN_SESSIONS: Statement = Statement {
    name: "return_sessions",
    sql: "SELECT chinwag.sessions_return_1($1::bigint, $2::bigint[], $3::bigint)",
};

/// Sessions that are over go.
const SWEEP_SESSIONS: Statement = Statement {
    name: "sweep_sessions",
    sql: "SELECT chinwag.sessions_sweep_1($1::bigint, $2::bigint)",
};

/// How often sessions are looked for that are over.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Sessions that go at once.
const SWEEP_MAX: i64 = 10_000;
/// Sessions that are live again at once.
const RETURN_MAX: i64 = 4_096;
/// Acts of one statement.
const ACTS_MAX: usize = 256;
/// Changes that may wait while the engine is away; more are dropped, and said in the log: what is
/// not known to have ended is found by the sweep when its node has gone.
const CHANGES_MAX: usize = 65_536;

/// What is looked at for those that go on elsewhere.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// There may be some.
    pub(super) is_wanted: bool,
    /// They are being read.
    pub(super) is_asked: bool,
}

impl<E: Engine> Node<E> {
    /// A session is to begin.
    pub(super) fn claim(&mut self, ticket: Ticket, claim: SessionClaim) {
        if self.is_down {
            return self.replies.push_back(LogReply::Claimed(ticket, Err(LogFault::Broken)));
        }
        let since = self.now.tick;
        let op = SessionOp::Claim { ticket, claim, since, is_lost: false };
        self.queue.push(Op::Session(Box::new(op)));
    }

    /// Something has become of one.
    pub(super) fn change_session(&mut self, change: SessionChange) {
        // Dropped and not refused: nobody waits for the end of a session to be written.
        if self.queue.sessions() >= CHANGES_MAX {
            log::error!("too many ends of sessions wait for the engine");
            return;
        }
        self.queue.push(Op::Session(Box::new(SessionOp::Change(change))));
    }

    /// A claim is not sent, or not once more.
    pub(super) fn refuse_session(&mut self, op: SessionOp, fault: LogFault) {
        let SessionOp::Claim { ticket, claim, is_lost, .. } = op else {
            return self.queue.push(Op::Session(Box::new(op)));
        };
        if is_lost {
            // It may have been done: then nobody learns the secret.
            self.change_session(SessionChange::End(claim.secret));
        }
        self.replies.push_back(LogReply::Claimed(ticket, Err(fault)));
    }

    /// Sends something about a session, with what stands behind it.
    pub(super) fn send_sessions(&mut self, first: SessionOp) {
        let mut ops = vec![first];
        while ops.len() < ACTS_MAX
            && matches!(self.queue.peek(), Some(Op::Session(_)))
            && let Some(Op::Session(op)) = self.queue.pop()
        {
            ops.push(*op);
        }
        let tag = self.next_tag();
        let sent = Acts::of(&ops).with_params(self.node_number(), |params| {
            self.engine.send(self.now, (Lane::Writer, tag), SESSIONS, params)
        });
        match sent {
            Ok(()) => self.flights.push_back(Flight { tag, what: What::Sessions(ops) }),
            Err(_) => {
                for op in ops.into_iter().rev() {
                    self.hold(Op::Session(Box::new(op)));
                }
            }
        }
    }

    /// It was done, or refused.
    pub(super) fn on_sessions_written(
        &mut self,
        ops: Vec<SessionOp>,
        outcome: &Result<Vec<Row>, EngineError>,
    ) {
        let rows = match outcome {
            Ok(rows) => rows,
            Err(error) if is_transient(error) => {
                for op in ops {
                    self.queue.repeat(Op::Session(Box::new(op)));
                }
                return;
            }
            Err(error) => {
                self.refusals.say(self.now.tick, "sessions cannot be written", error);
                for op in ops.into_iter().filter(|op| matches!(op, SessionOp::Claim { .. })) {
                    self.refuse_session(op, LogFault::Broken);
                }
                return;
            }
        };
        for (nth, op) in ops.into_iter().enumerate() {
            let SessionOp::Claim { ticket, .. } = op else { continue };
            let (outcome, other) = match rows.get(nth).map(read) {
                Some(Ok((claimed, other))) => (Ok(claimed), other),
                _ => (Err(LogFault::Corrupt), None),
            };
            match other {
                // A node does not hear itself on the bus.
                Some(own) if self.ids.contains(&own) => self.replaced.is_wanted = true,
                other => self.words.extend(other.map(Word::Replaced)),
            }
            self.replies.push_back(LogReply::Claimed(ticket, outcome));
        }
    }

    /// Nobody knows whether it was done: the same answer comes if it is asked again.
    pub(super) fn on_sessions_lost(&mut self, ops: Vec<SessionOp>) {
        for op in ops {
            let op = match op {
                SessionOp::Claim { ticket, claim, since, .. } => {
                    SessionOp::Claim { ticket, claim, since, is_lost: true }
                }
                op => op,
            };
            self.queue.repeat(Op::Session(Box::new(op)));
        }
    }

    /// Those of this node that go on elsewhere were read.
    pub(super) fn on_replaced(&mut self, rows: &[Row]) -> Result<(), WrongType> {
        self.replaced.is_asked = false;
        for row in rows {
            let conn = ConnId::from_u64(row.int(1)?.cast_unsigned());
            self.replies.push_back(LogReply::Replaced(conn));
            // The row asks until this is written. If it is lost the connection is told twice, which
            // is harmless, since a `ConnId` is never used again.
            let op = SessionOp::Told(row.text(0)?.into(), conn);
            self.queue.push(Op::Session(Box::new(op)));
        }
        Ok(())
    }

    /// Reads them, if there may be some.
    pub(super) fn ask_replaced(&mut self) {
        if !self.replaced.is_wanted || self.replaced.is_asked {
            return;
        }
        let ids: Vec<Option<i64>> = self.ids.iter().map(|id| Some(signed(id.0))).collect();
        let params = [Param::Ints(&ids)];
        let sent = self.ask_reader(Reading::Replaced, REPLACED, &params);
        // Cleared now and not with the answer: what is reported meanwhile may not be in it.
        (self.replaced.is_wanted, self.replaced.is_asked) = (sent.is_err(), sent.is_ok());
    }

    /// Has the sessions be live again that this node had under other numbers.
    pub(super) fn return_sessions(&mut self) {
        let formers: Vec<Option<i64>> = self
            .ids
            .iter()
            .filter(|id| Some(**id) != self.id)
            .map(|id| Some(signed(id.0)))
            .collect();
        let params =
            [Param::Int(self.node_number()), Param::Ints(&formers), Param::Int(RETURN_MAX)];
        self.is_returning = self.ask_writer(What::Return, RETURN_SESSIONS, &params).is_err();
    }

    /// Some are live again, or not: those that are lost are asked for when the engine is back.
    pub(super) fn on_returned(&mut self, outcome: &Result<Vec<Row>, EngineError>) {
        self.is_returning = match outcome {
            // A full lot: there may be more.
            Ok(rows) => rows.first().is_some_and(|row| row.int(0) == Ok(RETURN_MAX)),
            Err(error) => {
                log::warn!(error:%; "sessions of this node cannot be said to be live");
                is_transient(error)
            }
        };
    }

    /// Has sessions end whose nodes are gone, and those be forgotten that ended long ago.
    pub(super) fn sweep_sessions(&mut self) {
        let params = [Param::Int(kept()), Param::Int(SWEEP_MAX)];
        // Not sent, it is due again with the next sweep.
        _ = self.ask_writer(What::Sweep, SWEEP_SESSIONS, &params);
    }
}
