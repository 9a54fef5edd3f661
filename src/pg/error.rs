//! What can go wrong: what the engine refuses, and what ends a connection to it.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::ErrorFields;

/// A request that the engine has refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineError {
    /// Five characters that name the fault: appendix A of PostgreSQL's manual.
    pub code: Box<str>,
    /// What, in a sentence.
    pub message: Box<str>,
    /// More about it, often empty.
    pub detail: Box<str>,
}

/// What somebody between us and the engine may be.
const POOLER: &str = "; is that a pooler? connect to PostgreSQL itself";

impl EngineError {
    /// Reads the fields of an error or a notice.
    pub(in crate::pg) fn read(fields: ErrorFields<'_>) -> std::io::Result<Self> {
        let mut error = Self::default();
        fields
            .for_each(|field| {
                let text = || String::from_utf8_lossy(field.value_bytes()).into();
                match field.type_() {
                    b'C' => error.code = text(),
                    b'M' => error.message = text(),
                    b'D' => error.detail = text(),
                    _ => {}
                }
                Ok(())
            })
            .map(|()| error)
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.code)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        // Statements that others have prepared in this session, or ours in another one.
        if matches!(&*self.code, "26000" | "42P05") { f.write_str(POOLER) } else { Ok(()) }
    }
}

/// Why a connection to the engine is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The engine does not let us in, and says why.
    Refused(EngineError),
    /// The engine asks for a password, and the address has none.
    NoPassword,
    /// The engine asks for a password in clear, and the connection is not encrypted.
    Exposed,
    /// The engine asks for a kind of authentication that is not spoken here.
    Authentication(&'static str),
    /// The engine does not prove that it knows the password, or does not keep to SCRAM.
    Scram(Box<str>),
    /// A message, or the rows of an answer, of so many bytes.
    TooLong(usize),
    /// It is no message of PostgreSQL's, or none that may come now.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => {
                error.fmt(f)?;
                // What PostgreSQL says, but not what to do.
                f.write_str(match &*error.code {
                    "28P01" => {
                        "; is the password in the address, or in its file, that of this user?"
                    }
                    "53300" => {
                        "; each node needs two connections: raise max_connections, or the \
                         CONNECTION LIMIT of the user or of the database"
                    }
                    "08P01" => POOLER,
                    _ => "",
                })
            }
            Self::NoPassword => {
                f.write_str("the engine asks for a password: put it into the address")
            }
            Self::Exposed => f.write_str(
                "the engine asks for the password in clear over a connection without TLS: use \
                 scram-sha-256 in its pg_hba.conf",
            ),
            Self::Authentication(kind) => write!(
                f,
                "the engine asks for {kind}: use scram-sha-256 in its pg_hba.conf, and \
                 password_encryption = scram-sha-256 when the password is set"
            ),
            Self::Scram(why) => write!(f, "SCRAM has failed: {why}"),
            Self::TooLong(len) => write!(f, "an answer of the engine has {len} bytes or more"),
            Self::Malformed(what) => {
                write!(f, "{what}: is that a PostgreSQL server, and no other program?")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_let_in_is_told_what_to_change() {
        for (code, expect) in [
            (
                "28P01",
                "no (28P01); is the password in the address, or in its file, that of this user?",
            ),
            (
                "53300",
                "no (53300); each node needs two connections: raise max_connections, or the \
                 CONNECTION LIMIT of the user or of the database",
            ),
            ("08P01", "no (08P01); is that a pooler? connect to PostgreSQL itself"),
            ("42P05", "no (42P05); is that a pooler? connect to PostgreSQL itself"),
            ("57P03", "no (57P03)"),
        ] {
            let error = EngineError { code: code.into(), message: "no".into(), detail: "".into() };
            assert_eq!(Fault::Refused(error).to_string(), expect);
        }
    }
}
