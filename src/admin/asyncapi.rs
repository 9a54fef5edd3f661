//! The document that describes the chat's protocol: AsyncAPI 3, made of the table of `help` and of
//! those of what the server tells.

use serde_json::{Map, Value, json};

use crate::chat::{Code, Op};
use crate::wire::told::{EVENTS, Event, Field, Given, Kind, REFUSED, Shape, is_record, reply_to};
use crate::wire::{Operation, operations};

const ABOUT: &str = "JSON objects in UTF-8: each a text message over WebSocket (subprotocol \
`chinwag.v1`); over plain TCP each on a line, or behind its length. A request has `op`, the fields of \
the operation and an `id` of the client's choice, which the reply has too. The first request is \
`hello`. A reply has `code`: 0 with `data`, or another with `message`. What others do comes as \
events, which have `ev`.";

/// The document.
#[must_use]
pub fn asyncapi() -> String {
    let mut messages = Map::new();
    let mut schemas = Map::new();
    let mut actions = Map::new();
    let channel = json!({"$ref": "#/channels/chat"});
    for (operation, op) in operations().zip(Op::ALL) {
        let (name, reply) = (operation.name, reply_to(*op));
        let reply_name = format!("reply_{}", reply.name);
        messages.insert(name.to_owned(), request(&operation));
        messages.insert(reply_name.clone(), self::reply(reply, &mut schemas));
        let action = json!({
            "action": "receive",
            "channel": channel,
            "summary": operation.about,
            "messages": [in_channel(name)],
            "reply": {"channel": channel, "messages": [in_channel(&reply_name), in_channel("refusal")]},
        });
        actions.insert(name.to_owned(), action);
    }
    messages.insert("refusal".to_owned(), refusal(&mut schemas));
    let mut events = Vec::new();
    for event in EVENTS {
        let name = event_name(event.name);
        messages.insert(name.clone(), self::event(event, &mut schemas));
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
    let named =
        |name: &String| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")}));
    let of_channel: Map<_, _> = messages.keys().map(named).collect();
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
        "components": {"messages": messages, "schemas": schemas},
    });
    format!("{document:#}\n")
}

fn in_channel(name: &str) -> Value {
    json!({"$ref": format!("#/channels/chat/messages/{name}")})
}

fn event_name(ev: &str) -> String {
    format!("ev_{ev}")
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

fn reply(shape: &Shape, schemas: &mut Map<String, Value>) -> Value {
    let name = format!("reply_{}", shape.name);
    let payload = json!({
        "type": "object",
        "properties": {
            "id": {"type": ["string", "integer"], "description": "That of the request."},
            "code": {"const": 0},
            "message": {"const": "ok"},
            "data": object(shape.fields, Map::new(), schemas),
        },
        "required": ["id", "code", "message", "data"],
    });
    json!({"name": name, "title": name, "payload": payload})
}

fn refusal(schemas: &mut Map<String, Value>) -> Value {
    let codes = Code::ALL.iter().map(|code| code.number());
    let means = Code::ALL
        .iter()
        .map(|code| format!("{} `{}`: {}", code.number(), code.slug(), code.about()));
    let payload = json!({
        "type": "object",
        "properties": {
            "id": {"type": ["string", "integer", "null"], "description": "That of the request."},
            "op": {"type": ["string", "null"], "description": "That of the request, if it has no id."},
            "code": {
                "type": "integer",
                "enum": codes.collect::<Vec<_>>(),
                "description": means.collect::<Vec<_>>().join("\n"),
            },
            "message": {"type": "string", "description": "What is wrong, for a person."},
            "data": schema_of(Kind::Object(&REFUSED), schemas),
        },
        "required": ["id", "code", "message", "data"],
    });
    json!({"name": "refusal", "title": "What was refused", "payload": payload})
}

fn event(event: &Event, schemas: &mut Map<String, Value>) -> Value {
    let mut ev = Map::new();
    ev.insert("ev".to_owned(), json!({"const": event.name}));
    json!({
        "name": event.name,
        "title": event.name,
        "summary": event.about,
        "payload": object(event.fields, ev, schemas),
    })
}

/// The schema of an object that has these `properties`, and then these fields.
fn object(
    fields: &[Field],
    mut properties: Map<String, Value>,
    schemas: &mut Map<String, Value>,
) -> Value {
    let mut required: Vec<String> = properties.keys().cloned().collect();
    for Field { name, kind, given, about } in fields {
        let mut schema = schema_of(*kind, schemas);
        if *given == Given::OrNull {
            schema = json!({"anyOf": [schema, {"type": "null"}]});
        }
        // Beside a reference nothing else counts.
        if schema.get("$ref").is_some() {
            schema = json!({"allOf": [schema]});
        }
        schema["description"] = json!(about);
        properties.insert((*name).to_owned(), schema);
        if *given != Given::Sometimes {
            required.push((*name).to_owned());
        }
    }
    json!({"type": "object", "properties": properties, "required": required})
}

/// The schema of a value of this kind; objects with a name are put among the `schemas`.
fn schema_of(kind: Kind, schemas: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Number => json!({"type": "integer", "minimum": 0}),
        Kind::Flag => json!({"type": "boolean"}),
        Kind::True => json!({"const": true}),
        Kind::Any => json!({}),
        Kind::Record => {
            let records = EVENTS.iter().filter(|event| is_record(event.name)).map(|event| {
                let name = event_name(event.name);
                json!({"$ref": format!("#/components/messages/{name}/payload")})
            });
            json!({"oneOf": records.collect::<Vec<_>>()})
        }
        Kind::Pair => {
            json!({"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2})
        }
        Kind::List(of) => json!({"type": "array", "items": schema_of(*of, schemas)}),
        Kind::Map(of) => {
            json!({"type": "object", "additionalProperties": schema_of(*of, schemas)})
        }
        Kind::Object(shape) => {
            if !schemas.contains_key(shape.name) {
                let schema = object(shape.fields, Map::new(), schemas);
                schemas.insert(shape.name.to_owned(), schema);
            }
            json!({"$ref": format!("#/components/schemas/{}", shape.name)})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
