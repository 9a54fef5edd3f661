//! Web Push: one node at a time tells devices; what they are to be told is kept by the engine.
//!
//! ```text
//!  every second      push_send_1 ─▶ this node's turn, and what is due ─▶ the thread that sends
//!  that one has sent it, or has given it up ─▶ push_sent_1
//! ```
//!
//! A turn has a term, as that of webhooks has (`outgoing`): without an answer of the engine for so
//! long, what waits here is forgotten, and another node sends it. What was sent and is not written
//! yet is then sent once more, in place of the first one if the device has not fetched that
//! (`Topic`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Node;
use super::devices::{PushOp, device};
use super::engine::Engine;
use super::reader::Reading;
use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::mentions::names;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::push::{
    Push, PushOrder, PushOutcome, PushReason, PushSubscription, beginning,
};
use crate::pg::{Param, Row, Statement, WrongType};
use crate::time::clock::Now;
use crate::time::{Tick, millis};

/// How often a node asks whose turn it is, and what is due.
const ASK_EVERY: Duration = Duration::from_millis(if cfg!(test) { 50 } else { 1_000 });
/// The pause before it asks again if there is more to look at than one answer has.
const STEP_PAUSE: Duration = Duration::from_millis(200);
/// By how much a turn is longer than a request may take.
const TERM_MARGIN: Duration = Duration::from_secs(if cfg!(test) { 60 } else { 3 });
/// Pushes that are handed out at once.
const HANDED_OUT_MAX: usize = 64;
/// Pushes that may wait for the thread that sends, which loses none of so many.
const UNDER_WAY_MAX: usize = 4_000;

const SEND: Statement = Statement {
    name: "push_send",
    sql: "SELECT kind, number, seq, unread, device, at, name, endpoint, p256dh, auth, room, \
          sender, text, read FROM chinwag.push_send_1($1::bigint, $2::bigint, $3::bigint, \
          $4::bigint, $5::bigint, $6::bigint)",
};

const SENT: Statement = Statement {
    name: "push_sent",
    sql: "SELECT chinwag.push_sent_1($1::bigint, $2::bigint, $3::bigint[], $4::bigint[], \
          $5::text[], $6::bigint[])",
};

const RELEASE: Statement = Statement {
    name: "push_release",
    sql: "UPDATE chinwag.push_sender \
          SET until = (extract(epoch FROM clock_timestamp()) * 1000)::bigint WHERE node = $1::bigint AND turn = $2::bigint",
};

/// Columns of what is due, from where a device begins, and behind that.
mod column {
    pub(super) const SEQ: usize = 2;
    pub(super) const UNREAD: usize = 3;
    pub(super) const DEVICE: usize = 4;
    pub(super) const AT: usize = 5;
    pub(super) const NAME: usize = 6;
    pub(super) const ROOM: usize = 10;
    pub(super) const SENDER: usize = 11;
    pub(super) const TEXT: usize = 12;
    pub(super) const READ: usize = 13;
}

/// How a node tells devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushSending {
    /// How long one request may take.
    pub timeout: Duration,
    /// How long a user without a connection may take to come back before what came while it was
    /// active is told.
    pub grace: Duration,
    /// Whether pushes show the beginnings of texts.
    pub texts: bool,
}

/// What has become of what was handed out: see `push.sql`.
#[derive(Debug)]
struct PushResult {
    act: i64,
    device: u64,
    room: Option<RoomName>,
    seq: u64,
}

mod act {
    pub(super) const NAMES_NOBODY: i64 = 0;
    pub(super) const TOLD: i64 = 1;
    pub(super) const GIVEN_UP: i64 = 2;
}

/// What a node knows of pushes.
#[derive(Debug, Default)]
pub(super) struct Pushing {
    terms: Option<PushSending>,
    /// When it is asked next whose turn it is.
    at: Tick,
    is_asked: bool,
    /// This node's turn, and until when it surely is.
    claim: Option<(i64, Tick)>,
    /// Behind which device it is looked next.
    behind: i64,
    /// What was handed to the thread, and the last seq of each room of a device.
    under_way: BTreeMap<(u64, RoomName), u64>,
    unwritten: Vec<PushResult>,
    is_writing: bool,
    orders: VecDeque<PushOrder>,
}

impl Pushing {
    /// When something is due.
    pub(super) fn due_at(&self) -> Tick {
        let asks = if self.terms.is_some() && !self.is_asked { self.at } else { Tick::MAX };
        asks.min(self.ends_at())
    }

    /// When a request that is begun would not surely end within this node's turn.
    fn ends_at(&self) -> Tick {
        self.claim.map_or(Tick::MAX, |(_, until)| until)
    }

    /// It may not be this node's turn any more.
    pub(super) fn give_up(&mut self) {
        // It asks again as soon as the engine is there.
        (self.is_asked, self.at) = (false, Tick::ZERO);
        self.end_turn();
    }

