//! A client as PROTOCOL.md wants it: it remembers its positions, keeps every unanswered `send` and says it
//! again after it has returned.
//!
//! One thing is different: it returns after a tenth of the time and never waits longer than at first, since here
//! the server is killed again and again.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use chinwag::client::Framing;

use crate::Outcome;
use crate::chance::Chance;
use crate::observed::{Mark, Observed, user_name};
use crate::pool::{LinkId, Pool};

#[path = "hear.rs"]
mod hear;

/// The longest wait before a return: a tenth of PROTOCOL.md's first.
const RETURN_WITHIN_MS: u64 = 50;

/// What an answer is to; the upper bits of a request's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Hello,
    Join(usize),
    Send(u64),
    Change { room: usize, target: u64, is_edit: bool },
    Club(u64),
}

/// How a device behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// How many sends may be unanswered.
    pub(crate) window: usize,
    /// Bytes of filler in a text, up to twice as many now and then.
    pub(crate) text_bytes: u64,
    /// One in so many requests edits or deletes; 0: none.
    pub(crate) change_once_in: u64,
}

/// What all clients share: their sockets, what they see, chance, and the time of this turn.
pub(crate) struct Stage {
    pub(crate) pool: Pool,
    pub(crate) observed: Observed,
    pub(crate) chance: Chance,
    pub(crate) now: Instant,
    /// What is written to the disk is recorded in this file, if it is.
    pub(crate) record: Option<PathBuf>,
    /// How long that file was when the last messages were read.
    pub(crate) stamp: u64,
}

/// One client.
pub(crate) struct Device {
    number: u32,
    user: u32,
    framing: Framing,
    manner: Manner,
    link: Option<LinkId>,
    is_here: bool,
    return_at: Instant,
    session: Option<String>,
    places: Vec<Place>,
    outbox: VecDeque<Pending>,
    next_number: u64,
    next_id: u64,
    asked: BTreeMap<u64, Asked>,
    /// Own messages that can be changed: room and seq.
    own: VecDeque<(usize, u64, Mark)>,
    /// Rooms that it has joined for the sake of the membership, with whether that was answered.
    pub(crate) clubs: BTreeMap<u64, bool>,
    /// What it was told last, for whoever has to find out why something is wrong.
    told: VecDeque<String>,
    /// Answers to sends so far.
    pub(crate) acked: u64,
    /// Answers that said that it was there already.
    pub(crate) duplicates: u64,
    /// Refusals that said when to try again, by their codes.
    pub(crate) refusals: BTreeMap<u16, u64>,
}

/// A room, as the client is in it.
struct Place {
    room: usize,
    stream: usize,
    epoch: Option<String>,
    seq: u64,
}

/// A message without an answer.
struct Pending {
    number: u64,
    room: usize,
    filler: usize,
    is_said: bool,
    not_before: Option<Instant>,
}

impl Device {
    pub(crate) fn new(number: u32, user: u32, framing: Framing, manner: Manner) -> Self {
        Self {
            number,
            user,
            framing,
            manner,
            link: None,
            is_here: false,
            return_at: Instant::now(),
            session: None,
            places: Vec::new(),
            outbox: VecDeque::new(),
            next_number: 0,
            next_id: 1,
            asked: BTreeMap::new(),
            own: VecDeque::new(),
            clubs: BTreeMap::new(),
            told: VecDeque::new(),
            acked: 0,
            duplicates: 0,
            refusals: BTreeMap::new(),
        }
    }

    /// Lets it be in a room from the beginning; what it sees goes to this stream.
    pub(crate) fn enter(&mut self, room: usize, stream: usize) {
        self.places.push(Place { room, stream, epoch: None, seq: 0 });
    }

    pub(crate) fn link(&self) -> Option<LinkId> {
        self.link
    }

