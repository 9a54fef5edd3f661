//! Web Push: what a push service and a browser get, and when a device is told no more.

use std::net::TcpListener;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::SystemRandom;
use ring::signature::{self, ECDSA_P256_SHA256_FIXED};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::webhook::{Receiver, Request};
use crate::support::{Client, Server, Setup};

const SECRET: [u8; 16] = [9; 16];

/// The keys of a browser. It can open one push.
struct Device {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

struct Len(usize);

impl KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

fn derive<const LEN: usize>(salt: &[u8], from: &[u8], info: &[&[u8]]) -> [u8; LEN] {
    let mut out = [0; LEN];
    let prk = Salt::new(HKDF_SHA256, salt).extract(from);
    prk.expand(info, Len(LEN)).expect("a length").fill(&mut out).expect("bytes");
    out
}

impl Device {
    fn new() -> Self {
        let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new());
        let private = private.expect("a key");
        let public = private.compute_public_key().expect("a key").as_ref().to_vec();
        Self { private, public }
    }

    fn subscription(&self, endpoint: &str) -> Value {
        let (p256dh, auth) = (URL_SAFE_NO_PAD.encode(&self.public), URL_SAFE_NO_PAD.encode(SECRET));
        json!({"op": "push_subscribe", "endpoint": endpoint, "p256dh": p256dh, "auth": auth,
               "agent": "a test"})
    }

    fn subscribe(&self, client: &mut Client, receiver: &Receiver) -> u64 {
        let reply = client.ask(&self.subscription(&receiver.url()));
        reply["id"].as_u64().expect("an id")
    }

    /// Opens a push as a browser does: RFC 8291 section 3.
    fn open(self, request: &Request) -> Value {
        assert_eq!(request.field("content-encoding"), "aes128gcm");
        let (salt, rest) = request.body.split_at(16);
        let (head, rest) = rest.split_at(5);
        assert_eq!(head, [0, 0, 16, 0, 65]);
        let (server, record) = rest.split_at(65);
        let peer = UnparsedPublicKey::new(&ECDH_P256, server);
        let text = agree_ephemeral(self.private, &peer, |shared| {
            let info: [&[u8]; 3] = [b"WebPush: info\0", &self.public, server];
            let ikm: [u8; 32] = derive(&SECRET, shared, &info);
            let key: [u8; 16] = derive(salt, &ikm, &[b"Content-Encoding: aes128gcm\0"]);
            let nonce = derive(salt, &ikm, &[b"Content-Encoding: nonce\0"]);
            let mut record = record.to_vec();
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).expect("a key"));
            let nonce = Nonce::assume_unique_for_key(nonce);
            let opened =
                key.open_in_place(nonce, Aad::empty(), &mut record).expect("sealed for us");
            let end = opened.iter().rposition(|&byte| byte != 0).expect("a delimiter");
            assert_eq!(opened.get(end), Some(&2));
            opened.get(..end).expect("a text").to_vec()
        });
        serde_json::from_slice(&text.expect("a point")).expect("JSON")
    }
}

/// A server whose push services may be here.
fn setup() -> Setup {
    Setup::default().set("push.hosts", "127.0.0.1").set("limits.rate_per_s", "off")
}

fn key(client: &mut Client) -> String {
    let told = client.ask(&json!({"op": "push_subscriptions"}));
    told["key"].as_str().expect("a key").to_owned()
}

fn devices(client: &mut Client) -> Vec<Value> {
    let told = client.ask(&json!({"op": "push_subscriptions"}));
    told["items"].as_array().expect("a list").clone()
}

fn go_away(client: &mut Client) {
    client.ask(&json!({"op": "status", "status": "away"}));
}

fn write(client: &mut Client, text: &str) {
    client.ask(&json!({"op": "send", "to": "ann", "text": text}));
}

