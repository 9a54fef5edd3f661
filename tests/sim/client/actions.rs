//! What a client does of its own accord.

use chinwag::chat::Op;
use chinwag::time::Tick;
use chinwag::wire::client::Field;
use chinwag::ws;

use super::{Behaviour, Client, Connection, Context, Draft, Pending, Target};
use crate::codec::Kind;
use crate::plan::{MODERATED_ROOM, RENAMED_ROOM};

/// Requests that a client has under way before it asks for more.
const ASKED_MAX: usize = 6;

impl Client {
    pub(super) fn act(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if self.kind == Kind::Events {
            return;
        }
        if self.kind == Kind::Text && conn.next_id == 0 {
            return self.type_something(conn, context);
        }
        if !conn.greeted && self.kind != Kind::Text {
            if self.behaviour == Behaviour::Normal && self.rng.once_in(4_000) {
                self.violate_protocol(conn, context);
            }
            return;
        }
        self.send_outbox(conn, context);
        if self.behaviour != Behaviour::Normal
            || conn.pending.len() > ASKED_MAX
            || conn.out.len() > 8_192
        {
            return;
        }
        if !self.rng.once_in(context.plan.pace) {
            return;
        }
        if self.kind == Kind::Text {
            return self.type_something(conn, context);
        }
        match self.some_room(conn) {
            Some(room) => self.act_in(room, conn, context),
            None => self.join(conn, context),
        }
    }

    /// Does something in a room, or something that has to do with no room.
    fn act_in(&mut self, room: String, conn: &mut Connection, context: &mut Context<'_>) {
        if context.plan.nodes > 1 && self.rng.once_in(10) {
            return match self.rng.below(5) {
                0..3 => self.rename(conn, context),
                3 => self.change_profile(conn, context),
                _ => self.ask_profiles(conn, context),
            };
        }
        match self.rng.below(120) {
            0..50 => self.say(Target::Room(room), context),
            50..60 => self.moderate(conn, context),
            60..66 => {
                let to = crate::plan::Plan::some_user(&mut self.rng);
                if to != self.name {
                    self.say(Target::User(to), context);
                }
            }
            66..78 => self.ack(conn, context, &room),
            78..84 => self.join(conn, context),
            // Nobody leaves it, so that it stays the same room.
            84..86 if room == RENAMED_ROOM => {}
            84..86 => {
                let closes = room == MODERATED_ROOM && self.rng.once_in(2);
                let fields = [("room", Field::Text(&room)), ("close", Field::Flag(closes))];
                context.history.leaving(&room, &self.name);
                self.ask(
                    conn,
                    context,
                    (Op::Leave, &fields),
                    Pending::Leave { room: room.clone() },
                );
            }
            86..92 => {
                let fields = [("room", Field::Text(&room))];
                let pending = Pending::About { room: room.clone() };
                self.ask(conn, context, (Op::Typing, &fields), pending);
            }
            92..96 => {
                let away = self.rng.once_in(2);
                self.ask_status(conn, context, away);
            }
            96..102 => self.page(conn, context, &room),
            102..104 => self.look_around(conn, context, &room),
            104..106 => {
                let fields = [("room", Field::Text(&room))];
                let pending = Pending::Members { room: room.clone() };
                self.ask(conn, context, (Op::Members, &fields), pending);
            }
            106..109 => self.ask_inbox(conn, context),
            109..111 => self.ask(conn, context, (Op::Ping, &[]), Pending::Other),
            111..113 if room != RENAMED_ROOM => self.change_topic(conn, context, &room),
            113..115 => self.send_invalid(conn, context),
            115 => self.ask_much(conn, context, &room),
            118 => self.change_one(conn, context),
            117 => {
                if let Some(draft) = self.answered.clone() {
                    self.send(conn, context, &draft);
                }
            }
            116 if self.rng.once_in(6) => self.violate_protocol(conn, context),
            _ => {}
        }
    }

    /// A room that it is in.
    fn some_room(&mut self, conn: &Connection) -> Option<String> {
        let count = conn.views.len();
        (count > 0)
            .then(|| self.rng.index(count))
            .and_then(|nth| conn.views.keys().nth(nth).cloned())
    }

