//! One connection: its socket, what waits for it, and where in its life it is.

use std::io::{self, ErrorKind, IoSlice};

use mio::net::TcpStream;
// The C library's calls are points at which a thread may be cancelled, which costs each some
// percent.
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, recv, send, sendmsg};

use super::address_limits::AddressShare;
use super::config::ReactorConfig;
use super::outbound::{FramePool, IOVECS_MAX, Outbound};
use crate::metrics::ReactorMetrics;
use crate::net::{CloseReason, ConnId};
use crate::time::Tick;

/// Bytes that one flush offers to one socket. The rest is left to the next turn, so that a fast
/// reader with much to fetch does not delay the others.
pub(super) const WRITE_MAX: usize = 256 * 1024;

/// How one write is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteBounds {
    /// Bytes that it offers.
    len_max: usize,
    pub(super) flags: SendFlags,
}

impl WriteBounds {
    pub(super) fn new(config: &ReactorConfig) -> Self {
        let Some(len_max) = config.segment_len_max else {
            return Self { len_max: usize::MAX, flags: SendFlags::NOSIGNAL };
        };
        // The kernel looks at the buffer's size only when it begins a segment, and fills one that
        // has not left yet up to 64 KiB. The end of a record is the end of its segment.
        Self { len_max, flags: SendFlags::NOSIGNAL | SendFlags::EOR }
    }

    /// As much of a piece as one write offers.
    pub(super) fn shortened(self, piece: &[u8]) -> &[u8] {
        piece.get(..self.len_max).unwrap_or(piece)
    }
}

/// Pieces for which a write needs only a short list: most writes are a reply and an event, and
/// clearing a list for 64 pieces would cost more than the rest of the call's preparation.
const FEW: usize = 8;

const _: () = assert!(FEW < IOVECS_MAX && IOVECS_MAX <= 1024, "IOV_MAX of Linux");

/// Where a connection is in its life. It only goes downwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// This end has begun to connect; the handler does not know the connection yet.
    Connecting,
    /// The peer has connected and shakes hands; the handler does not know the connection yet.
    Arriving,
    /// The handler talks with the peer.
    Open,
    /// What waits is still sent; then the socket is closed.
    Flushing(CloseReason),
    /// What waits is still sent, what comes is discarded; then FIN.
    Lingering(CloseReason),
    /// FIN is sent; what comes is discarded until the peer's FIN.
    Discarding(CloseReason),
    /// On the list of those to be closed at the end of the turn.
    Ended(CloseReason),
}

/// Facts about a connection, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags(u16);

impl Flags {
    /// The last edge said readable, and no read since has found the socket drained.
    pub(super) const READABLE: Self = Self(1);
    /// On the ready list.
    pub(super) const QUEUED: Self = Self(1 << 1);
    /// An edge came that no read has followed yet.
    pub(super) const FRESH: Self = Self(1 << 2);
    /// An edge said that the peer's FIN is on its way: a short read is not the end.
    pub(super) const READ_CLOSED: Self = Self(1 << 3);
    /// The peer's FIN was read.
    pub(super) const FINISHED: Self = Self(1 << 4);
    /// The handler wants no bytes for now.
    pub(super) const PAUSED: Self = Self(1 << 5);
    /// The socket took less than it was offered: no write before the next writable edge.
    pub(super) const BLOCKED: Self = Self(1 << 6);
    /// Registered for writable edges too.
    pub(super) const WATCHES_WRITE: Self = Self(1 << 7);
    /// On the list of those to be flushed first.
    pub(super) const URGENT: Self = Self(1 << 8);
    /// On the list of those to be flushed in portions.
    pub(super) const BULK: Self = Self(1 << 9);
    /// The handler was told that it is blocked, and must be told when it has drained.
    pub(super) const OWES_DRAINED: Self = Self(1 << 10);
    /// The handler asked to be told when it has drained.
    pub(super) const WAKE: Self = Self(1 << 11);
    /// To be reset rather than closed.
    pub(super) const RESET: Self = Self(1 << 12);
    /// Rejected by a limit: the handler never learns of it.
    pub(super) const HIDDEN: Self = Self(1 << 13);
    /// An edge said that a byte is urgent: reads stop before it, and a short one is not the end.
    pub(super) const HAS_URGENT: Self = Self(1 << 14);
    /// Paused since it sends too fast ([`Pause::Rate`](crate::net::Pause::Rate)).
    pub(super) const PACED: Self = Self(1 << 15);

