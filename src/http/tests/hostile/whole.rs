//! What comes before a head, instead of it, or behind it.

use super::check;

#[test]
fn whole_inputs() {
    check(ROWS, str::to_owned);
}

const ROWS: &[(&str, &str)] = &[
    // Empty lines before: one is tolerated (RFC 9112 section 2.2).
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "ok"),
    ("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "EmptyLines"),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BareLf 1:1"),
    ("\r\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BareLf 2:1"),
    ("\r\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "BareCr 1:1"),
    ("\r\n GET / HTTP/1.1\r\nHost: a\r\n\r\n", "Method 2:1"),
    ("\r\nGET / HTTP/1.1 x\r\nHost: a\r\n\r\n", "RequestLine 2:15"),
    ("\u{feff}GET / HTTP/1.1\r\nHost: a\r\n\r\n", "Method 1:1"),
    // Ends.
    ("", "incomplete"),
    ("\r\n", "incomplete"),
    ("GET / HTTP/1.1\r\n", "incomplete"),
    ("GET / HTTP/1.1\r\nHost: a\r\n", "incomplete"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r", "incomplete"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\n", "BareLf 3:1"),
    ("GET / HTTP/1.1\nHost: a\n\n", "BareLf 1:15"),
    ("GET / HTTP/1.1\r\nHost: a\n\r\n", "BareLf 2:8"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "BareCr 3:1"),
    ("GET / HTTP/1.1\r\n\r\n", "HostMissing"),
    ("GET / HTTP/1.1\r\n\r\nHost: a\r\n\r\n", "HostMissing"),
    ("GET / HTTP/1.0\r\n\r\n", "ok"),
    // What follows is not the head's.
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\n garbage", "more"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /admin HTTP/1.1\r\n", "more"),
    // HTTP/0.9.
    ("GET /\r\n", "RequestLine 1:6"),
    ("GET /\n", "BareLf 1:6"),
    // Other protocols.
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "NotHttp"),
    ("PRI * HTTP/1.1\r\nHost: a\r\n\r\n", "TargetForm 1:5"),
    ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0", "NotHttp"),
    ("\u{16}", "NotHttp"),
    ("SSH-2.0-OpenSSH_10.0\r\n", "NotHttp"),
    ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n", "NotHttp"),
    ("\r\n\r\n\0\r\nQUIT\n!\u{11}\0\u{c}", "EmptyLines"),
    ("{\"op\":\"hello\",\"id\":1}\n", "NotHttp"),
    ("\0\0\0\u{2}{}", "Control 1:1"),
    ("\u{5}\u{1}\0", "Control 1:1"),
    ("\u{4}\u{1}\0P\u{7f}\0\0\u{1}\0", "Control 1:1"),
    ("EHLO example.org\r\n", "RequestLine 1:17"),
    ("HELP\r\n", "RequestLine 1:5"),
    ("*1\r\n$4\r\nPING\r\n", "RequestLine 1:3"),
    ("RTSP/1.0 200 OK\r\n\r\n", "Method 1:5"),
    ("HTTP/1.1 200 OK\r\n\r\n", "Method 1:5"),
    ("<policy-file-request/>\0", "Method 1:1"),
    ("\u{80}\u{1}\u{3}\u{1}", "Method 1:1"),
];
