//! What an engine is, what it keeps of what it is given, and what is wrong with it.
//!
//! It is asked at each connection: a standby that was promoted may be set up otherwise than the
//! primary was, since `synchronous_standby_names` is not replicated.

use std::fmt;

use super::{ADDITIONS_VERSION, SCHEMA_VERSION};
use crate::pg::{Row, Statement, WrongType};

/// The first version that is supported, as `server_version_num` has it.
const VERSION_MIN: i64 = 15_00_00;

/// What is asked; [`Engine::read`] reads the answer.
pub const LOOK: Statement = Statement {
    name: "look",
    sql: "SELECT current_setting('server_version_num')::bigint, pg_is_in_recovery(), \
          current_setting('transaction_read_only') = 'on', \
          current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), \
          current_setting('fsync') = 'on', current_setting('full_page_writes') = 'on', \
          current_setting('server_encoding'), \
          has_database_privilege(current_database(), 'CREATE'), \
          (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')), \
          (SELECT count(*) FROM pg_stat_replication), \
          EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'chinwag'), \
          EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
                  WHERE n.nspname = 'chinwag' AND c.relname = 'meta'), \
          pg_backend_pid(), \
          CASE WHEN pg_is_in_recovery() THEN NULL \
               ELSE substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) END, \
          (SELECT string_agg(b.what, '; ' ORDER BY b.what) FROM (\
           SELECT DISTINCT coalesce((SELECT l.relation::regclass::text FROM pg_locks l \
           WHERE l.pid = w.pid AND NOT l.granted AND l.locktype = 'relation' LIMIT 1), 'a row') \
           || ' is locked by ' || CASE p.pid WHEN 0 THEN 'a prepared transaction' \
           ELSE concat_ws(', ', concat_ws(' of ', 'session ' || p.pid, h.usename), \
           nullif(h.application_name, '')) END AS what FROM (\
           SELECT a.pid FROM pg_stat_activity a WHERE a.datname = current_database() \
           AND a.usename = session_user AND a.application_name = 'chinwag' \
           AND a.wait_event_type = 'Lock' \
           AND a.wait_event IN ('relation', 'transactionid', 'tuple') \
           AND a.state_change < clock_timestamp() - interval '1 second' OFFSET 0) w \
           CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS p(pid) \
           LEFT JOIN pg_stat_activity h ON h.pid = p.pid \
           WHERE (h.application_name = 'chinwag') IS NOT TRUE \
           ORDER BY 1 LIMIT 3) b)",
};

/// What an engine says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "it is a row of an answer, not a state")]
pub struct Engine {
    /// Its version: `150018` is 15.18.
    pub version: i64,
    /// It replays the log of a primary, and takes no writes until it is promoted.
    pub is_standby: bool,
    /// It takes no writes.
    pub is_read_only: bool,
    /// Which standbys a commit waits for, empty if for none.
    pub standby_names: Box<str>,
    /// What a commit of this session waits for.
    pub commit: Box<str>,
    /// It has the disk keep what it writes.
    pub syncs: bool,
    /// It survives a page that was written in half.
    pub writes_full_pages: bool,
    /// The encoding of the database.
    pub encoding: Box<str>,
    /// We may make a schema.
    pub may_create: bool,
    /// How many standbys a commit waits for are connected; 0 as well if we may not know.
    pub synchronous: i64,
    /// How many standbys are connected.
    pub connected: i64,
    /// There is a schema of our name.
    pub has_schema: bool,
    /// It is one of ours.
    pub has_meta: bool,
    /// The number of the session, as the engine has it.
    pub process: i64,
    /// The timeline, which changes with each promotion; `None` of a standby.
    pub timeline: Option<Box<str>>,
    /// What statements of ours have waited for longer than a second, and who holds it, if that is
    /// none of ours.
    pub locked: Option<Box<str>>,
}

impl Engine {
    /// Reads the answer to [`LOOK`].
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is another answer.
    pub fn read(row: &Row) -> Result<Self, WrongType> {
        Ok(Self {
            version: row.int(0)?,
            is_standby: row.bool(1)?,
            is_read_only: row.bool(2)?,
            standby_names: row.text(3)?.into(),
            commit: row.text(4)?.into(),
            syncs: row.bool(5)?,
            writes_full_pages: row.bool(6)?,
            encoding: row.text(7)?.into(),
            may_create: row.bool(8)?,
            synchronous: row.int(9)?,
            connected: row.int(10)?,
            has_schema: row.bool(11)?,
            has_meta: row.bool(12)?,
            process: row.int(13)?,
            timeline: row.text_or_null(14)?.map(Into::into),
            locked: row.text_or_null(15)?.map(Into::into),
        })
    }

    /// What a commit survives.
    #[must_use]
    pub fn level(&self) -> Level {
        match &*self.commit {
            _ if !self.syncs || !self.writes_full_pages => Level::Nothing,
            "off" => Level::Nothing,
            "on" | "remote_apply" if !self.standby_names.is_empty() => Level::Replicated,
            // Also of `local` and `remote_write`: what a standby has in its memory only may go with
            // the primary.
            _ => Level::Disk,
        }
    }

