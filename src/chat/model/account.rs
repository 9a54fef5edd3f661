//! Accounts: a name with a password, its logins, and the links that invite others.

use std::fmt;

use super::identity::Grant;
use super::name::{RoomName, UserName};

/// Bytes of the shortest password.
pub const PASSWORD_LEN_MIN: usize = 8;
/// Bytes of the longest password.
pub const PASSWORD_LEN_MAX: usize = 256;
/// Passwords that wait to be hashed, in all; more are refused. One is hashed at a time.
pub const HASHES_MAX: usize = 64;
/// Logins of one account; the one that was used longest ago makes room.
pub const LOGINS_MAX: usize = 32;
/// Invite links in all, those that are over not counted.
pub const INVITES_MAX: usize = 10_000;
/// For how long an invite link can be used if nothing is said of it, in milliseconds.
pub const INVITE_MS: u64 = 7 * 86_400_000;
/// For how long at most, in milliseconds.
pub const INVITE_MS_MAX: u64 = 365 * 86_400_000;
/// Rooms of one invite link.
pub const INVITE_ROOMS_MAX: usize = 16;
/// Keys in all.
pub const KEYS_MAX: usize = 10_000;
/// Names of rooms, in which `*` stands for any text, of one key.
pub const KEY_ROOMS_MAX: usize = 16;
/// Bytes of each of them.
pub const KEY_ROOM_LEN_MAX: usize = 64;
/// Whether rooms or conversations can have names that fit this, in which `*` stands for any text:
/// what can never be met is a slip, and would be a key that is good for nothing.
#[must_use]
pub fn is_key_room(text: &str) -> bool {
    let Some(pair) = text.strip_prefix('@') else {
        return text.len() <= KEY_ROOM_LEN_MAX
            && fits(text, |name| RoomName::stored(name).is_some());
    };
    let is_user = |part: &str| fits(part, |name| UserName::stored(name).is_some());
    let has_ends = match pair.split_once(':') {
        Some((a, b)) if pair.contains('*') => is_user(a) && is_user(b),
        Some(_) => RoomName::stored(text).is_some(),
        None => pair.contains('*') && is_user(pair),
    };
    text.len() <= KEY_ROOM_LEN_MAX && has_ends
}

/// Whether a hook of this name can speak in the room: a conversation is of its two alone.
#[must_use]
pub fn may_be_hook_of(room: &RoomName, name: &UserName) -> bool {
    room.pair().is_none_or(|(a, b)| [a, b].contains(&name.as_str()))
}

/// Whether some text in place of each `*`, or none, makes a name.
fn fits(pattern: &str, is_name: impl Fn(&str) -> bool) -> bool {
    ["x", ""].iter().any(|text| is_name(&pattern.replace('*', text)))
}

/// Bytes of the name of a program or device that is kept of a login.
pub const AGENT_LEN_MAX: usize = 128;

/// A text that is shown to nobody.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(Box<str>);

impl Hidden {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// What is kept of a secret: nothing from which it could be found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A secret that was just made, to be told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecret {
    hash: SecretHash,
    text: Hidden,
}

impl NewSecret {
    /// A secret with its hash.
    #[must_use]
    pub fn new(hash: SecretHash, text: impl Into<Box<str>>) -> Self {
        Self { hash, text: Hidden::new(text) }
    }

    /// What is kept of it.
    #[must_use]
    pub const fn hash(&self) -> SecretHash {
        self.hash
    }

    /// The secret.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.reveal()
    }
}

/// What of a password's hash says what it costs to make one: its algorithm, the version and the
/// parameters; empty if it is no such text.
///
/// ```text
///  $argon2id$v=19$m=19456,t=2,p=1$SALT$HASH
///  └──────────── cost ───────────┘
/// ```
#[must_use]
pub fn cost_of(hash: &str) -> &str {
    parts_of(hash).map_or("", |(cost, _)| cost)
}

/// The salt of a password's hash: each password that is set has its own, and a hash that is renewed
/// at another cost keeps it. A text that is no such hash is its own salt.
#[must_use]
pub fn salt_of(hash: &str) -> &str {
    parts_of(hash).map_or(hash, |(_, salt)| salt)
}

fn parts_of(hash: &str) -> Option<(&str, &str)> {
    hash.rsplit_once('$')?.0.rsplit_once('$')
}

/// A name that logs in with a password which this server keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Whose.
    pub name: UserName,
    /// Of its password.
    pub hash: Hidden,
    /// It may do what administrators may.
    pub is_admin: bool,
}

/// A login of an account: one device, until it is ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Names it to its user.
    pub id: u64,
    /// Whose.
    pub name: UserName,
    /// Of its secret.
    pub hash: SecretHash,
    /// What the client called itself.
    pub agent: Box<str>,
    /// When it began: milliseconds since 1970.
    pub at: u64,
    /// When it was used last, to the minute.
    pub used: u64,
}

/// An invite link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// Of its secret.
    pub hash: SecretHash,
    /// How often it can still be used.
    pub uses: u32,
    /// Until when: milliseconds since 1970.
    pub until: u64,
    /// Which rooms it leads into.
    pub rooms: Vec<RoomName>,
    /// Who has made it; `None`: the operator.
    pub by: Option<UserName>,
    /// Who uses it becomes an administrator.
    pub is_admin: bool,
}

/// A key: what a program proves by its secret who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The user that the program is.
    pub name: UserName,
    /// Of its secret.
    pub hash: SecretHash,
    /// The only rooms that there are for it, at least one.
    pub grants: Vec<Grant>,
    /// Until when: milliseconds since 1970; `None`: until it is ended.
    pub until: Option<u64>,
    /// Since when.
    pub at: u64,
    /// Its secret stands in the address of an incoming hook, and is good for nothing else.
    pub is_hook: bool,
}

impl Key {
    /// Tells it from all other keys, those of before of the same name among them, and from logins.
    #[must_use]
    pub fn id(&self) -> u64 {
        let start = self.hash.0.first_chunk().copied().unwrap_or_default();
        u64::from_be_bytes(start) | 1 << 63
    }
}

/// What comes with a request about accounts besides its fields.
#[derive(Clone, Debug)]
pub struct Extra {
    /// A fresh secret, for a login or link that the request may make.
    pub new: NewSecret,
    /// What is kept of the secret that was given, if it has the form of one.
    pub given: Option<SecretHash>,
    /// From where it comes.
    pub address: Option<crate::net::IpAddr>,
}

/// Something to be done with a password, by a thread that has the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashJob {
    /// To be named in the answer.
    pub ticket: u64,
    /// As it was typed.
    pub password: Hidden,
    /// The hash that it is compared with; `None`: one is made.
    pub of: Option<HashOf>,
    /// What the hashes of all accounts cost, of each cost one: whosever the name of a login is, all
    /// of it is spent. Empty where nobody asks who is not known.
    pub costs: Vec<Box<str>>,
}

/// What a password is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HashOf {
    /// The hash of an account.
    Account(Hidden),
    /// Nobody: it takes as long, so that the time does not tell whether a name has an account.
    Nobody,
}

/// What became of a [`HashJob`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hashed {
    /// The hash.
    Made(Hidden),
    /// Whether it was the password.
    Compared(bool),
    /// It was the password, and this is its hash at the present cost.
    Renewed(Hidden),
    /// It could not be done.
    Failed,
}
