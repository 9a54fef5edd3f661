//! The module as a whole: bytes through a [`Decoder`], whole and in pieces.

mod compressed;
mod interop;
mod limits;
mod messages;
mod model;

use super::*;

/// An [`Item`] that owns what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

impl From<Item<'_>> for Said {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Text(text) => Self::Text(text.to_owned()),
            Item::Binary(bytes) => Self::Binary(bytes.to_vec()),
            Item::Ping(bytes) => Self::Ping(bytes.to_vec()),
            Item::Pong(bytes) => Self::Pong(bytes.to_vec()),
            Item::Close { code, reason } => {
                Self::Close(code.map(CloseCode::as_u16), reason.to_owned())
            }
        }
    }
}

fn text(text: &str) -> Said {
    Said::Text(text.to_owned())
}

/// Everything that came out, and the violation that ended it.
type Outcome = (Vec<Said>, Option<Violation>);

const DEFLATE: Option<Deflate> = Some(Deflate { window_bits: WindowBits::Fifteen });
const KEY: MaskKey = [0x37, 0xfa, 0x21, 0x3d];

fn client() -> Settings {
    Settings::new(Role::Client, 1000)
}

/// One end of a connection with what it needs.
struct End {
    settings: Settings,
    decoder: Decoder,
    shared: Shared,
}

impl End {
    fn new(settings: &Settings, deflate: Option<Deflate>) -> Self {
        let settings = settings.clone();
        Self { settings, decoder: Decoder::new(deflate), shared: Shared::default() }
    }

    /// Feeds one piece of input.
    fn feed(&mut self, piece: &[u8]) -> Outcome {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        let mut said = Vec::new();
        loop {
            match self.decoder.decode(&mut rest, &self.settings, &mut self.shared) {
                Ok(Some(item)) => said.push(Said::from(item)),
                Ok(None) => break,
                Err(violation) => return (said, Some(violation)),
            }
        }
        assert!(rest.is_empty(), "what is not an item yet is kept");
        (said, None)
    }

    /// Bytes that the incomplete message has reserved.
    fn capacity(&self) -> usize {
        self.decoder.gathered_capacity()
    }

    /// Feeds pieces until one is refused; then the rest, of which nothing must come.
    fn feed_all<'a>(&mut self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
        let mut all = (Vec::new(), None);
        for piece in pieces {
            let (said, violation) = self.feed(piece);
            if all.1.is_some() {
                assert_eq!((said, violation), (Vec::new(), None), "after a violation");
                continue;
            }
            all.0.extend(said);
            all.1 = violation;
        }
        all
    }
}

/// Checks what comes of `input` for a client and for a server, whole, byte by byte and cut in two
/// anywhere: at each byte of short ones, near the ends and here and there in long ones.
#[track_caller]
fn check_with(input: &[u8], settings: &Settings, deflate: Option<Deflate>, expect: &Outcome) {
    let whole = End::new(settings, deflate).feed_all([input]);
    assert_eq!(whole, *expect, "whole");
    let bytes = End::new(settings, deflate).feed_all(input.chunks(1));
    assert_eq!(bytes, *expect, "byte by byte");
    let len = input.len();
    for cut in (0..=len).filter(|cut| cut % 37 == 0 || *cut < 150 || len - cut < 150) {
        let (head, tail) = input.split_at(cut);
        let halves = End::new(settings, deflate).feed_all([head, tail]);
        assert_eq!(halves, *expect, "cut at {cut}");
    }
}

/// As [`check_with`], for a client without compression that takes 1,000 bytes.
#[track_caller]
fn check(input: &[u8], said: &[Said], violation: Option<Violation>) {
    check_with(input, &client(), None, &(said.to_vec(), violation));
}

/// A frame as a server sends it.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let opcode = Opcode::decode(first).unwrap();
    let header = FrameHeader {
        fin: first & 0x80 != 0,
        compressed: first & 0x40 != 0,
        ..FrameHeader::new(opcode, 0)
    };
    let mut out = Vec::new();
    encode_frame(header, payload, &mut out);
    out
}

/// Frames end to end.
fn frames(frames: &[(u8, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(*first, payload)).collect()
}
