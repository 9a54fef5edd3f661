//! What the domain asks of the logs, and what they answer.

use super::Server;
use super::engine::Engine;
use super::webhook_start::WebhookStart;
use crate::chat::model::log::{LogReply, Logs as _};
use crate::time::clock::Now;

/// The weight of each output that an answer makes, such as a replay or a page of history.
const OUTPUT_WEIGHT: usize = 4;

impl Server {
    /// Hands the domain's requests to the logs. Rooms in memory answer at once; when the store has
    /// answers, it says so by [`Input::StoreReady`](crate::net::Input::StoreReady).
    #[inline]
    pub(super) fn pass_requests(&mut self, now: Now) {
        // It is called after each input, and mostly nothing is asked.
        if self.chat.is_asking() || matches!(self.logs, Engine::Shared(_)) {
            self.pass_all_requests(now);
        }
    }

    #[inline(never)]
    fn pass_all_requests(&mut self, now: Now) {
        self.pass_jobs(now);
        self.pass_pushes();
        while let Some(first) = self.chat.poll_request() {
            self.logs.request(now, first);
            // Those of one input are written together.
            while let Some(next) = self.chat.poll_request() {
                self.logs.request(now, next);
            }
            self.logs.flush();
            self.take_replies(now);
            self.pass_pushes();
        }
    }

    /// Hands the logs' answers to the domain, as many as a turn takes up.
    pub(super) fn take_replies(&mut self, now: Now) {
        while self.replies_left > 0
            && let Some(reply) = self.logs.poll()
        {
            let mut push_key = None;
            match &reply {
                LogReply::Health(health) => {
                    self.look_at_engine(now, true);
                    if health.is_ok() {
                        self.offer_push_key(now, true);
                    }
                }
                LogReply::Suspended(suspensions) => {
                    self.banned = suspensions.addresses_at(now.wall_ms);
                    self.barred = Some(suspensions.addresses_until());
                }
                LogReply::Webhooks(_) => self.webhooks.iter_mut().for_each(WebhookStart::look),
                LogReply::People(people) => push_key = Some(people.push_key.clone()),
                _ => {}
            }
            let before = self.chat.outputs();
            self.chat.on_log_reply(now, reply);
            if let Some(key) = push_key {
                self.take_push_key(now, key);
            }
            let made = self.chat.outputs().saturating_sub(before);
            self.replies_left = self.replies_left.saturating_sub(1 + OUTPUT_WEIGHT * made);
        }
    }
}
