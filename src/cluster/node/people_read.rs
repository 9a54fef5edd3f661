//! All that is kept of people, as its rows say it: see [`people`](super::people).

use std::collections::BTreeSet;

use super::devices::{self, hex, unhex};
use super::people::{HOOK, kind, suspension_key};
use crate::chat::model::account::{Account, Hidden, Invite, Key, Login, SecretHash};
use crate::chat::model::color::Color;
use crate::chat::model::columns::{Code as _, unsigned};
use crate::chat::model::identity::{Bound, Grant, Rights, Source};
use crate::chat::model::log::{Expiry, Suspensions};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{Block, People, Report};
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::push::PushSubscription;
use crate::chat::model::suspensions::{Revocation, Suspended};
use crate::pg::{Row, WrongType};

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
        // Only where something of the kind has gone: the key of each row is made to be compared.
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
                let (until, color) = (number(0)?, Color::from_code(int(1)?.unwrap_or_default()));
                UserName::stored(key).zip(color).map(|(name, color)| {
                    people.profiles.push((name, PublicProfile { display, text, until, color }));
                })
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
