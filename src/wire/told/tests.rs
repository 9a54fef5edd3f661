//! The tables of the chapter of all messages, made of those that stand here.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::chat::Code;
use crate::chat::model::command::Op;
use crate::net::CloseReason;
use crate::wire::{close_code, close_words, operations};

const CHAPTER: &str = include_str!("../../docs/messages.md");

fn kind(of: Kind) -> String {
    match of {
        Kind::Text => "text".to_owned(),
        Kind::Number => "number".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::True => "true".to_owned(),
        Kind::Any => "JSON".to_owned(),
        Kind::Record => "record".to_owned(),
        Kind::Pair => "pair of texts".to_owned(),
        Kind::List(of) => format!("list of: {}", kind(*of)),
        Kind::Map(of) => format!("by name: {}", kind(*of)),
        Kind::Object(shape) => format!("`{}`", shape.name),
    }
}

fn fields(of: &[Field]) -> String {
    let field = |Field { name, kind: of, given, about }: &Field| {
        let (mark, null) = match given {
            Given::Always => ("", ""),
            Given::OrNull => ("", " or null"),
            Given::Sometimes => ("?", ""),
        };
        format!("`{name}`{mark} ({}{null}) {about}", kind(*of))
    };
    of.iter().map(field).collect::<Vec<_>>().join("; ")
}

/// The shapes within these fields, by name.
fn within(of: &[Field], found: &mut BTreeMap<&'static str, &'static [Field]>) {
    for field in of {
        let mut kind = field.kind;
        while let Kind::List(inner) | Kind::Map(inner) = kind {
            kind = *inner;
        }
        if let Kind::Object(shape) = kind
            && found.insert(shape.name, shape.fields).is_none()
        {
            within(shape.fields, found);
        }
    }
}

/// The replies by name: to which operations, and what they have.
fn replies() -> BTreeMap<&'static str, (Vec<Op>, &'static Shape)> {
    let mut replies = BTreeMap::new();
    for &op in Op::ALL {
        let shape = reply_to(op);
        replies.entry(shape.name).or_insert_with(|| (Vec::new(), shape)).0.push(op);
    }
    replies
}

fn table(head: &str, rows: impl IntoIterator<Item = String>) -> String {
    let columns = head.matches('|').count() - 1;
    let rows: String = rows.into_iter().collect();
    // An unescaped bracket would be a link.
    format!("{head}\n|{}\n{}", "---|".repeat(columns), rows.replace('[', "\\["))
}

fn requests_table() -> String {
    table(
        "| op | does | fields | reply |",
        Op::ALL.iter().zip(operations()).map(|(&op, row)| {
            let fields: Vec<_> =
                row.fields.iter().map(|(name, about, _)| format!("`{name}`: {about}")).collect();
            let reply = reply_to(op).name;
            format!("| `{}` | {} | {} | `{reply}` |\n", row.name, row.about, fields.join("; "))
        }),
    )
}

fn replies_table() -> String {
    table(
        "| reply | to | `data` |",
        replies().into_iter().map(|(name, (ops, shape))| {
            let ops: Vec<_> = ops.iter().map(|op| format!("`{}`", op.name())).collect();
            let about = fields(shape.fields);
            let about = if about.is_empty() { "nothing".to_owned() } else { about };
            format!("| `{name}` | {} | {about} |\n", ops.join(", "))
        }),
    )
}

fn objects_table() -> String {
    let mut found = BTreeMap::new();
    for &op in Op::ALL {
        within(reply_to(op).fields, &mut found);
    }
    for event in EVENTS {
        within(event.fields, &mut found);
    }
    table(
        "| object | fields |",
        found.into_iter().map(|(name, of)| format!("| `{name}` | {} |\n", fields(of))),
    )
}

fn events_table() -> String {
    table(
        "| ev | tells | fields |",
        EVENTS.iter().map(|event| {
            format!("| `{}` | {} | {} |\n", event.name, event.about, fields(event.fields))
        }),
    )
}

fn codes_table() -> String {
    table(
        "| code | `data.error` | means |",
        Code::ALL
            .iter()
            .map(|&code| format!("| {} | `{}` | {} |\n", code.number(), code.slug(), code.about())),
    )
}

fn closes_table() -> String {
    let mut words = BTreeMap::<u16, Vec<&str>>::new();
    for &reason in CloseReason::ALL {
        words.entry(close_code(reason)).or_default().push(close_words(reason));
    }
    // After these no frame is sent.
    words.remove(&1001);
    table(
        "| code | `reason` |",
        words.into_iter().map(|(code, words)| format!("| {code} | {} |\n", words.join("; or "))),
    )
}

#[test]
fn the_chapter_of_all_messages_has_the_tables_of_the_code() {
    let tables = [
        requests_table(),
        replies_table(),
        objects_table(),
        events_table(),
        codes_table(),
        closes_table(),
    ];
    let missing: Vec<_> = tables.into_iter().filter(|table| !CHAPTER.contains(&**table)).collect();
    let missing = missing.join("\n");
    assert!(missing.is_empty(), "put this into src/docs/messages.md:\n{missing}");
}

#[test]
fn each_event_and_object_is_named_once_and_has_each_field_once() {
    let events: BTreeSet<_> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(events.len(), EVENTS.len());
    let mut shapes = BTreeMap::new();
    for (name, (_, shape)) in replies() {
        within(shape.fields, &mut shapes);
        // A reply and an object within one may share neither a name nor a schema.
        assert!(shapes.insert(name, shape.fields).is_none(), "{name}");
    }
    let of_events = EVENTS.iter().map(|event| (event.name, event.fields));
    for (name, fields) in shapes.into_iter().chain(of_events) {
        let names: BTreeSet<_> = fields.iter().map(|field| field.name).collect();
        assert_eq!(names.len(), fields.len(), "{name}");
    }
}

#[test]
fn all_events_that_are_rendered_are_listed() {
    let sources = [
        include_str!("../render/event.rs"),
        include_str!("../render/record.rs"),
        include_str!("../render/refusal.rs"),
    ];
    let rendered: BTreeSet<&str> = sources
        .iter()
        .flat_map(|source| source.split(r#"{"ev":""#).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    let listed: BTreeSet<&str> = EVENTS.iter().map(|event| event.name).collect();
    assert_eq!(rendered, listed);
    let record = include_str!("../render/record.rs");
    for event in EVENTS {
        let is_rendered = record.contains(&format!(r#"{{"ev":"{}""#, event.name));
        assert_eq!(is_record(event.name), is_rendered, "{}", event.name);
    }
}