/// What is signed, by the key that the browser knows.
fn claims(request: &Request, key: &str) -> Value {
    let field = request.field("authorization");
    let (token, named) =
        field.strip_prefix("vapid t=").and_then(|rest| rest.split_once(", k=")).expect("a token");
    assert_eq!(named, key);
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let public = signature::UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decode(key));
    public.verify(signed.as_bytes(), &decode(signature)).expect("signed by the server");
    let (header, claims) = signed.split_once('.').expect("claims");
    assert_eq!(decode(header), br#"{"typ":"JWT","alg":"ES256"}"#);
    serde_json::from_slice(&decode(claims)).expect("JSON")
}

#[test]
fn a_direct_message_to_somebody_who_is_away_is_sealed_for_the_device_and_signed() {
    let server = setup().set("push.contact", "mailto:admin@example.org").start();
    let receiver = Receiver::start(|_, _| Some("201 Created"));
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    let device = Device::new();
    let id = device.subscribe(&mut ann, &receiver);
    let listed = devices(&mut ann);
    let expect = json!({"id": id, "service": "127.0.0.1", "agent": "a test",
                        "at": listed[0]["at"], "current": false});
    assert_eq!(listed, [expect]);
    go_away(&mut ann);
    write(&mut bob, "marker-in-text");
    let request = receiver.next();
    let claims = claims(&request, &key(&mut ann));
    let origin = format!("http://{}", receiver.address);
    assert_eq!(
        (&claims["aud"], &claims["sub"]),
        (&json!(origin), &json!("mailto:admin@example.org"))
    );
    let fields = ["ttl", "urgency", "content-type"].map(|name| request.field(name).to_owned());
    assert_eq!(fields, ["86400", "high", "application/octet-stream"]);
    assert_eq!(request.field("topic").len(), 32);
    let told = device.open(&request);
    let expect = json!({"v": 1, "room": "@ann:bob", "seq": 1, "unread": 1, "from": "bob",
                        "why": "direct", "user": "ann", "read": {}});
    assert_eq!(told, expect);
    server.await_metric("chinwag_pushes_total{outcome=\"delivered\"}", 1.0);
    server.await_metric("chinwag_pushes_total{outcome=\"failed\"}", 0.0);
    assert!(!server.log().contains("marker-in-url"), "an address is a secret");
}

#[test]
fn what_is_read_in_time_is_not_pushed() {
    let server = setup().set("push.texts", "true").start();
    let receiver = Receiver::start(|_, _| Some("201 Created"));
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    let device = Device::new();
    device.subscribe(&mut ann, &receiver);
    write(&mut bob, "one");
    ann.ask(&json!({"op": "ack", "room": "@ann:bob", "read": 1}));
    go_away(&mut ann);
    write(&mut bob, "two");
    let told = device.open(&receiver.next());
    let told = (&told["seq"], &told["unread"], &told["text"]);
    assert_eq!(told, (&json!(2), &json!(1), &json!("two")), "the first push is of the second");
}

#[test]
fn a_service_that_has_no_time_is_asked_again_and_one_that_knows_no_device_ends_it() {
    let server = setup().start();
    let answers = ["429 Too Many Requests\r\nRetry-After: 1", "201 Created", "410 Gone"];
    let receiver = Receiver::start(move |nth, _| answers.get(nth).copied());
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    let device = Device::new();
    device.subscribe(&mut ann, &receiver);
    go_away(&mut ann);
    write(&mut bob, "one");
    let (first, second) = (receiver.next(), receiver.next());
    assert_ne!(first.body, second.body, "it is sealed anew");
    assert_eq!(device.open(&second)["seq"], 1);
    write(&mut bob, "two");
    receiver.next();
    while !devices(&mut ann).is_empty() {}
    server.await_metric("chinwag_push_ended_total", 1.0);
}

