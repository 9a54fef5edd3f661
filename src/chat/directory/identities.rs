//! Whose each name is: a name belongs to one source, and to one subject of it, for ever.

use crate::chat::model::identity::{Bound, Identity, Source};
use std::collections::BTreeSet;

use crate::chat::model::name::{Names, UserName};
use crate::collections::{CompactKey, KeyIndex, Table};

/// All names that belong to somebody, whether their users are known at the moment or not.
///
/// Invariants: a name is there once, and a subject of a source is there once, if it is not empty.
#[derive(Debug, Default)]
pub(in crate::chat) struct Identities {
    rows: Table<CompactKey, Bound>,
    by_name: Names<CompactKey>,
    by_subject: KeyIndex<CompactKey>,
    /// Names of which the store has not said yet that it has them.
    unwritten: BTreeSet<UserName>,
}

impl Identities {
    /// How many there are.
    pub(in crate::chat) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whose this name is.
    pub(in crate::chat) fn of_name(&self, name: &str) -> Option<&Bound> {
        // Where names are not proved there are none.
        if self.rows.is_empty() {
            return None;
        }
        self.rows.get(self.key_of(name)?)
    }

    /// The name that this identity has.
    pub(in crate::chat) fn of(&self, identity: &Identity) -> Option<&Bound> {
        let Identity { source, issuer, subject, .. } = identity;
        let key = self.by_subject.find(&(*source, &**issuer, &**subject), &self.rows, |row| {
            row.source == *source && row.issuer == *issuer && row.subject == *subject
        })?;
        self.rows.get(key)
    }

    /// A name of somebody that looks like this one.
    pub(in crate::chat) fn lookalike(&self, name: &str) -> Option<&UserName> {
        if self.rows.is_empty() {
            return None;
        }
        let has_name = |row: &Bound, is_it: &dyn Fn(&str) -> bool| is_it(row.name.as_str());
        let key = self.by_name.lookalike(name, &self.rows, has_name, |_| true)?;
        self.rows.get(key).map(|row| &row.name)
    }

    /// The name is somebody's now, instead of whoever had it.
    pub(in crate::chat) fn bind(&mut self, bound: Bound) {
        self.release(bound.name.as_str());
        // Names that nobody has proved have an empty subject: as a key it would make them all one.
        let has_subject = !bound.subject.is_empty();
        let subject = (bound.source, bound.issuer.clone(), bound.subject.clone());
        let name = bound.name.clone();
        let key = self.rows.insert(bound);
        self.by_name.insert(name.as_str(), key);
        if has_subject {
            self.by_subject.insert(&(subject.0, &*subject.1, &*subject.2), key);
        }
    }

    /// The name is somebody's, which the store is asked to keep.
    pub(in crate::chat) fn begin(&mut self, bound: Bound) {
        self.unwritten.insert(bound.name.clone());
        self.bind(bound);
    }

    /// The store has answered about a name that was begun, and it stays somebody's or not.
    pub(in crate::chat) fn end(&mut self, name: &UserName, stays: bool) {
        // One that a command has given away meanwhile is not this one's to take back.
        if self.unwritten.remove(name) && !stays {
            self.release(name.as_str());
        }
    }

    /// Whether the store has not said yet that it has the name.
    pub(in crate::chat) fn is_unwritten(&self, name: &UserName) -> bool {
        self.unwritten.contains(name)
    }

    /// These are all that the store has. Names that are on their way there stay somebody's, unless
    /// a command has given them to another: then the store refuses the one that comes later.
    pub(in crate::chat) fn replace(&mut self, all: Vec<Bound>) {
        let before = std::mem::take(self);
        for bound in all {
            self.bind(bound);
        }
        for name in &before.unwritten {
            if let Some(bound) = before.of_name(name.as_str())
                && self.of_name(name.as_str()).is_none()
            {
                self.begin(bound.clone());
            }
        }
    }

    /// The name is nobody's any more.
    fn release(&mut self, name: &str) -> Option<Bound> {
        let key = self.key_of(name)?;
        let row = self.rows.remove(key)?;
        self.by_name.remove(name, key);
        if !row.subject.is_empty() {
            self.by_subject.remove(&(row.source, &*row.issuer, &*row.subject), key);
        }
        Some(row)
    }

    /// The source of a user of this name, where names that are nobody's are of `otherwise`.
    pub(in crate::chat) fn source_of(&self, name: &str, otherwise: Source) -> Source {
        self.of_name(name).map_or(otherwise, |bound| bound.source)
    }

    fn key_of(&self, name: &str) -> Option<CompactKey> {
        self.by_name.find(name, &self.rows, |row| row.name.as_str() == name)
    }

    /// Checks the invariants.
    pub(super) fn debug_check(&self) {
        for (key, row) in self.rows.iter() {
            debug_assert_eq!(self.key_of(row.name.as_str()), Some(key), "a name is there once");
        }
    }
}
