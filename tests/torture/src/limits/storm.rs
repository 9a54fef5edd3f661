//! All come back at once, over TLS, to a server that was killed: they are back in time, with what
//! they have missed, and who is served does not feel it.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use chinwag::rng::Rng;
use serde_json::json;

use super::sources;
use crate::canary::Canary;
use crate::connections::{ConnectionId, Connections, Next};
use crate::load::{Entry, Load};
use crate::observed::ServerMessage;
use crate::server::{Server, Setup};
use crate::tls::Trust;
use crate::{CONFIG, Outcome};

const ROOMS_EACH: usize = 5;
const MEMBERS: usize = 100;
/// Messages that each has missed in each room.
const MISSED: u64 = 5;
/// Those who have said it.
const SPEAKERS: usize = 50;
const BACK_WITHIN: Duration = Duration::from_secs(30);
/// The longest that an answer to the canary may take meanwhile.
const CANARY_MAX_MS: f64 = 500.0;
/// Tries of one client at most.
const TRIES_MAX: u32 = 3;
const PATIENCE: Duration = Duration::from_mins(3);
/// The first of PROTOCOL.md's waits before a return, and the longest.
const WAIT_FIRST_MS: u64 = 500;
const WAIT_MAX_MS: u64 = 20_000;

/// Has so many clients come back.
pub(super) fn run(binary: &str, folder: &Path, count: usize) -> Outcome<()> {
    let trust = Trust::new(folder)?;
    // Loopback is as the world here: each client has an address of its own.
    let setup = Setup::new(folder, binary, CONFIG)?
        .set("LIMITS_PER_ADDRESS_LOOPBACK", "true")
        .sealed(&trust);
    let rooms = (count * ROOMS_EACH / MEMBERS).max(ROOMS_EACH);
    let mut first = setup.start_well()?;
    let mut storm = Storm::new(count, rooms, trust)?;
    storm.until_all_are_in(&first, Instant::now() + PATIENCE)?;
    speak(&first, rooms)?;
    first.kill()?;
    storm.lose_all();
    let mut second = setup.start_well()?;
    let canary = Canary::start(second.tcp, &json!({"op": "hello", "name": "canary"}))?;
    let began = Instant::now();
    let took = storm.until_all_are_in(&second, began + PATIENCE)?;
    let latencies = canary.stop()?;
    let handshakes = second.metric("chinwag_tls_handshakes_total")?;
    let tries = storm.clients.iter().map(|client| client.tries).max().unwrap_or(0);
    let refusals = storm.refusals;
    let items = storm.items;
    drop(storm);
    second.stop()?;
    setup.assert_no_panic()?;
    let (half, most, longest) =
        (latencies.percentile(50), latencies.percentile(99), latencies.percentile(100));
    println!(
        "  {count} clients were back over TLS after {:.1} s, each with {ROOMS_EACH} rooms; {handshakes:.0} handshakes, {refusals} hellos put off, {tries} tries at most, {items} messages replayed",
        took.as_secs_f64()
    );
    println!(
        "  a canary beside them: p50 {half:.1} ms, p99 {most:.1} ms, at most {longest:.1} ms, of {} round trips",
        latencies.count
    );
    let expected = count as u64 * ROOMS_EACH as u64 * MISSED;
    for (holds, what) in [
        (took <= BACK_WITHIN, "they were back too late"),
        (longest < CANARY_MAX_MS, "who was served has felt it"),
        (tries <= TRIES_MAX, "one had to try too often"),
        (items == expected, "not everybody was told what they have missed, once"),
    ] {
        if !holds {
            return Err(what.into());
        }
    }
    Ok(())
}

