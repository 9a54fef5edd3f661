//! What is asked of the engine, as statements. Those that answer about rooms have the columns of
//! [`rows`](super::rows).

use crate::pg::Statement;

/// The columns of a room `r`, without what is kept of it beside its log.
macro_rules! room_row {
    ($id:literal) => {
        concat!(
            "SELECT 0::smallint, ",
            $id,
            ", r.epoch, r.head, r.oldest, r.version, r.facts, r.at, ",
            "r.bytes, NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text, ",
            "NULL::text "
        )
    };
}

/// The columns of a record `x`.
macro_rules! record_row {
    () => {
        "SELECT 1::smallint, x.room, x.seq, x.at, x.weight::bigint, x.kind::bigint, x.target, \
         x.number, x.reply_to, x.thread, x.edited, x.sender, x.who, x.text, x.data, x.cid "
    };
}

/// The columns of a member `m` of the room `$id`, which is known since `$facts`.
macro_rules! member_row {
    () => {
        "SELECT 2::smallint, m.room, 2::bigint, m.role::bigint, m.recv, m.read, m.joined, \
         NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, m.name, NULL::text, NULL::text, \
         NULL::text, NULL::text "
    };
}

/// The columns of a restriction `x`.
macro_rules! restriction_row {
    () => {
        "SELECT 2::smallint, x.room, 4::bigint, x.kind::bigint, x.until, x.at, NULL::bigint, \
         NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, x.name, x.reason, x.\"by\", \
         NULL::text, NULL::text "
    };
}

/// A row of kind `$part` with the numbers `$one` and `$two` about the room `$room`.
macro_rules! number_row {
    ($part:literal, $room:literal, $one:literal, $two:literal) => {
        concat!(
            "SELECT ",
            $part,
            "::smallint, ",
            $room,
            "::bigint, ",
            $one,
            "::bigint, ",
            $two,
            "::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
            "NULL::bigint, NULL::bigint, NULL::text, NULL::text, NULL::text, NULL::text, NULL::text "
        )
    };
}

/// The columns of the mark `f` of a thread whose last seq is `$last`, and in which `c.count`
/// messages are unread.
macro_rules! mark_row {
    ($last:literal) => {
        concat!(
            "SELECT 8::smallint, f.room, f.thread, ",
            $last,
            ", f.read, c.count, f.at, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
            "NULL::text, NULL::text, NULL::text, NULL::text, NULL::text "
        )
    };
}

pub(super) use {mark_row, record_row};

/// The second part of the place of a record `x`: it orders those of one millisecond.
macro_rules! tie {
    () => {
        "((x.room * 31 + x.seq) & 4095)"
    };
}

/// Appends a batch: see `append.sql`.
pub(super) const APPEND: Statement = Statement {
    name: "append",
    sql: "SELECT (unnest(outcomes))::bigint, unnest(seqs), unnest(ats) FROM \
          chinwag.append_1($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
          $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], \
          $12::bigint[], $13::bigint[], $14::bigint[], $15::text[], $16::bigint[], $17::bigint[], \
          $18::bigint[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], \
          $23::bigint[], $24::bigint[], $25::text[], $26::bigint[], $27::text[], $28::bigint, \
          $29::bigint)",
};

/// Writes facts: see `facts.sql`.
pub(super) const FACTS: Statement = Statement {
    name: "facts",
    sql: "SELECT chinwag.facts_1($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
          $5::text[], $6::bigint[], $7::text[], $8::bigint)",
};

/// A room that is there or is made: its row, epoch, version, facts, head and oldest seq.
pub(super) const OPEN: Statement = Statement {
    name: "open",
    sql: "SELECT id, epoch, version, facts, head, oldest FROM \
          chinwag.open_1($1::text, $2::bigint, $3::text, $4::bigint)",
};

/// A room is no more, if it need not stay: whether it is gone.
pub(super) const DROP: Statement = Statement {
    name: "drop",
    sql: "SELECT chinwag.drop_2($1::bigint, $2::bigint, $3::bigint, $4::bigint)::integer::bigint",
};

