//! Webhooks: one node at a time sends, and its outbox is the engine's.
//!
//! ```text
//!  every second      send_1 ─▶ this node's turn, or another's; what webhooks are told
//!  its turn begins   all webhooks ─▶ the thread that sends
//!  that one reads    order_1, entries ─▶ a batch          what has become of it ─▶ sent_1
//! ```
//!
//! A turn has a term that ends a while after a request would that is begun now: without an answer
//! of the engine for so long, nothing more is sent here, and another node begins.

use std::collections::VecDeque;
use std::time::Duration;

use super::Node;
use super::engine::Engine;
use super::outbox_entries::{self, ENTRIES, SCAN_MAX, SCAN_WEIGHT, Seen};
use super::outbox_ops::{self, OutboxOp, SENT};
use super::queue::Op;
use super::reader::Reading;
use super::webhooks::{LETTERS_AGAIN, WEBHOOKS, letter, stored};
use super::writer::{Flight, What};
use super::writer_replies::is_transient;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::log::LogReply;
use crate::chat::model::outbox::{
    DeadLetter, OutboxAsk, OutboxReply, Position, StoredWebhook, UnwrittenUpdates,
};
use crate::chat::model::webhook::{EventSet, Notice};
use crate::cluster::link::Lane;
use crate::pg::{EngineError, Param, Row, Statement, WrongType};
use crate::time::clock::Now;
use crate::time::{Tick, millis};

/// How often a node asks whose turn it is, and says that it is still its own.
const ASK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });
/// By how much a turn is longer than a request may take.
const TERM_MARGIN: Duration = Duration::from_secs(3);
/// How long what comes is gathered before the thread is told.
const NEWS_PAUSE: Duration = Duration::from_millis(20);
/// Joins, leaves and connections that may wait for the engine; more are not told.
const SEEN_WAITING_MAX: usize = 10_000;

const SEND: Statement = Statement {
    name: "send",
    sql: "SELECT turn, version, events, has_new, others FROM \
          chinwag.send_1($1::bigint, $2::text, $3::text, $4::bigint, $5::bigint)",
};

const ORDER: Statement =
    Statement { name: "order", sql: "SELECT chinwag.order_1($1::bigint, $2::bigint)" };

const RELEASE: Statement = Statement {
    name: "release",
    sql: "UPDATE chinwag.sender SET until = 0 WHERE node = $1::bigint AND turn = $2::bigint",
};

/// How a node sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SendTerms {
    /// What the node is called.
    pub name: Box<str>,
    /// Its settings: those of all nodes should be the same.
    pub settings: Box<str>,
    /// How long one request may take.
    pub timeout: Duration,
}

/// This node's turn, and until when it surely is.
#[derive(Clone, Copy, Debug)]
struct Claim {
    turn: i64,
    until: Tick,
}

/// What a node knows of webhooks.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a statement that is on its way, or due")]
pub(super) struct Outgoing {
    terms: Option<SendTerms>,
    /// When it is asked next whose turn it is.
    at: Tick,
    is_asked: bool,
    claim: Option<Claim>,
    /// The version of the webhooks that were handed out.
    version: Option<i64>,
    /// They are to be read again, or are being read.
    is_stale: bool,
    is_loading: bool,
    /// Up to where entries have gone; `None`: it is not this node's turn.
    gone: Option<u64>,
    unwritten: UnwrittenUpdates,
    is_writing: bool,
    /// When the thread is told that there is something, if so.
    news_at: Option<Tick>,
    /// What the webhooks are told.
    events: EventSet,
    /// Nodes with other settings.
    others: Option<Box<str>>,
    /// What waits for the engine, and the number of the last one.
    waiting: usize,
    nth: i64,
    is_full: bool,
    replies: VecDeque<OutboxReply>,
}

impl Outgoing {
    /// When something is due.
    pub(super) fn due_at(&self) -> Tick {
        let asks = if self.terms.is_some() && !self.is_asked { self.at } else { Tick::MAX };
        asks.min(self.news_at.unwrap_or(Tick::MAX))
    }

    /// Whether all that has become of what was sent is written.
    #[cfg(test)]
    pub(super) fn has_written(&self) -> bool {
        self.unwritten.is_empty() && !self.is_writing
    }

    /// It may not be this node's turn any more.
    pub(super) fn give_up(&mut self) {
        (self.is_asked, self.at, self.is_loading) = (false, Tick::ZERO, false);
        self.end_turn();
    }

