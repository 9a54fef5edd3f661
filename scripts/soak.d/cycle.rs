//! One client's life.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::Outcome;

/// Where a client goes, and how it speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    /// `/ws` at this address.
    WebSocket(SocketAddr),
    /// One object a line at this address.
    Lines(SocketAddr),
}

/// Connects, says hello as a new user, makes and joins a new room, leaves it, and closes in good order.
pub(crate) fn run(target: Target, worker: u32, number: u32) -> Outcome<()> {
    let requests = [
        format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"user{number}\"}}"),
        format!("{{\"op\":\"join\",\"id\":2,\"room\":\"room{number}\"}}"),
        format!("{{\"op\":\"leave\",\"id\":3,\"room\":\"room{number}\"}}"),
    ];
    match target {
        Target::WebSocket(address) => over_websocket(connect(address, worker, number)?, &requests),
        Target::Lines(address) => over_lines(connect(address, worker, number)?, &requests),
    }
}

/// Connects from one of many loopback addresses, so that the closed connections which the kernel remembers
/// for a minute never use up the ports.
fn connect(address: SocketAddr, worker: u32, number: u32) -> Outcome<Connection> {
    let [.., high, low] = (number / 8).to_be_bytes();
    let from = Ipv4Addr::new(127, 1 + worker.to_be_bytes()[3], high % 4, low.max(1));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&address.into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    Ok(Connection { stream: socket.into(), received: Vec::new() })
}

fn over_lines(mut connection: Connection, requests: &[String]) -> Outcome<()> {
    for request in requests {
        connection.stream.write_all(format!("{request}\n").as_bytes())?;
        loop {
            let line = connection.take_until(b"\n")?;
            if is_reply(&line)? {
                break;
            }
        }
    }
    connection.stream.shutdown(std::net::Shutdown::Write)?;
    connection.take_to_the_end()
}

fn over_websocket(mut connection: Connection, requests: &[String]) -> Outcome<()> {
    let host = connection.stream.peer_addr()?;
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    connection.stream.write_all(head.as_bytes())?;
    connection.take_until(b"\r\n\r\n")?;
    for request in requests {
        connection.stream.write_all(&frame(0x81, request.as_bytes())?)?;
        while !is_reply(&connection.take_frame()?)? {}
    }
    connection.stream.write_all(&frame(0x88, &1000_u16.to_be_bytes())?)?;
    connection.take_to_the_end()
}

/// A masked frame; the mask is zero, which leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Outcome<Vec<u8>> {
    let len = u8::try_from(payload.len()).ok().filter(|len| *len <= 125).ok_or("a long request")?;
    Ok([&[first, 0x80 | len, 0, 0, 0, 0], payload].concat())
}

/// Whether `text` is a reply, and not an event.
fn is_reply(text: &[u8]) -> Outcome<bool> {
    let text = String::from_utf8_lossy(text);
    if text.contains("\"code\":") && !text.contains("\"code\":0,") {
        return Err(format!("refused: {text}").into());
    }
    Ok(text.starts_with("{\"id\":"))
}

/// A socket, and what came by it and was not yet taken.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    fn take(&mut self, count: usize) -> Outcome<Vec<u8>> {
        while self.received.len() < count {
            self.read()?;
        }
        Ok(self.received.drain(..count).collect())
    }

    fn take_until(&mut self, end: &[u8]) -> Outcome<Vec<u8>> {
        loop {
            if let Some(at) = self.received.windows(end.len()).position(|window| window == end) {
                return self.take(at + end.len());
            }
            self.read()?;
        }
    }

    fn take_frame(&mut self) -> Outcome<Vec<u8>> {
        let head = self.take(2)?;
        let len = match head[1] {
            126 => self.take(2)?.iter().fold(0, |len, byte| len << 8 | usize::from(*byte)),
            len => usize::from(len),
        };
        self.take(len)
    }

    /// Reads until the server has closed the connection, too.
    fn take_to_the_end(mut self) -> Outcome<()> {
        self.stream.read_to_end(&mut self.received)?;
        Ok(())
    }

    fn read(&mut self) -> Outcome<()> {
        let mut buffer = [0; 4096];
        let count = self.stream.read(&mut buffer)?;
        if count == 0 {
            return Err("the server closed the connection".into());
        }
        self.received.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}