/// A log goes on under another epoch.
pub(super) const RENEW: Statement =
    Statement { name: "renew", sql: "SELECT chinwag.renew_1($1::bigint, $2::bigint, $3::bigint)" };

/// The oldest records of a log go.
pub(super) const PRUNE: Statement = Statement {
    name: "prune",
    sql: "SELECT chinwag.prune_1($1::bigint, $2::bigint, $3::bigint, $4::bigint, $5::bigint)",
};

/// Records of dropped rooms go.
pub(super) const SWEEP: Statement =
    Statement { name: "sweep", sql: "SELECT chinwag.sweep_1($1::bigint)" };

/// What has become of rooms: each, its next records above a seq, and the facts that others than a
/// node have changed since. All of it is of one moment.
pub(super) const GROWN: Statement = Statement {
    name: "grown",
    sql: concat!(
        "WITH w AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) ",
        "AS w(room, above, facts, self)) ",
        room_row!("w.room"),
        "FROM w LEFT JOIN chinwag.room r ON r.id = w.room UNION ALL ",
        record_row!(),
        "FROM w CROSS JOIN LATERAL (SELECT * FROM chinwag.record y WHERE y.room = w.room ",
        "AND y.seq > w.above ORDER BY y.seq LIMIT $5::bigint) x UNION ALL ",
        "SELECT 2::smallint, c.room, ",
        "CASE WHEN c.kind = 2 AND m.room IS NULL THEN 3 WHEN c.kind = 4 AND x.room IS NULL THEN 5 ",
        "ELSE c.kind END::bigint, ",
        "CASE c.kind WHEN 0 THEN r.private::integer WHEN 2 THEN m.role ELSE c.sub END::bigint, ",
        "CASE c.kind WHEN 0 THEN r.owned::integer::bigint WHEN 2 THEN m.recv ELSE x.until END, ",
        "CASE c.kind WHEN 2 THEN m.read ELSE x.at END, ",
        "m.joined, NULL::bigint, NULL::bigint, NULL::bigint, c.facts, c.name, ",
        "CASE c.kind WHEN 0 THEN r.policy WHEN 1 THEN r.topic ELSE x.reason END, ",
        "CASE c.kind WHEN 1 THEN r.topic_by ELSE x.\"by\" END, NULL::text, NULL::text ",
        "FROM w JOIN chinwag.room r ON r.id = w.room ",
        "JOIN chinwag.change c ON c.room = w.room AND c.facts > w.facts AND c.node <> w.self ",
        "LEFT JOIN chinwag.member m ON c.kind = 2 AND m.room = c.room AND m.name = c.name ",
        "LEFT JOIN chinwag.restriction x ON c.kind = 4 AND x.room = c.room AND x.name = c.name ",
        "AND x.kind = c.sub"
    ),
};

/// Which of these rooms have another epoch, head or counter of facts than is known, or are gone.
pub(super) const COMPARE: Statement = Statement {
    name: "compare",
    sql: "SELECT w.room FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
          $5::bigint[]) AS w(room, epoch, head, facts, oldest) \
          LEFT JOIN chinwag.room r ON r.id = w.room \
          WHERE r.id IS NULL OR r.epoch <> w.epoch OR r.head <> w.head OR r.facts <> w.facts \
          OR r.oldest <> w.oldest",
};

/// The first records of these seqs.
pub(super) const PAGE: Statement = Statement {
    name: "page",
    sql: concat!(
        "WITH r AS (SELECT * FROM chinwag.room WHERE id = $1::bigint) ",
        room_row!("r.id"),
        "FROM r UNION ALL (",
        record_row!(),
        "FROM chinwag.record x WHERE x.room = $1::bigint ",
        "AND x.seq >= greatest($2::bigint, (SELECT oldest FROM r)) AND x.seq <= $3::bigint ",
        "ORDER BY x.seq LIMIT $4::bigint)"
    ),
};

/// The last records of these seqs.
pub(super) const BELOW: Statement = Statement {
    name: "below",
    sql: concat!(
        "WITH r AS (SELECT * FROM chinwag.room WHERE id = $1::bigint) ",
        room_row!("r.id"),
        "FROM r UNION ALL (",
        record_row!(),
        "FROM chinwag.record x WHERE x.room = $1::bigint ",
        "AND x.seq >= (SELECT oldest FROM r) AND x.seq < $2::bigint ",
        "ORDER BY x.seq DESC LIMIT $3::bigint)"
    ),
};