    pub(crate) fn user(&self) -> u32 {
        self.user
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|place| place.room)
    }

    /// Whether it is connected, has been welcomed and is in all of its rooms.
    pub(crate) fn is_here(&self) -> bool {
        self.is_here && self.places.iter().all(|place| place.epoch.is_some())
    }

    /// Messages without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.len()
    }

    /// How far it is in a room, `None` if it is not in it.
    pub(crate) fn seq(&self, room: usize) -> Option<u64> {
        self.places.iter().find(|place| place.room == room).map(|place| place.seq)
    }

    /// When it wants to be [poked](Self::poke) at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.link.is_none() {
            return Some(self.return_at);
        }
        self.outbox.iter().filter_map(|pending| pending.not_before).min()
    }

    /// The connection is gone.
    pub(crate) fn lose(&mut self, stage: &mut Stage) {
        self.link = None;
        self.is_here = false;
        self.asked.clear();
        self.clubs.retain(|_, answered| *answered);
        for pending in &mut self.outbox {
            pending.is_said = false;
            pending.not_before = None;
        }
        self.return_at = stage.now + stage.chance.time(0, RETURN_WITHIN_MS);
    }

    /// Connects when it is time to.
    pub(crate) fn connect(&mut self, at: [SocketAddr; 2], stage: &mut Stage) -> Outcome<()> {
        if self.link.is_some() || stage.now < self.return_at {
            return Ok(());
        }
        let [http, tcp] = at;
        let address = if self.framing == Framing::WebSocket { http } else { tcp };
        let link = stage.pool.connect(self.framing, address)?;
        self.link = Some(link);
        let id = self.id_of(Asked::Hello);
        let rooms: Vec<_> = self
            .places
            .iter()
            .filter_map(|place| Some((place.room, place.epoch.as_ref()?, place.seq)))
            .map(|(room, epoch, seq)| format!("\"{}\":[\"{epoch}\",{seq}]", room_name(room)))
            .collect();
        let resume = self.session.as_ref().map_or_else(String::new, |session| {
            format!(",\"resume\":{{\"session\":\"{session}\",\"rooms\":{{{}}}}}", rooms.join(","))
        });
        let name = user_name(self.user);
        let hello = format!("{{\"op\":\"hello\",\"id\":{id},\"name\":\"{name}\"{resume}}}");
        stage.pool.say(link, &hello);
        Ok(())
    }

    /// Says what is due: what was left unanswered first, then, if it `may_begin`, new messages.
    pub(crate) fn poke(&mut self, may_begin: bool, stage: &mut Stage) {
        let Some(link) = self.link.filter(|_| self.is_here()) else { return };
        while may_begin && self.outbox.len() < self.manner.window {
            self.begin(&mut stage.chance);
            if self.manner.change_once_in > 0 && stage.chance.once_in(self.manner.change_once_in) {
                self.change(link, stage);
            }
        }
        let now = stage.now;
        let is_due = |pending: &&mut Pending| {
            !pending.is_said && pending.not_before.is_none_or(|time| now >= time)
        };
        let mut requests = Vec::new();
        for pending in self.outbox.iter_mut().filter(is_due) {
            pending.is_said = true;
            pending.not_before = None;
            requests.push((pending.number, pending.request(self.number)));
        }
        for (number, fields) in requests {
            let id = self.id_of(Asked::Send(number));
            stage.pool.say(link, &format!("{{\"op\":\"send\",\"id\":{id},{fields}}}"));
        }
    }

    /// Joins a room that is there only for the membership.
    pub(crate) fn join_club(&mut self, club: u64, stage: &mut Stage) {
        let Some(link) = self.link.filter(|_| self.is_here()) else { return };
        if self.clubs.insert(club, false) == Some(true) {
            self.clubs.insert(club, true);
        }
        let id = self.id_of(Asked::Club(club));
        let room = club_name(club);
        stage.pool.say(link, &format!("{{\"op\":\"join\",\"id\":{id},\"room\":\"{room}\"}}"));
    }

    /// Has one more message to say.
    fn begin(&mut self, chance: &mut Chance) {
        let Some(place) = self.places.get(chance.place(self.places.len())) else { return };
        let bytes = if chance.once_in(20) { 4 } else { 1 } * self.manner.text_bytes;
        let filler = usize::try_from(1 + chance.below(bytes)).unwrap_or(1);
        let (number, room) = (self.next_number, place.room);
        self.next_number += 1;
        self.outbox.push_back(Pending { number, room, filler, is_said: false, not_before: None });
    }

    /// Edits or deletes one of its own messages.
    fn change(&mut self, link: LinkId, stage: &mut Stage) {
        let place = stage.chance.place(self.own.len());
        let is_edit = stage.chance.below(3) > 0;
        let Some(&(room, target, mark)) = self.own.get(place) else { return };
        let id = self.id_of(Asked::Change { room, target, is_edit });
        let (room, cid) = (room_name(room), mark.cid());
        let request = if is_edit {
            format!(
                "{{\"op\":\"edit\",\"id\":{id},\"room\":\"{room}\",\"target\":{target},\"text\":\"{cid} edited {id}\"}}"
            )
        } else {
            self.own.remove(place);
            format!("{{\"op\":\"delete\",\"id\":{id},\"room\":\"{room}\",\"target\":{target}}}")
        };
        stage.pool.say(link, &request);
    }

    fn id_of(&mut self, asked: Asked) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id, asked);
        id
    }
}

impl Pending {
    /// The fields of the request, always the same.
    fn request(&self, device: u32) -> String {
        let cid = Mark { device, number: self.number }.cid();
        let (room, filler) = (room_name(self.room), "x".repeat(self.filler));
        format!("\"room\":\"{room}\",\"cid\":\"{cid}\",\"text\":\"{cid} {filler}\"")
    }
}

/// The name of a room.
pub(crate) fn room_name(room: usize) -> String {
    format!("room{room}")
}

/// The name of a room that is there only for the memberships.
pub(crate) fn club_name(club: u64) -> String {
    format!("club/{club}")
}
