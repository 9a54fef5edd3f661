//! Display names, status texts and colours.

use super::super::model::color::Color;
use super::super::model::identity::{AuthPolicy, Source};
use super::super::model::limits::{PRESENCE_NAMES_MAX, PROFILES_PAGE_MAX};
use super::super::model::log::{LogFault, LogReply};
use super::super::model::people::People;
use super::super::model::profile::PublicProfile;
use super::stored::FakeStore;
use super::*;

const ANN: usize = 0;
const BOB: usize = 1;

fn display(text: &'static str) -> Command<'static> {
    Command::Profile { display: Some(text.into()), status: None, color: None }
}

fn status(text: &'static str, for_ms: Option<u64>) -> Command<'static> {
    Command::Profile { display: None, status: Some((text.into(), for_ms)), color: None }
}

fn color(color: Color) -> Command<'static> {
    Command::Profile { display: None, status: None, color: Some(color) }
}

fn whois(name: &str) -> Command<'static> {
    Command::Whois { users: vec![name.into()] }
}

/// `ann` and `bob` in `lobby`, and `eve` in no room.
fn harness() -> Harness {
    let mut harness = Harness::new(Limits::default());
    for (number, name) in [(ANN, "ann"), (BOB, "bob"), (2, "eve")] {
        harness.hello(number, name);
    }
    harness.join(ANN, "lobby");
    harness.join(BOB, "lobby");
    harness.wait(10_000);
    harness
}

/// What a connection is answered to this: its own profile, or that which it asks for.
fn answer(harness: &mut Harness, number: usize, command: Command<'_>) -> Vec<(String, String)> {
    let said = harness.run(number, command);
    let reply = said.iter().find_map(|said| match said {
        Output::Reply { to, result: Ok(Reply::Profiles { users }), .. } if *to == conn(number) => {
            Some(users)
        }
        _ => None,
    });
    let Some(users) = reply else { panic!("{said:?}") };
    let shown = users.iter().map(|(_, it)| (it.display.to_string(), it.text.to_string()));
    shown.collect()
}

fn refusal(harness: &mut Harness, number: usize, command: Command<'_>) -> Vec<String> {
    let mut lines = sent_to(&harness.run(number, command), number);
    lines.retain(|line| line != "wake");
    lines
}

/// `ann` in `lobby`, and the store, which answers when it is told to.
fn stored() -> (Harness, FakeStore) {
    let store = FakeStore::default();
    let now = Now { tick: Tick::from_millis(1), wall_ms: 1_000 };
    let chat = Chat::new(Limits::default(), now);
    let mut harness = Harness { chat, store: Box::new(store.clone()), now, secrets: 0 };
    harness.hello(ANN, "ann");
    harness.join(ANN, "lobby");
    (harness, store)
}

fn kept(harness: &Harness, name: &str) -> Vec<(String, String)> {
    let profile = harness.chat.directory.profiles.of(&UserName::parse(name).unwrap());
    profile.into_iter().map(|it| (it.display.to_string(), it.text.to_string())).collect()
}

fn read(harness: &mut Harness, profiles: &[(&str, &str)]) {
    let profile = |display: &str| PublicProfile { display: display.into(), ..Default::default() };
    let profiles =
        profiles.iter().map(|(name, it)| (UserName::parse(name).unwrap(), profile(it))).collect();
    let people = People { profiles, ..People::default() };
    harness.chat.on_log_reply(harness.now, LogReply::People(Box::new(people)));
    harness.end_turn();
}

fn pair(display: &str, text: &str) -> Vec<(String, String)> {
    vec![(display.to_owned(), text.to_owned())]
}

#[test]
fn what_is_given_changes_and_the_rest_stays() {
    let mut harness = harness();
    assert_eq!(answer(&mut harness, ANN, display("Ann Smith")), pair("Ann Smith", ""));
    assert_eq!(answer(&mut harness, ANN, status("tea", None)), pair("Ann Smith", "tea"));
    let nothing = || Command::Profile { display: None, status: None, color: None };
    assert_eq!(answer(&mut harness, ANN, nothing()), pair("Ann Smith", "tea"));
    assert_eq!(answer(&mut harness, ANN, display("")), pair("", "tea"));
    assert_eq!(answer(&mut harness, ANN, status("", None)), pair("", ""));
    assert_eq!(harness.chat.directory.profiles.all().count(), 0, "nothing is kept of it");
}

