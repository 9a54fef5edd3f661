//! One connection to a server: WebSocket, over TLS where the address says so.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tungstenite::http::uri::PathAndQuery;
use tungstenite::http::{HeaderValue, Uri};
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Message, WebSocket};

use crate::model::{Error, Item, array, number, object, text};

/// Bytes of the largest message of a server that are taken.
const MESSAGE_LEN_MAX: usize = 16 * 1024 * 1024;
/// For one address of a server to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// For each step of the handshakes.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// Statuses of a refused upgrade after which it is tried again: request timeout, too early, too
/// many requests; and all from 500 on.
const TRY_AGAIN: [u16; 3] = [408, 425, 429];
const PROTOCOL: HeaderValue = HeaderValue::from_static("chinwag.v1");

pub(crate) type Socket = WebSocket<Transport>;

/// Whose certificates a server's must be signed with.
#[derive(Clone, Debug, Default)]
pub enum Roots {
    /// Those that this machine trusts.
    #[default]
    System,
    /// These alone, in the form of PEM.
    Pem(Vec<u8>),
}

impl Roots {
    /// Those in a file in the form of PEM.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn file(path: &Path) -> io::Result<Self> {
        std::fs::read(path).map(Self::Pem)
    }
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    is_tls: bool,
    host: String,
    port: u16,
    url: String,
}

impl Address {
    /// Reads an address as people write it: `wss://chat.example/ws`, that of the chat page, or only
    /// `host:port`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, Error> {
        let wrong = |what: &str| Error::local(format!("{url:?} is no address: {what}"));
        let whole = if url.contains("://") { url.to_owned() } else { format!("ws://{url}") };
        let uri: Uri = whole.parse().map_err(|error| wrong(&format!("{error}")))?;
        let is_tls = match uri.scheme_str() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(wrong("it begins with wss://, https://, ws:// or http://")),
        };
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("it has no host"))?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map(PathAndQuery::as_str).filter(|path| *path != "/");
        let scheme = if is_tls { "wss" } else { "ws" };
        let url = format!("{scheme}://{host}:{port}{}", path.unwrap_or("/ws"));
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { is_tls, host, port, url })
    }

    /// The whole address, as `ws://` or `wss://`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether what is said there can be read on the way.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is worth another try.
    Passing(Error),
    /// It is not.
    Lasting(Error),
}

impl Failure {
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Passing(error) | Self::Lasting(error) => error,
        }
    }
}

/// Makes connections; reads the trusted certificates once.
#[derive(Debug)]
pub(crate) struct Connector {
    address: Address,
    roots: Roots,
    tls: Option<Arc<ClientConfig>>,
}

impl Connector {
    pub(crate) const fn new(address: Address, roots: Roots) -> Self {
        Self { address, roots, tls: None }
    }

    /// Connects, as far as that both sides speak WebSocket. Blocks, for some seconds at most.
    pub(crate) fn open(&mut self) -> Result<Socket, Failure> {
        let stream = self.dial().map_err(|error| {
            let Address { host, port, .. } = &self.address;
            Failure::Passing(Error::local(format!("cannot reach {host}:{port}: {error}")))
        })?;
        let transport = self.secure(stream)?;
        let request = self.address.url.as_str().into_client_request();
        let mut request =
            request.map_err(|error| Failure::Lasting(Error::local(error.to_string())))?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, PROTOCOL);
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_LEN_MAX))
            .max_frame_size(Some(MESSAGE_LEN_MAX));
        match tungstenite::client::client_with_config(request, transport, Some(config)) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Interrupted(_)) => {
                Err(Failure::Passing(Error::local("the server does not answer")))
            }
            Err(HandshakeError::Failure(error)) => Err(self.refused(&error)),
        }
    }

    fn dial(&self) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in (self.address.host.as_str(), self.address.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(HANDSHAKE_TIMEOUT))?;
                    stream.set_write_timeout(Some(HANDSHAKE_TIMEOUT))?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn secure(&mut self, stream: TcpStream) -> Result<Transport, Failure> {
        if !self.address.is_tls {
            return Ok(Transport::Plain(stream));
        }
        let lasting = |what: String| Failure::Lasting(Error::local(what));
        let config = match &self.tls {
            Some(config) => Arc::clone(config),
            None => Arc::clone(self.tls.insert(config(&self.roots).map_err(lasting)?)),
        };
        let name = ServerName::try_from(self.address.host.clone());
        let name = name.map_err(|error| lasting(error.to_string()))?;
        let session = ClientConnection::new(config, name);
        let session = session.map_err(|error| lasting(error.to_string()))?;
        Ok(Transport::Tls(Box::new(StreamOwned::new(session, stream))))
    }

    fn refused(&self, error: &tungstenite::Error) -> Failure {
        match error {
            tungstenite::Error::Http(response) => {
                let status = response.status().as_u16();
                let url = &self.address.url;
                let error = Error::local(format!("{url} answers {status} instead of WebSocket"));
                if status >= 500 || TRY_AGAIN.contains(&status) {
                    return Failure::Passing(error);
                }
                Failure::Lasting(error)
            }
            tungstenite::Error::Io(error) => {
                let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
                match cause {
                    Some(cause @ rustls::Error::InvalidCertificate(_)) => {
                        Failure::Lasting(Error::local(format!("TLS: {cause}")))
                    }
                    Some(cause) => Failure::Passing(Error::local(format!("TLS: {cause}"))),
                    None => Failure::Passing(Error::local(error.to_string())),
                }
            }
            other => Failure::Passing(Error::local(other.to_string())),
        }
    }
}

