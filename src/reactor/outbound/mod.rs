//! What waits for one peer's socket.

#[cfg(test)]
mod tests;

use std::io::IoSlice;
use std::mem;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use slab::Slab;

use crate::net::SharedFrame;
use crate::time::Tick;

/// The most pieces that one vectored write takes. The kernel would take 1,024 (`IOV_MAX`), but
/// their list lies on the stack, 16 bytes each.
pub(super) const IOVECS_MAX: usize = 64;

/// The most pieces that one ring holds. One more, and they are copied into one, so that a ring of
/// tiny frames costs its bytes and at most 40 KiB of nodes.
pub(super) const FRAMES_MAX: u16 = 1024;

const _: () = assert!(FRAMES_MAX as usize >= IOVECS_MAX, "a ring fills the longest write");

/// How long the pool keeps the nodes of a burst after the last of it was sent.
const POOL_KEPT: Duration = Duration::from_secs(1);

/// No node: the tail of an empty ring.
const NIL: u32 = u32::MAX;

/// A piece in a ring.
struct Node {
    frame: SharedFrame,
    /// The next piece; after the last one, the first.
    next: u32,
}

/// The nodes of every connection's ring. They are pooled so that a delivery allocates nothing once
/// the pool has grown to the most that ever waited together, and an empty ring owns nothing.
pub(super) struct FramePool {
    nodes: Slab<Node>,
    queued_bytes: u64,
    /// Since when nothing waits, [`Tick::MAX`] while something does.
    empty_since: Tick,
}

impl FramePool {
    pub(super) const fn new() -> Self {
        Self { nodes: Slab::new(), queued_bytes: 0, empty_since: Tick::MAX }
    }

