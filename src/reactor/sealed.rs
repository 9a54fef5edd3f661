//! TLS between a connection's socket and the handler's bytes.
//!
//! ```text
//!  read ─▶ receive ─▶ plain ─▶ Input::Received
//!             └─▶ the handshake's answers ──┐
//!  ring: [ sealed, at most one piece | plain … ] ─▶ seal, a record at a time ─▶ write
//! ```
//!
//! The ring holds what the handler has sent as it stands, shared with the other recipients; it is
//! sealed when the socket is about to take it, as much of it in one record as one may hold. What
//! the socket does not take goes back to the front of the ring, so that the ring's books count
//! every byte that waits.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::mem;

use rustix::net::send;

use super::connection::{Connection, Flags, Phase, WRITE_MAX, WriteOutcome, reason_of};
use super::outbound::{FramePool, Outbound};
use super::shared::Shared;
use super::tls::{Arrival, Ciphers, Outcome};
use crate::net::{CloseReason, SharedFrame};
use crate::time::Tick;
use crate::tls::{FIRST_BYTE, Progress, RECORD_LEN_MAX};

/// Bytes of scratch space that are kept between two connections.
const SCRATCH_KEPT: usize = 64 * 1024;

/// What bytes from a socket were.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unsealed {
    /// TLS: what they have become is in [`TlsTable`](super::tls::TlsTable).
    Opened,
    /// The first bytes of something else.
    NotTls,
    /// The end of the connection.
    Broken(CloseReason),
}

/// Bytes have come: what they mean is put into the table, what answers them into the ring.
pub(super) fn unseal(
    shared: &mut Shared,
    connection: &mut Connection,
    arrivals: &mut BTreeMap<usize, Arrival>,
    bytes: &mut [u8],
) -> Unsealed {
    let id = connection.id;
    let table = &mut shared.tls;
    let Some(ciphers) = table.ciphers.get_mut(id.slot()) else {
        return Unsealed::Broken(CloseReason::Internal);
    };
    let is_first = !mem::replace(&mut ciphers.has_received, true);
    if is_first && bytes.first() != Some(&FIRST_BYTE) {
        return Unsealed::NotTls;
    }
    table.plain.clear();
    table.outcome = Outcome::default();
    table.sealed.clear();
    let received = ciphers.tls.receive(bytes, &mut table.plain, &mut table.sealed);
    if !table.sealed.is_empty() {
        insert_sealed(&mut connection.outbound, &mut shared.pool, ciphers, &table.sealed);
        shared.lists.queue_flush(connection, Flags::URGENT);
    }
    let progress = match received {
        Ok(progress) => progress,
        Err(fault) => {
            log::debug!(conn:% = id, cause:% = fault; "TLS is broken");
            // The alert that says why is sealed already, and still goes out.
            keep_sealed(&mut connection.outbound, &mut shared.pool, ciphers);
            return Unsealed::Broken(CloseReason::TlsBroken);
        }
    };
    if connection.phase == Phase::Arriving && progress != Progress::Handshaking {
        shared.metrics.handshakes.add(1);
        shared.metrics.handshakes_resumed.add(u64::from(ciphers.tls.is_resumed()));
        // Once: a handshake whose connection ends gives its place back as well.
        if mem::take(&mut ciphers.is_counted) {
            table.release_place();
        }
        connection.phase = Phase::Open;
        connection.deadline = Tick::MAX;
        table.outcome.opened = arrivals.remove(&id.slot());
    }
    if progress == Progress::Finished {
        // Whatever comes after it means nothing.
        connection.flags.set(Flags::FINISHED);
        table.outcome.is_finished = true;
    }
    Unsealed::Opened
}

/// Puts ciphertext after what is sealed already and before what is not.
fn insert_sealed(ring: &mut Outbound, pool: &mut FramePool, ciphers: &mut Ciphers, bytes: &[u8]) {
    let front = ring.front(pool);
    let frame = match front.split_at_checked(ciphers.sealed) {
        Some((sealed, rest)) if !sealed.is_empty() => {
            // Records have numbers that TLS does not send along: what was sealed first must leave
            // first, and what is not sealed yet comes after both.
            let frame = SharedFrame::from([sealed, bytes, rest].concat());
            let len = front.len();
            ring.advance(pool, len);
            frame
        }
        _ => SharedFrame::copy_from_slice(bytes),
    };
    ring.prepend(pool, frame);
    ciphers.sealed += bytes.len();
}

/// Drops what is not sealed and can no longer be.
fn keep_sealed(ring: &mut Outbound, pool: &mut FramePool, ciphers: &Ciphers) {
    let mut sealed = Vec::new();
    ring.copy_front(pool, ciphers.sealed, &mut sealed);
    ring.clear(pool);
    ring.prepend(pool, sealed.into());
}

