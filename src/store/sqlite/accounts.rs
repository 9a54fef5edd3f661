//! Accounts as rows: `account`, `login`, `invite`. Secrets are there as hashes only.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, params};

use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use crate::chat::model::account::{Account, Hidden, Invite, Login, SecretHash};
use crate::chat::model::columns::Code as _;
use crate::chat::model::identity::Source;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::People;

/// Reads all of them into `people`.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(super) fn load(db: &Connection, people: &mut People) -> rusqlite::Result<()> {
    people.accounts = read(db, "account", "SELECT name, hash, admin FROM account", |row| {
        let (hash, is_admin) = (Hidden::new(row.get::<_, String>(1)?), row.get(2)?);
        let name = UserName::stored(row.get_ref(0)?.as_str()?);
        Ok(name.map(|name| Account { name, hash, is_admin }))
    })?;
    let sql = "SELECT id, name, hash, agent, at, used FROM login ORDER BY id";
    people.logins = read(db, "login", sql, |row| {
        let name = UserName::stored(row.get_ref(1)?.as_str()?);
        let (id, at, used) = (unsigned(row.get(0)?), unsigned(row.get(4)?), unsigned(row.get(5)?));
        let agent: Box<str> = row.get(3)?;
        let hash = hash_of(row.get_ref(2)?);
        Ok(name.zip(hash).map(|(name, hash)| Login { id, name, hash, agent, at, used }))
    })?;
    let sql = "SELECT hash, uses, until, rooms, \"by\", admin FROM invite";
    people.invites = read(db, "invite", sql, |row| {
        let Some(hash) = hash_of(row.get_ref(0)?) else { return Ok(None) };
        let (uses, until, is_admin) = (row.get(1)?, unsigned(row.get(2)?), row.get(5)?);
        let by = row.get_ref(4)?.as_str_or_null()?.and_then(UserName::stored);
        let rooms = row.get_ref(3)?.as_str()?.split(' ').filter_map(RoomName::stored).collect();
        Ok(Some(Invite { hash, uses, until, rooms, by, is_admin }))
    })?;
    Ok(())
}

pub(super) fn read<T>(
    db: &Connection,
    table: &str,
    sql: &str,
    each: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let invalid = || damaged(format!("a row of table {table} makes no sense"));
        all.push(each(row)?.ok_or_else(invalid)?);
    }
    Ok(all)
}

pub(super) fn hash_of(value: ValueRef<'_>) -> Option<SecretHash> {
    Some(SecretHash(value.as_blob().ok()?.try_into().ok()?))
}

/// There is such an account, or it has another password; `false` if the name is no account's.
pub(in crate::store) fn put_account(db: &Connection, account: &Account) -> rusqlite::Result<bool> {
    let Account { name, hash, is_admin } = account;
    // A command may have retired the name while the password was hashed, or have changed who is an
    // administrator: neither is undone.
    let sql = "INSERT INTO account (name, hash, admin) SELECT ?1, ?2, ?3 \
               WHERE EXISTS (SELECT 1 FROM identity WHERE name = ?1 AND source = ?4) \
               ON CONFLICT (name) DO UPDATE SET hash = excluded.hash";
    let row = params![name.as_str(), hash.reveal(), is_admin, Source::Account.code()];
    Ok(db.prepare_cached(sql)?.execute(row)? == 1)
}

/// The hash of a password is another one of the same password, unless it is not there any more.
pub(super) fn rehash(
    db: &Connection,
    name: &UserName,
    (from, to): (&Hidden, &Hidden),
) -> rusqlite::Result<bool> {
    let sql = "UPDATE account SET hash = ?3 WHERE name = ?1 AND hash = ?2";
    db.prepare_cached(sql)?.execute([name.as_str(), from.reveal(), to.reveal()])?;
    Ok(true)
}

pub(super) fn put_login(db: &Connection, login: &Login) -> rusqlite::Result<bool> {
    let Login { id, name, hash, agent, at, used } = login;
    // Its account may have been removed by a command in the meantime.
    let sql = "INSERT INTO login (id, name, hash, agent, at, used) SELECT ?1, ?2, ?3, ?4, ?5, ?6 \
               WHERE EXISTS (SELECT 1 FROM account WHERE name = ?2)";
    let row = params![signed(*id), name.as_str(), hash.0, &**agent, signed(*at), signed(*used)];
    Ok(db.prepare_cached(sql)?.execute(row)? == 1)
}

pub(super) fn use_login(db: &Connection, id: u64, used: u64) -> rusqlite::Result<bool> {
    let sql = "UPDATE login SET used = ?2 WHERE id = ?1";
    db.prepare_cached(sql)?.execute([signed(id), signed(used)])?;
    Ok(true)
}

