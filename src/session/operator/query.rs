//! Queries and bodies of the admin API, as the values that they stand for.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::admin::shape::{Kind, Shape};
use crate::chat::{Code, Refusal};
use crate::http::percent::decode_form;

/// What a query asks for: each parameter once, and none that is not known.
///
/// # Errors
///
/// [`Code::BadField`], with what is wrong and what would be right.
pub(super) fn parse<T: DeserializeOwned>(query: &str, shape: &Shape) -> Result<T, Refusal> {
    let mut members = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode_form(name), decode_form(value)) else {
            return Err(Refusal::new(Code::BadField, "the query is not UTF-8"));
        };
        let Some(field) = shape.fields.iter().find(|field| field.name == name) else {
            return Err(unknown(shape));
        };
        let value = match field.kind {
            Kind::Number(..) => number(&value).ok_or_else(|| {
                let refusal = Refusal::new(Code::BadField, "this is not a number");
                refusal.field(field.name, "digits alone")
            })?,
            Kind::Flag => Value::Bool(value == "true"),
            Kind::Text | Kind::Word(_) | Kind::List(..) | Kind::Object(_) | Kind::Any => {
                Value::String(value)
            }
        };
        if members.insert(field.name.to_owned(), value).is_some() {
            let refusal = Refusal::new(Code::BadField, "a parameter is given twice");
            return Err(refusal.field(field.name, "one value"));
        }
    }
    read(Value::Object(members))
}

/// What a body asks for: a JSON object with the members that are known, each once; without any of
/// them, it may be empty.
///
/// # Errors
///
/// [`Code::BadJson`] for what is no JSON, [`Code::BadField`] for what is not as it must be.
pub(super) fn body<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    let text = body.trim_ascii();
    let text = if text.is_empty() { b"{}" } else { text };
    // Serde takes a list for an object, too.
    if !text.starts_with(b"{") {
        return Err(Refusal::new(Code::BadJson, "the body is no JSON object"));
    }
    serde_json::from_slice(text).map_err(|error| match serde_json::from_slice(text) {
        // A list where there should be a word is no fault of the JSON, though Serde calls it one.
        Ok(value) if !error.is_data() => read::<T>(value).err().unwrap_or_else(|| unfit(&error)),
        Ok(_) => unfit(&error),
        Err(_) => Refusal::new(Code::BadJson, error.to_string()),
    })
}

fn number(text: &str) -> Option<Value> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u64>().ok().filter(|_| is_plain).map(Value::from)
}

fn unknown(shape: &Shape) -> Refusal {
    let names: Vec<&str> = shape.fields.iter().map(|field| field.name).collect();
    let message = if names.is_empty() {
        "this takes no parameters".to_owned()
    } else {
        format!("there is no such parameter; there are {}", names.join(", "))
    };
    Refusal::new(Code::BadField, message)
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|error| unfit(&error))
}

fn unfit(error: &serde_json::Error) -> Refusal {
    Refusal::new(Code::BadField, error.to_string())
}
