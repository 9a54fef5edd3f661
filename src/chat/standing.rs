//! What holds of users in a room besides membership: bans, mutes, invitations, and what is about to.
//!
//! Nearly no room has any of it, so that a room without owns nothing for it. A standing is about a name, not a
//! user: whoever is banned may be forgotten and come back. It ends by the wall clock, as it was told.

use super::keys::{MembershipKey, RoomKey, UserKey};
use super::model::limits::STANDINGS_MAX;
use super::model::log::{Expiry, LogRequest, Restriction, RoomMeta, Ticket};
use super::model::name::UserName;
use super::model::policy::Access;
use super::model::record::Act;
use super::model::reply::Role;
use super::room::Room;
use super::state::State;
use super::{Code, Refusal};

/// When to come back to a room that one is being put out of.
const PUT_OUT_RETRY_MS: u64 = 1_000;

/// What a room has besides log, members and cursors, if it has any of it.
#[derive(Debug, Default)]
pub(super) struct Order(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The policy that was chosen by name when the room was made.
    policy: Option<Box<str>>,
    /// By user and kind.
    standings: Vec<(UserName, Restriction, Expiry)>,
    /// What has been asked of the log and not been answered, in that order.
    pending: Vec<(Ticket, Pending)>,
}

/// What counts as done though the log has not answered yet: only ever what takes a right away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pending {
    /// An act of moderation about this user.
    Judged(UserName, Act),
    /// The deletion of this seq.
    Deleting(u64),
    /// This user leaves the room.
    Departing(UserName),
}

impl Order {
    /// The policy that was chosen by name when the room was made.
    pub(super) fn policy(&self) -> Option<&str> {
        self.0.as_ref()?.policy.as_deref()
    }

    /// Takes note of the policy that was chosen by name.
    pub(super) fn choose(&mut self, policy: Option<&str>) {
        if let Some(policy) = policy {
            self.0.get_or_insert_default().policy = Some(policy.into());
        }
    }

    /// For how long this holds of the user, `None` if it does not.
    pub(super) fn term(&self, user: &UserName, what: Restriction, wall_ms: u64) -> Option<&Expiry> {
        let inner = self.0.as_ref()?;
        let place = inner.find(user, what).ok()?;
        inner.standings.get(place).map(|(.., term)| term).filter(|term| !is_over(term, wall_ms))
    }

    /// Sets for how long this holds of the user, `None` if it does no longer. What is over is forgotten.
    pub(super) fn set(
        &mut self,
        user: &UserName,
        what: Restriction,
        term: Option<Expiry>,
        wall_ms: u64,
    ) {
        if self.0.is_none() && term.is_none() {
            return;
        }
        let inner = self.0.get_or_insert_default();
        match (inner.find(user, what), term) {
            (Ok(place), None) => drop(inner.standings.remove(place)),
            (Ok(place), Some(term)) => {
                if let Some(known) = inner.standings.get_mut(place) {
                    known.2 = term;
                }
            }
            (Err(_), None) => {}
            (Err(place), Some(term)) => inner.standings.insert(place, (user.clone(), what, term)),
        }
        inner.standings.retain(|(.., term)| !is_over(term, wall_ms));
        self.tidy();
    }

    /// Whether there are as many standings as there may be.
    pub(super) fn is_full(&self) -> bool {
        self.0.as_ref().is_some_and(|inner| inner.standings.len() >= STANDINGS_MAX)
    }

    /// From now on this counts as done.
    pub(super) fn note(&mut self, ticket: Ticket, pending: Pending) {
        self.0.get_or_insert_default().pending.push((ticket, pending));
    }

    /// The log has answered: what was expected is done, or is not.
    pub(super) fn answered(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = &mut self.0.as_mut()?.pending;
        let place = pending.iter().position(|&(other, _)| other == ticket)?;
        let (_, done) = pending.remove(place);
        self.tidy();
        Some(done)
    }

    /// Whether the deletion of this seq is under way.
    pub(super) fn is_deleting(&self, seq: u64) -> bool {
        self.pending().any(|pending| *pending == Pending::Deleting(seq))
    }

    /// Whether this user is about to leave.
    fn is_departing(&self, user: &UserName) -> bool {
        self.pending().any(|pending| matches!(pending, Pending::Departing(of) if of == user))
    }

    /// The acts about this user that are under way.
    pub(super) fn judged(&self, user: &UserName) -> impl Iterator<Item = Act> {
        self.pending().filter_map(move |pending| match pending {
            Pending::Judged(of, act) if of == user => Some(*act),
            Pending::Judged(..) | Pending::Deleting(_) | Pending::Departing(_) => None,
        })
    }

