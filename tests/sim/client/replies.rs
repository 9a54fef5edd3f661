//! What a client makes of answers.

use std::time::Duration;

use serde_json::Value;

use super::requests::Seen;
use super::{Client, Connection, Context, Draft, Pending, Target};
use crate::history::{Answer, Check, Known, People, View, items, number, text};
use crate::plan::MODERATED_ROOM;

/// Codes of what another session of the user may have ended meanwhile.
const NO_SUCH_ROOM: u64 = 3001;
const NOT_MEMBER: u64 = 3003;
const NO_SUCH_MESSAGE: u64 = 4002;
const SEQ_UNAVAILABLE: u64 = 4003;
const EPOCH_CHANGED: u64 = 4004;
const TOO_MANY_SESSIONS: u64 = 3012;
const RATE_LIMITED: u64 = 5001;
const BUSY: u64 = 5004;
const STORAGE_FULL: u64 = 5005;
const SHUTTING_DOWN: u64 = 5006;

impl Client {
    pub(super) fn reply(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        value: &Value,
    ) -> Check {
        let code = number(value, "code")?;
        let Some(id) = value.get("id").and_then(Value::as_u64) else {
            conn.errors_due = match conn.errors_due.checked_sub(1) {
                Some(rest) => rest,
                None if conn.hostile => 0,
                None => return Err("an error that nothing has caused".to_owned()),
            };
            return Ok(());
        };
        let pending = conn.pending.remove(&id).ok_or("an answer to nothing that was asked")?;
        let data = value.get("data").ok_or("an answer without data")?;
        if matches!(pending, Pending::Wrong) && code == 0 {
            return Err(format!("{pending:?} was answered with {code}"));
        }
        match (code, pending) {
            (0, pending) => self.succeeded(conn, context, pending, data),
            (_, Pending::Wrong) => Ok(()),
            (code, pending) => self.refused(conn, context, pending, (code, data)),
        }
    }

    fn refused(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        pending: Pending,
        (code, data): (u64, &Value),
    ) -> Check {
        if conn.hostile {
            // What it has sent may have swallowed what it asks for.
            return Ok(());
        }
        let is_view = pending.room().is_some_and(|room| conn.views.contains_key(room));
        match code {
            BUSY | STORAGE_FULL | SHUTTING_DOWN | RATE_LIMITED
                if context.plan.may_refuse(code, context.now) =>
            {
                let wait = number(data, "retry_after_ms")?;
                self.try_later(conn, context, pending, Duration::from_millis(wait));
                Ok(())
            }
            TOO_MANY_SESSIONS if matches!(pending, Pending::Hello { .. }) => {
                self.say_bye(conn, context);
                Ok(())
            }
            _ if pending.room() == Some(MODERATED_ROOM)
                && self.may_be_refused_there(context.history, code, (&pending, is_view)) =>
            {
                if let Pending::Send(draft) = pending {
                    self.outbox.retain(|waiting| waiting.text != draft.text);
                }
                Ok(())
            }
            _ if Self::may_be_unnamed(context.history, code, &pending) => Ok(()),
            // It was about the log that was there before.
            SEQ_UNAVAILABLE | EPOCH_CHANGED
                if context.plan.nodes > 1
                    && pending.room().is_some_and(|room| context.history.is_cut(room)) =>
            {
                Ok(())
            }
            NO_SUCH_MESSAGE if matches!(pending, Pending::Change { .. }) => Ok(()),
            NO_SUCH_ROOM | NOT_MEMBER if !is_view || pending.was_elsewhere() => {
                if let Pending::Send(draft) = pending {
                    // What cannot be said there any more is not said.
                    self.outbox.retain(|waiting| waiting.text != draft.text);
                }
                Ok(())
            }
            _ => Err(format!("{pending:?} was refused")),
        }
    }

    /// Does again later what was too much at once.
    fn try_later(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        pending: Pending,
        wait: Duration,
    ) {
        match pending {
            Pending::Hello { .. } => conn.said_hello = false,
            // It may be in the log, and without a `cid` it would be there twice.
            Pending::Send(draft) if draft.cid.is_none() && context.plan.nodes > 1 => {
                self.outbox.retain(|waiting| waiting.text != draft.text);
            }
            Pending::Send(draft) => {
                let not_before = context.now.after(wait);
                for waiting in &mut self.outbox {
                    if waiting.text == draft.text {
                        waiting.sent = false;
                        waiting.not_before = not_before;
                    }
                }
            }
            _ => {}
        }
    }

