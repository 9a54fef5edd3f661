//! Outgoing webhooks: what another server is sent, signed, in order and at least once.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::tls::Certificates;
use crate::support::webhook::{NO_END, Receiver};
use crate::support::{Client, Server, Setup, assert_subset};

/// Runs `chinwag webhook` beside the server: whether it went well, and what it printed.
fn webhook(server: &Server, args: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().env("CHINWAG_WEBHOOKS_HOSTS", "127.0.0.1");
    command.arg("--data").arg(server.data()).arg("webhook").args(args);
    let output = command.output().expect("a program that can be started");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("UTF-8"))
}

#[track_caller]
pub(crate) fn done(server: &Server, args: &[&str]) -> String {
    let (done, said) = webhook(server, args);
    assert!(done, "{said}");
    said
}

/// Adds a webhook and waits until the server knows it: its secret.
#[track_caller]
pub(crate) fn add(server: &Server, receiver: &Receiver, args: &[&str]) -> String {
    let live = server.metric("chinwag_webhooks{state=\"live\"}");
    let url = receiver.url();
    let said = done(server, &[&["add"], args, &["--url", &url]].concat());
    let secret = said.lines().next().unwrap_or_default().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 50, "{said}");
    while server.metric("chinwag_webhooks{state=\"live\"}") <= live {}
    secret
}

/// A server whose webhooks may be here.
pub(crate) fn setup() -> Setup {
    Setup::default().set("webhooks.hosts", "127.0.0.1").set("limits.rate_per_s", "off")
}

fn texts(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["text"].as_str()).collect()
}

#[test]
fn what_is_said_changed_and_deleted_is_sent_in_order_and_signed() {
    let server = setup().set("log_level", "trace").start();
    let receiver = Receiver::start(|_, _| Some("204 No Content"));
    let mut ann = Client::ws(&server).named("ann", Some("alerts/disk"));
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    ann.send("alerts/disk", "before the webhook");
    let all = "message,edit,deletion,reaction,topic";
    let secret = add(&server, &receiver, &["ci", "--rooms", "alerts/*", "--events", all]);
    bob.send("lobby", "elsewhere");
    ann.send("alerts/disk", "disk \"full\", @bob");
    ann.ask(&json!({"op": "edit", "room": "alerts/disk", "target": 2, "text": "disk full, @bob"}));
    ann.ask(&json!({"op": "react", "room": "alerts/disk", "target": 2, "emoji": "👍"}));
    ann.ask(&json!({"op": "topic", "room": "alerts/disk", "text": "disks"}));
    ann.ask(&json!({"op": "delete", "room": "alerts/disk", "target": 1}));
    let mut events = Vec::new();
    while events.len() < 5 {
        let request = receiver.next();
        assert_eq!(request.field("webhook-signature"), request.signature(&secret));
        assert_eq!(request.field("content-type"), "application/json");
        assert_subset(&request.json(), &json!({"type": "events", "data": {"webhook": "ci"}}));
        assert!(request.field("webhook-id").starts_with("msg_"), "{request:?}");
        events.extend(request.events());
    }
    let seqs: Vec<_> = events.iter().map(|event| event["seq"].as_u64()).collect();
    assert_eq!(seqs, (2..=6).map(Some).collect::<Vec<_>>(), "{events:?}");
    let names: Vec<_> = events.iter().filter_map(|event| event["ev"].as_str()).collect();
    assert_eq!(names, ["message", "edit", "reaction", "topic", "deletion"]);
    let first = json!({"room": "alerts/disk", "from": "ann", "seq": 2, "ev": "message",
                       "mentions": ["bob"]});
    assert_subset(&events[0], &first);
    assert!(events[0]["epoch"].is_string() && events[0]["id"].is_string(), "{events:?}");
    let log = server.log();
    assert!(!log.contains("marker-in-url") && !log.contains(&secret), "{log}");
    let listed = done(&server, &["list"]);
    assert!(listed.starts_with(&format!("ci is told {all} of alerts/* at http")), "{listed}");
    assert!(!listed.contains(&secret), "{listed}");
}

#[test]
fn what_is_in_no_log_is_told_and_stands_where_it_happened() {
    let server = setup().start();
    let receiver = Receiver::start(|_, _| Some("200 OK"));
    let all = "room,join,leave,message,connection";
    add(&server, &receiver, &["ci", "--events", all]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "one");
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    bob.send("lobby", "two");
    bob.ask(&json!({"op": "leave", "room": "lobby"}));
    ann.send("lobby", "three");
    drop(bob);
    let mut told = Vec::new();
    for event in receiver.events(10) {
        let about = event["user"].as_str().or_else(|| event["text"].as_str()).unwrap_or("-");
        told.push(format!("{} {about}", event["ev"].as_str().unwrap_or_default()));
    }
    let expect = [
        "connection ann",
        "room -",
        "join ann",
        "message one",
        "connection bob",
        "join bob",
        "message two",
        "leave bob",
        "message three",
        "connection bob",
    ];
    assert_eq!(told, expect);
}

