//! The checker: what all clients together have seen, held against what is promised.
//!
//! [`History`] knows every record that anybody saw, by room, epoch and seq; a [`View`] is what one
//! connection has seen of one room. Both refuse, in words, what may not be.

mod durability;
mod edits;
mod json;
mod moderation;
mod names;
pub(crate) mod people;
mod room_view;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chinwag::time::Tick;
use serde_json::Value;

pub(crate) use self::durability::Known;
pub(crate) use self::edits::deletion;
pub(crate) use self::json::{items, names, number, text};
pub(crate) use self::room_view::{Answer, People, View};

/// What is wrong with what was seen, in words.
pub(crate) type Check<T = ()> = Result<T, String>;

/// For how long and for how many records a `cid` of a memory room is remembered.
const CID_LASTS: Duration = Duration::from_mins(10);
const CID_RECORDS: u64 = 1024;
/// How far a time may be ahead of the wall clock, in milliseconds, and still hold for what follows.
const AHEAD_MAX_MS: u64 = 5_000;

/// The bounds that decide what a room must still have.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) ring_records: u64,
    pub(crate) ring_bytes: u64,
    /// The one room that is not stored, `None` if none is.
    pub(crate) ephemeral: Option<&'static str>,
    /// The one stored room that does not keep everything, and how many records it keeps.
    pub(crate) forgetful: Option<(&'static str, u64)>,
}

impl Rules {
    /// Whether the log of a room outlives the process.
    fn is_stored(&self, room: &str) -> bool {
        self.ephemeral.is_some_and(|ephemeral| room != ephemeral)
    }
}

/// Names one life of one room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogKey(usize);

/// Everything that was seen.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) rules: Rules,
    logs: Vec<Log>,
    by_name: BTreeMap<String, BTreeMap<String, LogKey>>,
    /// What clients have said or tried to say, by its text, which is unique.
    said: BTreeMap<String, Saying>,
    /// How far users have read, as they were answered.
    reads: BTreeMap<(LogKey, String), u64>,
    /// Who is surely in which room.
    members: BTreeSet<(String, String)>,
    /// Requests to leave a room that were not answered.
    leaving: BTreeMap<(String, String), u64>,
    /// What clients have asked to be changed.
    requested: edits::Requested,
    /// What was asked to be done to whom.
    acts_asked: BTreeSet<(&'static str, String)>,
    /// Rooms whose logs lost their ends with a machine.
    cut: BTreeSet<String>,
    /// How often users have begun or ended to leave a room.
    leaves: BTreeMap<String, u64>,
    /// How many processes there were before this one.
    lives: u64,
    pub(crate) names: names::Names,
    /// What users have said, or tried to say, of themselves.
    profiles: BTreeSet<(String, String)>,
}

#[derive(Debug)]
struct Log {
    room: String,
    epoch: String,
    /// It outlives the process.
    is_stored: bool,
    records: BTreeMap<u64, Entry>,
    changes: edits::Changes,
    acts: BTreeMap<u64, moderation::Act>,
    by_text: BTreeMap<String, u64>,
}

#[derive(Debug, PartialEq, Eq)]
struct Entry {
    kind: String,
    from: String,
    text: String,
    at: u64,
}

#[derive(Debug)]
struct Saying {
    /// `None` for a person, whose name the server has given.
    user: Option<String>,
    cid: Option<String>,
    first: Tick,
}

