//! Logs of rooms with durability `memory`: a counter, and the `cid`s that each log remembers.
//!
//! The records themselves live in the rooms' recent rings, which for such rooms are all there is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::keyed_hash::Hasher;
use crate::chat::model::edits;
use crate::chat::model::limits::SEQ_END;
use crate::chat::model::load::Found;
use crate::chat::model::log::{
    Answer, Appended, CidSecret, Draft, LogFault, LogId, LogReply, LogRequest, Logs, Query,
    RememberedCid, Ticket,
};
use crate::chat::model::record::{Body, Record, SharedRecord, stamp};
use crate::collections::{KeyedMap, Slots};
use crate::time::Tick;
use crate::time::clock::Now;

/// Records of a log for which a `cid` is remembered: a client repeats its last messages only.
const CID_RECORDS: u64 = 1024;
/// How long a `cid` is remembered: longer than a client tries to come back to a server that runs.
const CID_LASTS: Duration = Duration::from_mins(10);
/// `cid`s remembered in all unless another number is given, some 20 MB; at more than that, the log
/// that was visited longest ago forgets its oldest early.
pub(in crate::store) const CIDS_MAX: usize = if cfg!(test) { 1 << 12 } else { 1 << 18 };

/// The logs of all memory rooms. Answers at once.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// By slot.
    logs: Slots<Log>,
    replies: VecDeque<LogReply>,
    /// Records that the domain's rings may not have yet, but for messages.
    untold: Vec<(LogId, SharedRecord)>,
    cids: usize,
    cids_max: CidsMax,
    /// Every log that remembers `cid`s, by its last visit: a silent one must forget them, too.
    visits: VecDeque<(Tick, LogId)>,
    hasher: Hasher,
}

/// The most `cid`s that are remembered.
#[derive(Debug)]
struct CidsMax(usize);

impl Default for CidsMax {
    fn default() -> Self {
        Self(CIDS_MAX)
    }
}

#[derive(Debug)]
struct Log {
    id: LogId,
    head: u64,
    last_at: u64,
    /// Boxed, so that a log without any is small.
    cids: Option<Box<Cids>>,
    /// It is in the list of logs to be visited.
    is_listed: bool,
}

/// The `cid`s that a log remembers.
#[derive(Debug, Default)]
struct Cids {
    known: KeyedMap<CidKey, Remembered>,
    by_age: VecDeque<(Tick, u64, CidKey)>,
}

/// A keyed hash of user and `cid`, wide enough that two never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct CidKey(u64, u64);

#[derive(Clone, Copy, Debug)]
struct Remembered {
    seq: u64,
    at: u64,
    /// A keyed hash of what was said.
    said: u64,
}

impl MemoryStore {
    /// No logs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No logs, and later at most so many `cid`s in all.
    #[must_use]
    pub fn with_cids_max(cids_max: usize) -> Self {
        Self { cids_max: CidsMax(cids_max), ..Self::default() }
    }

    /// How many `cid`s are remembered in all.
    #[must_use]
    pub const fn cids(&self) -> usize {
        self.cids
    }

    /// The record of the request that was made last, if it has put one into a log.
    pub(in crate::store) fn last_stored(&self) -> Option<&SharedRecord> {
        match self.replies.back() {
            Some(LogReply::Appended { outcome: Appended::Stored(record), .. }) => Some(record),
            _ => None,
        }
    }

    fn append(&mut self, now: Now, id: LogId, ticket: Ticket, draft: Draft) {
        // By keyed hashes, since clients choose their `cid`s; the first word tells the purposes
        // apart.
        let cid = self.cid_key(&draft).map(|key| (key, self.hasher.hash(2, &draft.body)));
        let outcome = match find(&mut self.logs, id) {
            Some(log) => {
                if let Some((seq, at)) = since(&self.untold, id, &draft) {
                    let outcome = Appended::Duplicate { seq, at };
                    return self.replies.push_back(LogReply::Appended { ticket, outcome });
                }
                let before = log.cids();
                // Made here, where the draft is: it would be copied on its way otherwise.
                let outcome = match log.append(now, cid, draft.is_question) {
                    Ok((seq, at)) => {
                        let Draft { from, body, weight, .. } = draft;
                        Appended::Stored(Arc::new(Record { seq, at, from, body, weight }))
                    }
                    Err(outcome) => outcome,
                };
                let after = log.cids();
                self.cids = self.cids + after - before;
                if after > 0 && !std::mem::replace(&mut log.is_listed, true) {
                    self.visits.push_back((now.tick, id));
                }
                outcome
            }
            None => Appended::Refused(LogFault::Broken),
        };
        if let Appended::Stored(record) = &outcome
            && record.body.text().is_none()
        {
            // Until the domain has taken the replies its rings do not show it, and a second
            // reaction of the same batch would be one more.
            self.untold.push((id, SharedRecord::clone(record)));
        }
        self.forget(now.tick);
        self.replies.push_back(LogReply::Appended { ticket, outcome });
    }

