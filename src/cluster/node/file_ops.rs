//! What is asked of the engine about files, and what it answers: see `files.sql`.

use crate::chat::model::columns::{signed, unsigned};
use crate::chat::model::file::{FileId, HASH_LEN, StoredFile};
use crate::chat::model::file_rows::{
    FileAsk, FileOutcome, FileTold, FolderNode, FolderProbe, SharedFolder,
};
use crate::cluster::link::Lane;
use crate::pg::{Param, Row, Statement, WrongType};

/// Files that one sweep looks at: nobody can send one meanwhile.
const SWEEP_MAX: i64 = 32;

const PUT: Statement = Statement {
    name: "file_put",
    sql: "SELECT outcome, place, rest FROM chinwag.file_put_1($1::text, $2::text, $3::text, \
          $4::text, $5::bigint, $6::bigint, $7::bigint, $8::bigint, $9::bigint)",
};

const AGAIN: Statement = Statement {
    name: "file_again",
    sql: "SELECT id, place, bytes, kind \
          FROM chinwag.file_again_1($1::text, $2::text, $3::bigint)",
};

const USED: Statement = Statement {
    name: "file_used",
    sql: "SELECT coalesce((SELECT s.bytes FROM chinwag.file_sum s WHERE s.owner = $1::text), 0), \
          coalesce((SELECT s.bytes FROM chinwag.file_sum s WHERE s.owner = ''), 0)",
};

const FIND: Statement = Statement {
    name: "file_find",
    sql: "SELECT id, place, bytes, kind::bigint FROM chinwag.file WHERE id = $1::text",
};

const UNKNOWN: Statement = Statement {
    name: "file_unknown",
    sql: "SELECT u.place FROM unnest($1::text[]) AS u(place) WHERE NOT EXISTS \
          (SELECT 1 FROM chinwag.file f WHERE f.place = u.place)",
};

const SWEEP: Statement = Statement {
    name: "file_sweep",
    sql: "SELECT chinwag.file_sweep_1($1::text[], $2::bigint, $3::bigint)",
};

const PROBE: Statement = Statement {
    name: "file_probe",
    sql: "SELECT node, name, nonce, fault \
          FROM chinwag.file_probe_1($1::bigint, $2::text, $3::text, $4::text)",
};

/// What [`read_folder`] reads, without anything being written.
pub const LOOK_AT_FOLDER: Statement = Statement {
    name: "look_at_folder",
    sql: "SELECT 0::bigint, ''::text, m.value, NULL::text FROM chinwag.meta m \
          WHERE m.key = 'files' UNION ALL (SELECT f.node, n.name, f.nonce, f.fault \
          FROM chinwag.file_node f JOIN chinwag.node n ON n.id = f.node ORDER BY f.node)",
};

/// How an answer is read; the number is this node's.
pub(super) type Read = fn(&[Row], i64) -> Result<FileTold, WrongType>;

/// What was asked, by whoever asks about files.
#[derive(Debug)]
pub(super) struct FileOp {
    /// Which of the questions it was.
    pub(super) ticket: u64,
    pub(super) read: Read,
}

/// What is asked of the engine, on which connection, and how its answer is read.
pub(super) fn statement(ask: &FileAsk) -> (Lane, Statement, Read) {
    match ask {
        FileAsk::Put { .. } => (Lane::Writer, PUT, read_put),
        FileAsk::Again { .. } => (Lane::Writer, AGAIN, read_found),
        FileAsk::Used(_) => (Lane::Reader, USED, read_used),
        FileAsk::Find(_) => (Lane::Reader, FIND, read_found),
        FileAsk::Unknown(_) => (Lane::Reader, UNKNOWN, read_unknown),
        FileAsk::Sweep { .. } => (Lane::Writer, SWEEP, read_swept),
        FileAsk::Probe(_) => (Lane::Writer, PROBE, read_folder),
    }
}

