//! Devices of users of several nodes: each node knows them all, and the engine what they are told.

use super::super::super::model::people::People;
use super::super::super::model::push::{PushOrder, PushSubscription, PushTerms};
use super::*;

fn subscribe() -> Command<'static> {
    let endpoint = "https://push.example/1".into();
    Command::PushSubscribe { endpoint, key: Box::new([4; 65]), secret: [7; 16], agent: None }
}

#[test]
fn a_device_is_known_at_each_node_and_none_of_them_tells_it_by_itself() {
    let mut pair = Pair::in_lobby();
    for node in &mut pair.nodes {
        let terms = PushTerms { key: "BKey".into(), hosts: Vec::new(), texts: false };
        node.chat.begin_pushes(node.now, terms, None);
    }
    let said = pair.run(0, 0, subscribe());
    let given = lines_of(&said[0], 0, "PushSubscribed");
    let id: u64 = given[0].trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    let wall_ms = pair.nodes[0].now.wall_ms;
    assert_eq!(id, wall_ms * 1_000 + node_id(0).0, "no other node gives it: {given:?}");
    let ann = PushSubscription {
        id,
        user: UserName::parse("ann").unwrap(),
        login: None,
        endpoint: "https://push.example/1".into(),
        key: [4; 65],
        secret: [7; 16],
        agent: "".into(),
        at: wall_ms,
    };
    let pushes = vec![ann.clone(), PushSubscription { id: 7, ..ann }];
    let people =
        || LogReply::People(Box::new(People { pushes: pushes.clone(), ..People::default() }));
    for node in [0, 1] {
        pair.reply(node, people());
    }
    pair.come(1, 2, "ann");
    let listed = format!("{:?}", pair.run(1, 2, Command::PushSubscriptions));
    assert!(listed.contains(&format!("id: {id}")) && listed.contains("id: 7"), "{listed}");
    // She goes at both, and is written to and named.
    pair.go(0, 0);
    pair.go(1, 2);
    pair.wait(60_000);
    pair.run(1, 1, say("lobby", "@ann: tea"));
    pair.run(1, 1, message(Target::User("ann".into()), "psst", None));
    pair.wait(60_000);
    for node in &mut pair.nodes {
        assert_eq!(node.chat.poll_push(), None);
    }
    // One that ends at one node is told nothing any more by the other, whichever sends.
    pair.nodes[1].chat.on_push_ended(pair.nodes[1].now, 7);
    pair.reply(0, LogReply::People(Box::default()));
    let ended = [pair.nodes[0].chat.poll_push(), pair.nodes[0].chat.poll_push()];
    assert_eq!(ended, [id, 7].map(|id| Some(PushOrder::End(id))));
}
