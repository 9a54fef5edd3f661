//! The domain, driven by hand: commands in, what is said out.

mod admins;
mod blocks;
mod bounds;
mod cursors;
mod directory;
mod edits;
mod effects;
mod invitations;
mod marks;
mod matrix;
mod mentions;
mod moderation;
mod names;
mod names_of_rooms;
mod narrowed;
mod nodes;
mod owners;
mod paging;
mod passwords;
mod people;
mod policies;
mod pressure;
mod profiles;
mod programs;
mod push;
mod quotas;
mod readings;
mod reports;
mod rights;
mod stored;
mod threads;

use super::model::account::Key;
use super::model::color::Color;
use super::model::command::{ModerationCommand, Position, Resume, Send, Target};
use super::model::identity::{Bound, Grant, Rights};
use super::model::limits::RECORD_OVERHEAD;
use super::model::log::Logs;
use super::model::output::{Encoding, Output, Part, Request};
use super::model::reply::ResumedRoom;
use super::*;
use crate::store::MemoryStore;

/// A domain with its logs.
struct Harness {
    chat: Chat,
    store: Box<dyn Logs>,
    now: Now,
    secrets: u128,
}

/// Where a client was: room, epoch, seq.
type Positions<'a> = &'a [(&'a str, Epoch, u64)];

/// The connection of this number.
fn conn(number: usize) -> ConnId {
    ConnId::new(number, u64::try_from(number).unwrap() + 1).unwrap()
}

fn request(op: Op) -> Request {
    Request { id: Some(RequestId("1".into())), op }
}

fn message<'a>(target: Target<'a>, text: &'a str, cid: Option<&'a str>) -> Command<'a> {
    Command::Send(Send {
        target,
        text: text.into(),
        cid: cid.map(Into::into),
        reply_to: None,
        thread: None,
        data: None,
        echo: false,
        weight: u32::try_from(text.len() + model::mentions::encoded_len_max(text)).unwrap(),
    })
}

/// Makes a room that everybody may enter, or a private one.
fn create(room: &str, private: bool) -> Command<'_> {
    Command::Create { room: room.into(), topic: None, private, policy: None }
}

/// Edits a message of `lobby`.
fn edit(target: u64, text: &str) -> Command<'_> {
    let weight = u32::try_from(text.len()).unwrap();
    Command::Edit { room: "lobby".into(), target, text: text.into(), weight }
}

/// An act of moderation without a reason.
fn moderate<'a>(room: &'a str, user: &'a str, command: ModerationCommand) -> Command<'a> {
    Command::Moderate {
        room: room.into(),
        user: user.into(),
        command,
        reason: "".into(),
        weight: 0,
    }
}

impl Harness {
    fn new(limits: Limits) -> Self {
        let now = Now { tick: Tick::from_millis(1), wall_ms: 1_000 };
        let store = Box::new(MemoryStore::new());
        Self { chat: Chat::new(limits, now), store, now, secrets: 0 }
    }

    /// A harness with so many users, `u0` and on, in the room `lobby`, with nothing left to be
    /// said.
    fn with_lobby(limits: Limits, users: usize) -> Self {
        let mut harness = Self::new(limits);
        harness.enter((0..users).map(|number| format!("u{number}")));
        harness.wait(10_000);
        harness
    }

    /// Connects users of these names, from number 0 on, each of whom joins `lobby`.
    fn enter(&mut self, names: impl IntoIterator<Item = impl AsRef<str>>) {
        for (number, name) in names.into_iter().enumerate() {
            self.hello(number, name.as_ref());
            self.join(number, "lobby");
        }
    }

    /// Connects `ann`, who makes `lobby` and owns it, and `bob`, who joins it.
    fn enter_owned(&mut self) {
        self.hello(0, "ann");
        self.run(0, create("lobby", false));
        self.hello(1, "bob");
        self.join(1, "lobby");
    }

    /// Says hello and returns the session's secret.
    fn hello(&mut self, number: usize, name: &str) -> String {
        let said = self.hello_with(number, Some(name), None);
        match said.first() {
            Some(Output::Reply { result: Ok(Reply::Welcome { session, .. }), .. }) => {
                session.to_string()
            }
            other => panic!("{other:?}"),
        }
    }

