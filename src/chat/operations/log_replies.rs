//! Answers of the logs: each resumes the operation that has waited for it.

use std::time::Duration;

use super::faults::{self, refusal_of};
use super::history::{self, Excerpt};
use super::{
    Answer, Chat, ack, claim_replies, close, direct, directory, edits, export, forget, inbox,
    invitations, join, leave, load, load_replies, log_grown, log_renewed, moderation, other_nodes,
    people, push, record_stored, rename, reports, resume_deferred, room_end, search, send,
    stale_rights, suspensions, tell_other_nodes, threads,
};
use crate::chat::context::Timer;
use crate::chat::delivery::PageId;
use crate::chat::model::code::Code;
use crate::chat::model::log::{self, Appended, LogFault, LogId, LogReply, Ticket};
use crate::chat::model::reply::{Refusal, Reply};
use crate::chat::pending::{Change, PartialInbox, PendingOp};
use crate::chat::rooms::{PendingAct, apply_pruning};
use crate::net::ConnId;

/// After how long a page that could not be read is tried again.
const PAGE_RETRY: Duration = Duration::from_secs(1);

/// The logs have answered, or have something to say.
pub(in crate::chat) fn on_log_reply(chat: &mut Chat, reply: LogReply) {
    // Before the reply is used: with it the ticket is gone, and with that the way to the
    // connection.
    let conn = deferring_connection(chat, &reply);
    match reply {
        LogReply::Appended { ticket, outcome } => on_appended(chat, ticket, outcome),
        LogReply::Synced { ticket, outcome } => on_synced(chat, ticket, outcome),
        LogReply::Answer { ticket, outcome } => on_read(chat, ticket, outcome),
        LogReply::Pruned { log, oldest } => on_pruned(chat, log, oldest),
        LogReply::Health(_) => {}
        LogReply::Suspended(suspended) => suspensions::set(chat, &suspended),
        LogReply::People(people) => people::replace(chat, *people),
        LogReply::Overdue(rooms) => load::on_overdue(chat, rooms),
        LogReply::Webhooks(events) => chat.context.webhooks = events,
        LogReply::Grown { log, records, meta } => log_grown::on_grown(chat, log, (records, meta)),
        LogReply::Renewed { log, begun } => log_renewed::on_renewed(chat, log, *begun),
        LogReply::Gone { log, farewell } => log_renewed::on_gone(chat, log, farewell.as_deref()),
        LogReply::Claimed(ticket, outcome) => claim_replies::on_claimed(chat, ticket, outcome),
        LogReply::Replaced(conn) => claim_replies::on_replaced(chat, conn),
        LogReply::Told { node, told } => other_nodes::on_told(chat, node, told),
        LogReply::NodeBegun { .. } => tell_other_nodes::tell_all(chat),
        LogReply::NodeGone { node } => other_nodes::on_node_gone(chat, node),
    }
    if let Some(conn) = conn {
        resume_deferred(chat, conn);
    }
    // Whatever the answer was, a place among the readings may have become free.
    chat.request_pages();
}

/// The connection whose request is answered, if it may have deferred another.
fn deferring_connection(chat: &Chat, reply: &LogReply) -> Option<ConnId> {
    match reply {
        LogReply::Appended { ticket, .. }
        | LogReply::Synced { ticket, .. }
        | LogReply::Answer { ticket, .. } => chat.pending.conn_of(*ticket),
        LogReply::Pruned { .. }
        | LogReply::Health(_)
        | LogReply::People(_)
        | LogReply::Overdue(_)
        | LogReply::Webhooks(_)
        | LogReply::Suspended(_)
        | LogReply::Grown { .. }
        | LogReply::Renewed { .. }
        | LogReply::Gone { .. }
        | LogReply::Claimed(..)
        | LogReply::Replaced(_)
        | LogReply::Told { .. }
        | LogReply::NodeBegun { .. }
        | LogReply::NodeGone { .. } => None,
    }
}

