//! Planted violations: each rule must find its own, and nothing where nothing is wrong.

use std::collections::BTreeSet;

use crate::cycles::{check_cycles, check_rooms};
use crate::form::check_modules;
use crate::rules::{Rule, check, check_hostile_lints};
use crate::source::{Source, mark_test_files, paths};
use crate::table::{HOSTILE_BYTES_LINTS, LINES_MAX};

/// Reads `text` as the file at `path`, after the first line that every file has.
fn plant(path: &str, text: &str) -> Vec<Rule> {
    let source = Source::new(path, &format!("//! A module.\n{text}"));
    check(&source).into_iter().map(|finding| finding.rule).collect()
}

/// Where, what, and the rule that must find it.
const PLANTED: &[(&str, &str, Rule)] = &[
    ("src/chat/room.rs", "use crate::session::Session;", Rule::Layer),
    ("src/ws/header.rs", "use crate::{net::ConnId, time::Tick};", Rule::Layer),
    ("src/ws/header.rs", "use super::super::chat::Room;", Rule::Layer),
    ("src/admin.rs", "use super::session;", Rule::Layer),
    ("src/time/wheel.rs", "fn f() { crate::reactor::run(); }", Rule::Layer),
    ("src/main.rs", "fn main() { chinwag::server::run(); }", Rule::Layer),
    ("src/admin.rs", "use crate::*;", Rule::Layer),
    ("src/config/mod.rs", "use crate::chat::{Chat, model::name::UserName};", Rule::Layer),
    ("benches/load/src/run.rs", "use chinwag::chat::{Chat, model::name::RoomName};", Rule::Layer),
    ("benches/load/src/run.rs", "fn f() { chinwag::store::in_memory(); }", Rule::Layer),
    ("tests/torture/src/load.rs", "use chinwag::reactor::Reactor;", Rule::Layer),
    ("tests/torture/src/load.rs", "use chinwag::*;", Rule::Layer),
    ("src/novelty/part.rs", "use crate::time::Tick;", Rule::Layer),
    ("src/reactor/mod.rs", "use crate::\n    http::Head;", Rule::Layer),
    ("src/line/framing.rs", "use std::net::TcpStream;", Rule::Purity),
    ("src/line/framing.rs", "use std::net;", Rule::Purity),
    ("src/line/framing.rs", "use std::net::*;", Rule::Purity),
    ("src/http/head.rs", "use std::{fmt, fs};", Rule::Purity),
    ("src/wire/command.rs", "fn f() { std::thread::yield_now(); }", Rule::Purity),
    ("src/ws/deflate.rs", "use mio::Token;", Rule::Purity),
    ("src/ws/deflate.rs", "use crate::time::clock::{Clock, Now};", Rule::Purity),
    ("src/chat/room.rs", "use bytes::Bytes;", Rule::Purity),
    ("src/chat/room.rs", "use serde_json as json;", Rule::Purity),
    ("src/chat/room.rs", "#[derive(serde::Serialize)] struct Room;", Rule::Purity),
    ("src/chat/room.rs", "fn f(peer: std::net::SocketAddr) {}", Rule::Purity),
    ("src/config/listen.rs", "use std::net::{SocketAddr, TcpListener};", Rule::Purity),
    ("src/session/mod.rs", "use std::time::{Duration, Instant};", Rule::Clock),
    ("src/log/sink.rs", "fn f() { let now = std::time::SystemTime::now(); }", Rule::Clock),
    ("src/cli/mod.rs", "fn f() { std::env::var(\"HOME\"); }", Rule::Environment),
    ("src/log/mod.rs", "use std::env; fn f() { env::var_os(\"HOME\"); }", Rule::Environment),
    ("src/wire/reply.rs", "fn f() { x.unwrap(); }", Rule::Panic),
    ("src/wire/reply.rs", "fn f() { x\n    .expect(\"why\"); }", Rule::Panic),
    ("src/wire/reply.rs", "fn f() { x.map(Result::unwrap); }", Rule::Panic),
    ("src/reactor/turn.rs", "fn f() { unreachable!(); }", Rule::Panic),
    ("src/chat/room.rs", "fn f() { assert!(true); }", Rule::Panic),
    ("src/chat/room.rs", "fn f() { const { assert!(true) }; assert!(true); }", Rule::Panic),
    ("src/session/mod.rs", "fn f() { std::panic!(\"no\"); }", Rule::Panic),
    ("src/server.rs", "fn f() { std::process::exit(1); }", Rule::Exit),
    ("src/cli/mod.rs", "use std::process; fn f() { process::abort(); }", Rule::Exit),
    ("src/collections/ring.rs", "fn f() { unsafe { g() } }", Rule::Unsafe),
    ("tests/it/rooms.rs", "#[test]\n#[ignore = \"later\"]\nfn f() {}", Rule::Ignored),
    (
        "src/ws/header.rs",
        "#[cfg(debug_assertions)]\nfn f() {}\nfn g() { assert!(x); }",
        Rule::Panic,
    ),
    ("tests/it/rooms.rs", "fn f() { std::thread::sleep(d); }", Rule::Sleep),
    ("src/config/load_tests.rs", "fn f() {}", Rule::TestName),
    ("src/config/load.rs", "#[cfg(test)]\n#[path = \"other.rs\"]\nmod tests;", Rule::TestName),
    ("src/ws/header.rs", WIDE, Rule::CommentWidth),
    ("tests/it/rooms.rs", WIDE, Rule::CommentWidth),
];

