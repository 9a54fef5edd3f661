//! Finds rows by the names that clients chose.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;

use super::{Key, Table as Rows, WithGeneration};

/// Tables of an index: one grows at a time, so that no growth ever holds up a turn for long.
const TABLES: usize = 64;
/// Homes of the smallest table.
const HOMES_MIN: usize = 8;
/// Of every eight homes at most seven are taken.
const LOAD: (usize, usize) = (7, 8);
/// A table that is full becomes larger by one of so many parts.
const GROWTH: usize = 4;
/// Bits of a hash that a cell keeps. What two names share of them is looked at in their rows.
const PART_BITS: u32 = 20;
/// Bits of a key's index, plus one.
const INDEX_BITS: u32 = 28;
const _: () = assert!(PART_BITS + INDEX_BITS == 48, "a cell has as many bits");

/// Finds keys of rows by the names that the rows have, without keeping the names: the caller says
/// whether a row is the one. About eight bytes for each key, of which there may be 268 million.
///
/// The same index of 64 `hashbrown` tables took 15.7 bytes for each of 19,000 keys and 18.9 for
/// each of a million, this one 7.8 and 7.9, and neither finds a key faster.
///
/// The hash is keyed at random, so that no client can choose names that collide, and entries cannot
/// be iterated, so that their order cannot be seen.
pub struct KeyIndex<K> {
    tables: Vec<Table>,
    hasher: RandomState,
    key: PhantomData<K>,
}

/// The entries whose hashes end alike.
///
/// ```text
/// home   of a cell: where it would be if it were alone, the hash's part of all homes
/// ```
///
/// Invariants: the cells in use ascend by their part of the hash; none is before its home, and none
/// between its home and itself is free. So a search ends at the first larger one, and a table grows
/// by one pass over its cells, in order, without looking at a row.
#[derive(Clone, Debug, Default)]
struct Table {
    cells: Vec<Cell>,
    /// The number of homes. The cells after them hold entries that were pushed past the last home.
    homes: usize,
    len: usize,
}

/// An entry, or a place for one, in six bytes.
///
/// ```text
///  47 ............ 28  27 ................ 0
/// +------------------+----------------------+
/// | part of the hash | index of the key + 1 |      0 if free
/// +------------------+----------------------+
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell([u16; 3]);

impl Cell {
    const FREE: Self = Self([0; 3]);

    #[expect(clippy::cast_possible_truncation, reason = "the bits are cut into three parts")]
    fn new(part: u32, index: usize) -> Self {
        assert!(index + 1 < 1 << INDEX_BITS, "an index is of 268 million rows at the most");
        let bits = u64::from(part) << INDEX_BITS | (index as u64 + 1);
        Self([bits as u16, (bits >> 16) as u16, (bits >> 32) as u16])
    }

    #[inline]
    const fn bits(self) -> u64 {
        let [low, middle, high] = self.0;
        (high as u64) << 32 | (middle as u64) << 16 | low as u64
    }

    #[inline]
    const fn is_free(self) -> bool {
        self.bits() == 0
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "the upper bits")]
    const fn part(self) -> u32 {
        (self.bits() >> INDEX_BITS) as u32
    }

    #[inline]
    const fn index(self) -> usize {
        (self.bits() & ((1 << INDEX_BITS) - 1)).saturating_sub(1) as usize
    }
}

impl<K: Key> KeyIndex<K> {
    /// An empty index.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The key filed under `name` whose row `is_it` says is the one.
    pub fn find<R, W: WithGeneration<R>>(
        &self,
        name: &(impl Hash + ?Sized),
        rows: &Rows<K, R, W>,
        is_it: impl Fn(&R) -> bool,
    ) -> Option<K> {
        let (nth, part) = self.place(name);
        let is_it = |index| rows.at(index).is_some_and(|(_, row)| is_it(row));
        self.tables.get(nth)?.find(part, is_it).and_then(|index| rows.key_at(index))
    }

    /// Files `key` under `name`. What is filed twice is taken out twice.
    pub fn insert(&mut self, name: &(impl Hash + ?Sized), key: K) {
        let (nth, part) = self.place(name);
        self.tables[nth].insert(Cell::new(part, key.index()));
    }

