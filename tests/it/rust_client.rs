//! The project's own client in Rust, against the server.

use std::path::Path;
use std::time::Duration;

use chinwag_client::model::{number, text};
use chinwag_client::{
    Address, Client, Error, Event, Options, Roots, Sent, State, login, offers, register,
};
use rustix::process::Signal;

use crate::support::tls::Certificates;
use crate::support::{Relay, Server, Setup};

/// More than any step of these tests takes.
const PATIENCE: Duration = Duration::from_secs(30);
const PASSWORD: &str = "correct horse battery";

fn named(server: &Server, name: &str) -> Client {
    let url = format!("ws://{}/ws", server.http);
    Client::connect(&url, Options::named(name)).expect("the server takes it")
}

/// The first event that is looked for; those before it are forgotten.
#[track_caller]
fn find<T>(client: &Client, find: impl Fn(Event) -> Option<T>) -> T {
    loop {
        let event = client.next_event_within(PATIENCE).expect("an event");
        if let Some(found) = find(event) {
            return found;
        }
    }
}

#[test]
fn two_clients_in_rust_talk_count_what_is_unread_and_see_each_other_come_and_go() {
    let server = Server::start();
    let ann = named(&server, "ann");
    ann.join("lobby").expect("an open room");
    ann.watch("lobby");
    let bob = named(&server, "bob");
    bob.join("lobby").expect("an open room");
    find(&ann, |event| match event {
        Event::Presence { on, .. } => on.contains(&"bob".to_owned()).then_some(()),
        Event::Changed { room } => {
            let presence = ann.room(&room)?.presence?;
            presence.users?.contains_key("bob").then_some(())
        }
        _ => None,
    });
    let sent = bob.send("lobby", "hi").expect("an answer");
    assert_eq!(sent, Sent { room: "lobby".to_owned(), seq: 1, at: sent.at, dup: false });
    let seq = find(&ann, |event| match event {
        Event::Record { item, .. } if text(&item, "text") == Some("hi") => number(&item, "seq"),
        _ => None,
    });
    assert_eq!(ann.room("lobby").expect("a room").unread, 1);
    ann.read("lobby", seq);
    assert_eq!(ann.room("lobby").expect("a room").unread, 0);

    let direct = bob.open("ann");
    assert_eq!(direct, "@ann:bob");
    bob.send(&direct, "psst").expect("an answer");
    find(&ann, |event| matches!(event, Event::Record { room, .. } if room == direct).then_some(()));

    let refused =
        bob.change("kick", "lobby", chinwag_client::model::fields([("user", "ann".into())]));
    let Error { code, .. } = refused.expect_err("only a moderator may");
    assert_eq!(code, 3004);
    let page = ann.history("lobby", 10).expect("a page");
    assert_eq!(page["items"].as_array().map(Vec::len), Some(1));
    bob.leave("lobby", false).expect("bob may");
    assert_eq!(bob.room("lobby"), None);
}

#[test]
fn what_a_client_in_rust_sends_is_told_once_and_in_order_although_the_server_is_killed() {
    const MESSAGES: usize = 300;
    let mut server = Setup::default().set("limits.rate_per_s", "off").start();
    let relay = Relay::to(server.http);
    let url = format!("http://{}", relay.address);
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let client = Client::connect(&url, Options::named(name)).expect("the server takes it");
        client.join("lobby").expect("an open room");
        client
    });
    for n in 0..MESSAGES {
        ann.post("lobby", &n.to_string()).expect("it is short");
        if n % 100 == 50 {
            let signal = if n == 150 { Signal::TERM } else { Signal::KILL };
            server.restart(signal);
            relay.turn_to(server.http);
        }
    }
    for client in [&ann, &bob] {
        let mut told = Vec::new();
        let mut last = 0;
        while told.len() < MESSAGES {
            told.push(find(client, |event| match event {
                Event::Record { item, .. } => {
                    let seq = number(&item, "seq")?;
                    assert_eq!(seq, last + 1, "{item:?}");
                    text(&item, "text").map(|text| (seq, text.to_owned()))
                }
                Event::Gap { .. } | Event::Reset { .. } => panic!("{event:?}"),
                _ => None,
            }));
            last = told.last().map_or(0, |(seq, _)| *seq);
        }
        let texts: Vec<_> = told.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, (0..MESSAGES).map(|n| n.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(ann.outbox(), []);
}

#[test]
fn a_client_in_rust_logs_in_over_tls_and_trusts_only_whom_it_should() {
    let certificates = Certificates::of(&["localhost"]);
    let setup = Setup::default().tls(&certificates);
    let server = setup.set("auth", "accounts").set("accounts.registration", "open").start();
    let url = format!("wss://localhost:{}/ws", server.https.port());
    let address = Address::parse(&url).expect("an address");
    let (certificate, _) = certificates.files();
    let roots = Roots::file(Path::new(&certificate)).expect("a certificate");

    let ways = offers(&address, &roots).expect("an answer");
    assert!(ways.has_accounts() && !ways.has_open_door(), "{ways:?}");
    let made = register(&address, &roots, ("ann", PASSWORD), (None, "test")).expect("an account");
    let wrong = login(&address, &roots, ("ann", "wrong horse battery"), "test");
    assert_eq!(wrong.expect_err("it is wrong").code, 2001);
    let again = login(&address, &roots, ("ann", PASSWORD), "test").expect("a login");
    assert_eq!((again.user.as_str(), made.token == again.token), ("ann", false));

    let options = Options { roots: roots.clone(), ..Options::with_token(again.token) };
    let ann = Client::connect(&url, options).expect("the token is good");
    assert_eq!(ann.user().as_deref(), Some("ann"));
    ann.join("lobby").expect("an open room");
    ann.send("lobby", "hi").expect("an answer");

    let bad = Options { roots, ..Options::with_token("no token") };
    assert_eq!(Client::connect(&url, bad).expect_err("it is no token").code, 2001);
    let stranger = Certificates::of(&["localhost"]);
    let roots = Roots::file(Path::new(&stranger.files().0)).expect("a certificate");
    let refused = Client::connect(&url, Options { roots, ..Options::named("ann") });
    let refused = refused.expect_err("nobody trusted has signed it");
    assert!(refused.message.contains("certificate"), "{refused}");
    drop(ann);
    server.assert_no_connection_left();
}

#[test]
fn a_client_in_rust_waits_for_a_server_that_is_not_there_and_says_so() {
    let server = Server::start();
    let relay = Relay::to(server.http);
    drop(server);
    let url = format!("ws://{}/ws", relay.address);
    let client = Client::start(&url, Options::named("ann")).expect("an address");
    let entry = client.post("lobby", "hi").expect("it is short");
    assert!(client.wait_ready(Some(Duration::from_millis(300))).is_err());
    client.stop();
    assert_eq!(client.state(), State::Stopped);
    assert_eq!(client.outbox(), [entry]);

    let server = Server::start();
    relay.turn_to(server.http);
    client.join("lobby").expect("it is kept for later");
    client.restart();
    find(&client, |event| match event {
        Event::Outbox { outcome, .. } => Some(outcome.expect("it was taken")),
        _ => None,
    });
    assert_eq!(client.outbox(), []);
    drop(client);
    server.assert_no_connection_left();
}