/// A comment of 101 columns.
const WIDE: &str = "    // 3456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 \
                    123456789";

/// A row of a table of 101 columns.
const TABLE_ROW: &str = "//! | 789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 \
                         123456789 123456789 |";

/// The rules that look at several files at once, each with a test below.
const OF_SEVERAL: [Rule; 3] = [Rule::Cycle, Rule::Room, Rule::ModuleForm];

/// What looks like a violation and is none.
const SOUND: &[(&str, &str)] = &[
    ("src/ws/header.rs", "// crate::chat, std::fs, unwrap(), unsafe\n/* /* mio::x */ panic!() */"),
    ("src/ws/header.rs", "const A: &str = \"crate::chat \\\" .unwrap()\";"),
    ("src/ws/header.rs", "const A: &str = r#\"\"crate::chat\" panic!()\"#; const B: u8 = b'\"';"),
    ("src/ws/header.rs", "fn f<'a>(x: &'a str) -> char { '\"' }\nfn g() -> char { '\\'' }"),
    ("src/ws/header.rs", "#[cfg(test)]\nmod tests {\n use crate::chat; fn f() { x.unwrap(); }\n}"),
    ("src/ws/header.rs", "#[cfg(test)]\nuse crate::chat::Room;\nuse crate::time::Tick;"),
    ("src/ws/header.rs", "use super::mask; use crate::ws::error; use self::table::X;"),
    ("src/ws/header.rs", "fn f() { x.unwrap_or_default(); debug_assert!(x); }"),
    ("src/ws/header.rs", "const _: () = assert!(A > B);\nconst _: () = {\n assert!(A > 1);\n};"),
    ("src/ws/header.rs", "#[cfg(debug_assertions)]\nfn debug_check(&self) { assert!(self.ok); }"),
    (
        "src/reactor/tests/stop.rs",
        "#[ignore = \"a signal: run by the test above in a process of its own\"]\nfn f() {}",
    ),
    ("src/ws/header.rs", "const fn f<const N: u8>() { const { assert!(N > 1) }; }"),
    ("src/ws/header.rs", "#[expect(clippy::cast_lossless, reason = \"why\")] fn f() {}"),
    ("src/chat/room.rs", "struct Room { bytes: usize }"),
    ("src/chat/room.rs", "use crate::net::ConnId; use crate::time::{Tick, clock::Now};"),
    ("src/session/mod.rs", "use std::net::SocketAddr; use std::time::Duration;"),
    ("src/time/clock.rs", "use std::time::{Instant, SystemTime};"),
    ("src/config/env.rs", "fn f() { std::env::var(\"CHINWAG_LISTEN\"); }"),
    ("src/cli/mod.rs", "fn f() { std::env::args_os(); std::process::ExitCode::SUCCESS; }"),
    ("src/main.rs", "fn main() { chinwag::cli::run(); }"),
    ("benches/load/src/run.rs", "use chinwag::{chat::model::name::RoomName, client::Framing, ws};"),
    ("tests/torture/src/load.rs", "use chinwag::client::Framing; fn f() { chinwag_bench::run(); }"),
    ("src/chat/tests.rs", "fn f() {}"),
    (
        "src/ws/header.rs",
        "/// Of exactly 100 columns: 9 123456789 123456789 123456789 123456789 123456789 \
                          123456789 1234567890",
    ),
    ("src/ws/header.rs", TABLE_ROW),
];