    fn succeeded(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        pending: Pending,
        data: &Value,
    ) -> Check {
        match pending {
            Pending::Hello { known, resumes } => {
                self.welcomed((conn, context), (&known, resumes), data)
            }
            Pending::Change { room, target, new } => {
                changed(self, conn, context, (&room, target, new.as_deref()), data)
            }
            Pending::Create { known } => {
                context.history.entered(MODERATED_ROOM, &self.name, &known);
                self.joined(conn, context, (MODERATED_ROOM.to_owned(), None), data)
            }
            pending @ (Pending::CreateNamed { .. }
            | Pending::Rename { .. }
            | Pending::Profiles { .. }) => self.succeeded_in_naming((conn, context), pending, data),
            Pending::Moderation { reason, .. } => {
                let answer = answer_of(data, false)?;
                let said = ("moderation", &*self.name, &*reason);
                place(conn, context, (MODERATED_ROOM, answer), said, data)
            }
            Pending::Join { room, after, known } => {
                if room == MODERATED_ROOM {
                    context.history.check_invited(&self.name)?;
                }
                context.history.entered(&room, &self.name, &known);
                let upto = known.heads;
                let joined = self.joined(conn, context, (room.clone(), after), data);
                // What others have seen at another node this one may not know yet.
                if let Some(view) = conn.views.get_mut(&room).filter(|_| context.plan.nodes == 1) {
                    view.upto = upto.get(&view.log).copied().unwrap_or(0);
                }
                joined
            }
            Pending::Leave { room } => {
                context.history.left(&room, &self.name);
                // The event follows, and ends the subscription.
                (text(data, "room")? == room).then_some(()).ok_or_else(|| "another room".to_owned())
            }
            Pending::Send(draft) => self.sent(conn, context, &draft, data),
            Pending::Topic { room, text } => {
                let answer = answer_of(data, false)?;
                place(conn, context, (&room, answer), ("topic", &self.name, &text), data)
            }
            Pending::Ack { room, read, known } => {
                self.acked((conn, context), (room, read, &known), data)
            }
            Pending::Presence { room } => {
                let view = conn.views.get_mut(&room);
                view.map_or(Ok(()), |view| view.people.state(data))
            }
            Pending::Members { .. } => items(data, "users").map(|_| ()),
            Pending::History { room, bounds, known } => {
                self.paged((conn, context), (&room, bounds), &known, data)
            }
            Pending::Rooms { seen, rev, known } => {
                self.inbox(conn, context, (&seen, rev, &known), data)
            }
            Pending::Status { away } => {
                self.said_away(conn, away);
                Ok(())
            }
            Pending::About { .. } | Pending::Act | Pending::Other | Pending::Wrong => Ok(()),
        }
    }

    /// What the session has said of itself is known when no other `status` is under way.
    fn said_away(&mut self, conn: &mut Connection, away: bool) {
        conn.away = away;
        let is_open = |pending: &Pending| matches!(pending, Pending::Status { .. });
        self.away = (!conn.pending.values().any(is_open)).then_some(away);
    }

