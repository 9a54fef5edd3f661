//! Who is let in, in which order it is asked, and what the refused are told.

use super::*;

const UPGRADE: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What `admission` makes of `line` with `fields`, in a word.
fn outcome(admission: &Admission, line: &str, fields: &str) -> Result<&'static str, Refusal> {
    let request = format!("{line} HTTP/1.1\r\n{fields}\r\n");
    admit(admission, &request, |admitted| match admitted {
        Admitted::Page(page) => page,
        Admitted::Health | Admitted::Api => "health",
        Admitted::WebSocket(_) => "websocket",
        Admitted::Echo(_) => "echo",
    })
}

#[track_caller]
fn check(line: &str, fields: &str, expect: Result<&'static str, Refusal>) {
    let fields = format!("Host: localhost\r\n{fields}");
    assert_eq!(outcome(&Admission::default(), line, &fields), expect, "{line} {fields:?}");
}

#[test]
fn each_route_admits_what_it_can_answer() {
    check("GET /", "", Ok("index"));
    check("HEAD /?a=b", "", Ok("index"));
    check("GET /healthz", "", Ok("health"));
    check("GET /ws", UPGRADE, Ok("websocket"));
    check("GET /echo", UPGRADE, Ok("echo"));
    // As `curl --http2` asks: a change that is not made.
    check("GET /", "Upgrade: h2c\r\nConnection: Upgrade\r\n", Ok("index"));
}

#[test]
fn each_route_refuses_what_it_cannot() {
    let plain = Err(Refusal::MethodNotAllowed { allowed: Methods::GetAndHead });
    let get = Err(Refusal::MethodNotAllowed { allowed: Methods::Get });
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "BREW"] {
        check(&format!("{method} /"), "", plain);
        check(&format!("{method} /healthz"), "", plain);
        check(&format!("{method} /ws"), UPGRADE, get);
        check(&format!("{method} /nowhere"), "", Err(Refusal::NotFound));
    }
    check("OPTIONS *", "", plain);
    check("GET /ws", "", Err(Refusal::UpgradeRequired));
    check("GET /", UPGRADE, Err(Refusal::UpgradeElsewhere));
    check("GET /nowhere", UPGRADE, Err(Refusal::UpgradeElsewhere));
    check("GET /ws", "Upgrade: h2c\r\nConnection: Upgrade\r\n", Err(Refusal::UpgradeRequired));
    for path in ["/WS", "/ws/", "//ws", "/./ws", "/%77s", "/ws%00", "/admin", "/../ws"] {
        check(&format!("GET {path}"), "", Err(Refusal::NotFound));
    }
}

#[test]
fn a_field_that_says_one_thing_stands_once() {
    for name in ["Content-Type", "Idempotency-Key", "Last-Event-ID", "Range", "If-Range"] {
        let once = format!("{name}: a\r\n");
        check("GET /", &once, Ok("index"));
        check("GET /", &once.repeat(2), Err(Refusal::FieldRepeated { name }));
    }
}

#[test]
fn the_checks_are_made_in_the_stated_order() {
    let evil = "Origin: http://page.example\r\n";
    let (body, twice) = ("Content-Length: 2\r\n", "Range: a\r\nRange: a\r\n");
    let none = Admission::default();
    let steps = [
        ("Host: evil.example, x\r\n", evil, "POST /nowhere", Refusal::HostForm),
        ("Host: evil.example\r\n", evil, "POST /nowhere", Refusal::HostUnknown),
        ("Host: localhost\r\n", &format!("{evil}{body}"), "GET /nowhere", Refusal::OriginForeign),
        ("Host: localhost\r\n", &format!("{body}{twice}"), "GET /nowhere", Refusal::Body),
        ("Host: localhost\r\n", twice, "POST /nowhere", Refusal::FieldRepeated { name: "Range" }),
        ("Host: localhost\r\n", "", "POST /nowhere", Refusal::NotFound),
        (
            "Host: localhost\r\n",
            "",
            "POST /ws",
            Refusal::MethodNotAllowed { allowed: Methods::Get },
        ),
        ("Host: localhost\r\n", "", "GET /ws", Refusal::UpgradeRequired),
    ];
    for (host, origin, line, expect) in steps {
        assert_eq!(outcome(&none, line, &format!("{host}{origin}")), Err(expect));
    }
}