    fn end_turn(&mut self) {
        self.is_writing = false;
        self.unwritten = UnwrittenUpdates::default();
        (self.version, self.gone, self.news_at) = (None, None, None);
        if self.claim.take().is_some() {
            self.replies.push_back(OutboxReply::Webhooks(Vec::new()));
        }
    }

    fn refuse(&mut self, ticket: u64) {
        let outcome = Err("the engine is away, or another node sends".to_owned());
        self.replies.push_back(OutboxReply::Read { ticket, outcome });
    }

    /// Something was put in.
    pub(super) fn note_news(&mut self, now: Tick) {
        if self.claim.is_some() && self.news_at.is_none() {
            self.news_at = Some(now.after(NEWS_PAUSE));
        }
    }

    /// So many of what waited are with the engine.
    pub(super) fn on_taken(&mut self, count: usize) {
        self.waiting = self.waiting.saturating_sub(count);
        self.is_full &= self.waiting > 0;
    }
}

impl<E: Engine> Node<E> {
    /// Lets this node send to webhooks, too.
    pub fn send_webhooks(&mut self, terms: SendTerms) {
        self.outgoing.terms = Some(terms);
    }

    /// What the thread that sends asks for.
    pub fn read_or_put(&mut self, now: Now, ask: OutboxAsk) {
        self.now = now;
        match ask {
            OutboxAsk::Read { ticket, interest, from, to, events_max } => {
                let op = OutboxOp::Entries { ticket, interest, from, events_max };
                self.read_entries((op, ticket), (from, to));
            }
            OutboxAsk::Put(updates) if self.outgoing.claim.is_some() => {
                for update in updates {
                    self.outgoing.unwritten.put(update);
                }
            }
            OutboxAsk::Put(_) => {}
        }
    }

    /// What that thread is told next.
    pub fn poll_outgoing(&mut self) -> Option<OutboxReply> {
        self.outgoing.replies.pop_front()
    }

    /// Something happened that is in no log.
    pub(super) fn enter(&mut self, notice: Notice) {
        let outgoing = &mut self.outgoing;
        let Some(seen) = Seen::of(notice, outgoing.nth + 1) else { return };
        if outgoing.waiting >= SEEN_WAITING_MAX {
            if !std::mem::replace(&mut outgoing.is_full, true) {
                log::error!(
                    "webhooks are not told of joins, leaves and connections: too many wait for the engine"
                );
            }
            return;
        }
        outgoing.nth += 1;
        outgoing.waiting += 1;
        self.queue.push_seen(seen);
    }

    /// Does what is due.
    pub(super) fn keep_sending(&mut self) {
        let now = self.now.tick;
        if self.outgoing.claim.is_some_and(|claim| claim.until <= now) {
            self.outgoing.end_turn();
        }
        if self.outgoing.news_at.is_some_and(|at| at <= now) {
            self.outgoing.news_at = None;
            self.outgoing.replies.push_back(OutboxReply::News);
        }
        if !self.is_up {
            return;
        }
        if !self.outgoing.is_asked && self.outgoing.at <= now {
            self.ask_turn();
        }
        if !self.outgoing.is_writing && !self.outgoing.unwritten.is_empty() {
            self.write_sent();
        }
        // Not before what has become of the last request is written: it would be made again.
        let outgoing = &self.outgoing;
        if outgoing.is_stale && !outgoing.is_loading && !outgoing.is_writing {
            let sent =
                self.ask_reader(Reading::Outgoing(OutboxOp::Webhooks), WEBHOOKS, &[]).is_ok();
            (self.outgoing.is_loading, self.outgoing.is_stale) = (sent, !sent);
        }
    }

    /// The node stops: another one need not wait until its turn is over.
    pub fn stop_sending(&mut self, now: Now) {
        self.now = now;
        self.outgoing.terms = None;
        if let Some(claim) = self.outgoing.claim {
            let params = [Param::Int(self.node_number()), Param::Int(claim.turn)];
            _ = self.ask_reader(Reading::Outgoing(OutboxOp::Release), RELEASE, &params);
        }
        self.outgoing.end_turn();
    }

    fn term(&self) -> Duration {
        let timeout = self.outgoing.terms.as_ref().map_or(Duration::ZERO, |terms| terms.timeout);
        timeout.saturating_add(TERM_MARGIN)
    }

