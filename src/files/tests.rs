//! The thread with a database and a folder of its own.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};

use super::*;
use crate::metrics::StoreMetrics;
use crate::store::{self, Options};

/// Room enough for everything here.
const QUOTA: Quota = Quota { per_user: 1 << 20, total: 1 << 20 };

/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

struct Harness {
    files: Files,
    /// Says that there is an answer.
    told: Receiver<()>,
    logs: Option<Store>,
}

/// The store must outlive the thread, which asks it.
type Store = Box<dyn crate::chat::model::log::Logs>;

fn open_store(data: &Path) -> (Store, (FileRows, Clock)) {
    let options = Options::new(data.to_owned(), Arc::new(StoreMetrics::default()));
    let clock = Clock::start();
    let (logs, _, outbox) = store::open_with_outbox(&options, clock, Arc::new(|| ())).unwrap();
    (logs, (outbox.into(), clock))
}

fn settings(bytes_max: u64, quota: Quota) -> Settings {
    Settings { bytes_max, quota, only_pictures: false, end_patience: PATIENCE }
}

/// What the thread does, on this one.
fn worker(
    data: &Path,
    bytes_max: u64,
    quota: Quota,
) -> (Worker, Receiver<(ConnId, FileAnswer)>, Store) {
    let (logs, rows) = open_store(data);
    let folder = Folder::of(data);
    folder.prepare().unwrap();
    let (sender, answers) = channel();
    let settings = settings(bytes_max, quota);
    (Worker::new((folder, settings), rows, (sender, Arc::new(|| ()))), answers, logs)
}

impl Harness {
    fn start(data: &Path, bytes_max: u64) -> Self {
        let (logs, rows) = open_store(data);
        let (tell, told) = channel();
        let wake = Arc::new(move || _ = tell.send(()));
        let files = Files::start(Folder::of(data), settings(bytes_max, QUOTA), rows, wake).unwrap();
        Self { files, told, logs: Some(logs) }
    }

    /// The next answer.
    fn next(&self) -> FileAnswer {
        self.told.recv_timeout(PATIENCE).unwrap();
        self.files.poll().unwrap().1
    }

    fn begin(&self, conn: u32, part: (Option<&str>, u64)) -> FileAnswer {
        self.begin_as("ann", conn, part)
    }

    fn begin_as(&self, owner: &str, conn: u32, (key, offset): (Option<&str>, u64)) -> FileAnswer {
        let (conn, owner, key) = (conn_id(conn), owner.into(), key.map(Into::into));
        self.files
            .ask(FileJob::Begin { conn, owner, key, hash: None, offset, size: None })
            .unwrap();
        self.next()
    }

    fn bytes(&self, conn: u32, bytes: &[u8]) -> FileAnswer {
        self.files.ask(FileJob::Bytes(conn_id(conn), bytes.to_vec())).unwrap();
        self.next()
    }

    fn finish(&self, conn: u32) -> FileAnswer {
        let conn = conn_id(conn);
        self.files.ask(FileJob::Finish { conn, is_whole: true }).unwrap();
        self.next()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        // The thread asks the store, which therefore outlives it.
        self.files.jobs = None;
        if let Some(thread) = self.files.thread.take() {
            thread.join().unwrap();
        }
        self.logs = None;
    }
}

fn conn_id(slot: u32) -> ConnId {
    ConnId::new(usize::try_from(slot).unwrap(), 1).unwrap()
}

fn parts(data: &Path) -> usize {
    fs::read_dir(data.join("files/parts")).unwrap().count()
}

#[test]
fn what_is_lost_in_the_middle_is_gone_on_with_by_its_sender() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    let key = Some("0123456789abcdef");
    assert!(matches!(harness.begin(1, (key, 0)), FileAnswer::Begun));
    assert!(matches!(harness.bytes(1, b"hello "), FileAnswer::Written(6)));
    harness.files.ask(FileJob::Abandon(conn_id(1))).unwrap();
    let wrong = harness.begin(2, (key, 3));
    assert!(matches!(wrong, FileAnswer::Refused(FileFault::Offset(6))), "{wrong:?}");
    assert!(matches!(harness.begin(2, (key, 6)), FileAnswer::Begun));
    assert!(matches!(harness.bytes(2, b"world"), FileAnswer::Written(5)));
    let FileAnswer::Stored { file, kind, .. } = harness.finish(2) else { panic!() };
    assert_eq!((file.bytes, kind), (11, Kind::Text));
    assert_eq!(fs::read(Folder::of(data.path()).place(&file.hash)).unwrap(), b"hello world");
}

