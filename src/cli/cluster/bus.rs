//! What a bus says to somebody who greets it: for `chinwag doctor`.

use std::io::{Read as _, Write as _};

use super::connect::{EngineFailure, Stream, connect};
use crate::resp::{Address, Client, Login, Reply};

/// A channel that nobody else hears.
const CHANNEL: &str = "chinwag:0:doctor";
/// What is published there, and has to come back.
const PROOF: &[u8] = b"hello";

/// The server and its version, if what is published there comes back.
///
/// # Errors
///
/// In words, with what to do.
pub(in crate::cli) fn greet(address: &Address) -> Result<String, String> {
    let mut stream =
        connect((&address.host, &address.security), false).map_err(|trouble| words(&trouble))?;
    let Address { user, password, .. } = address.clone();
    let mut client = Client::new(Login { user, password, channel: CHANNEL.into() });
    let mut version = String::new();
    loop {
        match client.poll() {
            Some(Reply::Ready { server }) => {
                version = server.into();
                // Nothing waits for an answer yet.
                _ = client.publish(PROOF);
            }
            Some(Reply::Message(payload)) if payload == PROOF => return Ok(version),
            Some(Reply::Message(_)) => {}
            None => turn(&mut stream, &mut client)?,
        }
    }
}

/// Sends what is to be sent, and takes what comes.
fn turn(stream: &mut Stream, client: &mut Client) -> Result<(), String> {
    let mut buffer = [0; 4 * 1024];
    let outgoing = client.outgoing().split();
    let broken = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            "no answer: does it hang, or speak something else than RESP?".to_owned()
        }
        _ => format!("the connection broke: {error}"),
    };
    stream.write_all(&outgoing).map_err(broken)?;
    match stream.read(&mut buffer).map_err(broken)? {
        0 => Err("it has closed the connection".to_owned()),
        len => {
            let bytes = buffer.get(..len).unwrap_or_default();
            client.receive(bytes).map_err(|fault| fault.to_string())
        }
    }
}

fn words(trouble: &EngineFailure) -> String {
    match trouble {
        EngineFailure::Connect(error) => {
            format!("no connection: {error}; does Valkey or Redis listen there?")
        }
        other => other.to_string(),
    }
}
