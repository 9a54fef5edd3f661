//! Messages, fragments, control frames between them, text that is not UTF-8.

use super::*;

#[test]
fn an_idle_decoder_is_two_words() {
    assert!(size_of::<Decoder>() <= 16);
}

#[test]
fn a_message_that_arrives_whole_is_lent_from_the_input() {
    let mut input = Vec::new();
    encode(Opcode::Text, b"Hello", Some(KEY), &mut input);
    encode(Opcode::Binary, b"", Some(KEY), &mut input);
    let range = input.as_ptr_range();
    let settings = Settings::new(Role::Server, 5);
    let (mut decoder, mut shared) = (Decoder::new(None), Shared::default());
    let mut rest = &mut input[..];
    let item = decoder.decode(&mut rest, &settings, &mut shared).unwrap().unwrap();
    let Item::Text(text @ "Hello") = item else { panic!("{item:?}") };
    assert!(range.contains(&text.as_ptr()));
    let item = decoder.decode(&mut rest, &settings, &mut shared).unwrap();
    assert_eq!(item, Some(Item::Binary(b"")));
    assert_eq!(decoder.decode(&mut rest, &settings, &mut shared), Ok(None));
    assert!(!decoder.is_partial());
}

#[test]
fn the_longest_header_is_read_wherever_it_is_cut() {
    let payload = "x".repeat(70_000);
    let mut whole = Vec::new();
    encode(Opcode::Text, payload.as_bytes(), Some(KEY), &mut whole);
    assert_eq!(whole.len(), HEADER_LEN_MAX + payload.len());
    for cut in 0..=HEADER_LEN_MAX {
        let mut end = End::new(&Settings::new(Role::Server, 1 << 20), None);
        let (head, rest) = whole.split_at(cut);
        assert_eq!(end.feed_all([head, rest]), (vec![text(&payload)], None), "cut at {cut}");
    }
}

#[test]
fn a_frame_of_which_only_the_header_came_in_pieces_is_lent_from_the_input() {
    let long = "x".repeat(126);
    for (first, payload) in
        [(0x81, "Hello"), (0x82, &*long), (0x89, "are you there"), (0x8a, "yes")]
    {
        let whole = frame(first, payload.as_bytes());
        for cut in 1..whole.len() - payload.len() {
            let mut input = whole.clone();
            let (mut head, mut rest) = input.split_at_mut(cut);
            let range = rest.as_ptr_range();
            let (mut decoder, mut shared) = (Decoder::new(None), Shared::default());
            assert_eq!(decoder.decode(&mut head, &client(), &mut shared), Ok(None));
            let bytes = match decoder.decode(&mut rest, &client(), &mut shared).unwrap().unwrap() {
                Item::Text(text) => text.as_bytes(),
                Item::Binary(bytes) | Item::Ping(bytes) | Item::Pong(bytes) => bytes,
                item @ Item::Close { .. } => panic!("{item:?}"),
            };
            assert_eq!(bytes, payload.as_bytes());
            assert!(range.contains(&bytes.as_ptr()), "{first:x} cut at {cut} was copied");
        }
    }
}

#[test]
fn what_was_gathered_is_given_back_with_the_next_decoding() {
    let mut end = End::new(&Settings::new(Role::Client, 1 << 20), None);
    let large = frame(0x82, &vec![7; 500_000]);
    for input in [&large[..100], &large[100..], &frame(0x81, b"next")] {
        assert_eq!(end.feed(input).1, None);
        assert_eq!(end.shared.kept_len(), 0);
    }
}

#[test]
fn what_was_gathered_is_given_back_when_the_connection_ends_in_between() {
    for (end_of_it, violation) in
        [(frame(0x88, &[]), None), (frame(0x81, b"another"), Some(Violation::InterleavedMessage))]
    {
        let mut end = End::new(&client(), None);
        assert_eq!(end.feed(&frame(0x01, &[b'x'; 500])), (Vec::new(), None));
        assert_eq!(end.decoder.gathered_len(), 500);
        assert_eq!(end.feed(&end_of_it).1, violation);
        assert_eq!((end.decoder.gathered_len(), end.decoder.is_partial()), (0, false));
    }
}

#[test]
fn messages_of_both_kinds_and_all_lengths_arrive() {
    let long = "x".repeat(126);
    let input = frames(&[(0x81, b""), (0x81, b"hi"), (0x82, b"\xff\x00"), (0x81, long.as_bytes())]);
    check(&input, &[text(""), text("hi"), Said::Binary(vec![255, 0]), text(&long)], None);
}

#[test]
fn fragments_become_one_message_and_control_frames_pass_between_them() {
    let input = frames(&[
        (0x01, b"frag"),
        (0x89, b"are you there"),
        (0x00, b""),
        (0x00, b"men"),
        (0x8a, b""),
        (0x80, b"ts"),
        (0x81, b"next"),
    ]);
    let ping = Said::Ping(b"are you there".to_vec());
    check(&input, &[ping, Said::Pong(Vec::new()), text("fragments"), text("next")], None);
}

