//! What a returning client says of where it was.

use std::borrow::Cow;

use super::sessions::FormerSession;

/// Where a client was in a room when it lost its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    /// The room, by name.
    pub room: Cow<'a, str>,
    /// The epoch of the log in which `seq` counts.
    pub epoch: Cow<'a, str>,
    /// The last seq that the client has.
    pub seq: u64,
}

/// What a returning client says of its former session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume<'a> {
    /// The former session's secret.
    pub session: Cow<'a, str>,
    /// Where it was, room by room.
    pub positions: Vec<Position<'a>>,
    /// That session, where several nodes share the logs and it was found there: the domain fills
    /// this in.
    pub former: Option<FormerSession>,
}

impl Resume<'_> {
    /// The same with its texts copied, to be kept for later.
    pub(in crate::chat) fn into_owned(self) -> Resume<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let position = |Position { room, epoch, seq }: Position<'_>| Position {
            room: owned(room),
            epoch: owned(epoch),
            seq,
        };
        Resume {
            session: owned(self.session),
            positions: self.positions.into_iter().map(position).collect(),
            former: self.former,
        }
    }
}
