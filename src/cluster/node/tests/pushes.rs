//! What devices are told, by which node, and when.

use std::time::Duration;

use super::super::PushSending;
use super::peer::{Database, Patience, Peer};
use crate::chat::model::log::{
    Draft, LogId, LogReply, LogRequest, MemberMeta, RoomMeta, TargetCheck, Ticket,
};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{Block, PeopleChange};
use crate::chat::model::policy::Retention;
use crate::chat::model::push::{PushOrder, PushOutcome, PushReason, PushSubscription};
use crate::chat::model::record::{Body, Epoch};
use crate::chat::model::reply::{Durability, Role};
use crate::chat::model::suspensions::{Expiry, Suspended};

/// Makes the turn of whichever node has it end at once, as time would.
const TIME_PASSES: &str = "UPDATE chinwag.push_sender SET until = 0";
const DIRECT: usize = 1;
const LOBBY: usize = 2;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn room(nth: usize) -> RoomName {
    RoomName::stored(if nth == DIRECT { "@ann:bob" } else { "lobby" }).unwrap()
}

fn device(id: u64) -> PushSubscription {
    PushSubscription {
        id,
        user: user("ann"),
        login: None,
        endpoint: format!("https://push.example/{id}").into(),
        key: [4; 65],
        secret: [7; 16],
        agent: "".into(),
        at: id,
    }
}

/// A node that may tell devices.
fn peer(database: &Database, seed: u64) -> Peer {
    let mut peer = Peer::new(&database.address, seed);
    let (timeout, grace) = (Duration::from_mins(1), Duration::from_mins(1));
    peer.send_pushes(PushSending { timeout, grace, texts: true });
    peer
}

/// A node with two rooms, in which `ann` is, who has a device; `None` without an engine.
fn begin() -> Option<(Database, Peer)> {
    let database = Database::new()?;
    let mut one = peer(&database, 1);
    change(&mut one, vec![PeopleChange::Push(device(1))]);
    for nth in [DIRECT, LOBBY] {
        open(&mut one, nth);
        for name in ["ann", "bob"] {
            let member = MemberMeta { role: Role::Member, recv: 0, read: 0, joined: 1 };
            let meta = RoomMeta::Member(user(name), Some(member));
            one.ask(LogRequest::PutMeta { log: LogId::new(nth, 1), meta });
        }
        sync(&mut one, nth);
    }
    Some((database, one))
}

fn open(peer: &mut Peer, nth: usize) {
    let (durability, retention) = (Durability::Disk, Retention::default());
    let (log, room, epoch) = (LogId::new(nth, 1), room(nth), Epoch(5));
    peer.ask(LogRequest::Open { log, room, epoch, durability, retention, kept: None });
    sync(peer, nth);
}

/// Waits until all that was said of a room is with the engine.
#[track_caller]
fn sync(peer: &mut Peer, nth: usize) {
    peer.ask(LogRequest::Sync { log: LogId::new(nth, 1), ticket: Ticket(2) });
    assert!(matches!(answer(peer), LogReply::Synced { outcome: Ok(()), .. }));
}

#[track_caller]
fn answer(peer: &mut Peer) -> LogReply {
    loop {
        let reply = peer.reply();
        if matches!(reply, LogReply::Appended { .. } | LogReply::Synced { .. }) {
            return reply;
        }
    }
}

#[track_caller]
fn change(peer: &mut Peer, changes: Vec<PeopleChange>) {
    peer.ask(LogRequest::People { ticket: Ticket(3), changes });
    assert!(matches!(answer(peer), LogReply::Synced { outcome: Ok(()), .. }));
}

/// `bob` says something, and it is stored.
#[track_caller]
fn say(peer: &mut Peer, nth: usize, text: &str) {
    let draft = Draft::new(user("bob"), Body::plain(text, None), 200);
    peer.ask(LogRequest::Append { log: LogId::new(nth, 1), ticket: Ticket(1), draft });
    assert!(matches!(answer(peer), LogReply::Appended { .. }));
}

/// What the threads of these nodes are asked next, and of which node, in words.
#[track_caller]
fn ordered(peers: &mut [&mut Peer]) -> (usize, String) {
    let patience = Patience::begin();
    loop {
        if let Some(found) = next(peers) {
            return found;
        }
        assert!(patience.is_left(), "nothing is ordered");
    }
}

/// The same, if there is something after a turn.
fn next(peers: &mut [&mut Peer]) -> Option<(usize, String)> {
    for (nth, peer) in peers.iter_mut().enumerate() {
        while peer.poll_reply().is_some() {}
        if let Some(order) = peer.poll_push() {
            return Some((nth, words(order)));
        }
    }
    None
}

