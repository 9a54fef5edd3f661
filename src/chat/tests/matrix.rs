//! The table of rights: who gets what for which operation, live and after a resume with what was
//! known before. It stands in `src/docs/rights.md`, which is the one place of it, and is run here.

use std::fmt::Write as _;

use super::super::model::command::{Page, Reported};
use super::super::model::identity::Source;
use super::super::model::reply::Role;
use super::moderation::{act, den};
use super::*;

/// The table, as it is documented.
const DOCUMENTED: &str = include_str!("../../docs/rights.md");
const BEGIN: &str = "<!-- begin -->\n";

/// Who asks. The connection of each has this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Person {
    Owner,
    Moderator,
    Member,
    Reader,
    Muted,
    Former,
    Banned,
    Invited,
    Stranger,
    Guest,
    Administrator,
    ReadToken,
    OtherToken,
    SendKey,
    ReadKey,
    OtherKey,
}

const PEOPLE: [(Person, &str); 16] = [
    (Person::Owner, "owner"),
    (Person::Moderator, "moderator"),
    (Person::Member, "member"),
    (Person::Reader, "reader"),
    (Person::Muted, "muted"),
    (Person::Former, "ex-member"),
    (Person::Banned, "banned"),
    (Person::Invited, "invited"),
    (Person::Stranger, "stranger"),
    (Person::Guest, "guest"),
    (Person::Administrator, "administrator"),
    (Person::ReadToken, "member, token `r`"),
    (Person::OtherToken, "member, token for other rooms"),
    (Person::SendKey, "key, `send`"),
    (Person::ReadKey, "key, `read`"),
    (Person::OtherKey, "key for other rooms"),
];

/// What is asked, of the room `den`, in which `mem` has said the message 3.
fn operations() -> Vec<(&'static str, Command<'static>)> {
    let room = || "den".into();
    let (page, search) = (
        Page::Latest,
        Command::Search { room: Some(room()), text: "word".into(), before: None, limit: None },
    );
    let text = |text: &'static str| Some(text.into());
    vec![
        ("join", Command::Join { room: room(), after: None, epoch: None }),
        ("join, from the first", Command::Join { room: room(), after: Some(0), epoch: None }),
        ("send", message(Target::Room(room()), "hi", None)),
        ("history", Command::History { room: room(), page, limit: None, epoch: None }),
        ("search", search),
        ("thread", Command::Thread { room: room(), thread: 3, before: None, limit: None }),
        ("threads of the room", Command::Threads { room: Some(room()) }),
        ("presence", Command::Presence { room: room() }),
        ("members", Command::Members { room: room(), limit: None, after: None }),
        ("typing", Command::Typing { room: room() }),
        ("ack", Command::Ack { room: room(), recv: None, read: Some(1), epoch: None }),
        ("topic, read", Command::Topic { room: room(), text: None, weight: 0 }),
        ("topic, set", Command::Topic { room: room(), text: text("new"), weight: 3 }),
        ("rename", Command::Rename { room: room(), name: "lair".into() }),
        ("close", Command::Close { room: room(), reason: "".into(), sure: true }),
        ("edit another's", Command::Edit { room: room(), target: 3, text: "x".into(), weight: 1 }),
        ("delete another's", Command::Delete { room: room(), target: 3 }),
        (
            "react",
            Command::React {
                room: room(),
                target: 3,
                emoji: "+1".into(),
                remove: false,
                weight: 2,
            },
        ),
        ("invite", Command::Invite { room: room(), user: "out".into(), reason: "".into() }),
        ("uninvite", Command::Uninvite { room: room(), user: "gus".into() }),
        ("kick", act("vic", ModerationCommand::Kick, "")),
        ("mute", act("vic", ModerationCommand::Mute(None), "")),
        ("ban", act("vic", ModerationCommand::Ban(None), "")),
        ("unban", act("bad", ModerationCommand::Unban, "")),
        ("role", act("vic", ModerationCommand::Role(Role::Reader), "")),
        ("restrictions", Command::Restrictions { room: room(), limit: None, after: None }),
        ("report", Command::Report { about: Reported::Message(room(), 3), reason: "rude".into() }),
        ("reports", Command::Reports { room: Some(room()), limit: None, after: None }),
        ("settle a report", Command::Settle { report: 1 }),
        ("audit of the room", Command::Audit { room: Some(room()), before: None, limit: None }),
        ("audit of all", Command::Audit { room: None, before: None, limit: None }),
        ("kick the only owner", act("own", ModerationCommand::Kick, "")),
        ("leave", Command::Leave { room: room() }),
    ]
}

