//! Files that are not what was written: whatever is wrong is reported, and nothing false is told.

use std::collections::BTreeMap;
use std::fs;
use std::panic;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::chat::model::load::Begun;
use crate::chat::model::record::SharedRecord;
use crate::store::sqlite::copy_mark;
use crate::store::sqlite::disk_reserve::RESERVE_BYTES;
use crate::store::sqlite::meta_table::{self, MARKS};

/// Bits that are flipped, one at a time, unless the variable says how many:
/// `STORE_FLIPS=10000 cargo test --lib flipped_bit -- --nocapture` tells what became of them.
const FLIPS: usize = 1000;
const FLIPS_VARIABLE: &str = "STORE_FLIPS";

/// What a store tells: its rooms and their records, by name. `Err` is what it has reported.
type Told = Result<Rooms, String>;
type Rooms = BTreeMap<String, (Begun, Vec<SharedRecord>)>;

/// A folder where files are made by the thousand.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The bytes of a small database in which there is one of everything.
fn image() -> Vec<u8> {
    let folder = folder();
    {
        let mut harness = Harness::open(folder.path());
        for (life, name) in [(1, "lobby"), (2, "@ann:bob"), (3, "empty")] {
            let log = harness.open_room(life, name, Durability::Disk);
            let member = MemberMeta { role: Role::Owner, recv: 2, read: 1, joined: 4 };
            for who in ["ann", "bob", "eve"] {
                harness.request(LogRequest::PutMeta {
                    log,
                    meta: RoomMeta::Member(user(who), Some(member)),
                });
            }
            let expiry = Expiry { until: Some(5), reason: "rude".into() };
            let ban = RestrictionMeta { expiry, ..RestrictionMeta::default() };
            let meta = RoomMeta::Restriction(user("mal"), Restriction::Banned, Some(ban));
            harness.request(LogRequest::PutMeta { log, meta });
            harness.request(LogRequest::PutMeta { log, meta: RoomMeta::Topic("tea".into(), None) });
            assert_eq!(harness.sync(log), Ok(()));
            for number in 0..if life == 3 { 0 } else { 40 } {
                let text = format!("{name} says {}", "word ".repeat(number));
                let cid = format!("cid {number}");
                let outcome = harness.append(log, message(&text, Some(&cid)));
                assert!(matches!(outcome, Appended::Stored(_)), "{outcome:?}");
            }
        }
    }
    let path = folder.path().join("chinwag.db");
    // It is copied around, which is not what this is about.
    let db = rusqlite::Connection::open(&path).unwrap();
    meta_table::put(&db, MARKS, copy_mark::ANYWHERE).unwrap();
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    fs::read(path).unwrap()
}

/// Reads everything as the server would: the rooms, all history, and whether the store is healthy.
fn told(data: &Path) -> Told {
    let mut harness = Harness::try_open(data).map_err(|error| error.to_string())?;
    let mut rooms = BTreeMap::new();
    let rooms_told = harness.rooms.clone()?;
    for (life, room) in (1..).zip(rooms_told) {
        let log = harness.open_room(life, room.name.as_str(), Durability::Disk);
        let records = harness.history(log, room.oldest, room.head)?;
        rooms.insert(room.name.to_string(), (room, records));
    }
    let log = harness.open_room(99, "another", Durability::Disk);
    let ticket = harness.ticket();
    harness.request(LogRequest::Sync { log, ticket });
    match harness.reply() {
        LogReply::Synced { outcome: Ok(()), .. } => Ok(rooms),
        other => Err(format!("{other:?}")),
    }
}

impl Harness {
    /// Page by page, as a client reads.
    fn history(&mut self, log: LogId, oldest: u64, head: u64) -> Result<Vec<SharedRecord>, String> {
        let mut all: Vec<SharedRecord> = Vec::new();
        let mut from = oldest;
        while from <= head {
            let ticket = self.ticket();
            let query = Query::Page { log, from, to: head, limit: u32::MAX };
            self.request(LogRequest::Read { ticket, query });
            match self.reply() {
                LogReply::Answer { outcome: Ok(Answer::Records { records, .. }), .. } => {
                    let last = records.last().ok_or("an empty page")?;
                    from = last.seq + 1;
                    all.extend(records);
                }
                // Maintenance may find the damage, too.
                LogReply::Answer { outcome: Err(fault), .. } | LogReply::Health(Err(fault)) => {
                    return Err(format!("{fault:?}"));
                }
                other => panic!("{other:?}"),
            }
        }
        Ok(all)
    }
}

/// Panics in the threads of a store so far.
fn panics() -> usize {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            let is_ours = ["store", "store-read", "store-check"].contains(&name.as_str());
            COUNT.fetch_add(usize::from(is_ours), Ordering::Relaxed);
            before(info);
        }));
    });
    COUNT.load(Ordering::Relaxed)
}

