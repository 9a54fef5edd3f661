//! What a turn has added to a room, rendered once for all who get it in the same way.

use std::ops::Range;

use bytes::Bytes;

use super::edge::Edge;
use super::format::Format;
use crate::chat::model::output::Encoding;
use crate::chat::{RoomName, SharedRecord};
use crate::wire::{self, render};

/// Bytes of scratch space that are kept for the next use; what is larger is rare.
pub(super) const SCRATCH_KEPT: usize = 256 * 1024;

/// A batch of records for each encoding.
pub(super) type Batches = [Batch; Encoding::ALL.len()];

/// A batch of records, laid end to end; empty until somebody needs it.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
    /// The same bytes, to be shared.
    frame: Option<Bytes>,
}

impl Batch {
    /// Where the records of `range` are.
    pub(super) fn bytes_of(&self, range: &Range<usize>) -> Range<usize> {
        let end_of = |index: usize| self.ends.get(index).copied();
        let start = range.start.checked_sub(1).and_then(end_of).unwrap_or(0);
        let end = range.end.checked_sub(1).and_then(end_of).unwrap_or(start);
        start.min(end)..end
    }

    /// All of it, to be shared.
    pub(super) fn shared(&mut self) -> &Bytes {
        self.frame.get_or_insert_with(|| shared(&self.bytes))
    }

    /// The same, for the last time and for so many.
    pub(super) fn take_shared(&mut self, recipients: usize) -> Bytes {
        self.frame.take().unwrap_or_else(|| match recipients {
            0 | 1 => Bytes::copy_from_slice(&self.bytes),
            _ => shared(&self.bytes),
        })
    }

    /// Empties it, and frees what a large batch left behind.
    pub(super) fn clear(&mut self) {
        if self.ends.is_empty() {
            return;
        }
        self.ends.clear();
        self.frame = None;
        self.bytes.clear();
        if self.bytes.capacity() > SCRATCH_KEPT {
            *self = Self::default();
        }
    }
}

/// A frame for many.
fn shared(bytes: &[u8]) -> Bytes {
    // One byte more than is used, so that the count of references is there from the start: a frame that
    // fills its memory gets one when it is first cloned, and looks whether it has at each further one.
    let mut out = Vec::with_capacity(bytes.len() + 1);
    out.extend_from_slice(bytes);
    Bytes::from(out)
}

impl Edge {
    /// Renders records into their batch, unless they are there already.
    pub(super) fn render_records(
        &mut self,
        batch: &mut Batch,
        format: Format,
        (room, records): (&RoomName, &[SharedRecord]),
    ) {
        if !batch.ends.is_empty() {
            return;
        }
        let Batch { bytes, ends, .. } = batch;
        let mut text = std::mem::take(&mut self.text);
        for record in records {
            text.clear();
            match format {
                Format::Human => wire::human::record_event(&mut text, room, record),
                _ => render::record_event(&mut text, room, record),
            }
            self.put(format, &text, bytes);
            debug_assert!(
                bytes.len() - ends.last().copied().unwrap_or(0)
                    <= usize::try_from(record.weight).unwrap_or(0),
                "a record takes no more than its weight"
            );
            ends.push(bytes.len());
        }
        self.text = text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(batch: &Batch, range: Range<usize>, expect: &[u8]) {
        assert_eq!(&batch.bytes[batch.bytes_of(&range)], expect, "{range:?}");
    }

    #[test]
    fn a_range_of_records_is_where_their_ends_say() {
        let mut batch = Batch { bytes: b"onetwothree".to_vec(), ends: vec![3, 6, 11], frame: None };
        check(&batch, 0..3, b"onetwothree");
        check(&batch, 1..2, b"two");
        check(&batch, 2..2, b"");
        check(&batch, 2..9, b"");
        assert_eq!(batch.shared().as_ref(), b"onetwothree");
        batch.clear();
        check(&batch, 0..1, b"");
        assert!(batch.take_shared(2).is_empty());
    }
}
