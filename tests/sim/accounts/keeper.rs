//! What is kept of people and outlives the process: transactions, whole or not at all, unless that
//! is broken on purpose.

use chinwag::chat::UserName;
use chinwag::chat::model::account::{Account, Hidden};
use chinwag::chat::model::identity::{Bound, Source};
use chinwag::chat::model::log::LogFault;
use chinwag::chat::model::people::{People, PeopleChange};

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountFault {
    /// Of a transaction during which the process dies a part is kept.
    Torn,
    /// What is asked for is answered before it is written.
    Early,
    /// A name that is somebody's is given away once more.
    GivenTwice,
    /// A hash is renewed although its password was changed meanwhile.
    RenewedLate,
}

impl AccountFault {
    pub(crate) const ALL: &'static [Self] =
        &[Self::Torn, Self::Early, Self::GivenTwice, Self::RenewedLate];
}

#[derive(Debug, Default)]
pub(super) struct Keeper {
    pub(super) people: People,
    pub(super) fault: Option<AccountFault>,
    /// How many times the promise was broken.
    pub(super) broken: u64,
}

impl Keeper {
    /// Makes all changes or none.
    pub(super) fn write(&mut self, changes: &[PeopleChange]) -> Result<(), LogFault> {
        let mut people = self.people.clone();
        for change in changes {
            if !self.write_one(&mut people, change) {
                return Err(LogFault::Taken);
            }
        }
        self.people = people;
        Ok(())
    }

    /// The process dies while these are written: a part of them stays.
    pub(super) fn tear(&mut self, changes: &[PeopleChange], count: usize) {
        let mut people = self.people.clone();
        let is_whole = changes.iter().all(|change| self.write_one(&mut people, change));
        if is_whole && count > 0 && count < changes.len() {
            self.broken += 1;
            _ = self.write(&changes[..count]);
        }
    }

    /// Makes one change; `false` if it cannot be made any more.
    fn write_one(&mut self, people: &mut People, change: &PeopleChange) -> bool {
        match change {
            PeopleChange::Bind(bound) => {
                let is_taken = people.bound.iter().any(|other| other.name == bound.name);
                if is_taken && self.fault != Some(AccountFault::GivenTwice) {
                    return false;
                }
                self.broken += u64::from(is_taken);
                people.bound.retain(|other| other.name != bound.name);
                people.bound.push(bound.clone());
            }
            PeopleChange::Account(account) => {
                if !people.bound.iter().any(|bound| bound.name == account.name) {
                    return false;
                }
                match account_of(people, &account.name) {
                    Some(former) => former.hash = account.hash.clone(),
                    None => people.accounts.push(account.clone()),
                }
            }
            PeopleChange::Rehash { name, from, to } => {
                let is_late = self.fault == Some(AccountFault::RenewedLate);
                if let Some(account) = account_of(people, name)
                    && (account.hash == *from || is_late)
                {
                    self.broken += u64::from(account.hash != *from);
                    account.hash = to.clone();
                }
            }
            PeopleChange::Login(login) => {
                if account_of(people, &login.name).is_none() {
                    return false;
                }
                people.logins.push(login.clone());
            }
            PeopleChange::EndLogin(id) => people.logins.retain(|login| login.id != *id),
            PeopleChange::Used(id, at) => {
                let logins = people.logins.iter_mut();
                logins.filter(|login| login.id == *id).for_each(|login| login.used = *at);
            }
            PeopleChange::Proved(proved) => people.proved = *proved,
            PeopleChange::Audit(_) => {}
            other => unreachable!("nobody asks for {other:?} here"),
        }
        true
    }

    /// `chinwag user add`, beside the server; whether the name was free.
    pub(super) fn add(&mut self, name: &UserName, hash: Hidden) -> bool {
        if self.people.bound.iter().any(|bound| bound.name == *name) {
            return false;
        }
        let bound = Bound {
            name: name.clone(),
            source: Source::Account,
            issuer: "".into(),
            subject: name.as_str().into(),
            display: None,
            at: 1,
        };
        let account = Account { name: name.clone(), hash, is_admin: false };
        self.write(&[PeopleChange::Bind(bound), PeopleChange::Account(account)]).is_ok()
    }

    /// Each account has a name, each name of an account an account, each login an account.
    pub(super) fn check(&self) -> Result<(), String> {
        let People { bound, accounts, logins, .. } = &self.people;
        let has_name = |account: &Account| bound.iter().any(|bound| bound.name == account.name);
        let has_account = |name: &UserName| accounts.iter().any(|account| account.name == *name);
        if let Some(account) = accounts.iter().find(|account| !has_name(account)) {
            return Err(format!("the account {} has no name", account.name));
        }
        if let Some(bound) = bound.iter().find(|bound| !has_account(&bound.name)) {
            return Err(format!("the name {} is taken by nobody", bound.name));
        }
        match logins.iter().find(|login| !has_account(&login.name)) {
            Some(login) => Err(format!("a login of {} has no account", login.name)),
            None => Ok(()),
        }
    }
}

fn account_of<'a>(people: &'a mut People, name: &UserName) -> Option<&'a mut Account> {
    people.accounts.iter_mut().find(|account| account.name == *name)
}