    /// Whether a request that is begun now ends within this node's turn.
    fn has_turn(&self) -> bool {
        let terms = self.outgoing.terms.as_ref();
        let end = terms.map(|terms| self.now.tick.after(terms.timeout));
        self.outgoing.claim.zip(end).is_some_and(|(claim, end)| end <= claim.until)
    }

    fn ask_turn(&mut self) {
        let Some(terms) = self.outgoing.terms.clone() else { return };
        let term = signed(millis(self.term()));
        let params = [
            Param::Int(self.node_number()),
            Param::Text(&terms.name),
            Param::Text(&terms.settings),
            self.outgoing.claim.map_or(Param::Int(-1), |claim| Param::Int(claim.turn)),
            Param::Int(term),
        ];
        let turn = Reading::Outgoing(OutboxOp::Turn(self.now.tick));
        self.outgoing.is_asked = self.ask_reader(turn, SEND, &params).is_ok();
        self.outgoing.at = self.now.tick.after(ASK_EVERY);
    }

    fn read_entries(
        &mut self,
        (op, ticket): (OutboxOp, u64),
        (from, to): (Position, Option<Position>),
    ) {
        let Some(claim) = self.outgoing.claim.filter(|_| self.is_up && self.has_turn()) else {
            return self.outgoing.refuse(ticket);
        };
        let params = [Param::Int(self.node_number()), Param::Int(claim.turn)];
        // Both at once, since the reader does them in order: entries are read behind the statement
        // that gives them their places.
        let ordered = self.ask_reader(Reading::Outgoing(OutboxOp::Order), ORDER, &params);
        let to = to.map_or(i64::MAX, |to| signed(to.record));
        let (above, most) = (Param::Int(signed(from.record)), Param::Int(SCAN_MAX));
        let params = [above, Param::Int(to), most, Param::Int(SCAN_WEIGHT)];
        let entries = Reading::Outgoing(op);
        if ordered.is_err() || self.ask_reader(entries, ENTRIES, &params).is_err() {
            self.outgoing.refuse(ticket);
        }
    }

    fn write_sent(&mut self) {
        let Some(claim) = self.outgoing.claim else { return };
        let unwritten = std::mem::take(&mut self.outgoing.unwritten);
        let node = self.node_number();
        let tag = self.next_tag();
        let done = outbox_ops::with_params(&unwritten, (node, claim.turn), |params| {
            // It waits for no standby: what is lost with a primary is sent once more.
            let to = (Lane::Reader, tag);
            self.engine.send(self.now, to, SENT, params)
        });
        if done.is_ok() {
            self.outgoing.is_writing = true;
            self.readings.insert(tag, Reading::Outgoing(OutboxOp::Sent(unwritten)));
        } else {
            self.outgoing.unwritten = unwritten;
        }
    }

    /// The engine has answered.
    pub(super) fn on_outgoing(&mut self, op: OutboxOp, rows: &[Row]) -> Result<(), WrongType> {
        match op {
            OutboxOp::Turn(asked_at) => {
                self.outgoing.is_asked = false;
                self.on_turn(asked_at, rows)
            }
            OutboxOp::Webhooks => {
                let known = rows.iter().map(stored).collect::<Result<_, _>>()?;
                let letters = Reading::Outgoing(OutboxOp::Letters(known));
                self.outgoing.is_loading = self.ask_reader(letters, LETTERS_AGAIN, &[]).is_ok();
                self.outgoing.is_stale |= !self.outgoing.is_loading;
                Ok(())
            }
            OutboxOp::Letters(known) => self.on_webhooks(known, rows),
            OutboxOp::Order => {
                let row = rows.first().ok_or(WrongType { column: 0 })?;
                self.outgoing.gone = row.int_or_null(0)?.map(unsigned);
                Ok(())
            }
            OutboxOp::Entries { ticket, interest, from, events_max } => {
                let Some(gone) = self.outgoing.gone.filter(|_| self.has_turn()) else {
                    self.outgoing.refuse(ticket);
                    return Ok(());
                };
                let batch = outbox_entries::batch(rows, &interest, (from, gone), events_max);
                if batch.is_err() {
                    self.outgoing.refuse(ticket);
                }
                let outcome = Ok(batch?);
                self.outgoing.replies.push_back(OutboxReply::Read { ticket, outcome });
                Ok(())
            }
            OutboxOp::Sent(_) => {
                self.outgoing.is_writing = false;
                let row = rows.first().ok_or(WrongType { column: 0 })?;
                if !row.bool(0)? {
                    self.outgoing.end_turn();
                }
                Ok(())
            }
            OutboxOp::Release => Ok(()),
        }
    }

