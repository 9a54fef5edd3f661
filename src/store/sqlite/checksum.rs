//! Checksums over rows.

use rusqlite::types::ValueRef;

/// CRC-32 over values, each preceded by its type and length, so that moving bytes from one column
/// to the next changes it. It is stored: the function never changes.
///
/// It is computed here because the values are short: libraries are made for long ones, and the one
/// of `flate2` takes longer for an integer than this does for a row.
pub(super) struct Checksum(u32);

/// What a byte, and zeros after it as many as the table's number, do to the remainder.
static TABLES: [[u32; 256]; 8] = tables();

const fn tables() -> [[u32; 256]; 8] {
    let mut tables = [[0; 256]; 8];
    let mut byte: u8 = 0;
    loop {
        let mut remainder = byte as u32;
        let mut zeros = 0;
        while zeros < 8 {
            let mut bit = 0;
            while bit < 8 {
                let polynomial = if remainder & 1 == 1 { 0xedb8_8320 } else { 0 };
                remainder = (remainder >> 1) ^ polynomial;
                bit += 1;
            }
            tables[zeros][byte as usize] = remainder;
            zeros += 1;
        }
        if byte == u8::MAX {
            return tables;
        }
        byte += 1;
    }
}

impl Default for Checksum {
    fn default() -> Self {
        Self(!0)
    }
}

impl Checksum {
    /// Takes one more value.
    pub(super) fn push(&mut self, value: ValueRef<'_>) {
        match value {
            ValueRef::Null => self.update(&[0]),
            ValueRef::Integer(number) => {
                self.update(&[1]);
                self.update(&number.to_le_bytes());
            }
            ValueRef::Text(bytes) => self.push_bytes(2, bytes),
            ValueRef::Blob(bytes) => self.push_bytes(3, bytes),
            ValueRef::Real(number) => {
                self.update(&[4]);
                self.update(&number.to_le_bytes());
            }
        }
    }

    fn push_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.update(&[kind]);
        // Eight bytes and not the machine's word: the file may be read on another one.
        self.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.update(bytes);
    }

    fn update(&mut self, bytes: &[u8]) {
        // Eight bytes at a time: their look-ups do not wait for each other.
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            let word = u64::from_le_bytes(*word) ^ u64::from(self.0);
            let parts = word.to_le_bytes().into_iter().zip(TABLES.iter().rev());
            self.0 = parts.fold(0, |sum, (byte, table)| sum ^ table[usize::from(byte)]);
        }
        for byte in rest {
            let [low, ..] = self.0.to_le_bytes();
            self.0 = (self.0 >> 8) ^ TABLES[0][usize::from(low ^ byte)];
        }
    }

    /// The checksum of all values.
    pub(super) fn finish(&self) -> i64 {
        i64::from(!self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn it_is_the_crc_32_of_everybody_else() {
        let mut rng = Rng::new(1);
        for len in 0..300 {
            let bytes: Vec<u8> = (0..len).map(|_| u8::try_from(rng.below(256)).unwrap()).collect();
            let (mut ours, mut theirs) = (Checksum::default(), flate2::Crc::new());
            // In two parts, so that each begins anywhere.
            let (first, last) = bytes.split_at(rng.index(len + 1));
            for part in [first, last] {
                ours.update(part);
                theirs.update(part);
            }
            assert_eq!(ours.finish(), i64::from(theirs.sum()), "{bytes:?}");
        }
    }
}
