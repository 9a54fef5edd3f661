//! What the documentation names must exist: files, what is in them, items and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::sources;

/// Folders of the tree that a path in the documentation may begin with.
const FOLDERS: [&str; 6] = ["src/", "tests/", "benches/", "scripts/", "clients/", "findings/"];

/// The README and the chapters of the book: name and text.
pub(crate) fn chapters(root: &Path) -> Vec<(String, String)> {
    let folder = fs::read_dir(root.join("src/docs")).expect("the folder of the book");
    let mut paths: Vec<_> = folder.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths.push(root.join("README.md"));
    paths.push(root.join("src/lib.rs"));
    let read = |path: &Path| fs::read_to_string(path).expect("a readable chapter");
    paths.iter().map(|path| (path.to_string_lossy().into_owned(), read(path))).collect()
}

/// Each thing that `text` names and that does not exist below `root`.
pub(crate) fn missing(root: &Path, text: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for line in prose(text) {
        for path in code_spans(line).chain(link_targets(line)).filter_map(path_of) {
            if !root.join(path).exists() {
                missing.push(path.to_owned());
            }
        }
        if let Some((function, path)) = function_row(line)
            && !fs::read_to_string(root.join(path)).is_ok_and(|code| declares(&code, function))
        {
            missing.push(format!("{function} in {path}"));
        }
    }
    missing
}

/// The lines outside of code blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().map(|line| line.trim_start_matches("//!").trim()).filter(move |line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What stands between backticks.
fn code_spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of Markdown links.
fn link_targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The path at the start of a command or link, if it is one of this tree.
fn path_of(span: &str) -> Option<&str> {
    let path = span.split_whitespace().next()?;
    FOLDERS.iter().any(|folder| path.starts_with(folder)).then_some(path)
}

/// A table row of a step, a function and its file: ``| step | `function` | `file.rs` |``.
fn function_row(line: &str) -> Option<(&str, &str)> {
    let mut cells = line.strip_suffix('|')?.rsplit('|');
    let file = code_cell(cells.next()?)?;
    let function = code_cell(cells.next()?)?;
    let is_name = function.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let is_source = Path::new(file).extension().is_some_and(|extension| extension == "rs");
    (is_name && is_source).then_some((function, file))
}

/// The contents of a cell that is one code span.
fn code_cell(cell: &str) -> Option<&str> {
    cell.trim().strip_prefix('`')?.strip_suffix('`').filter(|code| !code.contains('`'))
}

/// Whether the code has a function of this name.
fn declares(code: &str, function: &str) -> bool {
    code.split("fn ")
        .skip(1)
        .any(|rest| rest.strip_prefix(function).is_some_and(|rest| rest.starts_with(['(', '<'])))
}

/// Words from which on a name in lower case is a sentence, and so a test's: a series or a setting
/// has fewer.
const SENTENCE_WORDS: usize = 5;

/// Each name that `text` says of the code, and that is not there: what stands before "in" or "of"
/// and a file, an item of a type, the sentence of a test. `words` are all words of the tree.
fn unknown_names(root: &Path, text: &str, words: &BTreeSet<&str>) -> Vec<String> {
    let text = prose(text).collect::<Vec<_>>().join(" ");
    let parts: Vec<&str> = text.split('`').collect();
    let mut unknown = Vec::new();
    for (nth, span) in parts.iter().enumerate().skip(1).step_by(2) {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        if span.is_empty() || !span.chars().all(is_name) || span.starts_with("crate::") {
            continue;
        }
        let name = span.rsplit("::").next().unwrap_or(span);
        let place = parts.get(nth + 1).zip(parts.get(nth + 2));
        let file = place.filter(|(joint, _)| matches!(joint.trim(), "in" | "of"));
        if let Some((_, file)) = file.filter(|(_, file)| file.starts_with("src/")) {
            let code = fs::read_to_string(root.join(file)).unwrap_or_default();
            if !words_of(&code).any(|word| word == name) {
                unknown.push(format!("{span} in {file}"));
            }
        }
        let is_item = span.starts_with(|c: char| c.is_ascii_uppercase()) && span.contains("::");
        let is_sentence = name.split('_').count() >= SENTENCE_WORDS
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if (is_item || is_sentence) && !span.split("::").all(|part| words.contains(part)) {
            unknown.push((*span).to_owned());
        }
    }
    unknown
}

/// The words that a Rust file may declare.
fn words_of(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

#[test]
fn everything_that_the_book_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let chapters = chapters(root);
    assert!(chapters.len() > 10, "found only {} chapters", chapters.len());
    let mut findings = Vec::new();
    for (chapter, text) in &chapters {
        findings.extend(missing(root, text).into_iter().map(|what| format!("{chapter}: {what}")));
    }
    assert!(findings.is_empty(), "named, but not there:\n{}", findings.join("\n"));
}

#[test]
fn every_name_that_the_book_says_of_the_code_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = sources();
    let words: BTreeSet<&str> = sources.iter().flat_map(|source| words_of(&source.text)).collect();
    let mut findings = Vec::new();
    for (chapter, text) in &chapters(root) {
        let unknown = unknown_names(root, text, &words).into_iter();
        findings.extend(unknown.map(|what| format!("{chapter}: {what}")));
    }
    assert!(findings.is_empty(), "named, but not there:\n{}", findings.join("\n"));
}

#[test]
fn a_name_that_is_not_there_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = BTreeSet::from(["Tail", "load", "a_b_c_d_e"]);
    for (text, expect) in [
        ("see `nothing_like_it` in `src/lib.rs`", Some("nothing_like_it in src/lib.rs")),
        ("the `NotThere` of\n`src/lib.rs`", Some("NotThere in src/lib.rs")),
        ("`Tail::unload` does it", Some("Tail::unload")),
        ("tried by `a_b_c_d_f`", Some("a_b_c_d_f")),
        ("`chat` in `src/lib.rs`, by `Tail::load`, `a_b_c_d_e`, `limits.rooms`, `x`", None),
        ("```\n`Tail::unload`\n```", None),
    ] {
        let unknown = unknown_names(root, text, &words);
        assert_eq!(unknown.first().map(String::as_str), expect, "{text}");
    }
}

#[test]
fn what_does_not_exist_is_found() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (text, expect) in [
        ("see `src/nowhere.rs`", "src/nowhere.rs"),
        ("[a chapter](src/docs/nowhere.md)", "src/docs/nowhere.md"),
        ("//! run `scripts/nothing 3`", "scripts/nothing"),
        ("| it is read | `nothing` | `src/lib.rs` |", "nothing in src/lib.rs"),
    ] {
        assert_eq!(missing(root, text), [expect], "{text}");
    }
    for text in [
        "`src/lib.rs`, `tests/tidy` and `scripts/crash 100`",
        "```\n`src/nowhere.rs`\n```",
        "| the files of a folder | `collect` | `tests/tidy/main.rs` |",
        "| word | a meaning | `src/lib.rs` |",
    ] {
        assert!(missing(root, text).is_empty(), "{text}");
    }
}
