//! What one turn does at the most: each bound is some milliseconds of work, so that a turn is over
//! within 20 ms whatever comes. What is left is done in the next turns, which begin at once, the
//! oldest first.

/// Connections that are read in one turn.
pub(super) const READS_MAX: usize = 1024;

/// Reads of connections that shake hands in one turn: a signature takes some 100 µs, so that a
/// flood of handshakes takes 2 ms of a turn from those that are served.
pub(super) const HANDSHAKE_READS_MAX: usize = 16;

/// Deadlines of the handler that are told in one turn.
pub(super) const EXPIRED_MAX: usize = 1024;

/// Connections that one turn flushes.
pub(super) const FLUSHES_MAX: usize = 1024;

/// Bytes that one turn flushes: the kernel copies them in some 4 ms.
pub(super) const FLUSHED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Bytes that were made for single connections, after which a turn takes no more requests: pages of
/// history and replays are large, and each is made for one.
pub(super) const MADE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Connections that are closed in one turn.
pub(super) const CLOSES_MAX: usize = 512;
