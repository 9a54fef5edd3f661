//! The order in which the records of one log are told: dense, whoever has put them there.
//!
//! ```text
//!  told ─┬─ ahead: fetched, of others or one's own ──┐
//!        ├─ own: drafts that are records by now ─────┼─▶ Grown, Appended, in order of seq
//!        └─ held: whatever is said behind a record ──┘
//! ```
//!
//! The engine takes the drafts of a node one batch after the other, so the seqs of its answers
//! rise. When a draft is answered, every record below its seq that was not answered before is
//! another node's; and when no draft is on its way, every record is. Until then a record that was
//! fetched waits: it may be the node's own.

use std::collections::VecDeque;

use crate::chat::model::log::{Appended, LogId, LogReply, RoomMeta, Ticket};
use crate::chat::model::record::SharedRecord;

/// Records of one log that may wait for an answer; more are fetched later.
pub(super) const AHEAD_MAX: usize = 1_024;

/// A reply, and up to which version the rights are known to who has it.
pub(super) type Out = (LogReply, Option<(LogId, i64)>);

/// The order of one log.
///
/// Invariants:
/// - `ahead` has the records above `told`, dense, ascending.
/// - The seqs of the records in `own` rise.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The last seq that was told.
    told: u64,
    /// Time and author of that record, if it was told here: what tells another log of that length.
    last: Option<SharedRecord>,
    ahead: VecDeque<SharedRecord>,
    /// Drafts that were sent and not answered.
    sent: usize,
    /// Drafts that are records.
    own: VecDeque<(Ticket, SharedRecord)>,
    held: VecDeque<Held>,
    facts: Option<FactsDue>,
}

/// A reply that waits for records or facts.
#[derive(Debug)]
struct Held {
    /// Behind the record of this seq, below which whatever is not one's own is others'.
    above: u64,
    /// Behind the facts of a fetch: those of the log with this head, once that is known.
    facts: FactsWanted,
    reply: Box<LogReply>,
}

/// Which facts a reply waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FactsWanted {
    /// None.
    No,
    /// Those that are asked for from now on.
    Next,
    /// Those that were asked for.
    Requested,
    /// Those of the log with this head.
    At(u64),
}

/// Facts that hold once all records up to `head` are told.
#[derive(Debug)]
struct FactsDue {
    head: u64,
    meta: Vec<RoomMeta>,
    version: Option<i64>,
}

impl Order {
    /// A log of which all up to this seq is known.
    pub(super) fn new(told: u64) -> Self {
        Self { told, ..Self::default() }
    }

    /// The last seq that was told.
    pub(super) const fn told(&self) -> u64 {
        self.told
    }

    /// The record of that seq, if it was told here.
    pub(super) const fn last(&self) -> Option<&SharedRecord> {
        self.last.as_ref()
    }

    /// The last seq that need not be fetched any more.
    pub(super) fn fetched(&self) -> u64 {
        self.told + u64::try_from(self.ahead.len()).unwrap_or(0)
    }

    /// Whether more can be taken.
    pub(super) fn has_room(&self) -> bool {
        self.ahead.len() < AHEAD_MAX
    }

    /// So many drafts are on their way.
    pub(super) const fn on_sent(&mut self, drafts: usize) {
        self.sent += drafts;
    }

    /// A draft is not on its way any more.
    const fn on_answer(&mut self) {
        self.sent = self.sent.saturating_sub(1);
    }

    /// One's own draft is a record.
    pub(super) fn on_stored(&mut self, ticket: Ticket, record: SharedRecord) {
        self.on_answer();
        self.own.push_back((ticket, record));
    }

    /// One's own draft is none; with `facts` the sender first learns what has changed.
    pub(super) fn on_refused(&mut self, ticket: Ticket, outcome: Appended, facts: bool) {
        self.on_answer();
        // What it was compared with is told first, where that is a record.
        let above = match outcome {
            Appended::Duplicate { seq, .. } | Appended::Conflict { seq } => seq,
            _ => 0,
        };
        let facts = if facts { FactsWanted::Next } else { FactsWanted::No };
        let reply = Box::new(LogReply::Appended { ticket, outcome });
        self.held.push_back(Held { above, facts, reply });
    }

    /// Something else is to be replied, behind what was answered before.
    pub(super) fn push(&mut self, reply: LogReply) {
        // The seqs of the answers rise, so that behind the last one is behind all of them.
        let above = self.own.back().map_or(0, |(_, record)| record.seq);
        self.held.push_back(Held { above, facts: FactsWanted::No, reply: Box::new(reply) });
    }

    /// A record was fetched: `false` if it is not the next one.
    pub(super) fn on_fetched(&mut self, record: &SharedRecord) -> bool {
        let next = self.fetched() + 1;
        // An older one was told or fetched before and is passed over, since two answers may
        // overlap. A newer one would leave a gap that no later answer fills.
        if record.seq == next {
            self.ahead.push_back(SharedRecord::clone(record));
        }
        record.seq <= next
    }

