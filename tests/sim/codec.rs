//! A client's end of each framing: texts into bytes, bytes into what was heard.

use chinwag::http::{self, AcceptKey, AnswerParser, PartialAnswer, UpgradeRequest, encode_key};
use chinwag::line;
use chinwag::rng::Rng;
use chinwag::ws::extension::Offer;
use chinwag::ws::{
    self, CloseCode, CompressPolicy, Compressor, Deflate, FrameHeader, Item, Opcode, Role, Settings,
};

/// Bytes of the longest message that a client takes.
const MESSAGE_MAX: usize = 1 << 20;

/// How a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ws,
    /// WebSocket, compressed in both directions.
    Deflate,
    Lines,
    Lengths,
    /// A person with a terminal.
    Text,
    /// A reader of Server-Sent Events.
    Events,
}

/// What a client has heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// The upgrade was answered.
    Switched,
    Text(String),
    Ping(Vec<u8>),
    Close(Option<u16>),
    /// The head of a stream of events, with its status.
    Head(u16),
    /// An event of a stream: its position, empty if none came with it, and its data.
    Event(String, String),
}

/// The scratch space of all clients.
#[derive(Debug)]
pub(crate) struct Scratch {
    shared: ws::Shared,
    compressor: Compressor,
    answers: AnswerParser,
    settings: Settings,
}

impl Scratch {
    pub(crate) fn new() -> Self {
        Self {
            shared: ws::Shared::default(),
            compressor: Compressor::new(CompressPolicy::WherePays { len_min: 300 }),
            answers: AnswerParser::new(http::Limits::DEFAULT),
            settings: Settings::new(Role::Client, MESSAGE_MAX),
        }
    }
}

#[derive(Debug)]
enum Stage {
    Handshake {
        partial: PartialAnswer,
        accept: AcceptKey,
    },
    Ws(ws::Decoder),
    Plain(line::Decoder),
    /// What has come of the head, or of an event.
    Events {
        has_begun: bool,
        partial: Vec<u8>,
    },
}

/// The codec of one connection.
#[derive(Debug)]
pub(crate) struct Codec {
    kind: Kind,
    stage: Stage,
    deflate: Option<Deflate>,
}

impl Codec {
    /// The codec, and what is to be sent first.
    pub(crate) fn new(kind: Kind, rng: &mut Rng) -> (Self, Vec<u8>) {
        let mut out = Vec::new();
        let stage = match kind {
            Kind::Ws | Kind::Deflate => {
                let mut nonce = [0; 16];
                nonce[..8].copy_from_slice(&rng.bits().to_le_bytes());
                let key = encode_key(nonce);
                let offer = offer().to_string();
                UpgradeRequest {
                    host: "127.0.0.1:8080",
                    path: "/ws",
                    key: &key,
                    origin: None,
                    protocols: &[],
                    extensions: (kind == Kind::Deflate).then_some(offer.as_str()),
                }
                .render(&mut out);
                let accept = AcceptKey::of(key.as_bytes()).expect("a key of 16 bytes");
                Stage::Handshake { partial: PartialAnswer::default(), accept }
            }
            Kind::Lines | Kind::Lengths | Kind::Text => Stage::Plain(line::Decoder::default()),
            Kind::Events => Stage::Events { has_begun: false, partial: Vec::new() },
        };
        (Self { kind, stage, deflate: None }, out)
    }

