//! A TCP client that sends what it is told, byte for byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use socket2::{Domain, SockRef, Socket, Type};

use super::PATIENCE;

/// How much of [`PATIENCE`] is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience(Instant);

impl Patience {
    /// Begins to wait.
    pub(crate) fn begin() -> Self {
        Self(Instant::now() + PATIENCE)
    }

    /// Whether there is still time.
    pub(crate) fn is_left(self) -> bool {
        !self.left().is_zero()
    }

    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// A connection, and the bytes that were received and not yet taken.
#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    /// What is between the socket and the bytes, if they are sealed.
    tls: Option<Box<ClientConnection>>,
    received: Vec<u8>,
    /// Whether the server has sent FIN or reset the connection.
    ended: bool,
}

impl Raw {
    /// Connects to `address`.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).expect("a server that accepts"))
    }

    /// The same with so small a receive buffer from the beginning, for a client that reads nothing
    /// for long. A buffer that is made small later cannot take back the window that was announced:
    /// the kernel then drops what comes, and the sender's pauses between its attempts double, until
    /// they are longer than any test waits once the client reads.
    #[track_caller]
    pub(crate) fn connect_small(address: SocketAddr, bytes: usize) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None);
        let socket = socket.expect("a socket");
        socket.set_recv_buffer_size(bytes).expect("a socket option");
        socket.connect(&address.into()).expect("a server that accepts");
        Self::over(socket.into())
    }

    fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, tls: None, received: Vec::new(), ended: false }
    }

    /// The same with TLS: what is sent and received is its plaintext from now on.
    #[track_caller]
    pub(crate) fn with_tls(mut self, client: ClientConnection) -> Self {
        self.tls = Some(Box::new(client));
        self.push_tls();
        self
    }

    /// The TLS that it speaks.
    #[track_caller]
    pub(crate) fn tls(&mut self) -> &mut ClientConnection {
        self.tls.as_mut().expect("a connection with TLS")
    }

    /// Reads until the handshake is complete; `false` if the connection ended before.
    #[track_caller]
    pub(crate) fn shake_hands(&mut self) -> bool {
        let patience = Patience::begin();
        while self.tls().is_handshaking() && !self.ended {
            self.read_once(patience);
        }
        !self.tls().is_handshaking()
    }

    /// Sends what TLS has to say.
    pub(crate) fn push_tls(&mut self) {
        let Self { stream, tls, .. } = self;
        let Some(tls) = tls else { return };
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        while tls.wants_write() {
            match tls.write_tls(stream) {
                Ok(_) => {}
                Err(error) if is_ended(error.kind()) => return,
                Err(error) => panic!("could not send: {error}"),
            }
        }
    }

    /// Sends `bytes`. The server may have closed already: then nobody hears them, and what it said
    /// is read.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Some(tls) = &mut self.tls {
            tls.writer().write_all(bytes).expect("a buffer that takes it");
            return self.push_tls();
        }
        self.send_in_clear(bytes);
    }

    /// The same, whatever else is spoken.
    pub(crate) fn send_in_clear(&mut self, bytes: &[u8]) {
        self.stream.set_write_timeout(Some(PATIENCE)).expect("a socket option");
        match self.stream.write_all(bytes) {
            Ok(()) => {}
            Err(error) if is_ended(error.kind()) => {}
            Err(error) => panic!("could not send {} bytes: {error}", bytes.len()),
        }
    }

    /// Sends `bytes`, the last of them as urgent data.
    #[track_caller]
    pub(crate) fn send_urgent(&mut self, bytes: &[u8]) {
        let sent = SockRef::from(&self.stream).send_out_of_band(bytes);
        assert_eq!(sent.expect("a socket that takes a few bytes"), bytes.len());
    }

    /// Sends `bytes` one by one, each in a segment of its own.
    pub(crate) fn send_bytewise(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.send(&[*byte]);
        }
    }

    /// Sends FIN and goes on reading.
    pub(crate) fn finish(&mut self) {
        // A connection that the server has reset cannot be finished, and need not be.
        drop(self.stream.shutdown(Shutdown::Write));
    }

    /// Resets the connection: FIN is not sent, what waits is thrown away.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
    }

    /// Makes the kernel's receive buffer small, for a client that reads slowly.
    pub(crate) fn shrink(&self, bytes: usize) {
        SockRef::from(&self.stream).set_recv_buffer_size(bytes).expect("a socket option");
    }

    /// Takes `count` bytes, waiting for them.
    #[track_caller]
    pub(crate) fn take(&mut self, count: usize) -> Vec<u8> {
        self.fill(|received| (received.len() >= count).then_some(count));
        assert!(self.received.len() >= count, "the end instead of {count} bytes: {self:?}");
        self.received.drain(..count).collect()
    }

    /// Takes what comes before `end`, and `end` with it, waiting for it.
    #[track_caller]
    pub(crate) fn take_until(&mut self, end: &str) -> Vec<u8> {
        let end = end.as_bytes();
        let find = |received: &[u8]| {
            received.windows(end.len()).position(|window| window == end).map(|at| at + end.len())
        };
        let count = self.fill(find);
        let count = count.unwrap_or_else(|| panic!("the end instead of {end:?}: {self:?}"));
        self.received.drain(..count).collect()
    }

    /// Takes a line, without its end; `None` if the connection ended first.
    #[track_caller]
    pub(crate) fn line(&mut self) -> Option<String> {
        let count = self.fill(|received| received.iter().position(|byte| *byte == b'\n'));
        let Some(count) = count else {
            assert!(self.received.is_empty(), "an unfinished line: {self:?}");
            return None;
        };
        let mut line: Vec<_> = self.received.drain(..=count).collect();
        line.pop();
        Some(String::from_utf8(line).expect("UTF-8"))
    }

    /// Takes everything up to the end of the connection, by FIN or reset.
    #[track_caller]
    pub(crate) fn take_all(&mut self) -> Vec<u8> {
        self.fill(|_| None);
        std::mem::take(&mut self.received)
    }

    /// Waits for the end of the connection; nothing more may have been said before.
    #[track_caller]
    pub(crate) fn assert_ended(&mut self) {
        let rest = self.take_all();
        assert!(rest.is_empty(), "said before the end: {:?}", String::from_utf8_lossy(&rest));
    }

    /// Whether the connection has ended, as soon as that or another byte is there.
    #[track_caller]
    pub(crate) fn is_at_end(&mut self) -> bool {
        self.fill(|received| (!received.is_empty()).then_some(0)).is_none()
    }

    /// Whether the connection ends within `pause`, which is how a slow peer spends its time.
    pub(crate) fn ends_within(&mut self, pause: Duration) -> bool {
        let begin = Instant::now();
        while !self.ended && begin.elapsed() < pause {
            self.read_for(pause.saturating_sub(begin.elapsed()).max(Duration::from_millis(1)));
        }
        self.ended
    }

    /// Reads until `enough` finds what it looks for, or the connection ends.
    #[track_caller]
    fn fill(&mut self, enough: impl Fn(&[u8]) -> Option<usize>) -> Option<usize> {
        let patience = Patience::begin();
        loop {
            let found = enough(&self.received);
            if found.is_some() || self.ended {
                return found;
            }
            self.read_once(patience);
        }
    }

    #[track_caller]
    fn read_once(&mut self, patience: Patience) {
        assert!(patience.is_left(), "waited in vain; received so far: {self:?}");
        self.read_for(patience.left().max(Duration::from_millis(1)));
    }

    #[track_caller]
    fn read_for(&mut self, pause: Duration) {
        self.stream.set_read_timeout(Some(pause)).expect("a socket option");
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.ended = true,
            Ok(count) if self.tls.is_some() => self.unseal(&buffer[..count]),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if is_ended(error.kind()) => self.ended = true,
            Err(error) if is_passing(error.kind()) => {}
            Err(error) => panic!("could not read: {error}"),
        }
    }
}

impl Raw {
    fn unseal(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let tls = self.tls.as_mut().expect("a connection with TLS");
            tls.read_tls(&mut bytes).expect("a buffer that takes it");
            // After a fault, which the test asks for, nothing more comes.
            let state = tls.process_new_packets();
            self.ended |= state.is_err();
            let _would_block = tls.reader().read_to_end(&mut self.received);
        }
        self.push_tls();
    }
}

fn is_passing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn is_ended(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted
    )
}
