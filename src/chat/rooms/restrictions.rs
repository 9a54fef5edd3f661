//! Restrictions: what holds of users in a room besides membership, that is bans, mutes, the role of
//! a reader and invitations, and the acts about them that the log has not answered yet. Also what
//! else hardly any room has: a chosen policy, names of before.
//!
//! Nearly no room has any, so a room without them owns no memory for them. A restriction is about a
//! name, not a user or a membership, which the restricted could end: a banned user may be forgotten
//! and come back. It ends by the wall clock, as it was told.

use crate::chat::model::code::Code;
use crate::chat::model::limits::RESTRICTIONS_MAX;
use crate::chat::model::log::{Expiry, Restriction, RestrictionMeta, Ticket};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::record::Act;
use crate::chat::model::reply::{Refusal, Role};
use crate::time::wall_watch::shifted;

/// A room's restrictions, pending acts, chosen policy and names of before; `None` inside while it
/// has none of them.
#[derive(Debug, Default)]
pub(in crate::chat) struct ModerationState(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The policy that was chosen by name when the room was made.
    policy: Option<Box<str>>,
    /// The names that the room had before, oldest first.
    former: Vec<RoomName>,
    /// By user and kind.
    restrictions: Vec<(UserName, Restriction, RestrictionMeta)>,
    /// What has been asked of the log and not been answered, in that order.
    pending: Vec<(Ticket, PendingAct)>,
}

/// An act that counts as done though the log has not answered yet, because it takes a right away: a
/// banned user must not get a message in while the ban is being written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::chat) enum PendingAct {
    /// An act of moderation about this user.
    Act(UserName, Act),
    /// The deletion of this seq.
    Deletion(u64),
    /// This user leaves the room.
    Departure(UserName),
    /// The room gets this name, which nobody else gets meanwhile.
    Rename(RoomName),
    /// The room ends for all who are in it.
    Closing,
}

impl ModerationState {
    /// Whether the room has none of it: nearly always.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The policy that was chosen by name when the room was made.
    pub(in crate::chat) fn policy(&self) -> Option<&str> {
        self.0.as_ref()?.policy.as_deref()
    }

    /// Notes the policy that was chosen by name.
    pub(in crate::chat) fn choose_policy(&mut self, policy: Option<&str>) {
        if let Some(policy) = policy {
            self.0.get_or_insert_default().policy = Some(policy.into());
        }
    }

    /// The names that the room had before, oldest first.
    pub(in crate::chat) fn former(&self) -> &[RoomName] {
        self.0.as_ref().map_or(&[], |inner| &inner.former)
    }

    /// Sets them.
    pub(super) fn set_former(&mut self, former: Vec<RoomName>) {
        if self.0.is_some() || !former.is_empty() {
            self.0.get_or_insert_default().former = former;
            self.tidy();
        }
    }

    /// Whether the room is about to get another name, or to end.
    pub(in crate::chat) fn is_changing(&self) -> bool {
        self.pending().any(|pending| matches!(pending, PendingAct::Rename(_) | PendingAct::Closing))
    }

    /// Whether the room is about to end.
    pub(in crate::chat) fn is_ending(&self) -> bool {
        self.pending().any(|pending| matches!(pending, PendingAct::Closing))
    }

    /// For how long the restriction holds of the user; `None` if it does not.
    pub(in crate::chat) fn expiry(
        &self,
        user: &UserName,
        what: Restriction,
        wall_ms: u64,
    ) -> Option<&Expiry> {
        self.find(user, what, wall_ms).map(|meta| &meta.expiry)
    }

    /// What is kept of the restriction of the user; `None` if it does not hold.
    pub(in crate::chat) fn find(
        &self,
        user: &UserName,
        what: Restriction,
        wall_ms: u64,
    ) -> Option<&RestrictionMeta> {
        let inner = self.0.as_ref()?;
        let place = inner.find(user, what).ok()?;
        let meta = inner.restrictions.get(place).map(|(.., meta)| meta);
        meta.filter(|meta| !meta.expiry.is_over(wall_ms))
    }