    fn end_turn(&mut self) {
        (self.behind, self.is_writing) = (0, false);
        self.unwritten.clear();
        self.under_way.clear();
        if self.claim.take().is_some() {
            self.orders.clear();
            self.orders.push_back(PushOrder::Forget);
        }
    }

    /// These are the devices: what was under way to others is not any more.
    pub(super) fn keep(&mut self, devices: &[PushSubscription]) {
        if !self.under_way.is_empty() {
            let ids: BTreeSet<u64> = devices.iter().map(|device| device.id).collect();
            self.under_way.retain(|(device, _), _| ids.contains(device));
        }
    }

    fn note(&mut self, act: i64, device: u64, message: Option<(RoomName, u64)>) {
        if self.claim.is_some() {
            let (room, seq) = message.map_or((None, 0), |(room, seq)| (Some(room), seq));
            self.unwritten.push(PushResult { act, device, room, seq });
        }
    }
}

impl<E: Engine> Node<E> {
    /// Lets this node tell devices, too.
    pub fn send_pushes(&mut self, terms: PushSending) {
        self.pushing.terms = Some(terms);
    }

    /// The next thing that the thread which sends pushes is to do.
    pub fn poll_push(&mut self) -> Option<PushOrder> {
        self.pushing.orders.pop_front()
    }

    /// What has become of a push.
    pub fn on_pushed(&mut self, outcome: PushOutcome) {
        let pushing = &mut self.pushing;
        match outcome {
            PushOutcome::Told { device, room, seq } => {
                let key = (device, room);
                // A later message of the same room may be under way to the device by now.
                if pushing.under_way.get(&key).is_some_and(|last| *last <= seq) {
                    pushing.under_way.remove(&key);
                }
                pushing.note(act::TOLD, device, Some((key.1, seq)));
            }
            PushOutcome::GivenUp(device) => {
                pushing.under_way.retain(|(of, _), _| *of != device);
                pushing.note(act::GIVEN_UP, device, None);
            }
            // It goes from the engine, with what it was to be told.
            PushOutcome::Ended(device) => pushing.under_way.retain(|(of, _), _| *of != device),
        }
    }

    /// Does what is due.
    pub(super) fn keep_pushing(&mut self) {
        let now = self.now.tick;
        if self.pushing.ends_at() <= now {
            self.pushing.end_turn();
        }
        if !self.is_up {
            return;
        }
        if !self.pushing.is_writing && !self.pushing.unwritten.is_empty() {
            self.write_pushed();
        }
        if !self.pushing.is_asked && self.pushing.at <= now {
            self.ask_pushes();
        }
    }

    /// The node stops: another one need not wait until its turn is over.
    pub fn stop_pushing(&mut self, now: Now) {
        self.now = now;
        self.pushing.terms = None;
        if let Some((turn, _)) = self.pushing.claim {
            if !self.pushing.unwritten.is_empty() {
                self.write_pushed();
            }
            let params = [Param::Int(self.node_number()), Param::Int(turn)];
            _ = self.ask_reader(Reading::Push(PushOp::Release), RELEASE, &params);
        }
        self.pushing.end_turn();
    }

    fn ask_pushes(&mut self) {
        let Some(PushSending { timeout, grace, .. }) = self.pushing.terms else { return };
        let turn = self.pushing.claim.map(|(turn, _)| turn);
        // No more than the queue of the sending thread keeps: what it dropped would be told to
        // nobody.
        let room = UNDER_WAY_MAX.saturating_sub(self.pushing.under_way.len());
        let params = [
            Param::Int(self.node_number()),
            Param::Int(turn.unwrap_or(-1)),
            Param::Int(signed(millis(timeout.saturating_add(TERM_MARGIN)))),
            Param::Int(signed(millis(grace))),
            Param::Int(self.pushing.behind),
            Param::Int(i64::try_from(room.min(HANDED_OUT_MAX)).unwrap_or(0)),
        ];
        let due = Reading::Push(PushOp::Due(self.now.tick, turn));
        self.pushing.is_asked = self.ask_reader(due, SEND, &params).is_ok();
        self.pushing.at = self.now.tick.after(ASK_EVERY);
    }

    fn write_pushed(&mut self) {
        let Some((turn, _)) = self.pushing.claim else { return };
        let results = std::mem::take(&mut self.pushing.unwritten);
        let acts: Vec<_> = results.iter().map(|result| Some(result.act)).collect();
        let devices: Vec<_> = results.iter().map(|result| Some(signed(result.device))).collect();
        let rooms: Vec<_> =
            results.iter().map(|result| result.room.as_ref().map(RoomName::as_str)).collect();
        let seqs: Vec<_> = results.iter().map(|result| Some(signed(result.seq))).collect();
        let params = [
            Param::Int(self.node_number()),
            Param::Int(turn),
            Param::Ints(&acts),
            Param::Ints(&devices),
            Param::Texts(&rooms),
            Param::Ints(&seqs),
        ];
        let sent = self.ask_reader(Reading::Push(PushOp::Sent), SENT, &params);
        self.pushing.is_writing = sent.is_ok();
        if sent.is_err() {
            self.pushing.unwritten = results;
        }
    }