/// Pseudo-random numbers, the same in each run.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 16
}

#[test]
fn a_flipped_bit_is_harmless_or_reported() {
    let whole = image();
    let truth = written(&whole).unwrap();
    assert_eq!(truth.values().map(|(_, records)| records.len()).sum::<usize>(), 80);
    let before = panics();
    let flips = std::env::var_os(FLIPS_VARIABLE)
        .map_or(FLIPS, |flips| flips.to_string_lossy().parse().unwrap());
    let bits = u64::try_from(whole.len()).unwrap() * 8;
    let (mut state, mut harmless, mut reported) = (4, 0, 0);
    for _ in 0..flips {
        let bit = usize::try_from(next(&mut state) % bits).unwrap();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        match written(&bytes) {
            Err(_) => reported += 1,
            Ok(mut rooms) => {
                let is_told = take_new_epochs(&mut rooms, &truth);
                assert!(rooms == truth, "bit {bit}: {}", shown(&rooms));
                harmless += usize::from(!is_told);
                reported += usize::from(is_told);
            }
        }
    }
    println!("{flips} bits of {bits}: {harmless} harmless, {reported} reported");
    assert!(harmless > 0 && reported > 0, "{harmless} harmless, {reported} reported");
    assert_eq!(panics(), before);
}

/// Where all rooms have begun new epochs, as they do when the file may be a copy: whether it is so;
/// the rest is then to be what it was.
fn take_new_epochs(rooms: &mut Rooms, truth: &Rooms) -> bool {
    let epoch = |name: &String| truth.get(name).map(|(room, _)| room.epoch);
    let are_new = rooms.iter().all(|(name, (room, _))| epoch(name) != Some(room.epoch));
    for (name, (room, _)) in rooms.iter_mut().filter(|_| are_new) {
        room.epoch = epoch(name).unwrap_or(room.epoch);
    }
    are_new
}

/// What there is of each room, to find the difference.
fn shown(rooms: &Rooms) -> String {
    let rooms: Vec<_> = rooms.values().map(|(room, records)| (room, records.len())).collect();
    format!("{rooms:?}")
}

/// What a store tells whose file has these bytes.
fn written(bytes: &[u8]) -> Told {
    let folder = folder();
    fs::write(folder.path().join("chinwag.db"), bytes).unwrap();
    // One that takes no room, which would cost more than all the rest.
    let reserve = fs::File::create(folder.path().join("chinwag.reserve")).unwrap();
    reserve.set_len(RESERVE_BYTES).unwrap();
    told(folder.path())
}

/// What it says on a file with these bytes, which must stay as it is.
#[track_caller]
fn check(bytes: &[u8], log: Option<&[u8]>, expect: &[&str]) {
    let folder = folder();
    let path = folder.path().join("chinwag.db");
    fs::write(&path, bytes).unwrap();
    if let Some(log) = log {
        fs::write(folder.path().join("chinwag.db-wal"), log).unwrap();
    }
    let said = Harness::try_open(folder.path()).err().expect("a refusal").to_string();
    for words in expect.iter().chain(&["chinwag.db"]) {
        assert!(said.contains(words), "{said}");
    }
    assert!(fs::read(&path).unwrap() == bytes, "{said}");
}

#[test]
fn a_file_that_cannot_be_one_of_ours_is_refused_with_a_way_out() {
    let whole = image();
    let damaged = ["is damaged", "chinwag verify", "chinwag restore", "move the file away"];
    check(&vec![b'x'; 9000], None, &damaged);
    check(&whole[..whole.len() / 4096 / 2 * 4096], None, &damaged);
    check(&whole[..4096 + 100], None, &damaged);
    let mut odd = whole.clone();
    // 3000 is no size of a page; 8192 is not that of this file.
    odd[16..18].copy_from_slice(&3000_u16.to_be_bytes());
    check(&odd, None, &damaged);
    odd[16..18].copy_from_slice(&8192_u16.to_be_bytes());
    check(&odd, None, &damaged);
    let mut zeroed = whole;
    zeroed[..4096].fill(0);
    check(&zeroed, None, &damaged);
    check(b"", None, &["is empty", "chinwag restore", "move it away"]);
}

#[test]
fn a_page_of_zeros_anywhere_is_harmless_or_reported() {
    let whole = image();
    let truth = written(&whole).unwrap();
    let mut reported = 0;
    for page in 1..whole.len() / 4096 {
        let mut bytes = whole.clone();
        bytes[page * 4096..(page + 1) * 4096].fill(0);
        match written(&bytes) {
            Err(_) => reported += 1,
            Ok(rooms) => assert!(rooms == truth, "page {page}: {}", shown(&rooms)),
        }
    }
    assert!(reported >= 8, "{reported}");
}

