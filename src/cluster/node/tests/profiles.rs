//! What users say of themselves, as it is written by one node and read by another.

use super::peer::{Database, Peer};
use crate::chat::model::color::Color;
use crate::chat::model::log::{LogReply, LogRequest, Ticket};
use crate::chat::model::name::UserName;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::profile::{ProfileChange, PublicProfile};

type Said = Vec<(UserName, PublicProfile)>;

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

/// What is kept, as the node is told of it behind its own change.
#[track_caller]
fn change(peer: &mut Peer, changes: Vec<PeopleChange>) -> Said {
    peer.ask(LogRequest::People { ticket: Ticket(1), changes });
    let mut is_written = false;
    loop {
        match peer.reply() {
            LogReply::Synced { outcome, .. } => {
                assert_eq!(outcome, Ok(()));
                is_written = true;
            }
            LogReply::People(people) if is_written => return people.profiles,
            _ => {}
        }
    }
}

/// What a node reads first.
fn read(peer: &mut Peer) -> Said {
    loop {
        if let LogReply::People(people) = peer.reply() {
            return people.profiles;
        }
    }
}

fn put(name: &str, profile: &PublicProfile) -> PeopleChange {
    PeopleChange::Profile(user(name), ProfileChange::whole(profile.clone()))
}

/// What is given of the profile of `ann`, at the time 5.
fn given(display: Option<&str>, status: Option<(&str, Option<u64>)>) -> Vec<PeopleChange> {
    let (display, status) =
        (display.map(Into::into), status.map(|(text, until)| (text.into(), until)));
    let change = ProfileChange { display, status, at: 5, ..ProfileChange::default() };
    vec![PeopleChange::Profile(user("ann"), change)]
}

#[test]
fn what_a_user_says_at_one_node_is_read_by_all() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    let long = PublicProfile {
        display: "Ann \"\\\u{e9}".into(),
        text: "{tea,\u{1f600}}".into(),
        until: Some(1 << 52),
        color: Color::Pink,
    };
    let short = PublicProfile { text: "away".into(), ..PublicProfile::default() };
    let kept = change(&mut peer, vec![put("ann", &short), put("ann", &long), put("bob", &short)]);
    let all = [(user("ann"), long), (user("bob"), short)];
    assert_eq!(kept, all);
    let mut other = Peer::new(&database.address, 2);
    assert_eq!(read(&mut other), all);
    let kept = change(&mut peer, vec![put("ann", &PublicProfile::default())]);
    assert_eq!(kept[0], (user("ann"), PublicProfile::default()), "who wants to be called nothing");
    let kept = change(&mut peer, given(Some(""), None));
    assert_eq!(kept, all[1..]);
}

#[test]
fn two_nodes_change_two_things_that_a_user_says_and_both_hold() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    let mut other = Peer::new(&database.address, 2);
    let mut check = |is_other, changes, expect: Option<(&str, &str, Option<u64>)>| {
        // The one that changes has not read what the other one has changed.
        let kept = change(if is_other { &mut other } else { &mut peer }, changes);
        let expect = expect.map(|(display, text, until)| {
            let (display, text) = (display.into(), text.into());
            let profile = PublicProfile { display, text, until, ..PublicProfile::default() };
            (user("ann"), profile)
        });
        assert_eq!(kept, Vec::from_iter(expect));
    };
    check(false, given(Some("Ann"), None), Some(("Ann", "", None)));
    check(true, given(None, Some(("tea", Some(6)))), Some(("Ann", "tea", Some(6))));
    check(false, given(Some("Anna"), None), Some(("Anna", "tea", Some(6))));
    check(true, given(None, Some(("tea", Some(5)))), Some(("Anna", "tea", Some(5))));
    check(false, given(Some("Ann"), None), Some(("Ann", "", None)));
    check(true, given(None, Some(("away", None))), Some(("Ann", "away", None)));
    check(false, given(Some(""), None), Some(("", "away", None)));
    check(true, given(None, Some(("", None))), None);
}

#[test]
fn a_colour_stays_while_something_else_changes_and_keeps_the_row() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    let color = |color| {
        let change = ProfileChange { color: Some(color), at: 5, ..ProfileChange::default() };
        vec![PeopleChange::Profile(user("ann"), change)]
    };
    let mut check = |changes, expect: Option<(&str, Color)>| {
        let expect = expect.map(|(display, color)| {
            let display = display.into();
            (user("ann"), PublicProfile { display, color, ..PublicProfile::default() })
        });
        assert_eq!(change(&mut peer, changes), Vec::from_iter(expect));
    };
    check(color(Color::Red), Some(("", Color::Red)));
    check(given(Some("Ann"), None), Some(("Ann", Color::Red)));
    check(color(Color::Blue), Some(("Ann", Color::Blue)));
    check(given(Some(""), None), Some(("", Color::Blue)));
    check(color(Color::Unchosen), None);
}
