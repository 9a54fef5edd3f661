//! What a client is told to do when the world comes to its end.

use chinwag::chat::Op;
use chinwag::wire::client::Field;

use super::{Around, Asked, Client, Life, Talk};

impl Client {
    /// Does something with the connection if it was welcomed.
    fn with_talk(
        &mut self,
        around: &mut Around<'_>,
        does: impl FnOnce(&mut Self, &mut Talk, &mut Around<'_>),
    ) {
        let life = std::mem::replace(&mut self.life, Life::Away { until: around.now });
        match life {
            Life::On(mut talk) => {
                if talk.greeted && !talk.closing {
                    does(self, &mut talk, around);
                }
                self.life = Life::On(talk);
            }
            away @ Life::Away { .. } => self.life = away,
        }
    }

    /// Acknowledges everything that it has.
    pub(crate) fn read_all(&mut self, around: &mut Around<'_>) {
        self.with_talk(around, |client, talk, around| {
            let rooms: Vec<String> = talk.views.keys().cloned().collect();
            for room in rooms {
                client.ack(talk, around, &room);
            }
        });
    }

    /// Asks which rooms the user is in.
    pub(crate) fn ask_rooms(&mut self, around: &mut Around<'_>) {
        if self.kind == crate::codec::Kind::Person {
            return;
        }
        self.with_talk(around, Self::ask_inbox);
    }

    /// Leaves every room that the user is in.
    pub(crate) fn leave_all(&mut self, around: &mut Around<'_>) {
        self.with_talk(around, |client, talk, around| {
            for room in std::mem::take(&mut talk.inbox) {
                let fields = [("room", Field::Text(&room))];
                around.hist.leaving(&room, &client.name);
                let asked = Asked::Leave { room: room.clone() };
                client.ask(talk, around, (Op::Leave, &fields), asked);
            }
        });
    }

    /// Says goodbye and does not come back.
    pub(crate) fn part_in_peace(&mut self, around: &mut Around<'_>) {
        self.with_talk(around, Self::say_bye);
    }
}
