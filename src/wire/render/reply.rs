//! Replies and refusals.

use std::time::Duration;

use super::Context;
use super::event::states;
use super::record::item;
use crate::chat::code::Code;
use crate::chat::command::{Op, RequestId};
use crate::chat::limits::{
    CID_LEN_MAX, Limits, PRESENCE_NAMES_MAX, RECEIPTS_MEMBERS_MAX, REQUEST_ID_LEN_MAX,
    TOPIC_LEN_MAX, TYPING_LASTS,
};
use crate::chat::name::NAME_LEN_MAX;
use crate::chat::outbox::Request;
use crate::chat::record::Epoch;
use crate::chat::reply::{InboxRow, Refusal, Reply, Resumption};
use crate::wire::help::{self, Entry};
use crate::wire::json::{array, boolean, name, number, number_or_null, put, string};
use crate::wire::parse::{AGENT_LEN_MAX, DATA_DEPTH_MAX, Refused, request_len_max};

/// Appends the answer to a request that succeeded. Nothing, and `false`, if the request has no `id`.
pub fn reply(out: &mut Vec<u8>, request: &Request, reply: &Reply, context: &Context<'_>) -> bool {
    let Some(id) = &request.id else {
        return false;
    };
    open(out, id);
    data(out, reply, context);
    put(out, "}}");
    true
}

/// Appends the answer to a request that was refused, whether it has an `id` or not.
pub fn refusal(out: &mut Vec<u8>, request: &Request, refusal: &Refusal) {
    refuse(out, request.id.as_ref(), Some(request.op.name()), refusal);
}

/// Appends the answer to what did not become a command.
pub fn refused(out: &mut Vec<u8>, refused: &Refused) {
    refuse(out, refused.id.as_ref(), refused.op.as_deref(), &refused.refusal);
}

