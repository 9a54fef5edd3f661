//! Frames to messages: one connection's inbound half.

#![expect(clippy::mut_mut, reason = "the input is a slice that is used up from its front")]

use super::header::HEADER_LEN_MAX;
use super::item::Ready;
use super::partial::{Frame, Message, Partial, Stage, Whole};
use super::{
    Deflate, FrameHeader, HeaderBytes, Item, Opcode, Role, Settings, Shared, Violation, mask,
};

/// One connection's inbound state: 16 bytes while nothing is incomplete.
///
/// What arrives in pieces is gathered, and grows only with the bytes received. A compressed message
/// is gathered as it is and inflated when it is complete: inflating each piece at once would take
/// an inflater with a window of its own, 45 KiB, for every connection that is in the middle of one,
/// which a peer gets for a few bytes.
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    deflate: Option<Deflate>,
    ended: bool,
}

impl Decoder {
    /// The decoder of a new connection, with the compression that was negotiated.
    #[must_use]
    pub const fn new(deflate: Option<Deflate>) -> Self {
        Self { partial: None, deflate, ended: false }
    }

    /// The compression that was negotiated.
    #[must_use]
    pub const fn deflate(&self) -> Option<Deflate> {
        self.deflate
    }

    /// Whether a frame or a fragmented message has begun and is not complete.
    #[must_use]
    pub const fn is_partial(&self) -> bool {
        self.partial.is_some()
    }

    /// Bytes of the message that is incomplete.
    #[must_use]
    pub fn gathered_len(&self) -> usize {
        let message = self.partial.as_deref().and_then(|partial| partial.message.as_ref());
        message.map_or(0, Message::len)
    }

    /// Bytes that the incomplete message has reserved.
    #[cfg(test)]
    pub(super) fn gathered_capacity(&self) -> usize {
        let message = self.partial.as_deref().and_then(|partial| partial.message.as_ref());
        message.map_or(0, Message::capacity)
    }

