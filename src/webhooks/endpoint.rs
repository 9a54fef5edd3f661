//! A webhook as the worker knows it: where it is, how it fares, and what it has to do next.

use std::collections::VecDeque;
use std::time::Duration;

use crate::chat::model::webhook::WebhookEvent;
use crate::store::{DeadLetter, Position, StoredWebhook, Update};
use crate::time::Tick;
use crate::time::clock::Now;

use super::schedule;

/// Bytes of events of memory rooms that wait for one webhook; at more, the oldest go, and are
/// counted.
const WAITING_BYTES_MAX: usize = 256 << 10;
/// After so many refusals of the same events they are sent singly, so that only one is to blame ...
const SINGLY_AFTER: u32 = 2;
/// ... and after so many more that one is given up.
const REFUSALS_MAX: u32 = 4;
/// Records or notices that a webhook may have passed before that is kept though nothing was sent: a
/// restart looks at them again.
const UNKEPT_MAX: u64 = 10_000;
/// How long what comes is gathered before the next look.
const GATHER: Duration = Duration::from_millis(20);
/// The longest wait that a file may ask for, whose clock may have been wrong.
const WAIT_MAX: u64 = 86_400_000;

/// What is to be done for a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Send what is above its position.
    Log,
    /// Send what has happened in memory rooms.
    Feed,
    /// Try a dead letter again.
    Again,
}

/// A webhook.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) known: StoredWebhook,
    pub(super) position: Position,
    /// The position that the store has, or will have.
    kept: Position,
    pub(super) batch_end: Option<Position>,
    pub(super) attempts: u32,
    /// Refusals of the next events in a row.
    refusals: u32,
    /// Events are sent singly up to here.
    singly_until: Option<Position>,
    pub(super) next_at: Tick,
    pub(super) ended: Option<Box<str>>,
    /// The news with which nothing was left to be read.
    pub(super) seen: Option<u64>,
    /// Events of memory rooms with their numbers.
    pub(super) feed: VecDeque<(u64, WebhookEvent)>,
    feed_bytes: usize,
    pub(super) again: VecDeque<DeadLetter>,
    /// When the oldest event that waits happened, if one does.
    pub(super) oldest_at: Option<u64>,
    /// Which attempt of all was its last.
    pub(super) tried: u64,
}

impl Endpoint {
    pub(super) fn new(known: StoredWebhook, now: Now) -> Self {
        let wait = known.next_at.saturating_sub(now.wall_ms).min(WAIT_MAX);
        Self {
            position: known.position,
            kept: known.position,
            batch_end: known.batch_end,
            attempts: known.attempts,
            refusals: 0,
            singly_until: None,
            next_at: now.tick.after(Duration::from_millis(wait)),
            ended: known.ended.clone(),
            seen: None,
            feed: VecDeque::new(),
            feed_bytes: 0,
            again: known.again.iter().cloned().collect(),
            oldest_at: None,
            tried: 0,
            known,
        }
    }

    /// A command may have changed it.
    pub(super) fn set(&mut self, known: StoredWebhook, now: Now) {
        // An operator has mended what was wrong: the waits and refusals from before count no
        // longer.
        if known.revived != self.known.revived {
            (self.attempts, self.refusals, self.ended) = (0, 0, None);
            (self.next_at, self.seen) = (now.tick, None);
        }
        if known.webhook.interest != self.known.webhook.interest {
            // The batch was made of other events than it would be made of now.
            self.batch_end = None;
        }
        // Those that wait here are kept as they are: one may be on its way at this moment.
        let is_new = |letter: &&DeadLetter| !self.again.iter().any(|known| known.id == letter.id);
        let new: Vec<DeadLetter> = known.again.iter().filter(is_new).cloned().collect();
        self.again.extend(new);
        self.known = known;
    }

    /// Its name, and since when it is there.
    pub(super) fn id(&self) -> (Box<str>, u64) {
        (self.known.webhook.name.clone(), self.known.webhook.at)
    }

    /// Whether its last request failed.
    pub(super) const fn is_failing(&self) -> bool {
        self.attempts > 0
    }

