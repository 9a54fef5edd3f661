//! What nodes write: batches are taken, committed and answered, or nobody knows.

use chinwag::chat::Epoch;
use chinwag::chat::model::log::{
    Appended, Draft, Farewell, LogFault, LogId, LogReply, LogRequest, RoomMeta,
};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::policy::Retention;
use chinwag::chat::model::record::Body;
use chinwag::chat::model::reply::Durability;

use super::super::durable::FactKey;
use super::super::engine_fault::EngineFault;
use super::{Engine, Held, Job, Known};

impl Engine {
    pub(super) fn write(&mut self, place: usize) {
        let delay = self.rng.below(self.config.delays[1] + 1);
        let node = &mut self.nodes[place];
        if node.batch.is_empty() {
            if !node.intake.is_empty() && node.take_at <= self.turn {
                node.batch = node.intake.drain(..).collect();
                node.commit_at = self.turn + delay;
            }
        } else if node.commit_at <= self.turn {
            self.counts.commits += 1;
            for job in std::mem::take(&mut self.nodes[place].batch) {
                self.apply(place, job, true);
            }
        }
    }

    /// Does what a job asks for. Where it `is_answered`, its node learns what became of it; else
    /// only that nobody knows.
    pub(super) fn apply(&mut self, place: usize, job: Job, is_answered: bool) {
        let Job { log, room, durability, known, request } = job;
        match request {
            LogRequest::Open { epoch, retention, .. } => {
                self.open(place, log, (&room, epoch, durability, retention));
            }
            LogRequest::Append { ticket, draft, .. } => {
                self.catch_up(place, log);
                let outcome = self.append(place, (log, &room, known), draft, is_answered);
                self.say(place, LogReply::Appended { ticket, outcome }, None);
            }
            LogRequest::PutMeta { meta, .. } => {
                let is_there = self.durable.rooms.get(&room);
                if is_there.is_some_and(|room| known.epoch == Some(room.epoch)) {
                    self.keep(place, &room, meta);
                    self.wake_others(place, &room);
                }
            }
            LogRequest::Sync { ticket, .. } | LogRequest::Settle { ticket, .. } => {
                self.say(place, LogReply::Synced { ticket, outcome: Ok(()) }, None);
            }
            LogRequest::Drop { .. } => self.drop_room(place, (log, &room)),
            LogRequest::End { ticket, farewell, .. } => {
                let outcome = self.end_room(place, (log, &room, known), &farewell);
                self.say(place, LogReply::Synced { ticket, outcome }, None);
            }
            _ => {}
        }
    }

    pub(super) fn open(
        &mut self,
        place: usize,
        log: LogId,
        (room, epoch, durability, retention): (&RoomName, Epoch, Durability, Retention),
    ) {
        if !self.nodes[place].durability.contains_key(&log) {
            return;
        }
        self.durable.open(room, epoch, (durability, retention));
        let present = self.durable.rooms[room].epoch;
        if self.nodes[place].held.contains_key(&log) {
            return;
        }
        let known = Known { epoch: Some(epoch), acts: 0 };
        let held = Held { room: room.clone(), head: 0, facts: 0, known };
        self.nodes[place].held.insert(log, held);
        if present == epoch {
            let changes = self.changes.entry(room.clone()).or_default();
            let held = self.nodes[place].held.get_mut(&log).expect("just put there");
            held.facts = changes.count;
        } else {
            self.catch_up(place, log);
        }
    }

    pub(super) fn append(
        &mut self,
        place: usize,
        (log, room, known): (LogId, &RoomName, Known),
        draft: Draft,
        is_answered: bool,
    ) -> Appended {
        let Some(there) = self.durable.rooms.get(room) else {
            return Appended::Refused(LogFault::Broken);
        };
        let acts = self.changes.get(room).map_or(0, |changes| changes.acts_of_others(place));
        let is_stale = known.epoch != Some(there.epoch) || known.acts != acts;
        if is_stale && !draft.is_question {
            if self.fault == Some(EngineFault::StaleRights) && known.epoch == Some(there.epoch) {
                self.faults_done += 1;
            } else {
                self.counts.stale += 1;
                return Appended::Stale;
            }
        }
        if let Body::Rename { name, was } = &draft.body {
            if *was != self.durable.name(room) {
                self.counts.stale += 1;
                return Appended::Stale;
            }
            if self.durable.is_anothers(name, room) {
                return Appended::Refused(LogFault::Taken);
            }
        }
        let meta = draft.meta.clone();
        let outcome = self.durable.append(room, draft, self.now.wall_ms);
        if let Appended::Stored(record) = &outcome {
            if matches!(record.body, Body::Moderation { .. }) {
                let changes = self.changes.entry(room.clone()).or_default();
                *changes.acts.entry(place).or_default() += 1;
            }
            // The name comes with the record that says so.
            for meta in meta.into_iter().filter(|meta| FactKey::of(meta) != FactKey::Name) {
                self.note_fact(place, room, meta);
            }
            if let Body::Rename { was, .. } = &record.body {
                self.counts.renamed += 1;
                if self.fault == Some(EngineFault::NameFreed) && self.durable.free_name(was) {
                    self.faults_done += 1;
                }
            }
            if is_answered && let Some(held) = self.nodes[place].held.get_mut(&log) {
                held.head = record.seq;
            }
            self.wake_others(place, room);
        }
        self.break_outcome(is_answered, outcome)
    }