#[test]
fn every_planted_violation_is_found_and_nothing_else() {
    for (path, text, rule) in PLANTED {
        let mut found = plant(path, text);
        found.dedup();
        assert_eq!(found, [*rule], "{path}: {text}");
    }
}

#[test]
fn what_only_looks_like_a_violation_is_left_alone() {
    for (path, text) in SOUND {
        assert_eq!(plant(path, text), [], "{path}: {text}");
    }
}

#[test]
fn a_file_that_is_too_long_or_does_not_say_what_it_is_for_is_found() {
    assert_eq!(plant("src/page/mod.rs", &"\n".repeat(LINES_MAX - 1)), []);
    assert_eq!(plant("src/page/mod.rs", &"\n".repeat(LINES_MAX)), [Rule::Length]);
    let silent = Source::new("src/page/mod.rs", "use crate::http::Head;\n");
    let found: Vec<_> = check(&silent).into_iter().map(|finding| finding.rule).collect();
    assert_eq!(found, [Rule::Docs]);
}

#[test]
fn every_rule_has_a_planted_violation() {
    let planted = PLANTED.iter().map(|(_, _, rule)| *rule);
    let tested: BTreeSet<_> =
        planted.chain([Rule::Length, Rule::Docs, Rule::HostileLints]).chain(OF_SEVERAL).collect();
    assert_eq!(tested, Rule::ALL.iter().copied().collect());
}

#[test]
fn a_file_is_test_code_only_if_its_parent_says_so() {
    let panics = "//! Tests.\nfn f() { x.unwrap(); }";
    for (declaration, expected) in [("#[cfg(test)]\nmod tests;", 0), ("mod tests;", 1)] {
        let parent = Source::new("src/ws/header.rs", &format!("//! A module.\n{declaration}"));
        let mut sources = [parent, Source::new("src/ws/header/tests.rs", panics)];
        mark_test_files(&mut sources);
        let found: usize = sources.iter().map(|source| check(source).len()).sum();
        assert_eq!(found, expected, "{declaration}");
    }
}

#[test]
fn a_file_that_handles_bytes_must_ask_for_the_lints_or_be_below_one_that_does() {
    let decoder = "pub fn decode(input: &[u8]) {}";
    let strict = format!("{HOSTILE_BYTES_LINTS}\n{decoder}");
    for (root, leaf, expected) in [
        ("", decoder, 1),
        ("", "pub fn name() -> &'static str { \"x\" }", 0),
        ("", strict.as_str(), 0),
        (HOSTILE_BYTES_LINTS, decoder, 0),
    ] {
        let sources = [Source::new("src/ws/mod.rs", root), Source::new("src/ws/header.rs", leaf)];
        assert_eq!(check_hostile_lints(&sources).len(), expected, "{root} {leaf}");
    }
    let elsewhere = [Source::new("src/reactor/read.rs", decoder)];
    assert_eq!(check_hostile_lints(&elsewhere).len(), 0);
}

#[test]
fn groups_are_spelt_out() {
    let code = "use crate::{a::{self, B as C}, d::*, e};";
    let spelt: Vec<_> = paths(code).iter().map(|path| path.names.join("::")).collect();
    let expected = ["use", "crate::a::self", "crate::a::B", "crate::d::*", "crate::e"];
    assert_eq!(spelt, expected);
}

/// Files with nothing in them but these lines of program.
fn files(texts: &[(&str, &str)]) -> Vec<Source> {
    let mut sources: Vec<_> = texts
        .iter()
        .map(|(path, text)| Source::new(path, &format!("//! A module.\n{text}")))
        .collect();
    mark_test_files(&mut sources);
    sources
}

