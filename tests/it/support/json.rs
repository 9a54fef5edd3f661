//! What a JSON value must contain.

use serde_json::Value;

/// Whether all of `expected` is in `actual`: objects may have more members, all else must be equal.
/// `null` in `expected` demands a member of any value.
pub(crate) fn is_subset(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::Null, _) => true,
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_may_have_more_and_all_else_is_equal() {
        let actual = json!({"code": 0, "data": {"seq": 3, "users": ["a", "b"]}});
        for expected in [
            json!({"code": 0}),
            json!({"data": {"seq": null}}),
            json!({"data": {"users": ["a", null]}}),
        ] {
            assert!(is_subset(&expected, &actual), "{expected}");
        }
        for expected in [
            json!({"code": 1}),
            json!({"more": null}),
            json!({"data": {"users": ["a"]}}),
            json!({"data": {"users": ["b", "a"]}}),
        ] {
            assert!(!is_subset(&expected, &actual), "{expected}");
        }
    }
}
