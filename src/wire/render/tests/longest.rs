//! No answer and no event is longer than the welcome says: the longest of each kind.

use super::*;
use crate::chat::model::color::Color;
use crate::chat::model::limits::{
    CID_LEN_MAX, DISPLAY_LEN_MAX, INBOX_BYTES_MAX, INBOX_ROW_OVERHEAD, LAST_LEN_MAX,
    PAGE_BYTES_MAX, PRESENCE_NAMES_MAX, PROFILES_PAGE_MAX, READ_MARK_BYTES, RECEIPTS_MEMBERS_MAX,
    REQUEST_ID_LEN_MAX, RESUMED_ROOM_BYTES, SEARCH_BYTES_MAX, STATUS_LEN_MAX, TOPIC_LEN_MAX,
};
use crate::chat::model::limits::{
    INVITATIONS_OF_USER_MAX, REASON_LEN_MAX, RESTRICTION_OVERHEAD, WELCOME_INVITATIONS_BYTES_MAX,
};
use crate::chat::model::log::{Expiry, Restriction, RestrictionMeta};
use crate::chat::model::name::NAME_LEN_MAX;
use crate::chat::model::profile::PublicProfile;
use crate::wire::frame_len_max;

const SEQ: u64 = (1 << 53) - 1;

fn longest_user() -> UserName {
    user(&"u".repeat(NAME_LEN_MAX))
}

fn longest_room() -> RoomName {
    RoomName::parse(&format!("@{}:{}", "u".repeat(NAME_LEN_MAX), "v".repeat(NAME_LEN_MAX))).unwrap()
}

fn longest_epoch() -> Epoch {
    Epoch(u64::MAX)
}

/// A message of `text`, booked as the domain does.
fn booked(text: &str) -> SharedRecord {
    let cid = "\u{1}".repeat(CID_LEN_MAX);
    let own = encoded_len_max(text, None, Some(&cid));
    let names = RECORD_OVERHEAD + longest_room().as_str().len() + NAME_LEN_MAX;
    let body = Body::Message {
        text: text.into(),
        data: None,
        cid: Some(cid.into()),
        reply_to: Some(SEQ),
        thread: Some(SEQ),
        edited: Some(SEQ),
    };
    let weight = own + u32::try_from(names).unwrap();
    Arc::new(Record { seq: SEQ, at: SEQ, from: longest_user(), body, weight })
}

/// As many of these as fit into a page of so many bytes; at least one.
fn page(record: &SharedRecord, bytes_max: usize) -> Vec<SharedRecord> {
    let fitting = bytes_max / usize::try_from(record.weight).unwrap();
    vec![Arc::clone(record); fitting.max(1)]
}

#[track_caller]
fn check_reply(limits: &Limits, answer: &Reply) -> usize {
    let viewer = longest_user();
    let stated = &stated_limits(limits);
    let context = Context { viewer: Some(&viewer), limits, stated, server: "chinwag 10.10.10" };
    let id = format!("\"{}\"", "i".repeat(REQUEST_ID_LEN_MAX));
    let mut out = Vec::new();
    assert!(reply(&mut out, &request(Some(&id), Op::Ping), answer, &context));
    assert!(
        out.len() <= frame_len_max(limits),
        "{} {:.200}",
        out.len(),
        str::from_utf8(&out).unwrap()
    );
    out.len()
}

#[track_caller]
fn check_event(limits: &Limits, what: &Event) {
    let mut out = Vec::new();
    event(&mut out, what, Some(&longest_user()));
    assert!(out.len() <= frame_len_max(limits), "{}", out.len());
}

fn each_limits() -> [Limits; 4] {
    [
        Limits::default(),
        Limits { message_bytes: 1, ..Limits::default() },
        Limits { message_bytes: 1 << 20, ..Limits::default() },
        Limits { rooms_per_user: 5_000, ..Limits::default() },
    ]
}

