//! The thread that keeps files, and the loop.

use std::path::PathBuf;
use std::sync::Arc;

use super::Server;
use crate::config::Config;
use crate::files::{FileAnswer, FileFault, FileJob, Files, Settings};
use crate::net::{ConnId, Effects};
use crate::reactor::Waker;
use crate::session::Turn;
use crate::store::{Quota, SharedOutbox, Wake};
use crate::time::clock::{Clock, Now};

/// The thread, and what it takes to start it.
pub(super) struct FileStart {
    data: PathBuf,
    settings: Settings,
    store: SharedOutbox,
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
    /// Where files are taken.
    pub(super) fn new(
        config: &Config,
        (store, clock): (SharedOutbox, Clock),
        waker: Waker,
    ) -> Option<Self> {
        super::bounds::limits(config).file_bytes?;
        let quota = Quota { per_user: config.files.per_user, total: config.files.total };
        let only_pictures = config.files.kinds == "pictures";
        let settings = Settings { bytes_max: config.files.bytes, quota, only_pictures };
        // It fails only if the poller is gone, and the loop with it.
        let wake: Wake = Arc::new(move || _ = waker.wake());
        let data = config.data.clone();
        Some(Self { data, settings, store, clock, wake, running: None, has_ended: false })
    }

    /// Starts the thread.
    pub(super) fn start(&mut self) {
        let store = (Arc::clone(&self.store), self.clock);
        match Files::start(&self.data, self.settings, store, Arc::clone(&self.wake)) {
            Ok(files) => self.running = Some(files),
            Err(error) => {
                log::error!(cause:% = error; "files cannot be kept: they are refused until a restart");
            }
        }
    }

    /// Waits until the thread has done what it is doing: without it nobody but the loop asks the
    /// store.
    pub(super) fn end(&mut self) {
        self.running = None;
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

impl Server {
    /// Hands over what is asked of the thread that keeps files.
    pub(super) fn pass_files(&mut self, now: Now, effects: &mut Effects) {
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
