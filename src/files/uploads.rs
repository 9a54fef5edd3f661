//! What is being sent, and what was being sent when its connection was lost.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use sha2::Sha256;

use super::job::{FileFault, UPLOADS_MAX, UPLOADS_OF_USER_MAX, UploadKey};
use crate::net::ConnId;
use crate::time::Tick;

/// Parts that wait for their senders to come back; of more, the oldest are removed. Of one user as
/// many wait as may be sent at a time: its own oldest makes room, and not that of somebody else.
const PARKED_MAX: usize = 32;
/// How long one waits.
const PARKED_FOR: Duration = Duration::from_mins(30);

/// A file of which a part has come. The part is removed with it, unless it was put in its place.
#[derive(Debug)]
pub(super) struct Upload {
    pub owner: Box<str>,
    /// By what it is gone on with.
    pub key: Option<Box<str>>,
    pub file: File,
    pub path: PathBuf,
    pub len: u64,
    /// The SHA-256 that it is to have, if that was said.
    pub hash: Option<Box<str>>,
    /// What it has in all, if that was said.
    pub size: Option<u64>,
    pub sum: Sha256,
}

impl Drop for Upload {
    fn drop(&mut self) {
        // If the file was moved to its place, there is nothing here to remove.
        _ = fs::remove_file(&self.path);
    }
}

/// The uploads that are under way, and those that can be gone on with.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    live: BTreeMap<ConnId, Upload>,
    /// The oldest first, and since when.
    parked: VecDeque<(Tick, Upload)>,
}

impl Uploads {
    /// Whether this user may send one more now.
    pub(super) fn may_begin(&self, owner: &str) -> Result<(), FileFault> {
        let of_user = self.live.values().filter(|upload| &*upload.owner == owner).count();
        if self.live.len() >= UPLOADS_MAX || of_user >= UPLOADS_OF_USER_MAX {
            return Err(FileFault::Busy);
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, conn: ConnId, upload: Upload) {
        self.live.insert(conn, upload);
    }

    pub(super) fn get_mut(&mut self, conn: ConnId) -> Option<&mut Upload> {
        self.live.get_mut(&conn)
    }

    pub(super) fn remove(&mut self, conn: ConnId) -> Option<Upload> {
        self.live.remove(&conn)
    }

    /// The connection is gone: what can be gone on with waits.
    pub(super) fn park(&mut self, conn: ConnId, now: Tick) {
        let Some(upload) = self.live.remove(&conn).filter(|upload| upload.key.is_some()) else {
            return;
        };
        let is_own = |(_, parked): &(Tick, Upload)| parked.owner == upload.owner;
        if self.parked.iter().filter(|parked| is_own(parked)).count() >= UPLOADS_OF_USER_MAX {
            let oldest = self.parked.iter().position(is_own);
            oldest.and_then(|at| self.parked.remove(at));
        } else if self.parked.len() >= PARKED_MAX {
            self.parked.pop_front();
        }
        self.parked.push_back((now, upload));
    }

    /// What waits under this key, to be gone on with. A connection that the server has not found
    /// lost yet may still have it: whoever comes with the key has come in its place, and that
    /// connection is returned, too, since it waits for an answer.
    pub(super) fn take(&mut self, key: &UploadKey) -> Option<(Upload, Option<ConnId>)> {
        let is_it = |upload: &Upload| is_of(upload, key);
        if let Some(at) = self.parked.iter().position(|(_, upload)| is_it(upload)) {
            return self.parked.remove(at).map(|(_, upload)| (upload, None));
        }
        let conn = *self.live.iter().find(|(_, upload)| is_it(upload))?.0;
        self.live.remove(&conn).map(|upload| (upload, Some(conn)))
    }

    /// How many bytes of the file have come.
    pub(super) fn progress(&self, key: &UploadKey) -> u64 {
        let all = self.parked.iter().map(|(_, upload)| upload).chain(self.live.values());
        all.filter(|upload| is_of(upload, key)).map(|upload| upload.len).next().unwrap_or(0)
    }

    /// Whether something waits for its sender, and is to be removed in time.
    pub(super) fn are_parked(&self) -> bool {
        !self.parked.is_empty()
    }

    /// Removes what has waited too long.
    pub(super) fn expire(&mut self, now: Tick) {
        while self.parked.front().is_some_and(|(since, _)| now >= since.after(PARKED_FOR)) {
            self.parked.pop_front();
        }
    }
}

fn is_of(upload: &Upload, (owner, key): &UploadKey) -> bool {
    upload.owner == *owner && upload.key.as_ref() == Some(key)
}
