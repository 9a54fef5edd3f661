//! The order in which queries are answered: pages first, since somebody scrolls or catches up and
//! each takes a millisecond; then the others, a user's at a time, so that one who asks for much
//! waits for himself.
//!
//! ```text
//!  pages     p1 p2 p3                    ─▶ p1 p2 p3
//!  ann       s1 s2 s3                    ─▶ s1 t1 s2 s3
//!  bob       t1
//! ```

use std::collections::{BTreeMap, VecDeque};

use crate::chat::model::name::UserName;

/// Pages that may wait; the next is refused as busy.
pub(super) const PAGES_MAX: usize = 256;
/// Other queries that may wait.
pub(super) const OTHERS_MAX: usize = 256;
/// Of them, those of one user: an eighth, so that some are left for everybody.
pub(super) const OF_USER_MAX: usize = OTHERS_MAX / 8;
/// Pages that are answered in a row while something else waits: what yields for good is never done.
pub(super) const PAGES_IN_A_ROW_MAX: usize = 32;

/// What waits.
///
/// Invariants:
/// - Each user in `turns` is in `others` with something that waits, and the other way round.
/// - `others_len` counts all that waits in `others`.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    pages: VecDeque<T>,
    others: BTreeMap<UserName, VecDeque<T>>,
    turns: VecDeque<UserName>,
    others_len: usize,
    /// Pages since the last of the others.
    in_a_row: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            pages: VecDeque::new(),
            others: BTreeMap::new(),
            turns: VecDeque::new(),
            others_len: 0,
            in_a_row: 0,
        }
    }
}

impl<T> Lanes<T> {
    /// Adds one: a page if it is nobody's in particular.
    ///
    /// # Errors
    ///
    /// Too many wait; nothing has changed then.
    pub(super) fn push(&mut self, user: Option<&UserName>, query: T) -> Result<(), T> {
        let Some(user) = user else {
            if self.pages.len() >= PAGES_MAX {
                return Err(query);
            }
            self.pages.push_back(query);
            return Ok(());
        };
        let of_user = self.others.get(user).map_or(0, VecDeque::len);
        if self.others_len >= OTHERS_MAX || of_user >= OF_USER_MAX {
            return Err(query);
        }
        if of_user == 0 {
            self.turns.push_back(user.clone());
        }
        self.others.entry(user.clone()).or_default().push_back(query);
        self.others_len += 1;
        Ok(())
    }

    /// Adds a page before all others, beyond their bound: there is one of these at a time.
    pub(super) fn push_first(&mut self, page: T) {
        self.pages.push_front(page);
    }

    /// The next query.
    pub(super) fn pop(&mut self) -> Option<T> {
        if self.in_a_row >= PAGES_IN_A_ROW_MAX
            && let Some(other) = self.pop_other()
        {
            return Some(other);
        }
        match self.pop_page() {
            Some(page) => {
                self.in_a_row += 1;
                Some(page)
            }
            None => self.pop_other(),
        }
    }

    /// The next page.
    pub(super) fn pop_page(&mut self) -> Option<T> {
        self.pages.pop_front()
    }

    /// The next of the others.
    fn pop_other(&mut self) -> Option<T> {
        self.in_a_row = 0;
        let user = self.turns.pop_front()?;
        let waiting = self.others.get_mut(&user)?;
        let query = waiting.pop_front()?;
        self.others_len -= 1;
        if waiting.is_empty() {
            self.others.remove(&user);
        } else {
            self.turns.push_back(user);
        }
        Some(query)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty() && self.others_len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::user;

    fn order(lanes: &mut Lanes<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| lanes.pop()).collect()
    }

    #[test]
    fn pages_come_first_and_then_each_user_in_turn() {
        let mut lanes = Lanes::default();
        let (ann, bob) = (user("ann"), user("bob"));
        for (by, query) in [
            (Some(&ann), "a1"),
            (Some(&ann), "a2"),
            (Some(&ann), "a3"),
            (None, "p1"),
            (Some(&bob), "b1"),
            (None, "p2"),
            (Some(&bob), "b2"),
        ] {
            lanes.push(by, query).unwrap();
        }
        assert_eq!(order(&mut lanes), ["p1", "p2", "a1", "b1", "a2", "b2", "a3"]);
        assert!(lanes.is_empty() && lanes.others.is_empty() && lanes.turns.is_empty());
    }

    #[test]
    fn one_user_cannot_fill_what_all_others_wait_in() {
        let mut lanes = Lanes::default();
        let taken = (0..OTHERS_MAX).filter(|_| lanes.push(Some(&user("ann")), "a").is_ok());
        assert_eq!(taken.count(), OF_USER_MAX);
        lanes.push(Some(&user("bob")), "b").unwrap();
        lanes.push(None, "p").unwrap();
        assert_eq!(order(&mut lanes)[..3], ["p", "a", "b"]);
        for number in 0..OTHERS_MAX / OF_USER_MAX {
            for _ in 0..OF_USER_MAX {
                lanes.push(Some(&user(&format!("user{number}"))), "x").unwrap();
            }
        }
        assert_eq!(lanes.push(Some(&user("bob")), "b"), Err("b"), "all together are bounded, too");
    }

    #[test]
    fn pages_without_end_do_not_keep_the_others_from_being_answered() {
        let mut lanes = Lanes::default();
        lanes.push(Some(&user("ann")), "a").unwrap();
        for answered in 0.. {
            lanes.push(None, "p").unwrap();
            if lanes.pop() == Some("a") {
                assert_eq!(answered, PAGES_IN_A_ROW_MAX);
                break;
            }
        }
    }

    #[test]
    fn pages_are_bounded() {
        let mut lanes = Lanes::default();
        let taken = (0..2 * PAGES_MAX).filter(|_| lanes.push(None, "p").is_ok());
        assert_eq!(taken.count(), PAGES_MAX);
    }
}
