//! A bus of a few lines, which can be wrong in each way; and what a link does with it.

use std::collections::{BTreeMap, VecDeque};

use super::super::frame::{self, FrameWriter, Item};
use super::super::{Hop, Lane};
use super::engine::Engine;
use super::world::World;
use crate::chat::model::other_nodes::NodeId;
use crate::resp::{Decoder, Value};

/// A Valkey that is of the world. All of it may change at any time.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is another way to be wrong")]
pub(super) struct Bus {
    /// Nobody listens at its port.
    pub(super) refuses: bool,
    /// It takes bytes, and does nothing: it is paused.
    pub(super) hangs: bool,
    /// It answers, and tells nobody.
    pub(super) is_deaf: bool,
    /// Its answer to a login.
    pub(super) refusal: Option<&'static str>,
    sessions: BTreeMap<Hop, Decoder>,
    channel: Option<Vec<u8>>,
    /// What it says.
    said: VecDeque<(Hop, Vec<u8>)>,
    /// What was published.
    pub(super) published: Vec<Vec<Item>>,
}

fn text(value: &Value) -> Vec<u8> {
    match value {
        Value::Text(text) => text.to_vec(),
        other => panic!("{other:?}"),
    }
}

impl Bus {
    pub(super) fn connect(&mut self, hop: Hop) {
        self.sessions.insert(hop, Decoder::default());
    }

    pub(super) fn close(&mut self, hop: Hop) {
        self.sessions.remove(&hop);
    }

    pub(super) fn open(&self) -> Vec<Hop> {
        self.sessions.keys().copied().collect()
    }

    pub(super) fn receive(&mut self, hop: Hop, bytes: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&hop) {
            session.push(bytes);
        }
    }

    pub(super) fn poll(&mut self) -> Option<(Hop, Vec<u8>)> {
        if self.hangs {
            return None;
        }
        for hop in self.open() {
            while let Some(command) =
                self.sessions.get_mut(&hop).and_then(|session| session.poll().unwrap())
            {
                self.obey(hop, command);
            }
        }
        self.said.pop_front()
    }

    fn obey(&mut self, hop: Hop, command: Value) {
        let Value::List(parts) = command else { panic!("{command:?}") };
        let parts = parts.iter().map(text).collect::<Vec<_>>();
        let answer = match &*parts[0] {
            b"HELLO" => match self.refusal {
                Some(words) => format!("-{words}\r\n").into_bytes(),
                None => b"%2\r\n+server\r\n+valkey\r\n+version\r\n+8.1.1\r\n".to_vec(),
            },
            b"SUBSCRIBE" => {
                self.channel = Some(parts[1].clone());
                push(&[b"subscribe", &parts[1]], b":1\r\n")
            }
            b"PUBLISH" => {
                assert_eq!(Some(&parts[1]), self.channel.as_ref());
                self.published.push(frame::read_bytes(parts[2].clone().into()).unwrap().items);
                self.tell(&parts[2]);
                b":1\r\n".to_vec()
            }
            other => panic!("{other:?}"),
        };
        self.said.push_back((hop, answer));
    }

    /// Somebody has published this.
    pub(super) fn tell(&mut self, payload: &[u8]) {
        let Some(channel) = self.channel.as_ref().filter(|_| !self.is_deaf) else { return };
        let message = push(&[b"message", channel, payload], b"");
        for hop in self.open() {
            self.said.push_back((hop, message.clone()));
        }
    }
}

fn push(texts: &[&[u8]], rest: &[u8]) -> Vec<u8> {
    let count = texts.len() + usize::from(!rest.is_empty());
    let mut bytes = format!(">{count}\r\n").into_bytes();
    for text in texts {
        bytes.extend(format!("${}\r\n", text.len()).as_bytes());
        bytes.extend_from_slice(text);
        bytes.extend(b"\r\n");
    }
    bytes.extend(rest);
    bytes
}

/// Node 8 publishes on the bus.
fn published(world: &mut World, write: impl Fn(&mut FrameWriter)) {
    let mut frame = FrameWriter::new(NodeId(8), 1);
    write(&mut frame);
    world.bus.tell(&frame.into_bytes());
    world.run();
}

/// Node 8 says by the engine whether it hears its bus.
fn says(world: &mut World, is_heard: Option<bool>) {
    let mut frame = FrameWriter::new(NodeId(8), 1);
    frame.beat();
    if let Some(is_heard) = is_heard {
        frame.bus(is_heard);
    }
    world.engines[0].notify(&frame.payload());
    world.run();
}

