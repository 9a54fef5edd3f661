//! The statements by which everything is written into an engine, or read.

use crate::pg::Statement;

pub(super) const CONTENTS: Statement = Statement {
    name: "contents",
    sql: "SELECT (SELECT count(*) FROM (SELECT FROM chinwag.room LIMIT 1000) r), \
          (SELECT count(*) FROM (SELECT FROM chinwag.people LIMIT 1000) p), \
          (SELECT count(*) FROM chinwag.node n \
          WHERE n.beat > (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 10000), \
          (SELECT m.value FROM chinwag.meta m WHERE m.key = 'came by')",
};

pub(super) const CAME_BY: Statement =
    Statement { name: "came_by", sql: "INSERT INTO chinwag.meta VALUES ('came by', $1::text)" };

pub(super) const PUT_ROOMS: Statement = Statement {
    name: "put_rooms",
    sql: "INSERT INTO chinwag.room (id, name, epoch, head, oldest, at, bytes, private, owned, \
          policy, topic, topic_by) OVERRIDING SYSTEM VALUE \
          SELECT id, name, epoch, head, oldest, at, bytes, private <> 0, owned <> 0, policy, \
          coalesce(topic, ''), topic_by FROM unnest($1::bigint[], $2::text[], $3::bigint[], \
          $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], \
          $10::text[], $11::text[], $12::text[]) AS u(id, name, epoch, head, oldest, at, bytes, \
          private, owned, policy, topic, topic_by)",
};

/// So that new rooms get other numbers.
pub(super) const COUNT_ROOMS_ON: Statement = Statement {
    name: "count_rooms_on",
    sql: "SELECT setval(pg_get_serial_sequence('chinwag.room', 'id'), max(r.id)) \
          FROM chinwag.room r HAVING max(r.id) IS NOT NULL",
};

pub(super) const PUT_LOOKALIKES: Statement = Statement {
    name: "put_lookalikes",
    sql: "INSERT INTO chinwag.lookalike SELECT kind, form, name \
          FROM unnest($1::bigint[], $2::text[], $3::text[]) AS u(kind, form, name) \
          ON CONFLICT DO NOTHING",
};

pub(super) const PUT_FORMER: Statement = Statement {
    name: "put_former",
    sql: "INSERT INTO chinwag.former (name, room, nth) \
          SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])",
};

pub(super) const PUT_MEMBERS: Statement = Statement {
    name: "put_members",
    sql: "INSERT INTO chinwag.member (room, name, role, recv, read, joined) SELECT * FROM \
          unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])",
};

pub(super) const PUT_RESTRICTIONS: Statement = Statement {
    name: "put_restrictions",
    sql: "INSERT INTO chinwag.restriction (room, name, kind, until, at, reason, \"by\") \
          SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], \
          $5::bigint[], $6::text[], $7::text[])",
};

/// A `cid` that is used again after it was forgotten is the later message's. It is planned while
/// the table has nothing, and must be quick when it has millions: so each is looked up by itself,
/// and only by its index.
pub(super) const FREE_CIDS: Statement = Statement {
    name: "free_cids",
    sql: "UPDATE chinwag.record r SET cid = NULL \
          FROM unnest($2::text[], $3::text[]) AS u(sender, cid) CROSS JOIN LATERAL ( \
          SELECT x.ctid AS place FROM chinwag.record x WHERE x.room = $1::bigint \
          AND x.sender = u.sender AND x.cid = u.cid AND x.cid IS NOT NULL LIMIT 1 OFFSET 0) f \
          WHERE r.ctid = f.place",
};

pub(super) const PUT_RECORDS: Statement = Statement {
    name: "put_records",
    sql: "INSERT INTO chinwag.record (room, seq, at, weight, kind, sender, target, who, number, \
          text, data, cid, reply_to, thread, edited) SELECT $1::bigint, u.* FROM unnest( \
          $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[], \
          $8::text[], $9::bigint[], $10::text[], $11::text[], $12::text[], $13::bigint[], \
          $14::bigint[], $15::bigint[]) AS u",
};

