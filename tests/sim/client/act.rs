//! What a client does of its own accord.

use chinwag::chat::Op;
use chinwag::time::Tick;
use chinwag::wire::client::Field;
use chinwag::ws;

use super::{Around, Asked, Client, Draft, Manners, Talk, Target};
use crate::codec::Kind;

/// Requests that a client has under way before it asks for more.
const ASKED_MAX: usize = 6;

impl Client {
    pub(super) fn act(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        if self.kind == Kind::Person && talk.next_id == 0 {
            return self.type_something(talk, around);
        }
        if !talk.greeted && self.kind != Kind::Person {
            if self.manners == Manners::Wild && self.rng.once_in(4_000) {
                self.misbehave(talk, around);
            }
            return;
        }
        self.send_outbox(talk, around);
        if self.manners != Manners::Wild || talk.asked.len() > ASKED_MAX || talk.out.len() > 8_192 {
            return;
        }
        if !self.rng.once_in(around.plan.pace) {
            return;
        }
        if self.kind == Kind::Person {
            return self.type_something(talk, around);
        }
        let Some(room) = self.some_room(talk) else { return self.join(talk, around) };
        match self.rng.below(120) {
            0..50 => self.say(Target::Room(room), around),
            50..60 => self.keep_order(talk, around),
            60..66 => {
                let to = crate::plan::Plan::some_user(&mut self.rng);
                if to != self.name {
                    self.say(Target::User(to), around);
                }
            }
            66..78 => self.ack(talk, around, &room),
            78..84 => self.join(talk, around),
            84..86 => {
                let fields = [("room", Field::Text(&room))];
                around.hist.leaving(&room, &self.name);
                self.ask(talk, around, (Op::Leave, &fields), Asked::Leave { room: room.clone() });
            }
            86..92 => {
                let fields = [("room", Field::Text(&room))];
                let asked = Asked::About { room: room.clone() };
                self.ask(talk, around, (Op::Typing, &fields), asked);
            }
            92..96 => {
                let away = self.rng.once_in(2);
                let fields = [("status", Field::Text(if away { "away" } else { "online" }))];
                self.ask(talk, around, (Op::Status, &fields), Asked::Status { away });
            }
            96..102 => self.page(talk, around, &room),
            102..104 => self.look_around(talk, around, &room),
            104..106 => {
                let fields = [("room", Field::Text(&room))];
                let asked = Asked::Members { room: room.clone() };
                self.ask(talk, around, (Op::Members, &fields), asked);
            }
            106..109 => self.ask_inbox(talk, around),
            109..111 => self.ask(talk, around, (Op::Ping, &[]), Asked::Other),
            111..113 => self.change_topic(talk, around, &room),
            113..115 => self.blunder(talk, around),
            115 => self.ask_much(talk, around, &room),
            118 => self.change_one(talk, around),
            117 => {
                if let Some(draft) = self.answered.clone() {
                    self.send(talk, around, &draft);
                }
            }
            116 if self.rng.once_in(6) => self.misbehave(talk, around),
            _ => {}
        }
    }

    /// A room that it is in.
    fn some_room(&mut self, talk: &Talk) -> Option<String> {
        let count = talk.views.len();
        (count > 0)
            .then(|| self.rng.index(count))
            .and_then(|nth| talk.views.keys().nth(nth).cloned())
    }

    fn join(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        let room = (*self.rng.pick(around.plan.rooms)).to_owned();
        let joining =
            |asked: &Asked| matches!(asked, Asked::Join { room: other, .. } if *other == room);
        if talk.asked.values().any(joining) {
            return;
        }
        let known = match talk.views.get(&room) {
            Some(view) => Some((around.hist.epoch(view.log).to_owned(), view.next - 1)),
            None => self.positions.get(&room).cloned(),
        };
        let after = known.filter(|_| self.rng.once_in(2));
        let mut fields = vec![("room", Field::Text(&room))];
        if let Some((epoch, seq)) = &after {
            fields.extend([("after", Field::Number(*seq)), ("epoch", Field::Text(epoch))]);
        }
        let known = around.hist.known(&self.name);
        let asked = Asked::Join { room: room.clone(), after: after.clone(), known };
        self.ask(talk, around, (Op::Join, &fields), asked);
    }

    /// Puts something to say into the outbox.
    pub(crate) fn say(&mut self, target: Target, around: &mut Around<'_>) {
        self.said += 1;
        let cid = (!self.rng.once_in(8)).then(|| format!("c{}-{}", self.id, self.said));
        let text = self.some_text(around);
        around.hist.say(Some(&self.name), cid.as_deref(), &text, around.now);
        let echo = self.rng.once_in(8);
        let not_before = Tick::ZERO;
        self.outbox.push_back(Draft { target, text, cid, echo, sent: false, not_before });
    }

    /// A text that nobody else says.
    fn some_text(&mut self, around: &Around<'_>) -> String {
        let head = format!("{}/{}/{}", self.name, self.id, self.said);
        let pad = match self.rng.below(40) {
            0 => around.plan.message_bytes - head.len() - 2,
            1..6 => self.rng.index(around.plan.message_bytes / 2),
            _ => self.rng.index(60),
        };
        let filling = *self.rng.pick(&["tea and biscuits, ", "é\"\\", "x", "\u{1}\n"]);
        let mut text = head;
        text.push(' ');
        while text.len() + filling.len() <= around.plan.message_bytes && text.len() < pad {
            text.push_str(filling);
        }
        text
    }