    /// Takes out what [`KeyIndex::insert`] has filed, and gives memory back when little of it is in
    /// use. `false` if there is no such entry.
    pub fn remove(&mut self, name: &(impl Hash + ?Sized), key: K) -> bool {
        let (nth, part) = self.place(name);
        self.tables[nth].remove(Cell::new(part, key.index()))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.len).sum()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table of a name, and its part of the hash there.
    #[expect(clippy::cast_possible_truncation, reason = "other bits for each of them")]
    fn place(&self, name: &(impl Hash + ?Sized)) -> (usize, u32) {
        let hash = self.hasher.hash_one(name);
        (hash as usize % TABLES, (hash >> (64 - PART_BITS)) as u32)
    }
}

impl Table {
    fn find(&self, part: u32, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let run = self.cells.get(home(part, self.homes)..)?.iter();
        let run = run.take_while(|cell| !cell.is_free() && cell.part() <= part);
        run.filter(|cell| cell.part() == part).map(|cell| cell.index()).find(|&at| is_it(at))
    }

    fn insert(&mut self, cell: Cell) {
        // Linear probing slows down steeply above this load.
        if (self.len + 1) * LOAD.1 > self.homes * LOAD.0 {
            self.rebuild((self.homes + self.homes / GROWTH).max(HOMES_MIN));
        }
        self.len += 1;
        let first = home(cell.part(), self.homes);
        let cells = self.cells.get(first..).unwrap_or_default();
        let place =
            first + cells.iter().take_while(|at| !at.is_free() && at.bits() < cell.bits()).count();
        let cells = self.cells.get(place..).unwrap_or_default();
        let end = place + cells.iter().take_while(|at| !at.is_free()).count();
        if end == self.cells.len() {
            self.cells.reserve_exact(1);
            self.cells.push(Cell::FREE);
        }
        // Shifting keeps the cells sorted, so that a search can end early.
        // The rest of the run moves by one cell, into the free one at its end.
        self.cells[place..=end].rotate_right(1);
        self.cells[place] = cell;
        self.debug_check(place..=end);
    }

    fn remove(&mut self, cell: Cell) -> bool {
        let first = home(cell.part(), self.homes);
        let cells = self.cells.get(first..).unwrap_or_default();
        let run = cells.iter().take_while(|at| !at.is_free() && at.bits() <= cell.bits());
        let Some(offset) = run.enumerate().find_map(|(n, &at)| (at == cell).then_some(n)) else {
            return false;
        };
        let place = first + offset;
        // The entries after it that are not at home move back by one cell.
        let behind = self.cells.get(place + 1..).unwrap_or_default().iter().zip(place + 1..);
        let homes = self.homes;
        let away = behind.take_while(|&(at, n)| !at.is_free() && home(at.part(), homes) < n);
        let end = place + away.count();
        self.cells[place..=end].rotate_left(1);
        self.cells[end] = Cell::FREE;
        self.len -= 1;
        self.debug_check(place..=end);
        // Small tables are not worth shrinking.
        if self.homes > HOMES_MIN * 8 && self.len < self.homes / 4 {
            self.rebuild(self.len * 2);
        }
        true
    }

    /// Moves all entries to a table of so many homes. They stay in their order, so this is one
    /// pass.
    fn rebuild(&mut self, homes: usize) {
        let mut cells = Vec::with_capacity(homes + homes / 64 + 2);
        for &cell in self.cells.iter().filter(|cell| !cell.is_free()) {
            let home = home(cell.part(), homes);
            if cells.len() < home {
                cells.resize(home, Cell::FREE);
            }
            cells.push(cell);
        }
        let end = cells.len().max(homes);
        cells.resize(end, Cell::FREE);
        self.cells = cells;
        self.homes = homes;
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "the invariants are checked with debug assertions")]
    #[inline]
    fn debug_check(&self, _: std::ops::RangeInclusive<usize>) {}

    /// Checks the invariants of some cells and of their neighbours.
    #[cfg(debug_assertions)]
    fn debug_check(&self, range: std::ops::RangeInclusive<usize>) {
        for at in range {
            let Some(&cell) = self.cells.get(at).filter(|cell| !cell.is_free()) else { continue };
            let home = home(cell.part(), self.homes);
            assert!(home <= at, "a cell is not before its home");
            let before = at.checked_sub(1).map_or(Cell::FREE, |before| self.cells[before]);
            assert!(!before.is_free() || home == at, "nothing is free between a cell and its home");
            assert!(before.bits() <= cell.bits(), "the cells ascend");
        }
    }
}

