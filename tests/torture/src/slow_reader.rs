//! `slow`: one reader who takes 1 KB a second in a durable room at full rate, beside many who read
//! as it comes.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use socket2::{Domain, Socket, Type};

use crate::follower::Follower;
use crate::kernel;
use crate::latencies::Latencies;
use crate::load::{Entry, Load};
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

/// The slow one's receive buffer.
const RECEIVE_BUFFER: usize = 4 * 1024;
/// It takes so many bytes so often: 1 KB a second.
const SIP_BYTES: usize = 102;
const SIP_EVERY: Duration = Duration::from_millis(100);
/// Bytes of each message's text.
const TEXT_BYTES: usize = 200;
/// What the server may have waiting for the slow one: `outbound_soft_bytes`, and one message more.
const QUEUED_MAX: f64 = 80.0 * 1024.0;
/// What the kernel may have: `send_buffer_bytes`, which Linux doubles, and one segment more.
const KERNEL_MAX: u64 = 2 * 64 * 1024 + 64 * 1024;
/// By how much the server's resident memory may rise while it lags: a page of the log, and what
/// statistics and allocators do in that time.
const RESIDENT_MAX: u64 = 8 << 20;
/// From so many seconds on the machine is taken to be the run's own, and the others' latency is
/// judged, not only told.
const JUDGED_FROM_S: u64 = 60;
/// How long it may take to catch up when it reads on.
const CAUGHT_UP_WITHIN: Duration = Duration::from_mins(1);

/// The highest values while the slow reader lags.
#[derive(Default)]
struct Peaks {
    /// What waited in the server for all members together.
    queued: f64,
    kernel: u64,
    resident: u64,
    lagging: f64,
}

/// A conversation at a given rate.
struct Room {
    load: Load,
    sender: usize,
    /// What the times in the messages count from.
    epoch: Instant,
    /// When this part of the conversation began.
    began: Instant,
    every: Duration,
    /// Messages sent so far, and before `began`.
    sent: u32,
    sent_before: u32,
    /// The last seq of each member.
    seqs: Vec<u64>,
}

/// Runs so many seconds with the slow one, half as many without.
pub(crate) fn run(
    binary: &str,
    folder: &Path,
    seconds: u64,
    members: usize,
    rate: u32,
) -> Outcome<()> {
    let setup = Setup::new(folder, binary, CONFIG)?;
    let mut server = setup.start_well()?;
    let mut room = Room::new(&server, members, rate)?;
    let time = Duration::from_secs(seconds);
    // The first part warms up: what grows once and stays has grown.
    room.talk(time / 4, |_| Ok(()))?;
    let without = room.talk(time / 2, |_| Ok(()))?;
    let before = server.resident_bytes()?;
    let mut slow = Slow::new(server.tcp)?;
    let mut peaks = Peaks::default();
    let mut look = Instant::now();
    let with = room.talk(time, |now| {
        if now >= look {
            look = now + Duration::from_millis(500);
            peaks.look(&server, slow.address)?;
        }
        slow.read_slowly(now)
    })?;
    let head = room.wait_until_settled()?;
    let behind = head - slow.seq(head)?;
    peaks.look(&server, slow.address)?;
    // The others have everything: what waits, waits for the slow one.
    let queued = server.metric("chinwag_queued_bytes")?;
    let took = slow.read_on(head)?;
    server.stop()?;
    setup.assert_no_panic()?;
    let grown = peaks.resident.saturating_sub(before);
    // What waited for the others for moments, because their side had no time to read, is not the
    // slow one's.
    let resident_max = RESIDENT_MAX + format!("{:.0}", peaks.queued).parse::<u64>()?;
    println!(
        "  {rate} messages a second to {members} members, {} deliveries",
        without.count + with.count
    );
    for (name, latencies) in [("without", &without), ("with", &with)] {
        let (half, most) = (latencies.percentile(50), latencies.percentile(99));
        println!("  {name} the slow one: p50 {half:.2} ms, p99 {most:.2} ms");
    }
    println!(
        "  it was {behind} of {head} messages behind and had the rest {} ms after it read on",
        took.as_millis()
    );
    println!(
        "  for it waited {:.0} KiB in the server (at most {:.0}), for all together up to {:.0}, and for it up to {} KiB in the kernel (at most {})",
        queued / 1024.0,
        QUEUED_MAX / 1024.0,
        peaks.queued / 1024.0,
        peaks.kernel / 1024,
        KERNEL_MAX / 1024
    );
    println!(
        "  resident memory {} KiB, {} KiB more than before (at most {})",
        peaks.resident / 1024,
        grown / 1024,
        resident_max / 1024
    );
    let (was, is) = (without.percentile(99), with.percentile(99));
    for (holds, what) in [
        (behind > 0 && peaks.lagging > 0.5, "the slow one never was behind: nothing is proven"),
        (queued <= QUEUED_MAX, "too much waits in the server"),
        (peaks.kernel <= KERNEL_MAX, "too much waits in the kernel"),
        (grown <= resident_max, "the server's memory grew"),
        (seconds < JUDGED_FROM_S || is <= 2.0 * was + 10.0, "the others have felt it"),
    ] {
        if !holds {
            return Err(what.into());
        }
    }
    Ok(())
}

