//! The status codes that are sent.

macro_rules! statuses {
    ($($(#[$doc:meta])* $variant:ident = $line:literal,)+) => {
        /// A status code (RFC 9110 section 15) that this server sends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Status {
            $($(#[$doc])* $variant,)+
        }

        impl Status {
            /// Every status, ascending.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The code and its words, as in the status line: a value from a fixed set, and so fit
            /// for a metrics label.
            #[must_use]
            pub const fn line(self) -> &'static str {
                match self { $(Self::$variant => $line,)+ }
            }
        }
    };
}

statuses! {
    /// The connection becomes a WebSocket.
    SwitchingProtocols = "101 Switching Protocols",
    /// Here it is.
    Ok = "200 OK",
    /// It was made.
    Created = "201 Created",
    /// A part of the file follows.
    PartialContent = "206 Partial Content",
    /// The client's copy is good.
    NotModified = "304 Not Modified",
    /// The request is malformed.
    BadRequest = "400 Bad Request",
    /// The request needs a token.
    Unauthorized = "401 Unauthorized",
    /// The page that asks is not allowed to.
    Forbidden = "403 Forbidden",
    /// There is nothing at this path.
    NotFound = "404 Not Found",
    /// The path has no such method.
    MethodNotAllowed = "405 Method Not Allowed",
    /// The head took too long.
    RequestTimeout = "408 Request Timeout",
    /// It is otherwise already.
    Conflict = "409 Conflict",
    /// The length of the body is missing.
    LengthRequired = "411 Length Required",
    /// A condition of the request does not hold.
    PreconditionFailed = "412 Precondition Failed",
    /// The body is too long, or there may be none.
    ContentTooLarge = "413 Content Too Large",
    /// The first line is too long.
    UriTooLong = "414 URI Too Long",
    /// No content coding is accepted.
    UnsupportedMediaType = "415 Unsupported Media Type",
    /// The file does not have the part that was asked for.
    RangeNotSatisfiable = "416 Range Not Satisfiable",
    /// No expectation is met.
    ExpectationFailed = "417 Expectation Failed",
    /// The host that was asked for is not this one.
    MisdirectedRequest = "421 Misdirected Request",
    /// The path speaks WebSocket, version 13.
    UpgradeRequired = "426 Upgrade Required",
    /// Too many requests or connections from one client.
    TooManyRequests = "429 Too Many Requests",
    /// The head is too large.
    HeadTooLarge = "431 Request Header Fields Too Large",
    /// The server failed.
    InternalError = "500 Internal Server Error",
    /// The transfer coding is unknown.
    NotImplemented = "501 Not Implemented",
    /// The server cannot serve now, and says when to come back.
    ServiceUnavailable = "503 Service Unavailable",
    /// The major version of HTTP is another.
    VersionNotSupported = "505 HTTP Version Not Supported",
    /// The disk is full.
    InsufficientStorage = "507 Insufficient Storage",
}

impl Status {
    /// The three digits.
    #[must_use]
    pub fn code(self) -> u16 {
        self.line().get(..3).and_then(|digits| digits.parse().ok()).unwrap_or(500)
    }

    /// Whether a response of this status never has a body (RFC 9110 section 6.4.1).
    #[must_use]
    pub const fn is_bodiless(self) -> bool {
        matches!(self, Self::SwitchingProtocols | Self::NotModified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half of the clients would not follow one, and some would follow it anywhere.
    #[test]
    fn there_is_no_redirect() {
        let redirects = Status::ALL.iter().map(|status| status.code());
        let redirects: Vec<u16> = redirects.filter(|code| (300..400).contains(code)).collect();
        assert_eq!(redirects, [304]);
    }

    #[test]
    fn the_codes_ascend_and_are_three_digits() {
        let codes: Vec<u16> = Status::ALL.iter().map(|status| status.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        assert!(codes.iter().all(|code| (100..600).contains(code)));
    }
}
