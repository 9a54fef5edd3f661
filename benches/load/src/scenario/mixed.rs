//! Something like a real chat: a few crowded rooms and many quiet ones, people who type before they
//! speak, read what others say, write to each other, go away and come back.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::engine::{Core, NEVER, Scenario, Stage, Window, name_of};
use crate::plan::Load;
use crate::results::{Results, float};
use chinwag::chat::model::command::Op;
use chinwag::net::Effects;
use chinwag::rng::Rng;
use chinwag::wire::client::Field;

/// The `id` of requests whose answer is only looked at for success.
const ANY: u64 = 10;
/// How long somebody who goes away stays away at most, in µs.
const AWAY_US: u64 = 2_000_000;
/// How long typing takes, in µs.
const TYPING_US: u64 = 800_000;

/// What people do, and how often of a thousand times.
const HABITS: &[(Act, u64)] = &[
    (Act::Speak, 520),
    (Act::Read, 250),
    (Act::Whisper, 120),
    (Act::Status, 40),
    (Act::Look, 40),
    (Act::Reread, 20),
    (Act::Away, 10),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Types, and then sends to the room.
    Speak,
    /// Says how far it has read.
    Read,
    /// Sends a direct message.
    Whisper,
    /// Is away, or back.
    Status,
    /// Asks who is there.
    Look,
    /// Reads a page of the log.
    Reread,
    /// Loses the connection, and returns.
    Away,
}

impl Act {
    const ALL: usize = 7;

    fn pick(rng: &mut Rng) -> Self {
        let mut at = rng.below(HABITS.iter().map(|habit| habit.1).sum());
        for &(act, often) in HABITS {
            if at < often {
                return act;
            }
            at -= often;
        }
        Self::Speak
    }
}

/// What is to be done later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    Send(u32),
    Return(u32),
}

/// People at a chat.
#[derive(Debug)]
pub(crate) struct Mixed {
    rng: Rng,
    is_running: bool,
    /// When the next act is due, in µs, and how many there are a second.
    next_us: u64,
    later: BinaryHeap<Reverse<(u64, Later)>>,
    acts: [u64; Act::ALL],
    /// Requests that are not answered yet.
    under_way: u64,
    /// How many of these are each connection's.
    open_requests: Vec<u32>,
    returning: u64,
}

