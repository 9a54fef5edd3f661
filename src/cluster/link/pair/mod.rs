//! The two connections to the engine that was chosen: how they come up, and what ends them.

mod deadlines;

use super::base::Base;
use super::boundary::{Hop, Lane, LinkEffect, LinkEvent, NotAsked};
use super::bounds::{ASKS_MAX, BEAT_EVERY, ROUND_MAX, WRITE_DEADLINE};
use super::connection::{Connection, Heard, Question};
use super::examine::{Examination, Examined};
use super::frame::{self, Frame, Item};
use super::nodes;
use super::statements::{BEAT, CHANNEL, LEAVE, LISTEN, NOTIFY};
use crate::cluster::check::Level;
use crate::pg::{EngineError, Param, Row, Statement};
use crate::time::{Tick, millis};

/// How far two connections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The reader is made, listens, and is asked which engine it has.
    Reading,
    /// A write is waited for: then all that can be read has reached a standby.
    Confirming,
    /// The other nodes are greeted, and the greeting has to come back.
    Hearing,
    /// Statements are taken.
    Up,
}

/// The two connections.
///
/// Invariant: `held` is empty unless a barrier is waited for (`confirmed < needed`), or the pair
/// has failed.
#[derive(Debug)]
pub(super) struct Pair {
    writer: Connection,
    reader: Connection,
    /// What the writer's engine is; the reader's has to be the same.
    examined: Examined,
    examination: Examination,
    step: Step,
    /// The last beats that were sent, and that were answered; and the one behind which answers may
    /// be handed up.
    sent: u32,
    confirmed: u32,
    needed: u32,
    beat_at: Tick,
    /// The settings that the level depends on, as of the first beat.
    settings: Option<Box<str>>,
    /// The first frame of this pair; the last of ours that came back; and one that was sent then,
    /// and has not come back.
    hello: Option<u64>,
    heard: u64,
    awaited: Option<(u64, Tick)>,
    held: Vec<(u64, Result<Vec<Row>, EngineError>)>,
    up_at: Option<Tick>,
    is_reported: bool,
    /// What is owed has had its time once more, and nothing was answered since.
    has_restarted: bool,
}

impl Pair {
    /// Connects the reader to where the writer is.
    pub(super) fn begin(
        now: Tick,
        (writer, examined): (Connection, Examined),
        base: &mut Base,
    ) -> Self {
        let hop = base.hop(Lane::Reader);
        let host = writer.host;
        // What waited to be told is of former connections: nodes are greeted anew, and told
        // everything.
        base.tells.reset();
        base.effects.push_back(LinkEffect::Connect { hop, host, deadline: now.after(ROUND_MAX) });
        Self {
            writer,
            reader: Connection::new(hop, host, now),
            examined,
            examination: Examination::default(),
            step: Step::Reading,
            sent: 0,
            confirmed: 0,
            needed: 0,
            beat_at: Tick::MAX,
            settings: None,
            hello: None,
            heard: 0,
            awaited: None,
            held: Vec::new(),
            up_at: None,
            is_reported: false,
            has_restarted: false,
        }
    }

    pub(super) const fn examined(&self) -> &Examined {
        &self.examined
    }

    pub(super) const fn host(&self) -> usize {
        self.writer.host
    }

    /// Since when statements are taken; `None` if they are not.
    pub(super) const fn up_at(&self) -> Option<Tick> {
        self.up_at
    }

    /// The node is told that it is up; whether for the first time.
    pub(super) const fn report(&mut self) -> bool {
        !std::mem::replace(&mut self.is_reported, true)
    }

    /// Since when the engine owes an answer to a write.
    pub(super) fn waits_since(&self) -> Option<Tick> {
        self.writer.waits_since()
    }

    /// How many requests of the writer were sent, and answered.
    pub(super) fn writer_counts(&self) -> (u64, u64) {
        self.writer.progress_counts()
    }

    pub(super) fn waiting(&self) -> usize {
        self.writer.waiting() + self.reader.waiting()
    }