    /// What there is to do, now or when its wait is over.
    pub(super) fn work(&self, news: u64) -> Option<Work> {
        if self.ended.is_some() {
            return None;
        }
        // What was begun comes first, and the log before the rest: its receivers rely on the order.
        if self.batch_end.is_some() || self.seen != Some(news) {
            return Some(Work::Log);
        }
        if !self.feed.is_empty() {
            return Some(Work::Feed);
        }
        (!self.again.is_empty()).then_some(Work::Again)
    }

    /// Something happened in a memory room; how much that is older had to go for it.
    pub(super) fn offer(&mut self, number: u64, event: WebhookEvent) -> u64 {
        self.feed_bytes += event.weight();
        let mut lost = 0;
        while self.feed_bytes > WAITING_BYTES_MAX && !self.feed.is_empty() {
            self.forget(1);
            lost += 1;
        }
        self.feed.push_back((number, event));
        lost
    }

    /// So many of the oldest events of memory rooms are done with.
    pub(super) fn forget(&mut self, count: usize) {
        for (_, event) in self.feed.drain(..count.min(self.feed.len())) {
            self.feed_bytes = self.feed_bytes.saturating_sub(event.weight());
        }
    }

    /// Everything up to `end` is done with.
    pub(super) fn advance(&mut self, end: Position) {
        (self.position, self.batch_end, self.refusals) = (end, None, 0);
        self.singly_until = self.singly_until.filter(|until| end < *until);
    }

    /// Whether events are sent singly.
    pub(super) const fn is_singly(&self) -> bool {
        self.singly_until.is_some()
    }

    /// A request was taken.
    pub(super) fn succeed(&mut self, now: Now) {
        (self.attempts, self.refusals) = (0, 0);
        self.next_at = now.tick;
    }

    /// Nothing is left to be read; what comes is gathered for a moment.
    pub(super) fn rest(&mut self, news: u64, now: Now) {
        self.seen = Some(news);
        self.next_at = self.next_at.max(now.tick.after(GATHER));
    }

    /// A request with the events up to `end` failed; whether they were refused too often.
    pub(super) fn fail_at(
        &mut self,
        end: Position,
        (is_refused, retry_in): (bool, Option<Duration>),
        now: Now,
    ) -> bool {
        // The same events and no more are sent again: a receiver that has taken them knows their
        // ids.
        self.batch_end = Some(end);
        self.fail(is_refused, retry_in, now);
        if self.is_singly() {
            return self.refusals >= REFUSALS_MAX;
        }
        if self.refusals >= SINGLY_AFTER {
            (self.singly_until, self.batch_end) = (Some(end), None);
            self.begin_anew(now);
        }
        false
    }

    /// What is sent next was not refused yet.
    pub(super) const fn begin_anew(&mut self, now: Now) {
        (self.attempts, self.refusals, self.next_at) = (1, 0, now.tick);
    }

    /// A request failed; whether such were refused too often.
    pub(super) fn fail(&mut self, is_refused: bool, retry_in: Option<Duration>, now: Now) -> bool {
        self.attempts = self.attempts.saturating_add(1);
        // Only what the receiver itself refused speaks against these events: one that is down
        // refuses nothing.
        self.refusals = if is_refused { self.refusals + 1 } else { 0 };
        // Drawn from what is known, not by chance: webhooks of one receiver that was down do not
        // come back at once, and a test gets the same waits each time.
        let spread = u32::try_from((self.known.webhook.at + u64::from(self.attempts)) % 100);
        let wait = schedule::wait(self.attempts, retry_in, spread.unwrap_or(0));
        self.next_at = now.tick.after(wait);
        self.refusals >= REFUSALS_MAX
    }

    /// Whether the store should know where it is, though nothing was sent.
    pub(super) const fn is_unkept(&self) -> bool {
        self.position.record.saturating_sub(self.kept.record) >= UNKEPT_MAX
            || self.position.notice.saturating_sub(self.kept.notice) >= UNKEPT_MAX / 10
    }

    /// Has the store know where it is.
    pub(super) fn progress(&mut self, now: Now) -> Update {
        self.kept = self.position;
        let wait = u64::try_from(self.next_at.since(now.tick).as_millis()).unwrap_or(0);
        Update::Progress {
            webhook: self.id(),
            position: self.position,
            batch_end: self.batch_end,
            attempts: self.attempts,
            next_at: if self.is_failing() { now.wall_ms.saturating_add(wait) } else { 0 },
            ended: self.ended.clone(),
        }
    }

