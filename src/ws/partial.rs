//! What a connection keeps of a frame or message that is not complete yet.

use super::utf8::TextBuffer;
use super::{FrameHeader, HeaderBytes, Opcode, Violation};

/// A connection's unfinished business; it exists only while there is some.
#[derive(Debug, Default)]
pub(super) struct Partial {
    pub(super) stage: Stage,
    /// The message whose first bytes have arrived.
    pub(super) message: Option<Message>,
}

/// What the next byte belongs to.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// A new frame, inside a fragmented message.
    #[default]
    Between,
    /// A header that has begun with these bytes.
    Header(HeaderBytes),
    /// The payload of a message's frame; the message holds what has arrived of it.
    Data(Frame),
    /// The payload of a control frame, and what has arrived of it, unmasked.
    Control(Frame, Vec<u8>),
}

/// A frame under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    /// Bytes of its payload that have arrived.
    pub(super) received: u64,
}

/// A message that is being gathered, in one contiguous buffer.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) opcode: Opcode,
    pub(super) compressed: bool,
    /// Frames so far, the present one and empty ones included.
    pub(super) fragments: u32,
    buffer: Buffer,
}

#[derive(Debug)]
enum Buffer {
    /// Checked as it arrives.
    Text(TextBuffer),
    /// Binary or compressed.
    Bytes(Vec<u8>),
}

impl Message {
    /// The message that begins with `header`.
    pub(super) fn new(header: &FrameHeader) -> Self {
        let FrameHeader { opcode, compressed, .. } = *header;
        // Compressed text can be checked only after it is inflated.
        let buffer = if opcode == Opcode::Text && !compressed {
            Buffer::Text(TextBuffer::default())
        } else {
            Buffer::Bytes(Vec::new())
        };
        Self { opcode, compressed, fragments: 1, buffer }
    }

    /// Bytes gathered.
    pub(super) fn len(&self) -> usize {
        match &self.buffer {
            Buffer::Text(text) => text.len(),
            Buffer::Bytes(bytes) => bytes.len(),
        }
    }

    /// Bytes reserved for it.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        match &self.buffer {
            Buffer::Text(text) => text.capacity(),
            Buffer::Bytes(bytes) => bytes.capacity(),
        }
    }

    /// Appends unmasked payload. The buffer at most doubles, and not beyond `len_max`, which the
    /// message can never exceed.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`] as soon as text cannot become valid.
    pub(super) fn push(&mut self, piece: &[u8], len_max: usize) -> Result<(), Violation> {
        match &mut self.buffer {
            Buffer::Text(text) => {
                // Exactly, by a growth of its own: a vector's own doubling would go beyond what can
                // ever come.
                text.reserve_exact(growth(text.len(), text.spare(), piece.len(), len_max));
                text.push(piece)
            }
            Buffer::Bytes(bytes) => {
                let spare = bytes.capacity() - bytes.len();
                bytes.reserve_exact(growth(bytes.len(), spare, piece.len(), len_max));
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// The whole.
    ///
    /// # Errors
    ///
    /// [`Violation::InvalidUtf8`] if text ends inside a character.
    pub(super) fn finish(self) -> Result<Whole, Violation> {
        let Self { opcode, compressed, buffer, .. } = self;
        Ok(match buffer {
            Buffer::Text(text) => Whole::Text(text.finish()?),
            Buffer::Bytes(bytes) => Whole::Bytes { opcode, compressed, bytes },
        })
    }
}

/// A message or control frame that was gathered.
#[derive(Debug)]
pub(super) enum Whole {
    /// Text, checked.
    Text(String),
    /// Anything else, not checked yet.
    Bytes { opcode: Opcode, compressed: bool, bytes: Vec<u8> },
}

/// How much to reserve for `additional` bytes: as `Vec` would, but not beyond `len_max`.
fn growth(len: usize, spare: usize, additional: usize, len_max: usize) -> usize {
    if spare >= additional {
        return 0;
    }
    // Doubling keeps the number of copies small however small the pieces are.
    additional.max(len.min(len_max.saturating_sub(len)))
}

crate::pack::pack_struct!(Partial { stage: Stage, message: Option<Message> });
crate::pack::pack_enum!(Stage {
    0: Between,
    1: Header(bytes: HeaderBytes),
    2: Data(frame: Frame),
    3: Control(frame: Frame, bytes: Vec<u8>),
});
crate::pack::pack_struct!(Frame { header: FrameHeader, received: u64 });
crate::pack::pack_struct!(Message {
    opcode: Opcode,
    compressed: bool,
    fragments: u32,
    buffer: Buffer
});
crate::pack::pack_enum!(Buffer { 0: Text(text: TextBuffer), 1: Bytes(bytes: Vec<u8>) });
