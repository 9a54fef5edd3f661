//! Accounts and invite links, from outside.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _};

use super::change::change;
use super::{ToolError, open};
use crate::chat::model::account::{Account, Hidden, Invite, KEYS_MAX, Key, SecretHash};
use crate::chat::model::columns::Code as _;
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, People, PeopleChange, Report};
use crate::store::sqlite::{people, reports};

/// What was not done, as a sentence.
pub type Refused = &'static str;

/// Everything that is kept of people.
///
/// # Errors
///
/// [`ToolError`].
pub fn load(data: &Path) -> Result<People, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    people::load(&db).map_err(ToolError::database(&path))
}

/// Adds an account. A name that is there already is taken only from the time in which names were
/// not proved, and if `claims` says so.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says that the name is somebody's.
pub fn add(
    data: &Path,
    (name, hash): (&UserName, Hidden),
    claims: bool,
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        match source_of(db, name)? {
            None => {}
            Some(Source::None) if claims => {
                // The row of before makes room: a name has one.
                db.execute("DELETE FROM identity WHERE name = ?1", [name.as_str()])?;
            }
            Some(Source::None) => {
                return Ok(Err(
                    "this name is of a user of before: chinwag user claim gives it a password",
                ));
            }
            Some(Source::Retired) => {
                return Ok(Err("this name was somebody's, and is not given again"));
            }
            Some(
                Source::Guest | Source::Account | Source::Token | Source::Header | Source::Key,
            ) => return Ok(Err("this name is somebody's")),
        }
        let bound = Bound {
            name: name.clone(),
            source: Source::Account,
            issuer: "".into(),
            subject: name.as_str().into(),
            display: None,
            at: wall_ms,
        };
        let account = Account { name: name.clone(), hash, is_admin: false };
        let act = if claims { "claim" } else { "add" };
        let whom = name.as_str().into();
        let audit = audited(act, whom, wall_ms);
        let changes = [PeopleChange::Bind(bound), PeopleChange::Account(account), audit];
        Ok(people::write(db, &changes)?.map_err(|_taken| "this name is somebody's"))
    })
}

/// Whose the name is; `None` if it is nobody's yet.
fn source_of(db: &Connection, name: &UserName) -> rusqlite::Result<Option<Source>> {
    let sql = "SELECT source FROM identity WHERE name = ?1";
    let code = db.query_one(sql, [name.as_str()], |row| row.get(0)).optional()?;
    Ok(code.and_then(Source::from_code))
}

/// Gives an account another password, and ends its logins.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says that there is no such account.
pub fn set_password(
    data: &Path,
    name: &UserName,
    hash: &Hidden,
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let sql = "UPDATE account SET hash = ?2 WHERE name = ?1";
        if db.execute(sql, (name.as_str(), hash.reveal()))? == 0 {
            return Ok(Err(NO_ACCOUNT));
        }
        // Whoever knew the former password may be logged in.
        db.execute("DELETE FROM login WHERE name = ?1", [name.as_str()])?;
        audit(db, ("password", name, wall_ms))
    })
}

/// Makes an account an administrator's, or no longer.
///
/// # Errors
///
/// As [`set_password`].
pub fn set_admin(
    data: &Path,
    (name, is_admin): (&UserName, bool),
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let sql = "UPDATE account SET admin = ?2 WHERE name = ?1";
        if db.execute(sql, (name.as_str(), is_admin))? == 0 {
            return Ok(Err(NO_ACCOUNT));
        }
        audit(db, (if is_admin { "admin" } else { "no admin" }, name, wall_ms))
    })
}

/// Ends an account for good: its name is not given again.
///
/// # Errors
///
/// As [`set_password`].
pub fn retire(
    data: &Path,
    name: &UserName,
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        // The row stays, which is what keeps the name from being given again.
        let sql = "UPDATE identity SET source = ?2, issuer = '', subject = '', display = NULL \
                   WHERE name = ?1 AND source != ?2";
        if db.execute(sql, (name.as_str(), Source::Retired.code()))? == 0 {
            return Ok(Err("this name is nobody's"));
        }
        db.execute("DELETE FROM account WHERE name = ?1", [name.as_str()])?;
        db.execute("DELETE FROM login WHERE name = ?1", [name.as_str()])?;
        db.execute("DELETE FROM push WHERE user = ?1", [name.as_str()])?;
        db.execute("DELETE FROM profile WHERE user = ?1", [name.as_str()])?;
        audit(db, ("retire", name, wall_ms))
    })
}

/// Makes an invite link.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then.
pub fn invite(
    data: &Path,
    (hash, uses, until): (SecretHash, u32, u64),
    rooms: &[RoomName],
    wall_ms: u64,
) -> Result<(), ToolError> {
    let invite = Invite { hash, uses, until, rooms: rooms.to_vec(), by: None, is_admin: false };
    let made = PeopleChange::Invite(invite);
    let audit = audited("invite", "".into(), wall_ms);
    change(data, |db| people::write(db, &[made, audit])).map(drop)
}

