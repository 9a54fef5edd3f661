//! What is on its way from the domain to connections: rendered once, where it is sent from.

use std::ops::Range;

use bytes::Bytes;

use crate::chat::model::output::Encoding;
use crate::net::{ConnId, Effect, Effects};

/// Bytes at which what was gathered is handed over, so that a frame which waits for a slow reader
/// does not keep much else in memory.
const SEALED_AT: usize = 16 * 1024;
/// Bytes up to which what was gathered is copied into memory of just its size if the buffer that
/// was handed over last is still on its way: a buffer of its own would cost more.
const COPIED_MAX: usize = 1024;
/// Bytes of buffer that are kept for the next use: larger ones are rare.
const BUFFER_KEPT: usize = 64 * 1024;

// What is small is copied, what is large is handed over.
const _: () = assert!(COPIED_MAX < SEALED_AT && SEALED_AT < BUFFER_KEPT);

/// Who gets a part of the buffer.
#[derive(Debug)]
enum To {
    One(ConnId),
    Many(Vec<ConnId>),
}

/// Bytes for connections, laid end to end in one buffer, and who gets which of them.
///
/// Invariant: the ranges that are staged are in ascending order of their ends, and within the
/// buffer.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// To be appended to, and then staged.
    pub bytes: Vec<u8>,
    staged: Vec<(To, Range<usize>)>,
    /// The buffer that was handed over last; it is used again when nothing of it is on its way any
    /// more.
    handed_over: Bytes,
    /// Where the records of the present fan-out are, by encoding.
    pub batches: [Batch; Encoding::ALL.len()],
}

impl Outgoing {
    /// Stages everything from `start` to the end for one connection. What goes to the same
    /// connection as what was staged before it leaves in one piece with that.
    pub(super) fn stage(&mut self, conn: ConnId, start: usize) {
        let end = self.bytes.len();
        if start >= end {
            return;
        }
        if let Some((To::One(last), range)) = self.staged.last_mut()
            && *last == conn
            // One connection alone does not do: a part of a fan-out may lie between the two.
            && range.end == start
        {
            range.end = end;
            return;
        }
        self.staged.push((To::One(conn), start..end));
    }

    /// Stages a part of what was rendered before for one connection.
    pub(super) fn stage_part(&mut self, conn: ConnId, part: Range<usize>) {
        if !part.is_empty() {
            self.staged.push((To::One(conn), part));
        }
    }

    /// Stages a part of what was rendered before for many connections.
    pub(super) fn stage_for_all(&mut self, to: Vec<ConnId>, part: Range<usize>) {
        if !part.is_empty() {
            self.staged.push((To::Many(to), part));
        }
    }

    /// Whether there is nothing to be handed over.
    pub(super) const fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.bytes.is_empty()
    }

    /// Whether so much is staged that it should be handed over.
    pub(super) const fn is_full(&self) -> bool {
        self.bytes.len() >= SEALED_AT
    }

    /// Hands over everything that was staged, as the effects that send it.
    pub(super) fn seal(&mut self, effects: &mut Effects) {
        if self.staged.is_empty() {
            self.bytes.clear();
            return;
        }
        // One buffer for all that is staged: each frame is a slice of it, and costs a count and not
        // a copy.
        let whole = self.freeze();
        for (to, part) in self.staged.drain(..) {
            // Slices may overlap: a sender's run and everybody's are the same bytes.
            let frame = whole.slice(part);
            effects.push(match to {
                To::One(conn) => Effect::Send { conn, frame },
                To::Many(to) => Effect::Broadcast { to, frame },
            });
        }
    }

    /// The buffer, to be shared; the next one is empty.
    fn freeze(&mut self) -> Bytes {
        let is_free = self.handed_over.is_empty() || self.handed_over.is_unique();
        if !is_free && self.bytes.len() <= COPIED_MAX {
            let copy = Bytes::copy_from_slice(&self.bytes);
            self.bytes.clear();
            return copy;
        }
        let before = std::mem::take(&mut self.handed_over);
        // The memory of the last buffer, once every socket has taken its part.
        let next = if is_free { reclaim(before) } else { Vec::new() };
        let full = std::mem::replace(&mut self.bytes, next);
        let whole = Bytes::from(full);
        self.handed_over = whole.clone();
        whole
    }
}

/// The memory of a buffer that nobody else holds.
fn reclaim(mut buffer: Bytes) -> Vec<u8> {
    buffer.truncate(0);
    let bytes = Vec::from(buffer);
    if bytes.capacity() > BUFFER_KEPT { Vec::new() } else { bytes }
}

