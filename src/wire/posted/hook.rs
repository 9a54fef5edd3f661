//! What senders of incoming hooks send, reduced to readable lines: Slack's and Mattermost's
//! messages; Alertmanager's and Grafana's alerts; events of forges.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde_json::Value;

use super::parts::{many, text_in};
use super::{Form, forge, slack, text_of};
use crate::chat::model::code::Code;
use crate::chat::model::reply::Refusal;
use crate::wire::json::offset_of;

/// Fields of senders of no certain kind, such as apprise's and Uptime Kuma's: what it is about, and
/// what is said.
const ABOUT: &[&str] = &["title"];
const SAID: &[&str] = &["text", "message", "msg", "body", "content", "description"];
/// Fields of a form that have JSON in them: Slack's and Mattermost's, Discord's, Uptime Kuma's.
const PAYLOADS: &[&str] = &["payload", "payload_json", "data"];

/// The text of a hook's message, of at most `len_max` bytes: what is longer is cut. `field` finds a
/// field of a form by its name.
///
/// # Errors
///
/// [`Code::BadJson`] for what is no JSON, and [`Code::BadField`] where there is nothing to read.
pub fn hook_text(
    form: Form,
    body: &[u8],
    len_max: usize,
    field: impl Fn(&str, &str) -> Option<String>,
) -> Result<String, Refusal> {
    let text = text_of(body)?;
    match form {
        Form::Text => cut(text.trim_end(), len_max),
        Form::Json => json_text(text, len_max),
        // As `curl -d` sends what is no form.
        Form::Urlencoded if text.trim_start().starts_with('{') => json_text(text, len_max),
        Form::Urlencoded => {
            let said = form_text(len_max, |name| field(text, name));
            said.unwrap_or_else(|| cut(text.trim_end(), len_max))
        }
    }
}

/// The text of a form's message, of at most `len_max` bytes; `None` if it has no field that is
/// known. `field` finds one by its name.
///
/// # Errors
///
/// As [`hook_text`].
pub fn form_text(
    len_max: usize,
    field: impl Fn(&str) -> Option<String>,
) -> Option<Result<String, Refusal>> {
    // A payload is JSON, or wrong; of the other names it may be a text.
    let is_json = |name: &str, text: &str| name == "payload" || text.trim_start().starts_with('{');
    let json = |name: &&str| field(name).filter(|text| is_json(name, text));
    if let Some(payload) = PAYLOADS.iter().find_map(json) {
        return Some(json_text(&payload, len_max));
    }
    let found = |names: &[&str]| names.iter().find_map(|name| field(name));
    let lines: Vec<_> = [ABOUT, SAID].into_iter().filter_map(found).collect();
    (!lines.is_empty()).then(|| cut(lines.join("\n").trim_end(), len_max))
}

/// The refusal of what nothing can be read in.
#[must_use]
pub fn nothing_to_say() -> Refusal {
    let refusal = Refusal::new(Code::BadField, "there is nothing to say in it");
    refusal.field("text", "a text, attachments, blocks or alerts")
}

fn json_text(payload: &str, len_max: usize) -> Result<String, Refusal> {
    let value: Value = serde_json::from_str(payload).map_err(|error| {
        let mut refusal = Refusal::new(Code::BadJson, "the payload is not JSON");
        refusal.offset = u64::try_from(offset_of(payload, &error)).ok();
        refusal
    })?;
    cut(&lines(&value).join("\n"), len_max)
}

/// The lines of a message.
fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    slack::add_message(&mut lines, value);
    if value["alerts"].is_array() {
        many(&mut lines, &value["alerts"], alert);
    }
    if lines.is_empty() {
        lines.extend(forge::event(value));
    }
    if lines.is_empty() {
        lines.extend([ABOUT, SAID].into_iter().filter_map(|names| text_in(value, names)));
    }
    lines
}

/// An alert of Alertmanager's or Grafana's.
fn alert(lines: &mut Vec<String>, alert: &Value) {
    let word = |text: &Value| text.as_str().unwrap_or_default().to_owned();
    let (labels, notes) = (&alert["labels"], &alert["annotations"]);
    let status = word(&alert["status"]).to_uppercase();
    let name = word(&labels["alertname"]);
    let rest = ["severity", "instance"].iter().filter_map(|name| labels[*name].as_str());
    let rest: Vec<&str> = rest.collect();
    let rest = if rest.is_empty() { String::new() } else { format!(" ({})", rest.join(", ")) };
    let what = text_in(notes, &["summary", "message", "description"]);
    let what = what.map(|what| format!(": {what}")).unwrap_or_default();
    lines.push(format!("[{status}] {name}{rest}{what}"));
}

