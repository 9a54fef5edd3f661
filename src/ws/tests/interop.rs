//! Against an implementation by others.

use std::io::{Cursor, Read, Write};

use tungstenite::protocol::Role as TheirRole;
use tungstenite::{Message, WebSocket};

use super::*;

/// A socket that has received `inbound` and keeps what is sent.
struct Pipe {
    inbound: Cursor<Vec<u8>>,
    outbound: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.inbound.read(buffer)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.outbound.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn theirs(role: TheirRole, inbound: Vec<u8>) -> WebSocket<Pipe> {
    let pipe = Pipe { inbound: Cursor::new(inbound), outbound: Vec::new() };
    WebSocket::from_raw_socket(pipe, role, None)
}

const LENS: [usize; 8] = [0, 1, 125, 126, 127, 65_535, 65_536, 100_000];

#[test]
fn they_read_what_we_write() {
    for (role, mask) in [(TheirRole::Server, Some(KEY)), (TheirRole::Client, None)] {
        for len in LENS {
            let body = "x".repeat(len);
            let mut input = Vec::new();
            encode(Opcode::Text, body.as_bytes(), mask, &mut input);
            encode(Opcode::Binary, body.as_bytes(), mask, &mut input);
            encode(Opcode::Ping, b"ping", mask, &mut input);
            encode_close(Some(CloseCode::GOING_AWAY), "bye", mask, &mut input);
            let mut socket = theirs(role, input);
            assert_eq!(socket.read().unwrap(), Message::text(body.clone()));
            assert_eq!(socket.read().unwrap(), Message::binary(body.into_bytes()));
            assert_eq!(socket.read().unwrap(), Message::Ping(b"ping".to_vec().into()));
            let Message::Close(Some(close)) = socket.read().unwrap() else { panic!("no close") };
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1001, "bye"));
        }
    }
}

#[test]
fn we_read_what_they_write() {
    for (their_role, role) in [(TheirRole::Client, Role::Server), (TheirRole::Server, Role::Client)]
    {
        for len in LENS {
            let body = "x".repeat(len);
            let mut socket = theirs(their_role, Vec::new());
            socket.send(Message::text(body.clone())).unwrap();
            socket.send(Message::binary(body.clone().into_bytes())).unwrap();
            socket.send(Message::Pong(b"pong".to_vec().into())).unwrap();
            socket.close(None).unwrap();
            let mut end = End::new(&Settings::new(role, len), None);
            let (said, violation) = end.feed(&socket.get_ref().outbound);
            assert_eq!(violation, None);
            let expect = [
                text(&body),
                Said::Binary(body.into_bytes()),
                Said::Pong(b"pong".to_vec()),
                Said::Close(None, String::new()),
            ];
            assert!(said == expect, "length {len}");
        }
    }
}
