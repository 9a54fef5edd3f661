//! Reports: who sees them, what they keep, and what the others learn.

use std::time::Duration;

use super::super::model::account::{Account, Hidden, Invite, SecretHash};
use super::super::model::command::Reported;
use super::super::model::identity::Source;
use super::super::model::limits::{REPORT_TEXT_MAX, REPORTS_OF_USER_MAX};
use super::super::model::people::Report;
use super::super::model::reply::Role;
use super::moderation::{act, answer_to, den, refusal};
use super::stored;
use super::*;

const OWN: usize = 0;
const MOD: usize = 1;
const MEM: usize = 2;
const REA: usize = 3;
const OUT: usize = 4;

fn of_message(room: &'static str, seq: u64) -> Command<'static> {
    Command::Report { about: Reported::Message(room.into(), seq), reason: "rude".into() }
}

fn of_user(user: &'static str, room: Option<&'static str>) -> Command<'static> {
    let about = Reported::User(user.into(), room.map(Into::into));
    Command::Report { about, reason: "".into() }
}

fn say(text: &str) -> Command<'_> {
    message(Target::Room("den".into()), text, None)
}

/// What this connection is shown of the reports: who, whom, which message, its words.
fn seen(harness: &mut Harness, number: usize) -> Vec<(String, String, Option<u64>, String)> {
    let said = harness.run(number, Command::Reports { room: None, limit: None, after: None });
    let items = said.into_iter().find_map(|said| match said {
        Output::Reply { result: Ok(Reply::Reports { items, .. }), .. } => Some(items),
        _ => None,
    });
    let row = |report: Report| {
        (report.by.to_string(), report.whom.to_string(), report.seq, report.text.to_string())
    };
    items.expect("a list").into_iter().map(row).collect()
}

fn seen_by(harness: &mut Harness) -> Vec<usize> {
    let all = [OWN, MOD, MEM, REA, OUT];
    all.into_iter().filter(|&number| !seen(harness, number).is_empty()).collect()
}

/// `out` is an administrator, by an account.
fn make_admin(harness: &mut Harness) {
    let name = UserName::parse("out").unwrap();
    let user = harness.chat.directory.user_named("out").unwrap();
    harness.chat.directory[user].source = Source::Account;
    let hash = Hidden::new("");
    harness.chat.accounts.put_account(Account { name, hash, is_admin: true });
}

/// The seq of the last record of `den`.
fn head(harness: &Harness) -> u64 {
    harness.chat.rooms[harness.chat.rooms.named("den").unwrap()].head
}

#[test]
fn a_message_is_reported_to_those_who_moderate_its_room_and_to_administrators() {
    let mut harness = den(Limits::default(), false);
    make_admin(&mut harness);
    harness.run(MEM, say("a rude word"));
    let seq = head(&harness);
    let said = harness.run(REA, of_message("den", seq));
    assert_eq!(stored::lines_to(&said, REA), ["Done"]);
    for keeper in [OWN, MOD, OUT] {
        let news = sent_to(&said, keeper);
        assert!(news.iter().any(|line| line.starts_with("reported")), "{keeper}: {news:?}");
    }
    assert_eq!(sent_to(&said, MEM), Vec::<String>::new(), "the reported learns nothing");
    assert_eq!(seen_by(&mut harness), [OWN, MOD, OUT]);
    let row = ("rea".to_owned(), "mem".to_owned(), Some(seq), "a rude word".to_owned());
    assert_eq!(seen(&mut harness, MOD), [row]);
}

#[test]
fn nobody_sees_a_report_of_themselves_and_can_settle_it() {
    let mut harness = den(Limits::default(), false);
    harness.run(MOD, say("I am in charge"));
    let seq = head(&harness);
    harness.run(MEM, of_message("den", seq));
    assert_eq!(seen_by(&mut harness), [OWN]);
    let settle = Command::Settle { report: 1 };
    let refused = refusal(&mut harness, MOD, settle.clone());
    assert_eq!(refused, refusal(&mut harness, MOD, Command::Settle { report: 99 }));
    assert_eq!(answer_to(&mut harness, OWN, settle), "Done");
    assert_eq!(seen_by(&mut harness), Vec::<usize>::new());
}