    /// Whether requests may be sent.
    pub(crate) const fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Handshake { .. })
    }

    /// Appends one message.
    pub(crate) fn encode(
        &self,
        text: &str,
        scratch: &mut Scratch,
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) {
        let payload = text.as_bytes();
        match self.kind {
            Kind::Ws if payload.len() > 1 && rng.once_in(10) => {
                let (head, tail) = payload.split_at(1 + rng.index(payload.len() - 1));
                fragment(Opcode::Text, false, head, rng, out);
                fragment(Opcode::Continuation, true, tail, rng, out);
            }
            Kind::Ws => ws::encode(Opcode::Text, payload, Some(key(rng)), out),
            Kind::Deflate => {
                let bits = self.deflate.map(|deflate| deflate.window_bits);
                match bits.and_then(|bits| scratch.compressor.compress(payload, bits)) {
                    Some(small) => ws::encode_compressed(Opcode::Text, small, Some(key(rng)), out),
                    None => ws::encode(Opcode::Text, payload, Some(key(rng)), out),
                }
            }
            Kind::Lines | Kind::Text => line::encode_line(out, payload),
            Kind::Lengths => line::encode_length(out, payload).expect("a short message"),
            Kind::Events => {}
        }
    }

    pub(crate) fn encode_pong(payload: &[u8], rng: &mut Rng, out: &mut Vec<u8>) {
        ws::encode(Opcode::Pong, payload, Some(key(rng)), out);
    }

    /// Appends the goodbye, if the framing has one.
    pub(crate) fn encode_bye(&self, rng: &mut Rng, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Ws | Kind::Deflate if self.is_open() => {
                ws::encode_close(CloseCode::new(1000), "", Some(key(rng)), out);
            }
            Kind::Text => out.extend_from_slice(b"/quit\n"),
            _ => {}
        }
    }

    /// Takes received bytes apart.
    pub(crate) fn decode(
        &mut self,
        bytes: &mut [u8],
        scratch: &mut Scratch,
        heard: &mut Vec<Received>,
    ) -> Result<(), String> {
        let mut input = bytes;
        if let Stage::Handshake { partial, accept } = &mut self.stage {
            let answer = scratch.answers.parse(partial, input, accept, &[]);
            let Some(switched) = answer.map_err(|error| error.to_string())? else { return Ok(()) };
            let extensions = switched.extensions.as_deref().map(str::as_bytes);
            self.deflate = offer().confirm(extensions).map_err(|error| error.to_string())?;
            if self.kind != Kind::Deflate && self.deflate.is_some() {
                return Err("an extension that was not offered".to_owned());
            }
            let consumed = switched.consumed;
            input = &mut input[consumed..];
            self.stage = Stage::Ws(ws::Decoder::new(self.deflate));
            heard.push(Received::Switched);
        }
        match &mut self.stage {
            Stage::Handshake { .. } => Ok(()),
            Stage::Ws(decoder) => decode_ws(decoder, input, scratch, heard),
            Stage::Plain(decoder) => decode_plain(decoder, input, heard),
            Stage::Events { has_begun, partial } => {
                partial.extend_from_slice(input);
                decode_events(has_begun, partial, heard)
            }
        }
    }
}

fn decode_events(
    has_begun: &mut bool,
    partial: &mut Vec<u8>,
    heard: &mut Vec<Received>,
) -> Result<(), String> {
    let take = |partial: &mut Vec<u8>, end: &[u8]| {
        let at = partial.windows(end.len()).position(|window| window == end)?;
        let taken: Vec<u8> = partial.drain(..at + end.len()).take(at).collect();
        Some(String::from_utf8(taken).map_err(|error| error.to_string()))
    };
    if !*has_begun {
        let Some(head) = take(partial, b"\r\n\r\n").transpose()? else { return Ok(()) };
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        heard.push(Received::Head(status.ok_or(head)?));
        *has_begun = true;
    }
    // Behind a refusal comes its body, which is no event.
    if matches!(heard.last(), Some(Received::Head(status)) if *status != 200) {
        partial.clear();
    }
    while let Some(event) = take(partial, b"\n\n").transpose()? {
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
        let (id, data) = (field("id: ").unwrap_or_default(), field("data: "));
        let data = data.ok_or_else(|| format!("an event without data: {event}"))?;
        heard.push(Received::Event(id.to_owned(), data.to_owned()));
    }
    Ok(())
}

const fn offer() -> Offer {
    Offer { server_max_window_bits: None, client_max_window_bits: false }
}

fn key(rng: &mut Rng) -> [u8; 4] {
    let [a, b, c, d, ..] = rng.bits().to_le_bytes();
    [a, b, c, d]
}

fn fragment(opcode: Opcode, fin: bool, payload: &[u8], rng: &mut Rng, out: &mut Vec<u8>) {
    let header = FrameHeader { fin, mask: Some(key(rng)), ..FrameHeader::new(opcode, 0) };
    ws::encode_frame(header, payload, out);
}

fn decode_ws(
    decoder: &mut ws::Decoder,
    mut input: &mut [u8],
    scratch: &mut Scratch,
    heard: &mut Vec<Received>,
) -> Result<(), String> {
    loop {
        let item = decoder.decode(&mut input, &scratch.settings, &mut scratch.shared);
        heard.push(match item.map_err(|violation| violation.to_string())? {
            None => return Ok(()),
            Some(Item::Text(text)) => Received::Text(text.to_owned()),
            Some(Item::Ping(payload)) => Received::Ping(payload.to_vec()),
            Some(Item::Pong(_)) => continue,
            Some(Item::Binary(_)) => return Err("a binary message".to_owned()),
            Some(Item::Close { code, .. }) => Received::Close(code.map(CloseCode::as_u16)),
        });
    }
}

fn decode_plain(
    decoder: &mut line::Decoder,
    mut input: &[u8],
    heard: &mut Vec<Received>,
) -> Result<(), String> {
    while let Some(item) = decoder.decode(&mut input, MESSAGE_MAX) {
        let line::Item::Message(bytes) = item else { return Err(format!("{item:?}")) };
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        heard.push(Received::Text(text.to_owned()));
    }
    Ok(())
}
