//! What a connection says of itself, first.

use std::borrow::Cow;

use super::command::Resume;
use super::identity::Identity;
use super::output::Encoding;

/// What a connection says of itself in `hello`.
#[derive(Debug)]
pub struct Hello<'a> {
    /// The wanted name; the server gives one if there is none.
    pub name: Option<Cow<'a, str>>,
    /// The former session.
    pub resume: Option<Resume<'a>>,
    /// 128 bits that nobody can guess: the new session's secret.
    pub secret: u128,
    /// Which rendering of events the session takes.
    pub encoding: Encoding,
    /// Who it has proved to be, if it has.
    pub identity: Option<Identity>,
    /// Whether the connection is there for one request: it begins no session, and nobody is told.
    pub is_visit: bool,
}

impl Hello<'_> {
    /// The same with its texts copied.
    pub(in crate::chat) fn into_owned(self) -> Hello<'static> {
        let Self { name, resume, secret, encoding, identity, is_visit } = self;
        let name = name.map(|name| Cow::Owned(name.into_owned()));
        let resume = resume.map(Resume::into_owned);
        Hello { name, resume, secret, encoding, identity, is_visit }
    }
}
