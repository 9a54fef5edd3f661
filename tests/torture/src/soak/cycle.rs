//! One client's life.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use chinwag::client::Framing;
use socket2::{Domain, Socket, Type};

use crate::Outcome;
use crate::blocking::Blocking;
use crate::tls::Trust;
use crate::tokens::Tokens;

/// Users who come by a token, again and again: whose a name is is kept for ever, and what a token
/// says is remembered, so that each further one takes memory.
pub(super) const USERS: u32 = 400;

/// How clients come.
#[derive(Clone, Copy)]
pub(super) enum Way<'a> {
    /// In clear, by a name.
    Clear(Framing),
    /// Over TLS, by a token.
    Sealed(&'a Trust, &'a Tokens),
}

/// Connects, says hello, as a new user in clear, makes and joins a new room, leaves it, and closes
/// in good order.
pub(super) fn run(way: Way<'_>, at: SocketAddr, worker: u32, number: u32) -> Outcome<()> {
    let stream = connect(at, worker, number)?;
    let (mut connection, proof) = match way {
        Way::Clear(framing) => {
            (Blocking::open(stream, framing)?, format!("\"name\":\"user{number}\""))
        }
        Way::Sealed(trust, tokens) => {
            let token = tokens.of(&format!("user{}", number % USERS))?;
            let connection = Blocking::open_sealed(stream, trust.client()?, Framing::WebSocket)?;
            (connection, format!("\"token\":\"{token}\""))
        }
    };
    for request in [
        format!("{{\"op\":\"hello\",\"id\":1,{proof}}}"),
        format!("{{\"op\":\"join\",\"id\":2,\"room\":\"room{number}\"}}"),
        format!("{{\"op\":\"leave\",\"id\":3,\"room\":\"room{number}\"}}"),
    ] {
        connection.send(&request)?;
        while !is_reply(&connection.receive()?)? {}
    }
    connection.close()
}

/// Connects from one of many loopback addresses, so that the closed connections which the kernel
/// remembers for a minute never use up the ports.
fn connect(address: SocketAddr, worker: u32, number: u32) -> Outcome<TcpStream> {
    let [.., high, low] = (number / 8).to_be_bytes();
    let from = Ipv4Addr::new(127, 1 + worker.to_be_bytes()[3], high % 4, low.max(1));
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// Whether a message is a reply, and not an event. Every reply must be good.
fn is_reply(text: &str) -> Outcome<bool> {
    if text.contains("\"code\":") && !text.contains("\"code\":0,") {
        return Err(format!("refused: {text}").into());
    }
    Ok(text.starts_with("{\"id\":"))
}
