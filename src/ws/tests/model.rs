//! Any sequence of frames, against a plain model of sections 5.4 to 8.1; any bytes, whole against
//! pieces.

use proptest::prelude::*;

use super::*;

/// A frame that someone might send; its first byte is on the wire as it is.
#[derive(Clone, Debug)]
struct Sent {
    first: u8,
    payload: Vec<u8>,
}

/// What a decoder that knows frames from somewhere would say: the RFC in plain words, on vectors.
fn model(sent: &[Sent], settings: &Settings) -> Outcome {
    let mut said = Vec::new();
    let mut message: Option<(u8, Vec<u8>, u32)> = None;
    for Sent { first, payload } in sent {
        let (opcode, fin) = (first & 15, first & 0x80 != 0);
        match opcode {
            8 => {
                return match decode_close(payload) {
                    Ok((code, reason)) => {
                        said.push(Said::Close(code.map(CloseCode::as_u16), reason.to_owned()));
                        (said, None)
                    }
                    Err(violation) => (said, Some(violation)),
                };
            }
            9 => said.push(Said::Ping(payload.clone())),
            10 => said.push(Said::Pong(payload.clone())),
            _ => match model_data(&mut message, *first, payload, settings) {
                Ok(()) if fin => said.extend(message.take().map(model_whole)),
                Ok(()) => {}
                Err(violation) => return (said, Some(violation)),
            },
        }
    }
    (said, None)
}

fn model_whole((opcode, bytes, _): (u8, Vec<u8>, u32)) -> Said {
    if opcode == 1 { Said::Text(String::from_utf8(bytes).unwrap()) } else { Said::Binary(bytes) }
}

fn model_data(
    message: &mut Option<(u8, Vec<u8>, u32)>,
    first: u8,
    payload: &[u8],
    settings: &Settings,
) -> Result<(), Violation> {
    let opcode = first & 15;
    match (opcode, &message) {
        (0, None) => return Err(Violation::UnexpectedContinuation),
        (1 | 2, Some(_)) => return Err(Violation::InterleavedMessage),
        _ => {}
    }
    let (opcode, bytes, fragments) = message.get_or_insert((opcode, Vec::new(), 0));
    bytes.extend(payload);
    *fragments += 1;
    if bytes.len() > settings.message_len_max {
        return Err(Violation::MessageTooLong { len_max: settings.message_len_max });
    }
    if *fragments > settings.fragments_max {
        return Err(Violation::TooManyFragments { fragments_max: settings.fragments_max });
    }
    match str::from_utf8(bytes) {
        Err(error) if *opcode == 1 && (first & 0x80 != 0 || error.error_len().is_some()) => {
            Err(Violation::InvalidUtf8)
        }
        _ => Ok(()),
    }
}

fn any_sent() -> impl Strategy<Value = Sent> {
    let first = prop_oneof![
        4 => Just(0x00_u8), 4 => Just(0x80), 2 => Just(0x01), 1 => Just(0x81), 2 => Just(0x02),
        1 => Just(0x82), 2 => Just(0x89), 1 => Just(0x8a), 1 => Just(0x88),
    ];
    let payload = prop_oneof![
        Just(Vec::new()),
        "[a-c\u{e9}\u{20ac}\u{1f600}]{0,8}".prop_map(String::into_bytes),
        // Ends inside a character, or goes on with one.
        Just(b"\xe2\x82".to_vec()),
        Just(b"\xac!".to_vec()),
        Just(vec![0x03, 0xe8]),
        prop::collection::vec(any::<u8>(), 0..6),
        Just(vec![b'x'; 60]),
    ];
    (first, payload).prop_map(|(first, payload)| Sent { first, payload })
}

/// Bytes as `role`'s peer sends them.
fn encode_sent(sent: &[Sent], role: Role, key: MaskKey) -> Vec<u8> {
    let mut out = Vec::new();
    for Sent { first, payload } in sent {
        let header = FrameHeader {
            fin: first & 0x80 != 0,
            mask: (role == Role::Server).then_some(key),
            ..FrameHeader::new(Opcode::decode(*first).unwrap(), 0)
        };
        encode_frame(header, payload, &mut out);
    }
    out
}

/// `input` cut at `cuts`, which are taken modulo its length.
fn cut<'a>(input: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (input.len() + 1)).collect();
    cuts.push(input.len());
    cuts.sort_unstable();
    let mut start = 0;
    cuts.iter().map(|end| &input[std::mem::replace(&mut start, *end)..*end]).collect()
}

fn any_role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn any_cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_frames_in_any_pieces_are_what_the_model_says(
        sent in prop::collection::vec(any_sent(), 0..12),
        role in any_role(),
        key in any::<MaskKey>(),
        cuts in any_cuts(),
    ) {
        let settings = Settings { fragments_max: 5, ..Settings::new(role, 100) };
        let input = encode_sent(&sent, role, key);
        let expect = model(&sent, &settings);
        prop_assert_eq!(&End::new(&settings, None).feed_all([&input[..]]), &expect);
        prop_assert_eq!(&End::new(&settings, None).feed_all(cut(&input, &cuts)), &expect);
    }

    #[test]
    fn damaged_frames_are_judged_alike_whole_and_in_pieces(
        sent in prop::collection::vec(any_sent(), 1..8),
        damage in prop::collection::vec((any::<usize>(), any::<u8>()), 0..4),
        role in any_role(),
        deflate in prop_oneof![Just(None), Just(DEFLATE)],
        cuts in any_cuts(),
    ) {
        let mut input = encode_sent(&sent, role, KEY);
        for (at, byte) in damage {
            let at = at % input.len();
            input[at] = byte;
        }
        let settings = Settings::new(role, 100);
        let whole = End::new(&settings, deflate).feed_all([&input[..]]);
        let pieces = End::new(&settings, deflate).feed_all(cut(&input, &cuts));
        prop_assert_eq!(&pieces, &whole);
        let bytes = End::new(&settings, deflate).feed_all(input.chunks(1));
        prop_assert_eq!(&bytes, &whole);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_compressed_comes_back(
        message in prop::collection::vec(prop_oneof![Just(b'a'), Just(b'b'), any::<u8>()], 0..3000),
        bits in prop::sample::select(&WindowBits::ALL[..]),
        role in any_role(),
        cuts in any_cuts(),
    ) {
        let mut compressor = Compressor::new(CompressPolicy::Always);
        let payload = compressor.compress(&message, bits).unwrap().to_vec();
        let key = (role == Role::Server).then_some(KEY);
        let mut input = Vec::new();
        encode_compressed(Opcode::Binary, &payload, key, &mut input);
        let settings = Settings::new(role, message.len());
        let mut end = End::new(&settings, DEFLATE);
        let expect = (vec![Said::Binary(message)], None);
        prop_assert_eq!(&end.feed_all(cut(&input, &cuts)), &expect);
        prop_assert_eq!(&end.feed(&input), &expect);
    }
}
