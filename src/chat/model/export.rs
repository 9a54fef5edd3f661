//! What is kept of a user, in parts, as the user is given it.

use std::sync::Arc;

use super::account::Login;
use super::identity::Source;
use super::name::{RoomName, UserName};
use super::people::Report;
use super::profile::PublicProfile;
use super::push::PushSubscription;
use super::record::SharedRecord;
use super::role::Role;

/// A membership with its receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptMembership {
    /// Where.
    pub room: RoomName,
    /// What the user may do there.
    pub role: Role,
    /// Up to which seq the user's clients have received.
    pub recv: u64,
    /// Up to which seq the user has read.
    pub read: u64,
}

/// Who the user is to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Who says who it is.
    pub source: Source,
    /// What its token calls it, if that is something else than its name.
    pub display: Option<Box<str>>,
    /// What it says of itself.
    pub public: PublicProfile,
    /// Since when the name is its own, if that is kept: milliseconds since 1970.
    pub since: Option<u64>,
    /// Whether its account is an administrator's.
    pub is_admin: bool,
    /// The logins of its account, oldest first.
    pub logins: Vec<Login>,
    /// Whom it has blocked, and since when.
    pub blocked: Vec<(UserName, u64)>,
    /// The devices that are told by Web Push.
    pub pushes: Vec<Arc<PushSubscription>>,
}

/// One part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportPart {
    /// Who it is.
    Profile(Box<Profile>),
    /// Where it is a member.
    Memberships(Vec<KeptMembership>),
    /// What it has reported that is not settled.
    Reports(Vec<Report>),
    /// Records of its own, and those of its direct conversations, in the order in which they were
    /// written.
    Records(Vec<(RoomName, SharedRecord)>),
}