/// The log has answered an append.
fn on_appended(chat: &mut Chat, ticket: Ticket, outcome: Appended) {
    let (key, sender, again, refused) = match chat.finish(ticket) {
        Some(PendingOp::Append { room, sender, again }) => (room, sender, again, None),
        Some(PendingOp::Question { room, sender, refusal }) => (room, sender, None, Some(*refusal)),
        _ => return,
    };
    // Only in theory: a room with pending operations is not dropped.
    let Some(room) = chat.rooms.table.get_mut(key) else { return };
    // Taken off first: while it counts, the user is no member, and could not be told of its
    // removal.
    let act = room.moderation.finish(ticket);
    if let Some(PendingAct::Rename(name)) = &act {
        chat.rooms.end_promise(name);
    }
    if refused.is_none() && matches!(outcome, Appended::Duplicate { .. }) {
        send::on_duplicate(chat, &sender);
    }
    let may_be_there = matches!(outcome, Appended::Undecided | Appended::Duplicate { .. });
    let refusal = match outcome {
        Appended::Stored(record) => {
            record_stored::on_stored(chat, key, record, Some(sender));
            room_end::on_answered_outside(chat, key);
            return moderation::on_answered(chat, key, act);
        }
        // The other node's record is told later: with the next attempt it is there.
        Appended::Duplicate { seq, .. } if seq > chat.rooms[key].head => faults::undecided(),
        Appended::Duplicate { seq, at } => {
            chat.context.stats.duplicates += 1;
            // At the place of the first one: what the connection has not been shown yet comes
            // before the answer.
            chat.delivery_mut().answer_at(key, sender, seq, at);
            direct::retract(chat, key);
            return moderation::on_answered(chat, key, act);
        }
        Appended::Conflict { seq } => {
            Refusal::new(Code::CidConflict, "this cid belongs to another message")
                .field("cid", "an id that was not used in this room before")
                .hint(Some(format!("seq {seq}")))
        }
        Appended::NoSuchMessage
        | Appended::NotYours
        | Appended::TooOld
        | Appended::TooLarge(_)
        | Appended::NoSuchReference(_)
        | Appended::InThread(_) => edits::refusal_of(chat, key, &outcome),
        Appended::Refused(LogFault::Taken) if matches!(act, Some(PendingAct::Rename(_))) => {
            rename::taken()
        }
        Appended::Refused(fault) => refusal_of(fault),
        Appended::Undecided => faults::undecided(),
        Appended::Stale => {
            moderation::on_answered(chat, key, act);
            return stale_rights::on_stale(chat, key, sender, again);
        }
        Appended::Unknown => refused.unwrap_or_else(|| refusal_of(LogFault::Broken)),
    };
    chat.context.reply(sender.conn, sender.request, Err(refusal));
    // Otherwise the message would be in a conversation of nobody.
    if !may_be_there {
        direct::retract(chat, key);
    }
    moderation::on_answered(chat, key, act);
    room_end::on_answered_outside(chat, key);
}

/// A change of the members is written, or could not be.
fn on_synced(chat: &mut Chat, ticket: Ticket, outcome: Result<(), LogFault>) {
    let Some(op) = chat.finish(ticket) else { return };
    let (fault, outcome) = (outcome, outcome.map_err(refusal_of));
    let (by, result) = match op {
        PendingOp::Join { mut by, room, epoch, position } => {
            // Another node was first, or has dropped the room: who comes again finds it as it is.
            let is_other = fault == Err(LogFault::Taken);
            let outcome = if is_other { Err(refusal_of(LogFault::Busy)) } else { outcome };
            let result = join::on_join_synced(chat, &mut by, (room, epoch, position), outcome);
            (by, result)
        }
        PendingOp::Leave { mut by, room, ends } => {
            chat.rooms[room].moderation.finish(ticket);
            let result = leave::on_leave_synced(chat, &mut by, (room, ends), outcome);
            (by, result)
        }
        PendingOp::Close { mut by, room, farewell } => {
            chat.rooms[room].moderation.finish(ticket);
            // Who asks again is judged by what another node has changed.
            let is_other = fault == Err(LogFault::Taken);
            let outcome = if is_other { Err(refusal_of(LogFault::Busy)) } else { outcome };
            let result = close::on_synced(chat, &mut by, (room, *farewell), outcome);
            (by, result)
        }
        PendingOp::Invite { by, room, invitation } => {
            let result = invitations::on_synced(chat, &by, (room, *invitation), outcome);
            (by, result)
        }
        PendingOp::Marks { room, epoch, written } => {
            return ack::on_synced(chat, (room, epoch), written, fault);
        }
        PendingOp::People(op, names) => {
            return people::on_written(chat, (*op, &*names), outcome);
        }
        PendingOp::Forget { room } => return forget::on_settled(chat, room, fault.is_ok()),
        PendingOp::Append { .. }
        | PendingOp::Question { .. }
        | PendingOp::Ack { .. }
        | PendingOp::Deferred(_)
        | PendingOp::Report { .. }
        | PendingOp::Export { .. }
        | PendingOp::Audit { .. }
        | PendingOp::Thread { .. }
        | PendingOp::Threads { .. }
        | PendingOp::Directory { .. }
        | PendingOp::Page(_)
        | PendingOp::History { .. }
        | PendingOp::Inbox { .. }
        | PendingOp::LeaveAsLast { .. }
        | PendingOp::BeforeClose { .. }
        | PendingOp::Hash(_)
        | PendingOp::Claim { .. }
        | PendingOp::Waiting(_)
        | PendingOp::Load(_)
        | PendingOp::Unread { .. }
        | PendingOp::Search { .. } => return debug_assert!(false, "only changes are synced"),
    };
    chat.answer(by, result);
}

