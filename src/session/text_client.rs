//! A person on a plain TCP connection: what the server remembers between two of their lines, and
//! what it asks in their place.

use crate::chat::model::account::Hidden;
use crate::chat::model::command::Page;
use crate::chat::model::output::Request;
use crate::chat::{Command, Event, Op, Reply, RoomName};
use crate::wire::text::note;

/// Rooms of one terminal that are remembered, to fall back to.
const ROOMS_MAX: usize = 64;

/// A person with `nc` or telnet.
#[derive(Debug, Default)]
pub(super) struct TextClient {
    /// How far the person has come.
    pub progress: Progress,
    /// The room in which lines are said.
    pub room: Option<RoomName>,
    /// The rooms that were joined on this connection, the last one last.
    joined: Vec<RoomName>,
    /// The person has come in as an account, whose name stays.
    pub is_account: bool,
    /// The person has asked to leave the room in which lines were said.
    is_leaving: bool,
    /// A line that was typed before it is known who the person is: done after the welcome.
    pub held: Option<Vec<u8>>,
}

/// How far a person has come. It only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    /// No line has come: the person may still turn out to be a program.
    #[default]
    Greeted,
    /// A line has come.
    Typed,
    /// Others know the name: it can no longer be changed.
    Spoken,
}

impl TextClient {
    /// Keeps up with what an answer says about the rooms, and returns what is to be asked next.
    pub(super) fn on_reply(&mut self, reply: &Reply) -> Option<Aside> {
        let is_new = match reply {
            Reply::LoggedIn { .. } => {
                self.is_account = true;
                false
            }
            Reply::Joined { room, .. } => {
                self.room = Some(room.clone());
                self.enter(room)
            }
            Reply::Left { room } => {
                self.is_leaving = self.room.as_ref() == Some(room);
                false
            }
            _ => false,
        };
        Aside::of_reply(reply, is_new)
    }

    /// A room in which the person is, though no lines go there.
    pub(super) fn another_room(&self) -> Option<&RoomName> {
        self.joined.last()
    }

    /// Keeps up with what has happened to the rooms. `true` if the person must be told where lines
    /// go now.
    ///
    /// Only who leaves by choice is taken to another room: after a removal the rest of a sentence
    /// would be said where nobody wanted it.
    pub(super) fn on_event(&mut self, event: &Event) -> bool {
        match event {
            // Whoever is written to has not entered a room.
            Event::Joined { room, .. } if !room.is_direct() => {
                self.enter(room);
                false
            }
            Event::Renamed { room, name } => {
                let all = self.joined.iter_mut().chain(&mut self.room);
                all.filter(|it| *it == room).for_each(|it| it.clone_from(name));
                false
            }
            Event::Left { room, .. } => {
                self.joined.retain(|joined| joined != room);
                let was_here = self.room.take_if(|here| here == room).is_some();
                if std::mem::take(&mut self.is_leaving) && was_here {
                    self.room = self.joined.last().cloned();
                }
                was_here
            }
            _ => false,
        }
    }

    /// Notes a room as the one that was entered last. `true` if it is new.
    fn enter(&mut self, room: &RoomName) -> bool {
        let before = self.joined.len();
        self.joined.retain(|joined| joined != room);
        let is_new = self.joined.len() == before;
        // The one that was entered longest ago is forgotten: it is never fallen back to, and
        // nothing else changes.
        if self.joined.len() >= ROOMS_MAX {
            self.joined.remove(0);
        }
        self.joined.push(room.clone());
        is_new
    }
}

/// What the server asks the domain for in the place of a person, once what led to it is told.
#[derive(Debug)]
pub(super) enum Aside {
    /// To let in who has logged in.
    Hello(Hidden),
    /// What is unread, for somebody who has come.
    Unread,
    /// What was said lately in a room that was entered, up to `seq`, at least from `read` on.
    Lately { room: RoomName, read: u64, seq: u64 },
    /// To note that the person was shown the room up to this seq.
    Shown(RoomName, u64),
}

/// Records that are shown to somebody who enters a room, and how many more if they are unread.
const LATELY: u64 = 10;
const LATELY_MAX: u64 = 20;

impl Aside {
    /// What follows from an answer. `entered` tells whether it is the first one about this room.
    pub(super) fn of_reply(reply: &Reply, is_new: bool) -> Option<Self> {
        match reply {
            Reply::LoggedIn { token, .. } => Some(Self::Hello(token.clone())),
            Reply::Welcome { .. } => Some(Self::Unread),
            Reply::Joined { room, read, seq, .. } if is_new && *seq > 0 => {
                Some(Self::Lately { room: room.clone(), read: *read, seq: *seq })
            }
            Reply::History { room, items, .. } => {
                items.last().map(|last| Self::Shown(room.clone(), last.seq))
            }
            _ => None,
        }
    }

    /// What the domain is asked.
    pub(super) fn request(&self) -> (Request, Command<'_>) {
        let (recv, epoch) = (None, None);
        match self {
            Self::Hello(token) => {
                let (name, resume, token) = (None, None, Some(token.clone()));
                (note::hello(false), Command::Hello { name, resume, ping: false, token })
            }
            Self::Unread => (note::aside(Op::Rooms, None), Command::Rooms { since: None }),
            Self::Lately { room, read, seq } => {
                // What comes after the answer to the join is told by itself.
                let page = Page::Before(seq.saturating_add(1));
                let limit = seq.saturating_sub(*read).clamp(LATELY, LATELY_MAX);
                let (room, limit) = (room.as_str().into(), u32::try_from(limit).ok());
                let request = note::aside(Op::History, Some(*read));
                (request, Command::History { room, page, limit, epoch })
            }
            Self::Shown(room, seq) => {
                let (room, read) = (room.as_str().into(), Some(*seq));
                (note::aside(Op::Ack, None), Command::Ack { room, recv, read, epoch })
            }
        }
    }
}

crate::pack::pack_struct!(TextClient {
    progress: Progress,
    room: Option<RoomName>,
    joined: Vec<RoomName>,
    is_account: bool,
    is_leaving: bool,
    held: Option<Vec<u8>>,
});
