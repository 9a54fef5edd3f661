//! Accounts, their logins and the invite links: what is known of them, and how often somebody may
//! try.
//!
//! It knows no users and no sessions: an account is a name with a password, whether its user is
//! here or not.

mod attempts;

use std::collections::{BTreeMap, BTreeSet};

use self::attempts::Attempts;
use super::model::account::{
    Account, HASHES_MAX, HashJob, Hidden, Invite, Key, LOGINS_MAX, Login, SecretHash, cost_of,
    salt_of,
};
use super::model::name::UserName;
use super::model::people::People;
use crate::collections::KeyedMap;
use crate::net::{ConnId, IpAddr};
use crate::time::Tick;
use crate::time::wall_watch::shifted;
use std::collections::VecDeque;

/// How often one name may be tried at once, and how long one try takes to come back.
const BY_NAME: (u32, u64) = (20, 15_000);
/// The same for an address: many people may share it.
const BY_ADDRESS: (u32, u64) = (60, 2_000);

/// All accounts.
///
/// Invariants:
/// - each login is of an account that there is;
/// - `costs` has each cost of a hash of an account, and how many have it.
#[derive(Debug)]
pub(super) struct Accounts {
    accounts: BTreeMap<UserName, Account>,
    costs: BTreeMap<Box<str>, usize>,
    logins: KeyedMap<SecretHash, Login>,
    /// The secrets of the logins of each account.
    of_account: BTreeMap<UserName, Vec<SecretHash>>,
    invites: BTreeMap<SecretHash, Invite>,
    /// Invite links that are being written.
    pub unwritten_invites: usize,
    keys: BTreeMap<SecretHash, Key>,
    last_login: u64,
    /// Which login or key each connection is of.
    pub live: BTreeMap<ConnId, u64>,
    /// What the hashing thread is to be asked.
    pub jobs: VecDeque<HashJob>,
    /// How many passwords are hashed or wait for it.
    pub hashing: usize,
    names: Attempts<UserName>,
    addresses: Attempts<IpAddr>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            accounts: BTreeMap::new(),
            costs: BTreeMap::new(),
            logins: KeyedMap::new(),
            of_account: BTreeMap::new(),
            invites: BTreeMap::new(),
            unwritten_invites: 0,
            keys: BTreeMap::new(),
            last_login: 0,
            live: BTreeMap::new(),
            jobs: VecDeque::new(),
            hashing: 0,
            names: Attempts::new(BY_NAME),
            addresses: Attempts::new(BY_ADDRESS),
        }
    }
}

impl Accounts {
    /// Takes up what is kept, instead of what was known.
    pub(super) fn restore(&mut self, people: &People) {
        self.accounts.clear();
        self.costs.clear();
        for account in &people.accounts {
            self.put_account(account.clone());
        }
        self.invites = people.invites.iter().map(|row| (row.hash, row.clone())).collect();
        self.keys = people.keys.iter().map(|row| (row.hash, row.clone())).collect();
        self.logins = KeyedMap::new();
        self.of_account.clear();
        for login in &people.logins {
            self.last_login = self.last_login.max(login.id);
            self.put_login(login.clone());
        }
    }

    /// The account of this name.
    pub(super) fn account(&self, name: &UserName) -> Option<&Account> {
        self.accounts.get(name)
    }

    /// The names of the administrators.
    pub(super) fn admins(&self) -> impl Iterator<Item = &UserName> {
        self.accounts.values().filter(|account| account.is_admin).map(|account| &account.name)
    }

    /// Whether there is an administrator.
    pub(super) fn has_admin(&self) -> bool {
        self.accounts.values().any(|account| account.is_admin)
    }

    /// Adds an account, or changes it.
    pub(super) fn put_account(&mut self, account: Account) {
        *self.costs.entry(cost_of(account.hash.reveal()).into()).or_default() += 1;
        let Some(former) = self.accounts.insert(account.name.clone(), account) else { return };
        let cost = cost_of(former.hash.reveal());
        if let Some(count) = self.costs.get_mut(cost) {
            *count -= 1;
            if *count == 0 {
                self.costs.remove(cost);
            }
        }
    }

    /// What the hashes of all accounts cost.
    pub(super) fn costs(&self) -> Vec<Box<str>> {
        self.costs.keys().cloned().collect()
    }

    /// Whether this is a hash of the present password of an account.
    pub(super) fn is_password_of(&self, name: &UserName, hash: &Hidden) -> bool {
        // By its salt: the hash itself may have been renewed meanwhile.
        let salt = salt_of(hash.reveal());
        self.account(name).is_some_and(|account| salt_of(account.hash.reveal()) == salt)
    }

    /// Replaces the hash of a password by another one of the same password.
    pub(super) fn rehash(&mut self, name: &UserName, from: &Hidden, to: Hidden) {
        if let Some(account) = self.accounts.get(name).filter(|account| account.hash == *from) {
            self.put_account(Account { hash: to, ..account.clone() });
        }
    }

    /// The login of a secret.
    pub(super) fn login(&self, hash: &SecretHash) -> Option<&Login> {
        self.logins.get(hash)
    }

    /// The key of a secret.
    pub(super) fn key(&self, hash: &SecretHash) -> Option<&Key> {
        self.keys.get(hash)
    }

    /// The key, or hook, of this name.
    pub(super) fn key_named(&self, name: &UserName) -> Option<&Key> {
        self.keys.values().find(|key| key.name == *name)
    }

