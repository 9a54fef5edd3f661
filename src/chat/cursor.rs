//! Cursors: how records reach those who are live, and those who are behind.
//!
//! ```text
//!            join without a position                     no credit left
//!   (none) ──────────────────────────▶ live ──────────────────────────────▶ behind
//!      │                                ▲ ◀──────────────────────────────     ▲
//!      │                                │        caught up: `live` is said    │
//!      └────────────────────────────────┴── join or resume with a position ───┘
//! ```
//!
//! Records that a turn has added to a room wait in `pending` until the turn ends, or until something
//! happens to which their order matters; [`settle`] then hands them to all live cursors at once. A cursor
//! whose session has no credit for them falls behind: it holds a number instead of bytes, and [`pump`]
//! brings it up again from the ring or, where that does not reach, from pages of the store (`fetch`), at the pace at
//! which its socket drains.

use std::mem;

use super::keys::RoomKey;
use super::model::event::Event;
use super::model::limits::PAGE_BYTES_MAX;
use super::model::log::LogFault;
use super::model::name::RoomName;
use super::model::output::{Audience, Encoding, Fanout, Output, Part};
use super::model::record::{Body, SharedRecord};
use super::model::reply::{Durability, GapWhy, Reply};
use super::room::{Behind, Held, Place, Room, Sender, Sub};
use super::session::{Session, SubRef};
use super::state::State;
use super::{Code, Refusal, moderate, touch};
use crate::chat::model::log::Appended;
use crate::collections::Ledger;
use crate::net::ConnId;

/// Bytes of pending records at which a room does not wait for the turn's end: a batch must fit a
/// session's credit.
const PENDING_BYTES_MAX: usize = PAGE_BYTES_MAX;
/// When to try again what the logs could not do: about as often as they try themselves.
const FAULT_RETRY_MS: u64 = 1_500;
/// Bytes that a small event takes, at most.
const SMALL_EVENT_BYTES: usize = 192;

/// The log has answered an append.
pub(super) fn appended(state: &mut State, room: RoomKey, sender: Sender, outcome: Appended) {
    if state.rooms.get(room).is_none() {
        return;
    }
    match outcome {
        Appended::Stored(record) => stored(state, room, sender, record),
        Appended::Duplicate { seq, at } => {
            settle(state, room);
            state.stats.duplicates += 1;
            let reply = sent(&state.rooms[room], seq, at, true);
            answer_in_place(state, room, sender, seq, reply);
        }
        Appended::Conflict { seq } => {
            let refusal = Refusal::new(Code::CidConflict, "this cid belongs to another message")
                .field("cid", "an id that was not used in this room before")
                .hint(Some(format!("seq {seq}")));
            refuse(state, sender, refusal);
        }
        Appended::NoSuchMessage => refuse(state, sender, touch::no_such_message()),
        Appended::NotYours => refuse(state, sender, touch::not_yours()),
        Appended::TooOld => refuse(state, sender, touch::too_old()),
        Appended::Refused(fault) => refuse(state, sender, refusal_of(fault)),
    }
}

/// What a client is told of a fault of the logs.
pub(super) fn refusal_of(fault: LogFault) -> Refusal {
    let (code, message) = match fault {
        LogFault::Busy => (Code::Busy, "the store has more to do than can wait"),
        LogFault::Full => (Code::StorageFull, "there is no room left to store this"),
        LogFault::Broken => (Code::Busy, "the store cannot write now"),
        LogFault::Corrupt => (Code::Internal, "what is stored cannot be read"),
        LogFault::TooDear => (Code::Busy, "this would take the store too long"),
    };
    let refusal = Refusal::new(code, message);
    if code.is_transient() { refusal.retry_after_ms(FAULT_RETRY_MS) } else { refusal }
}

