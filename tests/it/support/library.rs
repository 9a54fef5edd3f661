//! `tungstenite` as a client that nobody here wrote.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};

use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;
use tungstenite::{Error, Message, WebSocket};

use super::{PATIENCE, Transport};

/// A connection of `tungstenite`'s.
pub(crate) struct Library(WebSocket<TcpStream>);

impl Library {
    /// Connects to `/ws` with the subprotocol `chinwag.v1`.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("a server that accepts");
        stream.set_nodelay(true).expect("a socket option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket option");
        let mut request = format!("ws://{address}/ws").into_client_request().expect("a request");
        let offered = HeaderValue::from_static("chinwag.v1");
        request.headers_mut().insert("Sec-WebSocket-Protocol", offered);
        let (socket, _) = tungstenite::client(request, stream).expect("an upgrade");
        Self(socket)
    }
}

impl Transport for Library {
    fn send_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).expect("a message that can be sent");
    }

    fn receive_text(&mut self) -> Option<String> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Ping(_) | Message::Pong(_) | Message::Close(_)) => {}
                // This process stood still for a while.
                Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => {}
                Err(Error::ConnectionClosed) => return None,
                other => panic!("not a text message: {other:?}"),
            }
        }
    }
}
