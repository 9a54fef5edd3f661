//! What is kept of files beside what is in them: what is asked about it where several nodes share
//! it, and what is answered.

use super::file::{FileId, StoredFile};

/// How many bytes of files there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Of one user.
    pub per_user: u64,
    /// Of all users.
    pub total: u64,
}

/// What has come of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileOutcome {
    /// It is stored, under this name in the folder.
    Stored(Box<str>),
    /// The user may have so many bytes more, and it is larger.
    UserFull(u64),
    /// It would be more than there may be of all users.
    Full,
    /// The disk of the database has no room for it: nothing is changed.
    NoSpace,
    /// The file that there is.
    Found(Option<StoredFile>),
    /// What these name in the folder is no file's any more; whether there may be more to be swept.
    Swept(Vec<Box<str>>, bool),
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileAsk {
    /// Somebody has sent one; it may wait so many milliseconds for a message.
    Put {
        /// What is known of it.
        file: StoredFile,
        /// Whose it is.
        owner: Box<str>,
        /// How much there may be.
        quota: Quota,
        /// For how long it may wait.
        waits_ms: u64,
    },
    /// The one of this user that has this SHA-256 may wait as long again.
    Again {
        /// The SHA-256.
        hash: Box<str>,
        /// Whose it is.
        owner: Box<str>,
        /// For how long it may wait.
        waits_ms: u64,
    },
    /// The bytes of this user, and of all.
    Used(Box<str>),
    /// The one of this name.
    Find(FileId),
    /// Which of these names in the folder are no file's.
    Unknown(Vec<Box<str>>),
    /// Those go to which nothing refers; those that had to be removed were.
    Sweep {
        /// Their names in the folder.
        removed: Vec<Box<str>>,
        /// For how long one may wait.
        waits_ms: u64,
    },
    /// What this node has written into its folder.
    Probe(FolderProbe),
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileTold {
    /// What came of the request, or the file that there is.
    Outcome(FileOutcome),
    /// The bytes of a user, and of all.
    Used(u64, u64),
    /// These are no file's.
    Unknown(Vec<Box<str>>),
    /// The folder, as the others have it.
    Folder(SharedFolder),
}

/// What a node says of its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderProbe {
    /// What it has written there.
    pub nonce: Box<str>,
    /// The mark that it has found there.
    pub mark: Option<Box<str>>,
    /// Why it takes no files, if it does not.
    pub fault: Option<Box<str>>,
}

/// The folder, as the engine knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SharedFolder {
    /// The mark that is in the folder, by which nodes know that it is the same; `None`: no node has
    /// found one yet.
    pub mark: Option<Box<str>>,
    /// The nodes that take files, or would, those that came first before the others.
    pub nodes: Vec<FolderNode>,
}

/// A node with a folder of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderNode {
    /// What it is called.
    pub name: Box<str>,
    /// What it has written into its folder last.
    pub nonce: Box<str>,
    /// Why it takes no files.
    pub fault: Option<Box<str>>,
    /// It is the one that asks.
    pub is_own: bool,
}