#[test]
fn a_colour_is_told_stays_and_goes_by_itself() {
    let mut harness = harness();
    let shown = |harness: &Harness| {
        let profile = harness.chat.directory.profiles.of(&UserName::parse("ann").unwrap());
        profile.map(|profile| (profile.text.to_string(), profile.color))
    };
    harness.run(ANN, color(Color::Teal));
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, BOB), ["profiles ann \"\" \"\" Teal"]);
    harness.run(ANN, status("tea", Some(5)));
    assert_eq!(shown(&harness), Some(("tea".to_owned(), Color::Teal)));
    harness.now.wall_ms += 5;
    harness.run(ANN, color(Color::Teal));
    assert_eq!(shown(&harness), Some((String::new(), Color::Teal)));
    harness.run(ANN, color(Color::Unchosen));
    assert_eq!(shown(&harness), None, "nothing is kept of it");
}

#[test]
fn a_status_text_ends_at_its_time() {
    let mut harness = harness();
    harness.run(ANN, display("Ann S"));
    harness.run(ANN, status("lunch", Some(5_000)));
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("Ann S", "lunch"));
    harness.now.wall_ms += 5_000;
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("Ann S", ""));
    // A clock that is set ends nothing.
    harness.run(ANN, status("tea", Some(5_000)));
    harness.now.wall_ms += 86_400_000;
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("Ann S", "tea"));
    harness.now.wall_ms += 5_000;
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("Ann S", ""));
}

#[test]
fn a_display_name_is_no_other_users_name_and_looks_like_none() {
    let mut harness = harness();
    harness.hello(3, "bill.gray");
    for taken in ["bob", "Bob", "B O B", "\u{412}\u{43e}b", "Bill Gray", "BiII Gray", "eve"] {
        let said = refusal(&mut harness, ANN, display(taken));
        assert_eq!(said, ["no 2005"], "{taken}");
    }
    for free in ["Ann", "ANN", "Bob Smith", "\u{5b89}\u{5a1c}"] {
        assert_eq!(answer(&mut harness, ANN, display(free)), pair(free, ""));
    }
}

#[test]
fn a_display_name_goes_when_somebody_comes_whose_name_it_is() {
    let mut harness = harness();
    harness.run(ANN, display("Zoe"));
    harness.run(ANN, status("tea", None));
    harness.wait(2_000);
    harness.hello(3, "zoe");
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, BOB), ["profiles ann \"\" \"tea\""]);
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("", "tea"));
    // Who is called as its own name looks goes on so.
    harness.run(3, display("Zoe"));
    harness.chat.handle_closed(harness.now, conn(3));
    harness.hello(4, "zoe");
    assert_eq!(answer(&mut harness, 4, whois("zoe")), pair("Zoe", ""));
}

#[test]
fn a_profile_is_shown_to_those_in_a_common_room_and_to_no_others() {
    let mut harness = harness();
    harness.run(ANN, display("Ann S"));
    assert_eq!(answer(&mut harness, BOB, whois("ann")), pair("Ann S", ""));
    assert_eq!(answer(&mut harness, BOB, whois("bob")), pair("", ""), "of oneself, too");
    assert_eq!(answer(&mut harness, 2, whois("ann")), []);
    assert_eq!(answer(&mut harness, 2, whois("nobody")), [], "as if there were none");
    harness.run(2, message(Target::User("ann".into()), "hi", None));
    assert_eq!(answer(&mut harness, 2, whois("ann")), pair("Ann S", ""), "in a conversation");
    harness.run(BOB, Command::Block { user: "ann".into(), on: true });
    assert_eq!(answer(&mut harness, BOB, whois("ann")), []);
}

