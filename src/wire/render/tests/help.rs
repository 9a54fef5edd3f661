//! The answer to `help`.

use super::*;

#[test]
fn help_lists_the_operations_or_explains_one() {
    check(
        concat!(
            r#"{"id":1,"code":0,"message":"ok","data":{"ops":[{"op":"typing","about":"Tells the room that you are typing","#,
            r#""supported":true,"fields":{"room":"the room's name"}}]}}"#,
        ),
        |out| assert!(help(out, &request(Some("1"), Op::Help), Some(Op::Typing))),
    );
    let mut out = Vec::new();
    assert!(!help(&mut out, &request(None, Op::Help), None));
    assert!(help(&mut out, &request(Some("1"), Op::Help), None));
    let value: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(value["data"]["ops"].as_array().unwrap().len(), Op::ALL.len());
}
