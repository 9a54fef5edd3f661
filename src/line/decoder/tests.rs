//! Each framing, whole, byte by byte and split at every position.

use proptest::prelude::*;

use super::*;

const LEN_MAX: usize = 8;

/// What came out of a decoder, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Out {
    Message(Vec<u8>),
    TooLong,
    Malformed,
    Answer(Vec<u8>),
    /// What [`Decoder::finish`] gave.
    Last(Vec<u8>),
}

/// What is empty is left out: where an item ends cannot depend on it.
fn owned(item: Item<'_>) -> Option<Out> {
    match item {
        Item::Message(bytes) => Some(Out::Message(bytes.to_vec())),
        Item::Empty => None,
        Item::Answer(answer) => Some(Out::Answer(answer.as_bytes().to_vec())),
        Item::TooLong { limit } => {
            assert_eq!(limit, LEN_MAX);
            Some(Out::TooLong)
        }
        Item::Malformed => Some(Out::Malformed),
    }
}

fn decode_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Out> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for mut piece in pieces {
        while let Some(item) = decoder.decode(&mut piece, LEN_MAX) {
            out.extend(owned(item));
        }
        assert!(piece.is_empty(), "not all was consumed");
        let kept = decoder.partial.as_ref().map_or(0, |partial| partial.bytes.len());
        assert!(kept <= LEN_MAX + 1, "{kept} bytes are kept");
    }
    if let Some(Item::Message(line)) = decoder.finish() {
        out.push(Out::Last(line.to_vec()));
    }
    out
}

/// `expect`: `Ok` for a message, `Err` for the words "too long", "malformed" and "last …".
#[track_caller]
fn check(input: &[u8], expect: &[Result<&str, &str>]) {
    let expect: Vec<Out> = expect
        .iter()
        .map(|item| match *item {
            Ok(text) => Out::Message(text.into()),
            Err("too long") => Out::TooLong,
            Err("malformed") => Out::Malformed,
            Err("will") => Out::Answer(vec![0xff, 0xfb, 6]),
            Err("wont") => Out::Answer(vec![0xff, 0xfc, 3]),
            Err("dont") => Out::Answer(vec![0xff, 0xfe, 31]),
            Err("here") => Out::Answer(b"-- still here --\n".to_vec()),
            Err(last) => Out::Last(last.strip_prefix("last ").unwrap().into()),
        })
        .collect();
    assert_eq!(decode_pieces([input]), expect, "whole: {input:?}");
    assert_eq!(decode_pieces(input.chunks(1)), expect, "byte by byte: {input:?}");
    for at in 0..input.len() {
        let (one, other) = input.split_at(at);
        assert_eq!(decode_pieces([one, other]), expect, "split at {at}: {input:?}");
    }
}

#[test]
fn lines_end_with_a_line_feed_and_empty_ones_are_ignored() {
    check(b"{1}\n{2}\r\n\n\r\n{3}\n", &[Ok("{1}"), Ok("{2}"), Ok("{3}")]);
    check(b"{a\rb\n\r\r\n", &[Ok("{a\rb"), Ok("\r")]);
}

#[test]
fn a_line_of_the_limit_is_taken_and_one_above_it_said_once() {
    check(b"{234567}\n{}\n", &[Ok("{234567}"), Ok("{}")]);
    check(b"{234567}\r\n{}\n", &[Ok("{234567}"), Ok("{}")]);
    check(b"{2345678}\n{}\n", &[Err("too long"), Ok("{}")]);
    check(b"{2345678}\r\n{}\n", &[Err("too long"), Ok("{}")]);
    check(b"{234567}\r\r\n{}\n", &[Err("too long"), Ok("{}")]);
    check(b"{234567}\rx\n{}\n", &[Err("too long"), Ok("{}")]);
    check(b"{23456789 and much more than that", &[Err("too long")]);
}

#[test]
fn a_last_line_without_its_end_is_kept_for_the_end_of_the_connection() {
    check(b"{1}\n{2}", &[Ok("{1}"), Err("last {2}")]);
    check(b"hi\r", &[Ok("hi")]);
    check(b"{1}\n\r", &[Ok("{1}")]);
    check(b"{\r\r", &[Err("last {\r")]);
}

