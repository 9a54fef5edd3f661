//! The thread that serves all webhooks, one request at a time.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::client::{Client, Outcome, Signed};
use super::endpoint::{Endpoint, Work};
use super::push::{Inbox, Pushes, Setup};
use super::schedule::Patience;
use super::{payload, sign};
use crate::chat::model::account::Hidden;
use crate::chat::model::webhook::{self, WebhookEvent};
use crate::config;
use crate::metrics::WebhookMetrics;
use crate::store::{BATCH_EVENTS_MAX, Batch, DeadLetter, Outbox, Position, Signals, Update};
use crate::time::Tick;
use crate::time::clock::{Clock, Now};
use crate::time::wall_watch::WallWatch;

/// How long the end of the thread is waited for at a stop: what it has sent is then kept, and not
/// sent again. A request that takes longer is made again after the next start.
const STOP_WAIT: Duration = Duration::from_secs(1);
/// How long the worker sleeps when nothing is due.
const IDLE: Duration = Duration::from_mins(1);
/// Requests to webhooks that work, after which one that fails gets its turn though there are more
/// of these.
const HEALTHY_IN_A_ROW: u32 = 16;
/// Readings by which events that are too old are given up at once.
const GIVE_UP_READINGS: usize = 64;
/// When the outbox cannot be read, it is tried again after so long.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// The thread, as its owner sees it. It ends when this is dropped, after the request that it makes.
#[derive(Debug)]
pub struct Webhooks {
    outbox: Arc<Outbox>,
    ended: Receiver<()>,
}

impl Webhooks {
    /// Starts the thread. What is known of the clock says whether an event is old.
    ///
    /// # Errors
    ///
    /// What the system says if it has no thread to give.
    pub fn start(
        outbox: Arc<Outbox>,
        settings: &config::Webhooks,
        (clock, wall): (Clock, WallWatch),
        (metrics, pushes): (Arc<WebhookMetrics>, Option<(Setup, Inbox)>),
    ) -> io::Result<Self> {
        let (end, ended) = sync_channel(0);
        let (given, settings) = (Arc::clone(&outbox), settings.clone());
        let run = move || {
            // Made in the thread: it reads the certificates of a hundred authorities.
            let client = Client::new(&settings);
            let pushes = pushes.map(|(setup, inbox)| Pushes::new(setup, inbox, &settings));
            let limits = (client, Patience::new(settings.give_up, wall));
            Worker::new(given, limits, clock, (metrics, pushes, end)).run();
        };
        thread::Builder::new().name("webhooks".to_owned()).spawn(run)?;
        Ok(Self { outbox, ended })
    }
}

impl Drop for Webhooks {
    fn drop(&mut self) {
        self.outbox.close();
        // Nothing is ever sent: the other end is dropped with the thread.
        _ = self.ended.recv_timeout(STOP_WAIT);
    }
}

/// The thread's own state.
pub(super) struct Worker {
    outbox: Arc<Outbox>,
    client: Client,
    patience: Patience,
    clock: Clock,
    metrics: Arc<WebhookMetrics>,
    /// If devices are told, too.
    pushes: Option<Pushes>,
    endpoints: BTreeMap<Box<str>, Endpoint>,
    /// The version of the webhooks that are known here.
    version: Option<u64>,
    /// Attempts so far.
    turn: u64,
    /// Requests to webhooks that work, since the last request to one that fails.
    in_a_row: u32,
    /// Tells events of memory rooms from those of another start, and counts them.
    start: u64,
    numbers: u64,
    /// Tells the handle of the thread's end by being dropped.
    _end: SyncSender<()>,
}

