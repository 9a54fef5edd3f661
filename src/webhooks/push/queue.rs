//! What waits to be sent to devices, and when.
//!
//! For each device and room the last message only: a conversation is one notice. A device is sent
//! one push in [`SPACING`] at the most; one whose service fails waits longer after each attempt, as
//! webhooks do, with all that waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::chat::model::name::RoomName;
use crate::chat::model::push::{Push, PushOrder};
use crate::time::Tick;
use crate::webhooks::schedule;

/// Pushes that wait, of all devices together: some 4 MB. With one more, the device that has waited
/// longest loses what waits for it.
pub const PUSHES_WAITING_MAX: usize = 8_192;
/// Between two pushes to one device: ten messages in a row are one notice or two.
const SPACING: Duration = Duration::from_secs(2);
/// After so many failures in a row, over some half an hour, what waits for a device is given up ...
pub const FAILURES_MAX: u32 = 12;
/// ... and after so many times without one success between them, the device.
pub const GIVEN_UP_MAX: u32 = 10;

/// What waits for one device.
#[derive(Debug, Default)]
struct Device {
    waiting: BTreeMap<RoomName, Push>,
    next_at: Tick,
    failures: u32,
    given_up: u32,
}

/// What becomes of what could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// It is sent again.
    Again,
    /// What waits for the device is given up: so much.
    GivenUp(usize),
    /// The device is given up, with what waits for it.
    Ended(usize),
}

/// All that waits.
///
/// Invariant: `count` is the sum of what waits for each device, and at most [`PUSHES_WAITING_MAX`].
#[derive(Debug, Default)]
pub struct Queue {
    devices: BTreeMap<u64, Device>,
    count: usize,
}

impl Queue {
    /// Takes an order; how many pushes are lost by it.
    pub fn take(&mut self, order: PushOrder) -> usize {
        match order {
            PushOrder::Send(push) => return self.push(push),
            PushOrder::End(id) => _ = self.end(id),
            PushOrder::Forget => *self = Self::default(),
            PushOrder::Read(user, room, read) => {
                for device in self.devices.values_mut() {
                    let is_read = |push: &Push| push.to.user == user && push.seq <= read;
                    if device.waiting.get(&room).is_some_and(is_read) {
                        device.waiting.remove(&room);
                        self.count -= 1;
                    }
                }
            }
        }
        0
    }

    fn push(&mut self, mut push: Push) -> usize {
        let device = self.devices.entry(push.to.id).or_default();
        match device.waiting.remove(&push.room) {
            // What the earlier one was to say besides is not lost with it.
            Some(earlier) => push.read.extend(earlier.read),
            None => self.count += 1,
        }
        device.waiting.insert(push.room.clone(), push);
        if self.count <= PUSHES_WAITING_MAX {
            return 0;
        }
        let waiting = self.devices.iter().filter(|(_, device)| !device.waiting.is_empty());
        let oldest = waiting.min_by_key(|(_, device)| device.next_at).map(|(id, _)| *id);
        oldest.map_or(0, |id| self.clear(id))
    }

    /// The next push that is due, which is then not in the queue any more.
    pub fn next(&mut self, now: Tick) -> Option<Push> {
        let due = self.devices.values_mut().filter(|device| device.next_at <= now);
        let device = due.filter(|device| !device.waiting.is_empty()).min_by_key(|d| d.next_at)?;
        let (_, push) = device.waiting.pop_first()?;
        // Before it is sent: however that ends, the next one waits.
        device.next_at = now.after(SPACING);
        self.count -= 1;
        Some(push)
    }

    /// When the next one is due.
    #[must_use]
    pub fn due(&self) -> Option<Tick> {
        let waiting = self.devices.values().filter(|device| !device.waiting.is_empty());
        waiting.map(|device| device.next_at).min()
    }

    /// Devices without anything that waits, and without failures, are forgotten when they may be
    /// sent the next one.
    pub fn forget_idle(&mut self, now: Tick) {
        self.devices.retain(|_, device| {
            !device.waiting.is_empty()
                || device.next_at > now
                || device.failures + device.given_up > 0
        });
    }

    /// The device has taken a push.
    pub fn succeeded(&mut self, id: u64) {
        if let Some(device) = self.devices.get_mut(&id) {
            (device.failures, device.given_up) = (0, 0);
        }
    }

    /// A push could not be sent, after which its service asks to wait for so long.
    pub fn failed(&mut self, push: Push, retry_in: Option<Duration>, now: Tick) -> Failed {
        let id = push.to.id;
        let device = self.devices.entry(id).or_default();
        device.failures += 1;
        // By the device's number and not by chance: devices of one service that was down do not all
        // come back at once, and a test gets the same waits each time.
        let spread = u32::try_from(id % 100).unwrap_or(0);
        device.next_at = now.after(schedule::wait(device.failures, retry_in, spread));
        if device.failures < FAILURES_MAX {
            // A later message of the room says all that this one does.
            device.waiting.entry(push.room.clone()).or_insert_with(|| {
                self.count += 1;
                push
            });
            return Failed::Again;
        }
        (device.failures, device.given_up) = (0, device.given_up + 1);
        let is_over = device.given_up >= GIVEN_UP_MAX;
        let lost = self.clear(id) + 1;
        if is_over {
            self.devices.remove(&id);
            return Failed::Ended(lost);
        }
        Failed::GivenUp(lost)
    }

    /// A service does not take a push, and will not take it later either.
    pub fn refused(&mut self, id: u64) -> Failed {
        let device = self.devices.entry(id).or_default();
        device.given_up += 1;
        if device.given_up < GIVEN_UP_MAX {
            return Failed::GivenUp(1);
        }
        Failed::Ended(self.end(id) + 1)
    }

