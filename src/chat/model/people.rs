//! What is kept of people beside the rooms, and how it changes.

use std::borrow::Cow;

use super::account::{Account, Hidden, Invite, Key, Login, SecretHash};
use super::identity::Bound;
use super::name::{RoomName, UserName};
use super::profile::{ProfileChange, PublicProfile};
use super::push::PushSubscription;
use super::suspensions::{Expiry, Suspended};
use super::thread::ThreadMark;

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
    /// The hash of a password of an account is another one of the same password, unless the
    /// password was changed meanwhile.
    Rehash {
        /// Whose.
        name: UserName,
        /// What it was.
        from: Hidden,
        /// What it is.
        to: Hidden,
    },
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
    /// A key is over, which must be there.
    EndKey(UserName),
    /// Somebody may not use the server at all.
    Suspend(Suspended, Expiry),
    /// Somebody may use the server again.
    Unsuspend(Suspended),
    /// An invite link is used once more, which must be possible.
    UseInvite(SecretHash),
    /// The links for the first administrator are over.
    EndAdminInvites,
    /// A user wants to hear nothing of another one.
    Block(Block),
    /// It is over: who, of whom.
    Unblock(UserName, UserName),
    /// A user says something else of itself.
    Profile(UserName, ProfileChange),
    /// A device of a user is told by Web Push.
    Push(PushSubscription),
    /// It is not told any more.
    EndPush(u64),
    /// There is such a key by which this server is known to push services, unless there is one.
    PushKey(Hidden),
    /// Somebody has reported something.
    Report(Report),
    /// A report is over.
    Settle(u64),
    /// A user follows a thread, which must be there, follows it no more, or has read it.
    Thread(ThreadMark),
    /// Somebody has done something that an operator may want to know later.
    Audit(AuditedAct),
}

/// A user who wants to hear nothing of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Who.
    pub user: UserName,
    /// Of whom.
    pub blocked: UserName,
    /// Since when: milliseconds since 1970.
    pub at: u64,
}

/// What somebody has reported to the moderators or administrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Names it to those who may see it.
    pub id: u64,
    /// Who reports.
    pub by: UserName,
    /// Who is reported: the author of the message, if it is about one.
    pub whom: UserName,
    /// Where, if in a room.
    pub room: Option<RoomName>,
    /// The seq of the message, if it is about one.
    pub seq: Option<u64>,
    /// What the message said when it was reported, cut at
    /// [`REPORT_TEXT_MAX`](super::limits::REPORT_TEXT_MAX) bytes. It is kept for those who judge,
    /// also when the message is deleted, until the report is over.
    pub text: Box<str>,
    /// Why, empty if no reason is given.
    pub reason: Box<str>,
    /// When: milliseconds since 1970.
    pub at: u64,
}

/// The act that a room has ended: what was noted of its name until then is of that room.
pub const ROOM_CLOSED: &str = "close";

/// An act that is noted for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditedAct {
    /// Who; `None`: a command, or, of a room's end, nobody: it was empty.
    pub by: Option<UserName>,
    /// What.
    pub act: Cow<'static, str>,
    /// To whom, empty if to nobody.
    pub whom: Box<str>,
    /// In which room, if in one.
    pub room: Option<RoomName>,
    /// When: milliseconds since 1970.
    pub at: u64,
}

/// What is kept of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whose the names are.
    pub bound: Vec<Bound>,
    /// See [`PeopleChange::Proved`].
    pub proved: bool,
    /// Names with passwords.
    pub accounts: Vec<Account>,
    /// Their logins.
    pub logins: Vec<Login>,
    /// The invite links that are not over.
    pub invites: Vec<Invite>,
    /// The keys that were not ended.
    pub keys: Vec<Key>,
    /// Who wants to hear nothing of whom.
    pub blocks: Vec<Block>,
    /// What users say of themselves, by name.
    pub profiles: Vec<(UserName, PublicProfile)>,
    /// The devices that are told by Web Push, oldest first.
    pub pushes: Vec<PushSubscription>,
    /// The key by which this server is known to push services.
    pub push_key: Option<Hidden>,
    /// The reports that are open, oldest first.
    pub reports: Vec<Report>,
}
