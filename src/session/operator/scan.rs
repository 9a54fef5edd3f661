//! Lists of many things, made in bounded steps: one a turn, so that a list never makes a long one.

use crate::admin::requests::{ConnectionSort, RoomSort};
use crate::admin::responses;
use crate::chat::{Chat, Code, Refusal, UserName};
use crate::collections::Slots;
use crate::net::ConnId;
use crate::session::ListenerKind;
use crate::session::context::SessionContext;
use crate::session::encode::Format;
use crate::session::exchange::Scan;
use crate::session::peers::Peer;
use crate::session::state::{Protocol, SessionState};
use crate::time::clock::Now;
use crate::time::millis;

/// What one step looks at, places and subscriptions together.
const WORK_PER_STEP: usize = 2_048;

/// Where lists are made from.
pub(in crate::session) struct View<'a> {
    pub states: &'a Slots<SessionState>,
    pub context: &'a SessionContext,
    pub chat: &'a Chat,
    pub now: Now,
}

impl Scan {
    /// Why there is no such list.
    pub(in crate::session) fn refusal(&self, chat: &Chat) -> Option<Refusal> {
        let Self::Members { room, .. } = self else { return None };
        let is_there = chat.member_count(room).is_some();
        (!is_there).then(|| Refusal::new(Code::NoSuchRoom, "there is no such room"))
    }

    /// Looks at some more; `true` once all was looked at.
    pub(in crate::session) fn step(&mut self, view: &View<'_>) -> bool {
        match self {
            Self::Connections { sort, user, next, top } => {
                let Some(peers) = &view.context.peers else { return true };
                let mut work = 0;
                while work < WORK_PER_STEP && *next < peers.places() {
                    let peer = peers.at(*next);
                    (*next, work) = (*next + 1, work + 1);
                    let Some(peer) = peer.filter(|peer| is_of(peer, user.as_deref())) else {
                        continue;
                    };
                    let Some((key, cost)) = sort_key(view, *sort, peer) else { continue };
                    // Sorting by lag looks at each of a connection's rooms, which may be hundreds.
                    work += cost;
                    top.offer(key, "", peer.conn);
                }
                *next >= peers.places()
            }
            Self::Rooms { sort, next, top } => {
                // By places in the table: a room that comes or goes between two steps moves none.
                let end = view.chat.room_places().min(*next + WORK_PER_STEP);
                for place in *next..end {
                    let Some(room) = view.chat.room_figures(place) else { continue };
                    let key = match sort {
                        RoomSort::Name => 0,
                        RoomSort::Members => count(room.members),
                        RoomSort::Subscribers => count(room.subscribers),
                        RoomSort::Seq => room.seq,
                    };
                    top.offer(key, room.name.as_str(), place);
                }
                *next = end;
                end >= view.chat.room_places()
            }
            Self::Users { next, top } => {
                let end = view.chat.user_places().min(*next + WORK_PER_STEP);
                for place in *next..end {
                    if let Some(user) = view.chat.user_figures(place) {
                        top.offer(0, user.name.as_str(), place);
                    }
                }
                *next = end;
                end >= view.chat.user_places()
            }
            Self::Members { room, next, top } => {
                let count = view.chat.member_count(room).unwrap_or(0);
                let end = count.min(*next + WORK_PER_STEP);
                for index in *next..end {
                    if let Some(member) = view.chat.member_figures(room, index) {
                        top.offer(0, member.name.as_str(), index);
                    }
                }
                *next = end;
                end >= count
            }
        }
    }

    /// The list, as JSON. What has gone since it was looked at is left out.
    pub(in crate::session) fn render(&self, view: &View<'_>) -> Vec<u8> {
        match self {
            Self::Connections { top, .. } => {
                let Some(peers) = &view.context.peers else { return Vec::new() };
                let rows = top.rows().filter_map(|conn| connection(view, peers.get(conn)?));
                super::json(&responses::Connections {
                    connections: rows.collect(),
                    total: count(peers.len()),
                })
            }
            Self::Rooms { top, .. } => {
                let rows = top.rows().filter_map(|place| room(view.chat, place));
                let [_, total, ..] = view.chat.sizes();
                super::json(&responses::Rooms {
                    rooms: rows.collect(),
                    next: top.next(),
                    total: count(total),
                    elsewhere: view.chat.rooms_elsewhere(),
                })
            }
            Self::Users { top, .. } => {
                let users = top.rows().filter_map(|place| user(view.chat, place)).collect();
                let [total, ..] = view.chat.sizes();
                super::json(&responses::Users { users, next: top.next(), total: count(total) })
            }
            Self::Members { room, top, .. } => {
                let members = top.rows().filter_map(|index| member(view.chat, room, index));
                let total = view.chat.member_count(room).unwrap_or(0);
                super::json(&responses::Members {
                    members: members.collect(),
                    next: top.next(),
                    total: count(total),
                })
            }
        }
    }
}

