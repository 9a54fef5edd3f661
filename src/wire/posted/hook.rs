//! What senders of incoming hooks send, reduced to readable lines: Slack's and Mattermost's
//! `text`, attachments and blocks; Alertmanager's and Grafana's alerts; GitHub's events.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde_json::Value;

use super::{Form, text_of};
use crate::chat::model::code::Code;
use crate::chat::model::reply::Refusal;
use crate::wire::json::offset_of;

/// Alerts, attachments, blocks or commits of one message; of more the number is said.
const PARTS_MAX: usize = 20;
/// Levels of a message that are looked into.
const LEVELS_MAX: u8 = 8;

/// Fields of senders of no certain kind, such as apprise's and Uptime Kuma's: what it is about, and
/// what is said.
const ABOUT: &[&str] = &["title"];
const SAID: &[&str] = &["text", "message", "msg", "body", "content", "description"];

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
    let payload = match form {
        Form::Text => return cut(text.trim_end(), len_max),
        Form::Json => text.to_owned(),
        Form::Urlencoded => match field(text, "payload") {
            Some(payload) => payload,
            // As `curl -d` sends what is no form.
            None if text.trim_start().starts_with('{') => text.to_owned(),
            None => {
                let found = |names: &[&str]| names.iter().find_map(|name| field(text, name));
                let lines: Vec<_> = [ABOUT, SAID].into_iter().filter_map(found).collect();
                let said = if lines.is_empty() { text.to_owned() } else { lines.join("\n") };
                return cut(said.trim_end(), len_max);
            }
        },
    };
    let value: Value = serde_json::from_str(&payload).map_err(|error| {
        let mut refusal = Refusal::new(Code::BadJson, "the payload is not JSON");
        refusal.offset = u64::try_from(offset_of(&payload, &error)).ok();
        refusal
    })?;
    cut(&lines(&value).join("\n"), len_max)
}

/// The lines of a message.
fn lines(value: &Value) -> Vec<String> {
    let mut lines = Vec::new();
    lines.extend(text_in(value, &["text"]));
    many(&mut lines, &value["blocks"], |lines, block| block_text(lines, block, LEVELS_MAX));
    many(&mut lines, &value["attachments"], attachment);
    if value["alerts"].is_array() {
        many(&mut lines, &value["alerts"], alert);
    }
    if lines.is_empty() {
        lines.extend(event(value).map(|line| quoted(&line)));
    }
    if lines.is_empty() {
        lines.extend([ABOUT, SAID].into_iter().filter_map(|names| text_in(value, names)));
    }
    lines
}

/// Adds what `each` finds in the parts of a list.
fn many(lines: &mut Vec<String>, list: &Value, each: impl Fn(&mut Vec<String>, &Value)) {
    let Some(list) = list.as_array() else { return };
    // A bound on what one message of a monitor becomes in a room.
    for part in list.iter().take(PARTS_MAX) {
        each(lines, part);
    }
    if let Some(more) = list.len().checked_sub(PARTS_MAX).filter(|more| *more > 0) {
        lines.push(format!("and {more} more"));
    }
}

/// The first of these members that is a text with something in it.
fn text_in(value: &Value, names: &[&str]) -> Option<String> {
    let mut texts = names.iter().filter_map(|name| value[*name].as_str());
    texts.find(|text| !text.trim().is_empty()).map(|text| readable(text.trim_end()))
}

/// An attachment of Slack's or Mattermost's.
fn attachment(lines: &mut Vec<String>, part: &Value) {
    let before = lines.len();
    lines.extend(text_in(part, &["pretext"]));
    let title = text_in(part, &["title"]);
    let link = part["title_link"].as_str().map(|link| format!(" {link}")).unwrap_or_default();
    lines.extend(title.map(|title| format!("{title}{link}")));
    lines.extend(text_in(part, &["text"]));
    many(lines, &part["fields"], |lines, field| {
        let (title, value) = (text_in(field, &["title"]), text_in(field, &["value"]));
        if title.is_some() || value.is_some() {
            let (title, value) = (title.unwrap_or_default(), value.unwrap_or_default());
            lines.push(format!("{title}: {value}"));
        }
    });
    many(lines, &part["blocks"], |lines, block| block_text(lines, block, LEVELS_MAX));
    if lines.len() == before {
        lines.extend(text_in(part, &["fallback"]));
    }
}

