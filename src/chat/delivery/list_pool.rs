//! Lists of fan-outs that are used again: nearly every record needs one of each, for one turn.

use super::cursor::Sender;
use crate::chat::model::output::Part;
use crate::chat::model::record::SharedRecord;
use crate::net::ConnId;

/// Lists of a kind that are kept: as many as rooms usually have records in one turn.
const LISTS_MAX: usize = 64;
/// Elements for which a list that is kept has room: larger ones are rare, and would pin memory.
const CAPACITY_MAX: usize = 64;

/// Empty lists of one kind.
#[derive(Debug)]
pub(super) struct Lists<T>(Vec<Vec<T>>);

impl<T> Lists<T> {
    /// An empty list, which has room for some elements if one is left.
    pub(super) fn take(&mut self) -> Vec<T> {
        self.0.pop().unwrap_or_default()
    }

    /// Keeps the memory of a list for the next one.
    pub(super) fn put_back(&mut self, mut list: Vec<T>) {
        // A list without capacity is worth nothing: `Vec::new` makes one for free.
        if self.0.len() < LISTS_MAX && (1..=CAPACITY_MAX).contains(&list.capacity()) {
            list.clear();
            self.0.push(list);
        }
    }
}

impl<T> Default for Lists<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

/// The lists that a fan-out is made of.
#[derive(Debug, Default)]
pub(super) struct ListPool {
    pub records: Lists<SharedRecord>,
    pub senders: Lists<(usize, Sender)>,
    pub parts: Lists<(ConnId, Part)>,
    /// Of fan-outs with one recipient.
    pub recipients: Lists<ConnId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_comes_back_empty_with_its_memory_unless_it_is_large() {
        let mut lists = Lists::default();
        assert_eq!(lists.take().capacity(), 0);
        let small = vec![1, 2, 3];
        let place = small.as_ptr();
        lists.put_back(small);
        lists.put_back(vec![0; CAPACITY_MAX + 1]);
        let list = lists.take();
        assert_eq!((list.len(), list.as_ptr()), (0, place));
        assert_eq!(lists.take().capacity(), 0, "the large one was freed");
    }
}
