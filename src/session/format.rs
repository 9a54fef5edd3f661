//! How the same JSON text is put on the wire for different connections.

use super::edge::Edge;
use crate::chat::model::output::Encoding;
use crate::line;
use crate::ws::{Opcode, WindowBits, encode_compressed, encode_text_header};

/// How texts are put on the wire for one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// A WebSocket text frame.
    Ws,
    /// The same, compressed where it pays. A connection that agreed on a smaller window than the usual one
    /// takes [`Format::Ws`] of what is sent to many.
    Deflate(WindowBits),
    /// A line.
    Lines,
    /// Behind its length.
    Lengths,
    /// Readable text.
    Human,
}

impl Format {
    /// The encoding of what many connections get, this one among them.
    pub(super) const fn encoding(self) -> Encoding {
        match self {
            Self::Deflate(WindowBits::Fifteen) => Encoding::Deflate,
            Self::Ws | Self::Deflate(_) => Encoding::WebSocket,
            Self::Lines => Encoding::Lines,
            Self::Lengths => Encoding::Lengths,
            Self::Human => Encoding::Text,
        }
    }

    /// The format of an encoding.
    pub(super) const fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding::WebSocket => Self::Ws,
            Encoding::Deflate => Self::Deflate(WindowBits::Fifteen),
            Encoding::Lines => Self::Lines,
            Encoding::Lengths => Self::Lengths,
            Encoding::Text => Self::Human,
        }
    }
}

impl Edge {
    /// Appends `text`, a JSON text, in `format` to `out`; a person's text as it is.
    pub(super) fn put(&mut self, format: Format, text: &[u8], out: &mut Vec<u8>) {
        match format {
            Format::Ws => {
                out.reserve(text.len() + 4);
                out.extend_from_slice(&encode_text_header(text.len()));
                out.extend_from_slice(text);
            }
            Format::Deflate(bits) => match self.compressor.compress(text, bits) {
                Some(compressed) => {
                    self.metrics.http.messages_deflated.add(1);
                    encode_compressed(Opcode::Text, compressed, None, out);
                }
                None => self.put(Format::Ws, text, out),
            },
            Format::Lines => line::encode_line(out, text),
            Format::Lengths => {
                let put = line::encode_length(out, text);
                debug_assert_eq!(put, Ok(()), "no text of ours is that long");
            }
            Format::Human => out.extend_from_slice(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_encoding_is_that_of_its_format() {
        for encoding in Encoding::ALL {
            assert_eq!(Format::of(encoding).encoding(), encoding);
        }
    }
}
