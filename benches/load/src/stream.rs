//! What a room's members are sent: the same bytes, so kept once.
//!
//! The first member to receive a frame checks it in full and appends it; every other member is
//! checked by comparing what it receives with these bytes, whole reads at a time, wherever the
//! reads were cut. So a delivery costs little more than looking at its bytes, and a member needs no
//! buffer for a frame that it has in part.

use std::collections::VecDeque;

/// Bytes that are kept before anybody looks for what can be let go.
const BYTES_MIN: usize = 4 * 1024;

/// One frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where it ends, and the next one begins.
    pub(crate) end: u64,
    /// When it was due to be sent, in microseconds.
    pub(crate) due_us: u64,
    /// Who sent it.
    pub(crate) sender: u32,
}

/// A room's recent frames, end to end.
///
/// Positions count bytes from the beginning of the run and numbers count frames; neither ever
/// starts again.
///
/// Invariants:
/// - `frames` are consecutive, the last one ends where `bytes` end;
/// - `bytes` begin at the start of a frame.
#[derive(Debug)]
pub(crate) struct Stream {
    bytes: Vec<u8>,
    /// The position of the first byte.
    start: u64,
    frames: VecDeque<Frame>,
    /// The number of the first of `frames`, and where it begins.
    first: u64,
    first_start: u64,
    /// From how many bytes on [`Stream::is_full`].
    full_len: usize,
    bytes_max: usize,
    frames_max: usize,
}

impl Stream {
    /// An empty stream whose next frame has the number `next`, which keeps at most `bytes_max`.
    pub(crate) fn new(next: u64, bytes_max: usize) -> Self {
        let bytes_max = bytes_max.max(BYTES_MIN);
        Self {
            bytes: Vec::new(),
            start: 0,
            frames: VecDeque::new(),
            first: next,
            first_start: 0,
            full_len: BYTES_MIN,
            bytes_max,
            // A frame is hardly shorter; those that outlive their bytes still say when they were
            // due.
            frames_max: bytes_max / 16,
        }
    }

    /// Bytes that it keeps at most.
    pub(crate) const fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The number of the next frame.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.frames.len() as u64
    }

    /// Where the next frame will begin.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// Where the frame of this `number` begins, the next one's included; `None` if its bytes are
    /// not here.
    pub(crate) fn start_of(&self, number: u64) -> Option<u64> {
        let start = if number == self.first {
            self.first_start
        } else {
            self.frame(number.checked_sub(1)?)?.end
        };
        (start >= self.start).then_some(start)
    }

    /// The frame of this `number`, if it is still known.
    pub(crate) fn frame(&self, number: u64) -> Option<&Frame> {
        self.frames.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// The frames from `number` on.
    pub(crate) fn frames_from(&self, number: u64) -> impl Iterator<Item = &Frame> {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.frames.range(skipped.min(self.frames.len())..)
    }

    /// How many bytes of `input` are what stands here from `position` on.
    pub(crate) fn agreement(&self, position: u64, input: &[u8]) -> usize {
        let here = self.from(position);
        let len = here.len().min(input.len());
        let (Some(here), Some(input)) = (here.get(..len), input.get(..len)) else { return 0 };
        if here == input { len } else { common(here, input) }
    }

    /// The bytes from `position` to the end of what `len` bounds.
    pub(crate) fn slice(&self, position: u64, len: usize) -> &[u8] {
        let here = self.from(position);
        here.get(..len).unwrap_or(here)
    }

    fn from(&self, position: u64) -> &[u8] {
        let skipped = position.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skipped.and_then(|skipped| self.bytes.get(skipped..)).unwrap_or_default()
    }

    /// Appends a frame.
    pub(crate) fn append(&mut self, bytes: &[u8], due_us: u64, sender: u32) {
        self.bytes.extend_from_slice(bytes);
        self.frames.push_back(Frame { end: self.end(), due_us, sender });
    }

    /// Whether it is time to look for what can be let go: see [`Stream::keep_from`] and
    /// [`Stream::trim`].
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes.len() >= self.full_len
    }

    /// From where on bytes should be kept if the `slowest` member is there: from there on, or, if
    /// that would be too much, from a later position, and who is not as far must go on without the
    /// stream.
    pub(crate) fn keep_from(&self, slowest: u64) -> u64 {
        let half = self.end().saturating_sub(self.bytes_max as u64 / 2);
        if slowest >= half {
            return slowest;
        }
        let nth = self.frames.partition_point(|frame| frame.end < half);
        self.frames.get(nth).map_or(slowest, |frame| frame.end)
    }

    /// Lets go of the frames that end at `position` or before. `members` is how many may be asked
    /// where they are before the next time.
    pub(crate) fn trim(&mut self, position: u64, members: usize) {
        let passed = self.frames.partition_point(|frame| frame.end <= position);
        let cut = passed.checked_sub(1).and_then(|last| self.frames.get(last));
        if let Some(cut) = cut.map(|frame| frame.end).filter(|&cut| cut > self.start) {
            let len = usize::try_from(cut - self.start).unwrap_or(usize::MAX);
            self.bytes.drain(..len.min(self.bytes.len()));
            self.start = cut;
        }
        let surplus = self.frames.len().saturating_sub(self.frames_max).min(passed);
        if let Some(last) = surplus.checked_sub(1).and_then(|last| self.frames.get(last)) {
            self.first_start = last.end;
            self.first += surplus as u64;
            self.frames.drain(..surplus);
        }
        // Asking the members costs a look at each of them: not more often than it pays.
        let worth = BYTES_MIN.max(members.saturating_mul(16));
        self.full_len = (2 * self.bytes.len()).max(worth);
    }
}