/// Calls `send` with the parameters of the statement; `own` is the number of this node.
pub(super) fn with_params<T>(ask: &FileAsk, own: i64, send: impl FnOnce(&[Param<'_>]) -> T) -> T {
    match ask {
        FileAsk::Put { file, owner, quota, waits_ms } => send(&[
            Param::Text(file.id.as_str()),
            Param::Text(file.hash.get(..HASH_LEN).unwrap_or(&file.hash)),
            Param::Text(&file.hash),
            Param::Text(owner),
            Param::Int(signed(file.bytes)),
            Param::Int(i64::from(file.kind)),
            Param::Int(signed(quota.per_user)),
            Param::Int(signed(quota.total)),
            Param::Int(signed(*waits_ms)),
        ]),
        FileAsk::Again { hash, owner, waits_ms } => {
            send(&[Param::Text(hash), Param::Text(owner), Param::Int(signed(*waits_ms))])
        }
        FileAsk::Used(owner) => send(&[Param::Text(owner)]),
        FileAsk::Find(id) => send(&[Param::Text(id.as_str())]),
        FileAsk::Unknown(places) => send(&[Param::Texts(&list(places))]),
        FileAsk::Sweep { removed, waits_ms } => send(&[
            Param::Texts(&list(removed)),
            Param::Int(signed(*waits_ms)),
            Param::Int(SWEEP_MAX),
        ]),
        FileAsk::Probe(FolderProbe { nonce, mark, fault }) => send(&[
            Param::Int(own),
            Param::Text(nonce),
            mark.as_deref().map_or(Param::Null, Param::Text),
            fault.as_deref().map_or(Param::Null, Param::Text),
        ]),
    }
}

fn list(texts: &[Box<str>]) -> Vec<Option<&str>> {
    texts.iter().map(|text| Some(&**text)).collect()
}

fn first(rows: &[Row]) -> Result<&Row, WrongType> {
    rows.first().ok_or(WrongType { column: 0 })
}

fn texts(rows: &[Row]) -> Result<Vec<Box<str>>, WrongType> {
    rows.iter().map(|row| row.text(0).map(Into::into)).collect()
}

fn read_put(rows: &[Row], _own: i64) -> Result<FileTold, WrongType> {
    let row = first(rows)?;
    Ok(FileTold::Outcome(match row.int(0)? {
        0 => FileOutcome::Stored(row.text(1)?.into()),
        1 => FileOutcome::UserFull(unsigned(row.int(2)?)),
        2 => FileOutcome::Full,
        _ => return Err(WrongType { column: 0 }),
    }))
}

fn read_found(rows: &[Row], _own: i64) -> Result<FileTold, WrongType> {
    let Some(row) = rows.first() else { return Ok(FileTold::Outcome(FileOutcome::Found(None))) };
    let id = FileId::parse(row.text(0)?).ok_or(WrongType { column: 0 })?;
    let kind = u8::try_from(row.int(3)?).map_err(|_large| WrongType { column: 3 })?;
    let file = StoredFile { id, hash: row.text(1)?.into(), bytes: unsigned(row.int(2)?), kind };
    Ok(FileTold::Outcome(FileOutcome::Found(Some(file))))
}

fn read_used(rows: &[Row], _own: i64) -> Result<FileTold, WrongType> {
    let row = first(rows)?;
    Ok(FileTold::Used(unsigned(row.int(0)?), unsigned(row.int(1)?)))
}

fn read_unknown(rows: &[Row], _own: i64) -> Result<FileTold, WrongType> {
    Ok(FileTold::Unknown(texts(rows)?))
}

fn read_swept(rows: &[Row], _own: i64) -> Result<FileTold, WrongType> {
    let mut places = texts(rows)?;
    let may_be_more = !places.is_empty();
    places.retain(|place| !place.is_empty());
    Ok(FileTold::Outcome(FileOutcome::Swept(places, may_be_more)))
}

/// The folder of files as the engine knows it; `own` is the number of the node that asks.
///
/// # Errors
///
/// [`WrongType`] if these rows are something else.
pub fn read_folder(rows: &[Row], own: i64) -> Result<FileTold, WrongType> {
    let mut folder = SharedFolder::default();
    for row in rows {
        let (node, name, nonce) = (row.int(0)?, row.text(1)?.into(), row.text(2)?.into());
        if node == 0 {
            folder.mark = Some(nonce);
            continue;
        }
        let fault = row.text_or_null(3)?.map(Into::into);
        folder.nodes.push(FolderNode { name, nonce, fault, is_own: node == own });
    }
    Ok(FileTold::Folder(folder))
}
