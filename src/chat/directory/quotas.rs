//! What one user may do over all of its connections together.

use crate::chat::keys::UserKey;
use crate::chat::model::code::Code;
use crate::chat::model::limits::Limits;
use crate::chat::model::reply::Refusal;
use crate::time::Tick;
use crate::time::millis;
use crate::time::rate::Buckets;

/// A kind of request that is counted for its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::chat) enum Quota {
    /// What goes into a log.
    Messages,
    /// Rooms that are entered or made, people who are invited.
    Joins,
    /// Pages of history, and searches.
    Readings,
}

/// The buckets of all users.
#[derive(Debug)]
pub(in crate::chat) struct Quotas {
    messages: Buckets<UserKey>,
    joins: Buckets<UserKey>,
    readings: Buckets<UserKey>,
}

impl Quotas {
    /// Nobody has done anything. As many users are counted as there may be.
    pub(in crate::chat) const fn new(limits: &Limits) -> Self {
        let rates = &limits.user_rates;
        Self {
            messages: Buckets::new(rates.messages, limits.users),
            joins: Buckets::new(rates.joins, limits.users),
            readings: Buckets::new(rates.readings, limits.users),
        }
    }

    /// Lets other rates hold from now on.
    pub(in crate::chat) const fn set_limits(&mut self, limits: &Limits) {
        let rates = &limits.user_rates;
        self.messages.set_rate(rates.messages, limits.users);
        self.joins.set_rate(rates.joins, limits.users);
        self.readings.set_rate(rates.readings, limits.users);
    }

    /// Counts a request of a user, as so many.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`] with the time after which it is let through.
    pub(in crate::chat) fn take(
        &mut self,
        now: Tick,
        user: UserKey,
        (quota, tokens): (Quota, u32),
    ) -> Result<(), Refusal> {
        let (buckets, message) = match quota {
            Quota::Messages => {
                (&mut self.messages, "your connections together send faster than a user may")
            }
            Quota::Joins => (&mut self.joins, "you enter or make rooms faster than a user may"),
            Quota::Readings => (&mut self.readings, "you ask for pages faster than a user may"),
        };
        let ready_at = match buckets.take(now, user, tokens) {
            Ok(()) => return Ok(()),
            Err(ready_at) => ready_at,
        };
        let wait_ms = millis(ready_at.since(now));
        Err(Refusal::new(Code::RateLimited, message).retry_after_ms(wait_ms))
    }

    /// A message was there already: it has cost nothing.
    pub(in crate::chat) fn give_back(&mut self, user: UserKey) {
        self.messages.give_back(user);
    }
}
