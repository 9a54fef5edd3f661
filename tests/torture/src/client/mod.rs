//! A client as PROTOCOL.md wants it: it remembers its positions, keeps every unanswered `send` and
//! says it again after it has returned.
//!
//! One thing is different: it returns after a tenth of the time and never waits longer than at
//! first, since here the server is killed again and again.

mod receive;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use chinwag::rng::Rng;

use crate::Outcome;
use crate::connections::{ConnectionId, Connections};
use crate::observed::{Mark, Observed, user_name};

/// The longest wait before a return: a tenth of PROTOCOL.md's first.
const RETURN_WITHIN_MS: u64 = 50;

/// What an answer is to; the upper bits of a request's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Hello,
    Join(usize),
    Send(u64),
    Change { room: usize, target: u64, is_edit: bool },
    Club(u64),
}

/// How a device behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Behaviour {
    /// How many sends may be unanswered.
    pub(crate) window: usize,
    /// Bytes of filler in a text, up to twice as many now and then.
    pub(crate) text_bytes: u64,
    /// One in so many requests edits or deletes; 0: none.
    pub(crate) change_once_in: u64,
}

/// What all clients share: their sockets, what they see, chance, and the time of this turn.
pub(crate) struct Context {
    pub(crate) connections: Connections,
    pub(crate) observed: Observed,
    pub(crate) rng: Rng,
    pub(crate) now: Instant,
    /// The file in which the server's writes to the disk are recorded, if they are.
    pub(crate) record: Option<PathBuf>,
    /// How long that file was when the last messages were read.
    pub(crate) stamp: u64,
}

/// One client.
pub(crate) struct Client {
    number: u32,
    user: u32,
    framing: Framing,
    behaviour: Behaviour,
    connection: Option<ConnectionId>,
    is_here: bool,
    return_at: Instant,
    session: Option<String>,
    places: Vec<Place>,
    outbox: VecDeque<Pending>,
    next_number: u64,
    next_id: u64,
    pending: BTreeMap<u64, Request>,
    /// Own messages that can be changed: room and seq.
    own: VecDeque<(usize, u64, Mark)>,
    /// Rooms that it has joined for the sake of the membership, with whether that was answered.
    pub(crate) clubs: BTreeMap<u64, bool>,
    /// The last messages, shown when something is wrong.
    recent: VecDeque<String>,
    /// Answers to sends so far.
    pub(crate) acked: u64,
    /// Answers that said that it was there already.
    pub(crate) duplicates: u64,
    /// Connections that were lost so far.
    pub(crate) losses: usize,
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
    is_sent: bool,
    not_before: Option<Instant>,
}

impl Client {
    pub(crate) fn new(number: u32, user: u32, framing: Framing, behaviour: Behaviour) -> Self {
        Self {
            number,
            user,
            framing,
            behaviour,
            connection: None,
            is_here: false,
            return_at: Instant::now(),
            session: None,
            places: Vec::new(),
            outbox: VecDeque::new(),
            next_number: 0,
            next_id: 1,
            pending: BTreeMap::new(),
            own: VecDeque::new(),
            clubs: BTreeMap::new(),
            recent: VecDeque::new(),
            acked: 0,
            duplicates: 0,
            losses: 0,
            refusals: BTreeMap::new(),
        }
    }

    /// Lets it be in a room from the beginning; what it sees goes to this stream.
    pub(crate) fn enter(&mut self, room: usize, stream: usize) {
        self.places.push(Place { room, stream, epoch: None, seq: 0 });
    }

    pub(crate) fn connection(&self) -> Option<ConnectionId> {
        self.connection
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

    /// Who it is, what it waits for, and what it was told last.
    pub(crate) fn describe(&self) -> String {
        let rooms: Vec<_> = self.places.iter().map(|it| (it.room, it.seq, &it.epoch)).collect();
        let (pending, recent) = (&self.pending, &self.recent);
        format!("d{} in {rooms:?}, asked {pending:?}, told {recent:#?}", self.number)
    }

    /// Messages without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.outbox.len()
    }

    /// How far it is in a room, `None` if it is not in it.
    pub(crate) fn seq(&self, room: usize) -> Option<u64> {
        self.places.iter().find(|place| place.room == room).map(|place| place.seq)
    }

