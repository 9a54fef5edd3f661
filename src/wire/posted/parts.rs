//! Texts and lists in what is posted to a hook, as a person reads them.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use serde_json::Value;

/// Alerts, attachments, blocks or commits of one message; of more the number is said.
const PARTS_MAX: usize = 20;

/// Adds what `each` finds in the parts of a list.
pub(super) fn many(lines: &mut Vec<String>, list: &Value, each: impl Fn(&mut Vec<String>, &Value)) {
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
pub(super) fn text_in(value: &Value, names: &[&str]) -> Option<String> {
    let mut texts = names.iter().filter_map(|name| value[*name].as_str());
    texts.find(|text| !text.trim().is_empty()).map(|text| readable(text.trim_end()))
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
