//! The body of a request, and its id.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::chat::model::webhook::WebhookEvent;
use crate::log::Timestamp;
use crate::wire::render;

/// The id of an event: `r` a record, `n` a notice, `m` what was in memory only.
#[must_use]
pub fn event_id(event: &WebhookEvent) -> String {
    match event {
        WebhookEvent::Record { id, .. } => format!("r{id}"),
        WebhookEvent::Notice { id, .. } => format!("n{id}"),
    }
}

/// A request's body with events under these ids.
#[must_use]
pub fn body(webhook: &str, wall_ms: u64, events: &[(String, &WebhookEvent)]) -> Vec<u8> {
    let mut out = head("events", webhook, wall_ms);
    out.extend_from_slice(br#","events":["#);
    for (place, (id, event)) in events.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        render::webhook_event(&mut out, id, event);
    }
    out.extend_from_slice(b"]}}");
    out
}

/// The body of a request that only tries whether it comes through.
#[must_use]
pub fn test_body(webhook: &str, wall_ms: u64) -> Vec<u8> {
    let mut out = head("test", webhook, wall_ms);
    out.extend_from_slice(br#","events":[]}}"#);
    out
}

fn head(kind: &str, webhook: &str, wall_ms: u64) -> Vec<u8> {
    let at = Timestamp(wall_ms);
    // A name has nothing to escape.
    format!(r#"{{"type":"{kind}","timestamp":"{at}","data":{{"webhook":"{webhook}""#).into_bytes()
}

/// The id of a request: the same for the same events of the same webhook, also after a restart.
#[must_use]
pub fn request_id<'a>(webhook: (&str, u64), events: impl Iterator<Item = &'a str>) -> String {
    let (name, since) = webhook;
    let mut hash = Sha256::new();
    hash.update(format!("{name} {since}").as_bytes());
    for id in events {
        hash.update(b" ");
        hash.update(id.as_bytes());
    }
    let mut id = "msg_".to_owned();
    for byte in hash.finalize().iter().take(16) {
        _ = write!(id, "{byte:02x}");
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::webhook::{Notice, NoticeKind};

    #[test]
    fn a_body_is_json_and_its_id_is_that_of_its_events() {
        let what = NoticeKind::Made;
        let notice = Notice { at: 5, room: None, is_in_memory: false, user: None, what };
        let event = WebhookEvent::Notice { id: 3, notice, message: None };
        assert_eq!(event_id(&event), "n3");
        let body = body("alerts", 0, &[("n3".into(), &event), ("n4".into(), &event)]);
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["type"], "events");
        assert_eq!(body["timestamp"], "1970-01-01T00:00:00.000Z");
        assert_eq!(body["data"]["webhook"], "alerts");
        assert_eq!(body["data"]["events"][1]["id"], "n4");
        let test: serde_json::Value = serde_json::from_slice(&test_body("alerts", 0)).unwrap();
        assert_eq!(test["type"], "test");
        let id = |webhook, ids: &[&'static str]| request_id(webhook, ids.iter().copied());
        let same = id(("a", 1), &["n3", "n4"]);
        assert_eq!(id(("a", 1), &["n3", "n4"]), same);
        for (webhook, ids) in
            [(("b", 1), ["n3", "n4"]), (("a", 2), ["n3", "n4"]), (("a", 1), ["n3", "n5"])]
        {
            assert_ne!(id(webhook, &ids), same);
        }
    }
}
