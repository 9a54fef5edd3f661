//! The examples of the book: each request is one that the server takes, and each message one that
//! it describes.

use std::fs;
use std::path::{Path, PathBuf};

use chinwag::chat::Limits;
use chinwag::wire;
use serde_json::Value;

use crate::support::description::{ELISION, fault};

/// An example, and what is wrong with it.
type Fault = (String, String);

fn chapters() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let book = fs::read_dir(root.join("src/docs")).expect("the book");
    let mut chapters: Vec<_> = book.map(|entry| entry.expect("an entry").path()).collect();
    // Its operation is one that is yet to be made.
    chapters.retain(|chapter| !chapter.ends_with("new_operation.md"));
    chapters.push(root.join("README.md"));
    chapters
        .extend(["js", "python", "rust"].map(|of| root.join("clients").join(of).join("README.md")));
    chapters.sort();
    chapters
}

/// With what is left out as a value of its own.
fn whole(example: &str) -> String {
    [
        ("{…}", "{\"…\":\"…\"}"),
        ("[…]", "[]"),
        (",…]", "]"),
        (",…}", ",\"…\":\"…\"}"),
        (",…,", ",\"…\":\"…\","),
        (":…", ":\"…\""),
    ]
    .into_iter()
    .fold(example.to_owned(), |text, (short, long)| text.replace(short, long))
}

/// The examples of a text: those behind `> ` and `< `, over as many lines as each has, and those
/// between backticks.
fn examples(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    let mut is_code = false;
    while let Some(line) = lines.next() {
        is_code ^= line.trim_start().starts_with("```");
        if !is_code {
            let spans = line.split('`').skip(1).step_by(2);
            let is_one = |span: &&str| {
                ["{\"op\":", "{\"ev\":", "{\"id\":"].iter().any(|start| span.starts_with(start))
            };
            found.extend(spans.filter(is_one).map(str::to_owned));
            continue;
        }
        let Some(start) = line.strip_prefix("> ").or_else(|| line.strip_prefix("< ")) else {
            continue;
        };
        let mut example = start.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with("  ") && !line.contains("---"))
        {
            example.push_str(more.trim_start());
        }
        found.push(example);
    }
    found.retain(|example| example.starts_with('{'));
    found
}

/// A request of an example: its id, its operation, and what is wrong with it.
type Asked = (Value, Value, Option<String>);

/// What is wrong with the examples of a text, which follow each other.
fn faults(text: &str) -> Vec<Fault> {
    let mut asked = Vec::new();
    let mut faults = Vec::new();
    for example in examples(text) {
        let why = match serde_json::from_str(&whole(&example)) {
            Ok(message) => of_message(&message, &mut asked),
            Err(error) => Some(error.to_string()),
        };
        faults.extend(why.map(|why| (example, why)));
    }
    let unanswered = asked.into_iter().filter_map(|(_, op, why)| Some((op.to_string(), why?)));
    faults.extend(unanswered);
    faults
}

/// What is wrong with one, behind the requests that were `asked` before it and wait for a reply.
fn of_message(message: &Value, asked: &mut Vec<Asked>) -> Option<String> {
    if message.get("op").is_some() && message.get("code").is_none() {
        if message["op"] != ELISION {
            let refused = wire::parse(&message.to_string(), &Limits::default()).err();
            let why = refused.map(|refused| refused.refusal.message.to_string());
            asked.push((message["id"].clone(), message["op"].clone(), why));
        }
        return None;
    }
    let at = asked.iter().rposition(|(id, ..)| *id == message["id"] && !id.is_null());
    let (_, op, refused) = at.map(|at| asked.remove(at)).unwrap_or_default();
    // A request that is shown with its refusal may be wrong.
    fault(message, op.as_str()).or_else(|| refused.filter(|_| message["code"] == 0))
}

#[test]
fn each_example_of_the_book_is_a_request_or_a_message_of_the_protocol() {
    let mut count = 0;
    let mut found = Vec::new();
    for chapter in chapters() {
        let text = fs::read_to_string(&chapter).expect("a chapter");
        count += examples(&text).len();
        let named = |(example, why)| format!("{}: {why}\n  {example}", chapter.display());
        found.extend(faults(&text).into_iter().map(named));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    // Of 80 that stand there: a chapter whose examples are not found would be missed.
    assert!(count > 75, "{count} examples");
}

#[test]
fn an_example_that_is_wrong_is_found() {
    let text = |lines: &str| format!("```text\n{lines}\n```\n");
    for wrong in [
        "> {\"op\":\"join\",\"id\":1}",
        "> {\"op\":\"ping\",\"id\":1}\n< {\"id\":1,\"code\":0,\"message\":\"ok\",\"data\":{\"room\":\"a\"}}",
        "< {\"ev\":\"live\",\n   \"room\":\"a\"}",
        "< {\"ev\":\"live\" \"room\":\"a\"}",
    ] {
        assert_eq!(faults(&text(wrong)).len(), 1, "{wrong}");
    }
    assert_eq!(faults("says `{\"ev\":\"live\",\"room\":1,…}` then").len(), 1);
    assert_eq!(faults(&text("< {\"ev\":\"live\",\n   \"room\":\"a\",…}")), []);
}
