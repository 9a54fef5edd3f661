//! Sessions without a reactor: inputs in, effects out.

mod backpressure;
mod closing;
mod deadlines;
mod delivery;
mod limits;
mod opening;
mod operations;
mod pace;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Entropy, ListenerKind, Sessions, Turn};
use crate::chat::model::log::Logs as _;
use crate::chat::{Chat, Limits};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::net::{CloseReason, ConnId, Effect, Effects, Ending, Pause};
use crate::store::MemoryStore;
use crate::time::Tick;
use crate::time::clock::Now;
use crate::ws::{FrameHeader, Opcode, Role, encode};

/// An upgrade request.
const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: localhost:8080\r\nConnection: Upgrade\r\n\
Upgrade: websocket\r\nOrigin: http://localhost:8080\r\nSec-WebSocket-Version: 13\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: chinwag.v1\r\n\r\n";

/// What a reactor would know of one connection.
#[derive(Debug, Default)]
struct Seen {
    /// Bytes that were sent and not looked at yet.
    sent: Vec<u8>,
    closed: Option<(CloseReason, Ending)>,
    deadline: Option<Tick>,
    is_paused: bool,
    /// Paused since it sends too fast.
    is_paced: bool,
    /// How many times the domain or the session asked to be told of drained output.
    wakes: u32,
}

/// Sessions with a domain and logs in memory.
struct Harness {
    sessions: Sessions,
    chat: Chat,
    logs: MemoryStore,
    /// The logs answer only when they are told to.
    are_logs_slow: bool,
    effects: Effects,
    seen: BTreeMap<ConnId, Seen>,
    millis: u64,
}

impl Harness {
    fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// Sessions with other limits than the usual ones.
    fn with(adjust: impl FnOnce(&mut Config, &mut Limits)) -> Self {
        let (mut config, mut limits) = (Config::default(), Limits::default());
        adjust(&mut config, &mut limits);
        let metrics = Arc::new(Metrics::default());
        let now = Now { tick: Tick::ZERO, wall_ms: 1_763_700_000_000 };
        let entropy = Entropy::Seeded(crate::rng::Rng::new(1));
        Self {
            sessions: Sessions::new(&config, limits.clone(), metrics, entropy).unwrap(),
            chat: Chat::new(limits, now),
            logs: MemoryStore::new(),
            are_logs_slow: false,
            effects: Effects::new(),
            seen: BTreeMap::new(),
            millis: 0,
        }
    }

    fn now(&self) -> Now {
        let wall_ms = 1_763_700_000_000 + self.millis;
        Now { tick: Tick::from_millis(self.millis), wall_ms }
    }