#[test]
fn nothing_is_kept_once_a_message_is_complete() {
    let mut end = End::new(&client(), None);
    for (piece, partial) in [
        (&b"\x01"[..], true),
        (b"\x01a", true),
        (b"\x80", true),
        (b"\x00", false),
        (b"\x89\x02p", true),
        (b"q\x81\x01", true),
        (b"z", false),
    ] {
        assert_eq!(end.feed(piece).1, None);
        assert_eq!(end.decoder.is_partial(), partial, "after {piece:x?}");
    }
}

#[test]
fn a_fragment_out_of_place_is_refused() {
    check(&frames(&[(0x80, b"x")]), &[], Some(Violation::UnexpectedContinuation));
    check(&frames(&[(0x00, b"")]), &[], Some(Violation::UnexpectedContinuation));
    let after = frames(&[(0x01, b"a"), (0x80, b"b"), (0x80, b"c")]);
    check(&after, &[text("ab")], Some(Violation::UnexpectedContinuation));
    for first in [0x01, 0x81, 0x02, 0x82] {
        let inside = frames(&[(0x01, b"a"), (0x89, b""), (first, b"b")]);
        check(&inside, &[Said::Ping(Vec::new())], Some(Violation::InterleavedMessage));
    }
}

#[test]
fn after_a_close_frame_nothing_is_said() {
    let input = frames(&[(0x81, b"a"), (0x88, b"\x03\xe9bye"), (0x81, b"b")]);
    let input = [&input[..], b"\x83\x00"].concat();
    check(&input, &[text("a"), Said::Close(Some(1001), "bye".to_owned())], None);
    check(&frames(&[(0x01, b"a"), (0x88, b"")]), &[Said::Close(None, String::new())], None);
}

#[test]
fn a_bad_close_frame_is_refused() {
    check(&frame(0x88, b"\x03"), &[], Some(Violation::TruncatedClose));
    check(&frame(0x88, b"\x03\xed"), &[], Some(Violation::BadCloseCode { code: 1005 }));
    check(&frame(0x88, b"\x03\xe8\xff"), &[], Some(Violation::BadCloseReason));
}

#[test]
fn after_a_violation_nothing_is_said() {
    let input = [&frame(0x81, b"a")[..], b"\x83\x00", &frame(0x81, b"b")].concat();
    check(&input, &[text("a")], Some(Violation::ReservedOpcode { opcode: 3 }));
}

#[test]
fn binary_is_refused_by_its_header_where_only_text_is_due() {
    let settings = Settings { accept_binary: false, ..client() };
    let refused = (vec![text("a")], Some(Violation::UnexpectedBinary));
    let input = [&frame(0x81, b"a")[..], b"\x82\x05"].concat();
    check_with(&input, &settings, None, &refused);
    let input = [&frame(0x81, b"a")[..], b"\x02\x00"].concat();
    check_with(&input, &settings, None, &refused);
}

#[test]
fn text_must_be_utf8_whole_and_across_fragments() {
    check(&frame(0x81, b"\xce\xba\xe1\xbd"), &[], Some(Violation::InvalidUtf8));
    check(&frame(0x82, b"\xff"), &[Said::Binary(vec![255])], None);
    let euro = frames(&[(0x01, b"\xe2"), (0x00, b"\x82"), (0x00, b""), (0x80, b"\xac")]);
    check(&euro, &[text("\u{20ac}")], None);
    let cut = frames(&[(0x01, b"\xe2"), (0x80, b"\x82")]);
    check(&cut, &[], Some(Violation::InvalidUtf8));
}

/// Feeds byte by byte and returns how many bytes it took to be refused.
fn bytes_until_refused(input: &[u8]) -> Option<usize> {
    let mut end = End::new(&client(), None);
    input.chunks(1).position(|byte| end.feed(byte).1.is_some()).map(|at| at + 1)
}

#[test]
fn bad_text_is_refused_at_its_first_bad_byte() {
    // Autobahn 6.4: valid text, then 0xf4 0x90, which no continuation can mend.
    let payload = b"\xce\xba\xe1\xbd\xb9\xf4\x90\x80\x80edited";
    let whole = frame(0x81, payload);
    assert_eq!(bytes_until_refused(&whole), Some(2 + 7));
    let fragments = frames(&[(0x01, &payload[..6]), (0x00, &payload[6..7]), (0x80, &payload[7..])]);
    assert_eq!(bytes_until_refused(&fragments), Some(2 + 6 + 2 + 1));
    let masked = {
        let mut out = Vec::new();
        encode(Opcode::Text, payload, Some(KEY), &mut out);
        out
    };
    let mut server = End::new(&Settings::new(Role::Server, 1000), None);
    assert_eq!(server.feed(&masked[..6 + 6]), (Vec::new(), None));
    assert_eq!(server.feed(&masked[6 + 6..6 + 7]).1, Some(Violation::InvalidUtf8));
}