/// Rooms by name, or by what their names look like, and users: those asked for, those whose names
/// look like these, and both ends of direct conversations.
///
/// `$1` names of rooms, `$2` forms of rooms, `$3` names of users, `$4` forms of users, `$5` users
/// of whom all rooms are wanted, `$6` users of whom invitations are, `$7` hashes of sessions, `$8`
/// members of each room: the others are asked for by [`MEMBERS`].
///
/// Whether there is a row is asked by `LIMIT 1`, and not by `EXISTS`: for that the engine may read
/// the whole table once, by a plan of when it had few rows.
pub(super) const LOAD: Statement = Statement {
    name: "load",
    sql: concat!(
        "WITH named AS MATERIALIZED (SELECT unnest($1::text[]) AS name UNION ",
        "SELECT l.name FROM chinwag.lookalike l WHERE l.kind = 1 AND l.form = ANY ($2::text[])), ",
        "found AS MATERIALIZED (SELECT r.* FROM named n JOIN chinwag.room r ON r.name = n.name UNION ",
        "SELECT r.* FROM named n JOIN chinwag.former f ON f.name = n.name ",
        "JOIN chinwag.room r ON r.id = f.room), ",
        "who AS MATERIALIZED (SELECT unnest($3::text[]) AS name UNION ",
        "SELECT l.name FROM chinwag.lookalike l WHERE l.kind = 0 AND l.form = ANY ($4::text[]) UNION ",
        "SELECT m.name FROM found f JOIN chinwag.member m ON m.room = f.id ",
        "WHERE f.name LIKE '@%' AND m.recv = 0 AND m.read = 0) ",
        "SELECT 0::smallint, r.id, r.epoch, r.head, r.oldest, r.version, r.facts, r.at, r.bytes, ",
        "(r.private::integer + 2 * r.owned::integer)::bigint, NULL::bigint, r.name, r.policy, ",
        "r.topic, r.topic_by, NULL::text FROM found r UNION ALL ",
        member_row!(),
        "FROM found f CROSS JOIN LATERAL (SELECT * FROM chinwag.member y WHERE y.room = f.id ",
        "AND (y.room, y.name) > (f.id, '') ORDER BY y.name LIMIT $8::bigint) m UNION ALL ",
        restriction_row!(),
        "FROM found f JOIN chinwag.restriction x ON x.room = f.id UNION ALL ",
        "SELECT 2::smallint, r.id, 6::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, r.name, ",
        "string_agg(f.name, ' ' ORDER BY f.nth), NULL::text, NULL::text, NULL::text ",
        "FROM found r JOIN chinwag.former f ON f.room = r.id GROUP BY r.id, r.name UNION ALL ",
        "SELECT 3::smallint, NULL::bigint, ",
        "coalesce((SELECT 1 FROM chinwag.member m WHERE m.name = who.name LIMIT 1), 0)::bigint, ",
        "coalesce((SELECT 1 FROM chinwag.member m JOIN chinwag.room r ON r.id = m.room ",
        "WHERE m.name = who.name AND (r.name NOT LIKE '@%' OR m.recv > 0 OR m.read > 0) LIMIT 1), ",
        "0)::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, who.name, NULL::text, NULL::text, NULL::text, NULL::text ",
        "FROM who UNION ALL ",
        "SELECT 4::smallint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, m.name, r.name, ",
        "NULL::text, NULL::text, NULL::text FROM unnest($5::text[]) AS u(name) ",
        "CROSS JOIN LATERAL (SELECT * FROM chinwag.member y WHERE y.name = u.name OFFSET 0) m ",
        "JOIN chinwag.room r ON r.id = m.room UNION ALL ",
        "SELECT 4::smallint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, x.name, r.name, ",
        "NULL::text, NULL::text, NULL::text FROM unnest($6::text[]) AS u(name) ",
        "CROSS JOIN LATERAL (SELECT * FROM chinwag.restriction y WHERE y.name = u.name ",
        "AND y.kind = 2 OFFSET 0) x JOIN chinwag.room r ON r.id = x.room UNION ALL ",
        "SELECT 7::smallint, NULL::bigint, (s.guest IS NOT NULL)::integer::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, s.name, u.hash, NULL::text, NULL::text, NULL::text ",
        "FROM unnest($7::text[]) AS u(hash) CROSS JOIN LATERAL (",
        "SELECT x.* FROM chinwag.session x WHERE x.hash = u.hash UNION ALL ",
        "SELECT y.* FROM chinwag.session y WHERE y.former = u.hash) s WHERE NOT s.taken"
    ),
};

