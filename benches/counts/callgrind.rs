//! Runs this program under callgrind, and reads what it wrote down.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::figures::{Counts, Figure};
use crate::mark::{ASIDE, BOUNDARY};

/// The functions of the C library that allocate.
const ALLOCATING: [&str; 5] = ["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];

/// Counts everything that has `only` in its name.
pub(crate) fn measure(only: Option<&str>) -> Outcome<Vec<Figure>> {
    let folder = tempfile::tempdir()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--quiet", "--compress-strings=no", "--compress-pos=no"])
        .args(["--collect-systime=yes", "--dump-instr=no", "--dump-line=no"])
        .arg(format!("--dump-before={BOUNDARY}"))
        .arg(format!("--toggle-collect={ASIDE}"))
        .args(["--collect-atstart=yes", "--combine-dumps=no"])
        .arg(format!("--callgrind-out-file={}", folder.path().join("out").display()))
        .arg(std::env::current_exe()?)
        .arg("run")
        .args(only)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("valgrind: {error}"))?;
    if !output.status.success() {
        return Err(format!("the counted program has failed: {}", output.status).into());
    }
    let mut figures = Vec::new();
    for (nth, line) in String::from_utf8(output.stdout)?.lines().enumerate() {
        let (operations, name) = line.split_once('\t').ok_or_else(|| line.to_owned())?;
        // Before each count is one of what prepared it.
        let counts = read(&folder.path().join(format!("out.{}", 2 * nth + 2)))?;
        figures.push(Figure { name: name.to_owned(), counts: counts.each(operations.parse()?) });
    }
    Ok(figures)
}

/// Reads one dump.
fn read(path: &Path) -> Outcome<Counts> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    parse(&text).ok_or_else(|| format!("{}: no counts", path.display()).into())
}

/// What a dump says, without what was done aside.
///
/// There a function's calls stand one after the other, each with what it took in all:
/// ```text
/// events: Ir sysCount sysTime
/// summary: 12597765 6338 25
/// cfn=malloc
/// calls=3 0
/// 17 412
/// ```
fn parse(text: &str) -> Option<Counts> {
    let events = text.lines().find_map(|line| line.strip_prefix("events: "))?;
    let summary = text.lines().find_map(|line| line.strip_prefix("summary: "))?;
    let column = |event: &str| events.split(' ').position(|name| name == event);
    let (instructions, system_calls) = (column("Ir")?, column("sysCount")?);
    let mut counts = Counts {
        instructions: field(summary, instructions)?,
        allocations: 0.0,
        system_calls: field(summary, system_calls)?,
    };
    let (mut callee, mut calls) = ("", None);
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("cfn=") {
            callee = name;
        } else if let Some(count) = line.strip_prefix("calls=") {
            calls = Some(field(count, 0)?);
        } else if let Some(calls) = calls.take() {
            // The first column is the line of the source.
            let took = |nth| field(line, nth + 1);
            if ALLOCATING.contains(&callee) && took(instructions)? > 0.0 {
                counts.allocations += calls;
            } else if callee.contains(ASIDE.trim_matches('*')) {
                // Instructions are not collected there, but system calls are.
                counts.system_calls -= took(system_calls)?;
            }
        }
    }
    Some(counts)
}

/// A column of a line of numbers; zeros at its end are left out.
fn field(line: &str, nth: usize) -> Option<f64> {
    line.split(' ').nth(nth).map_or(Some(0.0), |number| number.parse().ok())
}
