//! Names that look alike: two with the same skeleton (UTS 39, section 4).

use std::borrow::Cow;

use compact_str::CompactString;

use super::NAME_LEN_MAX;
use crate::collections::{Key, KeyIndex, Table, WithGeneration};

/// What a name looks like: two names with the same one are taken for each other.
#[must_use]
pub fn skeleton(name: &str) -> Cow<'_, str> {
    other_form(name).map_or(Cow::Borrowed(name), |form| Cow::Owned(form.into()))
}

/// The skeleton of a name that may be another text than the name; `None` for most names, which look
/// like nothing but themselves.
#[must_use]
pub fn other_form(name: &str) -> Option<CompactString> {
    if !is_short_ascii(name) {
        return Some(unicode_security::skeleton(name).collect());
    }
    let mut place = [0; FORM_LEN_MAX];
    let form = ascii_form(name, &mut place)?;
    str::from_utf8(form).ok().map(CompactString::from)
}

/// Whether the skeleton is found without the tables of Unicode.
const fn is_short_ascii(name: &str) -> bool {
    name.is_ascii() && name.len() <= NAME_LEN_MAX
}

/// Each letter may become two.
const FORM_LEN_MAX: usize = 2 * NAME_LEN_MAX;

/// The same of a short name of ASCII, written to `place`.
fn ascii_form<'a>(name: &str, place: &'a mut [u8; FORM_LEN_MAX]) -> Option<&'a [u8]> {
    // These are all letters of ASCII names that have another skeleton; a test compares with the
    // tables.
    let mut len = name.bytes().position(|byte| matches!(byte, b'0' | b'1' | b'm'))?;
    let (same, rest) = name.as_bytes().split_at_checked(len)?;
    place.get_mut(..len)?.copy_from_slice(same);
    let mut put = |byte| {
        if let Some(place) = place.get_mut(len) {
            *place = byte;
        }
        len += 1;
    };
    for &byte in rest {
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
    place.get(..len)
}

/// Finds rows by their names, and by what these look like. A short name of ASCII is filed once,
/// under its skeleton, which is found at once; any other under itself, and under its skeleton if
/// that is another text.
#[derive(Debug)]
pub(in crate::chat) struct Names<K>(KeyIndex<K>);

impl<K: Key> Default for Names<K> {
    fn default() -> Self {
        Self(KeyIndex::new())
    }
}

impl<K: Key> Names<K> {
    /// Files the row of this name.
    pub(in crate::chat) fn insert(&mut self, name: &str, key: K) {
        self.0.insert(filed_under(name, &mut [0; FORM_LEN_MAX]), key);
        if let Some(skeleton) = also_under(name) {
            self.0.insert(skeleton.as_bytes(), key);
        }
    }

    /// Takes out the row of this name.
    pub(in crate::chat) fn remove(&mut self, name: &str, key: K) {
        self.0.remove(filed_under(name, &mut [0; FORM_LEN_MAX]), key);
        if let Some(skeleton) = also_under(name) {
            self.0.remove(skeleton.as_bytes(), key);
        }
    }

    /// The row of this name: one of which `is_it` is so.
    pub(in crate::chat) fn find<R, W: WithGeneration<R>>(
        &self,
        name: &str,
        rows: &Table<K, R, W>,
        is_it: impl Fn(&R) -> bool,
    ) -> Option<K> {
        self.0.find(filed_under(name, &mut [0; FORM_LEN_MAX]), rows, is_it)
    }

    /// A row with another name that looks like `name`, of those that `counts`. `has_name` says
    /// whether a row has a name of which this is so.
    pub(in crate::chat) fn lookalike<R, W: WithGeneration<R>>(
        &self,
        name: &str,
        rows: &Table<K, R, W>,
        has_name: impl Fn(&R, &dyn Fn(&str) -> bool) -> bool,
        counts: impl Fn(&R) -> bool,
    ) -> Option<K> {
        let form = other_form(name);
        let wanted = form.as_deref().unwrap_or(name);
        let looks_so =
            |other: &str| other != name && other_form(other).as_deref().unwrap_or(other) == wanted;
        // The index holds hashes: whether a row that it names really looks so is asked of the row.
        self.0.find(wanted.as_bytes(), rows, |row| has_name(row, &looks_so) && counts(row))
    }
}

/// What a name is looked for by: bytes, which need not be seen to be a text again.
fn filed_under<'a>(name: &'a str, place: &'a mut [u8; FORM_LEN_MAX]) -> &'a [u8] {
    let form = if is_short_ascii(name) { ascii_form(name, place) } else { None };
    form.unwrap_or(name.as_bytes())
}

/// What it is filed under besides.
fn also_under(name: &str) -> Option<CompactString> {
    // A direct conversation looks like its users' names, which are filed by themselves.
    if is_short_ascii(name) || name.starts_with('@') {
        return None;
    }
    other_form(name).filter(|skeleton| skeleton != name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::CompactKey;

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

    #[test]
    fn a_row_is_found_by_its_name_and_by_any_that_looks_like_it_but_not_by_its_skeleton() {
        let all = ["ann", "modern", "bi11", "\u{440}\u{430}\u{443}", "\u{4f60}\u{597d}"];
        let (mut names, mut rows) =
            (Names::<CompactKey>::default(), Table::<CompactKey, &str>::new());
        let keys = all.map(|name| (name, rows.insert(name)));
        for (name, key) in keys {
            names.insert(name, key);
        }
        let find = |names: &Names<_>, name: &str| names.find(name, &rows, |row| *row == name);
        let alike = |names: &Names<_>, name: &str| {
            names.lookalike(name, &rows, |row, is_it| is_it(row), |_| true)
        };
        for (name, key) in keys {
            assert_eq!((find(&names, name), alike(&names, name)), (Some(key), None), "{name}");
        }
        for (other, nth) in [
            ("\u{430}nn", 0),
            ("rnodern", 1),
            ("bill", 2),
            ("bil1", 2),
            ("pay", 3),
            ("\u{440}ay", 3),
        ] {
            let found = (find(&names, other), alike(&names, other));
            assert_eq!(found, (None, Some(keys[nth].1)), "{other}");
        }
        for (name, key) in keys {
            names.remove(name, key);
            assert_eq!(find(&names, name), None, "{name}");
        }
        assert!(names.0.is_empty());
    }

    #[test]
    fn a_short_name_of_ascii_takes_one_entry() {
        let mut names = Names::<CompactKey>::default();
        for (nth, name) in ["ann", "m01m", "@ann:m01m", "@ann:\u{4f60}"].into_iter().enumerate() {
            names.insert(name, CompactKey::new(nth, 0));
            assert_eq!(names.0.len(), nth + 1, "{name}");
        }
    }
}
