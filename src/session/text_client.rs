//! A person on a plain TCP connection: what the server remembers between two of their lines.

use crate::chat::Reply;

/// A person with `nc` or telnet.
#[derive(Debug, Default)]
pub(super) struct TextClient {
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

/// Whether a first line is that of an HTTP request. A page of any origin can make a browser send
/// one here, with lines of the page's choosing after it; a person does not type that.
pub(super) fn is_http_request(line: &[u8]) -> bool {
    memchr::memmem::find(line, b" HTTP/").is_some()
}
