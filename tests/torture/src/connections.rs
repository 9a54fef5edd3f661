//! Many connections on one thread: opened, read whole message by whole message, written.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chinwag::client::{Framing, Opening, Unit};
use chinwag::http::{PartialAnswer, SUBPROTOCOL};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::ClientConnection;

use crate::Outcome;

/// Bytes of the longest message that the server may say.
pub(crate) const MESSAGE_LEN_MAX: usize = 4 << 20;

/// Names a connection for as long as it is in the pool.
pub(crate) type ConnectionId = usize;

/// What one wait was good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A message was put into the caller's buffer.
    Message,
    /// There is nothing more for the moment.
    Nothing,
    /// The connection has ended; its place is free.
    Ended,
}

/// Connections to one server.
pub(crate) struct Connections {
    poll: Poll,
    events: Events,
    links: Vec<Option<Link>>,
    free: Vec<ConnectionId>,
    ready: Vec<ConnectionId>,
    /// Connections with bytes that no write was tried for yet.
    dirty: Vec<ConnectionId>,
    opening: Opening,
    scratch: Vec<u8>,
    /// Why the connection ended that was the last to.
    last_end: String,
}

struct Link {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
    framing: Framing,
    partial: Option<PartialAnswer>,
    is_open: bool,
    inbound: Vec<u8>,
    taken: usize,
    outbound: Vec<u8>,
    ended: Option<String>,
    /// What the server said when it closed the connection.
    farewell: Option<String>,
}

impl Connections {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            links: Vec::new(),
            free: Vec::new(),
            ready: Vec::new(),
            dirty: Vec::new(),
            opening: opening(),
            scratch: vec![0; 256 * 1024],
            last_end: String::new(),
        })
    }

    /// Begins a connection. Messages that are sent before it is open wait.
    pub(crate) fn connect(
        &mut self,
        framing: Framing,
        address: SocketAddr,
    ) -> Outcome<ConnectionId> {
        let stream = TcpStream::connect(address)?;
        self.begin(framing, stream, None)
    }

    /// Begins a connection over TLS on a socket that does not block.
    pub(crate) fn begin_sealed(
        &mut self,
        framing: Framing,
        stream: std::net::TcpStream,
        client: ClientConnection,
    ) -> Outcome<ConnectionId> {
        let id = self.begin(framing, TcpStream::from_std(stream), Some(Box::new(client)))?;
        self.dirty.push(id);
        Ok(id)
    }

    fn begin(
        &mut self,
        framing: Framing,
        mut stream: TcpStream,
        tls: Option<Box<ClientConnection>>,
    ) -> Outcome<ConnectionId> {
        let id = self.free.pop().unwrap_or(self.links.len());
        self.poll.registry().register(
            &mut stream,
            Token(id),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        let mut connection = Link {
            stream,
            tls,
            framing,
            partial: None,
            is_open: framing == Framing::Lines,
            inbound: Vec::new(),
            taken: 0,
            outbound: Vec::new(),
            ended: None,
            farewell: None,
        };
        if framing == Framing::WebSocket {
            connection.outbound = self.opening.request("/ws");
        }
        if id == self.links.len() {
            self.links.push(None);
        }
        self.links[id] = Some(connection);
        Ok(id)
    }

    /// Says one message; it leaves with the next [`wait`](Self::wait).
    pub(crate) fn send(&mut self, id: ConnectionId, text: &str) {
        if let Some(Some(connection)) = self.links.get_mut(id) {
            connection.framing.put_message(text.as_bytes(), &mut connection.outbound);
            self.dirty.push(id);
        }
    }

    /// Ends a connection at once.
    pub(crate) fn cut(&mut self, id: ConnectionId) {
        if self.links.get_mut(id).is_some_and(|connection| connection.take().is_some()) {
            self.free.push(id);
        }
    }

    /// Waits for sockets until the deadline, reads all that there is, and tells which connections
    /// to look at.
    pub(crate) fn wait(&mut self, deadline: Instant) -> Outcome<Vec<ConnectionId>> {
        self.flush();
        let timeout = deadline.saturating_duration_since(Instant::now());
        // Rounded up, or the last fraction of a millisecond would be spun through.
        match self.poll.poll(&mut self.events, Some(timeout + Duration::from_micros(999))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(Vec::new()),
            other => other?,
        }
        let mut ready = std::mem::take(&mut self.ready);
        ready.clear();
        for event in &self.events {
            let Token(id) = event.token();
            let Some(Some(connection)) = self.links.get_mut(id) else { continue };
            if event.is_writable() {
                connection.flush();
            }
            connection.read(&mut self.scratch);
            if connection.tls.is_some() {
                // What was read may have been a step of the handshake, which wants an answer.
                connection.flush();
            }
            ready.push(id);
        }
        Ok(ready)
    }

    /// Gives back what [`wait`](Self::wait) returned.
    pub(crate) fn done(&mut self, ready: Vec<ConnectionId>) {
        self.ready = ready;
    }

    /// Why the connection ended that was the last to.
    pub(crate) fn last_end(&self) -> &str {
        &self.last_end
    }

    /// Takes the next message of a connection into `message`.
    pub(crate) fn next(&mut self, id: ConnectionId, message: &mut String) -> Outcome<Next> {
        let Some(Some(connection)) = self.links.get_mut(id) else { return Ok(Next::Nothing) };
        if !connection.is_open {
            let input = connection.inbound.get(connection.taken..).unwrap_or_default();
            let Some(count) = self.opening.check(&mut connection.partial, input)? else {
                // The parser of the answer keeps what it has read.
                connection.inbound.clear();
                connection.taken = 0;
                return Ok(self.end_if_over(id));
            };
            connection.taken += count;
            connection.is_open = true;
        }
        loop {
            let input = connection.inbound.get(connection.taken..).unwrap_or_default();
            let Some((unit, count)) = connection.framing.split(input, MESSAGE_LEN_MAX)? else {
                let taken = std::mem::take(&mut connection.taken);
                connection.inbound.drain(..taken);
                return Ok(self.end_if_over(id));
            };
            match unit {
                Unit::Message(bytes) => {
                    message.clear();
                    message.push_str(str::from_utf8(bytes)?);
                    connection.taken += count;
                    return Ok(Next::Message);
                }
                Unit::Ping(payload) => {
                    connection.framing.put_pong(payload, &mut connection.outbound);
                    self.dirty.push(id);
                }
                Unit::Pong => {}
                Unit::Close { code, reason } => {
                    connection.farewell = Some(format!("{code:?} {reason}"));
                }
            }
            connection.taken += count;
        }
    }

    /// Writes what was said, as far as the sockets take it; the rest follows when they take more.
    fn flush(&mut self) {
        for id in self.dirty.drain(..) {
            if let Some(Some(connection)) = self.links.get_mut(id) {
                connection.flush();
            }
        }
    }

    fn end_if_over(&mut self, id: ConnectionId) -> Next {
        let link = self.links.get(id).and_then(Option::as_ref);
        let Some((link, ended)) = link.and_then(|link| Some((link, link.ended.as_ref()?))) else {
            return Next::Nothing;
        };
        self.last_end = link.farewell.as_ref().unwrap_or(ended).clone();
        self.cut(id);
        Next::Ended
    }
}

