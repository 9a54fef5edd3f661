//! The devices that are told by Web Push, and the key by which push services know who tells them:
//! in the embedded store and in the shared one.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::{PATIENCE, user};
use crate::chat::model::account::{Account, Hidden, Login, SecretHash};
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::log::{LogFault, LogReply, LogRequest, Logs, Ticket};
use crate::chat::model::people::{People, PeopleChange};
use crate::chat::model::push::PushSubscription;
use crate::cluster::node::tests::peer::{Database, Peer};
use crate::cluster::node::transfer;
use crate::metrics::StoreMetrics;
use crate::store::sqlite::{Options, SqliteStore, Wake, people};
use crate::time::clock::Clock;

/// A store that keeps people.
enum Store {
    Own(Box<SqliteStore>, Receiver<()>, tempfile::TempDir),
    Shared(Box<Peer>, Box<Database>),
}

fn all() -> Vec<Store> {
    let folder = tempfile::tempdir().unwrap();
    let (wake, woken) = channel();
    let wake: Wake = Arc::new(move || _ = wake.send(()));
    let options = Options::new(folder.path().to_owned(), Arc::new(StoreMetrics::default()));
    let (store, _) = SqliteStore::open(&options, Clock::start(), wake).unwrap();
    let mut all = vec![Store::Own(Box::new(store), woken, folder)];
    if let Some(database) = Database::new() {
        let peer = Peer::new(&database.address, 1);
        all.push(Store::Shared(Box::new(peer), Box::new(database)));
    }
    all
}

impl Store {
    fn logs(&mut self) -> &mut dyn Logs {
        match self {
            Self::Own(store, ..) => &mut **store,
            Self::Shared(peer, _) => &mut **peer,
        }
    }

    #[track_caller]
    fn change(&mut self, changes: &[PeopleChange]) -> Result<(), LogFault> {
        let (clock, ticket) = (Clock::start(), Ticket(7));
        let request = LogRequest::People { ticket, changes: changes.to_vec() };
        self.logs().request(clock.now(), request);
        self.logs().flush();
        loop {
            if let Some(LogReply::Synced { outcome, .. }) = self.logs().poll() {
                return outcome;
            }
            if let Self::Own(_, woken, _) = self {
                _ = woken.recv_timeout(Duration::from_millis(10));
            }
            assert!(clock.now().tick < crate::time::Tick::ZERO.after(PATIENCE), "an answer");
        }
    }

    /// All that is kept, as another process finds it.
    fn people(&self) -> People {
        match self {
            Self::Own(_, _, folder) => {
                let db = rusqlite::Connection::open(folder.path().join("chinwag.db")).unwrap();
                people::load(&db).unwrap()
            }
            Self::Shared(_, database) => transfer::people(&mut database.session()).unwrap().0,
        }
    }

    fn devices(&self) -> Vec<PushSubscription> {
        self.people().pushes
    }
}

fn device(id: u64, login: Option<u64>) -> PushSubscription {
    PushSubscription {
        id,
        user: user("ann"),
        login,
        endpoint: format!("https://push.example/{id}").into(),
        key: std::array::from_fn(|nth| u8::try_from(nth).unwrap()),
        secret: std::array::from_fn(|nth| 255 - u8::try_from(nth).unwrap()),
        agent: "ein Handy – 电话".into(),
        at: 5,
    }
}

/// An account of `ann` with a login.
fn account() -> Vec<PeopleChange> {
    let (name, hash) = (user("ann"), SecretHash([1; 32]));
    let (source, subject) = (Source::Account, "ann".into());
    let bound =
        Bound { name: name.clone(), source, issuer: "".into(), subject, display: None, at: 1 };
    let login = Login { id: 3, name: name.clone(), hash, agent: "".into(), at: 1, used: 1 };
    let account = Account { name, hash: Hidden::new("x"), is_admin: false };
    vec![PeopleChange::Bind(bound), PeopleChange::Account(account), PeopleChange::Login(login)]
}

#[test]
fn a_device_is_kept_as_it_is_and_ends_with_its_login() {
    for mut store in all() {
        let mut changes = account();
        changes.extend(
            [device(1, Some(3)), device(1_800_000_000_000_001, None)].map(PeopleChange::Push),
        );
        assert_eq!(store.change(&changes), Ok(()));
        assert_eq!(store.devices(), [device(1, Some(3)), device(1_800_000_000_000_001, None)]);
        assert_eq!(store.change(&[PeopleChange::EndLogin(3)]), Ok(()));
        assert_eq!(store.devices(), [device(1_800_000_000_000_001, None)]);
        let late =
            [PeopleChange::EndPush(1_800_000_000_000_001), PeopleChange::Push(device(4, Some(3)))];
        assert_eq!(store.change(&late), Err(LogFault::Taken), "the login is over");
        assert_eq!(store.devices().len(), 1, "all of it or nothing");
        assert_eq!(store.change(&late[..1]), Ok(()));
        assert_eq!(store.devices(), []);
    }
}

#[test]
fn a_browser_that_another_user_has_now_is_the_other_ones() {
    for mut store in all() {
        let ended = PushSubscription { user: user("bob"), ..device(1, None) };
        let taken = PushSubscription { endpoint: ended.endpoint.clone(), ..device(2, None) };
        assert_eq!(store.change(&[PeopleChange::Push(ended)]), Ok(()));
        let changes = [PeopleChange::EndPush(1), PeopleChange::Push(taken.clone())];
        assert_eq!(store.change(&changes), Ok(()));
        assert_eq!(store.devices(), [taken]);
    }
}

#[test]
fn of_the_keys_of_two_that_begin_at_once_the_first_stays() {
    for mut store in all() {
        assert_eq!(store.people().push_key, None);
        for key in ["first", "second"] {
            assert_eq!(store.change(&[PeopleChange::PushKey(Hidden::new(key))]), Ok(()));
            assert_eq!(store.people().push_key, Some(Hidden::new("first")));
        }
    }
}
