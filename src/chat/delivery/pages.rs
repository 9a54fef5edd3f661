//! Pages of stored logs, for cursors that are behind their rooms' rings: each is read from the
//! store once, for all who need it, and kept for a while.
//!
//! Pages are cut at multiples of [`PAGE_RECORDS`], so that cursors that began at different places
//! ask for the same ones.

use std::collections::{BTreeMap, VecDeque};

use crate::chat::keys::RoomKey;
use crate::chat::model::log::LogId;
use crate::chat::model::record::SharedRecord;
use crate::chat::rooms::apply_pruning;
use crate::net::ConnId;

/// Records of a page, at most. A page of long ones has fewer, and the next one begins after it.
pub(in crate::chat) const PAGE_RECORDS: u64 = 64;
/// Pages that are being read at a time, for all cursors together. Further ones wait for their turn.
const READS_MAX: usize = 32;
/// Bytes that a page takes besides its records.
const PAGE_OVERHEAD: usize = 256;

/// Where a page begins.
pub(in crate::chat) type PageId = (LogId, u64);

/// Pages that are kept, being read, or wanted.
///
/// Invariants:
/// - `bytes` is the sum of the pages' bytes, and at most `bytes_max` unless there is only one;
/// - `by_use` names every page once, by its `used`;
/// - every page that is being read or is to be is in `reads`, and `reading` counts the former.
#[derive(Debug)]
pub(in crate::chat) struct Pages {
    bytes_max: usize,
    bytes: usize,
    kept: BTreeMap<PageId, Page>,
    by_use: BTreeMap<u64, PageId>,
    uses: u64,
    reads: BTreeMap<PageId, Read>,
    queue: VecDeque<PageId>,
    reading: usize,
}

/// A page that is there.
#[derive(Debug)]
struct Page {
    records: Vec<SharedRecord>,
    bytes: usize,
    used: u64,
}

/// A page that is not there yet.
#[derive(Debug)]
struct Read {
    room: RoomKey,
    to: u64,
    waiting: Vec<ConnId>,
    is_read: bool,
    /// One of its records was changed since it was requested.
    is_stale: bool,
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) struct PageRequest {
    pub room: RoomKey,
    pub log: LogId,
    pub from: u64,
    pub to: u64,
}