    fn join(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        let room = (*self.rng.pick(context.plan.rooms)).to_owned();
        self.join_room(conn, context, &room);
    }

    pub(super) fn join_room(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
        room: &str,
    ) {
        let joining = |pending: &Pending| matches!(pending, Pending::Join { room: other, .. } if other == room);
        if conn.pending.values().any(joining) {
            return;
        }
        let known = match conn.views.get(room) {
            Some(view) => Some((context.history.epoch(view.log).to_owned(), view.next - 1)),
            None => self.positions.get(room).cloned(),
        };
        let after = known.filter(|_| self.rng.once_in(2));
        let mut fields = vec![("room", Field::Text(room))];
        if let Some((epoch, seq)) = &after {
            fields.extend([("after", Field::Number(*seq)), ("epoch", Field::Text(epoch))]);
        }
        let known = context.history.known(&self.name);
        let pending = Pending::Join { room: room.to_owned(), after: after.clone(), known };
        self.ask(conn, context, (Op::Join, &fields), pending);
    }

    /// Puts something to say into the outbox.
    pub(crate) fn say(&mut self, target: Target, context: &mut Context<'_>) {
        self.said += 1;
        let cid = (!self.rng.once_in(8)).then(|| format!("c{}-{}", self.id, self.said));
        let text = self.some_text(context);
        context.history.say(Some(&self.name), cid.as_deref(), &text, context.now);
        let echo = self.rng.once_in(8);
        let not_before = Tick::ZERO;
        self.outbox.push_back(Draft {
            target,
            text,
            cid,
            echo,
            sent: false,
            in_view: false,
            not_before,
        });
    }

    /// A text that nobody else says.
    fn some_text(&mut self, context: &Context<'_>) -> String {
        let head = format!("{}/{}/{}", self.name, self.id, self.said);
        let pad = match self.rng.below(40) {
            0 => context.plan.message_bytes - head.len() - 2,
            1..6 => self.rng.index(context.plan.message_bytes / 2),
            _ => self.rng.index(60),
        };
        let filling = *self.rng.pick(&["tea and biscuits, ", "é\"\\", "x", "\t\n"]);
        let mut text = head;
        text.push(' ');
        while text.len() + filling.len() <= context.plan.message_bytes && text.len() < pad {
            text.push_str(filling);
        }
        text
    }

    pub(super) fn ack(&mut self, conn: &mut Connection, context: &mut Context<'_>, room: &str) {
        let Some(view) = conn.views.get(room) else { return };
        let seen = view.next - 1;
        let back = if self.behaviour == Behaviour::Normal { self.rng.below(4) } else { 0 };
        let read = seen.saturating_sub(back);
        let fields = [
            ("room", Field::Text(room)),
            ("recv", Field::Number(seen)),
            ("read", Field::Number(read)),
        ];
        let known = context.history.known(&self.name);
        let pending = Pending::Ack { room: room.to_owned(), read, known };
        self.ask(conn, context, (Op::Ack, &fields), pending);
    }

    fn page(&mut self, conn: &mut Connection, context: &mut Context<'_>, room: &str) {
        let next = conn.views.get(room).map_or(1, |view| view.next);
        let seq = self.rng.below(next + 2);
        let (field, bounds) = match self.rng.below(4) {
            0 => (Some("before"), (0, seq)),
            1 => (Some("after"), (seq, u64::MAX)),
            2 => (Some("around"), (0, u64::MAX)),
            _ => (None, (0, u64::MAX)),
        };
        let mut fields = vec![("room", Field::Text(room))];
        fields.extend(field.map(|field| (field, Field::Number(seq))));
        fields.push(("limit", Field::Number(1 + self.rng.below(50))));
        let known = context.history.known(&self.name);
        let pending = Pending::History { room: room.to_owned(), bounds, known };
        self.ask(conn, context, (Op::History, &fields), pending);
    }