/// Adds a key. Its name is the program's for ever: nobody else is given it, and only a key that was
/// ended makes room for another one of the same name.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says why there can be no such key.
pub fn add_key(data: &Path, key: Key) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let name = key.name.clone();
        let source = source_of(db, &name)?;
        let sql = "SELECT count(*) FROM program";
        let keys: i64 = db.query_one(sql, [], |row| row.get(0))?;
        if usize::try_from(keys).is_ok_and(|keys| keys >= KEYS_MAX) {
            return Ok(Err("there are as many keys as there may be: end some first"));
        }
        // Where names are not proved, a member is all that is known of somebody.
        let sql = "SELECT EXISTS (SELECT 1 FROM member WHERE user = ?1)";
        let is_member: bool = db.query_one(sql, [name.as_str()], |row| row.get(0))?;
        // The name of a key that was ended stays the program's.
        let is_key = source == Some(Source::Key);
        if (source.is_some() || is_member) && !is_key {
            return Ok(Err("this name is somebody's: give the program another one"));
        }
        let (subject, at) = (name.as_str().into(), key.at);
        let (source, issuer) = (Source::Key, "".into());
        let bound = Bound { name, source, issuer, subject, display: None, at };
        let whom = key.name.as_str().into();
        let audit = audited(if key.is_hook { "hook" } else { "key" }, whom, key.at);
        let taken = if key.is_hook {
            "there is a hook of this name (chinwag hook list): end it first, or give another --name"
        } else {
            "there is a key of this name: end it first, or choose another name"
        };
        let mut changes = vec![PeopleChange::Key(key), audit];
        if !is_key {
            changes.push(PeopleChange::Bind(bound));
        }
        Ok(people::write(db, &changes)?.map_err(|_taken| taken))
    })
}

/// Ends a key, or a hook if `is_hook`: its secret is good for nothing any more.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says that there is none of this name.
pub fn end_key(
    data: &Path,
    (name, is_hook): (&UserName, bool),
    wall_ms: u64,
) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let people = people::load(db)?;
        if !people.keys.iter().any(|key| key.name == *name && key.is_hook == is_hook) {
            return Ok(Err(if is_hook {
                "there is no hook of this name; chinwag hook list lists them"
            } else {
                "there is no key of this name; chinwag key list lists them"
            }));
        }
        let act = if is_hook { "end hook" } else { "end key" };
        let changes =
            [PeopleChange::EndKey(name.clone()), audited(act, name.as_str().into(), wall_ms)];
        Ok(people::write(db, &changes)?.map_err(|_taken| "it could not be ended"))
    })
}

/// What was reported and is not settled, oldest first.
///
/// # Errors
///
/// [`ToolError`].
pub fn reports(data: &Path) -> Result<Vec<Report>, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    reports::load(&db).map_err(ToolError::database(&path))
}

/// Ends a report.
///
/// # Errors
///
/// [`ToolError`]; nothing has changed then. The inner error says that there is no such report.
pub fn settle_report(data: &Path, id: u64, wall_ms: u64) -> Result<Result<(), Refused>, ToolError> {
    change(data, |db| {
        let report = reports::load(db)?.into_iter().find(|report| report.id == id);
        let Some(Report { whom, room, .. }) = report else {
            return Ok(Err("there is no report of this number; chinwag reports lists them"));
        };
        let whom = whom.as_str().into();
        let act = AuditedAct { by: None, act: "settle report".into(), whom, room, at: wall_ms };
        let changes = [PeopleChange::Settle(id), PeopleChange::Audit(act)];
        Ok(people::write(db, &changes)?.map_err(|_taken| "it could not be noted"))
    })
}

/// One line of what owners, moderators and administrators have done: when, who, what, to whom, in
/// which room.
pub type Act = (u64, Option<String>, String, String, Option<String>);

/// What owners and administrators have done, oldest first.
///
/// # Errors
///
/// [`ToolError`].
pub fn acts(data: &Path) -> Result<Vec<Act>, ToolError> {
    let path = open::path(data);
    let db = open::read(&path)?;
    let read = || {
        let mut statement =
            db.prepare("SELECT at, \"by\", act, whom, room FROM audit ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            let at: i64 = row.get(0)?;
            Ok((at.unsigned_abs(), row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })?;
        rows.collect::<rusqlite::Result<Vec<Act>>>()
    };
    read().map_err(ToolError::database(&path))
}

const NO_ACCOUNT: Refused = "there is no account of this name; chinwag user list lists them";

fn audit(
    db: &Connection,
    (act, name, wall_ms): (&'static str, &UserName, u64),
) -> rusqlite::Result<Result<(), Refused>> {
    let done = audited(act, name.as_str().into(), wall_ms);
    Ok(people::write(db, &[done])?.map_err(|_taken| "it could not be noted"))
}

/// What a command has done.
pub(super) fn audited(act: &'static str, whom: Box<str>, at: u64) -> PeopleChange {
    PeopleChange::Audit(AuditedAct { by: None, act: act.into(), whom, room: None, at })
}
