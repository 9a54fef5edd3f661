//! Many clients who do little, on one thread.

use std::net::SocketAddr;
use std::time::Instant;

use chinwag::client::Framing;

use crate::Outcome;
use crate::pool::{LinkId, Next, Pool};

/// The clients, by number.
pub(crate) struct Crowd {
    pool: Pool,
    links: Vec<LinkId>,
    /// Which client a connection is of.
    owners: Vec<usize>,
    message: String,
    /// Clients that enter at the same time.
    pub(crate) at_once: usize,
}

/// What a client says next, and which one.
pub(crate) type Says = Vec<(usize, String)>;

impl Crowd {
    pub(crate) fn new() -> Outcome<Self> {
        let (links, owners, message) = (Vec::new(), Vec::new(), String::new());
        Ok(Self { pool: Pool::new()?, links, owners, message, at_once: 200 })
    }

    /// One more client; returns its number.
    pub(crate) fn connect(&mut self, framing: Framing, at: SocketAddr) -> Outcome<usize> {
        let link = self.pool.connect(framing, at)?;
        if self.owners.len() <= link {
            self.owners.resize(link + 1, usize::MAX);
        }
        self.owners[link] = self.links.len();
        self.links.push(link);
        Ok(self.links.len() - 1)
    }

    pub(crate) fn say(&mut self, client: usize, text: &str) {
        if let Some(link) = self.links.get(client) {
            self.pool.say(*link, text);
        }
    }

    /// Waits until something comes or the deadline, hands all that came to `hear`, and says what that wants said.
    pub(crate) fn turn(
        &mut self,
        deadline: Instant,
        mut hear: impl FnMut(usize, &str, &mut Says) -> Outcome<()>,
    ) -> Outcome<()> {
        let ready = self.pool.wait(deadline)?;
        let mut says = Vec::new();
        for &link in &ready {
            let Some(&client) = self.owners.get(link) else { continue };
            loop {
                match self.pool.next(link, &mut self.message)? {
                    Next::Message if self.message.starts_with("{\"ev\":\"ping\"") => {
                        says.push((client, "{\"op\":\"ping\"}".to_owned()));
                    }
                    Next::Message => hear(client, &self.message, &mut says)?,
                    Next::Nothing => break,
                    Next::Ended => return Err(format!("client {client} was cut off").into()),
                }
            }
        }
        self.pool.done(ready);
        for (client, text) in says {
            self.say(client, &text);
        }
        Ok(())
    }

    /// Has `count` more clients connect and ask: each what `requests` says, with the ids 1, 2, 3, …. Every reply is
    /// handed to `hear` with the client's number and its own.
    pub(crate) fn enter(
        &mut self,
        count: usize,
        (framing, at): (Framing, SocketAddr),
        deadline: Instant,
        requests: impl Fn(usize) -> Vec<String>,
        mut hear: impl FnMut(usize, &str) -> Outcome<()>,
    ) -> Outcome<()> {
        let first = self.links.len();
        let (mut done, mut missing) = (0, vec![0; count]);
        while done < count {
            while self.links.len() < first + count && self.links.len() < first + done + self.at_once
            {
                let client = self.connect(framing, at)?;
                let requests = requests(client);
                missing[client - first] = requests.len();
                for request in requests {
                    self.say(client, &request);
                }
            }
            if Instant::now() > deadline {
                return Err(format!("only {done} of {count} clients have all their answers").into());
            }
            self.turn(deadline, |client, text, _| {
                if text.starts_with("{\"id\":") {
                    if !text.contains("\"code\":0,") {
                        return Err(format!("client {client} was refused: {text}").into());
                    }
                    if let Some(left) = client.checked_sub(first).and_then(|at| missing.get_mut(at))
                    {
                        *left -= 1;
                        done += usize::from(*left == 0);
                    }
                }
                hear(client, text)
            })?;
        }
        Ok(())
    }

    /// Everybody is gone, without a word.
    pub(crate) fn leave(&mut self) {
        for link in self.links.drain(..) {
            self.pool.cut(link);
        }
    }
}
