//! Hashes of passwords that are renewed while nodes change what is kept of an account.

use super::peer::{Database, Peer};
use crate::chat::model::account::{Account, Hidden};
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::log::{LogReply, LogRequest, Ticket};
use crate::chat::model::name::UserName;
use crate::chat::model::people::PeopleChange;

fn ann() -> UserName {
    UserName::parse("ann").unwrap()
}

fn account(hash: &str) -> PeopleChange {
    PeopleChange::Account(Account { name: ann(), hash: Hidden::new(hash), is_admin: true })
}

fn rehash(from: &str, to: &str) -> PeopleChange {
    PeopleChange::Rehash { name: ann(), from: Hidden::new(from), to: Hidden::new(to) }
}

#[track_caller]
pub(super) fn change(peer: &mut Peer, changes: Vec<PeopleChange>) {
    peer.ask(LogRequest::People { ticket: Ticket(1), changes });
    let outcome = loop {
        // Other replies tell what is kept of people.
        if let LogReply::Synced { outcome, .. } = peer.reply() {
            break outcome;
        }
    };
    assert_eq!(outcome, Ok(()));
}

#[test]
fn a_hash_is_renewed_unless_the_password_was_changed_meanwhile() {
    let Some(database) = Database::new() else { return };
    let mut peer = Peer::new(&database.address, 1);
    change(&mut peer, vec![rehash("old", "renewed")]);
    assert_eq!(database.number("SELECT count(*) FROM chinwag.people WHERE kind = 1"), 0);
    let bound = Bound {
        name: ann(),
        source: Source::Account,
        issuer: "".into(),
        subject: "ann".into(),
        display: None,
        at: 1,
    };
    change(&mut peer, vec![PeopleChange::Bind(bound), account("old")]);
    change(&mut peer, vec![rehash("old", "renewed")]);
    let renewed = "SELECT numbers[1] FROM chinwag.people WHERE kind = 1 AND texts[1] = 'renewed'";
    assert_eq!(database.number(renewed), 1, "and is an administrator still");
    change(&mut peer, vec![account("new")]);
    change(&mut peer, vec![rehash("renewed", "late")]);
    let new = "SELECT count(*) FROM chinwag.people WHERE kind = 1 AND texts[1] = 'new'";
    assert_eq!(database.number(new), 1, "a former password came back");
}