#[test]
fn key_and_devices_outlive_a_kill_and_end_with_their_user() {
    let mut server = setup().start();
    let receiver = Receiver::start(|_, _| Some("201 Created"));
    let mut ann = Client::ws(&server).named("ann", None);
    let device = Device::new();
    let id = device.subscribe(&mut ann, &receiver);
    let public = key(&mut ann);
    server.restart(Signal::KILL);
    let mut ann = Client::ws(&server).named("ann", None);
    assert_eq!(key(&mut ann), public);
    assert_eq!(devices(&mut ann)[0]["id"], id);
    let part = ann.ask(&json!({"op": "export"}));
    assert_eq!(part["pushes"][0]["endpoint"], receiver.url());
    drop(ann);
    let mut bob = Client::lines(&server).named("bob", None);
    write(&mut bob, "one");
    assert_eq!(device.open(&receiver.next())["user"], "ann");
    server.restart_after(Signal::TERM, |data| {
        done(data, &["erase-user", "ann", "--yes"]);
        done(data, &["verify"]);
    });
    let mut ann = Client::ws(&server).named("ann", None);
    assert_eq!(devices(&mut ann), Vec::<Value>::new());
    assert_eq!(key(&mut ann), public);
}

#[test]
fn a_device_ends_with_its_login() {
    let server = setup().set("auth", "accounts").set("accounts.registration", "open").start();
    let receiver = Receiver::start(|_, _| Some("201 Created"));
    let enter = |op: &str| {
        let password = "correct horse";
        let login =
            Client::ws(&server).ask(&json!({"op": op, "name": "ann", "password": password}));
        let mut client = Client::ws(&server);
        client.ask(&json!({"op": "hello", "token": login["token"]}));
        client
    };
    let mut phone = enter("register");
    Device::new().subscribe(&mut phone, &receiver);
    let mut laptop = enter("login");
    assert_eq!(devices(&mut phone)[0]["current"], true);
    assert_eq!(devices(&mut laptop)[0]["current"], false);
    laptop.ask(&json!({"op": "end_login", "login": "others"}));
    assert_eq!(devices(&mut laptop), Vec::<Value>::new());
}

#[test]
fn an_address_inside_is_not_connected_to() {
    let server = Server::start();
    let inside = TcpListener::bind("127.0.0.1:0").expect("a port");
    inside.set_nonblocking(true).expect("a socket");
    let mut ann = Client::ws(&server).named("ann", None);
    let mut bob = Client::lines(&server).named("bob", None);
    let endpoint = format!("https://{}/x", inside.local_addr().expect("an address"));
    let plain = endpoint.replace("https", "http");
    ann.refused(&Device::new().subscription(&plain), 1003);
    ann.ask(&Device::new().subscription(&endpoint));
    go_away(&mut ann);
    write(&mut bob, "one");
    server.await_metric("chinwag_pushes_total{outcome=\"failed\"}", 1.0);
    assert!(inside.accept().is_err(), "nobody has connected");
}

#[test]
fn pushes_can_be_switched_off() {
    let server = Setup::default().set("push.enabled", "false").start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.refused(&json!({"op": "push_subscriptions"}), 9002);
    ann.refused(&Device::new().subscription("https://push.example/x"), 9002);
}

#[test]
fn a_device_that_is_added_by_several_at_once_is_there_once_and_everybody_can_still_write() {
    let server = setup().start();
    let mut bob = Client::lines(&server).named("bob", Some("lobby"));
    let mut anns: Vec<Client> = (0..8).map(|_| Client::lines(&server).named("ann", None)).collect();
    let mut device = Device::new().subscription("https://push.example/1");
    device["id"] = json!("device");
    for ann in &mut anns {
        ann.say(&device);
    }
    for ann in &mut anns {
        let answer = ann.expect(&json!({"id": "device"}));
        assert!([0, 5004].contains(&answer["code"].as_u64().expect("a code")), "{answer}");
        assert_eq!(devices(ann).len(), 1);
    }
    bob.ask(&json!({"op": "send", "room": "lobby", "text": "hi"}));
}
