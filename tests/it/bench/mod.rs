//! `chinwag bench`, from its command line to its exit code: against the real server, and against servers that
//! lie.

#[cfg(feature = "bench")]
mod liar;
#[cfg(feature = "bench")]
mod lies;
#[cfg(feature = "bench")]
mod processes;
#[cfg(feature = "bench")]
mod scenarios;

use std::process::{Command, Stdio};

use crate::support::process::Process;

/// How it ended, and what it printed.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    printed: String,
    complained: String,
}

/// Runs `chinwag bench` with the words of `line`.
fn bench(line: &str) -> Ran {
    let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
    bench_with(&words)
}

fn bench_with(args: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.arg("bench").args(args);
    outcome_of(command)
}

/// Runs a command to its end.
fn outcome_of(mut command: Command) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stderr");
    let stderr = std::fs::File::create(&path).expect("a file");
    let process = Process::start(command.stderr(Stdio::from(stderr)));
    let mut printed = String::new();
    while let Some(line) = process.line() {
        printed += &line;
        printed.push('\n');
    }
    let code = process.end().code();
    let complained = std::fs::read_to_string(&path).expect("what it said");
    Ran { code, printed, complained }
}

#[cfg(not(feature = "bench"))]
#[test]
fn without_its_feature_it_says_how_to_get_it() {
    let ran = bench("fanout --connections 10");
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.complained,
        "error: this chinwag was built without its load generator; build it with: \
         cargo build --release --features bench\n"
    );
    assert_eq!(ran.printed, "");
}