    /// It has not, or has refused it.
    pub(super) fn on_outgoing_lost(&mut self, op: OutboxOp, error: Option<&EngineError>) {
        let outgoing = &mut self.outgoing;
        match op {
            OutboxOp::Turn(_) => outgoing.is_asked = false,
            OutboxOp::Webhooks | OutboxOp::Letters(_) => {
                (outgoing.is_loading, outgoing.is_stale) = (false, true);
            }
            OutboxOp::Entries { ticket, .. } => outgoing.refuse(ticket),
            OutboxOp::Sent(sent) => {
                outgoing.is_writing = false;
                // Otherwise it is sent again by whoever has the next turn.
                if outgoing.claim.is_some() && error.is_none_or(is_transient) {
                    outgoing.unwritten.add_earlier(sent);
                }
            }
            OutboxOp::Order => outgoing.gone = None,
            OutboxOp::Release => {}
        }
    }

    fn on_turn(&mut self, asked_at: Tick, rows: &[Row]) -> Result<(), WrongType> {
        let row = rows.first().ok_or(WrongType { column: 0 })?;
        let (turn, version) = (row.int_or_null(0)?, row.int(1)?);
        // Also at nodes that do not send: by these they know which notices are worth writing.
        let bits = u16::try_from(row.int_or_null(2)?.unwrap_or(0)).unwrap_or(0);
        let events = EventSet::from_bits(bits);
        if std::mem::replace(&mut self.outgoing.events, events) != events {
            self.replies.push_back(LogReply::Webhooks(events));
        }
        self.note_others(row.text_or_null(4)?);
        if self.outgoing.terms.is_none() {
            return Ok(());
        }
        let before = self.outgoing.claim;
        let Some(turn) = turn else {
            self.outgoing.end_turn();
            return Ok(());
        };
        if before.is_some_and(|claim| claim.turn != turn) {
            self.outgoing.end_turn();
        }
        // From when it was asked, which is before the engine began to count: so this node's turn
        // ends before another one's begins.
        self.outgoing.claim = Some(Claim { turn, until: asked_at.after(self.term()) });
        if self.outgoing.version != Some(version) {
            self.outgoing.version = Some(version);
            self.outgoing.is_stale = true;
        }
        if row.bool(3)? {
            self.outgoing.note_news(self.now.tick);
        }
        Ok(())
    }

    fn note_others(&mut self, others: Option<&str>) {
        if self.outgoing.others.as_deref() != others {
            self.outgoing.others = others.map(Into::into);
            if let Some(nodes) = others {
                log::warn!(nodes; "these nodes have other [webhooks] settings than this one: whichever of them sends goes by its own, so that they should be the same");
            }
        }
    }

    fn on_webhooks(
        &mut self,
        mut known: Vec<StoredWebhook>,
        rows: &[Row],
    ) -> Result<(), WrongType> {
        self.outgoing.is_loading = false;
        for row in rows {
            let letter: DeadLetter = letter(row)?;
            if let Some(of) = known.iter_mut().find(|of| of.webhook.name == letter.webhook) {
                of.again.push(letter);
            }
        }
        if self.outgoing.claim.is_some() && !self.outgoing.is_stale {
            self.outgoing.replies.push_back(OutboxReply::Webhooks(known));
            self.outgoing.note_news(self.now.tick);
        }
        Ok(())
    }

    /// Has what was seen entered; what cannot be sent goes back.
    pub(super) fn send_seen(&mut self, seen: Vec<Seen>) {
        let tag = self.next_tag();
        let node = self.node_number();
        let sent = outbox_entries::with_params(&seen, node, |params| {
            let to = (Lane::Writer, tag);
            self.engine.send(self.now, to, outbox_entries::ENTER, params)
        });
        match sent {
            Ok(()) => {
                self.flights.push_back(Flight { tag, what: What::Seen(seen) });
            }
            Err(_) => self.hold(Op::Seen(seen)),
        }
    }

    /// It was entered, or refused.
    pub(super) fn on_seen(&mut self, seen: Vec<Seen>, outcome: &Result<Vec<Row>, EngineError>) {
        if let Err(error) = outcome {
            if is_transient(error) {
                return self.queue.repeat(Op::Seen(seen));
            }
            log::error!(error:%; "webhooks are not told of joins, leaves and connections: they cannot be written");
        }
        self.outgoing.on_taken(seen.len());
        self.outgoing.note_news(self.now.tick);
    }
}
