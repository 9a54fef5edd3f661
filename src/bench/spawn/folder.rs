//! The files of a server that is started: a folder that is removed with it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use super::SpawnError;

/// A folder that only we can read. Whoever drops it has it removed.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn new() -> Result<Self, SpawnError> {
        let mut random = [0; 8];
        let system = |error: getrandom::Error| SpawnError::System {
            what: "draw a name for a folder",
            error: io::Error::other(error.to_string()),
        };
        getrandom::fill(&mut random).map_err(system)?;
        let name = format!("chinwag-bench-{:016x}", u64::from_ne_bytes(random));
        let path = std::env::temp_dir().join(name);
        // Fails if something is there already, which would not be ours.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(error) => Err(SpawnError::Start { path, error }),
        }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), SpawnError> {
        let path = self.path(name);
        fs::write(&path, text).map_err(|error| SpawnError::Start { path, error })
    }

    pub(super) fn create(&self, name: &str) -> Result<File, SpawnError> {
        let path = self.path(name);
        File::create(&path).map_err(|error| SpawnError::Start { path, error })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's place for such things.
        _ = fs::remove_dir_all(&self.path);
    }
}
