//! The writer: batches are taken, committed or failed, and answered.

use chinwag::chat::model::log::{
    Answer, Appended, LogFault, LogId, LogReply, LogRequest, RoomMeta, Ticket,
};
use chinwag::chat::model::name::RoomName;
use chinwag::chat::model::record::SharedRecord;
use chinwag::chat::model::reply::Durability;

use super::Store;
use super::durable::FactKey;
use super::store_fault::StoreFault;

/// Something to be written.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) log: LogId,
    pub(super) room: RoomName,
    pub(super) durability: Durability,
    pub(super) request: LogRequest,
}

/// What is written together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    /// The answers, once it is committed.
    answers: Option<Vec<LogReply>>,
    /// In which turn the next step is taken.
    next_at: u64,
}

impl Store {
    /// Takes at most one step with the batch.
    pub(super) fn write(&mut self) {
        match self.batch.take() {
            None if self.intake.is_empty() || self.take_at > self.turn => {}
            None => self.take(),
            Some(batch) if batch.next_at > self.turn => self.batch = Some(batch),
            Some(Batch { answers: Some(answers), .. }) => {
                self.replies.extend(answers);
                self.take_at = self.turn + self.delay(0);
            }
            Some(batch) => self.commit(batch),
        }
    }

    /// Does with everything that waits what is to be done.
    pub(super) fn finish(&mut self) {
        self.take_at = self.turn;
        while !self.intake.is_empty() || self.batch.is_some() {
            if let Some(batch) = &mut self.batch {
                batch.next_at = self.turn;
            }
            self.take_at = self.turn;
            self.write();
        }
    }

    /// The crash comes: a batch that is under way is written or not.
    pub(super) fn tear(&mut self) {
        match self.batch.take() {
            Some(batch) if batch.answers.is_none() => {
                self.counts.torn += 1;
                let is_written = self.rng.once_in(2);
                if is_written && self.durable.store_fault != Some(StoreFault::AnsweredBeforeCommit)
                {
                    self.commit(batch);
                }
            }
            Some(_) => self.counts.unanswered += 1,
            None => {}
        }
    }

    /// Takes some of what waits, all of one level.
    fn take(&mut self) {
        let level = self.intake.front().map(|job| job.durability);
        let same = self.intake.iter().take_while(|job| Some(job.durability) == level).count();
        let count = if self.rng.once_in(3) { 1 + self.rng.index(same) } else { same };
        let jobs = self.intake.drain(..count).collect();
        let batch = Batch { jobs, answers: None, next_at: self.turn + self.delay(1) };
        if self.durable.store_fault == Some(StoreFault::AnsweredBeforeCommit)
            && self.trouble.is_none()
        {
            return self.answer_early(batch);
        }
        self.batch = Some(batch);
    }

    fn commit(&mut self, batch: Batch) {
        if let Some((fault, _)) = self.trouble {
            return self.fail(batch, fault);
        }
        self.counts.commits += 1;
        let mut answers = Vec::new();
        for job in batch.jobs {
            answers.extend(self.apply(job));
        }
        self.break_answers(&mut answers);
        let next_at = self.turn + self.delay(2);
        self.batch = Some(Batch { jobs: Vec::new(), answers: Some(answers), next_at });
    }

    fn apply(&mut self, job: Job) -> Option<LogReply> {
        let Job { log, room, durability, request } = job;
        match request {
            LogRequest::Open { epoch, retention, .. } => {
                self.durable.open(&room, epoch, (durability, retention));
                self.open.insert(log, room);
                None
            }
            LogRequest::Append { ticket, draft, .. } => {
                let outcome = self.durable.append(&room, draft, self.now.wall_ms);
                Some(LogReply::Appended { ticket, outcome })
            }
            LogRequest::PutMeta { meta, .. } => {
                self.durable.keep(&room, meta);
                None
            }
            LogRequest::Sync { ticket, .. } | LogRequest::Settle { ticket, .. } => {
                Some(LogReply::Synced { ticket, outcome: Ok(()) })
            }
            LogRequest::Drop { .. } => {
                self.durable.remove(&room);
                self.open.remove(&log);
                self.requested.remove(&log);
                None
            }
            LogRequest::Adopt { .. }
            | LogRequest::Read { .. }
            | LogRequest::Close { .. }
            | LogRequest::People { .. }
            | LogRequest::Notice(_)
            | LogRequest::Tell(_)
            | LogRequest::Claim(..)
            | LogRequest::Session(_)
            | LogRequest::End { .. } => None,
        }
    }

    /// What cannot be stored is refused; facts wait on, before all that came later.
    fn fail(&mut self, batch: Batch, fault: LogFault) {
        self.counts.failures += 1;
        let store_faults = self.durable.store_fault == Some(StoreFault::AnsweredThoughFailed);
        let mut answers = Vec::new();
        let mut meta = Vec::new();
        for job in batch.jobs {
            match job.request {
                LogRequest::Append { ticket, draft, .. } if store_faults => {
                    self.durable.faults_done += 1;
                    let mut lost = self.durable.clone();
                    let outcome = lost.append(&job.room, draft, self.now.wall_ms);
                    answers.push(LogReply::Appended { ticket, outcome });
                }
                LogRequest::Append { ticket, .. } => {
                    self.counts.refused += 1;
                    answers.push(refused(ticket, fault));
                }
                LogRequest::Sync { ticket, .. } | LogRequest::Settle { ticket, .. } => {
                    answers.push(LogReply::Synced { ticket, outcome: Err(fault) });
                }
                _ => meta.push(job),
            }
        }
        for job in meta.into_iter().rev() {
            if !self.is_replaced(&job) {
                self.intake.push_front(job);
            }
        }
        let next_at = self.turn + self.delay(2);
        self.batch = Some(Batch { jobs: Vec::new(), answers: Some(answers), next_at });
    }

