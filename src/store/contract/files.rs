//! What is kept of files: quotas, whose they are, and when they go, as scripts.
//!
//! ```text
//! put 1 a 10 ann -> stored           file, what is in it, bytes, who; also: left N, full
//! again a ann -> 1                   by what is in it; also: none
//! used ann -> 10 30                  bytes of the user, and of all
//! find 1 -> a 10                     also: none
//! say ann 1 2 -> 7                   a message that refers to these: its seq; also: no data
//! delete ann 7                       the message
//! drop                               the room
//! waits 0                            from now on no file may wait for a message
//! kept                               nothing goes
//! gone a b                           what goes, and no more; it may take a while
//! ```

use std::time::Duration;

use super::{PATIENCE, Subject, user, with_all};
use crate::chat::model::file::{FileId, StoredFile};
use crate::chat::model::file_rows::{FileAsk, FileOutcome, FileTold, Quota};
use crate::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, TargetCheck};
use crate::chat::model::record::Body;
use crate::cluster::node::tests::peer::Peer;
use crate::store::SharedOutbox;

const QUOTA: Quota = Quota { per_user: 100, total: 150 };
const HOUR_MS: u64 = 3_600_000;
/// Between two looks at what has gone.
const PAUSE: Duration = Duration::from_millis(50);

/// Who is asked: the store itself, or another node of the same engine.
enum Files {
    Own(SharedOutbox),
    Shared(Box<Peer>),
}

impl Files {
    fn of(store: &Subject) -> Self {
        match &store.database {
            Some(database) => Self::Shared(Box::new(Peer::new(&database.address, 2))),
            None => Self::Own(store.outbox.clone().unwrap()),
        }
    }

