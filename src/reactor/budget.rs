//! What one turn does at the most. What is left is done in the next turns, which begin at once, the
//! oldest first.
//!
//! Each step is bounded by its work and not by the clock, so that a slow machine takes longer for
//! a turn but does the same in it. The comments say what the work was measured to take (see the
//! chapter [`measurements`](crate::docs::measurements)); all of the steps together are some 10 ms,
//! and a turn in which most of them are full is rare.

/// Connections that are read in one turn: with what the handler does for a small request, 1.4 ms.
pub(super) const READS_MAX: usize = 320;

/// Reads of connections that shake hands in one turn: a signature takes some 100 µs, so that a
/// flood of handshakes takes 2 ms of a turn from those that are served.
pub(super) const HANDSHAKE_READS_MAX: usize = 16;

/// Bytes read in one turn, give or take one read: of requests as small as they can be 1.5 ms, of
/// resumes of twenty rooms each 3 ms.
pub(super) const READ_BYTES_MAX: usize = 48 * 1024;

/// Deadlines of the handler that are told in one turn: 0.5 ms.
pub(super) const EXPIRED_MAX: usize = 512;

/// Rings that have drained of which the handler is told in one turn: 0.5 ms, besides what it makes
/// for them.
pub(super) const DRAINED_MAX: usize = 512;

/// Small writes that one turn makes, besides one portion for large broadcasts: 2.1 ms.
pub(super) const FLUSHES_MAX: usize = 320;

/// Bytes that take a write as long again as the call itself: the kernel copies them, and so does
/// [`Outbound::detach`](super::outbound::Outbound::detach) what the socket does not take.
const BYTES_PER_FLUSH: usize = 6 * 1024;

/// Pieces that take as long to be copied one by one.
const PIECES_PER_FLUSH: usize = 64;

/// Bytes that were made for single connections, after which a turn takes no more requests: pages of
/// history and replays are large, and each is made for one. Rendering these takes 1.4 ms.
pub(super) const MADE_BYTES_MAX: u64 = 512 * 1024;

/// Connections that are closed in one turn: 1.2 ms.
pub(super) const CLOSES_MAX: usize = 192;

/// How many small writes a flush counts for that made so many calls, moved so many bytes, and left
/// so many pieces behind.
pub(super) const fn flushes_of(calls: usize, moved: usize, pieces_left: usize) -> usize {
    calls + moved / BYTES_PER_FLUSH + pieces_left / PIECES_PER_FLUSH
}
