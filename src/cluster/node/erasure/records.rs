//! The records of a user, erased lot by lot.

use std::collections::BTreeMap;

use super::super::rows::Part;
use super::super::table::{Ask, Table};
use super::{Erasure, Halt, LOOK, statements as sql};
use crate::chat::model::columns::{Columns, signed};
use crate::chat::model::edits;
use crate::chat::model::record::SharedRecord;
use crate::pg::Param;

/// Records of one transaction.
const RECORDS_MAX: usize = 500;
/// What they weigh together, but for one of them: far less than an answer may have.
const WEIGHT_MAX: i64 = 4 << 20;

/// Where a record is, and what it weighs.
#[derive(Clone, Copy)]
struct Found {
    room: i64,
    seq: i64,
    weight: i64,
}

impl<A: Ask> Erasure<'_, A> {
    /// Erases all records of the user's.
    pub(super) fn erase_records(&mut self) -> Result<(), Halt<A::Error>> {
        let mut last = (i64::MIN, 0);
        loop {
            let params = [
                Param::Text(self.user.as_str()),
                Param::Int(last.0),
                Param::Int(last.1),
                Param::Int(LOOK),
            ];
            let rows = self.engine.ask_for(sql::FIND, &params).map_err(Halt::Engine)?;
            if rows.is_empty() {
                return Ok(());
            }
            let mut found = Vec::new();
            for row in &rows {
                let (room, seq) = (row.int(0)?, row.int(1)?);
                match row.int_or_null(2)? {
                    Some(weight) => found.push(Found { room, seq, weight }),
                    // The row behind the others: up to there was looked.
                    None => last = (room, seq),
                }
            }
            let mut rest = &found[..];
            while !rest.is_empty() {
                let (lot, behind) = rest.split_at(lot_len(rest));
                self.erase_lot(lot)?;
                rest = behind;
            }
        }
    }

    /// Erases some records, in one transaction.
    fn erase_lot(&mut self, lot: &[Found]) -> Result<(), Halt<A::Error>> {
        let rooms: Vec<Option<i64>> = lot.iter().map(|found| Some(found.room)).collect();
        let seqs: Vec<Option<i64>> = lot.iter().map(|found| Some(found.seq)).collect();
        self.begin_lot()?;
        // Whoever changes a record has its room.
        let locked = self.lock(&rooms)?;
        let places = [Param::Ints(&rooms), Param::Ints(&seqs)];
        let rows = self.engine.ask_for(sql::READ, &places).map_err(Halt::Engine)?;
        let mut erased: Vec<(i64, SharedRecord)> = Vec::new();
        let mut freed: BTreeMap<i64, i64> = BTreeMap::new();
        for part in Part::read_all(&rows)? {
            let Part::Record(room, record) = part else { continue };
            let placeholder = self.stand_ins.get(&room).unwrap_or(&self.erased.placeholder);
            let Some(without) = edits::erase(&record, &self.user, placeholder) else { continue };
            let bytes = |record| Columns::of(record).text_bytes();
            let less = bytes(&record.body).saturating_sub(bytes(&without.body));
            *freed.entry(room).or_default() += i64::try_from(less).unwrap_or(0);
            erased.push((room, SharedRecord::new(without)));
        }
        self.write(&erased)?;
        let (ids, bytes): (Vec<_>, Vec<_>) =
            freed.into_iter().map(|(room, bytes)| (Some(room), Some(bytes))).unzip();
        self.ask(sql::FREE, |_, _| vec![Param::Ints(&ids), Param::Ints(&bytes)])?;
        // A room that was dropped is read by nobody.
        let there: Vec<Option<i64>> = locked.iter().map(|(id, ..)| Some(*id)).collect();
        let names = vec![None; there.len()];
        self.ask(sql::TOUCH, |key, _| vec![key, Param::Ints(&there), Param::Texts(&names)])?;
        self.end_lot()
    }

    fn write(&mut self, erased: &[(i64, SharedRecord)]) -> Result<(), Halt<A::Error>> {
        let mut table = Table::default();
        for (room, record) in erased {
            let columns = Columns::of(&record.body);
            table.int(0, *room);
            table.int(1, signed(record.seq));
            table.int(2, i64::from(record.weight));
            table.int(3, columns.kind);
            table.text(4, record.from.as_str());
            table.text(5, columns.who);
            table.int(6, columns.number);
            table.text(7, columns.text);
            table.text(8, columns.data);
            table.text(9, columns.cid);
            table.int(10, columns.reply_to);
            table.int(11, columns.thread);
        }
        table.put(self.engine, sql::WRITE, None).map_err(Halt::Engine)
    }
}

/// How many of the next records are one lot: at least one.
fn lot_len(found: &[Found]) -> usize {
    let mut weight = 0;
    let fits = |found: &&Found| {
        weight += found.weight;
        weight - found.weight < WEIGHT_MAX
    };
    found.iter().take(RECORDS_MAX).take_while(fits).count().max(1)
}