#[test]
fn an_upload_goes_on_as_one_of_the_size_that_was_said() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    let of_size = |conn: u32, offset, size| {
        let (conn, owner) = (conn_id(conn), "ann".into());
        let (key, size) = (Some("0123456789abcdef".into()), Some(size));
        let begin = FileJob::Begin { conn, owner, key, hash: None, offset, size };
        harness.files.ask(begin).unwrap();
        harness.next()
    };
    assert!(matches!(of_size(1, 0, 11), FileAnswer::Begun));
    assert!(matches!(harness.bytes(1, b"hello "), FileAnswer::Written(6)));
    harness.files.ask(FileJob::Abandon(conn_id(1))).unwrap();
    let other = of_size(2, 6, 12);
    assert!(matches!(other, FileAnswer::Refused(FileFault::OtherSize(11))), "{other:?}");
    assert!(matches!(of_size(2, 6, 11), FileAnswer::Begun));
    assert!(matches!(harness.bytes(2, b"world"), FileAnswer::Written(5)));
    let FileAnswer::Stored { file, .. } = harness.finish(2) else { panic!() };
    assert_eq!(file.bytes, 11);
}

#[test]
fn who_is_overtaken_by_a_connection_of_its_own_is_told_so() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    let key = Some("0123456789abcdef");
    for (offset, before) in [(0, 0), (4, 1)] {
        assert!(matches!(harness.begin(before, (key, 0)), FileAnswer::Begun));
        assert!(matches!(harness.bytes(before, b"half"), FileAnswer::Written(4)));
        let overtaken = harness.begin(before + 9, (key, offset));
        assert!(matches!(overtaken, FileAnswer::Refused(FileFault::TakenOver)), "{overtaken:?}");
        assert!(matches!(harness.next(), FileAnswer::Begun));
        // What the loop had handed over before it knew comes to nothing.
        harness.files.ask(FileJob::Bytes(conn_id(before), b"more".to_vec())).unwrap();
        harness.files.ask(FileJob::Finish { conn: conn_id(before), is_whole: true }).unwrap();
        assert!(matches!(harness.bytes(before + 9, b"done"), FileAnswer::Written(4)));
        let FileAnswer::Stored { file, .. } = harness.finish(before + 9) else { panic!() };
        assert_eq!(file.bytes, offset + 4);
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_removed_with_its_connection() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    assert!(matches!(harness.begin(3, (None, 0)), FileAnswer::Begun));
    harness.files.ask(FileJob::Abandon(conn_id(3))).unwrap();
    assert!(matches!(harness.begin(4, (None, 0)), FileAnswer::Begun));
    assert_eq!(parts(data.path()), 1);
}

#[test]
fn what_one_has_left_unfinished_takes_no_place_from_others() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    let cut = |owner, conn: u32| {
        let key = format!("{owner}-{conn:016}");
        assert!(matches!(harness.begin_as(owner, conn, (Some(&key), 0)), FileAnswer::Begun));
        assert!(matches!(harness.bytes(conn, b"half"), FileAnswer::Written(4)));
        harness.files.ask(FileJob::Abandon(conn_id(conn))).unwrap();
        key
    };
    let come = |owner: &str, key: &str| {
        let key = (owner.into(), key.into());
        harness.files.ask(FileJob::Progress(conn_id(0), key, None)).unwrap();
        let FileAnswer::Progress(len) = harness.next() else { panic!() };
        len
    };
    let of_bob = cut("bob", 1);
    let of_ann: Vec<_> = (2..100).map(|conn| cut("ann", conn)).collect();
    assert_eq!(come("bob", &of_bob), 4);
    let kept = of_ann.iter().filter(|key| come("ann", key) == 4).count();
    assert_eq!(kept, UPLOADS_OF_USER_MAX, "the latest of one's own");
    assert_eq!(come("ann", of_ann.last().unwrap()), 4);
    assert_eq!(parts(data.path()), UPLOADS_OF_USER_MAX + 1);
}

