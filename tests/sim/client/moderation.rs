//! How clients moderate the one room that has an owner, and what they may be refused there.

use chinwag::chat::Op;
use chinwag::wire::client::Field;

use super::{Client, Connection, Context, Pending};
use crate::history::History;
use crate::plan::{MODERATED_ROOM, Plan};

const NO_SUCH_ROOM: u64 = 3001;
const ROOM_EXISTS: u64 = 3002;
const NOT_MEMBER: u64 = 3003;
const FORBIDDEN: u64 = 3004;
const BANNED: u64 = 3005;
const MUTED: u64 = 3006;
const READ_ONLY: u64 = 3007;
const INVITE_ONLY: u64 = 3008;
const NO_SUCH_USER: u64 = 3010;
const BUSY: u64 = 5004;

impl Client {
    /// Makes the room, goes in, or moderates it.
    pub(super) fn moderate(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if !conn.views.contains_key(MODERATED_ROOM) {
            return self.try_to_enter(conn, context);
        }
        if context.plan.nodes > 1 && self.rng.once_in(24) {
            return self.close_room(conn, context);
        }
        let user = Plan::some_user(&mut self.rng);
        self.said += 1;
        let reason = format!("act of {}/{}/{}", self.name, self.id, self.said);
        let for_ms = 1 + self.rng.below(60_000);
        let roles = ["owner", "moderator", "moderator", "member", "member", "reader"];
        let role = *self.rng.pick(&roles);
        let (op, extra) = match self.rng.below(16) {
            0..5 => (Op::Invite, None),
            5..7 => (Op::Kick, None),
            7 => (Op::Ban, Some(("for_ms", Field::Number(for_ms)))),
            8 => (Op::Ban, None),
            9..11 => (Op::Unban, None),
            11 => (Op::Mute, Some(("for_ms", Field::Number(for_ms)))),
            12 => (Op::Mute, None),
            13 => (Op::Mute, Some(("for_ms", Field::Number(0)))),
            _ => (Op::Role, Some(("role", Field::Text(role)))),
        };
        context.history.ask_act(op.name(), &user);
        let mut fields = vec![("room", Field::Text(MODERATED_ROOM)), ("user", Field::Text(&user))];
        fields.extend(extra);
        fields.push(("reason", Field::Text(&reason)));
        let pending = if op == Op::Invite {
            Pending::Act
        } else {
            context.history.say(Some(&self.name), None, &reason, context.now);
            Pending::Moderation { reason: reason.clone() }
        };
        self.ask(conn, context, (op, &fields), pending);
    }

    /// Tries to make the room, to get in, or to look in from outside.
    fn try_to_enter(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        if conn.pending.values().any(|pending| pending.room() == Some(MODERATED_ROOM)) {
            return;
        }
        let room = ("room", Field::Text(MODERATED_ROOM));
        let known = context.history.known(&self.name);
        match self.rng.below(3) {
            0 => {
                let fields = [room, ("private", Field::Flag(true))];
                context.history.ask_act(Op::Create.name(), &self.name);
                self.ask(conn, context, (Op::Create, &fields), Pending::Create { known });
            }
            1 => self.enter_moderated_room(conn, context),
            _ => {
                let bounds = (0, u64::MAX);
                let pending = Pending::History { room: MODERATED_ROOM.to_owned(), bounds, known };
                self.ask(conn, context, (Op::History, &[room]), pending);
            }
        }
    }

    /// Ends the room for all who are in it, if it may.
    fn close_room(&mut self, conn: &mut Connection, context: &mut Context<'_>) {
        context.history.ask_act(Op::Close.name(), &self.name);
        let fields = [("room", Field::Text(MODERATED_ROOM)), ("sure", Field::Flag(true))];
        self.ask(conn, context, (Op::Close, &fields), Pending::Act);
    }

    /// Goes in, if it is let in.
    pub(super) fn enter_moderated_room(
        &mut self,
        conn: &mut Connection,
        context: &mut Context<'_>,
    ) {
        let known = context.history.known(&self.name);
        let pending = Pending::Join { room: MODERATED_ROOM.to_owned(), after: None, known };
        self.ask(conn, context, (Op::Join, &[("room", Field::Text(MODERATED_ROOM))]), pending);
    }

    /// Whether something in the room may be refused with this code; the client has a view of it, or
    /// not.
    pub(super) fn may_be_refused_there(
        &self,
        history: &History,
        code: u64,
        (pending, is_view): (&Pending, bool),
    ) -> bool {
        let is_judged = |op: Op| history.is_act_asked(op.name(), &self.name);
        let is_closed = history.is_any_asked(Op::Close.name());
        match code {
            // Who is about to be put out is told so, and hears of it when it is done.
            NO_SUCH_ROOM | NOT_MEMBER => {
                !is_view || is_closed || is_judged(Op::Kick) || is_judged(Op::Ban)
            }
            BANNED => is_judged(Op::Ban),
            MUTED => is_judged(Op::Mute),
            READ_ONLY => is_judged(Op::Role),
            INVITE_ONLY => !is_view || is_closed,
            BUSY => is_judged(Op::Kick) || is_judged(Op::Ban),
            ROOM_EXISTS => matches!(pending, Pending::Create { .. }),
            NO_SUCH_USER => matches!(pending, Pending::Moderation { .. } | Pending::Act),
            FORBIDDEN => matches!(
                pending,
                Pending::Moderation { .. }
                    | Pending::Act
                    | Pending::Leave { .. }
                    | Pending::Topic { .. }
            ),
            _ => false,
        }
    }

    /// Whether a position in the room may be refused with this code when the client comes back:
    /// busy is for who is just being put out.
    pub(super) const fn may_keep_out(code: u64) -> bool {
        matches!(code, NO_SUCH_ROOM | NOT_MEMBER | BANNED | INVITE_ONLY | BUSY)
    }
}
