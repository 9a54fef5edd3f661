//! A request head in two pieces: never a panic, the same as in one, and whatever is said in return
//! is well-formed.
//!
//! The first byte of the input says where to split the rest.

use chinwag::http::{
    Admission, Admitted, HeadParser, HttpDate, Limits, Method, Parsed, PartialHead, Refusal,
    Response, Route, Scheme, render_switching,
};

/// Runs one input.
///
/// # Panics
///
/// If the input breaks a promise.
pub fn run(data: &[u8]) {
    let Some((&split, input)) = data.split_first() else { return };
    let (one, other) = input.split_at(usize::from(split).min(input.len()));
    assert_eq!(answer(&[one, other]), answer(&[input]), "split at {split}");
}

/// What is sent in return to `pieces`, and how many of their bytes were the head's; `None` as long
/// as that is nothing.
fn answer(pieces: &[&[u8]]) -> Option<(Vec<u8>, usize)> {
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let mut partial = PartialHead::default();
    let mut received = 0;
    for piece in pieces {
        let mut out = Vec::new();
        match parser.parse(&mut partial, piece) {
            Ok(Parsed::Incomplete) => received += piece.len(),
            Ok(Parsed::Head { head, consumed }) => {
                let admitted = Admission::default().admit(&head, Scheme::Any, route);
                respond(&mut out, admitted, head.method(), head.keep_alive());
                return Some((check(out), received + consumed));
            }
            Err(refusal) => {
                Response::from(refusal).render(&mut out, Method::Get, false);
                return Some((check(out), 0));
            }
        }
        assert!(partial.memory() < 16 * 1024, "a partial head is bounded");
    }
    None
}

fn route(path: &str) -> Route<()> {
    match path {
        "/" => Route::Page(()),
        "/w" => Route::WebSocket,
        "/e" => Route::Echo,
        "/h" => Route::Health,
        _ => Route::NotFound,
    }
}

fn respond(
    out: &mut Vec<u8>,
    admitted: Result<Admitted<'_, ()>, Refusal>,
    method: Method,
    keep_alive: bool,
) {
    let response = match admitted {
        Ok(Admitted::WebSocket(upgrade) | Admitted::Echo(upgrade)) => {
            return render_switching(out, HttpDate::at(0), &upgrade.accept, upgrade.protocol, None);
        }
        Ok(Admitted::Page(()) | Admitted::Health | Admitted::Api) => {
            Response::text(chinwag::http::Status::Ok, "hello")
        }
        Err(refusal) => refusal.into(),
    };
    response.render(out, method, keep_alive);
}

/// Requires what a strict reader of responses would.
fn check(out: Vec<u8>) -> Vec<u8> {
    let text = std::str::from_utf8(&out).expect("responses are ASCII");
    let (head, _) = text.split_once("\r\n\r\n").expect("a head ends with an empty line");
    assert!(head.starts_with("HTTP/1.1 "), "{head}");
    for line in head.split("\r\n") {
        assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?}");
    }
    out
}
