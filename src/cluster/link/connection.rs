//! One connection to an engine, with what was asked on it.

use std::collections::VecDeque;

use super::boundary::{Hop, Lane, LinkEffect};
use crate::pg::{Busy, Client, EngineError, Fault, Login, Param, Reply, Row, Statement};
use crate::time::Tick;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// What the engine is.
    Look,
    /// Which engine it is.
    Identify,
    /// Which version the schema has.
    Version,
    /// To hear what is told.
    Listen,
    /// To note that this node is there: the beat of this number, asked then.
    Beat(u32, Tick),
    /// To tell others; it has to come back to us if there is a counter.
    Notify(Option<u64>),
    /// To note that this node is gone.
    Leave,
    /// What the node wants, with its tag.
    Ask(u64),
}

/// An answer, and what is told without being asked.
#[derive(Debug)]
pub(super) enum Heard {
    /// The login is done: the number of the session, and the engine's version.
    Ready(i32, Box<str>),
    Answered(Question, Result<Vec<Row>, EngineError>),
    Notified {
        channel: Box<str>,
        payload: Box<str>,
    },
    Noticed(EngineError),
}

/// One connection.
///
/// Invariant: `pending` has what `client` has not answered, in its order.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) hop: Hop,
    pub(super) host: usize,
    /// Since the connection was made.
    client: Option<Client>,
    is_ready: bool,
    pending: VecDeque<Question>,
    /// When the engine began with the first of them.
    progress: Tick,
    /// How many requests were sent.
    question: u64,
}

impl Connection {
    /// One that is being made.
    pub(super) const fn new(hop: Hop, host: usize, now: Tick) -> Self {
        let pending = VecDeque::new();
        let (client, is_ready, question) = (None, false, 0);
        Self { hop, host, client, is_ready, pending, progress: now, question }
    }

    /// It was made.
    pub(super) fn begin(&mut self, login: Login, settings: &[(&str, &str)]) {
        self.client = Some(Client::new(login, settings));
    }

    /// Since when the engine owes an answer, or the login; `None` if it does not.
    pub(super) fn waits_since(&self) -> Option<Tick> {
        (!self.is_ready || !self.pending.is_empty()).then_some(self.progress)
    }

    /// What is owed has its whole time from now on.
    pub(super) const fn restart_clock(&mut self, now: Tick) {
        self.progress = now;
    }

    /// When the engine last answered.
    pub(super) const fn progress(&self) -> Tick {
        self.progress
    }

    /// How many requests wait for their answers.
    pub(super) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// How many requests were sent, and how many of them are answered.
    pub(super) fn progress_counts(&self) -> (u64, u64) {
        let waiting = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        (self.question, self.question.saturating_sub(waiting))
    }

    /// Whether such a request waits for its answer.
    pub(super) fn awaits(&self, is_it: impl Fn(&Question) -> bool) -> bool {
        self.pending.iter().any(is_it)
    }

    pub(super) fn ask(
        &mut self,
        now: Tick,
        question: Question,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), Busy> {
        let client = self.client.as_mut().filter(|_| self.is_ready).ok_or(Busy)?;
        client.request(statement, params)?;
        // With others before it, the engine has not begun with this one.
        if self.pending.is_empty() {
            self.progress = now;
        }
        self.pending.push_back(question);
        self.question += 1;
        Ok(())
    }

    /// Takes what has come: what that says, and why the connection is of no use any more.
    pub(super) fn receive(&mut self, now: Tick, bytes: &[u8]) -> (Vec<Heard>, Option<Fault>) {
        let Some(client) = self.client.as_mut() else { return (Vec::new(), None) };
        let fault = client.receive(bytes).err();
        let mut heard = Vec::new();
        while let Some(reply) = client.poll() {
            let mut answered = |outcome| {
                self.progress = now;
                let question = self.pending.pop_front()?;
                Some(Heard::Answered(question, outcome))
            };
            heard.extend(match reply {
                Reply::Ready { process, version } => {
                    self.is_ready = true;
                    self.progress = now;
                    Some(Heard::Ready(process, version))
                }
                Reply::Rows(rows) => answered(Ok(rows)),
                Reply::Failed(error) => answered(Err(error)),
                Reply::Notified { channel, payload, .. } => {
                    Some(Heard::Notified { channel, payload })
                }
                Reply::Noticed(notice) => Some(Heard::Noticed(notice)),
            });
        }
        (heard, fault)
    }

    /// What is to be sent.
    pub(super) fn poll_effect(&mut self) -> Option<LinkEffect> {
        let outgoing = self.client.as_mut()?.outgoing();
        if outgoing.is_empty() {
            return None;
        }
        Some(LinkEffect::Send { hop: self.hop, bytes: outgoing.split().freeze() })
    }

    /// Takes leave and closes; the tags of what has no answer.
    pub(super) fn close(mut self, effects: &mut VecDeque<LinkEffect>) -> Vec<u64> {
        let hop = self.hop;
        if let Some(client) = self.client.as_mut() {
            // What was not sent is not to be done.
            client.outgoing().clear();
            client.end();
        }
        effects.extend(self.poll_effect());
        effects.push_back(LinkEffect::Close { hop });
        self.lost()
    }

    /// It is closed already; the tags of what has no answer.
    pub(super) fn lost(self) -> Vec<u64> {
        let tags = self.pending.into_iter().filter_map(|question| match question {
            Question::Ask(tag) => Some(tag),
            _ => None,
        });
        tags.collect()
    }

    pub(super) const fn lane(&self) -> Lane {
        self.hop.lane
    }
}
