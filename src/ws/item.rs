//! What a decoder hands out, and the scratch space of all decoders.

use super::close_code::decode_close;
use super::partial::Whole;
use super::utf8::decode_utf8;
use super::{CloseCode, FrameHeader, Inflater, Opcode, Violation};

/// A whole message or a control frame, lent from the input or from [`Shared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
    /// A ping; its payload, at most 125 bytes, belongs into a pong.
    Ping(&'a [u8]),
    /// A pong, asked for or not.
    Pong(&'a [u8]),
    /// The peer's close frame, the last item of a connection.
    Close {
        /// The code, if it gave one.
        code: Option<CloseCode>,
        /// The reason in words, often empty.
        reason: &'a str,
    },
}

/// The scratch space that all decoders of a thread share: the inflater, and the message last
/// gathered.
#[derive(Debug, Default)]
pub struct Shared {
    inflater: Inflater,
    /// What the last item was lent from, if it was gathered from pieces.
    whole: Option<Whole>,
}

impl Shared {
    /// Gives back what large messages took. Each decoding begins with it; call it at the end of a
    /// turn, too, so that nothing is kept through a silence.
    pub fn trim(&mut self) {
        self.whole = None;
        self.inflater.trim();
    }

    /// Bytes that the last item left behind.
    #[cfg(test)]
    pub(super) fn kept_len(&self) -> usize {
        let whole = match &self.whole {
            Some(Whole::Text(text)) => text.len(),
            Some(Whole::Bytes { bytes, .. }) => bytes.len(),
            None => 0,
        };
        whole + self.inflater.output_len()
    }

    /// The item that `ready` holds.
    pub(super) fn item<'a>(
        &'a mut self,
        ready: Ready<'a>,
        len_max: usize,
    ) -> Result<Item<'a>, Violation> {
        let Self { inflater, whole } = self;
        let (opcode, compressed, bytes) = match ready {
            Ready::InPlace(header, payload) => (header.opcode, header.compressed, &*payload),
            Ready::Gathered(gathered) => match whole.insert(gathered) {
                // Checked piece by piece as it came: to check it again would double the cost of
                // long texts.
                Whole::Text(text) => return Ok(Item::Text(text)),
                Whole::Bytes { opcode, compressed, bytes } => (*opcode, *compressed, &**bytes),
            },
        };
        let payload = if compressed { inflater.inflate(bytes, len_max)? } else { bytes };
        decode_item(opcode, payload)
    }
}

/// A frame or message that is complete and unmasked.
#[derive(Debug)]
pub(super) enum Ready<'a> {
    /// It lies in the input.
    InPlace(FrameHeader, &'a mut [u8]),
    /// It was gathered from pieces.
    Gathered(Whole),
}

fn decode_item(opcode: Opcode, payload: &[u8]) -> Result<Item<'_>, Violation> {
    Ok(match opcode {
        Opcode::Text => Item::Text(decode_utf8(payload)?),
        Opcode::Binary => Item::Binary(payload),
        Opcode::Ping => Item::Ping(payload),
        Opcode::Pong => Item::Pong(payload),
        Opcode::Close => {
            let (code, reason) = decode_close(payload)?;
            Item::Close { code, reason }
        }
        Opcode::Continuation => return Err(Violation::UnexpectedContinuation),
    })
}
