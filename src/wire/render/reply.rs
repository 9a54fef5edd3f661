//! Replies to requests that succeeded.

use super::Context;
use super::event::{profiles, read_marks, states};
use super::export::{blocked_users, export_part, login_fields};
use super::field::{epoch_field, field, name_field};
use super::push::push_subscription;
use super::record::{glance, item};
use super::report::{act, report};
use super::restrictions::{invitations, restriction};
use super::threads;
use super::welcome::welcome;
use crate::chat::model::account::Login;
use crate::chat::model::command::{Op, RequestId};
use crate::chat::model::identity::AuthPolicy;
use crate::chat::model::listed_rooms::ListedRoom;
use crate::chat::model::name::RoomName;
use crate::chat::model::output::Request;
use crate::chat::model::record::SharedRecord;
use crate::chat::model::reply::{InboxRow, Rare, Reply};
use crate::time::millis;
use crate::wire::help::{self, Entry};
use crate::wire::json::{array, boolean, name, number_or_null, prose, put, string};

/// Appends the answer to a request that succeeded. Nothing, and `false`, if the request has no
/// `id`.
pub fn reply(out: &mut Vec<u8>, request: &Request, reply: &Reply, context: &Context<'_>) -> bool {
    // A client that does not name its request does not want to hear of its success.
    let Some(id) = &request.id else {
        return false;
    };
    open(out, id);
    data(out, reply, context);
    put(out, "}}");
    true
}

/// Appends what a request that succeeded brings: the object that is `data` elsewhere.
pub fn data_alone(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    put(out, "{");
    data(out, reply, context);
    put(out, "}");
}

