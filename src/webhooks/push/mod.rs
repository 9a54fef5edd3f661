//! Web Push: devices are told of messages while their users look elsewhere (RFC 8030).
//!
//! ```text
//!  domain ── PushOrder ──▶ Queue ─ seal for the device ─ sign for its service ─▶ https://…
//!     ▲                      ▲                                                      │
//!     │                      └────── again, later: 429, 5xx, no answer ◀────────────┤
//!     └───── the device is over: 404, 410, or failing for days ◀────────────────────┘
//! ```
//!
//! The thread of the webhooks sends them, one request at a time and in turns with those. An address
//! is checked as those of webhooks are, after its name was resolved; hosts that the operator allows
//! for webhooks are not allowed here, since users name these addresses.
//!
//! - What is sent says where, up to which seq and how many messages are unread; never a text,
//!   unless the operator wants that. It is sealed for the device ([`seal`]), so that its service
//!   reads nothing.
//! - Nothing is kept here over a restart: the messages are in their logs, and a push is only the
//!   news of them. In a cluster the engine keeps what is to be told, until this says that it was.
//! - A push cannot be taken back: browsers require that each one shows something, and punish a
//!   service worker that shows nothing. So what was read elsewhere is taken off the queue here,
//!   told with the next push, and closed by the page itself when it is opened.

pub mod queue;
pub mod seal;
pub mod vapid;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};

use self::queue::{Failed, Queue};
use self::seal::Recipient;
use self::vapid::Vapid;
use super::client::{Client, PushAnswer, Sealed};
use crate::chat::model::push::{Push, PushOrder, PushOutcome};
use crate::config;
use crate::metrics::PushMetrics;
use crate::time::Tick;
use crate::time::clock::Now;

/// Pushes that may be on their way to the thread: while it waits for a receiver that hangs, some
/// 2 MB. Further ones are not sent, and counted.
pub const PUSHES_UNDER_WAY_MAX: usize = 4_096;
/// How long a service keeps a push for a device that it cannot reach, in seconds: a day.
const TTL_S: &str = "86400";
/// Characters of a topic: within a device, a push takes the place of the one before of its topic
/// that was not delivered yet (RFC 8030 section 5.4).
const TOPIC_LEN: usize = 32;

/// How the loop is told that there is an outcome.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The loop's end: what it orders, and what has become of that.
#[derive(Debug)]
pub struct Orders {
    orders: Sender<PushOrder>,
    outcomes: Receiver<PushOutcome>,
    under_way: Arc<AtomicUsize>,
}

impl Orders {
    /// Hands an order over; `false` if it is lost, since too many are under way.
    pub fn send(&self, order: PushOrder) -> bool {
        if let PushOrder::Send(_) = &order {
            // A count and no more: nothing else is read by it, so that no order is needed.
            if self.under_way.load(Ordering::Relaxed) >= PUSHES_UNDER_WAY_MAX {
                return false;
            }
            self.under_way.fetch_add(1, Ordering::Relaxed);
        }
        self.orders.send(order).is_ok()
    }

    /// What has become of something.
    #[must_use]
    pub fn poll_outcome(&self) -> Option<PushOutcome> {
        self.outcomes.try_recv().ok()
    }
}

/// The thread's end.
pub struct Inbox {
    orders: Receiver<PushOrder>,
    outcomes: Sender<PushOutcome>,
    /// All of them are told, not only that devices are over.
    tells_all: bool,
    under_way: Arc<AtomicUsize>,
    wake: Wake,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox").field("under_way", &self.under_way).finish_non_exhaustive()
    }
}

/// Both ends of a new way between loop and thread. Without `tells_all` the loop is told of devices
/// that are over only.
#[must_use]
pub fn way(wake: Wake, tells_all: bool) -> (Orders, Inbox) {
    let ((orders, incoming), (outcomes, told)) = (channel(), channel());
    let under_way = Arc::new(AtomicUsize::new(0));
    let to_loop = Arc::clone(&under_way);
    let inbox = Inbox { orders: incoming, outcomes, tells_all, under_way: to_loop, wake };
    (Orders { orders, outcomes: told, under_way }, inbox)
}