/// Something was read, or could not be.
#[expect(clippy::too_many_lines, reason = "some lines for each operation")]
fn on_read(chat: &mut Chat, ticket: Ticket, outcome: Result<log::Answer, LogFault>) {
    let Some(op) = chat.finish(ticket) else { return };
    // Ended also for an answer that has failed, or the changes would be kept for a reading that
    // never ends.
    let changes = op.since().map_or(Some(Vec::new()), |since| chat.pending.changes.end(since));
    // Too much was changed meanwhile to know what of it is in the answer.
    let outcome = outcome.and_then(|answer| Ok((answer, changes.ok_or(LogFault::Busy)?)));
    let (by, result) = match op {
        // Changes that were told meanwhile are not made to pages: `Pages` has one that was changed
        // read again.
        PendingOp::Page(id) => return on_page(chat, id, outcome),
        PendingOp::Unread { user, room, seq } => {
            let outcome = outcome.map(|(answer, _)| answer);
            return push::on_counted(chat, (&user, room, seq), outcome);
        }
        PendingOp::Load(tickets) => {
            return load_replies::on_loaded(chat, tickets, outcome.map(|(answer, _)| answer));
        }
        PendingOp::History { mut by, room, part, .. } => {
            let result = excerpt(outcome)
                .and_then(|excerpt| history::on_read(chat, &mut by, (room, part), excerpt));
            (by, result)
        }
        PendingOp::Inbox { by, inbox, .. } => (by, inbox_of(chat, *inbox, outcome)),
        PendingOp::LeaveAsLast { mut by, room, .. } => {
            let result = match outcome {
                Ok((log::Answer::Inbox(found), _)) => {
                    let messages = found.first().map_or(0, |found| found.unread);
                    leave::on_counted(chat, &mut by, room, messages)
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::BeforeClose { by, room, .. } => {
            let result = match outcome {
                Ok((log::Answer::Inbox(found), _)) => {
                    let messages = found.first().map_or(0, |found| found.unread);
                    Err(close::loss(chat, room, messages))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::Search { by, here, .. } => {
            let result = match outcome {
                Ok((log::Answer::Found { items, next }, changes)) => {
                    Ok(search::found(chat, by.user, (here, items, next), &changes))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result.map(Answer::Now))
        }
        PendingOp::Audit { by } => (by, acts(outcome).map(Answer::Now)),
        PendingOp::Directory { mut by, page } => {
            let result = match outcome {
                Ok((log::Answer::Rooms { rooms, next }, _)) => {
                    Ok(directory::on_read(chat, &mut by, *page, (rooms, next)))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::Export { by, .. } => {
            let result = match outcome {
                Ok((log::Answer::Written { items, next }, changes)) => {
                    Ok(export::on_read(chat, &by, (items, next, changes)))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::Thread { by, room, thread, .. } => {
            let result = match outcome {
                Ok((log::Answer::Thread(page), changes)) => {
                    threads::on_read(chat, &by, (room, thread), (page, &changes))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::Threads { by, .. } => {
            let result = match outcome {
                Ok((log::Answer::Threads(found), changes)) => {
                    Ok(threads::on_listed(chat, &by, (found, &changes)))
                }
                outcome => Err(refusal_of(fault_of(outcome))),
            };
            (by, result)
        }
        PendingOp::Report { mut by, room, report, .. } => {
            let result = excerpt(outcome)
                .and_then(|excerpt| reports::on_read(chat, &mut by, (room, *report), excerpt));
            (by, result)
        }
        PendingOp::Append { .. }
        | PendingOp::Question { .. }
        | PendingOp::Ack { .. }
        | PendingOp::Marks { .. }
        | PendingOp::Deferred(_)
        | PendingOp::Join { .. }
        | PendingOp::Leave { .. }
        | PendingOp::Close { .. }
        | PendingOp::Hash(_)
        | PendingOp::Claim { .. }
        | PendingOp::People(..)
        | PendingOp::Waiting(_)
        | PendingOp::Forget { .. }
        | PendingOp::Invite { .. } => return debug_assert!(false, "a change is not read"),
    };
    chat.answer(by, result);
}

/// What was read, with the changes that were told since it was asked for.
type ReadOutcome = Result<(log::Answer, Vec<Change>), LogFault>;

fn inbox_of(chat: &Chat, inbox: PartialInbox, outcome: ReadOutcome) -> Result<Answer, Refusal> {
    match outcome {
        Ok((log::Answer::Inbox(found), changes)) => {
            Ok(Answer::Now(inbox::on_read(chat, inbox, found, &changes)))
        }
        outcome => Err(refusal_of(fault_of(outcome))),
    }
}

fn acts(outcome: ReadOutcome) -> Result<Reply, Refusal> {
    match outcome {
        Ok((log::Answer::Acts { acts: items, more }, _)) => Ok(Reply::Audit { items, more }),
        outcome => Err(refusal_of(fault_of(outcome))),
    }
}

fn excerpt(outcome: ReadOutcome) -> Result<Excerpt, Refusal> {
    match outcome {
        Ok((log::Answer::Records { records, as_of }, changes)) => {
            Ok(Excerpt { records, as_of, changes })
        }
        outcome => Err(refusal_of(fault_of(outcome))),
    }
}

/// The fault of a reading that has failed, or whose answer is of another kind than its question.
fn fault_of(outcome: ReadOutcome) -> LogFault {
    outcome.err().unwrap_or(LogFault::Broken)
}

/// A page for lagging cursors was read, or could not be: then they try again in a while.
fn on_page(chat: &mut Chat, id: PageId, outcome: ReadOutcome) {
    let Ok((log::Answer::Records { mut records, .. }, _)) = outcome else {
        let waiting = chat.delivery.pages.on_failed(id);
        return retry_later(chat, waiting);
    };
    // `None` if the room was dropped while its page was read.
    let key = chat.rooms.of_log(id.0);
    let oldest = key.map_or(0, |key| chat.rooms[key].oldest());
    let wanted = oldest.max(id.1);
    apply_pruning(&mut records, oldest);
    // A page without the record that was asked for would be asked for again at once, and spin.
    let is_there = records.first().is_some_and(|first| first.seq <= wanted);
    let waiting = chat.delivery.pages.on_page(id, records);
    if !is_there {
        return retry_later(chat, waiting);
    }
    for conn in waiting {
        match key {
            Some(key) => chat.bring_up_room(conn, key),
            None => chat.bring_up(conn),
        }
    }
    chat.request_pages();
}

fn retry_later(chat: &mut Chat, waiting: Vec<ConnId>) {
    if chat.delivery.stuck.is_empty() && !waiting.is_empty() {
        let deadline = chat.context.now.tick.after(PAGE_RETRY);
        chat.context.wheel.arm(deadline, Timer::RetryPages);
    }
    // One timer for all: it was armed by the first of them.
    chat.delivery.stuck.extend(waiting);
}

/// The oldest records of a log are gone from the store: everything that has copies of them is told
/// here. What is being read meanwhile is pruned when it arrives.
fn on_pruned(chat: &mut Chat, log: LogId, oldest: u64) {
    if let Some(key) = chat.rooms.of_log(log) {
        let rev = chat.context.next_rev();
        chat.rooms.prune(key, oldest, rev);
        chat.delivery.pages.prune(log, oldest);
    }
}
