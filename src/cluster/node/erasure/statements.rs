//! What an erasure asks of the engine. `$1` is the user, unless something else is said.

use super::super::statements::record_row;
use crate::pg::Statement;

/// Whether the topic of the room `r` is the user's. Where it is not known who has set it, the last
/// record that did says so, or else the owner has.
macro_rules! is_topic_of_user {
    () => {
        "(r.topic_by = $1::text OR r.topic <> '' AND r.topic_by IS NULL AND $1::text = coalesce((\
         SELECT f.sender FROM chinwag.record f WHERE f.room = r.id AND f.kind = 5 \
         ORDER BY f.seq DESC LIMIT 1), (SELECT o.name FROM chinwag.member o WHERE o.room = r.id \
         AND o.name = $1::text AND o.role = 3)))"
    };
}

/// Whether the reason of the restriction `x` is the user's. Where it is not known who has given it,
/// the last record about it says so, or else whoever may order one has.
macro_rules! is_reason_of_user {
    () => {
        "(x.\"by\" = $1::text OR x.reason <> '' AND x.\"by\" IS NULL AND $1::text = coalesce((\
         SELECT f.sender FROM chinwag.record f WHERE f.room = x.room AND f.who = x.name \
         AND f.kind = CASE x.kind WHEN 0 THEN 7 ELSE 9 END ORDER BY f.seq DESC LIMIT 1), (\
         SELECT o.name FROM chinwag.member o WHERE o.room = x.room AND o.name = $1::text \
         AND o.role >= 2)))"
    };
}

/// Whether the room `r` is a conversation of the user's.
macro_rules! is_conversation_of_user {
    () => {
        "(left(r.name, 1) = '@' \
         AND $1::text IN (split_part(substr(r.name, 2), ':', 1), split_part(r.name, ':', 2)))"
    };
}

macro_rules! statement {
    ($($name:ident, $text:literal, $sql:expr;)*) => {
        $(pub(super) const $name: Statement = Statement { name: $text, sql: $sql };)*
    };
}

