//! Any bytes through a decoder: whole and in pieces it says the same, and never more than the
//! limits allow.
//!
//! The first byte chooses the settings, the second how many cuts follow, each in two bytes; the
//! rest is what the peer sent. Run with `-malloc_limit_mb=1`: nothing here may ask for more at
//! once.

use chinwag::ws::{Decoder, Deflate, Item, Role, Settings, Shared, Violation, WindowBits};

/// Items as text, and the violation that came last.
type Outcome = (Vec<String>, Option<Violation>);

fn decode<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    settings: &Settings,
    deflate: Option<Deflate>,
) -> Outcome {
    let (mut decoder, mut shared) = (Decoder::new(deflate), Shared::default());
    let mut said = Vec::new();
    for piece in pieces {
        let mut piece = piece.to_vec();
        let mut rest = &mut piece[..];
        loop {
            match decoder.decode(&mut rest, settings, &mut shared) {
                Ok(Some(item)) => {
                    assert!(payload_len(&item) <= settings.message_len_max.max(125));
                    said.push(format!("{item:?}"));
                }
                Ok(None) => break,
                Err(violation) => return (said, Some(violation)),
            }
        }
        assert!(rest.is_empty());
    }
    (said, None)
}

fn payload_len(item: &Item<'_>) -> usize {
    match item {
        Item::Text(text) => text.len(),
        Item::Binary(bytes) | Item::Ping(bytes) | Item::Pong(bytes) => bytes.len(),
        Item::Close { reason, .. } => reason.len() + 2,
    }
}

/// Runs one input.
///
/// # Panics
///
/// If the input breaks a promise.
pub fn run(data: &[u8]) {
    let [choice, cuts, input @ ..] = data else { return };
    let Some((cuts, input)) = input.split_at_checked(usize::from(cuts % 8) * 2) else { return };
    let mut cuts: Vec<usize> = cuts
        .as_chunks()
        .0
        .iter()
        .map(|cut| usize::from(u16::from_be_bytes(*cut)) % (input.len() + 1))
        .chain([input.len()])
        .collect();
    cuts.sort_unstable();

    let role = if choice & 1 == 0 { Role::Server } else { Role::Client };
    let deflate = (choice & 2 != 0).then_some(Deflate { window_bits: WindowBits::Fifteen });
    let mut settings = Settings::new(role, if choice & 4 == 0 { 200 } else { 70_000 });
    settings.fragments_max = if choice & 8 == 0 { 4 } else { 1024 };
    settings.accept_binary = choice & 16 == 0;

    let whole = decode([input], &settings, deflate);
    let mut start = 0;
    let pieces = cuts.iter().map(|end| &input[std::mem::replace(&mut start, *end)..*end]);
    assert_eq!(decode(pieces, &settings, deflate), whole);
    assert_eq!(decode(input.chunks(1), &settings, deflate), whole);
}
