//! The rules: a function over one source file.

use std::fmt;

use crate::form;
use crate::source::{NamedPath, Source, item_len, paths};
use crate::table::{
    CLOCK_FILE, ENVIRONMENT_FILE, HOSTILE_BYTES, HOSTILE_BYTES_LINTS, LAYERS, LINES_MAX,
    MEANT_ASSERTIONS, MEMBERS, NETWORK_PATHS, PARTS, REFUSALS, RUN_BY_ANOTHER,
};

/// What can be wrong with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// A module names one that its layer must not know, or is in no layer.
    Layer,
    /// A module names something outside the crate that its layer refuses to know.
    Purity,
    /// A second file reads the clock.
    Clock,
    /// A second file reads the environment.
    Environment,
    /// A call that can panic stands where bytes from the network pass.
    Panic,
    /// A module that reads hostile bytes does not ask for the stricter lints.
    HostileLints,
    /// The process is left from the middle.
    Exit,
    /// Unsafe code.
    Unsafe,
    /// A test that does not run.
    Ignored,
    /// A sleep, which is too long and too short at once.
    Sleep,
    /// The file does not begin with what it is for.
    Docs,
    /// The file is too long to be read.
    Length,
    /// Children of a module name each other in a circle.
    Cycle,
    /// A room of a module names one that it must not know, or a file is in no room.
    Room,
    /// A module is a file beside its folder.
    ModuleForm,
    /// Unit tests are neither at their file's end nor in `tests.rs` or `tests/`.
    TestName,
    /// A line of a comment is too wide.
    CommentWidth,
}

impl Rule {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[
        Self::Layer,
        Self::Purity,
        Self::Clock,
        Self::Environment,
        Self::Panic,
        Self::HostileLints,
        Self::Exit,
        Self::Unsafe,
        Self::Ignored,
        Self::Sleep,
        Self::Docs,
        Self::Length,
        Self::Cycle,
        Self::Room,
        Self::ModuleForm,
        Self::TestName,
        Self::CommentWidth,
    ];
}

/// One violation.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) rule: Rule,
    pub(crate) path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {:?}: {}", self.path, self.line, self.rule, self.what)
    }
}

/// Everything that is wrong with `source`.
pub(crate) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_form(source, &mut findings);
    findings.extend(form::check_test_name(source));
    findings.extend(form::check_comments(source));
    if source.is_product() {
        check_module(source, &mut findings);
    }
    if let Some((_, allowed)) = MEMBERS.iter().find(|(folder, _)| source.path.starts_with(folder)) {
        check_member(source, allowed, &mut findings);
    }
    findings
}

/// The rules for every file, tests included.
fn check_form(source: &Source, findings: &mut Vec<Finding>) {
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        findings.push(finding(source, Rule::Length, lines, format!("{lines} lines")));
    }
    if !source.text.starts_with("//!") {
        findings.push(finding(source, Rule::Docs, 1, "does not begin with `//!`".to_owned()));
    }
    for (number, (line, text)) in (1..).zip(source.code.lines().zip(source.text.lines())) {
        if line.trim_start().starts_with("#[ignore") && !text.ends_with(RUN_BY_ANOTHER) {
            let what = "a test that does not run".to_owned();
            findings.push(finding(source, Rule::Ignored, number, what));
        }
    }
    for path in paths(&source.code) {
        let line = Source::line(&source.code, path.at);
        if path.names == ["unsafe"] {
            findings.push(finding(source, Rule::Unsafe, line, "unsafe code".to_owned()));
        }
        if path.names.last().is_some_and(|name| name == "sleep") {
            findings.push(finding(source, Rule::Sleep, line, path.names.join("::")));
        }
    }
}

