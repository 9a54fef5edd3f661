//! The first so many of things that come in any order.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use compact_str::CompactString;

/// Where something stands in a list: the greatest key first, equal ones by name.
type Place = (Reverse<u64>, CompactString);

/// The first so many after a place, of all that were offered.
#[derive(Debug)]
pub(in crate::session) struct TopList<T> {
    rows: BTreeSet<(Place, T)>,
    limit: usize,
    after: Option<Place>,
    /// Some were left out for want of room.
    is_cut: bool,
}

impl<T: Copy + Ord> TopList<T> {
    /// The first `limit` of all.
    pub(in crate::session) const fn new(limit: usize) -> Self {
        Self { rows: BTreeSet::new(), limit, after: None, is_cut: false }
    }

    /// The first `limit` after a place that [`TopList::next`] has told; `None` if it is none.
    pub(in crate::session) fn after(limit: usize, place: &str) -> Option<Self> {
        let (key, name) = place.split_once(':')?;
        let after = Some((Reverse(key.parse().ok()?), name.into()));
        Some(Self { after, ..Self::new(limit) })
    }

    /// Takes something up, if it is among the first.
    pub(in crate::session) fn offer(&mut self, key: u64, name: &str, row: T) {
        let place = (Reverse(key), name);
        let is_after = |after: &Place| place > (after.0, after.1.as_str());
        if !self.after.as_ref().is_none_or(is_after) {
            return;
        }
        if self.rows.len() >= self.limit {
            self.is_cut = true;
            let last = self.rows.last();
            if last.is_some_and(|((key, name), id)| (place, row) >= ((*key, name.as_str()), *id)) {
                return;
            }
            self.rows.pop_last();
        }
        self.rows.insert(((Reverse(key), name.into()), row));
    }

    /// What was taken up, in order.
    pub(in crate::session) fn rows(&self) -> impl Iterator<Item = T> {
        self.rows.iter().map(|(_, row)| *row)
    }

    /// The place after which to go on; `None` if this was all.
    pub(in crate::session) fn next(&self) -> Option<String> {
        let ((Reverse(key), name), _) = self.rows.last().filter(|_| self.is_cut)?;
        Some(format!("{key}:{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_together_are_everything_in_order_once() {
        let things: Vec<(u64, String, usize)> =
            (0..100).map(|n| ((n * 7 % 10) as u64, format!("n{}", n * 13 % 100), n)).collect();
        let mut expect = things.clone();
        expect.sort_by(|a, b| (Reverse(a.0), &a.1).cmp(&(Reverse(b.0), &b.1)));
        for limit in [1, 3, 10, 99, 100, 101] {
            let (mut all, mut list) = (Vec::new(), TopList::new(limit));
            loop {
                for (key, name, row) in &things {
                    list.offer(*key, name, *row);
                }
                all.extend(list.rows());
                let Some(next) = list.next() else { break };
                list = TopList::after(limit, &next).unwrap();
            }
            assert!(all.iter().eq(expect.iter().map(|(.., row)| row)), "{limit}: {all:?}");
        }
    }

    #[test]
    fn what_is_no_place_is_none() {
        for place in ["", "lobby", "x:lobby", "-1:a"] {
            assert!(TopList::<usize>::after(1, place).is_none(), "{place}");
        }
        assert!(TopList::<usize>::after(1, "0:@ann:bob").is_some());
    }
}
