//! The document that describes the chat's protocol: AsyncAPI 3, made of the table of `help`.

use serde_json::{Map, Value, json};

use crate::chat::Code;
use crate::wire::{EVENTS, Operation, operations};

const ABOUT: &str = "JSON objects in UTF-8: each a text message over WebSocket (subprotocol \
`chinwag.v1`); over plain TCP each on a line, or behind its length. A request has `op`, the fields of \
the operation and an `id` of the client's choice, which the reply has too. The first request is \
`hello`. A reply has `code`: 0 with `data`, or another with `message`. What others do comes as \
events, which have `ev`.";

/// The document.
#[must_use]
pub fn asyncapi() -> String {
    let mut of_channel = Map::new();
    let mut messages = Map::new();
    let mut actions = Map::new();
    let named = |name: &str| json!({"$ref": format!("#/components/messages/{name}")});
    let in_channel = |name: &str| json!({"$ref": format!("#/channels/chat/messages/{name}")});
    let channel = json!({"$ref": "#/channels/chat"});
    for operation in operations() {
        let name = operation.name;
        messages.insert(name.to_owned(), request(&operation));
        of_channel.insert(name.to_owned(), named(name));
        let reply =
            json!({"channel": channel, "messages": [in_channel("reply"), in_channel("refusal")]});
        let action = json!({
            "action": "receive",
            "channel": channel,
            "summary": operation.about,
            "messages": [in_channel(name)],
            "reply": reply,
        });
        actions.insert(name.to_owned(), action);
    }
    for (name, message) in [("reply", reply()), ("refusal", refusal())] {
        messages.insert(name.to_owned(), message);
        of_channel.insert(name.to_owned(), named(name));
    }
    let mut events = Vec::new();
    for (name, about) in EVENTS {
        let name = format!("ev_{name}");
        messages.insert(name.clone(), event(name.trim_start_matches("ev_"), about));
        of_channel.insert(name.clone(), named(&name));
        events.push(in_channel(&name));
    }
    // Generators call a type by the title of its schema; a name of the message does not reach them.
    for (name, message) in &mut messages {
        message["payload"]["title"] = json!(name);
    }
    let tell = json!({
        "action": "send",
        "channel": channel,
        "summary": "Tells what others do, and what becomes of the connection",
        "messages": events,
    });
    actions.insert("events".to_owned(), tell);
    let document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Chinwag",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "websocket": {"host": "127.0.0.1:8080", "protocol": "ws", "description": "`listen`."},
            "tcp": {"host": "127.0.0.1:9000", "protocol": "tcp", "description": "`tcp`."},
        },
        "channels": {
            "chat": {
                "address": "/ws",
                "description": "One connection. Plain TCP has no path.",
                "messages": of_channel,
            },
        },
        "operations": actions,
        "components": {"messages": messages},
    });
    format!("{document:#}\n")
}

fn request(operation: &Operation) -> Value {
    let mut properties = Map::new();
    properties.insert("op".to_owned(), json!({"const": operation.name}));
    let id = json!({
        "type": ["string", "integer"],
        "description": "Your name for the request; without it a success is not answered.",
    });
    properties.insert("id".to_owned(), id);
    let mut required = vec!["op"];
    for (name, about, expected) in &operation.fields {
        let mut schema = schema(expected);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(format!("{about}: {expected}")));
        }
        properties.insert((*name).to_owned(), schema);
        if *about == "the room's name" {
            required.push(name);
        }
    }
    json!({
        "name": operation.name,
        "title": operation.name,
        "summary": operation.about,
        "payload": {"type": "object", "properties": properties, "required": required},
    })
}

/// What the words say that is expected of a field.
fn schema(expected: &str) -> Value {
    match expected {
        "true or false" => json!({"type": "boolean"}),
        "any JSON" => json!({}),
        "1" => json!({"const": 1}),
        _ if expected.contains("an integer") => json!({"type": "integer"}),
        _ if expected.starts_with("the seq") => json!({"type": "integer"}),
        _ if expected.starts_with('{') => json!({"type": "object"}),
        _ if expected.starts_with("a list") => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        _ if expected.starts_with("the id") => json!({"type": ["string", "integer"]}),
        _ => json!({"type": "string"}),
    }
}

fn reply() -> Value {
    json!({
        "name": "reply",
        "title": "What was done",
        "payload": {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "integer"], "description": "That of the request."},
                "code": {"const": 0},
                "data": {"type": "object", "description": "As the operation says."},
            },
            "required": ["id", "code"],
        },
    })
}

fn refusal() -> Value {
    let codes = Code::ALL.iter().map(|code| code.number());
    let slugs = Code::ALL.iter().map(|code| code.slug());
    json!({
        "name": "refusal",
        "title": "What was refused",
        "payload": {
            "type": "object",
            "properties": {
                "id": {"type": ["string", "integer", "null"], "description": "That of the request."},
                "code": {"type": "integer", "enum": codes.collect::<Vec<_>>()},
                "message": {"type": "string", "description": "What is wrong, for a person."},
                "data": {
                    "type": "object",
                    "properties": {
                        "error": {"type": "string", "enum": slugs.collect::<Vec<_>>()},
                        "field": {"type": "string"},
                        "expected": {"type": "string"},
                        "hint": {"type": "string"},
                        "limit": {"type": "integer"},
                        "retry_after_ms": {"type": "integer"},
                    },
                    "required": ["error"],
                },
            },
            "required": ["id", "code", "message", "data"],
        },
    })
}

fn event(name: &str, about: &str) -> Value {
    let mut properties = json!({"ev": {"const": name}, "room": {"type": "string"}});
    if matches!(name, "message" | "edit") {
        properties["mentions"] = json!({
            "type": "array",
            "items": {"type": "string"},
            "description": "The users whom the text names, and \"@room\" for all of the room.",
        });
    }
    if name == "profiles" {
        properties["profiles"] = json!({
            "type": "object",
            "description": "By name what each says of itself now: display, text, color and until, each of \
                            which may be missing.",
        });
    }
    json!({
        "name": name,
        "title": name,
        "summary": about,
        "payload": {"type": "object", "properties": properties, "required": ["ev"]},
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Op;

    #[test]
    fn each_operation_and_event_is_described_and_each_reference_leads_somewhere() {
        let document: Value = serde_json::from_str(&asyncapi()).unwrap();
        for op in Op::ALL {
            let message = &document["components"]["messages"][op.name()];
            assert_eq!(message["payload"]["properties"]["op"]["const"], op.name());
            assert_eq!(document["operations"][op.name()]["action"], "receive");
        }
        let text = asyncapi();
        for reference in
            text.split("\"$ref\": \"#").skip(1).filter_map(|rest| rest.split('"').next())
        {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
        let named =
            &document["components"]["messages"]["ev_message"]["payload"]["properties"]["mentions"];
        assert_eq!(named["items"]["type"], "string", "{named}");
        let requests = document["operations"].as_object().unwrap().len();
        assert_eq!(requests, Op::ALL.len() + 1);
    }

    #[test]
    fn generators_find_a_name_for_the_type_of_each_message() {
        let document: Value = serde_json::from_str(&asyncapi()).unwrap();
        for (name, message) in document["components"]["messages"].as_object().unwrap() {
            assert_eq!(message["payload"]["title"], *name);
        }
    }
}
