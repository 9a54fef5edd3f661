//! Names that look alike: two with the same skeleton (UTS 39, section 4).

use std::borrow::Cow;

use compact_str::CompactString;

use super::NAME_LEN_MAX;
use crate::collections::{Key, KeyIndex, Table};

/// What a name looks like: two names with the same one are taken for each other.
#[must_use]
pub fn skeleton(name: &str) -> Cow<'_, str> {
    other_form(name).map_or(Cow::Borrowed(name), |form| Cow::Owned(form.into()))
}

/// The skeleton of a name that may be another text than the name; `None` for most names, which look
/// like nothing but themselves.
#[must_use]
pub fn other_form(name: &str) -> Option<CompactString> {
    if !name.is_ascii() || name.len() > NAME_LEN_MAX {
        return Some(unicode_security::skeleton(name).collect());
    }
    if !name.bytes().any(|byte| matches!(byte, b'0' | b'1' | b'm')) {
        return None;
    }
    // Gathered before, since a short text in place is slow to append to.
    let (mut form, mut len) = ([0; 2 * NAME_LEN_MAX], 0);
    let mut put = |byte| {
        if let Some(place) = form.get_mut(len) {
            *place = byte;
        }
        len += 1;
    };
    for byte in name.bytes() {
        match byte {
            b'0' => put(b'O'),
            b'1' => put(b'l'),
            b'm' => {
                put(b'r');
                put(b'n');
            }
            byte => put(byte),
        }
    }
    form.get(..len).and_then(|form| str::from_utf8(form).ok()).map(CompactString::from)
}

/// Finds rows by what their names look like. Only names that are not their own skeletons are
/// filed: the others are found by their names.
#[derive(Debug)]
pub(in crate::chat) struct Skeletons<K>(KeyIndex<K>);

impl<K: Key> Default for Skeletons<K> {
    fn default() -> Self {
        Self(KeyIndex::new())
    }
}

impl<K: Key> Skeletons<K> {
    /// Files the row of this name.
    pub(in crate::chat) fn insert(&mut self, name: &str, key: K) {
        if let Some(skeleton) = other_form(name) {
            self.0.insert(skeleton.as_str(), key);
        }
    }

    /// Takes out the row of this name.
    pub(in crate::chat) fn remove(&mut self, name: &str, key: K) {
        if let Some(skeleton) = other_form(name) {
            self.0.remove(skeleton.as_str(), key);
        }
    }

    /// A row with another name that looks like `name`, of those that `counts`. `has_name` says
    /// whether a row has a name of which this is so.
    pub(in crate::chat) fn find<R>(
        &self,
        name: &str,
        (by_name, rows): (&KeyIndex<K>, &Table<K, R>),
        has_name: impl Fn(&R, &dyn Fn(&str) -> bool) -> bool,
        counts: impl Fn(&R) -> bool,
    ) -> Option<K> {
        let form = other_form(name);
        let wanted = form.as_deref().unwrap_or(name);
        // Another name can be the skeleton only of one that is not its own.
        let find_itself = |form: &str| {
            let is_itself = |other: &str| other == form && other != name;
            by_name.find(form, rows, |row| has_name(row, &is_itself) && counts(row))
        };
        form.as_deref().and_then(find_itself).or_else(|| {
            let looks_so =
                |other: &str| other != name && other_form(other).is_some_and(|form| form == wanted);
            self.0.find(wanted, rows, |row| has_name(row, &looks_so) && counts(row))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_is_that_of_the_library_for_what_names_have() {
        let letters = ('a'..='z').chain('0'..='9').chain(['.', '_', '-', '/']);
        for c in letters {
            let name = format!("x{c}y");
            let expect: String = unicode_security::skeleton(&name).collect();
            assert_eq!(skeleton(&name), expect, "{c}");
        }
    }

    #[test]
    fn names_that_look_alike_have_one_skeleton() {
        for (one, other) in [
            ("ann", "\u{430}nn"),
            ("ann", "\u{251}nn"),
            ("bill", "bi11"),
            ("modern", "rnodern"),
            ("\u{440}\u{430}\u{443}", "pay"),
            ("\u{3bf}\u{3bf}", "oo"),
        ] {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        for (one, other) in [("ann", "anna"), ("bob", "b0b"), ("j\u{fc}rgen", "jurgen")] {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }
}
