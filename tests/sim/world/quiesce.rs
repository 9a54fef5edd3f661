//! The quiet at the end: everyone comes back, everything is answered, and all are told the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chinwag::time::Tick;

use super::World;
use crate::client::{Behaviour, Client, Connection, Target};
use crate::codec::Kind;
use crate::history::{Check, History, View};
use crate::plan::MODERATED_ROOM;

/// Steps within which all must have come to rest.
const STEPS_MAX: u64 = 4_000;

impl World {
    /// Calms everyone down, has each say and read one last thing, and holds what they know against
    /// each other.
    pub(super) fn quiesce(&mut self) -> Check {
        for client in &mut self.clients {
            client.behaviour = Behaviour::Quiet;
        }
        self.stop_faults();
        self.keep_alive();
        // Longer than any connection without a client lives, and any stall.
        self.rest_long(Duration::from_secs(200))?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            if client.kind == Kind::Events {
                return Ok(());
            }
            let rooms: Vec<String> =
                client.greeted().into_iter().flat_map(|conn| conn.views.keys().cloned()).collect();
            for room in rooms {
                client.say(Target::Room(room), context);
            }
            Ok(())
        })?;
        self.run_until_settled()?;
        self.rest(Duration::from_secs(2))?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            client.read_all(context);
            Ok(())
        })?;
        self.run_until_settled()?;
        // Leave grace, typing and the gathering of presence and receipts run out.
        self.rest(Duration::from_secs(30))?;
        self.run_until_settled()?;
        self.each_client(|client, context| {
            client.ask_rooms(context);
            Ok(())
        })?;
        self.run_until_settled()?;
        // What people at terminals have said last, which nobody waits for, is on its way.
        self.rest(Duration::from_secs(2))?;
        self.run_until_settled()?;
        if let Some(store) = &self.store {
            self.history.check_kept(&store.durable())?;
        }
        self.history.check_order()?;
        Comparison { clients: &self.clients, history: &self.history }.compare()
    }

    /// The server does not ask a person who is silent: TCP's own keep-alive finds out that nobody
    /// is there.
    fn keep_alive(&mut self) {
        for link in &mut self.links {
            let kind = self.clients[link.story.client].kind;
            if matches!(kind, Kind::Text | Kind::Events) && link.story.dull_until == Tick::MAX {
                link.reset();
            }
        }
    }

    /// Lets time pass.
    pub(super) fn rest(&mut self, span: Duration) -> Check {
        let until = self.tick.after(span);
        while self.tick < until {
            self.tick = self.tick.after(Duration::from_millis(100 + self.rng.below(500)));
            self.turn()?;
        }
        Ok(())
    }

    /// Lets much time pass in which little happens.
    pub(super) fn rest_long(&mut self, span: Duration) -> Check {
        let until = self.tick.after(span);
        while self.tick < until {
            self.tick = self.tick.after(Duration::from_millis(100 + self.rng.below(6_000)));
            self.turn()?;
        }
        Ok(())
    }

    pub(super) fn run_until_settled(&mut self) -> Check {
        // There may be no room yet that could be read.
        let is_settled = |client: &Client| match client.kind {
            Kind::Text => true,
            Kind::Events => client.greeted().is_none() || client.is_settled(),
            Kind::Ws | Kind::Deflate | Kind::Lines | Kind::Lengths => client.is_settled(),
        };
        for _ in 0..STEPS_MAX {
            self.tick = self.tick.after(Duration::from_millis(20));
            self.turn()?;
            if self.clients.iter().all(is_settled) {
                return Ok(());
            }
        }
        let describe_pending = self.clients.iter().find(|client| !is_settled(client));
        Err(format!("not all was answered: {:?}", describe_pending.map(Client::describe_pending)))
    }
}

/// What all clients know at the end.
pub(crate) struct Comparison<'a> {
    pub(crate) clients: &'a [Client],
    pub(crate) history: &'a History,
}

impl Comparison<'_> {
    /// What all connections know of a room is the same, and right.
    pub(crate) fn compare(&self) -> Check {
        let mut heads = BTreeMap::new();
        for client in self.clients {
            let views = client.greeted().into_iter().flat_map(|conn| &conn.views);
            for (room, view) in views {
                let head = *heads.entry((room, view.log)).or_insert(view.next);
                let checked = if head == view.next {
                    self.compare_people(client, room, view)
                } else {
                    Err(format!("it ends at {head} and at {}", view.next))
                };
                checked.map_err(|fault| {
                    format!("{fault}, for client {} ({}) in {room}", client.id, client.name)
                })?;
            }
        }
        Ok(())
    }

    /// What one connection knows of the people in a room.
    fn compare_people(&self, client: &Client, room: &str, view: &View) -> Check {
        if client.kind == Kind::Events {
            return Ok(());
        }
        let people = &view.people;
        if !people.typing.is_empty() {
            return Err(format!("{:?} still type", people.typing));
        }
        let here = |other: &&Client| {
            let is_in = |conn: &Connection| conn.views.contains_key(room);
            other.kind != Kind::Events && other.greeted().is_some_and(is_in)
        };
        let away = self.away();
        // A client whose `presence` was refused by the rate limit never learnt who is there.
        let is_told = people.users.is_some();
        for other in self.clients.iter().filter(here).filter(|_| is_told) {
            let (told, is) = (people.find(&other.name), away.get(other.name.as_str()));
            if told != is.copied() {
                return Err(format!("{} is told as {told:?}, not {is:?}", other.name));
            }
        }
        for (reader, read) in self.history.readers(view.log) {
            let told = people.receipts.get(reader);
            let is_here = self.clients.iter().filter(here).any(|other| other.name == reader);
            // Messages to the moderated room may be refused, and then there is nothing new to read.
            let is_here = is_here && room != MODERATED_ROOM;
            // A client that was about to leave may have read on, which the history does not note.
            let is_told = told.is_some_and(|&told| told >= read);
            if reader != client.name && is_here && !is_told {
                return Err(format!("{reader} has read {read:?}, told {told:?}"));
            }
        }
        self.check_absent(people.users.iter().flat_map(|users| users.keys()))
    }

    /// Which users there are, and whether they are away.
    fn away(&self) -> BTreeMap<&str, bool> {
        let mut away = BTreeMap::new();
        for client in self.clients {
            if let Some(conn) =
                client.greeted().filter(|_| !matches!(client.kind, Kind::Text | Kind::Events))
            {
                let all = away.entry(client.name.as_str()).or_insert(true);
                *all &= conn.away;
            }
        }
        away
    }

    /// Nobody is told to be there who is not.
    fn check_absent<'a>(&self, told: impl Iterator<Item = &'a String>) -> Check {
        let there: BTreeSet<&str> = self.away().into_keys().collect();
        for name in told {
            let is_guest = name.starts_with("guest-");
            if !is_guest && !there.contains(name.as_str()) {
                return Err(format!("{name} is told to be there, and is not"));
            }
        }
        Ok(())
    }
}