#[test]
fn the_log_of_another_database_is_reported() {
    let folder = folder();
    let mut harness = Harness::open(folder.path());
    let log = harness.open_room(1, "elsewhere", Durability::Disk);
    for number in 0..20 {
        let outcome = harness.append(log, message(&format!("other {number}"), None));
        assert!(matches!(outcome, Appended::Stored(_)), "{outcome:?}");
    }
    let log = fs::read(folder.path().join("chinwag.db-wal")).unwrap();
    assert!(log.len() > 4096);
    let whole = image();
    let folder = self::folder();
    fs::write(folder.path().join("chinwag.db"), &whole).unwrap();
    fs::write(folder.path().join("chinwag.db-wal"), &log).unwrap();
    let said = told(folder.path()).unwrap_err();
    assert!(said.contains("another database") && said.contains("chinwag.db-wal"), "{said}");
    assert!(fs::read(folder.path().join("chinwag.db")).unwrap() == whole);
    assert!(fs::read(folder.path().join("chinwag.db-wal")).unwrap() == log);
    fs::remove_file(folder.path().join("chinwag.db-wal")).unwrap();
    assert!(told(folder.path()) == written(&whole));
}

#[test]
fn rooms_that_do_not_fit_their_records_are_read_and_nothing_is_written_or_removed() {
    for damage in [
        "UPDATE room SET head = head - 1 WHERE name = 'lobby'",
        "UPDATE room SET head = head + 8 WHERE name = 'lobby'",
        "UPDATE room SET oldest = 33 WHERE name = 'lobby'",
        "UPDATE room SET at = at * 2 WHERE name = 'lobby'",
        "UPDATE room SET id = 17 WHERE name = 'lobby'",
        "DELETE FROM room WHERE name = 'lobby'",
        "UPDATE member SET role = 2 WHERE user = 'eve'",
    ] {
        let folder = folder();
        let path = folder.path().join("chinwag.db");
        fs::write(&path, image()).unwrap();
        let db = rusqlite::Connection::open(&path).unwrap();
        db.execute(damage, []).unwrap();
        if damage.contains("room") {
            // As after a kill: what is wrong shows without the sum.
            db.execute("DELETE FROM meta WHERE key = 'sum'", []).unwrap();
        }
        db.close().unwrap();
        let before = fs::read(&path).unwrap();
        {
            let mut harness = Harness::open(folder.path());
            let log = harness.open_room(1, "@ann:bob", Durability::Disk);
            let refused = Appended::Refused(LogFault::Corrupt);
            assert_eq!(harness.append(log, message("no", None)), refused, "{damage}");
            assert_eq!(harness.texts(log).len(), 40, "{damage}");
            let light = harness.open_room(2, "light", Durability::Memory);
            check_stored(&harness.append(light, message("x", None)), 1);
        }
        assert!(fs::read(&path).unwrap() == before, "{damage}");
    }
}

#[test]
fn a_file_that_is_taken_away_takes_nothing_and_is_used_again_when_it_is_back() {
    let (folder, mut harness, log) = Harness::with_one_record();
    let (file, away) = (folder.path().join("chinwag.db"), folder.path().join("away"));
    fs::rename(&file, &away).unwrap();
    assert_refused(&mut harness, log);
    // Another in its place is not taken for it.
    fs::write(&file, "").unwrap();
    let refused = Appended::Refused(LogFault::Broken);
    assert_eq!(harness.append(log, message("other", None)), refused);
    fs::rename(&away, &file).unwrap();
    assert_eq!(harness.reply(), LogReply::Health(Ok(())));
    check_stored(&harness.append(log, message("after", None)), 2);
}

#[test]
fn what_a_removed_log_holds_is_there_after_a_kill() {
    let (folder, mut harness, log) = Harness::with_one_record();
    fs::remove_file(folder.path().join("chinwag.db-wal")).unwrap();
    assert_refused(&mut harness, log);
    // As a kill would leave it: what is in the file, and no log.
    let copy = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("chinwag.db"), copy.path().join("chinwag.db")).unwrap();
    let harness = Harness::open(copy.path());
    let heads: Vec<_> = harness.rooms.as_ref().unwrap().iter().map(|room| room.head).collect();
    assert_eq!(heads, [1]);
}

/// What is said is refused, and it is told that the store fails.
#[track_caller]
fn assert_refused(harness: &mut Harness, log: LogId) {
    let ticket = harness.ticket();
    harness.request(LogRequest::Append { log, ticket, draft: message("lost", None) });
    let outcome = Appended::Refused(LogFault::Broken);
    let mut told = [harness.reply(), harness.reply()];
    told.sort_by_key(|reply| matches!(reply, LogReply::Health(_)));
    let health = LogReply::Health(Err(LogFault::Broken));
    assert_eq!(told, [LogReply::Appended { ticket, outcome }, health]);
}
