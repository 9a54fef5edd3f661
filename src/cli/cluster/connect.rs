//! One session with an engine, which waits for each answer: what a command needs.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::cluster::SETTINGS;
use crate::config::named_file;
use crate::pg::{
    Address, Client, EngineError, Fault, Host, Login, Param, Reply, Row, Security, Statement,
    TLS_REQUEST, TLS_YES, WrongType,
};

/// How long a host may take to answer to a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to answer to the login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to answer to a request: a synchronous standby that is away takes forever.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The authorities of this machine, where Debian, Alpine and their like keep them.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The most bytes of such a file; those that browsers trust are a quarter of a megabyte.
const ROOTS_LEN_MAX: u64 = 16 << 20;

/// A session that is logged in.
pub(in crate::cli) struct Session {
    stream: Stream,
    client: Client,
    process: i32,
    version: Box<str>,
}

/// Bytes both ways.
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// Why an engine could not be asked.
#[derive(Debug)]
pub(in crate::cli) enum EngineFailure {
    /// The name has no address.
    NoAddress(io::Error),
    /// The connection could not be made.
    Connect(io::Error),
    /// It broke.
    Io(io::Error),
    /// The engine does not answer to the login.
    Mute,
    /// The engine does not answer to a request.
    Silent,
    /// It does not speak TLS.
    NoTls,
    /// The file of authorities cannot be used.
    Roots(PathBuf, String),
    /// TLS failed.
    Tls(rustls::Error),
    /// The connection is of no use.
    Fault(Fault),
    /// The request was refused.
    Refused(EngineError),
    /// The answer is not what was asked for.
    Answer,
}

impl fmt::Display for EngineFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAddress(error) => write!(f, "the name has no address: {error}"),
            Self::Connect(error) => {
                write!(f, "no connection: {error}; does PostgreSQL listen there?")
            }
            Self::Io(error) => write!(f, "the connection broke: {error}"),
            Self::Mute => write!(
                f,
                "no answer to the login within {} s: is that a PostgreSQL server?",
                LOGIN_TIMEOUT.as_secs()
            ),
            Self::Silent => write!(
                f,
                "no answer within {} s; does a commit wait for a standby that is away?",
                ANSWER_TIMEOUT.as_secs()
            ),
            Self::NoTls => f.write_str(
                "it does not speak TLS: set ssl = on there, or write ?sslmode=disable if nobody \
                 else can read along",
            ),
            Self::Roots(path, why) => {
                write!(f, "no authorities in {}: {why}; write ?sslrootcert=FILE", path.display())
            }
            Self::Tls(error) => write!(f, "TLS failed: {error}; write ?sslrootcert=FILE"),
            Self::Fault(fault) => fault.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::Answer => f.write_str("it answers otherwise than PostgreSQL does"),
        }
    }
}

impl std::error::Error for EngineFailure {}

impl From<WrongType> for EngineFailure {
    fn from(_: WrongType) -> Self {
        Self::Answer
    }
}

impl Session {
    /// Connects and logs in.
    pub(super) fn open(address: &Address, host: &Host) -> Result<Self, EngineFailure> {
        let stream = connect((host, &address.security), true)?;
        let login = Login {
            user: address.user.clone(),
            password: address.password.clone(),
            database: address.database.clone(),
            is_private: host.is_local() || matches!(stream, Stream::Tls(_)),
        };
        let client = Client::new(login, SETTINGS);
        let mut session = Self { stream, client, process: 0, version: Box::default() };
        let ready = session.reply().map_err(|trouble| match trouble {
            EngineFailure::Silent => EngineFailure::Mute,
            other => other,
        })?;
        let Reply::Ready { process, version } = ready else { return Err(EngineFailure::Answer) };
        (session.process, session.version) = (process, version);
        session.stream.set_timeout(ANSWER_TIMEOUT).map_err(EngineFailure::Io)?;
        Ok(session)
    }

    /// The number of the session, as the login has said it.
    pub(super) const fn process(&self) -> i32 {
        self.process
    }

    /// The engine's version, as it writes it.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// Waits for each answer as long as this.
    pub(super) fn be_patient(&mut self, timeout: Duration) -> Result<(), EngineFailure> {
        self.stream.set_timeout(timeout).map_err(EngineFailure::Io)
    }

