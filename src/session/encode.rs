//! How the same text is put on the wire for different connections.

use std::sync::Arc;

use crate::chat::model::output::Encoding;
use crate::line;
use crate::metrics::Metrics;
use crate::ws::{Compressor, Deflate, Opcode, WindowBits, encode_compressed, encode_text_header};

/// Bytes of scratch space that are kept for the next use: larger texts are rare.
const TEXT_KEPT: usize = 256 * 1024;
/// Bytes that are left free before a text for its WebSocket header: right for 126 to 65,535 bytes,
/// so that most records need not be moved once their length is known.
const HEADER_LEN_EXPECTED: usize = 4;

/// How texts are put on the wire for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A WebSocket text message.
    WebSocket,
    /// The same, compressed where it pays. A connection that agreed on a smaller window than the
    /// usual one gets what is sent to many as [`Format::WebSocket`].
    Deflate(WindowBits),
    /// A JSON text on a line of its own.
    Lines,
    /// A JSON text after its length.
    Lengths,
    /// Text for a person.
    Text,
    /// An event of a stream of one room.
    Events,
    /// An event of a stream of several rooms.
    ManyEvents,
}

impl Format {
    /// The encoding of what many connections get, this one among them.
    pub(super) const fn encoding(self) -> Encoding {
        match self {
            Self::Deflate(WindowBits::Fifteen) => Encoding::Deflate,
            Self::WebSocket | Self::Deflate(_) => Encoding::WebSocket,
            Self::Lines => Encoding::Lines,
            Self::Lengths => Encoding::Lengths,
            Self::Text => Encoding::Text,
            Self::Events => Encoding::Events,
            Self::ManyEvents => Encoding::ManyEvents,
        }
    }

    /// The format of a WebSocket with this compression.
    pub(super) const fn of_deflate(deflate: Option<Deflate>) -> Self {
        match deflate {
            None => Self::WebSocket,
            Some(deflate) => Self::Deflate(deflate.window_bits),
        }
    }

    /// The format of an encoding.
    pub(super) const fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding::WebSocket => Self::WebSocket,
            Encoding::Deflate => Self::Deflate(WindowBits::Fifteen),
            Encoding::Lines => Self::Lines,
            Encoding::Lengths => Self::Lengths,
            Encoding::Text => Self::Text,
            Encoding::Events => Self::Events,
            Encoding::ManyEvents => Self::ManyEvents,
        }
    }
}

/// Puts texts into the form in which they are sent.
#[derive(Debug)]
pub(super) struct Encoder {
    compressor: Compressor,
    /// Where a text is rendered that is to be compressed.
    text: Vec<u8>,
    metrics: Arc<Metrics>,
}

impl Encoder {
    pub(super) const fn new(compressor: Compressor, metrics: Arc<Metrics>) -> Self {
        Self { compressor, text: Vec::new(), metrics }
    }

    /// Appends one message: the text that `render` appends, where it is sent from, so that it is
    /// not copied again. Nothing if `render` appends nothing.
    pub(super) fn message(
        &mut self,
        format: Format,
        out: &mut Vec<u8>,
        render: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = out.len();
        match format {
            Format::WebSocket => {
                // The length is known only when the text is written, and with it the header's.
                out.extend_from_slice(&[0; HEADER_LEN_EXPECTED]);
                render(out);
                put_header(out, start);
            }
            Format::Deflate(bits) => {
                self.text.clear();
                render(&mut self.text);
                // An empty message would be sent for a request without an id otherwise.
                if self.text.is_empty() {
                    return;
                }
                if let Some(compressed) = self.compressor.compress(&self.text, bits) {
                    self.metrics.http.messages_deflated.add(1);
                    encode_compressed(Opcode::Text, compressed, None, out);
                } else {
                    out.extend_from_slice(&encode_text_header(self.text.len()));
                    out.extend_from_slice(&self.text);
                }
            }
            Format::Lines => {
                render(out);
                if out.len() > start {
                    out.push(b'\n');
                }
            }
            Format::Lengths => {
                out.extend_from_slice(&[0; line::LENGTH_BYTES]);
                render(out);
                // The same for a length of fixed size: nothing is moved.
                let put = line::put_length(out, start);
                debug_assert_eq!(put, Ok(()), "no text of the server is that long");
            }
            Format::Text | Format::Events | Format::ManyEvents => render(out),
        }
    }