statement! {
    BEGIN, "erase_begin", "BEGIN";
    // What is locked is free again soon, should whoever erases be stopped or cut off.
    PATIENCE, "erase_patience", "SELECT set_config('idle_in_transaction_session_timeout', '1s', true)";
    COMMIT, "erase_commit", "COMMIT";
    NAP, "erase_nap", "SELECT 1::bigint FROM pg_sleep(0.25)";

    // How much there is of the user, without records.
    TRACES, "erase_traces", concat!(
        "SELECT (SELECT count(*) FROM chinwag.member m WHERE m.name = $1::text), ",
        "(SELECT count(*) FROM chinwag.restriction x WHERE x.name = $1::text) ",
        "+ (SELECT count(*) FROM chinwag.people p WHERE p.kind = 7 AND $1::text = ANY (string_to_array(p.key, ' ')) ",
        "OR p.kind = 8 AND $1::text IN (p.texts[1], p.texts[2])), ",
        "(SELECT count(*) FROM chinwag.room r WHERE ", is_conversation_of_user!(), "), ",
        "(SELECT count(*) FROM chinwag.people p WHERE p.key = $1::text ",
        "AND (p.kind = 0 AND p.numbers[1] <> 6 OR p.kind IN (1, 4, 10)))");
    // Of the next records behind `$2` and `$3`, `$4` of them: the last one, how many are messages
    // of the user's, and how many have its name.
    COUNT, "erase_count",
        "WITH look AS MATERIALIZED (SELECT x.room, x.seq, x.kind, x.sender, x.who \
         FROM chinwag.record x WHERE (x.room, x.seq) > ($2::bigint, $3::bigint) \
         ORDER BY x.room, x.seq LIMIT $4::bigint) \
         SELECT l.room, l.seq, (SELECT count(*) FROM look k WHERE k.sender = $1::text AND k.kind = 0), \
         (SELECT count(*) FROM look k WHERE k.sender = $1::text OR k.who = $1::text) \
         FROM look l ORDER BY l.room DESC, l.seq DESC LIMIT 1";

    // What says that an erasure has begun: a key and what stands for the user.
    MARK, "erase_mark",
        "INSERT INTO chinwag.meta AS m VALUES ($1::text, $2::text) ON CONFLICT (key) DO UPDATE SET value = m.value \
         RETURNING m.value";
    MARKED, "erase_marked", "SELECT m.value FROM chinwag.meta m WHERE m.key = $1::text";
    UNMARK, "erase_unmark", "DELETE FROM chinwag.meta WHERE key = $1::text";
    // The rooms in which something was changed, by the same key, and what stands there for the
    // user.
    TOUCH, "erase_touch",
        "INSERT INTO chinwag.meta AS m SELECT $1::text || ' ' || u.id, coalesce(u.name, '') \
         FROM unnest($2::bigint[], $3::text[]) AS u(id, name) ON CONFLICT (key) DO NOTHING";
    TOUCHED, "erase_touched",
        "SELECT substr(m.key, length($1::text) + 2)::bigint FROM chinwag.meta m \
         WHERE starts_with(m.key, $1::text || ' ') ORDER BY m.key LIMIT $2::bigint";
    STAND_INS, "erase_stand_ins",
        "SELECT substr(m.key, length($1::text) + 2)::bigint, m.value FROM chinwag.meta m \
         WHERE starts_with(m.key, $1::text || ' ') AND m.value <> ''";
    UNTOUCH, "erase_untouch",
        "DELETE FROM chinwag.meta m USING unnest($2::bigint[]) AS u(id) WHERE m.key = $1::text || ' ' || u.id";

    // Sessions that are live are ended by their nodes, which then take the rows away.
    END_SESSIONS, "erase_end_sessions",
        "UPDATE chinwag.session SET taken = true, lost = false, guest = NULL, \
         ended = (extract(epoch FROM clock_timestamp()) * 1000)::bigint \
         WHERE name = $1::text AND ended IS NULL AND NOT taken";
    // How many of them are left at nodes that are there, and how many nodes are.
    LIVE, "erase_live",
        "WITH n AS MATERIALIZED (SELECT n.id FROM chinwag.node n \
         WHERE n.beat > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 10000) \
         SELECT (SELECT count(*) FROM chinwag.session s JOIN n ON n.id = s.node WHERE s.name = $1::text AND s.taken), \
         (SELECT count(*) FROM n)";

    // The next rooms above `$2` in which there is something of the user's besides records.
    ROOMS, "erase_rooms", concat!(
        "SELECT a.room FROM (SELECT m.room FROM chinwag.member m WHERE m.name = $1::text UNION ",
        "SELECT x.room FROM chinwag.restriction x WHERE x.name = $1::text OR ", is_reason_of_user!(), " UNION ",
        "SELECT r.id FROM chinwag.room r WHERE ", is_topic_of_user!(), " OR ", is_conversation_of_user!(),
        ") a JOIN chinwag.room e ON e.id = a.room WHERE a.room > $2::bigint ORDER BY a.room LIMIT $3::bigint");
    // `$1` rooms: locked, in the order of their ids.
    LOCK, "erase_lock",
        "SELECT r.id, r.name, r.epoch FROM chinwag.room r WHERE r.id = ANY ($1::bigint[]) \
         ORDER BY r.id FOR NO KEY UPDATE";
    // `$1` the room, `$2` its name, `$3` its epoch.
    RENAME, "erase_rename",
        "UPDATE chinwag.room SET name = $2::text, epoch = $3::bigint, version = version + 1 WHERE id = $1::bigint";
    // Of these rooms `$2` those whose only owner the user is: whether one is needed, and who
    // follows.
    HEIRS, "erase_heirs",
        "SELECT r.id, r.name, (r.private OR EXISTS (SELECT 1 FROM chinwag.member o WHERE o.room = r.id \
         AND o.name <> $1::text))::integer::bigint, (SELECT o.name FROM chinwag.member o WHERE o.room = r.id \
         AND o.name <> $1::text AND (o.role = 2 OR o.role = 1 AND NOT EXISTS (SELECT 1 FROM chinwag.restriction x \
         WHERE x.room = o.room AND x.name = o.name AND x.kind IN (1, 3) \
         AND (x.until IS NULL OR x.until > $3::bigint))) ORDER BY o.role DESC, o.joined, o.name LIMIT 1) \
         FROM chinwag.member m JOIN chinwag.room r ON r.id = m.room AND r.owned \
         WHERE m.room = ANY ($2::bigint[]) AND m.name = $1::text AND m.role = 3 AND NOT EXISTS (\
         SELECT 1 FROM chinwag.member o WHERE o.room = r.id AND o.name <> $1::text AND o.role = 3) ORDER BY r.name";
    // `$1` becomes the owner of the room `$2`.
    APPOINT, "erase_appoint",
        "SELECT chinwag.fact_1(m.room, 2, m.name, ARRAY[3, m.recv, m.read, m.joined], \
         ARRAY[NULL, NULL, NULL]::text[], 0, NULL) FROM chinwag.member m WHERE m.room = $2::bigint AND m.name = $1::text";
    // What the user was in these rooms `$2`, as facts that all nodes read.
    CLEAR_TOPICS, "erase_clear_topics", concat!(
        "SELECT chinwag.fact_1(r.id, 1, '', ARRAY[NULL, NULL, NULL, NULL]::bigint[], ARRAY['', NULL, NULL]::text[], 0, NULL) ",
        "FROM chinwag.room r WHERE r.id = ANY ($2::bigint[]) AND ", is_topic_of_user!());
    CLEAR_REASONS, "erase_clear_reasons", concat!(
        "SELECT chinwag.fact_1(x.room, 4, x.name, ARRAY[x.kind::bigint, x.until, x.at, NULL], ",
        "ARRAY['', NULL, NULL]::text[], 0, NULL) FROM chinwag.restriction x WHERE x.room = ANY ($2::bigint[]) AND ",
        is_reason_of_user!());
    UNRESTRICT, "erase_unrestrict",
        "SELECT chinwag.fact_1(x.room, 5, x.name, ARRAY[x.kind::bigint, NULL, NULL, NULL], \
         ARRAY[NULL, NULL, NULL]::text[], 0, NULL) FROM chinwag.restriction x \
         WHERE x.room = ANY ($2::bigint[]) AND x.name = $1::text";
    LEAVE, "erase_leave",
        "SELECT chinwag.fact_1(m.room, 3, m.name, ARRAY[NULL, NULL, NULL, NULL]::bigint[], \
         ARRAY[NULL, NULL, NULL]::text[], 0, NULL) FROM chinwag.member m \
         WHERE m.room = ANY ($2::bigint[]) AND m.name = $1::text";

    // The records with the user's name among the next ones behind `$2` and `$3`, `$4` of them, with
    // what they weigh; and the last one that was looked at, with no weight.
    FIND, "erase_find",
        "WITH look AS MATERIALIZED (SELECT x.room, x.seq, x.sender, x.who, x.weight \
         FROM chinwag.record x WHERE (x.room, x.seq) > ($2::bigint, $3::bigint) \
         ORDER BY x.room, x.seq LIMIT $4::bigint) (SELECT l.room, l.seq, l.weight::bigint FROM look l \
         WHERE l.sender = $1::text OR l.who = $1::text ORDER BY l.room, l.seq) UNION ALL \
         (SELECT l.room, l.seq, NULL::bigint FROM look l ORDER BY l.room DESC, l.seq DESC LIMIT 1)";
    // `$1` rooms and `$2` seqs.
    READ, "erase_read", concat!(
        record_row!(),
        "FROM unnest($1::bigint[], $2::bigint[]) AS u(room, seq) ",
        "JOIN chinwag.record x ON x.room = u.room AND x.seq = u.seq");
    WRITE, "erase_write",
        "UPDATE chinwag.record x SET weight = u.weight, kind = u.kind, sender = u.sender, who = u.who, \
         number = u.number, text = u.text, data = u.data, cid = u.cid, reply_to = u.reply_to, thread = u.thread, \
         edited = NULL FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], \
         $7::bigint[], $8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[]) AS u(room, seq, weight, kind, \
         sender, who, number, text, data, cid, reply_to, thread) WHERE x.room = u.room AND x.seq = u.seq";
    FREE, "erase_free",
        "UPDATE chinwag.room r SET bytes = greatest(0, r.bytes - u.freed) \
         FROM unnest($1::bigint[], $2::bigint[]) AS u(id, freed) WHERE r.id = u.id";

    // Of the next rows behind `$2` to `$4`, `$5` of them, the user's go: the last one.
    SENT, "erase_sent",
        "WITH look AS MATERIALIZED (SELECT s.room, s.sender, s.cid FROM chinwag.sent s \
         WHERE (s.room, s.sender, s.cid) > ($2::bigint, $3::text, $4::text) \
         ORDER BY s.room, s.sender, s.cid LIMIT $5::bigint), \
         gone AS (DELETE FROM chinwag.sent s USING look l WHERE l.sender = $1::text AND s.room = l.room \
         AND s.sender = l.sender AND s.cid = l.cid) \
         SELECT l.room, l.sender, l.cid FROM look l ORDER BY l.room DESC, l.sender DESC, l.cid DESC LIMIT 1";
    // The same, where the last two are not looked at.
    CHANGES, "erase_changes",
        "WITH look AS MATERIALIZED (SELECT c.room, c.name FROM chinwag.change c \
         WHERE (c.room, c.name) > ($2::bigint, $3::text) ORDER BY c.room, c.name LIMIT $4::bigint), \
         gone AS (DELETE FROM chinwag.change c USING (SELECT DISTINCT k.room FROM look k WHERE k.name = $1::text) l \
         WHERE c.room = l.room AND c.name = $1::text) \
         SELECT l.room, l.name FROM look l ORDER BY l.room DESC, l.name DESC LIMIT 1";

    // `$2` of the user's files go at most: how many have.
    FILES, "erase_files", "SELECT chinwag.file_forget_2($1::text, $2::bigint)";
    // The sender before the webhooks, as `outbox.sql` locks them.
    LOCK_SENDER, "erase_lock_sender", "SELECT s.one FROM chinwag.sender s FOR UPDATE";
    EXCEPTIONS, "erase_exceptions",
        "WITH w AS (UPDATE chinwag.webhook SET \"except\" = NULL WHERE \"except\" = $1::text RETURNING name) \
         UPDATE chinwag.sender SET version = version + 1 WHERE EXISTS (SELECT 1 FROM w)";

    // These rooms `$1` go on under the epochs `$2`.
    RENEW, "erase_renew",
        "UPDATE chinwag.room r SET epoch = u.epoch, version = r.version + 1 \
         FROM unnest($1::bigint[], $2::bigint[]) AS u(id, epoch) WHERE r.id = u.id";
    FORGET, "erase_forget",
        "DELETE FROM chinwag.change c WHERE c.room = ANY ($2::bigint[]) AND c.name = $1::text";
}

