//! What users say of themselves.
//!
//! By names, as blocks are: a user may be forgotten and come back, and is shown meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::model::limits::PROFILES_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::profile::{PublicProfile, looks};
use crate::time::wall_watch::shifted;

/// All profiles.
///
/// Invariants: each display name, and no other, is found by what it looks like; who has something
/// under way has at least one write.
#[derive(Debug, Default)]
pub(in crate::chat) struct Profiles {
    of_user: BTreeMap<UserName, PublicProfile>,
    /// Whose display names look so.
    by_look: BTreeMap<String, BTreeSet<UserName>>,
    /// What is written last of what is being written of each user, and how many writes those are.
    unwritten: BTreeMap<UserName, (PublicProfile, usize)>,
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

    /// What a user says of itself as soon as all is written.
    pub(in crate::chat) fn latest(&self, user: &UserName) -> Option<&PublicProfile> {
        self.unwritten.get(user).map(|(profile, _)| profile).or_else(|| self.of(user))
    }

    /// Whether something that a user says is being written.
    pub(in crate::chat) fn is_unwritten(&self, user: &UserName) -> bool {
        self.unwritten.contains_key(user)
    }

    /// A user says this of itself as soon as it is written.
    pub(in crate::chat) fn begin_write(&mut self, user: UserName, profile: PublicProfile) {
        let (latest, writes) = self.unwritten.entry(user).or_default();
        *latest = profile;
        *writes += 1;
    }

    /// The first of the writes of a user has ended.
    pub(in crate::chat) fn end_write(&mut self, user: &UserName) {
        let Some((_, writes)) = self.unwritten.get_mut(user) else { return };
        *writes -= 1;
        if *writes == 0 {
            self.unwritten.remove(user);
        }
    }

    /// The bound that the first profile of a user would exceed, if it would.
    pub(in crate::chat) fn limit_for(&self, user: &UserName) -> Option<usize> {
        // Nearly always there is no need to count those that are under way.
        if self.latest(user).is_some() || self.of_user.len() + self.unwritten.len() < PROFILES_MAX {
            return None;
        }
        let new = self.unwritten.keys().filter(|user| !self.of_user.contains_key(*user)).count();
        (self.of_user.len() + new >= PROFILES_MAX).then_some(PROFILES_MAX)
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

    /// The wall clock was set: status texts last as long as they were to. In a cluster they end
    /// when they did, since most were reckoned by the clocks of other nodes.
    pub(in crate::chat) fn shift_ends(&mut self, step_ms: i64, is_cluster: bool) {
        if is_cluster {
            return;
        }
        let unwritten = self.unwritten.values_mut().map(|(profile, _)| profile);
        for profile in self.of_user.values_mut().chain(unwritten) {
            profile.until = profile.until.map(|until| shifted(until, step_ms));
        }
    }

    /// A user says this of itself from now on.
    pub(in crate::chat) fn set(&mut self, user: UserName, profile: PublicProfile) {
        self.remove(&user);
        for look in looks(&profile.display) {
            self.by_look.entry(look).or_default().insert(user.clone());
        }
        self.of_user.insert(user, profile);
    }

    /// A user has said nothing of itself.
    pub(in crate::chat) fn remove(&mut self, user: &UserName) {
        if let Some(former) = self.of_user.remove(user) {
            self.unfile(user, &former.display);
        }
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
        debug_assert!(self.unwritten.values().all(|(_, writes)| *writes > 0), "all are under way");
        let mut filed = self.by_look.values().flatten();
        debug_assert!(filed.all(|user| self.of_user.contains_key(user)), "nobody else is filed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_being_written_takes_a_place() {
        let name = |number: usize| UserName::parse(&format!("u{number}")).unwrap();
        let profile = PublicProfile { text: "tea".into(), ..PublicProfile::default() };
        let mut profiles = Profiles::default();
        for number in 2..PROFILES_MAX {
            profiles.set(name(number), profile.clone());
        }
        // One that has a place already takes no other.
        profiles.begin_write(name(2), profile.clone());
        profiles.begin_write(name(0), profile.clone());
        assert_eq!(profiles.limit_for(&name(1)), None);
        profiles.begin_write(name(1), profile);
        assert_eq!(profiles.limit_for(&name(1)), None, "it has one");
        let other = name(PROFILES_MAX);
        assert_eq!(profiles.limit_for(&other), Some(PROFILES_MAX));
        profiles.end_write(&name(1));
        assert_eq!(profiles.limit_for(&other), None, "that could not be written");
    }
}
