//! A record that was asked for under rights that another node has changed meanwhile: what has
//! changed is known by now, so that it is judged once more, as if it had just come.

use super::faults::refusal_of;
use super::{Chat, run};
use crate::chat::delivery::Sender;
use crate::chat::keys::RoomKey;
use crate::chat::model::command::{Command, ModerationCommand, Send, Target};
use crate::chat::model::log::LogFault;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::{Act, Body};
use crate::chat::pending::Again;

/// The log has not taken a record since its sender's rights are others now.
pub(super) fn on_stale(chat: &mut Chat, key: RoomKey, sender: Sender, again: Option<Box<Again>>) {
    let Sender { conn, request, echo, .. } = sender;
    let Some(again) = again else {
        // Once is enough: rights that change all the time must not keep anybody busy.
        return chat.context.reply(conn, request, Err(refusal_of(LogFault::Busy)));
    };
    // Nobody waits for it any more who could be told.
    if chat.delivery.reader(conn).is_none_or(|reader| reader.user != again.user) {
        return;
    }
    let (room, me) = (chat.rooms[key].name.clone(), chat.directory[again.user].name.clone());
    let Again { user, body, weight } = *again;
    let wall_ms = chat.context.now.wall_ms;
    if let Some(mut command) = command((&room, &me), &body, (echo, weight, wall_ms)) {
        chat.pending.is_again = true;
        run(chat, (conn, Some(user)), request, &mut command);
        chat.pending.is_again = false;
    }
}

/// The command that would make the record once more.
fn command<'a>(
    (room, me): (&'a RoomName, &UserName),
    body: &'a Body,
    (echo, weight, wall_ms): (bool, u32, u64),
) -> Option<Command<'a>> {
    let name = room.as_str().into();
    Some(match body {
        Body::Message { text, data, cid, reply_to, thread, .. } => {
            // By the other one and not by the room: who has left it is brought back.
            let target = match room.other_than(me) {
                Some(other) => Target::User(other.into()),
                None => Target::Room(name),
            };
            Command::Send(Send {
                target,
                text: (&**text).into(),
                cid: cid.as_deref().map(Into::into),
                reply_to: *reply_to,
                thread: *thread,
                data: data.as_deref().map(Into::into),
                echo,
                weight,
            })
        }
        Body::Edit { target, text } => {
            Command::Edit { room: name, target: *target, text: text.as_deref()?.into(), weight }
        }
        Body::Deletion { target } => Command::Delete { room: name, target: *target },
        Body::Reaction { target, emoji, remove } => Command::React {
            room: name,
            target: *target,
            emoji: (&**emoji).into(),
            remove: *remove,
            weight,
        },
        Body::Topic { text } => Command::Topic { room: name, text: Some((&**text).into()), weight },
        Body::Rename { name: new, .. } => Command::Rename { room: name, name: new.as_str().into() },
        Body::Moderation { act, target, reason } => Command::Moderate {
            room: name,
            user: target.as_str().into(),
            command: wish(*act, wall_ms),
            reason: (&**reason).into(),
            weight,
        },
        Body::Deleted => return None,
    })
}

/// The act as a command of now: what held until a moment holds for what is left of the time.
fn wish(act: Act, wall_ms: u64) -> ModerationCommand {
    let lasts = |until: Option<u64>| until.map(|until| until.saturating_sub(wall_ms).max(1));
    match act {
        Act::Kick => ModerationCommand::Kick,
        Act::Ban { until } => ModerationCommand::Ban(lasts(until)),
        Act::Unban => ModerationCommand::Unban,
        Act::Mute { until } => ModerationCommand::Mute(lasts(until)),
        Act::Unmute => ModerationCommand::Mute(Some(0)),
        Act::Role(role) => ModerationCommand::Role(role),
    }
}