    /// What is wrong with it. `process` is the number of the session as the login has said it, and
    /// `schema` the version of the schema, if there is one of ours.
    #[must_use]
    pub fn faults(&self, process: i32, schema: Option<&str>) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.version < VERSION_MIN {
            faults.push(Fault::TooOld(self.version));
        }
        if self.process != i64::from(process) {
            faults.push(Fault::Pooler);
        }
        if &*self.encoding != "UTF8" {
            faults.push(Fault::Encoding(self.encoding.clone()));
        }
        if self.is_standby {
            faults.push(Fault::Standby);
        } else if self.is_read_only {
            faults.push(Fault::ReadOnly);
        }
        if !self.syncs {
            faults.push(Fault::Unsynced("fsync"));
        }
        if !self.writes_full_pages {
            faults.push(Fault::Unsynced("full_page_writes"));
        }
        if &*self.commit == "off" {
            faults.push(Fault::Unsynced("synchronous_commit"));
        }
        if let Some(locked) = &self.locked {
            faults.push(Fault::Locked(locked.clone()));
        }
        // It may be the schema's version that is waited for.
        if self.locked.is_none() || schema.is_some() {
            faults.extend(self.schema_fault(schema));
        }
        if self.standby_names.is_empty() && self.connected > 0 && !self.is_standby {
            faults.push(Fault::Asynchronous(self.connected));
        }
        faults
    }

    fn schema_fault(&self, schema: Option<&str>) -> Option<Fault> {
        if !self.has_schema {
            return Some(if self.may_create { Fault::NoSchema } else { Fault::MayNotCreate });
        }
        if !self.has_meta {
            return Some(Fault::ForeignSchema);
        }
        let parts = schema.and_then(|schema| schema.split_once('.'));
        let numbers = parts.map(|(version, more)| (version.parse::<i64>(), more.parse::<i64>()));
        match numbers {
            Some((Ok(SCHEMA_VERSION), Ok(additions))) if additions >= ADDITIONS_VERSION => None,
            Some((Ok(SCHEMA_VERSION), Ok(_))) => Some(Fault::OlderSchema),
            Some((Ok(version), _)) if version > SCHEMA_VERSION => Some(Fault::NewerSchema(version)),
            Some(_) | None => Some(Fault::ForeignSchema),
        }
    }
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not even a crash of the engine.
    Nothing,
    /// A crash of the engine and of its machine, not the loss of its disk.
    Disk,
    /// The loss of the primary, too.
    Replicated,
}

impl Level {
    /// The word that stands in the protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Disk => "disk",
            Self::Replicated => "replicated",
        }
    }
}

/// What is wrong with an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has this version.
    TooOld(i64),
    /// A program between us and the engine gives each transaction another session.
    Pooler,
    /// The database has this encoding.
    Encoding(Box<str>),
    /// It is a standby.
    Standby,
    /// It takes no writes.
    ReadOnly,
    /// This setting lets it lose what it has confirmed.
    Unsynced(&'static str),
    /// Somebody holds this, and what is asked waits for it.
    Locked(Box<str>),
    /// Commits wait for none of so many standbys.
    Asynchronous(i64),
    /// There is no schema, and we could make it.
    NoSchema,
    /// There is no schema, and we may not make it.
    MayNotCreate,
    /// There is a schema of our name that is not ours.
    ForeignSchema,
    /// The schema is of a newer version of the program.
    NewerSchema(i64),
    /// It lacks what was added to the schema since.
    OlderSchema,
}

impl Fault {
    /// Whether the engine can be used in spite of it.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(self, Self::Asynchronous(_))
    }
}

