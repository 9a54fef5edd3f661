//! How modules, tests and comments are laid out.

use crate::rules::{Finding, Rule, finding_at};
use crate::source::Source;
use crate::table::COMMENT_COLUMNS_MAX;

/// Finds modules that are a file beside their folder: `x.rs` and `x/`, where `x/mod.rs` is the one
/// way. A test of Cargo's is `x/main.rs`.
pub(crate) fn check_modules(sources: &[Source]) -> Vec<Finding> {
    let has_folder = |source: &&Source| {
        let folder = source.path.trim_end_matches("rs").trim_end_matches('.').to_owned() + "/";
        sources.iter().any(|other| other.path.starts_with(&folder))
    };
    let what = |source: &Source| {
        finding_at(Rule::ModuleForm, &source.path, 1, "stands beside its folder".to_owned())
    };
    sources.iter().filter(has_folder).map(what).collect()
}

/// Finds unit tests that are neither at the end of their file nor in `tests.rs` or `tests/`.
pub(crate) fn check_test_name(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    if source.path.ends_with("_tests.rs") {
        let what = "unit tests belong into `tests.rs` or `tests/`".to_owned();
        findings.push(finding_at(Rule::TestName, &source.path, 1, what));
    }
    for (number, (line, text)) in (1..).zip(source.code.lines().zip(source.text.lines())) {
        if line.trim_start().starts_with("#[path") {
            let what = format!("{}: a module's file is named after it", text.trim());
            findings.push(finding_at(Rule::TestName, &source.path, number, what));
        }
    }
    findings
}

/// Finds lines of comments that are too wide to be read beside another file.
pub(crate) fn check_comments(source: &Source) -> Vec<Finding> {
    let too_wide = |(number, line): (usize, &str)| {
        let columns = line.chars().count();
        let is_comment = line.trim_start().starts_with("//");
        let what = || format!("a comment of {columns} columns");
        (is_comment && columns > COMMENT_COLUMNS_MAX)
            .then(|| finding_at(Rule::CommentWidth, &source.path, number, what()))
    };
    (1..).zip(source.text.lines()).filter_map(too_wide).collect()
}