/// What it takes to send.
#[derive(Clone, Debug)]
pub struct Setup {
    /// By what services know this server.
    pub vapid: Arc<Vapid>,
    /// The settings of pushes.
    pub settings: config::Push,
    /// What is counted.
    pub metrics: Arc<PushMetrics>,
}

/// The thread's part that sends pushes.
pub(super) struct Pushes {
    setup: Setup,
    client: Client,
    inbox: Inbox,
    queue: Queue,
}

impl Pushes {
    pub(super) fn new(setup: Setup, inbox: Inbox, webhooks: &config::Webhooks) -> Self {
        let client = Client::for_pushes(webhooks, &setup.settings);
        Self { setup, client, inbox, queue: Queue::default() }
    }

    /// Takes up what the loop has ordered.
    pub(super) fn receive_orders(&mut self, now: Now) {
        while let Ok(order) = self.inbox.orders.try_recv() {
            if let PushOrder::Send(_) = &order {
                self.inbox.under_way.fetch_sub(1, Ordering::Relaxed);
            }
            let lost = self.queue.take(order);
            self.setup.metrics.given_up.add(number(lost));
        }
        self.queue.forget_idle(now.tick);
        self.setup.metrics.waiting.set(number(self.queue.len()));
    }

    /// When something is to be sent next.
    pub(super) fn due(&self) -> Option<Tick> {
        self.queue.due()
    }

    /// Sends one push, if one is due; whether it was.
    pub(super) fn serve(&mut self, now: Now, clock: impl Fn() -> Now) -> bool {
        let Some(push) = self.queue.next(now.tick) else { return false };
        let outcome = self.send(&push, now);
        let metrics = &self.setup.metrics;
        let (id, service) = (push.to.id, push.to.service().to_owned());
        match outcome {
            PushAnswer::Delivered => {
                metrics.delivered.add(1);
                self.queue.succeeded(id);
                self.tell(PushOutcome::Told { device: id, room: push.room, seq: push.seq });
            }
            PushAnswer::Gone(status) => {
                log::debug!(id, service, status; "the push service does not know a device any more");
                // Plus the push that was being sent, which is off the queue already.
                let lost = self.queue.end(id) + 1;
                self.end(id, lost);
            }
            PushAnswer::Failed { why, retry_in, is_refused } => {
                metrics.failed.add(1);
                log::debug!(id, service, why; "a push was not taken");
                let failed = if is_refused {
                    self.queue.refused(id)
                } else {
                    self.queue.failed(push, retry_in, clock().tick)
                };
                match failed {
                    Failed::Again => {}
                    Failed::GivenUp(lost) => {
                        metrics.given_up.add(number(lost));
                        self.tell(PushOutcome::GivenUp(id));
                    }
                    Failed::Ended(lost) => {
                        log::warn!(service, why; "a device is not told any more: its push service does not take what is sent");
                        self.end(id, lost);
                    }
                }
            }
        }
        true
    }

    fn send(&self, push: &Push, now: Now) -> PushAnswer {
        let to = Recipient { key: &push.to.key, secret: &push.to.secret };
        let refused =
            |why: &str| PushAnswer::Failed { why: why.into(), retry_in: None, is_refused: true };
        let Ok(body) = seal::seal(to, payload(push).as_bytes()) else {
            return refused("its key is no point of the curve");
        };
        // A token is good for one service only (RFC 8292 section 2): what one of them has seen is
        // of no use at another.
        let origin = origin(&push.to.endpoint);
        let wall_s = now.wall_ms / 1_000;
        let Some(authorization) = self.setup.vapid.authorization(&origin, wall_s) else {
            return refused("nothing can be signed");
        };
        let topic = topic(push);
        let sealed =
            Sealed { authorization: &authorization, topic: &topic, ttl: TTL_S, body: &body };
        self.client.push(&push.to.endpoint, sealed, now.wall_ms)
    }

    fn end(&self, id: u64, lost: usize) {
        self.setup.metrics.ended.add(1);
        self.setup.metrics.given_up.add(number(lost));
        self.tell(PushOutcome::Ended(id));
    }