/// The length of the common beginning of two slices of one length.
fn common(one: &[u8], other: &[u8]) -> usize {
    const BLOCK: usize = 64;
    let blocks = one.chunks(BLOCK).zip(other.chunks(BLOCK));
    let equal = blocks.take_while(|(one, other)| one == other).count() * BLOCK;
    let (one, other) = (one.get(equal..), other.get(equal..));
    let rest = one.unwrap_or_default().iter().zip(other.unwrap_or_default());
    equal + rest.take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream_of(frames: &[&[u8]]) -> Stream {
        let mut stream = Stream::new(7, 0);
        for (nth, frame) in (0..).zip(frames) {
            stream.append(frame, 100 + nth, 0);
        }
        stream
    }

    #[test]
    fn agreement_ends_where_the_bytes_differ_or_the_stream_ends() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let stream = stream_of(&[&bytes[..300], &bytes[300..]]);
        for position in [0, 1, 299, 300, 999, 1000] {
            let here = &bytes[position..];
            let at = position as u64;
            assert_eq!(stream.agreement(at, here), here.len());
            assert_eq!(stream.agreement(at, &[here, b"more"].concat()), here.len());
            for wrong in (0..here.len()).step_by(7) {
                let mut altered = here.to_vec();
                altered[wrong] ^= 1;
                assert_eq!(stream.agreement(at, &altered), wrong);
            }
        }
    }

    #[test]
    fn frames_are_found_by_number_until_they_are_let_go() {
        let mut stream = stream_of(&[b"one", b"three", b"x"]);
        assert_eq!((stream.next(), stream.end()), (10, 9));
        let starts = |stream: &Stream| [6, 7, 8, 9, 10, 11].map(|number| stream.start_of(number));
        assert_eq!(starts(&stream), [None, Some(0), Some(3), Some(8), Some(9), None]);
        assert_eq!(stream.frame(8), Some(&Frame { end: 8, due_us: 101, sender: 0 }));
        assert_eq!(stream.frames_from(8).map(|frame| frame.end).collect::<Vec<_>>(), [8, 9]);
        // In the middle of the second frame: it stays whole.
        stream.trim(5, 1);
        assert_eq!(starts(&stream), [None, None, Some(3), Some(8), Some(9), None]);
        assert_eq!(stream.agreement(5, b"ree"), 3);
        assert_eq!(stream.slice(3, 2), b"th");
        stream.trim(9, 1);
        assert_eq!(starts(&stream), [None, None, None, None, Some(9), None]);
        assert_eq!(stream.frame(7).map(|frame| frame.due_us), Some(100));
    }

    #[test]
    fn what_is_kept_is_bounded_however_slow_a_member_is() {
        let mut stream = Stream::new(1, BYTES_MIN);
        for nth in 0..10_000_u64 {
            stream.append(&[b'x'; 50], nth, 0);
            if stream.is_full() {
                let from = stream.keep_from(0);
                stream.trim(from, 1);
            }
            assert!(stream.bytes.len() <= BYTES_MIN + 50);
            assert!(stream.frames.len() <= stream.frames_max + BYTES_MIN / 50 + 1);
        }
        assert_eq!(stream.next(), 10_001);
        let last = stream.frame(10_000).unwrap();
        assert_eq!((last.due_us, last.end), (9_999, 500_000));
        assert_eq!(stream.start_of(10_000), Some(499_950));
    }
}