    /// The engine has answered.
    pub(super) fn on_push_read(&mut self, op: &PushOp, rows: &[Row]) -> Result<(), WrongType> {
        match op {
            PushOp::Due(asked_at, turn) => {
                self.pushing.is_asked = false;
                // What was handed out in a turn that has ended meanwhile is handed out in the next.
                if *turn == self.pushing.claim.map(|(turn, _)| turn) {
                    self.on_due(*asked_at, rows)?;
                }
                Ok(())
            }
            PushOp::Sent => {
                self.pushing.is_writing = false;
                let row = rows.first().ok_or(WrongType { column: 0 })?;
                if !row.bool(0)? {
                    self.pushing.end_turn();
                }
                Ok(())
            }
            PushOp::Release => Ok(()),
        }
    }

    /// It has not, or has refused it. What it has handed out, or would have noted, is lost with the
    /// turn.
    pub(super) fn on_push_lost(&mut self, op: &PushOp) {
        match op {
            PushOp::Due(..) => self.pushing.is_asked = false,
            PushOp::Sent => self.pushing.is_writing = false,
            PushOp::Release => return,
        }
        self.pushing.end_turn();
    }

    fn on_due(&mut self, asked_at: Tick, rows: &[Row]) -> Result<(), WrongType> {
        let Some(terms) = self.pushing.terms else { return Ok(()) };
        // What there is behind these is said in the last row.
        let last = rows.last().map(|row| Ok::<_, WrongType>((row.int(1)?, row.int_or_null(2)?)));
        let Some((turn, behind)) = last.transpose()? else {
            self.pushing.end_turn();
            return Ok(());
        };
        if self.pushing.claim.is_some_and(|(known, _)| known != turn) {
            self.pushing.end_turn();
        }
        // The engine gives the turn for this and a request's timeout: one that is begun until then
        // ends within it.
        self.pushing.claim = Some((turn, asked_at.after(TERM_MARGIN)));
        self.pushing.behind = behind.unwrap_or(0);
        if behind.is_some() {
            self.pushing.at = self.now.tick.after(STEP_PAUSE);
        }
        for row in rows {
            match row.int(0)? {
                1 => self.hand_out(row, terms.texts)?,
                2 => self.take_back(row)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// A device is to be told of a message, if that is about its user.
    fn hand_out(&mut self, row: &Row, shows_text: bool) -> Result<(), WrongType> {
        let (id, seq) = (unsigned(row.int(column::DEVICE)?), unsigned(row.int(column::SEQ)?));
        let Some(room) = RoomName::stored(row.text(column::ROOM)?) else { return Ok(()) };
        let text = row.text_or_null(column::TEXT)?.unwrap_or_default();
        let at = unsigned(row.int(column::AT)?);
        let to = device(row, column::NAME, (id, at, None))?;
        let from = UserName::stored(row.text(column::SENDER)?);
        let Some((to, from)) =
            to.zip(from).filter(|(to, _)| room.is_direct() || names(text, &to.user))
        else {
            self.pushing.note(act::NAMES_NOBODY, id, Some((room, seq)));
            return Ok(());
        };
        let mut read = Vec::new();
        let mut words = row.text_or_null(column::READ)?.unwrap_or_default().split(' ');
        while let (Some(room), Some(seq)) = (words.next(), words.next()) {
            read.extend(RoomName::stored(room).zip(seq.parse().ok()));
        }
        let why = if room.is_direct() { PushReason::Direct } else { PushReason::Mention };
        self.pushing.under_way.insert((id, room.clone()), seq);
        self.pushing.orders.push_back(PushOrder::Send(Push {
            to: Arc::new(to),
            room,
            seq,
            from,
            why,
            unread: unsigned(row.int(column::UNREAD)?).max(1),
            text: shows_text.then(|| beginning(text).into()),
            read,
        }));
        Ok(())
    }

    /// A user has read a room up to there, or is not to be told of it any more.
    fn take_back(&mut self, row: &Row) -> Result<(), WrongType> {
        let (user, room) = (row.text(column::NAME)?, row.text(column::ROOM)?);
        let Some((user, room)) = UserName::stored(user).zip(RoomName::stored(room)) else {
            return Ok(());
        };
        let read = unsigned(row.int(column::SEQ)?);
        let known = &self.people.pages.all.people.pushes;
        let is_of_user = |id: u64| known.iter().any(|known| known.id == id && known.user == user);
        self.pushing
            .under_way
            .retain(|(device, of), seq| *of != room || *seq > read || !is_of_user(*device));
        self.pushing.orders.push_back(PushOrder::Read(user, room, read));
        Ok(())
    }
}
