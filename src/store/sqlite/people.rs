//! What is kept of people: the table `identity`, and whether names are proved.

use rusqlite::{Connection, Row, ffi, params};

use super::integers::{signed, unsigned};
use super::log_fault::damaged;
use super::meta_table::{self, PROVED};
use super::{
    accounts, blocks, message_threads, profiles, program_keys, pushes, reports, suspensions,
};
use crate::chat::model::columns::Code as _;
use crate::chat::model::identity::{Bound, Source};
use crate::chat::model::log::LogFault;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::people::{AuditedAct, People, PeopleChange};

/// Reads all of it.
///
/// # Errors
///
/// What the database says; a row that was not written so is damage.
pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<People> {
    let proved = meta_table::get::<i64>(db, PROVED)? == Some(1);
    let sql = "SELECT name, source, issuer, subject, display, at FROM identity ORDER BY name";
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut bound = Vec::new();
    while let Some(row) = rows.next()? {
        let invalid = || damaged("a row of table identity makes no sense".to_owned());
        bound.push(read_bound(row)?.ok_or_else(invalid)?);
    }
    let blocks = blocks::load(db)?;
    let mut people = People { bound, proved, blocks, ..People::default() };
    accounts::load(db, &mut people)?;
    people.keys = program_keys::load(db)?;
    people.profiles = profiles::load(db)?;
    pushes::load(db, &mut people)?;
    people.reports = reports::load(db)?;
    Ok(people)
}

fn read_bound(row: &Row<'_>) -> rusqlite::Result<Option<Bound>> {
    let name = UserName::stored(row.get_ref(0)?.as_str()?);
    let Some((name, source)) = name.zip(Source::from_code(row.get(1)?)) else { return Ok(None) };
    let (issuer, subject, display) = (row.get(2)?, row.get(3)?, row.get(4)?);
    Ok(Some(Bound { name, source, issuer, subject, display, at: unsigned(row.get(5)?) }))
}

/// Makes all `changes` or none: the inner error says that somebody else was first, as a command
/// beside the server may be.
///
/// # Errors
///
/// What the database says; then nothing is certain.
pub(in crate::store) fn write(
    db: &Connection,
    changes: &[PeopleChange],
) -> rusqlite::Result<Result<(), LogFault>> {
    db.execute_batch("SAVEPOINT people")?;
    for change in changes {
        let is_written = match write_one(db, change) {
            // Of two changes under way together one may leave no place for the other: clients can
            // bring that about, and no disk has failed.
            Err(error) if is_taken(&error) => false,
            written => written?,
        };
        if !is_written {
            db.execute_batch("ROLLBACK TO people; RELEASE people")?;
            return Ok(Err(LogFault::Taken));
        }
    }
    db.execute_batch("RELEASE people").map(Ok)
}

/// Whether a row is in the place of the new one. Any other constraint is one that no client's
/// request may break: the mistake is the server's.
fn is_taken(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    let taken = [ffi::SQLITE_CONSTRAINT_UNIQUE, ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
    code.is_some_and(|code| taken.contains(&code))
}

/// Makes one change; `false` if it cannot be made any more.
fn write_one(db: &Connection, change: &PeopleChange) -> rusqlite::Result<bool> {
    match change {
        PeopleChange::Bind(Bound { name, source, issuer, subject, display, at }) => {
            let sql = "INSERT INTO identity (name, source, issuer, subject, display, at) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
            let (name, source, at) = (name.as_str(), source.code(), signed(*at));
            let row = params![name, source, &**issuer, &**subject, display.as_deref(), at];
            Ok(db.prepare_cached(sql)?.execute(row)? == 1)
        }
        PeopleChange::Account(account) => accounts::put_account(db, account),
        PeopleChange::Rehash { name, from, to } => accounts::rehash(db, name, (from, to)),
        PeopleChange::Login(login) => accounts::put_login(db, login),
        PeopleChange::Used(id, used) => accounts::use_login(db, *id, *used),
        PeopleChange::EndLogin(id) => accounts::end_login(db, *id),
        PeopleChange::Invite(invite) => accounts::put_invite(db, invite),
        PeopleChange::Key(key) => program_keys::put(db, key),
        PeopleChange::EndKey(name) => program_keys::end(db, name),
        PeopleChange::Suspend(whom, expiry) => suspensions::put(db, whom, expiry).map(|()| true),
        PeopleChange::Unsuspend(whom) => suspensions::end(db, whom),
        PeopleChange::UseInvite(hash) => accounts::use_invite(db, hash),
        PeopleChange::EndAdminInvites => accounts::end_admin_invites(db),
        PeopleChange::Block(block) => blocks::put(db, block),
        PeopleChange::Unblock(user, blocked) => blocks::end(db, user, blocked),
        PeopleChange::Profile(user, change) => profiles::change(db, user, change),
        PeopleChange::Push(device) => pushes::put(db, device),
        PeopleChange::EndPush(id) => pushes::end(db, *id),
        PeopleChange::PushKey(key) => pushes::put_key(db, key),
        PeopleChange::Report(report) => reports::put(db, report),
        PeopleChange::Settle(id) => reports::end(db, *id),
        PeopleChange::Audit(act) => note(db, act),
        PeopleChange::Thread(mark) => message_threads::put(db, mark),
        PeopleChange::Proved(proved) => {
            meta_table::put(db, PROVED, i64::from(*proved))?;
            Ok(true)
        }
    }
}

/// Acts that are kept: some 10 MB. Beyond that the oldest go.
const AUDIT_ROWS_MAX: i64 = 100_000;

fn note(db: &Connection, done: &AuditedAct) -> rusqlite::Result<bool> {
    let AuditedAct { by, act, whom, room, at } = done;
    let (by, room) = (by.as_ref().map(UserName::as_str), room.as_ref().map(RoomName::as_str));
    let sql = "INSERT INTO audit (at, \"by\", act, whom, room) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.prepare_cached(sql)?.execute(params![signed(*at), by, &**act, &**whom, room])?;
    let surplus = db.last_insert_rowid().saturating_sub(AUDIT_ROWS_MAX);
    db.prepare_cached("DELETE FROM audit WHERE id <= ?1")?.execute([surplus])?;
    Ok(true)
}
