//! What waits for accounts and other things that are kept of people.

use super::Requester;
use crate::chat::model::account::{Account, Hidden, Invite, Login, NewSecret, SecretHash};
use crate::chat::model::hello::Hello;
use crate::chat::model::name::UserName;
use crate::chat::model::operator::OperatorAct;
use crate::chat::model::output::Request;
use crate::chat::model::people::{Block, Report};
use crate::chat::model::profile::PublicProfile;
use crate::chat::model::push::PushSubscription;
use crate::chat::model::thread::ThreadMark;
use crate::net::{ConnId, IpAddr};

/// A change of what is kept of people, and who waits for it.
#[derive(Debug)]
pub(in crate::chat) enum PeopleOp {
    /// Nobody does.
    Noted,
    /// Nobody does: these reports are about no room any more.
    TakenOut(Vec<u64>),
    /// The operator does, for the link of the first administrator.
    AdminInvite(Invite),
    /// A `hello` by which a name becomes somebody's.
    Hello { conn: ConnId, request: Request, hello: Box<Hello<'static>> },
    /// A registration.
    Register { who: Box<Stranger>, account: Account, login: Login, invite: Option<Invite> },
    /// A login, with what its password was compared, and the hash that takes the place of that.
    Login { who: Box<Stranger>, login: Login, hash_of: Hidden, renewed: Option<Hidden> },
    /// A change of an account by its user: of its password, if it is that, with the login that
    /// stays; and the logins that it ends.
    Account { by: Requester, account: Option<(Account, Option<u64>)>, ended: Vec<u64> },
    /// A new invite link.
    Invite { by: Requester, invite: Invite, secret: Hidden },
    /// The use of one by somebody who is in already.
    Accept { by: Requester, invite: Invite },
    /// A block that begins, or ends.
    Block { by: Requester, block: Block, on: bool },
    /// What a user says of itself, and who has asked for that, if a request has.
    Profile { by: Option<Requester>, user: UserName, profile: PublicProfile },
    /// A device that is told by Web Push, and those that are not any more.
    Push { by: Requester, new: Option<Box<PushSubscription>>, ended: Vec<u64> },
    /// An act of the operator over people.
    Operator { conn: ConnId, request: Request, act: Box<OperatorAct> },
    /// A report.
    Report { by: Requester, report: Box<Report> },
    /// The end of one.
    Settle { by: Requester, report: u64 },
    /// A mark of a thread.
    Thread { by: Requester, mark: Box<ThreadMark> },
}

impl PeopleOp {
    /// The connection that is answered, if it has said hello.
    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self {
            Self::Account { by, .. }
            | Self::Invite { by, .. }
            | Self::Accept { by, .. }
            | Self::Block { by, .. }
            | Self::Profile { by: Some(by), .. }
            | Self::Push { by, .. }
            | Self::Report { by, .. }
            | Self::Settle { by, .. }
            | Self::Thread { by, .. } => Some(by.conn),
            Self::Noted
            | Self::TakenOut(_)
            | Self::Profile { by: None, .. }
            | Self::AdminInvite(_)
            | Self::Hello { .. }
            | Self::Register { .. }
            | Self::Operator { .. }
            | Self::Login { .. } => None,
        }
    }
}

/// Somebody who has not said hello, and registers or logs in.
#[derive(Debug)]
pub(in crate::chat) struct Stranger {
    pub conn: ConnId,
    pub request: Request,
    pub name: UserName,
    /// What its client calls itself.
    pub agent: Box<str>,
    /// The secret of its login, if it comes to one.
    pub login: NewSecret,
    pub address: Option<IpAddr>,
}

/// What waits for a password to be hashed.
#[derive(Debug)]
pub(in crate::chat) enum HashOp {
    /// A registration, and the link that it uses.
    Register(Box<Stranger>, Option<SecretHash>),
    /// A login, and with what its password is compared, if there is such an account.
    Login(Box<Stranger>, Option<Hidden>),
    /// A change of the password: the new one, if the old one is being compared.
    Password(Requester, Option<Hidden>),
}