    /// The log goes on where another process has left it.
    fn adopt(&mut self, id: LogId, (head, last_at): (u64, u64), cids: &[RememberedCid]) {
        let Some(log) = find(&mut self.logs, id) else { return };
        (log.head, log.last_at) = (head, last_at);
        for &RememberedCid { key, said, seq, at, since } in cids {
            let key = CidKey(key.0, key.1);
            let known = log.cids.get_or_insert_default();
            known.known.insert(key, Remembered { seq, at, said });
            known.by_age.push_back((since, seq, key));
        }
        self.cids += log.cids();
        let oldest = cids.first().filter(|_| !std::mem::replace(&mut log.is_listed, true));
        self.visits.extend(oldest.map(|oldest| (oldest.since, id)));
    }

    /// Visits the log that was visited longest ago, if that was long enough ago, or there are too
    /// many `cid`s. One for each append is enough: no append adds more than one to the list.
    fn forget(&mut self, now: Tick) {
        let is_full = self.cids > self.cids_max.0;
        let due = |&(since, _): &(Tick, LogId)| is_full || now >= since.after(CID_LASTS);
        let (id, log) = loop {
            let Some((_, id)) = self.visits.pop_front_if(|next| due(next)) else { return };
            // The list may still have logs that were dropped.
            if let Some(log) = find(&mut self.logs, id) {
                break (id, log);
            }
        };
        let before = log.cids();
        log.forget_old(now);
        if is_full && log.cids() == before {
            log.forget_oldest();
        }
        self.cids = self.cids + log.cids() - before;
        log.is_listed = log.cids() > 0;
        if log.is_listed {
            self.visits.push_back((now, id));
        }
    }

    fn cid_key(&self, draft: &Draft) -> Option<CidKey> {
        let Body::Message { cid: Some(cid), .. } = &draft.body else {
            return None;
        };
        let named = (draft.from.as_str(), cid);
        Some(CidKey(self.hasher.hash(0, named), self.hasher.hash(1, named)))
    }
}

impl Logs for MemoryStore {
    fn request(&mut self, now: Now, request: LogRequest) {
        match request {
            LogRequest::Open { log, .. } => {
                let new = Log { id: log, head: 0, last_at: 0, cids: None, is_listed: false };
                self.logs.insert(log.slot(), new);
            }
            LogRequest::Adopt { log, head, last_at, cids } => {
                self.adopt(log, (head, last_at), &cids);
            }
            LogRequest::Append { log, ticket, draft } => self.append(now, log, ticket, draft),
            LogRequest::Drop { log } | LogRequest::Close { log } => {
                let is_open = find(&mut self.logs, log).is_some();
                let dropped = if is_open { self.logs.remove(log.slot()) } else { None };
                self.cids -= dropped.map_or(0, |log| log.cids());
            }
            // The domain has it in memory, which is all that such a room promises.
            LogRequest::PutMeta { .. } | LogRequest::Notice(_) | LogRequest::Tell(_) => {}
            LogRequest::Claim(..) | LogRequest::Session(_) | LogRequest::End { .. } => {
                debug_assert!(false, "no other node");
            }
            LogRequest::Sync { ticket, .. }
            | LogRequest::Settle { ticket, .. }
            | LogRequest::People { ticket, .. } => {
                self.replies.push_back(LogReply::Synced { ticket, outcome: Ok(()) });
            }
            LogRequest::Read { ticket, query } => {
                let outcome = match query {
                    Query::Written { .. } => Ok(Answer::Written { items: Vec::new(), next: None }),
                    Query::Load(_) => Ok(Answer::Loaded(Found::default())),
                    Query::Directory(_) => Ok(Answer::Rooms { rooms: Vec::new(), next: None }),
                    Query::Audit { .. } => Ok(Answer::Acts { acts: Vec::new(), more: false }),
                    _ => Err(LogFault::Broken),
                };
                self.replies.push_back(LogReply::Answer { ticket, outcome });
            }
        }
    }

    fn flush(&mut self) {}

    fn cid_secret(&self) -> CidSecret {
        CidSecret { key: self.hasher.key(), check: self.hasher.hash(0, ()) }
    }