    /// How old the oldest event that waits is.
    pub(super) fn oldest_age(&self, now: Now) -> Option<u64> {
        let in_feed = self.feed.front().map(|(_, event)| event.at());
        let oldest = self.oldest_at.into_iter().chain(in_feed).min();
        oldest.filter(|_| self.ended.is_none()).map(|at| now.wall_ms.saturating_sub(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::account::Hidden;
    use crate::chat::model::webhook::{EventSet, Interest, Notice, NoticeKind, Webhook};

    fn at(millis: u64) -> Now {
        Now { tick: Tick::from_millis(millis), wall_ms: 1_000_000 + millis }
    }

    fn endpoint() -> Endpoint {
        let interest = Interest { events: EventSet::NONE, rooms: Vec::new(), except: None };
        let (name, url) = ("ci".into(), "https://example.org/".into());
        let secret = Hidden::new("whsec_");
        let webhook = Webhook { name, url, interest, secret, former: None, at: 0 };
        let known = StoredWebhook {
            webhook,
            position: Position::default(),
            batch_end: None,
            attempts: 0,
            next_at: 0,
            ended: None,
            revived: 0,
            again: Vec::new(),
            dead: 0,
        };
        Endpoint::new(known, at(0))
    }

    const fn up_to(record: u64) -> Position {
        Position { record, notice: 0 }
    }

    #[test]
    fn events_that_are_refused_together_are_sent_singly_and_one_is_given_up() {
        let mut endpoint = endpoint();
        let refused = (true, None);
        assert!(!endpoint.fail_at(up_to(9), refused, at(0)) && !endpoint.is_singly());
        assert_eq!(endpoint.batch_end, Some(up_to(9)));
        assert!(!endpoint.fail_at(up_to(9), refused, at(1)) && endpoint.is_singly());
        assert_eq!((endpoint.batch_end, endpoint.next_at), (None, at(1).tick));
        endpoint.advance(up_to(3));
        endpoint.succeed(at(2));
        assert!(endpoint.is_singly() && !endpoint.is_failing());
        let given_up: Vec<_> =
            (3..8).map(|time| endpoint.fail_at(up_to(4), refused, at(time))).collect();
        assert_eq!(given_up, [false, false, false, true, true]);
        endpoint.advance(up_to(9));
        assert!(!endpoint.is_singly(), "what is behind is sent together again");
    }

    #[test]
    fn a_failure_in_between_is_none_of_the_events() {
        let mut endpoint = endpoint();
        let waits: Vec<_> = [true, false, true, false, true]
            .into_iter()
            .map(|is_refused| {
                assert!(!endpoint.fail_at(up_to(9), (is_refused, None), at(0)));
                endpoint.next_at.as_millis() / 1_000
            })
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16]);
        assert!(!endpoint.is_singly());
    }

    #[test]
    fn a_command_has_an_ended_webhook_tried_at_once() {
        let mut endpoint = endpoint();
        endpoint.rest(7, at(0));
        assert_eq!((endpoint.work(7), endpoint.work(8)), (None, Some(Work::Log)));
        endpoint.fail(false, Some(Duration::from_hours(1)), at(0));
        endpoint.ended = Some("HTTP 410".into());
        assert_eq!(endpoint.work(8), None);
        let known = endpoint.known.clone();
        endpoint.set(known.clone(), at(5));
        assert_eq!(endpoint.work(8), None, "nothing of it has changed");
        endpoint.set(StoredWebhook { revived: 1, ..known }, at(5));
        assert_eq!((endpoint.work(7), endpoint.next_at), (Some(Work::Log), at(5).tick));
    }

    #[test]
    fn what_waits_of_memory_rooms_is_bounded_by_bytes() {
        let mut endpoint = endpoint();
        let what = NoticeKind::Made;
        let notice = Notice { at: 5, room: None, is_in_memory: true, user: None, what };
        let event = WebhookEvent::Notice { id: 0, notice, message: None };
        let fit = u64::try_from(WAITING_BYTES_MAX / event.weight()).unwrap();
        let lost: u64 = (0..fit + 9).map(|number| endpoint.offer(number, event.clone())).sum();
        assert_eq!((lost, endpoint.feed.front().map(|(number, _)| *number)), (9, Some(9)));
        endpoint.forget(usize::MAX);
        assert_eq!((endpoint.feed.len(), endpoint.feed_bytes), (0, 0));
    }
}
