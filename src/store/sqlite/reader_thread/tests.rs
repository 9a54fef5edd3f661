//! Tests of the thread that reads.

use std::sync::mpsc::{self, Receiver};

use rusqlite::ErrorCode;
use rusqlite::config::DbConfig;
use tempfile::TempDir;

use super::lanes::PAGES_MAX;
use super::*;
use crate::chat::model::log::LogReply;
use crate::chat::model::record::Record;
use crate::store::sqlite::search::index;
use crate::store::sqlite::testing::{message, path, say, stored, user};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

fn log() -> LogId {
    LogId::new(3, 1)
}

fn page(from: u64, to: u64) -> Query {
    Query::Page { log: log(), from, to, limit: u32::MAX }
}

fn start(path: PathBuf) -> (ReaderHandle, Receiver<LogReply>) {
    let (replies, end) = ReplySender::new(Arc::new(|| {}));
    (ReaderHandle::start(path, SharedReader::default(), replies), end)
}

#[track_caller]
fn answer_to(
    (reader, end): &mut (ReaderHandle, Receiver<LogReply>),
    query: Query,
) -> Result<Answer, LogFault> {
    reader.query(Ticket(7), query, |wanted| (wanted == log()).then_some(1)).unwrap();
    loop {
        if let LogReply::Answer { ticket: Ticket(7), outcome } = end.recv_timeout(PATIENCE).unwrap()
        {
            return outcome;
        }
    }
}

#[track_caller]
fn texts(answer: Result<Answer, LogFault>) -> (Vec<u64>, u64) {
    match answer {
        Ok(Answer::Records { records, as_of }) => {
            (records.iter().map(|record: &Arc<Record>| record.seq).collect(), as_of)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_query_sees_the_last_commit() {
    let (folder, db) = stored(1);
    let mut reader = start(path(&folder));
    assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
    db.execute_batch("BEGIN").unwrap();
    say(&db, 1, "ann", message("more"));
    assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
    db.execute_batch("COMMIT").unwrap();
    assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1, 2], 2));
}

#[test]
fn a_file_that_comes_later_is_read_then() {
    let (folder, db) = stored(1);
    let hidden = folder.path().join("hidden");
    let mut reader = start(hidden.clone());
    assert_eq!(answer_to(&mut reader, page(1, 9)), Err(LogFault::Broken));
    db.execute("VACUUM INTO ?1", [hidden.to_str().unwrap()]).unwrap();
    assert_eq!(texts(answer_to(&mut reader, page(1, 9))), (vec![1], 1));
}

#[test]
fn what_is_no_database_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(path(&folder), vec![b'x'; 8192]).unwrap();
    let mut reader = start(path(&folder));
    assert_eq!(answer_to(&mut reader, page(1, 9)), Err(LogFault::Corrupt));
}

#[test]
fn more_than_can_wait_are_refused_and_all_others_answered() {
    let (replies, end) = ReplySender::new(Arc::new(|| {}));
    let queue = Arc::new(ReadQueue::default());
    let mut reader = ReaderHandle {
        path: PathBuf::new(),
        connection: SharedReader::default(),
        replies,
        queue: Some(Arc::clone(&queue)),
    };
    for ticket in 0..u64::try_from(PAGES_MAX).unwrap() {
        reader.query(Ticket(ticket), page(1, 9), |_| None).unwrap();
    }
    assert_eq!(reader.query(Ticket(999), page(1, 9), |_| None), Err(LogFault::Busy));
    // A thread that dies leaves nobody waiting.
    drop(CloseAtEnd(queue));
    let answered = end.try_iter().filter(|reply| {
        matches!(reply, LogReply::Answer { outcome: Err(LogFault::Broken), ticket } if ticket.0 < 999)
    });
    assert_eq!(answered.count(), PAGES_MAX);
    assert_eq!(reader.query(Ticket(999), page(1, 9), |_| None), Err(LogFault::Broken));
    assert_eq!(end.try_recv(), Err(mpsc::TryRecvError::Empty));
}

#[test]
fn after_a_thread_has_died_the_next_query_is_answered_by_another() {
    let (folder, _db) = stored(1);
    let (replies, end) = ReplySender::new(Arc::new(|| {}));
    let reader = ReaderHandle {
        path: path(&folder),
        connection: SharedReader::default(),
        replies,
        queue: None,
    };
    assert_eq!(texts(answer_to(&mut (reader, end), page(1, 9))), (vec![1], 1));
}

/// Pages beside a search, and the search.
fn beside_a_search(
    folder: &TempDir,
    queue: &Arc<ReadQueue>,
    times: (Duration, Duration),
) -> Result<Answer, QueryFault> {
    let open = || open_read_only(&path(folder), LOCK_TIMEOUT).unwrap();
    let (pages, mut others) = (Pages::new(Arc::clone(queue)), open());
    let query = StoredQuery::of(search("hello"), |_| Some(1));
    let (outcome, _) = pages.answer_beside(open(), &mut others, &query, times).unwrap();
    assert!(pages.release().is_some());
    outcome
}

fn search(text: &str) -> Query {
    let (user, logs) = (user("ann"), vec![log()]);
    Query::Search { user, logs, text: text.into(), before: None, limit: 3_000 }
}

#[test]
fn what_takes_too_long_is_too_dear_and_the_next_query_is_not() {
    let (folder, db) = stored(3_000);
    while index::fill(&db, 1_000).unwrap() {}
    let queue = Arc::default();
    let outcome = beside_a_search(&folder, &queue, (SLICE, Duration::ZERO));
    assert!(matches!(outcome, Err(QueryFault::TooDear)), "{outcome:?}");
    let outcome = beside_a_search(&folder, &queue, (SLICE, PATIENCE));
    assert!(matches!(&outcome, Ok(Answer::Found { items, .. }) if items.len() > 50));
}

#[test]
fn pages_are_answered_while_a_search_is_under_way_and_other_searches_wait() {
    let (folder, db) = stored(3_000);
    while index::fill(&db, 1_000).unwrap() {}
    let (replies, end) = ReplySender::new(Arc::new(|| {}));
    let queue = Arc::new(ReadQueue::default());
    let push = |ticket, query| {
        let query = StoredQuery::of(query, |_| Some(1));
        queue.push(PendingQuery { ticket, query, replies: Some(replies.clone()) }).unwrap();
    };
    push(Ticket(1), search("hello"));
    push(Ticket(2), page(1, 9));
    push(Ticket(3), page(2, 3));
    // As long as the search lasts the pages wait, if they are never looked for.
    let outcome = beside_a_search(&folder, &queue, (PATIENCE, PATIENCE));
    assert!(outcome.is_ok() && end.try_iter().count() == 0);
    let outcome = beside_a_search(&folder, &queue, (Duration::ZERO, PATIENCE));
    assert!(matches!(&outcome, Ok(Answer::Found { items, .. }) if items.len() > 50));
    let answered: Vec<_> = end
        .try_iter()
        .map(|reply| match reply {
            LogReply::Answer { ticket, outcome } => (ticket, texts(outcome).0.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answered, [(Ticket(2), 9), (Ticket(3), 2)]);
    assert!(queue.take().is_some_and(|pending| pending.ticket == Ticket(1)));
}

#[test]
fn the_connection_cannot_write() {
    let (folder, _db) = stored(1);
    let db = open_read_only(&path(&folder), LOCK_TIMEOUT).unwrap();
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    let refused = db.execute("DELETE FROM record", []).unwrap_err();
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::ReadOnly));
}
