//! The smallest room server on `tokio-tungstenite`: `/room/N` joins, each message goes to everyone
//! in the room.
//!
//! ```text
//! peer-tungstenite [--port N]
//! ```
//!
//! One thread, one task and one channel a connection. A task feeds everything that its channel
//! holds to its socket's buffer and then flushes once, which is what makes such a server fast.

#![expect(clippy::disallowed_types, reason = "the tasks of one thread share their rooms")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::net::Ipv4Addr;
use std::rc::Rc;

use futures_util::{SinkExt, StreamExt};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{LocalSet, spawn_local};
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as Fault, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

/// The channels of a room's members by the members' numbers.
type Room = Rc<RefCell<BTreeMap<u64, UnboundedSender<Message>>>>;
/// The rooms by their paths.
type Rooms = Rc<RefCell<BTreeMap<String, Room>>>;

/// The default of 128 KiB is meant for few connections.
const READ_BUFFER_LEN: usize = 4096;
const BACKLOG: u32 = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let most = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: most, maximum: most })?;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port()?).into())?;
    let listener = socket.listen(BACKLOG)?;
    println!("listening {}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let mut terminated = signal(SignalKind::terminate())?;
    let local = LocalSet::new();
    tokio::select! {
        outcome = local.run_until(accept(listener)) => outcome,
        _ = terminated.recv() => Ok(()),
    }
}

fn port() -> Result<u16, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Ok(0),
        ["--port", port] => Ok(port.parse()?),
        _ => Err("usage: peer-tungstenite [--port N]".into()),
    }
}

async fn accept(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    let rooms = Rooms::default();
    for number in 0.. {
        let (stream, _) = listener.accept().await?;
        let rooms = Rc::clone(&rooms);
        spawn_local(async move {
            // A connection that fails is simply over.
            let _outcome = serve(stream, number, rooms).await;
        });
    }
    Ok(())
}

/// One connection's life.
async fn serve(stream: TcpStream, number: u64, rooms: Rooms) -> Result<(), Fault> {
    stream.set_nodelay(true)?;
    let mut path = String::new();
    let callback = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        request.uri().path().clone_into(&mut path);
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_LEN);
    let mut socket = accept_hdr_async_with_config(stream, callback, Some(config)).await?;
    let (sender, mut receiver) = unbounded_channel();
    let room = Rc::clone(rooms.borrow_mut().entry(path.clone()).or_default());
    room.borrow_mut().insert(number, sender);
    let outcome = relay(&mut socket, &mut receiver, &room).await;
    room.borrow_mut().remove(&number);
    if room.borrow().is_empty() {
        rooms.borrow_mut().remove(&path);
    }
    outcome
}

async fn relay(
    socket: &mut WebSocketStream<TcpStream>,
    receiver: &mut UnboundedReceiver<Message>,
    room: &Room,
) -> Result<(), Fault> {
    loop {
        tokio::select! {
            // What one read has brought is relayed whole before anything is written.
            biased;
            message = socket.next() => match message {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                    for member in room.borrow().values() {
                        // A member whose task has just ended gets nothing more.
                        let _sent = member.send(message.clone());
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(fault)) => return Err(fault),
                None => return Ok(()),
            },
            Some(message) = receiver.recv() => {
                socket.feed(message).await?;
                while let Ok(message) = receiver.try_recv() {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