    fn pending(&self) -> impl Iterator<Item = &Pending> {
        self.0.iter().flat_map(|inner| &inner.pending).map(|(_, pending)| pending)
    }

    /// Gives the memory back when there is nothing.
    fn tidy(&mut self) {
        self.0.take_if(|inner| {
            inner.policy.is_none() && inner.standings.is_empty() && inner.pending.is_empty()
        });
    }
}

impl Inner {
    fn find(&self, user: &UserName, what: Restriction) -> Result<usize, usize> {
        self.standings.binary_search_by(|(name, kind, _)| (name, kind).cmp(&(user, &what)))
    }
}

/// Whether a term has run out.
pub(super) fn is_over(term: &Expiry, wall_ms: u64) -> bool {
    term.until.is_some_and(|until| until <= wall_ms)
}

/// Tells the store a fact of a room; what is in memory only is told to nobody.
pub(super) fn keep(state: &mut State, key: RoomKey, meta: RoomMeta) {
    let room = &state.rooms[key];
    if room.is_stored() {
        state.requests.push_back(LogRequest::PutMeta { log: room.log, meta });
    }
}

/// Whether only those who are invited may enter.
pub(super) fn is_closed(state: &State, room: &Room) -> bool {
    let policy = state.limits.policies.of(&room.name, room.order.policy());
    room.private || policy.access != Access::Open
}

/// Whether the user may enter a room that others may not.
pub(super) fn is_invited(state: &State, key: RoomKey, user: UserKey) -> bool {
    let name = &state.users[user].name;
    state.rooms[key].order.term(name, Restriction::Invited, state.now.wall_ms).is_some()
}

/// The user has entered: the invitation has served.
pub(super) fn use_invitation(state: &mut State, key: RoomKey, user: UserKey) {
    if is_invited(state, key, user) {
        let name = state.users[user].name.clone();
        state.rooms[key].order.set(&name, Restriction::Invited, None, state.now.wall_ms);
        keep(state, key, RoomMeta::Restriction(name, Restriction::Invited, None));
    }
}

/// Whether the user is banned, or about to be.
pub(super) fn is_banned(state: &State, key: RoomKey, user: &UserName) -> bool {
    let order = &state.rooms[key].order;
    order.term(user, Restriction::Banned, state.now.wall_ms).is_some()
        || order.judged(user).any(|act| matches!(act, Act::Ban { .. }))
}

/// # Errors
///
/// [`Code::Banned`] with the reason, and when the ban ends if it does.
pub(super) fn check_banned(state: &State, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
    let (order, name) = (&state.rooms[key].order, &state.users[user].name);
    if order.0.is_none() {
        return Ok(());
    }
    let wall_ms = state.now.wall_ms;
    let words = "you are banned from this room";
    let pending = order.judged(name).find_map(|act| match act {
        Act::Ban { until } => Some(Expiry { until, reason: "".into() }),
        Act::Kick | Act::Unban | Act::Mute { .. } | Act::Unmute | Act::Role(_) => None,
    });
    let term = pending.as_ref().or_else(|| order.term(name, Restriction::Banned, wall_ms));
    term.map_or(Ok(()), |term| Err(refusal(Code::Banned, words, term, wall_ms)))
}

/// # Errors
///
/// [`Code::Busy`] for a member who is being put out, and would be at once if it entered.
pub(super) fn check_leaving(state: &State, key: RoomKey, user: UserKey) -> Result<(), Refusal> {
    if is_leaving(state, key, user) {
        let refusal = Refusal::new(Code::Busy, "you are being put out of this room");
        return Err(refusal.retry_after_ms(PUT_OUT_RETRY_MS));
    }
    Ok(())
}

/// Whether the user is about to be put out: no member any more.
pub(super) fn is_leaving(state: &State, key: RoomKey, user: UserKey) -> bool {
    let name = &state.users[user].name;
    state.rooms[key].order.judged(name).any(|act| matches!(act, Act::Kick | Act::Ban { .. }))
}