/// Appends the answer to `help`: the operations with their fields, or one of them. Nothing, and
/// `false`, if the request has no `id`.
pub fn help(out: &mut Vec<u8>, request: &Request, of: Option<Op>) -> bool {
    let Some(id) = &request.id else {
        return false;
    };
    open(out, id);
    put(out, r#""ops":"#);
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
    for (index, (field, about)) in fields.iter().enumerate() {
        put(out, if index == 0 { "" } else { "," });
        name(out, field);
        put(out, ":");
        string(out, about);
    }
    put(out, "}}");
}

fn open(out: &mut Vec<u8>, id: &RequestId) {
    put(out, r#"{"id":"#);
    put(out, &id.0);
    put(out, r#","code":0,"message":"ok","data":{"#);
}

fn refuse(out: &mut Vec<u8>, id: Option<&RequestId>, op: Option<&str>, refusal: &Refusal) {
    put(out, r#"{"id":"#);
    match (id, op) {
        (Some(id), _) => put(out, &id.0),
        (None, Some(op)) => {
            put(out, r#"null,"op":"#);
            string(out, op);
        }
        (None, None) => put(out, r#"null,"op":null"#),
    }
    put(out, ",");
    refusal_fields(out, refusal);
    put(out, "}");
}

/// What stands in the object of a refusal, and in that of a room that cannot be returned to.
fn refusal_fields(out: &mut Vec<u8>, refusal: &Refusal) {
    field(out, r#""code":"#, refusal.code.number().into());
    put(out, r#","message":"#);
    string(out, &refusal.message);
    put(out, r#","data":{"error":"#);
    name(out, refusal.code.slug());
    let words = [
        (r#","field":"#, refusal.field),
        (r#","expected":"#, refusal.expected.as_deref()),
        (r#","hint":"#, refusal.hint.as_deref()),
    ];
    for (key, text) in words {
        if let Some(text) = text {
            put(out, key);
            string(out, text);
        }
    }
    if let Some(epoch) = refusal.epoch {
        epoch_field(out, r#","epoch":"#, epoch);
    }
    let numbers = [
        (r#","limit":"#, refusal.limit),
        (r#","offset":"#, refusal.offset),
        (r#","retry_after_ms":"#, refusal.retry_after_ms),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            field(out, key, value);
        }
    }
    if refusal.code == Code::UnknownOp {
        put(out, r#","ops":"#);
        array(out, Op::ALL, |out, op| name(out, op.name()));
    }
    put(out, "}");
}

/// Appends the fields of `data`, without the braces.
fn data(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    match reply {
        Reply::Sent { room, seq, at, durable, dup } => {
            room_field(out, room.as_str());
            field(out, r#","seq":"#, *seq);
            field(out, r#","at":"#, *at);
            name_field(out, r#","durable":"#, durable.name());
            put(out, if *dup { r#","dup":true"# } else { "" });
        }
        Reply::Welcome { .. } => welcome(out, reply, context),
        Reply::Joined { .. } => joined(out, reply),
        Reply::Pong { time } => field(out, r#""time":"#, *time),
        Reply::Inbox { rev, rooms } => {
            field(out, r#""rev":"#, *rev);
            put(out, r#","rooms":"#);
            array(out, rooms, |out, row| inbox_row(out, row, context));
        }
        Reply::Left { room } => room_field(out, room.as_str()),
        Reply::Acked { room, recv, read } => {
            room_field(out, room.as_str());
            field(out, r#","recv":"#, *recv);
            field(out, r#","read":"#, *read);
        }
        Reply::Done => {}
        Reply::History { .. } => history(out, reply, context),
        Reply::Presence { v, count, users } => {
            field(out, r#""v":"#, *v);
            field(out, r#","count":"#, *count);
            if let Some(users) = users {
                put(out, r#","users":"#);
                states(out, users);
            }
        }
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
            string(out, text);
        }
    }
}

fn welcome(out: &mut Vec<u8>, reply: &Reply, context: &Context<'_>) {
    let Reply::Welcome { user, session, time, resumed, rooms } = reply else {
        return;
    };
    name_field(out, r#""user":"#, user.as_str());
    put(out, r#","session":"#);
    string(out, session);
    put(out, r#","server":"#);
    string(out, context.server);
    field(out, r#","time":"#, *time);
    put(out, r#","resumed":"#);
    boolean(out, *resumed);
    if !rooms.is_empty() {
        put(out, r#","rooms":{"#);
        for (index, (room, resumption)) in rooms.iter().enumerate() {
            put(out, if index == 0 { "" } else { "," });
            string(out, room);
            put(out, ":{");
            resumption_fields(out, resumption);
            put(out, "}");
        }
        put(out, "}");
    }
    put(out, r#","limits":{"#);
    limits(out, context.limits);
    put(out, "}");
}

fn resumption_fields(out: &mut Vec<u8>, resumption: &Resumption) {
    match resumption {
        Resumption::From { from, to } => {
            field(out, r#""from":"#, *from);
            field(out, r#","to":"#, *to);
        }
        Resumption::Gap { gap, why, from, to } => {
            field(out, r#""gap":["#, gap.0);
            field(out, ",", gap.1);
            name_field(out, r#"],"why":"#, why.name());
            field(out, r#","from":"#, *from);
            field(out, r#","to":"#, *to);
        }
        Resumption::Reset { epoch, seq } => {
            epoch_field(out, r#""reset":true,"epoch":"#, *epoch);
            field(out, r#","seq":"#, *seq);
        }
        Resumption::Refused(refusal) => refusal_fields(out, refusal),
    }
}

/// Every bound that a client can meet. `rate_per_s` and `burst` are `null` if there is none.
fn limits(out: &mut Vec<u8>, limits: &Limits) {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    field(out, r#""message_bytes":"#, count(limits.message_bytes));
    let rest = [
        (r#","request_bytes":"#, Some(count(request_len_max(limits)))),
        (r#","rooms":"#, Some(count(limits.rooms_per_user))),
        (r#","sessions":"#, Some(count(limits.sessions_per_user))),
        (r#","members":"#, Some(count(limits.members_per_room))),
        (r#","rate_per_s":"#, limits.rate_per_s.map(u64::from)),
        (r#","burst":"#, limits.rate_per_s.map(|_| limits.burst.into())),
        (r#","history_page":"#, Some(limits.history_page.into())),
        (r#","ping_ms":"#, Some(millis(limits.ping_after))),
        (r#","replay":"#, Some(limits.replay)),
        (r#","id_bytes":"#, Some(count(REQUEST_ID_LEN_MAX))),
        (r#","cid_bytes":"#, Some(count(CID_LEN_MAX))),
        (r#","name_bytes":"#, Some(count(NAME_LEN_MAX))),
        (r#","topic_bytes":"#, Some(count(TOPIC_LEN_MAX))),
        (r#","agent_bytes":"#, Some(count(AGENT_LEN_MAX))),
        (r#","data_levels":"#, Some(DATA_DEPTH_MAX.into())),
        (r#","presence_names":"#, Some(count(PRESENCE_NAMES_MAX))),
        (r#","receipts_members":"#, Some(count(RECEIPTS_MEMBERS_MAX))),
        (r#","typing_ms":"#, Some(millis(TYPING_LASTS))),
    ];
    for (key, value) in rest {
        put(out, key);
        number_or_null(out, value);
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
        reset,
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
        string(out, topic);
    }
    put(out, if *reset { r#","reset":true"# } else { "" });
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

fn inbox_row(out: &mut Vec<u8>, row: &InboxRow, context: &Context<'_>) {
    put(out, "{");
    room_field(out, row.room.as_str());
    epoch_field(out, r#","epoch":"#, row.epoch);
    field(out, r#","seq":"#, row.seq);
    field(out, r#","recv":"#, row.recv);
    field(out, r#","read":"#, row.read);
    field(out, r#","unread":"#, row.unread);
    put(out, r#","last":"#);
    match &row.last {
        Some(record) => item(out, record, context.viewer),
        None => put(out, "null"),
    }
    put(out, "}");
}

fn room_field(out: &mut Vec<u8>, room: &str) {
    name_field(out, r#""room":"#, room);
}

fn name_field(out: &mut Vec<u8>, key: &str, value: &str) {
    put(out, key);
    name(out, value);
}

fn epoch_field(out: &mut Vec<u8>, key: &str, epoch: Epoch) {
    name_field(out, key, &epoch.to_string());
}

fn field(out: &mut Vec<u8>, key: &str, value: u64) {
    put(out, key);
    number(out, value);
}
