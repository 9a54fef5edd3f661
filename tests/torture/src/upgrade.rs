//! `upgrade`: the server's process is replaced again and again while many talk: nobody is cut off,
//! no message is lost or told twice, and how long nobody hears anything is stated.

use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::latencies::Latencies;
use crate::load::{Entry, Load};
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

/// Members of each room.
const ROOM: usize = 100;
/// From one upgrade to the next.
const EVERY: Duration = Duration::from_secs(4);
/// How long all may take to come in, and the last messages to arrive.
const PATIENCE: Duration = Duration::from_mins(3);
/// Between two messages of the same time: shorter pauses are no silence.
const PAUSE: Duration = Duration::from_millis(50);

/// What is asked for.
pub(crate) struct Plan<'a> {
    /// The server's program.
    pub(crate) binary: &'a str,
    /// Where its files go.
    pub(crate) folder: &'a Path,
    /// Clients, half of them over WebSocket.
    pub(crate) connections: usize,
    /// How often the process is replaced.
    pub(crate) upgrades: u32,
    /// Messages a second, each to all members of a room.
    pub(crate) rate: u32,
    /// The longest silence that passes, in milliseconds.
    pub(crate) silence_ms_max: u64,
}

/// What the clients have heard.
#[derive(Default)]
struct Heard {
    /// The last seq of each client.
    seqs: Vec<u64>,
    /// Which message of each room was answered last.
    answered: Vec<u64>,
    latencies: Latencies,
    deliveries: u64,
    /// When anybody last heard something, and the longest that nobody did.
    last: Option<Instant>,
    silence: Duration,
    /// The longest from a message's sending to its arrival.
    slowest: Duration,
}

/// Has the process replaced so often.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome<()> {
    let setup = Setup::new(plan.folder, plan.binary, CONFIG)?;
    let server = setup.start_well()?;
    let mut load = Load::new()?;
    let rooms = plan.connections.div_ceil(ROOM);
    let mut heard = Heard { answered: vec![0; rooms], ..Heard::default() };
    enter(&mut load, &server, (plan.connections, rooms))?;
    heard.seqs = vec![0; plan.connections];
    let (began, mut sent, mut done) = (Instant::now(), 0_u64, 0);
    let (mut pid, mut upgrade) = (server.pid(), None::<JoinHandle<Outcome<u32>>>);
    let interval = Duration::from_secs(1) / plan.rate.max(1);
    let mut next_upgrade = began + EVERY / 2;
    let end = began + EVERY * (plan.upgrades + 1);
    while Instant::now() < end || done < plan.upgrades {
        let now = Instant::now();
        while began + interval * u32::try_from(sent)? <= now {
            // Its senders are the first members of the rooms, one after the other.
            let (room, number) = (usize::try_from(sent)? % rooms, sent / rooms as u64 + 1);
            let micros = began.elapsed().as_micros();
            load.send(
                room,
                &format!(
                    "{{\"op\":\"send\",\"id\":{number},\"room\":\"r{room}\",\"text\":\"{micros}\"}}"
                ),
            );
            sent += 1;
        }
        heard.take(&mut load, (began, rooms), now + interval.min(PAUSE))?;
        if upgrade.as_ref().is_some_and(JoinHandle::is_finished) {
            let ended = upgrade.take().ok_or("an upgrade")?.join();
            pid = ended.map_err(|_panic| "the upgrade panicked")??;
            done += 1;
        } else if upgrade.is_none() && done < plan.upgrades && now >= next_upgrade {
            next_upgrade = now + EVERY;
            let setup = setup.clone();
            upgrade = Some(thread::spawn(move || replace(&setup)));
        }
    }
    heard.wait_until_settled(&mut load, (began, rooms), sent)?;
    let missing = rooms_missing(&heard.answered, sent, rooms);
    load.leave();
    stop(pid)?;
    setup.assert_no_panic()?;
    setup.verify()?;
    println!(
        "  {} connections, {} upgrades: {sent} messages, {} deliveries, none lost, none doubled, nobody cut off",
        plan.connections, done, heard.deliveries
    );
    println!(
        "  longest silence {} ms, slowest delivery {} ms (p50 {:.1} ms, p99 {:.1} ms)",
        heard.silence.as_millis(),
        heard.slowest.as_millis(),
        heard.latencies.percentile(50),
        heard.latencies.percentile(99)
    );
    if missing > 0 {
        return Err(format!("{missing} messages were not answered").into());
    }
    if heard.silence > Duration::from_millis(plan.silence_ms_max) {
        return Err(format!("more than {} ms of silence", plan.silence_ms_max).into());
    }
    Ok(())
}

