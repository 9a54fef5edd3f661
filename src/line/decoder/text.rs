//! A person's lines: as they come from a pipe, from `nc`, and from telnet, key by key.
//!
//! A line ends with `\n`, with `\r`, or with both; `\r` and NUL are what telnet sends for Enter
//! (RFC 854). Backspace and Delete take back a character, as telnet's own commands do.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::super::telnet::{Act, IAC, Telnet};
use super::{Decoder, Found, Phase};

// The same key sends the one or the other, as the terminal is set.
const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7f;

/// Bytes that say nothing (commands of telnet, erased characters) which count as an empty line, so
/// that a flood of them is read at the rate. A negotiation has fewer.
const SILENT_MAX: u8 = 64;

impl Decoder {
    pub(super) fn decode_text<'i>(
        &mut self,
        input: &mut &'i [u8],
        len_max: usize,
    ) -> Option<Found<'i>> {
        while let Some((&first, rest)) = input.split_first() {
            if self.telnet != Telnet::Text {
                *input = rest;
                let (state, act) = self.telnet.advance(first);
                self.telnet = state;
                match act {
                    Act::Nothing => {}
                    Act::EraseCharacter => self.erase_character(),
                    Act::EraseLine => self.erase_line(),
                    Act::Answer(answer) => return Some(Found::Answer(answer)),
                }
                if let Some(found) = self.count_silent() {
                    return Some(found);
                }
                continue;
            }
            // A command may stand between the two bytes of a line end.
            if first != IAC && std::mem::take(&mut self.is_after_cr) && matches!(first, b'\n' | 0) {
                *input = rest;
                continue;
            }
            let found = self.take_text(input, len_max);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Takes text up to and with the next byte that means something else.
    fn take_text<'i>(&mut self, input: &mut &'i [u8], len_max: usize) -> Option<Found<'i>> {
        let all = *input;
        let len = all.iter().position(|&byte| is_special(byte)).unwrap_or(all.len());
        let (piece, rest) = all.split_at_checked(len).unwrap_or((all, &[]));
        let special = rest.first().copied();
        *input = rest.get(1..).unwrap_or(&[]);
        let ended = matches!(special, Some(b'\r' | b'\n'));
        self.is_after_cr |= special == Some(b'\r');
        let found =
            if ended || !piece.is_empty() { self.push_line(piece, ended, len_max) } else { None };
        match special {
            Some(IAC) => self.telnet = Telnet::Command,
            Some(BACKSPACE | DELETE) => {
                self.erase_character();
                return found.or_else(|| self.count_silent());
            }
            _ => {}
        }
        found
    }

    /// Counts a byte that says nothing.
    const fn count_silent<'i>(&mut self) -> Option<Found<'i>> {
        self.silent += 1;
        if self.silent < SILENT_MAX {
            return None;
        }
        self.silent = 0;
        Some(Found::Empty)
    }

    /// Takes back the last character of the line, if there is one.
    fn erase_character(&mut self) {
        let Some(partial) = self.partial.as_mut().filter(|partial| !partial.taken) else { return };
        let is_continued = |byte: Option<u8>| byte.is_some_and(|byte| byte & 0xc0 == 0x80);
        while is_continued(partial.bytes.pop()) {}
        if partial.bytes.is_empty() {
            self.partial = None;
        }
    }

    /// Takes back the line, even one that is too long.
    fn erase_line(&mut self) {
        self.partial = None;
        self.phase = Phase::Line;
    }
}

/// Whether a byte is a control character, and not part of a line's text.
const fn is_special(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | IAC | BACKSPACE | DELETE)
}
