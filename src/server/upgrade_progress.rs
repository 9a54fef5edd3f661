//! How far an upgrade has come, on the side of the process that is to end.
//!
//! ```text
//!  (serving) ── SIGUSR2 ──▶ preparing ── ready ──▶ frozen ── all is answered ──▶ handed over
//!      ▲                        │                     │                              │
//!      └────────────────────────┴── whatever fails ───┴──────────────────────────────┘
//! ```

use std::io;
use std::time::Duration;

use super::files::FileStart;
use super::upgrade::{Answer, Candidate, Successor};
use super::{Engine, Server, WebhookStart};
use crate::chat::model::log::Logs as _;
use crate::net::{Effect, Effects};
use crate::reactor::Reactor;
use crate::time::Tick;
use crate::time::clock::{Clock, Now};

/// An upgrade under way, if there is one.
#[derive(Debug)]
pub(super) struct Upgrading {
    /// How the next process is started; `None`: this server cannot be upgraded.
    successor: Option<Successor>,
    /// Nothing is read until all is answered, by this moment at the latest; then this process takes
    /// over.
    frozen: Option<(Candidate, Tick)>,
    /// How long the clients may be kept waiting.
    timeout: Duration,
}

/// What became of handing over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandedOver {
    /// Another process serves.
    Yes,
    /// This one goes on.
    No,
    /// Another process was to serve, and has ended.
    Lost,
}

impl Upgrading {
    pub(super) const fn new(timeout: Duration) -> Self {
        Self { successor: None, frozen: None, timeout }
    }

    /// Lets upgrades be.
    pub(super) fn set_successor(&mut self, successor: Successor) {
        self.successor = Some(successor);
    }

    pub(super) const fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Whether nothing is read for now.
    pub(super) const fn is_frozen(&self) -> bool {
        self.frozen.is_some()
    }

    /// No other process is started any more; its listening sockets are let go.
    pub(super) fn leave(&mut self) {
        self.successor = None;
    }

    fn fail(&self, why: &str) {
        if let Some(successor) = &self.successor {
            successor.answer(&Answer::Failed(why.to_owned()));
        }
    }
}

impl Server {
    /// The process was asked to hand everything to a new one.
    pub(super) fn begin_upgrade(&mut self) {
        let is_broken = self.metrics.store.trouble.value() > 0;
        let Some(successor) = &mut self.upgrading.successor else {
            return log::warn!("SIGUSR2: the server is stopping, and is not upgraded");
        };
        let begun = if let Engine::Shared(_) = self.logs {
            let text = "this is a node of a cluster: stop it and start the new program, its clients \
                        go to the other nodes meanwhile";
            Err(text.to_owned())
        } else if is_broken {
            // What waits for the disk is in this process alone: the next one could not be given it.
            Err("the store has trouble, see above; solve that first".to_owned())
        } else {
            successor.begin(self.upgrading.timeout)
        };
        match begun {
            Ok(()) => log::info!("SIGUSR2: a new process of the server is started"),
            Err(why) => self.upgrading.fail(&why),
        }
    }

    /// A process may be ready to take over, or has failed.
    pub(super) fn take_candidate(&mut self, now: Now, effects: &mut Effects) {
        let outcome = self.upgrading.successor.as_mut().and_then(Successor::poll);
        match outcome {
            None => {}
            Some(Err(why)) => self.upgrading.fail(&why),
            Some(Ok(candidate)) => {
                // Half of the time is for what follows.
                let deadline = now.tick.after(self.upgrading.timeout / 2);
                self.upgrading.frozen = Some((candidate, deadline));
                // Nothing is read from here on, so that what is under way becomes less and comes to
                // an end.
                effects.push(Effect::Freeze);
            }
        }
    }

    /// Leaves the loop once all that was asked for is answered.
    pub(super) fn await_quiet(&mut self, now: Now, effects: &mut Effects) {
        self.flush_to_logs(now);
        let Some(&(_, deadline)) = self.upgrading.frozen.as_ref() else { return };
        // What waits for an answer of the store is no part of the state: nothing may wait when the
        // state is put into words.
        if self.is_quiet() {
            return effects.push(Effect::Yield);
        }
        if now.tick >= deadline {
            let pending = self.chat.pending();
            let why = format!("the store has not answered in time: {pending} requests wait for it");
            self.end_upgrade(&why, effects);
            return self.arm_alarm(now, effects);
        }
        let deadline = if self.has_replies { now.tick } else { deadline };
        self.alarm = deadline;
        effects.push(Effect::Alarm { deadline });
    }

    /// Gives an upgrade up for which nothing was handed over yet.
    pub(super) fn end_upgrade(&mut self, why: &str, effects: &mut Effects) {
        let Some((candidate, _)) = self.upgrading.frozen.take() else { return };
        // The process is ended before clients are heard again: two must never serve.
        candidate.give_up(&io::Error::other(""));
        self.upgrading.fail(why);
        effects.push(Effect::Thaw);
    }

