//! Whether what is in the file belongs to another place by now, or is still to come from one: a
//! server that starts on such a file would begin a second life of the same rooms.

use rusqlite::Connection;

use super::meta_table::{self, MOVED};

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It may be in the other place, or not.
    Leaving,
    /// It is in the other place.
    Left,
    /// Nothing of it is here yet.
    Arriving,
}

/// A database that moves, or has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How far it is.
    pub phase: Phase,
    /// What no other move has.
    pub nonce: Box<str>,
    /// To where, or from where.
    pub place: Box<str>,
}

impl Phase {
    const ALL: [(&str, Self); 3] =
        [("leaving", Self::Leaving), ("left", Self::Left), ("arriving", Self::Arriving)];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, phase)| *phase == self).map_or("", |(name, _)| name)
    }
}

impl Moved {
    /// What the file says of itself.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(in crate::store) fn load(db: &Connection) -> rusqlite::Result<Option<Self>> {
        let text = meta_table::get::<String>(db, MOVED)?;
        Ok(text.map(|text| {
            let mut parts = text.splitn(3, ' ');
            let (phase, nonce) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let known = Phase::ALL.iter().find(|(name, _)| *name == phase);
            // Whatever it is that a later version says: not here.
            let phase = known.map_or(Phase::Left, |(_, phase)| *phase);
            Self { phase, nonce: nonce.into(), place: parts.next().unwrap_or("").into() }
        }))
    }

    /// Has the file say so.
    ///
    /// # Errors
    ///
    /// What the database says.
    pub(in crate::store) fn store(&self, db: &Connection) -> rusqlite::Result<()> {
        let Self { phase, nonce, place } = self;
        meta_table::put(db, MOVED, format!("{} {nonce} {place}", phase.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::testing::database;

    #[test]
    fn what_a_file_says_of_its_move_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        assert_eq!(Moved::load(&db), Ok(None));
        for (_, phase) in Phase::ALL {
            let moved =
                Moved { phase, nonce: "a1".into(), place: "postgres://chat@db1,db2/a b".into() };
            moved.store(&db).unwrap();
            assert_eq!(Moved::load(&db), Ok(Some(moved)));
        }
    }
}
