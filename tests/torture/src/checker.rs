//! The checker: everything that was seen, held against the log as it is in the end.

use std::collections::{BTreeMap, BTreeSet};

use crate::observed::{Mark, Observed, Sighting, Stream, What};

/// Violations of one kind that are shown; the others are counted.
const SHOWN_MAX: usize = 5;

/// What can have gone wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// Something that was acknowledged or seen is not in the log, or a client has a hole.
    Lost,
    /// Something is there, or came, twice.
    Doubled,
    /// Something came, or stands, before what was earlier.
    Reordered,
    /// A seq has carried two records, or a record has had two seqs.
    Renumbered,
    /// A client received a message that it must not receive.
    Told,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: BTreeMap<Wrong, Vec<String>>,
}

impl Wrong {
    /// Those that can be planted.
    pub(crate) const PLANTS: [(&str, Self); 4] = [
        ("lost", Self::Lost),
        ("doubled", Self::Doubled),
        ("reordered", Self::Reordered),
        ("renumbered", Self::Renumbered),
    ];
}

impl Findings {
    /// Checks everything.
    pub(crate) fn of(observed: &Observed) -> Self {
        let mut findings = Self::default();
        for fault in &observed.faults {
            findings.send(Wrong::Told, fault.clone());
        }
        for (room, log) in observed.logs.iter().enumerate() {
            findings.check_log(room, log);
        }
        let places = places(observed);
        findings.check_acks(observed, &places);
        findings.check_senders(observed);
        for stream in &observed.streams {
            findings.check_stream(stream);
            findings.check_sightings(observed, stream, &places);
        }
        findings
    }

    /// Whether there is nothing to complain about.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.is_empty()
    }

    /// How often this was found.
    pub(crate) fn count(&self, wrong: Wrong) -> usize {
        self.found.get(&wrong).map_or(0, Vec::len)
    }

    /// What was found, in lines.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (wrong, found) in &self.found {
            lines.push(format!("{wrong:?}: {}", found.len()));
            lines.extend(found.iter().take(SHOWN_MAX).map(|what| format!("  {what}")));
        }
        lines
    }

    fn send(&mut self, wrong: Wrong, what: String) {
        self.found.entry(wrong).or_default().push(what);
    }

    /// A log is dense and has each message once.
    fn check_log(&mut self, room: usize, log: &[Sighting]) {
        let mut seen = BTreeMap::new();
        for (expected, record) in (1..).zip(log) {
            if record.seq != expected {
                let what = format!("room{room}: {} stands where {expected} should", record.seq);
                self.send(Wrong::Renumbered, what);
                return;
            }
            if let What::Message(mark) = record.what
                && let Some(first) = seen.insert(mark, record.seq)
            {
                let what = format!("room{room}: {} at {first} and {}", mark.cid(), record.seq);
                self.send(Wrong::Doubled, what);
            }
        }
    }

    /// What was acknowledged is there, under its seq.
    fn check_acks(&mut self, observed: &Observed, places: &BTreeMap<(usize, Mark), u64>) {
        let mut given = BTreeMap::new();
        for ack in &observed.acks {
            let cid = ack.mark.cid();
            if let Some(first) = given.insert((ack.room, ack.mark), ack.seq)
                && first != ack.seq
            {
                let what = format!("{cid} was acknowledged as {first} and as {}", ack.seq);
                self.send(Wrong::Renumbered, what);
            }
            let is_there = match at(observed, ack.room, ack.seq) {
                Some(Sighting { what: What::Message(mark), .. }) => *mark == ack.mark,
                Some(Sighting { what: What::Deleted, from, .. }) => *from == ack.from,
                _ => false,
            };
            let place = places.get(&(ack.room, ack.mark));
            if let (false, Some(seq)) = (is_there, place) {
                let what = format!("{cid} was acknowledged as {} and is {seq}", ack.seq);
                self.send(Wrong::Renumbered, what);
            } else if !is_there {
                self.send(
                    Wrong::Lost,
                    format!("{cid} was acknowledged as {} and is gone", ack.seq),
                );
            }
        }
    }

    /// What one client said in one room stands there in the order in which it did.
    fn check_senders(&mut self, observed: &Observed) {
        let refused: BTreeSet<_> = observed.refused.iter().collect();
        for (room, log) in observed.logs.iter().enumerate() {
            let mut last: BTreeMap<u32, Mark> = BTreeMap::new();
            for record in log {
                let What::Message(mark) = record.what else { continue };
                if refused.contains(&mark) {
                    continue;
                }
                if let Some(before) = last.insert(mark.client, mark)
                    && before > mark
                {
                    let what = format!("room{room}: {} behind {}", mark.cid(), before.cid());
                    self.send(Wrong::Reordered, what);
                }
            }
        }
    }

    /// What came to one client came once, in order, without a hole.
    fn check_stream(&mut self, stream: &Stream) {
        let (who, mut last) = (format!("d{} in room{}", stream.client, stream.room), stream.start);
        let mut had = BTreeSet::new();
        for sighting in &stream.seen {
            let seq = sighting.seq;
            if !had.insert(seq) {
                self.send(Wrong::Doubled, format!("{who}: {seq} came twice"));
            } else if seq <= last {
                self.send(Wrong::Reordered, format!("{who}: {seq} came after {last}"));
            } else if seq != last + 1 {
                self.send(Wrong::Lost, format!("{who}: {seq} came after {last}"));
            }
            last = last.max(seq);
        }
    }

    /// What came to one client is what the log has.
    fn check_sightings(
        &mut self,
        observed: &Observed,
        stream: &Stream,
        places: &BTreeMap<(usize, Mark), u64>,
    ) {
        let who = format!("d{} in room{}", stream.client, stream.room);
        for seen in &stream.seen {
            let Some(kept) = at(observed, stream.room, seen.seq) else {
                let moved = match seen.what {
                    What::Message(mark) => places.get(&(stream.room, mark)),
                    What::Deleted | What::Edit(_) | What::Deletion(_) => None,
                };
                let wrong = if moved.is_some() { Wrong::Renumbered } else { Wrong::Lost };
                self.send(wrong, format!("{who} saw {seen:?}, which is not in the log"));
                continue;
            };
            let is_same = match (seen.what, kept.what) {
                (What::Message(_) | What::Deleted, What::Deleted) => true,
                (seen, kept) => seen == kept,
            };
            if !is_same || (seen.at, seen.from) != (kept.at, kept.from) {
                self.send(Wrong::Renumbered, format!("{who} saw {seen:?}, the log has {kept:?}"));
            }
        }
    }
}

