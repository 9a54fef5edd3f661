//! What is kept of people: taken up at the start, and written before anybody is told.

use std::collections::BTreeSet;

use super::{
    Chat, accounts, blocks, invite_links, operator, profile, push, reports, session_lifecycle,
    threads,
};
use crate::chat::model::identity::{Bound, Identity};
use crate::chat::model::limits::GUEST_PREFIX;
use crate::chat::model::load::Begun;
use crate::chat::model::log::{LogRequest, RoomMeta};
use crate::chat::model::name::UserName;
use crate::chat::model::people::{People, PeopleChange};
use crate::chat::model::reply::Refusal;
use crate::chat::pending::{PendingOp, PeopleOp};

impl Chat {
    /// Begins an operation that waits for a change of what is kept of people. Names that become
    /// somebody's are that in memory at once, so that nobody else comes by them meanwhile.
    pub(super) fn change_people(&mut self, op: PeopleOp, changes: Vec<PeopleChange>) {
        let mut names = Vec::new();
        for change in &changes {
            if let PeopleChange::Bind(bound) = change {
                self.directory.identities.begin(bound.clone());
                names.push(bound.name.clone());
            }
        }
        let ticket = self.begin(PendingOp::People(Box::new(op), names.into()));
        self.context.requests.push_back(LogRequest::People { ticket, changes });
    }
}

/// A change of what is kept of people is written, or could not be.
pub(super) fn on_written(
    chat: &mut Chat,
    (op, names): (PeopleOp, &[UserName]),
    outcome: Result<(), Refusal>,
) {
    // What nobody has asked for stays as it is in memory: names of members, and of the operator.
    let stays = outcome.is_ok() || matches!(op, PeopleOp::Noted);
    for name in names {
        chat.directory.identities.end(name, stays);
    }
    match op {
        PeopleOp::Noted => {}
        PeopleOp::TakenOut(ids) => chat.directory.reports.end_taking_out(&ids),
        PeopleOp::AdminInvite(invite) => {
            if outcome.is_ok() {
                chat.accounts.end_admin_invites();
                chat.accounts.put_invite(invite);
            }
        }
        PeopleOp::Hello { conn, request, hello } => {
            // The connection may be gone.
            if !chat.pending.held.remove(&conn) {
                return;
            }
            match outcome {
                Ok(()) => session_lifecycle::hello(chat, conn, request, *hello),
                Err(refusal) => chat.context.reply(conn, request, Err(refusal)),
            }
            chat.context.wake(conn);
        }
        PeopleOp::Register { who, account, login, invite } => {
            accounts::on_registered(chat, *who, (account, login, invite), outcome);
        }
        PeopleOp::Login { who, login, hash_of, renewed } => {
            accounts::on_logged_in(chat, *who, (login, &hash_of, renewed), outcome);
        }
        PeopleOp::Account { by, account, ended } => {
            accounts::on_changed(chat, by, (account, ended), outcome);
        }
        PeopleOp::Invite { by, invite, secret } => {
            invite_links::on_invite_made(chat, by, (invite, secret), outcome);
        }
        PeopleOp::Block { by, block, on } => {
            blocks::on_written(chat, by, (block, on), outcome);
        }
        PeopleOp::Profile { by, user, profile: new } => {
            profile::on_written(chat, by, (user, new), outcome);
        }
        PeopleOp::Push { by, new, ended } => push::on_written(chat, by, (new, &ended), outcome),
        PeopleOp::Operator { conn, request, act } => {
            operator::on_written(chat, (conn, request), *act, outcome);
        }
        PeopleOp::Report { by, report } => reports::on_reported(chat, by, *report, outcome),
        PeopleOp::Settle { by, report } => reports::on_settled(chat, by, report, outcome),
        PeopleOp::Thread { by, mark } => threads::on_written(chat, by, &mark, outcome),
        PeopleOp::Accept { by, invite } => invite_links::on_accepted(chat, by, &invite, outcome),
    }
}

/// A command has changed what is kept of people: what it has taken away ends here, too.
pub(super) fn replace(chat: &mut Chat, people: People) {
    chat.accounts.restore(&people);
    blocks::replace(chat, people.blocks);
    reports::restore(chat, people.reports);
    chat.directory.pushes.restore(people.pushes);
    chat.directory.identities.replace(people.bound);
    // After the names, which no display name may look like.
    profile::replace(chat, people.profiles);
    accounts::close_ended(chat);
}

/// Takes up whose the names are. Where names were all that there was until now, the names of the
/// `rooms` are kept as those of users that nobody has proved to be: no other source takes them.
pub(super) fn restore(
    chat: &mut Chat,
    people: People,
    (rooms, elsewhere): (&[Begun], Vec<UserName>),
) {
    chat.accounts.restore(&people);
    let People { bound, proved, blocks: kept, reports: open, pushes, profiles, .. } = people;
    blocks::restore(chat, kept);
    profile::restore(chat, profiles);
    reports::restore(chat, open);
    chat.directory.pushes.restore(pushes);
    chat.directory.identities.replace(bound);
    let is_only_names = chat.context.limits.auth.is_only_names();
    let mut changes = Vec::new();
    if !proved && !is_only_names {
        let elsewhere = elsewhere.iter().filter(|name| !name.as_str().starts_with(GUEST_PREFIX));
        let mut names = names_in(rooms);
        names.extend(elsewhere);
        for name in names {
            if chat.directory.identities.of_name(name.as_str()).is_some() {
                continue;
            }
            let none = Identity::default();
            let Identity { source, issuer, subject, display, .. } = none;
            let at = chat.context.now.wall_ms;
            let bound = Bound { name: name.clone(), source, issuer, subject, display, at };
            changes.push(PeopleChange::Bind(bound));
        }
    }
    // Noted when it changes only: names that come later under proof must not be taken for old ones.
    if proved == is_only_names {
        changes.push(PeopleChange::Proved(!is_only_names));
        chat.change_people(PeopleOp::Noted, changes);
    }
}

/// The names of the rooms' members, and of those on whom a restriction is; without guests.
fn names_in(rooms: &[Begun]) -> BTreeSet<&UserName> {
    let meta = rooms.iter().flat_map(|room| &room.meta);
    let names = meta.filter_map(|meta| match meta {
        RoomMeta::Member(name, _) | RoomMeta::Restriction(name, ..) => Some(name),
        RoomMeta::Access { .. } | RoomMeta::Topic(..) | RoomMeta::Name(..) => None,
    });
    names.filter(|name| !name.as_str().starts_with(GUEST_PREFIX)).collect()
}
