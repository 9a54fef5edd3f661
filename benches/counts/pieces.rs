//! The pieces without a server around them: frames, text, JSON, heads, timers.

use std::hint::black_box;

use chinwag::chat::model::command::RequestId;
use chinwag::chat::model::output::Request;
use chinwag::chat::model::reply::Durability;
use chinwag::chat::{Body, Limits, Op, Record, Reply, RoomName, UserName};
use chinwag::http::{
    self, Admission, Admitted, HeadParser, HttpDate, PartialHead, Route, Scheme, render_switching,
};
use chinwag::time::Tick;
use chinwag::time::wheel::IndexWheel;
use chinwag::wire::{self, Context, render};
use chinwag::ws::{Decoder, Item, Opcode, Role, Settings, Shared, encode};

use crate::mark::Counter;
use crate::server::{HEAD, MASK};

/// Operations of one run.
const TIMES: usize = 64;
/// 100 bytes.
const SEND: &str = r#"{"op":"send","id":3,"room":"lobby","cid":"c-7781","text":"good morning, how is everyone today?"}    "#;
/// As many as a loaded server has: one a connection.
const TIMERS: u32 = 10_000;

pub(crate) fn count(counter: &Counter) {
    messages(counter);
    json(counter);
    upgrade(counter);
    wheel(counter);
}

fn messages(counter: &Counter) {
    let ascii = |len: usize| "see you at seven. ".chars().cycle().take(len).collect::<String>();
    let mixed = "h\u{e9}llo \u{4e16}\u{754c} ".repeat(4096 / 14);
    message(counter, "ws: message of 125 B, header, mask, UTF-8", (Role::Server, &ascii(125)));
    message(counter, "ws: message of 4 KB, header, mask, UTF-8", (Role::Server, &ascii(4096)));
    message(counter, "ws: message of 4 KB without a mask", (Role::Client, &ascii(4096)));
    message(counter, "ws: the same, not in ASCII", (Role::Client, &mixed));
}

/// Whole text messages, many in one read.
fn message(counter: &Counter, name: &str, (role, text): (Role, &str)) {
    let settings = Settings::new(role, 1 << 20);
    let (mut decoder, mut shared) = (Decoder::new(None), Shared::default());
    let mask = (role == Role::Server).then_some(MASK);
    let mut read = Vec::new();
    for _ in 0..TIMES {
        encode(Opcode::Text, text.as_bytes(), mask, &mut read);
    }
    // Unmasking changes them, so each run has its own.
    let mut reads = [read.clone(), read].into_iter();
    let mut next = reads.next().unwrap_or_default();
    counter.count(name, TIMES, || {
        let mut input = &mut *next;
        let mut texts = 0;
        while let Ok(Some(item)) = decoder.decode(&mut input, &settings, &mut shared) {
            texts += usize::from(matches!(black_box(item), Item::Text(_)));
        }
        assert_eq!(texts, TIMES, "every message is a text");
        next = reads.next().unwrap_or_default();
    });
}

fn json(counter: &Counter) {
    let limits = Limits::default();
    counter.count("wire: parse a send of 100 B", TIMES, || {
        for _ in 0..TIMES {
            assert!(black_box(wire::parse(black_box(SEND), &limits)).is_ok(), "it is a request");
        }
    });
    let Some(((room, viewer), record)) = names().zip(record()) else { return };
    let mut out = Vec::with_capacity(4096);
    counter.count("wire: render its event", TIMES, || {
        for _ in 0..TIMES {
            out.clear();
            render::record_event(black_box(&mut out), &room, &record);
        }
    });
    let context = Context { viewer: Some(&viewer), limits: &limits, stated: "", server: "chinwag" };
    let request = Request { id: Some(RequestId("3".into())), op: Op::Send };
    let (seq, at) = (123_456, 1_763_700_002_001);
    let durable = Durability::Memory;
    let sent = Reply::Sent { room, seq, at, durable, dup: false, not_members: Box::default() };
    counter.count("wire: render its reply", TIMES, || {
        for _ in 0..TIMES {
            out.clear();
            assert!(render::reply(black_box(&mut out), &request, &sent, &context), "it has an id");
        }
    });
}

fn names() -> Option<(RoomName, UserName)> {
    RoomName::parse("lobby").ok().zip(UserName::parse("bob").ok())
}

fn record() -> Option<Record> {
    let body = Body::plain("good morning, how is everyone today?", Some("c-7781"));
    let (_, from) = names()?;
    Some(Record { seq: 123_456, at: 1_763_700_002_001, from, body, weight: 300 })
}

/// The head of a browser's handshake: parsed, admitted, answered.
fn upgrade(counter: &Counter) {
    let mut parser = HeadParser::new(http::Limits::DEFAULT);
    let (admission, mut out) = (Admission::default(), Vec::with_capacity(4096));
    counter.count("http: a browser's upgrade, from head to 101", TIMES, || {
        for _ in 0..TIMES {
            out.clear();
            let parsed = parser.parse(&mut PartialHead::default(), black_box(HEAD.as_bytes()));
            let Ok(http::Parsed::Head { head, .. }) = parsed else { continue };
            let admitted = admission.admit(&head, Scheme::Any, |_| Route::<()>::WebSocket);
            if let Ok(Admitted::WebSocket(upgrade)) = admitted {
                render_switching(
                    &mut out,
                    HttpDate::at(0),
                    &upgrade.accept,
                    upgrade.protocol,
                    None,
                );
            }
        }
        assert!(out.starts_with(b"HTTP/1.1 101"), "the upgrade is granted");
    });
}

fn wheel(counter: &Counter) {
    // As pings are spread: within 25 s.
    let deadline = |nth: u32| {
        Tick::from_millis(1 + u64::from(nth).wrapping_mul(0x9E37_79B9_7F4A_7C15) % 25_000)
    };
    let mut wheel = IndexWheel::new();
    counter.count("wheel: arm and cancel, 10,000 armed", 10_000, || {
        (0..TIMERS).for_each(|nth| wheel.arm(deadline(nth), nth));
        (0..TIMERS).for_each(|nth| _ = black_box(wheel.cancel(nth)));
    });
    let mut began = 0;
    counter.count("wheel: arm, wait and fire, 10,000 armed", 10_000, || {
        let deadline = |nth| deadline(nth).after(std::time::Duration::from_millis(began));
        (0..TIMERS).for_each(|nth| wheel.arm(deadline(nth), nth));
        while let Some(next) = wheel.next_deadline() {
            while wheel.poll(next).is_some() {}
        }
        began += 25_001;
    });
    for nth in 0..TIMERS {
        wheel.arm(Tick::from_millis(began + 60_000 + u64::from(nth)), nth);
    }
    counter.count("wheel: a turn in which nothing is due", TIMES, || {
        for _ in 0..TIMES {
            black_box((wheel.next_deadline(), wheel.poll(Tick::from_millis(began))));
        }
    });
}
