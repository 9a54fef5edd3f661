//! Turns fields into commands, operation by operation.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::borrow::Cow;

use super::fields::{Fields, refuse, refuse_blank, refuse_unknown, too_large};
use super::{
    AGENT_LEN_MAX, Fault, Parsed, SECRET_LEN_MAX, accounts, data, edits, moderation, people, push,
    resume, threads,
};
use crate::chat::model::code::Code;
use crate::chat::model::command::{Command, Op, Page, Send, Target, ThreadWish};
use crate::chat::model::limits::{CID_LEN_MAX, Limits, SEARCH_LEN_MAX, TOPIC_LEN_MAX};
use crate::chat::model::prose::is_blank;
use crate::chat::model::reply::Refusal;
use crate::wire::encoded_len::parsed_len_max;
use crate::wire::field_key::Key;
use crate::wire::{encoded_len_max, help};

/// The version of the protocol that this server speaks.
const VERSION: u64 = 1;

/// The command of `op`, or what is wrong with its `fields`.
pub(super) fn parse<'a>(
    op: Op,
    fields: &mut Fields<'a>,
    limits: &Limits,
) -> Result<Parsed<'a>, Fault> {
    let command = match op {
        Op::Hello => hello(fields, limits)?,
        Op::Ping => Command::Ping,
        Op::Rooms => Command::Rooms { since: fields.seq(Key::Since)? },
        Op::Create => create(fields)?,
        Op::Join => Command::Join {
            room: fields.required(Key::Room)?,
            after: fields.seq(Key::After)?,
            epoch: fields.bounded(Key::Epoch, SECRET_LEN_MAX)?,
        },
        Op::Leave => leave(fields)?,
        Op::Send => Command::Send(send(fields, limits)?),
        Op::Ack => ack(fields)?,
        Op::Typing => Command::Typing { room: fields.required(Key::Room)? },
        Op::Status => status(fields)?,
        Op::History => history(fields)?,
        Op::Presence => Command::Presence { room: fields.required(Key::Room)? },
        Op::Members => Command::Members {
            room: fields.required(Key::Room)?,
            limit: fields.limit()?,
            after: fields.string_as(Key::After, "the name of a user")?,
        },
        Op::Topic => topic(fields)?,
        Op::Search => search(fields)?,
        Op::Thread => threads::thread(fields)?,
        Op::Threads => Command::Threads { room: fields.string(Key::Room)? },
        Op::Follow => threads::wish(fields, ThreadWish::Follow)?,
        Op::Unfollow => threads::wish(fields, ThreadWish::Unfollow)?,
        Op::Help => return help(fields),
        Op::Edit => edits::edit(fields, limits)?,
        Op::Delete => edits::delete(fields)?,
        Op::React => edits::react(fields)?,
        Op::Invite => moderation::invite(fields)?,
        Op::Uninvite => moderation::uninvite(fields)?,
        Op::Restrictions => moderation::restrictions(fields)?,
        Op::Role => moderation::role(fields)?,
        Op::Kick => moderation::kick(fields)?,
        Op::Mute => moderation::mute(fields)?,
        Op::Ban => moderation::ban(fields)?,
        Op::Unban => moderation::unban(fields)?,
        Op::Register => accounts::register(fields)?,
        Op::Login => accounts::login(fields)?,
        Op::Password => accounts::change(fields)?,
        Op::Logins => Command::Logins,
        Op::EndLogin => accounts::end_login(fields)?,
        Op::InviteLink => accounts::invite_link(fields)?,
        Op::Accept => accounts::accept(fields)?,
        Op::Refresh => accounts::refresh(fields)?,
        Op::Block => people::block(fields, true)?,
        Op::Unblock => people::block(fields, false)?,
        Op::Blocked => Command::Blocked,
        Op::Profile => people::profile(fields)?,
        Op::Whois => people::whois(fields)?,
        Op::PushSubscribe => push::subscribe(fields)?,
        Op::PushUnsubscribe => push::unsubscribe(fields)?,
        Op::PushSubscriptions => Command::PushSubscriptions,
        Op::Report => people::report(fields)?,
        Op::Reports => people::reports(fields)?,
        Op::Settle => people::settle_report(fields)?,
        Op::Audit => people::audit(fields)?,
        Op::Directory => Command::Directory {
            text: fields.string(Key::Text)?,
            after: fields.string_as(Key::After, "the name of a room")?,
            limit: fields.limit()?,
        },
        Op::Rename => rename(fields)?,
        Op::Close => close(fields)?,
        Op::Export => Command::Export { after: fields.seq(Key::After)? },
    };
    Ok(Parsed::Command(command))
}

