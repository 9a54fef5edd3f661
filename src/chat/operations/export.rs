//! `export`: a user is given what is kept of it, part by part, so that no answer is long and no
//! turn is.
//!
//! | place | part |
//! |---|---|
//! | 0 | who it is, its logins and devices, whom it has blocked |
//! | 1 | its memberships, with receipts |
//! | 2 | what it has reported that is not settled |
//! | 3 and on | what it has written, and its direct conversations, by the order of the store |
//!
//! What rooms in memory hold is not in it: that goes with the process, and `history` has it.

use super::{Answer, Chat, grants};
use crate::chat::keys::UserKey;
use crate::chat::model::export::{ExportPart, KeptMembership, Profile};
use crate::chat::model::log::{LogId, Query};
use crate::chat::model::name::RoomName;
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::reply::Reply;
use crate::chat::pending::{Change, PendingOp, Requester};
use crate::chat::rooms::{Marks, apply_changes};
use crate::net::ConnId;

/// The first place of records.
const RECORDS: u64 = 3;

/// The part after a place.
pub(super) fn export(chat: &mut Chat, by: &mut Requester, after: Option<u64>) -> Answer {
    let place = after.unwrap_or(0);
    let part = match place {
        0 => profile(chat, by.user),
        1 => ExportPart::Memberships(memberships(chat, (by.conn, by.user))),
        2 => {
            let name = &chat.directory[by.user].name;
            let made = chat.directory.reports.above(0).filter(|report| report.by == *name);
            ExportPart::Reports(made.cloned().collect())
        }
        _ => return read(chat, by, place - RECORDS),
    };
    let user = chat.directory[by.user].name.clone();
    Answer::Now(Reply::Export { user, part, next: Some(place + 1) })
}

fn profile(chat: &Chat, user: UserKey) -> ExportPart {
    let row = &chat.directory[user];
    let bound = chat.directory.identities.of_name(row.name.as_str());
    let account = chat.accounts.account(&row.name);
    ExportPart::Profile(Box::new(Profile {
        source: row.source,
        display: bound.and_then(|bound| bound.display.clone()),
        public: chat.directory.profiles.of(&row.name).cloned().unwrap_or_default(),
        since: bound.map(|bound| bound.at),
        is_admin: account.is_some_and(|account| account.is_admin),
        logins: chat.accounts.logins_of(&row.name).cloned().collect(),
        pushes: chat.directory.pushes.of(&row.name).cloned().collect(),
        blocked: chat.directory.blocks.of(&row.name).map(|(name, at)| (name.clone(), at)).collect(),
    }))
}

fn memberships(chat: &Chat, (conn, user): (ConnId, UserKey)) -> Vec<KeptMembership> {
    let rows = chat.directory[user].memberships.iter();
    let rows = rows.filter(|(room, _)| chat.rooms[*room].may_be_read(&chat.directory, conn));
    let rows = rows.map(|&(room, membership)| {
        let (name, row) = (&chat.rooms[room].name, &chat.rooms[membership]);
        let Marks { recv, read } = row.marks();
        KeptMembership { room: name.clone(), role: row.role, recv, read }
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_unstable_by(|a, b| a.room.cmp(&b.room));
    rows
}

/// Has records read.
fn read(chat: &mut Chat, by: &mut Requester, above: u64) -> Answer {
    let row = &chat.directory[by.user];
    let conversations = row.memberships.iter().map(|&(room, _)| &chat.rooms[room]);
    let conversations = conversations.filter(|room| room.name.is_direct() && room.is_stored());
    let logs: Vec<LogId> = conversations.map(|room| room.log).collect();
    let (user, limit) = (row.name.clone(), chat.context.limits.history_page);
    let query = Query::Written { user, logs, above, limit };
    let since = chat.pending.changes.begin();
    chat.begin_read(PendingOp::Export { by: by.take(), since }, query);
    Answer::Later
}

/// Records were read: those that the user may still be shown, as they are now.
pub(super) fn on_read(
    chat: &Chat,
    by: &Requester,
    (items, next, changes): (Vec<(RoomName, SharedRecord)>, Option<u64>, Vec<Change>),
) -> Answer {
    let Some(row) = chat.directory.user(by.user) else { return Answer::Later };
    let shown = |(name, mut record): (RoomName, SharedRecord)| {
        let key = chat.rooms.named(name.as_str());
        // Asked again: the user may have left the conversation while the store has read.
        let is_own = record.from == row.name
            || key.is_some_and(|key| name.is_direct() && row.membership(key).is_some());
        let is_seen = grants::may_read(chat, by.conn, name.as_str());
        if !is_own || !is_seen {
            return None;
        }
        if let Some(key) = key {
            let log = chat.rooms[key].log;
            let told = changes.iter().filter(|change| change.log == log);
            let told: Vec<&Record> = told.map(|change| &*change.record).collect();
            apply_changes([&mut record], &told);
        }
        Some((name, record))
    };
    let part = ExportPart::Records(items.into_iter().filter_map(shown).collect());
    let next = next.map(|next| next.saturating_add(RECORDS));
    Answer::Now(Reply::Export { user: row.name.clone(), part, next })
}