fn words(order: PushOrder) -> String {
    match order {
        PushOrder::Send(push) => {
            assert_eq!((&*push.to, push.from.as_str()), (&device(push.to.id), "bob"));
            assert_eq!(push.why == PushReason::Direct, push.room.is_direct());
            let text = push.text.unwrap_or_default();
            let read: Vec<_> =
                push.read.iter().map(|(room, seq)| format!(" {room}≤{seq}")).collect();
            let (id, room) = (push.to.id, push.room.as_str());
            format!("{id}: {room} {} of {} {text}{}", push.seq, push.unread, read.concat())
        }
        PushOrder::Read(user, room, seq) => format!("{user} has read {room} {seq}"),
        PushOrder::End(id) => format!("end {id}"),
        PushOrder::Forget => "forget".to_owned(),
    }
}

/// How often it was asked what is due.
fn asked(peer: &mut Peer) -> usize {
    peer.faults().sent.iter().filter(|name| **name == "push_send").count()
}

/// Nothing is ordered by the time at which all of these have asked the engine what is due.
#[track_caller]
fn nothing_ordered(peers: &mut [&mut Peer]) {
    // The second one from now on was asked, and answered, behind what is there now.
    let enough: Vec<usize> = peers.iter_mut().map(|peer| asked(peer) + 3).collect();
    while peers.iter_mut().zip(&enough).any(|(peer, enough)| asked(peer) < *enough) {
        assert_eq!(next(peers), None);
    }
}

