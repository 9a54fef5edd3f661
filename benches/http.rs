//! What an upgrade costs: the head of a Chromium handshake, parsed, admitted and answered.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use chinwag::http::{
    Admission, Admitted, HeadParser, HttpDate, Limits, Method, Parsed, PartialHead, Refusal,
    Response, Route, Scheme, render_switching,
};

const BROWSER: &[u8] = b"GET /ws HTTP/1.1\r\n\
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

/// Parses `pieces` as one connection would receive them; whether they were a head.
fn parse<'a>(parser: &mut HeadParser, pieces: impl Iterator<Item = &'a [u8]>) -> bool {
    let mut partial = PartialHead::default();
    for piece in pieces {
        if let Ok(Parsed::Head { head, .. }) = parser.parse(&mut partial, piece) {
            black_box(head.path());
            return true;
        }
    }
    false
}

/// The whole handshake; what is to be sent is in `out`.
fn handshake(parser: &mut HeadParser, admission: &Admission, out: &mut Vec<u8>) {
    out.clear();
    let parsed = parser.parse(&mut PartialHead::default(), black_box(BROWSER));
    let Ok(Parsed::Head { head, .. }) = parsed else { return };
    match admission.admit(&head, Scheme::Any, |_| Route::<()>::WebSocket) {
        Ok(Admitted::WebSocket(upgrade)) => {
            render_switching(out, HttpDate::at(0), &upgrade.accept, upgrade.protocol, None);
        }
        Ok(_) => {}
        Err(refusal) => Response::from(refusal).render(out, Method::Get, false),
    }
}

fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("http");
    group.throughput(Throughput::Bytes(BROWSER.len() as u64));
    let mut parser = HeadParser::new(Limits::DEFAULT);
    assert!(parse(&mut parser, BROWSER.chunks(1)), "the head is good");
    group.bench_function("head, whole", |bencher| {
        bencher.iter(|| parse(&mut parser, std::iter::once(black_box(BROWSER))));
    });
    group.bench_function("head, in two pieces", |bencher| {
        bencher.iter(|| parse(&mut parser, black_box(BROWSER).chunks(400)));
    });
    group.bench_function("head, in single bytes", |bencher| {
        bencher.iter(|| parse(&mut parser, black_box(BROWSER).chunks(1)));
    });
    let admission = Admission::default();
    let mut out = Vec::new();
    group.bench_function("handshake: parse, admit, answer", |bencher| {
        bencher.iter(|| handshake(&mut parser, &admission, &mut out));
    });
    assert!(out.starts_with(b"HTTP/1.1 101"), "the handshake is good");
    group.bench_function("a refusal's response", |bencher| {
        bencher.iter(|| {
            out.clear();
            Response::from(black_box(Refusal::OriginForeign)).render(&mut out, Method::Get, false);
        });
    });
    group.bench_function("head, by httparse", |bencher| {
        bencher.iter(|| {
            let mut fields = [httparse::EMPTY_HEADER; 100];
            httparse::Request::new(&mut fields).parse(black_box(BROWSER)).is_ok()
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