    /// Handles one input, as the server does.
    fn handle(&mut self, handle: impl FnOnce(&mut Sessions, &mut Turn<'_>)) {
        let now = self.now();
        let turn = &mut Turn { now, chat: &mut self.chat, effects: &mut self.effects };
        handle(&mut self.sessions, turn);
        while let Some(request) = self.chat.poll_request() {
            self.logs.request(now, request);
            if !self.are_logs_slow {
                self.take_replies();
            }
        }
        for effect in std::mem::take(&mut self.effects) {
            self.apply(effect);
        }
    }

    /// The logs' answers are there.
    fn take_replies(&mut self) {
        let now = self.now();
        while let Some(reply) = self.logs.poll() {
            self.chat.on_log_reply(now, reply);
        }
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => self.see(conn).sent.extend_from_slice(&frame),
            Effect::Broadcast { to, frame } => {
                for conn in to {
                    self.see(conn).sent.extend_from_slice(&frame);
                }
            }
            Effect::Arm { conn, deadline } => self.see(conn).deadline = Some(deadline),
            Effect::Wake { conn } => self.see(conn).wakes += 1,
            Effect::Pause { conn, pause } => {
                let seen = self.see(conn);
                (seen.is_paused, seen.is_paced) = (true, pause == Pause::Rate);
            }
            Effect::Resume { conn } => self.see(conn).is_paused = false,
            Effect::Close { conn, reason, ending } => {
                self.see(conn).closed.get_or_insert((reason, ending));
            }
            Effect::OutboundMax { .. } | Effect::Settled { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn see(&mut self, conn: ConnId) -> &mut Seen {
        self.seen.entry(conn).or_default()
    }

    /// A connection is accepted.
    fn open(&mut self, kind: ListenerKind) -> ConnId {
        let slot = self.seen.len();
        let conn = ConnId::new(slot, u64::try_from(slot).unwrap() + 1).unwrap();
        self.handle(|sessions, turn| {
            sessions.handle_opened(conn, (kind, [127, 0, 0, 1].into()), turn);
        });
        conn
    }

    /// A WebSocket that has not said hello.
    fn open_websocket(&mut self) -> ConnId {
        let conn = self.open(ListenerKind::Http);
        self.receive(conn, UPGRADE.as_bytes());
        let answer = String::from_utf8(self.take(conn)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        conn
    }

    /// A WebSocket of a user in `lobby`.
    fn enter(&mut self, name: &str) -> ConnId {
        let conn = self.open_websocket();
        self.receive(conn, &text(&format!(r#"{{"op":"hello","id":1,"name":"{name}"}}"#)));
        self.receive(conn, &text(r#"{"op":"join","id":2,"room":"lobby"}"#));
        self.end_turn();
        self.take(conn);
        conn
    }

    fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        self.handle(|sessions, turn| sessions.handle_received(conn, &mut bytes, turn));
    }

    fn finish(&mut self, conn: ConnId) {
        self.handle(|sessions, turn| sessions.handle_finished(conn, turn));
    }

    fn drain(&mut self, conn: ConnId) {
        self.handle(|sessions, turn| sessions.handle_drained(conn, turn));
    }

    fn end_turn(&mut self) {
        self.handle(Sessions::handle_turn_end);
        self.chat.debug_check();
    }

    /// Lets time pass up to the connection's deadline, or to `millis` from now if that is earlier;
    /// says whether the deadline was reached.
    fn wait(&mut self, conn: ConnId, millis: u64) -> bool {
        let until = self.millis + millis;
        let deadline = self.see(conn).deadline.unwrap_or(Tick::MAX);
        self.millis = until.min(deadline.as_millis());
        if deadline > self.now().tick {
            return false;
        }
        self.handle(|sessions, turn| sessions.handle_expired(conn, turn));
        true
    }

    /// What was sent to the connection since it was last asked for.
    fn take(&mut self, conn: ConnId) -> Vec<u8> {
        std::mem::take(&mut self.see(conn).sent)
    }

    /// The frames that were sent to a WebSocket since they were last asked for, as text where they
    /// are text.
    fn frames(&mut self, conn: ConnId) -> Vec<String> {
        let bytes = self.take(conn);
        let mut rest = &*bytes;
        let mut frames = Vec::new();
        while let Some((header, len)) = FrameHeader::decode(rest, Role::Client, false).unwrap() {
            let end = len + usize::try_from(header.payload_len).unwrap();
            let payload = String::from_utf8_lossy(&rest[len..end]).into_owned();
            frames.push(match header.opcode {
                Opcode::Text => payload,
                Opcode::Close => {
                    let code = u16::from_be_bytes([rest[len], rest[len + 1]]);
                    format!("close {code}")
                }
                other => format!("{other:?} {payload}"),
            });
            rest = &rest[end..];
        }
        assert!(rest.is_empty(), "half a frame: {rest:?}");
        frames
    }

    /// Why and how the connection was ended.
    fn closed(&mut self, conn: ConnId) -> Option<(CloseReason, Ending)> {
        self.see(conn).closed
    }
}

/// A masked frame.
fn frame(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(opcode, payload, Some([1, 2, 3, 4]), &mut out);
    out
}

/// A masked text message.
fn text(message: &str) -> Vec<u8> {
    frame(Opcode::Text, message.as_bytes())
}

/// A `ping` request.
fn ping(id: usize) -> String {
    format!(r#"{{"op":"ping","id":{id}}}"#)
}

/// The ids that the answers carry, in order.
fn ids(frames: &[String]) -> Vec<usize> {
    let id = |frame: &String| {
        let digits = frame.strip_prefix(r#"{"id":"#)?.split(',').next()?;
        digits.parse().ok()
    };
    frames.iter().filter_map(id).collect()
}