/// The next members of rooms: those behind a name, so many of each. Rooms and names are compared
/// together, as only the index of a room's members can: never that of a name's rooms.
pub(super) const MEMBERS: Statement = Statement {
    name: "members",
    sql: concat!(
        member_row!(),
        "FROM unnest($1::bigint[], $2::text[]) AS u(room, behind) CROSS JOIN LATERAL (",
        "SELECT * FROM chinwag.member y WHERE y.room = u.room ",
        "AND (y.room, y.name) > (u.room, u.behind) ORDER BY y.name LIMIT $3::bigint) m"
    ),
};

/// What an inbox shows: a place in the list, how many messages of others are unread there, how many
/// of these belong to threads, and what begins those that may name somebody; then the last messages
/// of the rooms, where they are wanted.
///
/// What is unread is walked through in the order of the seqs, and without a guess of how much of it
/// is by whom: otherwise the engine may look all of it up first, however little is counted.
///
/// `$1` rooms, `$2` read, `$3` head, `$4` whether the last message is wanted, `$5` who, `$6` the
/// most that is counted, `$7` the most records that are looked at for the last message.
pub(super) const INBOX: Statement = Statement {
    name: "inbox",
    sql: concat!(
        "WITH w AS (SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) ",
        "WITH ORDINALITY AS w(room, read, head, last, at)) ",
        "SELECT 5::smallint, w.room, w.at, c.count, c.in_threads, NULL::bigint, NULL::bigint, ",
        "NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, c.texts, NULL::text, ",
        "NULL::text, NULL::text, NULL::text FROM w CROSS JOIN LATERAL (SELECT count(*) AS count, ",
        "count(u.thread) AS in_threads, string_agg(left(u.text, 1000), chr(30)) FILTER (WHERE strpos(u.text COLLATE \"C\", '@') > 0) AS texts ",
        "FROM (SELECT x.text, x.thread FROM chinwag.record x WHERE x.room = w.room AND x.seq > w.read ",
        "AND x.seq <= w.head AND x.kind = 0 AND coalesce(x.sender, '') <> $5::text ",
        "ORDER BY x.seq LIMIT $6::bigint) u) c ",
        "UNION ALL ",
        record_row!(),
        "FROM w CROSS JOIN LATERAL (SELECT * FROM chinwag.record y WHERE w.last <> 0 ",
        "AND y.room = w.room AND y.seq <= w.head AND y.seq > w.head - $7::bigint AND y.kind = 0 ",
        "ORDER BY y.seq DESC LIMIT 1) x"
    ),
};

