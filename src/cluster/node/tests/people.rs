//! What is kept of people, in pages of a few rows, and what has changed of it.

use super::passwords::change;
use super::peer::{Database, Peer};
use crate::chat::model::log::LogReply;
use crate::chat::model::name::UserName;
use crate::chat::model::people::{Block, People, PeopleChange};
use crate::chat::model::suspensions::{Expiry, Suspended};
use crate::cluster::node::transfer;

/// As many as several pages hold.
const NAMES: &[&str] = &[
    "INSERT INTO chinwag.people (kind, key, numbers, texts) \
     SELECT 0, 'user' || lpad(n::text, 3, '0'), ARRAY[0, n, NULL, NULL], \
     ARRAY['', '', NULL, NULL, NULL, NULL] FROM generate_series(1, 50) AS n",
    "UPDATE chinwag.meta SET value = '1' WHERE key = 'people'",
];

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// What is told next that is true of.
#[track_caller]
fn told(peer: &mut Peer, is_it: impl Fn(&People) -> bool) -> People {
    loop {
        if let LogReply::People(people) = peer.reply()
            && is_it(&people)
        {
            return *people;
        }
    }
}

fn block(blocked: &str) -> Block {
    Block { user: user("user001"), blocked: user(blocked), at: 1 }
}

#[test]
fn people_of_many_pages_are_all_read_and_then_what_changes() {
    let Some(database) = Database::new() else { return };
    database.run(NAMES);
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    for node in [&mut one, &mut two] {
        let people = told(node, |_| true);
        let names: Vec<&str> = people.bound.iter().map(|bound| bound.name.as_str()).collect();
        let all: Vec<String> = (1..=50).map(|n| format!("user{n:03}")).collect();
        assert_eq!(names, all, "the first that is told is all of it");
    }
    let blocks: Vec<Block> = (2..=20).map(|n| block(&format!("user{n:03}"))).collect();
    change(&mut one, blocks.iter().cloned().map(PeopleChange::Block).collect());
    let people = told(&mut two, |people| !people.blocks.is_empty());
    assert_eq!((people.bound.len(), people.blocks), (50, blocks.clone()));
    // One that is gone, and one that goes and comes back in one step.
    let [first, second, ..] = &*blocks else { panic!() };
    let end = |block: &Block| PeopleChange::Unblock(block.user.clone(), block.blocked.clone());
    change(&mut one, vec![end(first), end(second), PeopleChange::Block(second.clone())]);
    let people = told(&mut two, |people| people.blocks.len() < blocks.len());
    assert_eq!(people.blocks, blocks[1..]);
    // The one that has changed it is told, too, and a mover reads the same.
    assert_eq!(told(&mut one, |people| people.blocks.len() < blocks.len()).blocks, blocks[1..]);
    let (moved, _) = transfer::people(&mut database.session()).unwrap();
    assert_eq!(moved, people);
}

#[test]
fn who_may_not_use_the_server_is_told_by_itself() {
    let Some(database) = Database::new() else { return };
    database.run(NAMES);
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    told(&mut two, |_| true);
    let expiry = Expiry { until: None, reason: "spam".into() };
    change(&mut one, vec![PeopleChange::Suspend(Suspended::User(user("user007")), expiry)]);
    loop {
        match two.reply() {
            LogReply::Suspended(suspended) => {
                assert_eq!(suspended.users[0].0, user("user007"));
                break;
            }
            LogReply::People(people) => panic!("nothing of people has changed: {people:?}"),
            _ => {}
        }
    }
}

#[test]
fn a_node_that_missed_what_is_forgotten_of_the_gone_reads_all_of_it_again() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    let blocks: Vec<Block> = (2..=20).map(|n| block(&format!("user{n:03}"))).collect();
    change(&mut one, blocks.iter().cloned().map(PeopleChange::Block).collect());
    assert_eq!(told(&mut one, |people| !people.blocks.is_empty()).blocks, blocks);
    database.run(&[
        "DELETE FROM chinwag.people WHERE key LIKE '%9'",
        "DELETE FROM chinwag.people_gone",
        "UPDATE chinwag.meta SET value = (value::bigint + 1)::text WHERE key = 'people'",
        "UPDATE chinwag.meta f SET value = m.value FROM chinwag.meta m \
         WHERE f.key = 'people floor' AND m.key = 'people'",
    ]);
    let people = told(&mut one, |people| people.blocks.len() < blocks.len());
    assert_eq!(people.blocks.len(), 17, "two are gone");
}

#[test]
fn what_is_gone_is_forgotten_after_a_while_and_the_floor_says_so() {
    let Some(database) = Database::new() else { return };
    let mut one = Peer::new(&database.address, 1);
    change(&mut one, vec![PeopleChange::Block(block("user002"))]);
    change(&mut one, vec![PeopleChange::Unblock(user("user001"), user("user002"))]);
    let gone = "SELECT count(*) FROM chinwag.people_gone";
    let floor = "SELECT value::bigint FROM chinwag.meta WHERE key = 'people floor'";
    assert_eq!((database.number(gone), database.number(floor)), (1, 0));
    database.run(&["UPDATE chinwag.people_gone SET at = 1"]);
    change(&mut one, vec![PeopleChange::Block(block("user003"))]);
    assert_eq!((database.number(gone), database.number(floor)), (0, 2));
}

#[test]
fn devices_come_in_pages_as_people_do_and_then_those_that_change() {
    let Some(database) = Database::new() else { return };
    database.run(&[
        "INSERT INTO chinwag.push (id, name, endpoint, p256dh, auth, agent, at) \
         SELECT n, 'user' || n, 'https://push.example/' || n, repeat('04', 65), repeat('07', 16), \
         '', n FROM generate_series(1, 30) AS n",
        "UPDATE chinwag.meta SET value = '1' WHERE key = 'people'",
    ]);
    let pages =
        |peer: &mut Peer| peer.faults().sent.iter().filter(|name| **name == "people_page").count();
    let [mut one, mut two] = [1, 2].map(|seed| Peer::new(&database.address, seed));
    let ids = |people: &People| people.pushes.iter().map(|device| device.id).collect::<Vec<_>>();
    for node in [&mut one, &mut two] {
        assert_eq!(ids(&told(node, |_| true)), (1..=30).collect::<Vec<u64>>());
        assert!(pages(node) > 7, "four rows a page");
    }
    let before = pages(&mut two);
    change(&mut one, vec![PeopleChange::EndPush(7)]);
    let people = told(&mut two, |people| people.pushes.len() < 30);
    assert_eq!(ids(&people), (1..=30).filter(|id| *id != 7).collect::<Vec<u64>>());
    assert!(pages(&mut two) <= before + 3, "what has not changed is not read again");
    assert_eq!(transfer::people(&mut database.session()).unwrap().0, people);
}