fn hello<'a>(fields: &mut Fields<'a>, limits: &Limits) -> Result<Command<'a>, Fault> {
    match fields.integer(Key::Version)? {
        None | Some(VERSION) => {}
        Some(version) => {
            let message = format!("version {version} is not supported");
            let refusal = Refusal::new(Code::UnsupportedVersion, message);
            return Err(Box::new(refusal.field("version", Key::Version.expected())));
        }
    }
    let token = accounts::hidden(fields, Key::Token)?;
    // Checked and no more: in a `hello` nothing depends on it.
    fields.bounded(Key::Agent, AGENT_LEN_MAX)?;
    let name = fields.string(Key::Name)?;
    let resume = fields.raw(Key::Resume).map(|raw| resume::parse(raw, limits)).transpose()?;
    let ping = fields.flag(Key::Ping)?;
    Ok(Command::Hello { name, resume, ping, token })
}

fn create<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Create {
        room: fields.required(Key::Room)?,
        topic: topic_text(fields, Key::Topic)?,
        private: fields.flag(Key::Private)?,
        policy: fields.string(Key::Policy)?,
    })
}

fn rename<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    Ok(Command::Rename { room: fields.required(Key::Room)?, name: fields.required(Key::Name)? })
}

fn close<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    Ok(Command::Close { room, reason: moderation::reason(fields)?, sure: fields.flag(Key::Sure)? })
}

fn leave<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    let closes = fields.flag(Key::Close)?;
    Ok(if closes { Command::LeaveAndClose { room } } else { Command::Leave { room } })
}

fn send<'a>(fields: &mut Fields<'a>, limits: &Limits) -> Result<Send<'a>, Fault> {
    let target = match (fields.string(Key::Room)?, fields.string(Key::To)?) {
        (Some(room), None) => Target::Room(room),
        (None, Some(user)) => Target::User(user),
        (None, None) => return Err(refuse(Key::Room, "", "a room, or a user in \"to\"")),
        (Some(_), Some(_)) => {
            return Err(refuse(Key::To, "given together with room", "either room or to"));
        }
    };
    let text = fields.prose(Key::Text)?.unwrap_or_default();
    let data = fields.raw(Key::Data);
    let cid = fields.bounded(Key::Cid, CID_LEN_MAX)?;
    let bytes = text.len() + data.map_or(0, str::len);
    // The length is checked first: checking the data costs time in proportion to it.
    // With a `cid` it may be a retry of what was taken under another limit: the domain looks.
    if bytes > limits.message_bytes && cid.is_none() {
        let message = format!("text and data take {bytes} bytes");
        return Err(too_large(Key::Text, message, limits.message_bytes));
    }
    if bytes == 0 {
        return Err(refuse(Key::Text, "empty", "a text of at least one byte, or data"));
    }
    if !text.is_empty() && is_blank(&text) {
        return Err(refuse_blank(Key::Text, "a text that can be seen, or none with data"));
    }
    if let Some(data) = data {
        data::check(data)?;
    }
    // Here, where it is known whether the text had an escape: later it would have to be scanned for
    // it.
    let weight = parsed_len_max(Some(&text), data, cid.as_ref());
    Ok(Send {
        target,
        text,
        cid,
        reply_to: fields.message(Key::ReplyTo)?,
        thread: fields.message(Key::Thread)?,
        data: data.map(Into::into),
        echo: fields.flag(Key::Echo)?,
        weight,
    })
}

