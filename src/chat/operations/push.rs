//! `push_subscribe`, `push_unsubscribe`, `push_subscriptions`, and when a device is told of a
//! message.
//!
//! ```text
//!  a direct message, a mention ─ noted ─┬─ the user is active ──▶ waits ─ read ─▶ forgotten
//!                                       │                           │
//!                                       └─ nobody is looking ◀──────┘ the last active one goes
//!                                                │
//!                                    how much is unread? ─▶ one push a device and room
//! ```
//!
//! A user is active while one of its connections is and has not said that it is away. What came to
//! an active user and was not read when the user went is told then: a phone whose screen goes dark
//! keeps its connection for a while. In a cluster the engine goes by the same rules for all nodes
//! (`src/cluster/push.sql`), and only the devices are known here.

use std::sync::Arc;

use super::{Answer, Chat};
use crate::chat::directory::News;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::account::Hidden;
use crate::chat::model::code::Code;
use crate::chat::model::command::PushTarget;
use crate::chat::model::identity::Source;
use crate::chat::model::limits::UNREAD_MAX;
use crate::chat::model::log::{self, InboxQuery, LogFault, Query};
use crate::chat::model::mentions::{Mention, mentions};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::push::{
    PUSHES_MAX, Push, PushOrder, PushReason, PushSubscription, PushTerms, beginning, is_endpoint,
};
use crate::chat::model::record::SharedRecord;
use crate::chat::model::reply::{Presence, Refusal, Reply};
use crate::chat::pending::{PendingOp, PeopleOp, Requester};
use crate::chat::rooms::unread::{is_in_ring, is_unread};
use crate::time::clock::Now;

/// The door of the thread that sends pushes.
impl Chat {
    /// Lets devices be told from now on. The server's key is kept, if it is new. In a cluster this
    /// keeps the devices only: the engine knows of what they are to be told, and when.
    pub fn begin_pushes(&mut self, now: Now, terms: PushTerms, new_key: Option<Hidden>) {
        self.arrive_at(now);
        self.directory.pushes.is_shared = self.context.node.is_some();
        self.directory.pushes.terms = Some(terms);
        if let Some(key) = new_key {
            self.offer_push_key(now, key);
        }
    }

    /// Has a key kept, unless there is one.
    pub fn offer_push_key(&mut self, now: Now, key: Hidden) {
        self.arrive_at(now);
        self.change_people(PeopleOp::Noted, vec![PeopleChange::PushKey(key)]);
    }

    /// Whether the sending thread is to do anything.
    #[inline]
    #[must_use]
    pub fn has_pushes(&self) -> bool {
        !self.directory.pushes.orders.is_empty()
    }

    /// The next thing that the sending thread is to do.
    pub fn poll_push(&mut self) -> Option<PushOrder> {
        self.directory.pushes.orders.pop_front()
    }

    /// The push service does not know this device any more.
    pub fn on_push_ended(&mut self, now: Now, id: u64) {
        self.arrive_at(now);
        // Before it is written: a push to a device that is over is refused again, while one that
        // comes back after a restart ends itself at the next.
        self.directory.pushes.remove(&[id]);
        self.change_people(PeopleOp::Noted, vec![PeopleChange::EndPush(id)]);
    }
}

/// When a device may be added that could not be.
const DEVICE_RETRY_MS: u64 = 1_000;

/// What a device is subscribed with.
pub(super) struct Device<'a> {
    pub endpoint: &'a str,
    pub key: [u8; 65],
    pub secret: [u8; 16],
    pub agent: &'a str,
}

