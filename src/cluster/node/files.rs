//! What is asked about files, on its way to the engine and back.

use super::Node;
use super::engine::Engine;
use super::file_ops::{FileOp, statement, with_params};
use super::reader::Reading;
use super::writer::{Flight, What};
use crate::chat::model::file_rows::{FileAsk, FileTold};
use crate::cluster::link::Lane;
use crate::pg::{EngineError, Row};
use crate::time::clock::Now;

impl<E: Engine> Node<E> {
    /// Asks about files: each is answered once, by [`Node::poll_file`].
    pub fn ask_file(&mut self, now: Now, ticket: u64, ask: &FileAsk) {
        self.now = now;
        let (lane, statement, read) = statement(ask);
        let op = FileOp { ticket, read };
        if !self.is_up {
            return self.tell_file_lost(&op);
        }
        let tag = self.next_tag();
        let own = self.node_number();
        let sent = with_params(ask, own, |params| {
            self.engine.send(self.now, (lane, tag), statement, params)
        });
        match lane {
            _ if sent.is_err() => self.tell_file_lost(&op),
            Lane::Writer => self.flights.push_back(Flight { tag, what: What::File(op) }),
            Lane::Reader | Lane::Bus => _ = self.readings.insert(tag, Reading::File(op)),
        }
    }

    /// The next answer about files: to which question, and what it is.
    pub fn poll_file(&mut self) -> Option<(u64, Result<FileTold, String>)> {
        self.files_told.pop_front()
    }

    pub(super) fn on_file(&mut self, op: &FileOp, outcome: &Result<Vec<Row>, EngineError>) {
        let told = match outcome {
            Ok(rows) => (op.read)(rows, self.node_number()).map_err(|wrong| wrong.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.files_told.push_back((op.ticket, told));
    }

    /// No answer comes: it may have been done or not.
    pub(super) fn tell_file_lost(&mut self, op: &FileOp) {
        self.files_told.push_back((op.ticket, Err("the shared log does not answer".to_owned())));
    }
}
