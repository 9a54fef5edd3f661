//! Commands that outlive the input that they were parsed from.

use std::borrow::Cow;

use super::command::{Command, PushTarget, Reported, Send, Target};

fn own(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

impl Command<'_> {
    /// A reading, a leave or a close, with its texts copied so that it can outlive the input that
    /// it was parsed from. It is done after the records that its connection has asked for before,
    /// so that a client that sends and then reads finds its message, and one that leaves is
    /// answered first.
    ///
    /// # Errors
    ///
    /// Any other command, as it was.
    pub fn into_reading(self) -> Result<Command<'static>, Self> {
        match self {
            Self::History { .. }
            | Self::Search { .. }
            | Self::Thread { .. }
            | Self::Threads { .. }
            | Self::Rooms { .. }
            | Self::Audit { .. }
            | Self::Directory { .. }
            | Self::Export { .. }
            | Self::Restrictions { .. }
            | Self::Leave { .. }
            | Self::LeaveAndClose { .. }
            | Self::Close { .. }
            | Self::Topic { text: None, .. } => Ok(self.into_owned()),
            other => Err(other),
        }
    }

    /// The same with its texts copied.
    #[expect(clippy::too_many_lines, reason = "one line or two for each command")]
    pub(in crate::chat) fn into_owned(self) -> Command<'static> {
        match self {
            Self::Hello { name, resume, ping, token } => Command::Hello {
                name: name.map(own),
                resume: resume.map(super::resume::Resume::into_owned),
                ping,
                token,
            },
            Self::Refresh { token } => Command::Refresh { token },
            Self::Register { name, password, invite, agent } => {
                Command::Register { name: own(name), password, invite, agent: agent.map(own) }
            }
            Self::Login { name, password, agent } => {
                Command::Login { name: own(name), password, agent: agent.map(own) }
            }
            Self::Password { old, new } => Command::Password { old, new },
            Self::Logins => Command::Logins,
            Self::EndLogin { which } => Command::EndLogin { which: own(which) },
            Self::InviteLink { uses, for_ms, rooms } => Command::InviteLink { uses, for_ms, rooms },
            Self::Accept { invite } => Command::Accept { invite },
            Self::Block { user, on } => Command::Block { user: own(user), on },
            Self::Blocked => Command::Blocked,
            Self::Profile { display, status, color } => Command::Profile {
                display: display.map(own),
                status: status.map(|(text, for_ms)| (own(text), for_ms)),
                color,
            },
            Self::Whois { users } => Command::Whois { users },
            Self::Thread { room, thread, before, limit } => {
                Command::Thread { room: own(room), thread, before, limit }
            }
            Self::Threads { room } => Command::Threads { room: room.map(own) },
            Self::MarkThread { room, thread, wish, epoch } => {
                Command::MarkThread { room: own(room), thread, wish, epoch: epoch.map(own) }
            }
            Self::PushSubscribe { endpoint, key, secret, agent } => {
                let (endpoint, agent) = (own(endpoint), agent.map(own));
                Command::PushSubscribe { endpoint, key, secret, agent }
            }
            Self::PushUnsubscribe { which } => Command::PushUnsubscribe {
                which: match which {
                    PushTarget::Id(id) => PushTarget::Id(id),
                    PushTarget::Endpoint(endpoint) => PushTarget::Endpoint(own(endpoint)),
                },
            },
            Self::PushSubscriptions => Command::PushSubscriptions,
            Self::Report { about, reason } => {
                Command::Report { about: own_reported(about), reason: own(reason) }
            }
            Self::Reports { room, limit, after } => {
                Command::Reports { room: room.map(own), limit, after }
            }
            Self::Settle { report } => Command::Settle { report },
            Self::Audit { room, before, limit } => {
                Command::Audit { room: room.map(own), before, limit }
            }
            Self::Export { after } => Command::Export { after },
            Self::Directory { text, after, limit } => {
                Command::Directory { text: text.map(own), after: after.map(own), limit }
            }
            Self::Ping => Command::Ping,
            Self::Rooms { since } => Command::Rooms { since },
            Self::Create { room, topic, private, policy } => Command::Create {
                room: own(room),
                topic: topic.map(own),
                private,
                policy: policy.map(own),
            },
            Self::Join { room, after, epoch } => {
                Command::Join { room: own(room), after, epoch: epoch.map(own) }
            }
            Self::Leave { room } => Command::Leave { room: own(room) },
            Self::LeaveAndClose { room } => Command::LeaveAndClose { room: own(room) },
            Self::Close { room, reason, sure } => {
                Command::Close { room: own(room), reason: own(reason), sure }
            }
            Self::Rename { room, name } => Command::Rename { room: own(room), name: own(name) },
            Self::Send(send) => Command::Send(own_send(send)),
            Self::Ack { room, recv, read, epoch } => {
                Command::Ack { room: own(room), recv, read, epoch: epoch.map(own) }
            }
            Self::Typing { room } => Command::Typing { room: own(room) },
            Self::Status { away } => Command::Status { away },
            Self::History { room, page, limit, epoch } => {
                Command::History { room: own(room), page, limit, epoch: epoch.map(own) }
            }
            Self::Presence { room } => Command::Presence { room: own(room) },
            Self::Members { room, limit, after } => {
                Command::Members { room: own(room), limit, after: after.map(own) }
            }
            Self::Topic { room, text, weight } => {
                Command::Topic { room: own(room), text: text.map(own), weight }
            }
            Self::Edit { room, target, text, weight } => {
                Command::Edit { room: own(room), target, text: own(text), weight }
            }
            Self::Delete { room, target } => Command::Delete { room: own(room), target },
            Self::React { room, target, emoji, remove, weight } => {
                Command::React { room: own(room), target, emoji: own(emoji), remove, weight }
            }
            Self::Search { room, text, before, limit } => {
                Command::Search { room: room.map(own), text: own(text), before, limit }
            }
            Self::Invite { room, user, reason } => {
                Command::Invite { room: own(room), user: own(user), reason: own(reason) }
            }
            Self::Uninvite { room, user } => Command::Uninvite { room: own(room), user: own(user) },
            Self::Restrictions { room, limit, after } => {
                Command::Restrictions { room: own(room), limit, after: after.map(own) }
            }
            Self::Moderate { room, user, command, reason, weight } => Command::Moderate {
                room: own(room),
                user: own(user),
                command,
                reason: own(reason),
                weight,
            },
            Self::Unsupported(op) => Command::Unsupported(op),
        }
    }
}

fn own_reported(about: Reported<'_>) -> Reported<'static> {
    match about {
        Reported::Message(room, seq) => Reported::Message(own(room), seq),
        Reported::User(user, room) => Reported::User(own(user), room.map(own)),
    }
}

fn own_send(send: Send<'_>) -> Send<'static> {
    let Send { target, text, cid, reply_to, thread, data, echo, weight } = send;
    let target = match target {
        Target::Room(name) => Target::Room(own(name)),
        Target::User(name) => Target::User(own(name)),
    };
    let (text, cid, data) = (own(text), cid.map(own), data.map(own));
    Send { target, text, cid, reply_to, thread, data, echo, weight }
}