/// Where each message stands.
fn places(observed: &Observed) -> BTreeMap<(usize, Mark), u64> {
    let mut places = BTreeMap::new();
    for (room, log) in observed.logs.iter().enumerate() {
        for record in log {
            if let What::Message(mark) = record.what {
                places.insert((room, mark), record.seq);
            }
        }
    }
    places
}

/// The record of a log with this seq.
fn at(observed: &Observed, room: usize, seq: u64) -> Option<&Sighting> {
    let index = usize::try_from(seq.checked_sub(1)?).ok()?;
    observed.logs.get(room)?.get(index)
}

/// Tampers with what was seen, so that the checker must find it; `None` if there is too little to
/// tamper with.
pub(crate) fn plant(observed: &Observed, wrong: Wrong) -> Option<Observed> {
    let mut planted = observed.clone();
    // The middle of the run: there are records on both sides.
    let ack = *planted.acks.get(planted.acks.len() / 2)?;
    let log = planted.logs.get_mut(ack.room)?;
    let index = usize::try_from(ack.seq.checked_sub(1)?).ok()?;
    match wrong {
        Wrong::Lost => {
            // The log ends before what was acknowledged.
            log.truncate(index);
        }
        Wrong::Doubled => {
            let mark = What::Message(ack.mark);
            let copy = Sighting {
                seq: u64::try_from(log.len()).ok()? + 1,
                what: mark,
                ..*log.get(index)?
            };
            log.get_mut(index)?.what = mark;
            log.push(copy);
        }
        Wrong::Reordered => {
            let stream = planted.streams.iter_mut().max_by_key(|stream| stream.seen.len())?;
            let middle = stream.seen.len() / 2;
            stream.seen.get(middle + 1)?;
            stream.seen.swap(middle, middle + 1);
        }
        Wrong::Renumbered => {
            // A message and the record after it have changed places.
            let (one, other) = (*log.get(index)?, *log.get(index + 1)?);
            *log.get_mut(index)? = Sighting { seq: one.seq, ..other };
            *log.get_mut(index + 1)? = Sighting { seq: other.seq, ..one };
        }
        Wrong::Told => planted.faults.push("planted".to_owned()),
    }
    Some(planted)
}

