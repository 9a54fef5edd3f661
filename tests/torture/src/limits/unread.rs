//! Thousands of members of one room who never read, and one who talks as fast as is taken, beside
//! some who read.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use socket2::{Domain, Socket, Type};

use crate::follower::Follower;
use crate::load::Load;
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome, kernel};

/// The receive buffer of one who does not read.
const RECEIVE_BUFFER: usize = 4 * 1024;
/// Members who read.
const READERS: usize = 10;
/// Sends without an answer.
const WINDOW: u64 = 64;
/// Bytes of each text.
const TEXT_BYTES: usize = 400;
/// From one look at the process's memory to the next, and at the kernel's, which takes longer.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const KERNEL_EVERY: Duration = Duration::from_secs(2);
/// Of those who never read, how many do in the end.
const READ_ON: usize = 5;
const PATIENCE: Duration = Duration::from_mins(2);

/// What was used at most.
#[derive(Default)]
struct Peaks {
    looks: u64,
    resident: u64,
    kernel: u64,
    together: u64,
}

/// Has so many members not read for so many seconds, at this `memory`.
pub(super) fn run(
    binary: &str,
    folder: &Path,
    (members, seconds): (usize, u64),
    memory: u64,
) -> Outcome<()> {
    let setup = Setup::new(folder, binary, CONFIG)?;
    // With room for those who read beside those who do not, and for who looks at the metrics.
    let connections = members + READERS + 16;
    let setup = setup
        .set("MEMORY", &format!("{memory}B"))
        .set("LIMITS_CONNECTIONS", &connections.to_string())
        .set("TIMEOUTS_STALL", "1h");
    // What the documentation states: the budget, and an eighth that the allocator may keep.
    let most = memory + memory / 8;
    let mut server = setup.start_well()?;
    let mut silent = Vec::new();
    for number in 0..members {
        let member = Silent::new(server.tcp, number);
        silent.push(member.map_err(|error| format!("member {number}: {error}"))?);
    }
    let mut room = Room::new(&server)?;
    let (mut peaks, began) = (Peaks::default(), Instant::now());
    let (mut look, mut look_at_kernel) = (began, began);
    while began.elapsed() < Duration::from_secs(seconds) {
        let now = Instant::now();
        if now >= look_at_kernel {
            peaks.kernel = peaks.kernel.max(kernel::bytes_at(server.tcp)?);
            look_at_kernel = Instant::now() + KERNEL_EVERY;
        }
        if now >= look {
            peaks.look(&server, most)?;
            look = Instant::now() + LOOK_EVERY;
        }
        room.turn(true, now + LOOK_EVERY)?;
    }
    let lagging = server.metric("chinwag_cursors_lagging")?;
    let head = room.wait_until_settled()?;
    let took = began.elapsed();
    let step = silent.len().div_ceil(READ_ON).max(1);
    for member in silent.iter_mut().step_by(step) {
        member.read_on(head)?;
        peaks.look(&server, most)?;
    }
    drop(silent);
    server.stop()?;
    setup.assert_no_panic()?;
    println!(
        "  {members} never read ({lagging:.0} lagged), {READERS} did: {head} messages, {:.0} a second; nobody lost any",
        f64::from(u32::try_from(head)?) / took.as_secs_f64()
    );
    println!(
        "  resident up to {} KiB, sockets up to {} KiB, together up to {} KiB of {} KiB, looked at {} times",
        peaks.resident / 1024,
        peaks.kernel / 1024,
        peaks.together / 1024,
        most / 1024,
        peaks.looks
    );
    if lagging < f64::from(u32::try_from(members)?) {
        return Err("not all of them lagged: too little was said".into());
    }
    Ok(())
}

impl Peaks {
    /// Fails if more is used than `most`.
    fn look(&mut self, server: &Server, most: u64) -> Outcome<()> {
        let resident = server.resident_bytes()?;
        self.looks += 1;
        self.resident = self.resident.max(resident);
        let together = resident + self.kernel;
        self.together = self.together.max(together);
        if together > most {
            let kernel = self.kernel;
            return Err(format!(
                "{resident} bytes resident and {kernel} of sockets are more than {most}"
            )
            .into());
        }
        Ok(())
    }
}

/// One who does not read.
struct Silent {
    stream: TcpStream,
    follower: Follower,
}

impl Silent {
    fn new(at: SocketAddr, number: usize) -> Outcome<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.connect(&at.into())?;
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        let hello = format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"s{number}\"}}\n");
        let join = "{\"op\":\"join\",\"id\":2,\"room\":\"hall\"}\n";
        stream.write_all((hello + join).as_bytes())?;
        let mut silent = Self { stream, follower: Follower::default() };
        while !silent.follower.is_inside() {
            silent.read()?;
        }
        Ok(silent)
    }

    fn read(&mut self) -> Outcome<()> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err("one who does not read was cut off".into()),
            Ok(count) => self.follower.take_bytes(buffer.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads at last: everything comes, once and in order.
    fn read_on(&mut self, head: u64) -> Outcome<()> {
        while self.follower.seq() < head {
            self.read()?;
        }
        Ok(())
    }
}

/// Those who read, and the one who talks.
struct Room {
    load: Load,
    /// The one who talks is the last.
    followers: Vec<Follower>,
    sent: u64,
    answered: u64,
    text: String,
}

impl Room {
    fn new(server: &Server) -> Outcome<Self> {
        let mut load = Load::new()?;
        for number in 0..=READERS {
            let client = load.connect(Framing::Lines, server.tcp)?;
            load.send(client, &format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"r{number}\"}}"));
            load.send(client, "{\"op\":\"join\",\"id\":2,\"room\":\"hall\"}");
        }
        let followers = (0..=READERS).map(|_| Follower::default()).collect();
        let mut room = Self { load, followers, sent: 0, answered: 0, text: "x".repeat(TEXT_BYTES) };
        let deadline = Instant::now() + PATIENCE;
        while !room.followers.iter().all(Follower::is_inside) {
            if Instant::now() > deadline {
                return Err("not everybody is in the room".into());
            }
            room.turn(false, deadline)?;
        }
        Ok(room)
    }

    fn turn(&mut self, may_talk: bool, deadline: Instant) -> Outcome<()> {
        while may_talk && self.sent - self.answered < WINDOW {
            let (id, text) = (self.sent + 3, &self.text);
            let request =
                format!("{{\"op\":\"send\",\"id\":{id},\"room\":\"hall\",\"text\":\"{text}\"}}");
            self.load.send(READERS, &request);
            self.sent += 1;
        }
        let (followers, answered) = (&mut self.followers, &mut self.answered);
        self.load.turn(deadline, |client, text, _| {
            let is_answer = text.starts_with("{\"id\":") && text.contains("\"durable\"");
            if client == READERS && is_answer && followers.iter().all(Follower::is_inside) {
                if !text.contains("\"code\":0,") {
                    return Err(format!("a message was refused: {text}").into());
                }
                *answered += 1;
                return Ok(());
            }
            followers.get_mut(client).ok_or("nobody")?.take(text)
        })
    }

    /// Until those who read have everything; the last seq.
    fn wait_until_settled(&mut self) -> Outcome<u64> {
        let (head, deadline) = (self.sent, Instant::now() + PATIENCE);
        while self.answered < head
            || self.followers.iter().take(READERS).any(|reader| reader.seq() < head)
        {
            if Instant::now() > deadline {
                return Err("who reads has not everything".into());
            }
            self.turn(false, deadline)?;
        }
        Ok(head)
    }
}