    fn remembered(&self, log: LogId) -> Vec<RememberedCid> {
        let log = self.logs.get(log.slot()).filter(|found| found.id == log);
        let Some(cids) = log.and_then(|log| log.cids.as_ref()) else { return Vec::new() };
        let all = cids.by_age.iter().filter_map(|&(since, _, key)| {
            let &Remembered { seq, at, said } = cids.known.get(&key)?;
            Some(RememberedCid { key: (key.0, key.1), said, seq, at, since })
        });
        all.collect()
    }

    fn adopt_cid_secret(&mut self, secret: CidSecret) -> bool {
        debug_assert_eq!(self.cids, 0, "nothing is remembered by another key");
        self.hasher = Hasher::new(secret.key);
        self.hasher.hash(0, ()) == secret.check
    }

    fn poll(&mut self) -> Option<LogReply> {
        let reply = self.replies.pop_front();
        if reply.is_none() && !self.untold.is_empty() {
            self.untold.clear();
        }
        reply
    }
}

/// The seq and time of the record since which it is so already what the draft says, if it is.
fn since(untold: &[(LogId, SharedRecord)], id: LogId, draft: &Draft) -> Option<(u64, u64)> {
    let told = untold.iter().rev().filter(|(log, _)| *log == id).find_map(|(_, record)| {
        let repeats = edits::repeats(record, &draft.from, &draft.body)?;
        Some(repeats.then_some((record.seq, record.at)))
    });
    told.unwrap_or_else(|| draft.since.as_deref().copied())
}

/// The log of this name, if it is open.
fn find(logs: &mut Slots<Log>, id: LogId) -> Option<&mut Log> {
    logs.get_mut(id.slot()).filter(|log| log.id == id)
}

impl Log {
    /// The seq and the time of the next record.
    ///
    /// # Errors
    ///
    /// What becomes of the append otherwise.
    fn append(
        &mut self,
        now: Now,
        cid: Option<(CidKey, u64)>,
        is_question: bool,
    ) -> Result<(u64, u64), Appended> {
        self.forget_old(now.tick);
        let known = cid.and_then(|(key, said)| Some((self.remembered(key)?, said)));
        match known {
            // First: a message that was taken is never refused afterwards.
            Some((known, said)) if known.said == said => {
                return Err(Appended::Duplicate { seq: known.seq, at: known.at });
            }
            Some((known, _)) => return Err(Appended::Conflict { seq: known.seq }),
            None if is_question => return Err(Appended::Unknown),
            None if self.head + 1 >= SEQ_END => return Err(Appended::Refused(LogFault::Full)),
            None => {}
        }
        self.head += 1;
        // The wall clock may go back; what a room shows does not.
        self.last_at = stamp(self.last_at, now.wall_ms);
        let (seq, at) = (self.head, self.last_at);
        if let Some((key, said)) = cid {
            let cids = self.cids.get_or_insert_default();
            cids.known.insert(key, Remembered { seq, at, said });
            cids.by_age.push_back((now.tick, seq, key));
        }
        Ok((seq, at))
    }

    /// How many `cid`s it remembers.
    fn cids(&self) -> usize {
        self.cids.as_ref().map_or(0, |cids| cids.by_age.len())
    }

    fn remembered(&self, key: CidKey) -> Option<Remembered> {
        self.cids.as_ref()?.known.get(&key).copied()
    }