/// What people have kept beside the rooms, in one transaction.
pub(super) const PEOPLE: &[Statement] = &[
    // One after the other, as `people.sql` does.
    Statement {
        name: "erase_lock_people",
        sql: "SELECT 1::bigint FROM chinwag.meta WHERE key = 'people' AND $1::text IS NOT NULL FOR UPDATE",
    },
    // The name stays taken: whoever got it would be taken for the one who is gone.
    Statement {
        name: "erase_identity",
        sql: "UPDATE chinwag.people SET other = NULL, numbers[1] = 6, \
              texts = ARRAY['', '', NULL, NULL, NULL, NULL] WHERE kind = 0 AND key = $1::text",
    },
    Statement {
        name: "erase_account",
        sql: "DELETE FROM chinwag.people WHERE kind IN (1, 4) AND key = $1::text",
    },
    Statement {
        name: "erase_logins",
        sql: "DELETE FROM chinwag.people WHERE kind = 2 AND texts[1] = $1::text",
    },
    // With what they were to be told.
    Statement { name: "erase_devices", sql: "DELETE FROM chinwag.push WHERE name = $1::text" },
    Statement {
        name: "erase_invites",
        sql: "UPDATE chinwag.people SET texts[2] = NULL WHERE kind = 3 AND texts[2] = $1::text",
    },
    Statement {
        name: "erase_blocks",
        sql: "DELETE FROM chinwag.people WHERE kind = 7 \
              AND $1::text = ANY (string_to_array(key, ' '))",
    },
    Statement {
        name: "erase_profile",
        sql: "DELETE FROM chinwag.people WHERE kind = 10 AND key = $1::text",
    },
    // With what the message said, if the user has written it, and the reason otherwise.
    Statement {
        name: "erase_reports",
        sql: "DELETE FROM chinwag.people WHERE kind = 8 AND $1::text IN (texts[1], texts[2])",
    },
    // The number that the rows above have got from their triggers.
    Statement {
        name: "erase_number",
        sql: "UPDATE chinwag.meta SET value = (value::bigint + 1)::text \
              WHERE key = 'people' AND $1::text IS NOT NULL",
    },
    // What has a name in it is not kept as what is gone either: nodes read all of it again.
    Statement {
        name: "erase_gone",
        sql: "WITH gone AS (DELETE FROM chinwag.people_gone WHERE $1::text IS NOT NULL RETURNING 1) \
              UPDATE chinwag.meta f SET value = (SELECT m.value FROM chinwag.meta m \
              WHERE m.key = 'people') WHERE f.key = 'people floor' AND EXISTS (SELECT FROM gone)",
    },
    Statement {
        name: "erase_acts_by",
        sql: "UPDATE chinwag.audit SET \"by\" = 'erased' WHERE \"by\" = $1::text",
    },
    Statement {
        name: "erase_acts",
        sql: "UPDATE chinwag.audit SET whom = 'erased' WHERE whom = $1::text",
    },
];