/// Of what was sent with these, nobody has a hash that the engine could make: an empty one stands
/// for whatever it was.
pub(super) const PUT_CIDS: Statement = Statement {
    name: "put_cids",
    sql: "INSERT INTO chinwag.sent (room, sender, cid, seq, at, said) \
          SELECT u.room, u.sender, u.cid, u.seq, u.at, '' FROM unnest($1::bigint[], $2::text[], \
          $3::text[], $4::bigint[], $5::bigint[]) AS u(room, sender, cid, seq, at) \
          WHERE EXISTS (SELECT 1 FROM chinwag.room r WHERE r.id = u.room) \
          AND NOT EXISTS (SELECT 1 FROM chinwag.record x WHERE x.room = u.room \
          AND x.sender = u.sender AND x.cid = u.cid AND x.cid IS NOT NULL AND x.kind = 0 \
          AND x.edited IS NULL) ON CONFLICT DO NOTHING",
};

/// What was deleted keeps its `cid` beside the one that is kept apart, so that a message that is
/// repeated is not taken for a new one.
pub(super) const KEEP_CIDS: Statement = Statement {
    name: "keep_cids",
    sql: "UPDATE chinwag.record x SET cid = u.cid FROM unnest($1::bigint[], $2::text[], \
          $3::text[], $4::bigint[], $5::bigint[]) AS u(room, sender, cid, seq, at) \
          WHERE x.room = u.room AND x.seq = u.seq AND x.sender = u.sender AND x.cid IS NULL \
          AND x.kind = 1 AND NOT EXISTS (SELECT 1 FROM chinwag.record y WHERE y.room = u.room \
          AND y.sender = u.sender AND y.cid = u.cid AND y.cid IS NOT NULL)",
};

pub(super) const PUT_REVOKED: Statement = Statement {
    name: "put_revoked",
    sql: "INSERT INTO chinwag.people (kind, key, numbers, texts) SELECT $1::bigint, u.what, \
          ARRAY[u.at, u.until, NULL, NULL], ARRAY[NULL, NULL, NULL, NULL, NULL, NULL]::text[] \
          FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS u(what, at, until)",
};

/// The next rooms whose members and restrictions are not too many together, but at least one.
pub(super) const ROOM_NAMES: Statement = Statement {
    name: "room_names",
    sql: "SELECT n.id, n.name FROM (SELECT r.id, r.name, c.facts, \
          sum(c.facts) OVER (ORDER BY r.id) AS facts_up_to FROM (SELECT * FROM chinwag.room \
          WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint) r CROSS JOIN LATERAL (SELECT \
          (SELECT count(*) FROM chinwag.member m WHERE m.room = r.id) \
          + (SELECT count(*) FROM chinwag.restriction x WHERE x.room = r.id) AS facts) c) n \
          WHERE n.facts_up_to - n.facts < $3::bigint ORDER BY n.id",
};

/// The last of the next records that are not too heavy together, but at least of one.
pub(super) const LAST_OF_PAGE: Statement = Statement {
    name: "last_of_page",
    sql: "SELECT max(w.seq) FROM (SELECT r.seq, r.weight, \
          sum(r.weight::bigint) OVER (ORDER BY r.seq) AS weight_up_to FROM (SELECT seq, weight \
          FROM chinwag.record WHERE room = $1::bigint AND seq > $2::bigint \
          AND seq >= (SELECT oldest FROM chinwag.room WHERE id = $1::bigint) ORDER BY seq \
          LIMIT $3::bigint) r) w WHERE w.weight_up_to - w.weight < $4::bigint",
};

pub(super) const CIDS: Statement = Statement {
    name: "cids",
    sql: "SELECT s.room, s.sender, s.cid, s.seq, s.at FROM chinwag.sent s \
          WHERE (s.at, s.room, s.sender, s.cid) > ($1::bigint, $2::bigint, $3::text, $4::text) \
          ORDER BY s.at, s.room, s.sender, s.cid LIMIT $5::bigint",
};

pub(super) const ACTS: Statement = Statement {
    name: "acts",
    sql: "SELECT a.id, a.at, a.\"by\", a.act, a.whom, a.room FROM chinwag.audit a \
          WHERE a.id > $1::bigint ORDER BY a.id LIMIT $2::bigint",
};
