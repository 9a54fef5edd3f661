//! However the bytes arrive, the outcome is the same, at the same small cost.

use proptest::prelude::*;

use super::*;

/// Heads of every kind of outcome, some with bytes behind them.
fn samples() -> Vec<Vec<u8>> {
    let mut samples: Vec<Vec<u8>> = [
        BROWSER,
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\nGET http://a:1/b?c=d HTTP/1.1\r\nHost:a\r\nX:\t \r\n\r\nGET / HTTP/1.1\r\n",
        "HEAD /?x HTTP/1.0\r\n\r\n\x01\x05hello",
        "\r\n\r\nGET / HTTP/1.1\r\n",
        "\nGET / HTTP/1.1\r\n",
        "\rGET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        "GET / HTTP/2.0\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-OpenSSH_10.0\r\n",
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03",
        "{\"op\":\"hello\"}\n",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    samples.push(long_head(8 * 1024));
    samples.push(long_head(8 * 1024 + 1));
    samples.push(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(5_000)).into_bytes());
    samples.push(many_fields(100));
    samples.push(many_fields(101));
    samples
}

/// A head of `len` bytes in all.
fn long_head(len: usize) -> Vec<u8> {
    let begin = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
    let end = "\r\n\r\n";
    format!("{begin}{}{end}", "x".repeat(len - begin.len() - end.len())).into_bytes()
}

/// A head of `count` fields.
fn many_fields(count: usize) -> Vec<u8> {
    let fields = "a:b\r\n".repeat(count - 1);
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n").into_bytes()
}

