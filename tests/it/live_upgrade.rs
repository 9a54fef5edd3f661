//! Another process of the server takes the place of the one that runs, and nobody notices.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::supervisor::{supervised, until as until_told};
use crate::support::admin::{TOKEN, get};
use crate::support::client::{Framed, Lines, TRANSPORTS};
use crate::support::tls::Certificates;
use crate::support::{
    Client, Frame, PATIENCE, Raw, RawWs, SMALL_BUFFER, Server, Setup, Transport as _,
    assert_subset, http,
};

/// A server whose program can be replaced.
pub(crate) fn start(setup: Setup) -> Server {
    setup.upgradable().start()
}

#[test]
fn clients_of_every_kind_go_on_talking_over_two_upgrades() {
    for room in ["stored", "memory"] {
        let config = "[[room_policy]]\nmatch = \"memory\"\ndurability = \"memory\"\n";
        let mut server = start(Setup::default().config(config));
        let mut clients: Vec<_> = TRANSPORTS
            .iter()
            .map(|(_, connect)| connect(&server))
            .zip(["ann", "bob", "cid", "dan"])
            .map(|(client, name)| client.named(name, Some(room)))
            .collect();
        let mut seq = 0;
        for round in 0..3 {
            if round > 0 {
                let said = server.upgrade();
                assert!(said.contains("4 connections went on"), "{said}");
            }
            for nth in 0..clients.len() {
                seq += 1;
                let text = format!("{round} from {nth}");
                let sent = clients[nth].ask(&json!({"op": "send", "room": room, "text": text}));
                assert_eq!(sent["seq"], seq);
                let others = clients.iter_mut().enumerate().filter(|(other, _)| *other != nth);
                let message = json!({"ev": "message", "text": text, "seq": seq});
                others.for_each(|(_, client)| drop(client.expect(&message)));
            }
        }
        for client in &mut clients {
            for unwanted in ["reset", "gap", "drain", "presence_state"] {
                client.assert_not_told(&json!({"ev": unwanted}));
            }
            let page = client.ask(&json!({"op": "history", "room": room, "after": 0}));
            assert_eq!(page["items"].as_array().map(Vec::len), Some(12), "{page}");
        }
    }
}

#[test]
fn the_operator_goes_on_seeing_who_is_there() {
    let mut server = start(Setup::default().set("admin_token", TOKEN));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    server.upgrade();
    let listed = get(&server, "sessions?user=ann");
    assert_eq!(listed["connections"].as_array().map(Vec::len), Some(1), "{listed}");
    ann.ask(&json!({"op": "ping"}));
    drop(ann);
    server.await_metric("chinwag_connections", 1.0);
    assert_eq!(get(&server, "connections?limit=10")["total"], 1, "the one that asks");
}

#[test]
fn what_has_come_in_part_is_completed_in_the_next_process() {
    let mut server = start(Setup::default());
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut ws = RawWs::connect(server.http, "/ws", "");
    ws.send_text("{\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}\n{\"op\":\"join\",\"id\":2,\"room\":\"lobby\"}");
    let mut line = Raw::connect(server.tcp);
    line.send(b"{\"op\":\"hello\",\"id\":1,\"name\":\"cid\"}\n{\"op\":\"join\",\"id\":2,\"room\":\"lobby\"}\n");
    let mut text = Raw::connect(server.tcp);
    text.send(b"/nick dan\n/join lobby\nhal");
    text.take_until("lobby");
    let mut head = Raw::connect(server.http);
    head.send(b"GET /healthz HTTP/1.1\r\nHos");
    let say = |who: &str| {
        format!("{{\"op\":\"send\",\"id\":3,\"room\":\"lobby\",\"text\":\"of {who}\"}}")
    };
    let frame = Frame::text(&say("ann")).encode();
    // A message in two fragments, the second of which is cut, too.
    let fragment = Frame { first: 0x01, payload: say("ann again").as_bytes()[..9].to_vec() };
    let rest = Frame { first: 0x80, payload: say("ann again").as_bytes()[9..].to_vec() }.encode();
    line.send(say("cid").split_at(20).0.as_bytes());
    ws.raw.send(&frame[..frame.len() - 5]);
    bob.ask(&json!({"op": "ping"}));
    server.upgrade();
    ws.raw.send(&frame[frame.len() - 5..]);
    ws.raw.send(&fragment.encode());
    ws.raw.send(&rest[..3]);
    line.send(format!("{}\n", say("cid").split_at(20).1).as_bytes());
    text.send(b"f a line\n");
    head.send(format!("t: {}\r\n\r\n", server.http).as_bytes());
    for words in ["of ann", "of cid", "half a line"] {
        bob.expect(&json!({"ev": "message", "text": words}));
    }
    assert_eq!(http::read(&mut head, true).status, 200);
    server.upgrade();
    ws.raw.send(&rest[3..]);
    bob.expect(&json!({"ev": "message", "text": "of ann again"}));
    // The same connection, between two requests.
    head.send(format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.http).as_bytes());
    assert_eq!(http::read(&mut head, true).status, 200);
}

