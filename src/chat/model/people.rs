//! What is kept of people beside the rooms, and how it changes.

use super::account::{Account, Invite, Key, Login, SecretHash};
use super::identity::Bound;
use super::name::UserName;

/// A change of what is kept of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeopleChange {
    /// A name that was nobody's belongs to somebody.
    Bind(Bound),
    /// Whether names are proved. Those of members that are not bound are of a time in which none
    /// was, unless this is so.
    Proved(bool),
    /// There is such an account.
    Account(Account),
    /// There is such a login.
    Login(Login),
    /// A login was used, at this time.
    Used(u64, u64),
    /// A login is over.
    EndLogin(u64),
    /// There is such an invite link.
    Invite(Invite),
    /// There is such a key.
    Key(Key),
    /// An invite link is used once more, which must be possible.
    UseInvite(SecretHash),
    /// The links for the first administrator are over.
    EndAdminInvites,
    /// Somebody has done something that an operator may want to know later: who, what, and to whom.
    Audit(Option<UserName>, &'static str, Box<str>, u64),
}

/// What is kept of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whose the names are.
    pub bound: Vec<Bound>,
    /// See [`PeopleChange::Proved`].
    pub proved: bool,
    /// The accounts.
    pub accounts: Vec<Account>,
    /// Their logins.
    pub logins: Vec<Login>,
    /// The invite links that are not over.
    pub invites: Vec<Invite>,
    /// The keys that were not ended.
    pub keys: Vec<Key>,
}