/// Appends the answer to `help`: the operations with their fields, or one of them. Nothing, and
/// `false`, if the request has no `id`.
pub fn help(out: &mut Vec<u8>, request: &Request, of: Option<Op>, auth: &AuthPolicy) -> bool {
    let Some(id) = &request.id else {
        return false;
    };
    open(out, id);
    super::auth::auth(out, auth);
    put(out, r#","ops":"#);
    let wanted = Op::ALL.iter().filter(|&&op| of.is_none_or(|of| of == op));
    array(out, wanted, |out, &op| operation(out, op));
    put(out, "}}");
    true
}

fn operation(out: &mut Vec<u8>, op: Op) {
    let Entry { about, fields, is_supported } = help::entry(op);
    put(out, r#"{"op":"#);
    name(out, op.name());
    put(out, r#","about":"#);
    string(out, about);
    put(out, r#","supported":"#);
    boolean(out, is_supported);
    put(out, r#","fields":{"#);
    for (index, (key, about)) in fields.iter().enumerate() {
        put(out, if index == 0 { "" } else { "," });
        name(out, key.name());
        put(out, ":");
        string(out, about);
    }
    put(out, "}}");
}

fn open(out: &mut Vec<u8>, id: &RequestId) {
    put(out, r#"{"id":"#);
    // As the client wrote it: it was checked when it was read.
    put(out, id.0.as_str());
    put(out, r#","code":0,"message":"ok","data":{"#);
}

/// Appends the fields of `data`, without the braces.
fn data(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    match reply {
        Reply::Sent { .. } => sent(out, reply),
        Reply::Welcome { .. } => welcome(out, reply, context),
        Reply::LoggedIn { .. }
        | Reply::Logins { .. }
        | Reply::InviteLink { .. }
        | Reply::Accepted { .. }
        | Reply::Reports { .. }
        | Reply::Export { .. }
        | Reply::Audit { .. }
        | Reply::Profiles { .. }
        | Reply::PushSubscribed { .. }
        | Reply::PushSubscriptions { .. }
        | Reply::Blocked { .. } => people(out, reply),
        Reply::Directory { items, next } => directory(out, items, next.as_ref()),
        Reply::Joined { .. } => joined(out, reply),
        Reply::Pong { time } => field(out, r#""time":"#, *time),
        Reply::Inbox { .. } => inbox(out, reply, context),
        Reply::Restrictions { room, items, more } => {
            room_field(out, room.as_str());
            put(out, r#","items":"#);
            array(out, items, restriction);
            put(out, r#","more":"#);
            boolean(out, *more);
        }
        Reply::Left { room } => room_field(out, room.as_str()),
        Reply::Acked { room, recv, read } => {
            room_field(out, room.as_str());
            field(out, r#","recv":"#, *recv);
            field(out, r#","read":"#, *read);
        }
        Reply::Done => {}
        Reply::History { .. } => history(out, reply, context),
        Reply::Thread { .. } | Reply::Threads { .. } => threads::threads(out, reply, context),
        Reply::Presence { v, count, users } => {
            field(out, r#""v":"#, *v);
            field(out, r#","count":"#, *count);
            if let Some(users) = users {
                put(out, r#","users":"#);
                states(out, users);
            }
        }
        Reply::Found { items, next } => found(out, items, *next),
        Reply::Members { count, users, more } => {
            field(out, r#""count":"#, *count);
            put(out, r#","users":"#);
            array(out, users, |out, (user, role)| {
                name_field(out, "[", user.as_str());
                name_field(out, ",", role.name());
                put(out, "]");
            });
            put(out, r#","more":"#);
            boolean(out, *more);
        }
        Reply::Topic { room, text } => {
            room_field(out, room.as_str());
            put(out, r#","text":"#);
            prose(out, text);
        }
    }
}

/// What became of a record. Of nearly all requests this is the answer.
fn sent(out: &mut Vec<u8>, reply: &Reply) {
    let Reply::Sent { room, seq, at, durable, dup, not_members } = reply else { return };
    room_field(out, room.as_str());
    field(out, r#","seq":"#, *seq);
    field(out, r#","at":"#, *at);
    name_field(out, r#","durable":"#, durable.name());
    put(out, if *dup { r#","dup":true"# } else { "" });
    if !not_members.is_empty() {
        put(out, r#","not_members":"#);
        array(out, not_members.iter(), |out, user| name(out, user.as_str()));
    }
}

fn joined(out: &mut Vec<u8>, reply: &Reply) {
    let Reply::Joined {
        room,
        epoch,
        seq,
        oldest,
        durable,
        role,
        read,
        recv,
        members,
        v,
        topic,
        private,
        rare,
        reset,
        marks,
    } = reply
    else {
        return;
    };
    room_field(out, room.as_str());
    epoch_field(out, r#","epoch":"#, *epoch);
    field(out, r#","seq":"#, *seq);
    field(out, r#","oldest":"#, *oldest);
    name_field(out, r#","durable":"#, durable.name());
    name_field(out, r#","role":"#, role.name());
    field(out, r#","read":"#, *read);
    field(out, r#","recv":"#, *recv);
    field(out, r#","members":"#, *members);
    field(out, r#","v":"#, *v);
    if !topic.is_empty() {
        put(out, r#","topic":"#);
        prose(out, topic);
    }
    put(out, if *private { r#","private":true"# } else { "" });
    let Rare { retention, former } = &**rare;
    former_names(out, former);
    let age = retention.age.map(millis);
    let kept = [
        ("keep_for_ms", age),
        ("keep_records", retention.records),
        ("keep_bytes", retention.bytes),
    ];
    for (key, most) in kept {
        if let Some(most) = most {
            put(out, ",\"");
            put(out, key);
            field(out, "\":", most);
        }
    }
    put(out, if *reset { r#","reset":true"# } else { "" });
    if !marks.is_empty() {
        read_marks(out, r#","marks":{"#, marks);
    }
}

fn directory(out: &mut Vec<u8>, items: &[ListedRoom], next: Option<&RoomName>) {
    put(out, r#""items":"#);
    array(out, items, |out, row| {
        put(out, "{");
        room_field(out, row.room.as_str());
        field(out, r#","members":"#, row.members);
        if row.at > 0 {
            field(out, r#","at":"#, row.at);
        }
        if !row.topic.is_empty() {
            put(out, r#","topic":"#);
            prose(out, &row.topic);
        }
        put(out, if row.by_invitation { r#","by_invitation":true}"# } else { "}" });
    });
    if let Some(next) = next {
        name_field(out, r#","after":"#, next.as_str());
    }
    put(out, r#","more":"#);
    boolean(out, next.is_some());
}

/// What concerns accounts and other people.
fn people(out: &mut Vec<u8>, reply: &Reply) {
    match reply {
        Reply::LoggedIn { user, token, rooms } => {
            name_field(out, r#""user":"#, user.as_str());
            put(out, r#","token":"#);
            string(out, token.reveal());
            if !rooms.is_empty() {
                put(out, r#","rooms":"#);
                array(out, rooms, |out, room| name(out, room.as_str()));
            }
        }
        Reply::Logins { logins, current } => self::logins(out, logins, *current),
        Reply::InviteLink { invite, uses, until } => {
            put(out, r#""invite":"#);
            string(out, invite.reveal());
            put(out, r#","path":"#);
            string(out, &format!("/#invite={}", invite.reveal()));
            field(out, r#","uses":"#, u64::from(*uses));
            field(out, r#","until":"#, *until);
        }
        Reply::Accepted { rooms } => {
            put(out, r#""rooms":"#);
            array(out, rooms, |out, room| name(out, room.as_str()));
        }
        Reply::Audit { items, more } => {
            put(out, r#""items":"#);
            array(out, items, act);
            put(out, r#","more":"#);
            boolean(out, *more);
        }
        Reply::Export { user, part, next } => {
            export_part(out, user, part);
            if let Some(next) = next {
                field(out, r#","after":"#, *next);
            }
            put(out, r#","more":"#);
            boolean(out, next.is_some());
        }
        Reply::Reports { items, more } => {
            put(out, r#""items":"#);
            array(out, items, report);
            put(out, r#","more":"#);
            boolean(out, *more);
        }
        Reply::Profiles { users } => profiles(out, r#""profiles":"#, users),
        Reply::PushSubscribed { id } => field(out, r#""id":"#, *id),
        Reply::PushSubscriptions { key, items, current } => {
            put(out, r#""key":"#);
            string(out, key);
            put(out, r#","items":"#);
            array(out, items, |out, device| push_subscription(out, device, *current));
        }
        Reply::Blocked { users } => {
            put(out, r#""users":"#);
            blocked_users(out, users);
        }
        _ => {}
    }
}

fn logins(out: &mut Vec<u8>, logins: &[Login], current: Option<u64>) {
    put(out, r#""logins":"#);
    array(out, logins, |out, login| {
        login_fields(out, login);
        put(out, r#","current":"#);
        boolean(out, current == Some(login.id));
        put(out, "}");
    });
}

fn found(out: &mut Vec<u8>, items: &[(RoomName, SharedRecord)], next: Option<u64>) {
    put(out, r#""items":"#);
    array(out, items, |out, (room, record)| super::record::record_event(out, room, record));
    if let Some(next) = next {
        field(out, r#","before":"#, next);
    }
    put(out, r#","more":"#);
    boolean(out, next.is_some());
}

fn history(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    let Reply::History { room, epoch, items, oldest, more } = reply else {
        return;
    };
    room_field(out, room.as_str());
    epoch_field(out, r#","epoch":"#, *epoch);
    put(out, r#","items":"#);
    array(out, items, |out, record| item(out, record, context.viewer));
    put(out, r#","first":"#);
    number_or_null(out, items.first().map(|record| record.seq));
    put(out, r#","last":"#);
    number_or_null(out, items.last().map(|record| record.seq));
    field(out, r#","oldest":"#, *oldest);
    put(out, r#","more":"#);
    boolean(out, *more);
}

fn inbox(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    let Reply::Inbox { rev, rooms, more, gone, full, invitations: open } = reply else {
        return;
    };
    field(out, r#""rev":"#, *rev);
    put(out, if *full { r#","full":true"# } else { "" });
    if !(*full && gone.is_empty()) {
        put(out, r#","gone":"#);
        array(out, gone, |out, room| name(out, room.as_str()));
    }
    put(out, if *more { r#","more":true"# } else { "" });
    put(out, r#","rooms":"#);
    array(out, rooms, |out, row| inbox_row(out, row, context));
    invitations(out, open);
}

fn inbox_row(out: &mut Vec<u8>, row: &InboxRow, context: &Context<'_>) {
    put(out, "{");
    room_field(out, row.room.as_str());
    former_names(out, &row.former);
    epoch_field(out, r#","epoch":"#, row.epoch);
    field(out, r#","seq":"#, row.seq);
    field(out, r#","recv":"#, row.recv);
    field(out, r#","read":"#, row.read);
    field(out, r#","unread":"#, row.unread);
    field(out, r#","mentions":"#, row.mentions);
    if row.in_threads > 0 {
        field(out, r#","in_threads":"#, row.in_threads);
    }
    put(out, r#","last":"#);
    match &row.last {
        Some(record) => glance(out, record, context.viewer),
        None => put(out, "null"),
    }
    put(out, "}");
}

/// The names that a room had before.
fn former_names(out: &mut Vec<u8>, former: &[RoomName]) {
    if !former.is_empty() {
        put(out, r#","former":"#);
        array(out, former, |out, room| name(out, room.as_str()));
    }
}

fn room_field(out: &mut Vec<u8>, room: &str) {
    name_field(out, r#""room":"#, room);
}
