//! The driver between a link and a reactor, neither of which is there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::channel;

use bytes::Bytes;

use super::driver::{Driven, Driver};
use crate::cluster::link::{Hop, Lane, LinkEffect, LinkInput};
use crate::net::{ConnId, Effect, Effects};
use crate::pg::TLS_REQUEST;
use crate::time::Tick;
use crate::time::clock::Now;
use crate::tls;

/// A link that asks for what it is told to, and writes down what it is given.
#[derive(Debug, Default)]
struct Fake {
    wants: VecDeque<LinkEffect>,
    given: Vec<String>,
}

impl Driven for Fake {
    fn handle(&mut self, _: Now, input: LinkInput<'_>) {
        self.given.push(match input {
            LinkInput::Connected { hop, is_private } => {
                format!("{} connected, private: {is_private}", hop.life)
            }
            LinkInput::Failed { hop, why } => format!("{} failed: {why}", hop.life),
            LinkInput::Received { hop, bytes } => {
                format!("{} received {}", hop.life, String::from_utf8_lossy(bytes))
            }
            LinkInput::Closed { hop } => format!("{} closed", hop.life),
            LinkInput::Expired => "expired".to_owned(),
        });
    }

    fn go_on(&mut self, _: Now) {}

    fn poll_effect(&mut self) -> Option<LinkEffect> {
        self.wants.pop_front()
    }
}

/// A driver with its link, and what the reactor was asked for.
struct Harness {
    driver: Driver,
    link: Fake,
    effects: Effects,
    now: Now,
}

const fn hop(life: u32) -> Hop {
    Hop { lane: Lane::Writer, life }
}

fn conn(slot: usize) -> ConnId {
    ConnId::new(slot, 1).unwrap()
}

impl Harness {
    fn new(address: &str) -> Self {
        Self::with(address, None, Arc::new(|| {}))
    }

    fn with(address: &str, roots: Option<&str>, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let tls = roots.map(|roots| tls::client_config(roots.as_bytes()).unwrap());
        let driver = Driver::new(&address.parse().unwrap(), tls, wake).unwrap();
        let now = Now { tick: Tick::from_millis(1_000), wall_ms: 0 };
        Self { driver, link: Fake::default(), effects: Effects::new(), now }
    }

    fn want(&mut self, wants: impl IntoIterator<Item = LinkEffect>) {
        self.link.wants.extend(wants);
        self.driver.drive(self.now, &mut self.link, &mut self.effects);
    }

    fn connect(&mut self, life: u32, host: usize) {
        let deadline = Tick::from_millis(3_000);
        self.want([LinkEffect::Connect { hop: hop(life), host, deadline }]);
    }

    fn connected(&mut self, conn: ConnId, tag: u64) {
        self.driver.on_connected(self.now, (conn, tag), &mut self.link, &mut self.effects);
    }

    fn unreachable(&mut self, tag: u64) {
        let why = "no connection: no process listens there".to_owned();
        self.driver.on_unreachable(self.now, (tag, why), &mut self.link, &mut self.effects);
    }

    fn received(&mut self, conn: ConnId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        let input = (conn, &mut *bytes);
        self.driver.on_received(self.now, input, &mut self.link, &mut self.effects);
    }

    fn expire(&mut self, millis: u64) {
        self.now.tick = Tick::from_millis(millis);
        self.driver.expire(self.now, &mut self.link, &mut self.effects);
    }

    /// What the reactor was asked for since, each in a few words.
    fn take_effects(&mut self) -> Vec<String> {
        let words = |effect| match effect {
            Effect::Connect(connect) => {
                format!(
                    "connect {} to {} by {}",
                    connect.tag,
                    connect.peer,
                    connect.deadline.as_millis()
                )
            }
            Effect::Send { conn, frame } => {
                format!("send {} {}", conn.slot(), String::from_utf8_lossy(&frame))
            }
            Effect::Close { conn, .. } => format!("close {}", conn.slot()),
            Effect::OutboundMax { .. } => "more room".to_owned(),
            other => format!("{other:?}"),
        };
        self.effects.drain(..).map(words).collect()
    }

    #[track_caller]
    fn check(&mut self, effects: &[&str], given: &[&str]) {
        assert_eq!(self.take_effects(), effects);
        assert_eq!(std::mem::take(&mut self.link.given), given);
    }
}

