//! Refusals: why a command was not done, and what helps.

use std::borrow::Cow;

use super::code::Code;
use super::name::NameError;
use super::record::Epoch;

/// Why a command was refused, and what helps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is: a number and a slug that never change.
    pub code: Code,
    /// What is wrong, as a sentence for a person, without its full stop.
    pub message: Cow<'static, str>,
    /// The field that is to blame.
    pub field: Option<&'static str>,
    /// What would be right.
    pub expected: Option<Cow<'static, str>>,
    /// A value that would be taken instead.
    pub hint: Option<Box<str>>,
    /// The limit that was exceeded.
    pub limit: Option<u64>,
    /// For [`Code::EpochChanged`]: the present epoch.
    pub epoch: Option<Epoch>,
    /// In how many milliseconds the same command can succeed by itself; `None` if it never will.
    pub retry_after_ms: Option<u64>,
    /// For [`Code::BadJson`]: at which byte.
    pub offset: Option<u64>,
    /// What would be lost, for who has to know that. Boxed, since nearly no refusal has it.
    pub lost: Option<Box<Lost>>,
}

/// What is lost with a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// How many messages, as far as they are counted.
    pub messages: u32,
    /// For how many members, unless it is for the asking one alone.
    pub members: Option<u32>,
}

impl Refusal {
    /// A refusal that says no more than its message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            field: None,
            expected: None,
            hint: None,
            limit: None,
            epoch: None,
            retry_after_ms: None,
            offset: None,
            lost: None,
        }
    }

    /// The refusal of a name that breaks a rule, with the right spelling where one can be guessed.
    #[must_use]
    pub fn name(field: &'static str, error: NameError) -> Self {
        let refusal = Self::new(Code::BadField, "this is not a name");
        refusal.field(field, error.expected).hint(error.hint)
    }

    /// Names the field that is to blame and what would be right.
    #[must_use]
    pub fn field(mut self, field: &'static str, expected: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field);
        self.expected = Some(expected.into());
        self
    }

    /// Adds a value that would be taken.
    #[must_use]
    pub fn hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.map(String::into_boxed_str);
        self
    }

    /// Adds the limit that was exceeded.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = u64::try_from(limit).ok();
        self
    }

    /// Says when the same command can succeed by itself.
    #[must_use]
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }
}
