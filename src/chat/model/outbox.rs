//! What is to be sent to webhooks, as the stores and the thread that sends it tell each other.

use std::collections::BTreeMap;

use super::webhook::{Interest, Webhook, WebhookEvent};

/// Events of one request.
pub const BATCH_EVENTS_MAX: usize = 100;
/// Bytes after which a batch is closed; one event may be longer.
pub const BATCH_BYTES_MAX: usize = 256 * 1024;

/// A place in the order of all that is to be sent: after both of these. Where logs are shared
/// there is one order, and `notice` is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The id of a record.
    pub record: u64,
    /// The id of a notice.
    pub notice: u64,
}

/// A webhook with its state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWebhook {
    /// Its address, its secret and what it is told: as a command has put it.
    pub webhook: Webhook,
    /// Up to where everything was delivered or given up.
    pub position: Position,
    /// Where the batch ends that is tried again.
    pub batch_end: Option<Position>,
    /// Attempts that failed in a row.
    pub attempts: u32,
    /// When the next may be made: milliseconds since 1970.
    pub next_at: u64,
    /// Why nothing more is sent to it, if so.
    pub ended: Option<Box<str>>,
    /// How often a command has asked for another try.
    pub revived: u64,
    /// Dead letters that a command wants to be tried again, the oldest first.
    pub again: Vec<DeadLetter>,
    /// Dead letters in all.
    pub dead: u64,
}

/// What could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its number; 0 before it has one.
    pub id: u64,
    /// Of which webhook.
    pub webhook: Box<str>,
    /// Since when: milliseconds since 1970.
    pub at: u64,
    /// After where it begins.
    pub from: Position,
    /// Where it ends; equal to `from` if its events are gone.
    pub to: Position,
    /// Events that it has, or had.
    pub events: u64,
    /// Why it was given up: the last answer, or that it was too old.
    pub why: Box<str>,
}

/// What is to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The events, in order. There may be none, though there is more after `end`.
    pub events: Vec<WebhookEvent>,
    /// Up to where it was looked.
    pub end: Position,
    /// How much is gone of what was above the beginning, since there was too much.
    pub lost: u64,
    /// There may be more after `end`.
    pub has_more: bool,
}

/// What has become of something that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// Where a webhook is now.
    Progress {
        /// Its name, and since when it is there: another one of the same name is not meant.
        webhook: (Box<str>, u64),
        /// Up to where everything was delivered or given up.
        position: Position,
        /// Where the batch ends that is tried again.
        batch_end: Option<Position>,
        /// Attempts that failed in a row.
        attempts: u32,
        /// When the next may be made: milliseconds since 1970.
        next_at: u64,
        /// Why nothing more is sent to it, if so.
        ended: Option<Box<str>>,
    },
    /// Something was given up.
    Dead(DeadLetter),
    /// The dead letter of this number was delivered.
    Delivered(u64),
    /// The dead letter of this number could not be delivered this time either, and why.
    StillDead(u64, Box<str>),
}

/// Updates that are to be written, of the progress of each webhook the last one only.
#[derive(Debug, Default)]
pub struct UnwrittenUpdates {
    progress: BTreeMap<Box<str>, Update>,
    letters: Vec<Update>,
}

impl UnwrittenUpdates {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.progress.is_empty() && self.letters.is_empty()
    }

    /// Adds one, which takes the place of an earlier one about the same progress.
    pub fn put(&mut self, update: Update) {
        match &update {
            Update::Progress { webhook: (name, _), .. } => {
                self.progress.insert(name.clone(), update);
            }
            Update::Dead(_) | Update::Delivered(_) | Update::StillDead(..) => {
                self.letters.push(update);
            }
        }
    }

    /// Adds what was to be written earlier, and could not be.
    pub fn add_earlier(&mut self, earlier: Self) {
        self.letters.splice(0..0, earlier.letters);
        for (name, update) in earlier.progress {
            self.progress.entry(name).or_insert(update);
        }
    }

    /// [`Update::Progress`] of each webhook, by name.
    pub fn progress(&self) -> impl Iterator<Item = &Update> {
        self.progress.values()
    }

    /// All others, in the order in which they came: it is that of their deliveries.
    #[must_use]
    pub fn letters(&self) -> &[Update] {
        &self.letters
    }
}

/// What the thread that sends asks of a log that is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxAsk {
    /// What is to be sent next: answered by [`OutboxReply::Read`].
    Read {
        /// To be named in the answer.
        ticket: u64,
        /// What a webhook is told.
        interest: Interest,
        /// After where it begins.
        from: Position,
        /// Where it ends, if not at the last.
        to: Option<Position>,
        /// Events at most.
        events_max: usize,
    },
    /// Keep what has become of something.
    Put(Vec<Update>),
}

/// What a log that is shared tells the thread that sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutboxReply {
    /// To [`OutboxAsk::Read`]; the error says why it cannot be read now.
    Read {
        /// Which.
        ticket: u64,
        /// What was read.
        outcome: Result<Batch, String>,
    },
    /// The webhooks that this node sends to from now on; none while another node does.
    Webhooks(Vec<StoredWebhook>),
    /// There may be more to be sent.
    News,
}
