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

    /// Has more clients connect and ask. Every reply must be good; all that comes is handed to `hear` with the
    /// client's number.
    pub(crate) fn enter(
        &mut self,
        entry: Entry,
        requests: impl Fn(usize) -> Vec<String>,
        mut hear: impl FnMut(usize, &str) -> Outcome<()>,
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
                    self.say(client, &request);
                }
            }
            if Instant::now() > deadline {
                let done = missing.done;
                return Err(format!("only {done} of {count} clients have all their answers").into());
            }
            self.turn(deadline, |client, text, _| {
                missing.hear(client, text)?;
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
    fn hear(&mut self, client: usize, text: &str) -> Outcome<()> {
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
