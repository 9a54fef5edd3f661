//! Which node sends to webhooks, and what it finds that another one has left.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::SendTerms;
use super::super::webhooks as rows;
use super::peer::{Database, Patience, Peer};
use crate::chat::model::account::Hidden;
use crate::chat::model::log::{Draft, LogId, LogReply, LogRequest, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::outbox::{Batch, OutboxAsk, OutboxReply, Position, StoredWebhook, Update};
use crate::chat::model::policy::Retention;
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::Durability;
use crate::chat::model::webhook::{
    EventKind, EventSet, Interest, Notice, NoticeKind, Webhook, WebhookEvent,
};
use crate::cluster::ADDITIONS_BEHIND;

/// Makes every turn end at once, as time would.
const TIME_PASSES: &str = "UPDATE chinwag.sender SET until = 0";

fn interest() -> Interest {
    let events = EventSet::NONE.with(EventKind::Message).with(EventKind::Connection);
    Interest { events, rooms: vec!["*".into()], except: None }
}

/// A database with a webhook.
fn database() -> Option<Database> {
    let database = Database::new()?;
    let (name, url) = ("ci".into(), "https://example.org/".into());
    let (secret, interest) = (Hidden::new("whsec_"), interest());
    let webhook = Webhook { name, url, interest, secret, former: None, at: 0 };
    rows::add(&mut database.session(), &webhook).unwrap().unwrap();
    Some(database)
}

/// A node that may send.
fn peer(database: &Database, seed: u64) -> Peer {
    let mut peer = Peer::new(&database.address, seed);
    let (name, timeout) = (format!("node{seed}").into(), Duration::from_mins(1));
    peer.send_webhooks(SendTerms { name, settings: "same".into(), timeout });
    peer
}

/// Lets nodes go on until one of them tells the thread that sends what is wanted.
#[track_caller]
fn told<T>(peers: &mut [&mut Peer], mut take: impl FnMut(usize, OutboxReply) -> Option<T>) -> T {
    let patience = Patience::begin();
    loop {
        for (nth, peer) in peers.iter_mut().enumerate() {
            while peer.poll_reply().is_some() {}
            while let Some(reply) = peer.poll_outbox() {
                if let Some(found) = take(nth, reply) {
                    return found;
                }
            }
        }
        assert!(patience.is_left(), "it is never told");
    }
}

/// Which node sends, and the webhook as it has it.
#[track_caller]
fn sender(peers: &mut [&mut Peer]) -> (usize, StoredWebhook) {
    told(peers, |nth, reply| match reply {
        OutboxReply::Webhooks(known) if !known.is_empty() => Some((nth, known[0].clone())),
        _ => None,
    })
}

#[track_caller]
fn read(peer: &mut Peer, from: Position, events_max: usize) -> Batch {
    read_of(peer, &interest(), from, events_max)
}

#[track_caller]
fn read_of(peer: &mut Peer, interest: &Interest, from: Position, events_max: usize) -> Batch {
    loop {
        // The node may not have asked for a while whether it is still its turn.
        if let Some(batch) = try_read(peer, interest, from, events_max) {
            return batch;
        }
    }
}

/// What is read, unless it is not this node's turn.
fn try_read(
    peer: &mut Peer,
    interest: &Interest,
    from: Position,
    events_max: usize,
) -> Option<Batch> {
    let interest = interest.clone();
    peer.ask_outbox(OutboxAsk::Read { ticket: 5, interest, from, to: None, events_max });
    let outcome = told(&mut [peer], |_, reply| match reply {
        OutboxReply::Read { ticket: 5, outcome } => Some(outcome),
        _ => None,
    });
    outcome.ok()
}

fn progress(webhook: &StoredWebhook, position: Position) -> OutboxAsk {
    let webhook = ("ci".into(), webhook.webhook.at);
    let (batch_end, attempts, next_at, ended) = (None, 0, 0, None);
    OutboxAsk::Put(vec![Update::Progress {
        webhook,
        position,
        batch_end,
        attempts,
        next_at,
        ended,
    }])
}

fn open(peer: &mut Peer, nth: usize) {
    let (room, epoch) = (RoomName::stored(&format!("room{nth}")).unwrap(), Epoch(5));
    let (durability, retention) = (Durability::Disk, Retention::default());
    let log = LogId::new(nth, 1);
    peer.ask(LogRequest::Open { log, room, epoch, durability, retention, kept: None });
}

fn say(peer: &mut Peer, nth: usize, text: &str) {
    let from = UserName::parse("ann").unwrap();
    let draft = Draft::new(from, Body::plain(text, None), 200);
    peer.ask(LogRequest::Append { log: LogId::new(nth, 1), ticket: Ticket(1), draft });
}

/// Waits for so many answers.
#[track_caller]
fn answered(peer: &mut Peer, count: usize) {
    let mut answers = 0;
    while answers < count {
        answers += usize::from(matches!(peer.reply(), LogReply::Appended { .. }));
    }
}

fn texts(batch: &Batch) -> Vec<&str> {
    batch.events.iter().filter_map(text).collect()
}

fn text(event: &WebhookEvent) -> Option<&str> {
    match event {
        WebhookEvent::Record { record, .. } => record.body.text(),
        WebhookEvent::Notice { .. } => None,
    }
}

#[test]
fn one_node_sends_and_another_one_goes_on_where_it_was_when_it_is_gone() {
    let Some(database) = database() else { return };
    let (mut one, mut two) = (peer(&database, 1), peer(&database, 2));
    let (first, known) = sender(&mut [&mut one, &mut two]);
    let (mut now, mut next) = if first == 0 { (one, two) } else { (two, one) };
    open(&mut next, 1);
    for text in ["a", "b", "c"] {
        say(&mut next, 1, text);
    }
    answered(&mut next, 3);
    next.ask_outbox(OutboxAsk::Read {
        ticket: 7,
        interest: interest(),
        from: known.position,
        to: None,
        events_max: 9,
    });
    let refused = told(&mut [&mut next], |_, reply| match reply {
        OutboxReply::Read { outcome, .. } => Some(outcome.is_err()),
        OutboxReply::Webhooks(known) => Some(known.is_empty()),
        OutboxReply::News => None,
    });
    assert!(refused, "it is not its turn");
    let batch = read(&mut now, known.position, 2);
    assert_eq!(texts(&batch), ["a", "b"]);
    now.ask_outbox(progress(&known, batch.end));
    while !now.has_sent() {
        _ = now.poll_reply();
    }
    drop(now);
    database.run(&[TIME_PASSES]);
    let (_, known) = sender(&mut [&mut next]);
    assert_eq!(known.position, batch.end);
    let batch = read(&mut next, known.position, 9);
    assert_eq!((texts(&batch), batch.has_more), (vec!["c"], false));
}

#[test]
fn whoever_has_lost_its_turn_changes_nothing_any_more() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    let (_, known) = sender(&mut [&mut one]);
    open(&mut one, 1);
    say(&mut one, 1, "a");
    answered(&mut one, 1);
    let end = read(&mut one, known.position, 9).end;
    database.run(&[TIME_PASSES]);
    let mut two = peer(&database, 2);
    // The first one does not ask again meanwhile.
    sender(&mut [&mut two]);
    one.ask_outbox(progress(&known, end));
    let rests = told(&mut [&mut one], |_, reply| match reply {
        OutboxReply::Webhooks(known) => Some(known.is_empty()),
        _ => None,
    });
    assert!(rests, "it sends no more");
    assert_eq!(database.number("SELECT place FROM chinwag.webhook"), 0);
    assert_eq!(texts(&read(&mut two, known.position, 9)), ["a"]);
}

