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

/// Whether a first line is that of an HTTP request. A page of any origin can make a browser send one here,
/// with lines of the page's choosing behind it; nobody types that.
pub(super) fn is_http_request(line: &[u8]) -> bool {
    memchr::memmem::find(line, b" HTTP/").is_some()
}

/// Keeps up with what the answers say about the room that lines are said in.
pub(super) fn follow(row: &mut Row, reply: &Reply) {
    let Stage::Tcp(plain) = &mut row.stage else { return };
    let Some(person) = &mut plain.person else { return };
    match reply {
        Reply::Joined { room, .. } => person.room = Some(room.as_str().to_owned()),
        Reply::Left { room } if person.room.as_deref() == Some(room.as_str()) => {
            person.room = None;
        }
        _ => {}
    }
}