#[test]
fn a_direct_message_is_told_if_its_recipient_is_not_connected() {
    let server = setup().start();
    let receiver = Receiver::start(|_, _| Some("200 OK"));
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    add(&server, &receiver, &["push", "--events", "direct,message"]);
    let direct = |text: &str| json!({"op": "send", "to": "bob", "text": text});
    ann.ask(&direct("you are here"));
    bob.expect(&json!({"ev": "message", "text": "you are here"}));
    drop(bob);
    while ann.ask(&json!({"op": "ping"})).is_null() || server.metric("chinwag_sessions") > 1.5 {}
    ann.ask(&direct("you are not"));
    let event = receiver.events(1).remove(0);
    let expect = json!({"ev": "direct", "to": "bob", "from": "ann", "text": "you are not"});
    assert_subset(&event, &expect);
    assert_eq!((&event["room"], &event["seq"]), (&json!("@ann:bob"), &json!(2)));
}

#[test]
fn the_receivers_own_user_is_not_told_of_itself() {
    let server = setup().start();
    let receiver = Receiver::start(|_, _| Some("200 OK"));
    add(&server, &receiver, &["bot", "--except", "bot"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let mut bot = Client::lines(&server).named("bot", Some("lobby"));
    bot.send("lobby", "I answer");
    ann.send("lobby", "hello");
    assert_eq!(texts(&receiver.events(1)), ["hello"]);
}

#[test]
fn what_fails_is_sent_again_as_it_was_before_anything_that_came_later() {
    let server = setup().start();
    let receiver = Receiver::start(|nth, _| match nth {
        0 => Some("500 Internal Server Error"),
        1 => Some("302 Found\r\nLocation: /elsewhere"),
        _ => Some("200 OK"),
    });
    add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "one");
    let first = receiver.next();
    ann.send("lobby", "two");
    let (second, third) = (receiver.next(), receiver.next());
    for again in [&second, &third] {
        assert_eq!(again.field("webhook-id"), first.field("webhook-id"));
        assert_eq!(again.events(), first.events(), "a batch that is sent again stays the same");
    }
    assert_eq!(texts(&receiver.events(1)), ["two"]);
    let log = server.log_when(|log| log.contains("the webhook works again"));
    assert!(log.contains("a request to the webhook failed: it is made again"), "{log}");
    server.await_metric("chinwag_webhook_requests_total{outcome=\"failed\"}", 2.0);
    server.await_metric("chinwag_webhook_dead_total", 0.0);
}

#[test]
fn kills_in_between_lose_nothing_and_keep_the_order_of_each_room() {
    let mut server = setup().start();
    let receiver = Receiver::start(|nth, _| Some(if nth % 3 == 0 { "503 No" } else { "200 OK" }));
    add(&server, &receiver, &["ci", "--events", "message,join"]);
    for round in 0..3 {
        let mut ann = Client::ws(&server).named("ann", None);
        for room in ["a", "b"] {
            ann.ask(&json!({"op": "join", "room": room}));
        }
        for n in 0..20 {
            ann.send(["a", "b"][n % 2], &format!("{round} {n}"));
        }
        drop(ann);
        server.restart(Signal::KILL);
    }
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut seqs = [Vec::new(), Vec::new()];
    while seqs[0].len() < 30 || seqs[1].len() < 30 {
        for event in receiver.next().events() {
            let is_new = seen.insert(event["id"].to_string());
            if is_new && event["ev"] == "message" {
                seqs[usize::from(event["room"] == "b")].push(event["seq"].as_u64().expect("a seq"));
            }
        }
    }
    for seqs in seqs {
        assert_eq!(seqs, (1..=30).collect::<Vec<_>>());
    }
}

#[test]
fn a_receiver_that_hangs_keeps_the_others_for_no_longer_than_the_deadline() {
    let server = setup().set("webhooks.timeout", "1s").start();
    let hanging = Receiver::start(|_, _| None);
    let working = Receiver::start(|_, _| Some("200 OK"));
    let began = std::time::Instant::now();
    add(&server, &hanging, &["hanging"]);
    add(&server, &working, &["working"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for n in 0..8 {
        ann.send("lobby", &n.to_string());
        let event = working.requests.recv_timeout(Duration::from_secs(8));
        assert_eq!(texts(&event.expect("in time").events()), [n.to_string()]);
    }
    let attempts = hanging.requests.try_iter().count();
    let pauses = (1_u64 << attempts.saturating_sub(1)) - 1;
    assert!(pauses <= began.elapsed().as_secs(), "it waits longer each time: {attempts}");
    server.await_metric("chinwag_webhooks{state=\"failing\"}", 1.0);
}

#[test]
fn an_answer_without_an_end_counts_by_its_status_and_keeps_nobody_waiting() {
    let server = setup().set("webhooks.timeout", "30s").start();
    let endless = Receiver::start(|_, _| Some(NO_END));
    let working = Receiver::start(|_, _| Some("200 OK"));
    add(&server, &endless, &["endless"]);
    add(&server, &working, &["working"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    for n in 0..3 {
        ann.send("lobby", &n.to_string());
        for receiver in [&working, &endless] {
            let event = receiver.requests.recv_timeout(Duration::from_secs(20));
            assert_eq!(texts(&event.expect("in time").events()), [n.to_string()], "once");
        }
    }
}

#[test]
fn a_receiver_that_is_gone_is_sent_nothing_until_a_command_says_so() {
    let server = setup().start();
    let receiver = Receiver::start(|nth, _| Some(if nth == 0 { "410 Gone" } else { "200 OK" }));
    add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "one");
    receiver.next();
    server.log_when(|log| log.contains("its receiver answered 410"));
    ann.send("lobby", "two");
    server.await_metric("chinwag_webhooks{state=\"live\"}", 0.0);
    let listed = loop {
        let listed = done(&server, &["list"]);
        if listed.contains("ended") {
            break listed;
        }
    };
    assert!(listed.contains("; ended: HTTP 410"), "{listed}");
    receiver.requests.try_recv().unwrap_err();
    done(&server, &["retry", "ci"]);
    assert_eq!(texts(&receiver.events(2)), ["one", "two"]);
}

#[test]
fn an_event_that_is_refused_is_given_up_alone_shown_and_sent_again_on_demand() {
    let server = setup().start();
    let mended = Arc::new(AtomicBool::new(false));
    let given = Arc::clone(&mended);
    let receiver = Receiver::start(move |_, request| {
        let is_bad = request.body.windows(6).any(|part| part == b"poison");
        let is_bad = is_bad && !given.load(Ordering::SeqCst);
        Some(if is_bad { "400 Bad Request" } else { "200 OK" })
    });
    add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let batch =
        ["one", "poison", "three"].map(|text| json!({"op": "send", "room": "lobby", "text": text}));
    let mut last = None;
    for message in batch {
        last = Some(ann.ask(&message));
    }
    assert_eq!(last.expect("an answer")["seq"], 3);
    let mut taken = Vec::new();
    while !taken.contains(&"three".to_owned()) {
        let events = receiver.next().events();
        let texts = texts(&events);
        if !texts.contains(&"poison") {
            taken.extend(texts.into_iter().map(str::to_owned));
        }
    }
    assert_eq!(taken, ["one", "three"]);
    server.log_when(|log| log.contains("events were given up"));
    server.await_metric("chinwag_webhook_dead_total", 1.0);
    let dead = loop {
        let dead = done(&server, &["dead", "ci"]);
        if dead.contains("HTTP") {
            break dead;
        }
    };
    assert!(dead.ends_with(" 1 events: HTTP 400\n"), "{dead}");
    let listed = done(&server, &["list"]);
    assert!(listed.ends_with("; 1 dead letters\n"), "{listed}");
    mended.store(true, Ordering::SeqCst);
    receiver.requests.try_iter().for_each(drop);
    assert_eq!(
        done(&server, &["retry", "ci"]),
        "ci: 1 dead letters are tried again, by a server that runs\n"
    );
    assert_eq!(texts(&receiver.events(1)), ["poison"]);
    while !done(&server, &["dead", "ci"]).contains("everything was delivered") {}
}

#[test]
fn requests_are_bounded_whatever_waits() {
    let server = setup().start();
    let receiver = Receiver::start(|nth, _| Some(if nth == 0 { "500 No" } else { "200 OK" }));
    add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "first");
    receiver.next();
    for n in 0..250 {
        ann.send("lobby", &n.to_string());
    }
    let long = "x".repeat(10_000);
    for _ in 0..60 {
        ann.send("lobby", &long);
    }
    let mut count = 0;
    while count < 311 {
        let request = receiver.next();
        let events = request.events().len();
        assert!(
            events <= 100 && request.body.len() < 320 * 1024,
            "{events} {}",
            request.body.len()
        );
        count += events;
    }
    assert_eq!(count, 311);
}

#[test]
fn rooms_in_memory_are_told_too_as_long_as_the_process_lives() {
    let config = "[[room_policy]]\nmatch = \"tmp/*\"\ndurability = \"memory\"\n";
    let server = setup().config(config).set("durability", "disk").start();
    let receiver = Receiver::start(|nth, _| Some(if nth == 0 { "500 No" } else { "200 OK" }));
    add(&server, &receiver, &["ci", "--rooms", "tmp/*", "--events", "message,join,room"]);
    let mut ann = Client::ws(&server).named("ann", Some("tmp/a"));
    receiver.next();
    ann.send("tmp/a", "one");
    let events = receiver.events(3);
    let told: Vec<_> = events.iter().filter_map(|event| event["ev"].as_str()).collect();
    assert_eq!(told, ["room", "join", "message"]);
    assert_eq!(texts(&events), ["one"]);
}

#[test]
fn a_receiver_proves_by_its_certificate_who_it_is() {
    let certificates = Certificates::of(&["localhost"]);
    let server = Setup::default().tls(&certificates).start();
    let url = format!("https://localhost:{}/nothing", server.https.port());
    done(&server, &["add", "ci", "--url", &url]);
    let test = |authorities: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().env("CHINWAG_WEBHOOKS_HOSTS", "localhost");
        command.envs(authorities.map(|files| ("CHINWAG_WEBHOOKS_AUTHORITIES", files)));
        command.arg("--data").arg(server.data()).args(["webhook", "test", "ci"]);
        let output = command.output().expect("a program that can be started");
        String::from_utf8([output.stdout, output.stderr].concat()).expect("UTF-8")
    };
    let (certificate, _) = certificates.files();
    let trusted = test(Some(&certificate));
    // A server of this kind has nothing to be posted to there.
    assert!(trusted.contains("error: HTTP 40"), "{trusted}");
    let refused = test(None);
    assert!(refused.contains("certificate"), "{refused}");
}

#[test]
fn nothing_is_sent_where_it_must_not_be_and_commands_say_why() {
    let server = Setup::default().start();
    let bare = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().arg("--data").arg(server.data()).arg("webhook").args(args);
        let output = command.output().expect("a program that can be started");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).expect("UTF-8"))
    };
    for (url, why) in [
        (
            "http://example.org/",
            "must begin with https://, unless [webhooks] hosts names example.org",
        ),
        ("ftp://example.org/", "must begin with https://"),
        ("https://user:word@example.org/", "has a user or a password"),
        ("https:///x", "the address"),
        ("nothing", "the address"),
    ] {
        let (done, said) = bare(&["add", "ci", "--url", url]);
        assert!(!done && said.contains(why), "{url}: {said}");
    }
    let receiver = TcpListener::bind("127.0.0.1:0").expect("a port");
    receiver.set_nonblocking(true).expect("a listener that does not block");
    let port = receiver.local_addr().expect("an address").port();
    for (host, what) in [
        ("127.0.0.1", "loopback"),
        ("[::1]", "loopback"),
        ("localhost", "loopback"),
        ("[::ffff:127.0.0.1]", "in disguise"),
        ("169.254.169.254", "link-local"),
        ("0x7f000001", "loopback"),
    ] {
        let url = format!("https://{host}:{port}/");
        let (is_added, mut said) = bare(&["add", "ci", "--url", &url]);
        // An address that is written out is refused at once, a name by what it stands for.
        let is_name = !host.starts_with('[') && host.parse::<std::net::IpAddr>().is_err();
        assert_eq!(is_added, is_name, "{host}: {said}");
        if is_added {
            let (done, tried) = bare(&["test", "ci"]);
            assert!(!done, "{host}: {tried}");
            said = tried;
            assert!(bare(&["end", "ci"]).0);
        }
        assert!(said.contains(what) && said.contains("[webhooks] hosts"), "{host}: {said}");
    }
    assert!(receiver.accept().is_err(), "nobody has connected");
    for args in
        [&["end", "ci"][..], &["test", "ci"], &["dead", "ci"], &["retry", "ci"], &["rotate", "ci"]]
    {
        let (done, said) = bare(args);
        assert!(!done && said.contains("there is no webhook of this name"), "{said}");
    }
    let (done, said) = bare(&["add", "ci", "--url", "https://example.org/", "--events", "talk"]);
    assert!(!done && said.contains("is none of message, edit"), "{said}");
}