#[test]
fn a_head_of_exactly_the_limits_is_taken_and_one_more_is_not() {
    for (input, expect) in [
        (long_head(8 * 1024), None),
        (long_head(8 * 1024 + 1), Some(Refusal::HeadTooLarge { max: 8 * 1024 })),
        (many_fields(100), None),
        (many_fields(101), Some(Refusal::TooManyFields { max: 100 })),
    ] {
        match (feed([&input[..]]), expect) {
            (Outcome::Head { head_len, .. }, None) => assert_eq!(head_len, input.len()),
            (outcome, expect) => assert_eq!(Some(outcome), expect.map(Outcome::Refused)),
        }
    }
    for (line_len, expect_refused) in [(4 * 1024, false), (4 * 1024 + 1, true)] {
        let target = "x".repeat(line_len - "GET / HTTP/1.1".len());
        let input = format!("GET /{target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let refused = Outcome::Refused(Refusal::FirstLineTooLong { max: 4 * 1024 });
        assert_eq!(feed([input.as_bytes()]) == refused, expect_refused);
    }
}

#[test]
fn every_prefix_of_a_head_is_incomplete() {
    for input in [BROWSER.as_bytes().to_vec(), many_fields(100), long_head(8 * 1024)] {
        for end in 0..input.len() {
            assert_eq!(feed([&input[..end]]), Outcome::Incomplete, "{end}");
        }
    }
}

#[test]
fn every_split_into_two_gives_what_the_whole_gives() {
    for input in samples() {
        let whole = feed([&input[..]]);
        assert_ne!(whole, Outcome::Incomplete);
        for at in 0..=input.len() {
            let (one, other) = input.split_at(at);
            assert_eq!(feed([one, other]), whole, "split at {at}");
        }
    }
}

#[test]
fn single_bytes_give_what_the_whole_gives() {
    for input in samples() {
        assert_eq!(feed(input.chunks(1)), feed([&input[..]]));
    }
}

#[test]
fn what_follows_a_head_is_left_to_the_caller_at_every_split() {
    let frames = b"\x81\x85\x01\x02\x03\x04hello\x81\x80\0\0\0\0";
    let input = [BROWSER.as_bytes(), frames].concat();
    for at in 0..=input.len() {
        let (one, other) = input.split_at(at);
        let Outcome::Head { head_len, .. } = feed([one, other]) else { panic!("split at {at}") };
        assert_eq!(head_len, BROWSER.len(), "split at {at}");
    }
}

#[test]
fn pipelined_heads_come_one_after_the_other() {
    let input = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n";
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let mut partial = PartialHead::default();
    let (mut rest, mut paths) = (input.as_bytes(), Vec::new());
    while !rest.is_empty() {
        let Ok(Parsed::Head { head, consumed }) = parser.parse(&mut partial, rest) else {
            panic!("no head in {rest:?}");
        };
        paths.push(head.path().to_owned());
        rest = &rest[consumed..];
    }
    assert_eq!(paths, ["/a", "/b"]);
}

#[test]
fn no_byte_is_looked_at_more_than_twice_however_they_arrive() {
    for input in [BROWSER.as_bytes().to_vec(), many_fields(100), long_head(8 * 1024)] {
        for piece_len in [1, 2, 7, 100, input.len()] {
            let mut parser = HeadParser::new(Limits::DEFAULT);
            let mut partial = PartialHead::default();
            for piece in input.chunks(piece_len) {
                parser.parse(&mut partial, piece).unwrap();
            }
            let examined = parser.examined();
            assert!(examined >= input.len(), "{examined} of {}: not counted", input.len());
            assert!(examined <= 2 * input.len(), "{examined} of {} by {piece_len}", input.len());
        }
    }
}

#[test]
fn a_partial_head_never_occupies_much_more_than_the_limit() {
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let mut partial = PartialHead::default();
    let mut memory_max = 0;
    for piece in many_fields(100).chunks(1).chain(long_head(8 * 1024).chunks(1)) {
        parser.parse(&mut partial, piece).unwrap();
        memory_max = memory_max.max(partial.memory());
    }
    assert!((8 * 1024..11 * 1024).contains(&memory_max), "{memory_max}");
    assert_eq!(partial.memory(), 0);
}

#[test]
fn what_follows_a_head_is_not_copied_beyond_the_limit() {
    let input = [BROWSER.as_bytes(), &vec![0x81; 1 << 20]].concat();
    let mut parser = HeadParser::new(Limits::DEFAULT);
    let mut partial = PartialHead::default();
    parser.parse(&mut partial, &input[..100]).unwrap();
    assert_eq!(parser.joined_len(), 0);
    assert!(matches!(parser.parse(&mut partial, &input[100..]), Ok(Parsed::Head { .. })));
    assert!((BROWSER.len()..=8 * 1024).contains(&parser.joined_len()));
}

#[test]
fn a_line_without_an_end_is_refused_at_the_limit_and_no_later() {
    let endless = vec![b'x'; 20_000];
    for piece_len in [1, 1000, 20_000] {
        let mut parser = HeadParser::new(Limits::DEFAULT);
        let mut partial = PartialHead::default();
        let mut received = 0;
        let refusal = endless.chunks(piece_len).find_map(|piece| {
            received += piece.len();
            parser.parse(&mut partial, piece).err()
        });
        assert_eq!(refusal, Some(Refusal::FirstLineTooLong { max: 4 * 1024 }));
        assert!(received < 4 * 1024 + 2 + piece_len, "only after {received}");
    }
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_give_what_the_whole_gives(
        input in hostile_bytes(),
        cuts in proptest::collection::vec(1usize..40, 0..60),
    ) {
        let whole = feed([&input[..]]);
        let (mut rest, mut pieces) = (&input[..], Vec::new());
        for cut in cuts {
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = behind;
        }
        pieces.push(rest);
        prop_assert_eq!(feed(pieces), whole);
    }
}

/// Bytes near enough to a request to come far into the parser.
pub(super) fn hostile_bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => prop::sample::select(PARTS).prop_map(|part| part.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    let lines = proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat());
    (prop::bool::ANY, lines).prop_map(|(begun, lines)| {
        let begin = if begun { &b"GET / HTTP/1.1\r\nHost: a\r\n"[..] } else { b"" };
        [begin, &lines].concat()
    })
}

const PARTS: &[&str] = &[
    "\r\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    ": ",
    ",",
    "/",
    "*",
    "?",
    "%",
    "%41",
    "GET ",
    "GET / HTTP/1.1\r\n",
    " HTTP/1.1\r\n",
    " HTTP/1.0\r\n",
    "HTTP/1.2",
    "http://",
    "Host: a\r\n",
    "Host: [::1]:80\r\n",
    "Host",
    "Connection: close\r\n",
    "Upgrade: websocket\r\n",
    "Content-Length: 0\r\n",
    "Content-Length: 1\r\n",
    "Transfer-Encoding: chunked\r\n",
    "x",
    "X-Y: z\r\n",
    "\0",
    "\x7f",
    "caf\u{e9}",
];
