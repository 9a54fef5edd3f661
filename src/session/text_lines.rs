//! The lines that a person types.

use super::backlog::PeerEnd;
use super::commands::hello_as;
use super::errors_in_a_row::Answered;
use super::input::Session;
use super::state::Protocol;
use super::text_client::{Progress, TextClient};
use crate::chat::model::command::{Send, Target};
use crate::chat::model::meant_message::Meant;
use crate::chat::model::name::NameError;
use crate::chat::{Code, Command, Op, Refusal, RoomName, UserName};
use crate::wire::text::{self, AccountLine, Change, Line, note};
use crate::wire::{Parsed, Refused};

/// Said of a message that nobody has said lately.
const NONE_MEANT: &str = "no message of lately is meant by this; /history shows them";

impl Session<'_, '_> {
    /// Does what a person has typed, after what has waited.
    pub(super) fn text_line(&mut self, line: &[u8]) {
        self.say_held();
        self.say_line(line);
    }

    /// Does what has waited for the person's hello to be answered; if that was refused, it is
    /// nobody's.
    pub(super) fn say_held(&mut self) {
        let held = self.state.text_client().and_then(|client| client.held.take());
        if let Some(line) = held.filter(|_| self.turn.chat.user(self.state.conn).is_some()) {
            self.say_line(&line);
        }
    }

    fn say_line(&mut self, typed: &[u8]) {
        let Protocol::Tcp(plain) = &mut self.state.protocol else { return };
        let is_first = plain.text.is_none();
        let client = plain.text.get_or_insert_with(Box::<TextClient>::default);
        client.progress = client.progress.max(Progress::Typed);
        let is_account = client.is_account;
        let (room, has_spoken) = (client.room.clone(), client.progress == Progress::Spoken);
        let room = room.as_ref().map(RoomName::as_str);
        let line = text::parse_line(typed, room, &self.context.limits);
        let nick = match &line {
            Line::Nick(name) => Some(*name),
            _ => None,
        };
        let conn = self.state.conn;
        if self.turn.chat.user(conn).is_none() && self.context.limits.auth.needs_proof() {
            return self.stranger(&line, is_first);
        }
        if self.turn.chat.user(conn).is_none() {
            self.introduce(nick);
            let is_held =
                self.turn.chat.user(conn).is_none() && self.turn.chat.pending_of(conn) > 0;
            if is_held && !matches!(line, Line::Nothing | Line::Nick(_) | Line::Quit) {
                if let Some(client) = self.state.text_client() {
                    // The hello waits for the store; what was typed is kept, and done after it.
                    client.held = Some(typed.to_vec());
                }
                return;
            }
        } else if let Some(name) = nick {
            if is_account {
                let message = "your name is that of your account; to come by another, /quit";
                return self.refuse_text(Refusal::new(Code::NameTaken, message));
            }
            if has_spoken {
                let message =
                    "others know you by this name; to take another, /quit and connect again";
                return self.refuse_text(Refusal::new(Code::NameTaken, message));
            }
            // Whoever mistypes a name keeps the one there is.
            if let Err(error) = UserName::parse(name) {
                return self.refuse_text(no_name(name, error));
            }
            // Another name is another user. The one of before has said nothing, and goes.
            self.turn.chat.handle_closed(self.turn.now, conn);
            self.introduce(nick);
        }
        match line {
            Line::Nothing | Line::Nick(_) => {}
            Line::Quit => self.on_leave_taken(PeerEnd::Quit),
            Line::Command(op, command) => self.typed(op, command),
            Line::Talk(user) => self.talk(user),
            Line::Answer(of, send) => self.answer_to(of, send, false),
            Line::InThread(of, send) => self.answer_to(of, send, true),
            Line::Change(of, change) => self.change(of, change),
            Line::Account(account) if self.context.limits.auth.accounts => {
                self.account_of_guest(account, has_spoken || is_account);
            }
            Line::Account(_)
            | Line::NoRoom(_)
            | Line::Help(_)
            | Line::Unknown(_)
            | Line::Hint(_)
            | Line::Usage(_)
            | Line::Refused(_) => self.answer_text(&line),
        }
    }

    /// Does something about an account for a person who has a name already, by which others may
    /// `know` them.
    fn account_of_guest(&mut self, line: AccountLine<'_>, known: bool) {
        if !line.is_entrance() {
            return self.account(line);
        }
        if known {
            let message = "you are in already; to come in as another, /quit and connect again";
            return self.refuse_text(Refusal::new(Code::NameTaken, message));
        }
        self.turn.chat.handle_closed(self.turn.now, self.state.conn);
        self.account(line);
    }