    /// Hands everything to the process that is ready, now that nothing is under way. If that fails,
    /// this one goes on.
    pub(super) fn hand_over(&mut self, reactor: &mut Reactor, clock: &Clock) -> HandedOver {
        let Some((mut candidate, _)) = self.upgrading.frozen.take() else { return HandedOver::No };
        let began = clock.now();
        let deadline = began.tick.after(self.upgrading.timeout);
        let handed = self.try_hand_over((&mut candidate, reactor), (*clock, deadline));
        let carried = match handed {
            Ok(carried) => carried,
            Err(error) => {
                let why = candidate.give_up(&error);
                self.go_on(reactor, clock);
                self.upgrading.fail(&why);
                return HandedOver::No;
            }
        };
        let outcome = if candidate.is_serving() { HandedOver::Yes } else { HandedOver::Lost };
        let is_asked_to_stop = reactor.is_asked_to_stop();
        // Let go without a word to the client: the sockets are shared with the other process, and a
        // closing frame or a shutdown here would end the connection there.
        reactor.release(|conn| carried.contains(&conn));
        for &conn in &carried {
            self.sessions.forget(conn);
        }
        let took = clock.now().tick.since(began.tick);
        let answer = self.answer_of(outcome, &candidate, (carried.len(), took));
        if let Some(successor) = &self.upgrading.successor {
            successor.answer(&answer);
        }
        // Nothing more is said by this process: who hears it takes it for the service's.
        if let Some(supervisor) = self.supervisor.take() {
            supervisor.hand_on(candidate.id());
        }
        // The signal came to this process while the other one was taking over, and was meant for
        // the service.
        if is_asked_to_stop {
            candidate.stop();
        }
        self.end_here(reactor, clock.now());
        outcome
    }

    /// What is said about an upgrade once there is no way back.
    fn answer_of(
        &self,
        outcome: HandedOver,
        candidate: &Candidate,
        (count, took): (usize, Duration),
    ) -> Answer {
        if outcome == HandedOver::Lost {
            let why = "the new process has ended just when it had taken over";
            return Answer::Failed(why.to_owned());
        }
        let left = match self.sessions.len() {
            0 => String::new(),
            left => format!(
                ", {left} that use TLS, event streams or the echo are told when to come back"
            ),
        };
        let (pid, version, millis) = (candidate.id(), &candidate.version, took.as_millis());
        Answer::Done(format!(
            "upgraded to {version}: process {pid} serves, {count} connections went on after {millis} ms{left}"
        ))
    }

    /// Sends those away that could not go on elsewhere, and ends.
    fn end_here(&mut self, reactor: &mut Reactor, now: Now) {
        self.upgrading.leave();
        self.chat.stop(now);
        self.sessions.expect_drain();
        self.stopping = Some(now.tick);
        reactor.leave_by(now.tick.after(self.stop_timeout));
        reactor.thaw();
        // Nothing else may wake it.
        reactor.set_alarm(now.tick);
    }

    fn try_hand_over(
        &mut self,
        (candidate, reactor): (&mut Candidate, &Reactor),
        (clock, deadline): (Clock, Tick),
    ) -> io::Result<std::collections::BTreeSet<crate::net::ConnId>> {
        let began = clock.now().tick;
        let millis = |from: Tick| clock.now().tick.since(from).as_millis();
        // What it sends meanwhile is sent again by the other process.
        self.webhooks.iter().for_each(WebhookStart::pause);
        self.files.iter_mut().for_each(FileStart::end);
        // The disk works while the state is put into words.
        self.logs.suspend();
        let carried = candidate.send_state((reactor, self), (clock, deadline))?;
        let (state_ms, closing) = (millis(began), clock.now().tick);
        // SQLite's file has one writer: the other process opens it only when it was closed here.
        if !self.logs.await_suspended(deadline.since(closing)) {
            return Err(io::Error::other("has to wait: the store could not be closed in time"));
        }
        let (store_ms, waiting) = (millis(closing), clock.now().tick);
        candidate.send_end()?;
        candidate.await_ready((clock, deadline))?;
        // The point after which there is no way back. Before it, any error ends the other process;
        // after it this one may not serve, even if the other one has ended.
        candidate.let_take()?;
        let ready_ms = millis(waiting);
        log::info!(state_ms:%, store_ms:%, ready_ms:%; "handed over: sent the state, closed the store, waited for the other process");
        Ok(carried)
    }

    /// Goes on as if nothing had been.
    fn go_on(&mut self, reactor: &mut Reactor, clock: &Clock) {
        self.webhooks.iter_mut().for_each(WebhookStart::end);
        // The threads of the store have ended for the other process: it is opened anew, and asked
        // for no more than the rooms that are in memory.
        let wanted = self.chat.stored_rooms();
        let found = self.logs.resume().and_then(|()| self.logs.load(&wanted));
        self.webhooks.iter_mut().for_each(WebhookStart::look);
        self.files.iter_mut().for_each(FileStart::start);
        let now = clock.now();
        match found {
            Ok(found) => self.chat.reopen_logs(now, found),
            Err(error) => {
                log::error!(error:%; "the store cannot be opened again: nothing is stored");
            }
        }
        self.pass_requests(now);
        // It was not heard while nothing was read.
        self.alarm = now.tick;
        reactor.thaw();
        reactor.set_alarm(now.tick);
    }
}
