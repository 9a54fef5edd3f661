//! Words of the configuration, which were checked, as what they stand for.

use serde::de::{Deserialize as _, Deserializer};

use crate::chat::model::identity::{Inviters, Registration};

/// Reads one word or several, which were checked.
pub(super) fn words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Words {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Words::deserialize(deserializer)? {
        Words::One(word) => vec![word],
        Words::Several(words) => words,
    })
}

/// Reads the word, which was checked.
pub(super) fn registration<'de, D: Deserializer<'de>>(word: D) -> Result<Registration, D::Error> {
    Ok(match String::deserialize(word)?.as_str() {
        "open" => Registration::Open,
        "invite" => Registration::Invite,
        _ => Registration::Closed,
    })
}

/// Likewise.
pub(super) fn inviters<'de, D: Deserializer<'de>>(word: D) -> Result<Inviters, D::Error> {
    Ok(match String::deserialize(word)?.as_str() {
        "anyone" => Inviters::Anyone,
        _ => Inviters::Admins,
    })
}