    /// Frees what large messages left behind.
    pub(super) fn trim(&mut self) {
        self.compressor.trim();
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT);
    }
}

/// Writes the header of a WebSocket message whose text follows the bytes that were left free
/// for it, or takes these back if there is no text.
fn put_header(out: &mut Vec<u8>, start: usize) {
    let payload = start + HEADER_LEN_EXPECTED;
    let payload_len = out.len().saturating_sub(payload);
    if payload_len == 0 {
        out.truncate(start);
        return;
    }
    let header = encode_text_header(payload_len);
    match header.len() {
        HEADER_LEN_EXPECTED => {}
        shorter @ ..HEADER_LEN_EXPECTED => {
            // Texts of less than 126 bytes are moved by two: a copy of so few bytes costs less than
            // measuring the text first.
            out.copy_within(payload.., start + shorter);
            out.truncate(start + shorter + payload_len);
        }
        longer => {
            let missing = longer - HEADER_LEN_EXPECTED;
            out.splice(payload..payload, std::iter::repeat_n(0, missing));
        }
    }
    if let Some(place) = out.get_mut(start..start + header.len()) {
        place.copy_from_slice(&header);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::{CompressPolicy, encode};

    fn encoder() -> Encoder {
        let compressor = Compressor::new(CompressPolicy::WherePays { len_min: 512 });
        Encoder::new(compressor, Arc::new(Metrics::default()))
    }

    /// What the encoder makes of `text`, after other bytes.
    fn message(format: Format, text: &[u8]) -> Vec<u8> {
        let mut out = b"before".to_vec();
        encoder().message(format, &mut out, |out| out.extend_from_slice(text));
        assert!(out.starts_with(b"before"));
        out.split_off(b"before".len())
    }

    #[test]
    fn each_encoding_is_that_of_its_format() {
        for encoding in Encoding::ALL {
            assert_eq!(Format::of(encoding).encoding(), encoding);
        }
        assert_eq!(Format::Deflate(WindowBits::Nine).encoding(), Encoding::WebSocket);
    }

    #[test]
    fn a_text_of_any_length_has_the_header_of_its_frame() {
        for len in [1, 2, 125, 126, 127, 65_535, 65_536, 70_000] {
            let text: Vec<u8> = (b'a'..=b'z').cycle().take(len).collect();
            let mut expect = Vec::new();
            encode(Opcode::Text, &text, None, &mut expect);
            assert_eq!(message(Format::WebSocket, &text), expect, "{len}");
        }
    }

    #[test]
    fn a_text_that_compresses_badly_is_sent_as_it_is() {
        let short = message(Format::Deflate(WindowBits::Fifteen), b"{}");
        assert_eq!(short, message(Format::WebSocket, b"{}"));
        let long = vec![b'x'; 10_000];
        let deflated = message(Format::Deflate(WindowBits::Fifteen), &long);
        assert!(deflated.len() < 100, "{}", deflated.len());
        assert_eq!(deflated.first(), Some(&0xc1), "the first byte says that it is compressed");
    }

    #[test]
    fn lines_lengths_and_texts_are_delimited_in_their_own_way() {
        assert_eq!(message(Format::Lines, b"{}"), b"{}\n");
        assert_eq!(message(Format::Lengths, b"{}"), b"\0\0\0\x02{}");
        assert_eq!(message(Format::Text, b"hello\n"), b"hello\n");
    }

    #[test]
    fn nothing_is_sent_where_nothing_is_rendered() {
        for encoding in Encoding::ALL {
            assert_eq!(message(Format::of(encoding), b""), b"", "{encoding:?}");
        }
    }
}
