//! What people write: which characters are taken.

use super::*;

#[test]
fn a_line_end_of_two_characters_is_one_wherever_people_write() {
    for (fields, text) in [
        (r#""op":"send","room":"a","text":"b\r\nc""#, "b\nc"),
        (r#""op":"edit","room":"a","target":1,"text":"\r\n\tb\r\n""#, "\n\tb\n"),
        (r#""op":"topic","room":"a","text":"b\r\nc""#, "b\nc"),
        (r#""op":"create","room":"a","topic":"b\r\nc""#, "b\nc"),
        (r#""op":"kick","room":"a","user":"u","reason":"b\r\nc""#, "b\nc"),
    ] {
        let request = format!("{{{fields}}}");
        let (_, parsed) = parse(&request, &limits()).unwrap();
        let Parsed::Command(command) = parsed else { panic!("{fields}") };
        let taken = match &command {
            Command::Send(send) => Some(&*send.text),
            Command::Edit { text, .. } | Command::Moderate { reason: text, .. } => Some(&**text),
            Command::Topic { text, .. } | Command::Create { topic: text, .. } => text.as_deref(),
            _ => None,
        };
        assert_eq!(taken, Some(text), "{fields}");
    }
}

#[test]
fn control_characters_are_refused_wherever_people_write() {
    for (fields, field) in [
        (r#""op":"send","room":"a","text":"#, "text"),
        (r#""op":"send","to":"a","data":1,"text":"#, "text"),
        (r#""op":"edit","room":"a","target":1,"text":"#, "text"),
        (r#""op":"topic","room":"a","text":"#, "text"),
        (r#""op":"create","room":"a","topic":"#, "topic"),
        (r#""op":"kick","room":"a","user":"u","reason":"#, "reason"),
        (r#""op":"mute","room":"a","user":"u","reason":"#, "reason"),
        (r#""op":"ban","room":"a","user":"u","reason":"#, "reason"),
        (r#""op":"unban","room":"a","user":"u","reason":"#, "reason"),
        (r#""op":"role","room":"a","user":"u","role":"reader","reason":"#, "reason"),
    ] {
        for (text, words) in [
            ("\\u0001", "U+0001 at byte 0"),
            ("ab\\u001b[2J", "U+001B at byte 2"),
            ("\\r\\n\\rb", "U+000D at byte 2"),
            ("\u{e9}\u{7f}", "U+007F at byte 2"),
            ("ab\u{85}", "U+0085 at byte 2"),
            ("a\\t\\n\\b", "U+0008 at byte 3"),
        ] {
            let request = format!(r#"{{{fields}"{text}","id":1}}"#);
            let refused = check_refused(&request, 1003, Some(field), words);
            assert!(refused.refusal.offset.is_some() && refused.id.is_some());
        }
    }
    let emoji = "{\"op\":\"react\",\"room\":\"a\",\"target\":1,\"emoji\":\"\u{9b}\"}";
    check_refused(emoji, 1003, Some("emoji"), "not printable");
}

#[test]
fn what_nobody_would_see_is_not_said() {
    for (fields, field, words) in [
        (r#""op":"send","room":"a","text":"#, "text", "a text that can be seen"),
        (r#""op":"send","room":"a","data":1,"text":"#, "text", "or none with data"),
        (r#""op":"edit","room":"a","target":1,"text":"#, "text", "delete removes the message"),
        (r#""op":"topic","room":"a","text":"#, "text", "an empty one for none"),
        (r#""op":"create","room":"a","topic":"#, "topic", "an empty one for none"),
        (r#""op":"react","room":"a","target":1,"emoji":"#, "emoji", "1 to 64 bytes"),
    ] {
        for text in [" ", "\u{3000}\u{a0}", "\u{200b}\u{2060}", "\u{3164}\u{2800}", "\u{fe0f}"] {
            check_refused(&format!(r#"{{{fields}"{text}"}}"#), 1003, Some(field), words);
        }
    }
    check_refused(r#"{"op":"send","room":"a","text":" \n\t "}"#, 1003, Some("text"), "blank");
}