fn stored(state: &mut State, key: RoomKey, sender: Sender, record: SharedRecord) {
    let rev = state.next_rev();
    let room = &mut state.rooms[key];
    let req = sender.id().map_or("-", |id| &id.0);
    log::debug!(conn:% = sender.conn, req, room:% = room.name, seq = record.seq; "logged");
    room.head = record.seq;
    room.rev = rev;
    if let Body::Topic { text } = &record.body {
        room.topic.clone_from(text);
    }
    touch::stored((&mut state.rings, &mut state.pages), &mut state.changes, room, &record);
    if room.pending.is_empty() {
        state.dirty.push(key);
    }
    let bounds = (state.limits.ring_records, state.limits.ring_bytes);
    let named = (key, room.log);
    state.rings.push(&mut room.ring, named, SharedRecord::clone(&record), bounds);
    room.pending_bytes += weight(&record);
    if !sender.is_as_others() {
        room.senders.push((room.pending.len(), sender));
    }
    let act = matches!(record.body, Body::Moderation { .. }).then(|| SharedRecord::clone(&record));
    room.pending.push(record);
    let full = room.pending_bytes >= PENDING_BYTES_MAX;
    state.stats.records += 1;
    if full {
        settle(state, key);
    }
    if let Some(act) = act {
        moderate::stored(state, key, &act);
    }
    trim(state);
}

/// Drops the oldest records of all until the rings are within their budget.
fn trim(state: &mut State) {
    while let Some((key, log, seq)) = state.rings.excess() {
        if let Some(room) = state.rooms.get_mut(key).filter(|room| room.log == log) {
            state.rings.pop(&mut room.ring, seq);
        }
    }
    if state.rings.is_stale() {
        let rooms = &state.rooms;
        state.rings.retain(|key, log, seq| {
            let room = rooms.get(key).filter(|room| room.log == log);
            room.is_some_and(|room| room.ring.first().is_some_and(|first| first <= seq))
        });
    }
}

/// Hands a room's pending records to all live cursors, and their senders' replies with them.
pub(super) fn settle(state: &mut State, key: RoomKey) {
    let Some(room) = state.rooms.get_mut(key).filter(|room| !room.pending.is_empty()) else {
        return;
    };
    let records = mem::take(&mut room.pending);
    let senders = mem::take(&mut room.senders);
    let bytes = mem::take(&mut room.pending_bytes);
    let mut senders = mark_senders(state, key, &records, senders);

    let State { rooms, sessions, said, stats, limits, turn, .. } = state;
    let room = &mut rooms[key];
    let others = room.subs.len().saturating_sub(senders.len());
    // Nearly always all are of one encoding.
    let encoding = room.subs.first().map_or_else(Encoding::default, |sub| sub.encoding);
    let mut whole = Audience::expecting(others, encoding);
    let mut partial = Vec::new();
    let mut live = 0;
    let named = (&room.name, room.durability);
    let first = records.first().map_or(room.head + 1, |record| record.seq);
    for sub in &mut room.subs {
        let session = sessions.get_mut(sub.conn.slot());
        let Some(session) = session.filter(|session| session.conn == sub.conn) else {
            debug_assert!(false, "a subscription has a session");
            continue;
        };
        if sub.behind.is_none() && !session.credit.take(*turn, limits.outbound_soft, bytes) {
            // Out of live: it needs the first of these next.
            sub.behind = Some(Box::new(Behind { next: first, held: Vec::new() }));
            session.behind += 1;
            stats.lagged += 1;
            if !session.credit.is_blocked() {
                said.push_back(Output::Wake { conn: session.conn });
            }
        }
        match &mut sub.behind {
            Some(behind) if sub.sent => {
                sub.sent = false;
                let held = hold(named, session, &records, &mut senders);
                behind.held.extend(held);
            }
            Some(_) => {}
            None if sub.sent => {
                sub.sent = false;
                live += 1;
                add_parts(&mut partial, sub.conn, records.len(), &mut senders);
            }
            None => {
                live += 1;
                whole.push(sub.encoding, sub.conn);
            }
        }
    }
    if live > 0 {
        stats.deliveries += u64::try_from(records.len() * live).unwrap_or(u64::MAX);
        log::debug!(room:% = room.name, head = room.head, seqs = records.len(), live; "fanned out");
        let (room, durable) = (room.name.clone(), room.durability);
        said.push_back(Output::Fanout(Fanout { room, durable, records, whole, partial }));
    }
}

