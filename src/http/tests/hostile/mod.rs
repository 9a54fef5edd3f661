//! Hostile heads: a row for each way that is known to have broken a server or to have made two
//! disagree.
//!
//! A row is a piece of a head and what comes of it: `ok`, or the refusal with its line and byte.

mod fields;
mod first_lines;
mod framing;
mod whole;

use super::*;

/// The refusal's name, and where it points to.
fn name(refusal: Refusal) -> String {
    let debug = format!("{refusal:?}");
    let name = debug.split(' ').next().unwrap_or_default();
    let words = refusal.to_string();
    let place = words.strip_prefix("line ").and_then(|words| words.split_once(": "));
    match place {
        Some((place, _)) => format!("{name} {}", place.replace(", byte ", ":")),
        None => name.to_owned(),
    }
}

/// Checks that each row, made whole by `wrap`, has its outcome, whole and byte by byte.
#[track_caller]
fn check(rows: &[(&str, &str)], wrap: impl Fn(&str) -> String) {
    let mut wrong = Vec::new();
    for (piece, expect) in rows {
        let input = wrap(piece);
        let outcome = feed([input.as_bytes()]);
        assert_eq!(feed(input.as_bytes().chunks(1)), outcome, "split: {piece:?}");
        let found = match outcome {
            Outcome::Incomplete => "incomplete".to_owned(),
            Outcome::Head { head_len, .. } if head_len < input.len() => "more".to_owned(),
            Outcome::Head { summary, .. } => summary.body.map_or_else(name, |()| "ok".to_owned()),
            Outcome::Refused(refusal) => name(refusal),
        };
        if found != *expect {
            wrong.push(format!("{piece:?}: {found}, not {expect}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_refusal_says_something_and_repeats_nothing() {
    let secret = "s3cret-Bytes";
    for input in [
        format!("GET /{secret} HTTP/9.9\r\n"),
        format!("GET /\"{secret}\" HTTP/1.1\r\n"),
        format!("{secret} / HTTP/1.1\r\nHost: {secret} x\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: {secret}.example\r\n{secret}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {secret}\r\n\r\n"),
    ] {
        let Outcome::Refused(refusal) = feed([input.as_bytes()]) else { panic!("{input:?}") };
        let mut out = Vec::new();
        Response::from(refusal).render(&mut out, Method::Get, false);
        let text = String::from_utf8(out).unwrap();
        assert!(refusal.to_string().len() > 20, "{refusal:?}");
        assert!(!text.contains(secret), "{text}");
    }
}