    pub(super) fn break_outcome(&mut self, is_answered: bool, outcome: Appended) -> Appended {
        if !is_answered {
            self.counts.undecided += 1;
            return Appended::Undecided;
        }
        match outcome {
            Appended::Duplicate { seq, at }
                if self.fault == Some(EngineFault::OtherDuplicate) && seq > 1 =>
            {
                self.faults_done += 1;
                Appended::Duplicate { seq: seq - 1, at }
            }
            outcome => outcome,
        }
    }

    /// Writes a fact: marks do not go back, and roles are changed by records only.
    pub(super) fn keep(&mut self, place: usize, room: &RoomName, meta: RoomMeta) {
        let key = FactKey::of(&meta);
        let there = self.durable.rooms.get(room).and_then(|room| room.meta.get(&key)).cloned();
        let meta = match (there, meta) {
            (Some(RoomMeta::Member(_, Some(had))), RoomMeta::Member(user, Some(mut member))) => {
                member.role = had.role;
                (member.recv, member.read) = (member.recv.max(had.recv), member.read.max(had.read));
                RoomMeta::Member(user, Some(member))
            }
            (_, meta) => meta,
        };
        self.durable.keep(room, meta.clone());
        self.note_fact(place, room, meta);
    }

    pub(super) fn note_fact(&mut self, place: usize, room: &RoomName, meta: RoomMeta) {
        let changes = self.changes.entry(room.clone()).or_default();
        changes.count += 1;
        changes.facts.insert(FactKey::of(&meta), (changes.count, place, meta));
    }

    /// Drops a room, unless somebody has entered it or spoken there.
    pub(super) fn drop_room(&mut self, place: usize, (log, room): (LogId, &RoomName)) {
        let node = &mut self.nodes[place];
        let held = node.held.remove(&log);
        node.known.remove(&log);
        node.durability.remove(&log);
        let (Some(held), Some(there)) = (held, self.durable.rooms.get(room)) else { return };
        let has_members = there.meta.keys().any(|key| matches!(key, FactKey::Member(_)));
        if has_members || held.head != there.head || held.known.epoch != Some(there.epoch) {
            return;
        }
        self.remove_room(place, room, None);
    }

    /// Ends a room for all who are in it, unless another node has changed rights there.
    pub(super) fn end_room(
        &mut self,
        place: usize,
        (log, room, known): (LogId, &RoomName, Known),
        farewell: &Farewell,
    ) -> Result<(), LogFault> {
        let acts = self.changes.get(room).map_or(0, |changes| changes.acts_of_others(place));
        let epoch = self.durable.rooms.get(room).map(|room| room.epoch);
        if epoch.is_none() || known != (Known { epoch, acts }) {
            return Err(LogFault::Taken);
        }
        let node = &mut self.nodes[place];
        node.held.remove(&log);
        node.known.remove(&log);
        node.durability.remove(&log);
        self.remove_room(place, room, Some(farewell));
        Ok(())
    }

    fn remove_room(&mut self, place: usize, room: &RoomName, farewell: Option<&Farewell>) {
        self.durable.remove(room);
        self.changes.remove(room);
        for other in self.others(place) {
            let logs = self.nodes[other].held.iter();
            let log = logs.filter(|(_, held)| held.room == *room).map(|(log, _)| *log).next();
            if let Some(log) = log {
                self.counts.gone += 1;
                let told = farewell.cloned().map(Box::new);
                self.nodes[other].held.remove(&log);
                self.say(other, LogReply::Gone { log, farewell: told }, None);
            }
        }
    }

    /// A standby takes the place of the primary. What waited for it is there or not, and nobody is
    /// told which; where it was not synchronous, logs have lost their ends and begin anew.
    pub(super) fn promote(&mut self) -> Vec<RoomName> {
        self.counts.promotions += 1;
        for place in 0..self.nodes.len() {
            let is_there = self.rng.once_in(2);
            let jobs = std::mem::take(&mut self.nodes[place].batch);
            let mut again = Vec::new();
            for job in jobs {
                match &job.request {
                    _ if is_there => self.apply(place, job, false),
                    LogRequest::Append { ticket, .. } => {
                        self.counts.undecided += 1;
                        let (ticket, outcome) = (*ticket, Appended::Undecided);
                        self.say(place, LogReply::Appended { ticket, outcome }, None);
                    }
                    _ => again.push(job),
                }
            }
            for job in again.into_iter().rev() {
                self.nodes[place].intake.push_front(job);
            }
        }
        let cut =
            if self.rng.once_in(2) { self.durable.lose_machine(&mut self.rng) } else { Vec::new() };
        self.counts.cut += cut.len() as u64;
        self.away_until = self.turn + 1 + self.rng.below(20);
        for place in 0..self.nodes.len() {
            let logs: Vec<LogId> = self.nodes[place].held.keys().copied().collect();
            for log in logs {
                self.catch_up(place, log);
            }
        }
        cut
    }
}
