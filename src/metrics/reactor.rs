//! What the reactor counts.

use super::{Counter, Gauge};

/// The upper bounds of the turn-time buckets in microseconds; one more bucket holds what is longer.
pub const TURN_MICROS_BOUNDS: [u64; 14] = [
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 20_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000,
];

/// Room for a counter for each reason why a connection can end.
pub const CLOSE_REASONS_MAX: usize = 32;

/// The reactor's cells: written by its thread, read by whoever renders them.
#[derive(Debug, Default)]
pub struct ReactorMetrics {
    /// Open connections, closing ones included.
    pub connections: Gauge,
    /// Connections accepted and kept.
    pub accepted: Counter,
    /// Connections refused since the server holds as many as it can.
    pub refused_full: Counter,
    /// Connections refused since their address has as many as it may.
    pub refused_address: Counter,
    /// Connections refused since too many of their address have not shown who they are.
    pub refused_half_open: Counter,
    /// Connections refused without a handshake since their address is banned.
    pub refused_banned: Counter,
    /// Connections refused since their address connects too fast.
    pub refused_connects: Counter,
    /// Connections refused since too much waits for slow readers.
    pub refused_memory: Counter,
    /// Connections refused since they were to come by a proxy and did not.
    pub refused_proxy: Counter,
    /// Times that `accept` failed for want of descriptors or memory.
    pub accept_exhausted: Counter,
    /// Connections that were gone before they were accepted.
    pub accept_lost: Counter,
    /// Connections that ended, by the position of their reason in the list of reasons.
    pub closed: [Counter; CLOSE_REASONS_MAX],
    /// Connections that the close deadline ended before they had taken their last bytes.
    pub closed_late: Counter,
    /// Bytes that sockets have given: with TLS those on the wire, headers and handshakes included.
    pub received_bytes: Counter,
    /// Bytes that sockets took.
    pub sent_bytes: Counter,
    /// Read calls.
    pub reads: Counter,
    /// Write calls, vectored ones included.
    pub writes: Counter,
    /// Write calls that took less than was offered, or nothing.
    pub writes_short: Counter,
    /// Bytes that wait in outbound rings. A shared frame counts once for each connection it waits
    /// for.
    pub queued_bytes: Gauge,
    /// Frames that wait in outbound rings.
    pub queued_frames: Gauge,
    /// TLS handshakes that were completed, those that resumed included.
    pub handshakes: Counter,
    /// Those of them that resumed an earlier connection.
    pub handshakes_resumed: Counter,
    /// TLS handshakes of which something has come.
    pub handshaking: Gauge,
    /// TLS handshakes that wait until another one ends.
    pub handshakes_waiting: Gauge,
    /// Armed timers.
    pub timers: Gauge,
    /// Turns of the loop.
    pub turns: Counter,
    /// Microseconds that turns took, waiting not included.
    pub turn_micros: Counter,
    /// Microseconds that the longest turn took.
    pub turn_micros_max: Gauge,
    /// Turns by duration: bucket `n` counts those of at most [`TURN_MICROS_BOUNDS`]`[n]`
    /// microseconds and more than the bound before; the last one all longer ones.
    pub turns_by_micros: [Counter; TURN_MICROS_BOUNDS.len() + 1],
}

impl ReactorMetrics {
    /// Counts one turn that took `micros`.
    pub fn count_turn(&self, micros: u64) {
        self.turns.add(1);
        self.turn_micros.add(micros);
        self.turn_micros_max.set(self.turn_micros_max.value().max(micros));
        let bucket = TURN_MICROS_BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(bucket) = self.turns_by_micros.get(bucket) {
            bucket.add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_counted_in_the_bucket_whose_bound_it_does_not_exceed() {
        let check = |micros, bucket: usize| {
            let metrics = ReactorMetrics::default();
            metrics.count_turn(micros);
            let counts = metrics.turns_by_micros.each_ref().map(Counter::value);
            assert_eq!(counts.iter().position(|count| *count == 1), Some(bucket), "{micros} µs");
        };
        check(0, 0);
        check(50, 0);
        check(51, 1);
        check(1_000_000, 13);
        check(1_000_001, 14);
        check(u64::MAX, 14);
    }

    #[test]
    fn the_longest_turn_is_kept() {
        let metrics = ReactorMetrics::default();
        for micros in [70, 20_001, 3] {
            metrics.count_turn(micros);
        }
        assert_eq!(metrics.turn_micros_max.value(), 20_001);
    }
}
