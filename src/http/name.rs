//! The names of the fields that mean something here.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

/// How the names of fields begin that proxies add.
const X_FORWARDED: &[u8] = b"X-Forwarded-";

/// A field name that the server or the client looks for; all others are [`Name::Other`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// `Via`.
    Via,
    /// `Host`.
    Host,
    /// `Origin`.
    Origin,
    /// `Expect`.
    Expect,
    /// `Upgrade`.
    Upgrade,
    /// `Connection`.
    Connection,
    /// `Authorization`.
    Authorization,
    /// `If-Match`.
    IfMatch,
    /// `If-None-Match`.
    IfNoneMatch,
    /// `Content-Length`.
    ContentLength,
    /// `Content-Encoding`.
    ContentEncoding,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Sec-WebSocket-Key`.
    WebSocketKey,
    /// `Sec-WebSocket-Accept`.
    WebSocketAccept,
    /// `Sec-WebSocket-Version`.
    WebSocketVersion,
    /// `Sec-WebSocket-Protocol`.
    WebSocketProtocol,
    /// `Sec-WebSocket-Extensions`.
    WebSocketExtensions,
    /// `Forwarded`.
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// Another one that begins with `X-Forwarded-`.
    XForwardedOther,
    /// `Content-Type`.
    ContentType,
    /// `Idempotency-Key`.
    IdempotencyKey,
    /// `Last-Event-ID`.
    LastEventId,
    /// `Range`.
    Range,
    /// `If-Range`.
    IfRange,
    /// `Content-Range`.
    ContentRange,
    /// Any other.
    Other,
}

impl Name {
    /// What `text` names, in any case (RFC 9110 section 5.1).
    pub(super) fn of(text: &[u8]) -> Self {
        // No two that are looked for in one place share a length with many others, so the length
        // alone leaves at most two to compare with.
        let candidates: &[Self] = match text.len() {
            3 => &[Self::Via],
            4 => &[Self::Host],
            5 => &[Self::Range],
            6 => &[Self::Origin, Self::Expect],
            7 => &[Self::Upgrade],
            8 => &[Self::IfRange, Self::IfMatch],
            9 => &[Self::Forwarded],
            10 => &[Self::Connection],
            12 => &[Self::ContentType],
            13 => &[Self::IfNoneMatch, Self::Authorization, Self::LastEventId, Self::ContentRange],
            14 => &[Self::ContentLength],
            15 => &[Self::XForwardedFor, Self::IdempotencyKey],
            16 => &[Self::ContentEncoding],
            17 => &[Self::WebSocketKey, Self::TransferEncoding],
            20 => &[Self::WebSocketAccept],
            21 => &[Self::WebSocketVersion],
            22 => &[Self::WebSocketProtocol],
            24 => &[Self::WebSocketExtensions],
            _ => &[],
        };
        let found =
            candidates.iter().find(|name| name.text().as_bytes().eq_ignore_ascii_case(text));
        found.copied().unwrap_or_else(|| Self::rare(text))
    }

    /// The same for a name that is not known as a whole.
    fn rare(text: &[u8]) -> Self {
        let start = text.get(..X_FORWARDED.len()).unwrap_or_default();
        if start.eq_ignore_ascii_case(X_FORWARDED) { Self::XForwardedOther } else { Self::Other }
    }

    /// The name as it is usually spelled; empty for one that stands for many.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Range => "Range",
            Self::IfRange => "If-Range",
            Self::ContentRange => "Content-Range",
            Self::Via => "Via",
            Self::Host => "Host",
            Self::Origin => "Origin",
            Self::Expect => "Expect",
            Self::Upgrade => "Upgrade",
            Self::Connection => "Connection",
            Self::Authorization => "Authorization",
            Self::IfMatch => "If-Match",
            Self::IfNoneMatch => "If-None-Match",
            Self::ContentLength => "Content-Length",
            Self::ContentEncoding => "Content-Encoding",
            Self::TransferEncoding => "Transfer-Encoding",
            Self::WebSocketKey => "Sec-WebSocket-Key",
            Self::WebSocketAccept => "Sec-WebSocket-Accept",
            Self::WebSocketVersion => "Sec-WebSocket-Version",
            Self::WebSocketProtocol => "Sec-WebSocket-Protocol",
            Self::WebSocketExtensions => "Sec-WebSocket-Extensions",
            Self::Forwarded => "Forwarded",
            Self::XForwardedFor => "X-Forwarded-For",
            Self::ContentType => "Content-Type",
            Self::IdempotencyKey => "Idempotency-Key",
            Self::LastEventId => "Last-Event-ID",
            Self::XForwardedOther | Self::Other => "",
        }
    }

    /// One bit for each name.
    const fn bit(self) -> u32 {
        match self {
            Self::Host => 1,
            Self::Origin => 1 << 1,
            Self::Expect => 1 << 2,
            Self::Upgrade => 1 << 3,
            Self::Connection => 1 << 4,
            Self::Authorization => 1 << 5,
            Self::IfNoneMatch => 1 << 6,
            Self::ContentLength => 1 << 7,
            Self::ContentEncoding => 1 << 8,
            Self::TransferEncoding => 1 << 9,
            Self::WebSocketKey => 1 << 10,
            Self::WebSocketAccept => 1 << 11,
            Self::WebSocketVersion => 1 << 12,
            Self::WebSocketProtocol => 1 << 13,
            Self::WebSocketExtensions => 1 << 14,
            Self::Via => 1 << 15,
            Self::Forwarded => 1 << 16,
            Self::XForwardedFor => 1 << 17,
            Self::XForwardedOther => 1 << 18,
            Self::Other => 1 << 19,
            Self::ContentType => 1 << 20,
            Self::IdempotencyKey => 1 << 21,
            Self::LastEventId => 1 << 22,
            Self::Range => 1 << 23,
            Self::IfRange => 1 << 24,
            Self::ContentRange => 1 << 25,
            Self::IfMatch => 1 << 26,
        }
    }
}

/// Which names a head has, so that asking for an absent one costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NameSet(u32);

impl NameSet {
    /// Adds `name`.
    pub(super) const fn insert(&mut self, name: Name) {
        self.0 |= name.bit();
    }

    /// Whether `name` was added.
    pub(super) const fn contains(self, name: Name) -> bool {
        self.0 & name.bit() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Name; 24] = [
        Name::Range,
        Name::IfRange,
        Name::IfMatch,
        Name::ContentRange,
        Name::Via,
        Name::Forwarded,
        Name::XForwardedFor,
        Name::Host,
        Name::Origin,
        Name::Expect,
        Name::Upgrade,
        Name::Connection,
        Name::Authorization,
        Name::IfNoneMatch,
        Name::ContentLength,
        Name::ContentEncoding,
        Name::TransferEncoding,
        Name::WebSocketKey,
        Name::WebSocketAccept,
        Name::WebSocketVersion,
        Name::WebSocketProtocol,
        Name::WebSocketExtensions,
        Name::ContentType,
        Name::IdempotencyKey,
    ];

    #[test]
    fn every_name_is_found_in_any_case() {
        for name in ALL {
            assert_eq!(Name::of(name.text().as_bytes()), name);
            assert_eq!(Name::of(name.text().to_uppercase().as_bytes()), name);
            assert_eq!(Name::of(name.text().to_lowercase().as_bytes()), name);
        }
    }

    #[test]
    fn what_a_proxy_adds_is_known_by_how_it_begins() {
        for text in ["X-Forwarded-", "x-forwarded-proto", "X-FORWARDED-HOSTS"] {
            assert_eq!(Name::of(text.as_bytes()), Name::XForwardedOther, "{text}");
        }
        assert_eq!(Name::of(b"x-forwarded"), Name::Other);
    }

    #[test]
    fn what_only_resembles_a_name_is_another() {
        for text in
            ["", "hos", "host-", "h0st", "upgrade_", "sec_websocket_key", "sec-websocket-kez"]
        {
            assert_eq!(Name::of(text.as_bytes()), Name::Other, "{text}");
        }
    }

    #[test]
    fn a_set_tells_its_names_apart() {
        for name in ALL {
            let mut set = NameSet::default();
            set.insert(name);
            let found: Vec<Name> = ALL.into_iter().filter(|&other| set.contains(other)).collect();
            assert_eq!(found, [name]);
        }
    }
}