#[test]
fn lengths_stand_before_their_items_and_empty_ones_are_ignored() {
    check(b"\0\0\0\x02{}\0\0\0\0\0\0\0\x03{1}", &[Ok("{}"), Ok("{1}")]);
    check(b"\0\0\0\x08{\n4567}\0\0\0\0\x01x", &[Ok("{\n4567}\0"), Ok("x")]);
    check(b"\0\0\0\x05{1}", &[]);
    check(b"\0\0", &[]);
}

#[test]
fn an_item_above_the_limit_is_skipped_by_its_length() {
    check(b"\0\0\0\x09123456789\0\0\0\x02{}", &[Err("too long"), Ok("{}")]);
    check(b"\0\xff\xff\xff123456789\0\0\0\x02{}", &[Err("too long")]);
}

#[test]
fn a_length_of_more_than_three_bytes_ends_it() {
    check(b"\0\0\0\x02{}\x01\0\0\0more", &[Ok("{}"), Err("malformed")]);
    check(b"\0\0\0\x02{}{\"op\"", &[Ok("{}"), Err("malformed")]);
}

#[test]
fn a_person_is_read_by_lines_without_telnet_commands() {
    check(b"hi\r\n\r\n{}\n", &[Ok("hi"), Ok("{}")]);
    check(b"\xff\xfe\x03hi\xff\xf1\n\xff\xfayo\n\xff\xf0yo\n", &[Ok("hi"), Ok("yo")]);
    check(b"\xff\xfc\nhi\xff\xff\n", &[Ok("hi")]);
    check(b"h\xff\xf2\r\xff\xf2\nyo", &[Ok("h"), Err("last yo")]);
    check(b"12345678\xff\xf29\nyo\n", &[Err("too long"), Ok("yo")]);
}

#[test]
fn a_persons_line_ends_as_any_terminal_ends_it() {
    check(
        b"one\r\0two\r\nthree\rfour\nfive",
        &[Ok("one"), Ok("two"), Ok("three"), Ok("four"), Err("last five")],
    );
    check(b"a\r\r\0\r\n\n\rb\r", &[Ok("a"), Ok("b")]);
    // A NUL elsewhere is none of a line's end.
    check(b"a\0b\n\0\n", &[Ok("a\0b"), Ok("\0")]);
}

#[test]
fn what_telnet_asks_is_answered_in_its_place() {
    check(b"\xff\xfd\x03\xff\xfb\x1fhi\n", &[Err("wont"), Err("dont"), Ok("hi")]);
    check(b"h\xff\xfd\x06i\n\xff\xf6", &[Err("will"), Ok("hi"), Err("here")]);
}

#[test]
fn keys_that_take_back_do_so() {
    check(b"hallo\x08\x08\x08\x08ello\n", &[Ok("hello")]);
    check(b"/jion\x7f\x7f\x7foin\r\0", &[Ok("/join")]);
    check(b"ab\xff\xf7\n", &[Ok("a")]);
    check("a\u{e9}\u{1f600}\x7f\x7fb\n".as_bytes(), &[Ok("ab")]);
    check(b"a\x7f\x7f\x7f\nb\n\x7fc\n", &[Ok("b"), Ok("c")]);
    check(b"oops\xff\xf8hi\n", &[Ok("hi")]);
    check(b"oops\xff\xf4\xff\xfd\x06hi\n", &[Err("will"), Ok("hi")]);
    check(b"123456789\xff\xf8hi\n", &[Err("too long"), Ok("hi")]);
    check(b"{\x7f}\n", &[Ok("{\x7f}")]);
}

#[test]
fn the_mark_of_a_byte_order_before_everything_is_skipped() {
    check(b"\xef\xbb\xbf{}\n{}\n", &[Ok("{}"), Ok("{}")]);
    check(b"\xef\xbb\xbfhi\n", &[Ok("hi")]);
    check(b"\xef\xbb\xbf\0hi\n", &[Ok("\0hi")]);
}

#[test]
fn the_first_byte_tells_the_framing() {
    for (first, framing) in [
        (b"{", Framing::Lines),
        (b"\0", Framing::Lengths),
        (b"/", Framing::Text),
        (b"\n", Framing::Text),
        (b"[", Framing::Text),
        (b"\xff", Framing::Text),
    ] {
        let mut decoder = Decoder::default();
        assert!(decoder.decode(&mut &[][..], LEN_MAX).is_none());
        assert_eq!(decoder.framing(), None);
        let first_item = decoder.decode(&mut &first[..], LEN_MAX);
        assert_eq!(first_item, (first == b"\n").then_some(Item::Empty));
        assert_eq!(decoder.framing(), Some(framing), "{first:?}");
    }
}