/// The device was told of the message, and that is written.
#[track_caller]
fn told(database: &Database, peer: &mut Peer, (nth, seq): (usize, u64)) {
    peer.push_became(PushOutcome::Told { device: 1, room: room(nth), seq });
    nothing_ordered(&mut [peer]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news WHERE NOT told"), 0);
}

/// A session of `ann` at a node.
fn session(database: &Database, peer: &Peer) {
    let node = peer.node().id().unwrap().0;
    database.run(&[&format!(
        "INSERT INTO chinwag.session (hash, name, node, conn, away, resumed) \
         VALUES ('x', 'ann', {node}, 1, false, false)"
    )]);
}

#[test]
fn one_node_tells_of_each_message_once_whoever_has_stored_it() {
    let Some((database, mut one)) = begin() else { return };
    let mut two = peer(&database, 2);
    open(&mut two, DIRECT);
    say(&mut one, DIRECT, "one");
    let (at, said) = ordered(&mut [&mut one, &mut two]);
    assert_eq!(said, "1: @ann:bob 1 of 1 one");
    say(if at == 0 { &mut two } else { &mut one }, DIRECT, "two");
    let second = ordered(&mut [&mut one, &mut two]);
    assert_eq!(second, (at, "1: @ann:bob 2 of 2 two".to_owned()), "the same one");
    let sender = if at == 0 { &mut one } else { &mut two };
    told(&database, sender, (DIRECT, 2));
    nothing_ordered(&mut [&mut one, &mut two]);
    // What is told stays so in another turn.
    database.run(&[TIME_PASSES]);
    nothing_ordered(&mut [if at == 0 { &mut two } else { &mut one }]);
}

#[test]
fn what_a_node_that_is_gone_has_not_told_is_told_by_another() {
    let Some((database, mut one)) = begin() else { return };
    say(&mut one, DIRECT, "one");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one");
    drop(one);
    let mut two = peer(&database, 2);
    nothing_ordered(&mut [&mut two]);
    database.run(&[TIME_PASSES]);
    assert_eq!(ordered(&mut [&mut two]).1, "1: @ann:bob 1 of 1 one");
}

#[test]
fn a_node_without_its_engine_forgets_what_it_was_to_tell_and_is_told_it_anew() {
    let Some((_database, mut one)) = begin() else { return };
    say(&mut one, DIRECT, "one");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one");
    one.come_back();
    assert_eq!(ordered(&mut [&mut one]).1, "forget");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one");
}

#[test]
fn who_is_active_at_another_node_is_told_when_that_is_over() {
    let Some((database, mut one)) = begin() else { return };
    let two = Peer::new(&database.address, 2);
    session(&database, &two);
    say(&mut one, DIRECT, "one");
    nothing_ordered(&mut [&mut one]);
    // It may just load its page anew.
    database.run(&["UPDATE chinwag.session SET ended = \
                    (extract(epoch FROM clock_timestamp()) * 1000)::bigint"]);
    nothing_ordered(&mut [&mut one]);
    database.run(&["UPDATE chinwag.session SET ended = ended - 60001"]);
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one");
    database.run(&["UPDATE chinwag.session SET ended = NULL"]);
    say(&mut one, DIRECT, "two");
    nothing_ordered(&mut [&mut one]);
    database.run(&["UPDATE chinwag.session SET away = true"]);
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 2 of 2 two");
    // A session of a node that is gone is none.
    database.run(&["UPDATE chinwag.session SET away = false, node = 999"]);
    say(&mut one, DIRECT, "three");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 3 of 3 three");
}

#[test]
fn what_was_read_at_another_node_is_taken_back_or_told_with_the_next_push() {
    let Some((database, mut one)) = begin() else { return };
    say(&mut one, DIRECT, "one");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one");
    database.run(&["UPDATE chinwag.member SET read = 1 WHERE name = 'ann' AND room = \
                    (SELECT id FROM chinwag.room WHERE name = '@ann:bob')"]);
    assert_eq!(ordered(&mut [&mut one]).1, "ann has read @ann:bob 1");
    say(&mut one, DIRECT, "two");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 2 of 1 two");
    told(&database, &mut one, (DIRECT, 2));
    database.run(&["UPDATE chinwag.member SET read = 2 WHERE name = 'ann' AND room = \
                    (SELECT id FROM chinwag.room WHERE name = '@ann:bob')"]);
    nothing_ordered(&mut [&mut one]);
    say(&mut one, LOBBY, "@ann: tea");
    assert_eq!(ordered(&mut [&mut one]).1, "1: lobby 1 of 1 @ann: tea @ann:bob≤2");
}

#[test]
fn who_is_named_is_told_and_nobody_whom_a_text_only_seems_to_name() {
    let Some((database, mut one)) = begin() else { return };
    for text in ["hello", "@bob", "`@ann`", "> @ann\nno", "ann@example.org @annabel", "@ann@host"] {
        say(&mut one, LOBBY, text);
    }
    // Of a room one after the other is looked at, the last one first.
    for _ in 0..3 {
        nothing_ordered(&mut [&mut one]);
    }
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 0);
    for (text, seq) in [("@Ann.", 7), ("_to @ann_", 8), ("tea, @ROOM!", 9), ("@ａｎｎ, tea", 10)]
    {
        say(&mut one, LOBBY, text);
        // What seems to name her comes behind it.
        assert_eq!(ordered(&mut [&mut one]).1, format!("1: lobby {seq} of {seq} {text}"));
    }
    // The last one that does is told, though others came since.
    session(&database, &one);
    say(&mut one, LOBBY, "@ann, once more");
    say(&mut one, LOBBY, "`@ann` is how she is called");
    database.run(&["UPDATE chinwag.session SET away = true"]);
    assert_eq!(ordered(&mut [&mut one]).1, "1: lobby 11 of 12 @ann, once more");
}

#[test]
fn nothing_is_told_of_who_is_blocked_to_who_is_suspended_or_of_what_is_deleted() {
    let Some((database, mut one)) = begin() else { return };
    let block = Block { user: user("ann"), blocked: user("bob"), at: 1 };
    change(&mut one, vec![PeopleChange::Block(block)]);
    say(&mut one, DIRECT, "one");
    change(&mut one, vec![PeopleChange::Unblock(user("ann"), user("bob"))]);
    let suspended = Suspended::User(user("ann"));
    change(&mut one, vec![PeopleChange::Suspend(suspended.clone(), Expiry::default())]);
    say(&mut one, DIRECT, "two");
    change(&mut one, vec![PeopleChange::Unsuspend(suspended)]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 0);
    session(&database, &one);
    say(&mut one, DIRECT, "three");
    let check = TargetCheck { target: 3, others: false, not_before: 0, data_max: usize::MAX };
    let draft = Draft::new(user("bob"), Body::Deletion { target: 3 }, 200);
    let draft = Draft { check: Some(check), ..draft };
    one.ask(LogRequest::Append { log: LogId::new(DIRECT, 1), ticket: Ticket(1), draft });
    answer(&mut one);
    database.run(&["UPDATE chinwag.session SET away = true"]);
    nothing_ordered(&mut [&mut one]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 0);
}

