//! People beside the rooms, as rows of `chinwag.people`: the acts of changes, and all of them read.
//!
//! | kind | key | numbers | texts |
//! |---|---|---|---|
//! | 0 name | name | source, at | issuer, subject, display |
//! | 1 account | name | administrator | hash |
//! | 2 login | id | at, –, –, used | name, hash, agent |
//! | 3 invite | hash | uses, administrator, until | rooms, by |
//! | 4 key | name | rights, until, at | hash, rooms |
//! | 5 suspension | `user ann`, `address 10.0.0.1` | until | reason |
//! | 6 revoked token | `jti ID`, `user ann` | at, until | – |
//! | 7 block | user, blocked | at | – |
//! | 8 report | id | at, seq | by, whom, room, text, reason |
//! | 9 names are proved | empty | 0 or 1 | – |
//! | 10 profile | name | when the text ends, colour | display name, status text |
//!
//! Devices of Web Push, which the engine itself looks at, are rows of `chinwag.push` (`push.sql`).

use super::devices::hex;
use crate::chat::model::account::{Account, Hidden, Invite, Key, Login};
use crate::chat::model::color::Color;
use crate::chat::model::columns::{Code as _, signed};
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{Block, PeopleChange, Report};
use crate::chat::model::profile::ProfileChange;
use crate::chat::model::push::PushSubscription;
use crate::chat::model::suspensions::Suspended;
use crate::pg::Param;

/// The kinds of rows.
pub(super) mod kind {
    pub(in super::super) const NAME: i64 = 0;
    pub(in super::super) const ACCOUNT: i64 = 1;
    pub(in super::super) const LOGIN: i64 = 2;
    pub(in super::super) const INVITE: i64 = 3;
    pub(in super::super) const KEY: i64 = 4;
    pub(in super::super) const SUSPENSION: i64 = 5;
    pub(in super::super) const REVOCATION: i64 = 6;
    pub(in super::super) const BLOCK: i64 = 7;
    pub(in super::super) const REPORT: i64 = 8;
    pub(in super::super) const PROVED: i64 = 9;
    pub(in super::super) const PROFILE: i64 = 10;
    /// Devices, which are in a table of their own.
    pub(in super::super) const PUSH: i64 = 11;
}

/// What is done with a row: see `change_people.sql`.
mod act {
    pub(super) const NEW: i64 = 0;
    pub(super) const PUT: i64 = 1;
    pub(super) const END: i64 = 2;
    pub(super) const END_ONE: i64 = 3;
    pub(super) const NEEDS: i64 = 4;
    pub(super) const USE: i64 = 5;
    pub(super) const LAST_NUMBER: i64 = 6;
    pub(super) const END_ALL: i64 = 7;
    pub(super) const NOTE: i64 = 8;
    pub(super) const FIRST_TEXT: i64 = 9;
    pub(super) const OTHER_TEXT: i64 = 10;
    pub(super) const PROFILE: i64 = 11;
    pub(super) const PUSH: i64 = 20;
    pub(super) const END_PUSH: i64 = 21;
    pub(super) const PUSH_KEY: i64 = 22;
}

/// In the rights of a key: it is an incoming hook.
pub(super) const HOOK: i64 = 4;

/// The acts of some changes, column by column.
#[derive(Debug, Default)]
pub(super) struct Acts {
    acts: Vec<Option<i64>>,
    kinds: Vec<Option<i64>>,
    keys: Vec<Option<String>>,
    others: Vec<Option<String>>,
    numbers: Vec<Option<i64>>,
    texts: Vec<Option<String>>,
}

/// One act, without what is empty.
#[derive(Default)]
struct Act {
    what: (i64, i64),
    key: String,
    other: Option<String>,
    numbers: [Option<i64>; 4],
    texts: [Option<String>; 6],
}

impl Acts {
    /// Those of these changes, in their order.
    pub(super) fn of(changes: &[PeopleChange]) -> Self {
        let mut acts = Self::default();
        for change in changes {
            acts.add(change);
        }
        acts
    }

