//! Unsigned numbers in SQLite's columns, which are signed.

/// The number for a column. Seqs and times are far below the limit; what a client made up beyond it
/// is as good as the highest.
pub(in crate::store) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The number of a column. None of ours is negative; what a damaged file says is 0.
pub(in crate::store) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