#[test]
fn changes_are_told_together_to_those_in_a_common_room() {
    let mut harness = harness();
    harness.run(ANN, display("Ann S"));
    harness.run(ANN, status("tea", None));
    harness.run(BOB, status("coffee", None));
    let said = harness.wait(2_000);
    let told = "profiles ann \"Ann S\" \"tea\", bob \"\" \"coffee\"";
    assert_eq!(sent_to(&said, ANN), [told]);
    assert_eq!(sent_to(&said, BOB), [told]);
    assert_eq!(sent_to(&said, 2), [""; 0]);
    harness.run(BOB, Command::Block { user: "ann".into(), on: true });
    harness.wait(2_000);
    // In step again, after what it knew of the room is not so any more.
    harness.chat.handle_drained(harness.now, conn(BOB));
    let said = sent_to(&harness.end_turn(), BOB);
    assert!(said.contains(&"profiles bob \"\" \"coffee\"".to_owned()), "{said:?}");
    harness.run(ANN, status("cake", None));
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, BOB), [""; 0], "who has blocked is not told");
    harness.run(2, display("Evelyn"));
    harness.join(2, "lobby");
    let said = harness.wait(2_000);
    assert!(sent_to(&said, ANN).contains(&"profiles eve \"Evelyn\" \"\"".to_owned()), "{said:?}");
}

#[test]
fn a_room_is_told_of_some_at_once_and_a_large_one_of_none() {
    let mut harness = Harness::with_lobby(Limits::default(), PROFILES_PAGE_MAX + 1);
    for number in 0..=PROFILES_PAGE_MAX {
        harness.ask(number, status("tea", None));
    }
    harness.end_turn();
    let told = |said: &[Output]| {
        let lines = sent_to(said, 0);
        lines.iter().map(|line| line.matches("tea").count()).collect::<Vec<_>>()
    };
    assert_eq!(told(&harness.wait(5_000)), [PROFILES_PAGE_MAX, 1]);
    let mut harness = Harness::with_lobby(Limits::default(), PRESENCE_NAMES_MAX + 1);
    harness.run(1, status("tea", None));
    assert_eq!(told(&harness.wait(5_000)), [0; 0]);
    assert_eq!(answer(&mut harness, 0, whois("u1")), pair("", "tea"), "whoever asks is answered");
}

#[test]
fn who_has_missed_a_change_is_told_all_when_it_is_in_step() {
    let mut harness = harness();
    harness.chat.handle_blocked(conn(BOB), 1 << 20);
    harness.run(ANN, display("Ann S"));
    assert_eq!(sent_to(&harness.wait(2_000), BOB), [""; 0]);
    harness.chat.handle_drained(harness.now, conn(BOB));
    let said = sent_to(&harness.end_turn(), BOB);
    let told = "profiles ann \"Ann S\" \"\", bob \"\" \"\"";
    assert!(said.contains(&told.to_owned()), "{said:?}");
}

#[test]
fn what_cannot_be_written_is_refused_and_told_to_nobody() {
    let (mut harness, store) = stored();
    harness.wait(2_000);
    store.0.borrow_mut().fault = Some(LogFault::Full);
    assert_eq!(refusal(&mut harness, ANN, display("Ann S")), ["no 5005"]);
    store.0.borrow_mut().fault = None;
    assert_eq!(sent_to(&harness.wait(2_000), ANN), [""; 0]);
    assert_eq!(answer(&mut harness, ANN, whois("ann")), pair("", ""));
}

#[test]
fn what_is_said_at_another_node_is_told_here_and_what_was_taken_back_there_goes() {
    let mut harness = harness();
    harness.run(ANN, display("Ann S"));
    harness.wait(2_000);
    let profile = PublicProfile { text: "tea".into(), ..PublicProfile::default() };
    let profiles = vec![(UserName::parse("bob").unwrap(), profile)];
    let people = People { profiles, ..People::default() };
    harness.chat.on_log_reply(harness.now, LogReply::People(Box::new(people)));
    harness.end_turn();
    let said = harness.wait(2_000);
    assert_eq!(sent_to(&said, ANN), ["profiles ann \"\" \"\", bob \"\" \"tea\""]);
}