#[test]
fn no_more_are_sent_at_a_time_than_may_be() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 10);
    for conn in 0..u32::try_from(UPLOADS_OF_USER_MAX).unwrap() {
        assert!(matches!(harness.begin(conn, (None, 0)), FileAnswer::Begun));
    }
    let refused = harness.begin(99, (None, 0));
    assert!(matches!(refused, FileAnswer::Refused(FileFault::Busy)), "{refused:?}");
}

#[test]
fn who_is_to_come_back_later_finds_what_has_come() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 10);
    let key = Some("0123456789abcdef");
    assert!(matches!(harness.begin(99, (key, 0)), FileAnswer::Begun));
    assert!(matches!(harness.bytes(99, b"half"), FileAnswer::Written(4)));
    harness.files.ask(FileJob::Abandon(conn_id(99))).unwrap();
    for conn in 0..u32::try_from(UPLOADS_OF_USER_MAX).unwrap() {
        assert!(matches!(harness.begin(conn, (None, 0)), FileAnswer::Begun));
    }
    let refused = harness.begin(99, (key, 4));
    assert!(matches!(refused, FileAnswer::Refused(FileFault::Busy)), "{refused:?}");
    harness.files.ask(FileJob::Abandon(conn_id(0))).unwrap();
    let begun = harness.begin(99, (key, 4));
    assert!(matches!(begun, FileAnswer::Begun), "{begun:?}");
}

#[test]
fn what_somebody_has_removed_from_the_folder_is_taken_when_it_is_sent_again() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 100);
    harness.begin(1, (None, 0));
    harness.bytes(1, b"kept");
    let FileAnswer::Stored { file, .. } = harness.finish(1) else { panic!() };
    let place = Folder::of(data.path()).place(&file.hash);
    fs::remove_file(&place).unwrap();
    let (conn, owner, hash) = (conn_id(2), "ann".into(), Some(file.hash));
    let begin = FileJob::Begin { conn, owner, key: None, hash, offset: 0, size: Some(4) };
    harness.files.ask(begin).unwrap();
    let begun = harness.next();
    assert!(matches!(begun, FileAnswer::Begun), "{begun:?}");
    harness.bytes(2, b"kept");
    assert!(matches!(harness.finish(2), FileAnswer::Stored { is_new: true, .. }));
    assert_eq!(fs::read(place).unwrap(), b"kept");
}

#[test]
fn none_is_larger_than_it_may_be_and_none_is_empty() {
    let data = tempfile::tempdir().unwrap();
    let harness = Harness::start(data.path(), 10);
    harness.begin(0, (None, 0));
    assert!(matches!(harness.bytes(0, b"0123456789"), FileAnswer::Written(10)));
    let refused = harness.bytes(0, b"x");
    assert!(matches!(refused, FileAnswer::Refused(FileFault::TooLarge)), "{refused:?}");
    assert_eq!(parts(data.path()), 0);
    assert!(matches!(harness.begin(99, (None, 0)), FileAnswer::Begun));
    let refused = harness.finish(99);
    assert!(matches!(refused, FileAnswer::Refused(FileFault::Empty)), "{refused:?}");
}

#[test]
fn a_start_finds_a_file_again_and_removes_what_the_database_does_not_know() {
    let data = tempfile::tempdir().unwrap();
    let folder = Folder::of(data.path());
    let harness = Harness::start(data.path(), 100);
    harness.begin(1, (None, 0));
    harness.bytes(1, b"kept");
    let FileAnswer::Stored { file, .. } = harness.finish(1) else { panic!() };
    drop(harness);
    let orphan = folder.place(&"0f".repeat(32));
    fs::create_dir_all(orphan.parent().unwrap()).unwrap();
    fs::write(&orphan, "x").unwrap();
    fs::write(data.path().join("files/parts/9"), "x").unwrap();
    let harness = Harness::start(data.path(), 100);
    harness.files.ask(FileJob::Open(conn_id(1), file.id.clone())).unwrap();
    let opened = harness.next();
    assert!(matches!(&opened, FileAnswer::Opened(found) if *found == file), "{opened:?}");
    harness.files.ask(FileJob::Read(conn_id(1), file.hash.clone(), 1, 2)).unwrap();
    assert!(matches!(harness.next(), FileAnswer::Piece(bytes) if bytes == b"ep"));
    assert!(!orphan.exists());
    assert_eq!(parts(data.path()), 0);
    // One that is taken away is missed in words.
    folder.remove(&file.hash).unwrap();
    harness.files.ask(FileJob::Read(conn_id(1), file.hash, 0, 4)).unwrap();
    assert!(matches!(harness.next(), FileAnswer::Refused(FileFault::NotThere)));
}

