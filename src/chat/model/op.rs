//! The operations: their names.

macro_rules! ops {
    ($($(#[$doc:meta])* $variant:ident $name:literal,)+) => {
        /// The operations.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Op {
            $($(#[$doc])* $variant,)+
        }

        impl Op {
            /// Every operation, in the order in which `help` lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that stands in `op`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The operation of this name.
            #[must_use]
            pub fn parse(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

ops! {
    /// Says who the client is and where it was.
    Hello "hello",
    /// Makes an account.
    Register "register",
    /// Begins a login of an account.
    Login "login",
    /// Brings a new token.
    Refresh "refresh",
    /// Asks for the time, and shows that both ends live.
    Ping "ping",
    /// Lists the user's rooms.
    Rooms "rooms",
    /// Makes a room with an owner.
    Create "create",
    /// Becomes a member and subscribes this connection.
    Join "join",
    /// Ends the membership.
    Leave "leave",
    /// Says something.
    Send "send",
    /// Changes what was said.
    Edit "edit",
    /// Takes back what was said.
    Delete "delete",
    /// Adds or removes a reaction.
    React "react",
    /// Says how far the client has received and read.
    Ack "ack",
    /// Says that the user is typing.
    Typing "typing",
    /// Says whether the user is online or away.
    Status "status",
    /// Reads a page of the log.
    History "history",
    /// Searches the log.
    Search "search",
    /// Reads a page of a thread.
    Thread "thread",
    /// Lists the threads that the user follows.
    Threads "threads",
    /// Begins to follow a thread.
    Follow "follow",
    /// Ends that.
    Unfollow "unfollow",
    /// Says who is there.
    Presence "presence",
    /// Lists who is a member.
    Members "members",
    /// Reads or changes the topic.
    Topic "topic",
    /// Gives a room another name.
    Rename "rename",
    /// Ends a room for all who are in it.
    Close "close",
    /// Invites a user into a private room.
    Invite "invite",
    /// Withdraws an invitation.
    Uninvite "uninvite",
    /// Changes a member's role.
    Role "role",
    /// Ends another's membership.
    Kick "kick",
    /// Takes a member's voice for a time.
    Mute "mute",
    /// Keeps a user out.
    Ban "ban",
    /// Ends a ban.
    Unban "unban",
    /// Lists bans, mutes, readers and invitations of a room.
    Restrictions "restrictions",
    /// Changes the password.
    Password "password",
    /// Lists the account's logins.
    Logins "logins",
    /// Ends logins.
    EndLogin "end_login",
    /// Makes an invite link.
    InviteLink "invite_link",
    /// Uses an invite link.
    Accept "accept",
    /// Lets a user not be heard any more.
    Block "block",
    /// Ends that.
    Unblock "unblock",
    /// Lists who is blocked.
    Blocked "blocked",
    /// Reads or changes the display name, the status text and the colour of one's name.
    Profile "profile",
    /// Reads those of others.
    Whois "whois",
    /// Has a device told by Web Push.
    PushSubscribe "push_subscribe",
    /// Ends that.
    PushUnsubscribe "push_unsubscribe",
    /// Lists the devices that are told, with the key that another one needs.
    PushSubscriptions "push_subscriptions",
    /// Reports a message or a user to the moderators or administrators.
    Report "report",
    /// Lists what was reported.
    Reports "reports",
    /// Ends a report.
    Settle "settle",
    /// Lists what owners and administrators have done.
    Audit "audit",
    /// Gives a user what is kept of it.
    Export "export",
    /// Lists the rooms that everybody may find.
    Directory "directory",
    /// Explains the operations.
    Help "help",
}
