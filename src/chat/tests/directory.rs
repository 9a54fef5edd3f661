//! The rooms that everybody may find, and members of large rooms in pages.

#![expect(
    clippy::disallowed_types,
    reason = "a store that a test looks into while the harness owns it"
)]

use std::cell::RefCell;
use std::rc::Rc;

use super::super::model::identity::{Grant, Identity, Rights};
use super::super::model::limits::{DIRECTORY_PAGE_MAX, PRESENCE_NAMES_MAX};
use super::super::model::listed_rooms::{DirectoryQuery, ListedRoom, StoredRoom};
use super::super::model::log::{Answer, LogReply, LogRequest, Query};
use super::super::model::policy::{Access, Policies, Policy, Rule};
use super::*;

fn ask(text: &'static str, after: &'static str, limit: Option<u32>) -> Command<'static> {
    let some = |text: &'static str| (!text.is_empty()).then(|| text.into());
    Command::Directory { text: some(text), after: some(after), limit }
}

/// What user 0 is answered.
#[track_caller]
fn page(harness: &mut Harness, command: Command<'static>) -> (Vec<ListedRoom>, Option<RoomName>) {
    let said = harness.run(0, command);
    let found = said.iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Directory { items, next }), .. } => {
            Some((items.clone(), next.clone()))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{said:?}"))
}

/// What user 0 finds: `name:members`, with `!` behind it if one enters by invitation only, and
/// behind all of them the place to go on from.
#[track_caller]
fn found(harness: &mut Harness, command: Command<'static>) -> String {
    let (items, next) = page(harness, command);
    let text = |row: &ListedRoom| {
        let mark = if row.by_invitation { "!" } else { "" };
        format!("{}:{}{mark}", row.room, row.members)
    };
    let mut texts: Vec<String> = items.iter().map(text).collect();
    texts.extend(next.as_ref().map(|next| format!("+{next}")));
    texts.join(" ")
}

/// Users `u0`, `u1` and `u2`, and rooms of `u1`: `club` by invitation, `den` private, others open.
fn harness() -> Harness {
    let club = Policy { access: Access::Invite, ..Policy::default() };
    let rule = Rule { name: None, pattern: Some("club".into()), policy: club };
    let policies = Policies { rules: vec![rule], ..Policies::uniform(Policy::default()) };
    let mut harness = Harness::with_lobby(Limits { policies, ..Limits::default() }, 3);
    for room in ["tea", "jam"] {
        harness.join(1, room);
    }
    for (room, private) in [("club", false), ("den", true)] {
        harness.run(1, create(room, private));
    }
    harness.run(2, message(Target::User("u1".into()), "psst", None));
    harness
}

#[test]
fn open_rooms_are_found_and_neither_private_ones_nor_conversations() {
    let mut harness = harness();
    assert_eq!(found(&mut harness, ask("", "", None)), "club:1! jam:1 lobby:3 tea:1");
    // Also by who is in it: what is one's own is in the inbox.
    harness.run(1, Command::Invite { room: "den".into(), user: "u0".into(), reason: "".into() });
    harness.join(0, "den");
    assert_eq!(found(&mut harness, ask("", "", None)), "club:1! jam:1 lobby:3 tea:1");
}

#[test]
fn the_directory_is_turned_page_by_page() {
    let mut harness = harness();
    assert_eq!(found(&mut harness, ask("", "", Some(2))), "club:1! jam:1 +jam");
    assert_eq!(found(&mut harness, ask("", "jam", Some(2))), "lobby:3 tea:1");
    assert_eq!(found(&mut harness, ask("", "tea", Some(2))), "");
}

/// The rooms of a store, none of which is in memory; the queries count.
#[derive(Debug, Default)]
struct Shelf {
    names: Vec<&'static str>,
    replies: Vec<LogReply>,
    queries: usize,
}

#[derive(Clone, Debug, Default)]
struct Rooms(Rc<RefCell<Shelf>>);

