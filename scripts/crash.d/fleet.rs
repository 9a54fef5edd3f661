//! All clients of a run, on one thread.

use std::fs;
use std::net::SocketAddr;
use std::time::Instant;

use chinwag::client::Framing;

use crate::Outcome;
use crate::chance::Chance;
use crate::device::{Device, Manner, Stage};
use crate::observed::{Observed, Stream};
use crate::pool::{Next, Pool};

/// The clients.
pub(crate) struct Fleet {
    pub(crate) devices: Vec<Device>,
    pub(crate) stage: Stage,
    pub(crate) size: Size,
    /// Which device a connection is of.
    owners: Vec<usize>,
    at: [SocketAddr; 2],
    /// Whether new messages are said.
    pub(crate) may_begin: bool,
    message: String,
}

/// How large a fleet is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Clients.
    pub(crate) devices: u32,
    /// Users that they belong to: the first ones have two.
    pub(crate) users: u32,
    /// Rooms.
    pub(crate) rooms: usize,
    /// Rooms that each user is in.
    pub(crate) rooms_each: usize,
}

impl Fleet {
    /// Clients that are not connected yet.
    pub(crate) fn new(size: Size, manner: Manner, seed: u64) -> Outcome<Self> {
        let mut observed = Observed::default();
        let mut devices = Vec::new();
        for number in 0..size.devices {
            let framing = if number % 2 == 0 { Framing::WebSocket } else { Framing::Lines };
            let user = number % size.users;
            let mut device = Device::new(number, user, framing, manner);
            let first = usize::try_from(user)?;
            for room in (0..size.rooms_each).map(|next| (first + next) % size.rooms) {
                device.enter(room, observed.streams.len());
                observed.streams.push(Stream { room, device: number, ..Stream::default() });
            }
            devices.push(device);
        }
        let (chance, now) = (Chance::new(seed), Instant::now());
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Ok(Self {
            devices,
            size,
            stage: Stage { pool: Pool::new()?, observed, chance, now, record: None, stamp: 0 },
            owners: Vec::new(),
            at: [nowhere; 2],
            may_begin: true,
            message: String::new(),
        })
    }

    /// Where the server is from now on.
    pub(crate) fn go_to(&mut self, http: SocketAddr, tcp: SocketAddr) {
        self.at = [http, tcp];
    }

    /// One turn: what is due is said, what comes until the deadline, or soon, is heard.
    pub(crate) fn turn(&mut self, deadline: Instant) -> Outcome<()> {
        self.stage.now = Instant::now();
        let mut due = deadline;
        for (number, device) in self.devices.iter_mut().enumerate() {
            device.connect(self.at, &mut self.stage)?;
            device.poke(self.may_begin, &mut self.stage);
            if let Some(link) = device.link() {
                if self.owners.len() <= link {
                    self.owners.resize(link + 1, 0);
                }
                self.owners[link] = number;
            }
            due = due.min(device.due().unwrap_or(deadline));
        }
        let ready = self.stage.pool.wait(due)?;
        self.stage.now = Instant::now();
        self.hear(ready)
    }

    /// Has each device hear what has come by its link.
    fn hear(&mut self, ready: Vec<usize>) -> Outcome<()> {
        if let Some(record) = &self.stage.record {
            self.stage.stamp = fs::metadata(record)?.len();
        }
        for &link in &ready {
            let Some(&owner) = self.owners.get(link) else { continue };
            let Some(device) = self.devices.get_mut(owner) else { continue };
            if device.link() == Some(link) {
                listen(device, link, &mut self.stage, &mut self.message)?;
            }
        }
        self.stage.pool.done(ready);
        Ok(())
    }

    /// Takes turns until this holds of all clients; at the deadline it says what it waited for.
    pub(crate) fn until(
        &mut self,
        deadline: Instant,
        what: &str,
        holds: impl Fn(&Device) -> bool,
    ) -> Outcome<()> {
        while !self.devices.iter().all(&holds) {
            if Instant::now() > deadline {
                let count = self.devices.iter().filter(|device| !holds(device)).count();
                return Err(format!("{count} clients are not {what}").into());
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
    pub(crate) fn lose_all(&mut self) -> Outcome<()> {
        self.stage.now = Instant::now();
        for _ in 0..3 {
            let ready = self.stage.pool.wait(self.stage.now)?;
            self.hear(ready)?;
        }
        for device in &mut self.devices {
            if let Some(link) = device.link() {
                self.stage.pool.cut(link);
                device.lose(&mut self.stage);
            }
        }
        Ok(())
    }

    /// Answers to sends so far: all, and those that said that it was there already.
    pub(crate) fn acked(&self) -> (u64, u64) {
        let all = self.devices.iter().map(|device| device.acked).sum();
        (all, self.devices.iter().map(|device| device.duplicates).sum())
    }
}

/// Hands a client all that has come.
fn listen(
    device: &mut Device,
    link: usize,
    stage: &mut Stage,
    message: &mut String,
) -> Outcome<()> {
    loop {
        match stage.pool.next(link, message)? {
            Next::Message => device.hear(message, stage)?,
            Next::Nothing => return Ok(()),
            Next::Ended => {
                device.lose(stage);
                return Ok(());
            }
        }
    }
}
