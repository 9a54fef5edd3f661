//! Telnet commands within a text client's lines (RFC 854): skipped, never answered. A telnet client
//! works with the defaults that apply when its offers are ignored.
//!
//! ```text
//! IAC IAC                     a byte 255 of the text; dropped, since it is not UTF-8
//! IAC SB … IAC SE             a subnegotiation, of any length
//! IAC WILL|WONT|DO|DONT x     an option
//! IAC x                       any other command
//! ```

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// "Interpret as command".
pub(super) const IAC: u8 = 255;
const SB: u8 = 250;
const SE: u8 = 240;
const WILL: u8 = 251;
const DONT: u8 = 254;

/// The position within a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Telnet {
    /// In no command.
    #[default]
    Text,
    /// After an `IAC`.
    Command,
    /// Before the number of an option.
    Option,
    /// In a subnegotiation.
    Sub,
    /// After an `IAC` in a subnegotiation.
    SubCommand,
}

impl Telnet {
    /// The state after `byte`, and whether `byte` belongs to the text.
    pub(super) const fn advance(self, byte: u8) -> (Self, bool) {
        match (self, byte) {
            (Self::Text, IAC) => (Self::Command, false),
            (Self::Text, _) => (Self::Text, true),
            (Self::Command, SB) => (Self::Sub, false),
            (Self::Command, WILL..=DONT) => (Self::Option, false),
            (Self::Command | Self::Option, _) | (Self::SubCommand, SE) => (Self::Text, false),
            (Self::Sub, IAC) => (Self::SubCommand, false),
            (Self::Sub | Self::SubCommand, _) => (Self::Sub, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &[u8], expect: &str) {
        let mut state = Telnet::default();
        let mut text = String::new();
        for &byte in input {
            let (next, keep) = state.advance(byte);
            state = next;
            text.extend(keep.then_some(char::from(byte)));
        }
        assert_eq!((text.as_str(), state), (expect, Telnet::Text), "{input:?}");
    }

    #[test]
    fn commands_are_left_out_of_the_text() {
        check(b"plain", "plain");
        check(&[b'a', IAC, 0xf4, b'b'], "ab");
        for option in WILL..=DONT {
            check(&[b'a', IAC, option, 0x06, b'b'], "ab");
        }
        check(&[b'a', IAC, IAC, b'b'], "ab");
        check(&[IAC, SB, 24, b'\n', IAC, IAC, 0, b'x', IAC, SE, b'b'], "b");
    }
}
