//! A person on a plain TCP connection: what the server remembers between two of their lines.

use crate::chat::Reply;

/// A person with `nc` or telnet.
#[derive(Debug, Default)]
pub(super) struct TextClient {
    /// A line has come: before, the person may still turn out to be a program.
    pub has_typed: bool,
    /// Others know the name: it can no longer be changed.
    pub has_spoken: bool,
    /// The room joined last, in which lines are said.
    pub room: Option<String>,
}

impl TextClient {
    /// Keeps up with what an answer says about the room in which lines are said.
    pub(super) fn on_reply(&mut self, reply: &Reply) {
        match reply {
            Reply::Joined { room, .. } => self.room = Some(room.as_str().to_owned()),
            Reply::Left { room } if self.room.as_deref() == Some(room.as_str()) => {
                self.room = None;
            }
            _ => {}
        }
    }
}
