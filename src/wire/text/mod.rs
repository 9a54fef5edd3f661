//! The protocol for a text client, a person at a terminal with `nc` or telnet: lines in, lines out.
//!
//! | line | does |
//! |---|---|
//! | `/nick ann` | takes a name |
//! | `/join lobby`, `/leave`, `/close` | enters a room, leaves it, ends a private one |
//! | `/rename tea`, `/end` | gives a room of one's own another name, ends it for all |
//! | `/msg bob hi`, `/msg bob` | sends a message to one user; lets all that follows go there |
//! | `/reply bob yes`, `/reply "see you" yes` | answers bob's last message, or the last with these words |
//! | `/thread bob yes`, `/thread "see you" yes` | says it in the thread of that message |
//! | `/edit new words`, `/delete` | changes the last message of one's own |
//! | `/react bob 👍`, `/react "see you" 👍` | reacts to that message |
//! | `/who`, `/members`, `/rooms` | lists who is online, who belongs to the room, the user's rooms |
//! | `/list`, `/list tea` | lists the rooms that everybody may find |
//! | `/history 20`, `/search tea` | shows the latest messages, or those with a word |
//! | `/login ann secret`, `/register`, `/password`, `/logins`, `/invite-link` | accounts |
//! | `/kick bob`, `/mute bob 10m spam`, `/ban bob 1d` and the like | moderates |
//! | `/help`, `help`, `?`, `/quit` | |
//! | any other | is sent to the room joined last; of `//` at its start one `/` is sent |
//!
//! All commands, with the names that they have elsewhere, are in `commands`.
//!
//! Other people's text is shown without control characters, since a terminal would obey them.
//! Every line that is theirs begins with the room and their name, or with `| `: none can look like
//! a line of the server's. Everything rendered here ends with `\n`.
//!
//! Answers name what was asked for, which the domain does not repeat: a person's requests have it
//! as their id, the [`note`].

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

mod account;
mod answer;
mod change;
mod commands;
mod greeting;
mod hints;
pub mod note;
mod parse;
mod people;
mod render;
mod rooms;
mod safe;
mod words;

pub use self::account::{AccountLine, is_secret};
pub use self::change::{Change, changed};
pub use self::commands::command_names;
pub use self::greeting::{bye, welcome, who_are_you};
pub use self::hints::answer;
pub use self::parse::parse_line;
pub use self::render::{
    Shown, event, focus, in_persons_words, no_focus, record_event, refusal, refused, reply, sent,
};
pub use self::safe::{safe_line, safe_name, safe_text};
use crate::chat::model::command::{Command, Op, Send};
use crate::chat::model::meant_message::Meant;
use crate::chat::model::reply::Refusal;

/// A line that was parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// An empty line.
    Nothing,
    /// Take this name.
    Nick(&'a str),
    /// A command for the domain.
    Command(Op, Command<'a>),
    /// Something about an account.
    Account(AccountLine<'a>),
    /// Send this as the answer to a message.
    Answer(Meant<'a>, Send<'a>),
    /// Send this in the thread of a message.
    InThread(Meant<'a>, Send<'a>),
    /// Do this to a message, or to the person's own last one.
    Change(Option<Meant<'a>>, Change<'a>),
    /// Let the lines that follow go to this user.
    Talk(&'a str),
    /// A line that needs a room, but none was joined; its only word, if it has only one.
    NoRoom(&'a str),
    /// Explain the command of this name, or all of them.
    Help(&'a str),
    /// End the connection.
    Quit,
    /// No such command; the word after the `/`.
    Unknown(&'a str),
    /// A command that other chats have, and what to do instead.
    Hint(&'static str),
    /// A command without what it needs; the right form.
    Usage(&'static str),
    /// A line that is refused.
    Refused(Box<Refusal>),
}
