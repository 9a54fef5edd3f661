//! Heads out of pieces: borrowed where they come whole, kept where they come in parts.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::scan::{Scan, StartLine};
use super::{Limits, Refusal};

/// A head that has begun: its bytes so far and how far they were scanned.
#[derive(Clone, Debug)]
pub(super) struct Part<S> {
    scan: Scan<S>,
    bytes: Vec<u8>,
}

impl<S> Part<S> {
    /// Adds `bytes`. The storage doubles, so that single bytes are cheap, but never exceeds the
    /// limit of a head.
    fn append(&mut self, bytes: &[u8], limits: Limits) {
        let len = self.bytes.len() + bytes.len();
        if len > self.bytes.capacity() {
            let wanted = len.next_power_of_two().min(limits.head_len_max).max(len);
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes so far.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Bytes that it occupies.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>()
            + self.bytes.capacity()
            + self.scan.fields.capacity() * size_of::<super::scan::Field>()
    }
}

/// Puts heads together; one serves any number of connections.
#[derive(Debug)]
pub(super) struct Assembler<S> {
    limits: Limits,
    /// The scan of a head that is whole in the input.
    whole: Scan<S>,
    /// The last head that came in parts, kept while the caller borrows from it.
    joined: Option<Box<Part<S>>>,
}

/// A complete head.
#[derive(Debug)]
pub(super) struct Complete<'a, S> {
    /// From the head's first byte on, perhaps longer than the head.
    pub(super) bytes: &'a [u8],
    /// What was found in them.
    pub(super) scan: &'a Scan<S>,
    /// How many bytes of the input were the head's.
    pub(super) consumed: usize,
}

impl<S: StartLine> Assembler<S> {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, whole: Scan::default(), joined: None }
    }

    /// Continues a head whose first bytes are in `part`, if there are any.
    ///
    /// `part` holds something afterwards only if the head is still incomplete.
    pub(super) fn advance<'a>(
        &'a mut self,
        part: &mut Option<Box<Part<S>>>,
        input: &'a [u8],
    ) -> Result<Option<Complete<'a, S>>, Refusal> {
        // The head before this one: nobody borrows from it any more.
        self.joined = None;
        match part.take() {
            None => self.begin(part, input),
            Some(begun) => self.resume(part, begun, input),
        }
    }

    fn begin<'a>(
        &'a mut self,
        part: &mut Option<Box<Part<S>>>,
        input: &'a [u8],
    ) -> Result<Option<Complete<'a, S>>, Refusal> {
        // One scan serves all heads that come whole, so that the usual request allocates nothing.
        self.whole.reset();
        if let Some(consumed) = self.whole.advance(input, self.limits)? {
            return Ok(Some(Complete { bytes: input, scan: &self.whole, consumed }));
        }
        if !input.is_empty() {
            // The scan is kept with the bytes, so that no byte is read again when the rest comes.
            let begun = Part { scan: self.whole.clone(), bytes: input.to_vec() };
            *part = Some(Box::new(begun));
        }
        Ok(None)
    }

    fn resume<'a>(
        &'a mut self,
        part: &mut Option<Box<Part<S>>>,
        mut begun: Box<Part<S>>,
        input: &'a [u8],
    ) -> Result<Option<Complete<'a, S>>, Refusal> {
        let before = begun.bytes.len();
        // No more than can be the head's: the rest may be a long message.
        let room = self.limits.head_len_max.saturating_sub(before);
        begun.append(input.get(..room).unwrap_or(input), self.limits);
        let Some(head_len) = begun.scan.advance(&begun.bytes, self.limits)? else {
            *part = Some(begun);
            return Ok(None);
        };
        let joined = self.joined.insert(begun);
        let consumed = head_len.saturating_sub(before);
        Ok(Some(Complete { bytes: &joined.bytes, scan: &joined.scan, consumed }))
    }

    /// How many bytes are kept of the head that was completed last, if it came in parts.
    #[cfg(test)]
    pub(super) fn joined_len(&self) -> usize {
        self.joined.as_ref().map_or(0, |part| part.bytes.len())
    }

    /// Bytes that were read for the head that was completed last, to show that parsing is linear.
    #[cfg(test)]
    pub(super) fn examined(&self) -> usize {
        self.joined.as_ref().map_or(self.whole.examined, |part| part.scan.examined)
    }
}
