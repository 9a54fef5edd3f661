//! Who wants to hear nothing of whom.
//!
//! By names, not keys: both may be forgotten and come back. Nearly nobody has blocked anybody, so
//! that each question begins with whether there is anything at all.

use std::collections::BTreeMap;

use crate::chat::model::limits::{BLOCKS_MAX, BLOCKS_OF_USER_MAX};
use crate::chat::model::name::UserName;

/// All blocks.
///
/// Invariants: no user has an empty list; `count` is the sum of the lists.
#[derive(Debug, Default)]
pub(in crate::chat) struct Blocks {
    /// Whom each user has blocked, and since when.
    of_user: BTreeMap<UserName, BTreeMap<UserName, u64>>,
    count: usize,
}

impl Blocks {
    /// Whether nobody has blocked anybody.
    pub(in crate::chat) fn is_empty(&self) -> bool {
        self.of_user.is_empty()
    }

    /// Whether `user` wants to hear nothing of `other`.
    pub(in crate::chat) fn has(&self, user: &UserName, other: &UserName) -> bool {
        !self.of_user.is_empty() && self.of(user).any(|(name, _)| name == other)
    }

    /// Whom the user has blocked, by name, and since when.
    pub(in crate::chat) fn of(&self, user: &UserName) -> impl Iterator<Item = (&UserName, u64)> {
        let list = self.of_user.get(user).into_iter().flatten();
        list.map(|(name, &at)| (name, at))
    }

    /// All of them: who, whom.
    pub(in crate::chat) fn all(&self) -> impl Iterator<Item = (&UserName, &UserName)> {
        self.of_user.iter().flat_map(|(user, list)| list.keys().map(move |other| (user, other)))
    }

    /// All of them, with since when.
    pub(in crate::chat) fn dated(&self) -> impl Iterator<Item = (&UserName, &UserName, u64)> {
        let of_user = self.of_user.iter();
        of_user.flat_map(|(user, list)| list.iter().map(move |(other, &at)| (user, other, at)))
    }

    /// The bound that another one would exceed, if it would exceed one.
    pub(in crate::chat) fn limit_for(&self, user: &UserName) -> Option<usize> {
        if self.of(user).count() >= BLOCKS_OF_USER_MAX {
            return Some(BLOCKS_OF_USER_MAX);
        }
        (self.count >= BLOCKS_MAX).then_some(BLOCKS_MAX)
    }

    /// Begins one.
    pub(in crate::chat) fn insert(&mut self, user: UserName, other: UserName, at: u64) {
        let former = self.of_user.entry(user).or_default().insert(other, at);
        self.count += usize::from(former.is_none());
    }

    /// Ends one.
    pub(in crate::chat) fn remove(&mut self, user: &UserName, other: &UserName) {
        let Some(list) = self.of_user.get_mut(user) else { return };
        self.count -= usize::from(list.remove(other).is_some());
        if list.is_empty() {
            self.of_user.remove(user);
        }
    }

    /// Ends all of a user who is forgotten.
    pub(in crate::chat) fn forget(&mut self, user: &UserName) {
        self.count -= self.of_user.remove(user).map_or(0, |list| list.len());
    }

    /// Checks the invariants.
    pub(super) fn debug_check(&self) {
        let sum: usize = self.of_user.values().map(BTreeMap::len).sum();
        debug_assert_eq!(self.count, sum, "blocks are counted");
        debug_assert!(self.of_user.values().all(|list| !list.is_empty()), "no list is empty");
    }
}
