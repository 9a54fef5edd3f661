//! Display names, status texts and colours.

use super::*;
use crate::chat::model::color::Color;
use crate::chat::model::limits::{DISPLAY_LEN_MAX, PROFILES_PAGE_MAX, STATUS_LEN_MAX};

#[test]
fn a_profile_is_read_without_the_blanks_around_its_texts() {
    for (fields, display, status) in [
        ("", None, None),
        (r#","display":" Ann S ""#, Some("Ann S"), None),
        (r#","display":"""#, Some(""), None),
        (r#","display":"  ""#, Some(""), None),
        (r#","text":" \u26f1\ufe0f at sea""#, None, Some(("\u{26f1}\u{fe0f} at sea", None))),
        (r#","text":"tea","for_ms":5"#, None, Some(("tea", Some(5)))),
        (r#","text":"""#, None, Some(("", None))),
    ] {
        let status = status.map(|(text, for_ms): (&str, _)| (text.into(), for_ms));
        let expect = Command::Profile { display: display.map(Into::into), status, color: None };
        check(&format!(r#"{{"op":"profile"{fields}}}"#), None, &expect);
    }
    for color in Color::ALL {
        let expect = Command::Profile { display: None, status: None, color: Some(color) };
        check(&format!(r#"{{"op":"profile","color":"{}"}}"#, color.name()), None, &expect);
    }
    let users = vec!["ann".into(), "bob".into()];
    check(r#"{"op":"whois","users":["ann","bob"]}"#, None, &Command::Whois { users });
}

#[test]
fn what_is_no_profile_is_refused_with_the_place() {
    let (long, longer) = ("x".repeat(DISPLAY_LEN_MAX + 1), "x".repeat(STATUS_LEN_MAX + 1));
    for (fields, code, field, words) in [
        (format!(r#""display":"{long}""#), 4001, "display", "takes 65 bytes"),
        (r#""display":"a\nb""#.to_owned(), 1003, "display", "U+000A at byte 1"),
        (r#""display":"a  b""#.to_owned(), 1003, "display", "U+0020 at byte 2"),
        (r#""display":"a\u202eb""#.to_owned(), 1003, "display", "U+202E at byte 1"),
        (r#""display":"- !""#.to_owned(), 1003, "display", "without a letter"),
        (r#""display":7"#.to_owned(), 1003, "display", "a number"),
        (format!(r#""text":"{longer}""#), 4001, "text", "takes 161 bytes"),
        (r#""text":"\u200d""#.to_owned(), 1003, "text", "blank"),
        (r#""text":"a\u2066b""#.to_owned(), 1003, "text", "U+2066 at byte 1"),
        (r#""text":"a","for_ms":0"#.to_owned(), 1003, "for_ms", "out of range"),
        (r#""text":"a","for_ms":99999999999"#.to_owned(), 1003, "for_ms", "out of range"),
        (r#""for_ms":5"#.to_owned(), 1003, "for_ms", "without text"),
        (r#""color":"Red""#.to_owned(), 1003, "color", "Red"),
        (r#""color":3"#.to_owned(), 1003, "color", "a number"),
    ] {
        check_refused(&format!(r#"{{"op":"profile",{fields}}}"#), code, Some(field), words);
    }
    let many = vec!["\"a\""; PROFILES_PAGE_MAX + 1].join(",");
    for (users, words) in [
        ("\"ann\"".to_owned(), "something else"),
        ("[1]".to_owned(), "something else"),
        ("null".to_owned(), "missing"),
        (format!("[{many}]"), "too long"),
    ] {
        check_refused(&format!(r#"{{"op":"whois","users":{users}}}"#), 1003, Some("users"), words);
    }
}