/// Writes what waits, a record at a time.
pub(super) fn write(shared: &mut Shared, connection: &mut Connection) -> WriteOutcome {
    let Some(mut ciphers) = shared.tls.ciphers.remove(connection.id.slot()) else {
        return WriteOutcome::Failed(CloseReason::Internal);
    };
    let outcome = write_with(shared, connection, &mut ciphers);
    shared.tls.ciphers.insert(connection.id.slot(), ciphers);
    shared.tls.sealed.clear();
    shared.tls.sealed.shrink_to(SCRATCH_KEPT);
    outcome
}

fn write_with(
    shared: &mut Shared,
    connection: &mut Connection,
    ciphers: &mut Ciphers,
) -> WriteOutcome {
    let mut progress = 0;
    loop {
        if ciphers.sealed == 0 && connection.outbound.is_empty() {
            say_goodbye(shared, connection, ciphers);
            if ciphers.sealed == 0 {
                return WriteOutcome::Emptied;
            }
        }
        if progress >= WRITE_MAX {
            return WriteOutcome::More;
        }
        // What is sealed has its number in the stream already: nothing that is sealed later may be
        // sent before it.
        let (offered, result) = if ciphers.sealed > 0 {
            send_sealed(shared, connection, ciphers)
        } else {
            match seal_next(shared, connection, ciphers) {
                Ok(()) => send_fresh(shared, connection, ciphers),
                Err(reason) => return WriteOutcome::Failed(reason),
            }
        };
        shared.metrics.writes.add(1);
        match result {
            Ok(taken) => {
                shared.metrics.sent_bytes.add(taken as u64);
                progress += taken;
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
}

/// Sends what the front of the ring has that is sealed.
fn send_sealed(
    shared: &mut Shared,
    connection: &mut Connection,
    ciphers: &mut Ciphers,
) -> (usize, io::Result<usize>) {
    let front = connection.outbound.front(&shared.pool);
    let piece = shared.writes.shortened(front.get(..ciphers.sealed).unwrap_or(front));
    let offered = piece.len();
    let sent = send(&connection.stream, piece, shared.writes.flags).map_err(io::Error::from);
    if let Ok(taken) = sent {
        connection.outbound.advance(&mut shared.pool, taken);
        ciphers.sealed -= taken;
    }
    (offered, sent)
}

/// Seals the first bytes of the ring, as many as one record holds, and takes them out of it.
fn seal_next(
    shared: &mut Shared,
    connection: &mut Connection,
    ciphers: &mut Ciphers,
) -> Result<(), CloseReason> {
    let Shared { pool, tls: table, .. } = shared;
    let ring = &mut connection.outbound;
    let front = ring.front(pool);
    table.sealed.clear();
    // Several small frames are copied into one record: each record costs 22 bytes or more, and the
    // peer a call.
    let (plain, len) = if ring.frames() == 1 || front.len() >= RECORD_LEN_MAX {
        let plain = front.get(..RECORD_LEN_MAX).unwrap_or(front);
        (plain, plain.len())
    } else {
        table.plain.clear();
        let len = ring.copy_front(pool, RECORD_LEN_MAX, &mut table.plain);
        (&table.plain[..], len)
    };
    ciphers.tls.seal(plain, &mut table.sealed).map_err(|_exhausted| CloseReason::TlsBroken)?;
    ring.advance(pool, len);
    Ok(())
}

/// Sends what was just sealed. The rest of it goes back to the front of the ring.
fn send_fresh(
    shared: &mut Shared,
    connection: &mut Connection,
    ciphers: &mut Ciphers,
) -> (usize, io::Result<usize>) {
    let sealed = &shared.tls.sealed;
    let piece = shared.writes.shortened(sealed);
    let offered = piece.len();
    let sent = send(&connection.stream, piece, shared.writes.flags).map_err(io::Error::from);
    let taken = sent.as_ref().copied().unwrap_or(0);
    let rest = sealed.get(taken..).unwrap_or_default();
    connection.outbound.prepend(&mut shared.pool, SharedFrame::copy_from_slice(rest));
    ciphers.sealed = rest.len();
    (offered, sent)
}

/// Says to the peer of a connection that is closing, once, that nothing more comes.
fn say_goodbye(shared: &mut Shared, connection: &mut Connection, ciphers: &mut Ciphers) {
    if !matches!(connection.phase, Phase::Flushing(_) | Phase::Lingering(_)) {
        return;
    }
    let Shared { pool, tls: table, .. } = shared;
    table.sealed.clear();
    ciphers.tls.say_goodbye(&mut table.sealed);
    insert_sealed(&mut connection.outbound, pool, ciphers, &table.sealed);
}