    /// When it wants to be driven again at the latest.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.connection.is_none() {
            return Some(self.return_at);
        }
        self.outbox.iter().filter_map(|pending| pending.not_before).min()
    }

    /// The connection is gone.
    pub(crate) fn on_disconnect(&mut self, context: &mut Context) {
        self.connection = None;
        self.is_here = false;
        self.losses += 1;
        self.pending.clear();
        self.clubs.retain(|_, answered| *answered);
        for pending in &mut self.outbox {
            pending.is_sent = false;
            pending.not_before = None;
        }
        self.return_at = context.now + Duration::from_millis(context.rng.below(RETURN_WITHIN_MS));
    }

    /// Connects when it is time to.
    pub(crate) fn connect(&mut self, at: [SocketAddr; 2], context: &mut Context) -> Outcome<()> {
        if self.connection.is_some() || context.now < self.return_at {
            return Ok(());
        }
        let [http, tcp] = at;
        let address = if self.framing == Framing::WebSocket { http } else { tcp };
        let connection = context.connections.connect(self.framing, address)?;
        self.connection = Some(connection);
        let id = self.id_of(Request::Hello);
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
        context.connections.send(connection, &hello);
        Ok(())
    }

    /// Sends what is due: first the messages without an answer, then, with `may_send_new`, new
    /// ones.
    pub(crate) fn send_due(&mut self, may_send_new: bool, context: &mut Context) {
        let Some(connection) = self.connection.filter(|_| self.is_here()) else { return };
        while may_send_new && self.outbox.len() < self.behaviour.window {
            self.begin(&mut context.rng);
            if self.behaviour.change_once_in > 0
                && context.rng.once_in(self.behaviour.change_once_in)
            {
                self.change(connection, context);
            }
        }
        let now = context.now;
        let is_due = |pending: &&mut Pending| {
            !pending.is_sent && pending.not_before.is_none_or(|time| now >= time)
        };
        let mut requests = Vec::new();
        for pending in self.outbox.iter_mut().filter(is_due) {
            pending.is_sent = true;
            pending.not_before = None;
            requests.push((pending.number, pending.request(self.number)));
        }
        for (number, fields) in requests {
            let id = self.id_of(Request::Send(number));
            context
                .connections
                .send(connection, &format!("{{\"op\":\"send\",\"id\":{id},{fields}}}"));
        }
    }

    /// Joins a room that is there only for the membership.
    pub(crate) fn join_club(&mut self, club: u64, context: &mut Context) {
        let Some(connection) = self.connection.filter(|_| self.is_here()) else { return };
        if self.clubs.insert(club, false) == Some(true) {
            self.clubs.insert(club, true);
        }
        let id = self.id_of(Request::Club(club));
        let room = club_name(club);
        context
            .connections
            .send(connection, &format!("{{\"op\":\"join\",\"id\":{id},\"room\":\"{room}\"}}"));
    }

    /// Has one more message to say.
    fn begin(&mut self, rng: &mut Rng) {
        let Some(place) = self.places.get(rng.index(self.places.len())) else { return };
        let bytes = if rng.once_in(20) { 4 } else { 1 } * self.behaviour.text_bytes;
        let filler = usize::try_from(1 + rng.below(bytes)).unwrap_or(1);
        let (number, room) = (self.next_number, place.room);
        self.next_number += 1;
        self.outbox.push_back(Pending { number, room, filler, is_sent: false, not_before: None });
    }

    /// Edits or deletes one of its own messages.
    fn change(&mut self, connection: ConnectionId, context: &mut Context) {
        let place = context.rng.index(self.own.len());
        let is_edit = context.rng.below(3) > 0;
        let Some(&(room, target, mark)) = self.own.get(place) else { return };
        let id = self.id_of(Request::Change { room, target, is_edit });
        let (room, cid) = (room_name(room), mark.cid());
        let request = if is_edit {
            format!(
                "{{\"op\":\"edit\",\"id\":{id},\"room\":\"{room}\",\"target\":{target},\"text\":\"{cid} edited {id}\"}}"
            )
        } else {
            self.own.remove(place);
            format!("{{\"op\":\"delete\",\"id\":{id},\"room\":\"{room}\",\"target\":{target}}}")
        };
        context.connections.send(connection, &request);
    }

    fn id_of(&mut self, request: Request) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, request);
        id
    }
}

impl Pending {
    /// The fields of the request, always the same.
    fn request(&self, client: u32) -> String {
        let cid = Mark { client, number: self.number }.cid();
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
