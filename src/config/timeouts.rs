//! Every deadline and interval.

use std::time::Duration;

use super::kind::Span;
use super::setting::Section;

/// The longest that anything may be made to wait, so that a mistyped unit is noticed.
const LONGEST: Duration = Duration::from_hours(24);
/// The shortest deadline: below this a busy machine would cut healthy peers.
const SHORTEST: Duration = Duration::from_millis(10);

/// Deadlines for peers, and the pace of what the server says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the connection, or the end of the last response, to a whole HTTP request head (408).
    pub head: Duration,
    /// From the connection to a `hello` (4008).
    pub hello: Duration,
    /// Of silence until the server pings; also `limits.ping_ms` of the welcome.
    pub ping_after: Duration,
    /// From a ping to anything from the peer (4103).
    pub pong: Duration,
    /// Without the peer's socket taking a byte while some wait (4101).
    pub stall: Duration,
    /// For the close handshake and the last bytes.
    pub close: Duration,
    /// Of idleness of a kept-alive HTTP connection.
    pub keep_alive: Duration,
    /// From a user's last session to being shown as gone.
    pub leave_grace: Duration,
    /// From the last session to the end of a guest's membership in a memory room.
    pub guest_membership: Duration,
    /// Over which clients are asked to spread their return when the server stops.
    pub drain_window: Duration,
    /// From the signal to the end of the process.
    pub stop: Duration,
    /// Between two presence events of one room.
    pub presence_interval: Duration,
    /// Between two receipts events of one room.
    pub receipts_interval: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            head: seconds(10),
            hello: seconds(10),
            ping_after: seconds(25),
            pong: seconds(10),
            stall: seconds(120),
            close: seconds(5),
            keep_alive: seconds(15),
            leave_grace: seconds(15),
            guest_membership: seconds(600),
            drain_window: seconds(20),
            stop: seconds(5),
            presence_interval: seconds(1),
            receipts_interval: seconds(1),
        }
    }
}

impl Timeouts {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        let mut setting =
            |name, value: &mut _| section.setting(name, value, Span(SHORTEST..=LONGEST));
        setting("head", &mut self.head);
        setting("hello", &mut self.hello);
        setting("ping_after", &mut self.ping_after);
        setting("pong", &mut self.pong);
        setting("stall", &mut self.stall);
        setting("close", &mut self.close);
        setting("keep_alive", &mut self.keep_alive);
        setting("leave_grace", &mut self.leave_grace);
        setting("guest_membership", &mut self.guest_membership);
        setting("drain_window", &mut self.drain_window);
        setting("stop", &mut self.stop);
        setting("presence_interval", &mut self.presence_interval);
        setting("receipts_interval", &mut self.receipts_interval);
    }
}