fn config(roots: &Roots) -> Result<Arc<ClientConfig>, String> {
    let mut store = RootCertStore::empty();
    let found = match roots {
        Roots::System => rustls_native_certs::load_native_certs().certs,
        Roots::Pem(pem) => CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("the trusted certificates cannot be read: {error}"))?,
    };
    store.add_parsable_certificates(found);
    if store.is_empty() {
        return Err("there are no trusted certificates on this machine".to_owned());
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(builder.with_root_certificates(store).with_no_client_auth()))
}

/// The bytes below WebSocket.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Transport {
    pub(crate) const fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => &stream.sock,
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}

/// What a login or a registration gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// Who one is now.
    pub user: String,
    /// The secret of this device, for [`Options::token`](crate::Options): good until its login is
    /// ended.
    pub token: String,
    /// Rooms to which an invite link has led.
    pub rooms: Vec<String>,
}

/// How people come in at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offers {
    /// What it believes: `none` (a name), `accounts`, `jwt`, `header`, `guests`.
    pub auth: Vec<String>,
    /// Whether one can make an account: `closed`, `invite` or `open`.
    pub registration: String,
}

impl Offers {
    /// Whether it lets in whoever says a name, or nothing.
    #[must_use]
    pub fn has_open_door(&self) -> bool {
        self.auth.iter().any(|way| way == "none" || way == "guests")
    }

    /// Whether it has accounts.
    #[must_use]
    pub fn has_accounts(&self) -> bool {
        self.auth.iter().any(|way| way == "accounts")
    }
}

/// Asks how people come in.
///
/// # Errors
///
/// If the server cannot be reached.
pub fn offers(address: &Address, roots: &Roots) -> Result<Offers, Error> {
    let fields = crate::model::fields([("of", "hello".into())]);
    let data = match ask_once(address, roots, "help", fields) {
        // Only who has said hello may ask: an older server.
        Err(error) if error.code != 0 => Item::new(),
        answer => answer?,
    };
    let ways = array(&data, "auth").iter().filter_map(Value::as_str).map(str::to_owned);
    let registration = text(&data, "registration").unwrap_or("closed").to_owned();
    let mut auth: Vec<_> = ways.collect();
    if auth.is_empty() {
        auth.push("none".to_owned());
    }
    Ok(Offers { auth, registration })
}

/// Proves by a password who one is. `agent` is the program, for people who look at their logins.
///
/// # Errors
///
/// 2001 for a wrong name or password, 5001 after too many tries, code 0 without an answer.
pub fn login(
    address: &Address,
    roots: &Roots,
    (name, password): (&str, &str),
    agent: &str,
) -> Result<Login, Error> {
    let fields = crate::model::fields([
        ("name", name.into()),
        ("password", password.into()),
        ("agent", agent.into()),
    ]);
    logged_in(&ask_once(address, roots, "login", fields)?)
}

/// Makes an account, with the secret of an invite link where the server asks for one.
///
/// # Errors
///
/// 2005 if the name is taken, and those of [`login`].
pub fn register(
    address: &Address,
    roots: &Roots,
    (name, password): (&str, &str),
    (invite, agent): (Option<&str>, &str),
) -> Result<Login, Error> {
    let fields = crate::model::fields([
        ("name", name.into()),
        ("password", password.into()),
        ("invite", invite.into()),
        ("agent", agent.into()),
    ]);
    logged_in(&ask_once(address, roots, "register", fields)?)
}

fn logged_in(data: &Item) -> Result<Login, Error> {
    let word = |key| text(data, key).map(str::to_owned);
    let rooms = array(data, "rooms").iter().filter_map(Value::as_str).map(str::to_owned);
    let login = word("user").zip(word("token"));
    let login = login.map(|(user, token)| Login { user, token, rooms: rooms.collect() });
    login.ok_or_else(|| Error::local("the server has given no token"))
}

/// Asks on a connection of its own, before any `hello`.
fn ask_once(address: &Address, roots: &Roots, op: &str, mut fields: Item) -> Result<Item, Error> {
    let mut connector = Connector::new(address.clone(), roots.clone());
    let mut socket = connector.open().map_err(Failure::into_error)?;
    fields.insert("op".to_owned(), op.into());
    fields.insert("id".to_owned(), 1.into());
    let lost = |error: tungstenite::Error| Error::local(format!("no answer: {error}"));
    socket.send(Message::text(Value::Object(fields).to_string())).map_err(lost)?;
    loop {
        let Message::Text(message) = socket.read().map_err(lost)? else { continue };
        let Ok(Value::Object(reply)) = serde_json::from_str(&message) else { continue };
        match number(&reply, "code") {
            None => {}
            Some(code) => {
                _ = socket.close(None);
                _ = socket.flush();
                return if code == 0 { Ok(object(&reply, "data")) } else { Err(Error::of(&reply)) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expect: Result<&str, &str>) {
        let found = Address::parse(written);
        let found = found.as_ref().map(Address::url).map_err(|error| error.message.as_str());
        match (found, expect) {
            (Err(found), Err(part)) => assert!(found.contains(part), "{written}: {found}"),
            (found, expect) => assert_eq!(found, expect, "{written}"),
        }
    }

    #[test]
    fn an_address_is_read_as_people_write_it() {
        check("ws://127.0.0.1:8080/ws", Ok("ws://127.0.0.1:8080/ws"));
        check("127.0.0.1:8080", Ok("ws://127.0.0.1:8080/ws"));
        check("https://chat.example", Ok("wss://chat.example:443/ws"));
        check("https://chat.example/", Ok("wss://chat.example:443/ws"));
        check("wss://chat.example/deep/ws?a=b", Ok("wss://chat.example:443/deep/ws?a=b"));
        check("http://[::1]:8080", Ok("ws://[::1]:8080/ws"));
        check("tcp://h:1", Err("it begins with wss://"));
        check("ws://", Err("is no address"));
        check("a b", Err("is no address"));
    }
}
