//! The outbox of a shared log, as the thread that sends to webhooks and the node reach each other.
//!
//! ```text
//!  thread ─ read, put ─▶ OutboxClient ─ Ask ─▶ Desk ─ OutboxAsk ─▶ node
//!  thread ◀─ webhooks, news ─ Outbox ◀─ Desk ◀─ OutboxReply ─┘
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::SharedLogs;
use crate::chat::model::outbox::{Batch, OutboxAsk, OutboxReply, Position, Update};
use crate::chat::model::webhook::Interest;
use crate::store::{Outbox, RemoteOutbox, SharedOutbox, Wake};
use crate::time::clock::Now;

/// What the thread may have asked that the loop has not taken up; it waits for the loop at more.
const ASKS_MAX: usize = 16;
/// How long the thread waits for what it reads: longer than the node for its engine.
const READ_TIMEOUT: Duration = Duration::from_secs(10);

type Answer = Result<Batch, String>;

/// What the thread asks.
#[derive(Debug)]
enum Ask {
    Read {
        interest: Interest,
        from: Position,
        to: Option<Position>,
        events_max: usize,
        answer: SyncSender<Answer>,
    },
    Put(Vec<Update>),
}

/// The thread's side.
struct OutboxClient {
    asks: SyncSender<Ask>,
    wake: Wake,
}

/// The loop's side.
#[derive(Debug)]
pub(super) struct Desk {
    asks: Receiver<Ask>,
    outbox: SharedOutbox,
    /// Who waits for what is being read.
    waiting: BTreeMap<u64, SyncSender<Answer>>,
    tickets: u64,
}

impl std::fmt::Debug for OutboxClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutboxClient").finish_non_exhaustive()
    }
}

impl RemoteOutbox for OutboxClient {
    fn read(
        &self,
        interest: &Interest,
        (from, to): (Position, Option<Position>),
        events_max: usize,
    ) -> Answer {
        let (answer, answered) = sync_channel(1);
        let interest = interest.clone();
        let stops = |_error| "the server stops".to_owned();
        self.asks.send(Ask::Read { interest, from, to, events_max, answer }).map_err(stops)?;
        (self.wake)();
        answered
            .recv_timeout(READ_TIMEOUT)
            .unwrap_or_else(|_late| Err("the engine does not answer".to_owned()))
    }

    fn put(&self, updates: Vec<Update>) {
        // It fails only if the server stops: then it is sent again, by this node or another.
        _ = self.asks.send(Ask::Put(updates));
        (self.wake)();
    }
}

impl Desk {
    /// Both sides; `wake` has the loop look at what was asked.
    pub(super) fn new(wake: Wake) -> Self {
        let (asks, receiver) = sync_channel(ASKS_MAX);
        let outbox = Arc::new(Outbox::remote(Arc::new(OutboxClient { asks, wake })));
        Self { asks: receiver, outbox, waiting: BTreeMap::new(), tickets: 0 }
    }

    /// The outbox as the thread has it.
    pub(super) fn outbox(&self) -> SharedOutbox {
        Arc::clone(&self.outbox)
    }

    /// Hands what was asked to the node.
    pub(super) fn pass_asks(&mut self, now: Now, node: &mut dyn SharedLogs) {
        while let Ok(ask) = self.asks.try_recv() {
            let ask = match ask {
                Ask::Put(updates) => OutboxAsk::Put(updates),
                Ask::Read { interest, from, to, events_max, answer } => {
                    self.tickets += 1;
                    self.waiting.insert(self.tickets, answer);
                    let ticket = self.tickets;
                    OutboxAsk::Read { ticket, interest, from, to, events_max }
                }
            };
            node.ask_outbox(now, ask);
        }
    }

    /// Tells the thread what the node has said.
    pub(super) fn take_replies(&mut self, node: &mut dyn SharedLogs) {
        while let Some(reply) = node.poll_outbox() {
            match reply {
                OutboxReply::Read { ticket, outcome } => {
                    if let Some(answer) = self.waiting.remove(&ticket) {
                        // Nobody waits any more if it came too late.
                        _ = answer.try_send(outcome);
                    }
                }
                OutboxReply::Webhooks(webhooks) => _ = self.outbox.set_webhooks(webhooks),
                OutboxReply::News => self.outbox.note_news(),
            }
        }
    }
}
