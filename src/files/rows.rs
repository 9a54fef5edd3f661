//! What the thread asks about files: the store, or the engine that several nodes share.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::Duration;

use crate::chat::model::file::{FileId, StoredFile};
use crate::chat::model::file_rows::{
    FileAsk, FileOutcome, FileTold, FolderProbe, Quota, SharedFolder,
};
use crate::store::{FilesThere, SharedOutbox, Wake};

/// How long the engine is waited for; while it is away, it says so at once.
const ENGINE_TIMEOUT: Duration = Duration::from_secs(10);

/// A question to the engine, and where its answer goes: none comes if the server ends.
#[derive(Debug)]
pub struct EngineQuestion {
    /// What is asked.
    pub ask: FileAsk,
    /// Where the answer goes.
    pub answer: SyncSender<Result<FileTold, String>>,
}

/// The way of the thread to the engine, which the loop speaks to.
#[derive(Clone)]
pub struct FileEngine {
    questions: Sender<EngineQuestion>,
    wake: Wake,
}

impl std::fmt::Debug for FileEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileEngine").finish_non_exhaustive()
    }
}

impl FileEngine {
    /// A way, and its other end; `wake` is called when there is a question. At most one is under
    /// way, since the thread waits for its answer.
    #[must_use]
    pub fn new(wake: Wake) -> (Self, Receiver<EngineQuestion>) {
        let (questions, receiver) = channel();
        (Self { questions, wake }, receiver)
    }

    fn ask(&self, ask: FileAsk) -> Result<FileTold, String> {
        let (answer, answers) = sync_channel(1);
        let gone = "the server stops".to_owned();
        if self.questions.send(EngineQuestion { ask, answer }).is_err() {
            return Err(gone);
        }
        (self.wake)();
        answers.recv_timeout(ENGINE_TIMEOUT).unwrap_or(Err(gone))
    }

    fn outcome(&self, ask: FileAsk) -> Result<FileOutcome, String> {
        match self.ask(ask)? {
            FileTold::Outcome(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    /// What the engine knows of the folder.
    pub(super) fn probe(&self, probe: FolderProbe) -> Result<SharedFolder, String> {
        match self.ask(FileAsk::Probe(probe))? {
            FileTold::Folder(folder) => Ok(folder),
            other => Err(unexpected(&other)),
        }
    }
}

/// What a sweep has found.
#[derive(Debug)]
pub(super) struct Swept {
    /// What has to be removed from the folder.
    pub places: Vec<Box<str>>,
    /// There may be more of it.
    pub may_be_more: bool,
    /// A file may have a row, to which something refers or may still.
    pub has_rows: bool,
}

/// Whom the thread asks.
#[derive(Clone, Debug)]
pub enum FileRows {
    /// The store of this server alone.
    Own(SharedOutbox),
    /// The engine of several nodes.
    Shared(FileEngine),
}

impl FileRows {
    /// Whether several nodes have one folder.
    #[must_use]
    pub const fn is_shared(&self) -> bool {
        matches!(self, Self::Shared(_))
    }

    /// What a file of this SHA-256 and name is called in the folder. Where several nodes share
    /// that, none is ever called as another one was: what one node removes is what it has meant.
    pub(super) fn place(&self, hash: &str, id: &FileId) -> Box<str> {
        match self {
            Self::Own(_) => hash.into(),
            Self::Shared(_) => format!("{hash}-{}", id.digits()).into(),
        }
    }

    /// Somebody has sent a file at this time.
    pub(super) fn put(
        &self,
        file: StoredFile,
        (owner, wall_ms, waits_ms): (&str, u64, u64),
        quota: Quota,
    ) -> Result<FileOutcome, String> {
        match self {
            Self::Own(store) => store.put_file(file, (owner, wall_ms), quota),
            Self::Shared(engine) => {
                engine.outcome(FileAsk::Put { file, owner: owner.into(), quota, waits_ms })
            }
        }
    }

    /// The file of this user that has this SHA-256, which may wait as long again for a message.
    pub(super) fn again(
        &self,
        hash: &str,
        (owner, wall_ms, waits_ms): (&str, u64, u64),
    ) -> Result<FileOutcome, String> {
        match self {
            Self::Own(store) => store.find_file_again(hash, (owner, wall_ms)),
            Self::Shared(engine) => {
                let (hash, owner) = (hash.into(), owner.into());
                engine.outcome(FileAsk::Again { hash, owner, waits_ms })
            }
        }
    }

    /// Bytes of this user, and of all.
    pub(super) fn used(&self, owner: &str) -> Result<(u64, u64), String> {
        match self {
            Self::Own(store) => store.used_by_files(owner),
            Self::Shared(engine) => match engine.ask(FileAsk::Used(owner.into()))? {
                FileTold::Used(of_user, of_all) => Ok((of_user, of_all)),
                other => Err(unexpected(&other)),
            },
        }
    }

    /// The file of this name.
    pub(super) fn find(&self, id: &FileId) -> Result<Option<StoredFile>, String> {
        match self {
            Self::Own(store) => store.find_file(id),
            Self::Shared(engine) => found(engine.outcome(FileAsk::Find(id.clone()))?),
        }
    }

    /// Which of these names in the folder are no file's.
    pub(super) fn unknown(&self, places: Vec<Box<str>>) -> Result<Vec<Box<str>>, String> {
        match self {
            Self::Own(store) => {
                let mut unknown = Vec::new();
                for place in places {
                    if !store.is_hash_known(&place)? {
                        unknown.push(place);
                    }
                }
                Ok(unknown)
            }
            Self::Shared(engine) => match engine.ask(FileAsk::Unknown(places))? {
                FileTold::Unknown(unknown) => Ok(unknown),
                other => Err(unexpected(&other)),
            },
        }
    }

    /// Forgets files to which nothing refers. `removed` was told before, and is.
    pub(super) fn sweep(
        &self,
        removed: Vec<Box<str>>,
        (wall_ms, waits_ms): (u64, u64),
    ) -> Result<Swept, String> {
        let outcome = match self {
            Self::Own(store) => {
                // Nearly every sweep finds none, and then need not write.
                let before_ms = wall_ms.saturating_sub(waits_ms).max(1);
                let there = store.look_for_loose_files(before_ms)?;
                if there != FilesThere::Loose {
                    let has_rows = there != FilesThere::None;
                    return Ok(Swept { places: Vec::new(), may_be_more: false, has_rows });
                }
                store.sweep_files(before_ms)?
            }
            Self::Shared(engine) => engine.outcome(FileAsk::Sweep { removed, waits_ms })?,
        };
        match outcome {
            FileOutcome::Swept(places, may_be_more) => {
                Ok(Swept { places, may_be_more, has_rows: true })
            }
            other => Err(unexpected(&FileTold::Outcome(other))),
        }
    }
}

fn found(outcome: FileOutcome) -> Result<Option<StoredFile>, String> {
    match outcome {
        FileOutcome::Found(found) => Ok(found),
        other => Err(unexpected(&FileTold::Outcome(other))),
    }
}

fn unexpected(told: &FileTold) -> String {
    format!("another answer than to what was asked: {told:?}")
}

/// The store of a server that is alone.
impl From<SharedOutbox> for FileRows {
    fn from(store: SharedOutbox) -> Self {
        Self::Own(store)
    }
}