#[test]
fn no_page_is_longer_than_the_welcome_says() {
    for limits in each_limits() {
        for text in ["\"\\\n".repeat(limits.message_bytes / 3), "x".repeat(150), String::new()] {
            let record = booked(&text);
            let mut live = Vec::new();
            record_event(&mut live, &longest_room(), &record);
            assert!(live.len() <= frame_len_max(&limits), "{}", live.len());
            let (room, items) = (longest_room(), page(&record, PAGE_BYTES_MAX));
            check_event(&limits, &Event::Replay { room, items: items.clone(), to: SEQ });
            let (room, epoch) = (longest_room(), longest_epoch());
            let history = Reply::History { room, epoch, items, oldest: SEQ, more: true };
            check_reply(&limits, &history);
            // Small ones from memory, and large ones from the store.
            let found =
                [booked("x"), record].map(|record| page(&record, SEARCH_BYTES_MAX)).concat();
            let items = found.into_iter().map(|record| (longest_room(), record)).collect();
            check_reply(&limits, &Reply::Found { items, next: Some(SEQ) });
        }
    }
}

#[test]
fn no_list_is_longer_than_the_welcome_says() {
    let many = |count| vec![longest_user(); count];
    for limits in each_limits() {
        let users = many(PRESENCE_NAMES_MAX);
        let (v, count) = (SEQ, SEQ);
        let states: Vec<_> = users.iter().map(|user| (user.clone(), Presence::Online)).collect();
        let change = PresenceChange::State(states.clone());
        check_event(&limits, &Event::Presence { room: longest_room(), v, count, change });
        let change =
            PresenceChange::Delta { on: users.clone(), away: users.clone(), off: users.clone() };
        check_event(&limits, &Event::Presence { room: longest_room(), v, count, change });
        check_event(&limits, &Event::Typing { room: longest_room(), users: users.clone() });
        let profile = PublicProfile {
            display: "\"".repeat(DISPLAY_LEN_MAX).into(),
            text: "\"".repeat(STATUS_LEN_MAX).into(),
            until: Some(SEQ),
            color: Color::Yellow,
        };
        assert!(profile.rendered_len_max() <= PublicProfile::RENDERED_LEN_MAX);
        let profiles: Vec<_> =
            many(PROFILES_PAGE_MAX).into_iter().map(|user| (user, profile.clone())).collect();
        check_event(&limits, &Event::Profiles { room: longest_room(), users: profiles.clone() });
        let len = check_reply(&limits, &Reply::Profiles { users: profiles });
        assert!(len <= 256 + PROFILES_PAGE_MAX * profile.rendered_len_max(), "{len}");
        let read = many(RECEIPTS_MEMBERS_MAX).into_iter().map(|user| (user, SEQ)).collect();
        check_event(&limits, &Event::Receipts { room: longest_room(), read });
        check_reply(&limits, &Reply::Presence { v, count, users: Some(states) });
        let users = users.into_iter().map(|user| (user, Role::Moderator)).collect();
        check_reply(&limits, &Reply::Members { count, users, more: true });
        let text = "\"".repeat(TOPIC_LEN_MAX).into();
        check_reply(&limits, &Reply::Topic { room: longest_room(), text });
        let mut out = Vec::new();
        help(&mut out, &request(Some("1"), Op::Help), None, &limits.auth);
        assert!(out.len() <= frame_len_max(&limits), "{}", out.len());
    }
}

#[test]
fn no_inbox_is_longer_than_the_welcome_says() {
    let row = |last| InboxRow {
        room: longest_room(),
        former: Box::default(),
        epoch: longest_epoch(),
        seq: SEQ,
        recv: SEQ,
        read: SEQ,
        unread: 9_999,
        mentions: 9_999,
        in_threads: 9_999,
        last,
    };
    let inbox = |rooms| Reply::Inbox {
        rev: SEQ,
        rooms,
        more: true,
        invitations: Vec::new(),
        gone: Vec::new(),
        full: true,
    };
    let rows = INBOX_BYTES_MAX / (INBOX_ROW_OVERHEAD + longest_room().as_str().len());
    let (limits, last) = (Limits::default(), booked(&("\"".repeat(LAST_LEN_MAX) + "…")));
    let with = |count| check_reply(&limits, &inbox(vec![row(None); count]));
    assert!(with(rows) - with(0) <= INBOX_BYTES_MAX);
    // A last message takes no more than the domain counts for it.
    let lasts = check_reply(&limits, &inbox(vec![row(Some(last)); 10])) - with(10);
    let cid = r#","cid":"""#.len() + 6 * CID_LEN_MAX;
    let most = RECORD_OVERHEAD + NAME_LEN_MAX + 2 * LAST_LEN_MAX + "…".len();
    assert!(lasts / 10 - cid <= most, "{}", lasts / 10 - cid);
}

