//! The module as a whole.

mod admission;
mod hostile;
mod oracle;
mod splits;
mod upgrades;

use super::*;

/// The head of an upgrade as Chromium sends it.
const BROWSER: &str = "GET /ws HTTP/1.1\r\n\
Host: localhost:8080\r\n\
Connection: Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Upgrade: websocket\r\n\
Origin: http://localhost:8080\r\n\
Sec-WebSocket-Version: 13\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
Sec-WebSocket-Protocol: chinwag.v1\r\n\r\n";

/// What came of feeding a parser.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Incomplete,
    /// What the head says, and the number of bytes, over all pieces, that were its.
    Head {
        summary: Summary,
        head_len: usize,
    },
    Refused(Refusal),
}

/// All that a head says, detached from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Summary {
    method: Method,
    version: Version,
    path: String,
    query: Option<String>,
    fields: Vec<(String, Vec<u8>)>,
    host: String,
    body: Result<(), Refusal>,
    keep_alive: bool,
}

impl Summary {
    fn of(head: &Head<'_>) -> Self {
        Self {
            method: head.method(),
            version: head.version(),
            path: head.path().to_owned(),
            query: head.query().map(str::to_owned),
            fields: head.fields().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            host: format!("{:?}", head.authority()),
            body: head.check_body(),
            keep_alive: head.keep_alive(),
        }
    }
}

/// Feeds `pieces` to a parser until it has decided.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let mut partial = PartialHead::default();
    let mut before = 0;
    for piece in pieces {
        match parser.parse(&mut partial, piece) {
            Ok(Parsed::Incomplete) => before += piece.len(),
            Ok(Parsed::Head { head, consumed }) => {
                let summary = Summary::of(&head);
                assert!(partial.is_empty(), "a complete head is not kept");
                return Outcome::Head { summary, head_len: before + consumed };
            }
            Err(refusal) => {
                assert!(partial.is_empty(), "a refused head is not kept");
                return Outcome::Refused(refusal);
            }
        }
        assert_eq!(partial.is_empty(), before == 0, "a partial head is kept");
    }
    Outcome::Incomplete
}

/// What is at the paths of these tests.
fn route(path: &str) -> Route<&'static str> {
    match path {
        "/" => Route::Page("index"),
        "/ws" => Route::WebSocket,
        "/echo" => Route::Echo,
        "/healthz" => Route::Health,
        _ => Route::NotFound,
    }
}

/// Parses and admits the request `text`, then hands what was admitted to `then`.
fn admit<T>(
    admission: &Admission,
    text: &str,
    then: impl FnOnce(Admitted<'_, &'static str>) -> T,
) -> Result<T, Refusal> {
    let mut parser = HeadParser::new(Limits::DEFAULT);
    match parser.parse(&mut PartialHead::default(), text.as_bytes())? {
        Parsed::Incomplete => panic!("incomplete: {text:?}"),
        Parsed::Head { head, .. } => admission.admit(&head, Scheme::Any, route).map(then),
    }
}
