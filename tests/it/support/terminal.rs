//! A conversation of a person at a terminal, as a script.

use super::Raw;

/// Sends each line that begins with `> ` and expects each that begins with `< `, in order. In an
/// expected line, `…` stands for anything. Lines about presence may come anywhere.
#[track_caller]
pub(crate) fn converse(raw: &mut Raw, script: &str) {
    for line in script.lines().map(str::trim_start) {
        if let Some(typed) = line.strip_prefix("> ") {
            raw.send(format!("{typed}\r\n").as_bytes());
        } else if let Some(expected) = line.strip_prefix("< ") {
            let told = loop {
                let told = raw.line().unwrap_or_else(|| panic!("the end instead of {expected:?}"));
                let presence = told.starts_with("* ") && told.ends_with(')');
                if !presence || expected.starts_with("* ") {
                    break told;
                }
            };
            assert!(matches(&told, expected), "expected {expected:?}\n    told {told:?}");
        }
    }
}

fn matches(told: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = told.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.is_empty() || expected.ends_with('…')
}
