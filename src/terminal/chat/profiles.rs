//! Display names, status texts and colours: what is asked for, and how it is shown.

use std::fmt::Write as _;

use chinwag_client::Item;
use chinwag_client::model::{fields, object};
use serde_json::Value;

use super::show;
use crate::chat::model::color::Color;
use crate::chat::model::command::Command;

/// The operation of a command about profiles, and its fields.
pub(super) fn request_of(command: &Command<'_>) -> (&'static str, Item) {
    if let Command::Whois { users } = command {
        let users: Vec<Value> = users.iter().map(|user| (&**user).into()).collect();
        return ("whois", fields([("users", users.into())]));
    }
    let Command::Profile { display, status, color } = command else {
        return ("profile", Item::new());
    };
    let text = status.as_ref().map(|(text, _)| text.as_ref());
    let for_ms = status.as_ref().and_then(|(_, for_ms)| *for_ms);
    let color = color.map(Color::name);
    let wanted = [
        ("display", display.as_deref().into()),
        ("text", text.into()),
        ("for_ms", for_ms.into()),
        ("color", color.into()),
    ];
    ("profile", fields(wanted))
}

/// What users are called and do, a line for each.
pub(super) fn shown(data: &Item) -> String {
    let profiles = object(data, "profiles");
    if profiles.is_empty() {
        return "-- you share no room with a user of this name --".to_owned();
    }
    let lines = profiles.iter().map(|(user, profile)| {
        let said = |key| profile.get(key).and_then(Value::as_str);
        let mut line = format!("-- {}", show::name(user));
        if profile.as_object().is_none_or(Item::is_empty) {
            line.push_str(" has no display name, no status and no colour");
        }
        if let Some(display) = said("display") {
            _ = write!(line, " is called {}", show::line(display));
        }
        if let Some(status) = said("text") {
            _ = write!(line, ": {}", show::line(status));
        }
        if let Some(color) = said("color") {
            _ = write!(line, " ({})", show::line(color));
        }
        line + " --"
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_profile_is_a_line_in_which_nothing_controls_the_terminal() {
        let data = |profiles: Value| {
            let mut data = Item::new();
            data.insert("profiles".to_owned(), profiles);
            shown(&data)
        };
        for (profiles, expect) in [
            (json!({}), "-- you share no room with a user of this name --"),
            (json!({"ann": {}}), "-- ann has no display name, no status and no colour --"),
            (
                json!({"ann": {"display": "Ann \u{1b}S", "text": "tea"}}),
                "-- ann is called Ann ?S: tea --",
            ),
            (json!({"ann": {"text": "tea", "color": "red"}}), "-- ann: tea (red) --"),
        ] {
            assert_eq!(data(profiles), expect);
        }
    }

    #[test]
    fn what_is_not_given_is_not_asked_for() {
        let (display, color) = (None, None);
        let status = Command::Profile { display, status: Some(("tea".into(), None)), color };
        assert_eq!(request_of(&status).1, *json!({"text": "tea"}).as_object().unwrap());
        let nothing = Command::Profile { display: None, status: None, color };
        assert_eq!(request_of(&nothing), ("profile", Item::new()));
        let color = Command::Profile { display: None, status: None, color: Some(Color::Unchosen) };
        assert_eq!(request_of(&color).1, *json!({"color": ""}).as_object().unwrap());
        let whois = Command::Whois { users: vec!["bob".into()] };
        assert_eq!(request_of(&whois).1, *json!({"users": ["bob"]}).as_object().unwrap());
    }
}