#[test]
fn what_is_said_between_two_and_people_in_general_are_for_administrators() {
    let mut harness = den(Limits::default(), false);
    harness.run(MEM, message(Target::User("rea".into()), "psst", None));
    assert_eq!(answer_to(&mut harness, REA, of_message("@mem:rea", 1)), "Done");
    assert_eq!(answer_to(&mut harness, REA, of_user("mod", None)), "Done");
    assert_eq!(seen_by(&mut harness), Vec::<usize>::new());
    make_admin(&mut harness);
    assert_eq!(seen_by(&mut harness), [OUT]);
    assert_eq!(seen(&mut harness, OUT).len(), 2);
    assert_eq!(answer_to(&mut harness, OWN, of_message("@mem:rea", 1)), "no 3001");
}

#[test]
fn who_cannot_read_a_message_cannot_report_it_and_no_name_is_known_by_an_answer() {
    for private in [false, true] {
        let mut harness = den(Limits::default(), private);
        harness.run(MEM, say("hi"));
        let seq = head(&harness);
        let expect = if private { "no 3001" } else { "no 3003" };
        assert_eq!(answer_to(&mut harness, OUT, of_message("den", seq)), expect);
        assert_eq!(answer_to(&mut harness, OUT, of_user("mem", Some("den"))), expect);
        assert_eq!(answer_to(&mut harness, MEM, of_message("den", seq + 1)), "no 4002");
        assert_eq!(answer_to(&mut harness, MEM, of_message("den", seq)), "no 1003", "one's own");
        assert_eq!(answer_to(&mut harness, MEM, of_user("mem", None)), "no 1003");
        let answers =
            ["mod", "nobody"].map(|user| answer_to(&mut harness, OUT, of_user(user, None)));
        assert_eq!(answers, ["Done", "Done"]);
    }
}

#[test]
fn the_words_stay_with_the_report_when_the_message_goes_and_go_with_it() {
    let mut harness = den(Limits::default(), false);
    let long = format!("{}é", "x".repeat(REPORT_TEXT_MAX - 1));
    harness.run(MEM, say(&long));
    let seq = head(&harness);
    harness.run(REA, of_message("den", seq));
    assert_eq!(answer_to(&mut harness, REA, of_message("den", seq)), "Done", "once is enough");
    harness.run(MEM, Command::Delete { room: "den".into(), target: seq });
    let kept = seen(&mut harness, OWN);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].3, "x".repeat(REPORT_TEXT_MAX - 1), "cut between two letters");
    assert_eq!(answer_to(&mut harness, REA, of_message("den", seq)), "no 4002", "it is gone");
    harness.run(OWN, Command::Settle { report: 1 });
    assert!(harness.chat.directory.reports.is_empty());
}

#[test]
fn a_right_that_is_lost_is_lost_for_reports_and_so_is_a_time_that_is_over() {
    const HOUR_MS: u64 = 3_600_000;
    let mut harness = den(Limits::default(), false);
    harness.run(MEM, of_user("rea", Some("den")));
    assert_eq!(seen_by(&mut harness), [OWN, MOD]);
    harness.run(OWN, act("mod", ModerationCommand::Role(Role::Member), ""));
    assert_eq!(seen_by(&mut harness), [OWN]);
    let in_room = Command::Reports { room: Some("den".into()), limit: None, after: None };
    assert_eq!(answer_to(&mut harness, MOD, in_room), "no 3004");
    let ten_years_ms = 10 * 365 * 24 * HOUR_MS;
    harness.now.wall_ms += ten_years_ms;
    for _ in 0..3 {
        pass(&mut harness, HOUR_MS);
        assert!(!harness.chat.directory.reports.is_empty(), "by a clock that was set");
    }
    harness.now.wall_ms -= ten_years_ms;
    pass(&mut harness, 89 * 24 * HOUR_MS);
    assert!(!harness.chat.directory.reports.is_empty());
    pass(&mut harness, 24 * HOUR_MS);
    assert!(harness.chat.directory.reports.is_empty(), "after ninety days");
}

