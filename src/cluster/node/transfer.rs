//! Everything of an engine, written at once into one that has nothing, or read: for who moves to a
//! cluster and back. All of it is asked in one transaction of the caller's.

use std::collections::BTreeMap;

use super::loading::{self, Names};
use super::people::Acts;
use super::people_pages::{PEOPLE_PAGE, PeoplePages};
use super::people_read::AllPeople;
use super::room_pages::RoomPages;
use super::rows::{FactColumns, Part};
use super::statements;
pub use super::table::Ask;
use super::table::Table;
pub use super::threads::{marks, put_marks};
use super::transfer_statements::{
    ACTS, CAME_BY, CIDS, CONTENTS, COUNT_ROOMS_ON, FREE_CIDS, KEEP_CIDS, LAST_OF_PAGE, PUT_CIDS,
    PUT_FORMER, PUT_LOOKALIKES, PUT_MEMBERS, PUT_RECORDS, PUT_RESTRICTIONS, PUT_REVOKED, PUT_ROOMS,
    ROOM_NAMES,
};
use crate::chat::model::cids::KeptCid;
use crate::chat::model::columns::{Columns, signed, unsigned};
use crate::chat::model::load::{Begun, Wanted};
use crate::chat::model::log::{RoomMeta, Suspensions};
use crate::chat::model::name::{RoomName, UserName, other_form};
use crate::chat::model::people::{AuditedAct, People, PeopleChange};
use crate::chat::model::record::{Record, SharedRecord};
use crate::chat::model::suspensions::Revocation;
use crate::pg::{Param, Row, WrongType};

/// Rooms, records and the like that are asked at once.
const PAGE: i64 = 500;
/// Members and restrictions of rooms, and the bytes of records, that are asked at once: an answer
/// has a most of bytes.
const FACTS_MAX: i64 = 5_000;
const WEIGHT_MAX: i64 = 4 * 1024 * 1024;
/// Changes of people that are written at once.
const CHANGES_MAX: usize = 500;
/// The kind of the rows of revoked tokens in `chinwag.people`.
const REVOCATION: i64 = 6;

/// What an engine has, as far as it is needed to say whether something can be written into it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Rooms, at most 1,000 of them are counted.
    pub rooms: u64,
    /// Names, accounts and the like, likewise.
    pub people: u64,
    /// Nodes that were heard of within ten seconds.
    pub nodes: u64,
    /// The nonce of the move by which everything came.
    pub came_by: Option<Box<str>>,
}

/// What the engine has.
///
/// # Errors
///
/// Those of asking.
pub fn contents<A: Ask>(engine: &mut A) -> Result<Contents, A::Error> {
    let rows = engine.ask_for(CONTENTS, &[])?;
    let row = rows.first().ok_or(WrongType { column: 0 })?;
    Ok(Contents {
        rooms: unsigned(row.int(0)?),
        people: unsigned(row.int(1)?),
        nodes: unsigned(row.int(2)?),
        came_by: row.text_or_null(3)?.map(Into::into),
    })
}

/// By which move everything comes.
///
/// # Errors
///
/// Those of asking.
pub fn put_nonce<A: Ask>(engine: &mut A, nonce: &str) -> Result<(), A::Error> {
    engine.ask_for(CAME_BY, &[Param::Text(nonce)]).map(drop)
}

/// Writes rooms with what is kept of them, under the numbers that they have.
///
/// # Errors
///
/// Those of asking.
pub fn put_rooms<A: Ask>(engine: &mut A, rooms: &[Begun]) -> Result<(), A::Error> {
    let [mut table, mut members, mut restrictions, mut formers] =
        [(); 4].map(|()| Table::default());
    // What names look like, with the kind: 0 is a user's, 1 a room's.
    let mut forms: Vec<(i64, String, &str)> = Vec::new();
    for begun in rooms {
        let Some(kept) = begun.kept else { continue };
        let (mut access, mut topic) = ((0, 0, None), (None, None));
        for meta in &begun.meta {
            let FactColumns { name, numbers, texts, .. } = FactColumns::of(meta, None);
            match meta {
                RoomMeta::Access { private, owned, policy } => {
                    access = (i64::from(*private), i64::from(*owned), policy.as_deref());
                }
                RoomMeta::Topic(..) => topic = (texts[0], texts[1]),
                RoomMeta::Member(user, Some(_)) => {
                    members.int(0, kept.row);
                    members.text(1, name);
                    for (column, number) in (2..).zip(numbers) {
                        members.int(column, number);
                    }
                    let form = other_form(user.as_str());
                    forms.extend(form.map(|form| (0, form.to_string(), user.as_str())));
                }
                RoomMeta::Restriction(.., Some(_)) => {
                    restrictions.int(0, kept.row);
                    restrictions.text(1, name);
                    for (column, number) in (2..5).zip(numbers) {
                        restrictions.int(column, number);
                    }
                    restrictions.text(5, texts[0]);
                    restrictions.text(6, texts[1]);
                }
                RoomMeta::Name(_, former) => {
                    for (nth, name) in (1..).zip(former.iter().map(RoomName::as_str)) {
                        formers.text(0, name);
                        formers.int(1, kept.row);
                        formers.int(2, nth);
                        forms.extend(other_form(name).map(|form| (1, form.to_string(), name)));
                    }
                }
                RoomMeta::Member(_, None) | RoomMeta::Restriction(_, _, None) => {}
            }
        }
        table.int(0, kept.row);
        table.text(1, begun.name.as_str());
        let counters = [begun.head, begun.oldest, kept.at, kept.bytes].map(signed);
        let numbers = [begun.epoch.0.cast_signed()].into_iter().chain(counters);
        for (column, number) in (2..).zip(numbers.chain([access.0, access.1])) {
            table.int(column, number);
        }
        table.text(9, access.2);
        table.text(10, topic.0);
        table.text(11, topic.1);
        if !begun.name.is_direct() {
            let form = other_form(begun.name.as_str());
            forms.extend(form.map(|form| (1, form.to_string(), begun.name.as_str())));
        }
    }
    table.put(engine, PUT_ROOMS, None)?;
    formers.put(engine, PUT_FORMER, None)?;
    members.put(engine, PUT_MEMBERS, None)?;
    restrictions.put(engine, PUT_RESTRICTIONS, None)?;
    let mut lookalikes = Table::default();
    for (kind, form, name) in &forms {
        lookalikes.int(0, *kind);
        lookalikes.text(1, form.as_str());
        lookalikes.text(2, *name);
    }
    lookalikes.put(engine, PUT_LOOKALIKES, None)
}

