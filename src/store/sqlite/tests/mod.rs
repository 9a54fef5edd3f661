//! The store as the server sees it: threads, files, restarts.

mod damage;
mod preload;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::*;
use crate::chat::model::load::{Begun, Found, Kept, Wanted};
use crate::chat::model::log::{
    Answer, Appended, Draft, Expiry, LogFault, LogId, LogReply, LogRequest, Logs as _, MemberMeta,
    Query, Restriction, RestrictionMeta, RoomMeta, Snapshot, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::People;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Role};
use crate::metrics::StoreMetrics;
use crate::time::clock::Clock;

/// Longer than anything takes on a machine that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store with what wakes its loop.
struct Harness {
    store: SqliteStore,
    snapshot: Snapshot,
    /// The rooms, or what was said instead.
    rooms: Result<Vec<Begun>, String>,
    /// What `chinwag_store_trouble` was at each wake.
    woken: Receiver<u64>,
    clock: Clock,
    metrics: Arc<StoreMetrics>,
    tickets: u64,
}

pub(super) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(super) fn message(text: &str, cid: Option<&str>) -> Draft {
    Draft::new(user("ann"), Body::plain(text, cid), 300)
}

impl Harness {
    fn open(data: &Path) -> Self {
        Self::try_open(data).unwrap()
    }

    /// A store with one message, `before`, in `lobby`.
    fn with_one_record() -> (tempfile::TempDir, Self, LogId) {
        let folder = tempfile::tempdir().unwrap();
        let mut harness = Self::open(folder.path());
        let log = harness.open_room(1, "lobby", Durability::Disk);
        check_stored(&harness.append(log, message("before", None)), 1);
        (folder, harness, log)
    }

    fn try_open(data: &Path) -> Result<Self, OpenError> {
        Self::open_with(data, Preload::default())
    }

    fn open_with(data: &Path, preload: Preload) -> Result<Self, OpenError> {
        let (wake, woken) = channel();
        let metrics = Arc::new(StoreMetrics::default());
        let options = Options { preload, ..Options::new(data.to_owned(), Arc::clone(&metrics)) };
        let clock = Clock::start();
        let at_wake = Arc::clone(&metrics);
        let wake: Wake = Arc::new(move || _ = wake.send(at_wake.trouble.value()));
        let (store, snapshot) = SqliteStore::open(&options, clock, wake)?;
        let rooms = Ok(Vec::new());
        let mut harness = Self { store, snapshot, rooms, woken, clock, metrics, tickets: 0 };
        harness.rooms = harness.load_all(data);
        Ok(harness)
    }

    /// Loads all rooms, as of whom somebody has come to each.
    fn load_all(&mut self, data: &Path) -> Result<Vec<Begun>, String> {
        let path = data.join(data_dir::DATABASE);
        let names = connection::open_read_only(&path, PATIENCE).and_then(|db| {
            let mut find = db.prepare("SELECT name FROM room ORDER BY id")?;
            let names = find.query_map([], |row| row.get::<_, String>(0))?;
            names.collect::<rusqlite::Result<Vec<_>>>()
        });
        let names = names.map_err(|error| error.to_string())?;
        let names =
            names.iter().map(|name| RoomName::stored(name).ok_or_else(|| "no name".to_owned()));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let mut rooms = self.load(&names)?.rooms;
        rooms.sort_by_key(|room| names.iter().position(|name| *name == room.name));
        Ok(rooms)
    }

    fn load(&mut self, names: &[RoomName]) -> Result<Found, String> {
        let mut wanted = Wanted::default();
        for name in names {
            wanted.add_room(name.clone(), false);
        }
        self.load_wanted(wanted)
    }

