//! The document that describes the API: OpenAPI 3.1, made of the table of routes.

use serde_json::{Map, Value, json};

use super::responses;
use super::routes::{ROUTES, Route, Verb};
use super::shape::{Field, Kind, NUMBER_MAX, Shape};

/// The document.
#[must_use]
pub fn openapi() -> String {
    let mut paths = Map::new();
    let mut schemas = Schemas::default();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(verb(route.verb).to_owned(), operation(route, &mut schemas));
        }
    }
    schemas.add(responses::Refused::SHAPE);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Chinwag admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "What an operator can see and do while the server runs.",
            "description": ABOUT,
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The listener of `admin`."}],
        "tags": [
            {"name": "look", "description": "What there is."},
            {"name": "act", "description": "What can be done."},
            {"name": "documents", "description": "Descriptions, open to everybody who gets here."},
        ],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "`admin_token`."},
            },
        },
    });
    format!("{document:#}\n")
}

const ABOUT: &str = "Every request but those for documents needs the header `Authorization: Bearer` \
with the `admin_token` of the configuration. There are no cookies, so no page that a browser shows \
can act in an operator's name. What is refused is answered with the error object of the chat's \
protocol. Numbers are whole and below 2^53, times are milliseconds since 1970.";

const fn verb(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Post => "post",
    }
}

/// The schemas of all objects, by name.
#[derive(Default)]
struct Schemas(Map<String, Value>);

impl Schemas {
    /// Adds an object with all that it is made of, and returns the reference to it.
    fn add(&mut self, shape: &'static Shape) -> Value {
        if !self.0.contains_key(shape.name) {
            // In its place before its members, which may name it.
            self.0.insert(shape.name.to_owned(), Value::Null);
            let schema = self.object(shape, true);
            self.0.insert(shape.name.to_owned(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{}", shape.name)})
    }

    /// An object that has all of its members, some of which may be null; or one of a request, in
    /// which some may be missing.
    fn object(&mut self, shape: &'static Shape, is_told: bool) -> Value {
        let mut properties = Map::new();
        for field in shape.fields {
            properties.insert(field.name.to_owned(), self.member(field));
        }
        let is_required =
            |field: &&Field| if is_told { !field.may_lack } else { !field.is_optional };
        let required = shape.fields.iter().filter(is_required).map(|field| field.name);
        let mut schema = json!({
            "type": "object",
            "description": shape.about.trim(),
            "properties": properties,
            "required": required.collect::<Vec<_>>(),
            "additionalProperties": false,
        });
        if let Some(schema) = schema.as_object_mut().filter(|_| shape.fields.is_empty()) {
            schema.remove("properties");
            schema.remove("required");
        }
        schema
    }

    fn member(&mut self, field: &Field) -> Value {
        let mut schema = self.kind(&field.kind);
        // A member of a body that may be missing may be null as well; what may be anything may be.
        if field.is_optional && !matches!(field.kind, Kind::Any) {
            schema = match schema.get_mut("type") {
                Some(kind) => {
                    *kind = json!([kind.clone(), "null"]);
                    schema
                }
                None => json!({"anyOf": [schema, {"type": "null"}]}),
            };
        }
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), json!(field.about.trim()));
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match *kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Number(min, max) if max == NUMBER_MAX => {
                json!({"type": "integer", "minimum": min, "maximum": max, "format": "int64"})
            }
            Kind::Number(min, max) => json!({"type": "integer", "minimum": min, "maximum": max}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Word(words) => json!({"type": "string", "enum": words}),
            Kind::List(of, min, max) => {
                let mut schema = json!({"type": "array", "items": self.kind(of)});
                if let Some(schema) = schema.as_object_mut().filter(|_| max < usize::MAX) {
                    schema.insert("minItems".to_owned(), json!(min));
                    schema.insert("maxItems".to_owned(), json!(max));
                }
                schema
            }
            Kind::Object(shape) => self.add(shape),
            Kind::Any => json!({}),
        }
    }
}

fn operation(route: &Route, schemas: &mut Schemas) -> Value {
    let tag = match (route.is_open, route.verb) {
        (true, _) => "documents",
        (false, Verb::Get) => "look",
        (false, Verb::Post) => "act",
    };
    let response = match route.response {
        Some(shape) => schemas.add(shape),
        None => json!({"type": "object"}),
    };
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "description": description(route),
        "tags": [tag],
        "responses": {
            (route.status.to_string()): {
                "description": "Done.",
                "content": {"application/json": {"schema": response}},
            },
            "default": {
                "description": "Refused: the status says of what kind, the object why. A request \
                    that is no good HTTP is answered with text.",
                "content": {
                    "application/json": {"schema": schemas.add(responses::Refused::SHAPE)},
                    "text/plain; charset=utf-8": {"schema": {"type": "string"}},
                },
            },
        },
    });
    let Some(members) = operation.as_object_mut() else { return operation };
    if route.is_open {
        members.insert("security".to_owned(), json!([]));
    }
    match route.verb {
        Verb::Get => {
            let parameters = route.request.fields.iter().map(|field| {
                json!({
                    "name": field.name,
                    "in": "query",
                    "required": !field.is_optional,
                    "description": field.about.trim(),
                    "schema": schemas.kind(&field.kind),
                })
            });
            let parameters: Vec<Value> = parameters.collect();
            if !parameters.is_empty() {
                members.insert("parameters".to_owned(), json!(parameters));
            }
        }
        Verb::Post => {
            let schema = schemas.object(route.request, false);
            let is_required = route.request.fields.iter().any(|field| !field.is_optional);
            let content = json!({"application/json": {"schema": schema}});
            let body = json!({"required": is_required, "content": content});
            members.insert("requestBody".to_owned(), body);
            if route.is_idempotent {
                let parameter = json!({
                    "name": "Idempotency-Key",
                    "in": "header",
                    "required": false,
                    "description": "Names the message: it is said once, however often this is sent.",
                    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
                });
                members.insert("parameters".to_owned(), json!([parameter]));
            }
        }
    }
    operation
}

fn description(route: &Route) -> String {
    let audited = if route.is_audited { " It is noted for the audit." } else { "" };
    format!("{}.{audited}", route.about)
}

/// Names an operation: its verb and the words of its path.
fn operation_id(route: &Route) -> String {
    let rest = route.path.trim_start_matches("/api/v1/").trim_end_matches(".json");
    let words = rest.split(['/', '-', '_']).map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    format!("{}{}", verb(route.verb), words.collect::<String>())
}