/// Names that are left, each by itself.
pub(super) const NAMES: &[Statement] = &[
    Statement { name: "erase_follows", sql: "DELETE FROM chinwag.follow WHERE name = $1::text" },
    Statement {
        name: "erase_lookalikes",
        sql: "DELETE FROM chinwag.lookalike WHERE kind = 0 AND name = $1::text",
    },
    // One that has begun meanwhile is ended by its node, in the next pass.
    Statement {
        name: "erase_sessions",
        sql: "DELETE FROM chinwag.session WHERE name = $1::text AND ended IS NOT NULL",
    },
    Statement { name: "erase_closed", sql: "DELETE FROM chinwag.closed WHERE \"by\" = $1::text" },
    // What rooms that are no more have left, and is not swept yet.
    Statement {
        name: "erase_left_members",
        sql: "DELETE FROM chinwag.member m WHERE m.name = $1::text \
              AND NOT EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = m.room)",
    },
    Statement {
        name: "erase_left_restrictions",
        sql: "DELETE FROM chinwag.restriction x WHERE x.name = $1::text \
              AND NOT EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = x.room)",
    },
    // No webhook is told any more what the user has done or missed.
    Statement { name: "erase_outgoing", sql: "DELETE FROM chinwag.outgoing WHERE who = $1::text" },
];