    fn hello_with(
        &mut self,
        number: usize,
        name: Option<&str>,
        resume: Option<(&str, Positions<'_>)>,
    ) -> Vec<Output> {
        let resume = resume.map(|(session, rooms)| Resume {
            session: session.into(),
            positions: rooms
                .iter()
                .map(|&(room, epoch, seq)| Position {
                    room: room.into(),
                    epoch: epoch.to_string().into(),
                    seq,
                })
                .collect(),
            former: None,
        });
        let hello = Hello { name: name.map(Into::into), resume, ..self.hello_of(None) };
        self.say_hello(number, hello)
    }

    /// A `hello` with what is proved, and nothing else.
    fn hello_of(&mut self, identity: Option<Identity>) -> Hello<'static> {
        self.secrets += 1;
        let (secret, encoding) = (self.secrets, Encoding::default());
        Hello { name: None, resume: None, secret, encoding, identity, is_visit: false }
    }

    fn say_hello(&mut self, number: usize, hello: Hello<'_>) -> Vec<Output> {
        self.chat.handle_hello(self.now, conn(number), request(Op::Hello), hello);
        self.end_turn()
    }

    /// The program `prog` with a key for these rooms, to which its name is bound.
    fn program(&mut self, rooms: &str, rights: Rights) -> Identity {
        let key = Key {
            name: UserName::parse("prog").unwrap(),
            hash: SecretHash([7; 32]),
            grants: vec![Grant { rooms: rooms.into(), rights }],
            until: None,
            at: 0,
            is_hook: false,
        };
        let identity = Identity::key(&key);
        let Identity { source, issuer, subject, .. } = identity.clone();
        let bound = Bound { name: key.name, source, issuer, subject, display: None, at: 0 };
        self.chat.directory.identities.bind(bound);
        identity
    }

    fn join(&mut self, number: usize, room: &str) -> Vec<Output> {
        self.run(number, Command::Join { room: room.into(), after: None, epoch: None })
    }

    /// One command in a turn of its own.
    fn run(&mut self, number: usize, command: Command<'_>) -> Vec<Output> {
        self.ask(number, command);
        self.end_turn()
    }

    /// A command in a turn that goes on.
    fn ask(&mut self, number: usize, command: Command<'_>) {
        self.chat.handle_command(self.now, conn(number), request(Op::Ping), command);
        self.run_logs();
    }

    fn say(&mut self, number: usize, text: &str) {
        self.ask(number, message(Target::Room("lobby".into()), text, None));
    }

    fn run_logs(&mut self) {
        loop {
            while let Some(request) = self.chat.poll_request() {
                self.store.request(self.now, request);
            }
            let Some(reply) = self.store.poll() else { return };
            self.chat.on_log_reply(self.now, reply);
        }
    }

    /// Ends the turn and returns what was said.
    fn end_turn(&mut self) -> Vec<Output> {
        self.run_logs();
        self.chat.end_turn(self.now);
        self.chat.debug_check();
        std::iter::from_fn(|| self.chat.poll_output()).collect()
    }

    /// Lets time pass, a moment at a time, and returns what was said meanwhile.
    fn wait(&mut self, millis: u64) -> Vec<Output> {
        let end = self.now.tick.as_millis() + millis;
        let mut said = Vec::new();
        while self.chat.next_deadline() <= Tick::from_millis(end) {
            self.now.tick = self.chat.next_deadline().max(self.now.tick);
            self.chat.handle_timers(self.now);
            said.extend(self.end_turn());
        }
        self.now.tick = Tick::from_millis(end);
        said
    }
}

