//! What each store of the logs owes to who asks it: one list of cases for all of them, the one that
//! several nodes share included, if the environment names an engine (`CHINWAG_TEST_ENGINE`, as
//! `scripts/cluster` does).
//!
//! | file | has |
//! |---|---|
//! | here | what loads and forgets rooms, in Rust |
//! | `outgoing` | what webhooks are told |
//! | `pushes` | the devices that are told by Web Push |
//! | `search` | what is found by its words |
//! | `files` | what is kept of files |
//! | `cases` | all else, as scripts |
//! | `script` | what runs these |

mod cases;
mod files;
mod outgoing;
mod pushes;
mod script;
mod search;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::SharedOutbox;
use super::in_memory;
use super::sqlite::{Options, SqliteStore, Wake};
use crate::chat::model::limits::THREADS_OF_USER_MAX;
use crate::chat::model::load::{Begun, Depth, Found, Wanted};
use crate::chat::model::log::{
    Answer, Appended, Draft, Expiry, LogId, LogReply, LogRequest, Logs, MemberMeta, Query,
    Restriction, RestrictionMeta, RoomMeta, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::PeopleChange;
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Role};
use crate::chat::model::thread::{ThreadChange, ThreadMark};
use crate::cluster::node::tests::peer::{Database, Peer};
use crate::metrics::StoreMetrics;
use crate::time::clock::Clock;

/// Longer than anything takes on a machine that works.
const PATIENCE: Duration = Duration::from_mins(1);

/// A store, and whether it has rooms that are not in memory.
struct Subject {
    logs: Box<dyn Logs>,
    keeps: bool,
    /// Its name, for who reads what has failed.
    name: &'static str,
    /// It says when there is something to poll; `None`: it is driven by being polled.
    woken: Option<Receiver<()>>,
    /// Of the durable one: whom the thread that keeps files asks.
    outbox: Option<SharedOutbox>,
    /// Removed after the store.
    database: Option<Database>,
    clock: Clock,
    tickets: u64,
    lives: u64,
}

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn room(name: &str) -> RoomName {
    RoomName::stored(name).unwrap()
}

fn member(name: &str, read: u64) -> RoomMeta {
    let member = MemberMeta { role: Role::Member, recv: read, read, joined: 4 };
    RoomMeta::Member(user(name), Some(member))
}

fn invited(name: &str) -> RoomMeta {
    let expiry = Expiry { until: Some(u64::MAX >> 8), reason: "".into() };
    let meta = RestrictionMeta { expiry, ..RestrictionMeta::default() };
    RoomMeta::Restriction(user(name), Restriction::Invited, Some(meta))
}

impl Subject {
    /// One of each kind; the durable one in `data`.
    fn all(data: &Path) -> Vec<Self> {
        let (wake, woken) = channel();
        let wake: Wake = Arc::new(move || _ = wake.send(()));
        let options = Options::new(data.to_owned(), Arc::new(StoreMetrics::default()));
        let (store, _) = SqliteStore::open(&options, Clock::start(), wake).unwrap();
        let outbox = Some(store.outbox());
        // It answers at once, and wakes nobody.
        let (_, memory) = channel();
        let mut all = vec![
            Self::new("memory", in_memory().0, Some(memory)),
            Self { outbox, ..Self::new("SQLite", Box::new(store), Some(woken)) },
        ];
        if let Some(database) = Database::new() {
            let peer = Box::new(Peer::new(&database.address, 1));
            let subject = Self::new("PostgreSQL", peer, None);
            all.push(Self { database: Some(database), ..subject });
        }
        all
    }

    fn new(name: &'static str, logs: Box<dyn Logs>, woken: Option<Receiver<()>>) -> Self {
        let (keeps, database, clock) = (name != "memory", None, Clock::start());
        let outbox = None;
        Self { logs, keeps, name, woken, outbox, database, clock, tickets: 0, lives: 0 }
    }

