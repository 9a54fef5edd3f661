//! Blocks of records on their way into the index of words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::chat::model::columns::unsigned;
use crate::chat::model::words::terms;
use crate::pg::{Param, Row, WrongType};

/// Records of a block: as `search.sql` has it.
const BLOCK_RECORDS: i64 = 64;
/// Bytes of the words of a block, of which the engine takes 1 MiB in one value; of its other
/// messages it is only known that there are some.
const TERMS_BYTES_MAX: usize = 256 << 10;
/// Stands for the words of a message that are not there.
const ALL: &str = "#all";

/// Blocks that are to be indexed.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    /// The last room that was looked at, if there was one.
    pub(super) last_room: Option<i64>,
    /// How many blocks are above those that are indexed, and the last of their rooms.
    pub(super) ahead: i64,
    pub(super) last_ahead: i64,
    blocks: BTreeMap<(i64, i64), Block>,
}

/// One of them.
#[derive(Debug, Default)]
struct Block {
    /// The room's number of edits when it was read.
    edits: i64,
    /// The last seq that is in it.
    upto: i64,
    /// Times of its messages.
    times: Option<(i64, i64)>,
    /// Its words, and in which of its messages they are.
    terms: BTreeMap<String, Vec<u64>>,
    bytes: usize,
}

/// What a row says: part, room, four numbers, text.
mod part {
    pub(super) const LAST_ROOM: i64 = 0;
    pub(super) const BLOCK: i64 = 1;
    pub(super) const MESSAGE: i64 = 2;
}

impl Blocks {
    /// Reads the rows of the statement, whose messages come behind their blocks.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if they are none.
    pub(super) fn read(rows: &[Row]) -> Result<Self, WrongType> {
        let mut all = Self::default();
        for row in rows {
            match row.int(0)? {
                part::LAST_ROOM => all.last_room = row.int_or_null(1)?,
                part::BLOCK => {
                    let (room, block) = (row.int(1)?, row.int(2)?);
                    if row.int(5)? != 0 {
                        all.ahead += 1;
                        all.last_ahead = all.last_ahead.max(room);
                    }
                    let (edits, upto) = (row.int(3)?, row.int(4)?);
                    let block = all.blocks.entry((room, block)).or_default();
                    (block.edits, block.upto) = (edits, block.upto.max(upto));
                }
                part::MESSAGE => {
                    let (room, seq, at) = (row.int(1)?, row.int(2)?, row.int(3)?);
                    let block = all.blocks.entry((room, (seq - 1) / BLOCK_RECORDS)).or_default();
                    // From 1, as the engine counts the places of words in a text.
                    block.add(unsigned((seq - 1) % BLOCK_RECORDS + 1), at, row.text_or_null(6)?);
                }
                _ => return Err(WrongType { column: 0 }),
            }
        }
        Ok(all)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let ints = |of: &dyn Fn(&(i64, i64), &Block) -> i64| -> Vec<Option<i64>> {
            self.blocks.iter().map(|(key, block)| Some(of(key, block))).collect()
        };
        let (rooms, blocks) = (ints(&|(room, _), _| *room), ints(&|(_, block), _| *block));
        let (edits, uptos) = (ints(&|_, block| block.edits), ints(&|_, block| block.upto));
        let lows = ints(&|_, block| block.times.map_or(0, |(low, _)| low));
        let highs = ints(&|_, block| block.times.map_or(0, |(_, high)| high));
        let words: Vec<Option<String>> =
            self.blocks.iter().map(|((room, _), block)| block.words(*room)).collect();
        let words: Vec<Option<&str>> = words.iter().map(Option::as_deref).collect();
        ask(&[
            Param::Ints(&rooms),
            Param::Ints(&blocks),
            Param::Ints(&edits),
            Param::Ints(&uptos),
            Param::Ints(&lows),
            Param::Ints(&highs),
            Param::Texts(&words),
        ])
    }
}

impl Block {
    /// Adds a message in this place; `None`: its text is too long to be looked at.
    fn add(&mut self, place: u64, at: i64, text: Option<&str>) {
        let (low, high) = self.times.unwrap_or((at, at));
        self.times = Some((low.min(at), high.max(at)));
        let terms = text.map(terms).filter(|terms| {
            // Quotes, and a place of two digits.
            let bytes: usize = terms.iter().map(|term| term.len() + 6).sum();
            self.bytes += bytes;
            self.bytes <= TERMS_BYTES_MAX
        });
        match terms {
            Some(terms) => {
                for term in terms {
                    self.terms.entry(term).or_default().push(place);
                }
            }
            None => self.terms.entry(ALL.to_owned()).or_default().push(place),
        }
    }

    /// The block as the engine reads it; `None` if it has no messages.
    fn words(&self, room: i64) -> Option<String> {
        self.times?;
        let mut words = format!("'#{room}'");
        for (term, places) in &self.terms {
            // Of letters, digits and marks: nothing has to be escaped.
            _ = write!(words, " '{term}'");
            let mut before = ':';
            for place in places {
                _ = write!(words, "{before}{place}");
                before = ',';
            }
        }
        Some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_its_words_with_their_places() {
        let mut block = Block::default();
        assert_eq!(block.words(7), None);
        block.add(1, 50, Some("Hello, hello 天气"));
        block.add(64, 40, Some("hello x"));
        block.add(2, 60, None);
        block.add(3, 45, Some("-"));
        assert_eq!(block.times, Some((40, 60)));
        let words = "'#7' '#all':2 'hello':1,64 'x':64 '天':1 '气':1";
        assert_eq!(block.words(7).as_deref(), Some(words));
    }

    #[test]
    fn a_block_of_too_many_words_says_that_there_are_more() {
        let mut block = Block::default();
        let many = |nth: usize| {
            let words: Vec<String> = (0..6_000).map(|n| format!("{nth}w{n}")).collect();
            words.join(" ")
        };
        for place in 1..=64 {
            block.add(place, 1, Some(&many(usize::try_from(place).unwrap())));
        }
        let words = block.words(7).unwrap();
        assert!(words.len() < 2 * TERMS_BYTES_MAX, "{}", words.len());
        assert!(words.contains("'1w0':1 ") && words.contains("'#all':") && words.contains(",64 "));
    }
}
