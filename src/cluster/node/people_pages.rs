//! What is kept of people as it is read: a page at a time, in the order in which it was changed.
//!
//! A node that begins reads all of it, and from then on what was changed since: each row has the
//! number of its last change, also one that is gone (`change_people.sql`).

use std::collections::BTreeSet;

use super::people_read::AllPeople;
use crate::chat::model::account::Hidden;
use crate::pg::{Param, Row, Statement, WrongType};

/// Rows of a page, and about how many bytes: an answer has a most of bytes.
const ROWS_MAX: i64 = if cfg!(test) { 4 } else { 10_000 };
const WEIGHT_MAX: i64 = 4 * 1024 * 1024;

/// The next rows behind a change, a kind and a key: kind, key, four numbers, six texts, the number
/// of its last change, and whether the row is gone. The first one is about all: the number of the
/// last change; up to which rows that are gone are forgotten, how many are looked at, and the key
/// by which push services know the cluster.
pub(super) const PEOPLE_PAGE: Statement = Statement {
    name: "people_page",
    sql: "WITH page AS MATERIALIZED (SELECT q.*, sum(q.weight) OVER (\
          ORDER BY q.changed, q.kind, q.key) - q.weight AS before FROM (\
          (SELECT p.changed, p.kind, p.key, p.numbers, p.texts, 0::bigint AS gone, \
          (octet_length(p.key) + octet_length(p.texts::text))::bigint AS weight \
          FROM chinwag.people p WHERE (p.changed, p.kind, p.key) > \
          ($1::bigint, ($2::bigint)::smallint, $3::text) \
          ORDER BY p.changed, p.kind, p.key LIMIT $4::bigint) UNION ALL \
          (SELECT d.changed, 11::smallint, d.id::text COLLATE \"C\", \
          ARRAY[d.at, d.login, NULL, NULL]::bigint[], \
          ARRAY[d.name, d.endpoint, d.p256dh, d.auth, d.agent, NULL], 0::bigint, \
          (octet_length(d.endpoint) + 512)::bigint FROM chinwag.push d \
          WHERE (d.changed, 11::smallint, d.id::text COLLATE \"C\") > \
          ($1::bigint, ($2::bigint)::smallint, $3::text) ORDER BY 1, 2, 3 LIMIT $4::bigint) \
          UNION ALL \
          (SELECT g.changed, g.kind, g.key, NULL::bigint[], NULL::text[], 1::bigint, \
          octet_length(g.key)::bigint FROM chinwag.people_gone g \
          WHERE (g.changed, g.kind, g.key) > ($1::bigint, ($2::bigint)::smallint, $3::text) \
          AND NOT EXISTS (SELECT FROM chinwag.people p WHERE p.kind = g.kind AND p.key = g.key) \
          AND (SELECT d.id FROM chinwag.push d \
          WHERE d.id = CASE WHEN g.kind = 11 THEN g.key::bigint END) IS NULL \
          ORDER BY g.changed, g.kind, g.key LIMIT $4::bigint) \
          ORDER BY 1, 2, 3 LIMIT $4::bigint) q) \
          SELECT -1::bigint, m.value, (SELECT f.value::bigint FROM chinwag.meta f \
          WHERE f.key = 'people floor'), (SELECT count(*) FROM page), \
          NULL::bigint, NULL::bigint, (SELECT k.value FROM chinwag.meta k WHERE k.key = 'push key'), NULL::text, NULL::text, \
          NULL::text, NULL::text, NULL::text, NULL::bigint, NULL::bigint \
          FROM chinwag.meta m WHERE m.key = 'people' UNION ALL \
          (SELECT p.kind::bigint, p.key, p.numbers[1], p.numbers[2], p.numbers[3], p.numbers[4], \
          p.texts[1], p.texts[2], p.texts[3], p.texts[4], p.texts[5], p.texts[6], p.changed, p.gone \
          FROM page p WHERE p.before < $5::bigint ORDER BY p.changed, p.kind, p.key)",
};

/// Where the next page begins: behind the last change, kind and key that were read.
type Cursor = (i64, i64, Box<str>);

