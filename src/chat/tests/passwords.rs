//! Passwords that are hashed while things happen.

use std::time::Duration;

use super::super::model::account::{
    Account, Extra, HashJob, HashOf, Hashed, Hidden, Login, NewSecret, SecretHash,
};
use super::super::model::identity::{AuthPolicy, Bound, Identity, Source};
use super::super::model::people::People;
use super::*;

const LEAVE_GRACE: Duration = Duration::from_secs(1);

/// Ann has an account, and is here on connection 0 by her login 1.
fn ann() -> Harness {
    ann_with("old")
}

/// The same, with this hash of her password.
fn ann_with(hash: &str) -> Harness {
    let auth = AuthPolicy { accounts: true, ..AuthPolicy::default() };
    let limits = Limits { auth, leave_grace: LEAVE_GRACE, ..Limits::default() };
    let mut harness = Harness::new(limits);
    let name = UserName::parse("ann").unwrap();
    let bound = Bound {
        name: name.clone(),
        source: Source::Account,
        issuer: "".into(),
        subject: "ann".into(),
        display: None,
        at: 0,
    };
    let account = Account { name: name.clone(), hash: Hidden::new(hash), is_admin: false };
    let hash = SecretHash([1; 32]);
    let login = Login { id: 1, name: name.clone(), hash, agent: "".into(), at: 0, used: 0 };
    let (bound, accounts, logins) = (vec![bound], vec![account], vec![login]);
    let people = People { bound, proved: true, accounts, logins, ..People::default() };
    harness.chat.restore(harness.now, Snapshot { people, ..Snapshot::default() });
    let identity = Identity {
        source: Source::Account,
        subject: "ann".into(),
        name: Some(name),
        login: Some(1),
        ..Identity::default()
    };
    let hello = harness.hello_of(Some(identity));
    assert_eq!(sent_to(&harness.say_hello(0, hello), 0), ["welcome ann false"]);
    harness
}

/// Somebody logs in as ann, on this connection.
fn log_in(harness: &mut Harness, number: usize) -> u64 {
    log_in_as(harness, number, "ann").ticket
}

/// Somebody logs in by this name; what is to be compared.
fn log_in_as(harness: &mut Harness, number: usize, name: &str) -> HashJob {
    let (name, password) = (name.into(), Hidden::new("correct horse"));
    let command = Command::Login { name, password, agent: None };
    let new = NewSecret::new(SecretHash([7; 32]), "secret");
    let extra = Extra { new, given: None, address: None };
    let request = request(Op::Login);
    harness.chat.handle_account(harness.now, conn(number), request, (command, extra));
    harness.chat.poll_job().unwrap()
}

/// Ann changes her password, up to where the new one is hashed.
fn begin_change(harness: &mut Harness) -> u64 {
    let (old, new) = (Hidden::new("correct horse"), Hidden::new("battery staple"));
    harness.ask(0, Command::Password { old, new });
    let ticket = harness.chat.poll_job().unwrap().ticket;
    hashed(harness, ticket, Hashed::Compared(true));
    harness.chat.poll_job().unwrap().ticket
}

fn hashed(harness: &mut Harness, ticket: u64, outcome: Hashed) {
    harness.chat.on_hashed(harness.now, ticket, outcome);
}

#[test]
fn whatever_the_name_one_password_is_compared_before_anything_is_said() {
    let known = HashOf::Account(Hidden::new("old"));
    for (name, of) in [
        ("ann", known),
        ("nobody", HashOf::Nobody),
        ("not a name", HashOf::Nobody),
        ("", HashOf::Nobody),
    ] {
        let mut harness = ann();
        let job = log_in_as(&mut harness, 1, name);
        assert_eq!((job.of, job.password.reveal()), (Some(of), "correct horse"), "{name}");
        assert!(harness.chat.poll_job().is_none(), "{name}: more than one");
        assert!(
            sent_to(&harness.end_turn(), 1).is_empty(),
            "{name}: answered before it was compared"
        );
        hashed(&mut harness, job.ticket, Hashed::Compared(false));
        assert_eq!(sent_to(&harness.end_turn(), 1), ["no 2001", "wake"], "{name}");
    }
}

/// Hashes of one password at two costs, and of another one.
const FORMER: &str = "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA";
const RENEWED: &str = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdA$b3RoZXI";
const OTHER: &str = "$argon2id$v=19$m=7168,t=5,p=1$bmV3$aGFzaA";

/// The hash of ann's password.
fn hash_of_ann(harness: &Harness) -> Option<&str> {
    let name = UserName::parse("ann").unwrap();
    harness.chat.accounts.account(&name).map(|account| account.hash.reveal())
}