/// Marks the cursors of those who sent, and returns these; who has none is answered at once.
fn mark_senders(
    state: &mut State,
    key: RoomKey,
    records: &[SharedRecord],
    mut senders: Vec<(usize, Sender)>,
) -> Vec<(usize, Sender)> {
    let State { rooms, sessions, said, .. } = state;
    let room = &mut rooms[key];
    senders.retain_mut(|(index, sender)| {
        let session = sessions.get(sender.conn.slot());
        let session = session.filter(|session| session.conn == sender.conn);
        let found = session.and_then(|session| session.index_in(key));
        if let Some(sub) = found.and_then(|index| room.subs.get_mut(index)) {
            sub.sent = true;
            return true;
        }
        if let Some(record) = records.get(*index) {
            let (to, request) = (sender.conn, sender.take_request());
            let result = Ok(sent(room, record.seq, record.at, false));
            said.push_back(Output::Reply { to, request, result });
        }
        false
    });
    senders
}

/// Adds what the connection of a sender gets: the records, with its replies in place of its own ones.
fn add_parts(
    partial: &mut Vec<(ConnId, Part)>,
    conn: ConnId,
    count: usize,
    senders: &mut [(usize, Sender)],
) {
    let mut start = 0;
    for (index, sender) in senders.iter_mut().filter(|(_, sender)| sender.conn == conn) {
        let end = if sender.echo { *index + 1 } else { *index };
        if start < end {
            partial.push((conn, Part::Records(start..end)));
        }
        if sender.id().is_some() {
            partial.push((conn, Part::Sent(sender.take_request(), *index)));
        }
        start = *index + 1;
    }
    if start < count {
        partial.push((conn, Part::Records(start..count)));
    }
}

/// The replies to the session's own sends among `records`, to be kept until its cursor is there.
fn hold(
    (room, durable): (&RoomName, Durability),
    session: &mut Session,
    records: &[SharedRecord],
    senders: &mut [(usize, Sender)],
) -> Vec<Held> {
    let own = senders.iter_mut().filter(|(_, sender)| sender.conn == session.conn);
    let mut held = Vec::new();
    for (index, sender) in own.filter(|(_, sender)| sender.id().is_some()) {
        let Some(record) = records.get(*index) else { continue };
        let place = if sender.echo { Place::After(record.seq) } else { Place::Of(record.seq) };
        let (room, seq, at) = (room.clone(), record.seq, record.at);
        let reply = Reply::Sent { room, seq, at, durable, dup: false };
        held.push(Held { place, request: sender.take_request(), reply });
        session.held = session.held.saturating_add(1);
    }
    held
}

/// Answers a `send` whose record is at `seq`, when the cursor of its connection is there.
fn answer_in_place(state: &mut State, key: RoomKey, sender: Sender, seq: u64, reply: Reply) {
    let State { rooms, sessions, .. } = state;
    let session = sessions.get_mut(sender.conn.slot());
    let session = session.filter(|session| session.conn == sender.conn);
    let behind = session.and_then(|session| {
        let sub = rooms[key].subs.get_mut(session.index_in(key)?)?;
        let behind = sub.behind.as_mut().filter(|behind| behind.next <= seq)?;
        Some((session, behind))
    });
    match behind {
        Some((session, behind)) if sender.id().is_some() => {
            let index = behind.held.partition_point(|held| held.place.next() <= seq);
            let place = if sender.echo { Place::After(seq) } else { Place::Of(seq) };
            let held = Held { place, request: sender.request, reply };
            behind.held.insert(index, held);
            session.held = session.held.saturating_add(1);
        }
        _ => say_reply(state, sender, reply),
    }
}

