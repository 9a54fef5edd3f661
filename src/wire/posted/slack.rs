//! Attachments and blocks of Slack's and Mattermost's messages.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde_json::Value;

use super::parts::{many, text_in};

/// Levels of a message that are looked into.
const LEVELS_MAX: u8 = 8;

/// Members of blocks and their elements that are texts, or objects that have some, in the order in
/// which they are shown.
const TEXTS: [&str; 10] = [
    "title",
    "rich_text_title",
    "subtitle",
    "text",
    "label",
    "hint",
    "body",
    "description",
    "details",
    "output",
];
/// Those that are lists of such objects.
const LISTS: [&str; 6] = ["fields", "elements", "child_blocks", "tasks", "sources", "actions"];

/// Adds what a message says. Beside blocks many give the same once more as the text, for those that
/// cannot show them.
pub(super) fn add_message(lines: &mut Vec<String>, message: &Value) {
    let mut said = Vec::new();
    add_blocks(&mut said, message);
    let text = text_in(message, &["text"]);
    lines.extend(text.filter(|text| !said.contains(text) && said.join("\n") != *text));
    lines.extend(said);
    many(lines, &message["attachments"], attachment);
}

fn add_blocks(lines: &mut Vec<String>, of: &Value) {
    many(lines, &of["blocks"], |lines, block| block_text(lines, block, LEVELS_MAX));
}

/// An attachment of Slack's or Mattermost's.
fn attachment(lines: &mut Vec<String>, part: &Value) {
    let before = lines.len();
    lines.extend(text_in(part, &["pretext"]));
    lines.extend(text_in(part, &["author_name"]));
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
    add_blocks(lines, part);
    // What they do is not known here, and where they lead to is.
    many(lines, &part["actions"], |lines, action| block_text(lines, action, LEVELS_MAX));
    if lines.len() == before {
        lines.extend(text_in(part, &["fallback"]));
    }
}

/// A block of Slack's, or an element of one.
fn block_text(lines: &mut Vec<String>, block: &Value, levels: u8) {
    let Some(levels) = levels.checked_sub(1) else { return };
    let each = |lines: &mut Vec<String>, part: &Value| block_text(lines, part, levels);
    match block["type"].as_str().unwrap_or_default() {
        "rich_text_section" | "rich_text_quote" | "rich_text_preformatted" => {
            let parts = block["elements"].as_array().into_iter().flatten();
            let line: String = parts.map(inline).collect();
            return lines.extend(Some(line).filter(|line| !line.trim().is_empty()));
        }
        "rich_text_list" => {
            let mut items = Vec::new();
            many(&mut items, &block["elements"], each);
            return lines.extend(items.into_iter().map(|item| format!("- {item}")));
        }
        "table" => return many(lines, &block["rows"], |lines, row| table_row(lines, row, levels)),
        _ => {}
    }
    for name in TEXTS {
        match text_in(block, &[name]) {
            Some(text) => lines.push(text),
            None if block[name].is_object() => each(lines, &block[name]),
            None => {}
        }
    }
    lines.extend(text_in(block, &["alt_text"]));
    // Where a button or a video leads to.
    lines.extend(text_in(block, &["url", "title_url"]));
    for name in LISTS {
        many(lines, &block[name], each);
    }
    if block["accessory"].is_object() {
        each(lines, &block["accessory"]);
    }
}