#[test]
fn a_node_that_stops_leaves_its_turn_to_another_one_at_once() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    sender(&mut [&mut one]);
    let mut two = peer(&database, 2);
    one.stop_sending();
    assert_eq!(sender(&mut [&mut one, &mut two]).0, 1);
}

#[test]
fn what_two_nodes_write_at_once_is_sent_once_and_in_the_order_of_each_room() {
    const EACH: usize = 60;
    let Some(database) = database() else { return };
    let (mut one, mut two) = (peer(&database, 1), peer(&database, 2));
    let (mut turn, known) = sender(&mut [&mut one, &mut two]);
    for peer in [&mut one, &mut two] {
        for nth in 1..=3 {
            open(peer, nth);
        }
        // Before anything is said: a log that another node has begun meanwhile is another one.
        while peer.poll_reply().is_some() || !peer.node().is_settled() {}
    }
    for nth in 0..EACH {
        say(&mut one, 1 + nth % 3, "one");
        say(&mut two, 1 + nth * 2 % 3, "two");
    }
    let (mut position, mut seqs) = (known.position, BTreeMap::<String, Vec<u64>>::new());
    let mut count = 0;
    while count < 2 * EACH {
        for peer in [&mut one, &mut two] {
            while peer.poll_reply().is_some() {}
        }
        // On a machine that stands still for a while the turn may be the other one's by now.
        let own = if turn == 0 { &mut one } else { &mut two };
        let Some(batch) = try_read(own, &interest(), position, 7) else {
            turn = 1 - turn;
            continue;
        };
        position = batch.end;
        for event in &batch.events {
            let WebhookEvent::Record { room, record, .. } = event else { continue };
            seqs.entry(room.to_string()).or_default().push(record.seq);
            count += 1;
        }
    }
    for (room, seqs) in seqs {
        assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{room}: {seqs:?}");
    }
}