/// Brings the cursors of `conn` that are behind as far up as its credit allows.
pub(super) fn pump(state: &mut State, conn: ConnId) {
    let Some(session) = state.session(conn).filter(|session| session.behind > 0) else { return };
    let owed = session.owed();
    let mut rooms: Vec<RoomKey> = session.subs.iter().map(|sub| sub.room).collect();
    // Another room comes first each time, so that a busy one does not take all the credit for ever.
    let first = usize::try_from(state.turn).unwrap_or(0) % rooms.len().max(1);
    rooms.rotate_left(first);
    for key in rooms {
        if state.session(conn).is_none_or(|session| session.behind == 0) {
            break;
        }
        settle(state, key);
        if pump_room(state, conn, key) == Pumped::Out {
            let blocked = state.session(conn).is_some_and(|session| session.credit.is_blocked());
            if !blocked {
                state.said.push_back(Output::Wake { conn });
            }
            break;
        }
    }
    state.note_relief(conn, owed);
    super::fetch::read_pages(state);
}

/// How far a cursor was brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pumped {
    /// As far as it goes: it is live, or waits for a page of the store.
    Far,
    /// The credit has run out before.
    Out,
}

/// Brings one cursor up.
fn pump_room(state: &mut State, conn: ConnId, key: RoomKey) -> Pumped {
    let State { rooms, sessions, said, stats, limits, turn, pages, .. } = state;
    let session = sessions.get_mut(conn.slot());
    let Some(session) = session.filter(|session| session.conn == conn) else { return Pumped::Far };
    let Some(room) = rooms.get_mut(key) else { return Pumped::Far };
    let Some(index) = session.index_in(key) else { return Pumped::Far };
    let credit = (*turn, limits.outbound_soft);
    loop {
        let (head, oldest) = (room.head, room.oldest());
        let Some(sub) = room.subs.get_mut(index) else { return Pumped::Far };
        let Some(behind) = sub.behind.as_mut() else { return Pumped::Far };
        let held = behind.held.first().map_or(u64::MAX, |held| held.place.next());
        if held <= behind.next {
            let Held { place, request, reply } = behind.held.remove(0);
            if let Place::Of(seq) = place {
                behind.next = behind.next.max(seq + 1);
            }
            session.held = session.held.saturating_sub(1);
            said.push_back(Output::Reply { to: conn, request, result: Ok(reply) });
            continue;
        }
        let name = room.name.clone();
        if behind.next < oldest {
            let (from, to) = (behind.next, oldest.min(held) - 1);
            behind.next = to + 1;
            stats.gaps += 1;
            session.credit.give(credit.0, SMALL_EVENT_BYTES);
            let event = Event::Gap { room: name, from, to, why: GapWhy::Pruned };
            said.push_back(Output::Event { to: conn, event });
            continue;
        }
        if behind.next > head {
            let seq = behind.next - 1;
            session.behind -= 1;
            sub.behind = None;
            session.credit.give(credit.0, SMALL_EVENT_BYTES);
            said.push_back(Output::Event { to: conn, event: Event::Live { room: name, seq } });
            return Pumped::Far;
        }
        let (next, end) = (behind.next, held.min(head + 1));
        let items = if room.ring.first().is_some_and(|first| first <= next) {
            page(room.ring.from(next), end, &mut session.credit, credit)
        } else if let Some(records) = pages.from(room.log, next) {
            page(records.iter(), end, &mut session.credit, credit)
        } else {
            pages.want((key, room.log), next, conn);
            return Pumped::Far;
        };
        let Some(to) = items.last().map(|record| record.seq) else { return Pumped::Out };
        if let Some(behind) = room.subs.get_mut(index).and_then(|sub| sub.behind.as_mut()) {
            behind.next = to + 1;
        }
        stats.replayed += u64::try_from(items.len()).unwrap_or(u64::MAX);
        let event = Event::Replay { room: name, items, to };
        said.push_back(Output::Event { to: conn, event });
    }
}