/// What we have published since, but for beats and greetings.
fn carried(world: &mut World) -> Vec<Item> {
    let is_carried = |item: &Item| matches!(item, Item::Grew(_) | Item::Message(_));
    std::mem::take(&mut world.bus.published).concat().into_iter().filter(is_carried).collect()
}

/// What the engine has told of us since.
fn told(world: &mut World) -> Vec<Item> {
    let payloads = std::mem::take(&mut world.engines[0].told);
    payloads.iter().flat_map(|payload| frame::read(payload).unwrap().items).collect()
}

fn message(text: &'static str) -> Item {
    Item::Message(text.into())
}

/// A link that is up with a bus, and node 8 beside it, which hears the bus, too.
fn up() -> World {
    let engine = Engine { nodes: vec![8], next_node: 20, ..Engine::default() };
    let mut world = World::with_bus(vec![engine]);
    world.wait(10);
    published(&mut world, FrameWriter::hello);
    says(&mut world, Some(true));
    world.events();
    told(&mut world);
    carried(&mut world);
    world
}

/// Whether what is mentioned goes over the bus.
#[track_caller]
fn check_way(world: &mut World, is_carried: bool) {
    told(world);
    carried(world);
    assert!(world.link.mention(b"way"));
    world.wait(20);
    let shown = format!("{:?}", world.link.health());
    let by_engine = told(world).contains(&message("way"));
    let by_bus = carried(world).contains(&message("way"));
    assert_eq!((by_engine, by_bus), (!is_carried, is_carried), "{shown}");
}

#[test]
fn what_may_be_lost_goes_over_the_bus_and_what_must_not_be_does_not() {
    let mut world = up();
    let health = world.link.health().bus.unwrap();
    assert_eq!((health.is_up, health.is_used, &*health.server), (true, true, "valkey 8.1.1"));
    assert!(world.link.mention(b"typing") && world.link.tell(b"look"));
    world.wait(10);
    assert_eq!(
        (told(&mut world), carried(&mut world)),
        (vec![message("look")], vec![message("typing")])
    );
    published(&mut world, |frame| {
        frame.grew([3, 9].into_iter());
        frame.message(b"hi");
    });
    assert_eq!(world.events(), ["grew [3, 9]", "8 tells b\"hi\""]);
    // What is none of this program's.
    world.bus.tell(b"hello");
    world.run();
    assert_eq!(world.events(), [""; 0]);
}

#[test]
fn rooms_are_told_over_the_bus_once_the_append_is_answered() {
    let mut world = up();
    world.engines[0].hold_writes(true);
    world.ask(Lane::Writer, 1, "append").unwrap();
    world.link.grew([7]);
    world.wait(20);
    assert_eq!((carried(&mut world), world.events()), (vec![], vec![]));
    world.engines[0].hold_writes(false);
    world.wait(1);
    assert_eq!(world.events(), ["1: 1 rows"]);
    assert_eq!((carried(&mut world), told(&mut world)), (vec![Item::Grew(vec![7])], vec![]));
}

#[test]
fn the_engine_carries_everything_until_all_nodes_hear_the_bus() {
    let engine = Engine { nodes: vec![8], next_node: 20, ..Engine::default() };
    let mut world = World::with_bus(vec![engine]);
    world.wait(10);
    check_way(&mut world, false);
    // It says that it hears one, but perhaps another one.
    says(&mut world, Some(true));
    check_way(&mut world, false);
    published(&mut world, FrameWriter::beat);
    check_way(&mut world, true);
    // Its own is away.
    says(&mut world, Some(false));
    check_way(&mut world, false);
    published(&mut world, FrameWriter::beat);
    check_way(&mut world, true);
    // It is heard no more.
    world.wait(5_100);
    check_way(&mut world, false);
    // A node that has none has come.
    published(&mut world, FrameWriter::beat);
    world.engines[0].nodes = vec![8, 9];
    world.wait(2_100);
    check_way(&mut world, false);
}

