//! Any bytes as a plain connection: the same items however they are split, and bounded memory.

use chinwag::line::{Decoder, Item};

const LEN_MAX: usize = 32;

/// Runs one input.
///
/// # Panics
///
/// If the input breaks a promise.
pub fn run(input: &[u8]) {
    // The first byte says how the rest is split.
    let Some((&cut, input)) = input.split_first() else { return };
    let whole = decode([input].into_iter());
    assert_eq!(decode(input.chunks(usize::from(cut).max(1))), whole);
    assert_eq!(decode(input.chunks(1)), whole);
}

#[derive(Debug, PartialEq, Eq)]
enum Out {
    Message(Vec<u8>),
    Answer(Vec<u8>),
    TooLong,
    Malformed,
}

fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Out> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for mut piece in pieces {
        while let Some(item) = decoder.decode(&mut piece, LEN_MAX) {
            out.extend(owned(item));
        }
        assert!(piece.is_empty());
    }
    out.extend(decoder.finish().and_then(owned));
    out
}

/// What is empty is left out.
fn owned(item: Item<'_>) -> Option<Out> {
    match item {
        Item::Message(bytes) => {
            assert!((1..=LEN_MAX).contains(&bytes.len()));
            Some(Out::Message(bytes.to_vec()))
        }
        Item::Empty => None,
        Item::Answer(answer) => Some(Out::Answer(answer.as_bytes().to_vec())),
        Item::TooLong { limit } => {
            assert_eq!(limit, LEN_MAX);
            Some(Out::TooLong)
        }
        Item::Malformed => Some(Out::Malformed),
    }
}
