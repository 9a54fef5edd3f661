//! Which [`LogFault`] stands for an error of SQLite.

use rusqlite::{Error, ErrorCode, ffi};

use crate::chat::model::log::LogFault;

/// The fault that stands for this error.
///
/// A failed write counts as want of space: SQLite reports a disk, a quota and a file-size limit
/// that are exhausted by the same code as others, and the caller can ask the file system. A failed
/// sync and a read-only disk are [`LogFault::Broken`]. A lock says nothing about the disk.
pub(super) fn classify(error: &Error) -> LogFault {
    let Some(error) = error.sqlite_error() else {
        // A value has another type than the one that was written.
        return LogFault::Corrupt;
    };
    match (error.code, error.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => LogFault::Busy,
        (ErrorCode::DiskFull, _) => LogFault::Full,
        (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
            LogFault::Full
        }
        (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS)
        | (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => LogFault::Corrupt,
        _ => LogFault::Broken,
    }
}

/// The error for damage that was found without SQLite.
pub(in crate::store) fn damaged(what: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what))
}

/// What has happened, for the operator.
pub(super) const fn describe(fault: LogFault) -> &'static str {
    match fault {
        LogFault::Busy => "another process has locked the file",
        LogFault::Full => "there is no space left on the disk",
        LogFault::Broken => "the disk or the file cannot be written",
        LogFault::Corrupt => "the file is damaged",
        LogFault::TooDear => "the query takes too long",
        LogFault::Taken => "somebody else was first",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_the_fault_that_an_operator_would_name() {
        for (code, expect) in [
            (ffi::SQLITE_FULL, LogFault::Full),
            (ffi::SQLITE_IOERR_WRITE, LogFault::Full),
            (ffi::SQLITE_IOERR_SHMSIZE, LogFault::Full),
            (ffi::SQLITE_IOERR_FSYNC, LogFault::Broken),
            (ffi::SQLITE_READONLY_DBMOVED, LogFault::Broken),
            (ffi::SQLITE_READONLY, LogFault::Broken),
            (ffi::SQLITE_BUSY, LogFault::Busy),
            (ffi::SQLITE_CANTOPEN, LogFault::Broken),
            (ffi::SQLITE_CORRUPT, LogFault::Corrupt),
            (ffi::SQLITE_NOTADB, LogFault::Corrupt),
        ] {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(classify(&error), expect, "{code}");
        }
    }
}
