//! The opening handshake, the server's side: RFC 6455 section 4.2.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::accept::AcceptKey;
use super::list;
use super::name::Name;
use super::octets::{ascii, is_token_text};
use super::{Head, HttpDate, Method, Methods, Refusal, Version};

/// The subprotocol of the chat endpoint.
pub const SUBPROTOCOL: &str = "chinwag.v1";

/// What a subprotocol begins with that carries a token instead of naming a protocol.
const BEARER_PREFIX: &[u8] = b"bearer.";

/// A handshake that can be answered with [`render_switching`].
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    /// The answer to the client's key.
    pub accept: AcceptKey,
    /// The subprotocol that was agreed on; `None` if none was offered.
    pub protocol: Option<&'static str>,
    /// The offered extensions as they came, several fields joined by commas.
    pub extensions: Option<Cow<'a, str>>,
    /// The token of `Authorization: Bearer` or of the subprotocol `bearer.<token>`.
    pub bearer: Option<&'a str>,
}

impl<'a> Upgrade<'a> {
    /// Checks the handshake in the order of section 4.2.1 and agrees on one of `spoken`, the
    /// subprotocols of this endpoint, by the client's preference. An endpoint that speaks none
    /// ignores what is offered.
    ///
    /// # Errors
    ///
    /// The first thing that is missing or wrong; the connection then ends.
    pub fn negotiate(head: &Head<'a>, spoken: &[&'static str]) -> Result<Self, Refusal> {
        if head.method() != Method::Get {
            return Err(Refusal::MethodNotAllowed { allowed: Methods::Get });
        }
        check_wish(head)?;
        if single(head, Name::WebSocketVersion) != Some(b"13") {
            return Err(Refusal::WebSocketVersion);
        }
        let key = single(head, Name::WebSocketKey).ok_or(Refusal::KeyCount)?;
        let accept = AcceptKey::of(key).ok_or(Refusal::KeyForm)?;
        let offer = Offer::parse(head)?;
        let protocol = if spoken.is_empty() { None } else { offer.choose(head, spoken)? };
        let bearer = match (offer.bearer, bearer(head)?) {
            // Two tokens may be of two users: neither is guessed to be the one that is meant.
            (Some(_), Some(_)) => return Err(Refusal::TokenRepeated),
            (one, other) => one.or(other),
        };
        Ok(Self { accept, protocol, extensions: extensions(head)?, bearer })
    }
}

/// Renders the answer that makes the connection a WebSocket (section 4.2.2). `extensions` is the
/// value of `Sec-WebSocket-Extensions`, in the server's own words.
pub fn render_switching(
    out: &mut Vec<u8>,
    date: HttpDate,
    accept: &AcceptKey,
    protocol: Option<&'static str>,
    extensions: Option<&str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nDate: ",
    );
    out.extend_from_slice(date.as_str().as_bytes());
    out.extend_from_slice(b"\r\nSec-WebSocket-Accept: ");
    out.extend_from_slice(accept.as_str().as_bytes());
    for (name, value) in
        [(Name::WebSocketProtocol, protocol), (Name::WebSocketExtensions, extensions)]
    {
        let Some(value) = value else { continue };
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(name.text().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
    }
    out.extend_from_slice(b"\r\n\r\n");
}

/// Requires the wish for a WebSocket: `Upgrade`, `Connection` and a version that knows them.
fn check_wish(head: &Head<'_>) -> Result<(), Refusal> {
    let lists = || head.values(Name::Upgrade).chain(head.values(Name::Connection));
    if !lists().all(is_protocol_list) {
        return Err(Refusal::UpgradeForm);
    }
    if !head.asks_for_websocket() {
        // A proxy that does not pass `Upgrade` on is the usual cause, and the words then name it.
        let is_proxied = [Name::Via, Name::Forwarded, Name::XForwardedFor]
            .into_iter()
            .any(|name| head.has(name));
        return Err(if is_proxied { Refusal::UpgradeTaken } else { Refusal::UpgradeRequired });
    }
    // RFC 9110 section 7.8: `Upgrade` means nothing in HTTP/1.0.
    if head.version() == Version::Http10 {
        return Err(Refusal::UpgradeVersion);
    }
    if !head.values(Name::Connection).any(|value| list::names(value, "upgrade")) {
        return Err(Refusal::ConnectionForm);
    }
    Ok(())
}