/// The record that the engine cannot keep, since there is a NUL in it: the first one of these.
#[must_use]
pub fn unfit(records: &[Record]) -> Option<u64> {
    records.iter().find(|record| !Columns::of(&record.body).is_fit()).map(|record| record.seq)
}

/// Writes the next records of a room.
///
/// # Errors
///
/// Those of asking.
pub fn put_records<A: Ask>(engine: &mut A, room: i64, records: &[Record]) -> Result<(), A::Error> {
    let mut last_of: BTreeMap<(&UserName, &str), u64> = BTreeMap::new();
    for record in records {
        if let Some(cid) = Columns::of(&record.body).cid {
            last_of.insert((&record.from, cid), record.seq);
        }
    }
    let mut cids = Table::default();
    for (sender, cid) in last_of.keys() {
        cids.text(0, sender.as_str());
        cids.text(1, *cid);
    }
    // Before the records: the engine has each `cid` of a sender once, and a page written earlier
    // may have one that stands again in this page.
    cids.put(engine, FREE_CIDS, Some(room))?;
    let mut table = Table::default();
    for Record { seq, at, from, body, weight } in records {
        let columns = Columns::of(body);
        // The last one of a `cid` keeps it: it is the one that a message sent again would be
        // compared with.
        let is_last = |cid: &&str| last_of.get(&(from, *cid)) == Some(seq);
        table.int(0, signed(*seq));
        table.int(1, signed(*at));
        table.int(2, i64::from(*weight));
        table.int(3, columns.kind);
        table.text(4, from.as_str());
        table.int(5, columns.target);
        table.text(6, columns.who);
        table.int(7, columns.number);
        table.text(8, columns.text);
        table.text(9, columns.data);
        table.text(10, columns.cid.filter(is_last));
        table.int(11, columns.reply_to);
        table.int(12, columns.thread);
        table.int(13, columns.edited);
    }
    table.put(engine, PUT_RECORDS, Some(room))
}

/// Writes `cid`s that are kept apart from their messages, behind all records.
///
/// # Errors
///
/// Those of asking.
pub fn put_cids<A: Ask>(engine: &mut A, cids: &[KeptCid]) -> Result<(), A::Error> {
    let mut table = Table::default();
    for KeptCid { room, sender, cid, seq, at } in cids {
        table.int(0, *room);
        table.text(1, &**sender);
        table.text(2, &**cid);
        table.int(3, signed(*seq));
        table.int(4, signed(*at));
    }
    table.put(engine, PUT_CIDS, None)?;
    table.put(engine, KEEP_CIDS, None)
}

/// Writes what is kept of people. Returns whether it could be: it does not contradict itself.
///
/// # Errors
///
/// Those of asking.
pub fn put_people<A: Ask>(
    engine: &mut A,
    changes: &[PeopleChange],
    revoked: &[Revocation],
) -> Result<bool, A::Error> {
    for changes in changes.chunks(CHANGES_MAX) {
        let acts = Acts::of(changes);
        let rows = acts.with_params(|params| engine.ask_for(statements::PEOPLE, params))?;
        let row = rows.first().ok_or(WrongType { column: 0 })?;
        if row.int_or_null(0)?.is_none() {
            return Ok(false);
        }
    }
    let mut table = Table::default();
    for Revocation { what, at, until } in revoked {
        table.text(0, what.as_str());
        table.int(1, signed(*at));
        table.int(2, signed(*until));
    }
    table.put(engine, PUT_REVOKED, Some(REVOCATION))?;
    Ok(true)
}

