//! Files that people send: a folder beside the database, kept by a thread of its own.
//!
//! ```text
//!   a body, as it comes ─▶ FileJob::Bytes ─▶ files/parts/7 ─┐
//!        ▲ paused while 256 KiB wait                         ├ hash, kind, picture
//!        └──────────── FileAnswer::Written                   ├ fsync, rename, fsync
//!                                                            ├ a row in the database, synced
//!   201 {"id":"cwf_…"} ◀─────────────── FileAnswer::Stored ──┘
//! ```
//!
//! The loop never waits for a disk: it hands chunks over and stops reading from a connection of
//! which too much waits; it asks for the next piece of a file when a socket has taken the last one.
//! The thread does one thing after the other, so that what is put into the folder and what is
//! removed from it cannot cross.
//!
//! Who may read a file is not decided here: whoever may read a message that refers to it
//! ([`docs::files`](crate::docs::files)).

mod job;
mod kind;
mod picture;
mod rows;
mod sharing;
#[cfg(test)]
mod tests;
mod uploads;
mod worker;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

pub use job::{
    FileAnswer, FileFault, FileJob, PIECE_LEN, UPLOAD_KEY_LEN, UPLOAD_WINDOW, UPLOADS_MAX,
    UPLOADS_OF_USER_MAX, UploadKey,
};
pub use kind::Kind;
pub use picture::PictureFault;
pub use rows::{EngineQuestion, FileEngine, FileRows};

use self::worker::Worker;
use crate::chat::model::file_rows::Quota;
use crate::net::ConnId;
use crate::store::{Folder, Wake};
use crate::time::clock::Clock;
use crate::time::millis;

/// What is taken, and how much of it.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Bytes of one file.
    pub bytes_max: u64,
    /// Bytes of the files of one user, and of all.
    pub quota: Quota,
    /// Whether pictures are all that is taken.
    pub only_pictures: bool,
    /// How long the end of the thread is waited for: a folder that is mounted may hang for as long
    /// as its server is away, and the database be locked by another process.
    pub end_patience: Duration,
}

/// The thread, as its owner sees it. It ends when this is dropped, after what it is doing.
#[derive(Debug)]
pub struct Files {
    jobs: Option<Sender<FileJob>>,
    answers: Receiver<(ConnId, FileAnswer)>,
    thread: Option<thread::JoinHandle<()>>,
    clock: Clock,
    end_patience: Duration,
}

impl Files {
    /// Starts the thread, which keeps files in this folder and calls `wake` for each answer. What
    /// is left of the last process is removed first: parts, and files of which the database knows
    /// nothing. A folder that is shared is compared with those of the other nodes first, again and
    /// again: until it is the same, nothing is taken.
    ///
    /// # Errors
    ///
    /// If a folder of this server alone cannot be made or written, or the system has no thread to
    /// give.
    pub fn start(
        folder: Folder,
        settings: Settings,
        (rows, clock): (FileRows, Clock),
        wake: Wake,
    ) -> io::Result<Self> {
        if !rows.is_shared() {
            folder.prepare()?;
        }
        let (jobs, incoming) = channel();
        let (sender, answers) = channel();
        let mut worker = Worker::new((folder, settings), (rows, clock), (sender, wake));
        let run = move || worker.run(&incoming);
        let thread = thread::Builder::new().name("files".to_owned()).spawn(run)?;
        let end_patience = settings.end_patience;
        Ok(Self { jobs: Some(jobs), answers, thread: Some(thread), clock, end_patience })
    }

    /// Hands something over. The thread is dead if it is not taken.
    ///
    /// # Errors
    ///
    /// What was not taken.
    pub fn ask(&self, job: FileJob) -> Result<(), FileJob> {
        match &self.jobs {
            Some(jobs) => jobs.send(job).map_err(|unsent| unsent.0),
            None => Err(job),
        }
    }

    /// The next answer.
    #[must_use]
    pub fn poll(&self) -> Option<(ConnId, FileAnswer)> {
        self.answers.try_recv().ok()
    }
}

impl Files {
    /// Ends the thread, and waits for it however long it takes: another process, or another thread,
    /// is about to keep files in the folder.
    pub fn join(mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }

    /// Whether the thread ends within this time: with it goes the sender of its answers.
    fn ends_within(&self, patience: Duration) -> bool {
        let began = self.clock.micros();
        loop {
            let waited = Duration::from_micros(self.clock.micros() - began);
            match self.answers.recv_timeout(patience.saturating_sub(waited)) {
                Ok(_) if waited < patience => {}
                Ok(_) | Err(RecvTimeoutError::Timeout) => return false,
                Err(RecvTimeoutError::Disconnected) => return true,
            }
        }
    }
}

impl Drop for Files {
    /// Waits until the thread has ended: the store, which it asks, is closed after it. The process
    /// does not wait for a folder that hangs, nor for a database that is locked: what the thread
    /// has asked for then is not done.
    fn drop(&mut self) {
        self.jobs = None;
        let Some(thread) = self.thread.take() else { return };
        if self.ends_within(self.end_patience) {
            _ = thread.join();
        } else {
            log::error!(
                millis = millis(self.end_patience);
                "the folder of files ([files] dir) or the database does not answer: the end of the \
                 thread that keeps files is not waited for; a file that was being sent is to be \
                 sent again"
            );
        }
    }
}