pub(super) fn end_login(db: &Connection, id: u64) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM login WHERE id = ?1")?.execute([signed(id)])?;
    Ok(true)
}

/// There is such an invite link; those that are over by now are removed on the way.
pub(in crate::store) fn put_invite(db: &Connection, invite: &Invite) -> rusqlite::Result<bool> {
    let Invite { hash, uses, until, rooms, by, is_admin } = invite;
    let rooms: Vec<&str> = rooms.iter().map(RoomName::as_str).collect();
    let (rooms, by) = (rooms.join(" "), by.as_ref().map(UserName::as_str));
    let sql = "INSERT INTO invite (hash, uses, until, rooms, \"by\", admin) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    db.prepare_cached(sql)?.execute(params![hash.0, uses, signed(*until), rooms, by, is_admin])?;
    Ok(true)
}

/// Uses a link once more; `false` if it is used up.
pub(super) fn use_invite(db: &Connection, hash: &SecretHash) -> rusqlite::Result<bool> {
    let sql = "UPDATE invite SET uses = uses - 1 WHERE hash = ?1 AND uses > 0";
    if db.prepare_cached(sql)?.execute([hash.0])? == 0 {
        return Ok(false);
    }
    db.prepare_cached("DELETE FROM invite WHERE uses = 0")?.execute([])?;
    Ok(true)
}

pub(super) fn end_admin_invites(db: &Connection) -> rusqlite::Result<bool> {
    db.prepare_cached("DELETE FROM invite WHERE admin = 1")?.execute([])?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::model::identity::Bound;
    use crate::chat::model::log::LogFault;
    use crate::chat::model::people::PeopleChange;
    use crate::store::sqlite::people;
    use crate::store::sqlite::testing::{database, user};

    fn account(hash: &str, is_admin: bool) -> PeopleChange {
        PeopleChange::Account(Account { name: user("ann"), hash: Hidden::new(hash), is_admin })
    }

    fn bind() -> PeopleChange {
        PeopleChange::Bind(Bound {
            name: user("ann"),
            source: Source::Account,
            issuer: "".into(),
            subject: "ann".into(),
            display: None,
            at: 1,
        })
    }

    /// The hash of the account's password, and whether it is an administrator's.
    fn kept(db: &Connection) -> Option<(String, bool)> {
        let mut people = People::default();
        load(db, &mut people).unwrap();
        people.accounts.first().map(|row| (row.hash.reveal().to_owned(), row.is_admin))
    }

    #[test]
    fn of_two_registrations_of_one_name_the_first_is_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        assert_eq!(people::write(&db, &[bind(), account("first", false)]), Ok(Ok(())));
        let second = people::write(&db, &[bind(), account("second", true)]);
        assert_eq!(second, Ok(Err(LogFault::Taken)));
        assert_eq!(kept(&db), Some(("first".to_owned(), false)));
    }

    #[test]
    fn a_hash_is_renewed_unless_the_password_was_changed_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        let rehash = |from, to| {
            let (name, from, to) = (user("ann"), Hidden::new(from), Hidden::new(to));
            people::write(&db, &[PeopleChange::Rehash { name, from, to }])
        };
        assert_eq!(rehash("old", "renewed"), Ok(Ok(())));
        assert_eq!(kept(&db), None, "no account is made of it");
        people::write(&db, &[bind(), account("old", true)]).unwrap().unwrap();
        assert_eq!(rehash("old", "renewed"), Ok(Ok(())));
        assert_eq!(kept(&db), Some(("renewed".to_owned(), true)));
        people::write(&db, &[account("new", true)]).unwrap().unwrap();
        assert_eq!(rehash("renewed", "late"), Ok(Ok(())));
        assert_eq!(kept(&db), Some(("new".to_owned(), true)), "a former password came back");
    }

    #[test]
    fn a_new_password_undoes_nothing_that_a_command_has_done_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        people::write(&db, &[bind(), account("old", true)]).unwrap().unwrap();
        db.execute("UPDATE account SET admin = 0", []).unwrap();
        people::write(&db, &[account("new", true)]).unwrap().unwrap();
        assert_eq!(kept(&db), Some(("new".to_owned(), false)), "no administrator any more");
        db.execute("DELETE FROM account", []).unwrap();
        db.execute("UPDATE identity SET source = 6", []).unwrap();
        assert_eq!(people::write(&db, &[account("newer", false)]), Ok(Err(LogFault::Taken)));
        assert_eq!(kept(&db), None, "a name that was retired stays so");
    }
}
