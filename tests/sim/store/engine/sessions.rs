//! Sessions that several nodes share.

use std::collections::{BTreeMap, BTreeSet};

use chinwag::chat::model::log::{LogFault, LogReply, Ticket};
use chinwag::chat::model::other_nodes::NodeId;
use chinwag::chat::model::sessions::{
    Claimed, FormerSession, SessionChange, SessionClaim, SessionSecret,
};

use super::super::engine_fault::EngineFault;
use super::Engine;

#[derive(Debug)]
struct Session {
    claim: SessionClaim,
    node: Option<NodeId>,
    is_live: bool,
    away: bool,
}

/// All that can be resumed.
#[derive(Debug, Default)]
pub(super) struct Sessions(BTreeMap<SessionSecret, Session>);

impl Sessions {
    pub(super) fn find(
        &self,
        wanted: &BTreeSet<SessionSecret>,
    ) -> BTreeMap<SessionSecret, FormerSession> {
        let found = wanted.iter().filter_map(|secret| Some((*secret, self.by(*secret)?)));
        let former = |session: &Session| {
            let SessionClaim { user, is_guest, .. } = session.claim.clone();
            FormerSession { user, is_guest }
        };
        found.map(|(secret, session)| (secret, former(session))).collect()
    }

    /// The session that this secret is good for.
    fn by(&self, secret: SessionSecret) -> Option<&Session> {
        let is_by = |claim: &SessionClaim| claim.secret == secret || claim.former == Some(secret);
        self.0.values().find(|session| is_by(&session.claim))
    }

    pub(super) fn change(&mut self, change: &SessionChange) {
        match change {
            SessionChange::End(secret) => {
                if let Some(session) = self.0.get_mut(secret) {
                    session.is_live = false;
                }
            }
            SessionChange::Used(secret) => {
                if let Some(session) = self.0.get_mut(secret) {
                    session.claim.former = None;
                }
            }
            SessionChange::Away(secret, away) => {
                if let Some(session) = self.0.get_mut(secret) {
                    session.away = *away;
                }
            }
            SessionChange::EndAll(user) => self.0.retain(|_, session| session.claim.user != *user),
        }
    }
}

impl Engine {
    /// A claim is done at once, if the engine is there, and answered later.
    pub(super) fn claim(&mut self, place: usize, ticket: Ticket, mut claim: SessionClaim) {
        if self.is_away() {
            return self.say(place, LogReply::Claimed(ticket, Err(LogFault::Broken)), None);
        }
        self.counts.claims += 1;
        let is_former = |session: &Session| session.claim.user == claim.user;
        let former = claim.former.and_then(|old| self.sessions.by(old));
        let former =
            former.filter(|session| is_former(session)).map(|session| session.claim.secret);
        let former = if former.is_some() && self.fault == Some(EngineFault::SessionForgotten) {
            self.faults_done += 1;
            None
        } else {
            former
        };
        let was = former.and_then(|old| self.sessions.0.remove(&old));
        claim.former = claim.former.filter(|_| was.is_some());
        let away = was.as_ref().is_some_and(|was| was.away);
        let claimed = if was.is_some() { Claimed::Resumed { away } } else { Claimed::New };
        let node = self.nodes[place].id;
        if let Some(was) = was.filter(|was| was.is_live && was.node != node)
            && let Some(other) =
                self.others(place).into_iter().find(|&at| self.nodes[at].id == was.node)
        {
            self.counts.moved += 1;
            self.say(other, LogReply::Replaced(was.claim.conn), None);
        }
        let secret = claim.secret;
        self.sessions.0.insert(secret, Session { claim, node, is_live: true, away });
        self.say(place, LogReply::Claimed(ticket, Ok(claimed)), None);
    }
}
