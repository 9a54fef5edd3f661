//! Queries and bodies of the admin API, as the values that they stand for.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::admin::shape::{Described, Field, Kind, Shape};
use crate::chat::{Code, Refusal};
use crate::http::percent::decode_form;
use crate::wire::posted;

/// Characters of a client's word that a refusal quotes.
const QUOTED_LEN_MAX: usize = 32;

/// What a query asks for: each parameter once, and none that is not known.
///
/// # Errors
///
/// [`Code::BadField`], with what is wrong and what would be right.
pub(super) fn parse<T: DeserializeOwned>(query: &str, shape: &Shape) -> Result<T, Refusal> {
    let mut members = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (Some(name), Some(value)) = (decode_form(name), decode_form(value)) else {
            return Err(Refusal::new(Code::BadField, "the query is not UTF-8"));
        };
        let value = match shape.fields.iter().find(|field| field.name == name) {
            Some(field @ Field { kind: Kind::Number(..), .. }) => {
                number(&value).ok_or_else(|| refuse(field, "not a number"))?
            }
            Some(Field { kind: Kind::Flag, .. }) => Value::Bool(value == "true"),
            Some(_) | None => Value::String(value),
        };
        members.push((name, value));
    }
    check(shape, "parameter", &members)?;
    let members: Map<_, _> = members.into_iter().collect();
    serde_json::from_value(Value::Object(members)).map_err(|_unfit| unfit("query"))
}

/// What a body asks for: a JSON object with the members that are known, each once; without any of
/// them, it may be empty.
///
/// # Errors
///
/// [`Code::BadJson`] for what is no JSON object, [`Code::BadField`] for what is not as it must be.
pub(super) fn body<T: DeserializeOwned + Described>(body: &[u8]) -> Result<T, Refusal> {
    let text = posted::text_of(body)?;
    let text = if text.trim_ascii().is_empty() { "{}" } else { text };
    let members = posted::members(text)?;
    if let Kind::Object(shape) = T::KIND {
        check(shape, "field", &members)?;
    }
    // From the text, of which some is passed on as it was written.
    serde_json::from_str(text).map_err(|_unfit| unfit("body"))
}

fn number(text: &str) -> Option<Value> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse::<u64>().ok().filter(|_| is_plain).map(Value::from)
}

/// Whether these members make such an object; each is called a `what`. In our own words, since
/// those of Serde are about types of Rust.
fn check(shape: &Shape, what: &str, members: &[(String, Value)]) -> Result<(), Refusal> {
    for (at, (name, value)) in members.iter().enumerate() {
        let Some(field) = shape.fields.iter().find(|field| field.name == name) else {
            return Err(unknown(shape, what, name));
        };
        if members.iter().take(at).any(|(other, _)| other == name) {
            return Err(refuse(field, "given twice"));
        }
        let is_absent = value.is_null() && field.is_optional;
        if let Some(found) = fault(field.kind, value).filter(|_| !is_absent) {
            return Err(refuse(field, &found));
        }
    }
    let is_missing =
        |field: &&Field| !field.is_optional && members.iter().all(|(name, _)| name != field.name);
    shape.fields.iter().find(is_missing).map_or(Ok(()), |field| Err(refuse(field, "missing")))
}

/// What a value is, if it is none of this kind.
fn fault(kind: Kind, value: &Value) -> Option<String> {
    let is_fit = match (kind, value) {
        (Kind::Any, _) => true,
        (Kind::Text, value) => value.is_string(),
        (Kind::Flag, value) => value.is_boolean(),
        (Kind::Object(_), value) => value.is_object(),
        (Kind::Number(min, max), Value::Number(number)) => match number.as_u64() {
            Some(number) if (min..=max).contains(&number) => true,
            Some(number) => return Some(number.to_string()),
            None => return Some("not a whole number in range".to_owned()),
        },
        (Kind::Word(words), Value::String(word)) => {
            let is_known = words.contains(&word.as_str());
            return (!is_known).then(|| format!("unknown: {:?}", quoted(word)));
        }
        (Kind::List(_, min, max), Value::Array(items)) if !(min..=max).contains(&items.len()) => {
            return Some(format!("a list of {}", items.len()));
        }
        (Kind::List(kind, ..), Value::Array(items)) => {
            let wrong = |(at, item)| Some(format!("wrong: entry {at} is {}", fault(*kind, item)?));
            return (1..).zip(items).find_map(wrong);
        }
        (Kind::Number(..) | Kind::Word(_) | Kind::List(..), _) => false,
    };
    (!is_fit).then(|| description(value).to_owned())
}

const fn description(value: &Value) -> &'static str {
    match value {
        Value::Null => "missing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn expected(kind: Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Number(min, max) => format!("a whole number between {min} and {max}"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Word(words) => {
            let words: Vec<_> = words.iter().map(|word| format!("{word:?}")).collect();
            format!("one of {}", words.join(", "))
        }
        Kind::List(_, min, max) => format!("a list of {min} to {max} strings"),
        Kind::Object(_) => "an object".to_owned(),
        Kind::Any => "any JSON".to_owned(),
    }
}

fn quoted(word: &str) -> String {
    word.chars().take(QUOTED_LEN_MAX).collect()
}

fn refuse(field: &Field, found: &str) -> Refusal {
    let message = format!("{} is {found}", field.name);
    Refusal::new(Code::BadField, message).field(field.name, expected(field.kind))
}

fn unknown(shape: &Shape, what: &str, name: &str) -> Refusal {
    let names: Vec<&str> = shape.fields.iter().map(|field| field.name).collect();
    let message = if names.is_empty() {
        format!("this takes no {what}s, and {:?} is given", quoted(name))
    } else {
        format!("{:?} is no {what} of this; there are {}", quoted(name), names.join(", "))
    };
    Refusal::new(Code::BadField, message)
}

fn unfit(what: &str) -> Refusal {
    Refusal::new(Code::BadField, format!("the {what} is not as the description of the API says"))
}