impl Link {
    fn flush(&mut self) {
        if let Some(tls) = &mut self.tls {
            // Its own buffer is unbounded: what clients here say is little.
            tls.set_buffer_limit(None);
            if tls.writer().write_all(&self.outbound).is_ok() {
                self.outbound.clear();
            }
            while tls.wants_write() && self.ended.is_none() {
                match tls.write_tls(&mut self.stream) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // As below.
                    Err(_) => return,
                }
            }
            return;
        }
        while !self.outbound.is_empty() && self.ended.is_none() {
            match self.stream.write(&self.outbound) {
                Ok(count) => {
                    self.outbound.drain(..count);
                }
                Err(error) if is_later(&error) => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // What was received before is still worth reading; the read side says that it is
                // over.
                Err(_) => return,
            }
        }
    }

    fn read(&mut self, scratch: &mut [u8]) {
        while self.ended.is_none() {
            let read = match &mut self.tls {
                None => self.stream.read(scratch),
                Some(tls) => unseal(tls, &mut self.stream, scratch),
            };
            match read {
                Ok(0) => self.ended = Some("the server closed the connection".to_owned()),
                Ok(count) => {
                    self.inbound.extend_from_slice(scratch.get(..count).unwrap_or_default());
                }
                Err(error) if is_later(&error) => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.ended = Some(error.to_string()),
            }
        }
    }
}

/// Reads what a socket has until some of it is plain; 0 at the end.
fn unseal(
    tls: &mut ClientConnection,
    stream: &mut TcpStream,
    scratch: &mut [u8],
) -> std::io::Result<usize> {
    loop {
        match tls.reader().read(scratch) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            other => return other,
        }
        if tls.read_tls(stream)? == 0 {
            return Ok(0);
        }
        tls.process_new_packets().map_err(std::io::Error::other)?;
    }
}

/// The handshakes of this protocol.
pub(crate) fn opening() -> Opening {
    Opening::new("localhost".to_owned(), vec![SUBPROTOCOL])
}

/// Whether there will be an event when it can go on.
fn is_later(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected)
}
