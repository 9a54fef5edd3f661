//! Which name was probably meant.

/// Names longer than this are not compared: nobody mistypes so much.
const NAME_LEN_MAX: usize = 64;

/// The one of `known` that is nearest to `word`, if it is near enough to have been meant.
pub(super) fn suggest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.len() > NAME_LEN_MAX {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let near = |name: &&str| {
        let distance = strsim::damerau_levenshtein(&word, &name.to_ascii_lowercase());
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
