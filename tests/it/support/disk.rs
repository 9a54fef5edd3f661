//! A disk that notes what it is asked to sync, and that may be full.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

use super::Setup;
use super::clock::preload;

/// The disk of one server.
#[derive(Debug)]
pub(crate) struct NotedDisk {
    folder: TempDir,
}

impl NotedDisk {
    /// It needs the C compiler that the store is built with.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        preload(&folder, "disk");
        Self { folder }
    }

    /// Gives the server this disk.
    pub(crate) fn of(&self, setup: Setup) -> Setup {
        let path = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
        let setup = setup.environment("LD_PRELOAD", &path(self.folder.path().join("disk.so")));
        let setup = setup.environment("SYNC_NOTES", &path(self.notes()));
        setup.environment("DISK_FULL", &path(self.folder.path().join("full")))
    }

    /// Nothing can be written any more, or again.
    #[track_caller]
    pub(crate) fn set_full(&self, is_full: bool) {
        let mark = self.folder.path().join("full");
        if is_full { fs::write(mark, "") } else { fs::remove_file(mark) }.expect("a mark");
    }

    /// What was synced since the last call: a letter each, f for a file with its times, d for its
    /// data only.
    pub(crate) fn take(&self) -> String {
        let notes = fs::read_to_string(self.notes()).unwrap_or_default();
        drop(fs::remove_file(self.notes()));
        notes
    }

    fn notes(&self) -> PathBuf {
        self.folder.path().join("notes")
    }
}