const ASKER: usize = 20;

/// The room with everybody in it, and the asker's session: its secret, if it has one.
fn scene(person: Person, private: bool) -> (Harness, String) {
    let mut harness = den(Limits::default(), private);
    let invite = |user: &'static str| Command::Invite {
        room: "den".into(),
        user: user.into(),
        reason: "".into(),
    };
    harness.run(2, message(Target::Room("den".into()), "a word", None));
    for (number, name) in [(10, "vic"), (11, "bad"), (12, "gus")] {
        harness.hello(number, name);
        harness.run(0, invite(name));
        if name != "gus" {
            harness.join(number, "den");
        }
    }
    harness.run(0, act("bad", ModerationCommand::Ban(None), ""));
    let about = Reported::Message("den".into(), 3);
    harness.run(3, Command::Report { about, reason: "rude".into() });
    let was_member = !matches!(
        person,
        Person::Invited
            | Person::Stranger
            | Person::Guest
            | Person::Administrator
            | Person::SendKey
            | Person::ReadKey
            | Person::OtherKey
    );
    // Who was a member before has come as one, and has a session of that time.
    let secret = match person {
        Person::Guest => welcome(&harness.hello_with(ASKER, None, None)),
        Person::Administrator => token(&mut harness, ASKER, &[], None),
        Person::SendKey | Person::ReadKey | Person::OtherKey => {
            key(&mut harness, person, ASKER, None)
        }
        _ => harness.hello(ASKER, "ask"),
    };
    if was_member {
        harness.run(0, invite("ask"));
        harness.join(ASKER, "den");
    }
    let role = |role| act("ask", ModerationCommand::Role(role), "");
    match person {
        Person::Owner => drop(harness.run(0, role(Role::Owner))),
        Person::Moderator => drop(harness.run(0, role(Role::Moderator))),
        Person::Reader => drop(harness.run(0, role(Role::Reader))),
        Person::Muted => drop(harness.run(0, act("ask", ModerationCommand::Mute(None), ""))),
        Person::Former => drop(harness.run(ASKER, Command::Leave { room: "den".into() })),
        Person::Banned => drop(harness.run(0, act("ask", ModerationCommand::Ban(None), ""))),
        Person::Invited => drop(harness.run(0, invite("ask"))),
        Person::ReadToken => narrow(&mut harness, "den"),
        Person::OtherToken => narrow(&mut harness, "other"),
        Person::Member
        | Person::Stranger
        | Person::Guest
        | Person::Administrator
        | Person::SendKey
        | Person::ReadKey
        | Person::OtherKey => {}
    }
    harness.wait(2_000);
    (harness, secret)
}

/// The secret of the session that a hello has begun.
fn welcome(said: &[Output]) -> String {
    let session = said.iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Welcome { session, .. }), .. } => Some(session.clone()),
        _ => None,
    });
    session.unwrap_or_else(|| panic!("{said:?}")).to_string()
}

/// What is proved from now on lets the asker only read in the rooms of this name.
fn narrow(harness: &mut Harness, rooms: &str) {
    let rights = Rights { read: true, send: false };
    let grants = vec![Grant { rooms: rooms.into(), rights }];
    harness
        .chat
        .directory
        .credentials
        .insert(conn(ASKER), Identity { grants, ..Identity::default() });
}

