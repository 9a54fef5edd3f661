//! One message, read on its own: whether it is due, whose it is, and whether it is as it was sent.

use super::core::Core;
use super::peer::{OFF, Peer, Stage};
use super::room::{Label, Sender};
use crate::ledger::Fault;
use crate::order::{Missing, Verdict};

impl Core {
    /// A room's numbered message: its number must be the peer's next.
    pub(super) fn advance(&mut self, index: u32, number: u64) -> Verdict {
        let peer = &mut self.peers[index as usize];
        if number == peer.next {
            peer.next += 1;
            return Verdict::InOrder;
        }
        let mut next = peer.next;
        let expected = next;
        let verdict = peer.extra().missing.advance(&mut next, number);
        peer.next = next;
        self.tell(index, verdict, || format!("{number} came where {expected} was due"));
        verdict
    }

    /// Counts what a verdict says. Gaps are counted when it is certain that they stay.
    pub(super) fn tell(&mut self, index: u32, verdict: Verdict, words: impl Fn() -> String) {
        let words = || format!("{}: {}", self.title(index), words());
        match verdict {
            Verdict::InOrder => {}
            Verdict::Ahead(_) => {
                let words = words();
                self.ledger.name(Fault::Gap, words);
            }
            Verdict::Again => {
                let words = words();
                self.ledger.add(Fault::Duplicate, 1, words);
            }
            Verdict::Late => {
                let words = words();
                self.ledger.add(Fault::Reordered, 1, words);
            }
        }
    }

    /// The first that anybody sees of a message: it must be its sender's next. Returns when it was
    /// due, and the verdict.
    pub(super) fn first_seen(&mut self, index: u32, label: Label) -> (Option<u64>, Verdict) {
        let modulus = self.plan.pattern.modulus();
        let sender = &mut self.senders[self.peers[label.from as usize].sender as usize];
        let expected = sender.seen;
        let number =
            label.shown.map_or(expected, |shown| sender.number_of(shown, modulus, expected));
        let due_us = sender.due_us(number);
        let verdict = if self.rooms[sender.room as usize].is_lenient {
            // Those before may have come to nobody.
            sender.seen = number + 1;
            Verdict::InOrder
        } else {
            sender.missing.advance(&mut sender.seen, number)
        };
        sender.forget_before(expected);
        let from = self.plan.first_peer + label.from;
        self.tell(index, verdict, || {
            format!("message {number} of u{from} came where {expected} was due")
        });
        (due_us, verdict)
    }

    /// When a message was due that the room's stream has not got.
    pub(super) fn due_of(&self, label: Label) -> Option<u64> {
        let sender = self.senders.get(self.peers.get(label.from as usize)?.sender as usize)?;
        let modulus = self.plan.pattern.modulus();
        sender.due_us(sender.number_of(label.shown?, modulus, sender.seen))
    }

    /// Notes an answer that should not have come.
    pub(crate) fn note_unexpected(&mut self, index: u32, what: &str) {
        self.unexpected(index, what);
    }

    /// Counts a message that has arrived.
    pub(super) fn delivered(&mut self, index: u32, from: u32, due_us: Option<u64>, now_us: u64) {
        self.tally.deliveries += 1;
        self.own += u64::from(from == index);
        let (start, window) = self.window;
        if let Some(due) = due_us.filter(|due| due.wrapping_sub(start) < window) {
            let class = usize::from(self.peers[index as usize].class);
            self.recent[class].record(now_us.saturating_sub(due));
        }
    }

    /// A peer's room or sender is left for good: what is missing now will not come.
    pub(super) fn harvest(&mut self, index: u32) {
        let peer = &mut self.peers[index as usize];
        let Some(extra) = &mut peer.extra else { return };
        extra.partial = Vec::new();
        extra.answer = None;
        let mut all = vec![std::mem::take(&mut extra.missing)];
        all.extend(std::mem::take(&mut extra.by_sender).into_iter().map(|(_, missing)| missing));
        peer.tidy();
        for missing in all {
            self.count_missing(&missing);
        }
    }

    fn count_missing(&mut self, missing: &Missing) {
        self.ledger.count(Fault::Gap, missing.jumps());
        if self.plan.is_chinwag() {
            self.ledger.count(Fault::Lost, missing.count());
        }
    }

    /// Holds what has arrived against what was sent, at the end. Not of those who are away or read
    /// too slowly.
    pub(crate) fn settle_accounts(&mut self) {
        for index in 0..self.plan.connections {
            self.harvest(index);
            let peer = &self.peers[index as usize];
            if peer.stage != Stage::Ready || peer.is_slow() {
                continue;
            }
            let (had, due) = (peer.next, self.last_of(peer.room));
            if had < due {
                let words = format!("{}: {} at the end", self.title(index), due - had);
                self.ledger.add(Fault::Lost, due - had, words);
            } else if had > due {
                let words = format!("{}: {} more than were sent", self.title(index), had - due);
                self.ledger.add(Fault::Duplicate, had - due, words);
            }
        }
        if self.plan.is_chinwag() {
            for nth in 0..self.senders.len() {
                self.settle_sender(nth);
            }
        }
    }

    /// What nobody has seen of a sender's messages.
    fn settle_sender(&mut self, nth: usize) {
        let missing = std::mem::take(&mut self.senders[nth].missing);
        let sender = &self.senders[nth];
        let unseen = sender.sent.saturating_sub(sender.seen);
        let room = &self.rooms[sender.room as usize];
        if room.is_lenient {
            return;
        }
        let listeners = self.listeners(sender);
        let words =
            format!("{}: {unseen} of its messages, which nobody has got", self.title(sender.peer));
        self.ledger.count(Fault::Gap, missing.jumps());
        self.ledger.count(Fault::Lost, missing.count() * listeners);
        // Where a message was lost on the way, all that came after it were seen without their
        // sender.
        if room.seen_to <= room.stream.next() {
            self.ledger.add(Fault::Lost, unseen * listeners, words);
        }
    }

    /// How many connections should get a sender's messages.
    fn listeners(&self, sender: &Sender) -> u64 {
        let members = self.rooms[sender.room as usize].members.len() as u64;
        if self.plan.echo { members } else { members.saturating_sub(1) }
    }

    /// The number that a member of a room is due next once it has everything.
    pub(crate) fn last_of(&self, room: u32) -> u64 {
        let room = &self.rooms[room as usize];
        if self.plan.is_chinwag() { room.stream.next().max(room.seen_to) } else { room.sent }
    }

    /// Whether everything that was sent has arrived wherever it should.
    pub(crate) fn has_all(&self) -> bool {
        let has_all = |peer: &Peer| {
            peer.stage != Stage::Ready || peer.is_slow() || peer.next >= self.last_of(peer.room)
        };
        let was_seen = |sender: &Sender| {
            let is_lenient = self.rooms[sender.room as usize].is_lenient;
            sender.seen >= sender.sent || is_lenient || self.listeners(sender) == 0
        };
        (!self.plan.is_chinwag() || self.senders.iter().all(was_seen))
            && self.peers.iter().all(has_all)
    }

    /// Whether a peer is at the end of its room's stream, so that what comes next is new to
    /// everybody.
    pub(super) fn is_first(&self, index: u32) -> bool {
        let peer = &self.peers[index as usize];
        let room = &self.rooms[peer.room as usize];
        !room.is_solo && peer.position != OFF && peer.position == room.stream.end()
    }
}
