//! Every bound on what clients can make the server hold or do.

use super::kind::{Count, Or, Size, Switch};
use super::setting::Section;

/// The largest message that may be configured.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// What a bound on a message's bytes may be.
pub(super) const MESSAGE_BYTES: Size = Size(1..=MESSAGE_BYTES_MAX);
/// Room for everything in an event besides the message.
const ENVELOPE_BYTES: usize = 4096;
/// The most of anything that is counted: far above what one machine holds.
const COUNT_MAX: usize = 16_777_216;
/// The most bytes that one budget may be.
const BYTES_MAX: usize = 64 << 30;
/// The highest rate that is told apart from none.
const RATE_MAX: u32 = 1_000_000;

/// Bounds, each with the unit in its name. What happens at each is said at the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time, on all listeners together; `None`: as many as the process may have
    /// descriptors. The next one is refused with 503, or closed.
    pub connections: Option<usize>,
    /// Connections at a time from one IP address; `None`: no bound. The next one is refused as above.
    pub per_address: Option<usize>,
    /// Whether `per_address` holds for loopback addresses too.
    pub per_address_loopback: bool,
    /// Bytes of one message's text and data together (4001 above), and the base of the bound on a
    /// frame's size (1009 above).
    pub message_bytes: usize,
    /// Fragments of one WebSocket message (1009 above).
    pub fragments: usize,
    /// Requests a second on one connection, as the refill of a token bucket of `burst`; `None`: no
    /// bound (5001 above, 4102 when it goes on).
    pub rate_per_s: Option<u32>,
    /// Requests at once on one connection. Without meaning if `rate_per_s` is `None`.
    pub burst: u32,
    /// WebSocket control frames a second on one connection; `None`: no bound (4102 above).
    pub control_per_s: Option<u32>,
    /// WebSocket control frames at once. Without meaning if `control_per_s` is `None`.
    pub control_burst: u32,
    /// Errors in a row, with no success between them, until a connection is closed (4102).
    pub errors_in_a_row: u32,
    /// Rooms that one user may be a member of (3011 above).
    pub rooms: usize,
    /// Sessions of one user at a time (3012 above).
    pub sessions_per_user: usize,
    /// Users that are known at a time; above, the longest absent makes room (5004 if nobody is off).
    pub users: usize,
    /// Rooms at a time, direct conversations included (5004 above).
    pub rooms_total: usize,
    /// Members of one room (3009 above).
    pub room_members: usize,
    /// Items in one answer to `history`; a higher `limit` is lowered to this.
    pub history_page: usize,
    /// Records that a `join` or a resume may ask for at once; what lies before them is told as a gap.
    pub replay: usize,
    /// Records that a room keeps in memory; the oldest goes first.
    pub ring_records: usize,
    /// Bytes of records that a room keeps in memory; the oldest goes first.
    pub ring_bytes: usize,
    /// Bytes of records that all rooms together keep in memory; the oldest of all go first.
    pub ring_total_bytes: usize,
    /// Bytes that wait for one connection's socket before its cursors fall behind.
    pub outbound_soft_bytes: usize,
    /// Bytes that may wait for one connection's socket at all. The books keep it from being reached;
    /// a connection that exceeds it is closed (4104).
    pub outbound_hard_bytes: usize,
    /// The kernel's send buffer of one connection (`SO_SNDBUF`).
    pub send_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: None,
            per_address: Some(256),
            per_address_loopback: false,
            message_bytes: 16 << 10,
            fragments: 1024,
            rate_per_s: Some(20),
            burst: 40,
            control_per_s: Some(10),
            control_burst: 60,
            errors_in_a_row: 32,
            rooms: 256,
            sessions_per_user: 16,
            users: 100_000,
            rooms_total: 100_000,
            room_members: 100_000,
            history_page: 200,
            replay: 10_000,
            ring_records: 256,
            ring_bytes: 64 << 10,
            ring_total_bytes: 64 << 20,
            outbound_soft_bytes: 64 << 10,
            outbound_hard_bytes: 256 << 10,
            send_buffer_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// The most bytes of one event or reply that carries a message: each of its bytes may be escaped as
    /// six, and there are names, positions and brackets around it.
    #[must_use]
    pub const fn event_bytes_max(&self) -> usize {
        self.message_bytes * 6 + ENVELOPE_BYTES
    }

    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        self.visit_connections(&mut section);
        self.visit_rates(&mut section);
        self.visit_counts(&mut section);
        self.visit_bytes(&mut section);
    }

    fn visit_connections(&mut self, section: &mut Section<'_, '_>) {
        let count = || Count(1..=COUNT_MAX);
        section.setting("connections", &mut self.connections, Or("auto", count()));
        section.setting("per_address", &mut self.per_address, Or("off", count()));
        section.setting("per_address_loopback", &mut self.per_address_loopback, Switch);
        section.setting("message_bytes", &mut self.message_bytes, MESSAGE_BYTES);
        section.setting("fragments", &mut self.fragments, count());
    }

    fn visit_rates(&mut self, section: &mut Section<'_, '_>) {
        let count = || Count(1..=RATE_MAX);
        section.setting("rate_per_s", &mut self.rate_per_s, Or("off", count()));
        section.setting("burst", &mut self.burst, count());
        section.setting("control_per_s", &mut self.control_per_s, Or("off", count()));
        section.setting("control_burst", &mut self.control_burst, count());
        section.setting("errors_in_a_row", &mut self.errors_in_a_row, count());
    }

    fn visit_counts(&mut self, section: &mut Section<'_, '_>) {
        let mut count = |name, value: &mut _, max| section.setting(name, value, Count(1..=max));
        count("rooms", &mut self.rooms, 65_536);
        count("sessions_per_user", &mut self.sessions_per_user, 65_536);
        count("users", &mut self.users, COUNT_MAX);
        count("rooms_total", &mut self.rooms_total, COUNT_MAX);
        count("room_members", &mut self.room_members, COUNT_MAX);
        count("history_page", &mut self.history_page, 10_000);
        count("replay", &mut self.replay, COUNT_MAX);
        count("ring_records", &mut self.ring_records, COUNT_MAX);
    }

    fn visit_bytes(&mut self, section: &mut Section<'_, '_>) {
        let mut size = |name, value: &mut _, min, max| {
            section.setting(name, value, Size(min..=max));
        };
        size("ring_bytes", &mut self.ring_bytes, 1 << 10, BYTES_MAX);
        size("ring_total_bytes", &mut self.ring_total_bytes, 1 << 10, BYTES_MAX);
        size("outbound_soft_bytes", &mut self.outbound_soft_bytes, 1 << 10, 1 << 30);
        size("outbound_hard_bytes", &mut self.outbound_hard_bytes, 4 << 10, 1 << 30);
        size("send_buffer_bytes", &mut self.send_buffer_bytes, 4 << 10, 64 << 20);
    }
}
