//! What one user may do over all of its connections.

use super::*;
use crate::chat::model::limits::UserRates;
use crate::time::rate::Rate;

fn limits(user_rates: UserRates) -> Limits {
    Limits { user_rates, ..Limits::default() }
}

fn say(harness: &mut Harness, number: usize, cid: Option<&str>) -> String {
    let command = message(Target::Room("lobby".into()), "hi", cid);
    harness.chat.handle_command(harness.now, conn(number), request(Op::Send), command);
    harness.run_logs();
    sent_to(&harness.end_turn(), number).join(" ")
}

#[test]
fn connections_of_one_user_share_its_rate_and_one_alone_is_never_refused() {
    let rates = UserRates { messages: Rate::new(Some(10), 20), ..UserRates::default() };
    let mut harness = Harness::with_lobby(limits(rates), 2);
    for _ in 0..50 {
        assert!(say(&mut harness, 0, None).starts_with("sent"), "one alone");
    }
    harness.hello(7, "u0");
    harness.join(7, "lobby");
    for turn in 0..20 {
        let number = if turn % 2 == 0 { 0 } else { 7 };
        assert!(say(&mut harness, number, Some(&format!("c{turn}"))).contains("sent"), "{turn}");
    }
    assert_eq!(say(&mut harness, 0, None), "no 5001");
    assert_eq!(say(&mut harness, 7, Some("new")), "no 5001");
    assert!(say(&mut harness, 7, Some("c0")).contains("dup"), "a repeated one is known first");
    assert!(say(&mut harness, 1, None).starts_with("sent"), "others are not concerned");
    harness.wait(100);
    for _ in 0..3 {
        assert!(say(&mut harness, 0, Some("c0")).contains("dup"), "which costs nothing");
    }
    assert!(say(&mut harness, 7, Some("new")).contains("sent"), "nothing was lost");
    assert_eq!(say(&mut harness, 0, None), "no 5001");
}

#[test]
fn joins_and_pages_have_rates_of_their_own_and_say_when_to_come_back() {
    let rates = UserRates {
        joins: Rate::new(Some(1), 3),
        readings: Rate::new(Some(10), 10),
        ..UserRates::default()
    };
    let mut harness = Harness::with_lobby(limits(rates), 1);
    let said = ["one", "two", "three"].map(|room| sent_to(&harness.join(0, room), 0)[0].clone());
    assert!(said.iter().all(|line| line.starts_with("joined")), "{said:?}");
    let refused = harness.join(0, "four");
    let Some(Output::Reply { result: Err(refusal), .. }) = refused.first() else {
        panic!("{refused:?}")
    };
    assert_eq!((refusal.code, refusal.retry_after_ms), (Code::RateLimited, Some(1_000)));
    let search = || Command::Search { room: None, text: "word".into(), before: None, limit: None };
    for _ in 0..2 {
        assert!(!sent_to(&harness.run(0, search()), 0)[0].starts_with("no"));
    }
    assert_eq!(sent_to(&harness.run(0, search()), 0)[0], "no 5001");
}
