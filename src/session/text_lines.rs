//! The lines that a person types.

use super::commands::hello_as;
use super::errors_in_a_row::Answered;
use super::input::Session;
use super::state::Protocol;
use super::text_client::TextClient;
use crate::chat::model::output::Request;
use crate::chat::{Code, Op, Refusal, RequestId};
use crate::net::CloseReason;
use crate::wire::text::{self, Line};
use crate::wire::{Parsed, Refused};

impl Session<'_, '_> {
    /// Does what a person has typed.
    pub(super) fn text_line(&mut self, line: &[u8]) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        let client = plain.text.get_or_insert_with(Box::<TextClient>::default);
        client.has_typed = true;
        let (room, has_spoken) = (client.room.clone(), client.has_spoken);
        let line = text::parse_line(line, room.as_deref(), &self.context.limits);
        let nick = match &line {
            Line::Nick(name) => Some(*name),
            _ => None,
        };
        let conn = self.state.conn;
        if self.turn.chat.user(conn).is_none() {
            self.introduce(nick);
        } else if nick.is_some() && !has_spoken {
            self.turn.chat.handle_closed(self.turn.now, conn);
            self.introduce(nick);
        } else if nick.is_some() {
            let refusal = Refusal::new(Code::NameTaken, "you have spoken under your name");
            let refusal = refusal.field("nick", "a name before you join a room");
            return self.refuse(&Refused { id: None, op: None, refusal });
        }
        match line {
            Line::Nothing | Line::Nick(_) => {}
            Line::Quit => self.close_after_outputs(CloseReason::Bye),
            Line::Command(op, command) => {
                if let Some(client) = self.state.text_client() {
                    client.has_spoken |= matches!(op, Op::Join | Op::Send);
                }
                self.request(Ok((text_request(op), Parsed::Command(command))));
            }
            Line::NoRoom | Line::Help | Line::Unknown(_) | Line::Usage(_) | Line::Refused(_) => {
                self.answer_text(&line);
            }
        }
    }

    /// Answers what a person has typed that is no command for the domain.
    fn answer_text(&mut self, line: &Line<'_>) {
        let mut out = Vec::new();
        text::answer(&mut out, line);
        self.send(out);
        if matches!(line, Line::Help) {
            self.state.errors.on_success(Answered::AtOnce);
        } else {
            self.count_error(Code::UnknownOp);
        }
    }

    /// Says hello for a person.
    pub(super) fn introduce(&mut self, name: Option<&str>) {
        self.hello(text_request(Op::Hello), hello_as(name));
    }
}

/// A person's requests are always answered, so they have an id.
fn text_request(op: Op) -> Request {
    Request { id: Some(RequestId("0".into())), op }
}
