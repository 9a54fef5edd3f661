//! The thread that hashes passwords: one at a time, so that logins take no more than one hash's
//! memory (19 MiB, or 7 under a small budget) and one core, whatever comes.
//!
//! At most [`HASHES_MAX`](crate::chat::model::account::HASHES_MAX) wait: the domain asks for no
//! more. The loop is woken for each answer, as it is for those of the store.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::Server;
use crate::auth::password::{Cost, Hasher};
use crate::chat::model::account::{HashJob, HashOf, Hashed, Hidden};
use crate::store::Wake;
use crate::time::clock::Now;

/// The thread, as its owner sees it. It ends when this is dropped, after what it is doing.
#[derive(Debug)]
pub struct Hashing {
    jobs: Sender<HashJob>,
    answers: Receiver<(u64, Hashed)>,
}

impl Hashing {
    /// Starts the thread, which hashes at this cost, renews hashes of other costs if it `renews`,
    /// and calls `wake` for each answer.
    ///
    /// # Errors
    ///
    /// What the system says if it has no thread to give.
    pub fn start((cost, renews): (Cost, bool), wake: Wake) -> io::Result<Self> {
        let (jobs, incoming) = channel::<HashJob>();
        let (answer, answers) = channel();
        let run = move || {
            let mut hasher = Hasher::new(cost);
            for job in incoming {
                let answered = (job.ticket, done(&job, &mut hasher, renews));
                // The server is gone: nobody takes what the rest would come to.
                if answer.send(answered).is_err() {
                    return;
                }
                wake();
            }
        };
        thread::Builder::new().name("passwords".to_owned()).spawn(run)?;
        Ok(Self { jobs, answers })
    }

    /// Hands a password over.
    pub(super) fn ask(&self, job: HashJob) -> Option<(u64, Hashed)> {
        let ticket = job.ticket;
        self.jobs.send(job).err().map(|_| (ticket, Hashed::Failed))
    }

    /// The next answer.
    pub(super) fn poll(&self) -> Option<(u64, Hashed)> {
        self.answers.try_recv().ok()
    }
}

impl Server {
    /// Hands the domain's passwords to the thread that hashes them.
    pub(super) fn pass_jobs(&mut self, now: Now) {
        while let Some(job) = self.chat.poll_job() {
            let failed = (job.ticket, Hashed::Failed);
            let answer = self.hashing.as_ref().map_or(Some(failed), |hashing| hashing.ask(job));
            if let Some((ticket, outcome)) = answer {
                self.chat.on_hashed(now, ticket, outcome);
            }
        }
    }

    /// Hands the hashing thread's answers to the domain.
    pub(super) fn take_hashes(&mut self, now: Now) {
        while let Some((ticket, outcome)) = self.hashing.as_ref().and_then(Hashing::poll) {
            self.chat.on_hashed(now, ticket, outcome);
        }
    }
}

fn done(job: &HashJob, hasher: &mut Hasher, renews: bool) -> Hashed {
    let password = job.password.reveal();
    match &job.of {
        None => {
            let mut salt = [0; 16];
            let hash = getrandom::fill(&mut salt).ok().and_then(|()| hasher.hash(password, salt));
            hash.map_or(Hashed::Failed, |hash| Hashed::Made(Hidden::new(hash)))
        }
        Some(of) => {
            let hash = match of {
                HashOf::Account(hash) => Some(hash.reveal()),
                HashOf::Nobody => None,
            };
            match hasher.compare(password, hash, &job.costs) {
                // Only who knows the password is made to wait for it.
                Some(true) => hash
                    .filter(|_| renews)
                    .and_then(|hash| hasher.renew(password, hash))
                    .map_or(Hashed::Compared(true), |hash| Hashed::Renewed(Hidden::new(hash))),
                Some(false) => Hashed::Compared(false),
                None => Hashed::Failed,
            }
        }
    }
}
