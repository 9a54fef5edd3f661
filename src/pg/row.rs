//! Rows of answers, in binary.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::fmt;
use std::ops::Range;

use bytes::Bytes;

/// One row of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub(in crate::pg) bytes: Bytes,
    pub(in crate::pg) columns: Box<[Option<Range<usize>>]>,
}

/// A column of an answer does not have the type or the value that it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongType {
    /// Which, from 0.
    pub column: usize,
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {} of the engine's answer is of an unexpected type", self.column + 1)
    }
}

impl std::error::Error for WrongType {}

impl Row {
    /// How many columns it has.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.columns.len()
    }

    /// It has no columns.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Bytes that it takes.
    pub(in crate::pg) const fn weight(&self) -> usize {
        self.bytes.len() + self.columns.len() * size_of::<Option<Range<usize>>>()
    }

    /// The bytes of a column; `None` if it is `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if there is no such column.
    pub fn bytes(&self, column: usize) -> Result<Option<&[u8]>, WrongType> {
        let range = self.columns.get(column).ok_or(WrongType { column })?;
        let bytes = range.as_ref().map(|range| self.bytes.get(range.clone()));
        if bytes == Some(None) { Err(WrongType { column }) } else { Ok(bytes.flatten()) }
    }

    /// A `smallint`, `integer` or `bigint`; `None` if it is `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is something else.
    pub fn int_or_null(&self, column: usize) -> Result<Option<i64>, WrongType> {
        let Some(bytes) = self.bytes(column)? else { return Ok(None) };
        if let Ok(bytes) = bytes.try_into() {
            return Ok(Some(i64::from_be_bytes(bytes)));
        }
        if let Ok(bytes) = bytes.try_into() {
            return Ok(Some(i64::from(i32::from_be_bytes(bytes))));
        }
        let bytes = bytes.try_into().map_err(|_error| WrongType { column })?;
        Ok(Some(i64::from(i16::from_be_bytes(bytes))))
    }

    /// The same, which must not be `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is, or is something else.
    pub fn int(&self, column: usize) -> Result<i64, WrongType> {
        self.int_or_null(column)?.ok_or(WrongType { column })
    }

    /// A `text`; `None` if it is `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is no UTF-8.
    pub fn text_or_null(&self, column: usize) -> Result<Option<&str>, WrongType> {
        let text = self.bytes(column)?.map(str::from_utf8).transpose();
        text.map_err(|_error| WrongType { column })
    }

    /// The same, which must not be `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is, or is something else.
    pub fn text(&self, column: usize) -> Result<&str, WrongType> {
        self.text_or_null(column)?.ok_or(WrongType { column })
    }

    /// A `boolean`, which must not be `NULL`.
    ///
    /// # Errors
    ///
    /// [`WrongType`] if it is, or is something else.
    pub fn bool(&self, column: usize) -> Result<bool, WrongType> {
        match self.bytes(column)? {
            Some([0]) => Ok(false),
            Some([1]) => Ok(true),
            _ => Err(WrongType { column }),
        }
    }
}