#[test]
fn nobody_wakes_to_look_for_loose_files_until_there_is_a_file() {
    let data = tempfile::tempdir().unwrap();
    let (mut worker, answers, logs) = worker(data.path(), 100, QUOTA);
    assert!(worker.patience().is_some(), "the last process may have left some");
    worker.sweep();
    assert_eq!(worker.patience(), None);
    // What was sent in part goes after a while, too.
    let (conn, key) = (conn_id(1), "0123456789abcdef");
    let begin = || {
        let (owner, key) = ("ann".into(), Some(key.into()));
        FileJob::Begin { conn, owner, key, hash: None, offset: 0, size: None }
    };
    worker.on_job(begin());
    worker.on_job(FileJob::Abandon(conn));
    assert!(worker.patience().is_some());
    worker.on_job(begin());
    assert_eq!(worker.patience(), None);
    worker.on_job(FileJob::Bytes(conn, b"kept".to_vec()));
    worker.on_job(FileJob::Finish { conn, is_whole: true });
    let stored = answers.try_iter().last();
    assert!(matches!(stored, Some((_, FileAnswer::Stored { .. }))), "{stored:?}");
    worker.sweep();
    assert!(worker.patience().is_some(), "it is loose in an hour");
    drop((worker, logs));
}

#[test]
fn files_that_are_sent_at_once_leave_the_disk_what_messages_need() {
    let data = tempfile::tempdir().unwrap();
    let bytes_max = 8 << 20;
    let quota = Quota { per_user: 1 << 30, total: 1 << 30 };
    let (mut worker, answers, logs) = worker(data.path(), bytes_max, quota);
    // A disk with room for one of them.
    worker.free_bytes = |folder| {
        let parts = folder.path().join("parts").read_dir();
        let used = parts.map_or(0, |parts| {
            parts.map(|part| part.unwrap().metadata().unwrap().len()).sum::<u64>()
        });
        Ok((64 << 20) + (8 << 20) - used)
    };
    let piece = vec![b'x'; 64 * 1024];
    let all = (0..UPLOADS_OF_USER_MAX).map(|slot| conn_id(slot.try_into().unwrap()));
    for conn in all.clone() {
        let (owner, size) = ("ann".into(), Some(bytes_max));
        worker.on_job(FileJob::Begin { conn, owner, key: None, hash: None, offset: 0, size });
    }
    for _ in 0..bytes_max / (64 * 1024) {
        for conn in all.clone() {
            worker.on_job(FileJob::Bytes(conn, piece.clone()));
            assert!((worker.free_bytes)(&Folder::of(data.path())).unwrap() > 60 << 20);
        }
    }
    let refused =
        |(_, answer): &(_, FileAnswer)| matches!(answer, FileAnswer::Refused(FileFault::NoSpace));
    let refused = answers.try_iter().filter(refused).count();
    assert!(refused >= UPLOADS_OF_USER_MAX - 1, "{refused}");
    drop((worker, logs));
}

/// How long the end of a thread is waited for that does not end.
const SHORT: Duration = Duration::from_millis(50);

#[test]
fn a_shared_folder_that_hangs_is_not_waited_for_beyond_the_deadline() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody writes into it: whoever reads it hangs.
    let mark = dir.path().join("mark");
    assert!(std::process::Command::new("mkfifo").arg(&mark).status().unwrap().success());
    let (engine, asked) = FileEngine::new(Arc::new(|| ()));
    let settings =
        Settings { bytes_max: 100, quota: QUOTA, only_pictures: false, end_patience: SHORT };
    let folder = Folder::shared(dir.path(), "test");
    let rows = (FileRows::Shared(engine), Clock::start());
    let files = Files::start(folder, settings, rows, Arc::new(|| ())).unwrap();
    let probes = dir.path().join("probes");
    while fs::read_dir(&probes).map_or(0, Iterator::count) == 0 {
        thread::yield_now();
    }
    drop(files);
    let is_there = asked.try_recv().err();
    assert_eq!(is_there, Some(TryRecvError::Empty), "the thread hangs still");
    drop(fs::OpenOptions::new().write(true).open(&mark).unwrap());
}
