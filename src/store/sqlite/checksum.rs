//! Checksums over rows.

use flate2::Crc;
use rusqlite::types::ValueRef;

/// CRC-32 over values, each preceded by its type and length, so that moving bytes from one column
/// to the next changes it. It is stored: the function never changes.
#[derive(Default)]
pub(super) struct Checksum(Crc);

impl Checksum {
    /// Takes one more value.
    pub(super) fn push(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.0.update(&[0]),
            ValueRef::Integer(number) => {
                self.0.update(&[1]);
                self.0.update(&number.to_le_bytes());
            }
            ValueRef::Text(bytes) => self.push_bytes(2, bytes),
            ValueRef::Blob(bytes) => self.push_bytes(3, bytes),
            ValueRef::Real(number) => {
                self.0.update(&[4]);
                self.0.update(&number.to_le_bytes());
            }
        }
    }

    fn push_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        // Eight bytes and not the machine's word: the file may be read on another one.
        self.0.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.0.update(bytes);
    }

    /// The checksum of all values.
    pub(super) fn finish(&self) -> i64 {
        i64::from(self.0.sum())
    }
}
