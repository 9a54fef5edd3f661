//! What users say of themselves.
//!
//! By names, as blocks are: a user may be forgotten and come back, and is shown meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::model::limits::PROFILES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::profile::{PublicProfile, looks};

/// All profiles.
///
/// Invariants: none is empty; each display name, and no other, is found by what it looks like.
#[derive(Debug, Default)]
pub(in crate::chat) struct Profiles {
    of_user: BTreeMap<UserName, PublicProfile>,
    /// Whose display names look so.
    by_look: BTreeMap<String, BTreeSet<UserName>>,
}

impl Profiles {
    /// Whether nobody says anything.
    pub(in crate::chat) fn is_empty(&self) -> bool {
        self.of_user.is_empty()
    }

    /// What a user says of itself, if it does.
    pub(in crate::chat) fn of(&self, user: &UserName) -> Option<&PublicProfile> {
        self.of_user.get(user)
    }

    /// The bound that the first profile of a user would exceed, if it would.
    pub(in crate::chat) fn limit_for(&self, user: &UserName) -> Option<usize> {
        let is_full = self.of_user.len() >= PROFILES_MAX && !self.of_user.contains_key(user);
        is_full.then_some(PROFILES_MAX)
    }

    /// All of them.
    pub(in crate::chat) fn all(&self) -> impl Iterator<Item = (&UserName, &PublicProfile)> {
        self.of_user.iter()
    }

    /// Other users whose display names look like this name.
    pub(in crate::chat) fn looking_like(&self, name: &UserName) -> Vec<UserName> {
        if self.by_look.is_empty() {
            return Vec::new();
        }
        let own = looks(name.as_str());
        let users = own.iter().filter_map(|look| self.by_look.get(look)).flatten();
        // Who is called as its own name looks goes on so.
        let others = users.filter(|user| looks(user.as_str()).is_disjoint(&own));
        others.cloned().collect()
    }

    /// A user says this of itself from now on.
    pub(in crate::chat) fn set(&mut self, user: UserName, profile: PublicProfile) {
        if let Some(former) = self.of_user.remove(&user) {
            self.unfile(&user, &former.display);
        }
        if profile.is_empty() {
            return;
        }
        for look in looks(&profile.display) {
            self.by_look.entry(look).or_default().insert(user.clone());
        }
        self.of_user.insert(user, profile);
    }

    fn unfile(&mut self, user: &UserName, display: &str) {
        for look in looks(display) {
            let Some(users) = self.by_look.get_mut(&look) else { continue };
            users.remove(user);
            if users.is_empty() {
                self.by_look.remove(&look);
            }
        }
    }

    /// Checks the invariants.
    pub(super) fn debug_check(&self) {
        debug_assert!(self.of_user.values().all(|profile| !profile.is_empty()), "none is empty");
        let mut filed = self.by_look.values().flatten();
        debug_assert!(filed.all(|user| self.of_user.contains_key(user)), "nobody else is filed");
    }
}
