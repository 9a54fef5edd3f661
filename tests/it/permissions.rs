//! Who may do what: every verb, by every kind of person, in an open and in a private room, on a
//! connection that was there all the time and on one that was resumed.

use std::collections::BTreeMap;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::database_commands::done;
use crate::support::{Client, Server, Setup};

/// The kinds of person, in the order of the tables' columns: the owner, a moderator, a member, a
/// reader, somebody who is muted, somebody who is banned, somebody who has left, a stranger,
/// somebody who is invited.
const PEOPLE: [&str; 9] = ["own", "mod", "mem", "rea", "mut", "ban", "exm", "str", "inv"];

/// Those who have been in the room, besides the owner. Acts are done to `vic`, invitations sent to
/// `gus`.
const JOINERS: [&str; 7] = ["mod", "mem", "rea", "mut", "ban", "exm", "vic"];

/// A verb, the codes by kind of person in an open room, and those in a private one that differ.
type Row = (&'static str, [u16; 9], &'static [(&'static str, u16)]);

/// To those who are not in it, a private room looks as if it did not exist. Somebody who is invited
/// may know of it and is still no member.
const HIDDEN: &[(&str, u16)] = &[("exm", 3001), ("str", 3001)];

const READ: [u16; 9] = [0, 0, 0, 0, 0, 3005, 3003, 3003, 3003];
const SPEAK: [u16; 9] = [0, 0, 0, 3007, 3006, 3005, 3003, 3003, 3003];
const KEEP_ORDER: [u16; 9] = [0, 0, 3004, 3004, 3004, 3005, 3003, 3003, 3003];

const TABLE: &[Row] = &[
    ("send", SPEAK, HIDDEN),
    ("edit own", SPEAK, HIDDEN),
    ("delete own", SPEAK, HIDDEN),
    ("edit", [3004, 3004, 3004, 3007, 3006, 3005, 3003, 3003, 3003], HIDDEN),
    ("delete", [0, 0, 3004, 3007, 3006, 3005, 3003, 3003, 3003], HIDDEN),
    ("react", SPEAK, HIDDEN),
    ("typing", SPEAK, HIDDEN),
    ("history", READ, HIDDEN),
    ("search", READ, HIDDEN),
    ("presence", READ, HIDDEN),
    ("members", READ, HIDDEN),
    ("ack", READ, HIDDEN),
    ("topic", READ, HIDDEN),
    ("set topic", KEEP_ORDER, HIDDEN),
    ("kick", KEEP_ORDER, HIDDEN),
    ("mute", KEEP_ORDER, HIDDEN),
    ("ban", KEEP_ORDER, HIDDEN),
    ("unban", KEEP_ORDER, HIDDEN),
    ("role", [0, 3004, 3004, 3004, 3004, 3005, 3003, 3003, 3003], HIDDEN),
    ("invite", READ, &[("mem", 3004), ("rea", 3004), ("mut", 3004), ("exm", 3001), ("str", 3001)]),
    // The room's only owner does not leave others behind.
    // Who is invited declines.
    ("leave", [3004, 0, 0, 0, 0, 3005, 3003, 3003, 0], HIDDEN),
    ("uninvite", [0, 0, 3004, 3004, 3004, 3005, 3003, 3003, 3003], HIDDEN),
    ("restrictions", KEEP_ORDER, HIDDEN),
    ("join", [0, 0, 0, 0, 0, 3005, 0, 0, 0], HIDDEN),
    ("join after", [0, 0, 0, 0, 0, 3005, 0, 0, 0], HIDDEN),
    ("resume", READ, HIDDEN),
];

/// Everybody, connected, with the secrets of their sessions.
struct Cast<'a> {
    server: &'a Server,
    clients: BTreeMap<&'static str, (Client, Value)>,
}

/// A room with everybody in their place.
struct Scene {
    room: String,
    epoch: Value,
    /// What each has said there.
    messages: BTreeMap<&'static str, Value>,
}

impl<'a> Cast<'a> {
    fn new(server: &'a Server) -> Self {
        let everybody = PEOPLE.into_iter().chain(["vic", "gus"]);
        let clients = everybody.map(|name| {
            let mut client = Client::lines(server);
            let session = client.ask(&json!({"op": "hello", "name": name}))["session"].take();
            (name, (client, session))
        });
        Self { server, clients: clients.collect() }
    }

    fn ask(&mut self, name: &str, request: &Value) -> Value {
        let (client, _) = self.clients.get_mut(name).expect("one of the cast");
        client.ask(request)
    }

    /// Makes a room and puts everybody in their place.
    fn set(&mut self, room: String, private: bool) -> Scene {
        let made = self.ask("own", &json!({"op": "create", "room": room, "private": private}));
        let mut messages = BTreeMap::new();
        let say = json!({"op": "send", "room": room, "text": "hi"});
        messages.insert("own", self.ask("own", &say)["seq"].take());
        for name in JOINERS {
            self.ask("own", &json!({"op": "invite", "room": room, "user": name}));
            self.ask(name, &json!({"op": "join", "room": room}));
            messages.insert(name, self.ask(name, &say)["seq"].take());
        }
        self.ask("exm", &json!({"op": "leave", "room": room}));
        for request in [
            json!({"op": "role", "user": "mod", "role": "moderator"}),
            json!({"op": "role", "user": "rea", "role": "reader"}),
            json!({"op": "mute", "user": "mut"}),
            json!({"op": "ban", "user": "ban"}),
            json!({"op": "invite", "user": "inv"}),
        ] {
            let mut request = request.clone();
            request["room"] = json!(room);
            self.ask("own", &request);
        }
        Scene { room, epoch: made["epoch"].clone(), messages }
    }

    /// Comes back on a new connection, naming the room from its beginning, and returns the room's
    /// code.
    fn resume(&mut self, name: &'static str, scene: &Scene) -> u64 {
        let (_, session) = self.clients.remove(name).expect("one of the cast");
        let mut client = Client::lines(self.server);
        let rooms = json!({&scene.room: [scene.epoch, 0]});
        let resume = json!({"session": session, "rooms": rooms});
        let mut welcome = client.ask(&json!({"op": "hello", "name": name, "resume": resume}));
        assert_eq!(welcome["resumed"], true, "{welcome}");
        let code = welcome["rooms"][&scene.room]["code"].as_u64().unwrap_or(0);
        self.clients.insert(name, (client, welcome["session"].take()));
        code
    }

    /// The code with which a verb is answered.
    fn code(&mut self, name: &'static str, verb: &str, scene: &Scene) -> u64 {
        if verb == "resume" {
            return self.resume(name, scene);
        }
        let own = scene.messages.get(name).unwrap_or_else(|| &scene.messages["own"]);
        let theirs = &scene.messages["vic"];
        let mut request = match verb {
            "send" => json!({"op": "send", "text": "hi"}),
            "edit own" => json!({"op": "edit", "target": own, "text": "ho"}),
            "delete own" => json!({"op": "delete", "target": own}),
            "edit" => json!({"op": "edit", "target": theirs, "text": "ho"}),
            "delete" => json!({"op": "delete", "target": theirs}),
            "react" => json!({"op": "react", "target": theirs, "emoji": "+1"}),
            "search" => json!({"op": "search", "text": "hi"}),
            "ack" => json!({"op": "ack", "read": 1}),
            "set topic" => json!({"op": "topic", "text": "tea"}),
            "kick" | "mute" | "ban" => json!({"op": verb, "user": "vic", "reason": "why not"}),
            "unban" => json!({"op": "unban", "user": "ban"}),
            "role" => json!({"op": "role", "user": "vic", "role": "reader"}),
            "invite" => json!({"op": "invite", "user": "gus"}),
            "uninvite" => json!({"op": "uninvite", "user": "inv"}),
            "join after" => json!({"op": "join", "after": 0}),
            verb => json!({"op": verb}),
        };
        request["room"] = json!(scene.room);
        let (client, _) = self.clients.get_mut(name).expect("one of the cast");
        client.request(&request)["code"].as_u64().expect("a code")
    }

    /// What was told to anybody meanwhile does not matter.
    /// Withdraws what is open, since a user has so many invitations only, and forgets what was
    /// told.
    fn clear(&mut self, scene: &Scene) {
        let (own, _) = self.clients.get_mut("own").expect("the owner");
        for user in ["inv", "gus"] {
            own.request(&json!({"op": "uninvite", "room": scene.room, "user": user}));
        }
        for (client, _) in self.clients.values_mut() {
            client.forget();
        }
    }
}

fn expected((_, open, private): &Row, place: usize, is_private: bool) -> u16 {
    let differs = private.iter().find(|(name, _)| is_private && *name == PEOPLE[place]);
    differs.map_or(open[place], |&(_, code)| code)
}

/// Tries every cell of the table.
fn check(server: &Server) {
    let mut cast = Cast::new(server);
    let mut wrong = Vec::new();
    let mut cells = 0;
    for kind @ (private, how) in
        [("open", "live"), ("open", "resumed"), ("private", "live"), ("private", "resumed")]
    {
        let (is_private, is_resumed) = (private == "private", how == "resumed");
        let rows =
            TABLE.iter().flat_map(|row| PEOPLE.into_iter().enumerate().map(move |of| (row, of)));
        for (row, (place, name)) in rows {
            cells += 1;
            let scene = cast.set(format!("room-{cells}"), is_private);
            if is_resumed {
                cast.resume(name, &scene);
            }
            let code = cast.code(name, row.0, &scene);
            let expect = u64::from(expected(row, place, is_private));
            if code != expect {
                wrong.push(format!("{name}, {} in {kind:?}: {code}, not {expect}", row.0));
            }
            cast.clear(&scene);
        }
    }
    assert_eq!(cells, 4 * 9 * TABLE.len());
    assert!(wrong.is_empty(), "{} of {cells} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

fn setup() -> Setup {
    Setup::default()
        .set("limits.rate_per_s", "off")
        .set("limits.errors_in_a_row", "65535")
        .set("limits.rooms", "4096")
}

#[test]
fn every_verb_is_for_those_whom_the_table_names_in_memory() {
    check(&setup().in_memory().start());
}

#[test]
fn every_verb_is_for_those_whom_the_table_names_where_it_is_stored() {
    // Without waiting for the disk, which does not matter for permissions and takes long.
    check(&setup().set("durability", "os").start());
}

#[test]
fn a_restart_changes_nothing_of_who_may_do_what() {
    let mut server = setup().set("durability", "os").start();
    let mut cast = Cast::new(&server);
    let scenes = [false, true].map(|is_private| cast.set(format!("room-{is_private}"), is_private));
    // Invitations are written lazily, but before any record that comes after them. So once this
    // record is stored, they are.
    for scene in &scenes {
        cast.ask("own", &json!({"op": "send", "room": scene.room, "text": "all here?"}));
    }
    drop(cast);
    server.restart(Signal::KILL);
    let mut cast = Cast::new(&server);
    for (scene, is_private) in scenes.iter().zip([false, true]) {
        for row in
            TABLE.iter().filter(|row| ["send", "history", "set topic", "join"].contains(&row.0))
        {
            for (place, name) in PEOPLE.into_iter().enumerate() {
                let expect = u64::from(expected(row, place, is_private));
                let code = cast.code(name, row.0, scene);
                assert_eq!(code, expect, "{name}, {} in {}", row.0, scene.room);
            }
        }
    }
}

#[test]
fn what_owners_do_to_others_is_noted_and_found_by_room_and_by_who_did_it() {
    let mut server = Server::start();
    let mut ann = Client::ws(&server).named("ann", None);
    ann.ask(&json!({"op": "create", "room": "den"}));
    let mut bob = Client::ws(&server).named("bob", Some("den"));
    let seq = bob.ask(&json!({"op": "send", "room": "den", "text": "mine"}))["seq"].clone();
    let own = bob.ask(&json!({"op": "send", "room": "den", "text": "mine too"}))["seq"].clone();
    bob.ask(&json!({"op": "delete", "room": "den", "target": own}));
    ann.ask(&json!({"op": "delete", "room": "den", "target": seq}));
    ann.ask(&json!({"op": "mute", "room": "den", "user": "bob"}));
    ann.ask(&json!({"op": "role", "room": "den", "user": "bob", "role": "moderator"}));
    ann.ask(&json!({"op": "ban", "room": "den", "user": "bob"}));
    server.restart(Signal::TERM);
    let acts = |filter: &[&str]| -> Vec<String> {
        let shown = done(&server.data(), &[&["audit"], filter].concat());
        let act = |line: &str| line.split_once(' ').map(|(_, act)| act.to_owned());
        shown.lines().filter_map(act).collect()
    };
    let expect = [
        "ann delete bob in den",
        "ann mute bob in den",
        "ann role moderator bob in den",
        "ann ban bob in den",
    ];
    assert_eq!(acts(&[]), expect);
    assert_eq!(acts(&["--room", "den", "--by", "ann", "--since", "1h"]), expect);
    assert!(acts(&["--by", "bob"]).is_empty() && acts(&["--room", "lobby"]).is_empty());
}
