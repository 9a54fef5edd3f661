//! Which message a person means who cannot point at it.

/// How the person names the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meant<'a> {
    /// It is the last one of this user.
    From(&'a str),
    /// It is the last one with these words in it.
    Words(&'a str),
}

impl Meant<'_> {
    /// Whether a message fits that.
    #[must_use]
    pub fn is(self, from: &str, text: &str) -> bool {
        match self {
            Self::From(user) => from == user,
            Self::Words(words) => text.to_lowercase().contains(&words.to_lowercase()),
        }
    }
}