/// Has all clients come in and join their rooms, half of them over WebSocket.
fn enter(load: &mut Load, server: &Server, (count, rooms): (usize, usize)) -> Outcome<()> {
    let halves = [(Framing::WebSocket, server.http), (Framing::Lines, server.tcp)];
    let mut entered = 0;
    for (half, (framing, at)) in halves.into_iter().enumerate() {
        let first = entered;
        let count = if half == 0 { count / 2 } else { count - entered };
        entered += count;
        let deadline = Instant::now() + PATIENCE;
        let requests = |client: usize| {
            let room = client % rooms;
            vec![
                format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"m{client}\"}}"),
                format!("{{\"op\":\"join\",\"id\":2,\"room\":\"r{room}\"}}"),
            ]
        };
        debug_assert!(first <= entered, "each client is one of a half");
        load.enter(Entry { count, framing, at, deadline }, requests, |_, _| Ok(()))?;
    }
    Ok(())
}

/// Replaces the process; the number of the new one.
fn replace(setup: &Setup) -> Outcome<u32> {
    let (status, said) = setup.command(&["upgrade"])?;
    if !status.success() {
        return Err(format!("not upgraded: {said}").into());
    }
    print!("  {said}");
    let pid = said.split("process ").nth(1).and_then(|rest| rest.split(' ').next());
    Ok(pid.ok_or("no number of a process")?.parse()?)
}

/// Messages of the rooms that were not answered.
fn rooms_missing(answered: &[u64], sent: u64, rooms: usize) -> u64 {
    let rooms = rooms as u64;
    let due = |room: u64| sent / rooms + u64::from(sent % rooms > room);
    (0..).zip(answered).map(|(room, &answered)| due(room) - answered).sum()
}

impl Heard {
    fn take(
        &mut self,
        load: &mut Load,
        (began, rooms): (Instant, usize),
        deadline: Instant,
    ) -> Outcome<()> {
        load.turn(deadline, |client, text, _| {
            let now = Instant::now();
            self.receive((client, client % rooms), text, (began, now))
        })
    }

    fn receive(
        &mut self,
        (client, room): (usize, usize),
        text: &str,
        (began, now): (Instant, Instant),
    ) -> Outcome<()> {
        let is_message = text.starts_with("{\"ev\":\"message\"");
        let is_answer = text.starts_with("{\"id\":");
        if !is_message && !is_answer {
            let is_harmless = text.starts_with("{\"ev\":\"presence\"");
            return if is_harmless { Ok(()) } else { Err(format!("{client} heard {text}").into()) };
        }
        let seq = number(text, "\"seq\":").ok_or_else(|| format!("{client} heard {text}"))?;
        let place = self.seqs.get_mut(client).ok_or("a client")?;
        if seq != *place + 1 {
            return Err(format!("client {client} heard {seq} after {place}: {text}").into());
        }
        *place = seq;
        if let Some(last) = self.last.replace(now) {
            self.silence = self.silence.max(now.duration_since(last));
        }
        if is_answer {
            let id = number(text, "\"id\":").ok_or("an id")?;
            let answered = self.answered.get_mut(room).ok_or("a room")?;
            if id != *answered + 1 {
                return Err(format!("answer {id} after {answered} in room {room}").into());
            }
            *answered = id;
            return Ok(());
        }
        let sent = number(text, "\"text\":\"").ok_or("a time")?;
        let took = now.duration_since(began).saturating_sub(Duration::from_micros(sent));
        self.latencies.add(took);
        self.slowest = self.slowest.max(took);
        self.deliveries += 1;
        Ok(())
    }

    /// Waits for the last messages.
    fn wait_until_settled(
        &mut self,
        load: &mut Load,
        (began, rooms): (Instant, usize),
        sent: u64,
    ) -> Outcome<()> {
        // Nobody says anything any more: that is no silence.
        let (silence, deadline) = (self.silence, Instant::now() + PATIENCE);
        let due = |client: usize| {
            let (room, rooms) = ((client % rooms) as u64, rooms as u64);
            sent / rooms + u64::from(sent % rooms > room)
        };
        while (0..).zip(&self.seqs).any(|(client, &seq)| seq < due(client)) {
            if Instant::now() > deadline {
                let late = (0..).zip(&self.seqs).filter(|&(client, &seq)| seq < due(client));
                return Err(format!("{} clients have not heard everything", late.count()).into());
            }
            self.take(load, (began, rooms), Instant::now() + PAUSE)?;
        }
        self.silence = silence;
        Ok(())
    }
}

/// The number after the first of these words.
fn number(text: &str, word: &str) -> Option<u64> {
    let (_, rest) = text.split_once(word)?;
    let end = rest.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// Stops a process that is nobody's child any more.
fn stop(pid: u32) -> Outcome<()> {
    let pid = Pid::from_raw(i32::try_from(pid)?).ok_or("a process")?;
    kill_process(pid, Signal::TERM)?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while test_kill_process(pid).is_ok() && !is_zombie(pid) {
        if Instant::now() > deadline {
            kill_process(pid, Signal::KILL)?;
            return Err("it does not stop".into());
        }
        thread::park_timeout(Duration::from_millis(2));
    }
    Ok(())
}

fn is_zombie(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    stat.is_ok_and(|stat| stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
}
