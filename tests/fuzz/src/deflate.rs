//! permessage-deflate: any header is negotiated or refused, any payload inflated within its limit
//! or refused, and what was compressed comes back.
//!
//! The first byte chooses which of the three, and the window.

use chinwag::ws::extension::{Offer, negotiate};
use chinwag::ws::{CompressPolicy, Compressor, Inflater, Violation, WindowBits};

const LEN_MAX: usize = 70_000;

/// Runs one input.
///
/// # Panics
///
/// If the input breaks a promise.
pub fn run(data: &[u8]) {
    let Some((choice, data)) = data.split_first() else { return };
    let bits = WindowBits::ALL[usize::from(choice / 3) % WindowBits::ALL.len()];
    match choice % 3 {
        0 => negotiate_any(data),
        1 => inflate_any(data),
        _ => round_trip(data, bits),
    }
}

/// What we accept, a client that asked for it takes as the answer.
fn negotiate_any(lines: &[u8]) {
    let lines = || lines.split(|byte| *byte == b'\n');
    if let Ok(Some(accepted)) = negotiate(lines()) {
        let window_bits = accepted.deflate().window_bits;
        let offer = Offer { server_max_window_bits: Some(window_bits), ..Offer::default() };
        let answer = accepted.to_string();
        if answer.contains("server_max_window_bits") {
            offer.confirm([answer.as_bytes()]).unwrap();
        }
        Offer::default().confirm([answer.as_bytes()]).unwrap();
    }
    let _ = Offer { client_max_window_bits: true, ..Offer::default() }.confirm(lines());
}

/// A message has one length: at that limit it is whole, one below it is refused.
fn inflate_any(payload: &[u8]) {
    let mut inflater = Inflater::default();
    let Ok(message) = inflater.inflate(payload, LEN_MAX).map(<[u8]>::to_vec) else { return };
    assert!(message.len() <= LEN_MAX);
    assert_eq!(inflater.inflate(payload, message.len()), Ok(&message[..]));
    if let Some(len_max) = message.len().checked_sub(1) {
        let refused = Err(Violation::MessageTooLong { len_max });
        assert_eq!(inflater.inflate(payload, len_max), refused);
    }
}

fn round_trip(message: &[u8], bits: WindowBits) {
    let mut inflater = Inflater::default();
    let always = Compressor::new(CompressPolicy::Always)
        .compress(message, bits)
        .map(<[u8]>::to_vec)
        .expect("all are compressed");
    assert_eq!(inflater.inflate(&always, message.len()), Ok(message));
    let mut compressor = Compressor::new(CompressPolicy::WherePays { len_min: 0 });
    let pays = compressor.compress(message, bits);
    assert_eq!(pays, Some(&always[..]).filter(|always| always.len() < message.len()));
}