/// What one connection gets, in a line for each thing.
fn sent_to(said: &[Output], number: usize) -> Vec<String> {
    let me = conn(number);
    let mut lines = Vec::new();
    for said in said {
        match said {
            Output::Reply { to, result, .. } if *to == me => lines.push(reply_line(result)),
            Output::Event { to, event } if *to == me => lines.push(event_line(event)),
            Output::Shared { to, event } => {
                let to_me = to.clone().into_lists().any(|(_, list)| list.contains(&me));
                lines.extend(to_me.then(|| event_line(event)));
            }
            Output::Fanout(fanout) => {
                let seq = |index: usize| fanout.records[index].seq;
                if fanout.whole.clone().into_lists().any(|(_, list)| list.contains(&me)) {
                    lines.extend((0..fanout.records.len()).map(|index| format!("#{}", seq(index))));
                }
                for (_, part) in fanout.partial.iter().filter(|(to, _)| *to == me) {
                    match part {
                        Part::Records(range) => {
                            lines.extend(range.clone().map(|index| format!("#{}", seq(index))));
                        }
                        Part::Sent(_, index, not_members) => {
                            let reply = fanout.sent(*index, not_members).unwrap();
                            lines.push(reply_line(&Ok(reply)));
                        }
                    }
                }
            }
            Output::Wake { conn } if *conn == me => lines.push("wake".to_owned()),
            Output::Close { conn, reason } if *conn == me => {
                lines.push(format!("close {reason:?}"));
            }
            _ => {}
        }
    }
    lines
}

fn reply_line(result: &Result<Reply, Refusal>) -> String {
    match result {
        Ok(Reply::Sent { seq, dup: false, .. }) => format!("sent {seq}"),
        Ok(Reply::Sent { seq, dup: true, .. }) => format!("dup {seq}"),
        Ok(Reply::Joined { seq, oldest, reset, .. }) => {
            format!("joined at {seq} from {oldest}{}", if *reset { " reset" } else { "" })
        }
        Ok(Reply::Welcome { user, resumed, rooms, .. }) => {
            let rooms = rooms.iter().map(|ResumedRoom { requested, name, resumption, marks }| {
                let marks = if marks.is_empty() { String::new() } else { format!(" {marks:?}") };
                let name = name.as_ref().map_or(String::new(), |name| format!(" is {name}"));
                format!(" {requested}{name}: {resumption:?}{marks}")
            });
            format!("welcome {user} {resumed}{}", rooms.collect::<String>())
        }
        Ok(reply) => format!("{reply:?}"),
        Err(refusal) => format!("no {}", refusal.code.number()),
    }
}

fn event_line(event: &Event) -> String {
    match event {
        Event::Replay { items, to, .. } => {
            format!("replay {}..={to}", items.first().map_or(0, |record| record.seq))
        }
        Event::Live { seq, .. } => format!("live {seq}"),
        Event::Gap { from, to, why, .. } => format!("gap {from}..={to} {}", why.name()),
        Event::Joined { room, seq, .. } => format!("subscribed {room} at {seq}"),
        Event::Invited { room, from, .. } => format!("invited to {room} by {from}"),
        Event::Renamed { room, name } => format!("{room} is {name}"),
        Event::Gone { room, from, reason } => format!("{room} was closed by {from}: {reason}"),
        Event::Left { reason, .. } => format!("left {}", reason.name()),
        Event::Presence { v, count, change, .. } => format!("presence {v} {count} {change:?}"),
        Event::Typing { users, .. } => format!("typing {users:?}"),
        Event::Receipts { read, .. } => format!("receipts {read:?}"),
        Event::Thread { thread, following, read, .. } => {
            format!("thread {thread} {following} {}", read.unwrap_or_default())
        }
        Event::ReadElsewhere { read, .. } => format!("own receipt {read}"),
        Event::Profiles { users, .. } => {
            let said = users.iter().map(|(user, it)| {
                let color =
                    if it.color == Color::Unchosen { "" } else { &format!(" {:?}", it.color) };
                format!("{user} {:?} {:?}{color}", it.display, it.text)
            });
            format!("profiles {}", said.collect::<Vec<_>>().join(", "))
        }
        Event::Reported { room } => format!("reported {room:?}"),
        Event::Expires { in_ms } => format!("expires {in_ms}"),
        Event::Drain { reconnect_after_ms, .. } => format!("drain {reconnect_after_ms}"),
    }
}

/// The weight of a record of `u0` in `lobby` with a text of this length.
fn weight(text_len: usize) -> usize {
    RECORD_OVERHEAD + "lobby".len() + "u0".len() + text_len
}