    /// Both sets together.
    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether any of `flags` is set.
    pub(super) const fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    /// Those of them that are among `flags`, as bits.
    pub(super) const fn within(self, flags: Self) -> u16 {
        self.0 & flags.0
    }

    /// Those of these bits that are among `flags`.
    pub(super) const fn of(bits: u16, flags: Self) -> Self {
        Self(bits & flags.0)
    }

    pub(super) const fn set(&mut self, flags: Self) {
        self.0 |= flags.0;
    }

    pub(super) const fn clear(&mut self, flags: Self) {
        self.0 &= !flags.0;
    }
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    /// So many bytes, and the socket is drained: the next edge will wake us.
    Drained(usize),
    /// So many bytes, and there is or may be more: no edge will come, so the caller must queue
    /// another pass.
    More(usize),
    /// The peer sent FIN.
    Eof,
    /// The connection is dead.
    Failed(CloseReason),
}

/// What a flush left.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// Nothing: all is sent.
    Emptied,
    /// The socket takes no more; it took `progress` bytes.
    Blocked { progress: usize },
    /// The turn's share is used up, the socket may take more: no edge will come, so the caller must
    /// queue another pass.
    More,
    /// The connection is dead.
    Failed(CloseReason),
}

/// Bytes of a cache line.
#[cfg(any(test, not(debug_assertions)))]
const LINE: usize = 64;

/// One connection, in one cache line.
#[repr(align(64))]
pub(super) struct Connection {
    pub(super) id: ConnId,
    /// The handler's deadline; the close deadline once the connection is closing.
    pub(super) deadline: Tick,
    /// When a socket that takes nothing has stalled; [`Tick::MAX`] while nothing waits.
    pub(super) stall_at: Tick,
    pub(super) outbound: Outbound,
    pub(super) stream: TcpStream,
    pub(super) share: AddressShare,
    pub(super) flags: Flags,
    pub(super) phase: Phase,
    /// What passes through the socket is sealed: see [`sealed`](super::sealed).
    pub(super) is_tls: bool,
}

impl Connection {
    pub(super) fn new(
        id: ConnId,
        stream: TcpStream,
        share: AddressShare,
        outbound: Outbound,
    ) -> Self {
        Self {
            id,
            deadline: Tick::MAX,
            stall_at: Tick::MAX,
            outbound,
            stream,
            share,
            flags: Flags::default(),
            phase: Phase::Open,
            is_tls: false,
        }
    }

    /// The slot, as lists and timers keep it.
    pub(super) fn slot(&self) -> u32 {
        u32::try_from(self.id.slot()).unwrap_or(u32::MAX)
    }

    /// Whether the peer's bytes are read, to be handed over or discarded.
    pub(super) const fn takes_bytes(&self) -> bool {
        match self.phase {
            Phase::Open if self.flags.any(Flags::PAUSED) => {
                // All that will ever come is there, up to the FIN.
                let is_last = self.flags.any(Flags::PACED) && self.flags.any(Flags::READ_CLOSED);
                is_last && !self.flags.any(Flags::FINISHED)
            }
            Phase::Arriving | Phase::Open | Phase::Lingering(_) | Phase::Discarding(_) => {
                !self.flags.any(Flags::FINISHED)
            }
            Phase::Connecting | Phase::Flushing(_) | Phase::Ended(_) => false,
        }
    }

