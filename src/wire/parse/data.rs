//! Checks opaque JSON. It is passed on as it was written, so every client's parser must be able to
//! read it.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::fields::refuse;
use super::{DATA_DEPTH_MAX, Fault};
use crate::wire::field_key::Key;

/// Checks that `data` can be read by other people's parsers: no half of a surrogate pair, no number
/// out of a double's range, no more levels than [`DATA_DEPTH_MAX`].
///
/// # Errors
///
/// 1003.
pub(super) fn check(data: &str) -> Result<(), Fault> {
    let mut deserializer = serde_json::Deserializer::from_str(data);
    Readable { levels: DATA_DEPTH_MAX }.deserialize(&mut deserializer).map_err(|error| {
        let found = format!("not valid at byte {}", error.column());
        refuse(
            Key::Data,
            &found,
            "JSON of at most 32 levels, without half surrogate pairs and numbers beyond a double",
        )
    })
}

/// Reads a value without keeping it.
#[derive(Clone, Copy)]
struct Readable {
    /// How many more levels may be entered.
    levels: u8,
}

impl Readable {
    fn enter<E: Error>(self) -> Result<Self, E> {
        // Counted on the way down, so that deep input is left before it can use up the stack.
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("too many levels"))?;
        Ok(Self { levels })
    }
}

impl<'de> DeserializeSeed<'de> for Readable {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inside = self.enter()?;
        while items.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.enter()?;
        while map.next_entry_seed(inside, inside)?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_data(data: &str, is_right: bool) {
        assert_eq!(check(data).is_ok(), is_right, "{data:.80}");
    }

    #[test]
    fn what_every_reader_can_read_is_taken() {
        let levels = usize::from(DATA_DEPTH_MAX);
        for data in ["1", "-1.5e3", "\"\\ud83d\\ude00\"", "[null,true,{\"a\":{\"b\":[]}}]"] {
            check_data(data, true);
        }
        check_data(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)), true);
    }

    #[test]
    fn what_stops_some_readers_is_refused() {
        let levels = usize::from(DATA_DEPTH_MAX) + 1;
        for data in ["1e999", "[\"\\ud83d\"]", "{\"\\ude00\":1}", "{\"a\":{\"b\":[-1e999]}}"] {
            check_data(data, false);
        }
        check_data(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)), false);
        check_data(&"{\"a\":".repeat(100_000), false);
    }
}