/// The role that a member has; one that is about to be lower is so already, and who is about to leave keeps no order.
pub(super) fn role(state: &State, membership: MembershipKey) -> Role {
    let row = &state.memberships[membership];
    let (order, name) = (&state.rooms[row.room].order, &state.users[row.user].name);
    if row.role > Role::Member && order.is_departing(name) {
        return Role::Member;
    }
    let pending = order.judged(name).filter_map(|act| match act {
        Act::Role(role) => Some(role),
        Act::Kick | Act::Ban { .. } | Act::Unban | Act::Mute { .. } | Act::Unmute => None,
    });
    pending.min().map_or(row.role, |role| role.min(row.role))
}

/// # Errors
///
/// [`Code::ReadOnly`] for readers, [`Code::Muted`] for who is muted, with when that ends if it does.
pub(super) fn check_voice(state: &State, membership: MembershipKey) -> Result<(), Refusal> {
    if role(state, membership) == Role::Reader {
        return Err(Refusal::new(Code::ReadOnly, "you may only read in this room"));
    }
    let row = &state.memberships[membership];
    let (order, name) = (&state.rooms[row.room].order, &state.users[row.user].name);
    if order.0.is_none() {
        return Ok(());
    }
    let wall_ms = state.now.wall_ms;
    let pending = order.judged(name).find_map(|act| match act {
        Act::Mute { until } => Some(Expiry { until, reason: "".into() }),
        Act::Kick | Act::Ban { .. } | Act::Unban | Act::Unmute | Act::Role(_) => None,
    });
    let term = pending.as_ref().or_else(|| order.term(name, Restriction::Muted, wall_ms));
    let words = "you are muted in this room";
    term.map_or(Ok(()), |term| Err(refusal(Code::Muted, words, term, wall_ms)))
}

/// The refusal of somebody for whom something holds until the end of `term`.
pub(super) fn refusal(code: Code, words: &'static str, term: &Expiry, wall_ms: u64) -> Refusal {
    let refusal = match &*term.reason {
        "" => Refusal::new(code, words),
        reason => Refusal::new(code, format!("{words}: {reason}")),
    };
    match term.until {
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

    fn until(until: u64) -> Expiry {
        Expiry { until: Some(until), reason: "".into() }
    }

    #[test]
    fn a_room_without_any_owns_nothing() {
        let mut order = Order::default();
        assert_eq!(size_of::<Order>(), 8);
        order.set(&name("bob"), Restriction::Muted, None, 0);
        assert!(order.0.is_none());
        order.set(&name("bob"), Restriction::Muted, Some(until(10)), 0);
        order.note(Ticket(1), Pending::Deleting(3));
        assert!(order.0.is_some());
        assert_eq!(order.answered(Ticket(1)), Some(Pending::Deleting(3)));
        order.set(&name("bob"), Restriction::Muted, None, 0);
        assert!(order.0.is_none());
    }

    #[test]
    fn a_standing_is_of_one_kind_and_ends_with_its_term() {
        let mut order = Order::default();
        order.set(&name("bob"), Restriction::Muted, Some(until(10)), 0);
        order.set(&name("ann"), Restriction::Banned, Some(until(20)), 0);
        for (user, what, wall_ms, expect) in [
            ("bob", Restriction::Muted, 9, true),
            ("bob", Restriction::Muted, 10, false),
            ("bob", Restriction::Banned, 9, false),
            ("ann", Restriction::Banned, 10, true),
            ("eve", Restriction::Banned, 10, false),
        ] {
            let found = order.term(&name(user), what, wall_ms).is_some();
            assert_eq!(found, expect, "{user} {what:?} at {wall_ms}");
        }
        order.set(
            &name("eve"),
            Restriction::Invited,
            Some(Expiry { until: None, reason: "".into() }),
            10,
        );
        let left = order.0.map_or(0, |inner| inner.standings.len());
        assert_eq!(left, 2, "what is over is forgotten");
    }

    #[test]
    fn what_is_under_way_is_found_by_its_user_until_it_is_answered() {
        let mut order = Order::default();
        order.note(Ticket(1), Pending::Judged(name("bob"), Act::Kick));
        order.note(Ticket(2), Pending::Judged(name("bob"), Act::Role(Role::Reader)));
        order.note(Ticket(3), Pending::Deleting(7));
        let acts: Vec<_> = order.judged(&name("bob")).collect();
        assert_eq!(acts, [Act::Kick, Act::Role(Role::Reader)]);
        assert!(order.is_deleting(7) && !order.is_deleting(8));
        assert_eq!(order.answered(Ticket(9)), None);
        assert_eq!(order.answered(Ticket(1)), Some(Pending::Judged(name("bob"), Act::Kick)));
        assert_eq!(order.judged(&name("bob")).count(), 1);
    }
}
