//! Files to which messages refer: their names, and where these stand in what a message carries.
//!
//! A reference is any text in the `data` of a message that has the form of a file's name: a word
//! and 160 random bits, so that none stands there by chance, and a client needs no field of its
//! own to refer to one.

use std::fmt;

/// How the name of a file begins.
pub const FILE_WORD: &str = "cwf_";
/// Characters after the word: 160 bits, five to a character.
const DIGITS: usize = 32;
/// Bytes of the name of a file.
pub const FILE_ID_LEN: usize = FILE_WORD.len() + DIGITS;
/// The digits of a name: no two of them look alike, and none is told from another by its case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Digits of the SHA-256 of what is in a file.
pub const HASH_LEN: usize = 64;
/// Files to which one message may refer, thumbnails included.
pub const FILES_PER_MESSAGE_MAX: usize = 20;

/// The name of a file that somebody has sent: who knows it has been shown it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(Box<str>);

impl FileId {
    /// The id that consists of these bits.
    #[must_use]
    pub fn of(bits: [u8; 20]) -> Self {
        let mut text = String::from(FILE_WORD);
        for five in bits.chunks_exact(5) {
            let bytes = five.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                let digit = usize::try_from(bytes >> (5 * place) & 31).unwrap_or(0);
                text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'a')));
            }
        }
        Self(text.into())
    }

    /// The name that this text is; `None` if it has not the form of one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(FILE_WORD)?;
        (rest.len() == DIGITS && rest.bytes().all(is_digit)).then(|| Self(text.into()))
    }

    /// What follows the word.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.strip_prefix(FILE_WORD).unwrap_or_default()
    }

    /// It as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const fn is_digit(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'2'..=b'7')
}

/// The files to which a message with this `data` refers, each once, in their order.
#[must_use]
pub fn references(data: &str) -> Vec<FileId> {
    let mut found = Vec::new();
    // Nearly no message has any: to prepare a search alone costs more than the rest of this.
    if data.len() < FILE_ID_LEN {
        return found;
    }
    let mut rest = data;
    while let Some(at) = rest.find(FILE_WORD) {
        let digits = rest.get(at + FILE_WORD.len()..).unwrap_or_default();
        let len = digits.bytes().take_while(|byte| is_digit(*byte)).count();
        if len == DIGITS
            && let Some(id) = rest.get(at..at + FILE_ID_LEN).and_then(FileId::parse)
            && !found.contains(&id)
        {
            found.push(id);
        }
        rest = digits;
    }
    found
}

/// What is known of a file without looking into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its name.
    pub id: FileId,
    /// Its name in the folder: the SHA-256 of what is in it, in hexadecimal, and what tells it from
    /// others of the same where several nodes share the folder.
    pub hash: Box<str>,
    /// Its size.
    pub bytes: u64,
    /// Which of the known kinds of files it is, by its number.
    pub kind: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "cwf_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const Z: &str = "cwf_77777777777777777777777777777777";

    #[test]
    fn a_name_is_of_its_bits_and_is_read_again() {
        for (bits, text) in [([0; 20], A), ([255; 20], Z)] {
            let id = FileId::of(bits);
            assert_eq!(id.as_str(), text);
            assert_eq!(id.as_str().len(), FILE_ID_LEN);
            assert_eq!(FileId::parse(text), Some(id));
        }
        let mut bits = [0; 20];
        bits[19] = 1;
        assert!(FileId::of(bits).as_str().ends_with("aab"));
        let (short, long) = (A.strip_suffix('a').unwrap(), format!("{A}a"));
        for text in ["", "cwf_", A.strip_prefix('c').unwrap(), short, &long, "CWF_aaaa"] {
            assert_eq!(FileId::parse(text), None, "{text}");
        }
        // It becomes a part of a path.
        for bad in ["/", ".", "A", "1", "\0", "é"] {
            let digits = "a".repeat(DIGITS - bad.len());
            assert_eq!(FileId::parse(&format!("{FILE_WORD}{digits}{bad}")), None, "{bad}");
        }
    }

    #[test]
    fn references_are_found_wherever_they_stand_and_nothing_else_is_one() {
        let check = |data: &str, expect: &[&str]| {
            let found = references(data);
            let found: Vec<_> = found.iter().map(FileId::as_str).collect();
            assert_eq!(found, expect, "{data}");
        };
        check("", &[]);
        check(&format!(r#"{{"files":[{{"id":"{A}","thumb":"{Z}"}},{{"id":"{A}"}}]}}"#), &[A, Z]);
        check(&format!("cwf_{A} cwf_cwf_ {Z}é"), &[A, Z]);
        check(&format!("{A}a"), &[]);
        check(A.strip_suffix('a').unwrap(), &[]);
        check("cwf_", &[]);
    }
}
