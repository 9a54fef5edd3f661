//! All clients of a run, on one thread: connected, driven in turns, waited for.

use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use chinwag::client::Framing;
use chinwag::rng::Rng;

use crate::Outcome;
use crate::client::{Behaviour, Client, Context};
use crate::connections::{Connections, Next};
use crate::observed::{Observed, Stream};

/// The clients.
pub(crate) struct Clients {
    pub(crate) clients: Vec<Client>,
    pub(crate) context: Context,
    pub(crate) size: Size,
    /// Which device a connection is of.
    owners: Vec<usize>,
    /// Each server, by HTTP and by plain TCP.
    at: Vec<[SocketAddr; 2]>,
    /// Whether new messages are said.
    pub(crate) may_send_new: bool,
    message: String,
}

/// How large a fleet is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Clients.
    pub(crate) clients: u32,
    /// Users that they belong to: the first ones have two.
    pub(crate) users: u32,
    /// Rooms.
    pub(crate) rooms: usize,
    /// Rooms that each user is in.
    pub(crate) rooms_each: usize,
}

impl Clients {
    /// Clients that are not connected yet.
    pub(crate) fn new(size: Size, behaviour: Behaviour, seed: u64) -> Outcome<Self> {
        let mut observed = Observed::default();
        let mut clients = Vec::new();
        for number in 0..size.clients {
            let framing = if number % 2 == 0 { Framing::WebSocket } else { Framing::Lines };
            let user = number % size.users;
            let mut client = Client::new(number, user, framing, behaviour);
            let first = usize::try_from(user)?;
            for room in (0..size.rooms_each).map(|next| (first + next) % size.rooms) {
                client.enter(room, observed.streams.len());
                observed.streams.push(Stream { room, client: number, ..Stream::default() });
            }
            clients.push(client);
        }
        let (rng, now) = (Rng::new(seed), Instant::now());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self {
            clients,
            size,
            context: Context {
                connections: Connections::new()?,
                observed,
                rng,
                now,
                record: None,
                stamp: 0,
            },
            owners: Vec::new(),
            at: vec![[nowhere; 2]],
            may_send_new: true,
            message: String::new(),
        })
    }

    /// Where the server is from now on.
    pub(crate) fn set_addresses(&mut self, http: SocketAddr, tcp: SocketAddr) {
        self.at = vec![[http, tcp]];
    }

    /// Where several servers of the same chat are: each device begins at another one, and goes to
    /// the next when its connection is lost.
    pub(crate) fn set_nodes(&mut self, nodes: Vec<[SocketAddr; 2]>) {
        self.at = nodes;
    }

    /// One turn: sends what is due, then takes what has come by the deadline.
    pub(crate) fn turn(&mut self, deadline: Instant) -> Outcome<()> {
        self.context.now = Instant::now();
        let mut due = deadline;
        for (number, client) in self.clients.iter_mut().enumerate() {
            let place = (number + client.losses) % self.at.len().max(1);
            if let Some(at) = self.at.get(place) {
                client.connect(*at, &mut self.context)?;
            }
            client.send_due(self.may_send_new, &mut self.context);
            if let Some(connection) = client.connection() {
                if self.owners.len() <= connection {
                    self.owners.resize(connection + 1, 0);
                }
                self.owners[connection] = number;
            }
            due = due.min(client.due().unwrap_or(deadline));
        }
        let ready = self.context.connections.wait(due)?;
        self.context.now = Instant::now();
        self.receive(ready)
    }

    /// Has each device hear what has come by its link.
    fn receive(&mut self, ready: Vec<usize>) -> Outcome<()> {
        if let Some(record) = &self.context.record {
            self.context.stamp = fs::metadata(record)?.len();
        }
        for &connection in &ready {
            let Some(&owner) = self.owners.get(connection) else { continue };
            let Some(client) = self.clients.get_mut(owner) else { continue };
            if client.connection() == Some(connection) {
                listen(client, connection, &mut self.context, &mut self.message)?;
            }
        }
        self.context.connections.done(ready);
        Ok(())
    }

    /// Takes turns until this holds of all clients; at the deadline it says what it waited for.
    pub(crate) fn until(
        &mut self,
        deadline: Instant,
        what: &str,
        holds: impl Fn(&Client) -> bool,
    ) -> Outcome<()> {
        while !self.clients.iter().all(&holds) {
            if Instant::now() > deadline {
                let late: Vec<_> = self.clients.iter().filter(|client| !holds(client)).collect();
                let first = late.first().map(|client| client.describe()).unwrap_or_default();
                let faults = &self.context.observed.faults;
                return Err(format!(
                    "{} clients are not {what}: {first}; faults so far: {faults:#?}",
                    late.len()
                )
                .into());
            }
            self.turn(deadline)?;
        }
        Ok(())
    }

    /// Takes turns until then.
    pub(crate) fn run_until(&mut self, deadline: Instant) -> Outcome<()> {
        while Instant::now() < deadline {
            self.turn(deadline)?;
        }
        Ok(())
    }

    /// Takes what has come from a server that is gone, and loses all connections.
    pub(crate) fn disconnect_all(&mut self) -> Outcome<()> {
        self.context.now = Instant::now();
        for _ in 0..3 {
            let ready = self.context.connections.wait(self.context.now)?;
            self.receive(ready)?;
        }
        for client in &mut self.clients {
            if let Some(connection) = client.connection() {
                self.context.connections.cut(connection);
                client.on_disconnect(&mut self.context);
            }
        }
        Ok(())
    }

    /// Answers to sends so far: all, and those that said that it was there already.
    pub(crate) fn acked(&self) -> (u64, u64) {
        let all = self.clients.iter().map(|client| client.acked).sum();
        (all, self.clients.iter().map(|client| client.duplicates).sum())
    }
}

/// Hands a client all that has come.
fn listen(
    client: &mut Client,
    connection: usize,
    context: &mut Context,
    message: &mut String,
) -> Outcome<()> {
    loop {
        match context.connections.next(connection, message)? {
            Next::Message => client.receive(message, context)?,
            Next::Nothing => return Ok(()),
            Next::Ended => {
                client.on_disconnect(context);
                return Ok(());
            }
        }
    }
}
