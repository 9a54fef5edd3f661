//! Finds the field that was probably meant where one is missing.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::fields::Fields;
use crate::chat::model::code::Code;
use crate::chat::model::command::Op;
use crate::chat::model::reply::Refusal;
use crate::wire::field_key::Key;
use crate::wire::help;

/// Bytes of the longest word that is compared with a field's name.
const WORD_LEN_MAX: usize = 32;

/// What programs of other servers call these fields.
const ELSEWHERE: &[(Key, &[&str])] = &[
    (Key::Room, &["channel", "conversation", "topic"]),
    (Key::Text, &["message", "msg", "body", "content"]),
    (Key::Target, &["seq", "message", "msg"]),
    (Key::User, &["name", "username", "nick", "who", "to"]),
];

/// Adds to the refusal of a field that is missing the one that the request of `op` has instead, and
/// that the operation does not know.
#[cold]
pub(super) fn add(refusal: &mut Refusal, (text, op): (&str, Op), fields: &Fields<'_>) {
    if refusal.code != Code::BadField || refusal.hint.is_some() {
        return;
    }
    let known = help::entry(op).fields;
    let missing = known.iter().map(|(key, _)| *key).find(|key| refusal.field == Some(key.name()));
    let Some(key) = missing.filter(|key| fields.describe(*key).is_empty()) else { return };
    let Some(word) = likest(text, key, known) else { return };
    let message = format!("{}; perhaps {word:?} stands for it", refusal.message);
    refusal.message = message.into();
    refusal.hint = Some(key.name().into());
}

/// The name in the object that is most like that of `key` and none of `known`.
fn likest(text: &str, key: Key, known: &[help::Field]) -> Option<String> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.deserialize_map(Names { key, known }).ok().flatten()
}

struct Names<'n> {
    key: Key,
    known: &'n [help::Field],
}

impl Names<'_> {
    /// How far the word is from the name; `None` if nobody would write one for the other.
    fn distance(&self, word: &str) -> Option<usize> {
        if word.len() > WORD_LEN_MAX || self.known.iter().any(|(key, _)| key.name() == word) {
            return None;
        }
        let (name, word) = (self.key.name(), word.trim().to_lowercase());
        let elsewhere = ELSEWHERE.iter().filter(|(key, _)| *key == self.key);
        if elsewhere.flat_map(|(_, words)| *words).any(|it| *it == word) {
            return Some(2);
        }
        let distance = strsim::damerau_levenshtein(name, &word);
        (distance <= 2 && distance < name.len().div_ceil(2)).then_some(distance)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut best: Option<(usize, String)> = None;
        while let Some(word) = map.next_key::<Cow<'de, str>>()? {
            map.next_value::<IgnoredAny>()?;
            let nearer = self.distance(&word);
            if let Some(distance) = nearer
                && best.as_ref().is_none_or(|(least, _)| distance < *least)
            {
                best = Some((distance, word.into_owned()));
            }
        }
        Ok(best.map(|(_, word)| word))
    }
}

#[cfg(test)]
mod tests {
    use crate::chat::model::limits::Limits;
    use crate::wire::parse::parse;

    #[test]
    fn the_refusal_of_a_missing_field_names_the_unknown_one_that_was_probably_meant() {
        for (request, message, hint) in [
            (
                r#"{"op":"join","rom":"a"}"#,
                "room is missing; perhaps \"rom\" stands for it",
                "room",
            ),
            (
                r#"{"op":"join","Room":"a"}"#,
                "room is missing; perhaps \"Room\" stands for it",
                "room",
            ),
            (
                r#"{"op":"join","channel":"a"}"#,
                "room is missing; perhaps \"channel\" stands for it",
                "room",
            ),
            (
                r#"{"op":"send","room":"a","txet":"hi"}"#,
                "text is empty; perhaps \"txet\" stands for it",
                "text",
            ),
            (
                r#"{"op":"edit","room":"a","seq":1,"text":"b"}"#,
                "target is missing; perhaps \"seq\" stands for it",
                "target",
            ),
            (
                r#"{"op":"kick","room":"a","usr":"b","name":"c"}"#,
                "user is missing; perhaps \"usr\" stands for it",
                "user",
            ),
            // A field that the operation has is not meant for another, nor is what nobody mixes up.
            (r#"{"op":"send","text":"hi","cid":"rom"}"#, "room is missing", ""),
            (r#"{"op":"join","a":1,"b":2}"#, "room is missing", ""),
            // What is there and wrong is wrong by itself.
            (r#"{"op":"join","room":1,"rom":"a"}"#, "room is a number", ""),
        ] {
            let refused = parse(request, &Limits::default()).unwrap_err();
            assert_eq!(refused.refusal.message, message, "{request}");
            assert_eq!(refused.refusal.hint.as_deref().unwrap_or_default(), hint, "{request}");
        }
    }
}