#[test]
fn a_request_of_which_half_a_body_has_come_is_told_to_come_again() {
    let mut server = start(Setup::default());
    let mut raw = Raw::connect(server.http);
    let head = format!(
        "POST /rooms/lobby/messages?as=ann HTTP/1.1\r\nHost: {}\r\nContent-Length: 10\r\n\
         Content-Type: text/plain\r\n\r\nhalf",
        server.http
    );
    raw.send(head.as_bytes());
    // An answer to somebody else shows that it was read.
    Client::ws(&server).named("bob", Some("lobby"));
    server.upgrade();
    let response = http::read(&mut raw, true);
    assert_eq!(response.status, 503, "{response:?}");
    assert!(response.header("Retry-After").is_some(), "{response:?}");
}

/// The next message, but for presence.
fn next(client: &mut Client) -> Value {
    loop {
        let message = client.next().expect("no end");
        if message["ev"] != "presence" {
            return message;
        }
    }
}

#[test]
fn what_is_sent_during_an_upgrade_is_answered_and_heard_once_in_order() {
    const MESSAGES: u64 = 400;
    for durability in ["disk", "memory"] {
        let setup = Setup::default().args(&["--durability", durability]);
        let mut server = start(setup.set("limits.rate_per_s", "off"));
        let mut bob = Client::ws(&server).named("bob", Some("lobby"));
        let mut ann = Client::lines(&server).named("ann", Some("lobby"));
        for n in 1..=MESSAGES {
            let cid = format!("c{n}");
            ann.say(&json!({"op": "send", "id": n, "room": "lobby", "text": cid, "cid": cid}));
            if n == MESSAGES / 2 {
                server.signal(Signal::USR2);
            }
        }
        server.log_when(|log| log.contains("upgraded to"));
        for n in 1..=MESSAGES {
            assert_subset(&next(&mut ann), &json!({"id": n, "code": 0}));
            let text = format!("c{n}");
            assert_subset(&next(&mut bob), &json!({"ev": "message", "seq": n, "text": text}));
        }
        // What was sent before is known by the next process.
        let again = json!({"op": "send", "room": "lobby", "text": "c3", "cid": "c3"});
        let again = ann.ask(&again);
        assert_eq!((&again["seq"], &again["dup"]), (&json!(3), &json!(true)), "{durability}");
        server.follow();
    }
}