#[test]
fn bytes_go_both_ways_and_those_of_one_turn_leave_together() {
    let mut test = Harness::new("postgres://chat@127.0.0.1,[::1]:5433/chat");
    test.connect(1, 0);
    test.connect(2, 1);
    test.check(&["connect 1 to 127.0.0.1:5432 by 3000", "connect 2 to [::1]:5433 by 3000"], &[]);
    test.connected(conn(7), 2);
    test.connected(conn(8), 1);
    let connected = ["2 connected, private: true", "1 connected, private: true"];
    test.check(&["more room", "more room"], &connected);
    let send =
        |life, text: &'static str| LinkEffect::Send { hop: hop(life), bytes: Bytes::from(text) };
    test.want([send(1, "a"), send(1, "b"), send(2, "c"), send(1, "d"), send(9, "nobody's")]);
    test.check(&["send 8 ab", "send 7 c", "send 8 d"], &[]);
    test.received(conn(7), b"answer");
    assert!(test.driver.owns(conn(7)) && !test.driver.owns(conn(9)));
    test.want([send(2, "bye"), LinkEffect::Close { hop: hop(2) }]);
    test.check(&["send 7 bye", "close 7"], &["2 received answer"]);
    test.driver.on_ended(test.now, conn(8), &mut test.link, &mut test.effects);
    test.check(&["close 8"], &["1 closed"]);
    assert!(!test.driver.owns(conn(7)) && !test.driver.owns(conn(8)));
}

#[test]
fn a_connection_that_cannot_be_made_or_is_late_is_told_once() {
    let mut test = Harness::new("postgres://chat@127.0.0.1/chat");
    test.connect(1, 0);
    test.unreachable(1);
    test.unreachable(1);
    let refused = "1 failed: no connection: no process listens there";
    test.check(&["connect 1 to 127.0.0.1:5432 by 3000"], &[refused]);
    test.connect(2, 0);
    assert_eq!(test.driver.deadline(), Tick::from_millis(3_000));
    test.expire(2_999);
    test.check(&["connect 2 to 127.0.0.1:5432 by 3000"], &[]);
    test.expire(3_000);
    // It comes after all, and nobody needs it any more.
    test.connected(conn(3), 2);
    test.check(&["close 3"], &["2 failed: no answer in time"]);
    assert_eq!(test.driver.deadline(), Tick::MAX);
    test.connect(3, 5);
    test.check(&[], &["3 failed: there is no such host"]);
}

#[test]
fn all_addresses_of_a_name_are_tried_within_the_time_there_is() {
    let (wake, woken) = channel();
    let wake = Arc::new(move || _ = wake.send(()));
    let mut test = Harness::with("postgres://chat@localhost/chat", None, wake);
    test.connect(1, 0);
    test.check(&[], &[]);
    woken.recv().unwrap();
    test.driver.on_resolved(test.now, &mut test.link, &mut test.effects);
    let mut tried = 0;
    while test.link.given.is_empty() {
        assert_eq!(test.take_effects().len(), 1, "one after the other");
        tried += 1;
        test.unreachable(1);
    }
    assert!(tried > 0);
    test.check(&[], &["1 failed: no connection: no process listens there"]);
}

#[test]
fn an_engine_that_has_to_be_encrypted_and_is_not_is_refused() {
    let roots = rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap().cert.pem();
    let address = "postgres://chat@127.0.0.1/chat?sslmode=verify-full";
    let request = format!("send 4 {}", String::from_utf8_lossy(&TLS_REQUEST));
    for (answer, expect) in
        [(&b"N"[..], "1 failed: it does not speak TLS"), (b"SS", "1 failed: it answers otherwise")]
    {
        let mut test = Harness::with(address, Some(&roots), Arc::new(|| {}));
        test.connect(1, 0);
        test.connected(conn(4), 1);
        assert_eq!(test.take_effects().last(), Some(&request));
        // What would be sent in clear is not sent.
        test.want([LinkEffect::Send { hop: hop(1), bytes: Bytes::from("secret") }]);
        test.received(conn(4), answer);
        assert_eq!(test.take_effects(), ["close 4"]);
        assert!(test.link.given[0].starts_with(expect), "{:?}", test.link.given);
        assert_eq!(test.link.given.len(), 1);
    }
    let mut test = Harness::with(address, Some(&roots), Arc::new(|| {}));
    test.connect(1, 0);
    test.connected(conn(4), 1);
    test.received(conn(4), b"S");
    test.expire(3_000);
    let late = "1 failed: no answer to the TLS handshake in time: is that a PostgreSQL server?";
    assert_eq!(test.link.given, [late]);
}
