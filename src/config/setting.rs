//! A setting: its name, a place for its value, and the value as somebody wrote it.

use std::fmt;

use super::kind::Kind;

/// The name of a setting: the section of the file that it stands in, and its key there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The section, empty for the settings that stand before the first one.
    pub section: &'static str,
    /// The key within the section.
    pub name: &'static str,
    /// In which of the tables of this name it stands, from 1; `None` if there is one only.
    pub table: Option<usize>,
}

impl Key {
    /// The environment variable of this setting, which those in one of several tables do not have.
    #[must_use]
    pub fn variable(self) -> String {
        let separator = if self.section.is_empty() { "" } else { "_" };
        format!("CHINWAG_{}{separator}{}", self.section, self.name).to_ascii_uppercase()
    }
}

/// `section.key`, or the bare key; `section 1: key` in the first of several tables.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.section, self.table) {
            ("", _) => f.write_str(self.name),
            (section, None) => write!(f, "{section}.{}", self.name),
            (section, Some(number)) => write!(f, "{section} {number}: {}", self.name),
        }
    }
}

/// A value as it was written, before it is known what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Text whose type nobody wrote down: from the environment or a flag.
    Word(String),
    /// A TOML string.
    Text(String),
    /// A TOML integer.
    Integer(i128),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array whose elements are all strings.
    List(Vec<String>),
    /// Something that no setting can be: its name with the article.
    Other(&'static str),
}

impl Given {
    /// The text, whether its type was written down or not.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Word(text) | Self::Text(text) => Some(text),
            Self::Integer(_) | Self::Boolean(_) | Self::List(_) | Self::Other(_) => None,
        }
    }

    /// The whole number; a TOML string is none, even if it holds digits only.
    pub(super) fn integer(&self) -> Option<i128> {
        match self {
            Self::Word(text) => text.parse().ok(),
            Self::Integer(number) => Some(*number),
            Self::Text(_) | Self::Boolean(_) | Self::List(_) | Self::Other(_) => None,
        }
    }
}

/// As it stands in a complaint.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(text) | Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::List(items) => write!(f, "{items:?}"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// A place in a [`Config`](super::Config) that can be written and read as text.
pub(super) trait Setting {
    /// Takes the value, or says what would be right; the old value then stays.
    fn set(&mut self, given: &Given) -> Result<(), String>;

    /// The present value, as it is written in the file.
    fn render(&self) -> String;
}

/// What is called with each setting.
pub(super) type Each<'e> = dyn FnMut(Key, &mut dyn Setting) + 'e;

/// The settings of one section on their way to whoever wants to see them.
pub(super) struct Section<'s, 'e> {
    name: &'static str,
    table: Option<usize>,
    each: &'s mut Each<'e>,
}

impl<'s, 'e> Section<'s, 'e> {
    pub(super) fn new(name: &'static str, each: &'s mut Each<'e>) -> Self {
        Self { name, table: None, each }
    }

    /// One of several tables of this name: the `number`th, from 1.
    pub(super) fn of_table(name: &'static str, number: usize, each: &'s mut Each<'e>) -> Self {
        Self { name, table: Some(number), each }
    }

    /// Hands on one setting: `value` may be what `kind` says.
    pub(super) fn setting<T>(&mut self, name: &'static str, value: &mut T, kind: impl Kind<T>) {
        let key = Key { section: self.name, name, table: self.table };
        (self.each)(key, &mut Slot { value, kind });
    }
}

struct Slot<'v, T, K> {
    value: &'v mut T,
    kind: K,
}

impl<T, K: Kind<T>> Setting for Slot<'_, T, K> {
    fn set(&mut self, given: &Given) -> Result<(), String> {
        *self.value = self.kind.parse(given)?;
        Ok(())
    }

    fn render(&self) -> String {
        self.kind.render(self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_variable() {
        let check = |section, name, variable: &str, shown: &str| {
            let key = Key { section, name, table: None };
            assert_eq!((key.variable().as_str(), key.to_string().as_str()), (variable, shown));
        };
        check("", "log_format", "CHINWAG_LOG_FORMAT", "log_format");
        check("limits", "rate_per_s", "CHINWAG_LIMITS_RATE_PER_S", "limits.rate_per_s");
        let key = Key { section: "room_policy", name: "match", table: Some(2) };
        assert_eq!(key.to_string(), "room_policy 2: match");
    }
}
