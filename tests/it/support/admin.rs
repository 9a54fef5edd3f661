//! Requests of the admin API, each answer of which is checked against the API's own description.

use std::process::Command;

use serde_json::{Value, json};

use super::{Server, Setup, http};

/// The token of the servers in these tests.
pub(crate) const TOKEN: &str = "0123456789abcdef-test";

/// A server with the admin API on.
pub(crate) fn start() -> Server {
    Setup::default().set("admin_token", TOKEN).start()
}

/// One request as it stands, with `fields` behind its `Host`.
#[track_caller]
pub(crate) fn ask(server: &Server, line: &str, fields: &str, body: &str) -> http::Response {
    let host = server.admin;
    let length = if line.starts_with("POST") || !body.is_empty() {
        format!("Content-Length: {}\r\n", body.len())
    } else {
        String::new()
    };
    let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{fields}{length}\r\n{body}");
    http::request(server.admin, head.as_bytes())
}

pub(crate) fn bearer() -> String {
    format!("Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n")
}

/// The answer to a GET that is not refused, checked against the description of the API.
#[track_caller]
pub(crate) fn get(server: &Server, target: &str) -> Value {
    let response = ask(server, &format!("GET /api/v1/{target}"), &bearer(), "");
    assert_eq!(response.status, 200, "{target}: {}", response.text());
    let answer = serde_json::from_str(&response.text()).expect("JSON");
    let path = format!("/api/v1/{}", target.split('?').next().unwrap_or_default());
    described(server, (&path, "get"), &answer);
    answer
}

/// What a POST comes to: the status, and the answer, which is checked against the description of
/// the API.
#[track_caller]
pub(crate) fn post(server: &Server, path: &str, body: &Value) -> (u16, Value) {
    post_with(server, path, &bearer(), body)
}

#[track_caller]
pub(crate) fn post_with(server: &Server, path: &str, fields: &str, body: &Value) -> (u16, Value) {
    let line = format!("POST /api/v1/{path}");
    let response = ask(server, &line, fields, &body.to_string());
    let answer: Value = serde_json::from_str(&response.text()).expect("JSON");
    if response.status < 300 {
        described(server, (&format!("/api/v1/{path}"), "post"), &answer);
    } else {
        assert!(answer["code"].is_u64() && answer["message"].is_string(), "{answer}");
    }
    (response.status, answer)
}

/// What a POST that is not refused answers.
#[track_caller]
pub(crate) fn act(server: &Server, path: &str, body: &Value) -> Value {
    let (status, answer) = post(server, path, body);
    assert!(status < 300, "{path} {body}: {status} {answer}");
    answer
}

/// Requires that an answer is as the API's own description says.
#[track_caller]
pub(crate) fn described(server: &Server, (path, verb): (&str, &str), answer: &Value) {
    let document = http::get(server.admin, "/api/v1/openapi.json").text();
    let document: Value = serde_json::from_str(&document).expect("JSON");
    let responses = document["paths"][path][verb]["responses"].as_object().expect("responses");
    let (_, good) = responses.iter().find(|(status, _)| status.starts_with('2')).expect("one");
    matches(&document, &good["content"]["application/json"]["schema"], answer, path);
}

/// What the audit has of the acts of the admin API, each with whom it was about, oldest first.
#[track_caller]
pub(crate) fn audit(server: &Server) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.env_clear().arg("--data").arg(server.data()).args(["audit", "--by", "chinwag"]);
    let output = command.output().expect("a program that can be started");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    said.lines().map(str::to_owned).collect()
}

#[track_caller]
pub(crate) fn matches(document: &Value, schema: &Value, value: &Value, place: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let pointer = name.trim_start_matches('#');
        let schema = document.pointer(pointer).expect("a schema that is referred to");
        return matches(document, schema, value, place);
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place}: {value} is none of {words:?}");
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => return,
        kind => vec![kind.clone()],
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(kinds.contains(&json!(kind)), "{place}: {value} is none of {kinds:?}");
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        matches(document, &schema["items"], item, &format!("{place}[{at}]"));
    }
    let Some(members) = value.as_object() else { return };
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().expect("a name");
        assert!(members.contains_key(name), "{place} has no {name}: {value}");
    }
    for (name, member) in members {
        let schema = &schema["properties"][name];
        assert!(!schema.is_null(), "{place}: {name} is not described");
        matches(document, schema, member, &format!("{place}.{name}"));
    }
}

/// As [`act`], where the description cannot be read afterwards.
#[track_caller]
pub(crate) fn act_last(server: &Server, path: &str) -> Value {
    let response = ask(server, &format!("POST /api/v1/{path}"), &bearer(), "{}");
    assert_eq!(response.status, 200, "{}", response.text());
    serde_json::from_str(&response.text()).expect("JSON")
}