/// A block of Slack's, or an element of one.
fn block_text(lines: &mut Vec<String>, block: &Value, levels: u8) {
    let Some(levels) = levels.checked_sub(1) else { return };
    let kind = block["type"].as_str().unwrap_or_default();
    if matches!(kind, "rich_text_section" | "rich_text_quote" | "rich_text_preformatted") {
        let parts = block["elements"].as_array().into_iter().flatten();
        let line: String = parts.map(inline).collect();
        return lines.extend(Some(line).filter(|line| !line.trim().is_empty()));
    }
    if let Some(text) = text_in(block, &["text"]) {
        lines.push(text);
    } else if block["text"].is_object() {
        block_text(lines, &block["text"], levels);
    }
    lines.extend(text_in(block, &["alt_text"]));
    // Where a button leads to.
    lines.extend(text_in(block, &["url"]));
    for name in ["fields", "elements"] {
        many(lines, &block[name], |lines, element| block_text(lines, element, levels));
    }
}

/// A part of a line of Slack's rich text, as the same would be written in a text of Slack's.
fn inline(part: &Value) -> String {
    let word = |name: &str| part[name].as_str().unwrap_or_default();
    match word("type") {
        "link" if word("text").is_empty() => word("url").to_owned(),
        "link" => format!("{} ({})", word("text"), word("url")),
        "emoji" => format!(":{}:", word("name")),
        "user" => format!("@{}", word("user_id")),
        "usergroup" => format!("@{}", word("usergroup_id")),
        "broadcast" => format!("@{}", word("range")),
        "channel" => format!("#{}", word("channel_id")),
        _ => word("text").to_owned(),
    }
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

/// An event of GitHub's and of those who write like it.
fn event(value: &Value) -> Option<String> {
    let inner = |name: &str, part: &str| value[name].get(part).and_then(Value::as_str);
    let repository = inner("repository", "full_name")?;
    let who = inner("sender", "login").or_else(|| inner("pusher", "name"));
    let who = who.unwrap_or("somebody");
    for (name, kind) in [
        ("pull_request", "pull request"),
        ("issue", "issue"),
        ("release", "release"),
        ("workflow_run", "workflow"),
        ("check_run", "check"),
    ] {
        if value[name].is_object() {
            return Some(format!("{repository}: {who} {}", about(value, &value[name], kind)));
        }
    }
    let Some(commits) = value["commits"].as_array() else {
        return Some(format!("{repository}: {who} {}", action(value)));
    };
    let branch = value["ref"].as_str().unwrap_or_default();
    let branch = branch.strip_prefix("refs/heads/").unwrap_or(branch);
    let mut lines = vec![format!("{repository}: {who} pushed {} to {branch}", commits.len())];
    many(&mut lines, &value["commits"], |lines, commit| {
        let first = commit["message"].as_str().and_then(|message| message.lines().next());
        lines.extend(first.map(|first| format!("- {first}")));
    });
    Some(lines.join("\n"))
}

fn action(event: &Value) -> &str {
    event["action"].as_str().unwrap_or("changed")
}

/// What was done to an issue or the like, or written about it.
fn about(event: &Value, thing: &Value, kind: &str) -> String {
    let action = action(event);
    let title = text_in(thing, &["title", "name", "tag_name"]).unwrap_or_default();
    let link = |part: &Value| part["html_url"].as_str().unwrap_or_default().to_owned();
    let written = [&event["comment"], &event["review"]].into_iter().find(|part| part.is_object());
    // What was written comes with what it is about, and `action` is then that of the former.
    let Some(written) = written else {
        let end = thing["conclusion"].as_str().map(|end| format!(": {end}"));
        return format!("{action} {kind} {title}{} {}", end.unwrap_or_default(), link(thing));
    };
    let what = match written["state"].as_str() {
        Some(state) => format!("a review ({state}) of"),
        None => "a comment on".to_owned(),
    };
    let said = text_in(written, &["body"]).map(|said| format!("\n{said}")).unwrap_or_default();
    format!("{action} {what} {kind} {title} {}{said}", link(written))
}

/// What strangers have written at a forge: it calls nobody here, whoever is meant by it there, and
/// no `@room` of theirs keeps it from being told.
fn quoted(text: &str) -> String {
    text.replace('@', "@\u{2060}")
}

/// Slack's way to write links and signs, as a person reads them.
fn readable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        out.push_str(before);
        let Some((link, after)) = behind.split_once('>').filter(|(link, _)| is_link(link)) else {
            out.push('<');
            rest = behind;
            continue;
        };
        let (link, words) = link.split_once('|').map_or((link, None), |(a, b)| (a, Some(b)));
        match (link.strip_prefix('!'), words) {
            // What has words of its own for who cannot show it: a date, a group of people.
            (Some(_), Some(words)) if link.contains('^') => out.push_str(words),
            (Some(name), words) => out.extend(["@", words.unwrap_or(name)]),
            // The name of a room or of somebody, which stands after an id.
            (None, Some(words)) if link.starts_with(['#', '@']) => {
                let (sign, _) = link.split_at(1);
                out.extend([sign, words.trim_start_matches(['#', '@'])]);
            }
            (None, Some(words)) => out.extend([words, " (", link, ")"]),
            (None, None) => out.push_str(link),
        }
        rest = after;
    }
    out.push_str(rest);
    out.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn is_link(link: &str) -> bool {
    ["http://", "https://", "mailto:", "#", "@", "!"].iter().any(|start| link.starts_with(start))
}