fn ack<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    let (recv, read) = (fields.seq(Key::Recv)?, fields.seq(Key::Read)?);
    if recv.or(read).is_none() {
        return Err(refuse(Key::Read, "", "recv, read or both"));
    }
    let epoch = fields.bounded(Key::Epoch, SECRET_LEN_MAX)?;
    if let Some(thread) = fields.message(Key::Thread)? {
        return threads::read((room, epoch), thread, (recv, read));
    }
    Ok(Command::Ack { room, recv, read, epoch })
}

fn status<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    match fields.string(Key::Status)?.as_deref() {
        Some("online") => Ok(Command::Status { away: false }),
        Some("away") => Ok(Command::Status { away: true }),
        Some(other) => Err(refuse_unknown(Key::Status, other)),
        None => Err(refuse(Key::Status, "", Key::Status.expected())),
    }
}

fn history<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    let pages = [
        (Key::Before, fields.seq(Key::Before)?.map(Page::Before)),
        (Key::After, fields.seq(Key::After)?.map(Page::After)),
        (Key::Around, fields.seq(Key::Around)?.map(Page::Around)),
    ];
    let mut given = pages.into_iter().filter_map(|(key, page)| Some((key, page?)));
    let first = given.next();
    if let (Some((first, _)), Some((second, _))) = (&first, given.next()) {
        let found = format!("given together with {}", first.name());
        return Err(refuse(second, &found, "at most one of before, after and around"));
    }
    let page = first.map_or(Page::Latest, |(_, page)| page);
    let epoch = fields.bounded(Key::Epoch, SECRET_LEN_MAX)?;
    Ok(Command::History { room, page, limit: fields.limit()?, epoch })
}

fn topic<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let room = fields.required(Key::Room)?;
    let text = topic_text(fields, Key::Text)?;
    if text.is_none() && !fields.describe(Key::Topic).is_empty() {
        // If the field were ignored, a request to set the topic would only read it.
        return Err(refuse(
            Key::Topic,
            "not a field of this operation",
            "the new topic in \"text\"",
        ));
    }
    let weight = encoded_len_max(text.as_deref().unwrap_or_default(), None, None);
    Ok(Command::Topic { room, text, weight })
}

fn search<'a>(fields: &mut Fields<'a>) -> Result<Command<'a>, Fault> {
    let text = fields.required(Key::Text)?;
    if text.trim().is_empty() {
        return Err(refuse(Key::Text, "empty", "at least one word to search for"));
    }
    if text.len() > SEARCH_LEN_MAX {
        let message = format!("text takes {} bytes", text.len());
        return Err(too_large(Key::Text, message, SEARCH_LEN_MAX));
    }
    Ok(Command::Search {
        room: fields.string(Key::Room)?,
        text,
        before: fields.seq(Key::Before)?,
        limit: fields.limit()?,
    })
}

fn help<'a>(fields: &mut Fields<'a>) -> Result<Parsed<'a>, Fault> {
    let Some(name) = fields.string(Key::Of)? else {
        return Ok(Parsed::Help { of: None });
    };
    let of = Op::parse(&name).ok_or_else(|| {
        let mut fault = refuse_unknown(Key::Of, &name);
        fault.expected = Some(help::ops().into());
        fault.hint = help::nearest(&name).map(|op| op.name().into());
        fault
    })?;
    Ok(Parsed::Help { of: Some(of) })
}

fn topic_text<'a>(fields: &mut Fields<'a>, key: Key) -> Result<Option<Cow<'a, str>>, Fault> {
    let text = fields.prose(key)?;
    let len = text.as_ref().map_or(0, |text| text.len());
    if len > TOPIC_LEN_MAX {
        return Err(too_large(key, format!("the topic takes {len} bytes"), TOPIC_LEN_MAX));
    }
    if text.as_ref().is_some_and(|text| !text.is_empty() && is_blank(text)) {
        return Err(refuse_blank(key, "a topic that can be seen, or an empty one for none"));
    }
    Ok(text)
}
