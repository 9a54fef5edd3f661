//! The `chinwag` command: everything is in the library.

use std::process::ExitCode;

use chinwag::cli;
use chinwag::config::Environment;

fn main() -> ExitCode {
    cli::run(std::env::args_os(), &Environment::read())
}
