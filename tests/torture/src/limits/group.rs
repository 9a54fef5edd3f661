//! A control group of 64 MiB: members at a steady rate beside slow readers, requests that come in
//! part, and logins. Nothing is killed and nobody loses anything.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::sources;
use crate::follower::Follower;
use crate::kernel::MemoryGroup;
use crate::load::{Entry, Load};
use crate::prober::Prober;
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

/// What the group may use, and what the server is told to.
const GROUP_BYTES: u64 = 64 << 20;
const MEMORY: &str = "64MB";
/// Messages a second, of all rooms together.
const RATE: u32 = 500;
const ROOMS: usize = 20;
/// Bytes of each text.
const TEXT_BYTES: usize = 100;
/// Slow readers, and what one of them takes how often.
const SLOW: usize = 100;
const SIP_BYTES: usize = 102;
const SIP_EVERY: Duration = Duration::from_millis(100);
const RECEIVE_BUFFER: usize = 4 * 1024;
/// Connections with half a request, at any time.
const HALVES: usize = 50;
const PATIENCE: Duration = Duration::from_mins(2);

/// Runs it with so many connections in all.
pub(super) fn run(binary: &str, folder: &Path, members: usize, seconds: u64) -> Outcome<()> {
    let group = MemoryGroup::new(GROUP_BYTES)?;
    let setup = Setup::new(folder, binary, CONFIG)?
        .set("MEMORY", MEMORY)
        .set("AUTH", "none,accounts")
        .set("ACCOUNTS_REGISTRATION", "open")
        .set("TIMEOUTS_STALL", "10m")
        // This machine may be too busy to answer in time.
        .set("TIMEOUTS_PING_AFTER", "10m")
        .under(&group.wrapper());
    let mut server = setup.start_well()?;
    let mut room = Members::new(&server, members.saturating_sub(SLOW + HALVES + 4))?;
    let mut slow = Vec::new();
    for number in 0..SLOW {
        slow.push(Slow::new(server.tcp, number)?);
    }
    let others = Others::start(&server);
    let (began, mut resident) = (Instant::now(), 0);
    let (mut next_sip, mut next_look) = (began, began);
    while began.elapsed() < Duration::from_secs(seconds) {
        let now = Instant::now();
        room.send_due(now);
        if now >= next_sip {
            next_sip = now + SIP_EVERY;
            slow.iter_mut().try_for_each(Slow::sip)?;
        }
        if now >= next_look {
            next_look = now + Duration::from_millis(500);
            resident = resident.max(server.resident_bytes()?);
        }
        room.receive(now + Duration::from_millis(5))?;
    }
    let lagging = server.metric("chinwag_cursors_lagging")?;
    room.wait_until_settled()?;
    for reader in &mut slow {
        reader.read_on(room.head(reader.room))?;
    }
    let (logins, halves) = others.stop()?;
    let (peak, sockets) = group.peaks()?;
    let kills = group.kills()?;
    drop((room.load, slow));
    server.stop()?;
    setup.assert_no_panic()?;
    println!(
        "  {members} connections, {} messages to members of {ROOMS} rooms; {logins} logins, {halves} halves of requests beside; {lagging:.0} lagged; nobody lost anything",
        room.sent
    );
    println!(
        "  resident up to {} KiB; the group used up to {} KiB, its sockets {} KiB, of {} KiB; {kills} kills",
        resident / 1024,
        peak / 1024,
        sockets / 1024,
        GROUP_BYTES / 1024
    );
    for (holds, what) in [
        (kills == 0, "something was killed"),
        (lagging > 0.5, "nobody lagged: nothing is proven"),
        (logins > 0 && halves > 0, "nobody else came: nothing is proven"),
    ] {
        if !holds {
            return Err(what.into());
        }
    }
    Ok(())
}

/// Those who read as it comes; the first of each room talks.
struct Members {
    load: Load,
    followers: Vec<Follower>,
    began: Instant,
    sent: u32,
    answered: u32,
}

impl Members {
    fn new(server: &Server, count: usize) -> Outcome<Self> {
        let mut load = Load::new()?;
        let mut followers: Vec<_> = (0..count).map(|_| Follower::default()).collect();
        let deadline = Instant::now() + PATIENCE;
        let requests = |client: usize| {
            let room = client % ROOMS;
            vec![
                format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"m{client}\"}}"),
                format!("{{\"op\":\"join\",\"id\":2,\"room\":\"hall{room}\"}}"),
            ]
        };
        let entry = Entry { count, framing: Framing::WebSocket, at: server.http, deadline };
        load.enter(entry, requests, |client, text| {
            followers.get_mut(client).ok_or("nobody")?.take(text)
        })?;
        Ok(Self { load, followers, began: Instant::now(), sent: 0, answered: 0 })
    }

    fn send_due(&mut self, now: Instant) {
        let every = Duration::from_secs(1) / RATE;
        while self.began + every * self.sent <= now {
            let (room, id) = (self.sent as usize % ROOMS, self.sent + 3);
            let text = "x".repeat(TEXT_BYTES);
            let request = format!(
                "{{\"op\":\"send\",\"id\":{id},\"room\":\"hall{room}\",\"text\":\"{text}\"}}"
            );
            self.load.send(room, &request);
            self.sent += 1;
        }
    }

    /// Messages of a room so far.
    fn head(&self, room: usize) -> u64 {
        let (sent, rooms) = (u64::from(self.sent), ROOMS as u64);
        sent / rooms + u64::from(sent % rooms > room as u64)
    }

    fn receive(&mut self, deadline: Instant) -> Outcome<()> {
        let (followers, answered) = (&mut self.followers, &mut self.answered);
        self.load.turn(deadline, |client, text, _| {
            if client < ROOMS && text.starts_with("{\"id\":") {
                *answered += 1;
                let is_good = text.contains("\"code\":0,");
                return if is_good { Ok(()) } else { Err(format!("refused: {text}").into()) };
            }
            followers.get_mut(client).ok_or("nobody")?.take(text)
        })
    }

    fn wait_until_settled(&mut self) -> Outcome<()> {
        let deadline = Instant::now() + PATIENCE;
        let heads: Vec<_> = (0..ROOMS).map(|room| self.head(room)).collect();
        loop {
            let mut others = self.followers.iter().enumerate().skip(ROOMS);
            let is_late = |(client, follower): (usize, &Follower)| {
                heads.get(client % ROOMS).is_some_and(|head| follower.seq() < *head)
            };
            if self.answered == self.sent && !others.any(is_late) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("not everybody has everything".into());
            }
            self.receive(deadline)?;
        }
    }
}