    /// The device is told nothing any more: how much was to be sent to it.
    pub fn end(&mut self, id: u64) -> usize {
        let lost = self.clear(id);
        self.devices.remove(&id);
        lost
    }

    fn clear(&mut self, id: u64) -> usize {
        let lost = self.devices.get_mut(&id).map_or(0, |device| {
            let lost = device.waiting.len();
            device.waiting.clear();
            lost
        });
        self.count -= lost;
        lost
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::chat::model::name::UserName;
    use crate::chat::model::push::{PushReason, PushSubscription};

    fn user() -> UserName {
        UserName::parse("ann").unwrap()
    }

    fn room(name: &str) -> RoomName {
        RoomName::parse(name).unwrap()
    }

    fn push(id: u64, name: &str, seq: u64) -> Push {
        let to = PushSubscription {
            id,
            user: user(),
            login: None,
            endpoint: "https://push.example/".into(),
            key: [4; 65],
            secret: [7; 16],
            agent: "".into(),
            at: 0,
        };
        Push {
            to: Arc::new(to),
            room: room(name),
            seq,
            from: UserName::parse("bob").unwrap(),
            why: PushReason::Direct,
            unread: seq,
            text: None,
            read: vec![(room("x"), seq)],
        }
    }

    fn at(ms: u64) -> Tick {
        Tick::ZERO.after(Duration::from_millis(ms))
    }

    fn next(queue: &mut Queue, ms: u64) -> Option<(u64, String, u64)> {
        let push = queue.next(at(ms))?;
        Some((push.to.id, push.room.as_str().to_owned(), push.seq))
    }

    #[test]
    fn of_each_room_the_last_message_is_sent_and_a_device_has_a_pause() {
        let mut queue = Queue::default();
        for (id, name, seq) in [(1, "a", 1), (1, "a", 2), (1, "b", 7), (2, "a", 2)] {
            assert_eq!(queue.take(PushOrder::Send(push(id, name, seq))), 0);
        }
        assert_eq!(queue.len(), 3);
        let first = queue.next(at(0)).unwrap();
        assert_eq!((first.seq, first.read), (2, vec![(room("x"), 2), (room("x"), 1)]));
        assert_eq!(next(&mut queue, 0), Some((2, "a".to_owned(), 2)), "another device");
        assert_eq!(next(&mut queue, 1_999), None);
        assert_eq!(queue.due(), Some(at(2_000)));
        assert_eq!(next(&mut queue, 2_000), Some((1, "b".to_owned(), 7)));
        assert!(queue.is_empty());
        queue.forget_idle(at(3_999));
        assert_eq!(queue.devices.len(), 1);
        queue.forget_idle(at(4_000));
        assert!(queue.devices.is_empty());
    }

    #[test]
    fn what_was_read_is_not_sent() {
        let mut queue = Queue::default();
        for (id, name, seq) in [(1, "a", 5), (2, "a", 5), (1, "b", 9)] {
            queue.take(PushOrder::Send(push(id, name, seq)));
        }
        queue.take(PushOrder::Read(user(), room("a"), 4));
        assert_eq!(queue.len(), 3, "not this far");
        queue.take(PushOrder::Read(user(), room("a"), 5));
        assert_eq!(next(&mut queue, 0), Some((1, "b".to_owned(), 9)));
        queue.take(PushOrder::Send(push(2, "c", 1)));
        queue.take(PushOrder::End(2));
        assert_eq!((next(&mut queue, 60_000), queue.len()), (None, 0));
    }

    #[test]
    fn a_device_that_fails_waits_longer_and_is_given_up_in_the_end() {
        let mut queue = Queue::default();
        queue.take(PushOrder::Send(push(100, "a", 1)));
        let (mut now, mut waits, mut outcomes) = (0, Vec::new(), Vec::new());
        for round in 0..GIVEN_UP_MAX * FAILURES_MAX {
            if queue.is_empty() {
                queue.take(PushOrder::Send(push(100, "a", u64::from(round))));
            }
            now += 400_000;
            let push = queue.next(at(now)).unwrap();
            let retry_in = (round == 1).then_some(Duration::from_secs(90));
            let outcome = queue.failed(push, retry_in, at(now));
            if outcome == Failed::Again && round < 4 {
                waits.push(queue.due().unwrap().since(at(now)).as_secs());
            } else if outcome != Failed::Again {
                outcomes.push(outcome);
            }
        }
        assert_eq!(waits, [1, 90, 4, 8], "Retry-After is honoured");
        assert_eq!(outcomes.len(), 10);
        assert_eq!(outcomes.pop(), Some(Failed::Ended(1)));
        assert!(outcomes.iter().all(|outcome| *outcome == Failed::GivenUp(1)));
        assert!(queue.devices.is_empty());
    }

    #[test]
    fn one_success_forgives_all_failures() {
        let mut queue = Queue::default();
        for round in 0..3 * GIVEN_UP_MAX * FAILURES_MAX {
            let outcome = queue.failed(push(1, "a", 1), None, at(0));
            assert!(!matches!(outcome, Failed::Ended(_)), "{round}");
            if round % (FAILURES_MAX * 3) == 0 {
                queue.succeeded(1);
            }
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut queue = Queue::default();
        for id in 0..10_000 {
            queue.take(PushOrder::Send(push(id, "a", 1)));
            assert!(queue.len() <= PUSHES_WAITING_MAX);
        }
        assert_eq!(queue.len(), PUSHES_WAITING_MAX);
    }
}
