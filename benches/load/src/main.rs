//! The `chinwag-bench` command: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    chinwag_bench::run(std::env::args_os())
}