    fn load_wanted(&mut self, wanted: Wanted) -> Result<Found, String> {
        let ticket = self.ticket();
        self.request(LogRequest::Read { ticket, query: Query::Load(Box::new(wanted)) });
        loop {
            match self.reply() {
                LogReply::Answer { outcome: Ok(Answer::Loaded(found)), .. } => return Ok(found),
                LogReply::Health(Ok(())) => {}
                other => return Err(format!("{other:?}")),
            }
        }
    }

    fn kept(&self, name: &str) -> Option<Kept> {
        let mut rooms = self.rooms.iter().flatten();
        rooms.find(|room| room.name.as_str() == name).and_then(|room| room.kept)
    }

    fn request(&mut self, request: LogRequest) {
        self.store.request(self.clock.now(), request);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn open_room(&mut self, life: u64, name: &str, durability: Durability) -> LogId {
        let log = LogId::new(usize::try_from(life).unwrap(), life);
        let room = RoomName::parse(name).unwrap();
        let (epoch, retention) = (Epoch(77), Retention::default());
        let kept = self.kept(name);
        self.request(LogRequest::Open { log, room, epoch, durability, retention, kept });
        log
    }

    /// The next reply, which must come. What another process has changed is told when the writer
    /// finds it, so that it may come between any two of them.
    fn reply(&mut self) -> LogReply {
        self.store.flush();
        loop {
            match self.store.poll() {
                Some(LogReply::People(_) | LogReply::Suspended(_)) => {}
                Some(reply) => return reply,
                None => _ = self.woken.recv_timeout(PATIENCE).expect("a reply"),
            }
        }
    }

    fn append(&mut self, log: LogId, draft: Draft) -> Appended {
        let ticket = self.ticket();
        self.request(LogRequest::Append { log, ticket, draft });
        let reply = self.reply();
        let LogReply::Appended { ticket: told, outcome } = reply else { panic!("{reply:?}") };
        assert_eq!(told, ticket);
        outcome
    }

    fn sync(&mut self, log: LogId) -> Result<(), LogFault> {
        let ticket = self.ticket();
        self.request(LogRequest::Sync { log, ticket });
        let reply = self.reply();
        let LogReply::Synced { ticket: told, outcome } = reply else { panic!("{reply:?}") };
        assert_eq!(told, ticket);
        outcome
    }

    fn texts(&mut self, log: LogId) -> Vec<(u64, String)> {
        let ticket = self.ticket();
        let query = Query::Page { log, from: 1, to: 1000, limit: 1000 };
        self.request(LogRequest::Read { ticket, query });
        let reply = self.reply();
        let LogReply::Answer { outcome: Ok(Answer::Records { records, .. }), .. } = reply else {
            panic!("{reply:?}");
        };
        let text = |body: &Body| match body {
            Body::Message { text, .. } => text.to_string(),
            other => format!("{other:?}"),
        };
        records.iter().map(|record| (record.seq, text(&record.body))).collect()
    }
}

#[track_caller]
fn check_stored(outcome: &Appended, seq: u64) {
    assert!(matches!(outcome, Appended::Stored(record) if record.seq == seq), "{outcome:?}");
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new").join("data");
    let member = MemberMeta { role: Role::Owner, recv: 2, read: 1, joined: 4 };
    let expiry = Expiry { until: Some(5), reason: "rude".into() };
    let ban = RestrictionMeta { by: Some(user("ann")), at: Some(3), expiry };
    let meta = [
        RoomMeta::Access { private: true, owned: true, policy: Some("quiet".into()) },
        RoomMeta::Topic("tea".into(), None),
        RoomMeta::Member(user("ann"), Some(member)),
        RoomMeta::Restriction(user("bob"), Restriction::Banned, Some(ban)),
        RoomMeta::Restriction(user("bob"), Restriction::Reader, Some(RestrictionMeta::default())),
    ];
    {
        let mut harness = Harness::open(&data);
        assert_eq!(harness.rooms, Ok(Vec::new()));
        assert_eq!(
            (harness.snapshot.elsewhere.rooms, &harness.snapshot.people),
            (0, &People::default())
        );
        let log = harness.open_room(1, "lobby", Durability::Disk);
        check_stored(&harness.append(log, message("one", None)), 1);
        for meta in meta.clone() {
            harness.request(LogRequest::PutMeta { log, meta });
        }
        harness.request(LogRequest::PutMeta {
            log,
            meta: RoomMeta::Member(user("eve"), Some(member)),
        });
        harness.request(LogRequest::PutMeta { log, meta: RoomMeta::Member(user("eve"), None) });
        check_stored(&harness.append(log, message("two", None)), 2);
        assert_eq!(harness.sync(log), Ok(()));
        assert_eq!(harness.texts(log), [(1, "one".to_owned()), (2, "two".to_owned())]);
    }
    let mut harness = Harness::open(&data);
    let [room] = &**harness.rooms.as_ref().unwrap() else { panic!("{:?}", harness.rooms) };
    assert_eq!(
        (room.name.as_str(), room.epoch, room.durability),
        ("lobby", Epoch(77), Durability::Disk)
    );
    assert_eq!((room.head, room.oldest, &*room.meta), (2, 1, &meta[..]));
    let log = harness.open_room(9, "lobby", Durability::Disk);
    check_stored(&harness.append(log, message("three", None)), 3);
    assert_eq!(harness.texts(log).len(), 3);
}

#[test]
fn a_second_server_on_the_same_directory_is_refused_until_the_first_ends() {
    let folder = tempfile::tempdir().unwrap();
    let first = Harness::open(folder.path());
    let second = Harness::try_open(folder.path()).err().unwrap();
    assert!(matches!(second, OpenError::Locked(_)), "{second}");
    assert!(second.to_string().contains(folder.path().to_str().unwrap()), "{second}");
    drop(first);
    Harness::open(folder.path());
}

#[test]
fn a_memory_room_is_beside_the_stored_ones_and_gone_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut harness = Harness::open(folder.path());
        let stored = harness.open_room(1, "kept", Durability::Os);
        let light = harness.open_room(2, "light", Durability::Memory);
        check_stored(&harness.append(light, message("x", None)), 1);
        check_stored(&harness.append(stored, message("y", None)), 1);
        assert_eq!(harness.texts(light), []);
    }
    let harness = Harness::open(folder.path());
    let names: Vec<_> =
        harness.rooms.as_ref().unwrap().iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["kept"]);
}