/// All that is kept of people, as far as it was read.
#[derive(Debug)]
pub(super) struct PeoplePages {
    pub(super) all: AllPeople,
    cursor: Cursor,
    /// The number of the last change when the first page was read, from which the next reading
    /// begins; `None` until then.
    version: Option<i64>,
    /// All of it is being read, and not what was changed since.
    is_whole: bool,
    /// What was read before all of it is read anew.
    before: Option<Box<AllPeople>>,
    /// What differs from what was taken last.
    has_changed: Changed,
}

/// Whether something has changed of people, and of who may not use the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) people: bool,
    pub(super) suspended: bool,
}

impl Default for PeoplePages {
    fn default() -> Self {
        Self {
            all: AllPeople::default(),
            cursor: above(-1),
            version: None,
            is_whole: true,
            before: None,
            has_changed: Changed::default(),
        }
    }
}

/// Behind all that was changed up to this.
fn above(version: i64) -> Cursor {
    (version, i64::from(i16::MAX), "".into())
}

impl PeoplePages {
    /// Nothing of what was read need be so any more: all of it is read anew.
    pub(super) fn restart(&mut self) {
        let all = std::mem::take(&mut self.all);
        let before = self.before.take().unwrap_or_else(|| Box::new(all));
        *self = Self { before: Some(before), has_changed: self.has_changed, ..Self::default() };
    }

    /// Calls `ask` with the parameters of the next page.
    pub(super) fn with_params<T>(&self, ask: impl FnOnce(&[Param<'_>]) -> T) -> T {
        let (changed, kind, key) = &self.cursor;
        ask(&[
            Param::Int(*changed),
            Param::Int(*kind),
            Param::Text(key),
            Param::Int(ROWS_MAX),
            Param::Int(WEIGHT_MAX),
        ])
    }

    /// Takes a page; a row that makes no sense is left out, and said in the log. Returns whether it
    /// was the last one.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is another answer.
    pub(super) fn take(&mut self, rows: &[Row]) -> Result<bool, WrongType> {
        let [head, rows @ ..] = rows else { return Err(WrongType { column: 0 }) };
        let version = head.text(1)?.parse().map_err(|_error| WrongType { column: 1 })?;
        let (floor, looked_at) = (head.int(2)?, head.int(3)?);
        let is_first = self.version.is_none();
        let since = *self.version.get_or_insert(version);
        if !self.is_whole && self.all.version < floor && is_first {
            // Some that are gone would not be noticed.
            self.restart();
            return Ok(false);
        }
        let mut stale: BTreeSet<(i64, &str)> = BTreeSet::new();
        for row in rows {
            let (kind, key) = (row.int(0)?, row.text(1)?);
            // What was changed before the first page has come once.
            if !self.is_whole || row.int(12)? > since {
                stale.insert((kind, key));
            }
            if self.before.is_none() {
                let is_suspension = AllPeople::is_of_suspensions(kind);
                self.has_changed.suspended |= is_suspension;
                self.has_changed.people |= !is_suspension;
            }
        }
        if !stale.is_empty() {
            self.all.remove(&stale);
        }
        let push_key = head.text_or_null(6)?.map(Hidden::new);
        self.has_changed.people |= self.before.is_none() && self.all.people.push_key != push_key;
        self.all.people.push_key = push_key;
        for row in rows {
            if row.int_or_null(13)? != Some(1) && self.all.read_row(row)?.is_none() {
                let (kind, key) = (row.int(0)?, row.text(1)?);
                log::error!(kind, key; "a row of people makes no sense");
            }
        }
        if let Some(last) = rows.last() {
            self.cursor = (last.int(12)?, last.int(0)?, last.text(1)?.into());
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        if count < looked_at || looked_at >= ROWS_MAX {
            return Ok(false);
        }
        // What was changed since the first page is read once more.
        self.all.version = since;
        (self.version, self.is_whole) = (None, false);
        self.cursor = above(self.all.version);
        self.all.sort();
        if let Some(before) = self.before.take() {
            self.has_changed.people |= before.people != self.all.people;
            self.has_changed.suspended |= before.suspended != self.all.suspended;
        }
        Ok(true)
    }

    /// Which parts differ from what they were when this was asked last.
    pub(super) fn changed(&mut self) -> Changed {
        std::mem::take(&mut self.has_changed)
    }
}