/// The findings about these files if every module may have cycles of `allowed` children.
fn cycles(texts: &[(&str, &str)], allowed: usize) -> Vec<String> {
    let findings = check_cycles(&files(texts), |_| allowed);
    assert!(findings.iter().all(|finding| finding.rule == Rule::Cycle));
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn children_that_name_each_other_in_a_circle_are_found() {
    let pair = [("src/ws/a.rs", "use super::b::B;"), ("src/ws/b.rs", "use crate::ws::a::A;")];
    let [told] = &cycles(&pair, 1)[..] else { panic!("one cycle") };
    assert!(told.contains("2 children of `src/ws`"), "{told}");
    assert!(told.contains("a names b (src/ws/a.rs:2)"), "{told}");
    assert_eq!(cycles(&pair, 2).len(), 0);
    let through_others = [
        ("src/ws/a.rs", "fn f() { super::b::g(); }"),
        ("src/ws/b.rs", "use super::{a2::X, c::deep};"),
        ("src/ws/c/mod.rs", ""),
        ("src/ws/c/deep.rs", "use crate::{time::Tick, ws::{a::A, d}};"),
        ("src/ws/d.rs", "use std::fmt;"),
    ];
    let [told] = &cycles(&through_others, 2)[..] else { panic!("one cycle") };
    assert!(told.contains("3 children of `src/ws`"), "{told}");
    let layers = [("src/ws/mod.rs", "use crate::wire::W;"), ("src/wire.rs", "use crate::ws;")];
    assert_eq!(cycles(&layers, 1).len(), 1);
    let elsewhere = [("a/b/src/x.rs", "use crate::y::Y;"), ("a/b/src/y.rs", "use super::x::X;")];
    assert_eq!(cycles(&elsewhere, 1).len(), 1);
    let nested =
        [("src/ws/x/a.rs", "use super::b::B;"), ("src/ws/x/b.rs", "use super::super::x::a::A;")];
    let [told] = &cycles(&nested, 1)[..] else { panic!("one cycle") };
    assert!(told.contains("children of `src/ws/x`"), "{told}");
}

#[test]
fn what_only_looks_like_a_cycle_is_left_alone() {
    for texts in [
        // The parent names its children, and they use what it declares.
        [("src/ws/mod.rs", "use self::a::A;"), ("src/ws/a.rs", "use super::Frame;")],
        [("src/ws/a.rs", "use super::b::B;"), ("src/ws/b.rs", "// super::a\nuse std::a::A;")],
        [
            ("src/ws/a.rs", "use super::b::B;"),
            ("src/ws/b.rs", "#[cfg(test)]\nmod tests { use super::super::a::A; }"),
        ],
        [("src/ws/a/x.rs", "use super::y::Y;"), ("src/ws/a/y.rs", "use super::super::b;")],
        // Another crate has modules of the same names.
        [("src/ws/a.rs", "use super::b::B;"), ("x/src/ws/b.rs", "use crate::ws::a::A;")],
    ] {
        assert_eq!(cycles(&texts, 1), [""; 0], "{texts:?}");
    }
}

#[test]
fn a_room_that_looks_in_the_wrong_direction_is_found() {
    let rooms: &[(&str, &[&str])] = &[("model", &[]), ("rooms", &["model"])];
    for (path, text, expected) in [
        ("src/chat/model/name.rs", "use crate::chat::rooms::Room;", 1),
        ("src/chat/model/name.rs", "use super::super::rooms;", 1),
        ("src/chat/model/name.rs", "fn f() { super::super::rooms::g(); }", 1),
        ("src/chat/novelty.rs", "", 1),
        ("src/chat/rooms/mod.rs", "use super::model::Name;", 0),
        ("src/chat/rooms/ring.rs", "use super::Room; use crate::chat::model::Name;", 0),
        ("src/chat/mod.rs", "use self::rooms::Room;", 0),
        ("src/wire/parse.rs", "use crate::chat::rooms::Room;", 0),
    ] {
        let sources = files(&[("src/chat/rooms/room.rs", ""), (path, text)]);
        let findings = check_rooms(&sources, "chat", rooms);
        assert!(findings.iter().all(|finding| finding.rule == Rule::Room));
        assert_eq!(findings.len(), expected, "{path}: {text}");
    }
}

#[test]
fn a_module_that_stands_beside_its_folder_is_found() {
    let twofold = files(&[("src/ws/header.rs", ""), ("src/ws/header/mask.rs", "")]);
    let findings = check_modules(&twofold);
    assert!(findings.iter().all(|finding| finding.rule == Rule::ModuleForm));
    assert_eq!(findings.len(), 1);
    let one_way = [("src/ws/header/mod.rs", ""), ("src/ws/head.rs", ""), ("src/ws/mod.rs", "")];
    assert_eq!(check_modules(&files(&one_way)).len(), 0);
}
