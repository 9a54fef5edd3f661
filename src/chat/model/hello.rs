//! What a connection says of itself, first.

use super::command::Resume;
use super::identity::Identity;
use super::output::Encoding;

/// What a connection says of itself in `hello`.
#[derive(Debug)]
pub struct Hello<'a> {
    /// The wanted name; the server gives one if there is none.
    pub name: Option<&'a str>,
    /// The former session.
    pub resume: Option<Resume<'a>>,
    /// 128 bits that nobody can guess: the new session's secret.
    pub secret: u128,
    /// Which rendering of events the session takes.
    pub encoding: Encoding,
    /// Who it has proved to be, if it has.
    pub identity: Option<Identity>,
    /// It is there for one request, and begins no session: nobody is told of it.
    pub is_visit: bool,
}

/// A `hello` that waits.
#[derive(Debug)]
pub(in crate::chat) struct HeldHello {
    pub name: Option<Box<str>>,
    pub resume: Option<Resume<'static>>,
    pub secret: u128,
    pub encoding: Encoding,
    pub identity: Option<Identity>,
    pub is_visit: bool,
}

impl Hello<'_> {
    /// The same for later.
    pub(in crate::chat) fn held(self) -> HeldHello {
        let Self { name, resume, secret, encoding, identity, is_visit } = self;
        HeldHello {
            name: name.map(Into::into),
            resume: resume.map(Resume::into_owned),
            secret,
            encoding,
            identity,
            is_visit,
        }
    }
}

impl HeldHello {
    /// The same as it came.
    pub(in crate::chat) fn lend(&self) -> Hello<'_> {
        Hello {
            name: self.name.as_deref(),
            resume: self.resume.clone(),
            secret: self.secret,
            encoding: self.encoding,
            identity: self.identity.clone(),
            is_visit: self.is_visit,
        }
    }
}
