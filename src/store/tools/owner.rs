//! Owners of rooms: who follows one that is erased, and one that an administrator appoints.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::{ToolError, open};
use crate::chat::model::name::{RoomName, UserName};
use crate::store::sqlite::heads;
use crate::store::sqlite::integers::signed;
use crate::store::sqlite::integrity::remove_checksum;
use crate::store::sqlite::room_names;

/// What became of the rooms whose only owner was erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Succession {
    /// Rooms and their new owners.
    pub heirs: Vec<(String, String)>,
    /// Rooms in which nobody could follow: an administrator decides.
    pub ownerless: Vec<String>,
}

/// Makes a user a member of a room and one of its owners, whatever the user was there before.
///
/// # Errors
///
/// [`ToolError`], if a server runs, there is no such room, or nobody is known by this name; nothing
/// has changed then.
pub fn appoint(
    data: &Path,
    room: &RoomName,
    user: &UserName,
    wall_ms: u64,
) -> Result<(), ToolError> {
    let _lock = open::lock(data)?;
    let path = open::path(data);
    let mut db = open::write(&path)?;
    open::require_current(&db, &path)?;
    let mut run = || {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(id) = room_names::find(&transaction, room.as_str())? else {
            return Ok(Err(ToolError::NoRoom(room.as_str().to_owned())));
        };
        if !is_known(&transaction, user)? {
            return Ok(Err(ToolError::NoUser(user.as_str().to_owned())));
        }
        transaction.execute("UPDATE room SET owned = 1 WHERE id = ?1", [id])?;
        remove_checksum(&transaction)?;
        // A server that was killed has not done so.
        heads::book_all(&transaction)?;
        // As when the server counts memberships: microseconds.
        let joined = signed(wall_ms.saturating_mul(1_000));
        transaction.execute(
            "INSERT INTO member (room, user, role, recv, read, joined) \
             SELECT id, ?2, 3, head, head, ?3 FROM room WHERE id = ?1 \
             ON CONFLICT (room, user) DO UPDATE SET role = 3",
            (id, user.as_str(), joined),
        )?;
        let sql = "DELETE FROM restriction WHERE room = ?1 AND user = ?2";
        transaction.execute(sql, (id, user.as_str()))?;
        transaction.commit()?;
        Ok(Ok(()))
    };
    run().map_err(ToolError::database(&path))?
}

/// Whether somebody has this name: a member of a room, or who has proved to be its user. Guests,
/// programs and names that are nobody's any more come by it in no other way.
fn is_known(db: &Connection, user: &UserName) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM member WHERE user = ?1) \
               OR EXISTS (SELECT 1 FROM identity WHERE name = ?1 AND source IN (0, 2, 3, 4))";
    db.query_row(sql, [user.as_str()], |row| row.get(0))
}

/// Gives the rooms of which the user is the only owner to the oldest moderator, else to the oldest
/// member who is neither a reader nor muted.
pub(super) fn succeed(
    db: &Connection,
    user: &UserName,
    wall_ms: u64,
) -> rusqlite::Result<Succession> {
    let mut succession = Succession::default();
    let sql = "SELECT room.id, room.name, private OR EXISTS (SELECT 1 FROM member AS other \
                 WHERE other.room = room.id AND other.user <> ?1) \
               FROM member JOIN room ON room.id = member.room \
               WHERE member.user = ?1 AND role = 3 AND owned AND NOT EXISTS ( \
                 SELECT 1 FROM member AS other \
                 WHERE other.room = room.id AND other.user <> ?1 AND other.role = 3) \
               ORDER BY room.name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([user.as_str()])?;
    while let Some(row) = rows.next()? {
        let (id, room): (i64, String) = (row.get(0)?, row.get(1)?);
        match appoint_heir(db, id, user, wall_ms)? {
            Some(heir) => succession.heirs.push((room, heir)),
            None if row.get(2)? => succession.ownerless.push(room),
            // The server sees that an open room without members has no owner.
            None => {}
        }
    }
    Ok(succession)
}