    /// The restrictions that hold, by user and kind.
    pub(in crate::chat) fn holding(
        &self,
        wall_ms: u64,
    ) -> impl Iterator<Item = &(UserName, Restriction, RestrictionMeta)> {
        let all = self.0.iter().flat_map(|inner| &inner.restrictions);
        all.filter(move |(.., meta)| !meta.expiry.is_over(wall_ms))
    }

    /// All restrictions, also those that have run out.
    pub(in crate::chat) fn all(&self) -> Vec<(UserName, Restriction)> {
        let all = self.0.iter().flat_map(|inner| &inner.restrictions);
        all.map(|(user, kind, _)| (user.clone(), *kind)).collect()
    }

    /// Who has an invitation, also one that has run out.
    pub(super) fn invited(&self) -> impl Iterator<Item = &UserName> {
        let all = self.0.iter().flat_map(|inner| &inner.restrictions);
        all.filter(|(_, kind, _)| *kind == Restriction::Invited).map(|(user, ..)| user)
    }

    /// Whether anything is kept of this user.
    pub(super) fn is_about(&self, user: &UserName) -> bool {
        let mut all = self.0.iter().flat_map(|inner| &inner.restrictions);
        all.any(|(name, ..)| name == user)
    }

    /// How many of this kind hold.
    pub(in crate::chat) fn count(&self, what: Restriction, wall_ms: u64) -> usize {
        self.holding(wall_ms).filter(|(_, kind, _)| *kind == what).count()
    }

    /// Sets what holds of the user, `None` if it does not any more. Returns those that have run out
    /// and are forgotten: of other users, about whom no act is under way.
    pub(in crate::chat) fn set(
        &mut self,
        user: &UserName,
        what: Restriction,
        meta: Option<RestrictionMeta>,
        wall_ms: u64,
    ) -> Vec<(UserName, Restriction)> {
        // Ending a restriction where there is none must not allocate the box for it.
        if self.0.is_none() && meta.is_none() {
            return Vec::new();
        }
        let inner = self.0.get_or_insert_default();
        match (inner.find(user, what), meta) {
            (Ok(place), None) => drop(inner.restrictions.remove(place)),
            (Ok(place), Some(meta)) => {
                if let Some(known) = inner.restrictions.get_mut(place) {
                    known.2 = meta;
                }
            }
            (Err(_), None) => {}
            (Err(place), Some(meta)) => {
                inner.restrictions.insert(place, (user.clone(), what, meta));
            }
        }
        // Swept here, where a change is paid for anyway, instead of by a timer for each; but not
        // those of who is acted upon: what is written of them already would be taken back.
        let Inner { restrictions, pending, .. } = &mut **inner;
        let is_under_way = |name: &UserName| {
            let is_about = |(_, pending): &(_, PendingAct)| matches!(pending, PendingAct::Act(of, _) if of == name);
            name == user || pending.iter().any(is_about)
        };
        let is_over = |row: &mut (UserName, _, RestrictionMeta)| {
            row.2.expiry.is_over(wall_ms) && !is_under_way(&row.0)
        };
        let over = restrictions.extract_if(.., is_over).map(|(user, kind, _)| (user, kind));
        let over = over.collect();
        self.tidy();
        over
    }

    /// Whether there are as many bans, mutes and readers as there may be, those under way included,
    /// and the act would add another.
    pub(in crate::chat) fn is_full_for(&self, user: &UserName, act: Act, wall_ms: u64) -> bool {
        let Some((inner, kind)) = self.0.as_ref().zip(restriction_of(act)) else { return false };
        let is_known = inner.find(user, kind).is_ok();
        let mut pending = self.pending_acts(user).filter_map(restriction_of);
        // A ban that is made longer, or asked for twice, takes no further place.
        if is_known || pending.any(|other| other == kind) {
            return false;
        }
        let is_counted =
            |kind| matches!(kind, Restriction::Banned | Restriction::Muted | Restriction::Reader);
        let held = self.holding(wall_ms).filter(|(_, kind, _)| is_counted(*kind)).count();
        // Those under way count, or a burst of bans within one turn of the log would pass the
        // bound.
        let begun = self.pending().filter(
            |pending| matches!(pending, PendingAct::Act(_, act) if restriction_of(*act).is_some()),
        );
        held + begun.count() >= RESTRICTIONS_MAX
    }

