//! Nobody's connection ends without a reason that its client's story explains.

use std::time::Duration;

use chinwag::net::CloseReason;
use chinwag::time::Tick;

use super::World;
use crate::history::Check;
use crate::link::Story;

impl World {
    /// Explains the connections that have ended in this turn.
    pub(super) fn explain(&mut self) -> Check {
        for gone in &self.reactor.gone {
            let link = &self.links[gone.link];
            let story = &link.story;
            self.trace.closed(story.client, gone.reason);
            // A person who could not join gets an error for each line, which ends the connection.
            let lost = self.clients[story.client].kind == crate::codec::Kind::Text
                && gone.reason == CloseReason::Flooding
                && self.store.is_some();
            // The last of its rooms could not be read any more, or none could.
            let has_ended = self.clients[story.client].kind == crate::codec::Kind::Events
                && matches!(
                    gone.reason,
                    CloseReason::HttpDone
                        | CloseReason::HttpRefused
                        | CloseReason::KeepAliveTimeout
                );
            if !lost && !has_ended && !self.is_explained(story, gone.reason, link.up_reset) {
                let client = &self.clients[story.client];
                return Err(format!(
                    "client {} ({}) was closed, {:?}: {story:?}",
                    story.client, client.name, gone.reason
                ));
            }
        }
        Ok(())
    }

    fn is_explained(&self, story: &Story, reason: CloseReason, was_reset: bool) -> bool {
        let timeouts = &self.plan.config.timeouts;
        let since = |then: Tick| self.tick.since(then);
        let was_dull =
            |within: Duration| since(story.dull_until) <= within || since(self.jumped) <= within;
        match reason {
            CloseReason::Bye | CloseReason::PeerGone | CloseReason::HttpDone => {
                story.said_bye || story.hostile
            }
            CloseReason::Reset => was_reset,
            CloseReason::NoPong => {
                // Pings are due in steps, a little early.
                let silence = timeouts.ping_after + timeouts.pong;
                let silence = silence.saturating_sub(Duration::from_millis(64));
                since(story.heard) >= silence && was_dull(silence + timeouts.stall)
            }
            CloseReason::Stalled => since(story.took) >= timeouts.stall,
            CloseReason::HelloTimeout => !story.greeted && since(story.opened) >= timeouts.hello,
            CloseReason::HeadTimeout => !story.greeted && since(story.opened) >= timeouts.head,
            CloseReason::Violation | CloseReason::TooBig | CloseReason::HttpRefused => {
                story.hostile
            }
            CloseReason::Flooding => story.hostile,
            CloseReason::Unread => self.plan.rate_limited && story.said_bye,
            CloseReason::Replaced => story.replaced,
            CloseReason::CloseTimeout => was_dull(timeouts.close),
            CloseReason::Shutdown => self.plan.drains(self.tick),
            CloseReason::SocketError
            | CloseReason::KeepAliveTimeout
            | CloseReason::TokenExpired
            | CloseReason::BadToken
            | CloseReason::HandshakeTimeout
            | CloseReason::TlsBroken
            | CloseReason::Banned
            | CloseReason::LoginEnded
            | CloseReason::Overloaded
            | CloseReason::Rebalance
            | CloseReason::Internal => false,
        }
    }
}