#[test]
fn a_reader_that_lags_goes_on_where_it_was() {
    for durability in ["disk", "memory"] {
        let setup = Setup::default().bounded().args(&["--durability", durability]);
        let setup = setup.set("limits.ring_bytes", "16MiB").set("limits.ring_records", "2000");
        let mut server = start(setup.set("limits.rate_per_s", "off"));
        let mut slow = Raw::connect(server.tcp);
        slow.shrink(SMALL_BUFFER);
        slow.send(b"{\"op\":\"hello\",\"name\":\"slow\"}\n{\"op\":\"join\",\"id\":1,\"room\":\"lobby\"}\n");
        let mut slow = Client::over(Lines(slow));
        slow.expect(&json!({"id": 1, "code": 0}));
        let mut ann = Client::ws(&server).named("ann", Some("lobby"));
        let text = "x".repeat(8_000);
        let say = |ann: &mut Client, count: u64| {
            for _ in 0..count {
                ann.ask(&json!({"op": "send", "room": "lobby", "text": text}));
            }
        };
        say(&mut ann, 60);
        // Its own message waits for its cursor as well.
        slow.say(&json!({"op": "send", "id": 7, "room": "lobby", "text": "mine"}));
        ann.expect(&json!({"ev": "message", "text": "mine"}));
        server.upgrade();
        say(&mut ann, 10);
        server.upgrade();
        let (mut seqs, mut own) = (Vec::new(), None);
        while seqs.last() != Some(&71) {
            let message = slow.next().expect("no end");
            match message["ev"].as_str() {
                Some("message") => seqs.extend(message["seq"].as_u64()),
                Some("replay") => {
                    let items = message["items"].as_array().expect("items");
                    seqs.extend(items.iter().filter_map(|item| item["seq"].as_u64()));
                }
                Some("gap" | "reset") => panic!("{message}"),
                _ if message["id"] == 7 => own = Some(seqs.len()),
                _ => {}
            }
        }
        let expect: Vec<u64> = (1..=71).filter(|&seq| seq != 61).collect();
        assert_eq!(seqs, expect, "{durability}");
        assert_eq!(own, Some(60), "the answer stands in the place of the message");
    }
}

#[test]
fn presence_typing_and_sessions_are_as_they_were() {
    // Longer than an upgrade takes.
    let setup = Setup::default().in_memory().set("timeouts.leave_grace", "5s");
    let mut server = start(setup);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut eve = Client::lines(&server);
    let session = eve.ask(&json!({"op": "hello", "name": "eve"}))["session"].clone();
    let epoch = eve.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].clone();
    ann.expect(&json!({"ev": "presence", "count": 3}));
    bob.say(&json!({"op": "typing", "room": "lobby"}));
    ann.expect(&json!({"ev": "typing", "users": ["bob"]}));
    // Gone a moment before, and there for the grace.
    drop(eve);
    server.await_metric("chinwag_connections", 3.0);
    let before = ann.ask(&json!({"op": "presence", "room": "lobby"}));
    server.upgrade();
    let after = ann.ask(&json!({"op": "presence", "room": "lobby"}));
    assert_eq!(before, after);
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "typed"}));
    ann.expect(&json!({"ev": "typing", "users": []}));
    // The session of before comes back in the room's old life.
    let mut eve = Client::ws(&server);
    let resume = json!({"session": session, "rooms": {"lobby": [epoch, 0]}});
    let welcome = eve.ask(&json!({"op": "hello", "name": "eve", "resume": resume}));
    assert_eq!((&welcome["user"], &welcome["resumed"]), (&json!("eve"), &json!(true)), "{welcome}");
    eve.expect(&json!({"ev": "replay", "room": "lobby"}));
    drop(bob);
    ann.expect(&json!({"ev": "presence", "off": ["bob"]}));
    ann.assert_not_told(&json!({"ev": "presence", "off": ["eve"]}));
}

#[test]
fn who_has_not_read_the_welcome_of_its_return_returns_to_the_next_process_too() {
    let mut server = start(Setup::default());
    let welcome = Client::lines(&server).ask(&json!({"op": "hello"}));
    let hello = json!({"op": "hello", "resume": {"session": welcome["session"], "rooms": {}}});
    let same = json!({"resumed": true, "user": welcome["user"]});
    // One of them stays, and one is gone: both have a secret of their own by now.
    for is_there in [true, false] {
        let mut client = Client::lines(&server);
        assert_subset(&client.ask(&hello), &same);
        let client = is_there.then_some(client);
        server.upgrade();
        assert_subset(&Client::ws(&server).ask(&hello), &same);
        drop(client);
    }
}

