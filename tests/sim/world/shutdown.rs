//! The end: either all leave and nothing is left, or the server stops and all are told.

use std::collections::BTreeSet;
use std::time::Duration;

use chinwag::net::StopSignal;
use chinwag::time::Tick;

use super::World;
use crate::client::Behaviour;
use crate::codec::Kind;
use crate::history::Check;

/// Rounds in which everyone leaves every room. An only owner cannot leave before the others, and
/// the last member of a private room tries with and without closing it.
const LEAVE_ROUNDS: usize = 12;

impl World {
    pub(super) fn end(&mut self, seed: u64) -> Check {
        self.quiesce()?;
        if seed.is_multiple_of(2) { self.depart() } else { self.drain() }
    }

    /// Everyone leaves every room and goes: the server remembers nobody.
    fn depart(&mut self) -> Check {
        // What the rate limit refuses is done the next time.
        for _ in 0..LEAVE_ROUNDS {
            self.each_client(|client, context| {
                client.ask_rooms(context);
                Ok(())
            })?;
            self.rest(Duration::from_secs(2))?;
            self.run_until_settled()?;
            self.each_client(|client, context| {
                client.leave_all(context);
                Ok(())
            })?;
            self.rest(Duration::from_secs(2))?;
            self.run_until_settled()?;
        }
        self.each_client(|client, context| {
            client.behaviour = Behaviour::Leaving;
            client.say_goodbye(context);
            Ok(())
        })?;
        // A client whose connection stalls goes late, one that has pasted much is read at its rate
        // for hours; guests, and then rooms without members, are remembered for longer.
        let timeouts = &self.plan.config.timeouts;
        let stalled = timeouts.ping_after + timeouts.pong + timeouts.stall;
        let remembered = timeouts.guest_membership * 2;
        self.rest_long(stalled * 2 + remembered + Duration::from_hours(6))?;
        self.check_nothing_left()
    }

    fn check_nothing_left(&self) -> Check {
        let chat = self.server.chat();
        let stats = chat.stats();
        // What is stored is there for those who come back.
        let [users, rooms, memberships, ring_bytes] = chat.sizes();
        let [awaited, conversations] = chat.awaited();
        // What was said to somebody who never came waits, and nothing else does.
        let remembered = users - awaited + rooms + memberships - 2 * conversations;
        let remembered = remembered + if conversations > 0 { 0 } else { ring_bytes };
        let remembered = if self.store.is_some() { 0 } else { remembered };
        let left = [
            ("users, rooms, memberships, ring bytes", remembered),
            ("requests to the logs", chat.pending()),
            ("sessions of the domain", usize::try_from(stats.sessions).unwrap_or(usize::MAX)),
            ("subscriptions", usize::try_from(stats.subs).unwrap_or(usize::MAX)),
            ("connections with a session", self.server.connections()),
            ("connections", self.reactor.len()),
        ];
        for (what, count) in left {
            if count > 0 {
                return Err(format!("{count} {what} are left: {:?}", chat.sizes()));
            }
        }
        let armed = self.reactor.next_deadline().min(chat.next_deadline());
        if armed < Tick::MAX {
            return Err(format!("a deadline is left at {armed:?}"));
        }
        Ok(())
    }

    /// The server stops: all are told when to come back, and it exits in time.
    fn drain(&mut self) -> Check {
        let began = self.tick;
        self.plan.drain_at = Some(began);
        for client in &mut self.clients {
            client.behaviour = Behaviour::Leaving;
            // What it was told by an earlier stop does not count.
            client.farewell = (None, None);
        }
        self.reactor.stop(StopSignal::Drain);
        let greeted: Vec<usize> = self
            .clients
            .iter()
            .filter(|c| c.kind != Kind::Text && c.greeted().is_some())
            .map(|c| c.id)
            .collect();
        let mut told = BTreeSet::new();
        let latest = began.after(self.plan.config.timeouts.stop);
        while !self.reactor.exited {
            self.tick = self.tick.after(Duration::from_millis(1 + self.rng.below(50)));
            self.turn()?;
            told.extend(self.told_to_go());
            if self.tick > latest.after(Duration::from_secs(1)) {
                return Err("the server does not stop".to_owned());
            }
        }
        // Bytes that the kernel has accepted still arrive after the process has exited.
        for _ in 0..400 {
            self.step += 1;
            self.each_client(crate::client::Client::step)?;
            told.extend(self.told_to_go());
        }
        let told_clients: Vec<usize> = told.iter().map(|&(client, _)| client).collect();
        if greeted != told_clients {
            return Err(format!("{greeted:?} were there, {told_clients:?} were told to go"));
        }
        let moments: BTreeSet<u64> = told.iter().map(|&(_, after)| after).collect();
        if moments.len() != told.len() {
            return Err(format!("not spread: {moments:?}"));
        }
        Ok(())
    }

    /// Which clients have been told when to come back, and have heard 4201.
    fn told_to_go(&self) -> Vec<(usize, u64)> {
        let told = |client: &crate::client::Client| {
            let (after, code) = client.farewell;
            (code == Some(4201)).then_some((client.id, after?))
        };
        self.clients.iter().filter_map(told).collect()
    }
}