/// Messages that may have what is looked for, and rows of kind 6: below the highest of these places
/// (time and tie) there may be more.
///
/// `$1` what a block must have, `$2` the rooms, `$3` the terms that a message must have, `$4`
/// whether each may be the beginning of one, `$5` and `$6` the place below which messages are
/// wanted, `$7` blocks that are looked into, `$8` messages at most, `$9` messages of each room that
/// are not in the index yet, `$10` the weight of all that are not in it together.
///
/// What stands in `OFFSET 0` is looked up row by row: a plan that was made while there were few
/// rows would go through all records of a room for each of them.
///
/// `top` has the latest blocks, `found` the latest messages in them, `look` and `stale` those that
/// are not in the index: above it, or changed since. Of both, `bulk` has the latest.
pub(super) const SEARCH: Statement = Statement {
    name: "search",
    sql: concat!(
        "WITH asked AS MATERIALIZED (SELECT q.id, coalesce(s.upto, 0) AS upto ",
        "FROM unnest($2::bigint[]) AS q(id) LEFT JOIN chinwag.search s ON s.room = q.id), ",
        "block AS MATERIALIZED (SELECT w.room, w.block, w.low, least(w.high, $5::bigint) AS high ",
        "FROM chinwag.word w WHERE w.words @@ $1::text::tsquery), ",
        "top AS MATERIALIZED (SELECT b.*, row_number() OVER (ORDER BY b.high DESC, b.room DESC, ",
        "b.block DESC) AS nth FROM block b WHERE b.low <= $5::bigint ",
        "ORDER BY nth LIMIT $7::bigint + 1), ",
        "found AS MATERIALIZED (SELECT x.room, x.seq, x.at, ",
        tie!(),
        " AS tie FROM top t ",
        "JOIN chinwag.word w ON w.room = t.room AND w.block = t.block CROSS JOIN LATERAL (",
        "SELECT p.place FROM unnest(w.words) AS l(lexeme, positions, weights) ",
        "JOIN unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS q(term, beginning, nth) ",
        "ON l.lexeme = q.term OR l.lexeme = '#all' ",
        "OR (q.beginning <> 0 AND starts_with(l.lexeme, q.term)) ",
        "CROSS JOIN LATERAL unnest(l.positions) AS p(place) ",
        "GROUP BY p.place HAVING count(DISTINCT q.nth) = cardinality($3::text[])) p ",
        "CROSS JOIN LATERAL (SELECT * FROM chinwag.record y WHERE y.room = t.room ",
        "AND y.seq = t.block * 64 + p.place OFFSET 0) x ",
        "WHERE t.nth <= $7::bigint AND x.kind = 0 AND (x.at, ",
        tie!(),
        ") < ($5::bigint, $6::bigint) ",
        "ORDER BY 3 DESC, 4 DESC, 1 DESC, 2 DESC LIMIT $8::bigint), ",
        "look AS MATERIALIZED (SELECT y.* FROM asked q CROSS JOIN LATERAL (",
        "SELECT x.room, x.seq, x.at, ",
        tie!(),
        " AS tie, x.weight, row_number() OVER (ORDER BY x.seq DESC) AS nth ",
        "FROM chinwag.record x WHERE x.room = q.id AND x.seq > q.upto AND x.kind = 0 AND (x.at, ",
        tie!(),
        ") < ($5::bigint, $6::bigint) ORDER BY x.seq DESC LIMIT $9::bigint + 1) y), ",
        "stale AS MATERIALIZED (SELECT w.room, w.block, least(w.high, $5::bigint) AS high, q.upto, ",
        "row_number() OVER (ORDER BY least(w.high, $5::bigint) DESC, w.room DESC, w.block DESC) ",
        "AS nth FROM asked q CROSS JOIN LATERAL (SELECT * FROM chinwag.word y ",
        "WHERE y.room = q.id AND y.words IS NULL OFFSET 0) w ",
        "WHERE w.low <= $5::bigint ORDER BY nth LIMIT $7::bigint + 1), ",
        "bulk AS MATERIALIZED (SELECT b.room, b.seq, b.at, b.tie, sum(b.weight) OVER (",
        "ORDER BY b.at DESC, b.tie DESC, b.room DESC, b.seq DESC) AS weight FROM (",
        "SELECT l.room, l.seq, l.at, l.tie, l.weight FROM look l WHERE l.nth <= $9::bigint ",
        "UNION ALL SELECT x.room, x.seq, x.at, ",
        tie!(),
        ", x.weight FROM stale s CROSS JOIN LATERAL (SELECT * FROM chinwag.record y ",
        "WHERE y.room = s.room AND y.seq BETWEEN s.block * 64 + 1 ",
        "AND least(s.block * 64 + 64, s.upto) AND y.kind = 0 OFFSET 0) x ",
        "WHERE s.nth <= $7::bigint AND (x.at, ",
        tie!(),
        ") < ($5::bigint, $6::bigint)) b) ",
        record_row!(),
        "FROM found f CROSS JOIN LATERAL (SELECT * FROM chinwag.record y ",
        "WHERE y.room = f.room AND y.seq = f.seq OFFSET 0) x UNION ALL ",
        record_row!(),
        "FROM bulk b CROSS JOIN LATERAL (SELECT * FROM chinwag.record y ",
        "WHERE y.room = b.room AND y.seq = b.seq OFFSET 0) x WHERE b.weight <= $10::bigint UNION ALL (",
        number_row!("6", "b.room", "b.at", "b.tie"),
        "FROM bulk b WHERE b.weight > $10::bigint ORDER BY b.at DESC, b.tie DESC LIMIT 1) ",
        "UNION ALL ",
        number_row!("6", "t.room", "t.high", "4095"),
        "FROM top t WHERE t.nth > $7::bigint UNION ALL (",
        number_row!("6", "f.room", "f.at", "f.tie"),
        "FROM found f ORDER BY f.at DESC, f.tie DESC OFFSET $8::bigint - 1) UNION ALL ",
        number_row!("6", "l.room", "l.at", "l.tie"),
        "FROM look l WHERE l.nth > $9::bigint UNION ALL ",
        number_row!("6", "s.room", "s.high", "4095"),
        "FROM stale s WHERE s.nth > $7::bigint"
    ),
};