impl Room {
    fn new(server: &Server, members: usize, rate: u32) -> Outcome<Self> {
        let mut load = Load::new()?;
        let deadline = Instant::now() + Duration::from_secs(30);
        let requests = |client| {
            vec![
                format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"m{client}\"}}"),
                "{\"op\":\"join\",\"id\":2,\"room\":\"hall\"}".to_owned(),
            ]
        };
        let (websocket, lines) = (Framing::WebSocket, Framing::Lines);
        let ways = [(members / 2, websocket), (members - members / 2, lines), (1, lines)];
        for (count, framing) in ways {
            let at = if framing == websocket { server.http } else { server.tcp };
            load.enter(Entry { count, framing, at, deadline }, requests, |_, _| Ok(()))?;
        }
        let every = Duration::from_secs(1) / rate;
        let (began, seqs) = (Instant::now(), vec![0; members]);
        let (epoch, sent, sent_before) = (began, 0, 0);
        Ok(Self { load, sender: members, epoch, began, every, sent, sent_before, seqs })
    }

    /// Talks for so long. `meanwhile` is called several times a sip. Returns from when a message
    /// should have been sent to when each member had it.
    fn talk(
        &mut self,
        time: Duration,
        mut meanwhile: impl FnMut(Instant) -> Outcome<()>,
    ) -> Outcome<Latencies> {
        let mut latencies = Latencies::default();
        let until = Instant::now() + time;
        // What the last part did not send is not made up for.
        (self.began, self.sent_before) = (Instant::now(), self.sent);
        loop {
            let now = Instant::now();
            meanwhile(now)?;
            if now >= until {
                return Ok(latencies);
            }
            while self.next_at() <= now {
                self.send();
            }
            let due = self.next_at().min(now + SIP_EVERY / 4).min(until);
            self.receive(due, &mut latencies)?;
        }
    }

    /// When the next message is to be sent.
    fn next_at(&self) -> Instant {
        self.began + self.every * (self.sent - self.sent_before)
    }

    fn send(&mut self) {
        let micros = self.next_at().duration_since(self.epoch).as_micros();
        let text = format!("{micros} {}", "x".repeat(TEXT_BYTES));
        let request = format!("{{\"op\":\"send\",\"room\":\"hall\",\"text\":\"{text}\"}}");
        self.load.send(self.sender, &request);
        self.sent += 1;
    }

    fn receive(&mut self, due: Instant, latencies: &mut Latencies) -> Outcome<()> {
        let (seqs, sender, epoch) = (&mut self.seqs, self.sender, self.epoch);
        self.load.turn(due, |client, text, _| {
            if client == sender || !text.starts_with("{\"ev\":\"message\"") {
                return if text.contains("\"error\"") || text.starts_with("{\"ev\":\"gap\"") {
                    Err(format!("client {client} was told {text}").into())
                } else {
                    Ok(())
                };
            }
            let seq = number_behind(text, "\"seq\":").ok_or("no seq")?;
            let micros = number_behind(text, "\"text\":\"").ok_or("no time")?;
            let last = seqs.get_mut(client).ok_or("nobody")?;
            if *last != 0 && seq != *last + 1 {
                return Err(format!("member {client}: {seq} after {last}").into());
            }
            *last = seq;
            let planned = epoch + Duration::from_micros(micros);
            latencies.add(Instant::now().saturating_duration_since(planned));
            Ok(())
        })
    }

    /// Until everybody has everything; returns the last seq.
    fn wait_until_settled(&mut self) -> Outcome<u64> {
        let deadline = Instant::now() + CAUGHT_UP_WITHIN;
        let head = u64::from(self.sent);
        while self.seqs.iter().any(|seq| *seq != head) {
            if Instant::now() > deadline {
                let seq = self.seqs.iter().min().copied().unwrap_or(0);
                return Err(format!("a member is at {seq} of {head}").into());
            }
            self.receive(deadline, &mut Latencies::default())?;
        }
        Ok(head)
    }
}

