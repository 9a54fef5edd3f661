//! What the loop asks of the thread that keeps files, and what it is answered.

use super::kind::Kind;
use super::picture::PictureFault;
use crate::chat::model::file::{FileId, StoredFile};
use crate::net::ConnId;

/// Bytes of one connection that the thread has not written yet; at more, no more is read from it.
pub const UPLOAD_WINDOW: usize = 256 * 1024;
/// Connections that may send files at a time; the next one is told to come back.
pub const UPLOADS_MAX: usize = 32;
/// Those of one user.
pub const UPLOADS_OF_USER_MAX: usize = 4;
/// Bytes of a file that are read for one connection together. The next ones are read when its
/// socket has taken these.
pub const PIECE_LEN: usize = 64 * 1024;
/// Bytes of the name that a client gives to what it sends, to go on with it.
pub const UPLOAD_KEY_LEN: std::ops::RangeInclusive<usize> = 16..=64;

// All that the loop may have handed over waits in a channel without a bound of its own.
const _: () = assert!(UPLOADS_MAX * UPLOAD_WINDOW <= 8 << 20);

/// By what somebody goes on with something that was sent in part: the user, and the name that the
/// user has given to it.
pub type UploadKey = (Box<str>, Box<str>);

/// What the thread is asked.
#[derive(Debug)]
pub enum FileJob {
    /// A file begins, or goes on after so many bytes.
    Begin {
        /// On this connection.
        conn: ConnId,
        /// Whose it is.
        owner: Box<str>,
        /// The name by which it can be gone on with.
        key: Option<Box<str>>,
        /// The SHA-256 that it is to have: what the user has already is not sent again.
        hash: Option<Box<str>>,
        /// How many bytes of it were sent before.
        offset: u64,
        /// How many it has in all, if that is known.
        size: Option<u64>,
    },
    /// More bytes of the file that is being sent on this connection.
    Bytes(ConnId, Vec<u8>),
    /// No more comes: that was all, or its end is missing.
    Finish {
        /// On this connection.
        conn: ConnId,
        /// Whether what was announced has come.
        is_whole: bool,
    },
    /// The connection is gone.
    Abandon(ConnId),
    /// How much of it has come, or that all of it is there: the file of the user that has this
    /// SHA-256.
    Progress(ConnId, UploadKey, Option<Box<str>>),
    /// A file is to be read.
    Open(ConnId, FileId),
    /// Read a piece: of the file with this hash, from this offset, so many bytes.
    Read(ConnId, Box<str>, u64, usize),
}

impl FileJob {
    /// Who is to be told if it is not done; `None` if nobody waits for it.
    #[must_use]
    pub const fn requester(&self) -> Option<ConnId> {
        match self {
            Self::Begin { conn, .. }
            | Self::Finish { conn, .. }
            | Self::Bytes(conn, _)
            | Self::Progress(conn, ..)
            | Self::Open(conn, _)
            | Self::Read(conn, ..) => Some(*conn),
            Self::Abandon(_) => None,
        }
    }
}

/// What it has come to.
#[derive(Debug)]
pub enum FileAnswer {
    /// It may be sent.
    Begun,
    /// So many bytes were written.
    Written(usize),
    /// So many bytes of the file have come.
    Progress(u64),
    /// It is stored.
    Stored {
        /// What is known of it.
        file: StoredFile,
        /// Its kind.
        kind: Kind,
        /// Width and height of a picture.
        size: Option<(u32, u32)>,
        /// It was sent now, and not before.
        is_new: bool,
    },
    /// It is there.
    Opened(StoredFile),
    /// A piece of the file.
    Piece(Vec<u8>),
    /// Not done.
    Refused(FileFault),
}

/// Why it is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// It is larger than a file may be.
    TooLarge,
    /// There is nothing in it.
    Empty,
    /// The user may have so many bytes more.
    UserFull(u64),
    /// All users together have as much as they may.
    Full,
    /// The disk is full.
    NoSpace,
    /// So many are sent at a time that this one has to wait.
    Busy,
    /// Files of this kind are not taken.
    Kind(Kind),
    /// It is a picture that cannot be taken as it is.
    Picture(PictureFault),
    /// So many bytes of it have come, and not as many as was said.
    Offset(u64),
    /// It does not have the size that was said.
    Size,
    /// Another connection has come with the same name, and goes on with it.
    TakenOver,
    /// The beginning was sent as one of so many bytes.
    OtherSize(u64),
    /// Only a part of it has come.
    Short {
        /// Its bytes.
        len: u64,
        /// Whether it waits to be gone on with.
        is_kept: bool,
    },
    /// It does not have the SHA-256 that was said.
    Hash,
    /// The folder of this node is not known to be the one that the others have.
    NotShared,
    /// There is no such file.
    NotThere,
    /// The disk or the database fails.
    Broken,
}
