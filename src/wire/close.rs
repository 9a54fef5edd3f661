//! The close code of each reason, and its words for the client.

use crate::net::CloseReason;

/// The WebSocket close code of a reason, which is also the `close` of a plain connection's `bye`.
///
/// [`CloseReason::Violation`] has the general 1002; a caller that knows the violation sends its own
/// code. [`CloseReason::BadToken`] has the code of a token that was never valid; one that has
/// expired has 1008. Reasons after which no frame can be sent are 1001.
#[must_use]
pub const fn close_code(reason: CloseReason) -> u16 {
    match reason {
        CloseReason::Bye => 1000,
        CloseReason::PeerGone
        | CloseReason::Reset
        | CloseReason::SocketError
        | CloseReason::HttpDone
        | CloseReason::HttpRefused
        | CloseReason::HeadTimeout
        | CloseReason::KeepAliveTimeout
        | CloseReason::CloseTimeout => 1001,
        CloseReason::Violation => 1002,
        CloseReason::TooBig => 1009,
        CloseReason::Internal => 1011,
        CloseReason::BadToken => 4000,
        CloseReason::Banned => 4005,
        CloseReason::LoginEnded => 4006,
        CloseReason::HelloTimeout => 4008,
        CloseReason::Replaced => 4010,
        CloseReason::Stalled => 4101,
        CloseReason::Flooding | CloseReason::Unread => 4102,
        CloseReason::NoPong => 4103,
        CloseReason::Overloaded => 4104,
        CloseReason::Shutdown => 4201,
        CloseReason::Rebalance => 4202,
    }
}

/// The reason as a phrase, for a close frame (at most 123 bytes), for `bye` and for a text client.
#[must_use]
pub const fn close_words(reason: CloseReason) -> &'static str {
    match reason {
        CloseReason::Bye => "goodbye",
        CloseReason::PeerGone | CloseReason::Reset => "you went away",
        CloseReason::SocketError => "the connection broke",
        CloseReason::HttpDone | CloseReason::HttpRefused => "the HTTP response was the last one",
        CloseReason::HeadTimeout => "the request was too slow",
        CloseReason::KeepAliveTimeout => "no further request came in time",
        CloseReason::CloseTimeout => "you did not take the last bytes in time",
        CloseReason::Violation => "the protocol was violated",
        CloseReason::TooBig => "a message was too large",
        CloseReason::Internal => "the server failed",
        CloseReason::BadToken => "the token is not valid",
        CloseReason::Banned => "you are banned",
        CloseReason::LoginEnded => "this login was ended; log in again",
        CloseReason::HelloTimeout => "no hello in time",
        CloseReason::Replaced => "the same session came back on another connection",
        CloseReason::Stalled => "you did not read for too long",
        CloseReason::Flooding => "too many errors in a row",
        CloseReason::Unread => {
            "more was sent than [limits] read_ahead keeps at this rate; the rest was not read"
        }
        CloseReason::NoPong => "no answer to a ping",
        CloseReason::Overloaded => "the server is full",
        CloseReason::Shutdown => "the server is stopping",
        CloseReason::Rebalance => "the server moves its clients elsewhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_fits_a_close_frame() {
        for &reason in CloseReason::ALL {
            let code = close_code(reason);
            assert!(matches!(code, 1000..=1003 | 1007..=1011 | 4000..=4299), "{reason:?} {code}");
            assert!(close_words(reason).len() <= 123, "{reason:?}");
        }
    }
}