fn table_row(lines: &mut Vec<String>, row: &Value, levels: u8) {
    let cell = |cell| {
        let mut lines = Vec::new();
        block_text(&mut lines, cell, levels);
        lines.join(" ")
    };
    let cells: Vec<_> = row.as_array().into_iter().flatten().map(cell).collect();
    lines.push(cells.join(" | "));
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
        "date" => word("fallback").to_owned(),
        "color" => word("value").to_owned(),
        _ => word("text").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expect: &str) {
        let mut lines = Vec::new();
        add_message(&mut lines, &serde_json::from_str(message).unwrap());
        assert_eq!(lines.join("\n"), expect, "{message}");
    }

    #[test]
    fn an_attachment_is_said_with_what_it_has() {
        check(
            r#"{"text":"hi","attachments":[{"pretext":"p","title":"t","title_link":"http://x",
                "text":"b","fields":[{"title":"k","value":"v"}],"fallback":"f"},{"fallback":"only"},
                {"author_name":"ann","actions":[{"type":"button","text":"Open","url":"http://y"}]},
                {"fallback":"f","blocks":[{"type":"header","text":{"text":"Head"}}]}]}"#,
            "hi\np\nt http://x\nb\nk: v\nonly\nann\nOpen\nhttp://y\nHead",
        );
    }

    /// Blocks from their type on, in which `$a` and `$b` stand for texts, `$word` for a section of
    /// rich text; and what is read.
    const BLOCKS: &[(&str, &str)] = &[
        (r#""header","text":$a"#, "a"),
        (r#""section","text":$a,"fields":[$b,$a]"#, "a\nb\na"),
        (r#""section","text":$a,"accessory":{"type":"button","text":$b,"url":"u"}"#, "a\nb\nu"),
        (r#""context","elements":[$a,{"type":"image","alt_text":"icon"}]"#, "a\nicon"),
        (r#""divider""#, ""),
        (r#""image","title":$a,"alt_text":"a graph","image_url":"u""#, "a\na graph"),
        (r#""video","title":$a,"title_url":"u","description":$b,"alt_text":"c""#, "a\nb\nc\nu"),
        (r#""alert","text":$a,"level":"error""#, "a"),
        (r#""task_card","title":"a","sources":[{"type":"url","url":"u","text":"b"}]"#, "a\nb\nu"),
        (r#""task_card","title":"a","details":{"type":"rich_text","elements":[$word]}"#, "a\none"),
        (r#""plan","title":"b","tasks":[{"type":"task_card","title":"a"}]"#, "b\na"),
        (
            r#""carousel","elements":[{"type":"card","title":$a,"body":$b,"actions":[$a]}]"#,
            "a\nb\na",
        ),
        (r#""container","title":$a,"child_blocks":[{"type":"header","text":$b}]"#, "a\nb"),
        (r#""input","label":$a,"element":{"type":"plain_text_input"}"#, "a"),
        (r#""markdown","text":"**a**""#, "**a**"),
        (r#""actions","elements":[{"type":"button","url":"u","text":$a}]"#, "a\nu"),
        (r#""rich_text","elements":[{"type":"rich_text_quote","elements":[$b]}]"#, "b"),
        (
            r#""rich_text","elements":[{"type":"rich_text_list","elements":[$word,$word]}]"#,
            "- one\n- one",
        ),
        (r#""table","rows":[[$a,{"type":"rich_text","elements":[$word]}],[$b]]"#, "a | one\nb"),
    ];

    #[test]
    fn a_block_of_each_kind_is_readable() {
        let word = r#"{"type":"rich_text_section","elements":[{"type":"text","text":"one"}]}"#;
        for (block, expect) in BLOCKS {
            let block = block.replace("$word", word);
            let block = block.replace("$a", r#"{"type":"plain_text","text":"a"}"#);
            let block = block.replace("$b", r#"{"type":"plain_text","text":"b"}"#);
            check(&format!(r#"{{"blocks":[{{"type":{block}}}]}}"#), expect);
        }
    }

    #[test]
    fn a_line_of_rich_text_is_as_it_would_be_written() {
        check(
            r##"{"blocks":[{"type":"rich_text","elements":[{"type":"rich_text_section","elements":[
                {"type":"text","text":"see "},{"type":"link","url":"https://a","text":"it"},
                {"type":"text","text":" or "},{"type":"link","url":"https://b"},
                {"type":"user","user_id":"U1"},{"type":"emoji","name":"wave"},
                {"type":"channel","channel_id":"C1"},{"type":"broadcast","range":"here"},
                {"type":"usergroup","usergroup_id":"S1"},{"type":"color","value":"#fff"},
                {"type":"date","timestamp":1,"format":"{time}","fallback":" at 4:40"}]}]}]}"##,
            "see it (https://a) or https://b@U1:wave:#C1@here@S1#fff at 4:40",
        );
    }

    #[test]
    fn a_text_that_its_blocks_say_too_is_said_once() {
        let block = r#"{"type":"header","text":{"type":"plain_text","text":"Head"}}"#;
        check(&format!(r#"{{"text":"Head","blocks":[{block}]}}"#), "Head");
        check(&format!(r#"{{"text":"Head\nHead","blocks":[{block},{block}]}}"#), "Head\nHead");
        check(&format!(r#"{{"text":"ea","blocks":[{block}]}}"#), "ea\nHead");
        check(r#"{"text":"Head","blocks":[{"type":"divider"}]}"#, "Head");
    }
}
