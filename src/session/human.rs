//! A person on a plain TCP connection: what the server remembers between two lines of theirs.

use super::row::{Row, Stage};
use crate::chat::Reply;

/// A person with `nc` or telnet.
#[derive(Debug, Default)]
pub(super) struct Person {
    /// Others know the name: it can no longer be changed.
    pub spoken: bool,
    /// The room joined last, in which lines are said.
    pub room: Option<String>,
}

/// Keeps up with what the answers say about the room that lines are said in.
pub(super) fn follow(row: &mut Row, reply: &Reply) {
    let Stage::Tcp { person: Some(person), .. } = &mut row.stage else { return };
    match reply {
        Reply::Joined { room, .. } => person.room = Some(room.as_str().to_owned()),
        Reply::Left { room } if person.room.as_deref() == Some(room.as_str()) => {
            person.room = None;
        }
        _ => {}
    }
}
