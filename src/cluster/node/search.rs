//! Search: what is asked of the index of words (`search.sql`), and which of the messages that come
//! back have all words.
//!
//! The index knows words by blocks of records and finds what may have them; so do those who look at
//! what is not in the index. [`Wanted`] decides of each text, as it does for all other stores.
//!
//! # Places
//!
//! Results are ordered by time, then by a number that tells most records of one millisecond apart.
//! Both together are the place behind which a later page goes on: records of one place are never
//! parted by pages.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::rows::Part;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::limits::{SEARCH_BYTES_MAX, SEQ_END};
use crate::chat::model::log::{Answer, LogId};
use crate::chat::model::record::{Body, SharedRecord};
use crate::chat::model::words::Wanted;
use crate::pg::Param;

/// Blocks of one search that are looked into, besides one of each room: so many rooms may have a
/// block that has what is looked for and is as late as any.
const BLOCKS_MAX: usize = 32;
/// Messages that are not in the index yet, of all rooms together, and of each room at least.
const LOOK_RECORDS: (usize, usize) = (1_024, 32);
/// What they may weigh together with those of blocks that have changed since: far less than an
/// answer may have, and more than any message.
const LOOK_WEIGHT: usize = 8 << 20;
/// Messages that are asked for beyond those that are wanted: they may be of one place.
const SPARE: u64 = 16;

/// Bits of a place that tell records of one millisecond apart.
const TIE_BITS: u32 = 12;
/// What times in places begin at, 2020: so that they end at 2^53 in 2089 only.
const BEGIN_MS: u64 = 1_577_836_800_000;
/// No place is as high: the domain takes the one below the end for what is behind all in memory.
const PLACE_END: u64 = SEQ_END - 2;

/// A search in rooms by the numbers of their rows.
#[derive(Debug)]
pub(super) struct Search {
    rooms: Vec<(i64, LogId)>,
    wanted: Wanted,
    /// What a message must have in the index.
    terms: Vec<(String, bool)>,
    /// The same of a block, as the engine writes it.
    query: String,
    before: u64,
    limit: u32,
}

impl Search {
    /// The search in these rooms; `None` if it finds nothing.
    pub(super) fn new(
        rooms: Vec<(i64, LogId)>,
        text: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Option<Self> {
        let wanted = Wanted::of(text);
        let terms = wanted.terms();
        let before = before.unwrap_or(PLACE_END).min(PLACE_END);
        if terms.is_empty() || rooms.is_empty() || before == 0 || limit == 0 {
            return None;
        }
        let query = query(&rooms, &terms);
        Some(Self { rooms, wanted, terms, query, before, limit })
    }

    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let rooms: Vec<Option<i64>> = self.rooms.iter().map(|(row, _)| Some(*row)).collect();
        let terms: Vec<Option<&str>> = self.terms.iter().map(|(term, _)| Some(&**term)).collect();
        let beginnings: Vec<Option<i64>> =
            self.terms.iter().map(|(_, is_beginning)| Some(i64::from(*is_beginning))).collect();
        let int = |number: usize| Param::Int(i64::try_from(number).unwrap_or(i64::MAX));
        let (look, each) = LOOK_RECORDS;
        ask(&[
            Param::Text(&self.query),
            Param::Ints(&rooms),
            Param::Texts(&terms),
            Param::Ints(&beginnings),
            Param::Int(signed(BEGIN_MS + (self.before >> TIE_BITS))),
            Param::Int(signed(self.before & TIE_MAX)),
            int(BLOCKS_MAX + rooms.len()),
            Param::Int(signed(u64::from(self.limit) + SPARE)),
            int((look / rooms.len()).max(each)),
            int(LOOK_WEIGHT),
        ])
    }

    /// What was found, latest first.
    pub(super) fn answer(&self, parts: Vec<Part>) -> Answer {
        // What there is at or below this place is not known.
        let mut floor = None;
        let mut found = Vec::new();
        for part in parts {
            match part {
                Part::Place(_, at, tie) => floor = floor.max(Some(place_at(at, tie))),
                Part::Record(row, record) => {
                    let log = self.rooms.iter().find(|(room, _)| *room == row);
                    let is_found = matches!(&record.body,
                        Body::Message { text, .. } if self.wanted.are_in(text));
                    if let Some((_, log)) = log.filter(|_| is_found) {
                        found.push((place_of(row, &record), *log, record));
                    }
                }
                _ => {}
            }
        }
        // What is at the floor is left to the next page, whole: there may be more of the same
        // place.
        found.retain(|(place, ..)| Some(*place) > floor);
        found.sort_by_key(|(place, _, record)| Reverse((*place, record.seq)));
        self.page(found, floor)
    }

    /// As many as there may be.
    fn page(&self, found: Vec<(u64, LogId, SharedRecord)>, floor: Option<u64>) -> Answer {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let (mut items, mut bytes, mut last) = (Vec::new(), 0_usize, None);
        // Strictly lower than what was asked for, so that pages end.
        let lower = |place: u64| place.min(self.before - 1);
        for (place, log, record) in found {
            bytes = bytes.saturating_add(usize::try_from(record.weight).unwrap_or(usize::MAX));
            let is_full = items.len() >= limit || bytes > SEARCH_BYTES_MAX;
            if is_full && let Some(last) = last.filter(|last| *last != place) {
                return Answer::Found { items, next: Some(last) };
            }
            last = Some(place);
            items.push((log, record));
        }
        let next = floor.map(|floor| lower(floor.saturating_add(1))).filter(|next| *next > 0);
        Answer::Found { items, next }
    }
}

