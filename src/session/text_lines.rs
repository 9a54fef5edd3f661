//! The lines that a person types.

use super::commands::hello_as;
use super::errors_in_a_row::Answered;
use super::input::Session;
use super::state::Protocol;
use super::text_client::{Progress, TextClient};
use crate::chat::{Code, Command, Op, Refusal, RoomName, UserName};
use crate::net::CloseReason;
use crate::wire::text::{self, Line, note};
use crate::wire::{Parsed, Refused};

impl Session<'_, '_> {
    /// Does what a person has typed.
    pub(super) fn text_line(&mut self, line: &[u8]) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        let is_greeted = plain.is_greeted;
        let client = plain.text.get_or_insert_with(Box::<TextClient>::default);
        client.progress = client.progress.max(Progress::Typed);
        let (room, has_spoken) = (client.room.clone(), client.progress == Progress::Spoken);
        let room = room.as_ref().map(RoomName::as_str);
        let line = text::parse_line(line, room, &self.context.limits);
        let nick = match &line {
            Line::Nick(name) => Some(*name),
            _ => None,
        };
        let conn = self.state.conn;
        if self.turn.chat.user(conn).is_none() {
            self.introduce(nick, is_greeted);
        } else if nick.is_some() && !has_spoken {
            self.turn.chat.handle_closed(self.turn.now, conn);
            self.introduce(nick, is_greeted);
        } else if nick.is_some() {
            let message = "others know you by this name; to take another, /quit and connect again";
            let refusal = Refusal::new(Code::NameTaken, message);
            return self.refuse(&Refused { id: None, op: None, refusal });
        }
        match line {
            Line::Nothing | Line::Nick(_) => {}
            Line::Quit => self.close_after_outputs(CloseReason::Bye),
            Line::Command(op, command) => self.typed(op, command),
            Line::Talk(user) => self.talk(user),
            Line::NoRoom(_)
            | Line::Help(_)
            | Line::Unknown(_)
            | Line::Hint(_)
            | Line::Usage(_)
            | Line::Refused(_) => self.answer_text(&line),
        }
    }

    /// Does a command that a person has typed.
    fn typed(&mut self, op: Op, command: Command<'_>) {
        if matches!(op, Op::Join | Op::Create | Op::Send)
            && let Some(client) = self.state.text_client()
        {
            client.progress = Progress::Spoken;
        }
        self.request(Ok((note::typed(op, &command), Parsed::Command(command))));
    }

    /// Lets the lines that follow go to `other`.
    fn talk(&mut self, other: &str) {
        let Some(me) = self.turn.chat.user(self.state.conn) else { return };
        let room = match UserName::parse(other) {
            Ok(other) => RoomName::direct(me, &other),
            Err(error) => {
                let refusal = Refusal::new(Code::BadField, format!("{other} is not a user's name"));
                let refusal = refusal.field("user", error.expected).hint(error.hint);
                return self.refuse(&Refused { id: None, op: None, refusal });
            }
        };
        let join = Command::Join { room: room.as_str().into(), after: None, epoch: None };
        self.typed(Op::Join, join);
    }

    /// Answers what a person has typed that is no command for the domain.
    fn answer_text(&mut self, line: &Line<'_>) {
        let mut out = Vec::new();
        text::answer(&mut out, line);
        self.send(out);
        if matches!(line, Line::Help(_)) {
            self.state.errors.on_success(Answered::AtOnce);
        } else {
            self.count_error(Code::UnknownOp);
        }
    }

    /// Says hello for a person, who perhaps was greeted before.
    pub(super) fn introduce(&mut self, name: Option<&str>, again: bool) {
        self.hello(note::hello(again), hello_as(name));
    }
}
