//! Requests, and what a client remembers of them until they are answered.

use std::collections::BTreeMap;

use chinwag::chat::Op;
use chinwag::time::Tick;
use chinwag::wire::client::{Field, request};

use super::{Client, Connection, Context};
use crate::history::{Known, LogKey};
use crate::plan::{MODERATED_ROOM, RENAMED_ROOM};

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Room(String),
    User(String),
}

/// What of each room a connection had seen: the log, and the next seq.
pub(crate) type Seen = BTreeMap<String, (LogKey, u64)>;

/// A message that was not answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) target: Target,
    pub(crate) text: String,
    pub(crate) cid: Option<String>,
    pub(crate) echo: bool,
    /// It was sent on this connection.
    pub(crate) sent: bool,
    /// The room was subscribed then, and has been since.
    pub(crate) in_view: bool,
    /// Not before this, as the server has asked.
    pub(crate) not_before: Tick,
}

/// A request that was not answered.
#[derive(Clone, Debug)]
pub(crate) enum Pending {
    Hello {
        known: Known,
        /// Whether its session can be resumed for sure.
        resumes: bool,
    },
    /// A change of a message, or its deletion.
    Change {
        room: String,
        target: u64,
        new: Option<String>,
    },
    Join {
        room: String,
        after: Option<(String, u64)>,
        known: Known,
    },
    Leave {
        room: String,
    },
    Send(Draft),
    Topic {
        room: String,
        text: String,
    },
    Ack {
        room: String,
        read: u64,
        known: Known,
    },
    /// The room with an owner.
    Create {
        known: Known,
    },
    /// The room that gets other names.
    CreateNamed {
        known: Known,
    },
    /// Another name for it.
    Rename {
        name: String,
    },
    /// What users say of themselves: all of them, or this one.
    Profiles {
        all: bool,
    },
    /// A kick, a mute and the like.
    Moderation {
        reason: String,
    },
    /// What is done there without a record: somebody is invited, or the room ends.
    Act,
    Presence {
        room: String,
    },
    Members {
        room: String,
    },
    History {
        room: String,
        bounds: (u64, u64),
        known: Known,
    },
    Rooms {
        seen: Seen,
        rev: u64,
        known: Known,
    },
    Status {
        away: bool,
    },
    /// Anything about a room for which it only matters whether it succeeded.
    About {
        room: String,
    },
    Other,
    /// Something that is refused.
    Wrong,
}

impl Pending {
    /// The room is not subscribed any more.
    pub(crate) fn note_left(&mut self, left: &str) {
        if let Self::Send(draft) = self
            && matches!(&draft.target, Target::Room(room) if room == left)
        {
            draft.in_view = false;
        }
    }

    /// Whether it is a message with a `cid` to a room that was not subscribed then: it may have
    /// been entered while the log was asked for the `cid`.
    pub(super) fn was_elsewhere(&self) -> bool {
        matches!(self, Self::Send(draft) if draft.cid.is_some() && !draft.in_view)
    }

    /// The room that it is about.
    pub(crate) fn room(&self) -> Option<&str> {
        match self {
            Self::Join { room, .. }
            | Self::Change { room, .. }
            | Self::Leave { room }
            | Self::Topic { room, .. }
            | Self::Ack { room, .. }
            | Self::Presence { room }
            | Self::Members { room }
            | Self::History { room, .. }
            | Self::About { room } => Some(room),
            Self::Send(draft) => match &draft.target {
                Target::Room(room) => Some(room),
                Target::User(_) => None,
            },
            Self::Create { .. } | Self::Moderation { .. } | Self::Act => Some(MODERATED_ROOM),
            Self::CreateNamed { .. } | Self::Rename { .. } => Some(RENAMED_ROOM),
            Self::Hello { .. }
            | Self::Profiles { .. }
            | Self::Rooms { .. }
            | Self::Status { .. }
            | Self::Other
            | Self::Wrong => None,
        }
    }
}

