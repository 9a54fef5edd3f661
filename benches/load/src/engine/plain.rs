//! What a target says that passes on messages as they came.
//!
//! Without `seq`, order is what can be promised of one sender's messages, as far as they have
//! numbers; everything else is counted.

use super::core::Core;
use super::peer::{NOBODY, OFF};
use super::room::Label;
use crate::order::{Missing, Verdict};

/// The next number of a sender is not known.
const UNKNOWN: u64 = u64::MAX;

impl Core {
    pub(super) fn take_plain(&mut self, index: u32, text: &[u8], bytes: &[u8], now_us: u64) {
        let place = self.peers[index as usize].room;
        let read = self.plan.pattern.read(text, &self.rooms[place as usize].name);
        // The numbers below the first, which become the highest, are of other processes.
        let index_of = |number: u32| number.wrapping_sub(self.plan.first_peer);
        let read = read.map(|(from, shown)| (from.map(index_of), shown));
        let Some((from, shown)) = read else {
            return self.unexpected(index, &String::from_utf8_lossy(text));
        };
        // Who does not say it is the only one of the room who sends.
        let only = if self.plan.everybody_sends() { index } else { place };
        let label = Label { from: from.unwrap_or(only), shown };
        let known = self.peers.get(label.from as usize).map(|peer| (peer.room, peer.sender));
        if known.is_none_or(|(room, sender)| room != place || sender == NOBODY) {
            return self.unexpected(index, &String::from_utf8_lossy(text));
        }
        if self.rooms[place as usize].is_solo {
            let seen = self.first_seen(index, label);
            return self.count_plain(index, label, seen, now_us);
        }
        if self.is_first(index) && self.is_next(label) {
            let (due_us, _) = self.first_seen(index, label);
            self.append(place, bytes, due_us.unwrap_or(0), label.from);
            self.count_plain(index, label, (due_us, Verdict::InOrder), now_us);
            self.align(index);
            return;
        }
        self.depart(index);
        let seen = self.advance_alone(index, label);
        self.count_plain(index, label, seen, now_us);
    }

    fn count_plain(
        &mut self,
        index: u32,
        label: Label,
        (due_us, verdict): (Option<u64>, Verdict),
        now_us: u64,
    ) {
        if verdict != Verdict::Again {
            self.peers[index as usize].next += 1;
            self.delivered(index, label.from, due_us, now_us);
        }
    }

    /// Whether this is the sender's next message for everybody.
    fn is_next(&self, label: Label) -> bool {
        let sender = &self.senders[self.peers[label.from as usize].sender as usize];
        let expected = sender.seen;
        expected < sender.sent
            && label.shown.is_none_or(|shown| shown == self.plan.pattern.shown(expected))
    }

    /// Leaves the stream for good, with what is known of each sender.
    fn depart(&mut self, index: u32) {
        let peer = &mut self.peers[index as usize];
        if peer.position == OFF {
            return;
        }
        peer.position = OFF;
        if !self.plan.pattern.has_number() {
            return;
        }
        let next = peer.next;
        let room = &self.rooms[peer.room as usize];
        let speakers = if self.plan.everybody_sends() { room.members.len() } else { 1 };
        let seen = |nth: usize| {
            let sender = &self.senders[self.peers[room.members[nth] as usize].sender as usize];
            let later = room.stream.frames_from(next).filter(|frame| frame.sender == sender.peer);
            if room.stream.frame(next).is_some() || next == room.stream.next() {
                sender.seen - later.count() as u64
            } else {
                UNKNOWN
            }
        };
        let by_sender = (0..speakers).map(|nth| (seen(nth), Missing::default())).collect();
        self.peers[index as usize].extra().by_sender = by_sender;
    }

    /// Holds a message against what its sender said before, for a peer that goes on alone.
    fn advance_alone(&mut self, index: u32, label: Label) -> (Option<u64>, Verdict) {
        let Some(shown) = label.shown else { return (None, Verdict::InOrder) };
        let nth =
            if self.plan.everybody_sends() { (label.from / self.plan.rooms) as usize } else { 0 };
        let modulus = self.plan.pattern.modulus();
        let sender = &self.senders[self.peers[label.from as usize].sender as usize];
        let peer = &mut self.peers[index as usize];
        let Some((next, missing)) = peer.extra().by_sender.get_mut(nth) else {
            return (None, Verdict::InOrder);
        };
        if *next == UNKNOWN {
            *next = sender.number_of(shown, modulus, sender.seen);
        }
        let expected = *next;
        let number = sender.number_of(shown, modulus, expected);
        let due_us = sender.due_us(number);
        let verdict = missing.advance(next, number);
        let from = self.plan.first_peer + label.from;
        self.tell(index, verdict, || {
            format!("message {number} of u{from} came where {expected} was due")
        });
        (due_us, verdict)
    }
}
