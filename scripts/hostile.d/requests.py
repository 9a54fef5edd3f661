"""Requests that servers and proxies understand differently, each with what this server has to make of it.

A row is (name, lesson, bytes, statuses, answers): the first answer has one of the statuses (none: it may be closed
without a word), and of what follows it on the connection so many answers may come in all. All are harmless: they ask
for /healthz, whatever way they ask. `Chunked` is as good as `chunked`: what follows it is a second request.
"""

HOST = b"Host: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n" + HOST
SECOND = GET + b"\r\n"
UPGRADE = (
    b"GET /ws HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
REFUSED = range(400, 600)
BAD = (400,)


def post(fields, body=b""):
    return b"POST /healthz HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def rows():
    # H1, H2: the size of a head, and of what is in it.
    yield "a head of 20 MB in one field", "H1", GET + b"X: " + b"a" * (20 << 20) + b"\r\n\r\n", (431, None), 1
    yield "a head of 9 KiB", "H1", GET + b"X: " + b"a" * 9216 + b"\r\n\r\n", (431,), 1
    yield "2,000 fields and an upgrade", "H2", UPGRADE + b"".join(b"X%d: 1\r\n" % n for n in range(2000)) + b"\r\n", (431,), 1
    many = b"".join(b"X%d: 1\r\n" % n for n in range(100))
    yield "the upgrade in the 101st field", "H2", GET + many + b"Upgrade: websocket\r\n\r\n", (431,), 1
    yield "a target of 9 KiB", "H1", b"GET /" + b"a" * 9216 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (414, 431), 1
    # H3: lists that go back and forth.
    spaces = b" " * 7000
    for field in (b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"Connection"):
        name = f"7,000 spaces in {field.decode()}"
        yield name, "H3", UPGRADE + b"Sec-WebSocket-Version: 13\r\n" + field + b": b" + spaces + b"x\r\n\r\n", (400, 101, 426), 1
    # H4: other protocols.
    yield "an upgrade to h2c", "H4", GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", (200, 400, 426), 1
    yield "the preface of HTTP/2", "H4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (400, 505, None), 1
    yield "TLS on the plain port", "H4", bytes.fromhex("16030100a5010000a10303") + b"\0" * 160, (400, None), 1
    yield "a banner of SSH", "H4", b"SSH-2.0-OpenSSH_9.2p1\r\n", (400, None), 1
    yield "HTTP/0.9", "H4", b"GET /healthz\r\n", (400, 505, None), 1
    yield "HTTP/3.7", "H4", b"GET /healthz HTTP/3.7\r\n" + HOST + b"\r\n", (400, 505), 1
    # H5: an upgrade that is refused ends the connection.
    for version in (b"777", b"12", b"13, 8", b"", b"013"):
        name = f"version {version.decode() or 'empty'} and a second request"
        yield name, "H5", UPGRADE + b"Sec-WebSocket-Version: " + version + b"\r\n\r\n" + SECOND, (400, 426), 1
    yield "no version and a second request", "H5", UPGRADE + b"\r\n" + SECOND, (400, 426), 1
    yield "no key and a second request", "H5", GET.replace(b"/healthz", b"/ws") + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n" + SECOND, (400, 426), 1
    # H6: where a request ends.
    yield "both lengths", "H6", post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n" + SECOND), REFUSED, 1
    yield "both lengths, the other way round", "H6", post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", b"0\r\n\r\n" + SECOND), REFUSED, 1
    for coding in (b"chunked\t", b" chunked", b"chunked, identity", b"identity, chunked", b"xchunked", b"chunked\x0b", b"Chunked", b"chunked,", b"gzip", b"\"chunked\"", b"cow"):
        name = f"Transfer-Encoding {coding!r}"
        yield name, "H6", post(b"Transfer-Encoding:" + coding + b"\r\n", b"0\r\n\r\n" + SECOND), REFUSED, 2 if coding.strip(b" \t").lower() == b"chunked" else 1
    yield "Transfer-Encoding twice", "H6", post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", b"0\r\n\r\n" + SECOND), REFUSED, 1
    yield "Transfer-Encoding in HTTP/1.0", "H6", post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n").replace(b"/1.1", b"/1.0"), REFUSED, 1
    yield "a space before the colon", "H6", post(b"Transfer-Encoding : chunked\r\n", b"0\r\n\r\n" + SECOND), REFUSED, 1
    for length in (b"+5", b"-1", b"0x5", b"5 5", b"5,5", b"5, 6", b"", b"99999999999999999999", b"5\x0b", b"1e1", b"05a"):
        yield f"Content-Length {length!r}", "H6", post(b"Content-Length: " + length + b"\r\n", b"hello" + SECOND), REFUSED, 1
    yield "Content-Length twice, different", "H6", post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello" + SECOND), REFUSED, 1
    yield "a GET with a body that is a request", "H6", GET + b"Content-Length: %d\r\n\r\n" % len(SECOND) + SECOND, (200, *REFUSED), 1
    yield "a GET with chunks", "H6", GET + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SECOND, (200, *REFUSED), 2
    yield "a body in gzip", "C15", post(b"Content-Encoding: gzip\r\nContent-Length: 3\r\n", b"\x1f\x8b\x08"), REFUSED, 1
    yield "Expect: 100-continue", "H6", post(b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"hello"), (100, *REFUSED), 2
    # The form of fields.
    yield "a folded field", "H6", GET + b"X: a\r\n b\r\n\r\n", BAD, 1
    yield "a folded first field", "H6", b"GET /healthz HTTP/1.1\r\n Host: localhost\r\n\r\n", BAD, 1
    yield "a bare CR in a value", "H6", GET + b"X: a\rTransfer-Encoding: chunked\r\n\r\n", BAD, 1
    yield "a bare LF at the end of a line", "H6", GET + b"X: a\nY: b\r\n\r\n", BAD, 1
    yield "NUL in a value", "H6", GET + b"X: a\0b\r\n\r\n", BAD, 1
    yield "NUL in a name", "H6", GET + b"X\0: a\r\n\r\n", BAD, 1
    yield "a field without a colon", "H6", GET + b"Nothing\r\n\r\n", BAD, 1
    yield "a field without a name", "H6", GET + b": a\r\n\r\n", BAD, 1
    yield "a space in a name", "H6", GET + b"X Y: a\r\n\r\n", BAD, 1
    yield "a tab before the target", "H6", b"GET\t/healthz HTTP/1.1\r\n" + HOST + b"\r\n", BAD, 1
    yield "two spaces before the target", "H6", b"GET  /healthz HTTP/1.1\r\n" + HOST + b"\r\n", BAD, 1
    yield "a space in the target", "H6", b"GET /health z HTTP/1.1\r\n" + HOST + b"\r\n", BAD, 1
    yield "a name with a high byte", "H6", GET + b"X\xff: a\r\n\r\n", BAD, 1
    yield "a lower-case method", "H6", b"get /healthz HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501), 1
    yield "a method of 1,000 letters", "H9", b"A" * 1000 + b" /healthz HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 414, 501), 1
    yield "TRACE", "H6", b"TRACE /healthz HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501), 1
    yield "CONNECT", "H6", b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405, 501), 1
    # Whom it is for.
    yield "no Host", "H6", b"GET /healthz HTTP/1.1\r\n\r\n", BAD, 1
    yield "two Hosts", "H6", GET + b"Host: localhost\r\n\r\n", BAD, 1
    yield "another host", "A10", b"GET /healthz HTTP/1.1\r\nHost: rebound.example\r\n\r\n", (400, 403, 404, 421), 1
    for host in (b"localhost@evil", b"localhost/..", b"local host", b"localhost:99999", b"localhost:80:80", b"[::1", b""):
        yield f"Host {host!r}", "H6", b"GET /healthz HTTP/1.1\r\nHost: " + host + b"\r\n\r\n", (400, 403, 421), 1
    yield "another host in the target", "H6", b"GET http://evil.example/healthz HTTP/1.1\r\n" + HOST + b"\r\n", (400, 403, 421), 1
    # H7: pages of others.
    for origin in (b"https://evil.example", b"null", b"http://localhost.evil.example", b"http://localhost@evil.example", b"file://", b"http://localhost.", b"HTTP://LOCALHOST:1"):
        fields = b"Sec-WebSocket-Version: 13\r\nOrigin: " + origin + b"\r\n\r\n"
        yield f"a page of {origin.decode()}", "H7", UPGRADE + fields + SECOND, (400, 403), 1
    yield "two origins", "H7", UPGRADE + b"Sec-WebSocket-Version: 13\r\nOrigin: http://localhost\r\nOrigin: null\r\n\r\n", (400, 403), 1
    # What is fine must stay fine.
    yield "two requests at once", "H8", SECOND + SECOND, (200,), 2
    yield "one request", "H8", SECOND, (200,), 1
