//! A list of messages over HTTP, longer than what the rate lets through at once, sent again until
//! all of it is said, by a program that is answered late, in part or not at all.

use chinwag::config::Config;
use serde_json::{Value, json};

use crate::stage::Stage;

/// Worlds, and how often a list is sent at most.
const WORLDS: u64 = 60;
const TRIES_MAX: u32 = 400;

#[test]
fn a_list_is_said_once_and_whole_however_often_it_is_repeated() {
    let (mut repeated, mut died) = (0, 0);
    for seed in 0..WORLDS {
        let mut config = Config::default();
        let mut stage_rng = chinwag::rng::Rng::new(seed);
        let (per_s, burst) = *stage_rng.pick(&[(1, 1), (1, 5), (5, 5), (10, 40)]);
        (config.limits.user_per_s, config.limits.user_burst) = (Some(per_s), burst);
        let count = 1 + stage_rng.index(64);
        let mut stage = Stage::new(seed, config);
        let messages: Vec<Value> =
            (0..count).map(|n| json!({"text": format!("m{n}"), "cid": n.to_string()})).collect();
        let body = json!({"messages": messages}).to_string();
        let request = format!(
            "POST /rooms/lobby/messages?as=ann HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut tries = 0..TRIES_MAX;
        let said = loop {
            tries.next().unwrap_or_else(|| panic!("seed {seed}: the list is never said"));
            if stage.rng.once_in(4) {
                stage.crash_plan.crash_after(stage.rng.below(60));
            }
            let Some((status, head, body)) = stage.http(&request) else {
                died += 1;
                stage.restart(false);
                continue;
            };
            stage.crash_plan.cancel();
            let answers: Value = serde_json::from_str(&body).expect("JSON");
            repeated += body.matches(r#""dup":true"#).count();
            match status {
                201 => break answers,
                429 => {
                    let after = head.lines().find_map(|line| line.strip_prefix("Retry-After: "));
                    let after: u64 = after.and_then(|s| s.parse().ok()).expect("when to return");
                    assert_eq!(after, 1, "seed {seed}: a token comes in a second at the latest");
                    stage.turn(after * 1_000);
                }
                503 => stage.turn(1_000),
                _ => panic!("seed {seed}: {status} {body}"),
            }
        };
        let mut reader = stage.speaker();
        stage.ask(&mut reader, json!({"op": "hello", "name": "bob"}));
        stage.ask(&mut reader, json!({"op": "join", "room": "lobby"}));
        let page = json!({"op": "history", "room": "lobby", "limit": 200});
        let page = stage.ask(&mut reader, page);
        let shown: Vec<_> = items(&page["items"]).map(|it| (&it["text"], &it["seq"])).collect();
        let answered = items(&said["messages"]).map(|it| &it["seq"]);
        let answered: Vec<_> = messages.iter().map(|it| &it["text"]).zip(answered).collect();
        assert_eq!(shown, answered, "seed {seed}: once, and in the order of the list");
    }
    assert!(repeated > 100 && died > 10, "{repeated} repeated, {died} died");
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().expect("a list").iter()
}