    fn request(&mut self, request: LogRequest) {
        self.logs.request(self.clock.now(), request);
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn reply(&mut self) -> LogReply {
        self.logs.flush();
        let since = self.clock.now().tick;
        loop {
            match self.logs.poll() {
                // Some say what there is when they begin.
                Some(LogReply::People(_) | LogReply::Suspended(_) | LogReply::Webhooks(_)) => {}
                Some(reply) => return reply,
                None => match &self.woken {
                    Some(woken) => woken.recv_timeout(PATIENCE).expect("a reply"),
                    None => assert!(self.clock.now().tick < since.after(PATIENCE), "a reply"),
                },
            }
        }
    }

    /// Waits until all words are in the index, where that can be seen. Nothing is said meanwhile.
    #[track_caller]
    fn index(&mut self) {
        let since = self.clock.now().tick;
        while self.database.as_ref().is_some_and(|database| database.unindexed() > 0) {
            assert_eq!(self.logs.poll(), None);
            assert!(self.clock.now().tick < since.after(PATIENCE), "all words in the index");
        }
    }

    /// All that is found in these rooms, page by page.
    #[track_caller]
    fn search(&mut self, logs: &[LogId], text: &str, limit: u32) -> Vec<(LogId, u64)> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let ticket = self.ticket();
            let (logs, user) = (logs.to_vec(), user("ann"));
            let query = Query::Search { user, logs, text: text.into(), before, limit };
            self.request(LogRequest::Read { ticket, query });
            let LogReply::Answer { outcome: Ok(Answer::Found { items, next }), .. } = self.reply()
            else {
                panic!("nothing is found")
            };
            found.extend(items.into_iter().map(|(log, record)| (log, record.seq)));
            assert!(next.is_none_or(|next| next < before.unwrap_or(u64::MAX)), "pages end");
            before = next;
            if before.is_none() {
                return found;
            }
        }
    }

    /// Opens a room that begins, or goes on as it was loaded.
    fn open(&mut self, name: &str, begun: Option<&Begun>) -> LogId {
        self.lives += 1;
        let log = LogId::new(usize::try_from(self.lives).unwrap(), self.lives);
        let durability = if self.keeps { Durability::Os } else { Durability::Memory };
        let epoch = begun.map_or(Epoch(self.lives), |begun| begun.epoch);
        let (kept, retention) = (begun.and_then(|begun| begun.kept), Retention::default());
        let room = room(name);
        self.request(LogRequest::Open { log, room, epoch, durability, retention, kept });
        log
    }

    fn put(&mut self, log: LogId, meta: RoomMeta) {
        self.request(LogRequest::PutMeta { log, meta });
    }

    #[track_caller]
    fn append(&mut self, log: LogId, text: &str, expect: u64) {
        let draft = Draft::new(user("ann"), Body::plain(text, Some(text)), 100);
        let ticket = self.ticket();
        self.request(LogRequest::Append { log, ticket, draft });
        let LogReply::Appended { outcome, .. } = self.reply() else { panic!("no answer") };
        match outcome {
            Appended::Stored(record) => assert_eq!(record.seq, expect),
            Appended::Duplicate { seq, .. } => assert_eq!(seq, expect),
            other => panic!("{other:?}"),
        }
    }

    /// Has the room be forgotten.
    #[track_caller]
    fn forget(&mut self, log: LogId) {
        let ticket = self.ticket();
        self.request(LogRequest::Settle { log, ticket });
        assert_eq!(self.reply(), LogReply::Synced { ticket, outcome: Ok(()) });
        self.request(LogRequest::Close { log });
    }

    #[track_caller]
    fn load(&mut self, wanted: Wanted) -> Found {
        let ticket = self.ticket();
        self.request(LogRequest::Read { ticket, query: Query::Load(Box::new(wanted)) });
        match self.reply() {
            LogReply::Answer { outcome: Ok(Answer::Loaded(found)), .. } => found,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn load_room(&mut self, name: &str) -> Option<Begun> {
        let mut wanted = Wanted::default();
        wanted.add_room(room(name), false);
        let mut rooms = self.load(wanted).rooms;
        assert!(rooms.len() <= 1, "{rooms:?}");
        rooms.pop()
    }

    /// What is known of a user: whether it is in a room, has come, and the rooms.
    #[track_caller]
    fn load_user(&mut self, name: &str, depth: Depth) -> Option<(bool, bool, Vec<String>)> {
        let mut wanted = Wanted::default();
        wanted.add_user(user(name), depth);
        let found =
            self.load(wanted).users.into_iter().find(|found| found.name.as_str() == name)?;
        let mut rooms: Vec<_> = found.rooms.iter().map(ToString::to_string).collect();
        rooms.sort();
        Some((found.is_member, found.has_come, rooms))
    }
}

/// Runs a case with each store.
fn with_all(mut case: impl FnMut(&mut Subject)) {
    let folder = tempfile::tempdir().unwrap();
    for mut subject in Subject::all(folder.path()) {
        case(&mut subject);
        // Its connections end before their database does.
        let Subject { logs, database, .. } = subject;
        drop(logs);
        drop(database);
    }
}

#[test]
fn what_is_not_there_is_not_found_and_no_fault() {
    with_all(|store| {
        assert_eq!(store.load_room("lobby"), None);
        let user = store.load_user("ann", Depth::Rooms);
        assert!(user.is_none_or(|user| user == (false, false, Vec::new())));
    });
}

#[test]
fn a_room_that_was_forgotten_is_as_it_was_with_all_that_was_said_of_it_last() {
    with_all(|store| {
        let log = store.open("lobby", None);
        store.put(log, member("ann", 0));
        store.append(log, "one", 1);
        // After the record, and replaced before it is written.
        store.put(log, member("ann", 1));
        store.put(log, RoomMeta::Topic("tea".into(), None));
        store.put(log, invited("bob"));
        store.append(log, "two", 2);
        store.put(log, member("ann", 2));
        store.forget(log);
        let Some(begun) = store.load_room("lobby") else { return assert!(!store.keeps) };
        assert_eq!((begun.head, begun.oldest, begun.epoch), (2, 1, Epoch(1)));
        let topic = RoomMeta::Topic("tea".into(), None);
        assert_eq!(begun.meta[1..], [topic, member("ann", 2), invited("bob")]);
        assert_eq!(store.load_room("lobby"), Some(begun), "as often as it is asked for");
    });
}

#[test]
fn a_log_goes_on_where_it_was_and_knows_what_was_said() {
    with_all(|store| {
        let mut begun = None;
        for round in 0..5 {
            let log = store.open("lobby", begun.as_ref());
            let seq = if store.keeps { round } else { 0 };
            if seq > 0 {
                store.append(log, &format!("{}", round - 1), seq);
            }
            store.append(log, &round.to_string(), seq + 1);
            store.put(log, member("ann", seq + 1));
            store.forget(log);
            begun = store.load_room("lobby");
            assert_eq!(begun.as_ref().map(|begun| begun.head), store.keeps.then_some(seq + 1));
        }
    });
}

#[test]
fn a_room_that_was_dropped_does_not_come_back_and_a_new_one_of_its_name_does() {
    with_all(|store| {
        let log = store.open("lobby", None);
        store.put(log, member("ann", 0));
        store.append(log, "one", 1);
        store.request(LogRequest::Drop { log });
        assert_eq!(store.load_room("lobby"), None, "though it is still in the file");
        let log = store.open("lobby", None);
        store.put(log, member("bob", 0));
        store.append(log, "two", 1);
        store.forget(log);
        let begun = store.load_room("lobby");
        let Some(begun) = begun else { return assert!(!store.keeps) };
        assert_eq!((begun.head, &begun.meta[1..]), (1, &[member("bob", 0)][..]));
    });
}

#[test]
fn a_user_is_found_with_its_rooms_and_known_to_have_come_or_not() {
    with_all(|store| {
        for (name, meta) in [
            ("lobby", vec![member("ann", 0), member("cyd", 0)]),
            ("@ann:bob", vec![member("ann", 1), member("bob", 0)]),
            ("den", vec![member("ann", 0), invited("bob"), invited("eve")]),
        ] {
            let log = store.open(name, None);
            for meta in meta {
                store.put(log, meta);
            }
            store.append(log, "hi", 1);
            store.forget(log);
        }
        let all = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (name, depth, expect) in [
            ("ann", Depth::Rooms, (true, true, all(&["@ann:bob", "den", "lobby"]))),
            ("ann", Depth::Known, (true, true, all(&[]))),
            ("bob", Depth::Rooms, (true, false, all(&["@ann:bob", "den"]))),
            ("bob", Depth::Invited, (true, false, all(&["den"]))),
            ("eve", Depth::Rooms, (false, false, all(&["den"]))),
            ("fay", Depth::Rooms, (false, false, all(&[]))),
        ] {
            let found = store.load_user(name, depth);
            assert!(!store.keeps || found == Some(expect), "{name} {depth:?}: {found:?}");
        }
        let mut wanted = Wanted::default();
        wanted.add_room(room("@ann:bob"), false);
        let found = store.load(wanted);
        let bob = found.users.iter().find(|found| found.name.as_str() == "bob");
        assert_eq!(bob.map(|bob| bob.has_come), store.keeps.then_some(false));
    });
}

#[test]
fn names_that_look_like_those_of_others_are_found_with_these() {
    with_all(|store| {
        let log = store.open("bi11", None);
        store.put(log, member("anm", 0));
        store.append(log, "hi", 1);
        store.forget(log);
        let mut wanted = Wanted::default();
        wanted.add_room(room("bill"), true);
        wanted.add_user(user("anrn"), Depth::Known);
        let found = store.load(wanted);
        let rooms: Vec<_> = found.rooms.iter().map(|room| room.name.as_str()).collect();
        let users = found.users.iter().filter(|user| user.is_member);
        let users: Vec<_> = users.map(|user| user.name.as_str()).collect();
        let expect = |name| if store.keeps { vec![name] } else { Vec::new() };
        assert_eq!((rooms, users), (expect("bi11"), expect("anm")));
    });
}

#[test]
fn a_user_whose_name_looks_like_what_is_no_name_is_found() {
    with_all(|store| {
        let log = store.open("lobby", None);
        store.put(log, member("ann0", 0));
        store.append(log, "hi", 1);
        store.forget(log);
        let found = store.load_user("ann0", Depth::Rooms);
        let expect = (true, true, vec!["lobby".to_owned()]);
        assert_eq!(found, store.keeps.then_some(expect));
    });
}

#[test]
fn of_the_marks_of_a_user_those_that_were_changed_longest_ago_go_first() {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let log = store.open("lobby", None);
        let most = u64::try_from(THREADS_OF_USER_MAX).unwrap();
        for thread in 1..=most + 2 {
            store.append(log, &thread.to_string(), thread);
            let change =
                if thread == 2 { ThreadChange::Unfollow(0) } else { ThreadChange::Follow(0) };
            let mark =
                ThreadMark { user: user("eve"), room: room("lobby"), thread, change, at: thread };
            let ticket = store.ticket();
            let changes = vec![PeopleChange::Thread(mark)];
            store.request(LogRequest::People { ticket, changes });
            assert_eq!(store.reply(), LogReply::Synced { ticket, outcome: Ok(()) });
        }
        let ticket = store.ticket();
        let query = Query::Threads { user: user("eve"), logs: vec![log] };
        store.request(LogRequest::Read { ticket, query });
        let LogReply::Answer { outcome: Ok(Answer::Threads(found)), .. } = store.reply() else {
            panic!("no threads")
        };
        let kept: Vec<u64> = found.iter().map(|thread| thread.root.seq).collect();
        assert_eq!(kept, (3..=most + 2).rev().collect::<Vec<_>>(), "{}", store.name);
    });
}