impl History {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            logs: Vec::new(),
            by_name: BTreeMap::new(),
            said: BTreeMap::new(),
            reads: BTreeMap::new(),
            members: BTreeSet::new(),
            leaving: BTreeMap::new(),
            leaves: BTreeMap::new(),
            lives: 0,
            names: names::Names::default(),
            profiles: BTreeSet::new(),
            acts_asked: BTreeSet::new(),
            cut: BTreeSet::new(),
            requested: edits::Requested::default(),
        }
    }

    /// How many records were seen.
    pub(crate) fn len(&self) -> usize {
        self.logs.iter().map(|log| log.records.len()).sum()
    }

    /// The log of a room and epoch.
    pub(crate) fn log(&mut self, room: &str, epoch: &str) -> LogKey {
        if let Some(&key) = self.by_name.get(room).and_then(|epochs| epochs.get(epoch)) {
            return key;
        }
        let key = LogKey(self.logs.len());
        self.logs.push(Log {
            room: room.to_owned(),
            epoch: epoch.to_owned(),
            is_stored: self.rules.is_stored(room),
            records: BTreeMap::new(),
            changes: edits::Changes::default(),
            acts: BTreeMap::new(),
            by_text: BTreeMap::new(),
        });
        self.by_name.entry(room.to_owned()).or_default().insert(epoch.to_owned(), key);
        key
    }

    /// The epoch of a log.
    pub(crate) fn epoch(&self, key: LogKey) -> &str {
        &self.logs[key.0].epoch
    }

    /// A client is about to say something for the first time.
    pub(crate) fn say(&mut self, user: Option<&str>, cid: Option<&str>, text: &str, now: Tick) {
        let (user, cid) = (user.map(str::to_owned), cid.map(str::to_owned));
        self.said.insert(text.to_owned(), Saying { user, cid, first: now });
    }

    /// A user is about to say something of itself for the first time.
    pub(crate) fn say_of_oneself(&mut self, user: &str, said: &str) {
        self.profiles.insert((user.to_owned(), said.to_owned()));
    }

    /// Whether it has said that of itself, or nothing.
    pub(crate) fn is_said_of(&self, user: &str, said: &str) -> bool {
        said.is_empty() || self.profiles.contains(&(user.to_owned(), said.to_owned()))
    }

    /// Somebody sees a record: a live event, an item of a replay or of a page, and could know all
    /// changes up to `upto`.
    pub(crate) fn record(
        &mut self,
        key: LogKey,
        item: &Value,
        (viewer, upto): (&str, u64),
        now: Tick,
    ) -> Check {
        if self.check_form(key, item, upto)? {
            return self.check_origin(key, item);
        }
        let kind = text(item, "ev")?;
        let target = item.get("target").and_then(Value::as_u64);
        let shown = match (kind, target) {
            ("deletion", Some(target)) => deletion(&self.logs[key.0].room, target),
            ("moderation", _) => text(item, "reason")?.to_owned(),
            ("rename", _) => {
                self.names.check_record(item)?;
                renaming(number(item, "seq")?, text(item, "name")?)
            }
            _ => text(item, "text")?.to_owned(),
        };
        let entry = Entry {
            kind: kind.to_owned(),
            from: text(item, "from")?.to_owned(),
            text: shown,
            at: number(item, "at")?,
        };
        let seq = number(item, "seq")?;
        if kind == "rename" {
            return self.insert(key, seq, entry, now);
        }
        let saying = self.said.get(&entry.text);
        let Some(saying) = saying else {
            return Err(format!("seq {seq} shows what nobody has said: {:.60}", entry.text));
        };
        if saying.user.as_ref().is_some_and(|user| *user != entry.from) {
            return Err(format!("seq {seq} is from {}, not from {:?}", entry.from, saying.user));
        }
        if let Some(cid) = item.get("cid")
            && (entry.from != viewer || cid.as_str() != saying.cid.as_deref())
        {
            return Err(format!("seq {seq} shows the cid {cid} to {viewer}"));
        }
        if let Some(target) = target {
            let new = (kind == "edit").then(|| entry.text.clone());
            self.note_change(key, seq, target, new.as_deref());
        }
        if kind == "moderation" {
            self.note_act(key, item)?;
        }
        self.insert(key, seq, entry, now)
    }

    /// Whether a changed form is of the record that was seen there.
    fn check_origin(&self, key: LogKey, item: &Value) -> Check {
        let Some(known) = self.logs[key.0].records.get(&number(item, "seq")?) else {
            return Ok(());
        };
        let is_right = known.kind == text(item, "ev")?
            && known.from == text(item, "from")?
            && known.at == number(item, "at")?;
        is_right.then_some(()).ok_or_else(|| format!("{item} is no form of {known:?}"))
    }

    /// Somebody sees how a record begins, on one line, as the inbox shows the last one of each
    /// room.
    pub(crate) fn check_preview(&self, key: LogKey, item: &Value) -> Check {
        let Some(known) = self.logs[key.0].records.get(&number(item, "seq")?) else {
            return Ok(());
        };
        let shown = text(item, "text")?;
        if item.get("edited").is_some() {
            return Ok(());
        }
        let whole: String =
            known.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let is_right = match shown.strip_suffix('…') {
            Some(head) => whole.starts_with(head),
            None => whole == shown,
        };
        is_right.then_some(()).ok_or_else(|| format!("{item} is not how {known:?} begins"))
    }

    /// A sender was told where its message is.
    pub(crate) fn sent(
        &mut self,
        key: LogKey,
        (seq, at): (u64, u64),
        (kind, from, said): (&str, &str, &str),
        now: Tick,
    ) -> Check {
        let (kind, from, text) = (kind.to_owned(), from.to_owned(), said.to_owned());
        self.insert(key, seq, Entry { kind, from, text, at }, now)
    }

    fn insert(&mut self, key: LogKey, seq: u64, entry: Entry, now: Tick) -> Check {
        let log = &mut self.logs[key.0];
        let first = self.said.get(&entry.text).map_or(now, |saying| saying.first);
        if let Some(known) = log.records.get(&seq) {
            if *known == entry {
                return Ok(());
            }
            let room = &log.room;
            return Err(format!("{room} has two records at seq {seq}: {known:?} and {entry:?}"));
        }
        if seq == 0 {
            return Err("seqs count from 1".to_owned());
        }
        if let Some(&other) = log.by_text.get(&entry.text) {
            let forgotten = now.since(first) >= CID_LASTS || other.abs_diff(seq) >= CID_RECORDS;
            if log.is_stored || !forgotten {
                return Err(format!("{:.60} is there twice, at {other} and {seq}", entry.text));
            }
        }
        let before = log.records.range(..seq).next_back();
        let after = log.records.range(seq..).next();
        // A time that is further ahead was given by a clock that was wrong.
        let goes_back =
            |earlier: u64, later: u64| (1..=AHEAD_MAX_MS).contains(&earlier.saturating_sub(later));
        if before.is_some_and(|(_, before)| goes_back(before.at, entry.at))
            || after.is_some_and(|(_, after)| goes_back(entry.at, after.at))
        {
            return Err(format!("the time of {} goes back around seq {seq}", log.room));
        }
        log.by_text.insert(entry.text.clone(), seq);
        log.records.insert(seq, entry);
        Ok(())
    }

    /// Whether the records `from..=to` are more than a room must keep, so that `from` may be gone.
    /// Unknown ones count as large.
    pub(crate) fn may_lack(&self, key: LogKey, (from, to): (u64, u64)) -> bool {
        let log = &self.logs[key.0];
        if log.is_stored {
            let forgetful = self.rules.forgetful.filter(|(room, _)| *room == log.room);
            return forgetful.is_some_and(|(_, kept)| from + kept <= to);
        }
        if to.saturating_sub(from) >= self.rules.ring_records {
            return true;
        }
        let mut bytes = 0;
        for seq in from..=to {
            let Some(entry) = log.records.get(&seq) else { return true };
            bytes += weight(&log.room, entry);
        }
        bytes > self.rules.ring_bytes
    }

    /// A user was answered how far it has read.
    pub(crate) fn acked(&mut self, key: LogKey, user: &str, (recv, read): (u64, u64)) -> Check {
        if read > recv {
            return Err(format!("{user} has read {read} and received only {recv}"));
        }
        let known = self.reads.entry((key, user.to_owned())).or_default();
        *known = read.max(*known);
        Ok(())
    }

    /// The user has left the room: its marks are gone.
    pub(crate) fn forget_read(&mut self, key: LogKey, user: &str) {
        self.reads.remove(&(key, user.to_owned()));
    }

    /// Who has said how far it has read in a log.
    pub(crate) fn readers(&self, key: LogKey) -> impl Iterator<Item = (&str, u64)> {
        let of_log =
            self.reads.range((key, String::new())..).take_while(move |(at, _)| at.0 == key);
        of_log.map(|((_, user), read)| (user.as_str(), *read))
    }
}

/// What the record of another name says, once.
pub(crate) fn renaming(seq: u64, name: &str) -> String {
    format!("{name} since {seq}")
}

/// What a record counts for in its room's ring, at most.
fn weight(room: &str, entry: &Entry) -> u64 {
    /// The domain's allowance for everything besides names and text, and the longest `cid`.
    const OVERHEAD: usize = chinwag::chat::model::limits::RECORD_OVERHEAD + 64;
    let fixed = OVERHEAD + room.len() + entry.from.len();
    u64::from(chinwag::wire::encoded_len_max(&entry.text, None, None)) + fixed as u64
}