    /// Moves the ends of all terms by as much as the wall clock was set: the restrictions that have
    /// changed.
    pub(super) fn shift_terms(
        &mut self,
        step_ms: i64,
    ) -> impl Iterator<Item = &(UserName, Restriction, RestrictionMeta)> {
        let all = self.0.iter_mut().flat_map(|inner| &mut inner.restrictions);
        all.filter_map(move |restriction| {
            let until = restriction.2.expiry.until.as_mut()?;
            *until = shifted(*until, step_ms);
            Some(&*restriction)
        })
    }

    /// From now on the act counts as done.
    pub(in crate::chat) fn begin(&mut self, ticket: Ticket, pending: PendingAct) {
        self.0.get_or_insert_default().pending.push((ticket, pending));
    }

    /// The log has answered this ticket: the act that counted as done so far, if there is one.
    pub(in crate::chat) fn finish(&mut self, ticket: Ticket) -> Option<PendingAct> {
        let pending = &mut self.0.as_mut()?.pending;
        // The log answers in the order of its requests, so that it is nearly always the first.
        let place = pending.iter().position(|&(other, _)| other == ticket)?;
        let (_, done) = pending.remove(place);
        self.tidy();
        Some(done)
    }

    /// Whether the deletion of this seq is under way.
    pub(in crate::chat) fn is_deleting(&self, seq: u64) -> bool {
        self.pending().any(|pending| *pending == PendingAct::Deletion(seq))
    }

    /// Whether this user is about to leave.
    pub(in crate::chat) fn is_departing(&self, user: &UserName) -> bool {
        self.pending().any(|pending| matches!(pending, PendingAct::Departure(of) if of == user))
    }

    /// The acts about this user that are under way.
    pub(in crate::chat) fn pending_acts(&self, user: &UserName) -> impl Iterator<Item = Act> {
        self.pending().filter_map(move |pending| match pending {
            PendingAct::Act(of, act) if of == user => Some(*act),
            PendingAct::Act(..)
            | PendingAct::Deletion(_)
            | PendingAct::Departure(_)
            | PendingAct::Rename(_)
            | PendingAct::Closing => None,
        })
    }

    fn pending(&self) -> impl Iterator<Item = &PendingAct> {
        self.0.iter().flat_map(|inner| &inner.pending).map(|(_, pending)| pending)
    }

    /// Gives the memory back when nothing is left.
    fn tidy(&mut self) {
        self.0.take_if(|inner| {
            inner.policy.is_none()
                && inner.former.is_empty()
                && inner.restrictions.is_empty()
                && inner.pending.is_empty()
        });
    }
}

/// The restriction that an act adds.
const fn restriction_of(act: Act) -> Option<Restriction> {
    match act {
        Act::Ban { .. } => Some(Restriction::Banned),
        Act::Mute { .. } => Some(Restriction::Muted),
        Act::Role(Role::Reader) => Some(Restriction::Reader),
        Act::Role(_) | Act::Kick | Act::Unban | Act::Unmute => None,
    }
}

impl Inner {
    fn find(&self, user: &UserName, what: Restriction) -> Result<usize, usize> {
        self.restrictions.binary_search_by(|(name, kind, _)| (name, kind).cmp(&(user, &what)))
    }
}

