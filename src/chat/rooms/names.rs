//! The names of rooms: each has one, and those that it had before lead to it still, for as long as
//! it lives. Nobody else gets any of them meanwhile.

use super::{Room, Rooms};
use crate::chat::directory::Directory;
use crate::chat::keys::RoomKey;
use crate::chat::model::identity::Rights;
use crate::chat::model::name::{RoomName, skeleton};
use crate::net::ConnId;

impl Rooms {
    /// The room of this name, now or before.
    pub(in crate::chat) fn named(&self, name: &str) -> Option<RoomKey> {
        self.by_name.find(name, &self.table, |room| room.is_named(name))
    }

    /// Another room that has, or had, a name that looks like this one; `except` is not meant.
    pub(in crate::chat) fn lookalike(
        &self,
        name: &RoomName,
        except: Option<RoomKey>,
    ) -> Option<RoomKey> {
        let except = except.map(|key| self.table[key].log);
        let has_name = |room: &Room, is_it: &dyn Fn(&str) -> bool| {
            room.names().any(|name| is_it(name.as_str()))
        };
        let counts = |room: &Room| Some(room.log) != except;
        self.by_name.lookalike(name.as_str(), &self.table, has_name, counts)
    }

    /// A room is about to get this name.
    pub(in crate::chat) fn promise(&mut self, name: RoomName, key: RoomKey) {
        self.promised.insert(name, key);
    }

    /// It has it by now, or does not get it.
    pub(in crate::chat) fn end_promise(&mut self, name: &RoomName) {
        self.promised.remove(name);
    }

    /// Whether another room is about to get this name, or one that looks like it.
    pub(in crate::chat) fn is_alike_promised(&self, name: &RoomName) -> bool {
        // Nearly always there is none.
        self.promised.keys().any(|other| skeleton(other.as_str()) == skeleton(name.as_str()))
    }

    /// Whether another room is about to get this name.
    pub(in crate::chat) fn is_promised(&self, name: &RoomName) -> bool {
        self.promised.contains_key(name)
    }

    /// The room has this name, and had these before.
    pub(in crate::chat) fn set_names(
        &mut self,
        key: RoomKey,
        name: RoomName,
        former: Vec<RoomName>,
    ) {
        let room = &mut self.table[key];
        // Only the difference is touched: a name that stays must be found at each moment in
        // between.
        let before: Vec<RoomName> = room.names().cloned().collect();
        room.name = name;
        room.moderation.set_former(former);
        let after: Vec<RoomName> = room.names().cloned().collect();
        for name in before.iter().filter(|name| !after.contains(name)) {
            self.by_name.remove(name.as_str(), key);
        }
        for name in after.iter().filter(|name| !before.contains(name)) {
            self.by_name.insert(name.as_str(), key);
        }
    }
}

/// The names that a room will have had before when it gets this one.
pub(in crate::chat) fn former_after(room: &Room, name: &RoomName) -> Vec<RoomName> {
    // A room that takes back a name of before has it as its name, and no more as a former one.
    let former = room.moderation.former().iter().filter(|former| *former != name);
    former.chain([&room.name]).cloned().collect()
}

impl Room {
    /// Its name, and those that it had before.
    pub(in crate::chat) fn names(&self) -> impl Iterator<Item = &RoomName> {
        std::iter::once(&self.name).chain(self.moderation.former())
    }

    /// What the connection has proved that it may do here: a grant is good for a room by any of its
    /// names, so that who may use one is not shut out when it gets another.
    pub(in crate::chat) fn rights(&self, directory: &Directory, conn: ConnId) -> Rights {
        let each = self.names().map(|name| directory.credentials.rights(conn, name.as_str()));
        each.fold(Rights::default(), |all, rights| Rights {
            read: all.read || rights.read,
            send: all.send || rights.send,
        })
    }

    /// Whether the connection may know of the room.
    pub(in crate::chat) fn may_be_read(&self, directory: &Directory, conn: ConnId) -> bool {
        // Nearly always by the name that it has.
        directory.credentials.may_read(conn, self.name.as_str())
            || (!self.moderation.former().is_empty() && self.rights(directory, conn).read)
    }

    /// Whether it has this name, or had it before.
    pub(in crate::chat) fn is_named(&self, name: &str) -> bool {
        self.names().any(|own| own.as_str() == name)
    }
}
