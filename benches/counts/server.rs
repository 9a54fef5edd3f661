//! The whole server above the reactor, fed with what sockets would bring: for benches that need no
//! sockets.

use std::error::Error;
use std::mem;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use chinwag::config::{self, Config, Environment, Flags};
use chinwag::metrics::Metrics;
use chinwag::net::{ConnId, Effect, Effects, Handler as _, Input, ListenerId};
use chinwag::rng::Rng;
use chinwag::server::Server;
use chinwag::session::{Entropy, ListenerKind};
use chinwag::time::Tick;
use chinwag::time::clock::Now;
use chinwag::ws::{MaskKey, Opcode, encode};

pub(crate) const MASK: MaskKey = [0x37, 0xfa, 0x21, 0x3d];
/// What Chromium sends.
pub(crate) const HEAD: &str = "GET /ws HTTP/1.1\r\n\
Host: localhost:8080\r\n\
Connection: Upgrade\r\n\
Pragma: no-cache\r\n\
Cache-Control: no-cache\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n\
Upgrade: websocket\r\n\
Origin: http://localhost:8080\r\n\
Sec-WebSocket-Version: 13\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Accept-Language: en-GB,en;q=0.9\r\n\
Cookie: theme=dark; _ga=GA1.1.1234567890.1234567890\r\n\
Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
Sec-WebSocket-Protocol: chinwag.v1\r\n\r\n";

/// The configuration for load tests, without events that come by the clock.
pub(crate) fn config() -> Result<Config, Box<dyn Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/load.toml");
    let settings = vec![("durability", "memory".to_owned())];
    let flags = Flags { config: Some(path), settings };
    let loaded = config::load(&flags, &Environment::default());
    Ok(loaded.map_err(|faults| faults.to_string())?.config)
}

/// A masked text frame.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    encode(Opcode::Text, text.as_bytes(), Some(MASK), &mut out);
    out
}

/// The server above the reactor, and what a reactor would keep for it.
pub(crate) struct World {
    server: Server,
    pub(crate) conns: Vec<ConnId>,
    effects: Effects,
    scratch: Vec<u8>,
    pub(crate) millis: u64,
}

impl World {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let config = config()?;
        let metrics = Arc::new(Metrics::default());
        let now = Now { tick: Tick::ZERO, wall_ms: 1_763_700_000_000 };
        let server = Server::new(
            &config,
            vec![ListenerKind::Http],
            (metrics, Entropy::Seeded(Rng::new(1))),
            now,
            chinwag::store::in_memory(),
        )
        .map_err(|error| error.to_string())?;
        let (conns, effects, scratch) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { server, conns, effects, scratch, millis: 0 })
    }

    pub(crate) fn handle(&mut self, input: Input<'_>) {
        let wall_ms = 1_763_700_000_000 + self.millis;
        let now = Now { tick: Tick::from_millis(self.millis), wall_ms };
        self.server.handle(now, input, &mut self.effects);
    }

    /// Ends the turn, and returns how many frames were given to connections.
    pub(crate) fn end_turn(&mut self) -> usize {
        self.handle(Input::TurnEnd);
        self.millis += 1;
        let frames = self.effects.drain(..).map(|effect| match effect {
            Effect::Broadcast { to, .. } => to.len(),
            Effect::Send { .. } => 1,
            _ => 0,
        });
        frames.sum()
    }

    pub(crate) fn receive(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut scratch = mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(bytes);
        self.handle(Input::Received { conn, bytes: &mut scratch });
        self.scratch = scratch;
    }

    /// Opens one more connection, which has said nothing.
    pub(crate) fn open(&mut self) -> Option<ConnId> {
        let slot = self.conns.len();
        let conn = ConnId::new(slot, u64::try_from(slot).unwrap_or(0) + 1)?;
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        self.conns.push(conn);
        self.handle(Input::Opened { conn, listener: ListenerId(0), peer });
        Some(conn)
    }

    /// Opens `count` more connections that have switched to WebSocket.
    pub(crate) fn connect(&mut self, count: usize) {
        for _ in 0..count {
            let Some(conn) = self.open() else { continue };
            self.receive(conn, HEAD.as_bytes());
            assert_eq!(self.end_turn(), 1, "the upgrade is answered");
        }
    }
}