/// The rules for the product.
fn check_module(source: &Source, findings: &mut Vec<Finding>) {
    let module = source.module();
    let top = module.first().copied().unwrap_or_default();
    for path in paths(&source.product) {
        let line = Source::line(&source.product, path.at);
        let names = absolute(&module, &path);
        let mut say = |rule, what: String| findings.push(finding(source, rule, line, what));
        if let Some(what) = layer_violation(top, &names) {
            say(Rule::Layer, what);
        }
        for refusal in REFUSALS.iter().filter(|refusal| refusal.modules.contains(&top)) {
            // A lone name is a variable of that name, unless it is imported as it stands.
            let imported = source.product[..path.at].ends_with("use ");
            let counts = names.len() > 1 || imported;
            if counts && refusal.paths.iter().any(|refused| touches(&names, refused)) {
                say(Rule::Purity, format!("{}: {}", names.join("::"), refusal.reason));
            }
        }
        if source.path != CLOCK_FILE && reads_clock(&names) {
            say(Rule::Clock, format!("{}: only {CLOCK_FILE} may", names.join("::")));
        }
        if source.path != ENVIRONMENT_FILE && reads_environment(&names) {
            say(Rule::Environment, format!("{}: only {ENVIRONMENT_FILE} may", names.join("::")));
        }
        if ["exit", "abort"].iter().any(|last| ends(&names, &["process", last])) {
            say(Rule::Exit, names.join("::"));
        }
    }
    if NETWORK_PATHS.contains(&top) {
        check_panics(source, findings);
    }
}

