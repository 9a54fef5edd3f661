//! What webhooks are told, and what is kept of that: by the embedded store and by the shared one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{PATIENCE, room, user};
use crate::chat::model::account::Hidden;
use crate::chat::model::log::{
    Appended, Draft, LogId, LogReply, LogRequest, Logs, TargetCheck, Ticket,
};
use crate::chat::model::outbox::{
    Batch, DeadLetter, OutboxAsk, OutboxReply, Position, StoredWebhook, Update,
};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Role};
use crate::chat::model::role::LeftReason;
use crate::chat::model::webhook::{
    self, EventKind, EventSet, Interest, Notice, NoticeKind, Webhook, WebhookEvent,
};
use crate::cluster::node::SendTerms;
use crate::cluster::node::tests::peer::{Database, Peer};
use crate::cluster::node::webhooks as shared;
use crate::metrics::StoreMetrics;
use crate::store::sqlite::outbox::{self, find_dead};
use crate::store::sqlite::{Options, SqliteStore, Wake};
use crate::store::tools::webhooks as own;
use crate::time::clock::Clock;

/// A store with one webhook.
struct Sender {
    store: Store,
    clock: Clock,
    tickets: u64,
}

enum Store {
    Own(Box<SqliteStore>, Receiver<()>, tempfile::TempDir),
    Shared(Box<Peer>, Box<Database>),
}

fn interest() -> Interest {
    let events = EventKind::ALL.into_iter().fold(EventSet::NONE, EventSet::with);
    Interest { events, rooms: vec!["lob*".into(), "a_b".into()], except: Some(user("bot")) }
}

fn hook() -> Webhook {
    let (name, url) = ("ci".into(), "https://example.org/".into());
    Webhook { name, url, interest: interest(), secret: Hidden::new("whsec_"), former: None, at: 7 }
}

fn open(data: &std::path::Path) -> (SqliteStore, Receiver<()>) {
    let (wake, woken) = channel();
    let wake: Wake = Arc::new(move || _ = wake.send(()));
    let options = Options::new(data.to_owned(), Arc::new(StoreMetrics::default()));
    (SqliteStore::open(&options, Clock::start(), wake).unwrap().0, woken)
}

impl Sender {
    fn all() -> Vec<Self> {
        let folder = tempfile::tempdir().unwrap();
        drop(open(folder.path()));
        own::add(folder.path(), &hook()).unwrap().unwrap();
        let (store, woken) = open(folder.path());
        let mut all = vec![Store::Own(Box::new(store), woken, folder)];
        if let Some(database) = Database::new() {
            shared::add(&mut database.session(), &hook()).unwrap().unwrap();
            let mut peer = Peer::new(&database.address, 1);
            peer.send_webhooks(terms());
            all.push(Store::Shared(Box::new(peer), Box::new(database)));
        }
        let sender = |store| Self { store, clock: Clock::start(), tickets: 0 };
        all.into_iter().map(sender).collect()
    }

    fn logs(&mut self) -> &mut dyn Logs {
        match &mut self.store {
            Store::Own(store, ..) => &mut **store,
            Store::Shared(peer, _) => &mut **peer,
        }
    }

    fn request(&mut self, request: LogRequest) {
        let now = self.clock.now();
        self.logs().request(now, request);
    }

