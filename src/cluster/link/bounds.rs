//! How long a link waits, and how much it keeps.

use std::time::Duration;

use crate::pg::REQUESTS_MAX;

/// So long without an answer, and drafts wait in order.
pub const SLOW_AFTER: Duration = Duration::from_millis(300);

/// So long without an answer, and what is asked for is refused at once.
pub const DOWN_AFTER: Duration = Duration::from_secs(1);

/// So long without an answer to a write, and the connection is given up. It is not cancelled: a
/// commit whose wait for a standby is cancelled is visible without a standby.
pub const WRITE_DEADLINE: Duration = Duration::from_millis(1_500);

/// So long without an answer to a read, and the connection is given up. Reads may be long; a
/// write beside them tells whether the engine is there ([`SLOW_AFTER`]).
pub const READ_DEADLINE: Duration = Duration::from_secs(4);

/// A deadline that is noticed this much later was missed since this process stood still, perhaps
/// before it had sent what is to be answered: what is owed then gets its whole time once more.
pub const PAUSE_MIN: Duration = Duration::from_millis(250);

/// How long the hosts have to say what they are.
pub const ROUND_MAX: Duration = Duration::from_millis(1_500);

/// How long a host that would do waits for those that have not said yet what they are: one of them
/// may be on a later timeline.
pub const CHOICE_PAUSE: Duration = Duration::from_millis(100);

/// How often a node says that it is there, by a write that is waited for.
pub const BEAT_EVERY: Duration = Duration::from_secs(2);

/// How long it may take until our own notification comes back to us.
pub const HEARING_MAX: Duration = Duration::from_millis(1_500);

/// The pause before the hosts are tried again, at least.
pub const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// The pause before the hosts are tried again, at most.
pub const BACKOFF_MAX: Duration = Duration::from_secs(4);

/// In between, the pause is this part of the time that the engine has been away: it is found again
/// that much later than it is back, at most.
pub const BACKOFF_PART: u32 = 32;

/// The first try after a connection was lost comes within this, so that not all nodes come at once.
pub const FIRST_TRY_MAX: Duration = Duration::from_millis(50);

/// A link that was up for less goes on with the pauses that it had.
pub const STEADY_AFTER: Duration = Duration::from_secs(4);

/// The pause between two transactions of the bus.
pub const BUS_PAUSE: Duration = Duration::from_millis(5);

/// Transactions of the bus that may be without an answer: what comes then is gathered.
pub const BUS_IN_FLIGHT_MAX: usize = 4;

/// The pause between two publications of a bus.
pub const PUBLISH_PAUSE: Duration = Duration::from_millis(1);

/// How long it may take until what was published comes back to us.
pub const ECHO_MAX: Duration = Duration::from_millis(500);

/// How long a node counts as one that hears the bus after it was heard on it.
pub const HEARS_FOR: Duration = Duration::from_secs(5);

/// Publications that have not come back yet: what comes then is gathered.
pub const UNHEARD_MAX: usize = 64;

/// After how long all is told once more if it goes another way than before, on which it may have
/// overtaken what was told last: by then a node has read what it was told, or is told anew.
pub const RETELL_AFTER: Duration = Duration::from_secs(5);

/// The longest payload that `NOTIFY` takes.
pub const PAYLOAD_LEN_MAX: usize = 7_999;

/// Bytes of a frame, which is a payload in base64.
pub const FRAME_LEN_MAX: usize = PAYLOAD_LEN_MAX / 4 * 3;

/// Frames of one transaction of the bus.
pub const FRAMES_MAX: usize = 16;

/// Bytes of one message of the bus.
pub const TOLD_LEN_MAX: usize = 4_096;

/// Bytes of the messages that wait for the bus; more are dropped.
pub const TOLD_BYTES_MAX: usize = 256 << 10;

/// Rooms that have grown and wait for the bus; more are dropped, and found when heads are compared.
pub const GROWN_MAX: usize = 65_536;

/// Requests of one lane that may be without an answer, besides the link's own.
pub const ASKS_MAX: usize = REQUESTS_MAX - 24;

/// Sessions of ours in the engine that wait for a standby, or for one that does, for longer than a
/// second: each attempt leaves one behind, so that no more are begun.
pub const WAITING_MAX: i64 = 16;

/// How far the clock of a node may be from that of the engine until that is said.
pub const CLOCK_OFF_MAX: Duration = Duration::from_secs(5);

/// Nodes that are known.
pub const NODES_MAX: usize = 1_000;

const _: () = assert!(SLOW_AFTER.as_millis() < DOWN_AFTER.as_millis());
const _: () = assert!(DOWN_AFTER.as_millis() < WRITE_DEADLINE.as_millis());
const _: () = assert!(WRITE_DEADLINE.as_millis() < READ_DEADLINE.as_millis());
const _: () = assert!(BACKOFF_MIN.as_millis() < BACKOFF_MAX.as_millis());
// The message, its kind and length, and the head of its frame.
const _: () = assert!(TOLD_LEN_MAX + 64 <= FRAME_LEN_MAX);
const _: () = assert!(TOLD_BYTES_MAX >= TOLD_LEN_MAX);
const _: () = assert!(RETELL_AFTER.as_millis() > READ_DEADLINE.as_millis());
// A node that is there says so twice before it counts as one that does not hear.
const _: () = assert!(HEARS_FOR.as_millis() >= 2 * BEAT_EVERY.as_millis());
// Each may wait for its answer.
const _: () = assert!(UNHEARD_MAX + 8 <= crate::resp::PUBLICATIONS_MAX);
// A frame, and what is around it.
const _: () = assert!(FRAME_LEN_MAX + 512 <= crate::resp::MESSAGE_LEN_MAX);
// Beats, one of them a barrier, the bus, and leave.
const _: () = assert!(ASKS_MAX + BUS_IN_FLIGHT_MAX + 8 <= REQUESTS_MAX);