#[test]
fn what_is_entered_once_more_since_the_answer_was_lost_is_there_once() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    sender(&mut [&mut one]);
    one.faults().loses = 1;
    let (room, user) = (None, Some(UserName::parse("ann").unwrap()));
    let what = NoticeKind::Connection { opened: true, left: 1 };
    one.ask(LogRequest::Notice(Notice { at: 1, room, is_in_memory: false, user, what }));
    while one.faults().loses > 0 {
        _ = one.poll_reply();
    }
    one.come_back();
    let (_, known) = sender(&mut [&mut one]);
    while !one.node().is_settled() {
        _ = one.poll_reply();
    }
    let batch = read(&mut one, known.position, 9);
    let notices = batch.events.iter().filter(|event| matches!(event, WebhookEvent::Notice { .. }));
    assert_eq!((notices.count(), batch.events.len()), (1, 1));
}

#[test]
fn how_much_is_gone_since_there_was_too_much_is_told() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    let (_, known) = sender(&mut [&mut one]);
    open(&mut one, 1);
    for text in ["a", "b", "c"] {
        say(&mut one, 1, text);
    }
    answered(&mut one, 3);
    read(&mut one, known.position, 9);
    // As if there had been a million behind these.
    database.run(&[
        "UPDATE chinwag.sender SET gone = 2",
        "DELETE FROM chinwag.outgoing WHERE place <= 2",
    ]);
    let batch = read(&mut one, known.position, 9);
    assert_eq!((texts(&batch), batch.lost), (vec!["c"], 2));
    assert_eq!(read(&mut one, batch.end, 9).lost, 0);
}