fn come_by_token(harness: &mut Harness, number: usize, (name, called): (&str, &str)) {
    let identity = Identity {
        source: Source::Token,
        issuer: "https://a".into(),
        subject: name.into(),
        name: Some(UserName::parse(name).unwrap()),
        display: Some(called.into()),
        ..Identity::default()
    };
    let hello = harness.hello_of(Some(identity));
    harness.say_hello(number, hello);
}

#[test]
fn who_has_said_nothing_is_called_what_its_token_says_unless_that_is_anothers_name() {
    let limits = Limits {
        auth: AuthPolicy { none: true, tokens: true, ..AuthPolicy::default() },
        ..Limits::default()
    };
    let mut harness = Harness::new(limits);
    harness.hello(ANN, "ann");
    for (number, name, called, expect) in
        [(1, "cid", "Cid Roe", "Cid Roe"), (2, "dan", "Ann", ""), (3, "eve", "\u{202e}x", "")]
    {
        come_by_token(&mut harness, number, (name, called));
        assert_eq!(answer(&mut harness, number, whois(name)), pair(expect, ""), "{name}");
    }
}

#[test]
fn who_wants_to_be_called_nothing_is_not_called_what_its_token_says() {
    let limits = Limits {
        auth: AuthPolicy { none: true, tokens: true, ..AuthPolicy::default() },
        ..Limits::default()
    };
    let mut harness = Harness::new(limits);
    come_by_token(&mut harness, 1, ("cid", "Cid Roe"));
    assert_eq!(answer(&mut harness, 1, display("")), pair("", ""));
    come_by_token(&mut harness, 2, ("cid", "Cid Roe"));
    assert_eq!(answer(&mut harness, 2, whois("cid")), pair("", ""));
}

#[test]
fn a_guest_is_forgotten_with_its_profile() {
    let mut harness = Harness::new(Limits::default());
    let said = harness.hello_with(ANN, None, None);
    let Some(Output::Reply { result: Ok(Reply::Welcome { user, .. }), .. }) = said.first() else {
        panic!("{said:?}")
    };
    let name = user.clone();
    harness.run(ANN, display("Somebody"));
    assert!(harness.chat.directory.profiles.of(&name).is_some());
    harness.chat.handle_closed(harness.now, conn(ANN));
    harness.wait(3_600_000);
    assert_eq!(harness.chat.directory.profiles.of(&name), None);
}

#[test]
fn what_is_said_at_once_is_all_kept() {
    let (mut harness, store) = stored();
    harness.hello(3, "ann");
    store.0.borrow_mut().slow = true;
    harness.run(ANN, display("Ann S"));
    harness.run(3, status("tea", None));
    // What was read is from before that.
    read(&mut harness, &[("ann", "Anna")]);
    store.0.borrow_mut().slow = false;
    harness.end_turn();
    assert_eq!(kept(&harness, "ann"), pair("Ann S", "tea"));
    read(&mut harness, &[("ann", "Anna")]);
    assert_eq!(kept(&harness, "ann"), pair("Anna", ""));
}

#[test]
fn a_display_name_goes_though_it_is_being_written_when_somebody_comes_whose_name_it_is() {
    let (mut harness, store) = stored();
    store.0.borrow_mut().slow = true;
    harness.run(ANN, display("Zoe"));
    harness.run(ANN, status("tea", None));
    harness.hello(3, "zoe");
    store.0.borrow_mut().slow = false;
    harness.end_turn();
    assert_eq!(kept(&harness, "ann"), pair("", "tea"));
    read(&mut harness, &[("ann", "Zoe"), ("zoe", "Zoe")]);
    assert_eq!(kept(&harness, "ann"), [], "nor is it taken from another node");
    assert_eq!(kept(&harness, "zoe"), pair("Zoe", ""));
}

#[test]
fn who_is_forgotten_without_proof_leaves_no_profile() {
    let mut harness = harness();
    harness.run(ANN, display("Ann S"));
    harness.run(2, display("Evelyn"));
    harness.chat.handle_closed(harness.now, conn(2));
    harness.wait(3_600_000);
    assert_eq!(kept(&harness, "eve"), []);
    assert_eq!(kept(&harness, "ann"), pair("Ann S", ""));
}
