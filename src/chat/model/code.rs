//! The codes of refusals: what was wrong with a command.

macro_rules! codes {
    ($($(#[doc = $about:literal])+ $variant:ident = $number:literal $slug:literal,)+) => {
        /// Why a command was refused. The number and the slug are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $($(#[doc = $about])+ $variant,)+
        }

        impl Code {
            /// Every code, by number.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The number, as it stands in `code`.
            #[must_use]
            pub const fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)+ }
            }

            /// The slug, as it stands in `data.error`.
            #[must_use]
            pub const fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// What it means, as a sentence.
            #[must_use]
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($about),+).trim_start(),)+ }
            }
        }
    };
}

codes! {
    /// Not a JSON object; the reply says at which byte.
    BadJson = 1001 "bad_json",
    /// No such operation; the reply lists those that there are.
    UnknownOp = 1002 "unknown_op",
    /// A field is missing, of the wrong type or out of range.
    BadField = 1003 "bad_field",
    /// Anything but `hello` before `hello`.
    HelloFirst = 1004 "hello_first",
    /// A version of the protocol that is not spoken here.
    UnsupportedVersion = 1005 "unsupported_version",
    /// No token, or one that is not good.
    Unauthorized = 2001 "unauthorized",
    /// The token has expired.
    TokenExpired = 2002 "token_expired",
    /// The token is meant for somebody else.
    TokenNotForUs = 2003 "token_not_for_us",
    /// The user is suspended.
    Suspended = 2004 "suspended",
    /// The name belongs to somebody else.
    NameTaken = 2005 "name_taken",
    /// No such room, or none that this user may know of.
    NoSuchRoom = 3001 "no_such_room",
    /// The room that should be created exists.
    RoomExists = 3002 "room_exists",
    /// Only members may do this.
    NotMember = 3003 "not_member",
    /// The user's role does not allow this.
    Forbidden = 3004 "forbidden",
    /// The user is banned from the room.
    Banned = 3005 "banned",
    /// The user is muted in the room.
    Muted = 3006 "muted",
    /// The room takes no messages.
    ReadOnly = 3007 "read_only",
    /// The room is joined by invitation.
    InviteOnly = 3008 "invite_only",
    /// The room has as many members as it may have.
    RoomFull = 3009 "room_full",
    /// No such user.
    NoSuchUser = 3010 "no_such_user",
    /// The user is in as many rooms as one may be.
    TooManyRooms = 3011 "too_many_rooms",
    /// The user has as many sessions as one may have.
    TooManySessions = 3012 "too_many_sessions",
    /// Larger than its limit.
    TooLarge = 4001 "too_large",
    /// No message has this seq.
    NoSuchMessage = 4002 "no_such_message",
    /// The log does not hold this seq: it is in the future, or no longer kept.
    SeqUnavailable = 4003 "seq_unavailable",
    /// The seq belongs to another epoch of the log.
    EpochChanged = 4004 "epoch_changed",
    /// The `cid` was used for another message.
    CidConflict = 4005 "cid_conflict",
    /// The message is too old to be edited.
    EditWindowOver = 4006 "edit_window_over",
    /// Too many commands.
    RateLimited = 5001 "rate_limited",
    /// The server cannot take this now.
    Busy = 5004 "busy",
    /// There is no room left to store it.
    StorageFull = 5005 "storage_full",
    /// The server is stopping.
    ShuttingDown = 5006 "shutting_down",
    /// The server failed.
    Internal = 9001 "internal",
    /// Not supported by this server.
    NotSupported = 9002 "not_supported",
}

impl Code {
    /// Whether the same command can succeed later by itself, which is when a reply carries
    /// `retry_after_ms`.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::Busy | Self::StorageFull | Self::ShuttingDown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_slugs_are_distinct() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number());
            assert_ne!(pair[0].slug(), pair[1].slug());
        }
    }
}