/// The text without what is no text, and no longer than it may be.
fn cut(text: &str, len_max: usize) -> Result<String, Refusal> {
    const MORE: &str = "…";
    let mut text: String = text.replace("\r\n", "\n");
    text.retain(|char| !char.is_control() || matches!(char, '\n' | '\t'));
    if text.trim().is_empty() {
        let refusal = Refusal::new(Code::BadField, "there is nothing to say in it");
        return Err(refusal.field("text", "a text, attachments, blocks or alerts"));
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
        check(
            r#"{"attachments":[{"pretext":"p","title":"t","title_link":"http://x","text":"b",
                "fields":[{"title":"k","value":"v"}],"fallback":"f"},{"fallback":"only"}]}"#,
            "p\nt http://x\nb\nk: v\nonly",
        );
        check(
            r#"{"blocks":[{"type":"header","text":{"type":"plain_text","text":"Head"}},
                {"type":"section","fields":[{"type":"mrkdwn","text":"one"}]},
                {"type":"context","elements":[{"type":"mrkdwn","text":"two"}]}]}"#,
            "Head\none\ntwo",
        );
        check(
            r#"{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[
                {"type":"text","text":"see "},{"type":"link","url":"https://a","text":"it"},
                {"type":"text","text":" or "},{"type":"link","url":"https://b"},
                {"type":"user","user_id":"U1"},{"type":"emoji","name":"wave"}]},
                {"type":"rich_text_list","elements":[{"type":"rich_text_section","elements":[
                {"type":"text","text":"one"}]}]}]},
                {"type":"actions","elements":[{"type":"button","url":"https://c",
                "text":{"type":"plain_text","text":"Open"}}]},
                {"type":"image","alt_text":"a graph","image_url":"https://d"}]}"#,
            "see it (https://a) or https://b@U1:wave:\none\nOpen\nhttps://c\na graph",
        );
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
                "commits":[{"message":"one\n\nmore"},{"message":"two"}]}"#,
            "a/b: ann pushed 2 to main\n- one\n- two",
        );
        check(
            r#"{"action":"opened","issue":{"title":"It breaks","html_url":"https://x/1"},
                "repository":{"full_name":"a/b"},"sender":{"login":"bob"}}"#,
            "a/b: bob opened issue It breaks https://x/1",
        );
        // The issue was not made by who has written about it.
        check(
            r#"{"action":"created","issue":{"title":"It breaks","html_url":"https://x/1"},
                "comment":{"body":"@room @ann: here too","html_url":"https://x/1#c2"},
                "repository":{"full_name":"a/b"},"sender":{"login":"bob"}}"#,
            "a/b: bob created a comment on issue It breaks https://x/1#c2\n@\u{2060}room @\u{2060}ann: here too",
        );
        check(
            r#"{"action":"submitted","pull_request":{"title":"Mend it"},
                "review":{"state":"approved","body":null,"html_url":"https://x/2#r"},
                "repository":{"full_name":"a/b"},"sender":{"login":"eve"}}"#,
            "a/b: eve submitted a review (approved) of pull request Mend it https://x/2#r",
        );
        check(
            r#"{"action":"completed","workflow_run":{"name":"CI","conclusion":"failure",
                "html_url":"https://x/3"},"repository":{"full_name":"a/b"},
                "sender":{"login":"ann"}}"#,
            "a/b: ann completed workflow CI: failure https://x/3",
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