/// Says hello as an administrator, by a token.
fn token(
    harness: &mut Harness,
    number: usize,
    grants: &[Grant],
    resume: Option<Resume<'_>>,
) -> String {
    let identity = Identity {
        source: Source::Token,
        issuer: "app".into(),
        subject: "root".into(),
        name: UserName::parse("root").ok(),
        is_admin: true,
        grants: grants.to_vec(),
        ..Identity::default()
    };
    hello_proved(harness, number, identity, resume)
}

fn hello_proved(
    harness: &mut Harness,
    number: usize,
    identity: Identity,
    resume: Option<Resume<'_>>,
) -> String {
    let hello = Hello { resume, ..harness.hello_of(Some(identity)) };
    welcome(&harness.say_hello(number, hello))
}

/// Says hello as a program, whose name was bound when its key was made.
fn key(harness: &mut Harness, person: Person, number: usize, resume: Option<Resume<'_>>) -> String {
    let rooms = if person == Person::OtherKey { "other" } else { "den" };
    let rights = Rights { read: person == Person::ReadKey, send: person != Person::ReadKey };
    let identity = harness.program(rooms, rights);
    hello_proved(harness, number, identity, resume)
}

/// What the asker gets: `yes`, or the code of the refusal.
fn outcome(harness: &mut Harness, number: usize, command: Command<'_>) -> String {
    let said = harness.run(number, command);
    let me = conn(number);
    let refused = said.iter().find_map(|said| match said {
        Output::Reply { to, result: Err(refusal), .. } if *to == me => Some(refusal.code),
        _ => None,
    });
    refused.map_or_else(|| "yes".to_owned(), |code| code.number().to_string())
}

/// The same after the connection was lost, and resumed with the position of a member.
fn outcome_after_resume(person: Person, private: bool, command: Command<'_>) -> String {
    let (mut harness, secret) = scene(person, private);
    let epoch = harness.chat.rooms.named("den").map(|key| harness.chat.rooms[key].epoch);
    let epoch = epoch.expect("the room");
    let restricted = harness.chat.directory.credentials.remove(conn(ASKER));
    harness.chat.handle_closed(harness.now, conn(ASKER));
    harness.end_turn();
    let again = ASKER + 1;
    if let Some(row) = restricted {
        // What is proved is proved again before anything else.
        harness.chat.directory.credentials.insert(conn(again), row.identity);
    }
    let name = (person != Person::Guest).then_some("ask");
    match person {
        Person::Administrator => drop(token(&mut harness, again, &[], None)),
        Person::SendKey | Person::ReadKey | Person::OtherKey => {
            let position = Position { room: "den".into(), epoch: epoch.to_string().into(), seq: 1 };
            let positions = vec![position];
            let resume = Resume { session: secret.into(), positions, former: None };
            key(&mut harness, person, again, Some(resume));
        }
        _ => drop(harness.hello_with(again, name, Some((&secret, &[("den", epoch, 1)])))),
    }
    outcome(&mut harness, again, command)
}

/// The table of one kind of room.
fn table(private: bool) -> String {
    let mut table = String::from("| operation |");
    for (_, name) in PEOPLE {
        _ = write!(table, " {name} |");
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(PEOPLE.len()));
    table.push('\n');
    for (at, (name, _)) in operations().iter().enumerate() {
        _ = write!(table, "| {name} |");
        for (person, _) in PEOPLE {
            let command = || operations().swap_remove(at).1;
            let live = outcome(&mut scene(person, private).0, ASKER, command());
            let resumed = outcome_after_resume(person, private, command());
            let both = if live == resumed { live } else { format!("{live}, then {resumed}") };
            _ = write!(table, " {both} |");
        }
        table.push('\n');
    }
    table
}

#[test]
fn who_may_do_what_is_as_it_is_documented() {
    let (_, documented) = DOCUMENTED.split_once(BEGIN).expect("the place of the tables");
    let found =
        format!("## In an open room\n\n{}\n## In a private room\n\n{}", table(false), table(true));
    assert_eq!(documented, found, "put the right side into src/docs/rights.md:\n{found}");
}
