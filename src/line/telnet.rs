//! Telnet commands within a text client's lines (RFC 854, RFC 1123 sections 3.2 and 3.3). Every
//! option is refused, so that the defaults of a network virtual terminal apply.
//!
//! | command | does |
//! |---|---|
//! | `IAC IAC` | a byte 255 of the text; dropped, since it is not UTF-8 |
//! | `IAC SB … IAC SE` | a subnegotiation, of any length: skipped |
//! | `IAC WILL x`, `IAC DO x` | is refused with `DONT x`, `WONT x`; `DO TIMING-MARK` is answered with `WILL` |
//! | `IAC WONT x`, `IAC DONT x` | what is so already is not answered, so that no two ends loop |
//! | `IAC EC`, `IAC EL` | takes back a character, the line |
//! | `IAC IP`, `IAC BRK` | interrupts: takes back the line |
//! | `IAC AYT` | is answered visibly |
//! | `IAC x` | any other, `DM` of a SYNCH among them: skipped |

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// "Interpret as command".
pub(super) const IAC: u8 = 255;
// The other commands, by the names that RFC 854 gives them.
const SE: u8 = 240;
const BRK: u8 = 243;
const IP: u8 = 244;
const AYT: u8 = 246;
const EC: u8 = 247;
const EL: u8 = 248;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
/// The option by which the other end learns how far its bytes have been processed (RFC 860).
const TIMING_MARK: u8 = 6;

/// What is sent in answer to a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TelnetAnswer {
    /// About an option.
    Option([u8; 3]),
    /// That somebody is there.
    Here,
}

impl TelnetAnswer {
    /// What is sent to the client.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Option(bytes) => bytes,
            Self::Here => b"-- still here --\n",
        }
    }
}

/// The position within a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Telnet {
    /// In no command.
    #[default]
    Text,
    /// After an `IAC`.
    Command,
    /// After this verb, before the number of an option.
    Option(u8),
    /// In a subnegotiation.
    Sub,
    /// After an `IAC` in a subnegotiation.
    SubCommand,
}

/// What a byte of a command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    EraseCharacter,
    EraseLine,
    Answer(TelnetAnswer),
}

impl Telnet {
    /// The state after `byte` of a command, which an `IAC` has begun, and what the byte does.
    pub(super) const fn advance(self, byte: u8) -> (Self, Act) {
        match (self, byte) {
            (Self::Command, SB) => (Self::Sub, Act::Nothing),
            (Self::Command, WILL..=DONT) => (Self::Option(byte), Act::Nothing),
            (Self::Command, EC) => (Self::Text, Act::EraseCharacter),
            (Self::Command, EL | IP | BRK) => (Self::Text, Act::EraseLine),
            (Self::Command, AYT) => (Self::Text, Act::Answer(TelnetAnswer::Here)),
            (Self::Option(verb), option) => (Self::Text, about_option(verb, option)),
            (Self::Text | Self::Command, _) | (Self::SubCommand, SE) => (Self::Text, Act::Nothing),
            (Self::Sub, IAC) => (Self::SubCommand, Act::Nothing),
            (Self::Sub | Self::SubCommand, _) => (Self::Sub, Act::Nothing),
        }
    }
}

const fn about_option(verb: u8, option: u8) -> Act {
    let answer = match (verb, option) {
        (DO, TIMING_MARK) => WILL,
        (DO, _) => WONT,
        (WILL, _) => DONT,
        _ => return Act::Nothing,
    };
    Act::Answer(TelnetAnswer::Option([IAC, answer, option]))
}

crate::pack::pack_enum!(Telnet { 0: Text, 1: Command, 2: Option(verb: u8), 3: Sub, 4: SubCommand });

#[cfg(test)]
mod tests {
    use super::*;

    /// What the command does that stands after an `IAC`.
    #[track_caller]
    fn check(command: &[u8], expect: Act) {
        let mut state = Telnet::Command;
        let mut did = Act::Nothing;
        for &byte in command {
            assert_ne!(state, Telnet::Text, "{command:?} ends before its last byte");
            (state, did) = state.advance(byte);
        }
        assert_eq!((state, did), (Telnet::Text, expect), "{command:?}");
    }

    const fn answer(verb: u8, option: u8) -> Act {
        Act::Answer(TelnetAnswer::Option([IAC, verb, option]))
    }

    #[test]
    fn options_are_refused_and_what_is_off_already_is_not_answered() {
        for option in [0, 1, 3, 24, 31, IAC] {
            check(&[WILL, option], answer(DONT, option));
            check(&[DO, option], answer(WONT, option));
            check(&[WONT, option], Act::Nothing);
            check(&[DONT, option], Act::Nothing);
        }
    }

    #[test]
    fn a_timing_mark_is_set() {
        check(&[DO, TIMING_MARK], answer(WILL, TIMING_MARK));
    }

    #[test]
    fn what_a_key_means_is_done() {
        check(&[EC], Act::EraseCharacter);
        for key in [EL, IP, BRK] {
            check(&[key], Act::EraseLine);
        }
        check(&[AYT], Act::Answer(TelnetAnswer::Here));
    }

    #[test]
    fn everything_else_is_skipped() {
        for command in [0, 241, 242, 245, 249, IAC] {
            check(&[command], Act::Nothing);
        }
        check(&[SB, 24, b'\n', IAC, IAC, 0, IAC, DO, 6, b'x', IAC, SE], Act::Nothing);
    }
}