/// The rule for the other members of the workspace: they use what the server's library offers to
/// the outside.
fn check_member(source: &Source, allowed: &[&str], findings: &mut Vec<Finding>) {
    for path in paths(&source.code) {
        let Some(("chinwag", used @ [_, ..])) = split_root(&path.names) else { continue };
        let used = used.join("::");
        let is_below = |start: &&str| {
            used.strip_prefix(*start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        if !allowed.iter().any(is_below) {
            let line = Source::line(&source.code, path.at);
            let what = format!("`{used}` of the server is not for this member");
            findings.push(finding(source, Rule::Layer, line, what));
        }
    }
}

/// The crate that a path begins with, and the rest.
fn split_root(names: &[String]) -> Option<(&str, &[String])> {
    let (root, rest) = names.split_first()?;
    Some((root.as_str(), rest))
}

/// Finds the files of [`HOSTILE_BYTES`] that handle bytes while neither they nor a module above
/// them ask for the stricter lints.
pub(crate) fn check_hostile_lints(sources: &[Source]) -> Vec<Finding> {
    let strict: Vec<_> = sources
        .iter()
        .filter(|source| source.text.contains(HOSTILE_BYTES_LINTS))
        .map(Source::module)
        .collect();
    let is_loose = |source: &&Source| {
        let module = source.module();
        source.is_product()
            && module.first().is_some_and(|top| HOSTILE_BYTES.contains(top))
            && source.product.contains("[u8]")
            && !strict.iter().any(|above| module.starts_with(above))
    };
    let what = || format!("handles bytes and does not say {HOSTILE_BYTES_LINTS}");
    sources.iter().filter(is_loose).map(|s| finding(s, Rule::HostileLints, 1, what())).collect()
}

/// The path from the crate's root, where `path` climbs that far.
fn absolute(module: &[&str], path: &NamedPath) -> Vec<String> {
    let climbs = path.names.iter().take_while(|name| *name == "super").count();
    let own = path.names.first().is_some_and(|name| name == "chinwag");
    if own || (climbs > 0 && climbs >= module.len()) {
        let below = path.names.iter().skip(climbs.max(1)).cloned();
        return std::iter::once("crate".to_owned()).chain(below).collect();
    }
    path.names.clone()
}

fn layer_violation(top: &str, names: &[String]) -> Option<String> {
    let [root, used, ..] = names else { return None };
    if root != "crate" || top.is_empty() || used == top {
        return None;
    }
    let Some((_, allowed)) = LAYERS.iter().find(|(module, _)| *module == top) else {
        return Some(format!("the module `{top}` is in no layer"));
    };
    let is_of_part = |(module, of, _): &&(&str, &str, &str)| *module == top && of == used;
    if let Some((_, _, part)) = PARTS.iter().find(is_of_part)
        && names.get(2).is_none_or(|name| name != part)
    {
        return Some(format!("`{top}` may know `{used}::{part}` only"));
    }
    // A lower-case name that is no module is a macro or a function of the root: there are none.
    (!allowed.contains(&used.as_str())).then(|| format!("`{top}` must not know `{used}`"))
}

/// Whether `names` is `refused`, lies below it, or takes in a module above it that would reach it.
fn touches(names: &[String], refused: &str) -> bool {
    let refused: Vec<_> = refused.split("::").collect();
    let common = names.iter().zip(&refused).take_while(|(name, part)| name == *part).count();
    let all_of_it = common == refused.len();
    let above = common > 0 && common == names.len();
    let glob = common > 0 && names.get(common).is_some_and(|name| name == "*");
    all_of_it || (above && refused.len() > 1) || glob
}

fn reads_clock(names: &[String]) -> bool {
    let own_clock = names.first().is_some_and(|name| name == "crate");
    let clocks = ["Instant", "SystemTime", "UNIX_EPOCH"];
    !own_clock && names.iter().any(|name| clocks.contains(&name.as_str()))
}

fn reads_environment(names: &[String]) -> bool {
    const READERS: [&str; 6] = ["var", "var_os", "vars", "vars_os", "set_var", "remove_var"];
    READERS.iter().any(|reader| ends(names, &["env", reader])) || ends(names, &["std", "env", "*"])
}

fn ends(names: &[String], tail: &[&str]) -> bool {
    names.len() >= tail.len() && names[names.len() - tail.len()..].iter().eq(tail)
}

/// Finds calls that panic. Assertions at compile time and in debug builds are no such calls.
fn check_panics(source: &Source, findings: &mut Vec<Finding>) {
    const METHODS: [&str; 4] = ["unwrap", "expect", "unwrap_err", "expect_err"];
    const MACROS: [&str; 7] =
        ["panic", "unreachable", "todo", "unimplemented", "assert", "assert_eq", "assert_ne"];
    let code = without_checks(&source.product);
    for path in paths(&code) {
        let Some(last) = path.names.last().map(String::as_str) else { continue };
        let end = path.at + path.names.join("::").len();
        let follows = |text: &str| code[end..].trim_start().starts_with(text);
        let attribute = code[..path.at].trim_end().ends_with(['#', '[']);
        let is_method = METHODS.contains(&last) && !attribute && (follows("(") || follows(")"));
        if is_method || (MACROS.contains(&last) && follows("!")) {
            let line = Source::line(&code, path.at);
            let written = source.text.lines().nth(line - 1).unwrap_or_default();
            let meant = |(file, part, _): &(&str, &str, &str)| {
                source.path == *file && written.contains(part)
            };
            if !MEANT_ASSERTIONS.iter().any(meant) {
                let what = format!("{last} on a network path");
                findings.push(finding(source, Rule::Panic, line, what));
            }
        }
    }
}

/// Blanks `const _: () = …;` and `const { … }`, which run in the compiler, and what exists with
/// debug assertions only.
fn without_checks(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    let next = |rest: &str| {
        let marks = ["const _: () =", "const {", "#[cfg(debug_assertions)]"];
        marks.iter().filter_map(|mark| rest.find(mark)).min()
    };
    while let Some(start) = next(rest) {
        let body = &rest[start..];
        let end = item_len(body);
        kept.push_str(&rest[..start]);
        kept.extend(body[..end].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &body[end..];
    }
    kept + rest
}

fn finding(source: &Source, rule: Rule, line: usize, what: String) -> Finding {
    finding_at(rule, &source.path, line, what)
}

/// A violation at a line of a file.
pub(crate) fn finding_at(rule: Rule, path: &str, line: usize, what: String) -> Finding {
    Finding { rule, path: path.to_owned(), line, what }
}