/// In a sentence, with what to change.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(version) => write!(
                f,
                "PostgreSQL {} is too old: use {} or later",
                version / 10_000,
                VERSION_MIN / 10_000
            ),
            Self::Pooler => f.write_str(
                "this is a pooler, in which no session is ours: connect to PostgreSQL itself, or \
                 have it pool whole sessions without giving them numbers of its own",
            ),
            Self::Encoding(encoding) => write!(
                f,
                "the database is encoded in {encoding}: make one with CREATE DATABASE … ENCODING \
                 'UTF8' TEMPLATE template0"
            ),
            Self::Standby => f.write_str("it is a standby: name the primary, too"),
            Self::ReadOnly => f.write_str(
                "it takes no writes: set default_transaction_read_only = off for this user and \
                 database",
            ),
            Self::Unsynced(setting) => write!(
                f,
                "{setting} is off, so that it loses what it has confirmed: set {setting} = on"
            ),
            Self::Locked(locked) => write!(
                f,
                "{locked}, and everything waits for that: it goes on by itself when that \
                 transaction ends, or is ended by pg_terminate_backend"
            ),
            Self::Asynchronous(count) => write!(
                f,
                "a commit waits for none of its {count} standbys, and a failover would lose \
                 messages: set synchronous_standby_names = 'ANY 1 (*)', on each of them, too"
            ),
            Self::NoSchema => f.write_str("it has no schema yet: run chinwag cluster init"),
            Self::MayNotCreate => f.write_str(
                "it has no schema, and this user may not make one: GRANT CREATE ON DATABASE … TO …",
            ),
            Self::ForeignSchema => {
                f.write_str("its schema chinwag was not made by this program: use another database")
            }
            Self::OlderSchema => f.write_str(
                "its schema lacks what this program needs: run chinwag cluster init, which adds \
                 it; nodes of the older program can go on",
            ),
            Self::NewerSchema(version) => write!(
                f,
                "its schema has version {version}, and this program knows {SCHEMA_VERSION}: use \
                 the newer program"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Engine {
        Engine {
            version: 150_018,
            is_standby: false,
            is_read_only: false,
            standby_names: "ANY 1 (*)".into(),
            commit: "on".into(),
            syncs: true,
            writes_full_pages: true,
            encoding: "UTF8".into(),
            may_create: true,
            synchronous: 1,
            connected: 1,
            has_schema: true,
            has_meta: true,
            process: 7,
            timeline: Some("00000001".into()),
            locked: None,
        }
    }

    #[test]
    fn each_engine_is_told_what_is_wrong_with_it() {
        let none = Box::<str>::default;
        let without = Engine { has_schema: false, has_meta: false, ..engine() };
        for (engine, schema, expect) in [
            (engine(), Some("1.8"), vec![]),
            (Engine { version: 140_012, ..engine() }, Some("1.8"), vec![Fault::TooOld(140_012)]),
            (Engine { process: 8, ..engine() }, Some("1.8"), vec![Fault::Pooler]),
            (
                Engine { encoding: "SQL_ASCII".into(), ..engine() },
                Some("1.8"),
                vec![Fault::Encoding("SQL_ASCII".into())],
            ),
            (
                Engine { is_standby: true, is_read_only: true, ..engine() },
                Some("1.8"),
                vec![Fault::Standby],
            ),
            (Engine { is_read_only: true, ..engine() }, Some("1.8"), vec![Fault::ReadOnly]),
            (Engine { syncs: false, ..engine() }, Some("1.8"), vec![Fault::Unsynced("fsync")]),
            (
                Engine { writes_full_pages: false, commit: "off".into(), ..engine() },
                Some("1.8"),
                vec![Fault::Unsynced("full_page_writes"), Fault::Unsynced("synchronous_commit")],
            ),
            (
                Engine { locked: Some("a row is locked".into()), ..engine() },
                None,
                vec![Fault::Locked("a row is locked".into())],
            ),
            (
                Engine { standby_names: none(), ..engine() },
                Some("1.8"),
                vec![Fault::Asynchronous(1)],
            ),
            (Engine { standby_names: none(), connected: 0, ..engine() }, Some("1.8"), vec![]),
            (without.clone(), None, vec![Fault::NoSchema]),
            (Engine { may_create: false, ..without }, None, vec![Fault::MayNotCreate]),
            (Engine { has_meta: false, ..engine() }, None, vec![Fault::ForeignSchema]),
            (engine(), Some("new"), vec![Fault::ForeignSchema]),
            (engine(), Some("1.8"), vec![]),
            (engine(), Some("1.9"), vec![]),
            (engine(), Some("1.0"), vec![Fault::OlderSchema]),
            (engine(), Some("1.1"), vec![Fault::OlderSchema]),
            (engine(), Some("1.2"), vec![Fault::OlderSchema]),
            (engine(), Some("1.3"), vec![Fault::OlderSchema]),
            (engine(), Some("1.4"), vec![Fault::OlderSchema]),
            (engine(), Some("1.5"), vec![Fault::OlderSchema]),
            (engine(), Some("1.6"), vec![Fault::OlderSchema]),
            (engine(), Some("1.7"), vec![Fault::OlderSchema]),
            (engine(), Some("2.0"), vec![Fault::NewerSchema(2)]),
        ] {
            assert_eq!(engine.faults(7, schema), expect, "{engine:?} {schema:?}");
        }
    }

    #[test]
    fn a_level_is_claimed_only_if_the_settings_give_it() {
        let set = |commit: &str, standby_names: &str, syncs, writes_full_pages| Engine {
            commit: commit.into(),
            standby_names: standby_names.into(),
            syncs,
            writes_full_pages,
            ..engine()
        };
        for (engine, expect) in [
            (set("on", "*", true, true), Level::Replicated),
            (set("remote_apply", "*", true, true), Level::Replicated),
            (set("remote_write", "*", true, true), Level::Disk),
            (set("local", "*", true, true), Level::Disk),
            (set("on", "", true, true), Level::Disk),
            (set("off", "*", true, true), Level::Nothing),
            (set("on", "*", false, true), Level::Nothing),
            (set("on", "*", true, false), Level::Nothing),
        ] {
            assert_eq!(engine.level(), expect, "{engine:?}");
        }
    }
}
