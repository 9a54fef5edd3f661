//! A body that is one JSON object, member by member as they were written.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

use crate::chat::model::code::Code;
use crate::chat::model::reply::Refusal;
use crate::wire::json::offset_of;

/// The members of an object, also those that are given twice.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// The members of the object that a text is.
///
/// # Errors
///
/// [`Code::BadJson`], with the byte at which it is none.
pub fn members(text: &str) -> Result<Vec<(String, Value)>, Refusal> {
    serde_json::from_str(text).map(|Members(members)| members).map_err(|error| {
        let mut refusal = Refusal::new(Code::BadJson, "the body is not one JSON object");
        refusal.offset = u64::try_from(offset_of(text, &error)).ok();
        refusal
    })
}