/// All rooms were written.
///
/// # Errors
///
/// Those of asking.
pub fn end_rooms<A: Ask>(engine: &mut A) -> Result<(), A::Error> {
    engine.ask_for(COUNT_ROOMS_ON, &[]).map(drop)
}

/// The next rooms above this row.
///
/// # Errors
///
/// Those of asking.
pub fn rooms<A: Ask>(engine: &mut A, above: i64) -> Result<Vec<Begun>, A::Error> {
    let rows = engine
        .ask_for(ROOM_NAMES, &[Param::Int(above), Param::Int(PAGE), Param::Int(FACTS_MAX)])?;
    let mut wanted = Wanted::default();
    for row in &rows {
        let name = RoomName::stored(row.text(1)?).ok_or(WrongType { column: 1 })?;
        wanted.add_room(name, false);
    }
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut pages = RoomPages::new(wanted.rooms.len());
    let names = Names::of(&wanted);
    let mut rows = names.with_params(|params| engine.ask_for(statements::LOAD, params))?;
    while !pages.take(&rows)? {
        rows = pages.with_params(|params| engine.ask_for(statements::MEMBERS, params))?;
    }
    let parts = pages.into_parts();
    let mut rooms: Vec<Begun> = loading::rooms(&parts).into_iter().map(|(room, _)| room).collect();
    // The caller goes on above the last row.
    rooms.sort_by_key(|room| room.kept.map(|kept| kept.row));
    Ok(rooms)
}

/// The next records of a room above a seq.
///
/// # Errors
///
/// Those of asking.
pub fn records<A: Ask>(
    engine: &mut A,
    room: i64,
    above: u64,
) -> Result<Vec<SharedRecord>, A::Error> {
    let (from, most) = (Param::Int(signed(above)), Param::Int(WEIGHT_MAX));
    let rows = engine.ask_for(LAST_OF_PAGE, &[Param::Int(room), from, Param::Int(PAGE), most])?;
    // Asked first, since a page is bounded by its bytes, which only the engine knows before it
    // sends them.
    let Some(last) = rows.first().ok_or(WrongType { column: 0 })?.int_or_null(0)? else {
        return Ok(Vec::new());
    };
    let from = Param::Int(signed(above) + 1);
    let params = [Param::Int(room), from, Param::Int(last), Param::Int(PAGE)];
    let rows = engine.ask_for(statements::PAGE, &params)?;
    let record = |part| match part {
        Part::Record(_, record) => Some(record),
        _ => None,
    };
    let mut records: Vec<SharedRecord> =
        Part::read_all(&rows)?.into_iter().filter_map(record).collect();
    records.sort_by_key(|record| record.seq);
    Ok(records)
}

/// The next `cid`s that are kept apart from their messages, behind this one, by their times.
///
/// # Errors
///
/// Those of asking.
pub fn cids<A: Ask>(engine: &mut A, behind: Option<&KeptCid>) -> Result<Vec<KeptCid>, A::Error> {
    let params = [
        Param::Int(behind.map_or(-1, |cid| signed(cid.at))),
        Param::Int(behind.map_or(0, |cid| cid.room)),
        Param::Text(behind.map_or("", |cid| &cid.sender)),
        Param::Text(behind.map_or("", |cid| &cid.cid)),
        Param::Int(PAGE),
    ];
    let rows = engine.ask_for(CIDS, &params)?;
    let read = |row: &Row| {
        Ok::<_, WrongType>(KeptCid {
            room: row.int(0)?,
            sender: row.text(1)?.into(),
            cid: row.text(2)?.into(),
            seq: unsigned(row.int(3)?),
            at: unsigned(row.int(4)?),
        })
    };
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// What is kept of people, and who may not use the server.
///
/// # Errors
///
/// Those of asking.
pub fn people<A: Ask>(engine: &mut A) -> Result<(People, Suspensions), A::Error> {
    let mut pages = PeoplePages::default();
    while !pages.take(&pages.with_params(|params| engine.ask_for(PEOPLE_PAGE, params))?)? {}
    let AllPeople { people, suspended, .. } = pages.all;
    Ok((people, suspended))
}

/// The next acts of owners and administrators above this id, with the last id.
///
/// # Errors
///
/// Those of asking.
pub fn acts<A: Ask>(engine: &mut A, above: i64) -> Result<(Vec<AuditedAct>, i64), A::Error> {
    let rows = engine.ask_for(ACTS, &[Param::Int(above), Param::Int(PAGE)])?;
    let (mut last, mut acts) = (above, Vec::new());
    for row in &rows {
        last = row.int(0)?;
        let by = row.text_or_null(2)?.and_then(UserName::stored);
        let room = row.text_or_null(5)?.and_then(RoomName::stored);
        let (act, whom) = (row.text(3)?.to_owned().into(), row.text(4)?.into());
        acts.push(AuditedAct { by, act, whom, room, at: unsigned(row.int(1)?) });
    }
    Ok((acts, last))
}
