//! `report`, `reports`, `settle`: what is reported to those who settle it, and what comes of it.
//!
//! | reported | may be seen and settled by |
//! |---|---|
//! | a message of a room with an owner, a user in one | its owners and moderators, and administrators |
//! | a direct message, a user, or anything in a room that has no owner or has ended | administrators |
//! | any of it, but nobody is one of these | the operator: `chinwag reports` |
//!
//! Nobody sees a report of themselves, and the reported learns nothing. To report a message one
//! must be able to read it; whether there is a user of a name is not told. A report has the words
//! of the message as they were, so that deleting them ends no inquiry; they go with the report:
//! when it is settled, after [`REPORT_LASTS`], or when either of the two is erased.

use std::time::Duration;

use super::edits::no_such_message;
use super::history::{self, Excerpt};
use super::{Answer, Chat, admins, grants, outsiders};
use crate::chat::context::Timer;
use crate::chat::directory::Full;
use crate::chat::keys::{RoomKey, UserKey};
use crate::chat::model::code::Code;
use crate::chat::model::command::Reported;
use crate::chat::model::event::Event;
#[cfg(doc)]
use crate::chat::model::limits::REPORT_LASTS;
use crate::chat::model::limits::{
    PAGE_BYTES_MAX, REPORT_OVERHEAD, REPORT_TEXT_MAX, REPORTS_MAX, REPORTS_OF_USER_MAX,
    REPORTS_PAGE_MAX,
};
use crate::chat::model::log::Query;
use crate::chat::model::name::RoomName;
use crate::chat::model::people::{AuditedAct, PeopleChange, Report};
use crate::chat::model::record::{Body, SharedRecord};
use crate::chat::model::reply::{Refusal, Reply, Role};
use crate::chat::pending::{PendingOp, PeopleOp, Requester};
use crate::chat::rooms::Audited;
use crate::net::ConnId;