/// One who reads a kilobyte a second.
struct Slow {
    stream: TcpStream,
    follower: Follower,
    room: usize,
}

impl Slow {
    fn new(at: SocketAddr, number: usize) -> Outcome<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.connect(&at.into())?;
        let mut stream = TcpStream::from(socket);
        let room = number % ROOMS;
        let hello = format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"slow{number}\"}}\n");
        let join = format!("{{\"op\":\"join\",\"id\":2,\"room\":\"hall{room}\"}}\n");
        stream.write_all((hello + &join).as_bytes())?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, follower: Follower::default(), room })
    }

    fn sip(&mut self) -> Outcome<()> {
        self.read(&mut [0; SIP_BYTES])
    }

    fn read(&mut self, buffer: &mut [u8]) -> Outcome<()> {
        match self.stream.read(buffer) {
            Ok(0) => Err("a slow reader was cut off".into()),
            Ok(count) => self.follower.take_bytes(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read_on(&mut self, head: u64) -> Outcome<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let (mut buffer, deadline) = (vec![0; 64 * 1024], Instant::now() + PATIENCE);
        while self.follower.seq() < head {
            if Instant::now() > deadline {
                let seq = self.follower.seq();
                return Err(format!("a slow reader has {seq} of {head}").into());
            }
            self.read(&mut buffer)?;
        }
        Ok(())
    }
}

/// Those who log in, and those who send half a request, until they are told to stop.
struct Others {
    stop: Arc<AtomicBool>,
    logins: Arc<AtomicU64>,
    halves: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Outcome<()>>>,
}

impl Others {
    fn start(server: &Server) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (logins, halves) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (http, tcp) = (server.http, server.tcp);
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&logins));
        let mut threads = vec![thread::spawn(move || log_in(tcp, &told, &counted))];
        let (told, counted) = (Arc::clone(&stop), Arc::clone(&halves));
        threads.push(thread::spawn(move || send_halves([http, tcp], &told, &counted)));
        Self { stop, logins, halves, threads }
    }

    fn stop(self) -> Outcome<(u64, u64)> {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().map_err(|_panic| "one of the others panicked")??;
        }
        Ok((self.logins.load(Ordering::Relaxed), self.halves.load(Ordering::Relaxed)))
    }
}

/// Registers, then logs in with the right and with wrong passwords, from other addresses each time.
fn log_in(at: SocketAddr, stop: &AtomicBool, count: &AtomicU64) -> Outcome<()> {
    let (name, password) = ("account", "a password of some length");
    let mut first = Prober::over(sources::connect(0, at)?)?;
    first.ask(&json!({"op": "register", "name": name, "password": password}))?;
    let mut number = 1;
    while !stop.load(Ordering::Relaxed) {
        let prober = sources::connect(number, at).and_then(Prober::over);
        let (name, password, code) = if number % 2 == 0 {
            (name.to_owned(), password, 0)
        } else {
            (format!("nobody{number}"), "a wrong password", 2001)
        };
        let login = json!({"op": "login", "name": name, "password": password});
        number += 1;
        // Who comes under pressure may be sent away, and comes again.
        let Ok(reply) = prober.and_then(|mut prober| prober.request(&login)) else { continue };
        if reply["code"] != code && reply["code"] != 5004 {
            return Err(format!("a login was answered with {reply}").into());
        }
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Keeps so many connections that have sent half a request; who is cut off comes again.
fn send_halves(at: [SocketAddr; 2], stop: &AtomicBool, count: &AtomicU64) -> Outcome<()> {
    let starts = ["GET / HTTP/1.1\r\nHost: localhost\r\nX: ", "{\"op\":\"hello\",\"name\":\""];
    let mut halves: Vec<Option<TcpStream>> = (0..HALVES).map(|_| None).collect();
    let mut number = 10_000;
    while !stop.load(Ordering::Relaxed) {
        for (nth, half) in halves.iter_mut().enumerate() {
            let kind = nth % 2;
            let is_open = half.as_mut().is_some_and(|stream| {
                let mut byte = [0; 64];
                let is_over = stream.read(&mut byte).is_ok();
                !is_over && stream.write_all(b"x").is_ok()
            });
            if !is_open {
                let mut stream = sources::connect(number, at[kind])?;
                number += 1;
                stream.write_all(starts[kind].as_bytes())?;
                stream.set_nonblocking(true)?;
                *half = Some(stream);
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
        thread::park_timeout(Duration::from_millis(200));
    }
    Ok(())
}
