//! Parts of what the server said.

use serde_json::Value;

use super::Check;

/// A number that must be there.
pub(crate) fn number(value: &Value, key: &str) -> Check<u64> {
    let found = value.get(key).and_then(Value::as_u64);
    found.ok_or_else(|| format!("no number {key:?} in {value}"))
}

/// A string that must be there.
pub(crate) fn text<'a>(value: &'a Value, key: &str) -> Check<&'a str> {
    let found = value.get(key).and_then(Value::as_str);
    found.ok_or_else(|| format!("no string {key:?} in {value}"))
}

/// An array that must be there.
pub(crate) fn items<'a>(value: &'a Value, key: &str) -> Check<&'a [Value]> {
    let found = value.get(key).and_then(Value::as_array);
    found.map(Vec::as_slice).ok_or_else(|| format!("no array {key:?} in {value}"))
}

/// An array of strings that must be there.
pub(crate) fn names<'a>(value: &'a Value, key: &str) -> Check<Vec<&'a str>> {
    let name = |item: &'a Value| item.as_str().ok_or_else(|| format!("{item} is no name"));
    items(value, key)?.iter().map(name).collect()
}