/// Has a device told. One that is told already is answered as before.
///
/// # Errors
///
/// [`Code::NotSupported`] where nothing is pushed, [`Code::Forbidden`] for guests and programs,
/// [`Code::BadField`] for an address that is not one of a push service, and [`Code::TooLarge`] for
/// more devices than there may be.
pub(super) fn subscribe(
    chat: &mut Chat,
    by: &mut Requester,
    device: &Device<'_>,
) -> Result<Answer, Refusal> {
    let terms = terms(chat)?;
    if !is_endpoint(device.endpoint, &terms.hosts) {
        let refusal = Refusal::new(Code::BadField, "endpoint is not the address of a push service");
        return Err(refusal.field("endpoint", "https://…, as the browser's subscription has it"));
    }
    let row = &chat.directory[by.user];
    if row.is_guest() || row.source == Source::Key {
        let message = "guests and programs have no devices that could be told";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let Device { endpoint, key, secret, agent } = *device;
    let new = PushSubscription {
        id: 0,
        user: row.name.clone(),
        login: chat.accounts.live.get(&by.conn).copied(),
        endpoint: endpoint.into(),
        key,
        secret,
        agent: agent.into(),
        at: chat.context.now.wall_ms,
    };
    let pushes = &mut chat.directory.pushes;
    // Pages subscribe anew with each visit: what differs in nothing that matters is not written
    // again.
    let is_same = |known: &PushSubscription| {
        let PushSubscription { id, agent, at, .. } = known.clone();
        known == &PushSubscription { id, agent, at, ..new.clone() }
    };
    if let Some(known) = pushes.of(&new.user).find(|known| is_same(known)) {
        return Ok(Answer::Now(Reply::PushSubscribed { id: known.id }));
    }
    // One write for the old and the new: in between the device would be told twice or never.
    let replaced = pushes.replaced_by(&new);
    if replaced.is_empty() && pushes.is_full() {
        let message = "the server tells as many devices as it can";
        return Err(Refusal::new(Code::TooLarge, message).limit(PUSHES_MAX));
    }
    let device = PushSubscription { id: pushes.next_id(&chat.context), ..new };
    let mut changes: Vec<PeopleChange> =
        replaced.iter().map(|id| PeopleChange::EndPush(*id)).collect();
    changes.push(PeopleChange::Push(device.clone()));
    let op = PeopleOp::Push { by: by.take(), new: Some(Box::new(device)), ended: replaced };
    chat.change_people(op, changes);
    Ok(Answer::Later)
}

/// Ends a device of the user's. One that is not there is ended already.
///
/// # Errors
///
/// [`Code::BadField`] for an id that is not one of the user's devices.
pub(super) fn unsubscribe(
    chat: &mut Chat,
    by: &mut Requester,
    which: &PushTarget<'_>,
) -> Result<Answer, Refusal> {
    let user = &chat.directory[by.user].name;
    let is_meant = |device: &&Arc<PushSubscription>| match which {
        PushTarget::Id(id) => device.id == *id,
        PushTarget::Endpoint(endpoint) => *device.endpoint == **endpoint,
    };
    let found = chat.directory.pushes.of(user).find(is_meant).map(|device| device.id);
    match (found, which) {
        (Some(id), _) => {
            let op = PeopleOp::Push { by: by.take(), new: None, ended: vec![id] };
            chat.change_people(op, vec![PeopleChange::EndPush(id)]);
            Ok(Answer::Later)
        }
        // A browser names its own device and may do so twice; an id was read from a list that has
        // it.
        (None, PushTarget::Endpoint(_)) => Ok(Answer::Now(Reply::Done)),
        (None, PushTarget::Id(_)) => {
            let refusal = Refusal::new(Code::BadField, "you have no such device");
            Err(refusal.field("subscription", "the id of one of push_subscriptions"))
        }
    }
}

/// A change of the devices is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    by: Requester,
    (new, ended): (Option<Box<PushSubscription>>, &[u64]),
    outcome: Result<(), Refusal>,
) {
    let result = outcome.map_err(refusal_of_device).map(|()| {
        let pushes = &mut chat.directory.pushes;
        pushes.remove(ended);
        Answer::Now(match new {
            Some(device) => {
                let id = device.id;
                pushes.insert(*device);
                Reply::PushSubscribed { id }
            }
            None => Reply::Done,
        })
    });
    chat.answer(by, result);
}

/// Another node, or a command, has changed something meanwhile: that is known here in a moment.
fn refusal_of_device(refusal: Refusal) -> Refusal {
    if refusal.code != Code::NameTaken {
        return refusal;
    }
    let message = "the device cannot be added now: its login has ended, it is being added \
                   already, or there are too many";
    Refusal::new(Code::Busy, message).retry_after_ms(DEVICE_RETRY_MS)
}

/// The user's devices, and the key that another one needs.
///
/// # Errors
///
/// [`Code::NotSupported`] where nothing is pushed.
pub(super) fn subscriptions(chat: &Chat, by: &Requester) -> Result<Answer, Refusal> {
    let key = terms(chat)?.key.clone();
    let items = chat.directory.pushes.of(&chat.directory[by.user].name).cloned().collect();
    let current = chat.accounts.live.get(&by.conn).copied();
    Ok(Answer::Now(Reply::PushSubscriptions { key, items, current }))
}

fn terms(chat: &Chat) -> Result<&PushTerms, Refusal> {
    let message = "this server does not push: [push] enabled is false, or nothing is stored here";
    chat.directory.pushes.terms.as_ref().ok_or_else(|| Refusal::new(Code::NotSupported, message))
}

/// A message is in a log: of a direct one the other end is told, of another one whom it names.
pub(super) fn on_message(chat: &mut Chat, key: RoomKey, record: &SharedRecord) {
    // This is asked for each message: where no device is, texts are not searched for names.
    if chat.directory.pushes.is_idle() {
        return;
    }
    let (why, mut users): (_, Vec<UserKey>) = if chat.rooms[key].name.is_direct() {
        (PushReason::Direct, chat.rooms.users(key).collect())
    } else {
        (PushReason::Mention, named(chat, key, record.body.text().unwrap_or_default()))
    };
    users.retain(|user| chat.directory[*user].name != record.from);
    for user in users {
        offer(chat, (user, key), record, why);
    }
}