#[test]
fn each_login_costs_what_the_hashes_of_all_accounts_cost_whosever_the_name_is() {
    let mut harness = ann_with(FORMER);
    let costs = |harness: &mut Harness, name: &str| {
        let job = log_in_as(harness, 1, name);
        hashed(harness, job.ticket, Hashed::Compared(false));
        assert_eq!(sent_to(&harness.end_turn(), 1), ["no 2001", "wake"], "{name}");
        job.costs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let former = "$argon2id$v=19$m=19456,t=2,p=1";
    assert_eq!(costs(&mut harness, "ann"), [former]);
    assert_eq!(costs(&mut harness, "nobody"), [former]);
    let ticket = log_in(&mut harness, 1);
    hashed(&mut harness, ticket, Hashed::Renewed(Hidden::new(RENEWED)));
    harness.end_turn();
    assert_eq!(hash_of_ann(&harness), Some(RENEWED));
    let present = "$argon2id$v=19$m=7168,t=5,p=1";
    assert_eq!(costs(&mut harness, "ann"), [present], "nobody's hash costs the former any more");
    assert_eq!(costs(&mut harness, "nobody"), [present]);
}

#[test]
fn logins_that_were_on_their_way_when_a_hash_was_renewed_are_of_the_same_password() {
    let mut harness = ann_with(FORMER);
    let (shelf, first) = (stored::FakeStore::default(), log_in(&mut harness, 1));
    let (second, third) = (log_in(&mut harness, 2), log_in(&mut harness, 3));
    harness.store = Box::new(shelf.clone());
    shelf.0.borrow_mut().slow = true;
    let renewed = || Hashed::Renewed(Hidden::new(RENEWED));
    hashed(&mut harness, first, renewed());
    hashed(&mut harness, second, renewed());
    let mut said = harness.end_turn();
    shelf.0.borrow_mut().slow = false;
    said.extend(harness.end_turn());
    assert_eq!(hash_of_ann(&harness), Some(RENEWED));
    hashed(&mut harness, third, renewed());
    said.extend(harness.end_turn());
    for number in 1..=3 {
        let answers = sent_to(&said, number);
        assert!(answers.iter().all(|answer| !answer.starts_with("no")), "{number}: {answers:?}");
    }
    let name = UserName::parse("ann").unwrap();
    assert_eq!(harness.chat.accounts.logins_of(&name).count(), 4);
}

#[test]
fn a_hash_that_is_renewed_late_brings_no_former_password_back() {
    let mut harness = ann_with(FORMER);
    let (shelf, login) = (stored::FakeStore::default(), log_in(&mut harness, 1));
    harness.store = Box::new(shelf.clone());
    shelf.0.borrow_mut().slow = true;
    let change = begin_change(&mut harness);
    // Compared before the password is changed, written after that.
    hashed(&mut harness, change, Hashed::Made(Hidden::new(OTHER)));
    hashed(&mut harness, login, Hashed::Renewed(Hidden::new(RENEWED)));
    let mut said = harness.end_turn();
    shelf.0.borrow_mut().slow = false;
    said.extend(harness.end_turn());
    assert_eq!(hash_of_ann(&harness), Some(OTHER));
    assert_eq!(sent_to(&said, 1), ["no 2001", "wake"]);
}

#[test]
fn a_password_may_be_hashed_after_its_user_was_forgotten() {
    let mut harness = ann();
    let ticket = begin_change(&mut harness);
    harness.chat.handle_closed(harness.now, conn(0));
    harness.wait(10_000);
    assert!(harness.chat.directory.user_named("ann").is_none());
    hashed(&mut harness, ticket, Hashed::Made(Hidden::new("new")));
    assert_eq!(sent_to(&harness.end_turn(), 0), ["no 9002"]);
}

#[test]
fn a_login_with_the_former_password_does_not_outlive_its_change() {
    // When the login is compared, and written: before the new password is hashed, while it is
    // written, or after that.
    for (compared, written) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)] {
        let mut harness = ann();
        let (shelf, login) = (stored::FakeStore::default(), log_in(&mut harness, 1));
        harness.store = Box::new(shelf.clone());
        shelf.0.borrow_mut().slow = true;
        let change = begin_change(&mut harness);
        let mut said = Vec::new();
        for step in 0..3 {
            if step == compared {
                hashed(&mut harness, login, Hashed::Compared(true));
                said.extend(harness.end_turn());
            }
            if step == written {
                shelf.0.borrow_mut().slow = false;
                said.extend(harness.end_turn());
                shelf.0.borrow_mut().slow = true;
            }
            match step {
                0 => hashed(&mut harness, change, Hashed::Made(Hidden::new("new"))),
                1 => shelf.0.borrow_mut().slow = false,
                _ => {}
            }
            said.extend(harness.end_turn());
        }
        let name = UserName::parse("ann").unwrap();
        let logins: Vec<u64> = harness.chat.accounts.logins_of(&name).map(|row| row.id).collect();
        assert_eq!(logins, [1], "{compared} {written}: {:?}", sent_to(&said, 1));
    }
}