fn longest_invitation(reason: &str) -> Invitation {
    let room = RoomName::parse(&"r".repeat(NAME_LEN_MAX)).unwrap();
    Invitation { room, by: Some(longest_user()), at: Some(SEQ), reason: reason.into() }
}

#[test]
fn what_holds_of_users_takes_no_more_than_the_domain_counts_for_it() {
    let limits = Limits::default();
    let reason = "\"".repeat(REASON_LEN_MAX);
    let counted = RESTRICTION_OVERHEAD + 2 * NAME_LEN_MAX + 2 * REASON_LEN_MAX;
    let inbox = |count| {
        let invitations = vec![longest_invitation(&reason); count];
        check_reply(
            &limits,
            &Reply::Inbox {
                rev: SEQ,
                rooms: Vec::new(),
                more: true,
                invitations,
                gone: Vec::new(),
                full: true,
            },
        )
    };
    assert!(inbox(INVITATIONS_OF_USER_MAX) - inbox(0) <= INVITATIONS_OF_USER_MAX * counted);
    let expiry = Expiry { until: Some(SEQ), reason: reason.as_str().into() };
    let meta = RestrictionMeta { by: Some(longest_user()), at: Some(SEQ), expiry };
    let row = (longest_user(), Restriction::Invited, meta);
    let page = |count| {
        let items = vec![row.clone(); count];
        check_reply(&limits, &Reply::Restrictions { room: longest_room(), items, more: true })
    };
    let most = PAGE_BYTES_MAX / counted + 3;
    assert!(page(most) - page(0) <= most * counted);
}

#[test]
fn no_welcome_is_longer_than_it_says() {
    let long = Refusal::new(Code::SeqUnavailable, "\"why\" ".repeat(100)).retry_after_ms(SEQ);
    let gap = Resumption::Gap { gap: (SEQ, SEQ), why: GapWhy::Pruned, from: SEQ, to: SEQ };
    for limits in each_limits() {
        for resumption in [
            Resumption::From { from: SEQ, to: SEQ },
            gap.clone(),
            Resumption::Reset { epoch: longest_epoch(), seq: SEQ },
            Resumption::Refused(long.clone()),
        ] {
            // A room that has another name is no conversation of two, whose names are the longest.
            let name = longest_invitation("").room;
            let renamed = ResumedRoom {
                requested: name.as_str().into(),
                name: Some(name),
                resumption: resumption.clone(),
                marks: Vec::new(),
            };
            let requested = longest_room().as_str().into();
            let named = ResumedRoom { requested, name: None, ..renamed.clone() };
            let is_refused = matches!(resumption, Resumption::Refused(_));
            let row =
                |nth| if is_refused || nth % 2 == 0 { named.clone() } else { renamed.clone() };
            let rooms = (0..limits.rooms_per_user).map(row).collect();
            let session = "s".repeat(64).into();
            let user = longest_user();
            let invitations = vec![longest_invitation(""); 2];
            const {
                assert!(
                    2 * (RESTRICTION_OVERHEAD + 2 * NAME_LEN_MAX) <= WELCOME_INVITATIONS_BYTES_MAX
                );
            }
            let (time, resumed, may_invite, is_admin) = (SEQ, true, true, true);
            let welcome = Reply::Welcome {
                user,
                session,
                time,
                resumed,
                rooms,
                may_invite,
                is_admin,
                invitations,
                more_invitations: true,
            };
            check_reply(&limits, &welcome);
        }
    }
}

#[test]
fn marks_take_no_more_than_they_are_counted_for() {
    let with = |marks: usize, rooms: usize| {
        let marks = vec![(longest_user(), SEQ); marks];
        let row = ResumedRoom {
            requested: longest_room().as_str().into(),
            name: None,
            resumption: Resumption::From { from: SEQ, to: SEQ },
            marks,
        };
        let rooms = vec![row; rooms];
        let (session, user) = ("s".into(), longest_user());
        let invitations = Vec::new();
        let (time, resumed, may_invite, is_admin) = (SEQ, true, true, true);
        let welcome = Reply::Welcome {
            user,
            session,
            time,
            resumed,
            rooms,
            may_invite,
            is_admin,
            invitations,
            more_invitations: true,
        };
        check_reply(&Limits::default(), &welcome)
    };
    assert!(with(10, 1) - with(0, 1) <= 10 * READ_MARK_BYTES);
    assert!(with(0, 3) - with(0, 2) <= RESUMED_ROOM_BYTES);
}
