//! What the hot paths take, counted instead of timed: instructions, allocations and system calls of
//! fixed inputs, by callgrind, and what a stored message takes of the disk, by strace. A count is
//! the same on a busy machine.
//!
//! ```text
//! scripts/bench counts              compares with benches/counts.toml; fails where it is worse
//! scripts/bench counts --accept     counts, and writes that file anew
//! scripts/bench counts 'rooms of 2' only what has this in its name
//! ```
//!
//! Only user space is counted: a system call is one, whatever it costs. Two runs differ by some
//! tenths of a percent, up to 2 % where `malloc` finds its free memory in another shape; more than
//! 3 % is a change. Another compiler, C library or kind of processor gives other figures.

mod callgrind;
mod disk;
mod figures;
mod mark;
mod pieces;
mod server;
mod sockets;
mod world;

use std::error::Error;
use std::process::ExitCode;

use mark::Counter;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[expect(clippy::print_stdout, reason = "it reports on its standard output")]
fn main() -> Outcome<ExitCode> {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let first = arguments.next();
    match first.as_deref() {
        // What callgrind runs.
        Some("run") => {
            let counter = Counter::new(arguments.next());
            pieces::count(&counter);
            world::count(&counter)?;
            sockets::count(&counter)?;
        }
        // What strace runs.
        Some("store") => {
            let mut next = || arguments.next().unwrap_or_default();
            let (workload, batches) = (next(), next());
            disk::run(&workload, &batches, next().as_ref())?;
        }
        Some("--accept") => {
            figures::accept(&callgrind::measure(None)?, &disk::measure(None)?)?;
            println!("benches/counts.toml is written anew");
        }
        only => {
            let is_good = figures::compare(&callgrind::measure(only)?)?;
            if !(figures::compare_disk(&disk::measure(only)?)? && is_good) {
                println!("worse than the committed figures: mend it, or accept it and say why");
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