/// The text without what is no text, and no longer than it may be.
fn cut(text: &str, len_max: usize) -> Result<String, Refusal> {
    const MORE: &str = "…";
    let mut text: String = text.replace("\r\n", "\n");
    text.retain(|char| !char.is_control() || matches!(char, '\n' | '\t'));
    if text.trim().is_empty() {
        return Err(nothing_to_say());
    }
    if text.len() > len_max {
        let end = len_max.saturating_sub(MORE.len());
        let end = (0..=end).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(MORE);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expect: &str) {
        let text = hook_text(Form::Json, body.as_bytes(), 1_000, |_, _| None);
        assert_eq!(text.as_deref(), Ok(expect), "{body}");
    }

    #[test]
    fn what_chats_take_is_taken() {
        check(r#"{"text":"hi","username":"bot"}"#, "hi");
        check(
            r#"{"text":"see <https://a.example|the log> &amp; weep"}"#,
            "see the log (https://a.example) & weep",
        );
        check(r#"{"text":"1 < 2 > 1"}"#, "1 < 2 > 1");
        check(
            r#"{"text":"<!here> <!channel|channel> <#C1|general> <#C2> <@U1|ann> <@U2>"}"#,
            "@here @channel #general #C2 @ann @U2",
        );
        check(r#"{"text":"<!subteam^S1|@ops> at <!date^1763700000^{time}|4:40>"}"#, "@ops at 4:40");
        check(r#"{"text":"hi","attachments":[{"fallback":"only"}]}"#, "hi\nonly");
    }

    #[test]
    fn what_monitors_and_forges_send_is_readable() {
        check(
            r#"{"version":"4","status":"firing","alerts":[{"status":"firing","labels":
                {"alertname":"DiskFull","severity":"page","instance":"a:9100"},"annotations":
                {"summary":"sda1 at 97 %"}},{"status":"resolved","labels":{"alertname":"Up"}}]}"#,
            "[FIRING] DiskFull (page, a:9100): sda1 at 97 %\n[RESOLVED] Up",
        );
        check(
            r#"{"ref":"refs/heads/main","repository":{"full_name":"a/b"},"pusher":{"name":"ann"},
                "commits":[{"message":"one"}]}"#,
            "a/b: ann pushed 1 to main\n- one",
        );
        check(r#"{"title":"apprise","message":"body"}"#, "apprise\nbody");
        check(r#"{"title":"alone"}"#, "alone");
        check(
            r#"{"heartbeat":{"status":0,"msg":"timeout"},"monitor":{"name":"web"},
                "msg":"[web] [DOWN] timeout"}"#,
            "[web] [DOWN] timeout",
        );
    }

    #[test]
    fn a_form_has_a_payload_and_what_is_no_form_is_the_text() {
        let form = |text: &str| {
            let field = |text: &str, name: &str| {
                let fields = text.split('&').filter_map(|field| field.split_once('='));
                fields.clone().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
            };
            hook_text(Form::Urlencoded, text.as_bytes(), 100, field)
        };
        assert_eq!(form(r#"payload={"text":"hi"}"#).as_deref(), Ok("hi"));
        assert_eq!(form(r#"{"text":"hi"}"#).as_deref(), Ok("hi"));
        assert_eq!(form("disk full").as_deref(), Ok("disk full"));
        assert_eq!(form("a=1&b=2").as_deref(), Ok("a=1&b=2"));
        assert_eq!(form("version=1&title=T&message=M").as_deref(), Ok("T\nM"));
        assert_eq!(form(r#"title=T&data={"msg":"down"}"#).as_deref(), Ok("down"));
        assert_eq!(form("data=nonsense&text=hi").as_deref(), Ok("hi"));
        assert_eq!(form("payload=nonsense").unwrap_err().code, Code::BadJson);
    }

    #[test]
    fn what_is_too_much_is_cut_and_what_is_nothing_refused() {
        let many: Vec<String> = (0..30).map(|at| format!(r#"{{"fallback":"{at}"}}"#)).collect();
        let body = format!(r#"{{"attachments":[{}]}}"#, many.join(","));
        let text = hook_text(Form::Json, body.as_bytes(), 1_000, |_, _| None).unwrap();
        assert!(text.ends_with("19\nand 10 more"), "{text}");
        let text = hook_text(Form::Json, r#"{"text":"ääää"}"#.as_bytes(), 6, |_, _| None);
        assert_eq!(text.as_deref(), Ok("ä…"));
        for body in ["{}", r#"{"text":" "}"#, "[]", "1", r#"{"text":5}"#, r#"{"alerts":7}"#] {
            let refused = hook_text(Form::Json, body.as_bytes(), 100, |_, _| None).unwrap_err();
            assert_eq!(refused.code, Code::BadField, "{body}");
        }
        let deep = "{\"elements\":[".repeat(40) + &"]}".repeat(40);
        let body = format!(r#"{{"text":"x","blocks":[{deep}]}}"#);
        let text = hook_text(Form::Json, body.as_bytes(), 100, |_, _| None);
        assert_eq!(text.as_deref(), Ok("x"));
    }
}
