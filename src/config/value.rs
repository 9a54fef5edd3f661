//! A value that a setting may have, after the check.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::listen_address::ListenAddress;
use super::secret::Secret;
use super::units;
use crate::time::millis;

/// A value that its setting may have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Boolean(bool),
    Number(u64),
    Bytes(u64),
    Time(Duration),
    Addresses(Vec<ListenAddress>),
    Text(String),
    List(Vec<String>),
    Secret(Secret),
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

    /// The secret, if it is one.
    pub(super) fn secret(&self) -> Option<&Secret> {
        if let Self::Secret(secret) = self { Some(secret) } else { None }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// As it would be written in the file, in its natural unit.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = match self {
            // Only what a unit divides is easier to read with it.
            Self::Bytes(bytes)
                if *bytes > 0
                    && (bytes.is_multiple_of(1024) || bytes.is_multiple_of(1_000_000)) =>
            {
                toml::Value::from(units::render(*bytes, units::BYTES))
            }
            Self::Time(time) => toml::Value::from(units::render(millis(*time), units::TIMES)),
            Self::Addresses(addresses) if addresses.len() == 1 => {
                toml::Value::from(addresses.iter().map(ToString::to_string).collect::<String>())
            }
            other => toml::Value::try_from(other).map_err(|_unwritable| fmt::Error)?,
        };
        write!(f, "{written}")
    }
}