impl Worker {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        (client, patience): (Client, Patience),
        clock: Clock,
        (metrics, pushes, end): (Arc<WebhookMetrics>, Option<Pushes>, SyncSender<()>),
    ) -> Self {
        Self {
            outbox,
            client,
            patience,
            clock,
            metrics,
            pushes,
            endpoints: BTreeMap::new(),
            version: None,
            turn: 0,
            in_a_row: 0,
            start: clock.now().wall_ms,
            numbers: 0,
            _end: end,
        }
    }

    /// Serves until the outbox is closed.
    pub(super) fn run(mut self) {
        loop {
            let signals = self.outbox.signals();
            if signals.is_closed {
                return;
            }
            self.receive_changes(signals);
            let now = self.clock.now();
            self.patience.look(now);
            let next = self.next(signals.news, now);
            if let Some((name, work)) = &next {
                self.serve(name, *work, signals.news);
            }
            // In turns, so that neither waits for the other longer than one request takes.
            let is_pushed = self.serve_push();
            self.count();
            if next.is_none() && !is_pushed {
                _ = self.outbox.wait(signals, self.until_due(signals.news, now));
            }
        }
    }

    /// Sends one push to a device, if one is due.
    fn serve_push(&mut self) -> bool {
        let (now, clock) = (self.clock.now(), self.clock);
        let Some(pushes) = &mut self.pushes else { return false };
        pushes.receive_orders(now);
        pushes.serve(now, || clock.now())
    }

    /// Takes up what others have changed: the webhooks, and what has happened in memory rooms.
    fn receive_changes(&mut self, signals: Signals) {
        let now = self.clock.now();
        if self.version != Some(signals.version) {
            self.version = Some(signals.version);
            let mut before = std::mem::take(&mut self.endpoints);
            for known in self.outbox.webhooks().iter() {
                let name = known.webhook.name.clone();
                let same =
                    before.remove(&name).filter(|old| old.known.webhook.at == known.webhook.at);
                let endpoint = match same {
                    Some(mut endpoint) => {
                        endpoint.set(known.clone(), now);
                        endpoint
                    }
                    None => Endpoint::new(known.clone(), now),
                };
                self.endpoints.insert(name, endpoint);
            }
        }
        let (feed, mut lost) = self.outbox.take_feed();
        for event in feed {
            self.numbers += 1;
            for endpoint in self.endpoints.values_mut() {
                if endpoint.ended.is_none() && is_told(endpoint, &event) {
                    lost += endpoint.offer(self.numbers, event.clone());
                }
            }
        }
        if lost > 0 {
            self.metrics.dead.add(lost);
            log::warn!(lost; "webhooks are not told all of what happens in memory rooms: too much of it waits");
        }
    }

    /// Whose turn it is, and what is to be done: of those whose wait is over the ones that work
    /// come first, and of these the one that was served longest ago.
    fn next(&mut self, news: u64, now: Now) -> Option<(Box<str>, Work)> {
        let due = self.endpoints.values().filter(|endpoint| endpoint.next_at <= now.tick);
        let due = due.filter_map(|endpoint| Some((endpoint, endpoint.work(news)?)));
        // Those that work come first, since each attempt at one that fails may take the whole
        // timeout; but not for ever.
        let is_owed = self.in_a_row >= HEALTHY_IN_A_ROW;
        let order =
            |(endpoint, _): &(&Endpoint, Work)| (endpoint.is_failing() != is_owed, endpoint.tried);
        let (endpoint, work) = due.min_by_key(order)?;
        let (name, is_failing) = (endpoint.known.webhook.name.clone(), endpoint.is_failing());
        self.turn += 1;
        self.in_a_row = if is_failing { 0 } else { self.in_a_row + 1 };
        Some((name, work))
    }

    /// How long nothing is due, unless something comes.
    fn until_due(&self, news: u64, now: Now) -> Duration {
        let waiting = self.endpoints.values().filter(|endpoint| endpoint.work(news).is_some());
        let push = self.pushes.as_ref().and_then(Pushes::due);
        let next = waiting.map(|endpoint| endpoint.next_at).chain(push).min();
        next.unwrap_or(Tick::MAX).since(now.tick).min(IDLE)
    }

    fn serve(&mut self, name: &str, work: Work, news: u64) {
        let Some(mut endpoint) = self.endpoints.remove(name) else { return };
        // The one that was served longest ago is next: so many events at one do not keep the others
        // waiting.
        endpoint.tried = self.turn;
        let was_failing = endpoint.is_failing();
        let mut updates = Vec::new();
        match work {
            Work::Log => self.serve_log(&mut endpoint, news, &mut updates),
            Work::Feed => self.serve_feed(&mut endpoint, &mut updates),
            Work::Again => self.serve_again(&mut endpoint, &mut updates),
        }
        if was_failing && !endpoint.is_failing() {
            log::info!(webhook = name; "the webhook works again");
        }
        if !updates.is_empty() {
            self.outbox.put(updates);
        }
        self.endpoints.insert(name.into(), endpoint);
    }

    /// Sends what is above the position of a webhook.
    fn serve_log(&mut self, endpoint: &mut Endpoint, news: u64, updates: &mut Vec<Update>) {
        let now = self.clock.now();
        // Those that are refused together are tried one by one.
        let most = if endpoint.is_singly() { 1 } else { BATCH_EVENTS_MAX };
        let end = endpoint.batch_end;
        let Some(batch) = self.read(endpoint, (endpoint.position, end), most) else { return };
        if batch.lost > 0 {
            let why = "the outbox was full: what is in no log is gone";
            let letter =
                letter(endpoint, (endpoint.position, endpoint.position), (batch.lost, why), now);
            self.add_dead_letter(endpoint, letter, updates);
        }
        endpoint.oldest_at = batch.events.first().map(WebhookEvent::at);
        if batch.events.is_empty() {
            endpoint.advance(batch.end);
            if !batch.has_more && end.is_none() {
                endpoint.rest(news, now);
            }
            if endpoint.is_unkept() || batch.lost > 0 {
                updates.push(endpoint.progress(now));
            }
            return;
        }
        let ids: Vec<_> = batch.events.iter().map(payload::event_id).zip(&batch.events).collect();
        let outcome = self.send(endpoint, &ids);
        let now = self.clock.now();
        match outcome {
            Outcome::Delivered(_) => {
                // Moved only after the answer: a kill in between sends it again, and loses
                // nothing. Receivers tell repetitions by the ids.
                endpoint.advance(batch.end);
                endpoint.succeed(now);
                if !batch.has_more && end.is_none() {
                    endpoint.oldest_at = None;
                    endpoint.rest(news, now);
                }
            }
            Outcome::Gone => self.end(endpoint),
            Outcome::Failed { why, retry_in, is_refused } => {
                note_failure(endpoint, &why);
                let is_refused = endpoint.fail_at(batch.end, (is_refused, retry_in), now);
                let is_old = self.is_too_old(batch.events.first(), now);
                if is_old || is_refused {
                    self.give_up(endpoint, &batch, (&why, is_old), updates);
                }
            }
        }
        updates.push(endpoint.progress(now));
    }

    /// Sends what has happened in memory rooms.
    fn serve_feed(&self, endpoint: &mut Endpoint, updates: &mut Vec<Update>) {
        let start = self.start;
        let feed = endpoint.feed.iter().take(BATCH_EVENTS_MAX);
        let ids: Vec<_> =
            feed.map(|(number, event)| (format!("m{start}-{number}"), event)).collect();
        let (count, outcome) = (ids.len(), self.send(endpoint, &ids));
        drop(ids);
        let now = self.clock.now();
        match outcome {
            Outcome::Delivered(_) => {
                endpoint.forget(count);
                endpoint.succeed(now);
                return;
            }
            Outcome::Gone => self.end(endpoint),
            Outcome::Failed { why, retry_in, is_refused } => {
                note_failure(endpoint, &why);
                if endpoint.fail(is_refused, retry_in, now) {
                    // They are in no store from which they could be read again.
                    self.metrics.dead.add(u64::try_from(count).unwrap_or(u64::MAX));
                    endpoint.forget(count);
                    endpoint.begin_anew(now);
                }
            }
        }
        updates.push(endpoint.progress(now));
    }

    /// Tries the oldest dead letter that a command wants to be tried again.
    fn serve_again(&self, endpoint: &mut Endpoint, updates: &mut Vec<Update>) {
        let Some(mut letter) = endpoint.again.pop_front() else { return };
        let Some(batch) = self.read(endpoint, (letter.from, Some(letter.to)), BATCH_EVENTS_MAX)
        else {
            return endpoint.again.push_front(letter);
        };
        let ids: Vec<_> = batch.events.iter().map(payload::event_id).zip(&batch.events).collect();
        let outcome =
            if ids.is_empty() { Outcome::Delivered(0) } else { self.send(endpoint, &ids) };
        let now = self.clock.now();
        match outcome {
            Outcome::Delivered(_) if batch.has_more => {
                letter.from = batch.end;
                endpoint.again.push_front(letter);
                endpoint.succeed(now);
            }
            Outcome::Delivered(_) => {
                updates.push(Update::Delivered(letter.id));
                endpoint.succeed(now);
            }
            Outcome::Gone => {
                endpoint.again.push_front(letter);
                self.end(endpoint);
                updates.push(endpoint.progress(now));
            }
            Outcome::Failed { why, retry_in, .. } => {
                note_failure(endpoint, &why);
                endpoint.fail(false, retry_in, now);
                updates.push(Update::StillDead(letter.id, why.into()));
                updates.push(endpoint.progress(now));
            }
        }
    }

    /// Gives up what was refused too often, or is too old: then everything else that is, too.
    fn give_up(
        &mut self,
        endpoint: &mut Endpoint,
        batch: &Batch,
        (why, is_old): (&str, bool),
        updates: &mut Vec<Update>,
    ) {
        let now = self.clock.now();
        let from = endpoint.position;
        let mut events = batch.events.len();
        endpoint.advance(batch.end);
        if is_old {
            for _ in 0..GIVE_UP_READINGS {
                let next = self.read(endpoint, (endpoint.position, None), BATCH_EVENTS_MAX);
                // One whose last event is too old has no other.
                let next = next.filter(|next| {
                    self.is_too_old(next.events.last(), now)
                        || (next.events.is_empty() && next.has_more)
                });
                let Some(next) = next else { break };
                events += next.events.len();
                endpoint.advance(next.end);
            }
        } else {
            // The next event may be one that is taken.
            endpoint.begin_anew(now);
        }
        let count = u64::try_from(events).unwrap_or(u64::MAX);
        let letter = letter(endpoint, (from, endpoint.position), (count, why), now);
        self.add_dead_letter(endpoint, letter, updates);
    }

    /// Keeps a dead letter, and says so.
    fn add_dead_letter(&self, endpoint: &Endpoint, letter: DeadLetter, updates: &mut Vec<Update>) {
        let (webhook, events, why) = (&*endpoint.known.webhook.name, letter.events, &*letter.why);
        log::error!(webhook, events, why; "events were given up; chinwag webhook dead lists them");
        self.metrics.dead.add(events);
        updates.push(Update::Dead(letter));
    }

    /// The receiver wants nothing any more.
    fn end(&self, endpoint: &mut Endpoint) {
        let webhook = &*endpoint.known.webhook.name;
        log::warn!(webhook; "the webhook is ended: its receiver answered 410; chinwag webhook retry begins again");
        self.metrics.failed.add(1);
        endpoint.ended = Some("HTTP 410".into());
        endpoint.oldest_at = None;
        endpoint.forget(usize::MAX);
    }

    fn is_too_old(&mut self, event: Option<&WebhookEvent>, now: Now) -> bool {
        event.is_some_and(|event| self.patience.is_over(event.at(), now))
    }

    /// Reads for a webhook; `None` if that fails, and then again in a moment.
    fn read(
        &self,
        endpoint: &mut Endpoint,
        range: (Position, Option<Position>),
        most: usize,
    ) -> Option<Batch> {
        match self.outbox.read(&endpoint.known.webhook.interest, range, most) {
            Ok(batch) => Some(batch),
            Err(error) => {
                log::debug!(error; "the outbox cannot be read");
                endpoint.next_at = self.clock.now().tick.after(READ_AGAIN);
                None
            }
        }
    }

    /// Sends events to a webhook, and counts.
    fn send(&self, endpoint: &Endpoint, events: &[(String, &WebhookEvent)]) -> Outcome {
        let webhook = &endpoint.known.webhook;
        let now = self.clock.now();
        let body = payload::body(&webhook.name, now.wall_ms, events);
        let ids = events.iter().map(|(id, _)| id.as_str());
        let id = payload::request_id((&webhook.name, webhook.at), ids);
        let former = webhook.former.as_ref().filter(|(_, until)| now.wall_ms < *until);
        let secrets = [&webhook.secret].into_iter().chain(former.map(|(secret, _)| secret));
        let outcome = post(&self.client, &webhook.url, secrets, (&id, &body), now);
        match &outcome {
            Outcome::Delivered(_) => {
                self.metrics.delivered.add(1);
                self.metrics.events.add(u64::try_from(events.len()).unwrap_or(u64::MAX));
            }
            Outcome::Gone => {}
            Outcome::Failed { .. } => self.metrics.failed.add(1),
        }
        outcome
    }

    /// Counts what is there.
    fn count(&self) {
        let now = self.clock.now();
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let live = self.endpoints.values().filter(|endpoint| endpoint.ended.is_none());
        self.metrics.live.set(number(live.clone().count()));
        self.metrics.failing.set(number(live.filter(|endpoint| endpoint.is_failing()).count()));
        let oldest = self.endpoints.values().filter_map(|endpoint| endpoint.oldest_age(now)).max();
        self.metrics.set_oldest(oldest, now.tick.as_millis());
    }
}

