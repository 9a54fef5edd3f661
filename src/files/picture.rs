//! Pictures are looked through from their beginning to their end: how large they are, whether they
//! say where and with what they were taken, and whether something else hides in them.
//!
//! What a picture needs to be shown is known; a part that is none of it is refused, so that what
//! nobody has thought of here does not pass either. Nothing is decoded.

use std::io::{self, BufRead, Read};

use super::kind::Kind;

/// Why a picture is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PictureFault {
    /// It has this, which may say who has taken it, where and with what.
    Metadata(&'static str),
    /// It is not what it seems to be: this is wrong with it.
    Malformed(&'static str),
}

/// Width and height in pixels.
pub(super) type Size = (u32, u32);

/// Looks a picture of this kind through; `None` if it is none of the pictures.
///
/// # Errors
///
/// The outer one if it cannot be read, the inner one if it is not taken.
pub(super) fn look_through(
    kind: Kind,
    file: impl BufRead,
) -> io::Result<Result<Option<Size>, PictureFault>> {
    let mut reader = Reader { file };
    let found = match kind {
        Kind::Png => png(&mut reader),
        Kind::Jpeg => jpeg(&mut reader),
        Kind::Gif => gif(&mut reader),
        Kind::WebP => webp(&mut reader),
        Kind::Other | Kind::Text | Kind::Pdf => return Ok(Ok(None)),
    };
    match found {
        Ok(size) => Ok(Ok(Some(size))),
        Err(Stop::Fault(fault)) => Ok(Err(fault)),
        Err(Stop::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(Err(PictureFault::Malformed("it ends too early")))
        }
        Err(Stop::Io(error)) => Err(error),
    }
}

/// Whether it is a picture of a kind that is not looked through here, and so might say anything.
///
/// # Errors
///
/// If it cannot be read.
pub(super) fn is_of_another_kind(file: impl Read) -> io::Result<bool> {
    let mut head = Vec::new();
    file.take(12).read_to_end(&mut head)?;
    let is_tiff = head.starts_with(b"II*\0") || head.starts_with(b"MM\0*");
    let brands: [&[u8]; 8] =
        [b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1", b"avif"];
    let brand = head.get(8..12).filter(|_| head.get(4..8) == Some(b"ftyp"));
    let is_jxl = head.starts_with(b"\xff\x0a") || head.get(4..8) == Some(b"JXL ");
    Ok(is_tiff || is_jxl || brand.is_some_and(|brand| brands.contains(&brand)))
}

/// Why it is not looked through to the end.
enum Stop {
    Fault(PictureFault),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

const fn malformed(what: &'static str) -> Stop {
    Stop::Fault(PictureFault::Malformed(what))
}

const fn metadata(what: &'static str) -> Stop {
    Stop::Fault(PictureFault::Metadata(what))
}

struct Reader<R> {
    file: R,
}

impl<R: BufRead> Reader<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, Stop> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    fn skip(&mut self, len: u64) -> Result<(), Stop> {
        let skipped = io::copy(&mut self.file.by_ref().take(len), &mut io::sink())?;
        if skipped < len { Err(malformed("it ends too early")) } else { Ok(()) }
    }

    /// What follows the end of a picture is not shown, and may be anything.
    fn end(&mut self) -> Result<(), Stop> {
        if self.file.fill_buf()?.is_empty() {
            return Ok(());
        }
        Err(malformed("something follows its end"))
    }
}

/// The parts of a PNG that are needed to show it, without the first and the last.
const PNG_PARTS: [&[u8; 4]; 20] = [
    b"PLTE", b"IDAT", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"bKGD", b"hIST",
    b"pHYs", b"sPLT", b"acTL", b"fcTL", b"fdAT", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi",
];

fn png(reader: &mut Reader<impl BufRead>) -> Result<Size, Stop> {
    reader.skip(8)?;
    let (len, name) = (u32::from_be_bytes(reader.bytes()?), reader.bytes::<4>()?);
    if len != 13 || &name != b"IHDR" {
        return Err(malformed("its header is missing"));
    }
    let size = (u32::from_be_bytes(reader.bytes()?), u32::from_be_bytes(reader.bytes()?));
    // Depth, colours, compression, filter and interlacing, then the checksum, which only a decoder
    // needs.
    reader.skip(5 + 4)?;
    loop {
        let (len, name) = (u32::from_be_bytes(reader.bytes()?), reader.bytes::<4>()?);
        if &name == b"IEND" && len == 0 {
            reader.skip(4)?;
            reader.end()?;
            return Ok(size);
        }
        check_png_part(name)?;
        reader.skip(u64::from(len) + 4)?;
    }
}

/// Refuses a part that is not needed to show a PNG.
fn check_png_part(name: [u8; 4]) -> Result<(), Stop> {
    match &name {
        b"eXIf" => Err(metadata("EXIF")),
        b"tEXt" | b"zTXt" | b"iTXt" => Err(metadata("text beside the picture")),
        b"tIME" => Err(metadata("the time of its last change")),
        needed if PNG_PARTS.contains(&needed) => Ok(()),
        _ => Err(metadata("a part that no picture needs")),
    }
}

fn jpeg(reader: &mut Reader<impl BufRead>) -> Result<Size, Stop> {
    reader.skip(2)?;
    let mut size = None;
    let mut marker = next_marker(reader)?;
    loop {
        match marker {
            0xd9 => {
                reader.end()?;
                return size.ok_or(malformed("its size is missing"));
            }
            0x01 | 0xd0..=0xd7 => {
                marker = next_marker(reader)?;
                continue;
            }
            0x00 | 0xd8 => return Err(malformed("a marker that has no place there")),
            _ => {}
        }
        let len = u64::from(u16::from_be_bytes(reader.bytes()?));
        let len = len.checked_sub(2).ok_or(malformed("a part of no length"))?;
        match marker {
            0xe1 => return Err(metadata("EXIF or XMP")),
            0xed => return Err(metadata("IPTC")),
            0xfe => return Err(metadata("a comment")),
            // Of the profile of its colours only: others hold whole pictures with all of theirs.
            0xe2 => {
                let rest = len.checked_sub(12).ok_or(metadata("a part that no picture needs"))?;
                if &reader.bytes::<12>()? != b"ICC_PROFILE\0" {
                    return Err(metadata("another picture inside"));
                }
                reader.skip(rest)?;
            }
            0xe0 | 0xee => reader.skip(len)?,
            0xe3..=0xef => return Err(metadata("a part that no picture needs")),
            // The beginnings of frames (T.81 table B.1) without the three others in that range.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let rest = len.checked_sub(5).ok_or(malformed("its size is missing"))?;
                reader.byte()?;
                let height = u32::from(u16::from_be_bytes(reader.bytes()?));
                let width = u32::from(u16::from_be_bytes(reader.bytes()?));
                // The first frame decides what decoders show; a second one is for hierarchical
                // pictures.
                size.get_or_insert((width, height));
                reader.skip(rest)?;
            }
            _ => reader.skip(len)?,
        }
        marker = if marker == 0xda { after_scan(reader)? } else { next_marker(reader)? };
    }
}

/// The marker that must stand here; fill bytes may stand before it.
fn next_marker(reader: &mut Reader<impl BufRead>) -> Result<u8, Stop> {
    if reader.byte()? != 0xff {
        return Err(malformed("a marker is missing"));
    }
    loop {
        match reader.byte()? {
            0xff => {}
            marker => return Ok(marker),
        }
    }
}

/// The marker after the data of a scan.
fn after_scan(reader: &mut Reader<impl BufRead>) -> Result<u8, Stop> {
    loop {
        let buffer = reader.file.fill_buf()?;
        if buffer.is_empty() {
            return Err(malformed("it ends too early"));
        }
        let Some(at) = memchr::memchr(0xff, buffer) else {
            let len = buffer.len();
            reader.file.consume(len);
            continue;
        };
        reader.file.consume(at);
        match next_marker(reader)? {
            // A byte of data, or the place where decoding may begin anew.
            0x00 | 0xd0..=0xd7 => {}
            marker => return Ok(marker),
        }
    }
}

fn gif(reader: &mut Reader<impl BufRead>) -> Result<Size, Stop> {
    reader.skip(6)?;
    let size = (u16::from_le_bytes(reader.bytes()?), u16::from_le_bytes(reader.bytes()?));
    let [flags, _, _] = reader.bytes()?;
    colours(reader, flags)?;
    loop {
        match reader.byte()? {
            0x3b => {
                reader.end()?;
                return Ok((size.0.into(), size.1.into()));
            }
            0x2c => {
                let [.., flags] = reader.bytes::<9>()?;
                colours(reader, flags)?;
                reader.byte()?;
                blocks(reader)?;
            }
            0x21 => gif_extension(reader)?,
            _ => return Err(malformed("a part that there is not")),
        }
    }
}

/// What stands between the pictures of a GIF.
fn gif_extension(reader: &mut Reader<impl BufRead>) -> Result<(), Stop> {
    match reader.byte()? {
        0xf9 => blocks(reader),
        0xff => {
            let len = reader.byte()?;
            let name: [u8; 11] = reader.bytes()?;
            let known = [b"NETSCAPE2.0", b"ANIMEXTS1.0", b"ICCRGBG1012"];
            if len != 11 || !known.contains(&&name) {
                return Err(metadata("a part that no picture needs"));
            }
            blocks(reader)
        }
        0xfe => Err(metadata("a comment")),
        _ => Err(metadata("a part that no picture needs")),
    }
}

/// The table of colours that these flags announce.
fn colours(reader: &mut Reader<impl BufRead>, flags: u8) -> Result<(), Stop> {
    if flags & 0x80 == 0 { Ok(()) } else { reader.skip(3 << (flags % 8 + 1)) }
}

/// Blocks of data up to an empty one.
fn blocks(reader: &mut Reader<impl BufRead>) -> Result<(), Stop> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            len => reader.skip(len.into())?,
        }
    }
}

