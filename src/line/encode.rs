//! Encodes items.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use super::{LENGTH_BYTES, LENGTH_MAX};

/// Appends `item` and its `\n`. The item must not contain a `\n` of its own: a rendered JSON text
/// never does.
pub fn encode_line(out: &mut Vec<u8>, item: &[u8]) {
    debug_assert!(!item.contains(&b'\n'), "a line within a line");
    out.reserve(item.len() + 1);
    out.extend_from_slice(item);
    out.push(b'\n');
}

/// Appends the 4-byte length of `item`, and `item`.
///
/// # Errors
///
/// [`TooLong`] if `item` is longer than [`LENGTH_MAX`]; nothing is appended then.
pub fn encode_length(out: &mut Vec<u8>, item: &[u8]) -> Result<(), TooLong> {
    let len = u32::try_from(item.len()).ok().filter(|_| item.len() <= LENGTH_MAX);
    let header = len.ok_or(TooLong)?.to_be_bytes();
    out.reserve(header.len() + item.len());
    out.extend_from_slice(&header);
    out.extend_from_slice(item);
    Ok(())
}

/// Writes the length of everything after the [`LENGTH_BYTES`] at `start`, which were reserved for
/// it. They are removed if nothing follows them.
///
/// # Errors
///
/// [`TooLong`] if that is more than [`LENGTH_MAX`]; all of it is then removed.
pub fn put_length(out: &mut Vec<u8>, start: usize) -> Result<(), TooLong> {
    let len = out.len().saturating_sub(start + LENGTH_BYTES);
    let fitting = u32::try_from(len).ok().filter(|_| len <= LENGTH_MAX);
    match (fitting, out.get_mut(start..start + LENGTH_BYTES)) {
        (Some(1..), Some(place)) => place.copy_from_slice(&fitting.unwrap_or(0).to_be_bytes()),
        (Some(_), _) => out.truncate(start),
        (None, _) => {
            out.truncate(start);
            return Err(TooLong);
        }
    }
    Ok(())
}

/// An item that the length framing cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_a_line_feed() {
        let mut out = b"before".to_vec();
        encode_line(&mut out, b"{}");
        assert_eq!(out, b"before{}\n");
    }

    #[test]
    fn a_length_stands_before_its_bytes() {
        let mut out = Vec::new();
        encode_length(&mut out, &[7; 258]).unwrap();
        assert_eq!(out.get(..5), Some(&[0, 0, 1, 2, 7][..]));
        assert_eq!(out.len(), 262);
    }

    #[test]
    fn a_length_is_written_before_bytes_that_are_there() {
        let mut out = b"before\0\0\0\0after".to_vec();
        put_length(&mut out, 6).unwrap();
        assert_eq!(out, b"before\0\0\0\x05after");
        out.truncate(10);
        put_length(&mut out, 6).unwrap();
        assert_eq!(out, b"before");
    }

    #[test]
    fn what_the_length_cannot_say_is_refused_whole() {
        let mut out = Vec::new();
        assert_eq!(encode_length(&mut out, &vec![0; LENGTH_MAX + 1]), Err(TooLong));
        assert!(out.is_empty());
        encode_length(&mut out, &vec![0; LENGTH_MAX]).unwrap();
        assert_eq!(out.get(..4), Some(&[0, 0xff, 0xff, 0xff][..]));
    }
}