/// When somebody who has as many open reports as may be should come back: they are settled by
/// people.
const FULL_RETRY_MS: u64 = 3_600_000;
/// How often it is looked whether a report is over.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Reports something.
///
/// # Errors
///
/// Those of reading in the room, [`Code::NoSuchMessage`], [`Code::BadField`] for oneself, and
/// [`Code::RateLimited`] or [`Code::Busy`] where too much is open.
pub(super) fn report(
    chat: &mut Chat,
    by: &mut Requester,
    (about, reason): (&Reported<'_>, &str),
) -> Result<Answer, Refusal> {
    let reporter = chat.directory[by.user].name.clone();
    let mut report = Report {
        id: 0,
        // Not known yet: who has written a message is found with it.
        whom: reporter.clone(),
        by: reporter,
        room: None,
        seq: None,
        text: "".into(),
        reason: reason.into(),
        at: chat.context.now.wall_ms,
    };
    match about {
        Reported::User(name, room) => {
            let room = room.as_ref().map(|room| outsiders::reads(chat, (by.conn, by.user), room));
            let room = room.transpose()?.map(|(room, _)| room);
            report.whom = chat.lookup().user_name(("user", name), room)?;
            report.room = room.map(|room| chat.rooms[room].name.clone());
            file(chat, by, report)
        }
        Reported::Message(name, seq) => {
            let (key, _) = outsiders::reads(chat, (by.conn, by.user), name)?;
            let room = &chat.rooms[key];
            (report.room, report.seq) = (Some(room.name.clone()), Some(*seq));
            // What was said just now is reported most, and needs no disk.
            if let Some(record) = room.ring.get(*seq).cloned() {
                return on_found(chat, by, (report, Some(&record)));
            }
            if !room.is_stored() || !(room.oldest()..=room.head).contains(seq) {
                return Err(no_such_message());
            }
            let query = Query::Page { log: room.log, from: *seq, to: *seq, limit: 1 };
            let since = chat.pending.changes.begin();
            let report = Box::new(report);
            chat.begin_read(PendingOp::Report { by: by.take(), room: key, report, since }, query);
            Ok(Answer::Later)
        }
    }
}

/// The message that is reported was read, or is not there.
///
/// # Errors
///
/// As [`report`].
pub(super) fn on_read(
    chat: &mut Chat,
    by: &mut Requester,
    (room, report): (RoomKey, Report),
    excerpt: Excerpt,
) -> Result<Answer, Refusal> {
    let found = history::found_one(chat, by, room, excerpt)?;
    on_found(chat, by, (report, found.as_ref()))
}

/// The message that is reported was found, or is not there.
///
/// # Errors
///
/// As [`report`].
fn on_found(
    chat: &mut Chat,
    by: &mut Requester,
    (mut report, record): (Report, Option<&SharedRecord>),
) -> Result<Answer, Refusal> {
    let record = record.filter(|record| Some(record.seq) == report.seq);
    let Some(Body::Message { text, .. }) = record.map(|record| &record.body) else {
        return Err(no_such_message());
    };
    report.text = text.get(..text.floor_char_boundary(REPORT_TEXT_MAX)).unwrap_or_default().into();
    if let Some(record) = record {
        report.whom = record.from.clone();
    }
    file(chat, by, report)
}

/// Has a report kept, unless it is there already.
fn file(chat: &mut Chat, by: &mut Requester, mut report: Report) -> Result<Answer, Refusal> {
    if report.whom == report.by {
        let refusal = Refusal::new(Code::BadField, "this would report yourself");
        return Err(refusal.field("user", "another user, or another's message"));
    }
    // Told as done, not as a fault: a client that lost its connection asks again.
    if chat.directory.reports.has(&report) {
        return Ok(Answer::Now(Reply::Done));
    }
    match chat.directory.reports.full_for(&report.by) {
        Some(Full::OfUser) => {
            let message =
                "nobody has looked at your earlier reports yet; they are as many as may be";
            let refusal = Refusal::new(Code::RateLimited, message).limit(REPORTS_OF_USER_MAX);
            return Err(refusal.retry_after_ms(FULL_RETRY_MS));
        }
        Some(Full::OfAll) => {
            let refusal = Refusal::new(Code::Busy, "too many reports wait to be looked at");
            return Err(refusal.limit(REPORTS_MAX).retry_after_ms(FULL_RETRY_MS));
        }
        None => {}
    }
    report.id = chat.directory.reports.next_id(&chat.context);
    let change = PeopleChange::Report(report.clone());
    chat.change_people(PeopleOp::Report { by: by.take(), report: Box::new(report) }, vec![change]);
    Ok(Answer::Later)
}

/// A report is written, or could not be.
pub(super) fn on_reported(
    chat: &mut Chat,
    by: Requester,
    report: Report,
    outcome: Result<(), Refusal>,
) {
    let is_written = outcome.is_ok();
    chat.answer(by, outcome.map(|()| Answer::Now(Reply::Done)));
    if is_written {
        tell_moderators(chat, &report);
        let is_first = chat.directory.reports.is_empty();
        chat.directory.reports.insert(report);
        if is_first {
            arm(chat);
        }
    }
}

/// Tells those who are here and may settle a report that there is one.
fn tell_moderators(chat: &mut Chat, report: &Report) {
    let mut told = admins::connections(chat);
    if let Some(key) = report.room.as_ref().and_then(|room| chat.rooms.named(room.as_str())) {
        for &member in &chat.rooms[key].members {
            if may_moderate(chat, key, chat.rooms[member].user) {
                let user = &chat.directory[chat.rooms[member].user];
                told.extend(user.connections().iter().map(|&conn| (conn, user.name.clone())));
            }
        }
    }
    told.sort_unstable();
    told.dedup();
    for (conn, name) in told {
        // A moderator may be the one who is reported, and learns nothing of it, not even by an
        // event.
        if name != report.whom && is_readable(chat, conn, report.room.as_ref()) {
            chat.context.tell(conn, Event::Reported { room: report.room.clone() });
        }
    }
}

/// Whether the user moderates this room.
fn may_moderate(chat: &Chat, key: RoomKey, user: UserKey) -> bool {
    let membership = chat.directory[user].membership(key);
    let role = membership.map(|membership| chat.lookup().role(membership));
    chat.rooms[key].owned && role.is_some_and(|role| role >= Role::Moderator)
}

/// Whether what the connection has proved lets it know of the room; of what is in none, whether it
/// lets it into all.
fn is_readable(chat: &Chat, conn: ConnId, room: Option<&RoomName>) -> bool {
    match room {
        Some(room) => grants::may_read(chat, conn, room.as_str()),
        None => !chat.directory.credentials.is_restricted(conn),
    }
}

/// Whether the user may see and settle a report.
fn may_settle(chat: &Chat, (conn, user): (ConnId, UserKey), report: &Report) -> bool {
    let room = report.room.as_ref().and_then(|room| chat.rooms.named(room.as_str()));
    let may_moderate = || room.is_some_and(|key| may_moderate(chat, key, user));
    chat.directory[user].name != report.whom
        && is_readable(chat, conn, report.room.as_ref())
        && (admins::is_admin(chat, (conn, user)) || may_moderate())
}

/// A page of the reports that the user may settle, oldest first.
///
/// # Errors
///
/// With a room those of finding the membership, unless it is an administrator who asks, and
/// [`Code::Forbidden`] for who does not moderate; without one nobody is refused, and who may settle
/// nothing finds nothing.
pub(super) fn reports(
    chat: &Chat,
    by: (ConnId, UserKey),
    (room, limit, after): (Option<&str>, Option<u32>, Option<u64>),
) -> Result<Answer, Refusal> {
    if let Some(room) = room.filter(|_| !admins::is_admin(chat, by)) {
        let (key, _) = chat.lookup().find_membership(by.1, room)?;
        if !may_moderate(chat, key, by.1) {
            let message = "only owners and moderators of the room see what was reported there";
            return Err(Refusal::new(Code::Forbidden, message));
        }
    }
    // The room may have had another name when something in it was reported.
    let is_in = |report: &Report, room: &str| {
        let Some(name) = &report.room else { return false };
        let known = chat.rooms.named(room);
        name.as_str() == room || (known.is_some() && known == chat.rooms.named(name.as_str()))
    };
    let is_listed = |report: &&Report| {
        room.is_none_or(|room| is_in(report, room)) && may_settle(chat, by, report)
    };
    let limit = usize::try_from(limit.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let limit = limit.clamp(1, REPORTS_PAGE_MAX);
    let mut rows = chat.directory.reports.above(after.unwrap_or(0)).filter(is_listed).peekable();
    let (mut items, mut bytes) = (Vec::new(), 0);
    while let Some(report) = rows.next_if(|report| {
        // One in any case: a page without items would be asked for again and again.
        items.is_empty() || (items.len() < limit && bytes + len_max(report) <= PAGE_BYTES_MAX)
    }) {
        bytes += len_max(report);
        items.push(report.clone());
    }
    let more = rows.peek().is_some();
    Ok(Answer::Now(Reply::Reports { items, more }))
}

/// Bytes that a report takes at most when it is rendered: each of its texts may be escaped.
fn len_max(report: &Report) -> usize {
    let Report { by, whom, room, text, reason, .. } = report;
    let names = [Some(by), Some(whom)].into_iter().flatten().map(|name| name.as_str().len());
    let room = room.as_ref().map_or(0, |room| room.as_str().len());
    REPORT_OVERHEAD + names.sum::<usize>() + room + 2 * (text.len() + reason.len())
}

/// Ends a report.
///
/// # Errors
///
/// [`Code::BadField`] for what is no report, or none that the user may settle.
pub(super) fn settle_report(
    chat: &mut Chat,
    by: &mut Requester,
    id: u64,
) -> Result<Answer, Refusal> {
    let report = chat.directory.reports.get(id);
    // One answer for what is not there and for what is not theirs: ids count up, and would tell of
    // reports elsewhere.
    let Some(report) = report.filter(|report| may_settle(chat, (by.conn, by.user), report)) else {
        let refusal =
            Refusal::new(Code::BadField, "there is no report of this id that you may settle");
        return Err(refusal.field("report", "the id of one of reports"));
    };
    let act = AuditedAct {
        by: Some(chat.directory[by.user].name.clone()),
        act: "settle report".into(),
        whom: report.whom.as_str().into(),
        room: report.room.clone(),
        at: chat.context.now.wall_ms,
    };
    if let Some(key) = act.room.as_ref().and_then(|room| chat.rooms.named(room.as_str())) {
        chat.rooms[key].audited = Audited::Acts;
    }
    let changes = vec![PeopleChange::Settle(id), PeopleChange::Audit(act)];
    chat.change_people(PeopleOp::Settle { by: by.take(), report: id }, changes);
    Ok(Answer::Later)
}

/// The end of a report is written, or could not be.
pub(super) fn on_settled(chat: &mut Chat, by: Requester, id: u64, outcome: Result<(), Refusal>) {
    if outcome.is_ok() {
        chat.directory.reports.remove(id);
    }
    chat.answer(by, outcome.map(|()| Answer::Now(Reply::Done)));
}

/// Takes up those that are kept, before anybody comes or when a command has ended some.
pub(super) fn restore(chat: &mut Chat, reports: Vec<Report>) {
    let was_empty = chat.directory.reports.is_empty();
    chat.directory.reports.restore(reports);
    if was_empty && !chat.directory.reports.is_empty() {
        arm(chat);
    }
}

fn arm(chat: &mut Chat) {
    let deadline = chat.context.now.tick.after(LOOK_EVERY);
    chat.context.wheel.arm(deadline, Timer::ReportsDue);
}

/// Ends the reports that nobody has settled in time.
pub(in crate::chat) fn on_due(chat: &mut Chat) {
    let wall_ms = chat.context.wall.for_ages(chat.context.now);
    let expired = chat.directory.reports.expired(wall_ms);
    if !expired.is_empty() {
        let changes = expired.iter().map(|&id| PeopleChange::Settle(id)).collect();
        chat.change_people(PeopleOp::Noted, changes);
        for id in expired {
            chat.directory.reports.remove(id);
        }
    }
    if !chat.directory.reports.is_empty() {
        arm(chat);
    }
}