    /// Pieces that wait, of all connections.
    pub(super) fn in_use(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes that wait, of all connections.
    pub(super) const fn queued_bytes(&self) -> u64 {
        self.queued_bytes
    }

    /// Frees the nodes once nothing has waited for [`POOL_KEPT`], so that a burst does not pin
    /// memory. Returns whether it has freed some.
    pub(super) fn trim(&mut self, now: Tick) -> bool {
        if !self.nodes.is_empty() {
            self.empty_since = Tick::MAX;
            return false;
        }
        self.empty_since = self.empty_since.min(now);
        let is_over = now.since(self.empty_since) >= POOL_KEPT && self.nodes.capacity() > 0;
        if is_over {
            self.nodes = Slab::new();
        }
        is_over
    }

    /// When [`FramePool::trim`] has something to free if nothing is sent until then, otherwise
    /// [`Tick::MAX`].
    pub(super) fn trim_at(&self) -> Tick {
        let waits = self.nodes.capacity() == 0 || self.empty_since == Tick::MAX;
        if waits { Tick::MAX } else { self.empty_since.after(POOL_KEPT) }
    }

    fn acquire(&mut self, frame: SharedFrame) -> u32 {
        // A frame that is sent within its turn is never seen by `trim`, but it is a burst as well.
        self.empty_since = Tick::MAX;
        let index = u32::try_from(self.nodes.insert(Node { frame, next: NIL })).unwrap_or(NIL);
        assert!(index != NIL, "four billion frames wait");
        index
    }

    fn get(&self, index: u32) -> Option<&Node> {
        self.nodes.get(index as usize)
    }
}

/// The ring would exceed its hard limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Overflow;

/// Bytes of the largest frame that is copied when it has to wait. A larger one keeps the buffer in
/// memory that it is a part of: at most some five times as much, since a buffer is handed over at
/// 16 KiB.
const DETACHED_LEN_MAX: usize = 4 * 1024;

/// The same bytes, copied if they are few and part of a shared buffer.
pub(super) fn detached(frame: SharedFrame) -> SharedFrame {
    if frame.len() > DETACHED_LEN_MAX || frame.is_unique() {
        return frame;
    }
    SharedFrame::copy_from_slice(&frame)
}

/// Frames that wait for one peer's socket, oldest first: a circle of nodes in the [`FramePool`],
/// named by its last node, from which both ends are one step away.
///
/// Invariants:
/// - `queued` is the sum of the unsent bytes of all frames, and was at most `bytes_max` at each
///   push;
/// - no frame is empty, and `sent_of_front` is less than the length of the front frame, 0 without
///   one;
/// - there are at most [`FRAMES_MAX`] frames.
// Without the two bytes of padding that four-byte alignment costs, a connection fits a cache line.
#[repr(Rust, packed(2))]
#[derive(Debug)]
pub(super) struct Outbound {
    /// The last frame's node; the first is the one after it.
    tail: u32,
    sent_of_front: u32,
    queued: u32,
    bytes_max: u32,
    frames: u16,
}

impl Outbound {
    /// An empty ring for at most `bytes_max` bytes (at most 4 GiB).
    pub(super) fn new(bytes_max: usize) -> Self {
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        Self { tail: NIL, sent_of_front: 0, queued: 0, bytes_max, frames: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.queued == 0
    }

    /// Unsent bytes.
    pub(super) const fn queued(&self) -> usize {
        self.queued as usize
    }

    /// The limit.
    pub(super) const fn bytes_max(&self) -> usize {
        self.bytes_max as usize
    }

    /// Changes the limit. What waits already stays, even if it is more.
    pub(super) fn limit(&mut self, bytes_max: usize) {
        self.bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
    }

    /// Appends `frame`. An empty one is nothing to be sent and not kept.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit; the ring is then unchanged.
    #[inline]
    pub(super) fn push(
        &mut self,
        pool: &mut FramePool,
        frame: SharedFrame,
    ) -> Result<(), Overflow> {
        // The limit may have been lowered below what waits.
        let room = self.bytes_max.saturating_sub(self.queued);
        let len = u32::try_from(frame.len()).ok().filter(|len| *len <= room).ok_or(Overflow)?;
        // An empty node would end a vectored write early.
        if len == 0 {
            return Ok(());
        }
        if self.frames == FRAMES_MAX {
            self.coalesce(pool);
        }
        self.link(pool, frame);
        self.queued += len;
        pool.queued_bytes += u64::from(len);
        self.debug_check(pool);
        Ok(())
    }

    /// Puts `frame` in front of all that waits, beyond the limit if need be.
    pub(super) fn prepend(&mut self, pool: &mut FramePool, frame: SharedFrame) {
        let Ok(len) = u32::try_from(frame.len()) else { return };
        if len == 0 {
            return;
        }
        if self.frames >= FRAMES_MAX {
            self.coalesce(pool);
        }
        let sent = self.sent_of_front;
        self.sent_of_front = 0;
        if let Some(front) = pool.get(self.tail).map(|tail| tail.next as usize) {
            pool.nodes[front].frame.advance(sent as usize);
        }
        // In a circle the place before the first is that after the last.
        let last = self.tail;
        self.link(pool, frame);
        if last != NIL {
            self.tail = last;
        }
        self.queued += len;
        pool.queued_bytes += u64::from(len);
        self.debug_check(pool);
    }

    /// Copies the first bytes, at most `len_max` of them, to the end of `out` and returns how many.
    pub(super) fn copy_front(&self, pool: &FramePool, len_max: usize, out: &mut Vec<u8>) -> usize {
        let Some(tail) = pool.get(self.tail) else { return 0 };
        let mut node = &pool.nodes[tail.next as usize];
        let (mut sent, mut left) = (self.sent_of_front as usize, len_max);
        for _ in 0..self.frames {
            let frame = node.frame.get(sent..).unwrap_or_default();
            let part = frame.get(..left).unwrap_or(frame);
            out.extend_from_slice(part);
            left -= part.len();
            if left == 0 {
                break;
            }
            sent = 0;
            node = &pool.nodes[node.next as usize];
        }
        len_max - left
    }

    /// The unsent part of the first frame; empty if nothing waits.
    #[inline]
    pub(super) fn front<'a>(&self, pool: &'a FramePool) -> &'a [u8] {
        let Some(tail) = pool.get(self.tail) else { return &[] };
        let front = &pool.nodes[tail.next as usize].frame;
        front.get(self.sent_of_front as usize..).unwrap_or_default()
    }

    /// How many pieces wait.
    #[inline]
    pub(super) fn frames(&self) -> usize {
        usize::from(self.frames)
    }

    /// Points `slices` at the first unsent pieces, as many as fit, and returns their number.
    pub(super) fn fill_iovecs<'a>(&self, pool: &'a FramePool, slices: &mut [IoSlice<'a>]) -> usize {
        let Some(tail) = pool.get(self.tail) else { return 0 };
        let mut node = &pool.nodes[tail.next as usize];
        let mut sent = self.sent_of_front as usize;
        let count = slices.len().min(usize::from(self.frames));
        for slice in &mut slices[..count] {
            *slice = IoSlice::new(node.frame.get(sent..).unwrap_or_default());
            sent = 0;
            node = &pool.nodes[node.next as usize];
        }
        count
    }

