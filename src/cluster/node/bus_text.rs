//! What nodes tell each other on the bus, as text.
//!
//! A payload is lines of text. The first says the version; each of the others is one thing that is
//! told, its fields apart by spaces, which no name has.
//!
//! ```text
//! c1                        version 1
//! p ann 2                   ann is here: 0 no more, 1 away, 2 there
//! r                         all who are here follow
//! e 12                      these were all 12
//! t lobby ann 1             ann is typing in the lobby, or 0: has stopped
//! m lobby ann 41 40         ann has received up to 41 and read up to 40
//! l @ann:bob bob            whoever has bob: look at this room
//! f lobby ann 7 1 -         ann follows the thread 7 now, or 0: does not
//! f lobby ann 7 1 9         ann, who follows it, has read it up to 9
//! u                         people have changed: read them again
//! s 7                       node 7: a session of yours goes on at another node
//! ```
//!
//! Lines of unknown kinds, lines with more or fewer fields or with what is no name, and payloads of
//! another version are passed over: nodes of two versions run side by side.

use std::fmt::Write as _;

use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::other_nodes::{NodeId, Told};
use crate::chat::model::reply::Presence;
use crate::chat::model::thread::MarkNews;

/// The first line.
const VERSION: &str = "c1";

/// Bytes of the longest payload: what the link takes.
pub const PAYLOAD_LEN_MAX: usize = crate::cluster::link::bounds::TOLD_LEN_MAX;

/// Something on the bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// What is told to the domain.
    Told(Told),
    /// What is kept of people has changed.
    People,
    /// A session of this node goes on at another one.
    Replaced(NodeId),
}

impl Word {
    /// Whether something is missing for long if it is lost. What does not matter is told again, or
    /// nobody misses it.
    #[must_use]
    pub const fn matters(&self) -> bool {
        match self {
            Self::Told(
                Told::Present { .. }
                | Told::RollBegins
                | Told::RollEnds { .. }
                | Told::Typing { .. }
                | Told::Marks { .. },
            ) => false,
            // The next one says how far it is read, but not whether it is followed.
            Self::Told(Told::Mark(news)) => news.read.is_none(),
            Self::Told(Told::Look { .. }) | Self::People | Self::Replaced(_) => true,
        }
    }
}

/// The payloads that say these words, in order.
#[must_use]
pub fn encode<'a>(words: impl IntoIterator<Item = &'a Word>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in words {
        line.clear();
        write_line(&mut line, word);
        match payloads.last_mut() {
            Some(last) if last.len() + line.len() <= PAYLOAD_LEN_MAX => last.push_str(&line),
            _ => payloads.push(format!("{VERSION}{line}")),
        }
    }
    payloads
}

fn write_line(line: &mut String, word: &Word) {
    // Writing to a string does not fail.
    _ = match word {
        Word::Told(Told::Present { user, presence }) => {
            let code = match presence {
                Presence::Off => 0,
                Presence::Away => 1,
                Presence::Online => 2,
            };
            write!(line, "\np {user} {code}")
        }
        Word::Told(Told::RollBegins) => line.write_str("\nr"),
        Word::Told(Told::RollEnds { users }) => write!(line, "\ne {users}"),
        Word::Told(Told::Typing { room, user, on }) => {
            write!(line, "\nt {room} {user} {}", u8::from(*on))
        }
        Word::Told(Told::Marks { room, user, recv, read }) => {
            write!(line, "\nm {room} {user} {recv} {read}")
        }
        Word::Told(Told::Look { room, user }) => write!(line, "\nl {room} {user}"),
        Word::Told(Told::Mark(MarkNews { user, room, thread, following, read })) => {
            let read = read.map_or_else(|| "-".to_owned(), |read| read.to_string());
            write!(line, "\nf {room} {user} {thread} {} {read}", u8::from(*following))
        }
        Word::People => line.write_str("\nu"),
        Word::Replaced(node) => write!(line, "\ns {}", node.0),
    };
}

/// What a payload says; what is not understood is left out.
pub fn decode(payload: &str) -> impl Iterator<Item = Word> {
    let mut lines = payload.split('\n');
    let is_known = lines.next() == Some(VERSION);
    lines.filter(move |_| is_known).filter_map(read_line)
}

