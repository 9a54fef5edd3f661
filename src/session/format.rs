//! How the same JSON text is put on the wire for different connections.

use super::edge::Edge;
use crate::chat::model::output::Class;
use crate::line;
use crate::ws::{Opcode, WindowBits, encode_compressed, encode_text_header};

/// The renderings, each of which is one of the domain's classes.
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

/// The formats by class. What many get is rendered once for each.
const BY_CLASS: [Format; Class::COUNT] = [
    Format::Ws,
    Format::Deflate(WindowBits::Fifteen),
    Format::Lines,
    Format::Lengths,
    Format::Human,
];

impl Format {
    /// The class of connections of this format.
    pub(super) fn class(self) -> Class {
        let index = match self {
            Self::Deflate(bits) if bits != WindowBits::Fifteen => 0,
            _ => BY_CLASS.iter().position(|&format| format == self).unwrap_or(0),
        };
        Class(u8::try_from(index).unwrap_or(0))
    }

    /// The format of a class.
    pub(super) fn of(class: Class) -> Self {
        BY_CLASS.get(usize::from(class.0)).copied().unwrap_or(Self::Human)
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
    fn each_format_is_that_of_its_class() {
        for format in BY_CLASS {
            assert_eq!(Format::of(format.class()), format);
        }
    }
}
