//! The secrets of webhooks: each request is signed, also while a secret is changed.

use std::sync::mpsc::sync_channel;

use serde_json::json;

use crate::support::webhook::Receiver;
use crate::support::{Client, PATIENCE, assert_subset};
use crate::webhooks::{add, done, setup};

#[test]
fn a_secret_is_changed_while_requests_come() {
    let server = setup().start();
    let receiver = Receiver::start(|_, _| Some("200 OK"));
    let before = add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    let said = done(&server, &["rotate", "ci"]);
    let after = said.lines().next().expect("a secret").to_owned();
    assert_ne!(before, after);
    loop {
        ann.send("lobby", "hi");
        let request = receiver.next();
        let [new, old] = [&after, &before].map(|secret| request.signature(secret));
        if request.field("webhook-signature") == format!("{new} {old}") {
            break;
        }
        assert_eq!(request.field("webhook-signature"), old);
    }
    assert_eq!(done(&server, &["test", "ci"]), "ci has answered 200\n");
    let request = receiver.next();
    assert_eq!(request.field("webhook-signature"), request.signature(&after));
    assert_subset(&request.json(), &json!({"type": "test", "data": {"events": []}}));
    done(&server, &["end", "ci"]);
    server.await_metric("chinwag_webhooks{state=\"live\"}", 0.0);
    assert_eq!(done(&server, &["list"]), "there is no webhook yet\n");
}

#[test]
fn a_request_that_is_under_way_while_the_secret_changes_comes_again_signed_with_both() {
    let server = setup().set("webhooks.timeout", "60s").start();
    // Who sends waits until it is received: first that a request has come, then its answer.
    let (step, steps) = sync_channel(0);
    let receiver = Receiver::start(move |n, _| {
        if n > 0 {
            return Some("200 OK");
        }
        (0..2).for_each(|_| step.send(()).expect("the test"));
        // As who knows the new secret alone by now.
        Some("401 Unauthorized")
    });
    let before = add(&server, &receiver, &["ci"]);
    let mut ann = Client::ws(&server).named("ann", Some("lobby"));
    ann.send("lobby", "hi");
    steps.recv_timeout(PATIENCE).expect("a request");
    let said = done(&server, &["rotate", "ci"]);
    let after = said.lines().next().expect("a secret");
    steps.recv_timeout(PATIENCE).expect("the receiver");
    let [first, second] = [receiver.next(), receiver.next()];
    assert_eq!(first.field("webhook-signature"), first.signature(&before));
    let both = [after, &before].map(|secret| second.signature(secret)).join(" ");
    assert_eq!(second.field("webhook-signature"), both);
    assert_eq!(first.field("webhook-id"), second.field("webhook-id"));
    assert_eq!(first.events(), second.events());
}