    /// Copies small frames that wait. They are parts of a turn's buffer, which would otherwise stay
    /// in memory until the slowest peer has read its part.
    pub(super) fn detach(&self, pool: &mut FramePool) {
        let mut index = self.tail;
        for _ in 0..self.frames {
            let Some(node) = pool.nodes.get_mut(index as usize) else { return };
            // From the last one on, whose next is the first: once around.
            index = node.next;
            node.frame = detached(mem::take(&mut node.frame));
        }
    }

    /// Removes the first `sent` bytes, which must be waiting.
    #[inline]
    pub(super) fn advance(&mut self, pool: &mut FramePool, sent: usize) {
        debug_assert!(sent <= self.queued(), "more was sent than waited");
        let sent = u32::try_from(sent).unwrap_or(u32::MAX).min(self.queued);
        self.queued -= sent;
        pool.queued_bytes -= u64::from(sent);
        // Nearly always it was one piece, and is taken whole.
        if self.queued == 0 && self.frames == 1 {
            pool.nodes.remove(self.tail as usize);
            (self.tail, self.frames, self.sent_of_front) = (NIL, 0, 0);
        } else {
            self.advance_pieces(pool, sent);
        }
        self.debug_check(pool);
    }

    #[inline(never)]
    fn advance_pieces(&mut self, pool: &mut FramePool, mut sent: u32) {
        // A write may end within a piece; the rest of it stays the front.
        while self.frames > 0 {
            let left = u32::try_from(self.front(pool).len()).unwrap_or(u32::MAX);
            if sent < left {
                self.sent_of_front += sent;
                break;
            }
            sent -= left;
            self.unlink_front(pool);
        }
    }

    /// Drops everything that waits.
    pub(super) fn clear(&mut self, pool: &mut FramePool) {
        while self.frames > 0 {
            self.unlink_front(pool);
        }
        pool.queued_bytes -= u64::from(self.queued);
        self.queued = 0;
    }

    fn link(&mut self, pool: &mut FramePool, frame: SharedFrame) {
        let index = pool.acquire(frame);
        // The new one takes the way to the first from the one that was last.
        let front = match pool.nodes.get_mut(self.tail as usize) {
            Some(tail) => mem::replace(&mut tail.next, index),
            None => index,
        };
        pool.nodes[index as usize].next = front;
        self.tail = index;
        self.frames += 1;
    }

    fn unlink_front(&mut self, pool: &mut FramePool) {
        let tail = self.tail as usize;
        let front = pool.nodes[tail].next;
        // The last node names itself.
        if front == self.tail {
            self.tail = NIL;
        } else {
            pool.nodes[tail].next = pool.nodes[front as usize].next;
        }
        pool.nodes.remove(front as usize);
        self.frames -= 1;
        self.sent_of_front = 0;
    }

    /// Replaces the frames by one with the same unsent bytes. Cold, since only a peer that reads
    /// slowly has that many frames waiting.
    #[cold]
    fn coalesce(&mut self, pool: &mut FramePool) {
        // Of the unsent bytes alone: what the socket has taken of the front goes with its node.
        let mut whole = BytesMut::with_capacity(self.queued());
        while self.frames > 0 {
            whole.extend_from_slice(self.front(pool));
            self.unlink_front(pool);
        }
        debug_assert_eq!(whole.remaining(), self.queued(), "bytes were lost between two pieces");
        self.link(pool, whole.freeze());
    }

    #[cfg(not(debug_assertions))]
    #[expect(clippy::unused_self, reason = "the invariants are checked with debug assertions")]
    #[inline]
    fn debug_check(&self, _: &FramePool) {}

    /// Checks the invariants that can be checked in constant time.
    #[cfg(debug_assertions)]
    fn debug_check(&self, pool: &FramePool) {
        assert_eq!(self.frames == 0, self.queued == 0, "{self:?}");
        assert_eq!(self.frames == 0, self.tail == NIL, "{self:?}");
        assert!(self.frames <= FRAMES_MAX, "{self:?}");
        assert!(self.frames > 0 || self.sent_of_front == 0, "{self:?}");
        assert_eq!(self.frames == 0, self.front(pool).is_empty(), "{self:?}");
        assert!(usize::from(self.frames) <= pool.in_use(), "{self:?}");
    }
}
