//! A room, and who speaks in it.

use std::collections::{BTreeMap, VecDeque};

use crate::order::Missing;
use crate::stream::Stream;
use chinwag::client::Template;

/// What a message tells about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// The connection that sent it.
    pub(crate) from: u32,
    /// Its number among the sender's, as far as it is shown; `None` if messages have none.
    pub(crate) shown: Option<u64>,
}

/// A room of the target.
#[derive(Debug)]
pub(crate) struct Room {
    /// As the target calls it.
    pub(crate) name: Box<str>,
    /// The log that its numbers belong to; `None` where there are none, or before anybody has
    /// joined.
    pub(crate) epoch: Option<Box<str>>,
    /// What its members are sent.
    pub(crate) stream: Stream,
    /// Messages that came to somebody before those that lie before them had come to anybody:
    /// without `echo` nobody is sent what it said itself, and so may be ahead of all others.
    pub(crate) ahead: BTreeMap<u64, Ahead>,
    /// The connections that follow the stream, or may again.
    pub(crate) members: Vec<u32>,
    /// Messages sent to it.
    pub(crate) sent: u64,
    /// The number after the highest that anybody has seen.
    pub(crate) seen_to: u64,
    /// Not every message needs to have come to somebody: members come and go, or were told what is
    /// gone.
    pub(crate) is_lenient: bool,
    /// It has one member: there is nobody to compare with.
    pub(crate) is_solo: bool,
}

/// A message that waits for those before it.
#[derive(Clone, Debug)]
pub(crate) struct Ahead {
    pub(crate) label: Label,
    pub(crate) bytes: Box<[u8]>,
}

/// Who speaks.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) peer: u32,
    pub(crate) room: u32,
    pub(crate) template: Template,
    /// How many messages it has sent.
    pub(crate) sent: u64,
    /// The number of the next message that the room will see.
    pub(crate) seen: u64,
    /// How many of them were answered.
    pub(crate) answered: u64,
    pub(crate) missing: Missing,
    /// Until which number messages were due when.
    dues: VecDeque<(u64, u64)>,
}

impl Sender {
    pub(crate) fn new(peer: u32, room: u32, template: Template) -> Self {
        let (missing, dues) = (Missing::default(), VecDeque::new());
        Self { peer, room, template, sent: 0, seen: 0, answered: 0, missing, dues }
    }

    /// Appends its next `count` messages, which are due at one moment.
    pub(crate) fn put(&mut self, count: u64, due_us: u64, out: &mut Vec<u8>) {
        for number in self.sent..self.sent + count {
            self.template.put(number, out);
        }
        self.sent += count;
        match self.dues.back_mut().filter(|last| last.1 == due_us) {
            Some(last) => last.0 = self.sent,
            None => self.dues.push_back((self.sent, due_us)),
        }
    }

    /// When the message `number` was due; `None` if that was forgotten, or it was never sent.
    pub(crate) fn due_us(&self, number: u64) -> Option<u64> {
        let nth = self.dues.partition_point(|due| due.0 <= number);
        self.dues.get(nth).map(|due| due.1)
    }

    /// Forgets when messages before `number` were due.
    pub(crate) fn forget_before(&mut self, number: u64) {
        while self.dues.front().is_some_and(|due| due.0 <= number) {
            self.dues.pop_front();
        }
    }

    /// Gives up what nobody has seen yet, and says how many messages that were.
    pub(crate) fn forget(&mut self) -> u64 {
        let unseen = self.sent.saturating_sub(self.seen);
        (self.seen, self.answered) = (self.sent, self.sent);
        self.missing = Missing::default();
        self.dues.clear();
        unseen
    }

    /// The number of a message that shows only the lowest digits of it: the one nearest to what is
    /// expected, of those that were sent. `modulus` is 10 to the power of the digits.
    pub(crate) fn number_of(&self, shown: u64, modulus: u64, expected: u64) -> u64 {
        let base = expected - expected % modulus;
        let near = [base + shown, (base + shown).wrapping_sub(modulus), base + shown + modulus];
        let sent = near.into_iter().filter(|number| *number < self.sent);
        sent.min_by_key(|number| number.abs_diff(expected)).unwrap_or(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chinwag::client::{Framing, Part};

    fn sender() -> Sender {
        Sender::new(0, 0, Template::new(Framing::Lines, &[Part::Number(2)]))
    }

    #[test]
    fn each_message_has_its_own_due_time() {
        let mut sender = sender();
        let mut out = Vec::new();
        sender.put(2, 100, &mut out);
        sender.put(1, 100, &mut out);
        sender.put(2, 300, &mut out);
        assert_eq!(out, b"00\n01\n02\n03\n04\n");
        let dues = |sender: &Sender| [0, 2, 3, 4, 5].map(|number| sender.due_us(number));
        assert_eq!(dues(&sender), [Some(100), Some(100), Some(300), Some(300), None]);
        sender.forget_before(3);
        assert_eq!(dues(&sender)[2..], [Some(300), Some(300), None]);
    }

    #[test]
    fn a_shown_number_is_the_one_nearest_to_what_is_expected() {
        let mut sender = sender();
        sender.sent = 1_000;
        let check = |expected, shown, number| {
            let found = sender.number_of(shown, 100, expected);
            assert_eq!(found, number, "{shown} when {expected} is due");
        };
        check(0, 0, 0);
        check(5, 7, 7);
        check(99, 0, 100);
        check(100, 99, 99);
        check(250, 50, 250);
        check(298, 3, 303);
    }
}