/// Signs a body and sends it.
pub(super) fn post<'a>(
    client: &Client,
    url: &str,
    secrets: impl Iterator<Item = &'a Hidden>,
    (id, body): (&str, &[u8]),
    now: Now,
) -> Outcome {
    let timestamp = now.wall_ms / 1_000;
    let signatures = sign::signatures(secrets, (id, timestamp), body);
    client.post(url, Signed { id, timestamp, signatures: &signatures, body }, now.wall_ms)
}

/// Whether an event of a memory room is told a webhook.
fn is_told(endpoint: &Endpoint, event: &WebhookEvent) -> bool {
    let interest = &endpoint.known.webhook.interest;
    match event {
        WebhookEvent::Record { room, record, .. } => {
            interest.wants(webhook::kind_of(&record.body), Some(room), Some(&record.from))
        }
        WebhookEvent::Notice { notice, message, .. } => {
            let by = message.as_ref().map(|(_, record)| &record.from).or(notice.user.as_ref());
            interest.wants(notice.what.kind(), notice.room.as_ref(), by)
        }
    }
}

/// Says that a webhook fails, once until it works again.
fn note_failure(endpoint: &Endpoint, why: &str) {
    if !endpoint.is_failing() {
        let webhook = &*endpoint.known.webhook.name;
        log::warn!(webhook, why; "a request to the webhook failed: it is made again");
    }
}

fn letter(
    endpoint: &Endpoint,
    (from, to): (Position, Position),
    (events, why): (u64, &str),
    now: Now,
) -> DeadLetter {
    let webhook = endpoint.known.webhook.name.clone();
    DeadLetter { id: 0, webhook, at: now.wall_ms, from, to, events, why: why.into() }
}
