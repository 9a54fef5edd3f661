//! A wall clock that a test moves while the server runs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Setup;

/// Compiles a library of this directory, to be preloaded, into the folder.
#[track_caller]
pub(crate) fn preload(folder: &TempDir, name: &str) {
    let source = format!("{}/tests/it/support/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let library = folder.path().join(format!("{name}.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(library).args([&source, "-ldl"]);
    assert!(compiler.status().expect("a C compiler").success(), "{compiler:?}");
}

/// The clock of one server.
#[derive(Debug)]
pub(crate) struct MovedClock {
    folder: TempDir,
}

impl MovedClock {
    /// A clock that is right. It needs the C compiler that the store is built with.
    #[track_caller]
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder for temporary files");
        preload(&folder, "clock");
        let clock = Self { folder };
        clock.set(0);
        clock
    }

    /// Gives the server this clock.
    pub(crate) fn of(&self, setup: Setup) -> Setup {
        let path = |path: PathBuf| path.to_str().expect("a path in UTF-8").to_owned();
        let setup = setup.environment("LD_PRELOAD", &path(self.library()));
        setup.environment("MOVED_CLOCK", &path(self.seconds()))
    }

    /// Moves it so many seconds away from the right time.
    #[track_caller]
    pub(crate) fn set(&self, seconds: i64) {
        // Renamed into its place: the server never reads half of it.
        let new = self.folder.path().join("new");
        fs::write(&new, seconds.to_string()).expect("a file of the clock");
        fs::rename(new, self.seconds()).expect("a file of the clock");
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("clock.so")
    }

    fn seconds(&self) -> PathBuf {
        self.folder.path().join("seconds")
    }
}