    /// Records and facts are asked for.
    pub(super) fn on_asked(&mut self) {
        for held in self.held.iter_mut().filter(|held| held.facts == FactsWanted::Next) {
            held.facts = FactsWanted::Requested;
        }
    }

    /// Facts were fetched when the log had this `head`: all are known then up to this version.
    pub(super) fn on_facts(&mut self, head: u64, meta: Vec<RoomMeta>, version: Option<i64>) {
        for held in &mut self.held {
            if held.facts == FactsWanted::Requested {
                held.facts = FactsWanted::At(head);
            }
        }
        match &mut self.facts {
            Some(due) => {
                due.head = head.max(due.head);
                // The newer facts go last, so that they win over older ones about the same thing.
                due.meta.extend(meta);
                due.version = version;
            }
            None => self.facts = Some(FactsDue { head, meta, version }),
        }
    }

    /// The log is another one: what waits is said behind that.
    pub(super) fn renew(&mut self, told: u64) {
        // Everybody who waits is answered: an operation that never is would hold back the later
        // readings of its connection for ever.
        let (own, held) = (std::mem::take(&mut self.own), std::mem::take(&mut self.held));
        *self = Self::new(told);
        for (ticket, _) in own {
            // It was stored, in a log that is no more.
            self.push(LogReply::Appended { ticket, outcome: Appended::Undecided });
        }
        for held in held {
            self.push(*held.reply);
        }
    }

    /// Says what can be said: whether something has to be fetched before more can be.
    pub(super) fn advance(&mut self, log: LogId, out: &mut VecDeque<Out>) -> bool {
        loop {
            // Up to where all records that were fetched are others'.
            let upto = match (self.own.front(), self.held.front()) {
                // Drafts that are still on their way get higher seqs than one that is answered.
                (Some((_, record)), _) => record.seq.saturating_sub(1),
                // Nothing is on its way that one of them could be.
                (None, _) if self.sent == 0 => u64::MAX,
                // What is still on its way was written after the record that this reply names.
                (None, Some(held)) => held.above,
                (None, None) => 0,
            };
            // Records before facts: these hold behind the records that were there when they were
            // read.
            self.tell_ahead(log, upto, out);
            self.tell_facts(log, out);
            if self.own.front().is_some_and(|(_, record)| record.seq <= self.told + 1) {
                let Some((ticket, record)) = self.own.pop_front() else { continue };
                let outcome = self.tell_own(record);
                out.push_back((LogReply::Appended { ticket, outcome }, None));
                continue;
            }
            let told = self.told;
            let is_due = |held: &mut Held| {
                held.above <= told
                    && match held.facts {
                        FactsWanted::No => true,
                        FactsWanted::Next | FactsWanted::Requested => false,
                        FactsWanted::At(head) => head <= told,
                    }
            };
            match self.held.pop_front_if(is_due) {
                Some(held) => out.push_back((*held.reply, None)),
                None => return !(self.own.is_empty() && self.held.is_empty()),
            }
        }
    }

    fn tell_own(&mut self, record: SharedRecord) -> Appended {
        // It was sent twice, and the first answer has told it.
        if record.seq <= self.told {
            return Appended::Duplicate { seq: record.seq, at: record.at };
        }
        self.told = record.seq;
        // It may have been fetched, too.
        self.ahead.pop_front();
        self.last = Some(SharedRecord::clone(&record));
        Appended::Stored(record)
    }

    /// Tells others' records up to this seq.
    fn tell_ahead(&mut self, log: LogId, upto: u64, out: &mut VecDeque<Out>) {
        let mut records = Vec::new();
        while let Some(record) = self.ahead.pop_front_if(|record| record.seq <= upto) {
            self.told = record.seq;
            records.push(record);
        }
        let Some(last) = records.last() else { return };
        self.last = Some(SharedRecord::clone(last));
        let due = self.facts.take_if(|due| due.head <= self.told);
        let (meta, version) = due.map_or((Vec::new(), None), |due| (due.meta, due.version));
        let version = version.map(|version| (log, version));
        out.push_back((LogReply::Grown { log, records, meta }, version));
    }