    /// Nobody can read along.
    pub(super) const fn is_encrypted(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// Has a statement without parameters done.
    pub(super) fn ask(&mut self, statement: Statement) -> Result<Vec<Row>, EngineFailure> {
        self.client
            .request(statement, &[] as &[Param<'_>])
            .map_err(|_busy| EngineFailure::Answer)?;
        self.rows()
    }

    /// Has a statement done.
    pub(super) fn ask_with(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, EngineFailure> {
        self.client.request(statement, params).map_err(|_busy| EngineFailure::Answer)?;
        self.rows()
    }

    /// Has several statements done.
    pub(super) fn run(&mut self, sql: &str) -> Result<(), EngineFailure> {
        self.client.script(sql).map_err(|_busy| EngineFailure::Answer)?;
        self.rows().map(drop)
    }

    fn rows(&mut self) -> Result<Vec<Row>, EngineFailure> {
        match self.reply()? {
            Reply::Rows(rows) => Ok(rows),
            Reply::Failed(error) => Err(EngineFailure::Refused(error)),
            _ => Err(EngineFailure::Answer),
        }
    }

    /// The next reply that answers something.
    fn reply(&mut self) -> Result<Reply, EngineFailure> {
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.client.poll() {
                Some(Reply::Noticed(_) | Reply::Notified { .. }) => continue,
                Some(reply) => return Ok(reply),
                None => {}
            }
            let outgoing = self.client.outgoing().split();
            self.stream.write_all(&outgoing).map_err(broken)?;
            let len = match self.stream.read(&mut buffer).map_err(broken)? {
                0 => return Err(EngineFailure::Io(io::ErrorKind::UnexpectedEof.into())),
                len => len,
            };
            self.client
                .receive(buffer.get(..len).unwrap_or_default())
                .map_err(EngineFailure::Fault)?;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.client.end();
        let outgoing = self.client.outgoing().split();
        // It makes no difference to an engine that is gone.
        _ = self.stream.write_all(&outgoing);
    }
}

fn broken(error: io::Error) -> EngineFailure {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => EngineFailure::Silent,
        _ => EngineFailure::Io(error),
    }
}

fn mute(error: io::Error) -> EngineFailure {
    match broken(error) {
        EngineFailure::Silent => EngineFailure::Mute,
        other => other,
    }
}

/// Connects. An engine `is_asked` whether it speaks TLS before it does; a bus is not.
pub(super) fn connect(
    (host, security): (&Host, &Security),
    is_asked: bool,
) -> Result<Stream, EngineFailure> {
    let (name, port) = match host {
        Host::Unix(path) => {
            let stream = UnixStream::connect(path).map_err(EngineFailure::Connect)?;
            let stream = Stream::Unix(stream);
            stream.set_timeout(LOGIN_TIMEOUT).map_err(EngineFailure::Connect)?;
            return Ok(stream);
        }
        Host::Tcp(name, port) => (&**name, *port),
    };
    let mut failed = io::ErrorKind::NotFound.into();
    let mut connected = None;
    // All addresses of a name: the engine may have moved.
    for addr in (name, port).to_socket_addrs().map_err(EngineFailure::NoAddress)? {
        match TcpStream::connect_timeout(&addr, CONNECT_TIMEOUT) {
            Ok(stream) => {
                connected = Some(stream);
                break;
            }
            Err(error) => failed = error,
        }
    }
    let mut stream = connected.ok_or(EngineFailure::Connect(failed))?;
    let timeout = Some(LOGIN_TIMEOUT);
    let options = stream
        .set_read_timeout(timeout)
        .and_then(|()| stream.set_write_timeout(timeout))
        .and_then(|()| stream.set_nodelay(true));
    options.map_err(EngineFailure::Connect)?;
    let roots = match security {
        Security::Plain => return Ok(Stream::Tcp(stream)),
        Security::AsNeeded if host.is_local() => return Ok(Stream::Tcp(stream)),
        Security::AsNeeded | Security::Tls(None) => Path::new(ROOTS),
        Security::Tls(Some(path)) => path,
    };
    if is_asked {
        let mut answer = [0];
        stream.write_all(&TLS_REQUEST).map_err(mute)?;
        stream.read_exact(&mut answer).map_err(mute)?;
        if answer != [TLS_YES] {
            return Err(EngineFailure::NoTls);
        }
    }
    seal(stream, name, roots)
}

fn seal(stream: TcpStream, name: &str, roots: &Path) -> Result<Stream, EngineFailure> {
    let unusable = |why: String| EngineFailure::Roots(roots.to_owned(), why);
    let pem = named_file::read(roots, ROOTS_LEN_MAX);
    let pem = pem.map_err(|error| unusable(error.to_string()))?;
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
    if store.add_parsable_certificates(certificates).0 == 0 {
        return Err(unusable("it has no certificate".to_owned()));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(EngineFailure::Tls)?
        .with_root_certificates(store)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned())
        .map_err(|error| EngineFailure::Tls(rustls::Error::General(error.to_string())))?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(EngineFailure::Tls)?;
    let mut stream = StreamOwned::new(connection, stream);
    // The handshake, so that its failure is told as such.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(inner) => EngineFailure::Tls(inner.clone()),
                None => broken(error),
            }
        })?;
    }
    Ok(Stream::Tls(Box::new(stream)))
}

impl Stream {
    /// How long it waits for bytes.
    fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Unix(stream) => stream.set_read_timeout(Some(timeout)),
            Self::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            Self::Unix(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