#[test]
fn a_device_that_is_over_is_told_nothing_and_what_is_given_up_is_forgotten() {
    let Some((database, mut one)) = begin() else { return };
    change(&mut one, vec![PeopleChange::Push(device(2))]);
    say(&mut one, DIRECT, "one");
    let both = [ordered(&mut [&mut one]).1, ordered(&mut [&mut one]).1];
    assert_eq!(both, ["1: @ann:bob 1 of 1 one", "2: @ann:bob 1 of 1 one"]);
    one.push_became(PushOutcome::GivenUp(1));
    change(&mut one, vec![PeopleChange::EndPush(2)]);
    nothing_ordered(&mut [&mut one]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 0);
    say(&mut one, DIRECT, "two");
    assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 2 of 2 two");
    nothing_ordered(&mut [&mut one]);
}

#[test]
fn the_engine_has_no_more_devices_than_there_may_be_though_nodes_do_not_know_of_each_other() {
    let Some((database, mut one)) = begin() else { return };
    for id in 2..=17 {
        change(&mut one, vec![PeopleChange::Push(device(id))]);
    }
    let ids = "SELECT min(id) * 100 + count(*) FROM chinwag.push";
    assert_eq!(database.number(ids), 216, "the oldest has made room");
}

#[test]
fn what_is_under_way_while_its_room_is_renamed_is_told_once_and_read_by_the_name_it_was_shown_by() {
    const RENAME: &str = "SELECT chinwag.rename_1(r.id, 'parlour', 'lobby', NULL) \
                          FROM chinwag.room r WHERE r.name = 'lobby'";
    const READ: &str = "UPDATE chinwag.member SET read = 1 WHERE name = 'ann' AND room = \
                        (SELECT id FROM chinwag.room WHERE name = 'parlour')";
    for is_told in [true, false] {
        let Some((database, mut one)) = begin() else { return };
        say(&mut one, LOBBY, "@ann: tea");
        assert_eq!(ordered(&mut [&mut one]).1, "1: lobby 1 of 1 @ann: tea");
        database.run(&[RENAME]);
        if is_told {
            told(&database, &mut one, (LOBBY, 1));
            database.run(&[READ]);
            say(&mut one, DIRECT, "one");
            assert_eq!(ordered(&mut [&mut one]).1, "1: @ann:bob 1 of 1 one lobby≤1");
        } else {
            database.run(&[READ]);
            assert_eq!(ordered(&mut [&mut one]).1, "ann has read lobby 1");
        }
    }
}

#[test]
fn the_newest_of_what_was_told_are_known_and_what_has_no_room_any_more_is_read() {
    let Some((database, mut one)) = begin() else { return };
    let told_before = "INSERT INTO chinwag.push_news (device, room, seq, waits, told) \
                       SELECT 1, -n, 1, false, true FROM generate_series(1, 40) AS n";
    database.run(&[told_before]);
    say(&mut one, LOBBY, "@ann: tea");
    assert_eq!(ordered(&mut [&mut one]).1, "1: lobby 1 of 1 @ann: tea");
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 1);
    database.run(&[told_before]);
    told(&database, &mut one, (LOBBY, 1));
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news"), 32);
    let newest = "SELECT count(*) FROM chinwag.push_news WHERE room > 0";
    assert_eq!(database.number(newest), 1);
}

#[test]
fn a_node_that_stops_says_first_what_it_has_told() {
    let Some((database, mut one)) = begin() else { return };
    say(&mut one, DIRECT, "one");
    ordered(&mut [&mut one]);
    one.push_became(PushOutcome::Told { device: 1, room: room(DIRECT), seq: 1 });
    one.stop_pushing();
    let turns = "SELECT count(*) FROM chinwag.push_sender WHERE until <= \
                 (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
    while database.number(turns) == 0 {
        while one.poll_reply().is_some() {}
    }
    assert_eq!(database.number("SELECT count(*) FROM chinwag.push_news WHERE told"), 1);
}

#[test]
fn nothing_is_entered_for_devices_where_no_node_has_sent_for_a_day() {
    let Some((database, mut one)) = begin() else { return };
    one.stop_pushing();
    say(&mut one, DIRECT, "one");
    let entered = "SELECT count(*) FROM chinwag.push_news";
    assert_eq!(database.number(entered), 1);
    database.run(&["UPDATE chinwag.push_sender SET until = until - 86500000"]);
    say(&mut one, DIRECT, "two");
    assert_eq!(database.number(entered), 1);
    // Whoever has a device now may be told soon.
    change(&mut one, vec![PeopleChange::Push(device(2))]);
    say(&mut one, DIRECT, "three");
    assert_eq!(database.number(entered), 3);
}