    /// Tells facts that came without records, if all records before them are told.
    fn tell_facts(&mut self, log: LogId, out: &mut VecDeque<Out>) {
        let told = self.told;
        let Some(due) = self.facts.take_if(|due| due.head <= told) else { return };
        let version = due.version.map(|version| (log, version));
        if !due.meta.is_empty() || version.is_some() {
            let (records, meta) = (Vec::new(), due.meta);
            out.push_back((LogReply::Grown { log, records, meta }, version));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::model::name::UserName;
    use crate::chat::model::record::{Body, Record};

    fn record(seq: u64) -> SharedRecord {
        let from = UserName::parse("ann").unwrap();
        Arc::new(Record { seq, at: seq, from, body: Body::Deleted, weight: 1 })
    }

    /// What is said, in short: `g` and seqs for others' records, `s` for one's own, `d` a
    /// duplicate, `f` facts, `r` refused.
    fn said(order: &mut Order) -> (String, bool) {
        let mut out = VecDeque::new();
        let wants = order.advance(LogId::new(1, 1), &mut out);
        let mut said = Vec::new();
        for (reply, _) in out {
            match reply {
                LogReply::Grown { records, meta, .. } => {
                    said.extend(records.iter().map(|record| format!("g{}", record.seq)));
                    said.extend(meta.iter().map(|_| "f".to_owned()));
                }
                LogReply::Appended { outcome: Appended::Stored(record), .. } => {
                    said.push(format!("s{}", record.seq));
                }
                LogReply::Appended { outcome: Appended::Duplicate { seq, .. }, .. } => {
                    said.push(format!("d{seq}"));
                }
                LogReply::Appended { .. } => said.push("r".to_owned()),
                other => panic!("{other:?}"),
            }
        }
        (said.join(" "), wants)
    }

    /// `+`: a draft is sent; `sN`: it is record N; `dN`: it was record N already; `r`: it is
    /// refused, `R`: for want of facts; `aN`: record N was fetched; `?`: facts are asked for, `fN`:
    /// they were fetched at head N.
    #[track_caller]
    fn check(steps: &[(&str, &str, bool)]) {
        let mut order = Order::new(3);
        for (does, expect, wants) in steps {
            for step in does.split_whitespace() {
                let (what, seq) = step.split_at(1);
                let seq = seq.parse().unwrap_or(0);
                match what {
                    "+" => order.on_sent(1),
                    "s" => order.on_stored(Ticket(1), record(seq)),
                    "d" => {
                        order.on_refused(Ticket(1), Appended::Duplicate { seq, at: 1 }, false);
                    }
                    "r" => order.on_refused(Ticket(1), Appended::NotYours, false),
                    "R" => order.on_refused(Ticket(1), Appended::Stale, true),
                    "a" => assert!(order.on_fetched(&record(seq)), "{step}"),
                    "?" => order.on_asked(),
                    "f" => order.on_facts(seq, vec![RoomMeta::Topic("tea".into(), None)], None),
                    _ => panic!("{step}"),
                }
            }
            assert_eq!(said(&mut order), ((*expect).to_owned(), *wants), "{does}");
        }
    }

    #[test]
    fn own_answers_are_told_at_once_where_nobody_else_writes() {
        check(&[("+ s4", "s4", false), ("+ + s5 s6", "s5 s6", false)]);
    }

    #[test]
    fn others_records_are_told_at_once_where_nothing_is_on_its_way() {
        check(&[("a4 a5", "g4 g5", false), ("a6", "g6", false), ("a5 a6", "", false)]);
    }

    #[test]
    fn a_gap_below_an_answer_is_fetched_first() {
        check(&[("+ s6", "", true), ("a4", "g4", true), ("a5", "g5 s6", false)]);
    }

    #[test]
    fn what_was_fetched_is_not_told_as_others_while_it_may_be_ones_own() {
        check(&[
            ("+ a4 a5", "", false),
            ("s5", "g4 s5", false),
            ("+ a6", "", false),
            ("r", "g6 r", false),
        ]);
    }

    #[test]
    fn with_drafts_always_on_their_way_each_answer_frees_what_is_below() {
        check(&[("+ + a4 a5 a6", "", false), ("s5", "g4 s5", false), ("s6", "s6", false)]);
    }

    #[test]
    fn a_record_is_told_once_though_two_answers_name_it() {
        check(&[("+ + s5 s5", "", true), ("a4 a5", "g4 s5 d5", false)]);
    }

    #[test]
    fn a_duplicate_is_told_behind_the_record_that_it_repeats() {
        check(&[("+ d5", "", true), ("a4 a5 a6", "g4 g5 g6 d5", false), ("+ d5", "d5", false)]);
    }

    #[test]
    fn facts_hold_behind_the_records_before_them() {
        check(&[("f3", "f", false), ("f5", "", false), ("a4", "g4", false), ("a5", "g5 f", false)]);
    }

    #[test]
    fn who_is_refused_for_want_of_facts_hears_of_these_first() {
        check(&[("+ R ? f4", "", true), ("a4", "g4 f r", false)]);
        check(&[("+ R f3", "f", true), ("? f3", "f r", false)]);
    }

    #[test]
    fn a_record_of_ones_own_passes_who_waits_for_facts() {
        check(&[("+ + R ? s4", "s4", true), ("a4 f4", "f r", false)]);
        check(&[("+ + R ? s5", "", true), ("a4 a5 f5", "g4 s5 f r", false)]);
        check(&[("+ + R ? a4 f4", "", true), ("s4", "s4 f r", false)]);
    }

    #[test]
    fn a_record_that_is_not_the_next_one_is_no_good() {
        let mut order = Order::new(3);
        assert!(!order.on_fetched(&record(5)));
        assert!(order.on_fetched(&record(3)), "an old one is passed over");
        assert_eq!(order.fetched(), 3);
    }

    #[test]
    fn what_waited_for_a_log_that_is_no_more_is_undecided() {
        let mut order = Order::new(3);
        order.on_sent(2);
        order.on_stored(Ticket(1), record(7));
        order.renew(1);
        assert_eq!(said(&mut order), ("r".to_owned(), false));
        assert_eq!(order.told(), 1);
    }
}
