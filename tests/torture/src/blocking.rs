//! One connection whose user waits for each message.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use chinwag::client::{Framing, Opening, Unit};
use chinwag::ws::CloseCode;
use rustls::{ClientConnection, StreamOwned};

use crate::Outcome;
use crate::connections::{MESSAGE_LEN_MAX, opening};

/// How long the server may take to say something.
const PATIENCE: Duration = Duration::from_secs(20);

/// A connection, and what came by it that nobody has taken yet.
pub(crate) struct Blocking {
    stream: Line,
    framing: Framing,
    received: Vec<u8>,
}

/// What the bytes go by.
enum Line {
    Clear(TcpStream),
    Sealed(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Blocking {
    /// Opens the protocol on a socket that is connected.
    pub(crate) fn open(stream: TcpStream, framing: Framing) -> Outcome<Self> {
        prepare(&stream)?;
        Self::over(Line::Clear(stream), framing)
    }

    /// The same over TLS.
    pub(crate) fn open_sealed(
        stream: TcpStream,
        client: ClientConnection,
        framing: Framing,
    ) -> Outcome<Self> {
        prepare(&stream)?;
        Self::over(Line::Sealed(Box::new(StreamOwned::new(client, stream))), framing)
    }

    fn over(stream: Line, framing: Framing) -> Outcome<Self> {
        let mut connection = Self { stream, framing, received: Vec::new() };
        if framing == Framing::WebSocket {
            connection.upgrade(&mut opening())?;
        }
        Ok(connection)
    }

    /// Sends one message.
    pub(crate) fn send(&mut self, text: &str) -> Outcome<()> {
        let mut bytes = Vec::new();
        self.framing.put_message(text.as_bytes(), &mut bytes);
        Ok(self.stream.write_all(&bytes)?)
    }

    /// Waits for the next message.
    pub(crate) fn receive(&mut self) -> Outcome<String> {
        loop {
            let Some((unit, len)) = self.framing.split(&self.received, MESSAGE_LEN_MAX)? else {
                self.read()?;
                continue;
            };
            let mut pong = Vec::new();
            let message = match unit {
                Unit::Message(bytes) => Some(str::from_utf8(bytes)?.to_owned()),
                Unit::Ping(payload) => {
                    self.framing.put_pong(payload, &mut pong);
                    None
                }
                Unit::Pong => None,
                Unit::Close { code, reason } => {
                    return Err(format!("the server closed with {code:?} {reason}").into());
                }
            };
            self.received.drain(..len);
            self.stream.write_all(&pong)?;
            if let Some(message) = message {
                return Ok(message);
            }
        }
    }

    /// Closes in good order, and waits until the server has, too.
    pub(crate) fn close(mut self) -> Outcome<()> {
        let mut bytes = Vec::new();
        self.framing.put_close(Some(CloseCode::NORMAL), &mut bytes);
        self.stream.write_all(&bytes)?;
        match &mut self.stream {
            Line::Clear(stream) if self.framing == Framing::Lines => {
                stream.shutdown(Shutdown::Write)?;
            }
            Line::Clear(_) => {}
            Line::Sealed(stream) => {
                if self.framing == Framing::Lines {
                    stream.conn.send_close_notify();
                }
                stream.flush()?;
            }
        }
        self.stream.read_to_end(&mut self.received)?;
        Ok(())
    }

    fn upgrade(&mut self, opening: &mut Opening) -> Outcome<()> {
        self.stream.write_all(&opening.request("/ws"))?;
        let mut partial = None;
        loop {
            self.read()?;
            if let Some(len) = opening.check(&mut partial, &self.received)? {
                self.received.drain(..len);
                return Ok(());
            }
            // The parser of the answer has kept what it has read.
            self.received.clear();
        }
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

fn prepare(stream: &TcpStream) -> Outcome<()> {
    stream.set_nodelay(true)?;
    Ok(stream.set_read_timeout(Some(PATIENCE))?)
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(buffer),
            Self::Sealed(stream) => stream.read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(bytes),
            Self::Sealed(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Sealed(stream) => stream.flush(),
        }
    }
}
