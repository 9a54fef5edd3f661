//! One round over all hosts of the address, at once: which of them is the primary.

use std::collections::VecDeque;

use super::base::Base;
use super::boundary::{Hop, Lane, LinkEffect};
use super::bounds::{BACKOFF_MIN, CHOICE_PAUSE, ROUND_MAX};
use super::connection::{Connection, Heard};
use super::examine::{Examination, Examined, Identity};
use crate::cluster::check::Level;
use crate::pg::Fault;
use crate::time::Tick;

/// One host.
#[derive(Debug)]
struct Candidate {
    host: usize,
    /// While it has a connection.
    connection: Option<Connection>,
    examination: Examination,
    /// What it is, or why it is not used.
    outcome: Option<Result<Examined, String>>,
    /// While it is examined once more: why it was not used before.
    refused: Option<String>,
    /// When that was said.
    refused_at: Tick,
}

/// One round.
#[derive(Debug)]
pub(super) struct Search {
    candidates: Vec<Candidate>,
    deadline: Tick,
    /// When the choice is made, once there is one.
    choose_at: Option<Tick>,
    level: Level,
    known: Option<Identity>,
}

/// How a round ends.
#[derive(Debug)]
pub(super) enum Choice {
    /// With the primary.
    Found(Box<(Connection, Examined)>),
    /// Each host has a reason.
    None(Vec<(usize, String)>),
}

impl Search {
    /// Connects to each host.
    pub(super) fn begin(now: Tick, hosts: usize, known: Option<Identity>, base: &mut Base) -> Self {
        let deadline = now.after(ROUND_MAX);
        let level = base.options.level;
        let candidates = (0..hosts).map(|host| {
            let mut candidate = Candidate {
                host,
                connection: None,
                examination: Examination::default(),
                outcome: None,
                refused: None,
                refused_at: now,
            };
            candidate.connect(now, deadline, base);
            candidate
        });
        Self { candidates: candidates.collect(), deadline, choose_at: None, level, known }
    }

    /// When it has to go on if nothing comes.
    pub(super) fn deadline(&self) -> Tick {
        let waits = self.choose_at.is_none() && self.is_waiting();
        let again = self.candidates.iter().filter_map(Candidate::again_at);
        // Only while somebody is waited for anyway: with all refused the round is over.
        let again = again.min().filter(|_| waits).unwrap_or(Tick::MAX);
        self.choose_at.unwrap_or(again).min(self.deadline)
    }

