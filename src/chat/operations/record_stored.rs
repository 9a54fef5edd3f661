//! A log has a record: what follows from that, whoever has put it there.

use super::{Chat, audit, direct, moderation, push, rename, tell_other_nodes};
use crate::chat::delivery::Sender;
use crate::chat::keys::RoomKey;
use crate::chat::model::record::{Body, SharedRecord};

/// The log has a record: it takes effect, and goes to the room's readers. Of another node's there
/// is no sender to be answered, and that node has noted it.
pub(super) fn on_stored(
    chat: &mut Chat,
    key: RoomKey,
    record: SharedRecord,
    sender: Option<Sender>,
) {
    if let Body::Rename { name, .. } = &record.body {
        // First: it is told under the new name.
        rename::on_stored(chat, key, name);
    }
    let room = &chat.rooms[key];
    if let Some(sender) = &sender {
        let req = sender.id().map_or("-", |id| id.0.as_str());
        ::log::debug!(conn:% = sender.conn, req, room:% = room.name, seq = record.seq; "logged");
    }
    let log = room.log;
    // As it is before the record changes it.
    let target = record.body.refers_to().and_then(|target| room.ring.get(target)).cloned();
    match &record.body {
        Body::Edit { target, text: Some(_) } | Body::Deletion { target } => {
            // From the target on and not only at it: earlier edits of the same message, further up,
            // carry its text too.
            chat.delivery.pages.on_changed_from(log, *target);
            chat.pending.changes.note(log, &record);
        }
        Body::Message { .. } if room.name.is_direct() => {
            if sender.is_some() {
                tell_other_nodes::point_both_to(chat, key);
            }
            direct::confirm(chat, key);
        }
        Body::Message { .. }
        | Body::Deleted
        | Body::Edit { text: None, .. }
        | Body::Reaction { .. }
        | Body::Topic { .. }
        | Body::Rename { .. }
        | Body::Moderation { .. } => {}
    }
    let bounds = (chat.context.limits.ring_records, chat.context.limits.ring_bytes);
    // The ring shows the record before anybody is told of it, so that a join in this turn finds it.
    let rev = chat.context.next_rev();
    chat.rooms.commit(key, &record, rev, bounds);
    if sender.is_some() {
        chat.context.stats.records += 1;
        audit::note(chat, key, (&record, target.as_ref()));
    }
    if matches!(record.body, Body::Message { .. }) {
        push::on_message(chat, key, &record);
    }
    // A copy by reference: the record itself goes on to the fan-out, before what it does takes
    // effect.
    let act = matches!(record.body, Body::Moderation { .. }).then(|| SharedRecord::clone(&record));
    let mut delivery = chat.delivery_mut();
    if delivery.enqueue(key, (record, target), sender) {
        delivery.fan_out(key);
    }
    if let Some(act) = act {
        moderation::on_stored(chat, key, &act);
    }
}
