//! The names of a request's fields: one list, from which the parser reads, refusals quote and
//! `help` explains.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use crate::chat::model::limits::{
    CID_LEN_MAX, EMOJI_LEN_MAX, PROFILES_PAGE_MAX, REQUEST_ID_LEN_MAX, SEQ_END,
};
use crate::chat::model::push::{DEVICE_KEY_LEN, DEVICE_SECRET_LEN, ENDPOINT_LEN_MAX};

/// Calls a macro with every field: its [`Key`], its name, and the value that is expected unless the
/// operation says otherwise.
macro_rules! for_each_key {
    ($callback:ident) => {
        $callback! {
            Op "op" "the name of an operation",
            Id "id" "a string or an integer of at most 64 bytes",
            Room "room" "the name of a room",
            To "to" "the name of a user",
            Text "text" "a string",
            Cid "cid" "a string of 1 to 64 bytes",
            ReplyTo "reply_to" "the seq of a message, an integer of 1 or more and below 2^53",
            Thread "thread" "the seq of a message, an integer of 1 or more and below 2^53",
            Data "data" "any JSON",
            Echo "echo" "true or false",
            After "after" "a seq, an integer of 0 or more and below 2^53",
            Before "before" "a seq (for search, before of the last reply), an integer of 0 or more and below 2^53",
            Around "around" "a seq, an integer of 0 or more and below 2^53",
            Limit "limit" "an integer of 1 or more and below 2^53",
            Epoch "epoch" "a string of 1 to 64 bytes",
            Recv "recv" "a seq, an integer of 0 or more and below 2^53",
            Read "read" "a seq, an integer of 0 or more and below 2^53",
            Status "status" "\"online\" or \"away\"",
            Name "name" "the name of a user",
            Token "token" "a string",
            Agent "agent" "a string of at most 128 bytes",
            Version "version" "1",
            Ping "ping" "true or false",
            Resume "resume" "{\"session\":…,\"rooms\":{room:[epoch,seq],…}}",
            Since "since" "the rev of an earlier reply, an integer of 0 or more and below 2^53",
            Topic "topic" "a string",
            Private "private" "true or false",
            Policy "policy" "the name of a policy",
            Of "of" "the name of an operation",
            Target "target" "the seq of a message, an integer of 1 or more and below 2^53",
            Emoji "emoji" "a string of 1 to 64 bytes without control characters",
            Remove "remove" "true or false",
            User "user" "the name of a user",
            Role "role" "\"owner\", \"moderator\", \"member\" or \"reader\"",
            ForMs "for_ms" "milliseconds, an integer of 0 or more and below 2^53",
            Reason "reason" "a string",
            Close "close" "true or false",
            Sure "sure" "true or false",
            Password "password" "a string of 8 to 256 bytes",
            Invite "invite" "the secret of an invite link",
            Old "old" "your password",
            New "new" "a string of 8 to 256 bytes",
            Login "login" "the id of one of logins, \"others\" or \"all\"",
            Uses "uses" "an integer of 1 to 10000",
            Report "report" "the id of one of reports, an integer of 1 or more and below 2^53",
            Rooms "rooms" "a list of up to 16 names of rooms",
            Endpoint "endpoint" "the endpoint of a push subscription, a string of at most 1024 bytes",
            P256dh "p256dh" "the key of that name of a push subscription: 65 bytes in base64url",
            Auth "auth" "the key of that name of a push subscription: 16 bytes in base64url",
            Display "display" "a display name of one line, with a letter or a digit, or an empty text for none",
            Color "color" "\"red\", \"orange\", \"yellow\", \"green\", \"teal\", \"blue\", \"purple\", \"pink\", or an empty text for none",
            Users "users" "a list of up to 50 names of users",
            Subscription "subscription" "the id of one of push_subscriptions, an integer of 1 or more and below 2^53",
        }
    };
}

// The texts above state these limits in digits.
const _: () = assert!(ENDPOINT_LEN_MAX == 1024 && DEVICE_KEY_LEN == 65 && DEVICE_SECRET_LEN == 16);
const _: () = assert!(REQUEST_ID_LEN_MAX == 64 && CID_LEN_MAX == 64 && EMOJI_LEN_MAX == 64);
const _: () = assert!(SEQ_END == 1 << 53 && PROFILES_PAGE_MAX == 50);

macro_rules! define_keys {
    ($($key:ident $name:literal $expected:literal,)+) => {
        /// The name of a field.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Key {
            $($key,)+
            /// Any other name: the field is ignored.
            Unknown,
        }

        impl Key {
            /// Every name but unknown ones.
            #[cfg(test)]
            pub(super) const ALL: &'static [Self] = &[$(Self::$key,)+];

            /// The name, as it is in the object.
            pub(super) const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ Self::Unknown => "" }
            }

            /// The expected value, unless the operation says otherwise.
            pub(super) const fn expected(self) -> &'static str {
                match self { $(Self::$key => $expected,)+ Self::Unknown => "" }
            }
        }

        impl From<&str> for Key {
            fn from(name: &str) -> Self {
                match name { $($name => Self::$key,)+ _ => Self::Unknown }
            }
        }
    };
}

for_each_key!(define_keys);

impl Key {
    /// How many names there are.
    pub(super) const COUNT: usize = Self::Unknown.index();

    /// The place among all names.
    #[expect(clippy::as_conversions, reason = "the variants have no values, and are numbered")]
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// Whether the value is kept as it was written, of whatever type it is.
    pub(super) const fn is_raw(self) -> bool {
        matches!(
            self,
            Self::Id | Self::Data | Self::Resume | Self::Rooms | Self::Users | Self::Login
        )
    }
}
