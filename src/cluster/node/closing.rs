//! Rooms that end for all who are in them, at whichever node.
//!
//! ```text
//!  End ─▶ close_1 ─┬─ the room is no more ─▶ Synced       the other nodes: it is gone ─▶ by whom
//!                  └─ its rights are others ▶ Taken                       and why ─▶ Gone
//! ```
//!
//! Whoever asks is not told by this that it is gone, so that nothing is said of it in between.

use super::Node;
use super::engine::Engine;
use super::open_logs::Log;
use super::queue::{Ending, Op};
use super::reader::Reading;
use super::writer::{Flight, What};
use super::writer_replies::is_transient;
use crate::chat::model::log::{Farewell, LogFault, LogId, LogReply, Ticket};
use crate::chat::model::name::UserName;
use crate::cluster::link::Lane;
use crate::pg::{EngineError, Param, Row, Statement, WrongType};

/// A room is no more: see `rooms.sql`.
const CLOSE: Statement = Statement {
    name: "close",
    sql: "SELECT chinwag.close_1($1::bigint, $2::bigint, $3::bigint, $4::text, $5::text, \
          $6::bigint)",
};

/// Who has ended a room, and why.
const FAREWELL: Statement = Statement {
    name: "farewell",
    sql: "SELECT \"by\", reason FROM chinwag.closed WHERE room = $1::bigint",
};

impl<E: Engine> Node<E> {
    pub(super) fn end_room(&mut self, id: LogId, ticket: Ticket, farewell: Farewell) {
        let (era, version) = self.held.get(id).map_or((0, 0), |log| (log.era_told, log.version));
        let since = self.now.tick;
        let ending = Ending { log: id, ticket, farewell, era, version, since };
        if self.is_down {
            return self.refuse_end(&ending, LogFault::Broken);
        }
        self.queue.push(Op::End(Box::new(ending)));
    }

    pub(super) fn send_end(&mut self, ending: Ending) {
        let log = self.held.get_mut(ending.log);
        let log = log.filter(|log| log.era == ending.era && log.is_followed());
        let place = log.and_then(|log| {
            log.is_ending = true;
            Log::place(log)
        });
        let Some(place) = place else { return self.refuse_end(&ending, LogFault::Taken) };
        let params = [
            Param::Int(place.row),
            Param::Int(place.epoch),
            Param::Int(ending.version),
            Param::Text(ending.farewell.from.as_str()),
            Param::Text(&ending.farewell.reason),
            Param::Int(self.node_number()),
        ];
        let tag = self.next_tag();
        match self.engine.send(self.now, (Lane::Writer, tag), CLOSE, &params) {
            Ok(()) => {
                self.engine.say_grown(&[place.row]);
                self.flights.push_back(Flight { tag, what: What::End(Box::new(ending)) });
            }
            Err(_) => self.hold(Op::End(Box::new(ending))),
        }
    }

    /// What became of it.
    pub(super) fn on_end_written(
        &mut self,
        ending: Box<Ending>,
        outcome: Result<Vec<Row>, EngineError>,
    ) {
        let outcome = match outcome {
            Ok(rows) => rows.first().and_then(|row| row.int(0).ok()),
            Err(error) if is_transient(&error) => return self.queue.repeat(Op::End(ending)),
            Err(error) => {
                self.refusals.say(self.now.tick, "a room cannot be ended", &error);
                return self.refuse_end(&ending, LogFault::Broken);
            }
        };
        if outcome != Some(0) {
            return self.refuse_end(&ending, LogFault::Taken);
        }
        if let Some(row) = self.held.get(ending.log).and_then(|log| log.row) {
            self.held.drop_row(row);
        }
        let (ticket, outcome) = (ending.ticket, Ok(()));
        self.held.end(ending.log, LogReply::Synced { ticket, outcome });
    }

    /// It does not end by this, as far as is known; what it is by now is looked at.
    pub(super) fn refuse_end(&mut self, ending: &Ending, fault: LogFault) {
        if let Some(log) = self.held.get_mut(ending.log) {
            log.is_ending = false;
            self.held.wants.insert(ending.log);
        }
        let (ticket, outcome) = (ending.ticket, Err(fault));
        self.held.say(ending.log, LogReply::Synced { ticket, outcome });
    }

    /// The room of a log is no more: it is asked who has ended it, if somebody has.
    pub(super) fn ask_farewell(&mut self, id: LogId) {
        let Some(row) = self.held.get(id).and_then(|log| log.row) else {
            return self.held.end(id, LogReply::Gone { log: id, farewell: None });
        };
        let params = [Param::Int(row)];
        if self.ask_reader(Reading::Farewell(id), FAREWELL, &params).is_err() {
            self.held.renewals.insert(id);
        }
    }

    pub(super) fn on_farewell(&mut self, id: LogId, rows: &[Row]) -> Result<(), WrongType> {
        let read = |row: &Row| {
            let from = UserName::stored(row.text(0)?).ok_or(WrongType { column: 0 })?;
            Ok::<_, WrongType>(Box::new(Farewell { from, reason: row.text(1)?.into() }))
        };
        let farewell = rows.first().map(read).transpose();
        let told = farewell.as_ref().ok().cloned().flatten();
        self.held.end(id, LogReply::Gone { log: id, farewell: told });
        farewell.map(drop)
    }
}