fn is_of(peer: &Peer, user: Option<&str>) -> bool {
    user.is_none_or(|user| peer.user.as_ref().is_some_and(|name| name.as_str() == user))
}

/// Where a connection stands in a list, and how much more than one place it took to find out;
/// `None` for the one that asks, whose state is in use. Nothing is rendered here: most rows are not
/// shown.
fn sort_key(view: &View<'_>, sort: ConnectionSort, peer: &Peer) -> Option<(u64, usize)> {
    let state = view.states.get(peer.conn.slot()).filter(|state| state.conn == peer.conn)?;
    Some(match sort {
        ConnectionSort::Since => (peer.since(), 0),
        ConnectionSort::Idle => (idle_ms(view, state), 0),
        ConnectionSort::Bytes => (count(state.answers.owed(view.context.turn)), 0),
        ConnectionSort::Lag => match view.chat.reader_figures(peer.conn) {
            Some(figures) if figures.lagging > 0 => (figures.lag, figures.rooms),
            Some(_) | None => (0, 0),
        },
    })
}

fn idle_ms(view: &View<'_>, state: &SessionState) -> u64 {
    millis(view.now.tick.since(state.since()))
}

fn user(chat: &Chat, place: usize) -> Option<responses::User<'_>> {
    let user = chat.user_figures(place)?;
    Some(responses::User {
        user: user.name.as_str(),
        source: user.source.name(),
        presence: user.presence.name(),
        sessions: count(user.sessions),
        rooms: count(user.rooms),
    })
}

fn member<'a>(chat: &'a Chat, room: &str, index: usize) -> Option<responses::Member<'a>> {
    let member = chat.member_figures(room, index)?;
    Some(responses::Member {
        user: member.name.as_str(),
        role: member.role.name(),
        presence: member.presence.name(),
        read: member.read,
    })
}

/// What is told of a connection; `None` for the one that asks, whose state is in use.
pub(super) fn connection<'a>(view: &View<'a>, peer: &'a Peer) -> Option<responses::Connection<'a>> {
    let state = view.states.get(peer.conn.slot()).filter(|state| state.conn == peer.conn)?;
    let figures = view.chat.reader_figures(peer.conn);
    let lagging = figures.map_or(0, |figures| u64::from(figures.lagging));
    Some(responses::Connection {
        id: id(peer.conn),
        user: peer.user.as_ref().map(UserName::as_str),
        address: peer.address().to_string(),
        since: peer.since(),
        protocol: protocol(state),
        listener: listener(peer.kind),
        rooms: figures.map_or(0, |figures| count(figures.rooms)),
        lagging,
        lag: figures.map_or(0, |figures| figures.lag),
        queued_bytes: count(state.answers.owed(view.context.turn)),
        held_bytes: count(state.held()),
        idle_ms: idle_ms(view, state),
    })
}

fn room(chat: &Chat, place: usize) -> Option<responses::Room<'_>> {
    let room = chat.room_figures(place)?;
    Some(responses::Room {
        room: room.name.as_str(),
        members: count(room.members),
        subscribers: count(room.subscribers),
        seq: room.seq,
        oldest: room.oldest,
        durability: room.durability.name(),
        private: room.private,
        ring_bytes: count(room.ring_bytes),
    })
}

/// A connection's name: what the log calls it, and its slot, by which it is found.
pub(super) fn id(conn: ConnId) -> String {
    format!("{conn:?}")
}

fn protocol(state: &SessionState) -> responses::Protocol {
    match &state.protocol {
        Protocol::Http { .. } => responses::Protocol::Http,
        Protocol::WebSocket { .. } => responses::Protocol::WebSocket,
        Protocol::Events(_) => responses::Protocol::Events,
        Protocol::Echo { .. } => responses::Protocol::Echo,
        Protocol::Closing => responses::Protocol::Closing,
        Protocol::Tcp(_) => match state.format() {
            Some(Format::Lines) => responses::Protocol::Lines,
            Some(Format::Lengths) => responses::Protocol::Lengths,
            Some(Format::Text) => responses::Protocol::Text,
            Some(Format::WebSocket | Format::Deflate(_) | Format::Events | Format::ManyEvents)
            | None => responses::Protocol::Tcp,
        },
    }
}

/// The listener that a connection came by.
pub(super) const fn listener(kind: ListenerKind) -> responses::Listener {
    match kind {
        ListenerKind::Http => responses::Listener::Http,
        ListenerKind::Https => responses::Listener::Https,
        ListenerKind::Tcp => responses::Listener::Tcp,
        ListenerKind::Admin => responses::Listener::Admin,
    }
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
