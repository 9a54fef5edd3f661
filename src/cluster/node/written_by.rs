//! What a user has written, over all rooms, and the conversations of the user.
//!
//! No index finds the records of a sender: it would cost each message. So they are looked through
//! in the order of rooms and seqs, some of them for each page, which says where the next one goes
//! on.

use std::collections::BTreeMap;

use super::rows::Part;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::limits::{PAGE_BYTES_MAX, SEQ_END};
use crate::chat::model::log::Answer;
use crate::chat::model::name::{RoomName, UserName};
use crate::pg::Param;

/// Records that one page looks at: some ten milliseconds.
const LOOK_RECORDS_MAX: u64 = 20_000;
/// Bits of a place that are the seq: half a billion records of one room, in sixteen million rooms.
const SEQ_BITS: u32 = 29;
/// No place is as high: the parts of an export before the records have places, too.
const PLACE_END: u64 = SEQ_END - 8;

/// What is asked for.
#[derive(Debug)]
pub(super) struct WrittenBy {
    /// Who.
    pub(super) user: UserName,
    /// The rows of the conversations.
    pub(super) rooms: Vec<i64>,
    /// The place behind which to go on.
    pub(super) above: u64,
    /// How many.
    pub(super) limit: u32,
}

impl WrittenBy {
    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let rooms: Vec<Option<i64>> = self.rooms.iter().copied().map(Some).collect();
        ask(&[
            Param::Text(self.user.as_str()),
            Param::Ints(&rooms),
            Param::Int(signed(self.above >> SEQ_BITS)),
            Param::Int(signed(self.above & ((1 << SEQ_BITS) - 1))),
            Param::Int(signed(LOOK_RECORDS_MAX)),
            Param::Int(i64::from(self.limit)),
        ])
    }

    /// As much as a page holds.
    pub(super) fn answer(&self, parts: Vec<Part>) -> Answer {
        let mut names: BTreeMap<i64, RoomName> = BTreeMap::new();
        let (mut items, mut bytes, mut count) = (Vec::new(), 0_usize, 0);
        let (mut last, mut end, mut is_full) = (self.above, None, false);
        for part in parts {
            match part {
                Part::Room(row, Some(room)) => {
                    names.extend(room.about.map(|(name, _)| (row, name)));
                }
                Part::Record(row, record) if !is_full => {
                    let weight = usize::try_from(record.weight).unwrap_or(usize::MAX);
                    bytes = bytes.saturating_add(weight);
                    is_full = bytes > PAGE_BYTES_MAX && !items.is_empty();
                    if !is_full {
                        count += 1;
                        last = place(row, record.seq);
                        items.extend(names.get(&row).map(|name| (name.clone(), record)));
                    }
                }
                Part::Place(row, seq, looked) => {
                    end = (looked >= LOOK_RECORDS_MAX).then(|| place(row, seq));
                }
                _ => {}
            }
        }
        // As many as asked for may be all of them, or not: the next page says so.
        let next = if is_full || count >= self.limit { Some(last) } else { end };
        // A place that no client can hold ends the export: it is not repeated for ever.
        let next = next.filter(|next| (self.above + 1..PLACE_END).contains(next));
        Answer::Written { items, next }
    }
}

/// The place of a record.
fn place(row: i64, seq: u64) -> u64 {
    (unsigned(row) << SEQ_BITS).saturating_add(seq)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::model::record::{Body, Epoch, Record};
    use crate::cluster::node::rows::RoomRow;

    fn user(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn room(row: i64, name: &str) -> Part {
        let about = Some((RoomName::stored(name).unwrap(), Vec::new()));
        let (epoch, head, oldest, version) = (Epoch(1), 9, 1, 0);
        let (facts, at, bytes) = (0, 0, 0);
        let room = RoomRow { epoch, head, oldest, version, facts, at, bytes, about };
        Part::Room(row, Some(Box::new(room)))
    }

    fn record(row: i64, seq: u64, weight: usize) -> Part {
        let body = Body::Topic { text: "".into() };
        let weight = u32::try_from(weight).unwrap();
        Part::Record(row, Arc::new(Record { seq, at: 1, from: user("ann"), body, weight }))
    }

    #[track_caller]
    fn check(limit: u32, parts: Vec<Part>, expect: &[(&str, u64)], next: Option<(i64, u64)>) {
        let sent = WrittenBy { user: user("ann"), rooms: Vec::new(), above: 0, limit };
        let Answer::Written { items, next: found } = sent.answer(parts) else { panic!() };
        let items: Vec<_> = items.iter().map(|(room, it)| (room.as_str(), it.seq)).collect();
        assert_eq!(items, expect);
        assert_eq!(found, next.map(|(row, seq)| place(row, seq)));
    }

    #[test]
    fn a_page_ends_where_the_next_one_begins() {
        let rooms = || vec![room(3, "den"), room(5, "lobby")];
        let with = |more: Vec<Part>| rooms().into_iter().chain(more).collect::<Vec<_>>();
        let two = || vec![record(3, 2, 300), record(5, 1, 300)];
        let all = [("den", 2), ("lobby", 1)];
        let looked = |count| vec![Part::Place(5, 8, count)];
        check(9, with(two()), &all, None);
        check(2, with(two()), &all, Some((5, 1)));
        check(9, with([two(), looked(8)].concat()), &all, None);
        check(9, with([two(), looked(LOOK_RECORDS_MAX)].concat()), &all, Some((5, 8)));
        check(9, looked(LOOK_RECORDS_MAX), &[], Some((5, 8)));
        let heavy = vec![record(3, 2, PAGE_BYTES_MAX + 1), record(5, 1, 300)];
        check(9, with(heavy), &all[..1], Some((3, 2)));
    }
}
