//! Every bound, one below, at and above it; and what memory it takes to get there.

use super::*;

const TOO_LONG: Option<Violation> = Some(Violation::MessageTooLong { len_max: 1000 });

#[test]
fn the_length_limit_is_exact_for_one_frame() {
    for len in [999, 1000] {
        let bytes = vec![7; len];
        check(&frame(0x82, &bytes), &[Said::Binary(bytes)], None);
    }
    check(&frame(0x82, &[7; 1001]), &[], TOO_LONG);
    check_with(
        &frame(0x81, b"a"),
        &Settings::new(Role::Client, 0),
        None,
        &(vec![], Some(Violation::MessageTooLong { len_max: 0 })),
    );
}

#[test]
fn the_length_limit_is_exact_over_fragments_with_control_frames_between() {
    let ping = Said::Ping(vec![1; 125]);
    for last in [0, 1] {
        let bytes = vec![7; last];
        let input =
            frames(&[(0x02, &[7; 500]), (0x00, &[7; 499]), (0x89, &[1; 125]), (0x80, &bytes)]);
        check(&input, &[ping.clone(), Said::Binary(vec![7; 999 + last])], None);
    }
    let input = frames(&[(0x02, &[7; 500]), (0x00, &[7; 499]), (0x89, &[1; 125]), (0x80, &[7; 2])]);
    check(&input, &[ping], TOO_LONG);
}

#[test]
fn a_character_that_is_cut_counts_with_the_bytes_of_it_that_are_there() {
    let settings = Settings::new(Role::Client, 8);
    let start = (0x01, &b"abcd\xf0\x9f\x98"[..]);
    let whole = frames(&[start, (0x80, b"\x80")]);
    check_with(&whole, &settings, None, &(vec![text("abcd\u{1f600}")], None));
    let too_long = frames(&[start, (0x80, b"\x80e")]);
    let refused = Some(Violation::MessageTooLong { len_max: 8 });
    check_with(&too_long, &settings, None, &(vec![], refused));
}

#[test]
fn a_length_is_refused_when_the_header_announces_it() {
    for len in [1001, 65_535, 65_536, 1 << 32, u64::MAX >> 1] {
        for opcode in [Opcode::Text, Opcode::Binary] {
            check(&FrameHeader::new(opcode, len).encode(), &[], TOO_LONG);
        }
        let later = FrameHeader::new(Opcode::Continuation, len).encode();
        check(&[&frame(0x01, b"a")[..], &later].concat(), &[], TOO_LONG);
    }
}

#[test]
fn an_announced_length_reserves_nothing() {
    let mut end = End::new(&Settings::new(Role::Client, usize::MAX), None);
    let header = FrameHeader::new(Opcode::Text, u64::MAX >> 1).encode();
    assert_eq!(end.feed(&header), (Vec::new(), None));
    assert_eq!(end.capacity(), 0);
    assert_eq!(end.feed(b"x"), (Vec::new(), None));
    assert!(end.capacity() < 16);
}

#[test]
fn a_buffer_grows_with_what_arrives_and_never_beyond_the_limit() {
    for first in [0x01, 0x02] {
        let mut end = End::new(&Settings::new(Role::Client, 100_000), None);
        let mut received = 0;
        let mut piece = frame(first, &[b'x'; 777]);
        while received + 777 <= 100_000 {
            assert_eq!(end.feed(&piece).1, None);
            received += 777;
            assert!(end.capacity() <= (2 * received).min(100_000), "{received}");
            piece = frame(0x00, &[b'x'; 777]);
        }
    }
}

#[test]
fn a_frame_in_pieces_ends_with_a_buffer_of_its_own_length() {
    let mut end = End::new(&Settings::new(Role::Client, 1 << 24), None);
    let input = frame(0x81, &vec![b'x'; 100_000]);
    assert_eq!(end.feed(&input[..65_536]).1, None);
    assert_eq!(end.feed(&input[65_536..99_999]).1, None);
    assert_eq!(end.capacity(), 100_000);
}

#[test]
fn the_number_of_fragments_is_bounded_empty_ones_and_the_last_included() {
    let settings = Settings { fragments_max: 3, ..client() };
    let few = frames(&[(0x01, b"a"), (0x89, b""), (0x00, b""), (0x80, b"b")]);
    check_with(&few, &settings, None, &(vec![Said::Ping(vec![]), text("ab")], None));
    let too_many = Some(Violation::TooManyFragments { fragments_max: 3 });
    for last in [0x00, 0x80] {
        let many = frames(&[(0x01, b""), (0x00, b""), (0x00, b""), (last, b"")]);
        check_with(&many, &settings, None, &(vec![], too_many));
    }
}

#[test]
fn a_flood_of_empty_fragments_ends_at_the_bound() {
    let mut end = End::new(&client(), None);
    let mut input = frame(0x01, b"");
    for _ in 0..FRAGMENTS_MAX {
        assert_eq!(end.feed(&input), (Vec::new(), None));
        input = frame(0x00, b"");
    }
    let fragments_max = FRAGMENTS_MAX;
    assert_eq!(end.feed(&input).1, Some(Violation::TooManyFragments { fragments_max }));
    assert_eq!(end.capacity(), 0);
}
