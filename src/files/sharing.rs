//! A folder that several nodes share, compared with theirs again and again.

use std::path::PathBuf;
use std::time::Duration;

use super::rows::FileEngine;
use crate::store::Folder;
use crate::store::shared_file_folder::{FolderCheck, FolderFault};
use crate::time::Tick;
use crate::time::clock::Clock;

/// How often the folder is compared while it is the right one.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often while it is not, or was not just before.
const AGAIN_EVERY: Duration = Duration::from_secs(1);

/// What is known of the folder.
#[derive(Debug)]
pub(super) struct Sharing {
    check: FolderCheck,
    /// Why it cannot be used.
    pub fault: Option<FolderFault>,
    /// When it is compared again.
    pub next_at: Tick,
    /// It was looked through for what is no file's.
    pub is_cleared: bool,
}

impl Sharing {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self {
            check: FolderCheck::new(path),
            fault: Some(FolderFault::Untried),
            next_at: Tick::ZERO,
            is_cleared: false,
        }
    }

    /// Compares it.
    pub(super) fn look(&mut self, folder: &Folder, engine: &FileEngine, clock: Clock) {
        let was = self.fault.as_ref();
        let looked = self.check.look(was, &mut |probe| engine.probe(probe));
        let found = match looked {
            // What was known stays so while the engine is away.
            Err(why) => {
                log::debug!(why:%; "the folder of files cannot be compared now");
                self.next_at = clock.now().tick.after(AGAIN_EVERY);
                return;
            }
            Ok(None) => match folder.prepare() {
                Ok(()) => None,
                Err(error) => Some(FolderFault::Unusable(error.to_string())),
            },
            Ok(fault) => fault,
        };
        let is_steady = found.is_none() && self.fault.is_none();
        if found != self.fault {
            let path = folder.path().display();
            match &found {
                Some(fault) => log::error!(path:%, fault:%; "files are refused"),
                None => log::info!(path:%; "files are taken: all nodes have this folder"),
            }
            self.fault = found;
        }
        let pause = if is_steady { LOOK_EVERY } else { AGAIN_EVERY };
        self.next_at = clock.now().tick.after(pause);
    }
}