#[test]
fn entries_in_more_than_an_answer_may_have_are_read_in_parts() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    let (_, known) = sender(&mut [&mut one]);
    database.run(&[
        "INSERT INTO chinwag.room (name, epoch, head, at) VALUES ('room1', 5, 36, 1800000000036)",
        "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, text) \
         SELECT r.id, n, 1800000000000 + n, 1000200, 0, 'ann', repeat('x', 1000000) \
         FROM chinwag.room r, generate_series(1, 36) AS n",
        "SELECT chinwag.heard_1(ARRAY[r.id], '{1}', '{36}') FROM chinwag.room r",
    ]);
    let elsewhere = Interest { rooms: vec!["elsewhere".into()], ..interest() };
    let (mut from, mut ends) = (known.position, Vec::new());
    loop {
        let batch = read_of(&mut one, &elsewhere, from, 9);
        from = batch.end;
        ends.push(from.record - known.position.record);
        if !batch.has_more {
            break;
        }
    }
    assert_eq!(ends, [9, 18, 27, 36], "what weighs no more than it may, and one");
    let batch = read(&mut one, known.position, 9);
    assert_eq!((batch.events.len(), batch.has_more), (1, true));
}

#[test]
fn what_all_were_told_goes_but_for_what_letters_have() {
    let Some(database) = database() else { return };
    database.run(&[
        "INSERT INTO chinwag.outgoing (place, kind, at, name) \
         SELECT n, 2, CASE n WHEN 101 THEN 9 ELSE 1 END, 'room1' FROM generate_series(101, 120) AS n",
        "INSERT INTO chinwag.dead_letter (webhook, at, low, high, events, why) VALUES \
         ('ci', 1, 102, 105, 3, ''), ('ci', 1, 104, 106, 2, ''), ('ci', 1, 109, 109, 0, ''), \
         ('ci', 1, 110, 112, 2, '')",
        "UPDATE chinwag.webhook SET place = 115",
        "SELECT chinwag.forget_told_1(9)",
    ]);
    let left = "SELECT count(*) FROM chinwag.outgoing \
                WHERE place IN (101, 103, 104, 105, 106, 111, 112, 116, 117, 118, 119, 120)";
    assert_eq!(database.number(left), 12, "of this time, in letters, and not sent to all yet");
    assert_eq!(database.number("SELECT count(*) FROM chinwag.outgoing"), 12);
}

#[test]
fn without_a_webhook_nothing_is_left_of_what_was_entered() {
    let Some(database) = database() else { return };
    let mut one = peer(&database, 1);
    sender(&mut [&mut one]);
    database.run(&["INSERT INTO chinwag.outgoing (kind, at, name) VALUES (2, 1, 'room1')"]);
    rows::end(&mut database.session(), "ci").unwrap().unwrap();
    let patience = Patience::begin();
    while database.number("SELECT count(*) FROM chinwag.outgoing") > 0 {
        _ = one.poll_reply();
        assert!(patience.is_left(), "it never goes");
    }
}

#[test]
fn while_an_engine_is_brought_up_to_date_each_record_is_entered_once() {
    let Some(database) = database() else { return };
    // As an earlier program has made it.
    database.run(&[
        "CREATE FUNCTION chinwag.enter_records_1() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO chinwag.outgoing (kind, at, room, seq) \
         SELECT -1, n.at, n.room, n.seq FROM new_rows n; RETURN NULL; END $$",
        "CREATE TRIGGER record_entered AFTER INSERT ON chinwag.record \
         REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT \
         EXECUTE FUNCTION chinwag.enter_records_1()",
    ]);
    let mut one = peer(&database, 1);
    open(&mut one, 1);
    say(&mut one, 1, "a");
    answered(&mut one, 1);
    database.run(&[ADDITIONS_BEHIND]);
    say(&mut one, 1, "b");
    answered(&mut one, 1);
    let seqs = "SELECT sum(seq * 10 ^ (2 - seq))::bigint FROM chinwag.outgoing WHERE kind = -1";
    assert_eq!(database.number(seqs), 12, "the first and the second, once each");
}

#[test]
fn without_a_webhook_nothing_is_entered() {
    let Some(database) = database() else { return };
    rows::end(&mut database.session(), "ci").unwrap().unwrap();
    let mut one = peer(&database, 1);
    open(&mut one, 1);
    say(&mut one, 1, "a");
    answered(&mut one, 1);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.outgoing"), 0);
}