    fn account(&mut self, line: AccountLine<'_>) {
        match line.command() {
            Ok((op, command)) => self.typed(op, command),
            Err(refusal) => self.refuse_text(refusal),
        }
    }

    /// Answers a person who has to say first who they are.
    fn stranger(&mut self, line: &Line<'_>, is_first: bool) {
        if is_first && !matches!(line, Line::Quit | Line::Account(_)) {
            self.ask_who();
        }
        match line {
            Line::Nothing => {}
            Line::Quit => self.on_leave_taken(PeerEnd::Quit),
            Line::Help(_) | Line::Hint(_) | Line::Usage(_) | Line::Unknown(_) => {
                self.answer_text(line);
            }
            Line::Account(account) if account.is_entrance() => self.account(*account),
            // The greeting has said it.
            _ if is_first => {}
            _ => {
                let message = "nobody is told this: log in first, with /login NAME PASSWORD";
                self.refuse_text(Refusal::new(Code::Unauthorized, message));
            }
        }
    }

    /// Does a command that a person has typed.
    fn typed(&mut self, op: Op, command: Command<'_>) {
        // From here on others know the name, and it is not taken back.
        if matches!(op, Op::Join | Op::Create | Op::Send)
            && let Some(client) = self.state.text_client()
        {
            client.progress = Progress::Spoken;
        }
        self.request(Ok((note::typed(op, &command), Parsed::Command(command))));
    }

    /// Says a person's answer to a message of lately, or what belongs into its thread.
    fn answer_to(&mut self, of: Meant<'_>, send: Send<'_>, is_in_thread: bool) {
        let Target::Room(room) = &send.target else { return };
        let Some((seq, thread)) = self.turn.chat.recent_message(self.state.conn, room, of) else {
            return self.refuse_text(Refusal::new(Code::NoSuchMessage, NONE_MEANT));
        };
        let (reply_to, thread) =
            if is_in_thread { (None, Some(thread)) } else { (Some(seq), None) };
        self.typed(Op::Send, Command::Send(Send { reply_to, thread, ..send }));
    }

    /// Changes a message of lately.
    fn change(&mut self, of: Option<Meant<'_>>, change: Change<'_>) {
        let conn = self.state.conn;
        let room = self.state.text_client().and_then(|client| client.room.clone());
        let (Some(room), Some(me)) = (room, self.turn.chat.user(conn)) else { return };
        let of = text::changed(of, me.as_str());
        let Some((seq, _)) = self.turn.chat.recent_message(conn, room.as_str(), of) else {
            return self.refuse_text(Refusal::new(Code::NoSuchMessage, NONE_MEANT));
        };
        let (op, command) = change.command(room.as_str(), seq);
        self.typed(op, command);
    }

    /// Lets the lines that follow go to `other`.
    fn talk(&mut self, other: &str) {
        let Some(me) = self.turn.chat.user(self.state.conn) else { return };
        let room = match UserName::parse(other) {
            Ok(other) => RoomName::direct(me, &other),
            Err(error) => return self.refuse_text(no_name(other, error)),
        };
        let join = Command::Join { room: room.as_str().into(), after: None, epoch: None };
        if let Some(client) = self.state.text_client() {
            client.progress = Progress::Spoken;
        }
        self.request(Ok((note::talk(other), Parsed::Command(join))));
    }

    /// Refuses what a person has typed.
    fn refuse_text(&mut self, refusal: Refusal) {
        self.refuse(&Refused { id: None, op: None, refusal });
    }

    /// Answers a line that is no command for the domain.
    fn answer_text(&mut self, line: &Line<'_>) {
        let mut out = Vec::new();
        let another = self.state.text_client().and_then(|client| client.another_room());
        match (line, another) {
            // Removed from one room, and still in another.
            (Line::NoRoom(_), Some(room)) => {
                let message = format!("this was not said; to go on in {room}, type /join {room}");
                text::refusal(&mut out, &Refusal::new(Code::NotMember, message));
            }
            _ => text::answer(&mut out, line, self.context.limits.auth.accounts),
        }
        self.send(out);
        if matches!(line, Line::Help(_)) {
            self.state.on_success(Answered::AtOnce);
        } else {
            self.count_error(Code::UnknownOp);
        }
    }

    /// Says hello for a person.
    pub(super) fn introduce(&mut self, name: Option<&str>) {
        let again = matches!(&self.state.protocol, Protocol::Tcp(plain) if plain.is_greeted);
        self.hello(note::hello(again), hello_as(name));
    }
}

fn no_name(name: &str, error: NameError) -> Refusal {
    let refusal = Refusal::new(Code::BadField, format!("{name} is not a name"));
    refusal.field("user", error.expected).hint(error.hint)
}
