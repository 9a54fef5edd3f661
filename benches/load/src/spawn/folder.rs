//! The files of a server that is started: a folder that is removed with it.

use std::fs::{self, File};
use std::path::PathBuf;

use tempfile::TempDir;

use super::SpawnError;

/// A folder that only we can read; it is removed when this is dropped.
#[derive(Debug)]
pub(super) struct Folder(TempDir);

impl Folder {
    pub(super) fn new() -> Result<Self, SpawnError> {
        let folder = tempfile::Builder::new().prefix("chinwag-bench-").tempdir();
        let what = "make a folder for the server";
        folder.map(Self).map_err(|error| SpawnError::System { what, error })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
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