    fn tell(&self, outcome: PushOutcome) {
        let Inbox { outcomes, tells_all, wake, .. } = &self.inbox;
        let is_told = *tells_all || matches!(outcome, PushOutcome::Ended(_));
        // The loop may be gone.
        if is_told && outcomes.send(outcome).is_ok() {
            wake();
        }
    }
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// What a device is told, as JSON.
fn payload(push: &Push) -> String {
    let read = push.read.iter().map(|(room, seq)| (room.as_str().to_owned(), (*seq).into()));
    let mut told = serde_json::json!({
        "v": 1,
        "room": push.room.as_str(),
        "seq": push.seq,
        "unread": push.unread,
        "from": push.from.as_str(),
        "why": push.why.name(),
        "user": push.to.user.as_str(),
        "read": read.collect::<serde_json::Map<_, _>>(),
    });
    if let (Some(text), Some(fields)) = (&push.text, told.as_object_mut()) {
        fields.insert("text".to_owned(), (&**text).into());
    }
    told.to_string()
}

/// Scheme, host and port of an address.
fn origin(endpoint: &str) -> String {
    let path = endpoint.match_indices(['/', '?']).nth(2).map(|(at, _)| at);
    endpoint.get(..path.unwrap_or(endpoint.len())).unwrap_or_default().to_owned()
}

/// What tells the rooms of a device apart, and says nothing of them to who does not know its keys.
fn topic(push: &Push) -> String {
    let mut hash = Context::new(&SHA256);
    hash.update(&push.to.secret);
    hash.update(push.room.as_str().as_bytes());
    let mut topic = URL_SAFE_NO_PAD.encode(hash.finish());
    topic.truncate(TOPIC_LEN);
    topic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::{RoomName, UserName};
    use crate::chat::model::push::{PushReason, PushSubscription};

    fn push(text: Option<&str>) -> Push {
        let user = |name| UserName::parse(name).unwrap();
        let to = PushSubscription {
            id: 1,
            user: user("ann"),
            login: None,
            endpoint: "https://push.example:8443/a/b".into(),
            key: [4; 65],
            secret: [7; 16],
            agent: "".into(),
            at: 0,
        };
        Push {
            to: Arc::new(to),
            room: RoomName::direct(&user("ann"), &user("bob")),
            seq: 7,
            from: user("bob"),
            why: PushReason::Direct,
            unread: 3,
            text: text.map(Into::into),
            read: vec![(RoomName::parse("lobby").unwrap(), 9)],
        }
    }

    #[test]
    fn a_device_is_told_where_and_how_much_and_no_text() {
        let told: serde_json::Value = serde_json::from_str(&payload(&push(None))).unwrap();
        let expect = serde_json::json!({
            "v": 1, "room": "@ann:bob", "seq": 7, "unread": 3, "from": "bob", "why": "direct",
            "user": "ann", "read": {"lobby": 9},
        });
        assert_eq!(told, expect);
        let told: serde_json::Value = serde_json::from_str(&payload(&push(Some("hi")))).unwrap();
        assert_eq!(told["text"], "hi");
    }

    #[test]
    fn the_longest_push_fits() {
        let mut longest = push(Some(&"\u{1}".repeat(256)));
        let name = |at: usize| RoomName::parse(&format!("{at:02}{}", "x".repeat(30))).unwrap();
        longest.read = (0..32).map(|at| (name(at), u64::MAX >> 11)).collect();
        assert!(payload(&longest).len() <= seal::TEXT_LEN_MAX, "{}", payload(&longest).len());
    }

    #[test]
    fn a_service_is_told_its_origin_and_a_topic_that_says_nothing() {
        for (endpoint, expect) in [
            ("https://push.example/a/b", "https://push.example"),
            ("https://push.example:8443/a?b", "https://push.example:8443"),
            ("https://push.example?a", "https://push.example"),
            ("https://push.example", "https://push.example"),
        ] {
            assert_eq!(origin(endpoint), expect);
        }
        let (one, mut other) = (topic(&push(None)), push(None));
        assert_eq!(one.len(), TOPIC_LEN);
        assert_eq!(one, topic(&push(Some("another message"))));
        other.room = RoomName::parse("lobby").unwrap();
        assert_ne!(one, topic(&other));
    }
}
