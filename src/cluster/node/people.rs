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
//! | 10 profile | name | when the text ends | display name, status text |
//!
//! Devices of Web Push, which the engine itself looks at, are rows of `chinwag.push` (`push.sql`).

use std::collections::BTreeSet;

use super::codes::{Code as _, signed, unsigned};
use super::devices::{self, hex, unhex};
use crate::chat::model::account::{Account, Hidden, Invite, Key, Login, SecretHash};
use crate::chat::model::identity::{Bound, Grant, Rights, Source};
use crate::chat::model::log::{Expiry, Suspensions};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{Block, People, PeopleChange, Report};
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::push::PushSubscription;
use crate::chat::model::suspensions::{Revocation, Suspended};
use crate::pg::{Param, Row, WrongType};

/// The kinds of rows.
pub(super) mod kind {
    pub(super) const NAME: i64 = 0;
    pub(super) const ACCOUNT: i64 = 1;
    pub(super) const LOGIN: i64 = 2;
    pub(super) const INVITE: i64 = 3;
    pub(super) const KEY: i64 = 4;
    pub(super) const SUSPENSION: i64 = 5;
    pub(super) const REVOCATION: i64 = 6;
    pub(super) const BLOCK: i64 = 7;
    pub(super) const REPORT: i64 = 8;
    pub(super) const PROVED: i64 = 9;
    pub(super) const PROFILE: i64 = 10;
    /// Devices, which are in a table of their own.
    pub(super) const PUSH: i64 = 11;
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
    pub(super) const PUSH: i64 = 20;
    pub(super) const END_PUSH: i64 = 21;
    pub(super) const PUSH_KEY: i64 = 22;
}

