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
        // First, since nothing is wrong with the file: another process has it for a moment.
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

/// What to do about this error of a file, for the operator: begins with a semicolon, or is empty.
pub(in crate::store) fn advice(error: &Error) -> &'static str {
    let Some(error) = error.sqlite_error() else { return "" };
    match (error.code, error.extended_code) {
        (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => {
            "; see what is damaged with chinwag verify, and restore a backup with chinwag restore"
        }
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => {
            "; another process has locked it, or its file system, such as NFS, has no locks: try again \
             when that has ended, or use a disk of this machine"
        }
        (ErrorCode::DiskFull, _)
        | (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
            "; free space on the disk and try again"
        }
        (ErrorCode::ReadOnly | ErrorCode::CannotOpen, _) => {
            "; it and its directory must be writable for the user that runs this, who should be the one \
             of the server"
        }
        (ErrorCode::PermissionDenied, _)
        | (
            ErrorCode::SystemIoFailure,
            ffi::SQLITE_IOERR_LOCK | ffi::SQLITE_IOERR_UNLOCK | ffi::SQLITE_IOERR_RDLOCK,
        ) => "; its file system refuses to lock it: use a disk of this machine",
        (
            ErrorCode::SystemIoFailure,
            ffi::SQLITE_IOERR_SHMOPEN | ffi::SQLITE_IOERR_SHMLOCK | ffi::SQLITE_IOERR_SHMMAP,
        ) => {
            "; its file system cannot share memory between processes (the file -shm), which the \
             write-ahead log needs: use a disk of this machine"
        }
        (ErrorCode::SystemIoFailure, _) => {
            "; the disk reports errors: see the log of the system (dmesg), and copy the files elsewhere"
        }
        _ => "",
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

    #[test]
    fn what_to_do_fits_the_cause() {
        for (code, expect) in [
            (ffi::SQLITE_BUSY, "another process has locked it"),
            (ffi::SQLITE_PERM, "refuses to lock"),
            (ffi::SQLITE_IOERR_RDLOCK, "refuses to lock"),
            (ffi::SQLITE_IOERR_SHMMAP, "share memory"),
            (ffi::SQLITE_IOERR_SHMSIZE, "free space"),
            (ffi::SQLITE_FULL, "free space"),
            (ffi::SQLITE_IOERR_READ, "dmesg"),
            (ffi::SQLITE_CANTOPEN, "must be writable"),
            (ffi::SQLITE_CORRUPT, "chinwag verify"),
        ] {
            let advice = advice(&Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(advice.contains(expect) && advice.starts_with("; "), "{code}: {advice}");
        }
    }
}
