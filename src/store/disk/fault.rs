//! What a failure of SQLite means for whoever asked.

use rusqlite::{Error, ErrorCode, ffi};

use crate::chat::model::log::LogFault;

/// The fault that stands for this error.
///
/// A write that fails is taken for want of room: no more space, no more quota, or the limit of a file's length,
/// which SQLite does not tell apart from others; whoever can asks the file system too. What a sync, a lock or a read-only disk refuses is [`LogFault::Broken`].
pub(super) fn classify(error: &Error) -> LogFault {
    let Some(error) = error.sqlite_error() else {
        // A value that is not of the type that was written.
        return LogFault::Corrupt;
    };
    match (error.code, error.extended_code) {
        (ErrorCode::DiskFull, _) => LogFault::Full,
        (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_WRITE | ffi::SQLITE_IOERR_SHMSIZE) => {
            LogFault::Full
        }
        (ErrorCode::SystemIoFailure, ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS)
        | (ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _) => LogFault::Corrupt,
        _ => LogFault::Broken,
    }
}

/// The error for a file that is not as it should be.
pub(super) fn damaged(what: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(what))
}

/// What the operator is told that has happened.
pub(super) const fn words(fault: LogFault) -> &'static str {
    match fault {
        LogFault::Busy => "more is asked than can wait",
        LogFault::Full => "there is no room left on the disk",
        LogFault::Broken => "the disk or the file cannot be written",
        LogFault::Corrupt => "the file is damaged",
        LogFault::TooDear => "the question is too dear",
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
            (ffi::SQLITE_BUSY, LogFault::Broken),
            (ffi::SQLITE_CANTOPEN, LogFault::Broken),
            (ffi::SQLITE_CORRUPT, LogFault::Corrupt),
            (ffi::SQLITE_NOTADB, LogFault::Corrupt),
        ] {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            assert_eq!(classify(&error), expect, "{code}");
        }
    }
}