/// Whether `value` is a list of protocols (RFC 9110 section 7.8): tokens, each perhaps with a
/// version after a slash.
fn is_protocol_list(value: &[u8]) -> bool {
    list::elements(value).all(|element| {
        let mut parts = element.splitn(2, |&byte| byte == b'/');
        parts.all(is_token_text)
    })
}

/// The value of a field that must occur once, `None` if it does not.
fn single<'a>(head: &Head<'a>, name: Name) -> Option<&'a [u8]> {
    head.value(name).filter(|_| !head.is_repeated(name))
}

/// What `Sec-WebSocket-Protocol` offers (section 11.3.4).
struct Offer<'a> {
    has_protocols: bool,
    bearer: Option<&'a str>,
}

impl<'a> Offer<'a> {
    fn parse(head: &Head<'a>) -> Result<Self, Refusal> {
        let mut offer = Self { has_protocols: false, bearer: None };
        // A list without elements offers nothing: clients send an empty field for no protocols.
        for element in head.values(Name::WebSocketProtocol).flat_map(list::elements) {
            offer.add(element)?;
        }
        Ok(offer)
    }

    fn add(&mut self, element: &'a [u8]) -> Result<(), Refusal> {
        if !is_token_text(element) {
            return Err(Refusal::ProtocolForm);
        }
        self.has_protocols = true;
        // A browser cannot set headers for a WebSocket, so a token may come as a subprotocol.
        let Some(token) = element.strip_prefix(BEARER_PREFIX) else {
            return Ok(());
        };
        if self.bearer.is_some() {
            return Err(Refusal::TokenRepeated);
        }
        self.bearer = ascii(token);
        Ok(())
    }

    /// The first offered protocol that is spoken. A token alone is an offer of none that is: a
    /// browser gives up on a server that agrees on nothing.
    fn choose(
        &self,
        head: &Head<'_>,
        spoken: &[&'static str],
    ) -> Result<Option<&'static str>, Refusal> {
        if !self.has_protocols {
            return Ok(None);
        }
        let mut offered = head.values(Name::WebSocketProtocol).flat_map(list::elements);
        let agreed = offered
            .find_map(|offer| spoken.iter().copied().find(|protocol| protocol.as_bytes() == offer));
        agreed.map(Some).ok_or(Refusal::ProtocolUnknown)
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 section 2.1); other schemes are not ours, and
/// ignored.
///
/// # Errors
///
/// [`Refusal::TokenRepeated`] and [`Refusal::TokenForm`].
pub fn bearer<'a>(head: &Head<'a>) -> Result<Option<&'a str>, Refusal> {
    if head.is_repeated(Name::Authorization) {
        return Err(Refusal::TokenRepeated);
    }
    let Some(value) = head.value(Name::Authorization) else {
        return Ok(None);
    };
    let scheme_len = value.iter().take_while(|&&byte| byte != b' ').count();
    let (scheme, token) = value.split_at_checked(scheme_len).unwrap_or_default();
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return Ok(None);
    }
    let token = token.strip_prefix(b" ").filter(|token| is_token68(token));
    token.and_then(ascii).map(Some).ok_or(Refusal::TokenForm)
}

/// Whether `text` is a `token68` (RFC 9110 section 11.2).
fn is_token68(text: &[u8]) -> bool {
    let pad = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let body = text.get(..text.len().saturating_sub(pad)).unwrap_or_default();
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    !body.is_empty() && body.iter().all(good)
}

/// The offered extensions.
fn extensions<'a>(head: &Head<'a>) -> Result<Option<Cow<'a, str>>, Refusal> {
    join(head.values(Name::WebSocketExtensions)).map_err(|NotAscii| Refusal::ExtensionForm)
}

/// A value is not ASCII.
#[derive(Debug)]
pub(super) struct NotAscii;

/// The values of one list that stands in several fields, as one.
pub(super) fn join<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> Result<Option<Cow<'a, str>>, NotAscii> {
    let mut joined: Option<Cow<'a, str>> = None;
    for value in values {
        let value = ascii(value).ok_or(NotAscii)?;
        match &mut joined {
            None => joined = Some(Cow::Borrowed(value)),
            Some(before) => {
                let before = before.to_mut();
                before.push_str(", ");
                before.push_str(value);
            }
        }
    }
    Ok(joined)
}
