//! What a client is told to do when the world comes to its end.

use chinwag::chat::Op;
use chinwag::wire::client::Field;

use super::{Client, ClientState, Connection, Context, Pending};
use crate::codec::Kind;
use crate::plan::MODERATED_ROOM;

impl Client {
    /// Does something with the connection if it was welcomed.
    fn with_connection(
        &mut self,
        context: &mut Context<'_>,
        does: impl FnOnce(&mut Self, &mut Connection, &mut Context<'_>),
    ) {
        let life = std::mem::replace(&mut self.state, ClientState::Offline { until: context.now });
        match life {
            ClientState::Online(mut conn) => {
                if conn.greeted && !conn.closing {
                    does(self, &mut conn, context);
                }
                self.state = ClientState::Online(conn);
            }
            away @ ClientState::Offline { .. } => self.state = away,
        }
    }

    /// Acknowledges everything that it has.
    pub(crate) fn read_all(&mut self, context: &mut Context<'_>) {
        if self.kind == Kind::Events {
            return;
        }
        self.with_connection(context, |client, conn, context| {
            let rooms: Vec<String> = conn.views.keys().cloned().collect();
            for room in rooms {
                client.ack(conn, context, &room);
            }
        });
    }

    /// Asks which rooms the user is in.
    pub(crate) fn ask_rooms(&mut self, context: &mut Context<'_>) {
        if matches!(self.kind, Kind::Text | Kind::Events) {
            return;
        }
        self.with_connection(context, Self::ask_inbox);
    }

    /// Asks what all users say of themselves.
    pub(crate) fn ask_whois(&mut self, context: &mut Context<'_>) {
        self.with_connection(context, Self::ask_profiles);
    }

    /// Leaves every room that the user is in.
    pub(crate) fn leave_all(&mut self, context: &mut Context<'_>) {
        self.with_connection(context, |client, conn, context| {
            for room in std::mem::take(&mut conn.inbox) {
                // The last one of a private room says so; it is refused while others are there.
                let closes = room == MODERATED_ROOM && client.rng.once_in(2);
                let fields = [("room", Field::Text(&room)), ("close", Field::Flag(closes))];
                context.history.leaving(&room, &client.name);
                let pending = Pending::Leave { room: room.clone() };
                client.ask(conn, context, (Op::Leave, &fields), pending);
            }
        });
    }

    /// Says goodbye and does not come back.
    pub(crate) fn say_goodbye(&mut self, context: &mut Context<'_>) {
        self.with_connection(context, Self::say_bye);
    }
}