#[test]
fn nodes_that_are_set_up_otherwise_are_told_of() {
    for (own, says_it, expect) in [
        (true, None, "has no bus"),
        (true, Some(true), "has another bus"),
        (false, Some(true), "has a bus, and this node has none"),
    ] {
        let engine = Engine { nodes: vec![8], next_node: 20, ..Engine::default() };
        let engines = vec![engine];
        let mut world = if own { World::with_bus(engines) } else { World::new(engines) };
        for _ in 0..4 {
            says(&mut world, says_it);
            world.wait(1_500);
        }
        let apart = world.link.health().apart;
        assert!(apart.len() == 1 && apart[0].contains(expect), "{own} {apart:?}");
    }
    assert_eq!(up().link.health().apart, [""; 0]);
}

#[test]
fn what_has_not_come_back_from_a_bus_that_hangs_is_told_by_the_engine() {
    let mut world = up();
    world.wait(5_000);
    published(&mut world, FrameWriter::beat);
    world.events();
    told(&mut world);
    world.bus.hangs = true;
    assert!(world.link.mention(b"one"));
    world.wait(499);
    assert_eq!(told(&mut world).iter().filter(|it| **it == message("one")).count(), 0);
    assert!(world.link.mention(b"two"));
    world.wait(10);
    let items = told(&mut world);
    let messages = items.iter().filter(|it| matches!(it, Item::Message(_)));
    assert_eq!(messages.cloned().collect::<Vec<_>>(), [message("one"), message("two")]);
    // The others are to tell anew what we have not heard, and not to use the bus.
    assert!(items.contains(&Item::Hello) && items.contains(&Item::Bus(false)), "{items:?}");
    let events = world.events();
    assert!(events.ends_with(&["missed".into(), "8 begins".into()]), "{events:?}");
    let health = world.link.health().bus.unwrap();
    assert!(health.fault.unwrap().contains("does its server hang"));
    check_way(&mut world, false);
    world.bus.hangs = false;
    world.wait(5_000);
    assert!(told(&mut world).contains(&Item::Bus(true)));
    published(&mut world, FrameWriter::beat);
    check_way(&mut world, true);
    assert_eq!(world.link.health().bus.unwrap().losses, 1);
}

#[test]
fn a_bus_that_is_gone_is_tried_again_with_growing_pauses() {
    let mut world = up();
    world.bus.refuses = true;
    world.break_bus();
    world.wait(30_000);
    let tries = std::mem::take(&mut world.bus_attempts);
    assert!((8..=16).contains(&tries.len()), "{tries:?}");
    assert!(tries.windows(2).all(|pair| pair[1] - pair[0] >= 187), "{tries:?}");
    let fault = world.link.health().bus.unwrap().fault.unwrap();
    assert_eq!(fault, "connection refused");
    world.bus.refuses = false;
    world.wait(4_100);
    assert!(world.link.health().bus.unwrap().is_up);
    // The engine was there all the time.
    assert!(
        world.events().iter().all(|event| event != "slow"),
        "nothing of it concerns the engine"
    );
}

#[test]
fn a_bus_that_refuses_us_or_tells_nobody_is_said_to_and_is_of_no_use() {
    for (refusal, is_deaf, expect) in [
        (
            Some("WRONGPASS invalid username-password pair"),
            false,
            "the password in the bus's address is wrong",
        ),
        (Some("NOAUTH HELLO must be called"), false, "it asks for a password"),
        (Some("ERR unknown command `HELLO`"), false, "Redis 6 or later"),
        (None, true, "is not heard"),
    ] {
        let engine = Engine { nodes: vec![8], next_node: 20, ..Engine::default() };
        let mut world = World::with_bus(vec![engine]);
        world.bus.refusal = refusal;
        world.bus.is_deaf = is_deaf;
        world.break_bus();
        world.wait(3_000);
        published(&mut world, FrameWriter::beat);
        let health = world.link.health().bus.unwrap();
        assert!(!health.is_up);
        assert!(health.fault.as_ref().unwrap().contains(expect), "{health:?}");
        check_way(&mut world, false);
    }
}

#[test]
fn what_went_another_way_is_told_once_more_later() {
    let mut world = up();
    says(&mut world, Some(false));
    world.wait(4_900);
    assert_eq!(world.events(), [""; 0]);
    world.wait(200);
    assert_eq!(world.events(), ["8 begins"]);
}

#[test]
fn a_bus_stays_when_the_engine_is_lost_and_found_again() {
    let mut world = up();
    let before = world.bus.open();
    world.break_all(0);
    world.wait(1_000);
    assert_eq!(world.bus.open(), before);
    published(&mut world, FrameWriter::beat);
    check_way(&mut world, true);
}
