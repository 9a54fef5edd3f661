//! Parameters of requests, in binary.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::types;

/// A parameter of a request. Its type has to be the one that the statement expects.
#[derive(Clone, Copy, Debug)]
pub enum Param<'a> {
    /// `NULL`, of any type.
    Null,
    /// `boolean`.
    Bool(bool),
    /// `bigint`.
    Int(i64),
    /// `text`.
    Text(&'a str),
    /// `bytea`.
    Bytes(&'a [u8]),
    /// `bigint[]`; an element may be `NULL`.
    Ints(&'a [Option<i64>]),
    /// `text[]`; an element may be `NULL`.
    Texts(&'a [Option<&'a str>]),
    /// `bytea[]`; an element may be `NULL`.
    ByteStrings(&'a [Option<&'a [u8]>]),
}

/// The numbers of types, as they stand in the engine's catalogue (`pg_type.dat`).
pub(super) mod oid {
    pub(in crate::pg) const BYTEA: u32 = 17;
    pub(in crate::pg) const INT8: u32 = 20;
    pub(in crate::pg) const TEXT: u32 = 25;
}

impl Param<'_> {
    /// Appends its value; the length before it is the caller's.
    pub(in crate::pg) fn encode(self, out: &mut BytesMut) -> std::io::Result<IsNull> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Bool(value) => types::bool_to_sql(value, out),
            Self::Int(value) => types::int8_to_sql(value, out),
            Self::Text(value) => types::text_to_sql(value, out),
            Self::Bytes(value) => types::bytea_to_sql(value, out),
            Self::Ints(values) => array(oid::INT8, values, types::int8_to_sql, out)?,
            Self::Texts(values) => array(oid::TEXT, values, types::text_to_sql, out)?,
            Self::ByteStrings(values) => array(oid::BYTEA, values, types::bytea_to_sql, out)?,
        }
        Ok(IsNull::No)
    }
}

/// An array of one dimension.
fn array<T: Copy>(
    element: u32,
    values: &[Option<T>],
    encode: impl Fn(T, &mut BytesMut),
    out: &mut BytesMut,
) -> std::io::Result<()> {
    let len = i32::try_from(values.len()).map_err(|_error| std::io::ErrorKind::InvalidInput)?;
    let dimension = types::ArrayDimension { len, lower_bound: 1 };
    let serialize = |value: &Option<T>, out: &mut BytesMut| match *value {
        Some(value) => {
            encode(value, out);
            Ok(IsNull::No)
        }
        None => Ok(IsNull::Yes),
    };
    types::array_to_sql([dimension], element, values, serialize, out)
        .map_err(|_error| std::io::ErrorKind::InvalidInput.into())
}
