//! Whether the file or its WAL was cut short under the server, by a copy that was written over it
//! or whatever else: what is then written, and what a checkpoint moves, would damage the file.

use rusqlite::Connection;
use rusqlite::wal::CheckpointMode;

use super::integers::unsigned;
use super::log_fault::damaged;

/// Bytes of a page, of what stands before each in the WAL, and of the WAL's own beginning.
const PAGE_LEN: u64 = 4096;
const FRAME_LEN: u64 = 24 + PAGE_LEN;
const WAL_HEADER_LEN: u64 = 32;

/// How long the file and its WAL were when they were last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lengths {
    file: u64,
    wal: u64,
}

impl Lengths {
    /// As they are now.
    pub(super) const fn of(file: u64, wal: u64) -> Self {
        Self { file, wal }
    }

    /// Checks that neither was cut since the last time. To be called before anything is written.
    ///
    /// # Errors
    ///
    /// That the file is damaged, if one was.
    pub(super) fn check(&mut self, db: &Connection, found: Self) -> rusqlite::Result<()> {
        let before = std::mem::replace(self, found);
        // SQLite and others who use it shorten both as well, but never below what they need.
        if found.file < before.file {
            let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
            if found.file < before.file.min(unsigned(pages) * PAGE_LEN) {
                return Err(damaged("the file was cut short while it is in use".to_owned()));
            }
        }
        if found.wal < before.wal {
            // NOOP only counts the pages.
            let (frames, _) = db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
            let frames = u64::try_from(frames).unwrap_or(0);
            if frames > 0 && found.wal < WAL_HEADER_LEN + frames * FRAME_LEN {
                return Err(damaged("its -wal was cut short while it is in use".to_owned()));
            }
        }
        Ok(())
    }
}