/// The number that follows a piece of text.
fn number_behind(text: &str, piece: &str) -> Option<u64> {
    let (_, rest) = text.split_once(piece)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

impl Peaks {
    fn look(&mut self, server: &Server, slow: SocketAddr) -> Outcome<()> {
        self.queued = self.queued.max(server.metric("chinwag_queued_bytes")?);
        self.lagging = self.lagging.max(server.metric("chinwag_cursors_lagging")?);
        self.kernel = self.kernel.max(kernel::bytes_from(slow)?);
        self.resident = self.resident.max(server.resident_bytes()?);
        Ok(())
    }
}

/// The slow one: lines, as they trickle in.
struct Slow {
    stream: TcpStream,
    address: SocketAddr,
    received: Vec<u8>,
    next_sip: Instant,
}

impl Slow {
    fn new(at: SocketAddr) -> Outcome<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.connect(&at.into())?;
        let mut stream = TcpStream::from(socket);
        stream.write_all(b"{\"op\":\"hello\",\"id\":1,\"name\":\"slow\"}\n{\"op\":\"join\",\"id\":2,\"room\":\"hall\"}\n")?;
        stream.set_nonblocking(true)?;
        let address = stream.local_addr()?;
        Ok(Self { stream, address, received: Vec::new(), next_sip: Instant::now() })
    }

    fn read_slowly(&mut self, now: Instant) -> Outcome<()> {
        if now < self.next_sip {
            return Ok(());
        }
        self.next_sip += SIP_EVERY;
        let mut buffer = [0; SIP_BYTES];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err("the slow one was cut off".into()),
            Ok(count) => {
                self.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How far it is, up to `head`. Everything so far must have come once and in order.
    fn seq(&self, head: u64) -> Outcome<u64> {
        let mut follower = Follower::default();
        follower.take_bytes(&self.received)?;
        match follower.seq() {
            seq if seq > head => Err(format!("{seq} came, and {head} is the last one").into()),
            seq => Ok(seq),
        }
    }

    /// Reads as fast as it comes, until it has everything.
    fn read_on(&mut self, head: u64) -> Outcome<Duration> {
        let begin = Instant::now();
        self.stream.set_nonblocking(false)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let live = format!("\"ev\":\"live\",\"room\":\"hall\",\"seq\":{head}}}");
            let tail = self.received.len().saturating_sub(1 << 20);
            let tail = self.received.get(tail..).unwrap_or_default();
            if tail.windows(live.len()).any(|window| window == live.as_bytes()) {
                break;
            }
            if begin.elapsed() > CAUGHT_UP_WITHIN {
                return Err(format!("it does not catch up: {} of {head}", self.seq(head)?).into());
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err("the slow one was cut off".into()),
                Ok(count) => {
                    self.received.extend_from_slice(buffer.get(..count).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
        match self.seq(head)? {
            seq if seq == head => Ok(begin.elapsed()),
            seq => Err(format!("it has {seq} of {head}").into()),
        }
    }
}
