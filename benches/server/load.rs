//! Closed-loop workloads: each sender keeps a window of its messages in flight.

use std::time::Duration;

use crate::crowd::Crowd;
use crate::peer::{Peer, Seen, frame};
use crate::report::{Report, ratio};
use crate::{Bench, Outcome};

/// How long it runs before anything is measured.
const WARM_UP_US: u64 = 500_000;

/// Rooms full of members, and who sends what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) rooms: usize,
    pub(crate) members: usize,
    /// Everybody sends, and not only the first member of each room.
    pub(crate) all_send: bool,
    /// Messages of each sender that are on their way.
    pub(crate) window: u64,
    pub(crate) text_len: usize,
}

impl Load {
    /// The room of a connection.
    pub(crate) const fn room_of(&self, index: usize) -> usize {
        index % self.rooms
    }

    /// A message to that room, which comes back to its sender.
    fn message(&self, room: usize) -> Vec<u8> {
        let text = "x".repeat(self.text_len);
        frame(&format!(r#"{{"op":"send","room":"r{room}","text":"{text}","echo":true}}"#))
    }
}

/// What a sender sends, as often as its window is long.
pub(crate) struct Sender {
    batch: Vec<u8>,
    message_len: usize,
}

impl Sender {
    pub(crate) fn new(load: &Load, room: usize) -> Self {
        let message = load.message(room);
        let window = usize::try_from(load.window).unwrap_or(1);
        Self { batch: message.repeat(window), message_len: message.len() }
    }

    /// Sends so many messages in one call.
    pub(crate) fn send(&self, peer: &mut Peer, count: u64) -> Outcome<()> {
        let len = self.message_len * usize::try_from(count)?;
        peer.sent += count;
        peer.write(self.batch.get(..len).ok_or("more came back than was sent")?)
    }
}

/// Runs a load whose rooms are full, and tells the rate and what a delivery costs.
pub(crate) fn run(
    bench: &Bench,
    crowd: &mut Crowd,
    (name, load): (&str, Load),
    report: &mut Report,
) -> Outcome<()> {
    let senders: Vec<Sender> = (0..load.rooms).map(|room| Sender::new(&load, room)).collect();
    let sender_of = |index: usize| {
        let sends = load.all_send || index < load.rooms;
        sends.then(|| senders.get(load.room_of(index))).flatten()
    };
    for (index, peer) in crowd.peers.iter_mut().enumerate() {
        if let Some(sender) = sender_of(index) {
            sender.send(peer, load.window)?;
        }
    }
    let clock = &bench.clock;
    let mut refill = |index: usize, peer: &mut Peer, seen: Seen| match sender_of(index) {
        Some(sender) if seen.own > 0 => sender.send(peer, seen.own),
        _ => Ok(()),
    };
    let mut run_for = |crowd: &mut Crowd, us: u64| -> Outcome<u64> {
        let end = clock.micros() + us;
        let mut deliveries = 0;
        while clock.micros() < end {
            deliveries += crowd.turn(Duration::from_secs(1), &mut refill)?.messages;
        }
        Ok(deliveries)
    };
    run_for(crowd, WARM_UP_US)?;
    let writes = bench.server.writes()?;
    let began = bench.now()?;
    let deliveries = run_for(crowd, bench.seconds * 1_000_000)?;
    let spent = bench.since(began)?;
    let writes = usize::try_from(bench.server.writes()? - writes)?;
    crowd.settle(clock)?;
    let deliveries = usize::try_from(deliveries)?;
    let key = name.to_lowercase();
    let mut add = |what: &str, value: f64, words: &str| {
        report.add(&format!("{key}_{what}"), value, &format!("{name}: {words}"));
    };
    add("per_s", spent.per_second(deliveries), "deliveries a second");
    add("coalesced", ratio(deliveries, writes), "deliveries in one write call");
    add("us", spent.us_each(deliveries), "µs of server CPU for each");
    add("busy", spent.busy(), "% of a core that the server took");
    Ok(())
}
