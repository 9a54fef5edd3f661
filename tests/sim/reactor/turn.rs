//! One turn: accept, read, expire, report, store, turn end, flush, close.

use chinwag::net::{CloseReason, Handler, Input};
use chinwag::time::Tick;
use chinwag::time::clock::Now;

use super::conn::{Phase, Written};
use super::{Gone, Reactor, Report, end, hang_up, peer};
use crate::link::Link;

/// Bytes read from one connection in one turn, as in the real reactor.
const READ_MAX: usize = 64 * 1024;

impl Reactor {
    pub(crate) fn turn(&mut self, now: Now, handler: &mut impl Handler, links: &mut [Link]) {
        self.gone.clear();
        if !self.frozen {
            self.accept(now, handler, links);
            self.read(now, handler, links);
        }
        self.expire(now, handler, links);
        self.report(now, handler);
        if let Some(signal) = self.stop.take() {
            self.tell(now, Input::Stop(signal), handler);
        }
        if self.disk.as_ref().is_some_and(|disk| disk.has_replies()) {
            self.tell(now, Input::StoreReady, handler);
        }
        self.tell(now, Input::TurnEnd, handler);
        if self.crash_plan.is_dead() {
            return;
        }
        self.flush(now.tick, links);
        self.close_ended(now, handler, links);
        self.leave(now, handler, links);
    }

    fn accept(&mut self, now: Now, handler: &mut impl Handler, links: &[Link]) {
        while let Some(link) = self.waiting.pop_front() {
            let conn = self.insert(link);
            let listener = links[link].listener;
            self.tell(now, Input::Opened { conn, listener, peer: peer(link) }, handler);
        }
    }

    /// Reads from each connection at most once, beginning anywhere.
    fn read(&mut self, now: Now, handler: &mut impl Handler, links: &mut [Link]) {
        let count = self.slots.len();
        let first = if count == 0 { 0 } else { self.rng.index(count) };
        for place in 0..count {
            self.read_one(now, (first + place) % count, handler, links);
        }
    }

    fn read_one(&mut self, now: Now, slot: usize, handler: &mut impl Handler, links: &mut [Link]) {
        let Some(conn) = &mut self.slots[slot] else { return };
        let link = &mut links[conn.link];
        if link.up_reset {
            // A reset is noticed even on a connection that is not being read.
            return end(conn, CloseReason::Reset, false);
        }
        if !conn.takes_bytes(link.up_fin) {
            return;
        }
        let id = conn.id;
        if link.up.is_empty() {
            if link.up_fin {
                conn.finished = true;
                match conn.phase {
                    Phase::Discarding(reason) => end(conn, reason, false),
                    Phase::Open => self.tell(now, Input::Finished { conn: id }, handler),
                    _ => {}
                }
            }
            return;
        }
        let count =
            if self.rng.once_in(8) { 1 + self.rng.index(link.up.len()) } else { link.up.len() };
        let mut bytes: Vec<u8> = link.up.drain(..count.min(READ_MAX)).collect();
        if conn.phase == Phase::Open {
            link.story.heard = now.tick;
            self.tell(now, Input::Received { conn: id, bytes: &mut bytes }, handler);
        }
    }

    fn expire(&mut self, now: Now, handler: &mut impl Handler, links: &mut [Link]) {
        let mut due: Vec<(Tick, usize)> = Vec::new();
        let slots = if self.frozen { &[][..] } else { &self.slots };
        for (slot, conn) in slots.iter().enumerate() {
            let deadline = conn.as_ref().map_or(Tick::MAX, |conn| conn.deadline.min(conn.stall_at));
            if deadline <= now.tick {
                due.push((deadline, slot));
            }
        }
        due.sort_unstable();
        for (_, slot) in due {
            self.expire_one(now, slot, handler, links);
        }
        if self.alarm <= now.tick {
            self.alarm = Tick::MAX;
            self.tell(now, Input::Alarm, handler);
        }
    }

    fn expire_one(
        &mut self,
        now: Now,
        slot: usize,
        handler: &mut impl Handler,
        links: &mut [Link],
    ) {
        if self.slots[slot]
            .as_ref()
            .is_some_and(|conn| conn.phase == Phase::Open && conn.stall_at <= now.tick)
        {
            // As in the real reactor, a write is tried before a stalled connection is closed.
            self.write(slot, now.tick, links);
        }
        let Some(conn) = &mut self.slots[slot] else { return };
        if conn.phase != Phase::Open {
            if conn.deadline <= now.tick {
                let left_behind = conn.queued > 0;
                end(conn, CloseReason::CloseTimeout, left_behind);
            }
            return;
        }
        if conn.stall_at <= now.tick {
            if !conn.paced {
                return end(conn, CloseReason::Stalled, true);
            }
            conn.stall_at = now.tick.after(self.config.stall);
        }
        let link = &links[conn.link];
        let is_unheard = !link.up.is_empty() && conn.takes_bytes(link.up_fin);
        if conn.deadline <= now.tick && !is_unheard {
            conn.deadline = Tick::MAX;
            let conn = conn.id;
            self.tell(now, Input::Expired { conn }, handler);
        }
    }

