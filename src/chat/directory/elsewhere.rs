//! Who is at other nodes, as these tell. None of it is kept: a node that begins is told all of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::model::limits::ELSEWHERE_MAX;
use crate::chat::model::name::UserName;
use crate::chat::model::other_nodes::NodeId;
use crate::chat::model::reply::Presence;

/// Who is at other nodes, and what these were told of who is here.
///
/// Invariant: `by_node` has the users of `by_user` that are at each node, and no node without any.
#[derive(Debug, Default)]
pub(in crate::chat) struct Elsewhere {
    by_user: BTreeMap<UserName, BTreeMap<NodeId, Presence>>,
    by_node: BTreeMap<NodeId, BTreeSet<UserName>>,
    /// Of nodes that name all who are there: who was not named yet, and how many were.
    rolls: BTreeMap<NodeId, (BTreeSet<UserName>, u64)>,
    /// The users that are here, as the others were told of them last.
    pub told: BTreeMap<UserName, Presence>,
}

impl Elsewhere {
    /// Whether nobody is anywhere else, as always where there is one node.
    pub(in crate::chat) fn is_empty(&self) -> bool {
        self.by_user.is_empty()
    }

    /// Whether the user is at another node.
    pub(in crate::chat) fn has(&self, user: &UserName) -> bool {
        self.by_user.contains_key(user)
    }

    /// How the user is at all other nodes together, `None` if it is at none: online if it is so at
    /// one of them.
    pub(in crate::chat) fn of(&self, user: &UserName) -> Option<Presence> {
        let nodes = self.by_user.get(user)?;
        let is_online = nodes.values().any(|&presence| presence == Presence::Online);
        Some(if is_online { Presence::Online } else { Presence::Away })
    }

    /// A node tells how a user is there. Returns whether anything has changed. Who is more than may
    /// be known counts as absent.
    pub(in crate::chat) fn set(
        &mut self,
        node: NodeId,
        user: &UserName,
        presence: Presence,
    ) -> bool {
        if let Some((unnamed, named)) = self.rolls.get_mut(&node) {
            unnamed.remove(user);
            *named += 1;
        }
        if presence == Presence::Off {
            return self.remove(node, user);
        }
        if self.by_user.len() >= ELSEWHERE_MAX && !self.by_user.contains_key(user) {
            return false;
        }
        let before = self.by_user.entry(user.clone()).or_default().insert(node, presence);
        self.by_node.entry(node).or_default().insert(user.clone());
        before != Some(presence)
    }

    fn remove(&mut self, node: NodeId, user: &UserName) -> bool {
        let Some(nodes) = self.by_user.get_mut(user) else { return false };
        let was_there = nodes.remove(&node).is_some();
        if nodes.is_empty() {
            self.by_user.remove(user);
        }
        if let Some(users) = self.by_node.get_mut(&node) {
            users.remove(user);
            if users.is_empty() {
                self.by_node.remove(&node);
            }
        }
        was_there
    }

    /// A node is going to name all who are there.
    pub(in crate::chat) fn begin_roll(&mut self, node: NodeId) {
        let users = self.by_node.get(&node).cloned().unwrap_or_default();
        self.rolls.insert(node, (users, 0));
    }

    /// It has named so many: who is not there any more, which was not heard when it happened.
    pub(in crate::chat) fn end_roll(&mut self, node: NodeId, users: u64) -> BTreeSet<UserName> {
        match self.rolls.remove(&node) {
            Some((unnamed, named)) if named == users => {
                unnamed.into_iter().filter(|user| self.remove(node, user)).collect()
            }
            // Some were not heard.
            _ => BTreeSet::new(),
        }
    }

    /// A node is gone: who was there.
    pub(in crate::chat) fn end(&mut self, node: NodeId) -> BTreeSet<UserName> {
        self.rolls.remove(&node);
        let users = self.by_node.get(&node).cloned().unwrap_or_default();
        for user in &users {
            self.remove(node, user);
        }
        users
    }

    /// Checks the invariant.
    pub(super) fn debug_check(&self) {
        let there = self
            .by_user
            .iter()
            .flat_map(|(user, nodes)| nodes.keys().map(move |node| (*node, user)));
        let (mut count, mut listed) = (0, 0);
        for (node, user) in there {
            count += 1;
            let users = self.by_node.get(&node);
            debug_assert!(users.is_some_and(|users| users.contains(user)), "a node has its users");
        }
        for users in self.by_node.values() {
            debug_assert!(!users.is_empty(), "a node without users is forgotten");
            listed += users.len();
        }
        debug_assert_eq!(count, listed, "and no others");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_at_other_nodes_as_at_the_one_where_it_is_most_awake() {
        let mut elsewhere = Elsewhere::default();
        let ann = UserName::parse("ann").unwrap();
        let (online, away, off) = (Presence::Online, Presence::Away, Presence::Off);
        for (node, presence, is_changed, expect) in [
            (1, off, false, None),
            (1, away, true, Some(away)),
            (2, online, true, Some(online)),
            (2, online, false, Some(online)),
            (2, away, true, Some(away)),
            (1, off, true, Some(away)),
            (2, off, true, None),
        ] {
            assert_eq!(elsewhere.set(NodeId(node), &ann, presence), is_changed, "{node}");
            assert_eq!(elsewhere.of(&ann), expect, "{node} {presence:?}");
            elsewhere.debug_check();
        }
    }

    #[test]
    fn with_a_node_go_its_users_and_no_others() {
        let mut elsewhere = Elsewhere::default();
        let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| UserName::parse(name).unwrap());
        for (node, user) in [(1, &ann), (1, &bob), (2, &bob), (2, &cyd)] {
            elsewhere.set(NodeId(node), user, Presence::Online);
        }
        assert_eq!(elsewhere.end(NodeId(1)), BTreeSet::from([ann.clone(), bob.clone()]));
        let there = [&ann, &bob, &cyd].map(|user| elsewhere.has(user));
        assert_eq!(there, [false, true, true]);
        assert!(elsewhere.end(NodeId(1)).is_empty());
        elsewhere.debug_check();
    }

    #[test]
    fn who_is_not_named_in_a_whole_roll_is_not_there_any_more() {
        let [ann, bob, cyd] = ["ann", "bob", "cyd"].map(|name| UserName::parse(name).unwrap());
        let node = NodeId(1);
        for (named, users, expect) in [
            (vec![&ann], 1, vec![&bob, &cyd]),
            (vec![&ann, &bob, &cyd], 3, vec![]),
            (vec![], 0, vec![&ann, &bob, &cyd]),
            // One of the two was not heard.
            (vec![&ann], 2, vec![]),
        ] {
            let mut elsewhere = Elsewhere::default();
            for user in [&ann, &bob, &cyd] {
                elsewhere.set(node, user, Presence::Online);
            }
            elsewhere.set(NodeId(2), &ann, Presence::Online);
            elsewhere.begin_roll(node);
            for user in named {
                elsewhere.set(node, user, Presence::Away);
            }
            let gone = elsewhere.end_roll(node, users);
            assert_eq!(gone, expect.into_iter().cloned().collect());
            assert!(elsewhere.has(&ann), "it is at the other node, too");
            elsewhere.debug_check();
        }
        // One that ends without having begun says nothing.
        assert!(Elsewhere::default().end_roll(node, 0).is_empty());
    }
}