#[test]
fn those_with_tls_are_told_when_to_come_back_and_the_others_notice_nothing() {
    let certificates = Certificates::of(&["localhost"]);
    let mut server = start(Setup::default().tls(&certificates));
    let connect = || Client::over(Framed(certificates.connect(server.tls, "localhost")));
    let mut tls = connect();
    let session = tls.ask(&json!({"op": "hello", "name": "ann"}))["session"].clone();
    let epoch = tls.ask(&json!({"op": "join", "room": "lobby"}))["epoch"].clone();
    let mut bob = Client::ws(&server).named("bob", Some("lobby"));
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "one"}));
    tls.expect(&json!({"ev": "message", "seq": 1}));
    server.signal(Signal::USR2);
    let drain = tls.expect(&json!({"ev": "drain"}));
    assert!(drain["reconnect_after_ms"].is_u64(), "{drain}");
    tls.expect(&json!({"ev": "bye", "close": 4201}));
    let log = server.log_when(|log| log.contains("upgraded to"));
    assert!(log.contains("1 connections went on"), "{log}");
    assert!(
        log.contains("1 that use TLS, event streams or the echo are told when to come back"),
        "{log}"
    );
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "two"}));
    let mut again = connect();
    let resume = json!({"session": session, "rooms": {"lobby": [epoch, 1]}});
    let welcome = again.ask(&json!({"op": "hello", "name": "ann", "resume": resume}));
    assert_eq!((&welcome["user"], &welcome["resumed"]), (&json!("ann"), &json!(true)), "{welcome}");
    let replay = again.expect(&json!({"ev": "replay"}));
    assert_eq!(replay["items"][0]["text"], "two", "{replay}");
    bob.assert_not_told(&json!({"ev": "presence", "off": ["ann"]}));
    drop(tls);
    server.follow();
}

/// A program that cannot take over, the time that it has, and what is said about it.
const FAILING: &[(&str, &str, &str)] = &[
    ("exit 3", "20s", "the new process has ended (exit status: 3)"),
    ("kill -9 $$", "20s", "the new process has ended (signal: 9"),
    ("echo nonsense-nonsense >&0", "20s", "the new process"),
    ("exec /nowhere/chinwag", "20s", "the new process has ended (exit status: 127)"),
    // It is in time for nothing, so that the machine may be as slow as it likes.
    ("exec sleep 60", "200ms", "the new process was not ready in time"),
];

/// Has the server read its configuration again.
#[track_caller]
fn configure(server: &Server, toml: &str) {
    let count = |log: &str| log.matches("configuration read again").count();
    let before = count(&server.log());
    server.write_config(toml);
    server.signal(Signal::HUP);
    server.log_when(|log| count(log) > before);
}

#[test]
fn while_the_new_program_fails_the_old_process_goes_on_as_if_nothing_had_been() {
    let mut server = start(Setup::default().config(""));
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    for (seq, (script, time, expect)) in (1..).zip(FAILING) {
        configure(&server, &format!("[timeouts]\nupgrade = \"{time}\"\n"));
        server.set_program(Some(script));
        let (is_done, said) = server.try_upgrade();
        assert!(!is_done && said.contains("the server goes on"), "{script}: {said}");
        assert!(said.contains(expect), "{script}: {said}");
        let text = json!({"op": "send", "room": "lobby", "text": script});
        assert_eq!(ann.ask(&text)["seq"], seq);
        bob.expect(&json!({"ev": "message", "seq": seq}));
    }
    server.set_program(None);
    configure(&server, "");
    server.upgrade();
    ann.ask(&json!({"op": "send", "room": "lobby", "text": "at last"}));
    bob.expect(&json!({"ev": "message", "text": "at last"}));
}

#[test]
fn a_signal_in_the_middle_of_an_upgrade_does_not_end_it() {
    let mut server = start(Setup::default());
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    server.upgrade_amid(Signal::HUP);
    ann.ask(&json!({"op": "ping"}));
}