/// Where the records of one fan-out lie in the buffer, in one encoding.
#[derive(Debug, Default)]
pub(super) struct Batch {
    start: usize,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Batch {
    /// Whether nothing has been rendered yet.
    pub(super) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The records follow from here on.
    pub(super) const fn begin(&mut self, start: usize) {
        self.start = start;
    }

    /// A record ends here.
    pub(super) fn push(&mut self, end: usize) {
        self.ends.push(end);
    }

    /// Where the last record ends.
    pub(super) fn end(&self) -> usize {
        self.ends.last().copied().unwrap_or(self.start)
    }

    /// Where all records are.
    pub(super) fn whole(&self) -> Range<usize> {
        self.start..self.end()
    }

    /// Where the records of `range` are.
    pub(super) fn part(&self, range: &Range<usize>) -> Range<usize> {
        let end_of = |index: usize| self.ends.get(index).copied();
        let start = range.start.checked_sub(1).and_then(end_of).unwrap_or(self.start);
        let end = range.end.checked_sub(1).and_then(end_of).unwrap_or(start);
        start.min(end)..end
    }

    /// Forgets the records, for the next fan-out.
    pub(super) fn clear(&mut self) {
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conn(slot: usize) -> ConnId {
        ConnId::new(slot, 1).unwrap()
    }

    /// Who gets what, one line for each effect.
    fn sent(effects: &Effects) -> Vec<String> {
        let text = |frame: &Bytes| String::from_utf8(frame.to_vec()).unwrap();
        let line = |effect: &Effect| match effect {
            Effect::Send { conn, frame } => format!("{}: {}", conn.slot(), text(frame)),
            Effect::Broadcast { to, frame } => {
                let slots: Vec<_> = to.iter().map(|conn| conn.slot()).collect();
                format!("{slots:?}: {}", text(frame))
            }
            other => panic!("{other:?}"),
        };
        effects.iter().map(line).collect()
    }

    fn say(outgoing: &mut Outgoing, to: usize, text: &str) {
        let start = outgoing.bytes.len();
        outgoing.bytes.extend_from_slice(text.as_bytes());
        outgoing.stage(conn(to), start);
    }

    #[test]
    fn a_range_of_records_is_where_their_ends_say() {
        let mut batch = Batch::default();
        batch.begin(10);
        for end in [13, 16, 21] {
            batch.push(end);
        }
        assert_eq!(batch.whole(), 10..21);
        for (records, expect) in [(0..3, 10..21), (1..2, 13..16), (2..2, 16..16), (2..9, 16..16)] {
            assert_eq!(batch.part(&records), expect, "{records:?}");
        }
        batch.clear();
        assert!(batch.is_empty());
    }

    #[test]
    fn what_one_connection_gets_in_a_row_leaves_in_one_piece() {
        let (mut outgoing, mut effects) = (Outgoing::default(), Effects::new());
        say(&mut outgoing, 1, "one ");
        say(&mut outgoing, 1, "two");
        say(&mut outgoing, 2, "three");
        outgoing.stage_for_all(vec![conn(1), conn(3)], 0..3);
        outgoing.stage(conn(4), outgoing.bytes.len());
        outgoing.seal(&mut effects);
        assert_eq!(sent(&effects), ["1: one two", "2: three", "[1, 3]: one"]);
        outgoing.seal(&mut effects);
        assert_eq!(effects.len(), 3, "nothing is said twice");
    }

    #[test]
    fn what_is_on_its_way_is_never_overwritten() {
        let (mut outgoing, mut effects) = (Outgoing::default(), Effects::new());
        let text = |round: usize| {
            format!("{round}").repeat(if round.is_multiple_of(3) { 3_000 } else { 9 })
        };
        for round in 0..9 {
            say(&mut outgoing, round, &text(round));
            outgoing.seal(&mut effects);
        }
        let expect: Vec<_> = (0..9).map(|round| format!("{round}: {}", text(round))).collect();
        assert_eq!(sent(&effects), expect);
    }

    #[test]
    fn a_buffer_is_used_again_once_nothing_of_it_is_on_its_way() {
        let (mut outgoing, mut effects) = (Outgoing::default(), Effects::new());
        let mut places = Vec::new();
        for _ in 0..4 {
            outgoing.bytes.reserve(100);
            places.push(outgoing.bytes.as_ptr());
            say(&mut outgoing, 1, "a text that is longer than nothing");
            outgoing.seal(&mut effects);
            effects.clear();
        }
        assert_eq!(places[0], places[2]);
        assert_eq!(places[1], places[3]);
    }
}