#[test]
fn a_dropped_room_is_gone_and_its_name_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut harness = Harness::open(folder.path());
        let log = harness.open_room(1, "lobby", Durability::Disk);
        check_stored(&harness.append(log, message("old", Some("c"))), 1);
        harness.request(LogRequest::Drop { log });
        let log = harness.open_room(2, "lobby", Durability::Disk);
        check_stored(&harness.append(log, message("new", Some("c"))), 1);
        harness.request(LogRequest::Drop { log });
        let log = harness.open_room(3, "other", Durability::Disk);
        assert_eq!(harness.sync(log), Ok(()));
    }
    let mut harness = Harness::open(folder.path());
    let names: Vec<_> =
        harness.rooms.as_ref().unwrap().iter().map(|room| room.name.as_str()).collect();
    assert_eq!(names, ["other"]);
    let log = harness.open_room(1, "lobby", Durability::Disk);
    assert_eq!(harness.texts(log), []);
    check_stored(&harness.append(log, message("newer", Some("c"))), 1);
    assert_eq!(harness.texts(log), [(1, "newer".to_owned())]);
}

#[test]
fn service_returns_by_itself_when_the_cause_of_a_failure_is_gone() {
    let (folder, mut harness, log) = Harness::with_one_record();
    assert_eq!(harness.texts(log), [(1, "before".to_owned())]);
    let (file, away) = (folder.path().join("chinwag.db"), folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    let ticket = harness.ticket();
    let draft = message("now", Some("c"));
    harness.request(LogRequest::Append { log, ticket, draft });
    // Maintenance may have failed first.
    let mut told = [harness.reply(), harness.reply()];
    told.sort_by_key(|reply| matches!(reply, LogReply::Health(_)));
    let health = LogReply::Health(Err(LogFault::Broken));
    assert_eq!(told, [LogReply::Appended { ticket, outcome: refused }, health]);
    // Stored records can be read, and memory rooms go on.
    assert_eq!(harness.texts(log), [(1, "before".to_owned())]);
    let light = harness.open_room(2, "light", Durability::Memory);
    check_stored(&harness.append(light, message("x", None)), 1);
    assert_eq!(harness.sync(log), Err(LogFault::Broken));
    std::fs::rename(&away, &file).unwrap();
    assert_eq!(harness.reply(), LogReply::Health(Ok(())));
    check_stored(&harness.append(log, message("now", Some("c"))), 2);
}

#[test]
fn whoever_is_told_of_trouble_finds_the_metric_set() {
    let (folder, mut harness, log) = Harness::with_one_record();
    while harness.woken.try_recv().is_ok() {}
    let (file, away) = (folder.path().join("chinwag.db"), folder.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let ticket = harness.ticket();
    harness.request(LogRequest::Append { log, ticket, draft: message("now", None) });
    harness.store.flush();
    assert_eq!(harness.woken.recv_timeout(PATIENCE), Ok(1), "refused while it is said to be ready");
    std::fs::rename(&away, &file).unwrap();
    while harness.woken.recv_timeout(PATIENCE).expect("the end of it") == 1 {}
    while harness.reply() != LogReply::Health(Ok(())) {}
}

#[test]
fn a_lock_of_another_process_is_waited_for_and_refuses_nothing() {
    let (folder, mut harness, log) = Harness::with_one_record();
    let other = rusqlite::Connection::open(folder.path().join("chinwag.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let ticket = harness.ticket();
    harness.request(LogRequest::Append { log, ticket, draft: message("now", None) });
    // It waits by now, if it is to wait at all.
    assert!(harness.woken.recv_timeout(Duration::from_millis(700)).is_err(), "answered too soon");
    other.execute_batch("COMMIT").unwrap();
    match harness.reply() {
        LogReply::Appended { ticket: answered, outcome } => {
            assert_eq!(answered, ticket);
            check_stored(&outcome, 2);
        }
        other => panic!("{other:?}"),
    }
    assert!(harness.metrics.trouble.value() == 0, "a lock is no trouble");
}

#[test]
fn an_index_of_the_wal_that_was_removed_is_noticed_and_made_again() {
    let (folder, mut harness, log) = Harness::with_one_record();
    assert_eq!(harness.texts(log), [(1, "before".to_owned())]);
    std::fs::remove_file(folder.path().join("chinwag.db-shm")).unwrap();
    // Another process makes an index of its own, and writes.
    let other = rusqlite::Connection::open(folder.path().join("chinwag.db")).unwrap();
    other.execute_batch("INSERT INTO suspension VALUES ('user eve', NULL, '')").unwrap();
    let ticket = harness.ticket();
    harness.request(LogRequest::Append { log, ticket, draft: message("lost", None) });
    while harness.reply() != LogReply::Health(Err(LogFault::Broken)) {}
    while harness.reply() != LogReply::Health(Ok(())) {}
    check_stored(&harness.append(log, message("after", None)), 2);
    let texts = harness.texts(log);
    assert_eq!(texts, [(1, "before".to_owned()), (2, "after".to_owned())]);
    let sql = "SELECT count(*) FROM suspension WHERE who = 'user eve'";
    assert_eq!(other.query_one(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

/// Fills the root of this index with zeros, in a file that nobody uses.
fn spoil_index(data: &Path, index: &str) {
    let path = data.join("chinwag.db");
    let db = rusqlite::Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = ?1";
    let page: i64 = db.query_one(sql, [index], |row| row.get(0)).unwrap();
    let page = usize::try_from(page).unwrap();
    db.execute("UPDATE meta SET value = 0 WHERE key = 'clean'", []).unwrap();
    db.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0);
    std::fs::write(&path, bytes).unwrap();
}

#[test]
fn damage_is_found_after_a_start_and_what_does_not_need_the_file_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut harness = Harness::open(folder.path());
        let log = harness.open_room(1, "lobby", Durability::Disk);
        check_stored(&harness.append(log, message("hello", Some("c"))), 1);
    }
    // No start uses this index.
    spoil_index(folder.path(), "edit");
    let mut harness = Harness::open(folder.path());
    let log = harness.open_room(1, "lobby", Durability::Disk);
    assert_eq!(harness.reply(), LogReply::Health(Err(LogFault::Corrupt)));
    let refused = Appended::Refused(LogFault::Corrupt);
    assert_eq!(harness.append(log, message("no", None)), refused);
    assert_eq!(harness.texts(log), [(1, "hello".to_owned())]);
    let light = harness.open_room(2, "light", Durability::Memory);
    check_stored(&harness.append(light, message("x", None)), 1);
    assert_eq!(harness.metrics.checks_damaged.value(), 1);
}

/// Makes a file one that cannot be opened.
type Spoil = fn(&Path);

#[test]
fn what_cannot_be_opened_is_left_as_it_is_and_the_message_says_what_to_do() {
    let newer = |path: &Path| {
        let db = rusqlite::Connection::open(path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
    };
    let foreign = |path: &Path| {
        std::fs::remove_file(path).unwrap();
        let db = rusqlite::Connection::open(path).unwrap();
        db.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    };
    let garbage = |path: &Path| std::fs::write(path, "x".repeat(9000)).unwrap();
    let cases: [(Spoil, &str); 3] = [
        (newer, "version 99 of the schema"),
        (foreign, "is not a chinwag database; move it away"),
        (garbage, "is damaged: file is not a database; it was left as it is"),
    ];
    for (spoil, words) in cases {
        let folder = tempfile::tempdir().unwrap();
        drop(Harness::open(folder.path()));
        let path = folder.path().join("chinwag.db");
        spoil(&path);
        let before = std::fs::read(&path).unwrap();
        let said = Harness::try_open(folder.path()).err().unwrap().to_string();
        assert!(said.contains(words) && said.contains("chinwag.db"), "{said}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{words}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let said = Harness::try_open(&file.join("data")).err().unwrap().to_string();
    assert!(said.contains("cannot be used") && said.contains("`data`"), "{said}");
}

#[test]
fn thousands_of_records_are_answered_in_order_and_none_is_lost_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let count: usize = 5000;
    {
        let mut harness = Harness::open(folder.path());
        let logs = [("a", Durability::Disk), ("b", Durability::Os)];
        let logs = [1, 2].map(|life: u64| {
            let (name, durability) = logs[usize::try_from(life).unwrap() - 1];
            harness.open_room(life, name, durability)
        });
        for number in 0..count {
            let (log, ticket) = (logs[number / 500 % 2], harness.ticket());
            let draft = message(&number.to_string(), None);
            harness.request(LogRequest::Append { log, ticket, draft });
        }
        let mut heads = [0, 0];
        for number in 0..count {
            let reply = harness.reply();
            let LogReply::Appended { ticket, outcome } = reply else { panic!("{reply:?}") };
            // The first one was that of the rooms.
            assert_eq!(ticket, Ticket(u64::try_from(number).unwrap() + 2));
            heads[number / 500 % 2] += 1;
            check_stored(&outcome, heads[number / 500 % 2]);
        }
    }
    let harness = Harness::open(folder.path());
    let heads: Vec<_> = harness.rooms.as_ref().unwrap().iter().map(|room| room.head).collect();
    assert_eq!(heads, [2500, 2500]);
}