    /// All keys and hooks.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    /// Adds a key.
    pub(super) fn put_key(&mut self, key: Key) {
        self.keys.insert(key.hash, key);
    }

    /// A key is over.
    pub(super) fn end_key(&mut self, name: &UserName) {
        self.keys.retain(|_, key| key.name != *name);
    }

    /// Notes that a login is used; `None` unless that is to be kept.
    pub(super) fn use_login(&mut self, id: u64, name: &UserName, wall_ms: u64) -> Option<u64> {
        let hash = self.logins_of(name).find(|login| login.id == id)?.hash;
        let login = self.logins.get_mut(&hash)?;
        // A login that is used all day would otherwise be written at each connection.
        let minute = wall_ms - wall_ms % 60_000;
        (minute > login.used).then(|| {
            login.used = minute;
            minute
        })
    }

    /// The logins and keys that are not over.
    pub(super) fn ids(&self) -> BTreeSet<u64> {
        let hashes = self.of_account.values().flatten();
        let logins = hashes.filter_map(|hash| self.logins.get(hash)).map(|login| login.id);
        logins.chain(self.keys.values().map(Key::id)).collect()
    }

    /// The logins of an account, oldest first.
    pub(super) fn logins_of(&self, name: &UserName) -> impl Iterator<Item = &Login> {
        let hashes = self.of_account.get(name).into_iter().flatten();
        hashes.filter_map(|hash| self.logins.get(hash))
    }

    /// The number of a new login, which `above` makes of the last one.
    pub(super) fn next_login(&mut self, above: impl FnOnce(u64) -> u64) -> u64 {
        self.last_login = above(self.last_login);
        self.last_login
    }

    /// The login that makes room for another one of the account, if one has to.
    pub(super) fn surplus(&self, name: &UserName) -> Option<u64> {
        let count = self.logins_of(name).count();
        let oldest = || self.logins_of(name).min_by_key(|login| (login.used, login.id));
        if count >= LOGINS_MAX { oldest().map(|login| login.id) } else { None }
    }

    /// Adds a login.
    pub(super) fn put_login(&mut self, login: Login) {
        self.of_account.entry(login.name.clone()).or_default().push(login.hash);
        self.logins.insert(login.hash, login);
    }

    /// Ends a login; returns the connections that it had.
    pub(super) fn end_login(&mut self, name: &UserName, id: u64) -> Vec<ConnId> {
        let hash = self.logins_of(name).find(|login| login.id == id).map(|login| login.hash);
        if let Some(hash) = hash {
            self.logins.remove(&hash);
            if let Some(hashes) = self.of_account.get_mut(name) {
                hashes.retain(|other| *other != hash);
            }
        }
        self.live.iter().filter(|(_, login)| **login == id).map(|(conn, _)| *conn).collect()
    }

    /// An invite link that can be used.
    pub(super) fn invite(&self, hash: &SecretHash, wall_ms: u64) -> Option<&Invite> {
        self.invites.get(hash).filter(|invite| invite.uses > 0 && invite.until > wall_ms)
    }

    /// How many invite links can be used; those that cannot are forgotten.
    pub(super) fn count_invites(&mut self, wall_ms: u64) -> usize {
        self.invites.retain(|_, invite| invite.until > wall_ms);
        self.invites.len()
    }

    /// The wall clock was set: links last for as long as they were to last.
    pub(super) fn shift_invites(&mut self, step_ms: i64) {
        for invite in self.invites.values_mut() {
            invite.until = shifted(invite.until, step_ms);
        }
    }

    /// Adds an invite link.
    pub(super) fn put_invite(&mut self, invite: Invite) {
        self.invites.insert(invite.hash, invite);
    }

    /// The links for the first administrator are over.
    pub(super) fn end_admin_invites(&mut self) {
        self.invites.retain(|_, invite| !invite.is_admin);
    }

    /// An invite link is used once more, or once less.
    pub(super) fn count_use(&mut self, hash: &SecretHash, used: bool) {
        if let Some(invite) = self.invites.get_mut(hash) {
            invite.uses = if used { invite.uses.saturating_sub(1) } else { invite.uses + 1 };
        }
    }

    /// Whether another password can be hashed.
    pub(super) const fn may_hash(&self) -> bool {
        self.hashing < HASHES_MAX
    }

    /// Somebody tries a name from an address; otherwise, when to come back, in milliseconds.
    pub(super) fn attempt(
        &mut self,
        now: Tick,
        name: &UserName,
        address: Option<IpAddr>,
    ) -> Result<(), u64> {
        if let Some(address) = address {
            // The address first: one that is over its bound must not be able to use up the tries of
            // a name, and lock its owner out.
            self.addresses.take(now, &network_of(address))?;
        }
        self.names.take(now, name)
    }

    /// The attempt was right: it does not count.
    pub(super) fn succeeded(&mut self, name: &UserName, address: Option<IpAddr>) {
        // Otherwise somebody who logs in often would be taken for somebody who guesses.
        self.names.give_back(name);
        if let Some(address) = address {
            self.addresses.give_back(&network_of(address));
        }
    }
}

/// What counts as one address: of IPv6, the 64 bits that one customer is given at least.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() >> 64 << 64).to_be_bytes()),
        v4 @ IpAddr::V4(_) => v4,
    }
}
