//! What users say of themselves, as it is written by one node and read by another.

use super::peer::{Database, Peer};
use crate::chat::model::log::{LogReply, LogRequest, Ticket};
use crate::chat::model::name::UserName;
use crate::chat::model::people::PeopleChange;
use crate::chat::model::profile::PublicProfile;

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

#[test]
fn what_a_user_says_at_one_node_is_read_by_all() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    let long = PublicProfile {
        display: "Ann \"\\\u{e9}".into(),
        text: "{tea,\u{1f600}}".into(),
        until: Some(1 << 52),
    };
    let short = PublicProfile { text: "away".into(), ..PublicProfile::default() };
    let put =
        |name: &str, profile: &PublicProfile| PeopleChange::Profile(user(name), profile.clone());
    let kept = change(&mut peer, vec![put("ann", &short), put("ann", &long), put("bob", &short)]);
    let all = [(user("ann"), long), (user("bob"), short)];
    assert_eq!(kept, all);
    let mut other = Peer::new(&database.address, 2);
    let read = loop {
        if let LogReply::People(people) = other.reply() {
            break people.profiles;
        }
    };
    assert_eq!(read, all);
    let kept = change(&mut peer, vec![put("ann", &PublicProfile::default())]);
    assert_eq!(kept[0], (user("ann"), PublicProfile::default()), "who wants to be called nothing");
    let kept = change(&mut peer, vec![PeopleChange::EndProfile(user("ann"))]);
    assert_eq!(kept, all[1..]);
}
