//! What the store knows of files, as the thread that keeps them asks for it: it waits for the disk,
//! as the loop must not.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use rusqlite::Connection;

use super::connection::open_read_only;
use super::files::{self, FileChange, FilesThere};
use super::reader_thread::LOCK_TIMEOUT;
use super::shared_outbox::Outbox;
use super::write_op::Op;
use crate::chat::model::file::{FileId, StoredFile};
use crate::chat::model::file_rows::{FileOutcome, Quota};

/// How long the writer is waited for: a disk that takes longer hangs.
const WRITER_TIMEOUT: Duration = Duration::from_secs(30);

impl Outbox {
    /// Has the writer keep a file that somebody has sent at this time, and waits until the disk has
    /// it.
    ///
    /// # Errors
    ///
    /// If the writer does not say so, within half a minute: it may have happened or not.
    pub fn put_file(
        &self,
        file: StoredFile,
        (owner, wall_ms): (&str, u64),
        quota: Quota,
    ) -> Result<FileOutcome, String> {
        self.change_files(FileChange::Put { file, owner: owner.into(), wall_ms, quota })
    }

    /// The file of this user that has this hash, which nothing has to refer to for as long again as
    /// if it were sent at this time.
    ///
    /// # Errors
    ///
    /// As [`Outbox::put_file`].
    pub fn find_file_again(
        &self,
        hash: &str,
        (owner, wall_ms): (&str, u64),
    ) -> Result<FileOutcome, String> {
        // Most are new, and the writer is not asked for those.
        if !self.read_files(|db| files::is_of(db, hash, owner))? {
            return Ok(FileOutcome::Found(None));
        }
        self.change_files(FileChange::Again { hash: hash.into(), owner: owner.into(), wall_ms })
    }

    /// Has the writer forget files to which nothing has referred since this time, and those to
    /// which nothing refers any more.
    ///
    /// # Errors
    ///
    /// As [`Outbox::put_file`].
    pub fn sweep_files(&self, before_ms: u64) -> Result<FileOutcome, String> {
        self.change_files(FileChange::Sweep { before_ms })
    }

    /// Whether there is something to be swept.
    ///
    /// # Errors
    ///
    /// What the database says, as a sentence.
    pub fn look_for_loose_files(&self, before_ms: u64) -> Result<FilesThere, String> {
        self.read_files(|db| files::look_for_loose(db, before_ms))
    }

    /// Bytes of files that this user has, and that all have.
    ///
    /// # Errors
    ///
    /// What the database says, as a sentence.
    pub fn used_by_files(&self, owner: &str) -> Result<(u64, u64), String> {
        self.read_files(|db| files::used(db, owner))
    }

    /// The file of this name.
    ///
    /// # Errors
    ///
    /// What the database says, as a sentence.
    pub fn find_file(&self, id: &FileId) -> Result<Option<StoredFile>, String> {
        self.read_files(|db| files::find(db, id))
    }

    /// Whether a file has this hash.
    ///
    /// # Errors
    ///
    /// What the database says, as a sentence.
    pub fn is_hash_known(&self, hash: &str) -> Result<bool, String> {
        self.read_files(|db| files::is_known(db, hash))
    }

    fn change_files(&self, change: FileChange) -> Result<FileOutcome, String> {
        // One answer, or none: the end of a request that was not done ends the channel.
        let (answer, answers) = sync_channel(1);
        self.push_file(Op::File(Box::new(change), answer));
        let answer = answers.recv_timeout(WRITER_TIMEOUT);
        answer.map_err(|_unanswered| "the database does not take it".to_owned())
    }

    /// Opened each time: a connection that lasts would keep the WAL from being emptied.
    fn read_files<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, String> {
        let opened = open_read_only(self.path(), LOCK_TIMEOUT);
        opened.and_then(|db| read(&db)).map_err(|error| error.to_string())
    }
}