/// The `records` below `end` that fit a page and the credit, which is booked.
fn page<'a>(
    records: impl Iterator<Item = &'a SharedRecord>,
    end: u64,
    credit: &mut Ledger,
    (turn, soft): (u32, usize),
) -> Vec<SharedRecord> {
    let mut items = Vec::new();
    let mut bytes = 0;
    for record in records.take_while(|record| record.seq < end) {
        bytes += weight(record);
        if bytes > PAGE_BYTES_MAX && !items.is_empty() {
            break;
        }
        if !credit.take(turn, soft, weight(record)) {
            break;
        }
        items.push(SharedRecord::clone(record));
    }
    items
}

/// The reply to a `send` whose record is at `seq`.
fn sent(room: &Room, seq: u64, at: u64, dup: bool) -> Reply {
    Reply::Sent { room: room.name.clone(), seq, at, durable: room.durability, dup }
}

fn say_reply(state: &mut State, sender: Sender, reply: Reply) {
    let said = Output::Reply { to: sender.conn, request: sender.request, result: Ok(reply) };
    state.said.push_back(said);
}

/// Answers that a record is not taken.
pub(super) fn refuse(state: &mut State, sender: Sender, refusal: Refusal) {
    let said = Output::Reply { to: sender.conn, request: sender.request, result: Err(refusal) };
    state.said.push_back(said);
}

fn weight(record: &SharedRecord) -> usize {
    usize::try_from(record.weight).unwrap_or(usize::MAX)
}

/// Adds a cursor of `conn` to the room: live at the head, or behind with `next` to be brought first.
/// The room is settled before, so that the cursor does not see what was before it.
pub(super) fn subscribe(state: &mut State, conn: ConnId, key: RoomKey, next: Option<u64>) {
    settle(state, key);
    unsubscribe(state, conn, key);
    let State { rooms, sessions, stats, .. } = state;
    let session = sessions.get_mut(conn.slot());
    let Some(session) = session.filter(|session| session.conn == conn) else { return };
    let room = &mut rooms[key];
    let Err(place) = session.find(key) else { return };
    let index = u32::try_from(room.subs.len()).unwrap_or(u32::MAX);
    session.subs.insert(place, SubRef { room: key, index });
    let behind = next.map(|next| Box::new(Behind { next, held: Vec::new() }));
    session.behind += u32::from(behind.is_some());
    if room.subs.len() < 4 {
        // There are very many rooms of two.
        room.subs.reserve_exact(1);
    }
    room.subs.push(Sub {
        conn,
        behind,
        user: session.user,
        encoding: session.encoding,
        sent: false,
        stale: false,
    });
    stats.subs += 1;
}

/// Takes the cursor of `conn` away, if it has one; replies that were held for it are said.
pub(super) fn unsubscribe(state: &mut State, conn: ConnId, key: RoomKey) {
    if state.session(conn).is_none_or(|session| session.find(key).is_err()) {
        return;
    }
    settle(state, key);
    let State { rooms, sessions, said, stats, .. } = state;
    let session = sessions.get_mut(conn.slot());
    let Some(session) = session.filter(|session| session.conn == conn) else { return };
    let Ok(place) = session.find(key) else { return };
    let Some(removed) = session.subs.remove(place) else { return };
    let index = usize::try_from(removed.index).unwrap_or(usize::MAX);
    let room = &mut rooms[key];
    let sub = room.subs.swap_remove(index);
    stats.subs -= 1;
    if let Some(behind) = sub.behind {
        session.behind -= 1;
        for Held { request, reply, .. } in behind.held {
            session.held = session.held.saturating_sub(1);
            said.push_back(Output::Reply { to: conn, request, result: Ok(reply) });
        }
    }
    if room.subs.len() < room.subs.capacity() / 4 {
        room.subs.shrink_to(room.subs.len() * 2);
    }
    // The last one has taken its index.
    let Some(moved) = room.subs.get(index).map(|sub| sub.conn) else { return };
    let session = sessions.get_mut(moved.slot());
    let Some(session) = session.filter(|session| session.conn == moved) else { return };
    let place = session.find(key).unwrap_or(usize::MAX);
    if let Some(sub) = session.subs.get_mut(place) {
        sub.index = removed.index;
    }
}