/// The members with a device whom a text names.
fn named(chat: &Chat, key: RoomKey, text: &str) -> Vec<UserKey> {
    let has_device = |user: &UserKey| chat.directory.pushes.has(&chat.directory[*user].name);
    let named = mentions(text);
    if named.contains(&Mention::Room) {
        return chat.rooms.users(key).filter(has_device).collect();
    }
    let users = named.iter().filter_map(|mention| match mention {
        Mention::User(name) => chat.directory.user_named(name.as_str()),
        Mention::Room => None,
    });
    let is_member = |user: &UserKey| chat.directory[*user].membership(key).is_some();
    users.filter(is_member).filter(has_device).collect()
}

/// A user is to be told of this message by its devices, unless it is active, or reads it soon.
pub(super) fn offer(
    chat: &mut Chat,
    (user, key): (UserKey, RoomKey),
    record: &SharedRecord,
    why: PushReason,
) {
    let name = &chat.directory[user].name;
    let wall_ms = chat.context.now.wall_ms;
    if !chat.directory.pushes.has(name)
        || chat.directory.blocks.has(name, &record.from)
        || chat.directory.suspended.user(name, wall_ms).is_some()
    {
        return;
    }
    let (name, room) = (name.clone(), chat.rooms[key].name.clone());
    let news = News { seq: record.seq, from: record.from.clone(), why, pushed_as: None };
    // Noted also while the user is active: it may go before it has read this.
    chat.directory.pushes.note(&name, &room, news);
    if !is_active(chat, user) {
        count_unread(chat, (&name, user), key, record.seq);
    }
}

fn is_active(chat: &Chat, user: UserKey) -> bool {
    chat.directory.presence_of_sessions(user) == Some(Presence::Online)
}

/// A user is shown as present no longer: what it has not read is told to its devices.
pub(super) fn on_inactive(chat: &mut Chat, user: UserKey) {
    let name = &chat.directory[user].name;
    if !chat.directory.pushes.has(name) || is_active(chat, user) {
        return;
    }
    let name = name.clone();
    for (room, news) in chat.directory.pushes.untold(&name) {
        if let Some(key) = chat.rooms.named(room.as_str()) {
            count_unread(chat, (&name, user), key, news.seq);
        }
    }
}

/// Counts what the user has not read in the room, and tells its devices.
fn count_unread(chat: &mut Chat, (name, user): (&UserName, UserKey), key: RoomKey, seq: u64) {
    let Some(membership) = chat.directory[user].membership(key) else { return };
    let read = chat.rooms[membership].marks().read;
    let room = &chat.rooms[key];
    // Of who left a moment ago all that is unread is in memory, and no disk is asked.
    if is_in_ring(room, read, false) {
        let unread = room.ring.from(read + 1).filter(|record| is_unread(record, name)).count();
        // It may have been deleted meanwhile.
        if unread > 0 {
            tell(chat, (name, key), seq, u64::try_from(unread).unwrap_or(UNREAD_MAX));
        }
        return;
    }
    let row = InboxQuery { log: room.log, read, head: room.head, last: false };
    let query = Query::Inbox { user: name.clone(), rows: vec![row] };
    chat.begin_read(PendingOp::Unread { user: name.clone(), room: key, seq }, query);
}

/// It is counted, or could not be: then the message itself is told of.
pub(super) fn on_counted(
    chat: &mut Chat,
    (user, key, seq): (&UserName, RoomKey, u64),
    outcome: Result<log::Answer, LogFault>,
) {
    let unread = match outcome {
        Ok(log::Answer::Inbox(found)) => found.first().map_or(1, |found| found.unread),
        Ok(_) | Err(_) => 1,
    };
    // It may have been read meanwhile.
    if unread > 0 {
        tell(chat, (user, key), seq, unread);
    }
}

fn tell(chat: &mut Chat, (user, key): (&UserName, RoomKey), seq: u64, unread: u64) {
    // The count may have taken a look at the disk, and the room may have gone meanwhile.
    let Some(room) = chat.rooms.table.get(key) else { return };
    let name: RoomName = room.name.clone();
    let pushes = &mut chat.directory.pushes;
    let Some((news, read)) = pushes.begin(user, &name, seq) else { return };
    let shows_text = pushes.terms.as_ref().is_some_and(|terms| terms.texts);
    // As it is now: what was edited or deleted since is not told in its old words.
    let text = room.ring.get(seq).filter(|_| shows_text).and_then(|record| record.body.text());
    let text: Option<Box<str>> = text.map(|text| beginning(text).into());
    let unread = unread.clamp(1, UNREAD_MAX);
    let told = pushes.of(user).map(|to| {
        PushOrder::Send(Push {
            to: Arc::clone(to),
            room: name.clone(),
            seq,
            from: news.from.clone(),
            why: news.why,
            unread,
            text: text.clone(),
            read: read.clone(),
        })
    });
    let told: Vec<PushOrder> = told.collect();
    pushes.orders.extend(told);
}