    fn change_topic(&mut self, conn: &mut Connection, context: &mut Context<'_>, room: &str) {
        self.said += 1;
        let text = format!("topic of {}/{}/{}", self.name, self.id, self.said);
        context.history.say(Some(&self.name), None, &text, context.now);
        let fields = [("room", Field::Text(room)), ("text", Field::Text(&text))];
        let pending = Pending::Topic { room: room.to_owned(), text: text.clone() };
        self.ask(conn, context, (Op::Topic, &fields), pending);
    }

    /// Changes a message of its own, or deletes it.
    fn change_one(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if self.mine.is_empty() {
            return;
        }
        let (room, epoch, target) = self.rng.pick(&self.mine).clone();
        let is_there = conn.views.get(&room).is_some_and(|v| context.history.epoch(v.log) == epoch);
        if !is_there {
            return;
        }
        if self.rng.once_in(2) {
            let text = crate::history::deletion(&room, target);
            context.history.say(Some(&self.name), None, &text, context.now);
            context.history.ask_change(&room, target, None);
            let fields = [("room", Field::Text(&room)), ("target", Field::Number(target))];
            let pending = Pending::Change { room: room.clone(), target, new: None };
            return self.ask(conn, context, (Op::Delete, &fields), pending);
        }
        self.said += 1;
        let text = format!("edit by {}/{}/{}", self.name, self.id, self.said);
        context.history.say(Some(&self.name), None, &text, context.now);
        context.history.ask_change(&room, target, Some(&text));
        let (to, new) = (("target", Field::Number(target)), ("text", Field::Text(&text)));
        let fields = [("room", Field::Text(&room)), to, new];
        let pending = Pending::Change { room: room.clone(), target, new: Some(text.clone()) };
        self.ask(conn, context, (Op::Edit, &fields), pending);
    }

    /// Asks for more at once than its connection can hold.
    fn ask_much(&mut self, conn: &mut Connection, context: &mut Context<'_>, room: &str) {
        for _ in 0..20 + self.rng.index(60) {
            if self.rng.once_in(4) {
                self.ask_inbox(conn, context);
            } else {
                self.page(conn, context, room);
            }
        }
    }

    /// Says what is no right command.
    fn send_invalid(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        match self.rng.below(4) {
            0 => {
                conn.errors_due += 1;
                self.put(conn, context, "{\"op\":\"send\",");
            }
            1 => {
                conn.errors_due += 1;
                self.put(conn, context, "{\"op\":\"dance\"}");
            }
            2 => self.ask(conn, context, (Op::History, &[]), Pending::Wrong),
            _ => {
                let fields = [("room", Field::Text("NOT A NAME"))];
                self.ask(conn, context, (Op::Join, &fields), Pending::Wrong);
            }
        }
    }

    /// Sends what no client may send.
    fn violate_protocol(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        conn.hostile = true;
        context.links[conn.link].story.hostile = true;
        match (self.kind, self.rng.below(3)) {
            (Kind::Ws | Kind::Deflate, 0) => {
                ws::encode(ws::Opcode::Text, b"{}", None, &mut conn.out);
            }
            (Kind::Ws | Kind::Deflate, 1) => {
                ws::encode(ws::Opcode::Binary, b"{}", Some([1; 4]), &mut conn.out);
            }
            (Kind::Lengths, 0) => conn.out.extend_from_slice(&[9; 64]),
            (_, 1) => {
                for _ in 0..40 {
                    self.put(conn, context, "{");
                }
            }
            _ => {
                for _ in 0..200 {
                    let [byte, ..] = self.rng.bits().to_le_bytes();
                    conn.out.push(byte);
                }
            }
        }
    }

    /// What a person does.
    fn type_something(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        let room = (*self.rng.pick(context.plan.rooms)).to_owned();
        let line = match (conn.next_id, self.rng.below(20)) {
            (0, _) | (_, 0) => format!("/join {room}"),
            (_, 1) => "/who".to_owned(),
            (_, 2) => "/history 10".to_owned(),
            (_, 3) => "/rooms".to_owned(),
            (_, 4) => "/help".to_owned(),
            _ => {
                self.said += 1;
                let text = format!("person {}/{}", self.id, self.said);
                context.history.say(None, None, &text, context.now);
                text
            }
        };
        conn.next_id += 1;
        self.put(conn, context, &line);
    }
}
