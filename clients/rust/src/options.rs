//! How to be a client.

use std::fmt;

use crate::model::{Entry, Error};
use crate::socket::Roots;

/// Gives a token for each connection.
pub type FetchToken = Box<dyn FnMut() -> Result<String, Error> + Send>;

/// What says who one is.
#[derive(Default)]
pub enum Token {
    /// Nothing: a name is enough.
    #[default]
    None,
    /// This one, from [`login`](crate::login) or made elsewhere.
    Fixed(String),
    /// What this gives; it is called for each connection, and may block.
    Fetch(FetchToken),
}

impl fmt::Debug for Token {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Fixed(_) => "Fixed",
            Self::Fetch(_) => "Fetch",
        })
    }
}

/// How to be a client.
#[derive(Debug, Default)]
pub struct Options {
    /// The name that one wants; without one the server gives one.
    pub name: Option<String>,
    /// What says who one is.
    pub token: Token,
    /// The program, for people who look at their logins.
    pub agent: Option<String>,
    /// The session of an earlier client, to go on where it ended.
    pub session: Option<String>,
    /// What an earlier client had not sent yet.
    pub outbox: Vec<Entry>,
    /// Whose certificates are trusted.
    pub roots: Roots,
}

impl Options {
    /// Those of a client that wants this name.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Those of a client whose token says who it is.
    #[must_use]
    pub fn with_token(token: impl Into<String>) -> Self {
        Self { token: Token::Fixed(token.into()), ..Self::default() }
    }
}
