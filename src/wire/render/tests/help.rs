//! The answer to `help`.

use super::*;
use crate::chat::model::identity::AuthPolicy;

#[test]
fn help_lists_the_operations_or_explains_one() {
    check(
        concat!(
            r#"{"id":1,"code":0,"message":"ok","data":{"auth":["none"],"ops":[{"op":"typing","about":"Tells the room that you are typing","#,
            r#""supported":true,"fields":{"room":"the room's name"}}]}}"#,
        ),
        |out| {
            let auth = AuthPolicy::default();
            assert!(help(out, &request(Some("1"), Op::Help), Some(Op::Typing), &auth));
        },
    );
    let mut out = Vec::new();
    assert!(!help(&mut out, &request(None, Op::Help), None, &AuthPolicy::default()));
    assert!(help(&mut out, &request(Some("1"), Op::Help), None, &AuthPolicy::default()));
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["data"]["ops"].as_array().unwrap().len(), Op::ALL.len());
}

#[test]
fn help_says_how_one_comes_in() {
    let auth = AuthPolicy { none: false, accounts: true, guests: true, ..AuthPolicy::default() };
    let mut out = Vec::new();
    help(&mut out, &request(Some("1"), Op::Help), Some(Op::Ping), &auth);
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["data"]["auth"], serde_json::json!(["accounts", "guests"]));
    assert_eq!(value["data"]["registration"], "closed");
    assert_eq!(value["data"]["invites"], "admins");
}
