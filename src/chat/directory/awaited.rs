//! Names by which nobody has come yet, for whom messages wait.
//!
//! Such a message was acknowledged, so it is kept until somebody comes. These names and
//! conversations have bounds of their own, so that they never crowd out those who come.

use std::collections::BTreeMap;

use crate::chat::model::name::UserName;

/// Who waits for whom, in numbers.
///
/// Invariant: `conversations` is the sum of `by_sender`.
#[derive(Debug, Default)]
pub(in crate::chat) struct Awaited {
    /// Users that have not come yet.
    pub users: usize,
    /// Conversations with them.
    pub conversations: usize,
    by_sender: BTreeMap<Box<str>, usize>,
}

impl Awaited {
    /// How many conversations of this user wait for somebody to come.
    pub(in crate::chat) fn of(&self, sender: &UserName) -> usize {
        self.by_sender.get(sender.as_str()).copied().unwrap_or(0)
    }

    /// A conversation of this user waits for somebody.
    pub(in crate::chat) fn begin(&mut self, sender: &str) {
        // By name, since a sender may be forgotten while its message waits.
        *self.by_sender.entry(sender.into()).or_default() += 1;
        self.conversations += 1;
    }

    /// It does not any more.
    pub(in crate::chat) fn end(&mut self, sender: &str) {
        let Some(count) = self.by_sender.get_mut(sender) else { return };
        *count -= 1;
        self.conversations -= 1;
        if *count == 0 {
            self.by_sender.remove(sender);
        }
    }
}