impl Client {
    /// Asks for something.
    pub(super) fn ask(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        (op, fields): (Op, &[(&str, Field<'_>)]),
        pending: Pending,
    ) {
        conn.next_id += 1;
        let mut text = Vec::new();
        let named = self.some_name(context.history);
        let fields = fields.iter().map(|&(key, field)| match field {
            Field::Text(RENAMED_ROOM) if key == "room" => (key, Field::Text(&named)),
            field => (key, field),
        });
        request(&mut text, op, Some(conn.next_id), &fields.collect::<Vec<_>>());
        conn.pending.insert(conn.next_id, pending);
        let text = String::from_utf8(text).expect("JSON is UTF-8");
        self.put(conn, context, &text);
    }

    /// Says whether it is away.
    pub(super) fn ask_status(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        away: bool,
    ) {
        self.away = None;
        let fields = [("status", Field::Text(if away { "away" } else { "online" }))];
        self.ask(conn, context, (Op::Status, &fields), Pending::Status { away });
    }

    /// Asks for the inbox.
    pub(super) fn ask_inbox(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        let seen = conn.views.iter().map(|(room, view)| (room.clone(), (view.log, view.next)));
        let pending = Pending::Rooms {
            seen: seen.collect(),
            rev: conn.rev,
            known: context.history.known(&self.name),
        };
        self.ask(conn, context, (Op::Rooms, &[]), pending);
    }

    /// Sends a text.
    pub(super) fn put(&mut self, conn: &mut Connection, context: &mut Context<'_>, text: &str) {
        conn.codec.encode(text, context.scratch, &mut self.rng, &mut conn.out);
    }

    /// Says hello, with everything that it has from before.
    pub(super) fn hello(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        conn.said_hello = true;
        let named = self.some_name(context.history);
        let positions = self.positions.iter().map(|(room, (epoch, seq))| {
            let room = if room == RENAMED_ROOM { &named } else { room };
            format!("{room:?}:[{epoch:?},{seq}]")
        });
        let positions: Vec<String> = positions.collect();
        let session = self.session.clone().unwrap_or_else(|| "s0".to_owned());
        let resume = format!("{{\"session\":{session:?},\"rooms\":{{{}}}}}", positions.join(","));
        let name = self.name.clone();
        let mut fields = vec![("name", Field::Text(&name))];
        if self.session.is_some() {
            fields.push(("resume", Field::Json(&resume)));
        }
        let known = context.history.known(&self.name);
        // Where one node knows them, sessions are forgotten sooner, and with it.
        let resumes = self.session.is_some() && context.plan.nodes > 1;
        self.ask(conn, context, (Op::Hello, &fields), Pending::Hello { known, resumes });
    }

    /// Sends what waits in the outbox and has not been sent on this connection, in order.
    pub(super) fn send_outbox(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        for place in 0..self.outbox.len() {
            let draft = &mut self.outbox[place];
            if draft.not_before > context.now {
                // Nothing behind it may overtake it.
                return;
            }
            if !draft.sent {
                draft.sent = true;
                draft.in_view = match &draft.target {
                    Target::Room(room) => conn.views.contains_key(room),
                    Target::User(_) => true,
                };
                let draft = draft.clone();
                self.send(conn, context, &draft);
            }
        }
    }

    pub(super) fn send(&mut self, conn: &mut Connection, context: &mut Context<'_>, draft: &Draft) {
        let mut fields = vec![match &draft.target {
            Target::Room(room) => ("room", Field::Text(room)),
            Target::User(user) => ("to", Field::Text(user)),
        }];
        fields.push(("text", Field::Text(&draft.text)));
        fields.extend(draft.cid.as_deref().map(|cid| ("cid", Field::Text(cid))));
        if draft.echo {
            fields.push(("echo", Field::Flag(true)));
        }
        let pending = Pending::Send(draft.clone());
        self.ask(conn, context, (Op::Send, &fields), pending);
    }
}