    /// Takes the next message or control frame off the front of `input`, unmasking it in place;
    /// call it until it returns `None`. Then `input` is used up, and what was incomplete is kept.
    ///
    /// After a close frame or a violation everything is discarded.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that the connection is to be failed with, at the first byte that shows it.
    pub fn decode<'a, 'i: 'a>(
        &mut self,
        input: &mut &'i mut [u8],
        settings: &Settings,
        shared: &'a mut Shared,
    ) -> Result<Option<Item<'a>>, Violation> {
        // A close frame is the peer's last word (RFC 6455 section 5.5.1); what comes after it
        // is used up unread.
        if self.ended {
            *input = &mut [];
            return Ok(None);
        }
        // The item of before was lent until now: it is given back here, and by the turn's end.
        shared.trim();
        let item = match self.next_ready(input, settings) {
            Ok(None) => return Ok(None),
            Ok(Some(ready)) => shared.item(ready, settings.message_len_max),
            Err(violation) => Err(violation),
        };
        if matches!(item, Ok(Item::Close { .. }) | Err(_)) {
            // After a violation nothing that follows is trusted.
            self.ended = true;
            self.partial = None;
        }
        item.map(Some)
    }

    fn next_ready<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        settings: &Settings,
    ) -> Result<Option<Ready<'i>>, Violation> {
        // A frame that is whole in the input needs no state at all, which is nearly every frame.
        if self.partial.is_none()
            && let Some((header, payload)) = self.next_whole(input, settings)?
        {
            return Ok(Some(Ready::InPlace(header, payload)));
        }
        loop {
            let Some((mut frame, control)) = self.next_frame(input, settings)? else {
                return Ok(None);
            };
            let header = frame.header;
            // The mask is applied as bytes arrive, so the position in the payload must be kept with
            // the frame.
            let missing = header.payload_len - frame.received;
            let piece = take(input, missing);
            if let Some(key) = header.mask {
                mask(piece, key, frame.received);
            }
            let piece_len = u64::try_from(piece.len()).unwrap_or(u64::MAX);
            frame.received += piece_len;
            let complete = piece_len == missing;
            if header.opcode.is_control() {
                return Ok(self.push_control(frame, control, piece, complete));
            }
            // A message in one frame whose header came in pieces: its payload still lies whole in
            // the input.
            // Only a frame that both begins and ends its message: a last fragment has its first
            // ones in `partial`.
            if complete && header.fin && !self.has_message() {
                self.partial = None;
                return Ok(Some(Ready::InPlace(header, piece)));
            }
            if let Some(whole) = self.push_data(frame, piece, settings)? {
                return Ok(Some(Ready::Gathered(whole)));
            }
            if !complete {
                return Ok(None);
            }
        }
    }

    /// The common case, without a detour: nothing is under way, and the input begins with a whole
    /// frame that is a whole message. Otherwise nothing is taken.
    fn next_whole<'i>(
        &mut self,
        input: &mut &'i mut [u8],
        settings: &Settings,
    ) -> Result<Option<(FrameHeader, &'i mut [u8])>, Violation> {
        // Nothing is taken yet: a header that is cut is decoded again with more of it.
        let header = FrameHeader::decode(input, settings.role, self.deflate.is_some())?;
        let Some((header, header_len)) = header else {
            return Ok(None);
        };
        self.admit(&header, settings)?;
        let end =
            usize::try_from(header.payload_len).ok().and_then(|len| len.checked_add(header_len));
        // A frame that is cut, or the first of several, goes the slower way, which keeps its bytes.
        let Some(frame) = end.filter(|_| header.fin).and_then(|end| input.split_off_mut(..end))
        else {
            return Ok(None);
        };
        let payload = frame.get_mut(header_len..).unwrap_or_default();
        if let Some(key) = header.mask {
            mask(payload, key, 0);
        }
        Ok(Some((header, payload)))
    }

    /// The frame that the next bytes of payload belong to, with what a control frame has gathered;
    /// `None` if even its header is incomplete.
    fn next_frame(
        &mut self,
        input: &mut &mut [u8],
        settings: &Settings,
    ) -> Result<Option<(Frame, Vec<u8>)>, Violation> {
        // At most one thing has begun: a frame's payload, or a header. Control frames come between
        // the frames of a message, and never within one (section 5.4).
        let begun = match self.partial.as_deref_mut().map(|partial| &mut partial.stage) {
            Some(Stage::Data(frame)) => return Ok(Some((*frame, Vec::new()))),
            Some(Stage::Control(frame, bytes)) => return Ok(Some((*frame, std::mem::take(bytes)))),
            Some(Stage::Header(bytes)) => Some(*bytes),
            Some(Stage::Between) | None => None,
        };
        let compression = self.deflate.is_some();
        let header = match begun {
            None => FrameHeader::decode(input, settings.role, compression)?,
            Some(begun) => decode_begun(begun, input, settings.role, compression)?,
        };
        let Some((header, consumed)) = header else {
            self.keep_header(begun, input);
            return Ok(None);
        };
        // Before the header is judged: a violation ends everything, so that nobody comes back for
        // these bytes.
        take(input, u64::try_from(consumed).unwrap_or(u64::MAX));
        self.admit(&header, settings)?;
        Ok(Some((Frame { header, received: 0 }, Vec::new())))
    }

    /// Keeps the rest of the input as the start of a header.
    fn keep_header(&mut self, begun: Option<HeaderBytes>, input: &mut &mut [u8]) {
        if input.is_empty() {
            return;
        }
        let mut bytes = begun.unwrap_or(HeaderBytes::EMPTY);
        bytes.push(input);
        *input = &mut [];
        self.partial.get_or_insert_default().stage = Stage::Header(bytes);
    }

    /// Holds a header against the message under way and the limits.
    fn admit(&mut self, header: &FrameHeader, settings: &Settings) -> Result<(), Violation> {
        // Control frames may come between the fragments of a message (section 5.4) and were bounded
        // by their header.
        if header.opcode.is_control() {
            return Ok(());
        }
        let message = self.partial.as_deref_mut().and_then(|partial| partial.message.as_mut());
        let (len, compressed, fragments) = match (&message, header.opcode) {
            (None, Opcode::Continuation) => return Err(Violation::UnexpectedContinuation),
            (None, _) => (0, header.compressed, 1),
            (Some(message), Opcode::Continuation) => {
                (message.len(), message.compressed, message.fragments.saturating_add(1))
            }
            (Some(_), _) => return Err(Violation::InterleavedMessage),
        };
        if header.opcode == Opcode::Binary && !settings.accept_binary {
            return Err(Violation::UnexpectedBinary);
        }
        let len_max = settings.message_len_max;
        let total = usize::try_from(header.payload_len).ok().and_then(|more| len.checked_add(more));
        // The announced length is judged, so that nothing is kept of a message that cannot be
        // accepted.
        if total.is_none_or(|total| total > settings.wire_len_max(compressed)) {
            return Err(Violation::MessageTooLong { len_max });
        }
        let fragments_max = settings.fragments_max;
        // Empty fragments cost nothing in bytes, so that without this bound they could go on for
        // ever.
        if fragments > fragments_max.max(1) {
            return Err(Violation::TooManyFragments { fragments_max });
        }
        // Counted only when the header is admitted, which happens once for each frame.
        if let Some(message) = message {
            message.fragments = fragments;
        }
        Ok(())
    }

    fn has_message(&self) -> bool {
        self.partial.as_deref().is_some_and(|partial| partial.message.is_some())
    }

    /// Takes a piece of a control frame; returns the frame once it is complete.
    fn push_control<'i>(
        &mut self,
        frame: Frame,
        mut gathered: Vec<u8>,
        piece: &'i mut [u8],
        complete: bool,
    ) -> Option<Ready<'i>> {
        if !complete {
            gathered.extend_from_slice(piece);
            self.partial.get_or_insert_default().stage = Stage::Control(frame, gathered);
            return None;
        }
        // Before it is handed out: a fragmented message around it goes on where it was.
        self.finish_frame();
        // Only its header came in pieces.
        if gathered.is_empty() {
            return Some(Ready::InPlace(frame.header, piece));
        }
        gathered.extend_from_slice(piece);
        let opcode = frame.header.opcode;
        Some(Ready::Gathered(Whole::Bytes { opcode, compressed: false, bytes: gathered }))
    }

    /// Takes a piece of a message; returns the message once it is complete.
    fn push_data(
        &mut self,
        frame: Frame,
        piece: &[u8],
        settings: &Settings,
    ) -> Result<Option<Whole>, Violation> {
        let Frame { header, received } = frame;
        let missing = header.payload_len - received;
        let partial = self.partial.get_or_insert_default();
        // The first frame says of what kind the message is; those that continue it have no opcode
        // of their own.
        let message = partial.message.get_or_insert_with(|| Message::new(&header));
        let mut len_max = settings.wire_len_max(message.compressed);
        // The last frame tells the exact length of the message, so the buffer grows to that and no
        // further.
        if header.fin {
            let missing = usize::try_from(missing).unwrap_or(usize::MAX);
            len_max = message.len().saturating_add(piece.len()).saturating_add(missing);
        }
        message.push(piece, len_max)?;
        if missing > 0 {
            partial.stage = Stage::Data(frame);
            return Ok(None);
        }
        partial.stage = Stage::Between;
        if !header.fin {
            return Ok(None);
        }
        // The whole state goes with the message, so that an idle connection owns no buffer.
        let message = partial.message.take();
        self.partial = None;
        message.map(Message::finish).transpose()
    }

    /// Forgets the frame that is complete, and everything if nothing else is under way.
    fn finish_frame(&mut self) {
        match self.partial.as_deref_mut() {
            Some(partial) if partial.message.is_some() => partial.stage = Stage::Between,
            Some(_) => self.partial = None,
            None => {}
        }
    }
}

/// Splits at most `len` bytes off the front of `input`.
fn take<'i>(input: &mut &'i mut [u8], len: u64) -> &'i mut [u8] {
    let len = usize::try_from(len).unwrap_or(usize::MAX).min(input.len());
    input.split_off_mut(..len).unwrap_or_default()
}

/// As [`FrameHeader::decode`], for a header whose first bytes came earlier: the length is how much
/// of `input` it takes.
fn decode_begun(
    begun: HeaderBytes,
    input: &[u8],
    role: Role,
    compression: bool,
) -> Result<Option<(FrameHeader, usize)>, Violation> {
    let mut bytes = begun;
    let missing = input.len().min(HEADER_LEN_MAX - begun.len());
    bytes.push(input.get(..missing).unwrap_or_default());
    let header = FrameHeader::decode(&bytes, role, compression)?;
    Ok(header.map(|(header, len)| (header, len.saturating_sub(begun.len()))))
}

crate::pack::pack_struct!(Decoder { partial: Option<Box<Partial>>, deflate: Option<Deflate>, ended: bool });
