//! How connections are ended from this side, and what the peer is told.

use super::deliver::{find, send};
use super::edge::{Edge, frame};
use super::format::Format;
use super::row::{Row, Stage};
use super::{Sessions, Turn};
use crate::net::{CloseReason, ConnId, Effect, Ending};
use crate::wire::{close_code, close_words, human, render};
use crate::ws::{CloseCode, encode_close};

impl Sessions {
    /// Ends a connection with the goodbye of its protocol; the domain forgets it at once.
    pub fn end(&mut self, conn: ConnId, reason: CloseReason, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        let goodbye = edge.goodbye(row, reason);
        close(row, goodbye, (reason, Ending::Linger), turn);
        turn.chat.handle_closed(turn.now, conn);
    }

    /// Pings a silent connection, or ends one that has not answered. Whoever's socket was slow of late may
    /// have the ping still before it: what it is cut for is not taking a byte.
    pub(super) fn silent(&mut self, conn: ConnId, turn: &mut Turn<'_>) {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return };
        if row.backlog.is_some() {
            // What it says is not read at the moment: it is not to be blamed for silence.
            row.since = turn.now.tick;
            let deadline = row.deadline(edge);
            return turn.effects.push(Effect::Arm { conn, deadline });
        }
        let pong_by = row.pong_by(edge);
        if turn.now.tick >= pong_by {
            return self.end(conn, CloseReason::NoPong, turn);
        }
        if row.ledger.is_blocked() {
            row.since = turn.now.tick;
        } else if !row.pinged {
            row.since = turn.now.tick;
            row.pinged = true;
            let ping = edge.ping(row);
            edge.metrics.http.pings.add(1);
            send(row, edge.turn, ping, turn);
        }
        turn.effects.push(Effect::Arm { conn, deadline: row.deadline(edge) });
    }
}

impl Edge {
    fn goodbye(&mut self, row: &Row, reason: CloseReason) -> Vec<u8> {
        let mut out = Vec::new();
        let (code, words) = (close_code(reason), close_words(reason));
        match (&row.stage, row.format()) {
            (Stage::Ws { .. } | Stage::Echo { .. }, _) => {
                encode_close(CloseCode::new(code), words, None, &mut out);
            }
            (Stage::Tcp(_), Some(Format::Human)) if reason == CloseReason::Bye => {
                human::bye(&mut out, "");
            }
            (Stage::Tcp(_), Some(Format::Human)) => human::bye(&mut out, words),
            (Stage::Tcp(_), format) => {
                let mut text = Vec::new();
                render::bye(&mut text, code, words);
                self.put(format.unwrap_or(Format::Lines), &text, &mut out);
            }
            (Stage::Http { .. } | Stage::Ending, _) => {}
        }
        out
    }

    fn ping(&mut self, row: &Row) -> Vec<u8> {
        let mut out = Vec::new();
        match row.format() {
            Some(format @ (Format::Lines | Format::Lengths)) => {
                let mut text = Vec::new();
                render::ping(&mut text);
                self.put(format, &text, &mut out);
            }
            Some(Format::Human) => {}
            Some(Format::Ws | Format::Deflate(_)) | None => {
                crate::ws::encode(crate::ws::Opcode::Ping, &[], None, &mut out);
            }
        }
        out
    }
}

/// Sends the last bytes and closes.
pub(super) fn close(
    row: &mut Row,
    goodbye: Vec<u8>,
    (reason, ending): (CloseReason, Ending),
    turn: &mut Turn<'_>,
) {
    if matches!(row.stage, Stage::Ending) {
        return;
    }
    let conn = row.conn;
    row.stage = Stage::Ending;
    row.backlog = None;
    if !goodbye.is_empty() {
        turn.effects.push(Effect::Send { conn, frame: frame(goodbye) });
    }
    turn.effects.push(Effect::Close { conn, reason, ending });
}
