//! What is done to messages and to members, as it stands on the wire.

use super::*;
use crate::chat::model::log::{Expiry, Restriction, RestrictionMeta};

#[test]
fn what_is_done_to_messages_and_members_stands_as_the_protocol_has_it() {
    let head = r#""room":"lobby","seq":123,"from":"bob","at":1763700002001"#;
    let moderation =
        |act, reason: &str| Body::Moderation { act, target: user("eve"), reason: reason.into() };
    for (body, kind, rest) in [
        (Body::Deleted, "message", r#""deleted":true"#),
        (Body::Edit { target: 7, text: Some("a\"".into()) }, "edit", r#""target":7,"text":"a\"""#),
        (Body::Edit { target: 7, text: None }, "edit", r#""target":7,"deleted":true"#),
        (Body::Deletion { target: 7 }, "deletion", r#""target":7"#),
        (
            Body::Reaction { target: 7, emoji: "\u{1f44d}".into(), remove: false },
            "reaction",
            "\"target\":7,\"emoji\":\"\u{1f44d}\"",
        ),
        (
            Body::Reaction { target: 7, emoji: "+1".into(), remove: true },
            "reaction",
            r#""target":7,"emoji":"+1","remove":true"#,
        ),
        (moderation(Act::Kick, ""), "moderation", r#""act":"kick","target":"eve""#),
        (
            moderation(Act::Ban { until: Some(9) }, "spam"),
            "moderation",
            r#""act":"ban","target":"eve","until":9,"reason":"spam""#,
        ),
        (moderation(Act::Ban { until: None }, ""), "moderation", r#""act":"ban","target":"eve""#),
        (moderation(Act::Unban, ""), "moderation", r#""act":"unban","target":"eve""#),
        (
            moderation(Act::Mute { until: Some(9) }, ""),
            "moderation",
            r#""act":"mute","target":"eve","until":9"#,
        ),
        (moderation(Act::Unmute, ""), "moderation", r#""act":"unmute","target":"eve""#),
        (
            moderation(Act::Role(Role::Reader), ""),
            "moderation",
            r#""act":"role","target":"eve","role":"reader""#,
        ),
    ] {
        let record = Record { body, ..message("") };
        check(&format!(r#"{{"ev":"{kind}",{head},{rest}}}"#), |out| {
            record_event(out, &room(), &record);
        });
    }
    let invited =
        |reason: &str| Event::Invited { room: room(), from: user("ann"), reason: reason.into() };
    check_event(&invited(""), r#"{"ev":"invited","room":"lobby","from":"ann"}"#);
    check_event(&invited("tea"), r#"{"ev":"invited","room":"lobby","from":"ann","reason":"tea"}"#);
    let hit = |text| (room(), SharedRecord::new(message(text)));
    check_reply(
        "8",
        &Reply::Found { items: vec![hit("tea")], next: Some(5) },
        concat!(
            r#"{"id":8,"code":0,"message":"ok","data":{"items":[{"ev":"message","room":"lobby","seq":123,"#,
            r#""from":"bob","at":1763700002001,"text":"tea"}],"before":5,"more":true}}"#,
        ),
    );
    check_reply(
        "8",
        &Reply::Found { items: Vec::new(), next: None },
        r#"{"id":8,"code":0,"message":"ok","data":{"items":[],"more":false}}"#,
    );
}

#[test]
fn restrictions_stand_as_the_protocol_has_them() {
    let expiry = Expiry { until: Some(9), reason: "rude".into() };
    let ban = RestrictionMeta { by: Some(user("ann")), at: Some(5), expiry };
    let items = vec![
        (user("bob"), Restriction::Banned, ban),
        (user("eve"), Restriction::Invited, RestrictionMeta::default()),
    ];
    check_reply(
        "8",
        &Reply::Restrictions { room: room(), items, more: true },
        concat!(
            r#"{"id":8,"code":0,"message":"ok","data":{"room":"lobby","items":["#,
            r#"{"user":"bob","kind":"ban","until":9,"by":"ann","at":5,"reason":"rude"},"#,
            r#"{"user":"eve","kind":"invitation","until":null,"by":null,"at":null,"reason":""}],"#,
            r#""more":true}}"#,
        ),
    );
}
