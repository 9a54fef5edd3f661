//! One connection of the client: frames in, checked and counted; frames out.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use chinwag::http::UpgradeRequest;
use chinwag::ws::{FrameHeader, MaskKey, Opcode, Role, encode};
use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::Outcome;

/// A load needs no secrets: the key of RFC 6455 section 1.3, and one mask for all.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const MASK: MaskKey = [0x37, 0xfa, 0x21, 0x3d];
/// How a message begins, up to the room's name.
const MESSAGE: &[u8] = br#"{"ev":"message","room":""#;
const SEQ: &[u8] = br#"","seq":"#;
const FROM: &[u8] = br#","from":""#;

/// What one read has brought.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    /// The answer to the upgrade.
    pub(crate) upgraded: bool,
    /// Replies with code 0.
    pub(crate) replies: u64,
    /// Messages, and how many of them were its own.
    pub(crate) messages: u64,
    pub(crate) own: u64,
    /// Pings, all of which were answered.
    pub(crate) pings: u64,
    /// Other events.
    pub(crate) others: u64,
}

/// One connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    /// The last `seq`.
    pub(crate) seq: u64,
    /// How many messages it has sent.
    pub(crate) sent: u64,
    is_open: bool,
    /// An incomplete frame.
    partial: Vec<u8>,
    /// How its own messages go on behind the `seq`; empty if it does not care.
    own: Vec<u8>,
}

impl Peer {
    /// Connects from one of many addresses, so that ports suffice, and asks for the upgrade.
    pub(crate) fn connect(server: SocketAddr, number: usize) -> Outcome<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        let last = u8::try_from(number % 250 + 1)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::new(127, 0, 1, last), 0).into())?;
        // The backlog takes it at once, so there is nothing to wait for.
        socket.connect(&server.into())?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        let stream = TcpStream::from_std(socket.into());
        let (partial, own) = (Vec::new(), Vec::new());
        let mut peer = Self { stream, seq: 0, sent: 0, is_open: false, partial, own };
        let mut head = Vec::with_capacity(256);
        let host = server.to_string();
        let request = UpgradeRequest {
            host: &host,
            path: "/ws",
            key: KEY,
            origin: None,
            protocols: &["chinwag.v1"],
            extensions: None,
        };
        request.render(&mut head);
        peer.write(&head)?;
        Ok(peer)
    }

    /// Has messages of this user counted as its own.
    pub(crate) fn watch_own(&mut self, name: &str) {
        self.own = [FROM, name.as_bytes(), b"\""].concat();
    }

    /// Sends bytes that fit the socket's buffer, as all of a client's do here.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Outcome<()> {
        let len = self.stream.write(bytes)?;
        if len < bytes.len() {
            return Err("the server does not read".into());
        }
        Ok(())
    }

    /// Reads until nothing is left.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> Outcome<Seen> {
        let mut seen = Seen::default();
        loop {
            let len = match self.stream.read(scratch) {
                Ok(0) => return Err("the server has closed a connection".into()),
                Ok(len) => len,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(seen),
                Err(error) => return Err(error.into()),
            };
            let received = scratch.get(..len).unwrap_or_default();
            if self.partial.is_empty() {
                let used = self.take(received, &mut seen)?;
                self.partial.extend_from_slice(received.get(used..).unwrap_or_default());
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                whole.extend_from_slice(received);
                let used = self.take(&whole, &mut seen)?;
                self.partial.extend_from_slice(whole.get(used..).unwrap_or_default());
            }
            if len < scratch.len() {
                return Ok(seen);
            }
        }
    }

    /// Takes what is complete and returns its length.
    fn take(&mut self, input: &[u8], seen: &mut Seen) -> Outcome<usize> {
        let mut rest = input;
        if !self.is_open {
            let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") else {
                return Ok(0);
            };
            if !rest.starts_with(b"HTTP/1.1 101 ") {
                return Err(String::from_utf8_lossy(rest).into());
            }
            self.is_open = true;
            seen.upgraded = true;
            rest = rest.get(end + 4..).unwrap_or_default();
        }
        while let Some((header, header_len)) = FrameHeader::decode(rest, Role::Client, false)? {
            let end = header_len + usize::try_from(header.payload_len)?;
            let Some(payload) = rest.get(header_len..end) else { break };
            self.frame(header.opcode, payload, seen)?;
            rest = rest.get(end..).unwrap_or_default();
        }
        Ok(input.len() - rest.len())
    }

    fn frame(&mut self, opcode: Opcode, payload: &[u8], seen: &mut Seen) -> Outcome<()> {
        let text = || String::from_utf8_lossy(payload).into_owned();
        match opcode {
            Opcode::Text => {}
            Opcode::Ping => {
                let mut pong = Vec::new();
                encode(Opcode::Pong, payload, Some(MASK), &mut pong);
                seen.pings += 1;
                return self.write(&pong);
            }
            _ => return Err(format!("{opcode:?}: {}", text()).into()),
        }
        if payload.starts_with(br#"{"id""#) {
            if !payload.windows(9).take(40).any(|nine| nine == br#""code":0,"#) {
                return Err(text().into());
            }
            seen.replies += 1;
        } else if let Some(room) = payload.strip_prefix(MESSAGE) {
            let (seq, rest) = seq_of(room).ok_or_else(text)?;
            if seq != self.seq + 1 {
                return Err(format!("{seq} after {}: {}", self.seq, text()).into());
            }
            self.seq = seq;
            seen.messages += 1;
            seen.own += u64::from(!self.own.is_empty() && rest.starts_with(&self.own));
        } else {
            seen.others += 1;
        }
        Ok(())
    }
}

/// The `seq` behind the room's name, and what follows it.
fn seq_of(room: &[u8]) -> Option<(u64, &[u8])> {
    let end = room.iter().position(|&byte| byte == b'"')?;
    let mut rest = room.get(end..)?.strip_prefix(SEQ)?;
    let mut seq = 0;
    while let Some((&digit, behind)) = rest.split_first().filter(|(byte, _)| byte.is_ascii_digit())
    {
        seq = seq * 10 + u64::from(digit - b'0');
        rest = behind;
    }
    Some((seq, rest))
}

/// A masked text frame.
pub(crate) fn frame(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    encode(Opcode::Text, text.as_bytes(), Some(MASK), &mut out);
    out
}
