//! The shared log: what several machines write to and read from, in PostgreSQL.
//!
//! The schema of the engine ([`SCHEMA`], [`SCHEMA_VERSION`]), whether the engine is safe enough
//! ([`check`]), and how a node finds it and stays connected ([`link`]). Nothing here knows sockets:
//! [`crate::pg`] turns messages into bytes, and the owner of the sockets carries them.
//!
//! ```text
//!  chinwag cluster init   makes the schema, once
//!  chinwag cluster check  says of each host what it is, what it keeps, and what to change
//! ```

pub mod check;
pub mod link;
pub mod node;

use crate::pg::Statement;

/// The version of the schema that this program knows.
pub const SCHEMA_VERSION: i64 = 1;

/// What makes the schema, in one transaction.
pub const SCHEMA: &str = concat!(
    include_str!("schema.sql"),
    include_str!("facts.sql"),
    include_str!("rooms.sql"),
    include_str!("drop.sql"),
    include_str!("append.sql"),
    include_str!("people.sql"),
    include_str!("change_people.sql"),
    include_str!("sessions.sql"),
    include_str!("threads.sql"),
    include_str!("outbox.sql"),
    include_str!("search.sql"),
    include_str!("push.sql"),
    include_str!("files.sql"),
    include_str!("without_triggers.sql")
);

/// What was added to the schema since it was first made: it may be run on any schema of this
/// version, and programs that do not know of it go on.
pub const ADDITIONS: &str = concat!(
    include_str!("rooms.sql"),
    include_str!("drop.sql"),
    include_str!("append.sql"),
    include_str!("change_people.sql"),
    include_str!("sessions.sql"),
    include_str!("threads.sql"),
    include_str!("outbox.sql"),
    include_str!("search.sql"),
    include_str!("push.sql"),
    include_str!("files.sql")
);

/// What is done behind that, in a transaction of its own.
pub const ADDITIONS_BEHIND: &str = include_str!("without_triggers.sql");

/// What is made before that, each by itself and while nodes write: an index over all records.
pub const ADDITIONS_BESIDE: &[&str] =
    &["CREATE INDEX CONCURRENTLY IF NOT EXISTS record_thread ON chinwag.record \
       (room, thread, seq) WHERE thread IS NOT NULL"];

/// Indexes of which the making was cut off: they are of no use, and in the way of another attempt.
pub const BROKEN_INDEXES: Statement = Statement {
    name: "broken_indexes",
    sql: "SELECT i.indexrelid::regclass::text FROM pg_index i \
          JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
          WHERE n.nspname = 'chinwag' AND NOT i.indisvalid AND NOT EXISTS (\
          SELECT 1 FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid)",
};

/// How many times something was added.
pub const ADDITIONS_VERSION: i64 = 8;

/// The lock under which the schema is made and changed: a number that nobody else would choose.
pub const SCHEMA_LOCK: i64 = 0x6368_696e_7761_6701;

/// The settings of each session. Plans are made once, and by indexes only: what is known of a table
/// that was just made, or that grew a thousandfold, would lead elsewhere. Nothing is cancelled
/// after some time: a commit whose wait for a standby is cancelled is visible without a standby.
pub const SETTINGS: &[(&str, &str)] = &[
    ("plan_cache_mode", "force_generic_plan"),
    ("synchronous_commit", "on"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("jit", "off"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("search_path", "pg_catalog"),
    ("TimeZone", "UTC"),
];

/// The version of the schema in the engine and, behind a point, how many times something was added
/// to it, as text; fails if there is none.
pub const READ_VERSION: Statement = Statement {
    name: "version",
    sql: "SELECT m.value || '.' || coalesce((SELECT a.value FROM chinwag.meta a \
          WHERE a.key = 'additions'), '0') FROM chinwag.meta m WHERE m.key = 'schema'",
};

/// A write that is waited for as each message is: it takes as long.
pub const PROBE: Statement = Statement {
    name: "probe",
    sql: "INSERT INTO chinwag.meta AS m VALUES ('probe', '0') ON CONFLICT (key) \
          DO UPDATE SET value = (m.value::bigint + 1)::text",
};
