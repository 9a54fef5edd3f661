//! The module as a whole.

mod splits;

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

#[test]
fn a_browsers_upgrade_is_admitted() {
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let Ok(Parsed::Head { head, consumed }) =
        parser.parse(&mut PartialHead::default(), BROWSER.as_bytes())
    else {
        panic!("not parsed");
    };
    assert_eq!(consumed, BROWSER.len());
    let Ok(Admitted::WebSocket(upgrade)) = Admission::default().admit(&head, route) else {
        panic!("not admitted");
    };
    assert_eq!(upgrade.accept.as_str(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(upgrade.protocol, Some(SUBPROTOCOL));
    assert_eq!(upgrade.extensions.as_deref(), Some("permessage-deflate; client_max_window_bits"));
    assert_eq!(upgrade.bearer, None);
}
