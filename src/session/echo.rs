//! The diagnostic echo: every message comes back as it came, compressed if that was agreed upon.

use super::deliver::{find, send};
use super::row::Stage;
use super::{Sessions, Turn};
use crate::net::ConnId;
use crate::ws::{Item, Opcode, encode, encode_compressed};

impl Sessions {
    /// Takes one message off the front of `input`. `false` if there is no whole one, or the connection
    /// ends.
    pub(super) fn echo_step(
        &mut self,
        conn: ConnId,
        input: &mut &mut [u8],
        turn: &mut Turn<'_>,
    ) -> bool {
        let Self { rows, edge, .. } = self;
        let Some(row) = find(rows, conn) else { return false };
        let Stage::Echo { decoder } = &mut row.stage else { return false };
        let deflate = decoder.deflate();
        let (opcode, payload) = match decoder.decode(input, &edge.echo_settings, &mut edge.shared) {
            Ok(None) => return false,
            Ok(Some(Item::Text(text))) => (Opcode::Text, text.as_bytes()),
            Ok(Some(Item::Binary(bytes))) => (Opcode::Binary, bytes),
            Ok(Some(Item::Ping(bytes))) => (Opcode::Pong, bytes),
            Ok(Some(Item::Pong(_))) => return true,
            Ok(Some(Item::Close { code, .. })) => {
                self.answer_close(conn, code, turn);
                return false;
            }
            Err(violation) => {
                self.violated(conn, violation, turn);
                return false;
            }
        };
        let mut out = Vec::with_capacity(payload.len() + 10);
        let compressed = deflate
            .filter(|_| !opcode.is_control())
            .and_then(|deflate| edge.echo_compressor.compress(payload, deflate.window_bits));
        match compressed {
            Some(compressed) => encode_compressed(opcode, compressed, None, &mut out),
            None => encode(opcode, payload, None, &mut out),
        }
        send(row, edge.turn, out, turn);
        true
    }
}