fn read_line(line: &str) -> Option<Word> {
    let mut fields = line.split(' ');
    let kind = fields.next()?;
    let fields: Vec<&str> = fields.take(FIELDS_MAX + 1).collect();
    let told = match (kind, &*fields) {
        ("p", [user, code]) => {
            let presence = match *code {
                "0" => Presence::Off,
                "1" => Presence::Away,
                "2" => Presence::Online,
                _ => return None,
            };
            Told::Present { user: UserName::stored(user)?, presence }
        }
        ("r", []) => Told::RollBegins,
        ("e", [users]) => Told::RollEnds { users: users.parse().ok()? },
        ("t", [room, user, on]) => {
            let on = read_flag(on)?;
            Told::Typing { room: RoomName::stored(room)?, user: UserName::stored(user)?, on }
        }
        ("m", [room, user, recv, read]) => {
            let (recv, read) = (recv.parse().ok()?, read.parse().ok()?);
            let (room, user) = (RoomName::stored(room)?, UserName::stored(user)?);
            Told::Marks { room, user, recv, read }
        }
        ("l", [room, user]) => {
            Told::Look { room: RoomName::stored(room)?, user: UserName::stored(user)? }
        }
        ("f", [room, user, thread, following, read]) => {
            let (room, user) = (RoomName::stored(room)?, UserName::stored(user)?);
            let (thread, following) = (thread.parse().ok()?, read_flag(following)?);
            let read = if *read == "-" { None } else { Some(read.parse().ok()?) };
            Told::Mark(MarkNews { user, room, thread, following, read })
        }
        ("u", []) => return Some(Word::People),
        ("s", [node]) => return Some(Word::Replaced(NodeId(node.parse().ok()?))),
        _ => return None,
    };
    Some(Word::Told(told))
}

fn read_flag(text: &str) -> Option<bool> {
    match text {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

/// The most fields of a line behind its kind.
const FIELDS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn words() -> Vec<Word> {
        let user = |name| UserName::parse(name).unwrap();
        let (lobby, direct) =
            (RoomName::parse("a/b").unwrap(), RoomName::parse("@ann:bob").unwrap());
        let news = |following, read| {
            let (user, room) = (user("ann"), lobby.clone());
            MarkNews { user, room, thread: 7, following, read }
        };
        let told = [
            Told::Present { user: user("ann"), presence: Presence::Off },
            Told::Present { user: user("ann"), presence: Presence::Away },
            Told::Present { user: user("é-1"), presence: Presence::Online },
            Told::RollBegins,
            Told::RollEnds { users: 12 },
            Told::Typing { room: lobby.clone(), user: user("ann"), on: true },
            Told::Typing { room: lobby.clone(), user: user("ann"), on: false },
            Told::Marks { room: lobby.clone(), user: user("ann"), recv: u64::MAX, read: 0 },
            Told::Look { room: direct, user: user("bob") },
            Told::Mark(news(true, Some(u64::MAX))),
            Told::Mark(news(false, None)),
        ];
        told.into_iter().map(Word::Told).chain([Word::People, Word::Replaced(NodeId(7))]).collect()
    }

    #[test]
    fn what_is_told_is_heard_in_its_order() {
        let payloads = encode(&words());
        assert_eq!(payloads.len(), 1);
        assert_eq!(decode(&payloads[0]).collect::<Vec<_>>(), words());
        assert!(encode(&[]).is_empty());
    }

    #[test]
    fn more_than_one_payload_holds_goes_into_several() {
        let many: Vec<Word> = words().into_iter().cycle().take(2_000).collect();
        let payloads = encode(&many);
        assert!(payloads.len() > 1 && payloads.iter().all(|it| it.len() <= PAYLOAD_LEN_MAX));
        let heard: Vec<Word> = payloads.iter().flat_map(|payload| decode(payload)).collect();
        assert_eq!(heard, many);
    }

    #[test]
    fn what_is_not_understood_is_passed_over_and_nothing_else() {
        let look = &words()[8..9];
        for (payload, expect) in [
            ("", &[][..]),
            ("c2\nl @ann:bob bob", &[]),
            ("c1", &[]),
            ("c1\n\nz 1 2\nr 1\ne\ne -1\nl @ann:bob bob\nl @ann:bob", look),
            ("c1\np ann 3\np ann\np ann 1 1\np Ann 1\nl @ann:bob bob", look),
            (
                "c1\nm a/b ann 1 -1\nm a/b ann 1 99999999999999999999\nt a/b ann 2\nl @ann:bob bob",
                look,
            ),
            ("c1\nf a/b ann 7 1\nf a/b ann 7 2 -\nf a/b ann - 1 -\nl @ann:bob bob", look),
            ("c1\nl bob @ann:bob\nu u\nl @ann:bob bob 1 2 3 4 5 6\nl @ann:bob bob", look),
        ] {
            assert_eq!(decode(payload).collect::<Vec<_>>(), expect, "{payload:?}");
        }
    }
}