/// In the rights of a key: it is an incoming hook.
const HOOK: i64 = 4;

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
            PeopleChange::Profile(user, profile) => self.profile(user, profile),
            PeopleChange::EndProfile(who) => self.only((act::END, kind::PROFILE), who.to_string()),
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

    fn profile(&mut self, user: &UserName, profile: &PublicProfile) {
        self.push(Act {
            what: (act::PUT, kind::PROFILE),
            key: user.to_string(),
            numbers: [profile.until.map(signed), None, None, None],
            texts: texts([Some(&profile.display), Some(&profile.text)]),
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

fn suspension_key(whom: &Suspended) -> String {
    match whom {
        Suspended::User(name) => format!("user {name}"),
        Suspended::Address(network) => format!("address {network}"),
    }
}

/// All that is kept of people, and the number of their last change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct AllPeople {
    pub(super) people: People,
    pub(super) suspended: Suspensions,
    pub(super) version: i64,
}

/// Columns of a row: kind, key, four numbers, six texts.
mod column {
    pub(super) const NUMBERS: usize = 2;
    pub(super) const TEXTS: usize = 6;
}

impl AllPeople {
    /// Whether rows of this kind say who may not use the server.
    pub(super) const fn is_of_suspensions(kind: i64) -> bool {
        matches!(kind, kind::SUSPENSION | kind::REVOCATION)
    }

    /// Forgets what these rows, by their kinds and keys, have said.
    pub(super) fn remove(&mut self, rows: &BTreeSet<(i64, &str)>) {
        let is_any = |kind| rows.range((kind, "")..).next().is_some_and(|row| row.0 == kind);
        let stays = |kind, key: &str| !rows.contains(&(kind, key));
        let Self { people, suspended, .. } = self;
        if is_any(kind::NAME) {
            people.bound.retain(|bound| stays(kind::NAME, bound.name.as_str()));
        }
        if is_any(kind::ACCOUNT) {
            people.accounts.retain(|account| stays(kind::ACCOUNT, account.name.as_str()));
        }
        if is_any(kind::LOGIN) {
            people.logins.retain(|login| stays(kind::LOGIN, &login.id.to_string()));
        }
        if is_any(kind::INVITE) {
            people.invites.retain(|invite| stays(kind::INVITE, &hex(&invite.hash.0)));
        }
        people.keys.retain(|key| stays(kind::KEY, key.name.as_str()));
        if is_any(kind::BLOCK) {
            let key = |block: &Block| format!("{} {}", block.user, block.blocked);
            people.blocks.retain(|block| stays(kind::BLOCK, &key(block)));
        }
        if is_any(kind::PROFILE) {
            people.profiles.retain(|(name, _)| stays(kind::PROFILE, name.as_str()));
        }
        people.reports.retain(|report| stays(kind::REPORT, &report.id.to_string()));
        if is_any(kind::PUSH) {
            people.pushes.retain(|device| stays(kind::PUSH, &device.id.to_string()));
        }
        people.proved &= !is_any(kind::PROVED);
        let suspension = |whom| suspension_key(&whom);
        let is_kept = |whom| stays(kind::SUSPENSION, &suspension(whom));
        suspended.users.retain(|(name, _)| is_kept(Suspended::User(name.clone())));
        suspended.addresses.retain(|(network, _)| is_kept(Suspended::Address(*network)));
        suspended.revoked.retain(|revoked| stays(kind::REVOCATION, &revoked.what));
    }

    /// Puts all of it in the order that it has always.
    pub(super) fn sort(&mut self) {
        let Self { people, suspended, .. } = self;
        people.bound.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        people.accounts.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        people.logins.sort_unstable_by_key(|login| login.id);
        people.invites.sort_unstable_by_key(|invite| invite.hash);
        people.keys.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        people.blocks.sort_unstable_by(|a, b| (&a.user, &a.blocked).cmp(&(&b.user, &b.blocked)));
        people.profiles.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        people.reports.sort_unstable_by_key(|report| report.id);
        people.pushes.sort_unstable_by_key(|device| device.id);
        suspended.users.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        suspended.addresses.sort_by_cached_key(|(network, _)| network.to_string());
        suspended.revoked.sort_unstable_by(|a, b| a.what.cmp(&b.what));
    }

    /// Reads a row; `None` if it makes no sense.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is another answer.
    #[expect(clippy::too_many_lines, reason = "it is a table: one arm for each kind of row")]
    pub(super) fn read_row(&mut self, row: &Row) -> Result<Option<()>, WrongType> {
        let key = row.text(1)?;
        let int = |nth: usize| row.int_or_null(column::NUMBERS + nth);
        let number = |nth| Ok::<_, WrongType>(int(nth)?.map(unsigned));
        let text = |nth: usize| row.text_or_null(column::TEXTS + nth);
        let user = |nth| Ok::<_, WrongType>(text(nth)?.and_then(UserName::stored));
        let given = |nth| Ok::<_, WrongType>(text(nth)?.unwrap_or_default());
        let people = &mut self.people;
        Ok(match row.int(0)? {
            kind::PUSH => {
                let (at, login) = (number(0)?.unwrap_or(0), number(1)?);
                let Some(id) = key.parse().ok() else { return Ok(None) };
                let agent = given(4)?.into();
                let device = devices::device(row, column::TEXTS, (id, at, login))?;
                device.map(|device| people.pushes.push(PushSubscription { agent, ..device }))
            }
            kind::NAME => {
                let source = int(0)?.and_then(Source::from_code);
                let (issuer, subject) = (given(0)?.into(), given(1)?.into());
                let (display, at) = (text(2)?.map(Into::into), number(1)?.unwrap_or(0));
                UserName::stored(key).zip(source).map(|(name, source)| {
                    people.bound.push(Bound { name, source, issuer, subject, display, at });
                })
            }
            kind::ACCOUNT => {
                let (hash, is_admin) = (Hidden::new(given(0)?), int(0)? == Some(1));
                UserName::stored(key)
                    .map(|name| people.accounts.push(Account { name, hash, is_admin }))
            }
            kind::LOGIN => {
                let (at, used) = (number(0)?.unwrap_or(0), number(3)?.unwrap_or(0));
                let agent = given(2)?.into();
                let known =
                    key.parse().ok().zip(user(0)?).zip(text(1)?.and_then(unhex).map(SecretHash));
                known.map(|((id, name), hash)| {
                    people.logins.push(Login { id, name, hash, agent, at, used });
                })
            }
            kind::INVITE => {
                let uses = int(0)?.and_then(|uses| u32::try_from(uses).ok());
                let (is_admin, until) = (int(1)? == Some(1), number(2)?.unwrap_or(0));
                let rooms = given(0)?.split(' ').filter_map(RoomName::stored).collect();
                let by = user(1)?;
                unhex(key).map(SecretHash).zip(uses).map(|(hash, uses)| {
                    people.invites.push(Invite { hash, uses, until, rooms, by, is_admin });
                })
            }
            kind::KEY => {
                let can = int(0)?.unwrap_or(0);
                let rights = Rights { read: can & 1 != 0, send: can & 2 != 0 };
                let grant = |rooms: &str| Grant { rooms: rooms.into(), rights };
                let grants = given(1)?.split(' ').map(grant).collect();
                let (until, at) = (number(1)?, number(2)?.unwrap_or(0));
                let is_hook = can & HOOK != 0;
                UserName::stored(key).zip(text(0)?.and_then(unhex).map(SecretHash)).map(
                    |(name, hash)| {
                        people.keys.push(Key { name, hash, grants, until, at, is_hook });
                    },
                )
            }
            kind::SUSPENSION => {
                let expiry = Expiry { until: number(0)?, reason: given(0)?.into() };
                read_suspension(key).map(|whom| self.suspended.put(whom, expiry))
            }
            kind::REVOCATION => {
                let (at, until) = (number(0)?.unwrap_or(0), number(1)?.unwrap_or(0));
                self.suspended.revoked.push(Revocation { what: key.to_owned(), at, until });
                Some(())
            }
            kind::BLOCK => {
                let names = key.split_once(' ').and_then(|(user, blocked)| {
                    UserName::stored(user).zip(UserName::stored(blocked))
                });
                let at = number(0)?.unwrap_or(0);
                names.map(|(user, blocked)| people.blocks.push(Block { user, blocked, at }))
            }
            kind::PROFILE => {
                let (display, text) = (given(0)?.into(), given(1)?.into());
                let profile = PublicProfile { display, text, until: number(0)? };
                UserName::stored(key).map(|name| people.profiles.push((name, profile)))
            }
            kind::REPORT => {
                let room = text(2)?.and_then(RoomName::stored);
                let (at, seq) = (number(0)?.unwrap_or(0), number(1)?);
                let (said, reason) = (given(3)?.into(), given(4)?.into());
                let names = key.parse().ok().zip(user(0)?).zip(user(1)?);
                names.map(|((id, by), whom)| {
                    people.reports.push(Report { id, by, whom, room, seq, text: said, reason, at });
                })
            }
            kind::PROVED => {
                people.proved = int(0)? == Some(1);
                Some(())
            }
            _ => None,
        })
    }
}

fn read_suspension(key: &str) -> Option<Suspended> {
    Some(match key.split_once(' ')? {
        ("user", name) => Suspended::User(UserName::stored(name)?),
        ("address", address) => Suspended::Address(address.parse().ok()?),
        _ => return None,
    })
}