    /// Whether a fact that was not written waits to be replaced anyway.
    fn is_replaced(&self, job: &Job) -> bool {
        let LogRequest::PutMeta { log, meta } = &job.request else { return false };
        let key = FactKey::of(meta);
        self.config.coalesces
            && self.intake.front().is_some_and(|later| {
                matches!(&later.request, LogRequest::PutMeta { log: of, meta }
                    if of == log && FactKey::of(meta) == key)
            })
    }

    /// The fault [`StoreFault::AnsweredBeforeCommit`]: the answers of what will be committed, some
    /// turns early.
    fn answer_early(&mut self, batch: Batch) {
        let before = self.durable.clone();
        let open = self.open.clone();
        let requested = self.requested.clone();
        for job in batch.jobs.clone() {
            let answer = self.apply(job);
            self.durable.faults_done += u64::from(answer.is_some());
            self.replies.extend(answer);
        }
        let faults_done = self.durable.faults_done;
        (self.durable, self.open, self.requested) = (before, open, requested);
        self.durable.faults_done = faults_done;
        // Long enough for a crash to come before it.
        let next_at = self.turn + 20;
        let silent = batch.jobs.into_iter().filter(|job| {
            !matches!(job.request, LogRequest::Sync { .. } | LogRequest::Settle { .. })
        });
        self.batch = Some(Batch { jobs: silent.collect(), answers: None, next_at });
    }

    /// What the answers of a commit are, if they are not as they should be.
    fn break_answers(&mut self, answers: &mut Vec<LogReply>) {
        let is_append = |reply: &LogReply| matches!(reply, LogReply::Appended { .. });
        match self.durable.store_fault {
            Some(StoreFault::AnsweredBeforeCommit) => answers.clear(),
            Some(StoreFault::AnswerLost) if self.rng.once_in(20) => {
                self.durable.faults_done += u64::from(answers.pop().is_some());
            }
            Some(StoreFault::AnswersSwapped) => {
                let pair = answers
                    .iter()
                    .position(is_append)
                    .filter(|first| answers.get(first + 1).is_some_and(is_append));
                if let Some(first) = pair {
                    answers.swap(first, first + 1);
                    self.durable.faults_done += 1;
                }
            }
            Some(StoreFault::RefusedThoughStored) if self.rng.once_in(20) => {
                for reply in answers {
                    if let LogReply::Appended { ticket, outcome: Appended::Stored(_) } = reply {
                        *reply = refused(*ticket, LogFault::Broken);
                        self.durable.faults_done += 1;
                    }
                }
            }
            _ => {}
        }
    }

    /// What is not as it should be after a crash.
    pub(super) fn break_at_crash(&mut self) {
        let Some(store_fault) = self.durable.store_fault else { return };
        let mut faults_done = 0;
        for room in self.durable.rooms.values_mut() {
            faults_done += match store_fault {
                StoreFault::SeqReused if room.records.len() > 1 => {
                    room.records.remove(&room.head);
                    room.head -= 1;
                    1
                }
                StoreFault::ForgottenCids => {
                    let forgotten = room.cids.len();
                    room.cids.clear();
                    forgotten as u64
                }
                StoreFault::EpochKept if room.head > 0 => {
                    room.records.clear();
                    (room.head, room.oldest) = (0, 1);
                    1
                }
                StoreFault::FactLost => {
                    let members = |key: &&FactKey| matches!(key, FactKey::Member(_));
                    let lost = room.meta.keys().find(members).cloned();
                    lost.map_or(0, |key| u64::from(room.meta.remove(&key).is_some()))
                }
                StoreFault::MarksBack => marks_back(room.meta.values_mut()),
                _ => 0,
            };
        }
        self.durable.faults_done += faults_done;
    }

    /// What the reader says of what it has found, if it is not as it should be.
    pub(super) fn break_read(&mut self, mut answer: Answer, old: Answer) -> Answer {
        let Some(store_fault) = self.durable.store_fault else { return answer };
        match (&mut answer, old) {
            (Answer::Records { records, .. }, Answer::Records { records: old, .. }) => {
                let middle = records.len() / 2;
                match store_fault {
                    StoreFault::HoleInPage if records.len() > 2 => {
                        records.remove(middle);
                    }
                    StoreFault::DoubledInPage if !records.is_empty() => {
                        let twice = SharedRecord::clone(&records[middle]);
                        records.insert(middle, twice);
                    }
                    StoreFault::StalePage if old.len() == records.len() && old != *records => {
                        *records = old;
                    }
                    _ => return answer,
                }
                self.durable.faults_done += 1;
            }
            (Answer::Inbox(rows), _) if store_fault == StoreFault::OwnCounted => {
                for row in rows.iter_mut() {
                    row.unread += 1;
                }
                self.durable.faults_done += 1;
            }
            _ => {}
        }
        answer
    }
}

/// The answer to an append that cannot be stored.
pub(super) const fn refused(ticket: Ticket, fault: LogFault) -> LogReply {
    LogReply::Appended { ticket, outcome: Appended::Refused(fault) }
}

fn marks_back<'a>(meta: impl Iterator<Item = &'a mut RoomMeta>) -> u64 {
    let mut faults_done = 0;
    for meta in meta {
        if let RoomMeta::Member(_, Some(member)) = meta
            && member.read > 0
        {
            member.read /= 2;
            faults_done += 1;
        }
    }
    faults_done
}
