//! Names that look alike: two with the same skeleton (UTS 39, section 4).

use std::borrow::Cow;

use crate::collections::{Key, KeyIndex, Table};

/// What a name looks like: two names with the same one are taken for each other.
#[must_use]
pub fn skeleton(name: &str) -> Cow<'_, str> {
    if !name.is_ascii() {
        return Cow::Owned(unicode_security::skeleton(name).collect());
    }
    // Nearly every name looks like nothing but itself.
    if !name.bytes().any(|byte| matches!(byte, b'0' | b'1' | b'm')) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.replace('0', "O").replace('1', "l").replace('m', "rn"))
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
        if let Cow::Owned(skeleton) = skeleton(name) {
            self.0.insert(skeleton.as_str(), key);
        }
    }

    /// Takes out the row of this name.
    pub(in crate::chat) fn remove(&mut self, name: &str, key: K) {
        if let Cow::Owned(skeleton) = skeleton(name) {
            self.0.remove(skeleton.as_str(), key);
        }
    }

    /// A row with another name that looks like `name`, of those that `counts`.
    pub(in crate::chat) fn find<R>(
        &self,
        name: &str,
        (by_name, rows): (&KeyIndex<K>, &Table<K, R>),
        name_of: impl Fn(&R) -> &str,
        counts: impl Fn(&R) -> bool,
    ) -> Option<K> {
        let wanted = &*skeleton(name);
        let is_other = |row: &R| name_of(row) != name && counts(row);
        let itself = by_name.find(wanted, rows, |row| name_of(row) == wanted && is_other(row));
        itself.or_else(|| {
            self.0.find(wanted, rows, |row| is_other(row) && skeleton(name_of(row)) == wanted)
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
