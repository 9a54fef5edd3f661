//! Everything that a request can be refused for, and the answer to each.

use std::fmt;

use super::Status;

/// A position in a head, both counted from one, as people count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadPosition {
    /// The line; the first line is 1.
    pub line: u16,
    /// The byte within the line.
    pub byte: usize,
}

impl HeadPosition {
    /// The byte at `offset` of `line`.
    pub(super) const fn new(line: u16, offset: usize) -> Self {
        Self { line, byte: offset.saturating_add(1) }
    }
}

impl fmt::Display for HeadPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}", self.line, self.byte)
    }
}

/// A protocol that is not HTTP/1, recognised by how it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A TLS record.
    Tls,
    /// HTTP/2 with prior knowledge.
    Http2,
    /// An SSH banner.
    Ssh,
    /// The header of the PROXY protocol, version 1.
    Proxy,
    /// A line of JSON, which the TCP listener speaks.
    Json,
}

/// Which methods a path has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// A WebSocket endpoint.
    Get,
    /// A file or a status.
    GetAndHead,
    /// What can be read and added to.
    GetHeadAndPost,
    /// What can be read and put there.
    GetHeadAndPut,
    /// What can be added to only.
    Post,
}

impl Methods {
    /// The value of the `Allow` field.
    #[must_use]
    pub const fn allow(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::GetAndHead => "GET, HEAD",
            Self::GetHeadAndPost => "GET, HEAD, POST",
            Self::GetHeadAndPut => "GET, HEAD, PUT",
            Self::Post => "POST",
        }
    }
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident $({ $($(#[$field_doc:meta])* $field:ident: $type:ty),+ })?
        => $status:ident, $words:literal;)+) => {
        /// Why a request was refused: one variant for each fault, each with its status and words
        /// that say what is wrong, where, and what would be right.
        ///
        /// The words never repeat what the client sent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Refusal {
            $($(#[$doc])* $variant $({ $($(#[$field_doc])* $field: $type),+ })?,)+
        }

        impl Refusal {
            /// The status to answer with.
            #[must_use]
            pub const fn status(self) -> Status {
                match self { $(Self::$variant { .. } => Status::$status,)+ }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self { $(Self::$variant $({ $($field),+ })? => write!(f, $words),)+ }
            }
        }
    };
}

refusals! {
    // Limits.
    /// The head is longer than its limit.
    HeadTooLarge { /** The limit in bytes. */ max: usize }
        => HeadTooLarge, "the request head is longer than {max} bytes: send fewer or shorter fields, or raise [http] head_bytes";
    /// The first line is longer than its limit.
    FirstLineTooLong { /** The limit in bytes. */ max: usize }
        => UriTooLong, "the request line is longer than {max} bytes: ask for a shorter path or query";
    /// There are more fields than the limit.
    TooManyFields { /** The limit. */ max: usize }
        => HeadTooLarge, "the request has more than {max} header fields: send fewer, or raise [http] fields";
    /// The head was not complete within its deadline.
    HeadTimeout => RequestTimeout, "the request head was not complete in time: send it at once";
    /// The server cannot take another connection now.
    Overloaded { /** Seconds after which to try again. */ retry_after_s: u32 }
        => ServiceUnavailable, "the server is full ([limits] connections): try again in {retry_after_s} s";
    /// The log that the server shares with others has not answered yet.
    NotReached { /** Seconds after which to try again. */ retry_after_s: u32 }
        => ServiceUnavailable, "the log that this node shares with others is not reached yet: try again in {retry_after_s} s";
    /// So much waits for slow readers that there is no memory for another connection.
    Memory { /** Seconds after which to try again. */ retry_after_s: u32 }
        => ServiceUnavailable, "too much waits for slow readers (memory): try again in {retry_after_s} s";
    /// The client's address has as many connections as one address may have.
    AddressFull { /** Seconds after which to try again. */ retry_after_s: u32 }
        => TooManyRequests, "too many connections from your address ([limits] per_address): close some, or try again in {retry_after_s} s";
    /// Too many connections of the client's address have not shown who they are.
    AddressHalfOpen { /** Seconds after which to try again. */ retry_after_s: u32 }
        => TooManyRequests, "too many connections from your address have not said hello ([limits] half_open_per_address): finish or close some, or try again in {retry_after_s} s";
    /// The client's address connects too often.
    AddressFast { /** Seconds after which to try again. */ retry_after_s: u32 }
        => TooManyRequests, "your address connects too often ([limits] connects_per_s): try again in {retry_after_s} s";
    /// The client's address is banned.
    Banned => Forbidden, "your address is banned from this server";

    // The form of the head (RFC 9112).
    /// The bytes are of another protocol.
    NotHttp { /** Which. */ foreign: Foreign } => BadRequest, "{foreign}";
    /// More than one empty line stands before the request line (section 2.2).
    EmptyLines => BadRequest,
        "more than one empty line before the request line: begin with the method";
    /// A line ends with LF alone (section 2.2).
    BareLf { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: a line ends with LF alone: end each line with CR LF";
    /// CR stands inside a line (section 2.2).
    BareCr { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: CR inside a line: CR may only stand before LF";
    /// A NUL or another control byte stands in a line (RFC 9110 section 5.5).
    Control { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: a control byte, such as NUL: only visible characters, space and tab may stand here";
    /// The request line is not `method SP target SP version` (section 3).
    RequestLine { /** Where. */ at: HeadPosition } => BadRequest,
        "{at}: the request line must be a method, one space, a target, one space and HTTP/1.1";
    /// The method is no token (RFC 9110 section 9.1).
    Method { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: not a byte of an HTTP method: begin with GET or HEAD; this port speaks HTTP/1.1";
    /// The target has a byte that must be percent-encoded, or an encoding without its two
    /// hexadecimal digits (RFC 3986 section 2).
    TargetByte { /** Where. */ at: HeadPosition } => BadRequest,
        "{at}: not allowed in a request target as it is: percent-encode it, with two hexadecimal digits";
    /// The target is neither a path nor an `http` URI (section 3.2).
    TargetForm { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: the request target must be a path that begins with a slash";
    /// The version is not of the form `HTTP/1.1` (section 2.3).
    VersionForm { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: the request line must end with HTTP/1.1, in capitals";
    /// The version is another one than 1.0 and 1.1.
    Version => VersionNotSupported, "this HTTP version is not spoken here: use HTTP/1.1";
    /// The method is CONNECT.
    Connect => MethodNotAllowed, "this server is no proxy: use GET or HEAD";
    /// A field line begins with white space (section 5.2).
    Fold { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: a line begins with white space: fields may not be folded over lines";
    /// A field line has no colon (section 5).
    NoColon { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: a header field without a colon: write it as Name: value";
    /// A field's name is empty.
    NoName { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: a header field without a name: write it as Name: value";
    /// White space stands before the colon (section 5.1).
    SpaceBeforeColon { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: white space in or after a field name: the colon must follow the name";
    /// A field name has a byte that is not allowed there (RFC 9110 section 5.1).
    NameByte { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: not allowed in a field name: use letters, digits and hyphens";
    /// The line that ends a response's status is not `HTTP/1.1 SP 3DIGIT SP words` (section 4).
    StatusLine { /** Where. */ at: HeadPosition }
        => BadRequest, "{at}: the status line must be HTTP/1.1, a space, three digits and a space";

    // How long the body is said to be.
    /// There are several `Content-Length` (RFC 9112 section 6.3).
    LengthRepeated => BadRequest, "Content-Length is given twice: give it once";
    /// `Content-Length` is not a plain number.
    LengthForm => BadRequest, "Content-Length is not a plain decimal number: give the bytes of the body in digits alone";
    /// `Content-Length` stands beside `Transfer-Encoding` (RFC 9112 section 6.1).
    LengthAndCoding => BadRequest,
        "Content-Length and Transfer-Encoding exclude each other: give one of them";
    /// `Transfer-Encoding` in HTTP/1.0, or not ending with `chunked`, or with it twice.
    CodingForm => BadRequest,
        "Transfer-Encoding must be of HTTP/1.1 and end with chunked: give Content-Length instead";
    /// `Transfer-Encoding` names a coding besides `chunked`.
    CodingUnknown => NotImplemented,
        "only the transfer coding chunked is known: name it alone, or give Content-Length instead";
    /// The request has a body.
    Body => ContentTooLarge, "a GET, HEAD or OPTIONS here has no body: leave Content-Length and the body out";
    /// The request has a content coding.
    ContentCoding => UnsupportedMediaType,
        "no content coding is accepted in requests: leave Content-Encoding out";
    /// The request expects something.
    Expectation => ExpectationFailed, "no expectation is met here: leave Expect out";

    /// A request that may change something has a condition (RFC 9110 section 13.1): without it, it
    /// would do what its sender wants to keep it from.
    Condition => NotImplemented,
        "If-Match and If-None-Match are known for GET and HEAD alone: leave them out, nothing is written over here";

    /// What is asked for is another version than the one that the request names.
    OtherVersion => PreconditionFailed,
        "If-Match names another version than the one that is here: leave it out to get this one";

    // The body of a POST.
    /// A POST does not say how long its body is.
    LengthMissing => LengthRequired, "a POST needs Content-Length, or Transfer-Encoding: chunked";
    /// The body is longer than its bound.
    BodyTooLarge { /** The bound in bytes. */ max: u64 }
        => ContentTooLarge, "the body is longer than {max} bytes";
    /// The body is of a type that is not read here.
    ContentType => UnsupportedMediaType,
        "send the message as text/plain, or its fields as application/json, in UTF-8";
    /// The body of an operator's request is no JSON.
    ContentTypeOfApi => UnsupportedMediaType, "send a JSON object, as application/json";
    /// What should be a file is a form that has files in it (RFC 7578).
    FormOfFiles => UnsupportedMediaType,
        "this is a form around the file: send the file itself, as curl --data-binary @FILE does, not -F";
    /// A body in chunks is not written as it must be (RFC 9112 section 7.1).
    ChunkForm => BadRequest,
        "the chunks of the body are malformed: each is its size in hexadecimal, CR LF, the data, CR LF";
    /// The trailers of a body in chunks are longer than their bound.
    TrailersTooLarge => HeadTooLarge, "the trailers of the body are too long: leave them out";
    /// The body was not complete within its deadline.
    BodyTimeout => RequestTimeout, "the request body was not complete in time: send it at once";
    /// The connection was ended for writing before the body had come.
    BodyCut => BadRequest,
        "the request body ends before its announced length or its last chunk: send all of it";

    /// A field that says one thing is there twice: readers differ in which one they take.
    FieldRepeated { /** Which. */ name: &'static str }
        => BadRequest, "{name} is given twice: give it once";

    // Who is asked, and by whom.
    /// There is no `Host` (RFC 9112 section 3.2).
    HostMissing => BadRequest, "the Host field is missing: HTTP/1.1 needs exactly one";
    /// There are several `Host`.
    HostRepeated => BadRequest, "the Host field is given twice: HTTP/1.1 needs exactly one";
    /// The host is no name or address with an optional port.
    HostForm => BadRequest,
        "the host must be a name or an address, with a port if need be, as in example.org:8080";
    /// The host is not one of this server: the name may have been pointed here by an attacker (DNS
    /// rebinding).
    HostUnknown => MisdirectedRequest,
        "this server does not answer to that host name: use localhost or the address, or add the name to [http] hosts";
    /// There are several `Origin`.
    OriginRepeated => Forbidden, "the Origin field is given twice: a browser sends exactly one";
    /// The origin is not the one of this server's page, nor a configured one.
    OriginForeign => Forbidden,
        "pages of that origin may not use this server: open its own page, or add the origin to [http] origins";
    /// There is no `Origin` where the configuration requires one.
    OriginMissing => Forbidden, "the Origin field is missing: send one, or turn [http] require_origin off";

    /// Names are believed here, and the request is not of this machine, or has come by a proxy.
    NotLocal => Forbidden, "with auth = \"none\" only this machine may speak to the server, and by no proxy: everybody else could be anybody; write auth = \"accounts\" (people log in with a password), \"jwt\" or \"header\", or insecure = true if you trust everybody who can connect";
    /// Names are believed here, and the host is not one of this server besides.
    HostNotLocal => MisdirectedRequest, "this server does not answer to that host name: use localhost or the address, or add the name to [http] hosts; and with auth = \"none\" only this machine may speak to the server, and by no proxy: everybody else could be anybody; write auth = \"accounts\" (people log in with a password), \"jwt\" or \"header\", or insecure = true if you trust everybody who can connect";

    // Who it is.
    /// The token of the upgrade is not taken.
    TokenRefused => Unauthorized, "this token is not one that this server takes";
    /// The token of the upgrade has expired.
    TokenExpired => Unauthorized, "the token has expired; get a new one";
    /// The field that names the user has come from somebody who is not believed.
    UserNamedByStranger => Forbidden, "the field of [header] name may come only from an address of `proxies`: a proxy there must remove it from what its clients send";
    /// The field that names the user is there twice, or is no text of 1 to 255 bytes.
    UserNameForm => BadRequest, "the field of [header] name must be there once, with 1 to 255 bytes of text";
    /// A field that names the user is there in another spelling than proxies write.
    UserNameSpelling => BadRequest, "the field of [header] name counts with hyphens only: a proxy must remove it in other spellings, such as with _, from what its clients send";
    /// The user is known by a proxy's field, and the page has an origin that any page can have.
    OriginUnsure => Forbidden, "where a proxy's field says who the user is, a WebSocket, and whatever is sent, needs the Origin of a page: null, file:// and none could be any page's, whatever [http] origins says";

    // The route.
    /// There is nothing at the path.
    NotFound => NotFound, "there is nothing at this path: the chat page is at / and the WebSocket at /ws";
    /// There is no such request of the admin API.
    NoRoute => NotFound, "there is nothing at this path: GET /api/v1/openapi.json says what there is";
    /// The address is that of no hook.
    NoHook => NotFound,
        "this is the address of no hook, or of one that was ended: chinwag hook add makes one";
    /// The path of the admin listener does not have the method.
    MethodNotAllowedThere { /** Which it has. */ allowed: Methods }
        => MethodNotAllowed, "this path does not have that method: use {allowed}; GET / says what is here, and /api/v1/openapi.json describes the admin API";
    /// The path does not have the method.
    MethodNotAllowed { /** Which it has. */ allowed: Methods }
        => MethodNotAllowed, "this path does not have that method: use {allowed}; what is said goes by the WebSocket at /ws, by POST to /rooms/NAME/messages, or by the TCP port";
    /// The path of a WebSocket request has no WebSocket.
    UpgradeElsewhere => NotFound, "there is no WebSocket at this path: it is at /ws";

    // The upgrade (RFC 6455 section 4.2).
    /// A WebSocket endpoint was asked for something else.
    UpgradeRequired => UpgradeRequired,
        "this path speaks WebSocket only: send Upgrade: websocket and Connection: Upgrade";
    /// The same, by way of a proxy, which will have taken the wish for an upgrade away.
    UpgradeTaken => UpgradeRequired,
        "this path speaks WebSocket only, and a proxy on the way has taken Upgrade away: have it pass Upgrade and Connection on";
    /// An upgrade was asked for in HTTP/1.0.
    UpgradeVersion => BadRequest,
        "a WebSocket needs HTTP/1.1: a proxy in between may have to be told to use it";
    /// `Upgrade` or `Connection` is no list of tokens.
    UpgradeForm => BadRequest, "Upgrade and Connection must be lists of words, separated by commas";
    /// `Connection` does not name `upgrade`.
    ConnectionForm => BadRequest,
        "Connection: Upgrade is missing: a proxy in between may have to be told to pass it on";
    /// The WebSocket version is another one than 13, missing or repeated.
    WebSocketVersion => UpgradeRequired, "send Sec-WebSocket-Version: 13, exactly once";
    /// The key is missing or repeated.
    KeyCount => BadRequest,
        "send Sec-WebSocket-Key exactly once: a proxy that takes WebSockets by HTTP/2 has to make one up, or not to allow them there (Envoy: no allow_connect)";
    /// The key is not the base64 form of 16 bytes.
    KeyForm => BadRequest, "Sec-WebSocket-Key must be 16 bytes in base64: 24 characters, the last two =";
    /// `Sec-WebSocket-Protocol` is no list of tokens.
    ProtocolForm => BadRequest,
        "Sec-WebSocket-Protocol must be words, separated by commas: leave it out or offer chinwag.v1";
    /// Only unknown subprotocols were offered.
    ProtocolUnknown => BadRequest,
        "none of the offered subprotocols is spoken here: offer chinwag.v1 or none at all";
    /// Several tokens came with the request.
    TokenRepeated => BadRequest,
        "several tokens: send one, as Authorization: Bearer or as the subprotocol bearer.<token>";
    /// `Authorization: Bearer` is not followed by one token.
    TokenForm => BadRequest, "Authorization must be the word Bearer, one space and the token";
    /// `Sec-WebSocket-Extensions` is not ASCII.
    ExtensionForm => BadRequest, "Sec-WebSocket-Extensions must be plain ASCII";
}

impl Refusal {
    /// Whether the connection must end after the answer. It may go on only after a well-formed
    /// request that asked for no upgrade, if [`Head::keep_alive`](super::Head::keep_alive) agrees:
    /// an upgrade that failed may have opened a tunnel in a proxy on the way.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::NotFound
                | Self::NoRoute
                | Self::NoHook
                | Self::MethodNotAllowed { .. }
                | Self::MethodNotAllowedThere { .. }
                | Self::Body
                | Self::ContentCoding
        )
    }

    /// The same in the words of the admin listener, which has none of the chat's doors.
    #[must_use]
    pub const fn of_admin(self) -> Self {
        match self {
            Self::MethodNotAllowed { allowed } => Self::MethodNotAllowedThere { allowed },
            Self::NotFound | Self::UpgradeElsewhere => Self::NoRoute,
            other => other,
        }
    }

    /// What stands at `at` where `otherwise` is the fault, unless the byte has a worse one.
    pub(super) const fn of_byte(byte: u8, at: HeadPosition, otherwise: Self) -> Self {
        match byte {
            b'\r' => Self::BareCr { at },
            0..=0x08 | 0x0a..=0x1f | 0x7f => Self::Control { at },
            _ => otherwise,
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "this port speaks plain HTTP: use http:// or put TLS in front",
            Self::Http2 => "this port speaks HTTP/1.1: do not begin with HTTP/2",
            Self::Ssh => "this port speaks HTTP/1.1, not SSH",
            Self::Proxy => "this port does not expect the PROXY protocol: turn it off in the proxy",
            Self::Json => "this port speaks HTTP/1.1: JSON lines belong to the TCP port",
        })
    }
}

impl fmt::Display for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allow())
    }
}
