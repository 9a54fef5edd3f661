//! Identity by a trusted proxy: the field of a request in which it names the user.
//!
//! From anybody else such a request is refused, not stripped of the field: who sends it believes
//! that it counts, and would otherwise find out much later that it did not.

use crate::chat::UserName;
use crate::chat::model::identity::{Identity, Source};
use crate::config::Config;
use crate::http::{Head, Refusal};

/// Bytes of the longest name that a proxy may give.
const NAME_LEN_MAX: usize = 255;

/// Whom a proxy's field is believed from, and which it is.
#[derive(Debug)]
pub(super) struct ProxyHeader {
    /// `None` if no proxy is believed.
    field: Option<String>,
}

impl ProxyHeader {
    pub(super) fn new(config: &Config) -> Self {
        let is_on = config.auth_policy().header;
        let field = is_on.then(|| config.header.name.clone());
        Self { field }
    }

    /// Who the request of a peer says that its user is; `is_proxy` says whether that is believed.
    ///
    /// # Errors
    ///
    /// [`Refusal::UserNamedByStranger`] whatever it asks for; [`Refusal::UserNameForm`] and
    /// [`Refusal::UserNameSpelling`]; [`Refusal::OriginUnsure`] for a WebSocket of a page that
    /// could be anybody's.
    pub(super) fn identity(
        &self,
        is_proxy: bool,
        head: &Head<'_>,
    ) -> Result<Option<Identity>, Refusal> {
        let Some(field) = &self.field else { return Ok(None) };
        let mut fields = head.fields().filter(|(name, _)| is_field(name, field));
        let Some((name, value)) = fields.next() else { return Ok(None) };
        if !is_proxy {
            return Err(Refusal::UserNamedByStranger);
        }
        // A proxy that takes the field away from what its clients send may leave this one.
        if !name.eq_ignore_ascii_case(field) {
            return Err(Refusal::UserNameSpelling);
        }
        let text = str::from_utf8(value).map_err(|_error| Refusal::UserNameForm)?;
        let is_text = (1..=NAME_LEN_MAX).contains(&text.len()) && !text.contains(char::is_control);
        // Two fields are refused and none of them chosen: proxies differ in which one they would
        // have meant.
        if !is_text || fields.next().is_some() {
            return Err(Refusal::UserNameForm);
        }
        if head.asks_for_websocket() && is_unsure(head) {
            return Err(Refusal::OriginUnsure);
        }
        // A text that is no name here is still a subject; the domain makes a name for it.
        let name = UserName::parse(text).ok();
        Ok(Some(Identity {
            source: Source::Header,
            subject: text.into(),
            name,
            ..Identity::default()
        }))
    }
}

/// Whether a field has this name for a reader who takes `_` for `-`, as some do behind a proxy.
fn is_field(name: &str, wanted: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    name.bytes().map(plain).eq(wanted.bytes().map(plain))
}

/// Whether the origin of the page is one that any page can have, or none is named.
pub(super) fn is_unsure(head: &Head<'_>) -> bool {
    let origin = head.fields().find(|(name, _)| name.eq_ignore_ascii_case("Origin"));
    origin.is_none_or(|(_, value)| value == b"null" || value.starts_with(b"file:"))
}
