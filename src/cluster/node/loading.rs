//! Rooms and users as the engine has them, by name.

use std::collections::{BTreeMap, BTreeSet};

use super::room_pages::members_of_each;
use super::rows::{Part, RoomRow};
use super::session_ops::hash_of;
use crate::chat::model::load::{Begun, Depth, Found, Kept, KnownUser, Wanted};
use crate::chat::model::log::RoomMeta;
use crate::chat::model::name::{RoomName, UserName, other_form};
use crate::chat::model::reply::Durability;
use crate::chat::model::sessions::{FormerSession, SessionSecret};
use crate::pg::Param;

/// The names that are asked for.
#[derive(Debug, Default)]
pub(super) struct Names {
    rooms: Vec<String>,
    room_forms: Vec<String>,
    users: Vec<String>,
    user_forms: Vec<String>,
    with_rooms: Vec<String>,
    with_invitations: Vec<String>,
    sessions: Vec<String>,
    members_of_each: usize,
}

impl Names {
    /// Those of what is wanted, and what they look like.
    pub(super) fn of(wanted: &Wanted) -> Self {
        let members_of_each = members_of_each(wanted.rooms.len());
        let mut names = Self { members_of_each, ..Self::default() };
        for (name, with_lookalikes) in &wanted.rooms {
            names.rooms.push(name.as_str().to_owned());
            if *with_lookalikes && !name.is_direct() {
                let form = other_form(name.as_str());
                // Another name can be the form only of one that is not its own.
                names.rooms.extend(form.as_ref().map(ToString::to_string));
                names
                    .room_forms
                    .push(form.map_or_else(|| name.as_str().to_owned(), |it| it.to_string()));
            }
        }
        for (name, depth) in &wanted.users {
            let form = other_form(name.as_str());
            names.users.push(name.as_str().to_owned());
            // What a name looks like need not be one itself: `ann0` looks like `annO`.
            let as_name = form.as_ref().and_then(|it| UserName::stored(it));
            names.users.extend(as_name.map(|it| it.as_str().to_owned()));
            names
                .user_forms
                .push(form.map_or_else(|| name.as_str().to_owned(), |it| it.to_string()));
            if *depth == Depth::Rooms {
                names.with_rooms.push(name.as_str().to_owned());
            }
            if *depth >= Depth::Invited {
                names.with_invitations.push(name.as_str().to_owned());
            }
        }
        names.sessions.extend(wanted.sessions.iter().copied().map(hash_of));
        names
    }

    /// Calls `ask` with the parameters of the statement.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let all = [
            &self.rooms,
            &self.room_forms,
            &self.users,
            &self.user_forms,
            &self.with_rooms,
            &self.with_invitations,
            &self.sessions,
        ];
        let texts = all.map(|names| names.iter().map(|it| Some(it.as_str())).collect::<Vec<_>>());
        let mut params: Vec<Param<'_>> = texts.iter().map(|names| Param::Texts(names)).collect();
        params.push(Param::Int(i64::try_from(self.members_of_each).unwrap_or(i64::MAX)));
        ask(&params)
    }
}

/// The rooms among the parts of an answer.
pub(super) fn rooms(parts: &[Part]) -> Vec<(Begun, RoomRow)> {
    let mut facts: BTreeMap<i64, Vec<RoomMeta>> = BTreeMap::new();
    for part in parts {
        if let Part::Meta(room, meta, _) = part {
            facts.entry(*room).or_default().push(meta.clone());
        }
    }
    let room = |part: &Part| match part {
        Part::Room(row, Some(room)) => begun(*row, room, facts.get(row)),
        _ => None,
    };
    parts.iter().filter_map(room).collect()
}

fn begun(row: i64, room: &RoomRow, facts: Option<&Vec<RoomMeta>>) -> Option<(Begun, RoomRow)> {
    let (name, mut meta) = room.about.clone()?;
    meta.extend(facts.into_iter().flatten().cloned());
    let durability = Durability::Disk;
    let kept = Kept {
        row,
        epoch: room.epoch,
        durability,
        seqs: (room.oldest, room.head),
        at: room.at,
        bytes: room.bytes,
        changes: (room.facts, room.version.cast_unsigned()),
    };
    let (epoch, head, oldest, kept) = (room.epoch, room.head, room.oldest, Some(kept));
    Some((Begun { name, epoch, durability, head, oldest, meta, kept }, room.clone()))
}

/// What was found of what was wanted.
pub(super) fn found(wanted: &Wanted, parts: &[Part]) -> Found {
    let rooms: Vec<Begun> = rooms(parts).into_iter().map(|(begun, _)| begun).collect();
    let mut users = BTreeMap::new();
    for part in parts {
        if let Part::User(name, is_member, has_come) = part {
            let (is_member, has_come) = (*is_member, *has_come);
            let user = KnownUser { name: name.clone(), is_member, has_come, rooms: Vec::new() };
            users.insert(name.clone(), user);
        }
    }
    for part in parts {
        if let Part::RoomOf(name, room) = part
            && let Some(user) = users.get_mut(name)
        {
            user.rooms.push(room.clone());
        }
    }
    let ends = ends(&rooms);
    // A new name that looks like a known one is refused (2005), so the known ones that look like it
    // are part of the answer.
    let strangers: BTreeSet<String> = wanted
        .users
        .keys()
        .filter(|name| users.get(*name).is_none_or(|user| !user.is_member))
        .map(form_of)
        .collect();
    users.retain(|name, _| {
        wanted.users.contains_key(name) || ends.contains(name) || strangers.contains(&form_of(name))
    });
    let hashes = wanted.sessions.iter().map(|secret| (hash_of(*secret), *secret));
    // The engine keeps hashes only: its tables tell nobody a secret that would take over a session.
    let by_hash: BTreeMap<String, SessionSecret> = hashes.collect();
    let session = |part: &Part| match part {
        Part::Session(hash, user, is_guest) => {
            let former = FormerSession { user: user.clone(), is_guest: *is_guest };
            by_hash.get(&**hash).map(|secret| (*secret, former))
        }
        _ => None,
    };
    let sessions = parts.iter().filter_map(session).collect();
    Found { rooms, users: users.into_values().collect(), sessions }
}

fn form_of(name: &UserName) -> String {
    other_form(name.as_str()).map_or_else(|| name.as_str().to_owned(), |form| form.to_string())
}

/// Who has received nothing in a direct conversation.
fn ends(rooms: &[Begun]) -> BTreeSet<UserName> {
    let mut ends = BTreeSet::new();
    for meta in rooms.iter().filter(|room| room.name.is_direct()).flat_map(|room| &room.meta) {
        if let RoomMeta::Member(name, Some(member)) = meta
            && (member.recv, member.read) == (0, 0)
        {
            ends.insert(name.clone());
        }
    }
    ends
}

/// What is wanted of one room.
pub(super) fn only(name: RoomName) -> Wanted {
    let mut wanted = Wanted::default();
    wanted.add_room(name, false);
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_name_looks_like_is_asked_for_as_a_name_only_if_it_could_be_one() {
        for (name, users) in [
            ("ann", &["ann"][..]),
            ("ann0", &["ann0"]),
            ("ann1", &["ann1", "annl"]),
            ("sam", &["sam", "sarn"]),
        ] {
            let mut wanted = Wanted::default();
            wanted.add_user(UserName::parse(name).unwrap(), Depth::Known);
            assert_eq!(Names::of(&wanted).users, users, "{name}");
        }
    }
}