    /// Whether the engine can keep these texts: it has no place for a NUL.
    pub(super) fn is_fit(&self) -> bool {
        let all = self.keys.iter().chain(&self.others).chain(&self.texts);
        all.flatten().all(|text| !text.contains('\0'))
    }

    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let [keys, others, texts] = [&self.keys, &self.others, &self.texts]
            .map(|texts| texts.iter().map(Option::as_deref).collect::<Vec<_>>());
        ask(&[
            Param::Ints(&self.acts),
            Param::Ints(&self.kinds),
            Param::Texts(&keys),
            Param::Texts(&others),
            Param::Ints(&self.numbers),
            Param::Texts(&texts),
        ])
    }

    fn push(&mut self, act: Act) {
        self.acts.push(Some(act.what.0));
        self.kinds.push(Some(act.what.1));
        self.keys.push(Some(act.key));
        self.others.push(act.other);
        self.numbers.extend(act.numbers);
        self.texts.extend(act.texts);
    }

    /// One that is about a row as a whole.
    fn only(&mut self, what: (i64, i64), key: String) {
        self.push(Act { what, key, ..Act::default() });
    }

    fn add(&mut self, change: &PeopleChange) {
        match change {
            PeopleChange::Bind(bound) => self.bind(bound),
            PeopleChange::Proved(proved) => self.push(Act {
                what: (act::PUT, kind::PROVED),
                numbers: [Some(i64::from(*proved)), None, None, None],
                ..Act::default()
            }),
            PeopleChange::Account(account) => self.account(account),
            PeopleChange::Rehash { name, from, to } => self.push(Act {
                what: (act::OTHER_TEXT, kind::ACCOUNT),
                key: name.to_string(),
                texts: texts([Some(to.reveal()), Some(from.reveal())]),
                ..Act::default()
            }),
            PeopleChange::Login(login) => self.login(login),
            PeopleChange::Used(id, used) => self.push(Act {
                what: (act::LAST_NUMBER, kind::LOGIN),
                key: id.to_string(),
                numbers: [None, None, None, Some(signed(*used))],
                ..Act::default()
            }),
            PeopleChange::EndLogin(id) => self.only((act::END, kind::LOGIN), id.to_string()),
            PeopleChange::Invite(invite) => self.invite(invite),
            PeopleChange::Key(key) => self.key(key),
            PeopleChange::EndKey(name) => self.only((act::END_ONE, kind::KEY), name.to_string()),
            PeopleChange::Suspend(whom, expiry) => self.push(Act {
                what: (act::PUT, kind::SUSPENSION),
                key: suspension_key(whom),
                numbers: [expiry.until.map(signed), None, None, None],
                texts: texts([Some(&expiry.reason)]),
                ..Act::default()
            }),
            PeopleChange::Unsuspend(whom) => {
                self.only((act::END_ONE, kind::SUSPENSION), suspension_key(whom));
            }
            PeopleChange::UseInvite(hash) => self.only((act::USE, kind::INVITE), hex(&hash.0)),
            PeopleChange::EndAdminInvites => self.push(Act {
                what: (act::END_ALL, kind::INVITE),
                numbers: [None, Some(1), None, None],
                ..Act::default()
            }),
            PeopleChange::Block(Block { user, blocked, at }) => self.push(Act {
                what: (act::PUT, kind::BLOCK),
                key: format!("{user} {blocked}"),
                numbers: [Some(signed(*at)), None, None, None],
                ..Act::default()
            }),
            PeopleChange::Unblock(user, blocked) => {
                self.only((act::END, kind::BLOCK), format!("{user} {blocked}"));
            }
            PeopleChange::Profile(user, change) => self.profile(user, change),
            PeopleChange::Report(report) => self.report(report),
            PeopleChange::Settle(id) => self.only((act::END, kind::REPORT), id.to_string()),
            PeopleChange::Push(device) => self.device(device),
            PeopleChange::EndPush(id) => self.only((act::END_PUSH, 0), id.to_string()),
            PeopleChange::PushKey(key) => self.push_key(key),
            // A mark comes alone, and is a statement of its own: see `people_watch`.
            PeopleChange::Thread(_) => {}
            PeopleChange::Audit(done) => self.push(Act {
                what: (act::NOTE, 0),
                numbers: [Some(signed(done.at)), None, None, None],
                texts: texts([
                    done.by.as_ref().map(UserName::as_str),
                    Some(&done.act),
                    Some(&done.whom),
                    done.room.as_ref().map(RoomName::as_str),
                ]),
                ..Act::default()
            }),
        }
    }

    fn bind(&mut self, bound: &Bound) {
        let Bound { name, source, issuer, subject, display, at } = bound;
        self.push(Act {
            what: (act::NEW, kind::NAME),
            key: name.to_string(),
            // A source has each of its users once.
            other: (!subject.is_empty()).then(|| format!("{}\n{issuer}\n{subject}", source.code())),
            numbers: [Some(source.code()), Some(signed(*at)), None, None],
            texts: texts([Some(issuer), Some(subject), display.as_deref()]),
        });
    }

    fn account(&mut self, Account { name, hash, is_admin }: &Account) {
        // The name may have been retired while the password was hashed.
        self.push(Act {
            what: (act::NEEDS, kind::NAME),
            key: name.to_string(),
            numbers: [Some(Source::Account.code()), None, None, None],
            ..Act::default()
        });
        // Who is an administrator is not undone by a new password.
        self.push(Act {
            what: (act::FIRST_TEXT, kind::ACCOUNT),
            key: name.to_string(),
            numbers: [Some(i64::from(*is_admin)), None, None, None],
            texts: texts([Some(hash.reveal())]),
            ..Act::default()
        });
    }

    fn login(&mut self, login: &Login) {
        let Login { id, name, hash, agent, at, used } = login;
        // Another node may have removed the account while the password was checked here.
        self.only((act::NEEDS, kind::ACCOUNT), name.to_string());
        self.push(Act {
            what: (act::PUT, kind::LOGIN),
            key: id.to_string(),
            numbers: [Some(signed(*at)), None, None, Some(signed(*used))],
            other: Some(hex(&hash.0)),
            texts: texts([Some(name.as_str()), Some(&hex(&hash.0)), Some(agent)]),
        });
    }

    fn invite(&mut self, invite: &Invite) {
        let Invite { hash, uses, until, rooms, by, is_admin } = invite;
        let rooms: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
        let is_admin = Some(i64::from(*is_admin));
        self.push(Act {
            what: (act::NEW, kind::INVITE),
            key: hex(&hash.0),
            numbers: [Some(i64::from(*uses)), is_admin, Some(signed(*until)), None],
            texts: texts([Some(&rooms.join(" ")), by.as_ref().map(UserName::as_str)]),
            ..Act::default()
        });
    }

    fn key(&mut self, key: &Key) {
        let Key { name, hash, grants, until, at, is_hook } = key;
        let rooms: Vec<&str> = grants.iter().map(|grant| &*grant.rooms).collect();
        let rights = grants
            .first()
            .map_or(0, |grant| i64::from(grant.rights.read) + 2 * i64::from(grant.rights.send));
        let rights = if *is_hook { rights | HOOK } else { rights };
        self.push(Act {
            what: (act::NEW, kind::KEY),
            key: name.to_string(),
            other: Some(hex(&hash.0)),
            numbers: [Some(rights), until.map(signed), Some(signed(*at)), None],
            texts: texts([Some(&hex(&hash.0)), Some(&rooms.join(" "))]),
        });
    }

    fn push_key(&mut self, key: &Hidden) {
        let texts = texts([Some(key.reveal())]);
        self.push(Act { what: (act::PUSH_KEY, 0), texts, ..Act::default() });
    }

    fn device(&mut self, device: &PushSubscription) {
        let PushSubscription { id, user, login, endpoint, key, secret, agent, at } = device;
        let (key, secret) = (hex(key), hex(secret));
        self.push(Act {
            what: (act::PUSH, 0),
            key: id.to_string(),
            numbers: [Some(signed(*at)), login.map(signed), None, None],
            texts: texts([
                Some(user.as_str()),
                Some(endpoint),
                Some(&key),
                Some(&secret),
                Some(agent),
            ]),
            ..Act::default()
        });
    }

    fn profile(&mut self, user: &UserName, change: &ProfileChange) {
        let ProfileChange { display, status, color, at, keeps_empty } = change;
        let (color, keeps_empty) = (color.map(Color::code), i64::from(*keeps_empty));
        let until = status.as_ref().and_then(|(_, until)| *until);
        let text = status.as_ref().map(|(text, _)| &**text);
        self.push(Act {
            what: (act::PROFILE, kind::PROFILE),
            key: user.to_string(),
            numbers: [until.map(signed), Some(signed(*at)), Some(keeps_empty), color],
            texts: texts([display.as_deref(), text]),
            ..Act::default()
        });
    }

    fn report(&mut self, report: &Report) {
        let Report { id, by, whom, room, seq, text, reason, at } = report;
        let room = room.as_ref().map(RoomName::as_str);
        self.push(Act {
            what: (act::PUT, kind::REPORT),
            key: id.to_string(),
            numbers: [Some(signed(*at)), seq.map(signed), None, None],
            texts: texts([Some(by.as_str()), Some(whom.as_str()), room, Some(text), Some(reason)]),
            ..Act::default()
        });
    }
}

/// The first texts of an act.
fn texts<const N: usize>(first: [Option<&str>; N]) -> [Option<String>; 6] {
    let mut all: [Option<String>; 6] = Default::default();
    for (text, given) in all.iter_mut().zip(first) {
        *text = given.map(str::to_owned);
    }
    all
}

pub(super) fn suspension_key(whom: &Suspended) -> String {
    match whom {
        Suspended::User(name) => format!("user {name}"),
        Suspended::Address(network) => format!("address {network}"),
    }
}
