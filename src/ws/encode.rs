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
/// A server's has no `mask`, a client's has a fresh, unpredictable one (section 5.3). The payload
/// of a control frame has at most [`CONTROL_LEN_MAX`] bytes: what goes beyond is left out.
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
    // A longer control frame would make the peer fail the connection.
    // RFC 6455 section 5.5 lets it have 125 bytes.
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
    // The payload is shared and must not change, so it is masked in a copy, a chunk at a time.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::REASON_LEN_MAX;

    #[track_caller]
    fn check(write: impl FnOnce(&mut Vec<u8>), expect: &[u8]) {
        let mut out = b"before".to_vec();
        write(&mut out);
        assert_eq!(out.strip_prefix(b"before"), Some(expect));
    }

    const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

    #[test]
    fn the_examples_of_section_5_7_are_written() {
        check(|out| encode(Opcode::Text, b"Hello", None, out), b"\x81\x05Hello");
        check(
            |out| encode(Opcode::Text, b"Hello", Some(KEY), out),
            b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
        );
        let first = FrameHeader { fin: false, ..FrameHeader::new(Opcode::Text, 0) };
        check(|out| encode_frame(first, b"Hel", out), b"\x01\x03Hel");
        check(|out| encode(Opcode::Continuation, b"lo", None, out), b"\x80\x02lo");
        check(|out| encode(Opcode::Ping, b"Hello", None, out), b"\x89\x05Hello");
        let mut binary = b"\x82\x7e\x01\x00".to_vec();
        binary.extend([7; 256]);
        check(|out| encode(Opcode::Binary, &[7; 256], None, out), &binary);
        let mut binary = b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00".to_vec();
        binary.extend(vec![7; 65_536]);
        check(|out| encode(Opcode::Binary, &vec![7; 65_536], None, out), &binary);
    }

    #[test]
    fn a_compressed_message_has_rsv1() {
        let payload = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
        check(
            |out| encode_compressed(Opcode::Text, payload, None, out),
            b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
        );
    }

    #[test]
    fn a_close_frame_has_a_code_and_as_much_of_the_reason_as_fits() {
        check(|out| encode_close(None, "unsaid", None, out), b"\x88\x00");
        let code = Some(CloseCode::NORMAL);
        check(|out| encode_close(code, "bye", None, out), b"\x88\x05\x03\xe8bye");
        let mut longest = b"\x88\x7d\x03\xe8".to_vec();
        longest.extend([b'x'; REASON_LEN_MAX]);
        check(|out| encode_close(code, &"x".repeat(500), None, out), &longest);
    }

    #[test]
    fn a_control_frame_never_exceeds_its_bound() {
        let mut longest = b"\x8a\x7d".to_vec();
        longest.extend([9; CONTROL_LEN_MAX]);
        check(|out| encode(Opcode::Pong, &[9; 126], None, out), &longest);
    }

    #[test]
    fn a_long_payload_is_masked_throughout() {
        let payload: Vec<u8> = (0..=255).cycle().take(5 * MASK_CHUNK_LEN / 2 + 3).collect();
        let mut out = Vec::new();
        encode(Opcode::Binary, &payload, Some(KEY), &mut out);
        let masked = &mut out[8..];
        mask(masked, KEY, 0);
        assert_eq!(masked, payload);
    }

    #[test]
    fn a_text_header_is_that_of_the_whole_frame() {
        for len in [0, 125, 126, 65_535, 65_536] {
            let mut out = Vec::new();
            encode(Opcode::Text, &vec![b'x'; len], None, &mut out);
            assert_eq!(*encode_text_header(len), out[..out.len() - len]);
        }
    }
}
