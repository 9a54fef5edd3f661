//! The opening handshake against everything that can be wrong with it: RFC 6455 section 4.2.

use std::borrow::Cow;

use super::*;

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

/// The fields of a good handshake, as name and line, to be replaced one at a time.
const GOOD: [(&str, &str); 5] = [
    ("line", "GET /ws HTTP/1.1"),
    ("upgrade", "Upgrade: websocket"),
    ("connection", "Connection: Upgrade"),
    ("version", "Sec-WebSocket-Version: 13"),
    ("key", KEY),
];

/// A good handshake with the line called `name` replaced; any other name adds the line.
fn request(name: &str, line: &str) -> String {
    let mut lines: Vec<&str> =
        GOOD.iter().map(|&(other, good)| if other == name { line } else { good }).collect();
    lines.insert(1, "Host: localhost");
    if !GOOD.iter().any(|&(other, _)| other == name) {
        lines.push(line);
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\r\n") + "\r\n\r\n"
}

#[track_caller]
fn check(name: &str, line: &str, expect: Result<(), Refusal>) {
    let found = admit(&Admission::default(), &request(name, line), |admitted| {
        assert!(matches!(admitted, Admitted::WebSocket(_) | Admitted::Echo(_)));
    });
    assert_eq!(found, expect, "{line:?}");
}

#[test]
fn the_wish_may_be_spelled_as_the_rfcs_allow() {
    for (name, line) in [
        ("line", "GET /ws?a=b HTTP/1.1"),
        ("line", "GET http://localhost/ws HTTP/1.1"),
        ("upgrade", "upgrade:WebSocket"),
        ("upgrade", "Upgrade: h2c, WEBSOCKET"),
        ("upgrade", "Upgrade: foo/2,,websocket,"),
        ("upgrade", "Upgrade: foo\r\nUpgrade: websocket"),
        ("connection", "Connection: keep-alive, Upgrade"),
        ("connection", "connection:upgrade , close"),
        ("connection", "Connection: keep-alive\r\nConnection: upgrade"),
        ("other", "Content-Length: 0"),
        ("other", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    ] {
        check(name, line, Ok(()));
    }
}

#[test]
fn a_wish_that_is_incomplete_or_malformed_is_refused() {
    let required = Err(Refusal::UpgradeRequired);
    let form = Err(Refusal::UpgradeForm);
    let connection = Err(Refusal::ConnectionForm);
    for (name, line, expect) in [
        ("upgrade", "", required),
        ("upgrade", "Upgrade:", required),
        ("upgrade", "Upgrade: h2c", required),
        ("upgrade", "Upgrade: websocket/13", required),
        ("upgrade", "Upgrade: websockets", required),
        ("upgrade", "Upgrade: web socket", form),
        ("upgrade", "Upgrade: websocket; a=b", form),
        ("upgrade", "Upgrade: \"websocket\"", form),
        ("upgrade", "Upgrade: websocket/", form),
        ("connection", "", connection),
        ("connection", "Connection: keep-alive", connection),
        ("connection", "Connection: close", connection),
        ("connection", "Connection: upgrades", connection),
        ("connection", "Connection: \"upgrade\"", form),
        ("connection", "Connection: upgrade keep-alive", form),
        ("line", "GET /ws HTTP/1.0", Err(Refusal::UpgradeVersion)),
        ("other", "Content-Length: 5", Err(Refusal::Body)),
        ("other", "Transfer-Encoding: chunked", Err(Refusal::Body)),
    ] {
        check(name, line, expect);
    }
    for method in ["POST", "HEAD", "OPTIONS", "PUT", "get", "DELETE", "TRACE", "PRI"] {
        let expect = Err(Refusal::MethodNotAllowed { allowed: Methods::Get });
        check("line", &format!("{method} /ws HTTP/1.1"), expect);
    }
}

#[test]
fn version_13_alone_is_spoken() {
    for line in [
        "",
        "Sec-WebSocket-Version:",
        "Sec-WebSocket-Version: 0",
        "Sec-WebSocket-Version: 8",
        "Sec-WebSocket-Version: 12",
        "Sec-WebSocket-Version: 14",
        "Sec-WebSocket-Version: 777",
        "Sec-WebSocket-Version: 013",
        "Sec-WebSocket-Version: +13",
        "Sec-WebSocket-Version: 13.0",
        "Sec-WebSocket-Version: 13, 8",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13",
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8",
    ] {
        check("version", line, Err(Refusal::WebSocketVersion));
    }
}

#[test]
fn the_key_is_given_once_and_is_one() {
    check("key", "", Err(Refusal::KeyCount));
    check("key", &format!("{KEY}\r\n{KEY}"), Err(Refusal::KeyCount));
    for key in ["", "x", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25jZQ=", "AAAA", "\u{e9}"] {
        check("key", &format!("Sec-WebSocket-Key: {key}"), Err(Refusal::KeyForm));
    }
}

/// What is agreed on, given `fields` besides those of a good handshake.
fn agree(path: &str, fields: &str) -> Result<(Option<&'static str>, Option<String>), Refusal> {
    let request = request("line", &format!("GET {path} HTTP/1.1"));
    let request = request.replace("\r\n\r\n", &format!("\r\n{fields}\r\n\r\n"));
    admit(&Admission::default(), &request, |admitted| match admitted {
        Admitted::WebSocket(upgrade) | Admitted::Echo(upgrade) => {
            (upgrade.protocol, upgrade.bearer.map(str::to_owned))
        }
        Admitted::Page(_) | Admitted::Health | Admitted::Api => panic!("no upgrade"),
    })
}

#[test]
fn subprotocols_are_agreed_on_and_tokens_among_them_are_not_echoed() {
    let ours = Some(SUBPROTOCOL);
    let token = |token: &str| Some(token.to_owned());
    for (offer, expect) in [
        ("X: y", Ok((None, None))),
        ("Sec-WebSocket-Protocol: chinwag.v1", Ok((ours, None))),
        ("Sec-WebSocket-Protocol: chinwag.v2, chinwag.v1", Ok((ours, None))),
        ("Sec-WebSocket-Protocol: ,,chinwag.v1,,", Ok((ours, None))),
        ("Sec-WebSocket-Protocol: chinwag.v1, bearer.a.b-c._", Ok((ours, token("a.b-c._")))),
        ("Sec-WebSocket-Protocol: bearer.t,chinwag.v1", Ok((ours, token("t")))),
        (
            "Sec-WebSocket-Protocol: bearer.t\r\nSec-WebSocket-Protocol: chinwag.v1",
            Ok((ours, token("t"))),
        ),
        ("Sec-WebSocket-Protocol: chinwag.v1, bearer.", Ok((ours, token("")))),
        ("Sec-WebSocket-Protocol: chinwag.v2", Err(Refusal::ProtocolUnknown)),
        ("Sec-WebSocket-Protocol: Chinwag.v1", Err(Refusal::ProtocolUnknown)),
        ("Sec-WebSocket-Protocol: mqtt, soap", Err(Refusal::ProtocolUnknown)),
        ("Sec-WebSocket-Protocol: bearer.t", Err(Refusal::ProtocolUnknown)),
        ("Sec-WebSocket-Protocol: chinwag.v1, bearer.t, bearer.u", Err(Refusal::TokenRepeated)),
        ("Sec-WebSocket-Protocol:", Ok((None, None))),
        ("Sec-WebSocket-Protocol: ,", Ok((None, None))),
        ("Sec-WebSocket-Protocol: \t, ,", Ok((None, None))),
        ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: chinwag.v1", Ok((ours, None))),
        ("Sec-WebSocket-Protocol: chinwag v1", Err(Refusal::ProtocolForm)),
        ("Sec-WebSocket-Protocol: \"chinwag.v1\"", Err(Refusal::ProtocolForm)),
        ("Sec-WebSocket-Protocol: chinwag.v1;q=1", Err(Refusal::ProtocolForm)),
        ("Sec-WebSocket-Protocol: chinwag.v1, caf\u{e9}", Err(Refusal::ProtocolForm)),
    ] {
        assert_eq!(agree("/ws", offer), expect, "{offer:?}");
    }
}

#[test]
fn an_endpoint_without_subprotocols_ignores_what_is_offered() {
    assert_eq!(agree("/echo", "Sec-WebSocket-Protocol: mqtt"), Ok((None, None)));
    assert_eq!(agree("/echo", "X: y"), Ok((None, None)));
}

#[test]
fn a_token_comes_in_one_way_and_once() {
    let token = |token: &str| Ok((None, Some(token.to_owned())));
    for (fields, expect) in [
        ("Authorization: Bearer a.b.c", token("a.b.c")),
        ("authorization: bEARER aGk=", token("aGk=")),
        ("Authorization: Basic YTpi", Ok((None, None))),
        ("Authorization: BearerX a", Ok((None, None))),
        ("Authorization:", Ok((None, None))),
        ("Authorization: Bearer", Err(Refusal::TokenForm)),
        ("Authorization: Bearer  a", Err(Refusal::TokenForm)),
        ("Authorization: Bearer a b", Err(Refusal::TokenForm)),
        ("Authorization: Bearer a,b", Err(Refusal::TokenForm)),
        ("Authorization: Bearer =", Err(Refusal::TokenForm)),
        ("Authorization: Bearer a=b", Err(Refusal::TokenForm)),
        ("Authorization: Bearer caf\u{e9}", Err(Refusal::TokenForm)),
        ("Authorization: Bearer a\r\nAuthorization: Bearer a", Err(Refusal::TokenRepeated)),
        (
            "Authorization: Bearer a\r\nSec-WebSocket-Protocol: chinwag.v1, bearer.a",
            Err(Refusal::TokenRepeated),
        ),
    ] {
        assert_eq!(agree("/ws", fields), expect, "{fields:?}");
    }
}

#[test]
fn extensions_are_handed_on_as_one_list() {
    let offered = |fields: &str| {
        admit(&Admission::default(), &request("other", fields), |admitted| match admitted {
            Admitted::WebSocket(upgrade) => upgrade.extensions.map(Cow::into_owned),
            Admitted::Echo(_) | Admitted::Page(_) | Admitted::Health | Admitted::Api => {
                panic!("no upgrade")
            }
        })
    };
    let list = |list: &str| Ok(Some(list.to_owned()));
    assert_eq!(offered("X: y"), Ok(None));
    assert_eq!(offered("Sec-WebSocket-Extensions: a; b=\"c,d\""), list("a; b=\"c,d\""));
    let twice = "Sec-WebSocket-Extensions: a\r\nX: y\r\nsec-websocket-extensions: b; c";
    assert_eq!(offered(twice), list("a, b; c"));
    assert_eq!(offered("Sec-WebSocket-Extensions: \u{e9}"), Err(Refusal::ExtensionForm));
}

#[test]
fn long_lists_of_little_are_refused_or_taken_like_short_ones() {
    let blanks = format!("b{}x", " ".repeat(7_000));
    let commas = ",".repeat(7_000);
    for (name, value, expect) in [
        ("connection", &blanks, Err(Refusal::UpgradeForm)),
        ("upgrade", &blanks, Err(Refusal::UpgradeForm)),
        ("connection", &commas, Err(Refusal::ConnectionForm)),
        ("upgrade", &commas, Err(Refusal::UpgradeRequired)),
        ("Sec-WebSocket-Protocol", &blanks, Err(Refusal::ProtocolForm)),
        ("Sec-WebSocket-Protocol", &commas, Ok(())),
        ("Sec-WebSocket-Extensions", &blanks, Ok(())),
    ] {
        check(name, &format!("{name}: {value}"), expect);
    }
}