    /// One read into `scratch`.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> ReadOutcome {
        let received = recv(&self.stream, &mut *scratch, RecvFlags::empty());
        match received.map(|(len, _)| len).map_err(io::Error::from) {
            Ok(0) => ReadOutcome::Eof,
            // A stream socket that fills less than it was given is drained (epoll(7), question 9),
            // but the FIN that an edge has already announced would never be announced again, nor
            // would what follows an urgent byte.
            Ok(len)
                if len < scratch.len()
                    && !self.flags.any(Flags::READ_CLOSED.and(Flags::HAS_URGENT)) =>
            {
                ReadOutcome::Drained(len)
            }
            Ok(len) => ReadOutcome::More(len),
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.flags.clear(Flags::HAS_URGENT);
                    ReadOutcome::Drained(0)
                }
                // Queued and not tried again here: the turn's budget counts attempts.
                ErrorKind::Interrupted => ReadOutcome::More(0),
                _ => ReadOutcome::Failed(reason_of(&error)),
            },
        }
    }

    /// Writes what waits: one call for one piece, one vectored call for several.
    pub(super) fn write(
        &mut self,
        pool: &mut FramePool,
        bounds: WriteBounds,
        metrics: &ReactorMetrics,
    ) -> WriteOutcome {
        let mut progress = 0;
        while !self.outbound.is_empty() {
            if progress >= WRITE_MAX {
                return WriteOutcome::More;
            }
            let (offered, result) = self.offer(pool, bounds);
            metrics.writes.add(1);
            match result {
                Ok(taken) => {
                    self.outbound.advance(pool, taken);
                    progress += taken;
                    // The kernel promises a writable edge only after it has taken less than it
                    // could; to ask once more would cost a call and learn nothing.
                    if taken < offered {
                        return WriteOutcome::Blocked { progress };
                    }
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return WriteOutcome::Blocked { progress },
                    ErrorKind::Interrupted => {}
                    _ => return WriteOutcome::Failed(reason_of(&error)),
                },
            }
        }
        WriteOutcome::Emptied
    }

    /// One write call: how much was offered, and what became of it.
    fn offer(&self, pool: &FramePool, bounds: WriteBounds) -> (usize, io::Result<usize>) {
        match self.outbound.frames() {
            0 | 1 => self.offer_front(pool, bounds),
            2..=FEW => self.offer_pieces::<FEW>(pool, bounds),
            _ => self.offer_pieces::<IOVECS_MAX>(pool, bounds),
        }
    }

    /// The same for the first piece.
    fn offer_front(&self, pool: &FramePool, bounds: WriteBounds) -> (usize, io::Result<usize>) {
        let piece = self.outbound.front(pool);
        let piece = bounds.shortened(piece);
        let sent = send(&self.stream, piece, bounds.flags);
        (piece.len(), sent.map_err(io::Error::from))
    }

    /// The same for several pieces, of which the first `N` are offered.
    fn offer_pieces<const N: usize>(
        &self,
        pool: &FramePool,
        bounds: WriteBounds,
    ) -> (usize, io::Result<usize>) {
        let mut slices = [IoSlice::new(&[]); N];
        let count = self.outbound.fill_iovecs(pool, &mut slices);
        let mut slices = slices.get(..count).unwrap_or_default();
        let mut offered: usize = slices.iter().map(|slice| slice.len()).sum();
        if offered > bounds.len_max {
            slices = slices.get(..fitting(slices, bounds.len_max)).unwrap_or_default();
            // The first piece alone is longer than a segment may be: a part of it goes.
            if slices.is_empty() {
                return self.offer_front(pool, bounds);
            }
            offered = slices.iter().map(|slice| slice.len()).sum();
        }
        // Unlike `writev` it raises no signal, whatever this library is part of.
        let mut nothing = SendAncillaryBuffer::default();
        let sent = sendmsg(&self.stream, slices, &mut nothing, bounds.flags);
        (offered, sent.map_err(io::Error::from))
    }
}

/// How many of the pieces `len_max` bytes hold whole.
fn fitting(slices: &[IoSlice<'_>], len_max: usize) -> usize {
    let mut left = len_max;
    let fits = |slice: &&IoSlice<'_>| {
        let rest = left.checked_sub(slice.len());
        left = rest.unwrap_or(0);
        rest.is_some()
    };
    slices.iter().take_while(fits).count()
}

/// Why a connection ended whose socket reported `error`.
pub(super) fn reason_of(error: &io::Error) -> CloseReason {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
            CloseReason::Reset
        }
        // The kernel has asked the peer, or sent it the same bytes again and again, in vain.
        ErrorKind::TimedOut => CloseReason::NoPong,
        _ => CloseReason::SocketError,
    }
}

// Two would be 64 bytes more for each connection, and a second miss for each frame.
#[cfg(not(debug_assertions))]
const _: () = assert!(size_of::<Connection>() <= LINE);

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_connection_is_one_cache_line_and_so_is_its_place_in_the_table() {
        // Debug builds of mio put a check into each socket, so that the whole says nothing there.
        let fields = size_of::<ConnId>()
            + 2 * size_of::<Tick>()
            + size_of::<Outbound>()
            + size_of::<OwnedFd>()
            + size_of::<AddressShare>()
            + size_of::<Flags>()
            + size_of::<Phase>()
            + size_of::<bool>();
        assert!(fields <= LINE, "{fields} bytes");
        // A place of the slab is either a connection or a number.
        assert_eq!(size_of::<Result<Connection, usize>>(), size_of::<Connection>());
    }
}