    fn forget_old(&mut self, now: Tick) {
        while let Some(&(since, seq, _)) = self.cids.as_ref().and_then(|cids| cids.by_age.front()) {
            if now < since.after(CID_LASTS) && seq + CID_RECORDS > self.head {
                break;
            }
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        let Some(cids) = &mut self.cids else { return };
        if let Some((_, _, key)) = cids.by_age.pop_front() {
            cids.known.remove(&key);
        }
        if cids.by_age.is_empty() {
            self.cids = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::name::{RoomName, UserName};
    use crate::chat::model::policy::Retention;
    use crate::chat::model::record::Epoch;
    use crate::chat::model::reply::Durability;

    fn at(millis: u64) -> Now {
        Now { tick: Tick::from_millis(millis), wall_ms: 1_000_000 + millis }
    }

    fn open_request(log: LogId, room: RoomName) -> LogRequest {
        let (durability, retention) = (Durability::Memory, Retention::default());
        LogRequest::Open { log, room, epoch: Epoch(1), durability, retention, kept: None }
    }

    fn open() -> MemoryStore {
        let mut store = MemoryStore::new();
        let room = RoomName::parse("lobby").unwrap();
        store.request(at(0), open_request(LogId::new(1, 1), room));
        store
    }

    fn draft(from: &str, text: &str, cid: Option<&str>) -> Draft {
        Draft::new(UserName::parse(from).unwrap(), Body::plain(text, cid), 0)
    }

    fn append(store: &mut MemoryStore, now: Now, from: &str, cid: &str, text: &str) -> Appended {
        let draft = draft(from, text, Some(cid).filter(|cid| !cid.is_empty()));
        store.request(now, LogRequest::Append { log: LogId::new(1, 1), ticket: Ticket(7), draft });
        let reply = store.poll().unwrap();
        let LogReply::Appended { ticket: Ticket(7), outcome } = reply else {
            panic!("{reply:?}");
        };
        outcome
    }

    #[track_caller]
    fn check_stored(outcome: &Appended, seq: u64) {
        assert!(matches!(outcome, Appended::Stored(record) if record.seq == seq), "{outcome:?}");
    }

    #[test]
    fn seqs_count_from_one_without_a_hole() {
        let mut store = open();
        for seq in 1..=5 {
            check_stored(&append(&mut store, at(seq), "ann", "", "hi"), seq);
        }
    }

    #[test]
    fn a_log_in_which_nothing_more_is_said_forgets_its_cids_too() {
        let mut store = open();
        let room = RoomName::parse("quiet").unwrap();
        store.request(at(0), open_request(LogId::new(2, 1), room));
        let draft = draft("ann", "hi", Some("c"));
        store
            .request(at(0), LogRequest::Append { log: LogId::new(2, 1), ticket: Ticket(0), draft });
        store.poll().unwrap();
        append(&mut store, at(1), "bob", "", "hi");
        assert_eq!(store.cids(), 1);
        append(&mut store, at(600_001), "bob", "", "hi");
        assert_eq!(store.cids(), 0);
        assert!(store.visits.is_empty());
    }

    #[test]
    fn a_full_memory_makes_room_in_the_log_visits_longest_ago() {
        let mut store = open();
        let logs = CIDS_MAX / usize::try_from(CID_RECORDS).unwrap();
        for log in 2..2 + logs {
            let (log, room) = (LogId::new(log, 1), RoomName::parse("full").unwrap());
            store.request(at(0), open_request(log, room));
            for cid in 0..CID_RECORDS {
                let draft = draft("ann", "hi", Some(&cid.to_string()));
                store.request(at(0), LogRequest::Append { log, ticket: Ticket(0), draft });
                store.poll().unwrap();
            }
        }
        assert_eq!(store.cids(), CIDS_MAX);
        check_stored(&append(&mut store, at(1), "ann", "c1", "hi"), 1);
        let again = append(&mut store, at(2), "ann", "c1", "hi");
        assert!(matches!(again, Appended::Duplicate { seq: 1, .. }), "{again:?}");
        assert_eq!(store.cids(), CIDS_MAX);
    }

    #[test]
    fn a_repeated_cid_gets_the_first_seq_and_another_body_is_a_conflict() {
        let mut store = open();
        check_stored(&append(&mut store, at(0), "ann", "c1", "hi"), 1);
        let again = append(&mut store, at(5), "ann", "c1", "hi");
        assert_eq!(again, Appended::Duplicate { seq: 1, at: 1_000_000 });
        let other = append(&mut store, at(6), "ann", "c1", "ho");
        assert_eq!(other, Appended::Conflict { seq: 1 });
        check_stored(&append(&mut store, at(7), "bob", "c1", "hi"), 2);
    }

    #[test]
    fn a_cid_is_forgotten_after_its_time_or_its_records() {
        let mut store = open();
        check_stored(&append(&mut store, at(0), "ann", "old", "hi"), 1);
        check_stored(&append(&mut store, at(600_000), "ann", "old", "hi"), 2);
        for seq in 3..=2 + CID_RECORDS {
            check_stored(&append(&mut store, at(600_001), "bob", "", "x"), seq);
        }
        check_stored(&append(&mut store, at(600_002), "ann", "old", "hi"), 3 + CID_RECORDS);
        assert_eq!(store.cids(), 1);
    }

    #[test]
    fn the_time_of_a_room_never_goes_back() {
        let mut store = open();
        append(&mut store, at(5_000), "ann", "", "hi");
        let outcome = append(&mut store, at(1_000), "ann", "", "hi");
        assert!(matches!(outcome, Appended::Stored(record) if record.at == 1_005_000));
    }

    #[test]
    fn a_dropped_log_takes_its_cids_along_and_refuses_appends() {
        let mut store = open();
        append(&mut store, at(0), "ann", "c1", "hi");
        store.request(at(0), LogRequest::Drop { log: LogId::new(1, 1) });
        assert_eq!(store.cids(), 0);
        assert_eq!(
            append(&mut store, at(0), "ann", "c1", "hi"),
            Appended::Refused(LogFault::Broken)
        );
    }
}
