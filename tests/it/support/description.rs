//! The description of the protocol that the server publishes, as what every message is held
//! against that a test receives.

use std::sync::LazyLock;

use serde_json::Value;

/// In an example: something is left out here.
pub(crate) const ELISION: &str = "…";

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&chinwag::admin::asyncapi()).expect("JSON"));

/// Fails unless a message of the server is one of those that are described; `op` is what it
/// answers.
#[track_caller]
pub(crate) fn assert_described(message: &Value, op: Option<&str>) {
    if let Some(fault) = fault(message, op) {
        panic!("not as AsyncAPI describes it: {fault}\n  in {message}, to {op:?}");
    }
}

/// How a message is not as it is described.
pub(crate) fn fault(message: &Value, op: Option<&str>) -> Option<String> {
    let name = match (message["ev"].as_str(), message["code"].as_u64(), op) {
        (Some(ev), ..) => format!("ev_{ev}"),
        (None, Some(0), Some(op)) => {
            let first = DOCUMENT.pointer(&format!("/operations/{op}/reply/messages/0/$ref"));
            let first = first.and_then(Value::as_str).unwrap_or_default();
            first.rsplit('/').next().unwrap_or_default().to_owned()
        }
        // To what is not known, as in an example.
        (None, Some(0), None) => return None,
        (None, ..) => "refusal".to_owned(),
    };
    match DOCUMENT.pointer(&format!("/components/messages/{name}/payload")) {
        Some(schema) => mismatch(schema, message, &name),
        None => Some(format!("there is no {name}")),
    }
}

/// Where a value at the place `at` is not of a schema. What is not described is one, too.
fn mismatch(schema: &Value, value: &Value, at: &str) -> Option<String> {
    if value == ELISION {
        return None;
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let described = reference.strip_prefix('#').and_then(|path| DOCUMENT.pointer(path));
        return mismatch(described.expect("what a reference leads to"), value, at);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().find_map(|schema| mismatch(schema, value, at));
    }
    if let Some(any) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array)
    {
        let faults: Option<Vec<_>> = any.iter().map(|schema| mismatch(schema, value, at)).collect();
        return faults.map(|faults| faults.join("; or "));
    }
    if !is_of(schema, value) {
        return Some(format!("{at} is {value}"));
    }
    match value {
        Value::Array(items) if schema.get("items").is_some() => {
            items.iter().find_map(|item| mismatch(&schema["items"], item, &format!("{at}[]")))
        }
        Value::Object(_) if schema.get("type").is_some() => members(schema, value, at),
        _ => None,
    }
}

/// Whether a value is of the type of a schema, and one of its values if it lists these.
fn is_of(schema: &Value, value: &Value) -> bool {
    let is_wanted = |wanted: &Value| match wanted.as_str() {
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let is_right = match &schema["type"] {
        Value::Null => true,
        Value::Array(any) => any.iter().any(is_wanted),
        one => is_wanted(one),
    };
    let is_listed = schema["enum"].as_array().is_none_or(|listed| listed.contains(value));
    is_right && is_listed && schema.get("const").is_none_or(|said| said == value)
}

fn members(schema: &Value, object: &Value, at: &str) -> Option<String> {
    let object = object.as_object()?;
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let lacking = required.into_iter().find(|key| !object.contains_key(*key));
    if let Some(key) = lacking.filter(|_| !object.contains_key(ELISION)) {
        return Some(format!("{at} has no {key}"));
    }
    object.iter().filter(|(key, _)| *key != ELISION).find_map(|(key, value)| {
        let described =
            schema["properties"].get(key).or_else(|| schema.get("additionalProperties"));
        let at = format!("{at}.{key}");
        match described {
            Some(schema) => mismatch(schema, value, &at),
            None => Some(format!("{at} is not described")),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_as_described_is_found() {
        let message = |text: Value| json!({"ev": "message", "room": "a", "seq": 1, "from": "b", "at": 2, "text": text});
        assert_eq!(fault(&message(json!("hi")), None), None);
        let sent = json!({"room": "a", "seq": 1, "at": 2, "durable": "disk"});
        assert_eq!(
            fault(&json!({"id": 1, "code": 0, "message": "ok", "data": sent}), Some("send")),
            None
        );
        let page = json!({"ev": "replay", "room": "a", "items": [{"ev": "message", "seq": 1, "from": "b", "at": 2}], "to": 1});
        assert_eq!(fault(&page, None), None);
        for (wrong, op) in [
            (json!({"ev": "nothing"}), None),
            (message(json!(1)), None),
            (json!({"ev": "live", "room": "a"}), None),
            (json!({"ev": "live", "room": "a", "seq": 1, "more": 1}), None),
            (json!({"ev": "live", "room": "a", "seq": -1}), None),
            (
                json!({"ev": "replay", "room": "a", "items": [{"ev": "live", "room": "a", "seq": 1}], "to": 1}),
                None,
            ),
            (json!({"id": 1, "code": 0, "message": "ok", "data": {}}), Some("send")),
            (json!({"id": 1, "code": 0, "message": "ok", "data": sent}), Some("ping")),
            (json!({"id": 1, "code": 1, "message": "no", "data": {"error": "none"}}), None),
        ] {
            assert!(fault(&wrong, op).is_some(), "{wrong}");
        }
    }
}
