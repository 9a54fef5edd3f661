//! Events as webhooks are sent them: the fields of the socket's event, and what names the event.

use super::field::{epoch_field, field, name_field};
use super::record::record_event;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::webhook::{Notice, NoticeKind, WebhookEvent};
use crate::wire::json::{boolean, put};

/// Appends an event under this `id`, which needs no escapes.
pub fn webhook_event(out: &mut Vec<u8>, id: &str, event: &WebhookEvent) {
    put(out, r#"{"id":""#);
    put(out, id);
    put(out, r#"""#);
    match event {
        WebhookEvent::Record { room, epoch, record, .. } => {
            epoch_field(out, r#","epoch":"#, *epoch);
            // The socket's own words, so that who reads both needs one description; the fields of
            // the hook come first, and the brace of the event is left out.
            let mut rest = Vec::new();
            record_event(&mut rest, room, record);
            out.push(b',');
            out.extend_from_slice(rest.strip_prefix(b"{").unwrap_or(&rest));
        }
        WebhookEvent::Notice { notice, message, .. } => {
            name_field(out, r#","ev":"#, notice.what.kind().name());
            match (message, &notice.room) {
                (Some((epoch, record)), Some(room)) => {
                    name_field(out, r#","to":"#, notice.user.as_ref().map_or("", UserName::as_str));
                    epoch_field(out, r#","epoch":"#, *epoch);
                    let mut rest = Vec::new();
                    record_event(&mut rest, room, record);
                    let fields = rest.strip_prefix(br#"{"ev":"message""#).unwrap_or(&rest);
                    out.extend_from_slice(fields);
                }
                _ => notice_fields(out, notice),
            }
        }
    }
}

fn notice_fields(out: &mut Vec<u8>, notice: &Notice) {
    if let Some(room) = notice.room.as_ref().map(RoomName::as_str) {
        name_field(out, r#","room":"#, room);
    }
    if let Some(user) = &notice.user {
        name_field(out, r#","user":"#, user.as_str());
    }
    field(out, r#","at":"#, notice.at);
    match notice.what {
        NoticeKind::Joined(role) => name_field(out, r#","role":"#, role.name()),
        NoticeKind::Left(Some(reason)) => name_field(out, r#","reason":"#, reason.name()),
        NoticeKind::Left(None) | NoticeKind::Made => {}
        NoticeKind::Unseen(seq) => field(out, r#","seq":"#, seq),
        NoticeKind::Connection { opened, left } => {
            put(out, r#","open":"#);
            boolean(out, opened);
            field(out, r#","connections":"#, left);
        }
    }
    put(out, "}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::event::LeftReason;
    use crate::chat::model::record::{Body, Epoch, Record};
    use crate::chat::model::reply::Role;

    #[track_caller]
    fn check(event: &WebhookEvent, expect: &str) {
        let mut out = Vec::new();
        webhook_event(&mut out, "r7", event);
        assert_eq!(String::from_utf8(out).unwrap(), expect);
    }

    fn notice(room: Option<&str>, what: NoticeKind) -> Notice {
        let room = room.map(|room| RoomName::stored(room).unwrap());
        let user = (what != NoticeKind::Made).then(|| UserName::parse("ann").unwrap());
        Notice { at: 5, room, is_in_memory: false, user, what }
    }

    #[test]
    fn an_event_has_the_fields_of_the_protocol() {
        let body = Body::Message {
            text: "a \"b\"".into(),
            data: Some("[1]".into()),
            cid: Some("c".into()),
            reply_to: Some(3),
            thread: None,
            edited: None,
        };
        let from = UserName::parse("bob").unwrap();
        let record = Record { seq: 4, at: 5, from, body, weight: 100 };
        let room = RoomName::stored("lobby").unwrap();
        let (epoch, id) = (Epoch(36), 7);
        let event = WebhookEvent::Record { id, room, epoch, record: record.clone() };
        check(
            &event,
            r#"{"id":"r7","epoch":"10","ev":"message","room":"lobby","seq":4,"from":"bob","at":5,"text":"a \"b\"","reply_to":3,"data":[1]}"#,
        );
        let unseen = notice(Some("@ann:bob"), NoticeKind::Unseen(4));
        let event = WebhookEvent::Notice { id, notice: unseen, message: Some((epoch, record)) };
        check(
            &event,
            r#"{"id":"r7","ev":"direct","to":"ann","epoch":"10","room":"@ann:bob","seq":4,"from":"bob","at":5,"text":"a \"b\"","reply_to":3,"data":[1]}"#,
        );
    }

    #[test]
    fn what_is_in_no_log_says_who_where_and_when() {
        for (room, what, expect) in [
            (
                Some("a/b"),
                NoticeKind::Joined(Role::Owner),
                r#""ev":"join","room":"a/b","user":"ann","at":5,"role":"owner"}"#,
            ),
            (Some("a"), NoticeKind::Left(None), r#""ev":"leave","room":"a","user":"ann","at":5}"#),
            (
                Some("a"),
                NoticeKind::Left(Some(LeftReason::Banned)),
                r#""ev":"leave","room":"a","user":"ann","at":5,"reason":"banned"}"#,
            ),
            (Some("a"), NoticeKind::Made, r#""ev":"room","room":"a","at":5}"#),
            (
                None,
                NoticeKind::Connection { opened: false, left: 0 },
                r#""ev":"connection","user":"ann","at":5,"open":false,"connections":0}"#,
            ),
        ] {
            let event = WebhookEvent::Notice { id: 7, notice: notice(room, what), message: None };
            check(&event, &format!(r#"{{"id":"r7",{expect}"#));
        }
    }
}