    fn welcomed(
        &mut self,
        (conn, context): (&mut Connection, &mut Context<'_>),
        (known, resumes): (&Known, bool),
        data: &Value,
    ) -> Check {
        if text(data, "user")? != self.name {
            return Err("welcomed as somebody else".to_owned());
        }
        self.session = Some(text(data, "session")?.to_owned());
        conn.greeted = true;
        context.links[conn.link].story.greeted = true;
        // What a session has said of itself holds after a resume.
        if data["resumed"] != true {
            if resumes {
                return Err("a session that can be resumed was not".to_owned());
            }
            self.away = Some(false);
        }
        match self.away {
            Some(away) => conn.away = away,
            None => self.ask_status(conn, context, false),
        }
        let none = serde_json::Map::new();
        let rooms = data.get("rooms").and_then(Value::as_object).unwrap_or(&none);
        if rooms.len() != self.positions.len() {
            return Err(format!("{} positions were given", self.positions.len()));
        }
        for (room, how) in rooms {
            let Some((epoch, seq)) = self.positions.get(room).cloned() else {
                return Err(format!("{room} was not asked for"));
            };
            if how.get("code").is_some() {
                // Left meanwhile on another session. That there is a direct conversation is not
                // told to who is not in it, and only a message makes one.
                let is_kept_out =
                    room == MODERATED_ROOM && how["code"].as_u64().is_some_and(Self::may_keep_out);
                let is_gone = how["code"] == NO_SUCH_ROOM
                    || (how["code"] == NOT_MEMBER && !room.starts_with('@'));
                let is_member = context.history.is_surely_in(room, &self.name, known);
                if is_member || !(is_kept_out || is_gone) {
                    return Err(format!("{room} at {seq} of {epoch} is refused: {how}"));
                }
                let log = context.history.log(room, &epoch);
                context.history.forget_read(log, &self.name);
                self.positions.remove(room);
                conn.acked.remove(room);
                continue;
            }
            let mut view = resumed(context, room, (&epoch, seq), how)?;
            view.upto = known.heads.get(&view.log).copied().unwrap_or(0);
            view.people.marks(how, &self.name)?;
            conn.views.insert(room.clone(), view);
            self.look_around(conn, context, room);
        }
        context.trace.told.resumed += rooms.len();
        Ok(())
    }

    pub(super) fn joined(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        (room, after): (String, Option<(String, u64)>),
        data: &Value,
    ) -> Check {
        let log = context.history.log(&room, text(data, "epoch")?);
        let (head, oldest) = (number(data, "seq")?, number(data, "oldest")?);
        if oldest > head + 1 || number(data, "read")? > number(data, "recv")? {
            return Err("marks out of order".to_owned());
        }
        let is_reset = data.get("reset").is_some();
        let same_epoch =
            after.as_ref().is_some_and(|(epoch, _)| *epoch == context.history.epoch(log));
        if after.is_some() && same_epoch == is_reset {
            return Err("a reset exactly if the epoch is another".to_owned());
        }
        let mut view = match after {
            Some((_, seq)) if !is_reset => View::new(log, seq + 1, true),
            _ => View::new(log, head + 1, false),
        };
        view.people = People::at(number(data, "v")?);
        view.people.marks(data, &self.name)?;
        conn.acked.insert(room.clone(), (number(data, "recv")?, number(data, "read")?));
        conn.views.insert(room.clone(), view);
        self.look_around(conn, context, &room);
        Ok(())
    }

    fn sent(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        draft: &Draft,
        data: &Value,
    ) -> Check {
        self.outbox.retain(|waiting| waiting.text != draft.text);
        let answer = answer_of(data, draft.echo)?;
        if answer.dup && draft.cid.is_none() {
            return Err("a message without a cid was known already".to_owned());
        }
        context.trace.told.dups += usize::from(answer.dup);
        let seq = answer.seq;
        if let Some(view) = conn.views.get(text(data, "room")?) {
            let epoch = context.history.epoch(view.log).to_owned();
            self.mine.push((text(data, "room")?.to_owned(), epoch, seq));
        }
        if draft.cid.is_some() {
            self.answered = Some(draft.clone());
        }
        let room = text(data, "room")?;
        let right = match &draft.target {
            Target::Room(target) => target == room,
            Target::User(user) => room.contains(user.as_str()) && room.starts_with('@'),
        };
        if !right {
            return Err(format!("it went to {room}"));
        }
        place(conn, context, (room, answer), ("message", &self.name, &draft.text), data)
    }

    fn paged(
        &self,
        (conn, context): (&Connection, &mut Context<'_>),
        (room, (above, below)): (&str, (u64, u64)),
        known: &Known,
        data: &Value,
    ) -> Check {
        if room == MODERATED_ROOM {
            context.history.check_invited(&self.name)?;
        }
        let log = context.history.log(room, text(data, "epoch")?);
        let items = items(data, "items")?;
        // What this connection was told before the answer must be in it, too.
        let told = conn.views.get(room).filter(|view| view.log == log).map(|view| view.next - 1);
        let heads = if context.plan.nodes == 1 { known.heads.get(&log).copied() } else { None };
        let upto = heads.max(told).unwrap_or(0);
        let mut last = None;
        for item in items {
            let seq = number(item, "seq")?;
            if last.is_some_and(|last| last + 1 != seq) || seq <= above || seq >= below {
                return Err(format!("{seq} is out of place on a page of {above}..{below}"));
            }
            last = Some(seq);
            context.history.record(log, item, (&self.name, upto), context.now)?;
        }
        let oldest = number(data, "oldest")?;
        let first = items.first().map_or(Ok(oldest), |item| number(item, "seq"))?;
        (first >= oldest).then_some(()).ok_or_else(|| "older than the oldest".to_owned())
    }

    fn inbox(
        &self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        (seen, since, known): (&Seen, u64, &Known),
        data: &Value,
    ) -> Check {
        let rev = number(data, "rev")?;
        if rev < since {
            return Err(format!("rev went back from {since}"));
        }
        conn.rev = conn.rev.max(rev);
        conn.inbox.clear();
        for row in items(data, "rooms")? {
            let room = text(row, "room")?;
            let (seq, recv, read) =
                (number(row, "seq")?, number(row, "recv")?, number(row, "read")?);
            if read > recv || recv > seq || number(row, "unread")? > seq - read {
                return Err(format!("marks out of order: {row}"));
            }
            let log = context.history.log(room, text(row, "epoch")?);
            // It shows what was so when it was asked for, or later.
            if seen.get(room).is_some_and(|&(of, next)| of == log && next > seq + 1) {
                return Err(format!("{row} is behind what was seen of it"));
            }
            if let Some(last) = row.get("last").filter(|last| !last.is_null()) {
                context.history.check_preview(log, last)?;
            }
            let unread = number(row, "unread")?;
            context.history.check_unread((log, &self.name), (read, seq), unread)?;
            if context.plan.nodes == 1 {
                context.history.check_read((log, &self.name), known, read)?;
            }
            conn.inbox.push(room.to_owned());
        }
        if context.plan.nodes > 1 {
            return Ok(());
        }
        context.history.check_rooms(&self.name, known, &conn.inbox)
    }
}

pub(super) fn answer_of(data: &Value, echo: bool) -> Check<Answer> {
    Ok(Answer { seq: number(data, "seq")?, dup: data.get("dup").is_some(), echo })
}

/// Puts the answer to a `send` in its place.
pub(super) fn place(
    conn: &mut Connection,
    context: &mut Context<'_>,
    (room, answer): (&str, Answer),
    said: (&str, &str, &str),
    data: &Value,
) -> Check {
    let moves = conn.pending.values().any(|pending| {
        matches!(pending, Pending::Join { room: moved, .. } | Pending::Leave { room: moved }
            if moved == room)
    });
    let Some(view) = conn.views.get_mut(room) else { return Ok(()) };
    // A change without effect has no record of its own, and names one that was shown before.
    if answer.dup && said.0 != "message" {
        let is_shown = moves || answer.seq < view.next;
        return is_shown.then_some(()).ok_or_else(|| format!("{data} names what was not shown"));
    }
    if !moves {
        view.answer(answer)?;
    } else if view.answer(answer).is_err() {
        return Ok(());
    }
    context.history.sent(view.log, (answer.seq, number(data, "at")?), said, context.now)
}

/// A message was changed, or deleted.
fn changed(
    client: &Client,
    conn: &mut Connection,
    context: &mut Context<'_>,
    (room, target, new): (&str, u64, Option<&str>),
    data: &Value,
) -> Check {
    let answer = answer_of(data, false)?;
    let Some(log) = conn.views.get(room).map(|view| view.log) else { return Ok(()) };
    let (kind, text) = match new {
        Some(new) => ("edit", new.to_owned()),
        None => ("deletion", crate::history::deletion(room, target)),
    };
    let is_known = answer.seq > target && !answer.dup;
    place(conn, context, (room, answer), (kind, &client.name, &text), data)?;
    if is_known {
        context.history.note_change(log, answer.seq, target, new);
    }
    Ok(())
}

/// How a room goes on for a client that had `seq` of `epoch`.
fn resumed(
    context: &mut Context<'_>,
    room: &str,
    (epoch, seq): (&str, u64),
    how: &Value,
) -> Check<View> {
    if how.get("reset").is_some() {
        let present = text(how, "epoch")?;
        if present == epoch {
            return Err("a reset to the same epoch".to_owned());
        }
        let log = context.history.log(room, present);
        return Ok(View::new(log, number(how, "seq")? + 1, false));
    }
    let log = context.history.log(room, epoch);
    let from = number(how, "from")?;
    if let Some(gap) = how.get("gap") {
        let first = gap.get(0).and_then(Value::as_u64);
        let last = gap.get(1).and_then(Value::as_u64);
        if first != Some(seq + 1) || last.map(|last| last + 1) != Some(from) {
            return Err(format!("{room} goes on at {from} behind {seq}"));
        }
        context.trace.told.gaps += 1;
        if how.get("why").and_then(Value::as_str) == Some("pruned") {
            return Ok(View::behind_gap(log, from));
        }
    } else if from != seq + 1 || number(how, "to")? < seq {
        return Err(format!("{room} goes on at {from} behind {seq}"));
    }
    Ok(View::new(log, from, true))
}
