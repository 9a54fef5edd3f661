//! The closing handshake: RFC 6455 section 7.

use super::CloseCode;

/// How far the closing handshake is, on either side.
///
/// ```text
///        start: send a close frame          receive
///  Open ───────────────────────────► Sent ─────────► Done
///    │                                  fail           ▲
///    └─────────────────────────────────────────────────┘
///        receive: send the answer; fail: send a close frame
/// ```
///
/// Once it is `Done` the server closes the TCP connection at once; a client waits until it does,
/// for as long as its close deadline allows (section 7.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Closing {
    /// Messages go both ways.
    #[default]
    Open,
    /// We sent a close frame and wait for the peer's; what else it sends is ignored.
    Sent,
    /// Both have sent theirs, or the connection failed: nothing more is read or written.
    Done,
}

/// What a received close frame asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseAnswer {
    /// Send a close frame with this code, or with an empty payload; the last frame of the
    /// connection.
    Send(Option<CloseCode>),
    /// Send nothing.
    Nothing,
}

impl Closing {
    /// Begins the handshake from this side. Returns whether a close frame is to be sent: only once.
    #[must_use = "if true, a close frame must be sent"]
    pub fn start(&mut self) -> bool {
        let first = *self == Self::Open;
        if first {
            *self = Self::Sent;
        }
        first
    }

    /// Takes the peer's close frame; its code is echoed (section 5.5.1).
    #[must_use = "an answer may have to be sent"]
    pub fn receive(&mut self, code: Option<CloseCode>) -> CloseAnswer {
        match std::mem::replace(self, Self::Done) {
            Self::Open => CloseAnswer::Send(code),
            Self::Sent | Self::Done => CloseAnswer::Nothing,
        }
    }

    /// Fails the connection (section 7.1.7), after a violation or because the peer is to be dropped
    /// without waiting for its answer. Returns whether a close frame is to be sent first.
    #[must_use = "if true, a close frame must be sent"]
    pub fn fail(&mut self) -> bool {
        std::mem::replace(self, Self::Done) == Self::Open
    }

    /// Whether messages, pings and pongs still mean anything.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }

    /// Whether the TCP connection is to be closed (by the server) or may be (by a client).
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: Option<CloseCode> = Some(CloseCode::GOING_AWAY);

    #[test]
    fn a_close_frame_is_answered_with_its_own_code_once() {
        for code in [None, CODE] {
            let mut closing = Closing::Open;
            assert_eq!(closing.receive(code), CloseAnswer::Send(code));
            assert!(closing.is_done());
            assert_eq!(closing.receive(code), CloseAnswer::Nothing);
            assert!(!closing.start());
        }
    }

    #[test]
    fn the_answer_to_our_close_frame_is_not_answered() {
        let mut closing = Closing::Open;
        assert!(closing.start());
        assert!(!closing.is_open() && !closing.is_done());
        assert!(!closing.start());
        assert_eq!(closing.receive(CODE), CloseAnswer::Nothing);
        assert!(closing.is_done());
    }

    #[test]
    fn a_violation_sends_a_close_frame_unless_one_was_sent() {
        let mut open = Closing::Open;
        assert!(open.fail() && open.is_done());
        assert!(!open.fail());
        let mut sent = Closing::Open;
        assert!(sent.start());
        assert!(!sent.fail() && sent.is_done());
    }
}
