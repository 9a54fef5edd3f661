//! The architecture as a test: the layer table of the crate's page held against the sources.
//!
//! The sources are read as text, so that a violation fails here even where it would compile. Every
//! rule is shown to find a planted violation, and to leave alone what only looks like one.

#![expect(clippy::string_slice, reason = "the text is ASCII, and a wrong index here fails a test")]

mod book;
mod cycles;
mod form;
mod planted;
mod rules;
mod source;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rules::Finding;
use source::{Source, mark_test_files};
use table::{CHAT_ROOMS, CYCLE_IN_A_ROOM_MAX, LAYERS, LINES_WARN};

/// Every Rust file of the project, with what is compiled for tests only marked.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    for folder in ["src", "tests", "benches", "clients/rust"] {
        collect(root, &root.join(folder), &mut sources);
    }
    mark_test_files(&mut sources);
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() && !path.ends_with("target") {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a readable source");
            let name = path.strip_prefix(root).expect("a path below the root");
            sources.push(Source::new(&name.to_string_lossy(), &text));
        }
    }
}

/// Fails with a list if anything was found.
#[track_caller]
fn assert_none(findings: &[Finding]) {
    let list: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "{} findings:\n{}", list.len(), list.join("\n"));
}

#[test]
fn the_sources_keep_to_the_rules() {
    let sources = sources();
    assert!(sources.len() > 20, "found only {} files: is this the right place?", sources.len());
    let mut findings: Vec<_> = sources.iter().flat_map(rules::check).collect();
    findings.extend(rules::check_hostile_lints(&sources));
    findings.extend(form::check_modules(&sources));
    for source in &sources {
        let lines = source.text.lines().count();
        if lines > LINES_WARN {
            println!("note: {} has {lines} lines; is there a second noun in it?", source.path);
        }
    }
    assert_none(&findings);
}

#[test]
fn the_children_of_a_module_do_not_name_each_other_in_a_circle() {
    let sources = sources();
    let allowed =
        |folder: &str| if folder.starts_with("src/chat/") { CYCLE_IN_A_ROOM_MAX } else { 1 };
    assert_none(&cycles::check_cycles(&sources, allowed));
}

#[test]
fn the_rooms_of_the_domain_look_in_one_direction() {
    assert_ordered(CHAT_ROOMS);
    assert_none(&cycles::check_rooms(&sources(), "chat", CHAT_ROOMS));
}

#[test]
fn the_table_names_exactly_the_modules_of_the_crate() {
    let root = include_str!("../../src/lib.rs");
    let declared: BTreeSet<_> = root
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .chain(["main"])
        .collect();
    let listed: BTreeSet<_> = LAYERS.iter().map(|(module, _)| *module).collect();
    assert_eq!(declared, listed);
}

#[test]
fn no_layer_names_one_above_itself() {
    assert_ordered(LAYERS);
}

/// Fails unless each row of the table names only rows before it.
#[track_caller]
fn assert_ordered(table: &[(&str, &[&str])]) {
    for (place, (module, allowed)) in table.iter().enumerate() {
        for used in *allowed {
            let lower = table[..place].iter().any(|(below, _)| below == used);
            assert!(lower, "{module} may use {used}, which does not stand before it");
        }
    }
}
