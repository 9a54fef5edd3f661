//! What users say of themselves, which all nodes have: read whole when it was changed.

use chinwag::chat::model::log::{LogFault, LogReply, Ticket};
use chinwag::chat::model::people::PeopleChange;
use chinwag::chat::model::profile::{ProfileChange, PublicProfile};

use super::super::engine_fault::EngineFault;
use super::Engine;

impl Engine {
    /// Makes changes of people; nothing but profiles is kept here.
    pub(super) fn change_people(&mut self, place: usize, ticket: Ticket, changes: &[PeopleChange]) {
        if self.is_away() {
            let outcome = Err(LogFault::Broken);
            return self.say(place, LogReply::Synced { ticket, outcome }, None);
        }
        for change in changes {
            let PeopleChange::Profile(user, given) = change else { continue };
            self.counts.profiles += 1;
            self.people_version += 1;
            let all = &mut self.people.profiles;
            let former = all.iter().position(|(name, _)| name == user);
            let former = former.map(|at| all.remove(at).1).unwrap_or_default();
            let profile = changed(&former, given.clone());
            if !profile.is_empty() || given.keeps_empty {
                all.push((user.clone(), profile));
            }
        }
        self.say(place, LogReply::Synced { ticket, outcome: Ok(()) }, None);
        // The writer reads it, too: somebody else may have changed another part of it.
        for node in 0..self.nodes.len() {
            if self.turn >= self.nodes[node].deaf_until && !self.rng.once_in(self.config.lost_wake)
            {
                self.tell_people(node);
            }
        }
    }

    /// Tells a node what is kept of people, if that is another than it was told.
    pub(super) fn tell_people(&mut self, place: usize) {
        if self.nodes[place].id.is_none() || self.nodes[place].people_version == self.people_version
        {
            return;
        }
        self.nodes[place].people_version = self.people_version;
        if self.fault == Some(EngineFault::PeopleForgotten) {
            self.faults_done += 1;
            return;
        }
        self.say(place, LogReply::People(Box::new(self.people.clone())), None);
    }
}

/// What becomes of a profile.
fn changed(former: &PublicProfile, given: ProfileChange) -> PublicProfile {
    let former = former.at(given.at);
    let (text, until) = given.status.unwrap_or((former.text, former.until));
    let (display, color) = (given.display.unwrap_or(former.display), given.color);
    PublicProfile { display, text, until, color: color.unwrap_or(former.color) }
}
