//! Why a program's request is refused.

use crate::chat::Refusal;
use crate::http;

/// Why a request is refused: by HTTP, or by the protocol.
#[derive(Clone, Debug)]
pub(in crate::session) enum Problem {
    Http(http::Refusal),
    Protocol(Box<Refusal>),
}

impl From<http::Refusal> for Problem {
    fn from(refusal: http::Refusal) -> Self {
        Self::Http(refusal)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::Protocol(Box::new(refusal))
    }
}
