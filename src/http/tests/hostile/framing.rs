//! Announcements of a body, in which servers and proxies disagree most: RFC 9112 section 6.

use super::check;

#[test]
fn bodies_in_http_1_1() {
    check(ROWS, |fields| format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n"));
}

/// What is well-formed is answered by the path, which does not have the method.
#[test]
fn bodies_of_methods_that_no_path_has() {
    let of_post = |&(fields, expect): &(&'static str, &'static str)| match expect {
        "Body" | "ContentCoding" | "Expectation" => (fields, "ok"),
        _ => (fields, expect),
    };
    let rows: Vec<_> = ROWS.iter().map(of_post).collect();
    check(&rows, |fields| format!("POST / HTTP/1.1\r\n{fields}\r\nHost: a\r\n\r\n"));
}

#[test]
fn bodies_in_http_1_0() {
    check(OLD_ROWS, |fields| format!("GET / HTTP/1.0\r\n{fields}\r\n\r\n"));
}

const ROWS: &[(&str, &str)] = &[
    // Lengths.
    ("Content-Length: 0", "ok"),
    ("content-length:0", "ok"),
    ("Content-Length: \t0 ", "ok"),
    ("Content-Length: 1", "Body"),
    ("Content-Length: 10", "Body"),
    ("Content-Length: 4294967296", "Body"),
    ("Content-Length: 18446744073709551616", "Body"),
    ("Content-Length: 99999999999999999999999999", "Body"),
    ("Content-Length:", "LengthForm"),
    ("Content-Length: +0", "LengthForm"),
    ("Content-Length: +5", "LengthForm"),
    ("Content-Length: -1", "LengthForm"),
    ("Content-Length: -0", "LengthForm"),
    ("Content-Length: 00", "LengthForm"),
    ("Content-Length: 05", "LengthForm"),
    ("Content-Length: 0x5", "LengthForm"),
    ("Content-Length: 5_0", "LengthForm"),
    ("Content-Length: 1e1", "LengthForm"),
    ("Content-Length: 1.0", "LengthForm"),
    ("Content-Length: 5 5", "LengthForm"),
    ("Content-Length: 0, 0", "LengthForm"),
    ("Content-Length: 5,5", "LengthForm"),
    ("Content-Length: 0;", "LengthForm"),
    ("Content-Length: \"0\"", "LengthForm"),
    ("Content-Length: five", "LengthForm"),
    ("Content-Length: \u{665}", "LengthForm"),
    ("Content-Length: \u{ff10}", "LengthForm"),
    ("Content-Length: 0\u{a0}", "LengthForm"),
    ("Content-Length: 0\r\nContent-Length: 0", "LengthRepeated"),
    ("Content-Length: 0\r\nContent-Length: 5", "LengthRepeated"),
    ("Content-Length: 5\r\nX: y\r\ncontent-length: 6", "LengthRepeated"),
    ("Content_Length: 5", "ok"),
    // Codings.
    ("Transfer-Encoding: chunked", "Body"),
    ("transfer-encoding:CHUNKED", "Body"),
    ("Transfer-Encoding: ,chunked,", "Body"),
    ("Transfer-Encoding:", "CodingForm"),
    ("Transfer-Encoding: ,", "CodingForm"),
    ("Transfer-Encoding: identity", "CodingForm"),
    ("Transfer-Encoding: gzip", "CodingForm"),
    ("Transfer-Encoding: chunked, gzip", "CodingForm"),
    ("Transfer-Encoding: chunked, identity", "CodingForm"),
    ("Transfer-Encoding: chunked, chunked", "CodingForm"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "CodingForm"),
    ("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", "CodingForm"),
    ("Transfer-Encoding: x\r\nTransfer-Encoding: chunked", "CodingUnknown"),
    ("Transfer-Encoding: gzip, chunked", "CodingUnknown"),
    ("Transfer-Encoding: identity, chunked", "CodingUnknown"),
    ("Transfer-Encoding: chunked;a=b", "CodingForm"),
    ("Transfer-Encoding: \"chunked\"", "CodingForm"),
    ("Transfer-Encoding: 'chunked'", "CodingForm"),
    ("Transfer-Encoding: xchunked", "CodingForm"),
    ("Transfer-Encoding: chunkedx", "CodingForm"),
    ("Transfer-Encoding: chunked x", "CodingForm"),
    ("Transfer-Encoding: chunked\u{a0}", "CodingForm"),
    ("Transfer-Encoding: chunked\t", "Body"),
    ("Transfer_Encoding: chunked", "ok"),
    // Both.
    ("Content-Length: 0\r\nTransfer-Encoding: chunked", "LengthAndCoding"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5", "LengthAndCoding"),
    ("Transfer-Encoding: identity\r\nContent-Length: 5", "LengthAndCoding"),
    ("Transfer-Encoding: x\r\nContent-Length: y", "LengthAndCoding"),
    // What else a body would come with.
    ("Content-Encoding: gzip", "ContentCoding"),
    ("Content-Encoding: identity", "ContentCoding"),
    ("Content-Encoding: gzip\r\nContent-Length: 5", "ContentCoding"),
    ("Content-Encoding: gzip\r\nTransfer-Encoding: chunked", "ContentCoding"),
    ("Content-Encoding: gzip\r\nContent-Length: x", "LengthForm"),
    ("Expect: 100-continue", "Expectation"),
    ("Expect: 200-ok", "Expectation"),
    ("Expect:", "Expectation"),
    ("Expect: 100-continue\r\nContent-Length: 5", "Body"),
    ("Content-Type: text/plain", "ok"),
];

const OLD_ROWS: &[(&str, &str)] = &[
    ("X: y", "ok"),
    ("Host: a", "ok"),
    ("Host: a\r\nHost: b", "HostRepeated"),
    ("Host: a b", "HostForm"),
    ("Content-Length: 0", "ok"),
    ("Content-Length: 5", "Body"),
    ("Transfer-Encoding: chunked", "CodingForm"),
    ("Transfer-Encoding: chunked\r\nContent-Length: 5", "LengthAndCoding"),
    ("Expect: 100-continue", "ok"),
    ("Connection: keep-alive", "ok"),
];
