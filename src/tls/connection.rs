//! One TLS connection: one end of it.

use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::pki_types::ServerName;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::{ClientConfig, CommonState, HandshakeKind, ServerConfig};

/// The most bytes of plaintext in one record (RFC 8446 section 5.1).
pub const RECORD_LEN_MAX: usize = 16 * 1024;

/// The most bytes that wait for the rest of a record or of a handshake message: one record as TLS
/// 1.2 allows it. A client hello of 3,000 bytes fits in records of one byte.
pub const INCOMING_LEN_MAX: usize = HEADER_LEN + RECORD_LEN_MAX + 2048;

/// The header of a record.
const HEADER_LEN: usize = 5;

/// The shortest record: a header, and one byte.
const SHORTEST_RECORD_LEN: usize = HEADER_LEN + 1;

/// What a record adds to its plaintext at the most, and a change of keys in front of it.
const OVERHEAD_MAX: usize = 256;

/// Steps that one call takes besides two for each record: a handshake's flight is four messages, an
/// alert is one.
const STEPS_MIN: usize = 16;

/// Something that ends the connection.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsFault(pub rustls::Error);

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for TlsFault {}

impl TlsFault {
    /// More waits than any message may have.
    fn too_much() -> Self {
        Self(rustls::Error::General("more bytes than a message may have".to_owned()))
    }

    /// The library is in a state that it does not come into.
    fn stuck() -> Self {
        Self(rustls::Error::General("no progress".to_owned()))
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The handshake goes on: more bytes are needed.
    Handshaking,
    /// Data goes both ways.
    Open,
    /// The peer has said that nothing more comes (`close_notify`); it may still be reading.
    Finished,
    /// The protocol was broken: nothing goes either way any more.
    Failed,
}

/// One end of a connection, as the library has it.
pub trait End {
    /// What it keeps of its side.
    type Data;

    /// The next step with the bytes that have come.
    fn step<'c, 'i>(&'c mut self, bytes: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// What is alike at both ends.
    fn common(&self) -> &CommonState;
}

impl End for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn step<'c, 'i>(&'c mut self, bytes: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(bytes)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

impl End for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn step<'c, 'i>(&'c mut self, bytes: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(bytes)
    }

    fn common(&self) -> &CommonState {
        self
    }
}

/// One connection: the server's end of it, or a client's. It holds bytes only while a record is
/// incomplete.
pub struct Connection<E = UnbufferedServerConnection> {
    rustls: E,
    /// The beginning of what is not complete, at most [`INCOMING_LEN_MAX`] bytes.
    incoming: Vec<u8>,
    progress: Progress,
    has_said_goodbye: bool,
    /// Steps of the last call, which a test holds against the records in it.
    #[cfg(test)]
    pub(super) steps: usize,
}

impl Connection {
    /// A connection of which nothing has come yet.
    ///
    /// # Errors
    ///
    /// If the library has been given what it cannot work with.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, TlsFault> {
        UnbufferedServerConnection::new(config).map_err(TlsFault).map(Self::of)
    }
}

impl ClientConnection {
    /// A connection to the server of this name or IP address, which its certificate has to have.
    /// What is to be sent first is appended to `out`.
    ///
    /// # Errors
    ///
    /// If that is no name, or the library has been given what it cannot work with.
    pub fn connect(
        config: Arc<ClientConfig>,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<Self, TlsFault> {
        let name = ServerName::try_from(name.to_owned())
            .map_err(|error| TlsFault(rustls::Error::General(error.to_string())))?;
        let rustls = UnbufferedClientConnection::new(config, name).map_err(TlsFault)?;
        let mut connection = Self::of(rustls);
        connection.receive(&mut [], &mut Vec::new(), out)?;
        Ok(connection)
    }
}

impl<E: End> Connection<E> {
    const fn of(rustls: E) -> Self {
        Self {
            rustls,
            incoming: Vec::new(),
            progress: Progress::Handshaking,
            has_said_goodbye: false,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// How far it has come.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether the handshake has resumed an earlier connection.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.rustls.common().handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Bytes that wait for the rest of their record.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.incoming.len()
    }

    /// Takes `bytes`, which are changed, and appends the plaintext in them to `plain` and what is
    /// to be sent at once, before anything that is sealed later, to `out`.
    ///
    /// # Errors
    ///
    /// If the peer has broken the protocol; `out` then ends with the alert that tells it so, and
    /// the connection is of no more use.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<Progress, TlsFault> {
        if self.progress == Progress::Failed {
            return Err(TlsFault::stuck());
        }
        let mut incoming = mem::take(&mut self.incoming);
        let result = if incoming.is_empty() {
            // The usual case: whole records, which are not copied.
            self.take_apart(bytes, plain, out).map(|used| {
                self.incoming = bytes.get(used..).unwrap_or_default().to_vec();
            })
        } else {
            incoming.extend_from_slice(bytes);
            self.take_apart(&mut incoming, plain, out).map(|used| {
                incoming.drain(..used);
                self.incoming = incoming;
            })
        };
        let result = match result {
            // Looked at when all whole records are gone: what is left is the part of one, however
            // much came at once.
            Ok(()) if self.incoming.len() > INCOMING_LEN_MAX => Err(TlsFault::too_much()),
            other => other,
        };
        result.inspect_err(|_| self.fail(out))?;
        if self.incoming.is_empty() {
            // An idle connection holds no buffer.
            self.incoming = Vec::new();
        }
        Ok(self.progress)
    }

