//! Whether the file or its WAL was cut short under the server, by a copy that was written over it
//! or whatever else: what is then written, and what a checkpoint moves, would damage the file.
//!
//! Other processes shorten both as well, as `VACUUM` does. The file then lacks no page but those
//! that the WAL has, and the WAL is as long as its frames are many.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ffi};

use super::integers::unsigned;
use super::log_fault::damaged;

/// Bytes of a page, of what stands before each in the WAL, and of the WAL's own beginning.
const PAGE_LEN: u64 = 4096;
const FRAME_LEN: u64 = 24 + PAGE_LEN;
const WAL_HEADER_LEN: u64 = 32;
/// The page at 1 GiB is SQLite's place for locks: it is never written.
const LOCK_PAGE: u64 = 0x4000_0000 / PAGE_LEN + 1;
/// How often it is looked for a moment at which no other process writes.
const LOOKS: u32 = 3;

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

    /// Checks that neither was cut since the last time. To be called before anything is written,
    /// outside of a transaction, with what was `found` and a way to `look` again; that finds `None`
    /// if they are not in their place any more.
    ///
    /// # Errors
    ///
    /// That the file is damaged, if one was; what the system says if the WAL cannot be read.
    pub(super) fn check(
        &mut self,
        (db, wal): (&Connection, &Path),
        found: Self,
        look: impl Fn() -> Option<Self>,
    ) -> rusqlite::Result<()> {
        if found.file >= self.file && found.wal >= self.wal {
            *self = found;
            return Ok(());
        }
        for _ in 0..LOOKS {
            let counts = frames(db)?;
            let Some(found) = look() else { return Ok(()) };
            let cut = found.cut(db, wal, counts.clone())?;
            // Where others write meanwhile, nothing of this belongs together.
            if frames(db)? == counts {
                *self = found;
                return cut.map_or(Ok(()), |what| {
                    Err(damaged(format!("{what} was cut short while it is in use")))
                });
            }
        }
        // The lengths of before are kept, and compared again by the next batch.
        Ok(())
    }

    /// What is shorter than it must be, if the WAL has so many frames, of which the first are in
    /// the file as well.
    fn cut(
        self,
        db: &Connection,
        wal: &Path,
        frames: Range<u64>,
    ) -> rusqlite::Result<Option<&'static str>> {
        if frames.end > 0 && self.wal < WAL_HEADER_LEN + frames.end * FRAME_LEN {
            return Ok(Some("its -wal"));
        }
        let pages: i64 = db.pragma_query_value(None, "page_count", |row| row.get(0))?;
        let missing = self.file / PAGE_LEN + 1..unsigned(pages) + 1;
        let has_all = has_pages(wal, frames, missing).map_err(|error| {
            let failed = ffi::Error::new(ffi::SQLITE_IOERR_READ);
            rusqlite::Error::SqliteFailure(failed, Some(format!("{}: {error}", wal.display())))
        })?;
        Ok((!has_all).then_some("the file"))
    }
}

/// The frames of the WAL that are not in the file yet, counted from 0: they end where the WAL does.
fn frames(db: &Connection) -> rusqlite::Result<Range<u64>> {
    // NOOP only counts them.
    let (all, moved) = db.wal_checkpoint_v2(None::<&str>, CheckpointMode::NOOP)?;
    let count = |frames| u64::try_from(frames).unwrap_or(0);
    Ok(count(moved)..count(all))
}

/// Whether these frames of the WAL hold all of these pages: each begins with the number of its
/// page (sqlite.org/fileformat2.html, section 4.1).
fn has_pages(wal: &Path, frames: Range<u64>, pages: Range<u64>) -> io::Result<bool> {
    if pages.end.saturating_sub(pages.start) > frames.end.saturating_sub(frames.start) + 1 {
        return Ok(false);
    }
    let mut missing: BTreeSet<u64> = pages.filter(|page| *page != LOCK_PAGE).collect();
    if missing.is_empty() {
        return Ok(true);
    }
    // Only the WAL may be opened beside SQLite: closing the file or its index would release the
    // locks that this process has on them.
    let wal = File::open(wal)?;
    let mut page = [0; 4];
    for frame in frames {
        wal.read_exact_at(&mut page, WAL_HEADER_LEN + frame * FRAME_LEN)?;
        missing.remove(&u32::from_be_bytes(page).into());
    }
    Ok(missing.is_empty())
}