/// The highest number that tells records of one millisecond apart.
const TIE_MAX: u64 = (1 << TIE_BITS) - 1;

/// A place by its parts.
fn place_at(at: u64, tie: u64) -> u64 {
    (at.saturating_sub(BEGIN_MS) << TIE_BITS | (tie & TIE_MAX)).min(PLACE_END - 1)
}

/// The place of a record: as the statement has it.
fn place_of(row: i64, record: &SharedRecord) -> u64 {
    let tie = unsigned(row).wrapping_mul(31).wrapping_add(record.seq);
    place_at(record.at, tie)
}

/// What a block must have: one of the rooms, and all terms or messages of which it does not know.
fn query(rooms: &[(i64, LogId)], terms: &[(String, bool)]) -> String {
    let mut query = String::new();
    let mut before = "(";
    for (row, _) in rooms {
        _ = write!(query, "{before}'#{row}'");
        before = "|";
    }
    before = ")&('#all'|(";
    for (term, is_beginning) in terms {
        // Of letters, digits and marks: nothing has to be escaped.
        let beginning = if *is_beginning { ":*" } else { "" };
        _ = write!(query, "{before}'{term}'{beginning}");
        before = "&";
    }
    query.push_str("))");
    query
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::model::name::UserName;
    use crate::chat::model::record::Record;

    const NOW: u64 = 1_800_000_000_000;

    fn message(row: i64, seq: u64, at: u64, text: &str) -> Part {
        let (data, cid, reply_to, thread, edited) = (None, None, None, None, None);
        let body = Body::Message { text: text.into(), data, cid, reply_to, thread, edited };
        let from = UserName::parse("ann").unwrap();
        Part::Record(row, Arc::new(Record { seq, at, from, body, weight: 300 }))
    }

    /// The seqs, and the next place.
    fn page(before: Option<u64>, limit: u32, parts: Vec<Part>) -> (Vec<u64>, Option<u64>) {
        let rooms = vec![(7, LogId::new(1, 1)), (9, LogId::new(2, 1))];
        let search = Search::new(rooms, "hi", before, limit).unwrap();
        match search.answer(parts) {
            Answer::Found { items, next } => {
                (items.iter().map(|(_, record)| record.seq).collect(), next)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_typed_is_asked_by_its_terms_in_each_room() {
        let rooms = vec![(7, LogId::new(1, 1)), (9, LogId::new(2, 1))];
        for (text, expect) in [
            ("Hello wor", "('#7'|'#9')&('#all'|('hello'&'wor':*))"),
            ("天气 a", "('#7'|'#9')&('#all'|('天'&'气'&'a'))"),
            ("x' | '#all", "('#7'|'#9')&('#all'|('x'&'all':*))"),
        ] {
            let search = Search::new(rooms.clone(), text, None, 1).unwrap();
            assert_eq!(search.query, expect, "{text}");
        }
        assert!(Search::new(rooms, "-", None, 1).is_none());
        assert!(Search::new(Vec::new(), "hi", None, 1).is_none());
    }

    #[test]
    fn only_what_has_the_words_is_found_latest_first() {
        let parts = vec![
            message(7, 1, NOW, "hi"),
            message(7, 2, NOW + 1, "ho"),
            message(9, 3, NOW + 2, "hi, too"),
            message(8, 4, NOW + 3, "hi elsewhere"),
        ];
        assert_eq!(page(None, 9, parts), (vec![3, 1], None));
    }

    #[test]
    fn what_may_not_be_all_is_left_to_the_next_page() {
        let parts = |floor| {
            let hi = (1..=4).map(|seq| message(7, seq, NOW + seq, "hi"));
            hi.chain([Part::Place(9, floor, TIE_MAX)]).collect::<Vec<_>>()
        };
        let (seqs, next) = page(None, 9, parts(NOW + 2));
        assert_eq!(seqs, [4, 3]);
        let next = next.unwrap();
        assert!(place_at(NOW + 2, 9) < next && next <= place_at(NOW + 3, 0), "{next}");
        // Nothing was learnt: the next page is another one all the same.
        assert_eq!(page(Some(next), 9, parts(NOW + 9)), (vec![], Some(next - 1)));
    }

    #[test]
    fn records_of_one_place_are_on_one_page() {
        // 31 rows by two records of the same millisecond, and the same number.
        let parts = vec![
            message(7, 63, NOW, "hi 1"),
            message(9, 1, NOW, "hi 2"),
            message(7, 9, NOW - 1, "hi 3"),
        ];
        let (seqs, next) = page(None, 1, parts);
        assert_eq!(seqs, [63, 1]);
        assert_eq!(next, Some(place_at(NOW, 280)));
    }

    #[test]
    fn places_are_what_a_client_can_hold() {
        for at in [0, NOW, u64::MAX >> 20] {
            assert!(place_at(at, u64::MAX) < SEQ_END - 1, "{at}");
        }
        assert_eq!(place_at(NOW, 5) + 1, place_at(NOW, 6));
        assert_eq!(place_at(NOW, TIE_MAX) + 1, place_at(NOW + 1, 0));
    }
}