    /// The next reply about a log.
    fn reply(&mut self) -> LogReply {
        self.logs().flush();
        let since = self.clock.now().tick;
        loop {
            match self.logs().poll() {
                Some(LogReply::People(_) | LogReply::Suspended(_) | LogReply::Webhooks(_)) => {}
                Some(reply) => return reply,
                None => assert!(self.clock.now().tick < since.after(PATIENCE), "a reply"),
            }
            if let Store::Own(_, woken, _) = &self.store {
                // Whoever polls too early polls again.
                _ = woken.recv_timeout(Duration::from_millis(10));
            }
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }

    fn open(&mut self, nth: usize, name: &str) -> LogId {
        let log = LogId::new(nth, 1);
        let (durability, retention) = (Durability::Os, Retention::default());
        let (room, epoch) = (room(name), Epoch(5));
        self.request(LogRequest::Open { log, room, epoch, durability, retention, kept: None });
        log
    }

    fn append(&mut self, log: LogId, from: &str, body: Body, is_unseen: bool) {
        let ticket = self.ticket();
        let draft = Draft { is_unseen, ..Draft::new(user(from), body, 200) };
        self.request(LogRequest::Append { log, ticket, draft });
        let outcome = self.reply();
        let is_stored = |outcome: &Appended| matches!(outcome, Appended::Stored(_));
        assert!(matches!(&outcome, LogReply::Appended { outcome, .. } if is_stored(outcome)));
    }

    fn delete(&mut self, log: LogId, from: &str, target: u64) {
        let ticket = self.ticket();
        let check = TargetCheck { target, others: false, not_before: 0, data_max: usize::MAX };
        let body = Body::Deletion { target };
        let draft = Draft { check: Some(check), ..Draft::new(user(from), body, 200) };
        self.request(LogRequest::Append { log, ticket, draft });
        let outcome = self.reply();
        let is_stored = |outcome: &Appended| matches!(outcome, Appended::Stored(_));
        assert!(matches!(&outcome, LogReply::Appended { outcome, .. } if is_stored(outcome)));
    }

    fn say(&mut self, log: LogId, from: &str, text: &str) {
        self.append(log, from, Body::plain(text, None), false);
    }

    fn notice(&mut self, place: Option<&str>, who: &str, what: NoticeKind) {
        let (room, user) = (place.map(room), Some(user(who)));
        self.request(LogRequest::Notice(Notice { at: 9, room, is_in_memory: false, user, what }));
    }

    fn sync(&mut self, log: LogId) {
        let ticket = self.ticket();
        self.request(LogRequest::Sync { log, ticket });
        assert_eq!(self.reply(), LogReply::Synced { ticket, outcome: Ok(()) });
    }

    /// The webhook as the one that sends has it.
    fn known(&mut self) -> StoredWebhook {
        match &mut self.store {
            Store::Own(store, ..) => store.outbox().webhooks()[0].clone(),
            Store::Shared(peer, _) => loop {
                _ = peer.poll_reply();
                match peer.poll_outbox() {
                    Some(OutboxReply::Webhooks(known)) if !known.is_empty() => {
                        return known[0].clone();
                    }
                    _ => {}
                }
            },
        }
    }

    fn read(&mut self, from: Position, events_max: usize) -> Batch {
        match &mut self.store {
            Store::Own(store, ..) => {
                store.outbox().read(&interest(), (from, None), events_max).unwrap()
            }
            Store::Shared(peer, _) => {
                let (interest, to, ticket) = (interest(), None, 3);
                let ask =
                    || OutboxAsk::Read { ticket, interest: interest.clone(), from, to, events_max };
                peer.ask_outbox(ask());
                loop {
                    _ = peer.poll_reply();
                    match peer.poll_outbox() {
                        Some(OutboxReply::Read { outcome: Ok(batch), .. }) => return batch,
                        // The turn was almost over.
                        Some(OutboxReply::Read { .. }) => peer.ask_outbox(ask()),
                        _ => {}
                    }
                }
            }
        }
    }

    /// All events after a place, in words.
    fn told(&mut self, mut from: Position, events_max: usize) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let batch = self.read(from, events_max);
            assert!(batch.events.len() <= events_max && batch.lost == 0, "{batch:?}");
            all.extend(batch.events.iter().map(words));
            from = batch.end;
            if !batch.has_more {
                return all;
            }
        }
    }

    /// Has updates kept, and ends: the webhook as it is then, and its dead letters.
    fn put(self, updates: Vec<Update>) -> (StoredWebhook, Vec<DeadLetter>) {
        match self.store {
            Store::Own(store, _, folder) => {
                store.outbox().put(updates);
                drop(store);
                own::retry(folder.path(), "ci").unwrap().unwrap();
                let db = rusqlite::Connection::open(folder.path().join("chinwag.db")).unwrap();
                let dead = find_dead(&db, "ci").unwrap().unwrap();
                (outbox::load(&db).unwrap().remove(0), dead)
            }
            Store::Shared(mut peer, database) => {
                peer.ask_outbox(OutboxAsk::Put(updates));
                while !peer.has_sent() {
                    _ = peer.poll_reply();
                }
                drop(peer);
                let mut session = database.session();
                shared::retry(&mut session, "ci").unwrap().unwrap();
                let dead = shared::dead(&mut session, "ci").unwrap().unwrap();
                let again = dead.clone();
                let known = shared::load(&mut session).unwrap().remove(0);
                drop(session);
                (StoredWebhook { again, ..known }, dead)
            }
        }
    }
}

fn terms() -> SendTerms {
    let timeout = Duration::from_mins(1);
    SendTerms { name: "one".into(), settings: "same".into(), timeout }
}

fn words(event: &WebhookEvent) -> String {
    match event {
        WebhookEvent::Record { room, record, .. } => {
            let text = record.body.text().unwrap_or("-");
            let kind = webhook::kind_of(&record.body).name();
            format!("{kind} {room} {} {} {text}", record.seq, record.from)
        }
        WebhookEvent::Notice { notice: Notice { room, user, what, .. }, message, .. } => {
            let place = room.as_ref().map_or_else(String::new, ToString::to_string);
            let who = user.as_ref().map_or_else(String::new, ToString::to_string);
            let text = message.as_ref().and_then(|(_, record)| record.body.text());
            format!("{} {place} {who} {what:?} {}", what.kind().name(), text.unwrap_or("-"))
        }
    }
}

