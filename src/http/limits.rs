//! The bounds of a message head.

/// How large a head may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a whole head, from the first to the empty line's last; a longer one is 431.
    pub head_len_max: usize,
    /// Bytes of the first line without its CRLF; a longer one is 414.
    pub first_line_len_max: usize,
    /// Field lines; one more is 431, never a partial view of them.
    pub fields_max: usize,
}

impl Limits {
    /// What a browser's request fits into several times over, and a bearer token besides.
    pub const DEFAULT: Self =
        Self { head_len_max: 8 * 1024, first_line_len_max: 4 * 1024, fields_max: 100 };
}

// A first line at its limit must leave room for the fields.
const _: () = assert!(Limits::DEFAULT.first_line_len_max <= Limits::DEFAULT.head_len_max / 2);

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
