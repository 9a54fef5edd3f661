//! A value that was checked.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::units;

/// A value that its setting may have.
#[derive(Clone, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Boolean(bool),
    Number(u64),
    Bytes(u64),
    Time(Duration),
    Address(SocketAddr),
    Text(String),
    List(Vec<String>),
    /// The word that stands for having none, such as `off`.
    Absent(&'static str),
}

impl Value {
    /// The number of a count, of bytes or of milliseconds.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) | Self::Bytes(number) => Some(*number),
            Self::Time(time) => Some(millis(*time)),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// As it would be written in the file, in its natural unit.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = |text: &str| toml::Value::from(text).to_string();
        match self {
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Bytes(bytes) if !bytes.is_multiple_of(1024) || *bytes == 0 => {
                write!(f, "{bytes}")
            }
            Self::Bytes(bytes) => f.write_str(&quote(&units::render(*bytes, units::BYTES))),
            Self::Time(time) => f.write_str(&quote(&units::render(millis(*time), units::TIMES))),
            Self::Address(address) => write!(f, "\"{address}\""),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quote(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Absent(word) => write!(f, "\"{word}\""),
        }
    }
}
