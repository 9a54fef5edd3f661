//! The diagnostic echo: every message comes back as it came, compressed if that was agreed upon.

use super::backlog::PeerEnd;
use super::input::Session;
use super::state::Protocol;
use crate::ws::{Item, Opcode, encode, encode_compressed};

impl Session<'_, '_> {
    /// Takes one message off the front of `input`. `false` if there is no whole one, or the
    /// connection ends.
    pub(super) fn echo_step(&mut self, input: &mut &mut [u8]) -> bool {
        let Protocol::Echo { decoder } = &mut self.state.protocol else { return false };
        let context = &mut *self.context;
        let deflate = decoder.deflate();
        let decoded =
            decoder.decode(input, &context.echo_settings, context.decoding.get_or_insert_default());
        let (opcode, payload) = match decoded {
            Ok(None) => return false,
            Ok(Some(Item::Text(text))) => (Opcode::Text, text.as_bytes()),
            Ok(Some(Item::Binary(bytes))) => (Opcode::Binary, bytes),
            Ok(Some(Item::Ping(bytes))) => (Opcode::Pong, bytes),
            Ok(Some(Item::Pong(_))) => return true,
            Ok(Some(Item::Close { code, .. })) => {
                self.on_leave_taken(PeerEnd::Close(code));
                return false;
            }
            Err(violation) => {
                self.fail(violation);
                return false;
            }
        };
        let mut out = Vec::with_capacity(payload.len() + 10);
        let compressed = deflate
            .filter(|_| !opcode.is_control())
            .and_then(|deflate| context.echo_compressor.compress(payload, deflate.window_bits));
        match compressed {
            Some(compressed) => encode_compressed(opcode, compressed, None, &mut out),
            None => encode(opcode, payload, None, &mut out),
        }
        self.send(out);
        true
    }
}
