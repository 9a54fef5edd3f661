//! Why a token is not taken.

use std::fmt;

use crate::chat::Code;

/// Why a token is not taken. A client learns only the [code](Unfit::code) and the
/// [words](Unfit::words): who has signed nothing that is ours learns nothing but that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It has more bytes than a token may have.
    Long,
    /// It has not three parts between two dots.
    Parts,
    /// A part is not base64url without padding, in its one way of being written.
    Encoding,
    /// The header is no object of JSON, or has a name twice.
    Header,
    /// A member of the header is of the wrong type, or asks for what is not done here.
    HeaderMember(&'static str),
    /// The claims are no object of JSON, or have a name twice.
    Claims,
    /// No key of the table has the token's issuer and key id.
    Key,
    /// Its header names another algorithm than the key has.
    Algorithm,
    /// The signature is not the key's.
    Signature,
    /// A claim is missing.
    Missing(&'static str),
    /// A claim is of the wrong type or out of range.
    Claim(&'static str),
    /// The claim that this setting of `[jwt]` names is of the wrong type or out of range.
    Named(&'static str),
    /// None of its audiences is ours.
    Audience,
    /// It is not valid yet.
    Early,
    /// It has expired.
    Expired,
    /// It was taken back.
    Revoked,
}

/// What is said about everything that is not signed by a key of ours.
const FORGED: &str = "this token is not one that this server takes";

impl Unfit {
    /// The code that a client is answered with.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::Long
            | Self::Parts
            | Self::Encoding
            | Self::Header
            | Self::HeaderMember(_)
            | Self::Claims
            | Self::Key
            | Self::Algorithm
            | Self::Signature
            | Self::Revoked => Code::Unauthorized,
            Self::Missing(_) | Self::Claim(_) | Self::Named(_) | Self::Audience | Self::Early => {
                Code::TokenNotForUs
            }
            Self::Expired => Code::TokenExpired,
        }
    }

    /// What a client is told.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self.code() {
            Code::TokenExpired => "the token has expired; get a new one",
            Code::TokenNotForUs => match self {
                Self::Early => "the token is not valid yet: is a clock wrong?",
                Self::Audience => "the token is meant for another service: its aud is not ours",
                _ => "a claim of the token is missing or not what it must be",
            },
            _ if matches!(self, Self::Revoked) => "the token was taken back",
            _ => FORGED,
        }
    }

    /// The member or claim that it is about.
    #[must_use]
    pub const fn member(self) -> Option<&'static str> {
        match self {
            Self::HeaderMember(name) | Self::Missing(name) | Self::Claim(name) => Some(name),
            Self::Audience => Some("aud"),
            Self::Expired => Some("exp"),
            _ => None,
        }
    }
}

/// For the operator: nothing of the token is in it.
impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => {
                write!(f, "it has more than {} bytes", super::TOKEN_LEN_MAX)
            }
            Self::Parts => f.write_str("it has not three parts with a dot between them"),
            Self::Encoding => f.write_str("a part is not base64url without padding"),
            Self::Header => f.write_str("the header is no JSON object with each name once"),
            Self::HeaderMember(name) => write!(f, "the header's {name:?} is not what it must be"),
            Self::Claims => f.write_str("the claims are no JSON object with each name once"),
            Self::Key => f.write_str("no key is configured for its iss and kid"),
            Self::Algorithm => {
                f.write_str("its alg is not the one that is configured for the key of its kid")
            }
            Self::Signature => f.write_str("its signature is not that of the key of its kid"),
            Self::Missing(name) => write!(f, "the claim {name:?} is missing"),
            Self::Claim(name) => write!(f, "the claim {name:?} is of the wrong type or range"),
            Self::Named(setting) => {
                write!(f, "the claim that [jwt] {setting} names is of the wrong type or range")
            }
            Self::Audience => f.write_str("its aud names none of [jwt] audience"),
            Self::Early => f.write_str("it is not valid yet (nbf or iat)"),
            Self::Expired => f.write_str("it has expired (exp)"),
            Self::Revoked => f.write_str("it, or its user's tokens, were revoked"),
        }
    }
}

impl std::error::Error for Unfit {}