/// The refusal of a user who is restricted until `expiry`, with the reason that was given.
pub(in crate::chat) fn refusal_until(
    code: Code,
    words: &'static str,
    expiry: &Expiry,
    wall_ms: u64,
) -> Refusal {
    let refusal = match &*expiry.reason {
        "" => Refusal::new(code, words),
        reason => Refusal::new(code, format!("{words}: {reason}")),
    };
    match expiry.until {
        Some(until) => refusal.retry_after_ms(until.saturating_sub(wall_ms).max(1)),
        None => refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> UserName {
        UserName::parse(name).unwrap()
    }

    fn until(until: u64) -> RestrictionMeta {
        let expiry = Expiry { until: Some(until), reason: "".into() };
        RestrictionMeta { expiry, ..RestrictionMeta::default() }
    }

    #[test]
    fn a_room_without_any_owns_nothing() {
        let mut state = ModerationState::default();
        assert_eq!(size_of::<ModerationState>(), size_of::<usize>());
        state.set(&name("bob"), Restriction::Muted, None, 0);
        assert!(state.0.is_none());
        state.set(&name("bob"), Restriction::Muted, Some(until(10)), 0);
        state.begin(Ticket(1), PendingAct::Deletion(3));
        assert!(state.0.is_some());
        assert_eq!(state.finish(Ticket(1)), Some(PendingAct::Deletion(3)));
        state.set(&name("bob"), Restriction::Muted, None, 0);
        assert!(state.0.is_none());
    }

    #[test]
    fn a_restriction_is_of_one_kind_and_ends_with_its_expiry() {
        let mut state = ModerationState::default();
        state.set(&name("bob"), Restriction::Muted, Some(until(10)), 0);
        state.set(&name("ann"), Restriction::Banned, Some(until(20)), 0);
        for (user, what, wall_ms, expect) in [
            ("bob", Restriction::Muted, 9, true),
            ("bob", Restriction::Muted, 10, false),
            ("bob", Restriction::Banned, 9, false),
            ("ann", Restriction::Banned, 10, true),
            ("eve", Restriction::Banned, 10, false),
        ] {
            let found = state.expiry(&name(user), what, wall_ms).is_some();
            assert_eq!(found, expect, "{user} {what:?} at {wall_ms}");
        }
        let forever = Some(RestrictionMeta::default());
        let over = state.set(&name("eve"), Restriction::Invited, forever, 10);
        assert_eq!(over, [(name("bob"), Restriction::Muted)]);
        let left = state.0.map_or(0, |inner| inner.restrictions.len());
        assert_eq!(left, 2, "what is over is forgotten");
    }

    #[test]
    fn what_is_over_stays_while_its_user_is_acted_upon() {
        let (mut state, bob) = (ModerationState::default(), name("bob"));
        state.set(&bob, Restriction::Banned, Some(until(10)), 0);
        state.set(&bob, Restriction::Muted, Some(until(10)), 0);
        // The new ban is written with its record, and takes effect when that is answered.
        state.begin(Ticket(1), PendingAct::Act(bob.clone(), Act::Ban { until: None }));
        let forever = || Some(RestrictionMeta::default());
        assert_eq!(state.set(&name("eve"), Restriction::Muted, forever(), 20), []);
        state.finish(Ticket(1));
        assert_eq!(state.set(&bob, Restriction::Invited, None, 20), []);
        assert_eq!(state.set(&bob, Restriction::Banned, forever(), 20), []);
        let over = state.set(&name("ann"), Restriction::Muted, forever(), 20);
        assert_eq!(over, [(bob.clone(), Restriction::Muted)]);
        assert!(state.expiry(&bob, Restriction::Banned, 20).is_some());
    }

    #[test]
    fn what_is_under_way_is_found_by_its_user_until_it_is_answered() {
        let mut state = ModerationState::default();
        state.begin(Ticket(1), PendingAct::Act(name("bob"), Act::Kick));
        state.begin(Ticket(2), PendingAct::Act(name("bob"), Act::Role(Role::Reader)));
        state.begin(Ticket(3), PendingAct::Deletion(7));
        let acts: Vec<_> = state.pending_acts(&name("bob")).collect();
        assert_eq!(acts, [Act::Kick, Act::Role(Role::Reader)]);
        assert!(state.is_deleting(7) && !state.is_deleting(8));
        assert_eq!(state.finish(Ticket(9)), None);
        assert_eq!(state.finish(Ticket(1)), Some(PendingAct::Act(name("bob"), Act::Kick)));
        assert_eq!(state.pending_acts(&name("bob")).count(), 1);
    }
}