    pub(super) fn connection(&mut self, hop: Hop) -> Option<&mut Connection> {
        [&mut self.writer, &mut self.reader].into_iter().find(|it| it.hop == hop)
    }

    pub(super) fn poll_effect(&mut self) -> Option<LinkEffect> {
        self.writer.poll_effect().or_else(|| self.reader.poll_effect())
    }

    pub(super) fn ask(
        &mut self,
        now: Tick,
        lane: Lane,
        (tag, statement): (u64, Statement),
        params: &[Param<'_>],
    ) -> Result<(), NotAsked> {
        if self.step != Step::Up {
            return Err(NotAsked::Down);
        }
        let connection = match lane {
            Lane::Writer => &mut self.writer,
            Lane::Reader => &mut self.reader,
            // Statements are for the engine; the bus has none.
            Lane::Bus => return Err(NotAsked::Down),
        };
        if connection.waiting() >= ASKS_MAX {
            return Err(NotAsked::Busy);
        }
        connection.ask(now, Question::Ask(tag), statement, params).map_err(|_busy| NotAsked::Busy)
    }

    /// The node is removed from the registry.
    pub(super) fn leave(&mut self, now: Tick, base: &Base) -> Result<(), NotAsked> {
        let Some(id) = base.nodes.own() else { return Err(NotAsked::Down) };
        let params = [Param::Int(id.0.cast_signed()), Param::Int(base.nonce)];
        // A beat behind it would enter the node again.
        self.beat_at = Tick::MAX;
        self.writer.ask(now, Question::Leave, LEAVE, &params).map_err(|_busy| NotAsked::Busy)
    }

    /// Whether the engine has not confirmed yet that the node is removed.
    pub(super) fn is_leaving(&self) -> bool {
        self.writer.awaits(|question| *question == Question::Leave)
    }

    /// Bytes have come.
    pub(super) fn on_received(
        &mut self,
        now: Tick,
        hop: Hop,
        bytes: &[u8],
        base: &mut Base,
    ) -> Result<(), String> {
        let Some(connection) = self.connection(hop) else { return Ok(()) };
        let lane = connection.lane();
        let (heard, fault) = connection.receive(now, bytes);
        let mut outcome = fault.map_or(Ok(()), |fault| Err(fault.to_string()));
        let mut all = heard.into_iter();
        if let Some(why) = all.find_map(|heard| self.on_heard(now, lane, heard, base).err()) {
            outcome = Err(why);
        }
        // What has come with it is not handed up any more: it counts as lost, and is told so.
        for heard in all {
            if let Heard::Answered(Question::Ask(tag), outcome) = heard {
                self.held.push((tag, outcome));
            }
        }
        outcome
    }

    fn on_heard(
        &mut self,
        now: Tick,
        lane: Lane,
        heard: Heard,
        base: &mut Base,
    ) -> Result<(), String> {
        match heard {
            Heard::Ready(process, version) => {
                // What is told from now on is heard: what is read later is not older.
                let sent = self
                    .reader
                    .ask(now, Question::Listen, LISTEN, &[])
                    .and_then(|()| self.examination.begin(now, &mut self.reader, process, version));
                sent.map_err(|_busy| too_many())
            }
            Heard::Answered(question, outcome) => {
                self.has_restarted = false;
                self.on_answer(now, question, outcome, base)
            }
            Heard::Notified { channel, payload } => {
                if &*channel == CHANNEL {
                    self.on_notified(now, &payload, base);
                }
                Ok(())
            }
            Heard::Noticed(notice) => {
                // The words are in the engine's language; a wait that was cancelled is a warning of
                // no class of its own, or one of a shutdown.
                if lane == Lane::Writer && ["01", "57"].contains(&class(&notice.code)) {
                    log::warn!(notice:%; "the engine warns: all is confirmed anew");
                    self.needed = self.sent + 1;
                    return self.beat(now, base);
                }
                Ok(())
            }
        }
    }

    fn on_answer(
        &mut self,
        now: Tick,
        question: Question,
        outcome: Result<Vec<Row>, EngineError>,
        base: &mut Base,
    ) -> Result<(), String> {
        match question {
            Question::Look | Question::Identify | Question::Version => {
                let by = (now, &mut self.reader);
                let Some(examined) = self.examination.on_answer(by, question, outcome)? else {
                    return Ok(());
                };
                if examined.identity != self.examined.identity {
                    return Err("the two connections lead to different engines".to_owned());
                }
                self.step = Step::Confirming;
                // The beat that is sent now is the barrier.
                self.needed = self.sent + 1;
                self.beat(now, base)
            }
            Question::Listen => outcome.map(drop).map_err(|error| error.to_string()),
            Question::Beat(serial, sent_at) => {
                let rows = outcome.map_err(|error| error.to_string())?;
                self.on_beat(now, (serial, sent_at), &rows, base)
            }
            Question::Notify(counter) => {
                base.tells.on_told();
                outcome.map_err(|error| error.to_string())?;
                if let Some(counter) = counter.filter(|counter| self.heard < *counter) {
                    self.awaited.get_or_insert((counter, now));
                }
                Ok(())
            }
            Question::Leave => Ok(()),
            Question::Ask(tag) => {
                let end = outcome.as_ref().err().filter(|error| is_end(&error.code));
                if let Some(why) = end.map(ToString::to_string) {
                    self.held.push((tag, outcome));
                    return Err(why);
                }
                // Standbys may not have yet what was read before the barrier.
                if self.confirmed < self.needed {
                    self.held.push((tag, outcome));
                } else {
                    base.events.push_back(LinkEvent::Answered { tag, outcome });
                }
                Ok(())
            }
        }
    }

    fn beat(&mut self, now: Tick, base: &Base) -> Result<(), String> {
        self.sent += 1;
        self.beat_at = now.after(BEAT_EVERY);
        let params = [
            Param::Int(base.nodes.own().map_or(0, |node| node.0.cast_signed())),
            Param::Int(base.nonce),
            Param::Text(&base.options.name),
            Param::Text(&base.options.address),
            Param::Text(&base.options.version),
        ];
        let question = Question::Beat(self.sent, now);
        self.writer.ask(now, question, BEAT, &params).map_err(|_busy| too_many())
    }

    fn on_beat(
        &mut self,
        now: Tick,
        (serial, sent_at): (u32, Tick),
        rows: &[Row],
        base: &mut Base,
    ) -> Result<(), String> {
        let (rows, (settings, wall_ms)) = nodes::read(rows).map_err(|error| error.to_string())?;
        // The level was judged by them: it is judged anew at a new connection.
        if *self.settings.get_or_insert_with(|| settings.clone()) != settings {
            return Err(format!("its settings have changed: {settings}"));
        }
        base.beat_ms = Some(millis(now.since(sent_at)));
        base.compare_clocks(wall_ms, now.since(sent_at));
        let former = base.nodes.own();
        let (events, is_up) = (&mut base.events, self.step == Step::Up);
        base.nodes.on_rows(sent_at, rows, |event| {
            // All of them are named when the link is up.
            if is_up || matches!(event, LinkEvent::NodeGone { .. }) {
                events.push_back(event);
            }
        });
        // The registry has dropped this node while it was silent, and has now entered it by a new
        // number.
        if is_up && base.nodes.own() != former {
            // For the others, whoever had the number before is gone.
            base.push_up(self.examined.engine.level(), false);
            base.push_others();
        }
        base.peers.keep(base.nodes.others());
        base.look_apart(now);
        self.confirmed = serial;
        // The barrier: what was answered before it is safe only now.
        if self.confirmed >= self.needed {
            for (tag, outcome) in self.held.drain(..) {
                base.events.push_back(LinkEvent::Answered { tag, outcome });
            }
        }
        if self.step == Step::Confirming {
            self.step = Step::Hearing;
            // Only now: a node that answers the greeting must find this one in the registry.
            base.tells.hello();
        } else {
            base.tells.beat();
        }
        Ok(())
    }

    fn on_notified(&mut self, now: Tick, payload: &str, base: &mut Base) {
        let Some(Frame { node, counter, items }) = frame::read(payload) else {
            log::debug!(channel = CHANNEL; "a notification is not of this program's");
            return;
        };
        if Some(node) == base.nodes.own() {
            self.heard = self.heard.max(counter);
            self.awaited = self.awaited.filter(|(awaited, _)| *awaited > counter);
            if self.step == Step::Hearing && self.hello.is_some_and(|hello| counter >= hello) {
                self.step = Step::Up;
                self.up_at = Some(now);
            }
            return;
        }
        let (events, is_up) = (&mut base.events, self.step == Step::Up);
        let is_hello = items.contains(&Item::Hello);
        let counts = base.nodes.on_heard(now, node, is_hello, |event| {
            if is_up {
                events.push_back(event);
            }
        });
        // Before, it is of no use: heads are compared, and nodes greeted, when the link is up.
        if counts && (is_hello || items.contains(&Item::Beat)) {
            let says = items.iter().find_map(|item| match item {
                Item::Bus(is_heard) => Some(*is_heard),
                _ => None,
            });
            base.peers.on_said(now, node, says);
        }
        if !counts || !is_up {
            return;
        }
        for item in items {
            match item {
                Item::Beat | Item::Hello | Item::Proof(_) | Item::Bus(_) => {}
                Item::Grew(rooms) => base.events.push_back(LinkEvent::Grew { rooms }),
                Item::Message(payload) => base.events.push_back(LinkEvent::Bus { node, payload }),
            }
        }
    }

    /// Tells what is due.
    pub(super) fn tell(&mut self, now: Tick, base: &mut Base) -> Result<(), String> {
        if !matches!(self.step, Step::Hearing | Step::Up) {
            return Ok(());
        }
        let Some(telling) = base.nodes.own().and_then(|node| base.tells.take(now, node)) else {
            return Ok(());
        };
        // The first frame after a reset of the queue carries the greeting: its return proves that
        // this session hears what is told.
        self.hello.get_or_insert(telling.counter);
        let payloads = telling.payloads.iter().map(|payload| Some(&**payload)).collect::<Vec<_>>();
        let question = Question::Notify(telling.is_checked.then_some(telling.counter));
        let params = [Param::Texts(&payloads)];
        self.writer.ask(now, question, NOTIFY, &params).map_err(|_busy| too_many())
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Tick, base: &mut Base) -> Result<(), String> {
        if self.write_deadline() <= now {
            let millis = WRITE_DEADLINE.as_millis();
            let is_commit =
                self.step == Step::Confirming && self.examined.engine.level() == Level::Replicated;
            return Err(if is_commit {
                format!(
                    "a commit was not confirmed within {millis} ms: does a standby answer that \
                     synchronous_standby_names names?"
                )
            } else {
                format!("no answer to a write within {millis} ms")
            });
        }
        if self.read_deadline() <= now {
            let millis = self.patience().as_millis();
            return Err(format!("no answer to a read within {millis} ms"));
        }
        if self.hearing_deadline() <= now {
            return Err(
                "what is told is not heard: is that a pooler, in which no session is ours?"
                    .to_owned(),
            );
        }
        if self.beat_deadline() <= now {
            self.beat(now, base)?;
        }
        self.tell(now, base)
    }

    /// Closes both, but for the one that is closed already; who waits is told that no answer comes.
    pub(super) fn end(self, closed: Option<Hop>, base: &mut Base) {
        let mut tags = self.held.into_iter().map(|(tag, _)| tag).collect::<Vec<_>>();
        for connection in [self.writer, self.reader] {
            tags.extend(if Some(connection.hop) == closed {
                connection.lost()
            } else {
                connection.close(&mut base.effects)
            });
        }
        base.events.extend(tags.into_iter().map(|tag| LinkEvent::Lost { tag }));
        base.tells.reset();
    }
}

/// The first two characters of a code: what kind of fault it is.
fn class(code: &str) -> &str {
    code.get(..2).unwrap_or_default()
}

/// The engine takes no writes any more, or stops.
fn is_end(code: &str) -> bool {
    code == "25006" || code.starts_with("57P")
}

fn too_many() -> String {
    "too many requests wait for it".to_owned()
}
