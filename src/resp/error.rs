//! What ends a connection to a bus.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

/// Why a connection to a bus is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server refuses a command, in its own words, which begin with a code.
    Refused(Box<str>),
    /// A message of more bytes, elements or levels than there may be.
    TooLong,
    /// It is no message of RESP, or none that may come now.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(words) => {
                f.write_str(words)?;
                advice(words).map_or(Ok(()), |advice| write!(f, ": {advice}"))
            }
            Self::TooLong => f.write_str("a message of it is longer than any that is told here"),
            Self::Malformed(what) => {
                write!(f, "{what}: is that a Valkey or Redis server, and no other program?")
            }
        }
    }
}

/// What is to be done about an error of this code.
fn advice(words: &str) -> Option<&'static str> {
    let (code, rest) = words.split_once(' ').unwrap_or((words, ""));
    match code {
        "WRONGPASS" => Some("the user or the password in the bus's address is wrong"),
        "NOAUTH" => Some("it asks for a password: put it into the address, or into a file"),
        "NOPERM" => Some("allow its user +hello +client|setname +subscribe +publish &chinwag:*"),
        "NOPROTO" => Some(TOO_OLD),
        "ERR" if rest.starts_with("unknown command") => Some(TOO_OLD),
        "LOADING" => Some("it is starting"),
        "DENIED" => Some("set a password there, or its protected-mode to no"),
        _ => None,
    }
}

const TOO_OLD: &str = "Valkey is needed, or Redis 6 or later";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_refuses_is_told_with_what_would_be_right() {
        for (words, expect) in [
            ("WRONGPASS invalid username-password pair or user is disabled.", "is wrong"),
            ("NOAUTH HELLO must be called with the client already authenticated", "into a file"),
            ("NOPERM this user has no permissions", "&chinwag:*"),
            ("NOPROTO unsupported protocol version", "Redis 6 or later"),
            ("ERR unknown command `HELLO`, with args beginning with: `3`", "Redis 6 or later"),
            ("LOADING Redis is loading the dataset in memory", "it is starting"),
            ("DENIED Redis is running in protected mode", "protected-mode to no"),
        ] {
            let said = Fault::Refused(words.into()).to_string();
            assert!(said.starts_with(words) && said.ends_with(expect), "{said}");
        }
        assert_eq!(Fault::Refused("ERR syntax error".into()).to_string(), "ERR syntax error");
    }
}
