//! The complaint about an unknown name, with the one that was probably meant.

use super::raw::RawValue;
use super::settings::{
    CONFIG_VARIABLE, KEY_SECTION, POLICY_SECTION, VARIABLE_PREFIX, is_section, keys, settings,
    variable,
};

/// Names longer than this are not compared: nobody mistypes so much.
const NAME_LEN_MAX: usize = 64;

/// The complaint about an entry of the file whose section exists, or that stands in none.
pub(super) fn entry(name: &str, raw: RawValue<'_>) -> String {
    if name == POLICY_SECTION || name == KEY_SECTION {
        return format!("{name} is a list of tables: write [[{name}]] above each of them");
    }
    if is_section(name) {
        return format!("{name} is a section: write [{name}] above its keys");
    }
    match name.split_once('.') {
        Some((section, name)) => key(name, section),
        None if raw.is_tables() => {
            let sections = keys().map(|(section, _)| section).filter(|name| !name.is_empty());
            let near = suggest(name, sections).map(header);
            format!("unknown section [{name}]{}", hint(near))
        }
        None => key(name, ""),
    }
}

/// About a key that its section does not have.
pub(super) fn key(name: &str, section: &str) -> String {
    let place = |section: &str| match section {
        "" => "before the first section".to_owned(),
        section => format!("in {}", header(section)),
    };
    if let Some((setting, _)) = settings().find(|(setting, _)| variable(setting) == name) {
        return format!("{name} is the name in the environment; in a file it is {setting}");
    }
    let elsewhere = keys().find(|(_, key)| *key == name);
    let here = keys().filter(|(other, _)| *other == section).map(|(_, name)| name);
    // The right key in the wrong section first, then a slip in this section, then one in another.
    let hint = match (elsewhere, suggest(name, here)) {
        (Some((section, _)), _) => format!("; it belongs {}", place(section)),
        (None, Some(near)) => hint(Some(near.to_owned())),
        (None, None) => {
            let near = suggest(name, keys().map(|(_, key)| key));
            let near = near.and_then(|near| keys().find(|(_, key)| *key == near));
            hint(near.map(|(section, key)| format!("{key}, {}", place(section))))
        }
    };
    format!("unknown key {name} {}{hint}", place(section))
}

/// About a variable with our prefix.
pub(super) fn environment(name: &str) -> String {
    // Kubernetes gives each pod the address of each service in variables with the service's name.
    let rest = name.strip_prefix(VARIABLE_PREFIX).unwrap_or_default();
    if rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_") {
        return format!(
            "unknown variable {name}; Kubernetes makes such variables for a service called chinwag: \
             set enableServiceLinks: false in the pod"
        );
    }
    if rest.starts_with("ROOM_POLICY") {
        return format!("unknown variable {name}; room policies can be set in the file only");
    }
    let known: Vec<_> = settings().map(|(name, _)| variable(name)).collect();
    let near = suggest(name, known.iter().map(String::as_str).chain([CONFIG_VARIABLE]));
    format!("unknown variable {name}{}", hint(near.map(str::to_owned)))
}

fn hint(near: Option<String>) -> String {
    near.map(|near| format!("; did you mean {near}?")).unwrap_or_default()
}

/// The line above the keys of a section.
fn header(section: &str) -> String {
    if section == POLICY_SECTION || section == KEY_SECTION {
        format!("[[{section}]]")
    } else {
        format!("[{section}]")
    }
}

/// The one of `known` that is nearest to `word`, if it is near enough to have been meant.
fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > NAME_LEN_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let near = |name: &&str| {
        let distance = strsim::damerau_levenshtein(&word, &name.to_ascii_lowercase());
        // One slip in three letters: with more, any short word would be near any other.
        (distance <= word.len().max(3) / 3).then_some(distance)
    };
    known.filter_map(|name| Some((near(&name)?, name))).min().map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_a_stranger_none() {
        let known = ["message_bytes", "burst", "rooms", "log_format"];
        for (word, expect) in [
            ("mesage_bytes", Some("message_bytes")),
            ("message-bytes", Some("message_bytes")),
            ("MESSAGE_BYTES", Some("message_bytes")),
            ("bursts", Some("burst")),
            ("log_fromat", Some("log_format")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(suggest(word, known.into_iter()), expect, "{word:?}");
        }
        assert_eq!(suggest(&"a".repeat(10_000), known.into_iter()), None);
    }
}
