//! The thread: what is asked of it, one thing after the other.

use std::fs::File;
use std::io::{self, BufReader, Seek as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::Settings;
use super::job::{FileAnswer, FileFault, FileJob, UPLOADS_MAX};
use super::kind::Kind;
use super::picture;
use super::rows::{FileRows, Swept};
use super::sharing::Sharing;
use super::uploads::{Upload, Uploads};
use crate::chat::model::file::{FileId, StoredFile};
use crate::chat::model::file_rows::FileOutcome;
use crate::log::Throttle;
use crate::net::ConnId;
use crate::store::Wake;
use crate::store::file_folder::{Folder, hex};
use crate::time::Tick;
use crate::time::clock::Clock;
use crate::time::wall_watch::WallWatch;

/// Bytes that stay free on the disk: what is said is worth more than what is sent with it.
const FREE_MIN: u64 = 64 << 20;
/// After so many bytes of a file it is looked again whether they are: those that are sent at the
/// same time have all found the same place free.
const FREE_EVERY: u64 = 1 << 20;
// All of them together, each a piece before it looks, leave most of it.
const _: () = assert!(FREE_EVERY * UPLOADS_MAX as u64 <= FREE_MIN / 2);
/// How often it is looked for files to which nothing refers any more.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// How long a file may wait for the message that refers to it.
const LOOSE_MS: u64 = 3_600_000;
/// Names in the folder that are looked for at once.
const ORPHANS_MAX: usize = 256;
/// Lines about failures that may be logged in a minute.
const LINES_PER_MINUTE: u32 = 6;

pub(super) struct Worker {
    folder: Folder,
    settings: Settings,
    rows: FileRows,
    /// If the folder is shared.
    sharing: Option<Sharing>,
    clock: Clock,
    wall: WallWatch,
    answers: Sender<(ConnId, FileAnswer)>,
    wake: Wake,
    /// How much is free on the disk of the folder.
    pub(super) free_bytes: fn(&Folder) -> io::Result<u64>,
    uploads: Uploads,
    /// The number of the next part.
    next: u64,
    sweep_at: Tick,
    /// A file may have a row. Until one does, nothing can become loose, and the database is not
    /// looked at.
    has_rows: bool,
    /// Whether the database may get a row yet that it has not acknowledged.
    is_unsure: bool,
    /// What was to be removed from the folder, and is.
    removed: Vec<Box<str>>,
    lines: Throttle,
}

impl Worker {
    pub(super) fn new(
        (folder, settings): (Folder, Settings),
        (rows, clock): (FileRows, Clock),
        (answers, wake): (Sender<(ConnId, FileAnswer)>, Wake),
    ) -> Self {
        let path = rows.is_shared().then(|| folder.path().to_owned());
        Self {
            folder,
            settings,
            rows,
            sharing: path.map(Sharing::new),
            clock,
            wall: WallWatch::new(clock.now(), None, None),
            answers,
            wake,
            free_bytes: Folder::free_bytes,
            uploads: Uploads::default(),
            next: 0,
            sweep_at: Tick::ZERO,
            has_rows: true,
            is_unsure: false,
            removed: Vec::new(),
            lines: Throttle::new(LINES_PER_MINUTE, Duration::from_mins(1)),
        }
    }

    /// Until nobody can ask any more.
    pub(super) fn run(&mut self, jobs: &Receiver<FileJob>) {
        // In a folder that nodes share, what no row names may be what another one is just storing.
        if self.sharing.is_none() {
            self.remove_orphans();
        }
        loop {
            let now = self.clock.now().tick;
            if now >= self.sweep_at {
                self.sweep_at = now.after(SWEEP_EVERY);
                self.uploads.expire(now);
                // If the folder is gone, perhaps because its disk is not mounted, each file would
                // seem to be removed.
                if self.has_rows && self.check_folder().is_ok() {
                    self.sweep();
                }
            }
            let job = match self.patience() {
                Some(patience) => jobs.recv_timeout(patience),
                None => jobs.recv().map_err(|_closed| RecvTimeoutError::Disconnected),
            };
            match job {
                Ok(job) => self.on_job(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// How long it is waited for something to do before it is looked for what is to be removed;
    /// `None` if nothing can be.
    pub(super) fn patience(&self) -> Option<Duration> {
        (self.has_rows || self.uploads.are_parked()).then_some(SWEEP_EVERY)
    }

    pub(super) fn on_job(&mut self, job: FileJob) {
        // Not looked at for each piece of a file: the write itself says if the folder is gone.
        let needs_folder = !matches!(job, FileJob::Bytes(..) | FileJob::Abandon(_));
        if needs_folder && let Err(fault) = self.check_folder() {
            if let Some(conn) = job.requester() {
                self.uploads.park(conn, self.clock.now().tick);
                self.answer(conn, Err(fault));
            }
            return;
        }
        match job {
            FileJob::Begin { conn, owner, key, hash, offset, size } => {
                // Who has this file here already need not send it again, and it counts once.
                let begun = match self.find_again(&owner, hash.as_deref()) {
                    Ok(None) => {
                        let begun = self.begin(conn, (owner, key, hash), (offset, size));
                        begun.map(|()| FileAnswer::Begun)
                    }
                    Ok(Some(stored)) => Ok(stored),
                    Err(fault) => Err(fault),
                };
                self.answer(conn, begun);
            }
            FileJob::Bytes(conn, bytes) => {
                // It was refused before, and the loop does not know it yet.
                if self.uploads.get_mut(conn).is_none() {
                    return;
                }
                let written = self.write(conn, &bytes);
                if written.is_err() {
                    self.uploads.remove(conn);
                }
                self.answer(conn, written.map(|()| FileAnswer::Written(bytes.len())));
            }
            FileJob::Finish { conn, is_whole } => self.finish(conn, is_whole),
            FileJob::Abandon(conn) => self.uploads.park(conn, self.clock.now().tick),
            FileJob::Progress(conn, key, hash) => {
                let found = self.find_again(&key.0, hash.as_deref());
                let len = self.uploads.progress(&key);
                self.answer(conn, found.map(|found| found.unwrap_or(FileAnswer::Progress(len))));
            }
            FileJob::Open(conn, id) => {
                let found = self.rows.find(&id).map_err(|error| self.failed(&error));
                let opened = found.and_then(|file| file.ok_or(FileFault::NotThere));
                self.answer(conn, opened.map(FileAnswer::Opened));
            }
            FileJob::Read(conn, hash, offset, len) => {
                let piece = self.folder.read(&hash, offset, len);
                let piece = piece.map_err(|error| match error.kind() {
                    // Its message went while it was read.
                    io::ErrorKind::NotFound => FileFault::NotThere,
                    _ => self.failed(&error),
                });
                self.answer(conn, piece.map(FileAnswer::Piece));
            }
        }
    }

    fn begin(
        &mut self,
        conn: ConnId,
        (owner, key, hash): (Box<str>, Option<Box<str>>, Option<Box<str>>),
        (offset, size): (u64, Option<u64>),
    ) -> Result<(), FileFault> {
        // An unknown size is taken for the least that there is: the bound is checked again with
        // each piece.
        let bytes = size.unwrap_or(1);
        if bytes == 0 {
            return Err(FileFault::Empty);
        }
        if bytes > self.settings.bytes_max {
            return Err(FileFault::TooLarge);
        }
        // Before it is sent, so that nobody sends for nothing; the writer has the last word.
        let quota = self.settings.quota;
        let used = self.rows.used(&owner).map_err(|error| self.failed(&error))?;
        if used.0.saturating_add(bytes) > quota.per_user {
            return Err(FileFault::UserFull(quota.per_user.saturating_sub(used.0)));
        }
        if used.1.saturating_add(bytes) > quota.total {
            return Err(FileFault::Full);
        }
        self.check_space(bytes)?;
        let taken = key.clone().and_then(|key| self.uploads.take(&(owner.clone(), key)));
        let waiting = taken.map(|(upload, before)| {
            if let Some(before) = before {
                self.answer(before, Err(FileFault::TakenOver));
            }
            upload
        });
        // Whoever begins at 0 begins anew: what had come is dropped here, and its file with it.
        let waiting = waiting.filter(|_| offset > 0);
        let len = waiting.as_ref().map_or(0, |upload| upload.len);
        let stated = waiting.as_ref().and_then(|upload| upload.size);
        let begun = match stated.filter(|stated| size.is_some_and(|size| size != *stated)) {
            _ if len != offset => Err(FileFault::Offset(len)),
            Some(stated) => Err(FileFault::OtherSize(stated)),
            None => self.uploads.may_begin(&owner),
        };
        if let Err(fault) = begun {
            // What has come waits for its sender to come back.
            if let Some(upload) = waiting {
                self.uploads.insert(conn, upload);
                self.uploads.park(conn, self.clock.now().tick);
            }
            return Err(fault);
        }
        let upload = if let Some(mut upload) = waiting {
            (upload.hash, upload.size) = (hash, size.or(upload.size));
            upload
        } else {
            self.next += 1;
            let begun = self.folder.begin(self.next);
            let (file, path) = begun.map_err(|error| self.fault_of(&error))?;
            Upload { owner, key, file, path, len: 0, hash, size, sum: Sha256::new() }
        };
        self.uploads.insert(conn, upload);
        Ok(())
    }

    /// Whether the disk has room for so many bytes more.
    fn check_space(&mut self, bytes: u64) -> Result<(), FileFault> {
        let free = (self.free_bytes)(&self.folder).map_err(|error| self.failed(&error))?;
        if free < bytes.saturating_add(FREE_MIN) { Err(FileFault::NoSpace) } else { Ok(()) }
    }

    /// The file of this user that has this SHA-256, which begins anew to wait for a message.
    fn find_again(
        &mut self,
        owner: &str,
        hash: Option<&str>,
    ) -> Result<Option<FileAnswer>, FileFault> {
        let Some(hash) = hash else { return Ok(None) };
        let found = self.rows.again(hash, (owner, self.clock.now().wall_ms, LOOSE_MS));
        let file = match found.map_err(|error| self.failed(&error))? {
            FileOutcome::Found(Some(file)) => file,
            FileOutcome::Found(None) => return Ok(None),
            FileOutcome::NoSpace => return Err(FileFault::NoSpace),
            other => return Err(self.failed(&format!("another outcome: {other:?}"))),
        };
        // Somebody has removed it from the folder: sent again, it is there for all who have it.
        if !self.folder.place(&file.hash).exists() {
            return Ok(None);
        }
        let kind = Kind::of_number(file.kind);
        let mut size = None;
        if kind.is_picture() {
            let found = File::open(self.folder.place(&file.hash));
            let found = found.and_then(|mut contents| inspect(&mut contents));
            let found = found.map_err(|error| self.failed(&error))?;
            size = found.ok().and_then(|(_, size)| size);
        }
        Ok(Some(FileAnswer::Stored { file, kind, size, is_new: false }))
    }

    fn write(&mut self, conn: ConnId, bytes: &[u8]) -> Result<(), FileFault> {
        let Some(upload) = self.uploads.get_mut(conn) else { return Ok(()) };
        let (before, bytes_len) = (upload.len, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        let len = before.saturating_add(bytes_len);
        if len > self.settings.bytes_max {
            return Err(FileFault::TooLarge);
        }
        if upload.size.is_some_and(|size| len > size) {
            return Err(FileFault::Size);
        }
        if len / FREE_EVERY > before / FREE_EVERY {
            self.check_space(bytes_len)?;
        }
        let Some(upload) = self.uploads.get_mut(conn) else { return Ok(()) };
        let written = upload.file.write_all(bytes);
        // Summed while it comes, so that the file is not read again once it is whole.
        upload.sum.update(bytes);
        upload.len = len;
        written.map_err(|error| self.fault_of(&error))
    }

    /// Stores what has come, or keeps it for who goes on with it if its end is missing.
    fn finish(&mut self, conn: ConnId, is_whole: bool) {
        let Some(upload) = self.uploads.remove(conn) else { return };
        let len = upload.len;
        if is_whole && upload.size.is_none_or(|size| size <= len) {
            let stored = self.store(upload);
            return self.answer(conn, stored);
        }
        let is_kept = upload.key.is_some();
        self.uploads.insert(conn, upload);
        self.uploads.park(conn, self.clock.now().tick);
        self.answer(conn, Err(FileFault::Short { len, is_kept }));
    }

    fn store(&mut self, mut upload: Upload) -> Result<FileAnswer, FileFault> {
        if upload.len == 0 {
            return Err(FileFault::Empty);
        }
        if upload.size.is_some_and(|size| size != upload.len) {
            return Err(FileFault::Size);
        }
        let hash = hex(std::mem::take(&mut upload.sum));
        if upload.hash.as_deref().is_some_and(|said| said != hash) {
            return Err(FileFault::Hash);
        }
        // Two connections may have sent it at once.
        let said = upload.hash.take();
        if let Some(stored) = self.find_again(&upload.owner, said.as_deref())? {
            return Ok(stored);
        }
        let found = inspect(&mut upload.file).map_err(|error| self.failed(&error))?;
        let (kind, size) = found.map_err(FileFault::Picture)?;
        if self.settings.only_pictures && !kind.is_picture() {
            return Err(FileFault::Kind(kind));
        }
        let mut bits = [0; 20];
        getrandom::fill(&mut bits).map_err(|error| self.failed(&error))?;
        let (id, number) = (FileId::of(bits), kind.number());
        let place = self.rows.place(&hash, &id);
        // The file before its row: a kill between the two leaves a file that nobody names, which
        // the next start removes, and never a row without its file.
        let kept = self.folder.keep((&upload.file, &upload.path), &place);
        kept.map_err(|error| self.fault_of(&error))?;
        let mut file = StoredFile { id, hash: place, bytes: upload.len, kind: number };
        let times = (&*upload.owner, self.clock.now().wall_ms, LOOSE_MS);
        // Before it is asked for: should the answer be lost, the row may be there nevertheless.
        self.has_rows = true;
        let put = self.rows.put(file.clone(), times, self.settings.quota);
        let fault = match put {
            Ok(FileOutcome::Stored(place)) => {
                if place != file.hash {
                    // The same is there already under another name.
                    self.remove(&file.hash);
                    file.hash = place;
                }
                return Ok(FileAnswer::Stored { file, kind, size, is_new: true });
            }
            Ok(FileOutcome::UserFull(left)) => FileFault::UserFull(left),
            Ok(FileOutcome::Full) => FileFault::Full,
            Ok(FileOutcome::NoSpace) => FileFault::NoSpace,
            Ok(FileOutcome::Found(_) | FileOutcome::Swept(..)) => FileFault::Broken,
            // It is not known whether the database has it: the next start finds out.
            Err(error) => {
                self.is_unsure = true;
                return Err(self.failed(&error));
            }
        };
        // Asked of the database and not simply removed: the same contents may be another file's,
        // too.
        self.remove_unknown(vec![file.hash]);
        Err(fault)
    }

    /// Removes what nobody refers to any more, and what nobody has referred to in time.
    pub(super) fn sweep(&mut self) {
        let mut is_done = false;
        while !is_done {
            let now = self.clock.now();
            // A clock that was set makes no file old.
            self.wall.look(now);
            let times = (self.wall.for_ages(now), LOOSE_MS);
            let swept = self.rows.sweep(std::mem::take(&mut self.removed), times);
            // What fails now is done in the next round.
            let Ok(Swept { places, may_be_more, has_rows }) = swept else { return };
            self.has_rows = has_rows || self.is_unsure;
            is_done = !may_be_more;
            for place in places {
                if self.remove(&place) {
                    self.removed.push(place);
                } else {
                    is_done = true;
                }
            }
        }
    }

    /// Removes what a kill has left between the folder and the database.
    fn remove_orphans(&mut self) {
        let mut places = Vec::new();
        if let Err(error) = self.folder.walk(&mut |place| places.push(Box::<str>::from(place))) {
            self.failed(&error);
        }
        // In lots, since in a cluster each is a question to the engine.
        for places in places.chunks(ORPHANS_MAX) {
            self.remove_unknown(places.to_vec());
        }
    }

    fn remove_unknown(&mut self, places: Vec<Box<str>>) {
        // What cannot be asked now stays until the next start.
        for place in self.rows.unknown(places).unwrap_or_default() {
            self.remove(&place);
        }
    }

    /// Whether it is not in the folder any more.
    fn remove(&mut self, place: &str) -> bool {
        let removed = self.folder.remove(place);
        removed.map_err(|error| self.failed(&error)).is_ok()
    }

    /// Whether the folder can be used: one that is shared has to be that of the other nodes.
    fn check_folder(&mut self) -> Result<(), FileFault> {
        let (Some(sharing), FileRows::Shared(engine)) = (&mut self.sharing, &self.rows) else {
            return Ok(());
        };
        let now = self.clock.now().tick;
        if now >= sharing.next_at {
            sharing.look(&self.folder, engine, self.clock);
        }
        if sharing.fault.is_some() {
            return Err(FileFault::NotShared);
        }
        if !std::mem::replace(&mut sharing.is_cleared, true) {
            self.remove_orphans();
        }
        Ok(())
    }

    fn answer(&self, conn: ConnId, answer: Result<FileAnswer, FileFault>) {
        let answer = answer.unwrap_or_else(FileAnswer::Refused);
        // The server is gone: nobody takes what the rest would come to.
        if self.answers.send((conn, answer)).is_ok() {
            (self.wake)();
        }
    }

    fn fault_of(&mut self, error: &io::Error) -> FileFault {
        let full =
            [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        if full.contains(&error.kind()) { FileFault::NoSpace } else { self.failed(error) }
    }

    fn failed(&mut self, cause: &dyn std::fmt::Display) -> FileFault {
        if self.lines.admit(self.clock.now().tick).is_some() {
            log::error!(cause:% = cause; "a file cannot be kept or read");
        }
        FileFault::Broken
    }
}

/// The kind of a part, and the size of a picture.
fn inspect(
    file: &mut File,
) -> io::Result<Result<(Kind, Option<picture::Size>), picture::PictureFault>> {
    file.rewind()?;
    let kind = Kind::of(&mut *file)?;
    file.rewind()?;
    if picture::is_of_another_kind(&mut *file)? {
        let what = "pictures are taken as JPEG, PNG, GIF or WebP only";
        return Ok(Err(picture::PictureFault::Malformed(what)));
    }
    file.rewind()?;
    let found = picture::look_through(kind, BufReader::new(&mut *file))?;
    Ok(found.map(|size| (kind, size)))
}