#[test]
fn a_new_process_that_cannot_take_everything_leaves_it_to_the_old_one() {
    for durability in ["disk", "memory"] {
        let mut server = start(Setup::default().args(&["--durability", durability]));
        let mut clients: Vec<_> = (0..30)
            .map(|nth| Client::lines(&server).named(&format!("u{nth}"), Some("lobby")))
            .collect();
        clients[0].ask(&json!({"op": "send", "room": "lobby", "text": "one", "cid": "c"}));
        // Too few descriptors for the connections: the old one has closed its store by then.
        let real = env!("CARGO_BIN_EXE_chinwag");
        server.set_program(Some(&format!("ulimit -n 36; exec '{real}' \"$@\"")));
        if durability == "disk" {
            let (is_done, said) = server.try_upgrade();
            assert!(!is_done && said.contains("ulimit -n"), "{said}");
        } else {
            server.signal(Signal::USR2);
            server.log_when(|log| log.contains("not upgraded"));
        }
        for (seq, text) in [(2, "two"), (3, "three")] {
            let sent = clients[0].ask(&json!({"op": "send", "room": "lobby", "text": text}));
            assert_eq!(sent["seq"], seq);
            for client in &mut clients[1..] {
                client.expect(&json!({"ev": "message", "seq": seq, "text": text}));
            }
        }
        let again = json!({"op": "send", "room": "lobby", "text": "one", "cid": "c"});
        assert_eq!(clients[0].ask(&again)["seq"], 1);
        let page = clients[1].ask(&json!({"op": "history", "room": "lobby", "after": 0}));
        assert_eq!(page["items"].as_array().map(Vec::len), Some(3), "{page}");
        server.set_program(None);
        server.signal(Signal::USR2);
        server.log_when(|log| log.contains("upgraded to"));
        clients[0].ask(&json!({"op": "send", "room": "lobby", "text": "four"}));
        clients[29].expect(&json!({"ev": "message", "seq": 4}));
        server.follow();
    }
}

#[test]
fn a_socket_in_the_file_system_goes_on_and_is_removed_at_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("sock");
    let listen = format!("127.0.0.1:0,unix:{}", path.display());
    let mut server = start(Setup::default().args(&["--listen", &listen]));
    let mut before = UnixStream::connect(&path).expect("a connection");
    let ask = |stream: &mut UnixStream| {
        stream.set_read_timeout(Some(PATIENCE)).expect("a deadline");
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("a request");
        let mut start = [0; 15];
        stream.read_exact(&mut start).expect("an answer");
        assert_eq!(&start, b"HTTP/1.1 200 OK");
    };
    ask(&mut before);
    server.upgrade();
    ask(&mut UnixStream::connect(&path).expect("a connection to the next process"));
    server.upgrade();
    assert!(path.exists());
    drop(before);
    server.assert_no_connection_left();
    server.signal(Signal::TERM);
    server.assert_left_in_order();
    assert!(!path.exists(), "it is removed by the last one");
}

#[test]
fn systemd_hears_which_process_it_is_now() {
    let folder = tempfile::tempdir().expect("a folder");
    let setup = Setup::default().environment("WATCHDOG_USEC", "100000");
    let (heard, setup) = supervised(folder.path(), setup);
    let mut server = start(setup);
    server.upgrade();
    let told = format!("MAINPID={}", server.pid());
    until_told(&heard, &told);
    // The loop of the next process turns.
    until_told(&heard, "WATCHDOG=1");
}

#[test]
fn whichever_process_is_killed_nothing_is_lost_and_there_are_never_two() {
    let mut server = start(Setup::default());
    let real = env!("CARGO_BIN_EXE_chinwag");
    let mut seq = 0;
    for (round, delay) in (0..14).map(|round| (round, 0.012 * f64::from(round / 2))) {
        let mut ann = Client::ws(&server).named("ann", Some("lobby"));
        seq += 1;
        let text = format!("round {round}");
        assert_eq!(ann.ask(&json!({"op": "send", "room": "lobby", "text": text}))["seq"], seq);
        let victim = if round % 2 == 0 { "$PPID" } else { "$$" };
        let script = format!("(sleep {delay:.3}; kill -9 {victim}) & exec '{real}' \"$@\"");
        server.set_program(Some(&script));
        let (_, said) = server.try_upgrade();
        match server.who_serves() {
            Some(pid) => {
                server.set_successor(pid);
                seq += 1;
                let on = json!({"op": "send", "room": "lobby", "text": "on"});
                assert_eq!(ann.ask(&on)["seq"], seq, "{said}");
            }
            None => server.start_again(),
        }
    }
    server.set_program(None);
}
