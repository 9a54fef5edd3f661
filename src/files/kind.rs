//! What kind of file it is, told from what is in it and never from its name or from what its sender
//! says.
//!
//! A browser that is shown a file is told one of these types, and to believe it
//! (`X-Content-Type-Options: nosniff`). There is none by which a script could run: HTML and SVG are
//! text here.

use std::io::{self, Read};

/// Bytes from which the kind is told, where these do.
const HEAD_LEN: usize = 16;
/// Bytes that are looked at together.
const PIECE_LEN: usize = 64 * 1024;

/// A kind of file. Their numbers are in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Anything.
    Other,
    /// Text in UTF-8 without control characters.
    Text,
    /// PNG (ISO 15948).
    Png,
    /// JPEG (ITU T.81).
    Jpeg,
    /// GIF 87a or 89a.
    Gif,
    /// WebP (RFC 9649).
    WebP,
    /// PDF (ISO 32000).
    Pdf,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Other, Self::Text, Self::Png, Self::Jpeg, Self::Gif, Self::WebP, Self::Pdf];

    /// Its number in the database.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Other => 0,
            Self::Text => 1,
            Self::Png => 2,
            Self::Jpeg => 3,
            Self::Gif => 4,
            Self::WebP => 5,
            Self::Pdf => 6,
        }
    }

    /// The kind of this number; that of a later version is any kind.
    #[must_use]
    pub fn of_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Other)
    }

    /// The media type that browsers are told.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Other => "application/octet-stream",
            Self::Text => "text/plain; charset=utf-8",
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
            Self::Pdf => "application/pdf",
        }
    }

    /// Whether it is a picture: shown in its place, where others are saved.
    #[must_use]
    pub const fn is_picture(self) -> bool {
        match self {
            Self::Png | Self::Jpeg | Self::Gif | Self::WebP => true,
            Self::Other | Self::Text | Self::Pdf => false,
        }
    }

    /// The kind of what is in a file, from its beginning to its end.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of(mut file: impl Read) -> io::Result<Self> {
        let mut piece = vec![0; PIECE_LEN];
        let mut len = fill(&mut file, &mut piece)?;
        if let Some(kind) = of_head(piece.get(..len.min(HEAD_LEN)).unwrap_or_default()) {
            return Ok(kind);
        }
        let mut rest = Vec::new();
        while len > 0 {
            let mut all = std::mem::take(&mut rest);
            all.extend_from_slice(piece.get(..len).unwrap_or_default());
            let valid = match str::from_utf8(&all) {
                Ok(text) => text,
                // A character that the piece cuts: the rest of it comes with the next one.
                Err(cut) if cut.error_len().is_none() => {
                    rest = all.get(cut.valid_up_to()..).unwrap_or_default().to_vec();
                    let valid = all.get(..cut.valid_up_to()).unwrap_or_default();
                    str::from_utf8(valid).unwrap_or_default()
                }
                Err(_) => return Ok(Self::Other),
            };
            if valid.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\x0c')) {
                return Ok(Self::Other);
            }
            len = fill(&mut file, &mut piece)?;
        }
        Ok(if rest.is_empty() { Self::Text } else { Self::Other })
    }
}

/// Reads until the piece is full, or the file has ended.
fn fill(file: &mut impl Read, piece: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(left) = piece.get_mut(len..).filter(|left| !left.is_empty()) {
        match file.read(left) {
            Ok(0) => break,
            Ok(read) => len += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}

fn of_head(head: &[u8]) -> Option<Kind> {
    let known: [(&[u8], Kind); 5] = [
        (b"\x89PNG\r\n\x1a\n", Kind::Png),
        (b"\xff\xd8\xff", Kind::Jpeg),
        (b"GIF87a", Kind::Gif),
        (b"GIF89a", Kind::Gif),
        (b"%PDF-", Kind::Pdf),
    ];
    let found = known.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, kind)| *kind);
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    if is_webp { Some(Kind::WebP) } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(contents: &[u8], expect: Kind) {
        assert_eq!(Kind::of(contents).unwrap(), expect, "{}", String::from_utf8_lossy(contents));
    }

    #[test]
    fn kinds_are_told_by_what_is_in_a_file() {
        check(b"\x89PNG\r\n\x1a\n....", Kind::Png);
        check(b"\xff\xd8\xff\xe0", Kind::Jpeg);
        check(b"GIF89a<script>", Kind::Gif);
        check(b"RIFF....WEBPVP8 ", Kind::WebP);
        check(b"RIFF....WAVEfmt ", Kind::Text);
        check(b"%PDF-1.7", Kind::Pdf);
        check("grüß dich\n\ttab\r\n".as_bytes(), Kind::Text);
        check(b"\x00", Kind::Other);
        check(b"a\x1b[2Jb", Kind::Other);
        check(b"\xff\xfea\0", Kind::Other);
        check("cut: ü".as_bytes().split_last().unwrap().1, Kind::Other);
    }

    #[test]
    fn nothing_is_of_a_kind_in_which_a_script_could_run() {
        for text in
            ["<!doctype html><script>", "<svg xmlns='http://www.w3.org/2000/svg'/>", "<?xml?>"]
        {
            check(text.as_bytes(), Kind::Text);
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::of_number(kind.number()), kind);
            for word in ["html", "svg", "xml", "script"] {
                assert!(!kind.media_type().contains(word), "{kind:?}");
            }
        }
        assert_eq!(Kind::of_number(200), Kind::Other);
    }

    #[test]
    fn a_character_that_is_cut_between_two_pieces_is_one() {
        for before in [PIECE_LEN - 3, PIECE_LEN - 2, PIECE_LEN - 1, 2 * PIECE_LEN - 1] {
            let text = format!("{}€ and more", "a".repeat(before));
            check(text.as_bytes(), Kind::Text);
            check(&[text.as_bytes(), b"\xff"].concat(), Kind::Other);
        }
    }
}