#[test]
fn a_link_lasts_as_long_as_it_was_to_last_though_the_clock_is_set() {
    let mut harness = Harness::new(Limits::default());
    let (hash, until) = (SecretHash([1; 32]), harness.now.wall_ms + 86_400_000);
    let link = Invite { hash, uses: 1, until, rooms: Vec::new(), by: None, is_admin: false };
    harness.chat.accounts.put_invite(link);
    for step_ms in [315_360_000_000_i64, -315_360_000_000] {
        harness.now.wall_ms = harness.now.wall_ms.saturating_add_signed(step_ms);
        pass(&mut harness, 1_000);
        assert_eq!(harness.chat.accounts.count_invites(harness.now.wall_ms), 1, "{step_ms}");
    }
    pass(&mut harness, 86_400_000);
    assert_eq!(harness.chat.accounts.count_invites(harness.now.wall_ms), 0);
}

/// Lets time pass on both clocks.
fn pass(harness: &mut Harness, millis: u64) {
    harness.now.tick = harness.now.tick.after(Duration::from_millis(millis));
    harness.now.wall_ms += millis;
    harness.chat.handle_timers(harness.now);
    harness.end_turn();
}

#[test]
fn as_many_reports_as_may_be_are_open_and_they_are_listed_by_pages() {
    let mut harness = den(Limits::default(), false);
    for number in 0..REPORTS_OF_USER_MAX {
        let about = Reported::User(format!("user-{number}").into(), Some("den".into()));
        let command = Command::Report { about, reason: "x".repeat(256).into() };
        assert_eq!(answer_to(&mut harness, MEM, command), "Done");
    }
    let refused = refusal(&mut harness, MEM, of_user("rea", None));
    assert_eq!(refused.code, Code::RateLimited);
    assert!(refused.retry_after_ms.is_some());
    let (mut after, mut found) = (0, 0);
    loop {
        let command = Command::Reports { room: None, limit: Some(7), after: Some(after) };
        let said = harness.run(OWN, command);
        let Some(Output::Reply { result: Ok(Reply::Reports { items, more }), .. }) = said.first()
        else {
            panic!("{said:?}")
        };
        found += items.len();
        after = items.last().map_or(after, |last| last.id);
        if !more {
            break;
        }
    }
    assert_eq!(found, REPORTS_OF_USER_MAX);
}

#[test]
fn a_message_that_only_the_store_has_is_reported_as_it_is_there() {
    let (mut harness, shelf) = stored::harness(4);
    harness.enter(["ann", "bob"]);
    stored::say_many(&mut harness, 0, 10);
    shelf.0.borrow_mut().reads_wait = true;
    assert_eq!(stored::lines_to(&harness.run(1, of_message("lobby", 1)), 1), [""; 0]);
    shelf.0.borrow_mut().reads_wait = false;
    assert_eq!(stored::lines_to(&harness.end_turn(), 1), ["Done"]);
    let report = harness.chat.directory.reports.get(1).unwrap();
    assert_eq!((&*report.text, report.whom.as_str()), ("x", "ann"));
    // What happens to it while it is read has happened to what is reported.
    let delete = Command::Delete { room: "lobby".into(), target: 3 };
    for (target, change, expect) in
        [(2, Some(edit(2, "y")), "Done"), (3, Some(delete), "no 4002"), (4, None, "no 4002")]
    {
        shelf.0.borrow_mut().reads_wait = true;
        harness.run(1, of_message("lobby", target));
        if let Some(change) = change {
            harness.run(0, change);
        } else {
            let key = harness.chat.rooms.named("lobby").unwrap();
            shelf.0.borrow_mut().prune(harness.chat.rooms[key].log, 5);
            harness.end_turn();
        }
        shelf.0.borrow_mut().reads_wait = false;
        assert_eq!(stored::lines_to(&harness.end_turn(), 1), [expect], "{target}");
    }
    assert_eq!(&*harness.chat.directory.reports.get(2).unwrap().text, "y");
}
