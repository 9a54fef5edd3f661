//! `send` and `topic`, and how any record goes on its way into the log.

use std::borrow::Cow;

use super::direct::{open_direct, retract};
use super::rename::check_unchanging;
use super::{Answer, Chat, mentions, outsiders};
use crate::chat::delivery::Sender;
use crate::chat::directory::Quota;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Op, Send, Target};
use crate::chat::model::file::{self, FILES_PER_MESSAGE_MAX};
use crate::chat::model::limits::RECORD_OVERHEAD;
use crate::chat::model::log::{Draft, LogRequest, RoomMeta, TargetCheck};
use crate::chat::model::mentions::{Mention, mentions};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Body;
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::model::webhook::EventKind;
use crate::chat::pending::{Again, PendingOp, Requester};
use crate::chat::rooms::{PendingAct, Room};

/// When a client whose record was refused because the server stops should come back: a restart
/// takes about as long.
const STOPPING_RETRY_MS: u64 = 1_000;

/// A record that is ready for the log.
pub(super) struct NewRecord {
    pub room: RoomKey,
    pub body: Body,
    /// Bytes that the text takes when rendered, at most.
    pub weight: u32,
    pub echo: bool,
    /// Whom it names who is no member of the room.
    pub not_members: Box<[UserName]>,
    /// What must hold of its target.
    pub check: Option<TargetCheck>,
    /// What changes with it.
    pub meta: Vec<RoomMeta>,
    /// What counts as done until the log answers.
    pub act: Option<PendingAct>,
    /// It may not be written any more, so the log is only asked whether it is there; if not,
    /// this is the answer.
    pub refusal: Option<Box<Refusal>>,
}

impl NewRecord {
    /// A record that changes nothing else.
    pub(super) fn new(room: RoomKey, body: Body, weight: u32) -> Self {
        Self {
            room,
            body,
            weight,
            echo: false,
            not_members: Box::default(),
            check: None,
            meta: Vec::new(),
            act: None,
            refusal: None,
        }
    }
}

/// Sends a message.
///
/// # Errors
///
/// Those of finding the room and of having no voice there, those of making a direct conversation,
/// [`Code::TooLarge`] for what is more than this room takes, [`Code::NoSuchMessage`] for an answer
/// to what was never said, or for a thread that is named by a message inside it, and
/// [`Code::Forbidden`] for `@room` by who may not call all of it.
pub(super) fn send(
    chat: &mut Chat,
    by: &mut Requester,
    send: &Send<'_>,
) -> Result<Answer, Refusal> {
    // Once for all that is asked of them.
    let named = named(send);
    let (room, refusal) = match find_room(chat, by, (send, &named)) {
        Ok(room) => (room, None),
        Err(refusal) => match send.cid.as_ref().and_then(|_| named_room(chat, by.user, send)) {
            // A message that was taken is not refused afterwards, whatever has happened since.
            // Only the log knows whether this `cid` is in it; without one nothing could be
            // recognised, and the refusal stands.
            Some(room) => (room, Some(Box::new(refusal))),
            None => return Err(refusal),
        },
    };
    // A question may be about a room in which the user is no more: nothing there changes by it.
    if refusal.is_none() {
        chat.ephemeral_mut().stop_typing(room, by.user);
    }
    let not_members = mentions::not_members(chat, (by.user, room), named);
    // Made in one piece, since it is large.
    let record = NewRecord {
        room,
        body: Body::Message {
            text: (*send.text).into(),
            data: send.data.as_deref().map(Into::into),
            cid: send.cid.as_deref().map(Into::into),
            reply_to: send.reply_to,
            thread: send.thread,
            edited: None,
        },
        weight: send.weight,
        echo: send.echo,
        not_members,
        check: None,
        meta: Vec::new(),
        act: None,
        refusal,
    };
    // A conversation that was made for this message goes with it.
    let result = append(chat, by, record);
    if result.is_err() {
        retract(chat, room);
    }
    result
}

