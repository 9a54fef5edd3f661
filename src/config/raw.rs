//! A value as somebody wrote it, before it is known what it should be.

use std::fmt;

use toml::Spanned;
use toml::de::DeValue;

/// A value from one of the sources.
#[derive(Clone, Copy, Debug)]
pub(super) enum RawValue<'a> {
    /// From the environment or a flag: text that may stand for a value of any type.
    Word(&'a str),
    /// From the file: the value, and the text of the file where it stands.
    Toml(&'a DeValue<'a>, &'a str),
}

impl<'a> RawValue<'a> {
    /// The text, whether its type was written down or not.
    pub(super) fn text(self) -> Option<&'a str> {
        match self {
            Self::Word(text) => Some(text),
            Self::Toml(value, _) => value.as_str(),
        }
    }

    /// The whole number; a TOML string is none, even if it holds digits only.
    pub(super) fn integer(self) -> Option<i128> {
        match self {
            Self::Word(text) => text.parse().ok(),
            Self::Toml(DeValue::Integer(n), _) => i128::from_str_radix(n.as_str(), n.radix()).ok(),
            Self::Toml(..) => None,
        }
    }

    /// The strings of an array; outside of the file they are separated by commas.
    pub(super) fn list(self) -> Option<Vec<&'a str>> {
        match self {
            Self::Word("") => Some(Vec::new()),
            Self::Word(text) => Some(text.split(',').map(str::trim).collect()),
            Self::Toml(DeValue::Array(items), _) => {
                items.iter().map(|item| item.get_ref().as_str()).collect()
            }
            Self::Toml(..) => None,
        }
    }

    /// What stands under a header: one table or, if there may be several, the list of them.
    pub(super) fn is_tables(self) -> bool {
        match self {
            Self::Toml(DeValue::Array(items), _) => !items.is_empty() && are_tables(items),
            Self::Toml(value, _) => value.is_table(),
            Self::Word(_) => false,
        }
    }
}

/// Whether all of a TOML array's elements are tables.
pub(super) fn are_tables(items: &[Spanned<DeValue<'_>>]) -> bool {
    items.iter().all(|item| item.get_ref().is_table())
}

/// As it stands in a complaint.
impl fmt::Display for RawValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) => write!(f, "{text:?}"),
            Self::Toml(DeValue::Table(_), _) => f.write_str("a table"),
            // An array may go over several lines.
            Self::Toml(_, written) => f.write_str(&written.replace('\n', " ")),
        }
    }
}
