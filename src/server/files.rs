//! The thread that keeps files, and the loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender};

use super::Server;
use super::engine::Shared;
use crate::chat::model::file_rows::{FileTold, Quota};
use crate::config::Config;
use crate::files::{
    EngineQuestion, FileAnswer, FileEngine, FileFault, FileJob, FileRows, Files, Settings,
};
use crate::net::{ConnId, Effects};
use crate::reactor::Waker;
use crate::session::Turn;
use crate::store::{Folder, SharedOutbox, Wake};
use crate::time::clock::{Clock, Now};

/// The thread, and what it takes to start it.
pub(super) struct FileStart {
    folder: Folder,
    settings: Settings,
    rows: FileRows,
    clock: Clock,
    wake: Wake,
    running: Option<Files>,
    /// It was ended while somebody may have waited for its answers.
    has_ended: bool,
}

impl std::fmt::Debug for FileStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileStart").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl FileStart {
    /// Where files are taken, beside the database.
    pub(super) fn new(
        config: &Config,
        (store, clock): (SharedOutbox, Clock),
        waker: Waker,
    ) -> Option<Self> {
        let folder = Folder::of(&config.data);
        Self::of(config, folder, (FileRows::Own(store), clock), waker)
    }

    /// Where they are taken in a folder that nodes share, with the other end of the way to the
    /// engine.
    pub(super) fn shared(config: &Config, clock: Clock, waker: Waker) -> Option<(Self, FileDesk)> {
        let mut bits = [0; 8];
        if let Err(error) = getrandom::fill(&mut bits) {
            log::error!(error:%; "files are not taken: there are no random numbers");
            return None;
        }
        let process = format!("{:016x}", u64::from_ne_bytes(bits));
        let folder = Folder::shared(config.files.dir.as_deref()?, &process);
        let (of_thread, of_engine) = (waker.clone(), waker);
        let (engine, questions) = FileEngine::new(Arc::new(move || _ = of_engine.wake()));
        let start = Self::of(config, folder, (FileRows::Shared(engine), clock), of_thread)?;
        Some((start, FileDesk { questions, pending: BTreeMap::new(), tickets: 0 }))
    }

    fn of(
        config: &Config,
        folder: Folder,
        (rows, clock): (FileRows, Clock),
        waker: Waker,
    ) -> Option<Self> {
        super::bounds::limits(config).file_bytes?;
        let quota = Quota { per_user: config.files.per_user, total: config.files.total };
        let only_pictures = config.files.kinds == "pictures";
        // The least that is kept for what comes after the last connection: see `time_of_end`.
        let end_patience = config.timeouts.stop / 5;
        let settings =
            Settings { bytes_max: config.files.bytes, quota, only_pictures, end_patience };
        // It fails only if the poller is gone, and the loop with it.
        let wake: Wake = Arc::new(move || _ = waker.wake());
        Some(Self { folder, settings, rows, clock, wake, running: None, has_ended: false })
    }

    /// Starts the thread.
    pub(super) fn start(&mut self) {
        let rows = (self.rows.clone(), self.clock);
        let folder = self.folder.clone();
        match Files::start(folder, self.settings, rows, Arc::clone(&self.wake)) {
            Ok(files) => self.running = Some(files),
            Err(error) => {
                log::error!(cause:% = error; "files cannot be kept: they are refused until a restart");
            }
        }
    }

    /// Waits until the thread has done what it is doing: without it nobody but the loop asks the
    /// store.
    pub(super) fn end(&mut self) {
        match self.running.take() {
            // Of the engine's another thread may ask beside it.
            Some(files) if !self.rows.is_shared() => files.join(),
            running => drop(running),
        }
        self.has_ended = true;
    }

    fn ask(&self, job: FileJob) -> Option<ConnId> {
        let unsent = match &self.running {
            Some(files) => files.ask(job).err(),
            None => Some(job),
        };
        unsent.as_ref().and_then(FileJob::requester)
    }
}

/// Where the thread that keeps files is answered by the engine, in the loop. With it the answers
/// end, so that the thread waits for none: it has to go before the thread does.
#[derive(Debug)]
pub(super) struct FileDesk {
    questions: Receiver<EngineQuestion>,
    pending: BTreeMap<u64, SyncSender<Result<FileTold, String>>>,
    tickets: u64,
}

impl FileDesk {
    /// Passes on what is asked, and what is answered.
    pub(super) fn pass(&mut self, now: Now, shared: &mut Shared) {
        while let Ok(EngineQuestion { ask, answer }) = self.questions.try_recv() {
            self.tickets += 1;
            self.pending.insert(self.tickets, answer);
            shared.ask_file(now, self.tickets, &ask);
        }
        while let Some((ticket, told)) = shared.poll_file() {
            if let Some(answer) = self.pending.remove(&ticket) {
                // It has room for the one answer, which may be too late for whoever has asked.
                _ = answer.try_send(told);
            }
        }
    }
}

impl Server {
    /// Hands over what is asked of the thread that keeps files.
    #[inline]
    pub(super) fn pass_files(&mut self, now: Now, effects: &mut Effects) {
        // It is called at the end of each turn, and mostly there is nothing.
        let has_ended = self.files.as_ref().is_some_and(|files| files.has_ended);
        if has_ended || self.sessions.has_file_jobs() {
            self.pass_file_jobs(now, effects);
        }
    }

    #[inline(never)]
    fn pass_file_jobs(&mut self, now: Now, effects: &mut Effects) {
        let mut unanswered = Vec::new();
        if self.files.as_mut().is_some_and(|files| std::mem::take(&mut files.has_ended)) {
            unanswered = self.sessions.with_files();
        }
        for job in self.sessions.take_file_jobs() {
            unanswered.extend(match &self.files {
                Some(files) => files.ask(job),
                None => job.requester(),
            });
        }
        for conn in unanswered {
            let turn = &mut Turn { now, chat: &mut self.chat, effects };
            self.sessions.handle_file(conn, FileAnswer::Refused(FileFault::Broken), turn);
        }
    }

    /// Takes up what the thread that keeps files has answered.
    pub(super) fn take_files(&mut self, now: Now, effects: &mut Effects) {
        let running = |server: &Self| {
            let files = server.files.as_ref()?.running.as_ref()?;
            files.poll()
        };
        while let Some((conn, answer)) = running(self) {
            let turn = &mut Turn { now, chat: &mut self.chat, effects };
            self.sessions.handle_file(conn, answer, turn);
        }
    }
}