    pub(super) fn ack(&mut self, talk: &mut Talk, around: &mut Around<'_>, room: &str) {
        let Some(view) = talk.views.get(room) else { return };
        let seen = view.next - 1;
        let back = if self.manners == Manners::Wild { self.rng.below(4) } else { 0 };
        let read = seen.saturating_sub(back);
        let fields = [
            ("room", Field::Text(room)),
            ("recv", Field::Number(seen)),
            ("read", Field::Number(read)),
        ];
        let known = around.hist.known(&self.name);
        let asked = Asked::Ack { room: room.to_owned(), read, known };
        self.ask(talk, around, (Op::Ack, &fields), asked);
    }

    fn page(&mut self, talk: &mut Talk, around: &mut Around<'_>, room: &str) {
        let next = talk.views.get(room).map_or(1, |view| view.next);
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
        let known = around.hist.known(&self.name);
        let asked = Asked::History { room: room.to_owned(), bounds, known };
        self.ask(talk, around, (Op::History, &fields), asked);
    }

    fn change_topic(&mut self, talk: &mut Talk, around: &mut Around<'_>, room: &str) {
        self.said += 1;
        let text = format!("topic of {}/{}/{}", self.name, self.id, self.said);
        around.hist.say(Some(&self.name), None, &text, around.now);
        let fields = [("room", Field::Text(room)), ("text", Field::Text(&text))];
        let asked = Asked::Topic { room: room.to_owned(), text: text.clone() };
        self.ask(talk, around, (Op::Topic, &fields), asked);
    }

    /// Changes a message of its own, or deletes it.
    fn change_one(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        if self.mine.is_empty() {
            return;
        }
        let (room, epoch, target) = self.rng.pick(&self.mine).clone();
        let is_there = talk.views.get(&room).is_some_and(|v| around.hist.epoch(v.log) == epoch);
        if !is_there {
            return;
        }
        if self.rng.once_in(2) {
            let text = crate::hist::deletion(&room, target);
            around.hist.say(Some(&self.name), None, &text, around.now);
            around.hist.ask_change(&room, target, None);
            let fields = [("room", Field::Text(&room)), ("target", Field::Number(target))];
            let asked = Asked::Change { room: room.clone(), target, new: None };
            return self.ask(talk, around, (Op::Delete, &fields), asked);
        }
        self.said += 1;
        let text = format!("edit by {}/{}/{}", self.name, self.id, self.said);
        around.hist.say(Some(&self.name), None, &text, around.now);
        around.hist.ask_change(&room, target, Some(&text));
        let (to, new) = (("target", Field::Number(target)), ("text", Field::Text(&text)));
        let fields = [("room", Field::Text(&room)), to, new];
        let asked = Asked::Change { room: room.clone(), target, new: Some(text.clone()) };
        self.ask(talk, around, (Op::Edit, &fields), asked);
    }

    /// Asks for more at once than its connection can hold.
    fn ask_much(&mut self, talk: &mut Talk, around: &mut Around<'_>, room: &str) {
        if around.plan.rate_limited {
            return;
        }
        for _ in 0..20 + self.rng.index(60) {
            if self.rng.once_in(4) {
                self.ask_inbox(talk, around);
            } else {
                self.page(talk, around, room);
            }
        }
    }

    /// Says what is no right command.
    fn blunder(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        match self.rng.below(4) {
            0 => {
                talk.errors_due += 1;
                self.put(talk, around, "{\"op\":\"send\",");
            }
            1 => {
                talk.errors_due += 1;
                self.put(talk, around, "{\"op\":\"dance\"}");
            }
            2 => self.ask(talk, around, (Op::History, &[]), Asked::Wrong),
            _ => {
                let fields = [("room", Field::Text("NOT A NAME"))];
                self.ask(talk, around, (Op::Join, &fields), Asked::Wrong);
            }
        }
    }

    /// Sends what no client may send.
    fn misbehave(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        talk.hostile = true;
        around.links[talk.link].story.hostile = true;
        match (self.kind, self.rng.below(3)) {
            (Kind::Ws | Kind::Deflate, 0) => {
                ws::encode(ws::Opcode::Text, b"{}", None, &mut talk.out);
            }
            (Kind::Ws | Kind::Deflate, 1) => {
                ws::encode(ws::Opcode::Binary, b"{}", Some([1; 4]), &mut talk.out);
            }
            (Kind::Lengths, 0) => talk.out.extend_from_slice(&[9; 64]),
            (_, 1) => {
                for _ in 0..40 {
                    self.put(talk, around, "{");
                }
            }
            _ => {
                for _ in 0..200 {
                    let [byte, ..] = self.rng.bits().to_le_bytes();
                    talk.out.push(byte);
                }
            }
        }
    }

    /// What a person does.
    fn type_something(&mut self, talk: &mut Talk, around: &mut Around<'_>) {
        let room = (*self.rng.pick(around.plan.rooms)).to_owned();
        let line = match (talk.next_id, self.rng.below(20)) {
            (0, _) | (_, 0) => format!("/join {room}"),
            (_, 1) => "/who".to_owned(),
            (_, 2) => "/history 10".to_owned(),
            (_, 3) => "/rooms".to_owned(),
            (_, 4) => "/help".to_owned(),
            _ => {
                self.said += 1;
                let text = format!("person {}/{}", self.id, self.said);
                around.hist.say(None, None, &text, around.now);
                text
            }
        };
        talk.next_id += 1;
        self.put(talk, around, &line);
    }
}