fn appoint_heir(
    db: &Connection,
    room: i64,
    user: &UserName,
    wall_ms: u64,
) -> rusqlite::Result<Option<String>> {
    let sql = "UPDATE member SET role = 3 WHERE room = ?1 AND user = ( \
                 SELECT user FROM member WHERE room = ?1 AND user <> ?2 \
                 AND (role = 2 OR role = 1 AND NOT EXISTS ( \
                   SELECT 1 FROM restriction \
                   WHERE restriction.room = member.room AND restriction.user = member.user \
                   AND kind IN (1, 3) AND (until IS NULL OR until > ?3))) \
                 ORDER BY role DESC, joined, user LIMIT 1) \
               RETURNING user";
    let mut statement = db.prepare_cached(sql)?;
    statement.query_row((room, user.as_str(), signed(wall_ms)), |row| row.get(0)).optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::{database, room, user};

    fn rooms(db: &Connection, count: i64) {
        for id in 1..=count {
            room(db, id, &format!("r{id}"));
        }
        db.execute("UPDATE room SET owned = 1, private = id % 2", []).unwrap();
    }

    #[test]
    fn the_oldest_who_may_follows_an_erased_owner() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        rooms(&db, 7);
        db.execute_batch(
            "INSERT INTO member (room, user, role, recv, read, joined) VALUES
               (1, 'own', 3, 0, 0, 1), (1, 'mem', 1, 0, 0, 2), (1, 'b', 2, 0, 0, 4), (1, 'a', 2, 0, 0, 5),
               (2, 'own', 3, 0, 0, 1), (2, 'rea', 0, 0, 0, 2), (2, 'mut', 1, 0, 0, 3), (2, 'new', 1, 0, 0, 5),
               (2, 'old', 1, 0, 0, 4),
               (3, 'own', 3, 0, 0, 1), (3, 'rea', 0, 0, 0, 2), (3, 'mut', 1, 0, 0, 3),
               (4, 'own', 3, 0, 0, 1), (4, 'too', 3, 0, 0, 2), (4, 'mem', 1, 0, 0, 0),
               (5, 'own', 3, 0, 0, 1), (6, 'own', 3, 0, 0, 1),
               (7, 'own', 1, 0, 0, 1), (7, 'mem', 1, 0, 0, 1);
             INSERT INTO restriction (room, user, kind, until, reason) VALUES
               (2, 'mut', 1, 101, ''), (3, 'mut', 1, NULL, ''), (2, 'old', 1, 100, '');",
        )
        .unwrap();
        let pair = |room: &str, user: &str| (room.to_owned(), user.to_owned());
        let expect = Succession {
            heirs: vec![pair("r1", "b"), pair("r2", "old")],
            ownerless: vec!["r3".to_owned(), "r5".to_owned()],
        };
        assert_eq!(succeed(&db, &user("own"), 100), Ok(expect));
        let sql = "SELECT count(*) FROM member WHERE user IN ('b', 'old') AND role = 3";
        assert_eq!(db.query_row(sql, [], |row| row.get::<_, i64>(0)), Ok(2));
    }

    #[test]
    fn an_appointed_owner_is_a_member_without_restrictions() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "den");
        db.execute_batch(
            "INSERT INTO member (room, user, role, recv, read) VALUES (1, 'mem', 0, 7, 5);
             INSERT INTO restriction (room, user, kind, until, reason) VALUES
               (1, 'mem', 1, NULL, ''), (1, 'mem', 3, NULL, ''), (1, 'out', 0, NULL, ''), (1, 'eve', 0, NULL, '');
             INSERT INTO identity (name, source, issuer, subject, at) VALUES
               ('out', 2, '', 'out', 0), ('bot', 5, '', 'bot', 0), ('late', 6, '', '', 0);",
        )
        .unwrap();
        let den = RoomName::parse("den").unwrap();
        for who in ["mem", "out"] {
            appoint(folder.path(), &den, &user(who), 9).unwrap();
        }
        let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM member WHERE role = 3"), 2);
        assert_eq!(count("SELECT recv FROM member WHERE user = 'mem'"), 7);
        assert_eq!(count("SELECT joined FROM member WHERE user = 'out'"), 9_000);
        assert_eq!(count("SELECT count(*) FROM restriction"), 1);
        assert_eq!(count("SELECT owned FROM room"), 1);
        let other = RoomName::parse("other").unwrap();
        let refused = appoint(folder.path(), &other, &user("mem"), 9).unwrap_err();
        assert!(matches!(refused, ToolError::NoRoom(_)), "{refused}");
        // Whoever came by such a name would have the room.
        for nobody in ["slip", "bot", "late", "eve"] {
            let refused = appoint(folder.path(), &den, &user(nobody), 9).unwrap_err();
            assert!(matches!(refused, ToolError::NoUser(_)), "{nobody}: {refused}");
        }
        assert_eq!(count("SELECT count(*) FROM member WHERE role = 3"), 2);
    }
}