#[test]
fn a_webhook_is_told_what_it_asks_for_in_the_order_of_each_room() {
    for mut store in Sender::all() {
        let from = store.known().position;
        let lobby = store.open(1, "lobby");
        let (other, like) = (store.open(2, "other"), store.open(3, "axb"));
        store.notice(Some("lobby"), "ann", NoticeKind::Joined(Role::Member));
        for text in ["one", "two"] {
            store.say(lobby, "ann", text);
            store.say(other, "ann", "of no interest");
            store.say(like, "ann", "nor that: the pattern has no place for any letter");
            store.say(lobby, "bot", "an answer");
        }
        store.notice(Some("lobby"), "ann", NoticeKind::Left(Some(LeftReason::Kicked)));
        store.notice(Some("lobby"), "bob", NoticeKind::Left(Some(LeftReason::Closed)));
        store.notice(Some("other"), "ann", NoticeKind::Left(None));
        store.notice(None, "ann", NoticeKind::Connection { opened: false, left: 3 });
        store.say(lobby, "eve", "three");
        store.append(lobby, "eve", Body::Topic { text: "tea".into() }, false);
        store.sync(lobby);
        let expect = [
            "join lobby ann Joined(Member) -",
            "message lobby 1 ann one",
            "message lobby 3 ann two",
            "leave lobby ann Left(Some(Kicked)) -",
            "leave lobby bob Left(Some(Closed)) -",
            "connection  ann Connection { opened: false, left: 3 } -",
            "message lobby 5 eve three",
        ];
        for events_max in [100, 1] {
            let mut told = store.told(from, events_max);
            // The engine says by itself that a room was made; here the domain would have.
            told.retain(|event| !event.starts_with("room "));
            assert_eq!(told[..expect.len()], expect, "{told:?}");
            assert_eq!(told.len(), expect.len() + 1);
            assert!(told[expect.len()].starts_with("topic lobby 6 eve"), "{told:?}");
        }
    }
}

#[test]
fn a_message_that_was_deleted_before_it_was_sent_is_sent_without_its_text() {
    for mut store in Sender::all() {
        let from = store.known().position;
        let lobby = store.open(1, "lobby");
        store.say(lobby, "ann", "a secret");
        store.delete(lobby, "ann", 1);
        store.sync(lobby);
        let mut told = store.told(from, 100);
        told.retain(|event| !event.starts_with("room "));
        assert_eq!(told, ["message lobby 1 ann -", "deletion lobby 2 ann -"]);
    }
}

#[test]
fn a_direct_message_is_told_only_if_its_recipient_is_not_there() {
    for mut store in Sender::all() {
        let from = store.known().position;
        let direct = store.open(1, "@ann:bob");
        let is_here = |store: &mut Sender, name: &str| {
            if let Store::Shared(_, database) = &store.store {
                let sql = format!(
                    "INSERT INTO chinwag.session (hash, name, node, conn, away, resumed) \
                     VALUES ('{name}', '{name}', 1, 1, false, false)"
                );
                database.run(&[&sql]);
            }
        };
        store.append(direct, "ann", Body::plain("psst", None), true);
        is_here(&mut store, "bob");
        store.append(direct, "ann", Body::plain("not that", None), false);
        store.append(direct, "bot", Body::plain("nor that", None), true);
        store.sync(direct);
        let told = store.told(from, 100);
        assert_eq!(told, ["direct @ann:bob bob Unseen(1) psst"]);
    }
}

#[test]
fn what_has_become_of_what_was_sent_is_kept() {
    for mut store in Sender::all() {
        let known = store.known();
        let lobby = store.open(1, "lobby");
        store.say(lobby, "ann", "one");
        store.say(lobby, "ann", "two");
        store.sync(lobby);
        let first = store.read(known.position, 1).end;
        let last = store.read(first, 100).end;
        let webhook = ("ci".into(), known.webhook.at);
        let progress = |position, ended| Update::Progress {
            webhook: webhook.clone(),
            position,
            batch_end: None,
            attempts: 3,
            next_at: 99,
            ended,
        };
        let dead = |from, to, why: &str| {
            let (webhook, why) = ("ci".into(), why.into());
            Update::Dead(DeadLetter { id: 0, webhook, at: 5, from, to, events: 1, why })
        };
        let (kept, letters) = store.put(vec![
            dead(known.position, first, "HTTP 400"),
            progress(first, None),
            dead(first, first, "gone"),
            dead(first, last, "HTTP 422"),
            progress(last, None),
        ]);
        assert_eq!((kept.position, kept.revived), (last, 1));
        let whys: Vec<&str> = letters.iter().map(|letter| &*letter.why).collect();
        assert_eq!(whys, ["HTTP 400", "HTTP 422"], "of what is gone nothing can be tried again");
        assert_eq!(kept.again, letters);
        assert_eq!((letters[0].to, letters[1].to), (first, last));
    }
}
