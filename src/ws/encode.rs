//! Encoding frames, for both roles.

use bytes::BufMut;

use super::close_code::reason_that_fits;
use super::header::CONTROL_LEN_MAX;
use super::{CloseCode, FrameHeader, HeaderBytes, MaskKey, Opcode, mask};

/// Bytes that are masked at a time on their way into the output.
const MASK_CHUNK_LEN: usize = 1024;

/// The header of a server's text message of `payload_len` bytes: for payloads that are encoded once
/// and sent to many.
#[must_use]
pub fn encode_text_header(payload_len: usize) -> HeaderBytes {
    FrameHeader::new(Opcode::Text, len_u64(payload_len)).encode()
}

/// Appends a frame that is a whole message, or a control frame.
///
/// A server's has no `mask`, a client's has a fresh, unpredictable one (section 5.3). The payload of a
/// control frame has at most [`CONTROL_LEN_MAX`] bytes: what goes beyond is left out.
pub fn encode(opcode: Opcode, payload: &[u8], mask: Option<MaskKey>, out: &mut impl BufMut) {
    encode_frame(FrameHeader { mask, ..FrameHeader::new(opcode, 0) }, payload, out);
}

/// Appends a message that a [`Compressor`](super::Compressor) made, as by [`encode`].
pub fn encode_compressed(
    opcode: Opcode,
    payload: &[u8],
    mask: Option<MaskKey>,
    out: &mut impl BufMut,
) {
    let header = FrameHeader { compressed: true, mask, ..FrameHeader::new(opcode, 0) };
    encode_frame(header, payload, out);
}

/// Appends a frame with the given header, whose length is taken from `payload`: for fragments.
pub fn encode_frame(header: FrameHeader, payload: &[u8], out: &mut impl BufMut) {
    let mut payload = payload;
    if header.opcode.is_control() {
        payload = payload.get(..CONTROL_LEN_MAX).unwrap_or(payload);
    }
    out.put_slice(&FrameHeader { payload_len: len_u64(payload.len()), ..header }.encode());
    match header.mask {
        None => out.put_slice(payload),
        Some(key) => put_masked(payload, key, out),
    }
}

/// Appends a close frame. Without a code it is empty; a reason that is too long is cut between two
/// characters.
pub fn encode_close(
    code: Option<CloseCode>,
    reason: &str,
    mask: Option<MaskKey>,
    out: &mut impl BufMut,
) {
    let Some(code) = code else {
        return encode(Opcode::Close, &[], mask, out);
    };
    let mut payload = [0; CONTROL_LEN_MAX];
    let mut room = payload.as_mut_slice();
    room.put_u16(code.as_u16());
    room.put_slice(reason_that_fits(reason).as_bytes());
    let unused = room.len();
    let payload = payload.get(..CONTROL_LEN_MAX - unused).unwrap_or_default();
    encode(Opcode::Close, payload, mask, out);
}

fn put_masked(payload: &[u8], key: MaskKey, out: &mut impl BufMut) {
    let mut buffer = [0; MASK_CHUNK_LEN];
    for chunk in payload.chunks(MASK_CHUNK_LEN) {
        let Some(masked) = buffer.get_mut(..chunk.len()) else {
            return;
        };
        masked.copy_from_slice(chunk);
        // Every chunk begins at a multiple of the key's length.
        mask(masked, key, 0);
        out.put_slice(masked);
    }
}

/// No length in memory exceeds 64 bits.
fn len_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}