impl Mixed {
    pub(crate) const fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            is_running: false,
            next_us: 0,
            later: BinaryHeap::new(),
            acts: [0; Act::ALL],
            under_way: 0,
            open_requests: Vec::new(),
            returning: 0,
        }
    }

    fn act(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) {
        let all = u64::from(core.plan.connections);
        let peer = u32::try_from(self.rng.below(all)).unwrap_or(0);
        if core.peers[peer as usize].stage != Stage::Ready {
            return;
        }
        let act = Act::pick(&mut self.rng);
        self.acts[act as usize] += 1;
        let next = core.peers[peer as usize].next;
        let room = core.rooms[core.peers[peer as usize].room as usize].name.clone();
        let room = ("room", Field::Text(&room));
        match act {
            Act::Speak => {
                self.request(core, peer, (Op::Typing, None, &[room]), effects);
                let at = now_us + self.rng.below(TYPING_US);
                self.later.push(Reverse((at, Later::Send(peer))));
            }
            Act::Read => {
                let read = ("read", Field::Number(next.saturating_sub(1)));
                self.request(core, peer, (Op::Ack, Some(ANY), &[room, read]), effects);
            }
            Act::Whisper => {
                let other = u32::try_from(self.rng.below(all)).unwrap_or(0);
                if other != peer {
                    let to = name_of(&core.plan, other);
                    let fields = [("to", Field::Text(&to)), ("text", Field::Text("psst"))];
                    self.request(core, peer, (Op::Send, Some(ANY), &fields), effects);
                }
            }
            Act::Status => {
                let status = if self.rng.below(2) == 0 { "away" } else { "online" };
                let fields = [("status", Field::Text(status))];
                self.request(core, peer, (Op::Status, Some(ANY), &fields), effects);
            }
            Act::Look => self.request(core, peer, (Op::Presence, Some(ANY), &[room]), effects),
            Act::Reread => {
                let fields = [room, ("before", Field::Number(next)), ("limit", Field::Number(50))];
                self.request(core, peer, (Op::History, Some(ANY), &fields), effects);
            }
            Act::Away => {
                // Whoever still waits for an answer would not know what became of its request.
                if self.open_requests[peer as usize] == 0 && core.is_answered(peer) {
                    self.returning += 1;
                    core.leave(peer, self.rng.below(2) == 0, effects);
                }
            }
        }
    }

    fn request(
        &mut self,
        core: &Core,
        peer: u32,
        (op, id, fields): (Op, Option<u64>, &[(&str, Field<'_>)]),
        effects: &mut Effects,
    ) {
        let mut out = Vec::new();
        core.put(op, id, fields, &mut out);
        core.write(peer, out, effects);
        if id.is_some() {
            self.under_way += 1;
            self.open_requests[peer as usize] += 1;
        }
    }
}

impl Scenario for Mixed {
    fn begin(&mut self, core: &mut Core, now_us: u64, _effects: &mut Effects) {
        for peer in 0..core.plan.connections {
            core.add_sender(peer);
        }
        self.open_requests = vec![0; core.peers.len()];
        self.is_running = true;
        self.next_us = now_us;
    }

    fn turn(&mut self, core: &mut Core, now_us: u64, effects: &mut Effects) -> Result<u64, String> {
        let Load::Rate(per_s) = core.plan.load else { return Ok(NEVER) };
        while self.is_running && self.next_us <= now_us {
            self.act(core, now_us, effects);
            // People do not wait for each other: the pauses are exponential.
            let pause_s = -(1.0 - self.rng.unit()).ln() / per_s;
            let pause = std::time::Duration::try_from_secs_f64(pause_s).unwrap_or_default();
            self.next_us += u64::try_from(pause.as_micros()).unwrap_or(0);
        }
        let mut next = if self.is_running { self.next_us } else { NEVER };
        while let Some(&Reverse((at, later))) = self.later.peek() {
            if at > now_us {
                next = next.min(at);
                break;
            }
            self.later.pop();
            match later {
                Later::Send(peer) => core.send(core.peers[peer as usize].sender, 1, at, effects),
                Later::Return(peer) => core.open([peer], effects),
            }
        }
        Ok(next)
    }

    fn on_reply(
        &mut self,
        core: &mut Core,
        (peer, _): (u32, u64),
        (_, answer): (u64, Result<String, String>),
        _effects: &mut Effects,
    ) {
        self.under_way -= 1;
        self.open_requests[peer as usize] -= 1;
        match answer {
            Ok(_) => {}
            Err(text) => core.note_unexpected(peer, &text),
        }
    }

    fn on_left(&mut self, core: &mut Core, peer: u32, _effects: &mut Effects) {
        let at = core.clock.micros() + self.rng.below(AWAY_US);
        self.later.push(Reverse((at, Later::Return(peer))));
    }

    fn on_joined(&mut self, _core: &mut Core, _peer: u32, _effects: &mut Effects) {
        self.returning = self.returning.saturating_sub(1);
    }

    fn stop(&mut self, _core: &mut Core, _effects: &mut Effects) {
        self.is_running = false;
    }

    fn is_drained(&self, core: &Core) -> bool {
        let waits = self.later.is_empty() && self.returning == 0 && self.under_way == 0;
        waits && core.is_settled() && core.has_all()
    }

    fn finish(&mut self, core: &mut Core, _windows: &[Window], results: &mut Results) {
        let names =
            ["spoke", "read", "whispered", "changed state", "looked", "reread", "went away"];
        for (name, count) in names.into_iter().zip(self.acts) {
            results.add(name, float(count), "");
        }
        results.add("presence, typing, receipts", float(core.tally.others), "");
        results.add("sessions resumed", float(core.returns.resumed), "");
        results.add("messages replayed", float(core.tally.replayed), "");
        results.add("messages told to be gone", float(core.tally.told_gone), "");
    }
}
