//! Compressed messages through the decoder.

use super::*;

const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";
const TOO_LONG: Option<Violation> = Some(Violation::MessageTooLong { len_max: 1000 });

#[track_caller]
fn check(input: &[u8], said: &[Said], violation: Option<Violation>) {
    check_with(input, &client(), DEFLATE, &(said.to_vec(), violation));
}

fn compress(payload: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressPolicy::Always);
    compressor.compress(payload, WindowBits::Fifteen).unwrap().to_vec()
}

#[test]
fn compressed_and_plain_messages_of_both_kinds_arrive() {
    let input = frames(&[(0xc1, HELLO), (0x81, b"plain"), (0xc2, HELLO), (0xc1, b"\x00")]);
    check(&input, &[text("Hello"), text("plain"), Said::Binary(b"Hello".to_vec()), text("")], None);
}

#[test]
fn a_compressed_message_in_fragments_is_inflated_as_one() {
    let input = frames(&[(0x41, &HELLO[..3]), (0x89, b""), (0x00, b""), (0x80, &HELLO[3..])]);
    check(&input, &[Said::Ping(vec![]), text("Hello")], None);
}

#[test]
fn rsv1_is_refused_where_it_means_nothing() {
    let plain = (vec![], Some(Violation::ReservedBit));
    check_with(&frame(0xc1, HELLO), &client(), None, &plain);
    for first in [0xc0, 0x40, 0xc8, 0xc9, 0xca] {
        let input = frames(&[(0x41, &HELLO[..3]), (first, b"")]);
        check(&input, &[], Some(Violation::MisplacedCompression));
    }
}

#[test]
fn text_is_checked_after_inflating() {
    check(&frame(0xc1, &compress(b"\xff")), &[], Some(Violation::InvalidUtf8));
    check(&frame(0xc2, &compress(b"\xff")), &[Said::Binary(vec![255])], None);
}

#[test]
fn what_is_no_deflate_data_is_refused() {
    check(&frame(0xc2, b"\xff\xff"), &[], Some(Violation::InvalidDeflate));
    check(&frame(0xc1, &HELLO[..4]), &[], Some(Violation::InvalidDeflate));
}

#[test]
fn the_limit_is_that_of_the_inflated_message() {
    for len in [999, 1000] {
        let bytes = vec![7; len];
        check(&frame(0xc2, &compress(&bytes)), &[Said::Binary(bytes)], None);
    }
    let long = compress(&[7; 1001]);
    check(&frame(0xc2, &long), &[], TOO_LONG);
    check(&frames(&[(0x42, &long[..2]), (0x80, &long[2..])]), &[], TOO_LONG);
}

#[test]
fn a_message_at_the_limit_may_be_stored_without_compression() {
    let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
    // Ten stored blocks of 100 bytes, five bytes more each, and the flush.
    let stored: Vec<u8> = bytes
        .chunks(100)
        .flat_map(|chunk| [&[0, 100, 0, 155, 255], chunk].concat())
        .chain([0])
        .collect();
    check(&frame(0xc2, &stored), &[Said::Binary(bytes)], None);
}

#[test]
fn compressed_bytes_are_bounded_before_they_are_inflated() {
    // 1000 + 1000 / 8 + 64.
    check(
        &FrameHeader { compressed: true, ..FrameHeader::new(Opcode::Text, 1189 + 1) }.encode(),
        &[],
        TOO_LONG,
    );
    let header = FrameHeader { compressed: true, ..FrameHeader::new(Opcode::Text, 1189) }.encode();
    check(&header, &[], None);
    let endless = frames(&[(0x42, &[0; 1000]), (0x00, &[0; 189]), (0x00, &[0; 1])]);
    check(&endless, &[], TOO_LONG);
}

#[test]
fn a_bomb_in_fragments_is_refused_and_its_memory_given_back() {
    let settings = Settings::new(Role::Client, 100_000);
    let bomb = compress(&vec![0; 4 << 20]);
    let pieces: Vec<_> = bomb.chunks(1000).collect();
    let mut end = End::new(&settings, DEFLATE);
    let mut violation = None;
    for (i, piece) in pieces.iter().enumerate() {
        let first = if i == 0 { 0x42 } else { 0x00 };
        let fin = if i + 1 == pieces.len() { 0x80 } else { 0 };
        violation = end.feed(&frame(first | fin, piece)).1;
    }
    assert_eq!(violation, Some(Violation::MessageTooLong { len_max: 100_000 }));
    assert!(!end.decoder.is_partial());
}

#[test]
fn inflated_messages_follow_each_other_without_a_trace() {
    let mut end = End::new(&Settings::new(Role::Client, 1 << 20), DEFLATE);
    for len in [100_000, 3, 0, 70_000, 16_384, 5] {
        let bytes: Vec<u8> = (0..=255).cycle().take(len).collect();
        let said = end.feed(&frame(0xc2, &compress(&bytes)));
        assert_eq!(said, (vec![Said::Binary(bytes)], None));
    }
}

#[test]
fn what_a_large_message_took_is_given_back_with_the_next_decoding() {
    let mut end = End::new(&Settings::new(Role::Client, 1 << 20), DEFLATE);
    let large = frame(0xc2, &compress(&vec![7; 1 << 20]));
    for input in [&large[..5], &large[5..], &frame(0xc1, HELLO)] {
        assert_eq!(end.feed(input).1, None);
        assert!(end.shared.kept_len() <= 16 * 1024, "{}", end.shared.kept_len());
    }
    let mut rest = &mut large.clone()[..];
    let decoded = end.decoder.decode(&mut rest, &end.settings, &mut end.shared);
    assert!(matches!(decoded, Ok(Some(Item::Binary(bytes))) if bytes.len() == 1 << 20));
    assert!(end.shared.kept_len() > 1 << 20);
    end.shared.trim();
    assert!(end.shared.kept_len() <= 16 * 1024);
}