/// Somebody says something in each room. They are few, since all come from one address.
fn speak(server: &Server, rooms: usize) -> Outcome<()> {
    let mut load = Load::new()?;
    let count = rooms.min(SPEAKERS);
    let requests = |speaker: usize| {
        let mut all = vec![format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"speaker{speaker}\"}}")];
        for name in (speaker..rooms).step_by(count).map(name_of) {
            all.push(format!("{{\"op\":\"join\",\"id\":2,\"room\":\"{name}\"}}"));
            all.extend((0..MISSED).map(|_| {
                format!(
                    "{{\"op\":\"send\",\"id\":3,\"room\":\"{name}\",\"text\":\"you were away\"}}"
                )
            }));
        }
        all
    };
    let deadline = Instant::now() + PATIENCE;
    let entry = Entry { count, framing: Framing::Lines, at: server.tcp, deadline };
    load.enter(entry, requests, |_, _| Ok(()))
}

fn name_of(room: usize) -> String {
    format!("hall{room}")
}

struct Storm {
    connections: Connections,
    /// Which client a connection is of.
    owners: Vec<usize>,
    clients: Vec<Client>,
    rooms: usize,
    trust: Trust,
    rng: Rng,
    items: u64,
    refusals: u64,
}

/// One who comes, and comes back.
#[derive(Default)]
struct Client {
    connection: Option<ConnectionId>,
    /// When it comes or says hello again; `None` while it waits for the server.
    due: Option<Instant>,
    tries: u32,
    /// Epochs of its rooms, by the order in which it joined them.
    epochs: Vec<String>,
    /// Rooms in which it is live.
    live: usize,
}

impl Client {
    fn describe(&self) -> String {
        let Self { connection, due, tries, epochs, live } = self;
        format!("{connection:?} {due:?}, tried {tries} times, {} rooms, {live} live", epochs.len())
    }
}

impl Storm {
    fn new(count: usize, rooms: usize, trust: Trust) -> Outcome<Self> {
        let clients = (0..count).map(|_| Client::default()).collect();
        let (connections, owners) = (Connections::new()?, Vec::new());
        Ok(Self {
            connections,
            owners,
            clients,
            rooms,
            trust,
            rng: Rng::new(1),
            items: 0,
            refusals: 0,
        })
    }

    /// All lose their connections, and know where they were.
    fn lose_all(&mut self) {
        for client in &mut self.clients {
            if let Some(id) = client.connection.take() {
                self.connections.cut(id);
            }
            (client.tries, client.live) = (0, 0);
        }
    }

    /// All come at once; returns when the last one is in all of its rooms.
    fn until_all_are_in(&mut self, server: &Server, deadline: Instant) -> Outcome<Duration> {
        let began = Instant::now();
        for client in &mut self.clients {
            client.due = Some(began);
        }
        let mut message = String::new();
        let mut inside = 0;
        while inside < self.clients.len() {
            let now = Instant::now();
            if now > deadline {
                let is_late = |client: &&Client| client.live < ROOMS_EACH;
                let late = self.clients.iter().find(is_late).map(Client::describe);
                let (all, late) = (self.clients.len(), late.unwrap_or_default());
                return Err(format!("only {inside} of {all} are in; {late}").into());
            }
            let mut next = now + Duration::from_millis(50);
            for number in 0..self.clients.len() {
                match self.clients.get(number).and_then(|client| client.due) {
                    Some(due) if due <= now => self.act(number, server)?,
                    Some(due) => next = next.min(due),
                    None => {}
                }
            }
            let ready = self.connections.wait(next)?;
            for &id in &ready {
                let Some(&number) = self.owners.get(id) else { continue };
                // An error is an upgrade that was refused.
                while let Ok(Next::Message) = self.take(id, number, &mut message) {
                    inside += usize::from(self.hear(number, &message)?);
                }
            }
            self.connections.done(ready);
        }
        Ok(began.elapsed())
    }