fn webp(reader: &mut Reader<impl BufRead>) -> Result<Size, Stop> {
    reader.skip(4)?;
    let mut left = u64::from(u32::from_le_bytes(reader.bytes()?));
    reader.skip(4)?;
    left = left.checked_sub(4).ok_or(malformed("its length is wrong"))?;
    let mut size = None;
    while left > 0 {
        let (name, len) = (reader.bytes::<4>()?, u32::from_le_bytes(reader.bytes()?));
        // Padded to an even length.
        let len = u64::from(len) + u64::from(len % 2);
        left = left.checked_sub(8 + len).ok_or(malformed("its length is wrong"))?;
        let (found, rest) = webp_part(reader, name, len)?;
        size = size.or(found);
        reader.skip(rest)?;
    }
    reader.end()?;
    size.ok_or(malformed("its size is missing"))
}

/// The size that a part of a WebP says, and how much of the part follows.
fn webp_part(
    reader: &mut Reader<impl BufRead>,
    name: [u8; 4],
    len: u64,
) -> Result<(Option<Size>, u64), Stop> {
    match (&name, len) {
        (b"VP8X", 10) => {
            reader.skip(4)?;
            let sides = [reader.bytes::<3>()?, reader.bytes::<3>()?];
            let of = |[low, middle, high]: [u8; 3]| u32::from_le_bytes([low, middle, high, 0]) + 1;
            let [width, height] = sides.map(of);
            Ok((Some((width, height)), 0))
        }
        (b"VP8 ", 10..) => {
            reader.skip(6)?;
            let sides = [reader.bytes()?, reader.bytes()?];
            let [width, height] = sides.map(|side| u32::from(u16::from_le_bytes(side) & 0x3fff));
            Ok((Some((width, height)), len - 10))
        }
        (b"VP8L", 5..) => {
            reader.byte()?;
            let bits = u32::from_le_bytes(reader.bytes()?);
            Ok((Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1)), len - 5))
        }
        (b"ALPH" | b"ANIM" | b"ANMF" | b"ICCP", _) => Ok((None, len)),
        (b"EXIF", _) => Err(metadata("EXIF")),
        (b"XMP ", _) => Err(metadata("XMP")),
        (b"VP8 " | b"VP8L" | b"VP8X", _) => Err(malformed("a part that is too short")),
        _ => Err(metadata("a part that no picture needs")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: Kind, bytes: &[u8]) -> Result<Size, PictureFault> {
        let found = look_through(kind, bytes).unwrap().map(Option::unwrap);
        // However little is read at a time.
        let slowly = io::BufReader::with_capacity(1, bytes);
        assert_eq!(look_through(kind, slowly).unwrap().map(Option::unwrap), found);
        found
    }

    fn chunk(name: &[u8], data: &[u8]) -> Vec<u8> {
        let len = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&len[..], name, data, b"\0\0\0\0"].concat()
    }

    fn png_with(parts: &[Vec<u8>]) -> Vec<u8> {
        let header = chunk(b"IHDR", b"\0\0\0\x03\0\0\x02\0\x08\x02\0\0\0");
        [b"\x89PNG\r\n\x1a\n", &*header, &*parts.concat(), &*chunk(b"IEND", b"")].concat()
    }

    fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(data.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &len, data].concat()
    }

    fn jpeg_with(parts: &[Vec<u8>]) -> Vec<u8> {
        let frame = segment(0xc2, b"\x08\0\x07\0\x09\x01\x01\x11\0");
        let scan = [segment(0xda, b"\x01\x01\0\0\x3f\0"), b"ab\xff\0c\xff\xd1d".to_vec()].concat();
        let all = [b"\xff\xd8".to_vec(), segment(0xe0, b"JFIF\0"), parts.concat(), frame];
        [&*all.concat(), &*scan, &*segment(0xc4, b"x"), &*scan, b"\xff\xff\xd9"].concat()
    }

    fn gif_with(parts: &[u8]) -> Vec<u8> {
        let image = b"\x2c\0\0\0\0\x05\0\x04\0\0\x02\x02\x4c\x01\0";
        [b"GIF89a\x05\0\x04\0\x80\0\0abcdef", parts, image, b"\x3b"].concat()
    }

    fn webp_with(parts: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut all = b"WEBP".to_vec();
        for (name, data) in parts {
            all.extend_from_slice(*name);
            all.extend_from_slice(&u32::try_from(data.len()).unwrap().to_le_bytes());
            all.extend_from_slice(data);
            all.extend(std::iter::repeat_n(0, data.len() % 2));
        }
        [b"RIFF", &u32::try_from(all.len()).unwrap().to_le_bytes()[..], &all].concat()
    }

    const GIF_HEAD: &[u8] = b"GIF89a\x05\0\x04\0";
    const LOSSLESS: (&[u8; 4], &[u8]) = (b"VP8L", b"\x2f\x04\xc0\0\0xyz");

    #[test]
    fn the_size_of_a_picture_is_found_in_it() {
        let png = png_with(&[chunk(b"IDAT", b"abc"), chunk(b"iCCP", b"")]);
        assert_eq!(found(Kind::Png, &png), Ok((3, 512)));
        let profile = segment(0xe2, b"ICC_PROFILE\0\x01\x01abc");
        assert_eq!(found(Kind::Jpeg, &jpeg_with(&[profile])), Ok((9, 7)));
        let repeats = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0";
        assert_eq!(found(Kind::Gif, &gif_with(repeats)), Ok((5, 4)));
        assert_eq!(found(Kind::WebP, &webp_with(&[LOSSLESS])), Ok((5, 4)));
        let extended = (b"VP8X", &b"\0\0\0\0\x04\0\0\x03\0\0"[..]);
        let lossy = (b"VP8 ", &b"\0\0\0\x9d\x01\x2a\x09\0\x08\0q"[..]);
        assert_eq!(found(Kind::WebP, &webp_with(&[extended, lossy])), Ok((5, 4)));
        assert_eq!(found(Kind::WebP, &webp_with(&[lossy])), Ok((9, 8)));
        assert_eq!(look_through(Kind::Text, &b"x"[..]).unwrap(), Ok(None));
    }

    #[test]
    fn what_says_where_and_with_what_a_picture_was_taken_is_refused() {
        let is_metadata = |kind, bytes: &[u8]| {
            let found = found(kind, bytes);
            assert!(matches!(found, Err(PictureFault::Metadata(_))), "{kind:?} {found:?}");
        };
        for name in [b"eXIf", b"tEXt", b"zTXt", b"iTXt", b"tIME", b"caBX", b"vpAg"] {
            is_metadata(Kind::Png, &png_with(&[chunk(b"IDAT", b"a"), chunk(name, b"GPS")]));
        }
        for part in [
            segment(0xe1, b"Exif\0\0"),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0"),
            segment(0xed, b"Photoshop 3.0\0"),
            segment(0xe2, b"MPF\0 and a whole other picture"),
            segment(0xe2, b"short"),
            segment(0xeb, b"JP and C2PA"),
            segment(0xfe, b"taken at home"),
        ] {
            is_metadata(Kind::Jpeg, &jpeg_with(&[part]));
        }
        // Between two scans, too.
        let whole = jpeg_with(&[]);
        let at = whole.windows(2).position(|two| two == b"\xff\xc4").unwrap();
        let late = [&whole[..at], &segment(0xe1, b"Exif\0\0"), &whole[at..]].concat();
        is_metadata(Kind::Jpeg, &late);
        is_metadata(Kind::Gif, &gif_with(b"\x21\xfe\x02hi\0"));
        is_metadata(Kind::Gif, &gif_with(b"\x21\xff\x0bXMP DataXMP\x01x\0"));
        for name in [b"EXIF", b"XMP ", b"C2PA"] {
            is_metadata(Kind::WebP, &webp_with(&[LOSSLESS, (name, b"GPS")]));
        }
    }

    #[test]
    fn what_is_a_picture_and_something_else_is_refused() {
        let whole = [
            (Kind::Png, png_with(&[chunk(b"IDAT", b"abc")])),
            (Kind::Jpeg, jpeg_with(&[])),
            (Kind::Gif, gif_with(b"")),
            (Kind::WebP, webp_with(&[LOSSLESS])),
        ];
        for (kind, bytes) in whole {
            found(kind, &bytes).unwrap();
            for behind in [&b"PK\x03\x04"[..], b"<script>alert(1)</script>", b"\0"] {
                let both = [&bytes[..], behind].concat();
                let fault = PictureFault::Malformed("something follows its end");
                assert_eq!(found(kind, &both), Err(fault), "{kind:?}");
            }
            for end in 12..bytes.len() {
                let cut = found(kind, &bytes[..end]);
                assert!(matches!(cut, Err(PictureFault::Malformed(_))), "{kind:?} {end}: {cut:?}");
            }
        }
        for other in [&b"\0\0\0\x18ftypheic\0\0"[..], b"II*\0abcdefgh", b"\0\0\0\x0cJXL \r\n\x87\n"]
        {
            assert!(is_of_another_kind(other).unwrap());
        }
        for other in [&b"\0\0\0\x18ftypisom\0\0"[..], GIF_HEAD, b"II", b""] {
            assert!(!is_of_another_kind(other).unwrap());
        }
        // Begins like a GIF and is a script (a known way around `script-src 'self'`).
        let script = b"GIF89a=1/*\0\0*/;alert(document.domain)//";
        found(Kind::Gif, script).unwrap_err();
    }
}