#[test]
fn origins_are_checked_before_an_upgrade_and_everywhere_else() {
    let foreign = Err(Refusal::OriginForeign);
    let repeated = Err(Refusal::OriginRepeated);
    let own = "Origin: http://localhost\r\n";
    for (origin, expect) in [
        ("", Ok("websocket")),
        (own, Ok("websocket")),
        ("Origin: https://localhost\r\n", Ok("websocket")),
        ("Origin: http://localhost.evil.example\r\n", foreign),
        ("Origin: https://localhost@evil.example\r\n", foreign),
        ("Origin: null\r\n", foreign),
        ("Origin:\r\n", foreign),
        (&format!("{own}{own}"), repeated),
        (&format!("{own}Origin: http://evil.example\r\n"), repeated),
        (&format!("Origin: null\r\n{own}"), repeated),
    ] {
        check("GET /ws", &format!("{origin}{UPGRADE}"), expect);
        check("GET /echo", &format!("{origin}{UPGRADE}"), expect.map(|_| "echo"));
        check("GET /", origin, expect.map(|_| "index"));
        check("GET /healthz", origin, expect.map(|_| "health"));
    }
}

#[test]
fn an_origin_can_be_required_of_websockets_but_not_of_pages() {
    let origins = OriginPolicy::new(["https://app.example.org"], true).unwrap();
    let admission = Admission { origins, ..Admission::default() };
    let host = "Host: localhost\r\n";
    for (line, fields, expect) in [
        ("GET /ws", UPGRADE.to_owned(), Err(Refusal::OriginMissing)),
        ("GET /ws", format!("Origin: https://app.example.org\r\n{UPGRADE}"), Ok("websocket")),
        ("GET /ws", format!("Origin: http://localhost\r\n{UPGRADE}"), Ok("websocket")),
        ("GET /ws", format!("Origin: null\r\n{UPGRADE}"), Err(Refusal::OriginForeign)),
        ("GET /", String::new(), Ok("index")),
        ("GET /healthz", String::new(), Ok("health")),
    ] {
        assert_eq!(outcome(&admission, line, &format!("{host}{fields}")), expect, "{fields:?}");
    }
}

#[test]
fn the_host_is_that_of_an_absolute_target_if_there_is_one() {
    let none = Admission::default();
    let mixed = |target: &str, host: &str| {
        outcome(&none, &format!("GET {target}"), &format!("Host: {host}\r\n"))
    };
    assert_eq!(mixed("http://localhost/", "evil.example"), Ok("index"));
    assert_eq!(mixed("http://evil.example/", "localhost"), Err(Refusal::HostUnknown));
}

#[test]
fn http_1_0_is_served_without_a_host_but_not_under_a_foreign_one() {
    for (fields, expect) in [
        ("", Ok(())),
        ("Host: localhost\r\n", Ok(())),
        ("Host: evil.example\r\n", Err(Refusal::HostUnknown)),
        ("Origin: http://localhost\r\n", Err(Refusal::OriginForeign)),
    ] {
        let request = format!("GET /healthz HTTP/1.0\r\n{fields}\r\n");
        assert_eq!(admit(&Admission::default(), &request, |_| ()), expect, "{fields:?}");
    }
}

#[test]
fn a_connection_is_kept_only_where_nothing_speaks_against_it() {
    for (request, expect) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", false),
    ] {
        let Outcome::Head { summary, .. } = feed([request.as_bytes()]) else { panic!("{request}") };
        assert_eq!(summary.keep_alive, expect, "{request:?}");
    }
}

#[test]
fn after_every_refused_upgrade_the_connection_ends() {
    for fields in [
        UPGRADE.replace("13", "777"),
        UPGRADE.replace("websocket", "h2c"),
        UPGRADE.replace("dGhl", ""),
        format!("{UPGRADE}Origin: http://evil.example\r\n"),
        format!("{UPGRADE}Sec-WebSocket-Protocol: mqtt\r\n"),
    ] {
        for path in ["/ws", "/echo", "/", "/nowhere"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            let Outcome::Head { summary, .. } = feed([request.as_bytes()]) else { panic!() };
            assert!(!summary.keep_alive, "{request:?}");
        }
    }
}
