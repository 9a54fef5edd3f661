//! Streams of events: rooms that are read without a session and without a membership.
//!
//! A stream has the cursors that a member has. Who may read a page of a room may read its stream;
//! that is asked when it begins, when it is taken away, and now and then.

use super::join::place;
use super::{Chat, credentials, load, needs, outsiders, room_begin};
use crate::chat::directory::Quota;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::command::Command;
use crate::chat::model::event::Event;
use crate::chat::model::output::Request;
use crate::chat::model::record::Epoch;
use crate::chat::model::reply::{Durability, Refusal, Resumption};
use crate::chat::model::watch::{Watch, Watched};
use crate::chat::rooms::parse_room;
use crate::net::ConnId;
use crate::time::clock::Now;

/// What is asked before something begins that reads rooms for longer than a turn.
impl Chat {
    /// Whether the rooms of a stream are in memory; if not, the request is answered when they are.
    pub fn is_ready_to_watch(
        &mut self,
        now: Now,
        requester: (ConnId, Request),
        rooms: &[Watch<'_>],
    ) -> bool {
        self.arrive_at(now);
        is_ready(self, requester, rooms)
    }

    /// The same for a list of the members of a room.
    pub fn is_ready_to_list(&mut self, now: Now, requester: (ConnId, Request), room: &str) -> bool {
        self.arrive_at(now);
        super::forget::is_ready_to_list(self, requester, room)
    }
}

/// Whether these rooms are in memory, so that a visit can begin to read them; if not, it is told
/// when they are.
fn is_ready(chat: &mut Chat, requester: (ConnId, Request), rooms: &[Watch<'_>]) -> bool {
    let wanted = needs::of_watch(chat, rooms);
    let is_ready = wanted.is_empty();
    if !is_ready {
        load::wait_rooms(chat, requester, wanted);
    }
    is_ready
}

/// A visit begins to read these rooms, each from its position on. What follows is told after the
/// answer.
///
/// # Errors
///
/// [`Code::RateLimited`]; and for each room those of reading a page of its log, and
/// [`Code::SeqUnavailable`] if the log is not that far.
pub(in crate::chat) fn watch(
    chat: &mut Chat,
    conn: ConnId,
    rooms: &[Watch<'_>],
) -> Result<Vec<Result<Watched, Refusal>>, Refusal> {
    let Some(user) = chat.delivery.reader(conn).map(|reader| reader.user) else {
        return Err(Refusal::new(Code::HelloFirst, "say who you are"));
    };
    chat.quotas.take(chat.context.now.tick, user, (Quota::Joins, 1))?;
    let begun = rooms.iter().map(|room| watch_room(chat, (conn, user), room)).collect();
    chat.catch_up(conn);
    Ok(begun)
}

fn watch_room(
    chat: &mut Chat,
    (conn, user): (ConnId, UserKey),
    watch: &Watch<'_>,
) -> Result<Watched, Refusal> {
    // It needs what a page of the log needs, also of a key or token.
    let reading = Command::Join { room: watch.room.into(), after: None, epoch: None };
    credentials::check(chat, (conn, &chat.directory[user].name), &reading)?;
    let key = match outsiders::reads(chat, (conn, user), watch.room) {
        Ok((key, _)) => key,
        Err(refusal) => lost_with_its_log(chat, user, watch, refusal)?,
    };
    // Named twice, once by a name that it had before: its records would come twice.
    if chat.delivery.reader(conn).is_some_and(|reader| reader.is_subscribed(key)) {
        let message = format!("this room is in the stream already, as {}", chat.rooms[key].name);
        return Err(Refusal::new(Code::BadField, message).field("room", "each room once"));
    }
    let resumption = match watch.after {
        Some((epoch, seq)) => Some(place(chat, key, epoch, seq)?),
        None => None,
    };
    let next = resumption.as_ref().and_then(Resumption::next);
    chat.delivery_mut().subscribe(conn, key, next);
    let (room, epoch, head) =
        (chat.rooms[key].name.clone(), chat.rooms[key].epoch, chat.rooms[key].head);
    let is_reset = matches!(resumption, Some(Resumption::Reset { .. }));
    let seq = match &resumption {
        Some(Resumption::From { from, .. }) => from - 1,
        Some(Resumption::Gap { gap: (first, _), .. }) => first - 1,
        Some(Resumption::Reset { .. } | Resumption::Refused(_)) | None => head,
    };
    if let Some(Resumption::Gap { gap: (from, to), why, .. }) = resumption {
        chat.context.tell(conn, Event::Gap { room: room.clone(), from, to, why });
    }
    if next.is_none() {
        chat.context.tell(conn, Event::Live { room: room.clone(), seq: head });
    }
    Ok(Watched { room, epoch, seq, is_reset })
}

/// A room that has gone with the server's memory is made again for who reads on in it, as it is for
/// a member who comes back: a stream that is refused once is given up by its client.
fn lost_with_its_log(
    chat: &mut Chat,
    user: UserKey,
    watch: &Watch<'_>,
    refusal: Refusal,
) -> Result<RoomKey, Refusal> {
    let epoch = watch.after.and_then(|(epoch, _)| Epoch::parse(epoch?));
    let is_of_before = epoch.is_some_and(|epoch| !chat.rooms.is_of_this_start(epoch));
    if !is_of_before || refusal.code != Code::NoSuchRoom || chat.rooms.named(watch.room).is_some() {
        return Err(refusal);
    }
    let name = parse_room(watch.room)?;
    let durability = chat.context.limits.policies.of(&name, None).durability;
    if name.is_direct()
        || durability != Durability::Memory
        || !room_begin::by_join(chat, user, &name)
    {
        return Err(refusal);
    }
    room_begin::check_lookalike(chat, (user, None), &name, Code::NoSuchRoom)?;
    room_begin::open_room(chat, &name, None)
}
