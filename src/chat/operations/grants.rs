//! What a connection may do in a room by its token or key, whose grants are about names.

use super::Chat;
use crate::chat::model::identity::Rights;
use crate::net::ConnId;

/// What the connection has proved that it may do in the room of this name. A grant is good for a
/// room by any name that it has or had.
pub(super) fn rights_in(chat: &Chat, conn: ConnId, room: &str) -> Rights {
    let Some(key) = chat.rooms.named(room) else {
        return chat.directory.credentials.rights(conn, room);
    };
    chat.rooms[key].rights(&chat.directory, conn)
}

/// Whether the connection may know of the room of this name.
pub(super) fn may_read(chat: &Chat, conn: ConnId, room: &str) -> bool {
    chat.directory.credentials.may_read(conn, room) || rights_in(chat, conn, room).read
}
