//! Who somebody is, and who says so.
//!
//! A user belongs to one [`Source`], from the first time that it comes: no other source ever takes
//! its name, also after a restart with another configuration.

use super::account::Key;
use super::name::UserName;

/// Who says who a user is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Nobody: a name is a user.
    #[default]
    None,
    /// The server has let it in as a guest, for as long as it knows its session's secret.
    Guest,
    /// It has an account here.
    Account,
    /// A signed token names it: the issuer and the subject.
    Token,
    /// A trusted proxy names it.
    Header,
    /// It is a program with a key.
    Key,
    /// Nobody any more: the name is not given again.
    Retired,
}

impl Source {
    /// The word for it, as commands and the log show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Guest => "guest",
            Self::Account => "account",
            Self::Token => "token",
            Self::Header => "header",
            Self::Key => "key",
            Self::Retired => "retired",
        }
    }
}

/// What may be done in some rooms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Join, read, be told.
    pub read: bool,
    /// Say something.
    pub send: bool,
}

/// Rooms, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name of a room, in which each `*` stands for any text.
    pub rooms: Box<str>,
    /// What may be done in them.
    pub rights: Rights,
}

/// Who somebody is, as its source has proved it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Who says so.
    pub source: Source,
    /// Which issuer of tokens, empty where there are not several.
    pub issuer: Box<str>,
    /// Who it is to that source, which need not be a name.
    pub subject: Box<str>,
    /// The name that it is to have here; `None`: one is made the first time, and kept.
    pub name: Option<UserName>,
    /// What people call it.
    pub display: Option<Box<str>>,
    /// It may do what administrators may.
    pub is_admin: bool,
    /// The only rooms that there are for it; empty: all.
    pub grants: Vec<Grant>,
    /// Until when it holds: milliseconds since 1970; `None`: until it is taken back.
    pub expires: Option<u64>,
    /// When the token was issued, if it says so: milliseconds since 1970.
    pub issued: Option<u64>,
    /// The token's own id, by which it may be taken back.
    pub token_id: Option<Box<str>>,
    /// Which login of an account it is, or which key.
    pub login: Option<u64>,
}

impl Identity {
    /// Of somebody who has come by this login of an account.
    #[must_use]
    pub fn account(name: UserName, login: u64) -> Self {
        let (source, subject) = (Source::Account, name.as_str().into());
        Self { source, subject, name: Some(name), login: Some(login), ..Self::default() }
    }

    /// That of the operator, who speaks and acts in rooms under this name.
    #[must_use]
    pub fn operator(name: UserName) -> Self {
        let (source, subject) = (Source::Key, name.as_str().into());
        Self { source, subject, name: Some(name), is_admin: true, ..Self::default() }
    }

    /// Whether it is the operator's.
    #[must_use]
    pub fn is_operator(&self) -> bool {
        self.is_admin && self.source == Source::Key
    }

    /// That of a program.
    #[must_use]
    pub fn key(key: &Key) -> Self {
        Self {
            source: Source::Key,
            subject: key.name.as_str().into(),
            name: Some(key.name.clone()),
            grants: key.grants.clone(),
            expires: key.until,
            issued: Some(key.at),
            login: Some(key.id()),
            ..Self::default()
        }
    }
}

/// A name that belongs to somebody: what is kept of an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The name, which no other subject and no other source ever gets.
    pub name: UserName,
    /// Who says who that is. [`Source::None`] is a user of a time in which names were not proved.
    pub source: Source,
    /// Which issuer, empty where there are not several.
    pub issuer: Box<str>,
    /// Who it is to the source.
    pub subject: Box<str>,
    /// What people call it.
    pub display: Option<Box<str>>,
    /// Since when: milliseconds since 1970.
    pub at: u64,
}

/// Whom the server believes, and what that takes.
#[expect(clippy::struct_excessive_bools, reason = "each source is listed or not")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthPolicy {
    /// Whoever gives a name is believed.
    pub none: bool,
    /// Names and passwords that this server keeps.
    pub accounts: bool,
    /// Signed tokens.
    pub tokens: bool,
    /// A trusted proxy.
    pub header: bool,
    /// Who proves nothing may be a guest.
    pub guests: bool,
    /// Who may make an account.
    pub registration: Registration,
    /// Who may make invite links.
    pub invites: Inviters,
}

/// Who may make an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Registration {
    /// Only whom an administrator adds.
    #[default]
    Closed,
    /// Who has an invite link.
    Invite,
    /// Everybody.
    Open,
}

/// Who may make invite links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inviters {
    /// Administrators.
    #[default]
    Admins,
    /// Everybody who has an account.
    Anyone,
}

impl Registration {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Invite => "invite",
            Self::Open => "open",
        }
    }
}

impl Inviters {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admins => "admins",
            Self::Anyone => "anyone",
        }
    }
}

impl Default for AuthPolicy {
    /// Names are believed.
    fn default() -> Self {
        Self {
            none: true,
            accounts: false,
            tokens: false,
            header: false,
            guests: false,
            registration: Registration::Closed,
            invites: Inviters::Admins,
        }
    }
}

impl AuthPolicy {
    /// Whether names are all that there is: nothing is proved, and nothing is kept.
    #[must_use]
    pub const fn is_only_names(&self) -> bool {
        self.none && !self.accounts && !self.tokens && !self.header
    }

    /// Whether nobody comes in without proving who they are.
    #[must_use]
    pub const fn needs_proof(&self) -> bool {
        !self.none && !self.guests
    }

    /// The sources, as they stand in the welcome.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let listed = [
            (self.accounts, "accounts"),
            (self.tokens, "jwt"),
            (self.header, "header"),
            (self.none, "none"),
            (self.guests, "guests"),
        ];
        listed.into_iter().filter_map(|(is_listed, name)| is_listed.then_some(name))
    }
}
