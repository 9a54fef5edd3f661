//! Any bytes as a request and as a person's line: no panic, and the answer is JSON on one line.

use chinwag::chat::model::identity::AuthPolicy;
use chinwag::chat::model::output::Request;
use chinwag::chat::{Body, Command, Limits, Record, Reply, RoomName, UserName};
use chinwag::wire::text::{self, Line};
use chinwag::wire::{self, Context, Parsed, render};
use serde_json::Value;

/// Runs one input.
///
/// # Panics
///
/// If the input breaks a promise.
pub fn run(input: &[u8]) {
    let limits = Limits { message_bytes: 1024, rooms_per_user: 4, ..Limits::default() };
    let mut out = Vec::new();
    match wire::parse_bytes(input, &limits) {
        Ok((request, parsed)) => {
            answer(&mut out, &request, &parsed, &limits);
            if let Parsed::Command(command) = &parsed {
                check_weight(command);
            }
        }
        Err(refused) => {
            render::refused(&mut out, &refused);
            check_json(&out);
            let offset = refused.refusal.offset.unwrap_or(0);
            assert!(offset <= input.len() as u64);
        }
    }
    if let Line::Command(_, command) = text::parse_line(input, Some("lobby"), &limits) {
        check_weight(&command);
    }
}

/// A request that was understood can be answered with its own id.
fn answer(out: &mut Vec<u8>, request: &Request, parsed: &Parsed<'_>, limits: &Limits) {
    let context = Context { viewer: None, limits, stated: "", server: "chinwag" };
    let answered = match parsed {
        Parsed::Help { of } => render::help(out, request, *of, &AuthPolicy::default()),
        Parsed::Command(_) => render::reply(out, request, &Reply::Done, &context),
    };
    assert_eq!(answered, request.id.is_some());
    if answered {
        let id = check_json(out)["id"].clone();
        let sent: Value = serde_json::from_str(request.id.as_ref().unwrap().0.as_str()).unwrap();
        assert_eq!(id, sent);
    }
}

/// What is rendered of a message is as large as its weight and the overhead say, at most.
fn check_weight(command: &Command<'_>) {
    let Command::Send(send) = command else { return };
    let (room, from) = (RoomName::parse("lobby").unwrap(), UserName::parse("bob").unwrap());
    let body = Body::Message {
        text: send.text.as_ref().into(),
        data: send.data.as_deref().map(Into::into),
        cid: send.cid.as_deref().map(Into::into),
        reply_to: send.reply_to,
        thread: send.thread,
        edited: None,
    };
    let record = Record { seq: 1, at: 0, from, body, weight: send.weight };
    let bound = chinwag::chat::model::limits::RECORD_OVERHEAD + 8 + send.weight as usize;
    let (mut live, mut own, mut shown) = (Vec::new(), Vec::new(), Vec::new());
    render::record_event(&mut live, &room, &record);
    render::item(&mut own, &record, Some(&record.from));
    text::record_event(&mut shown, &room, &record, None);
    assert!(live.len() <= bound && own.len() <= bound && shown.len() <= bound);
    assert_eq!(check_json(&live)["text"].as_str(), Some(send.text.as_ref()));
    assert_eq!(check_json(&own)["cid"].as_str(), send.cid.as_deref());
    let shown = String::from_utf8(shown).unwrap();
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
}

fn check_json(line: &[u8]) -> Value {
    assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
    serde_json::from_slice(line).unwrap()
}