    /// Takes whole records off the front of `bytes` and returns how many bytes they had.
    fn take_apart(
        &mut self,
        bytes: &mut [u8],
        plain: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<usize, TlsFault> {
        let mut used = 0;
        // The library promises no progress from one step to the next; a loop without this bound
        // would rest on every state of it.
        let steps_max = STEPS_MIN + 2 * bytes.len() / SHORTEST_RECORD_LEN;
        for step in 1..=steps_max {
            self.count(step);
            let rest = bytes.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { discard, state } = self.rustls.step(rest);
            let state = state.map_err(TlsFault)?;
            let goes_on = match state {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        plain.extend_from_slice(record.map_err(TlsFault)?.payload);
                    }
                    true
                }
                ConnectionState::PeerClosed => {
                    self.progress = Progress::Finished;
                    true
                }
                ConnectionState::WriteTraffic(_) => {
                    if self.progress == Progress::Handshaking {
                        self.progress = Progress::Open;
                    }
                    false
                }
                ConnectionState::BlockedHandshake | ConnectionState::Closed => false,
                other => {
                    transmit(other, out)?;
                    true
                }
            };
            used += discard;
            if !goes_on {
                return Ok(used);
            }
        }
        Err(TlsFault::stuck())
    }

    /// Appends to `out` the records that carry `plain`: one, if it fits in one.
    ///
    /// # Errors
    ///
    /// If the handshake is not complete, or the keys of TLS 1.2 are used up.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), TlsFault> {
        self.write(
            out,
            plain.len() + plain.len().div_ceil(RECORD_LEN_MAX) * OVERHEAD_MAX,
            |state, room| match state {
                ConnectionState::WriteTraffic(mut traffic) => traffic.encrypt(plain, room).ok(),
                _ => None,
            },
        )
    }

    /// Appends to `out`, once, that nothing more will come (`close_notify`). Before the handshake
    /// is complete there is nothing to be said.
    pub fn say_goodbye(&mut self, out: &mut Vec<u8>) {
        if mem::replace(&mut self.has_said_goodbye, true) {
            return;
        }
        // The connection ends, whether this can be said or not.
        let _said = self.write(out, OVERHEAD_MAX, |state, room| match state {
            ConnectionState::WriteTraffic(mut traffic) => traffic.queue_close_notify(room).ok(),
            _ => None,
        });
    }

    /// Whether [`Connection::say_goodbye`] was called.
    #[must_use]
    pub const fn has_said_goodbye(&self) -> bool {
        self.has_said_goodbye
    }

    /// Has `write` append at most `len_max` bytes to `out`, after all that is to be sent before.
    fn write(
        &mut self,
        out: &mut Vec<u8>,
        len_max: usize,
        write: impl FnOnce(ConnectionState<'_, '_, E::Data>, &mut [u8]) -> Option<usize>,
    ) -> Result<(), TlsFault> {
        if self.progress == Progress::Failed {
            return Err(TlsFault::stuck());
        }
        for step in 1..=STEPS_MIN {
            self.count(step);
            // With what waits, since the library remembers where in it a message begins.
            let UnbufferedStatus { state, .. } = self.rustls.step(&mut self.incoming);
            match state.map_err(TlsFault)? {
                state @ (ConnectionState::EncodeTlsData(_)
                | ConnectionState::TransmitTlsData(_)) => {
                    transmit(state, out)?;
                }
                state => {
                    let start = out.len();
                    out.resize(start + len_max, 0);
                    let room = out.get_mut(start..).unwrap_or_default();
                    let written = write(state, room);
                    // Also when nothing could be written: zeros after the last record would be
                    // taken for one.
                    out.truncate(start + written.unwrap_or(0));
                    return written.map(|_| ()).ok_or_else(TlsFault::stuck);
                }
            }
        }
        Err(TlsFault::stuck())
    }

    /// The connection is of no more use; appends the alert that the fault has made.
    fn fail(&mut self, out: &mut Vec<u8>) {
        self.progress = Progress::Failed;
        // Asked only while it has something to send: it would look for more in bytes that are gone.
        while self.rustls.common().wants_write() {
            let UnbufferedStatus { state, .. } = self.rustls.step(&mut []);
            let Ok(state @ ConnectionState::EncodeTlsData(_)) = state else { return };
            if transmit(state, out).is_err() {
                return;
            }
        }
    }

    #[cfg(test)]
    const fn count(&mut self, step: usize) {
        self.steps = step;
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "counts in tests only")]
    const fn count(&self, _step: usize) {}
}

/// A client's end.
pub type ClientConnection = Connection<UnbufferedClientConnection>;

/// Without keys, since those would be in the log.
impl<E> fmt::Debug for Connection<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("progress", &self.progress)
            .field("waiting", &self.incoming.len())
            .finish_non_exhaustive()
    }
}

/// Appends what the library wants sent.
fn transmit<D>(state: ConnectionState<'_, '_, D>, out: &mut Vec<u8>) -> Result<(), TlsFault> {
    match state {
        ConnectionState::EncodeTlsData(mut data) => {
            let start = out.len();
            // It says how much it needs.
            let needed = match data.encode(&mut []) {
                Ok(_) => 0,
                Err(rustls::unbuffered::EncodeError::InsufficientSize(error)) => {
                    error.required_size
                }
                Err(rustls::unbuffered::EncodeError::AlreadyEncoded) => {
                    return Err(TlsFault::stuck());
                }
            };
            out.resize(start + needed, 0);
            let room = out.get_mut(start..).unwrap_or_default();
            data.encode(room)
                .map(|_| ())
                .or_else(|_| if needed == 0 { Ok(()) } else { Err(TlsFault::stuck()) })
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(())
        }
        _ => Err(TlsFault::stuck()),
    }
}