    fn outcome(&mut self, ask: FileAsk, wall_ms: u64) -> FileOutcome {
        let store = match self {
            Self::Own(store) => store,
            Self::Shared(peer) => match peer.ask_file(&ask).unwrap() {
                FileTold::Outcome(outcome) => return outcome,
                other => panic!("{other:?}"),
            },
        };
        match ask {
            FileAsk::Put { file, owner, quota, .. } => {
                store.put_file(file, (&owner, wall_ms), quota).unwrap()
            }
            FileAsk::Again { hash, owner, .. } => {
                store.find_file_again(&hash, (&owner, wall_ms)).unwrap()
            }
            FileAsk::Find(id) => FileOutcome::Found(store.find_file(&id).unwrap()),
            FileAsk::Sweep { waits_ms, .. } => {
                store.sweep_files(wall_ms.saturating_sub(waits_ms) + 1).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    fn used(&mut self, owner: &str) -> (u64, u64) {
        match self {
            Self::Own(store) => store.used_by_files(owner).unwrap(),
            Self::Shared(peer) => match peer.ask_file(&FileAsk::Used(owner.into())).unwrap() {
                FileTold::Used(of_user, of_all) => (of_user, of_all),
                other => panic!("{other:?}"),
            },
        }
    }
}

fn id(number: &str) -> FileId {
    FileId::of([number.parse().unwrap(); 20])
}

/// The SHA-256 of what this letter stands for.
fn hash(letter: &str) -> String {
    letter.repeat(64)
}

fn letter(place: &str) -> &str {
    place.get(..1).unwrap()
}

fn number(id: &FileId) -> String {
    (0..=u8::MAX).find(|number| FileId::of([*number; 20]) == *id).unwrap().to_string()
}

/// A script while it runs.
struct Run<'a> {
    store: &'a mut Subject,
    files: Files,
    log: LogId,
    waits_ms: u64,
}

impl Run<'_> {
    fn outcome(&mut self, ask: FileAsk) -> FileOutcome {
        self.files.outcome(ask, self.store.clock.now().wall_ms)
    }

    fn step(&mut self, words: &[&str]) -> String {
        match words {
            ["put", file, letter, bytes, who] => {
                // As a node calls it that shares the folder, and as one calls it that does not.
                let place = match &self.files {
                    Files::Own(_) => hash(letter),
                    Files::Shared(_) => format!("{}-{}", hash(letter), id(file).digits()),
                };
                let bytes = bytes.parse().unwrap();
                let file = StoredFile { id: id(file), hash: place.into(), bytes, kind: 0 };
                let (owner, quota, waits_ms) = ((*who).into(), QUOTA, self.waits_ms);
                match self.outcome(FileAsk::Put { file, owner, quota, waits_ms }) {
                    FileOutcome::Stored(_) => "stored".to_owned(),
                    FileOutcome::UserFull(left) => format!("left {left}"),
                    FileOutcome::Full => "full".to_owned(),
                    other => panic!("{other:?}"),
                }
            }
            ["again", letter, who] => {
                let (hash, owner) = (hash(letter).into(), (*who).into());
                let ask = FileAsk::Again { hash, owner, waits_ms: self.waits_ms };
                match self.outcome(ask) {
                    FileOutcome::Found(found) => {
                        found.map_or_else(|| "none".to_owned(), |file| number(&file.id))
                    }
                    other => panic!("{other:?}"),
                }
            }
            ["used", who] => {
                let (of_user, of_all) = self.files.used(who);
                format!("{of_user} {of_all}")
            }
            ["find", file] => match self.outcome(FileAsk::Find(id(file))) {
                FileOutcome::Found(Some(file)) => format!("{} {}", letter(&file.hash), file.bytes),
                FileOutcome::Found(None) => "none".to_owned(),
                other => panic!("{other:?}"),
            },
            ["say", who, files @ ..] => self.say(who, files),
            ["delete", who, seq] => {
                let target = seq.parse().unwrap();
                let check =
                    TargetCheck { target, others: false, not_before: 0, data_max: usize::MAX };
                let body = Body::Deletion { target };
                self.append(Draft { check: Some(check), ..Draft::new(user(who), body, 100) });
                String::new()
            }
            ["drop"] => {
                self.store.request(LogRequest::Drop { log: self.log });
                self.log = self.store.open("lobby", None);
                String::new()
            }
            ["waits", waits] => {
                self.waits_ms = waits.parse().unwrap();
                String::new()
            }
            ["kept"] => self.sweep(Vec::new()).0.join(" "),
            ["gone", letters @ ..] => self.await_gone(letters),
            other => panic!("{other:?}"),
        }
    }

    fn say(&mut self, who: &str, files: &[&str]) -> String {
        let ids: Vec<_> = files.iter().map(|file| format!("\"{}\"", id(file))).collect();
        let body = Body::Message {
            text: "see".into(),
            data: Some(format!("[{}]", ids.join(",")).into()),
            cid: None,
            reply_to: None,
            thread: None,
            edited: None,
        };
        match self.append(Draft::new(user(who), body, 300)) {
            Appended::Stored(record) => record.seq.to_string(),
            Appended::NoSuchReference(field) => format!("no {field}"),
            other => panic!("{other:?}"),
        }
    }

    fn append(&mut self, draft: Draft) -> Appended {
        let (log, ticket) = (self.log, self.store.ticket());
        self.store.request(LogRequest::Append { log, ticket, draft });
        match self.store.reply() {
            LogReply::Appended { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// What goes now, by its letter, and by its names in the folder; `removed` went before.
    fn sweep(&mut self, removed: Vec<Box<str>>) -> (Vec<String>, Vec<Box<str>>) {
        match self.outcome(FileAsk::Sweep { removed, waits_ms: self.waits_ms }) {
            FileOutcome::Swept(places, _) => {
                (places.iter().map(|place| letter(place).to_owned()).collect(), places)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sweeps until these are gone, and once more, when nothing else has.
    fn await_gone(&mut self, letters: &[&str]) -> String {
        let since = self.store.clock.now().tick;
        let (mut gone, mut removed) = (Vec::new(), Vec::new());
        while gone.len() < letters.len() {
            let (more, places) = self.sweep(removed);
            (gone, removed) = ([gone, more].concat(), places);
            // What is driven by being polled goes on by it; others tidy up while nothing is asked.
            self.store.logs.flush();
            assert_eq!(self.store.logs.poll(), None);
            if let Some(woken) = &self.store.woken {
                _ = woken.recv_timeout(PAUSE);
            }
            let waits = self.store.clock.now().tick < since.after(PATIENCE);
            assert!(waits, "{}: {letters:?} have not gone: {gone:?}", self.store.name);
        }
        gone.extend(self.sweep(removed).0);
        gone.sort();
        assert_eq!(gone, letters, "{}", self.store.name);
        String::new()
    }
}

#[track_caller]
fn check(script: &str) {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let (log, files) = (store.open("lobby", None), Files::of(store));
        let mut run = Run { store, files, log, waits_ms: HOUR_MS };
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (ask, expect) = line.split_once("->").unwrap_or((line, ""));
            let words: Vec<&str> = ask.split_whitespace().collect();
            let found = run.step(&words);
            assert_eq!(found, expect.trim(), "{}: {line}", run.store.name);
        }
    });
}

#[test]
fn nobody_has_more_than_the_quota_and_neither_have_all() {
    check(
        "put 1 a 60 ann -> stored
         put 2 b 41 ann -> left 40
         used ann -> 60 60
         put 3 b 40 ann -> stored
         put 4 c 51 bob -> full
         put 5 c 50 bob -> stored
         used ann -> 100 150
         used bob -> 50 150
         used eve -> 0 150
         find 2 -> none
         find 5 -> c 50",
    );
}

#[test]
fn only_who_has_sent_a_file_refers_to_it_and_to_none_that_is_not_there() {
    check(
        "put 1 a 10 ann -> stored
         put 2 b 10 bob -> stored
         say bob 1 -> no data
         say ann 1 2 -> no data
         say ann 9 -> no data
         say ann 1 -> 1
         say bob 2 -> 2
         say ann 1 1 -> 3",
    );
}

#[test]
fn a_file_goes_with_the_last_message_that_refers_to_it_and_frees_the_quota() {
    check(
        "put 1 a 60 ann -> stored
         put 2 b 20 ann -> stored
         say ann 1 2 -> 1
         say ann 1 -> 2
         delete ann 1
         gone b
         used ann -> 60 60
         find 2 -> none
         say ann 2 -> no data
         delete ann 2
         gone a
         used ann -> 0 0
         put 3 a 100 ann -> stored
         find 3 -> a 100",
    );
}

#[test]
fn what_two_have_sent_stays_until_both_are_gone() {
    check(
        "put 1 a 10 ann -> stored
         put 2 a 10 bob -> stored
         say ann 1 -> 1
         say bob 2 -> 2
         delete ann 1
         kept
         find 2 -> a 10
         delete bob 2
         gone a",
    );
}

#[test]
fn what_no_message_has_referred_to_in_time_goes_and_not_before() {
    check(
        "put 1 a 10 ann -> stored
         say ann 1 -> 1
         put 2 b 10 ann -> stored
         kept
         say ann 2 -> 2
         waits 0
         put 3 c 10 ann -> stored
         put 4 d 10 ann -> stored
         say ann 4 -> 3
         gone c
         find 1 -> a 10
         find 4 -> d 10",
    );
}

#[test]
fn what_a_user_has_is_found_by_what_is_in_it_and_waits_as_long_again() {
    check(
        "put 1 a 10 ann -> stored
         again a bob -> none
         again b ann -> none
         again a ann -> 1
         say ann 1 -> 1
         again a ann -> 1
         delete ann 1
         again a ann -> 1
         kept
         say ann 1 -> 3
         delete ann 3
         gone a
         again a ann -> none",
    );
}

#[test]
fn files_go_with_their_room() {
    check(
        "put 1 a 10 ann -> stored
         put 2 b 10 ann -> stored
         say ann 1 -> 1
         say ann 2 -> 2
         drop
         gone a b
         used ann -> 0 0",
    );
}
