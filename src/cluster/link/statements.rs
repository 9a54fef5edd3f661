//! What a link asks on its own account.

use crate::pg::Statement;

/// The channel on which nodes tell each other.
pub(super) const CHANNEL: &str = "chinwag_1";

/// Hears what is told.
pub(super) const LISTEN: Statement = Statement { name: "listen", sql: "LISTEN chinwag_1" };

/// Tells these payloads. The commit is not waited for: it holds a lock that all who tell need.
pub(super) const NOTIFY: Statement = Statement {
    name: "notify",
    sql: "SELECT pg_notify('chinwag_1', payload) \
          FROM set_config('synchronous_commit', 'off', true), unnest($1::text[]) AS payload",
};

/// Which engine it is, and how many sessions of ours wait for a standby, or for one that does.
pub(super) const IDENTIFY: Statement = Statement {
    name: "identify",
    sql: "SELECT (SELECT system_identifier FROM pg_control_system()), \
          (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint, \
          (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user \
           AND application_name = 'chinwag' AND state = 'active' \
           AND state_change < clock_timestamp() - interval '1 second' \
           AND (wait_event = 'SyncRep' OR wait_event_type = 'Lock'))",
};

/// Says that this node is there, by a write that is waited for; answers with all that are, with
/// the settings that what is kept depends on, and with the engine's time in milliseconds.
pub(super) const BEAT: Statement = Statement {
    name: "beat",
    sql: "SELECT id, name, address, version, age, own, \
          concat_ws('/', current_setting('synchronous_standby_names'), \
                    current_setting('synchronous_commit'), current_setting('fsync'), \
                    current_setting('full_page_writes')), \
          (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
          FROM chinwag.beat_1($1, $2, $3, $4, $5)",
};

/// This node is no more.
pub(super) const LEAVE: Statement =
    Statement { name: "leave", sql: "DELETE FROM chinwag.node WHERE id = $1 AND nonce = $2" };
