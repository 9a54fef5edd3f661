//! Giving space back: the file does not shrink by itself when records go, since SQLite keeps what
//! is unused for what comes.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::rewrite;
pub use super::rewrite::{Rewritten, Space};
use super::{ToolError, open};

/// The compaction of a database that no server uses meanwhile.
#[derive(Debug)]
pub struct Compaction {
    db: Connection,
    path: PathBuf,
    space: Space,
    _lock: File,
}

impl Compaction {
    /// Opens the database and keeps servers from starting.
    ///
    /// # Errors
    ///
    /// [`ToolError`], if a server runs or there is no database.
    pub fn open(data: &Path) -> Result<Self, ToolError> {
        let lock = open::lock(data)?;
        let path = open::path(data);
        let db = open::write(&path)?;
        let space = Space::of(&db, &path)?;
        Ok(Self { db, path, space, _lock: lock })
    }

    /// How much disk space it takes while it lasts.
    #[must_use]
    pub const fn space(&self) -> Space {
        self.space
    }

    /// Rewrites the file without its unused parts.
    ///
    /// # Errors
    ///
    /// [`ToolError`]; the file is as it was then, and nothing is left of the other.
    pub fn run(self) -> Result<Rewritten, ToolError> {
        let Self { db, path, .. } = self;
        rewrite::rewrite(db, &path, |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::store::sqlite::data_dir::with_suffix;
    use crate::store::sqlite::meta_table::{self, CLEAN};
    use crate::store::sqlite::testing::{database, message, room, say};
    use crate::store::tools::suspend::{self, Target};
    use crate::store::tools::verify;
    use tempfile::TempDir;

    /// A file that is mostly unused.
    fn bloated() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let db = database(&folder);
        room(&db, 1, "lobby");
        db.execute_batch("BEGIN").unwrap();
        for _ in 0..1_000 {
            say(&db, 1, "ann", message(&"hello ".repeat(200)));
        }
        db.execute_batch(
            "COMMIT; DELETE FROM record WHERE seq <= 990;
             UPDATE room SET oldest = 991, bytes = (SELECT sum(octet_length(text)) FROM record)",
        )
        .unwrap();
        db.close().unwrap();
        folder
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let names = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[track_caller]
    fn compact(folder: &TempDir) -> Rewritten {
        Compaction::open(folder.path()).unwrap().run().unwrap()
    }

    #[test]
    fn what_is_unused_is_given_back_and_the_file_keeps_its_mode() {
        let folder = bloated();
        let path = open::path(folder.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        // What an earlier one that was killed has left.
        fs::write(with_suffix(&path, ".part"), "half of it").unwrap();
        let Rewritten { before, after } = compact(&folder);
        assert!(before > 1_000_000 && after < before / 5, "{before} {after}");
        assert_eq!(fs::metadata(&path).unwrap().len(), after);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        let found = verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
        assert_eq!(found.records, 10);
        assert_eq!(names(&folder).iter().filter(|name| name.contains("part")).count(), 0);
        assert_eq!(compact(&folder).after, after, "nothing more to be given back");
    }

    #[test]
    fn a_file_whose_server_was_killed_has_a_wal_afterwards_as_before() {
        let folder = bloated();
        let db = Connection::open(open::path(folder.path())).unwrap();
        meta_table::put(&db, CLEAN, 0).unwrap();
        drop(db);
        compact(&folder);
        let wal = fs::metadata(with_suffix(&open::path(folder.path()), "-wal")).unwrap();
        assert!(wal.len() > 0);
    }

    #[test]
    fn beside_a_server_or_a_reader_or_without_space_nothing_changes() {
        let folder = bloated();
        let path = open::path(folder.path());
        let before = fs::read(&path).unwrap();
        let server = open::lock(folder.path()).unwrap();
        assert!(matches!(Compaction::open(folder.path()), Err(ToolError::Unfit(_))));
        drop(server);
        let reader = open::read(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM record").unwrap();
        let writer = Connection::open(&path).unwrap();
        meta_table::put(&writer, "x", 1).unwrap();
        let compaction = Compaction::open(folder.path()).unwrap();
        compaction.db.busy_timeout(std::time::Duration::ZERO).unwrap();
        let refused = compaction.run().unwrap_err();
        assert!(matches!(refused, ToolError::InUse(_)), "{refused}");
        drop((reader, writer));
        let full = Space { needed: 2_000_000, free: Some(1_000_000) };
        let refused = full.require(&path).unwrap_err().to_string();
        assert!(refused.contains("needs 2.0 MiB") && refused.contains("1.0 MiB are"), "{refused}");
        assert_eq!(fs::metadata(&path).unwrap().len(), u64::try_from(before.len()).unwrap());
        verify::run(folder.path(), &mut |fault| panic!("{fault}")).unwrap();
    }

    #[test]
    fn a_ban_that_waited_for_the_file_that_was_replaced_is_refused_and_not_lost() {
        let folder = bloated();
        let path = open::path(folder.path());
        let place = open::Place::of(&path);
        place.check().unwrap();
        compact(&folder);
        assert!(matches!(place.check(), Err(ToolError::Replaced(_))));
        let address = Target::Address("10.0.0.1".parse().unwrap());
        let term = crate::chat::model::log::Expiry { until: None, reason: "".into() };
        suspend::ban(folder.path(), &address, &term, 0).unwrap();
        assert_eq!(suspend::bans(folder.path(), 0).unwrap().addresses.len(), 1);
    }
}