/// Plants one fault after the other into copies; the name of the first that is not found.
pub(crate) fn prove(observed: &Observed) -> Result<(), String> {
    for (name, wrong) in Wrong::PLANTS {
        let planted =
            plant(observed, wrong).ok_or_else(|| format!("too little to plant {name}"))?;
        if Findings::of(&planted).count(wrong) == 0 {
            return Err(format!("the checker does not find a planted fault: {name}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observed::Ack;

    /// Two clients in one room, who saw ten messages and acknowledgements of all.
    fn good() -> Observed {
        let record = |seq: u64| Sighting {
            seq,
            at: 100 + seq,
            from: u32::try_from(seq % 2).unwrap(),
            what: What::Message(Mark { client: u32::try_from(seq % 2).unwrap(), number: seq }),
        };
        let log: Vec<_> = (1..=10).map(record).collect();
        let acks = log.iter().map(|record| {
            let What::Message(mark) = record.what else { panic!("a message") };
            Ack { room: 0, mark, seq: record.seq, from: record.from, stamp: 0 }
        });
        let stream = |client, start: u64| Stream {
            room: 0,
            client,
            start,
            seen: (start + 1..=10).map(record).collect(),
        };
        Observed {
            acks: acks.collect(),
            streams: vec![stream(0, 0), stream(1, 3)],
            logs: vec![log],
            ..Observed::default()
        }
    }

    #[test]
    fn a_good_run_is_clean_and_each_planted_fault_is_found() {
        assert!(Findings::of(&good()).is_clean());
        prove(&good()).unwrap();
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Observed), wrong: Wrong) {
        let mut observed = good();
        change(&mut observed);
        let findings = Findings::of(&observed);
        assert!(findings.count(wrong) > 0, "{wrong:?} is not in {:?}", findings.lines());
    }

    #[test]
    fn every_way_to_be_wrong_is_found() {
        check(|o| o.logs[0].truncate(9), Wrong::Lost);
        check(|o| o.streams[0].seen.retain(|seen| seen.seq != 5), Wrong::Lost);
        check(|o| o.logs[0].retain(|record| record.seq != 5), Wrong::Renumbered);
        check(|o| o.streams[1].seen[2].seq = 5, Wrong::Doubled);
        check(|o| o.acks.push(Ack { seq: 7, ..o.acks[4] }), Wrong::Renumbered);
        check(|o| o.streams[0].seen[3].at = 0, Wrong::Renumbered);
        check(|o| o.streams[0].seen[3].from = 9, Wrong::Renumbered);
        check(|o| o.logs[0].swap(2, 4), Wrong::Renumbered);
        check(|o| o.faults.push("a gap".to_owned()), Wrong::Told);
        let later = |o: &mut Observed| {
            let what = o.logs[0][1].what;
            o.logs[0][1].what = o.logs[0][3].what;
            o.logs[0][3].what = what;
        };
        check(later, Wrong::Reordered);
    }

    #[test]
    fn what_was_deleted_or_refused_at_first_is_no_fault() {
        let mut observed = good();
        observed.logs[0][4].what = What::Deleted;
        assert!(Findings::of(&observed).is_clean());
        let (What::Message(one), What::Message(other)) =
            (observed.logs[0][6].what, observed.logs[0][8].what)
        else {
            panic!("messages")
        };
        for stream in &mut observed.streams {
            stream.seen.truncate(3);
        }
        observed.acks.clear();
        observed.logs[0][6].what = What::Message(other);
        observed.logs[0][8].what = What::Message(one);
        assert!(!Findings::of(&observed).is_clean());
        observed.refused = vec![one];
        assert!(Findings::of(&observed).is_clean());
    }
}