impl<K: Key> Default for KeyIndex<K> {
    fn default() -> Self {
        let tables = vec![Table::default(); TABLES];
        Self { tables, hasher: RandomState::new(), key: PhantomData }
    }
}

impl<K> fmt::Debug for KeyIndex<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyIndex({})", self.tables.iter().map(|table| table.len).sum::<usize>())
    }
}

/// The home of a part: as far into all homes as it is into all parts, so that homes ascend as parts
/// do.
const fn home(part: u32, homes: usize) -> usize {
    ((part as u128 * homes as u128) >> PART_BITS) as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::WideKey;
    use super::*;

    /// Parts that collide, at both ends too.
    fn part() -> impl Strategy<Value = u32> {
        const END: u32 = 1 << PART_BITS;
        let few = prop::sample::select(vec![0, 1, END / 2, END - 2, END - 1]);
        prop_oneof![2 => few, 3 => 0..END, 2 => END / 2..END / 2 + 40]
    }

    fn check_all(table: &Table, filed: &[(u32, usize)]) {
        table.debug_check(0..=table.cells.len());
        assert_eq!(table.len, filed.len());
        assert_eq!(table.cells.iter().filter(|cell| !cell.is_free()).count(), filed.len());
        for &(part, index) in filed {
            assert_eq!(table.find(part, |found| found == index), Some(index));
        }
    }

    proptest! {
        #[test]
        fn what_was_filed_is_found_until_it_is_removed(
            ops in prop::collection::vec((0..5usize, part()), 0..400),
        ) {
            let mut table = Table::default();
            let mut filed: Vec<(u32, usize)> = Vec::new();
            for (nth, (what, part)) in ops.into_iter().enumerate() {
                if what < 3 || filed.is_empty() {
                    table.insert(Cell::new(part, nth));
                    filed.push((part, nth));
                } else {
                    let (part, index) = filed.swap_remove(nth % filed.len());
                    prop_assert!(table.remove(Cell::new(part, index)));
                    prop_assert!(!table.remove(Cell::new(part, index)));
                    prop_assert_eq!(table.find(part, |found| found == index), None);
                }
                check_all(&table, &filed);
            }
        }
    }

    #[test]
    fn names_are_told_apart_by_the_rows_that_have_them() {
        let names = ["ann", "bob", "cid"];
        let (mut index, mut rows) = (KeyIndex::<WideKey>::new(), Rows::<WideKey, &str>::new());
        let keys = names.map(|name| rows.insert(name));
        for (name, key) in names.iter().zip(keys) {
            index.insert(*name, key);
        }
        let find = |name: &str| index.find(name, &rows, |row| *row == name);
        assert_eq!((find("bob"), find("dan")), (Some(keys[1]), None));
    }

    #[test]
    fn a_cell_is_its_part_and_its_index_in_six_bytes() {
        for part in [0, 1, (1 << PART_BITS) - 1] {
            for index in [0, 1, (1 << INDEX_BITS) - 2] {
                let cell = Cell::new(part, index);
                assert_eq!((cell.part(), cell.index(), cell.is_free()), (part, index, false));
            }
        }
        assert_eq!(size_of::<Cell>(), 6);
    }

    #[test]
    fn a_key_takes_less_than_ten_bytes_at_any_number_of_them() {
        let mut index = KeyIndex::new();
        let cells = |index: &KeyIndex<WideKey>| -> usize {
            index.tables.iter().map(|table| table.cells.capacity()).sum()
        };
        for nth in 0..200_000 {
            index.insert(&nth, WideKey::new(nth, 0));
            if nth > 4_000 && nth % 64 == 0 {
                let bytes = cells(&index) * size_of::<Cell>();
                assert!(bytes < 10 * nth, "{bytes} for {nth}");
            }
        }
        for nth in 0..200_000 {
            assert!(index.remove(&nth, WideKey::new(nth, 0)));
        }
        assert!(index.is_empty() && cells(&index) < TABLES * 128, "{}", cells(&index));
    }
}