/// Whom the message names.
fn named(send: &Send<'_>) -> Vec<Mention> {
    let len = |text: &Option<Cow<'_, str>>| text.as_deref().map_or(0, str::len);
    let bare = send.text.len() + len(&send.data) + len(&send.cid);
    // Who has weighed it has looked for an `@`, which weighs more than its bytes: nearly none has.
    if u32::try_from(bare) == Ok(send.weight) { Vec::new() } else { mentions(&send.text) }
}

/// The room in which the message may be said.
fn find_room(
    chat: &mut Chat,
    by: &Requester,
    (send, named): (&Send<'_>, &[Mention]),
) -> Result<RoomKey, Refusal> {
    let user = by.user;
    // By `to` the conversation is made if there is none; by its name it has to be there.
    let room = match &send.target {
        Target::Room(name) => room_to_send_to(chat, by, name)?,
        Target::User(name) => direct_to(chat, user, name)?,
    };
    // Cheap checks first: a message that is too long must not cost a token of the rate.
    let checked = check_message(chat, room, send)
        .and_then(|()| mentions::check(chat, (user, room), named))
        .and_then(|()| check_rate(chat, user));
    checked.inspect_err(|_| retract(chat, room))?;
    Ok(room)
}

/// Counts a record of a user that has several connections: that of one is read at its own rate.
///
/// # Errors
///
/// [`Code::RateLimited`] if all of them together are too fast.
pub(super) fn check_rate(chat: &mut Chat, user: UserKey) -> Result<(), Refusal> {
    let row = &chat.directory[user];
    // So that nearly every `send` is spared the look-up in the buckets. What is asked for over HTTP
    // is not read at a rate: each request may come by a connection of its own.
    if row.sessions.len() < 2 && row.visits() == 0 {
        return Ok(());
    }
    chat.quotas.take(chat.context.now.tick, user, (Quota::Messages, 1))
}

/// A message was there already, and costs nothing of the rate: a list that is repeated for its end
/// would otherwise spend on its beginning what the end needs.
pub(super) fn on_duplicate(chat: &mut Chat, sender: &Sender) {
    let reader = chat.delivery.reader(sender.conn).filter(|_| sender.request.op == Op::Send);
    let Some(reader) = reader else { return };
    let row = &chat.directory[reader.user];
    let is_counted = reader.is_visit || row.sessions.len() >= 2 || row.visits() > 0;
    if is_counted {
        chat.quotas.give_back(reader.user);
    }
}

/// The room that the message names, whether or not it may be said there.
fn named_room(chat: &Chat, user: UserKey, send: &Send<'_>) -> Option<RoomKey> {
    match &send.target {
        Target::Room(name) => chat.rooms.named(name),
        Target::User(name) => {
            let name = UserName::parse(name).ok()?;
            chat.rooms.named(RoomName::direct(&chat.directory[user].name, &name).as_str())
        }
    }
}

fn check_message(chat: &Chat, room: RoomKey, send: &Send<'_>) -> Result<(), Refusal> {
    check_size(chat, room, send.text.len() + send.data.as_deref().map_or(0, str::len))?;
    // Nearly every message is a text alone.
    if send.data.is_none() && send.reply_to.or(send.thread).is_none() {
        return Ok(());
    }
    check_files(&chat.rooms[room], send.data.as_deref().unwrap_or_default())?;
    // Only what memory can tell: of older messages the log itself says whether they are there.
    for (field, seq) in [("reply_to", send.reply_to), ("thread", send.thread)] {
        if seq.is_some_and(|seq| !may_be_message(&chat.rooms[room], seq)) {
            return Err(no_such_reference(field));
        }
    }
    send.thread.map_or(Ok(()), |seq| check_begins(&chat.rooms[room], seq))
}

/// # Errors
///
/// [`Code::NoSuchMessage`] for a message inside a thread, as far as memory can tell.
pub(super) fn check_begins(room: &Room, seq: u64) -> Result<(), Refusal> {
    match room.ring.get(seq).map(|record| &record.body) {
        Some(&Body::Message { thread: Some(root), .. }) => Err(in_thread(root)),
        _ => Ok(()),
    }
}

/// # Errors
///
/// [`Code::BadField`] for references to files where none can be kept, or to too many.
fn check_files(room: &Room, data: &str) -> Result<(), Refusal> {
    let files = file::references(data).len();
    // Both are refused before the store is asked whether the files are this user's.
    let refused =
        |message, expected| Err(Refusal::new(Code::BadField, message).field("data", expected));
    if files > FILES_PER_MESSAGE_MAX {
        return refused("these are too many files for one message", "at most 20 files");
    }
    if files > 0 && !room.is_stored() {
        return refused("a room in memory keeps no files", "a message without files");
    }
    Ok(())
}

/// # Errors
///
/// [`Code::TooLarge`] for more bytes of text and data than the room's policy allows.
pub(super) fn check_size(chat: &Chat, key: RoomKey, bytes: usize) -> Result<(), Refusal> {
    let limit = chat.context.limits.message_bytes;
    match chat.lookup().policy(&chat.rooms[key]).message_bytes.or(Some(limit)) {
        Some(limit) if bytes > limit => {
            let refusal = Refusal::new(Code::TooLarge, format!("the message takes {bytes} bytes"));
            Err(refusal.field("text", format!("at most {limit} bytes in this room")).limit(limit))
        }
        Some(_) | None => Ok(()),
    }
}

/// Bytes that text and data of a message in this room may take.
pub(super) fn size_max(chat: &Chat, key: RoomKey) -> usize {
    let policy = chat.lookup().policy(&chat.rooms[key]);
    policy.message_bytes.unwrap_or(chat.context.limits.message_bytes)
}

/// Whether there may be a message of this seq: what only the store has is for the log to say.
pub(super) fn may_be_message(room: &Room, seq: u64) -> bool {
    let is_there = (room.oldest()..=room.head).contains(&seq);
    match room.ring.get(seq) {
        Some(record) => record.body.text().is_some() && !room.moderation.is_deleting(seq),
        None => is_there && room.is_stored(),
    }
}

/// The refusal of a message that refers to what is no message, or is none any more.
pub(super) fn no_such_reference(field: &'static str) -> Refusal {
    if field == "data" {
        let message = "there is no file of yours by this id, or no longer";
        let refusal = Refusal::new(Code::NoSuchMessage, message);
        return refusal.field(field, "the id of a file that you have sent within the hour");
    }
    let refusal = Refusal::new(Code::NoSuchMessage, "there is no message of this seq");
    refusal.field(field, "the seq of a message")
}

/// The refusal of a message to a thread that is named by another of its messages than the first.
pub(super) fn in_thread(root: u64) -> Refusal {
    let message = format!("this message begins no thread: it is in the one that {root} has begun");
    Refusal::new(Code::NoSuchMessage, message).field("thread", root.to_string())
}

/// The room in which `user` may say something.
fn room_to_send_to(chat: &mut Chat, by: &Requester, name: &str) -> Result<RoomKey, Refusal> {
    let user = by.user;
    let key = if outsiders::is_outside(chat, by.conn, user) {
        outsiders::speaks_first(chat, (by.conn, user), name)?
    } else {
        chat.lookup().find_speaker(user, name)?.0
    };
    let room = &chat.rooms[key];
    // Two members of a direct conversation are both ends: nobody has to be brought back.
    if room.members.len() == 2 {
        return Ok(key);
    }
    if let Some((a, b)) = room.name.pair() {
        // The other one may have left: being written to brings them back.
        let other = if a == chat.directory[user].name.as_str() { b } else { a }.to_owned();
        return direct_to(chat, user, &other);
    }
    Ok(key)
}

fn direct_to(chat: &mut Chat, user: UserKey, name: &str) -> Result<RoomKey, Refusal> {
    match chat.rooms.conversation(&chat.directory[user], name) {
        Some(room) => Ok(room),
        None => open_direct(chat, user, "to", name),
    }
}

/// Asks the log to take a record; the request is answered when it has.
///
/// # Errors
///
/// [`Code::ShuttingDown`] when the server is stopping; [`Code::Busy`] while the room is being
/// closed.
pub(super) fn append(
    chat: &mut Chat,
    by: &mut Requester,
    record: NewRecord,
) -> Result<Answer, Refusal> {
    // But for the body, which is large and is moved once.
    let NewRecord { room: key, weight, echo, not_members, check, meta, act, refusal, .. } = record;
    // Refused rather than queued: a record that is taken now might not be answered any more.
    if chat.context.stopping {
        let message = "the server is stopping; send again after coming back";
        return Err(Refusal::new(Code::ShuttingDown, message).retry_after_ms(STOPPING_RETRY_MS));
    }
    // What is said of a room that ends would be acknowledged, and gone a moment later.
    if chat.rooms[key].moderation.is_ending() {
        check_unchanging(chat, key)?;
    }
    // From here on the log answers, and nothing below may fail: the request is gone from the
    // caller's hands.
    let Requester { conn, user, request } = by.take();
    let sender = Sender { conn, request, echo, not_members };
    let is_question = refusal.is_some();
    let may_be_stale = chat.context.node.is_some() && !chat.pending.is_again;
    // Kept only where another node can change rights unseen, and for one repetition: what is
    // refused twice is refused.
    let again = (may_be_stale && !is_question)
        .then(|| Box::new(Again { user, body: record.body.clone(), weight }));
    let ticket = chat.begin(match refusal {
        None => PendingOp::Append { room: key, sender, again },
        Some(refusal) => PendingOp::Question { room: key, sender, refusal },
    });
    // The ticket is made before the act below, which is found by it when the log answers.
    let room = &mut chat.rooms[key];
    let from = chat.directory[user].name.clone();
    // The parser knows what the text takes; room and sender are known only here.
    let names = RECORD_OVERHEAD + room.name.as_str().len() + from.as_str().len();
    let weight = weight.saturating_add(u32::try_from(names).unwrap_or(u32::MAX));
    if let Some(act) = act {
        // Before the request goes out: what the same turn brings next must find the right gone
        // already.
        room.moderation.begin(ticket, act);
    }
    let since = room.since(&from, &record.body);
    let log = room.log;
    // Decided now, when it is known who is here: the log only keeps it for the webhooks.
    let is_unseen = is_unseen(chat, key, user, &record.body);
    chat.context.requests.push_back(LogRequest::Append {
        log,
        ticket,
        draft: Draft {
            from,
            body: record.body,
            weight,
            check,
            since,
            meta,
            is_question,
            is_unseen,
        },
    });
    Ok(Answer::Later)
}

/// Whether it is a direct message whose recipient is not connected, if webhooks are told of such.
fn is_unseen(chat: &Chat, key: RoomKey, from: UserKey, body: &Body) -> bool {
    chat.context.webhooks.has(EventKind::Direct)
        && chat.rooms[key].name.is_direct()
        && body.text().is_some()
        && chat
            .rooms
            .users(key)
            .any(|user| user != from && chat.directory[user].sessions.is_empty())
}

/// The room's topic.
///
/// # Errors
///
/// Those of finding the membership.
pub(super) fn topic(chat: &Chat, by: &Requester, name: &str) -> Result<Answer, Refusal> {
    let (key, _) = outsiders::reads(chat, (by.conn, by.user), name)?;
    let room = &chat.rooms[key];
    Ok(Answer::Now(Reply::Topic { room: room.name.clone(), text: room.topic.clone() }))
}

/// Sets a new topic.
///
/// # Errors
///
/// Those of finding the room and of having no voice there, and [`Code::Forbidden`] for members of a
/// room with an owner.
pub(super) fn set_topic(
    chat: &mut Chat,
    by: &mut Requester,
    name: &str,
    (text, weight): (&str, u32),
) -> Result<Answer, Refusal> {
    let lookup = chat.lookup();
    let (key, membership) = lookup.find_membership(by.user, name)?;
    let room = &chat.rooms[key];
    if room.owned && lookup.role(membership) < Role::Moderator {
        let message = "only the owner and moderators may change the topic of this room";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    // A moderator who is muted does not speak by way of the topic either.
    lookup.check_voice(membership)?;
    let body = Body::Topic { text: text.into() };
    let set_by = || Some(chat.directory[by.user].name.clone());
    let meta = room.is_stored().then(|| RoomMeta::Topic(text.into(), set_by()));
    let meta = meta.into_iter().collect();
    append(chat, by, NewRecord { meta, ..NewRecord::new(key, body, weight) })
}