impl Pages {
    /// No pages; later at most so many bytes of them.
    pub(in crate::chat) const fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            bytes: 0,
            kept: BTreeMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            reads: BTreeMap::new(),
            queue: VecDeque::new(),
            reading: 0,
        }
    }

    /// Bytes of all pages that are kept.
    pub(in crate::chat) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The records from `seq` on of the page that has it, if there is one.
    pub(in crate::chat) fn from(&mut self, log: LogId, seq: u64) -> Option<&[SharedRecord]> {
        let (&id, page) = self.kept.range_mut((log, 0)..=(log, seq)).next_back()?;
        // Seqs are dense within a page, so that a distance is an index.
        let skip = usize::try_from(seq - id.1).unwrap_or(usize::MAX);
        let records = page.records.get(skip..).filter(|records| !records.is_empty())?;
        // `uses` never repeats, so that the map orders pages by their last use, and the first one
        // is the victim.
        self.by_use.remove(&page.used);
        self.uses += 1;
        page.used = self.uses;
        self.by_use.insert(page.used, id);
        Some(records)
    }

    /// Has the page with `seq` read, unless it is being read, and `conn` named when it is there.
    pub(in crate::chat) fn want(&mut self, (room, log): (RoomKey, LogId), seq: u64, conn: ConnId) {
        // Aligned, so that cursors that began anywhere in the block share one reading.
        let block = seq - (seq - 1) % PAGE_RECORDS;
        // After the part of the block that is there already.
        let before = self.kept.range((log, block)..=(log, seq)).next_back();
        let end = before
            .map_or(block, |(id, page)| id.1 + u64::try_from(page.records.len()).unwrap_or(0));
        let id = (log, end.max(block));
        let reads = self.reads.entry(id).or_insert_with(|| {
            self.queue.push_back(id);
            let to = block + PAGE_RECORDS - 1;
            Read { room, to, waiting: Vec::new(), is_read: false, is_stale: false }
        });
        // A connection may come here by several rooms and again at each drain; it is to be brought
        // up once.
        if !reads.waiting.contains(&conn) {
            reads.waiting.push(conn);
        }
    }

    /// The next page to be read, as long as there are not too many at a time.
    pub(in crate::chat) fn next_to_read(&mut self) -> Option<PageRequest> {
        while self.reading < READS_MAX {
            let id = self.queue.pop_front()?;
            if let Some(reads) = self.reads.get_mut(&id) {
                reads.is_read = true;
                self.reading += 1;
                return Some(PageRequest { room: reads.room, log: id.0, from: id.1, to: reads.to });
            }
        }
        None
    }

    /// A page was read: it is kept, and those who wait for it are returned. If a record of it was
    /// changed meanwhile, it is to be read again, and nobody is.
    pub(in crate::chat) fn on_page(
        &mut self,
        id: PageId,
        records: Vec<SharedRecord>,
    ) -> Vec<ConnId> {
        let Some(mut reads) = self.reads.remove(&id) else { return Vec::new() };
        // Its place is free in any case; if the page is read again, that counts anew.
        self.reading -= 1;
        if reads.is_stale {
            // The answer may be from before the change or after it, and nothing in it tells which.
            // Those who wait keep waiting: the second answer is from after it.
            // Asked for anew after the others, as one that was just wanted.
            (reads.is_stale, reads.is_read) = (false, false);
            self.reads.insert(id, reads);
            self.queue.push_back(id);
            return Vec::new();
        }
        // What was before its first record is gone: it begins there.
        if let Some(first) = records.first().map(|record| record.seq) {
            self.keep((id.0, first), records);
        }
        reads.waiting
    }

    /// A page could not be read: those who wait for it are returned.
    pub(in crate::chat) fn on_failed(&mut self, id: PageId) -> Vec<ConnId> {
        let Some(reads) = self.reads.remove(&id) else { return Vec::new() };
        self.reading -= 1;
        reads.waiting
    }

    /// The record of this seq is another now.
    fn on_changed(&mut self, log: LogId, seq: u64) {
        // Dropped and not changed: a cursor that still needs it has it read again.
        if let Some((&id, page)) = self.kept.range((log, 0)..=(log, seq)).next_back()
            && page.records.last().is_some_and(|last| last.seq >= seq)
        {
            self.drop_page(id);
        }
        // Also those that begin far below: a page that was cut short is keyed by where its rest
        // begins, so that the key alone does not tell whether it holds `seq`.
        for (_, reads) in self.reads.range_mut((log, 0)..=(log, seq)) {
            reads.is_stale |= reads.is_read && reads.to >= seq;
        }
    }

    /// Any record from this seq on may be another now.
    pub(in crate::chat) fn on_changed_from(&mut self, log: LogId, seq: u64) {
        self.on_changed(log, seq);
        while let Some((&id, _)) = self.kept.range((log, seq)..=(log, u64::MAX)).next() {
            self.drop_page(id);
        }
        for (_, reads) in self.reads.range_mut((log, seq)..=(log, u64::MAX)) {
            reads.is_stale |= reads.is_read;
        }
    }

    /// The log begins at `oldest` from now on, or is gone: what is before is dropped, and with it
    /// the texts that do not outlive it.
    pub(in crate::chat) fn prune(&mut self, log: LogId, oldest: u64) {
        let range = (log, 0)..(log, oldest);
        while let Some((&id, _)) = self.kept.range(range.clone()).next() {
            self.drop_page(id);
        }
        for (_, page) in self.kept.range_mut((log, oldest)..=(log, u64::MAX)) {
            // A page that began below is gone. In the others an edit may have the text of a message
            // that went.
            apply_pruning(&mut page.records, oldest);
        }
    }

    fn keep(&mut self, id: PageId, records: Vec<SharedRecord>) {
        self.drop_page(id);
        let weights =
            records.iter().map(|record| usize::try_from(record.weight).unwrap_or(usize::MAX));
        let bytes = PAGE_OVERHEAD + weights.sum::<usize>();
        self.uses += 1;
        self.by_use.insert(self.uses, id);
        self.kept.insert(id, Page { records, bytes, used: self.uses });
        self.bytes += bytes;
        // One page stays even if it alone is over the budget. Otherwise it would be dropped before
        // the cursors that wait for it have seen it, and be read for ever.
        while self.bytes > self.bytes_max && self.kept.len() > 1 {
            let Some((_, oldest)) = self.by_use.pop_first() else { return };
            self.drop_page(oldest);
        }
    }

    fn drop_page(&mut self, id: PageId) {
        if let Some(page) = self.kept.remove(&id) {
            self.by_use.remove(&page.used);
            self.bytes -= page.bytes;
        }
    }

    /// Checks the invariants.
    pub(in crate::chat) fn debug_check(&self) {
        let sum: usize = self.kept.values().map(|page| page.bytes).sum();
        debug_assert_eq!(self.bytes, sum, "the pages are within the books");
        debug_assert_eq!(self.by_use.len(), self.kept.len(), "each page has its use");
        let reading = self.reads.values().filter(|reads| reads.is_read).count();
        debug_assert_eq!(self.reading, reading, "what is being read is counted");
        for reads in self.reads.values() {
            debug_assert!(!reads.waiting.is_empty(), "somebody waits for what is reads for");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::UserName;
    use crate::chat::model::record::{Body, Record};
    use crate::collections::Key as _;

    fn log() -> LogId {
        LogId::new(3, 1)
    }

    fn room() -> RoomKey {
        RoomKey::new(3, 0)
    }

    fn conn(number: usize) -> ConnId {
        ConnId::new(number, 1).unwrap()
    }

    fn records(seqs: std::ops::RangeInclusive<u64>) -> Vec<SharedRecord> {
        let from = UserName::parse("ann").unwrap();
        let record =
            |seq| Record { seq, at: 0, from: from.clone(), body: Body::Deleted, weight: 100 };
        seqs.map(|seq| SharedRecord::new(record(seq))).collect()
    }

    #[test]
    fn a_page_that_many_want_is_read_once_and_serves_all() {
        let mut pages = Pages::new(1 << 20);
        for (number, seq) in [(1, 70), (2, 100), (3, 128), (1, 70)] {
            pages.want((room(), log()), seq, conn(number));
        }
        let wanted = PageRequest { room: room(), log: log(), from: 65, to: 128 };
        assert_eq!(pages.next_to_read(), Some(wanted));
        assert_eq!(pages.next_to_read(), None);
        assert_eq!(pages.on_page((log(), 65), records(65..=128)), [conn(1), conn(2), conn(3)]);
        assert_eq!(pages.from(log(), 100).map(<[_]>::len), Some(29));
        assert!(pages.from(log(), 129).is_none());
        pages.debug_check();
    }

    #[test]
    fn the_rest_of_a_page_that_was_cut_is_read_behind_it() {
        let mut pages = Pages::new(1 << 20);
        pages.want((room(), log()), 1, conn(1));
        pages.next_to_read().unwrap();
        pages.on_page((log(), 1), records(1..=10));
        pages.want((room(), log()), 11, conn(1));
        let wanted = pages.next_to_read().unwrap();
        assert_eq!((wanted.from, wanted.to), (11, 64));
    }

    #[test]
    fn a_page_whose_beginning_is_gone_serves_the_rest() {
        let mut pages = Pages::new(1 << 20);
        pages.want((room(), log()), 30, conn(1));
        pages.next_to_read().unwrap();
        assert_eq!(pages.on_page((log(), 1), records(25..=64)), [conn(1)]);
        assert_eq!(pages.from(log(), 30).map(<[_]>::len), Some(35));
        assert!(pages.from(log(), 24).is_none());
        pages.debug_check();
    }

    #[test]
    fn a_page_whose_record_changes_while_it_is_read_is_read_again() {
        let mut pages = Pages::new(1 << 20);
        pages.want((room(), log()), 5, conn(1));
        pages.next_to_read().unwrap();
        pages.on_changed(log(), 7);
        assert!(pages.on_page((log(), 1), records(1..=64)).is_empty());
        assert!(pages.next_to_read().is_some());
        assert_eq!(pages.on_page((log(), 1), records(1..=64)), [conn(1)]);
        pages.on_changed(log(), 7);
        assert!(pages.from(log(), 5).is_none(), "and one that is kept is dropped");
        pages.debug_check();
    }

    #[test]
    fn what_may_have_changed_from_a_seq_on_is_read_again() {
        let mut pages = Pages::new(1 << 20);
        for block in 0..3 {
            pages.want((room(), log()), block * 64 + 1, conn(1));
            let wanted = pages.next_to_read().unwrap();
            pages.on_page((log(), wanted.from), records(wanted.from..=wanted.to));
        }
        pages.want((room(), log()), 193, conn(1));
        pages.next_to_read().unwrap();
        pages.on_changed_from(log(), 70);
        assert!(pages.on_page((log(), 193), records(193..=256)).is_empty());
        let kept = [1, 65, 129].map(|seq| pages.from(log(), seq).is_some());
        assert_eq!(kept, [true, false, false]);
        pages.debug_check();
    }

    #[test]
    fn a_change_of_the_last_record_of_a_page_is_a_change_of_the_page() {
        let mut pages = Pages::new(1 << 20);
        pages.want((room(), log()), 5, conn(1));
        pages.next_to_read().unwrap();
        pages.on_changed_from(log(), 64);
        assert!(pages.on_page((log(), 1), records(1..=64)).is_empty(), "it is read again");
        pages.next_to_read().unwrap();
        assert_eq!(pages.on_page((log(), 1), records(1..=64)), [conn(1)]);
        pages.on_changed_from(log(), 64);
        assert!(pages.from(log(), 64).is_none());
    }

    #[test]
    fn the_text_of_a_message_that_is_pruned_goes_from_its_edits_on_later_pages() {
        let mut pages = Pages::new(1 << 20);
        pages.want((room(), log()), 65, conn(1));
        pages.next_to_read().unwrap();
        let mut page = records(65..=128);
        let edit = |target| Body::Edit { target, text: Some("secret".into()) };
        for (place, target) in [(0, 3), (9, 66)] {
            page[place] =
                SharedRecord::new(Record { body: edit(target), ..(*page[place]).clone() });
        }
        pages.on_page((log(), 65), page);
        pages.prune(log(), 65);
        let page = pages.from(log(), 65).unwrap();
        assert_eq!(page[0].body, Body::Edit { target: 3, text: None });
        assert_eq!(page[9].body, edit(66));
    }

    #[test]
    fn the_page_that_was_used_longest_ago_makes_room() {
        let mut pages = Pages::new(3 * (PAGE_OVERHEAD + 6_400));
        for block in 0..3 {
            pages.want((room(), log()), block * 64 + 1, conn(1));
            let wanted = pages.next_to_read().unwrap();
            pages.on_page((log(), wanted.from), records(wanted.from..=wanted.to));
        }
        assert!(pages.from(log(), 1).is_some());
        pages.want((room(), log()), 193, conn(1));
        pages.next_to_read().unwrap();
        pages.on_page((log(), 193), records(193..=256));
        assert!(pages.from(log(), 65).is_none());
        assert!(pages.from(log(), 1).is_some());
        pages.debug_check();
    }

    #[test]
    fn only_so_many_pages_are_read_at_a_time() {
        let mut pages = Pages::new(1 << 20);
        for block in 0..100 {
            pages.want((room(), log()), block * 64 + 1, conn(1));
        }
        let mut reads = 0;
        while pages.next_to_read().is_some() {
            reads += 1;
        }
        assert_eq!(reads, READS_MAX);
        pages.on_failed((log(), 1));
        assert!(pages.next_to_read().is_some());
    }
}
