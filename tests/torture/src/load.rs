//! Many clients who do little, on one thread.

use std::net::SocketAddr;
use std::time::Instant;

use chinwag::client::Framing;

use crate::Outcome;
use crate::connections::{ConnectionId, Connections, Next};

/// The clients, by number.
pub(crate) struct Load {
    connections: Connections,
    links: Vec<ConnectionId>,
    /// Which client a connection is of.
    owners: Vec<usize>,
    message: String,
    /// Clients that enter at the same time.
    pub(crate) at_once: usize,
}

/// What a client says next, and which one.
pub(crate) type Requests = Vec<(usize, String)>;

impl Load {
    pub(crate) fn new() -> Outcome<Self> {
        let (links, owners, message) = (Vec::new(), Vec::new(), String::new());
        Ok(Self { connections: Connections::new()?, links, owners, message, at_once: 200 })
    }

    /// One more client; returns its number.
    pub(crate) fn connect(&mut self, framing: Framing, at: SocketAddr) -> Outcome<usize> {
        let connection = self.connections.connect(framing, at)?;
        if self.owners.len() <= connection {
            self.owners.resize(connection + 1, usize::MAX);
        }
        self.owners[connection] = self.links.len();
        self.links.push(connection);
        Ok(self.links.len() - 1)
    }

    pub(crate) fn send(&mut self, client: usize, text: &str) {
        if let Some(connection) = self.links.get(client) {
            self.connections.send(*connection, text);
        }
    }

    /// Waits until something comes or the deadline, hands all that came to `receive`, and says what
    /// that wants said.
    pub(crate) fn turn(
        &mut self,
        deadline: Instant,
        mut receive: impl FnMut(usize, &str, &mut Requests) -> Outcome<()>,
    ) -> Outcome<()> {
        let ready = self.connections.wait(deadline)?;
        let mut requests = Vec::new();
        for &connection in &ready {
            let Some(&client) = self.owners.get(connection) else { continue };
            loop {
                match self.connections.next(connection, &mut self.message)? {
                    Next::Message if self.message.starts_with("{\"ev\":\"ping\"") => {
                        requests.push((client, "{\"op\":\"ping\"}".to_owned()));
                    }
                    Next::Message => receive(client, &self.message, &mut requests)?,
                    Next::Nothing => break,
                    Next::Ended => {
                        let why = self.connections.last_end();
                        return Err(format!("client {client} was cut off: {why}").into());
                    }
                }
            }
        }
        self.connections.done(ready);
        for (client, text) in requests {
            self.send(client, &text);
        }
        Ok(())
    }

    /// Has more clients connect and ask. Every reply must be good; all that comes is handed to
    /// `receive` with the client's number.
    pub(crate) fn enter(
        &mut self,
        entry: Entry,
        requests: impl Fn(usize) -> Vec<String>,
        mut receive: impl FnMut(usize, &str) -> Outcome<()>,
    ) -> Outcome<()> {
        let Entry { count, framing, at, deadline } = entry;
        let first = self.links.len();
        let mut missing = Missing { first, counts: vec![0; count], done: 0 };
        while missing.done < count {
            while self.links.len() < first + count.min(missing.done + self.at_once) {
                let client = self.connect(framing, at)?;
                let requests = requests(client);
                missing.counts[client - first] = requests.len();
                for request in requests {
                    self.send(client, &request);
                }
            }
            if Instant::now() > deadline {
                let done = missing.done;
                return Err(format!("only {done} of {count} clients have all their answers").into());
            }
            self.turn(deadline, |client, text, _| {
                missing.receive(client, text)?;
                receive(client, text)
            })?;
        }
        Ok(())
    }

    /// Everybody is gone, without a word.
    pub(crate) fn leave(&mut self) {
        for connection in self.links.drain(..) {
            self.connections.cut(connection);
        }
    }
}

/// Who enters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// How many.
    pub(crate) count: usize,
    pub(crate) framing: Framing,
    pub(crate) at: SocketAddr,
    /// When all must have their answers.
    pub(crate) deadline: Instant,
}

/// Replies that have not come, of each client from the first on.
struct Missing {
    first: usize,
    counts: Vec<usize>,
    done: usize,
}

impl Missing {
    fn receive(&mut self, client: usize, text: &str) -> Outcome<()> {
        if !text.starts_with("{\"id\":") {
            return Ok(());
        }
        if !text.contains("\"code\":0,") {
            return Err(format!("client {client} was refused: {text}").into());
        }
        let left = client.checked_sub(self.first).and_then(|at| self.counts.get_mut(at));
        if let Some(left) = left {
            *left -= 1;
            self.done += usize::from(*left == 0);
        }
        Ok(())
    }
}
