//! What one command and one event cost in JSON: parsing a request, rendering what follows from it.

#![expect(clippy::unwrap_used, reason = "a measurement of something that fails means nothing")]

use std::hint::black_box;

use chinwag::chat::model::code::Code;
use chinwag::chat::model::command::RequestId;
use chinwag::chat::model::output::Request;
use chinwag::chat::model::reply::Durability;
use chinwag::chat::{Body, Limits, Op, Record, Refusal, Reply, RoomName, UserName};
use chinwag::line::Decoder;
use chinwag::wire::{self, Context, render, text};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// 100 bytes.
const SEND: &str = r#"{"op":"send","id":3,"room":"lobby","cid":"c-7781","text":"good morning, how is everyone today?"}    "#;
/// The same with an escape, so that the text has to be copied.
const SEND_ESCAPED: &str = r#"{"op":"send","id":3,"room":"lobby","cid":"c-7781","text":"good \"morning\", how is it today?"}    "#;
const ACK: &str = r#"{"op":"ack","room":"lobby","read":123}"#;

fn message(text: &str) -> Record {
    let body = Body::plain(text, Some("c-7781"));
    let from = UserName::parse("bob").unwrap();
    Record { seq: 123_456, at: 1_763_700_002_001, from, body, weight: 300 }
}

fn parse(c: &mut Criterion) {
    let limits = Limits::default();
    let mut group = c.benchmark_group("parse");
    for (name, request) in [("send", SEND), ("send_escaped", SEND_ESCAPED), ("ack", ACK)] {
        group.throughput(Throughput::Bytes(request.len() as u64));
        group.bench_function(name, |b| {
            b.iter(|| wire::parse(black_box(request), &limits).unwrap());
        });
    }
    group.bench_function("refused", |b| {
        b.iter(|| wire::parse(black_box(r#"{"op":"join","id":1}"#), &limits).unwrap_err());
    });
    group.finish();
}

fn render_all(c: &mut Criterion) {
    let (limits, viewer) = (Limits::default(), UserName::parse("bob").unwrap());
    let context =
        Context { viewer: Some(&viewer), limits: &limits, stated: "", server: "chinwag 0.1.0" };
    let room = RoomName::parse("lobby").unwrap();
    let request = Request { id: Some(RequestId("3".into())), op: Op::Send };
    let sent = Reply::Sent {
        room: room.clone(),
        seq: 123_456,
        at: 1_763_700_002_001,
        durable: Durability::Memory,
        dup: false,
        not_members: Box::default(),
    };
    let refusal = Refusal::new(Code::RateLimited, "too many commands").retry_after_ms(250);
    let (plain, escaped) = (message(&"plain text ".repeat(9)), message(&"\"quoted\"\n".repeat(11)));
    let mut out = Vec::with_capacity(4096);
    let mut group = c.benchmark_group("render");
    let mut bench = |name: &str, render: &mut dyn FnMut(&mut Vec<u8>)| {
        group.bench_function(name, |b| {
            b.iter(|| {
                out.clear();
                render(black_box(&mut out));
            });
        });
    };
    bench("message_100_bytes", &mut |out| render::record_event(out, &room, &plain));
    bench("message_100_bytes_escaped", &mut |out| render::record_event(out, &room, &escaped));
    bench("item_of_ones_own", &mut |out| render::item(out, &plain, Some(&viewer)));
    bench("reply_to_send", &mut |out| assert!(render::reply(out, &request, &sent, &context)));
    bench("refusal", &mut |out| render::refusal(out, &request, &refusal));
    bench("message_for_a_person", &mut |out| text::record_event(out, &room, &plain, None));
    group.finish();
}

fn lines(c: &mut Criterion) {
    let input = format!("{}\n", SEND.trim_end()).repeat(100);
    let mut group = c.benchmark_group("line");
    group.throughput(Throughput::Bytes(input.len() as u64));
    group.bench_function("100_requests", |b| {
        let mut decoder = Decoder::default();
        b.iter(|| {
            let mut rest = black_box(input.as_bytes());
            let mut items = 0;
            while let Some(item) = decoder.decode(&mut rest, 1 << 16) {
                black_box(item);
                items += 1;
            }
            items
        });
    });
    group.finish();
}

criterion_group!(benches, parse, render_all, lines);
criterion_main!(benches);