    fn report(&mut self, now: Now, handler: &mut impl Handler) {
        if self.config.tells_waiting {
            let bytes = self.slots.iter().flatten().map(|conn| conn.queued).sum();
            self.tell(now, Input::Waiting { bytes }, handler);
        }
        for report in std::mem::take(&mut self.reports) {
            let (Report::Blocked(id) | Report::Drained(id)) = report;
            let Some(conn) = self.open(id) else { continue };
            let input = match report {
                Report::Blocked(_) if conn.queued == 0 => continue,
                Report::Drained(_) if conn.owes_drained => continue,
                Report::Blocked(conn_id) => Input::Blocked { conn: conn_id, queued: conn.queued },
                Report::Drained(conn) => Input::Drained { conn },
            };
            self.tell(now, input, handler);
        }
    }

    fn flush(&mut self, now: Tick, links: &mut [Link]) {
        for slot in 0..self.slots.len() {
            self.note_writable(slot, links);
            if self.slots[slot].as_ref().is_some_and(|conn| conn.urgent) {
                self.flush_one(slot, now, links);
            }
        }
        for _ in 0..self.bulk.len().min(self.config.bulk_per_turn) {
            let Some(slot) = self.bulk.pop_front() else { break };
            if self.slots[slot].as_ref().is_some_and(|conn| conn.bulk) {
                self.flush_one(slot, now, links);
            }
        }
    }

    /// The kernel says that a socket is writable again when a third of its buffer is free.
    fn note_writable(&mut self, slot: usize, links: &[Link]) {
        let Some(conn) = &mut self.slots[slot] else { return };
        let link = &links[conn.link];
        if conn.blocked && link.down.len() <= link.down_max / 3 * 2 {
            conn.blocked = false;
            conn.urgent = true;
        }
    }

    fn flush_one(&mut self, slot: usize, now: Tick, links: &mut [Link]) {
        let Some(conn) = &mut self.slots[slot] else { return };
        conn.urgent = false;
        conn.bulk = false;
        if conn.blocked {
            return self.report_blocked(slot);
        }
        self.write(slot, now, links);
    }

    fn write(&mut self, slot: usize, now: Tick, links: &mut [Link]) {
        let Some(conn) = &mut self.slots[slot] else { return };
        if matches!(conn.phase, Phase::Ended(_)) {
            return;
        }
        let link = &mut links[conn.link];
        match conn.write(link) {
            Written::Emptied => self.emptied(slot, links),
            Written::Blocked { progress } => {
                conn.blocked = true;
                self.blocks += 1;
                if conn.phase == Phase::Open && (progress > 0 || conn.stall_at == Tick::MAX) {
                    conn.stall_at = now.after(self.config.stall);
                }
                self.report_blocked(slot);
            }
        }
    }

    fn emptied(&mut self, slot: usize, links: &mut [Link]) {
        let Some(conn) = &mut self.slots[slot] else { return };
        conn.stall_at = Tick::MAX;
        match conn.phase {
            Phase::Open => {
                if conn.owes_drained || conn.wake {
                    conn.owes_drained = false;
                    conn.wake = false;
                    self.reports.push(Report::Drained(conn.id));
                }
            }
            Phase::Flushing(reason) => end(conn, reason, false),
            Phase::Lingering(reason) => {
                links[conn.link].down_fin = true;
                if conn.finished {
                    end(conn, reason, false);
                } else {
                    conn.phase = Phase::Discarding(reason);
                }
            }
            Phase::Discarding(_) | Phase::Ended(_) => {}
        }
    }

    fn report_blocked(&mut self, slot: usize) {
        let Some(conn) = &mut self.slots[slot] else { return };
        if conn.phase == Phase::Open {
            conn.owes_drained = true;
            self.reports.push(Report::Blocked(conn.id));
        }
    }

    fn close_ended(&mut self, now: Now, handler: &mut impl Handler, links: &mut [Link]) {
        for slot in 0..self.slots.len() {
            let ended = self.slots[slot].take_if(|conn| matches!(conn.phase, Phase::Ended(_)));
            let Some(conn) = ended else { continue };
            let Phase::Ended(reason) = conn.phase else { continue };
            hang_up(&mut links[conn.link], &conn);
            self.gone.push(Gone { link: conn.link, reason });
            self.tell(now, Input::Closed { conn: conn.id, reason }, handler);
        }
    }

    fn leave(&mut self, now: Now, handler: &mut impl Handler, links: &mut [Link]) {
        let Some(deadline) = self.exit_at else { return };
        if self.len() > 0 && now.tick < deadline {
            return;
        }
        for conn in self.slots.iter_mut().flatten() {
            end(conn, CloseReason::Shutdown, true);
        }
        self.close_ended(now, handler, links);
        self.exited = true;
    }
}