/// Blocks that are not in the index of words as they are now: those changed since, and those above
/// it of the next rooms.
///
/// `$1` the room behind which to look, `$2` how many rooms, `$3` how many blocks of each kind. The
/// rows: part, room, four numbers, text. Part 0 is the last room that was looked at, 1 a block
/// (number, edits, up to which seq, whether it is above the index), 2 a message (seq, time, its
/// text unless that is very long). Records are looked up by block: a plan that was made while there
/// were few would go through all of them.
pub(super) const UNINDEXED: Statement = Statement {
    name: "unindexed",
    sql: "WITH look AS MATERIALIZED (SELECT r.id, r.head, r.oldest FROM chinwag.room r \
          WHERE r.id > $1::bigint ORDER BY r.id LIMIT $2::bigint), \
          ahead AS MATERIALIZED (SELECT l.id AS room, b.block FROM look l \
          LEFT JOIN chinwag.search s ON s.room = l.id CROSS JOIN LATERAL (\
          SELECT greatest(coalesce(s.upto, 0), l.oldest - 1) / 64 AS first) f \
          CROSS JOIN LATERAL generate_series(f.first, \
          least((l.head - 1) / 64, f.first + $3::bigint)) AS b(block) \
          WHERE l.head > coalesce(s.upto, 0) ORDER BY 1, 2 LIMIT $3::bigint), \
          stale AS MATERIALIZED (SELECT w.room, w.block FROM chinwag.word w WHERE w.words IS NULL \
          ORDER BY w.room, w.block LIMIT $3::bigint), \
          todo AS MATERIALIZED (SELECT t.room, t.block, max(t.ahead) AS ahead, \
          coalesce(max(s.edits), 0) AS edits, \
          coalesce(least(max(r.head), t.block * 64 + 64), 0) AS upto \
          FROM (SELECT a.room, a.block, 1 AS ahead FROM ahead a UNION ALL \
          SELECT s.room, s.block, 0 FROM stale s) t \
          LEFT JOIN chinwag.room r ON r.id = t.room LEFT JOIN chinwag.search s ON s.room = t.room \
          GROUP BY t.room, t.block) \
          SELECT 0::smallint, max(l.id), NULL::bigint, NULL::bigint, NULL::bigint, NULL::bigint, \
          NULL::text FROM look l WHERE (SELECT count(*) FROM look) >= $2::bigint UNION ALL \
          SELECT 1::smallint, t.room, t.block, t.edits, t.upto, t.ahead::bigint, NULL::text \
          FROM todo t UNION ALL \
          SELECT 2::smallint, x.room, x.seq, x.at, NULL::bigint, NULL::bigint, \
          CASE WHEN octet_length(x.text) <= 16384 THEN x.text END FROM todo t \
          CROSS JOIN LATERAL (SELECT * FROM chinwag.record y WHERE y.room = t.room \
          AND y.seq BETWEEN t.block * 64 + 1 AND t.upto AND y.kind = 0 OFFSET 0) x",
};