    /// Whether a host has yet to say what it is.
    fn is_waiting(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.outcome.is_none())
    }

    pub(super) fn connections(&mut self) -> impl Iterator<Item = &mut Connection> {
        self.candidates.iter_mut().filter_map(|candidate| candidate.connection.as_mut())
    }

    fn candidate(&mut self, hop: Hop) -> Option<&mut Candidate> {
        self.candidates
            .iter_mut()
            .find(|it| it.connection.as_ref().is_some_and(|connection| connection.hop == hop))
    }

    /// A connection could not be made, or was closed.
    pub(super) fn on_lost(&mut self, now: Tick, hop: Hop, why: String) {
        if let Some(candidate) = self.candidate(hop) {
            candidate.connection = None;
            candidate.refused_at = now;
            // What it was when it said so, it is no more.
            candidate.outcome = Some(Err(why));
        }
    }

    pub(super) fn on_received(
        &mut self,
        now: Tick,
        hop: Hop,
        bytes: &[u8],
        effects: &mut VecDeque<LinkEffect>,
    ) {
        let (level, known) = (self.level, self.known);
        let Some(candidate) = self.candidate(hop) else { return };
        let Some(connection) = candidate.connection.as_mut() else { return };
        let (heard, fault) = connection.receive(now, bytes);
        for heard in heard {
            candidate.on_heard(now, heard);
        }
        if let Some(fault) = fault {
            candidate.outcome = Some(Err(fault.to_string()));
        }
        let refusal = match &candidate.outcome {
            Some(Ok(examined)) => examined.refusal(level, known),
            Some(Err(_)) | None => None,
        };
        if let Some(why) = refusal {
            candidate.outcome = Some(Err(why));
        }
        match candidate.outcome {
            Some(Err(_)) => {
                candidate.refused_at = now;
                candidate.close(effects);
            }
            Some(Ok(_)) => {
                // Not the first that answers: the primary of before may be quicker than the standby
                // that was promoted.
                self.choose_at.get_or_insert_with(|| now.after(CHOICE_PAUSE));
            }
            None => {}
        }
    }

    /// The end of the round, if all have said what they are.
    pub(super) fn poll(&mut self, base: &mut Base) -> Option<Choice> {
        (!self.is_waiting()).then(|| self.choose(&mut base.effects))
    }

    /// The end of the round, if time has brought it.
    pub(super) fn expire(&mut self, now: Tick, base: &mut Base) -> Option<Choice> {
        if self.deadline <= now || self.choose_at.is_some_and(|at| at <= now) {
            return Some(self.choose(&mut base.effects));
        }
        if self.choose_at.is_none() {
            self.try_again(now, base);
        }
        None
    }

    /// While one host is silent, another that was refused may become the primary.
    fn try_again(&mut self, now: Tick, base: &mut Base) {
        for candidate in &mut self.candidates {
            if candidate.again_at().is_some_and(|at| at <= now)
                && let Some(Err(why)) = candidate.outcome.take()
            {
                candidate.refused = Some(why);
                // A host that is just starting, or being promoted, refuses for a moment.
                candidate.examination = Examination::default();
                candidate.connect(now, self.deadline, base);
            }
        }
    }

    fn choose(&mut self, effects: &mut VecDeque<LinkEffect>) -> Choice {
        let (known, mut best) = (self.known, None::<(usize, (bool, u32))>);
        for (at, candidate) in self.candidates.iter().enumerate() {
            let Some(Ok(Examined { identity, .. })) = &candidate.outcome else { continue };
            let is_known = known.is_some_and(|known| known.system == identity.system);
            // The engine that is known before any other one, and of its hosts the one that was
            // promoted last.
            let rank = (is_known, identity.timeline);
            if best.is_none_or(|(_, other)| rank > other) {
                best = Some((at, rank));
            }
        }
        let mut found = None;
        let mut whys = Vec::new();
        for (at, mut candidate) in std::mem::take(&mut self.candidates).into_iter().enumerate() {
            let host = candidate.host;
            if best.is_some_and(|(best, _)| best == at)
                && let (Some(connection), Some(Ok(examined))) =
                    (candidate.connection.take(), candidate.outcome.take())
            {
                found = Some(Choice::Found(Box::new((connection, examined))));
                continue;
            }
            candidate.close(effects);
            let silent = || format!("no answer within {} ms", ROUND_MAX.as_millis());
            match candidate.outcome {
                Some(Ok(_)) => {}
                Some(Err(why)) => whys.push((host, why)),
                None => whys.push((host, candidate.refused.unwrap_or_else(silent))),
            }
        }
        found.unwrap_or(Choice::None(whys))
    }
}

impl Candidate {
    fn connect(&mut self, now: Tick, deadline: Tick, base: &mut Base) {
        let (hop, host) = (base.hop(Lane::Writer), self.host);
        base.effects.push_back(LinkEffect::Connect { hop, host, deadline });
        self.connection = Some(Connection::new(hop, host, now));
    }

    /// When it is examined once more, if it was refused.
    fn again_at(&self) -> Option<Tick> {
        let is_refused = matches!(self.outcome, Some(Err(_)));
        is_refused.then(|| self.refused_at.after(BACKOFF_MIN))
    }

    fn on_heard(&mut self, now: Tick, heard: Heard) {
        let Some(connection) = self.connection.as_mut() else { return };
        match heard {
            Heard::Ready(process, version) => {
                if self.examination.begin(now, connection, process, version).is_err() {
                    self.outcome = Some(Err(Fault::Malformed("it logs us in twice").to_string()));
                }
            }
            Heard::Answered(question, outcome) => {
                let by = (now, connection);
                if let Some(end) = self.examination.on_answer(by, question, outcome).transpose() {
                    // The first reason is the one that led to the others.
                    self.outcome.get_or_insert(end);
                }
            }
            Heard::Notified { .. } | Heard::Noticed(_) => {}
        }
    }

    fn close(&mut self, effects: &mut VecDeque<LinkEffect>) {
        if let Some(connection) = self.connection.take() {
            connection.close(effects);
        }
    }
}