#[test]
fn a_flood_that_says_nothing_counts_as_empty_lines() {
    for piece in [&b"\xff\xf1"[..], b"\xff\xff", b"\x08", b"\xff\xfc\x01"] {
        let input = [b"hi\n".to_vec(), piece.repeat(1_000)].concat();
        let (mut rest, mut decoder) = (&input[..], Decoder::default());
        let mut empty = 0;
        while let Some(item) = decoder.decode(&mut rest, LEN_MAX) {
            empty += usize::from(item == Item::Empty);
        }
        assert!(empty >= 1_000 / 64, "{empty} for a thousand of {piece:?}");
        // What a client says when it connects is no flood.
        let few = [b"hi\n".to_vec(), piece.repeat(20)].concat();
        let (mut rest, mut decoder) = (&few[..], Decoder::default());
        let items = std::iter::from_fn(|| {
            decoder.decode(&mut rest, LEN_MAX).map(|item| item == Item::Empty)
        });
        assert_eq!(items.collect::<Vec<_>>(), [false], "{piece:?}");
    }
}

#[test]
fn what_is_whole_is_lent_and_nothing_is_owned_between_items() {
    let mut decoder = Decoder::default();
    let input = b"{1}\n{2}\n".to_vec();
    let mut rest = &input[..];
    let Some(Item::Message(first)) = decoder.decode(&mut rest, LEN_MAX) else { panic!() };
    assert_eq!(first.as_ptr(), input.as_ptr(), "copied");
    assert!(decoder.partial.is_none());
    let mut rest = &b"{1"[..];
    assert_eq!(decoder.decode(&mut rest, LEN_MAX), None);
    assert!(decoder.is_partial());
    let mut rest = &b"}\n"[..];
    assert_eq!(decoder.decode(&mut rest, LEN_MAX), Some(Item::Message(b"{1}")));
    assert!(!decoder.is_partial());
    assert_eq!(decoder.decode(&mut rest, LEN_MAX), None);
    assert!(decoder.partial.is_none());
}

#[test]
fn an_idle_decoder_is_small() {
    assert!(size_of::<Decoder>() <= 24, "{} bytes", size_of::<Decoder>());
}

#[test]
fn an_announced_length_allocates_nothing() {
    let mut decoder = Decoder::default();
    let mut input = &b"\0\xff\xff\xff{"[..];
    assert_eq!(decoder.decode(&mut input, super::super::LENGTH_MAX), None);
    assert!(decoder.partial.is_some_and(|partial| partial.bytes.capacity() <= 64));
}

/// The one-line definition that the incremental decoder has to agree with.
fn plain_lines(input: &[u8]) -> Vec<Out> {
    let mut lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    let last = lines.pop().unwrap_or_default();
    let item = |line: &[u8]| match trimmed(line) {
        long if long.len() > LEN_MAX => Out::TooLong,
        line => Out::Message(line.to_vec()),
    };
    let mut out: Vec<Out> = lines.iter().map(|line| item(line)).collect();
    match item(last) {
        Out::Message(last) => out.push(Out::Last(last)),
        too_long => out.push(too_long),
    }
    let empty = [Out::Message(Vec::new()), Out::Last(Vec::new())];
    out.retain(|item| !empty.contains(item));
    out
}

proptest! {
    #[test]
    fn however_it_is_split_the_items_are_the_same(
        first in prop::sample::select(vec![b'{', 0, b'a', 0xff]),
        rest in prop::collection::vec(
            prop::sample::select(vec![0, 1, 2, 9, b'\n', b'\r', b'{', b'a', 0xf0, 0xfa, 0xff]),
            0..60,
        ),
        cuts in prop::collection::vec(1usize..7, 60),
    ) {
        let input: Vec<u8> = std::iter::once(first).chain(rest).collect();
        let whole = decode_pieces([&input[..]]);
        if first == b'{' {
            prop_assert_eq!(&whole, &plain_lines(&input));
        }
        let mut left = &input[..];
        let pieces = cuts.into_iter().map_while(|cut| {
            let (piece, rest) = left.split_at(cut.min(left.len()));
            left = rest;
            (!piece.is_empty()).then_some(piece)
        });
        prop_assert_eq!(decode_pieces(pieces), whole);
    }
}