impl Logs for Rooms {
    fn request(&mut self, _now: Now, request: LogRequest) {
        let LogRequest::Read { ticket, query: Query::Directory(query) } = request else { return };
        let DirectoryQuery { after, limit, .. } = query;
        let limit = usize::try_from(limit).unwrap();
        let mut contents = self.0.borrow_mut();
        let behind: Vec<&str> =
            contents.names.iter().copied().filter(|name| **name > *after).collect();
        let name = |name: &&str| RoomName::parse(name).unwrap();
        let row = |at: &&str| StoredRoom {
            room: name(at),
            topic: "".into(),
            members: 1,
            at: 0,
            policy: None,
        };
        let rooms: Vec<StoredRoom> = behind.iter().take(limit).map(row).collect();
        let next = (behind.len() > limit).then(|| rooms.last().unwrap().room.clone());
        let outcome = Ok(Answer::Rooms { rooms, next });
        contents.replies.push(LogReply::Answer { ticket, outcome });
        contents.queries += 1;
    }

    fn flush(&mut self) {}

    fn poll(&mut self) -> Option<LogReply> {
        self.0.borrow_mut().replies.pop()
    }
}

#[test]
fn a_restricted_token_is_told_of_no_room_that_it_may_not_read_not_even_where_a_page_ends() {
    let mut harness = Harness::new(Limits::default());
    harness.hello(0, "ann");
    let hidden = (0..2 * DIRECTORY_PAGE_MAX).map(|number| &*format!("hid{number:03}").leak());
    let names: Vec<&str> = hidden.chain(["pub1", "pub2", "pub3", "quiet"]).collect();
    let rooms = Rooms::default();
    rooms.0.borrow_mut().names = names;
    harness.store = Box::new(rooms.clone());
    let rights = Rights { read: true, send: false };
    let grants = vec![Grant { rooms: "pub*".into(), rights }];
    harness.chat.directory.credentials.insert(conn(0), Identity { grants, ..Identity::default() });
    assert_eq!(found(&mut harness, ask("", "", Some(1))), "pub1:1 +pub1");
    assert_eq!(rooms.0.borrow().queries, 3, "all pages without a room that may be read");
    assert_eq!(found(&mut harness, ask("", "pub1", Some(1))), "pub2:1 +pub2");
    assert_eq!(found(&mut harness, ask("", "pub2", Some(1))), "pub3:1");
    assert_eq!(found(&mut harness, ask("", "pub3", Some(1))), "");
}

#[test]
fn rooms_are_found_by_a_part_of_their_name_or_topic() {
    let mut harness = harness();
    let topic = |text: &'static str| Command::Topic {
        room: "tea".into(),
        text: Some(text.into()),
        weight: 20,
    };
    harness.run(1, topic("Darjeeling, first flush"));
    for (text, expect) in
        [("obb", "lobby:3"), ("DARJEELING", "tea:1"), ("nobody", ""), ("e", "tea:1")]
    {
        assert_eq!(found(&mut harness, ask(text, "", None)), expect, "{text}");
    }
}

#[test]
fn the_directory_says_when_something_was_said_last() {
    let mut harness = harness();
    harness.now.wall_ms = 5_000;
    harness.run(1, message(Target::Room("tea".into()), "hi", None));
    let (items, _) = page(&mut harness, ask("tea", "", None));
    assert_eq!(items[0].at, 5_000);
}

#[test]
fn members_of_a_large_room_come_in_pages_for_who_asks_for_pages() {
    let count = PRESENCE_NAMES_MAX + 30;
    let mut harness = Harness::with_lobby(Limits::default(), count);
    let mut ask = |limit, after: Option<String>| {
        let after = after.map(Into::into);
        let said = harness.run(0, Command::Members { room: "lobby".into(), limit, after });
        match said.first() {
            Some(Output::Reply { result: Ok(Reply::Members { count, users, more }), .. }) => {
                (*count, users.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), *more)
            }
            other => panic!("{other:?}"),
        }
    };
    let all = u64::try_from(count).unwrap();
    assert_eq!(ask(None, None), (all, Vec::new(), true), "these are not all");
    let mut names: Vec<String> = Vec::new();
    loop {
        let (found, page, more) = ask(Some(100), names.last().cloned());
        assert_eq!((found, page.len() <= 100), (all, true));
        names.extend(page);
        if !more {
            break;
        }
    }
    let mut expect: Vec<String> = (0..count).map(|number| format!("u{number}")).collect();
    expect.sort_unstable();
    assert_eq!(names, expect);
    assert_eq!(ask(Some(10_000), None).1.len(), PRESENCE_NAMES_MAX, "a page has a bound");
}