    /// Takes the next message of a client, who comes again when its connection has ended.
    fn take(&mut self, id: ConnectionId, number: usize, message: &mut String) -> Outcome<Next> {
        let next = self.connections.next(id, message);
        if matches!(next, Ok(Next::Message | Next::Nothing)) {
            return next;
        }
        self.connections.cut(id);
        let Some(client) = self.clients.get_mut(number) else { return next };
        if client.live == ROOMS_EACH {
            return Err("one who was in was cut off".into());
        }
        (client.connection, client.live) = (None, 0);
        if client.epochs.len() < ROOMS_EACH {
            // It has not been everywhere: it comes as if it were new.
            client.epochs.clear();
        }
        let most = (WAIT_FIRST_MS << client.tries.min(6)).min(WAIT_MAX_MS);
        client.due = Some(Instant::now() + Duration::from_millis(self.rng.below(most)));
        next
    }

    /// Connects, or says hello again.
    fn act(&mut self, number: usize, server: &Server) -> Outcome<()> {
        let hello = self.hello(number);
        let client = self.clients.get_mut(number).ok_or("nobody")?;
        client.due = None;
        let id = if let Some(id) = client.connection {
            id
        } else {
            client.tries += 1;
            let stream = sources::begin(u32::try_from(number)?, server.https)?;
            let tls = self.trust.client()?;
            self.connections.begin_sealed(Framing::WebSocket, stream, tls)?
        };
        client.connection = Some(id);
        if self.owners.len() <= id {
            self.owners.resize(id + 1, usize::MAX);
        }
        self.owners[id] = number;
        self.connections.send(id, &hello);
        Ok(())
    }

    fn room(&self, number: usize, nth: usize) -> usize {
        (number + nth * (self.rooms / ROOMS_EACH).max(1)) % self.rooms
    }

    fn hello(&self, number: usize) -> String {
        let epochs = self.clients.get(number).map_or(&[][..], |client| &client.epochs);
        let positions = epochs.iter().enumerate();
        let positions: Vec<_> = positions
            .map(|(nth, epoch)| format!("\"{}\":[\"{epoch}\",0]", name_of(self.room(number, nth))))
            .collect();
        let resume = if positions.is_empty() {
            String::new()
        } else {
            let rooms = positions.join(",");
            format!(",\"resume\":{{\"session\":\"gone\",\"rooms\":{{{rooms}}}}}")
        };
        format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"s{number}\"{resume}}}")
    }

    /// Takes a message; whether the client is now in all of its rooms.
    fn hear(&mut self, number: usize, text: &str) -> Outcome<bool> {
        let room = self.room(number, self.clients[number].epochs.len());
        let client = self.clients.get_mut(number).ok_or("nobody")?;
        let Some(id) = client.connection else { return Ok(false) };
        let message = ServerMessage::parse(text)?;
        match (message.kind(), message.id, message.code) {
            (None, Some(1), Some(5004)) => {
                let data = message.data.map(|data| ServerMessage::parse(data.get())).transpose()?;
                let wait = data.and_then(|data| data.retry_after_ms).ok_or("no time to come")?;
                client.due = Some(Instant::now() + Duration::from_millis(wait));
                self.refusals += 1;
                return Ok(false);
            }
            (None, _, Some(code)) if code != 0 => return Err(text.into()),
            // The first time it joins one room after the other.
            (None, Some(1), _) if client.epochs.is_empty() => {}
            (None, Some(2), _) => {
                let data = message.data.ok_or("no data")?;
                let epoch = ServerMessage::parse(data.get())?.epoch.ok_or("no epoch")?;
                client.epochs.push(epoch.as_str().ok_or("no epoch")?.to_owned());
                client.live += 1;
                if client.live == ROOMS_EACH {
                    return Ok(true);
                }
            }
            (Some("live"), _, _) => {
                client.live += 1;
                return Ok(client.live == ROOMS_EACH);
            }
            (Some("replay"), _, _) => {
                self.items += message.items()?.len() as u64;
                return Ok(false);
            }
            (Some("gap" | "reset"), _, _) => return Err(text.into()),
            _ => return Ok(false),
        }
        let room = if client.live == 0 {
            room
        } else {
            self.room(number, self.clients[number].epochs.len())
        };
        let join = format!("{{\"op\":\"join\",\"id\":2,\"room\":\"{}\"}}", name_of(room));
        self.connections.send(id, &join);
        Ok(false)
    }
}