/// Puts blocks into the index of words: see `search.sql`.
pub(super) const INDEX: Statement = Statement {
    name: "index",
    sql: "SELECT chinwag.index_1($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
          $5::bigint[], $6::bigint[], $7::text[])",
};

/// The next rooms, with what retention goes by: id, name, policy, head, oldest seq, bytes, time of
/// the oldest record.
pub(super) const OVERDUE: Statement = Statement {
    name: "overdue",
    sql: "SELECT r.id, r.name, r.policy, r.head, r.oldest, r.bytes, \
          (SELECT x.at FROM chinwag.record x WHERE x.room = r.id AND x.seq >= r.oldest \
          ORDER BY x.seq LIMIT 1) FROM chinwag.room r WHERE r.id > $1::bigint \
          ORDER BY r.id LIMIT $2::bigint",
};

/// What a user has written behind a record, and all records of some rooms, with the rooms and a row
/// of kind 6: the last record that was looked at, and how many were.
///
/// `$1` who, `$2` these rooms, `$3` and `$4` room and seq of the record, `$5` records that are
/// looked at, `$6` that are wanted.
pub(super) const WRITTEN: Statement = Statement {
    name: "written",
    sql: concat!(
        "WITH look AS MATERIALIZED (SELECT x.room, x.seq, x.sender FROM chinwag.record x ",
        "WHERE (x.room, x.seq) > ($3::bigint, $4::bigint) ",
        "ORDER BY x.room, x.seq LIMIT $5::bigint), ",
        "found AS MATERIALIZED (SELECT l.room, l.seq FROM look l ",
        "JOIN chinwag.room r ON r.id = l.room AND l.seq >= r.oldest ",
        "WHERE l.sender = $1::text OR l.room = ANY ($2::bigint[]) ",
        "ORDER BY l.room, l.seq LIMIT $6::bigint) ",
        "SELECT 0::smallint, r.id, r.epoch, r.head, r.oldest, r.version, r.facts, r.at, r.bytes, ",
        "(r.private::integer + 2 * r.owned::integer)::bigint, NULL::bigint, r.name, r.policy, ",
        "r.topic, r.topic_by, NULL::text FROM chinwag.room r ",
        "WHERE r.id IN (SELECT f.room FROM found f) UNION ALL (",
        record_row!(),
        "FROM found f CROSS JOIN LATERAL (SELECT * FROM chinwag.record y ",
        "WHERE y.room = f.room AND y.seq = f.seq OFFSET 0) x ORDER BY f.room, f.seq) UNION ALL (",
        number_row!("6", "l.room", "l.seq", "(SELECT count(*) FROM look)"),
        "FROM look l ORDER BY l.room DESC, l.seq DESC LIMIT 1)"
    ),
};

/// The rooms that everybody may find, by name: conversations and private ones are not among them.
///
/// `$1` the name behind which they are, `$2` what their name or topic contains, `$3` how many.
pub(super) const DIRECTORY: Statement = Statement {
    name: "directory",
    sql: "SELECT r.name, r.topic, r.at, r.policy, (SELECT count(*) FROM chinwag.member m \
          WHERE m.room = r.id) FROM chinwag.room r WHERE r.name > $1::text AND NOT r.private \
          AND left(r.name, 1) <> '@' AND (strpos(r.name, $2::text) > 0 \
          OR strpos(lower(r.topic), $2::text) > 0) ORDER BY r.name LIMIT $3::bigint",
};

/// Changes of people: see `change_people.sql`.
pub(super) const PEOPLE: Statement = Statement {
    name: "people",
    sql: "SELECT chinwag.people_1($1::bigint[], $2::bigint[], $3::text[], $4::text[], \
          $5::bigint[], $6::text[])",
};

/// The number of the last change of people.
pub(super) const PEOPLE_VERSION: Statement = Statement {
    name: "people_version",
    sql: "SELECT value::bigint FROM chinwag.meta WHERE key = 'people'",
};
