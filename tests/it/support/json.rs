//! What a JSON value must contain.

use serde_json::{Value, json};

/// In an expected value: any number.
pub(crate) const NUMBER: &str = "<number>";
/// In an expected value: any string.
pub(crate) const STRING: &str = "<string>";
/// In an expected value: any array.
pub(crate) const ARRAY: &str = "<array>";

/// Whether all of `expected` is in `actual`: objects may have more members, all else must be equal.
/// [`NUMBER`], [`STRING`] and [`ARRAY`] demand a value of that type; `null` demands `null`.
pub(crate) fn is_subset(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(text), _) => match text.as_str() {
            NUMBER => actual.is_number(),
            STRING => actual.is_string(),
            ARRAY => actual.is_array(),
            _ => expected == actual,
        },
        (Value::Object(expected), Value::Object(actual)) => expected
            .iter()
            .all(|(key, value)| actual.get(key).is_some_and(|found| is_subset(value, found))),
        (Value::Array(expected), Value::Array(actual)) => {
            let mut pairs = expected.iter().zip(actual);
            expected.len() == actual.len() && pairs.all(|(want, found)| is_subset(want, found))
        }
        _ => expected == actual,
    }
}

/// Fails unless all of `expected` is in `actual`.
#[track_caller]
pub(crate) fn assert_subset(actual: &Value, expected: &Value) {
    assert!(is_subset(expected, actual), "expected {expected}\n  in {actual}");
}

/// What somebody may ask of a room, which is yet to be named.
pub(crate) fn requests_about_a_room() -> [Value; 11] {
    [
        json!({"op": "join"}),
        json!({"op": "join", "after": 0}),
        json!({"op": "leave"}),
        json!({"op": "send", "text": "hi"}),
        json!({"op": "ack", "read": 1}),
        json!({"op": "typing"}),
        json!({"op": "history"}),
        json!({"op": "presence"}),
        json!({"op": "members"}),
        json!({"op": "topic"}),
        json!({"op": "topic", "text": "mine"}),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_may_have_more_and_all_else_is_equal() {
        let actual = json!({"code": 0, "data": {"seq": 3, "users": ["a", "b"], "text": null}});
        for expected in [
            json!({"code": 0}),
            json!({"data": {"seq": NUMBER}}),
            json!({"data": {"users": ["a", STRING]}}),
            json!({"data": {"users": ARRAY}}),
            json!({"data": {"text": null}}),
        ] {
            assert!(is_subset(&expected, &actual), "{expected}");
        }
        for expected in [
            json!({"code": 1}),
            json!({"code": null}),
            json!({"code": STRING}),
            json!({"more": null}),
            json!({"more": NUMBER}),
            json!({"data": ARRAY}),
            json!({"data": {"text": STRING}}),
            json!({"data": {"seq": null}}),
            json!({"data": {"users": NUMBER}}),
            json!({"data": {"users": ["a"]}}),
            json!({"data": {"users": ["b", "a"]}}),
        ] {
            assert!(!is_subset(&expected, &actual), "{expected}");
        }
    }
}
