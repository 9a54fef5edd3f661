//! What proves the store from outside: the real server, killed, cut off from its power, without room on its disk,
//! with a reader that hardly reads. The work of `scripts/crash`, `powerloss`, `fulldisk`, `slow` and `durable`.
//!
//! usage: `crash PART SERVER FOLDER ARGUMENT…`

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]
#![expect(clippy::disallowed_methods, reason = "it is a client: it may wait and start threads")]

mod asker;
mod chance;
mod crowd;
mod device;
mod disk;
mod durable;
mod finish;
mod fleet;
mod full;
mod kills;
mod latency;
mod observed;
mod plain;
mod pool;
mod power;
mod returns;
mod server;
mod slow;
mod verdict;

use std::error::Error;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let [part, binary, folder, rest @ ..] = words.as_slice() else {
        return Err("usage: crash PART SERVER FOLDER ARGUMENT…".into());
    };
    let folder = Path::new(folder);
    match (*part, rest) {
        ("kills", [kills, seed, plant @ ..]) => {
            kills::run(binary, folder, kills.parse()?, seed.parse()?, plant.first().copied())
        }
        ("powerloss", [config, shim, images, seed, may_lose @ ..]) => power::run(&power::Plan {
            binary,
            folder,
            config,
            shim,
            images: images.parse()?,
            seed: seed.parse()?,
            must_fail: !may_lose.is_empty(),
        }),
        ("fulldisk", [disk, times, seed]) => {
            full::run(binary, folder, Path::new(disk), times.parse()?, seed.parse()?)
        }
        ("slow", [seconds, members, rate]) => {
            slow::run(binary, folder, seconds.parse()?, members.parse()?, rate.parse()?)
        }
        ("durable", [rounds, seconds, clients, messages, page]) => durable::run(&durable::Plan {
            binary,
            folder,
            rounds: rounds.parse()?,
            seconds: seconds.parse()?,
            clients: clients.parse()?,
            messages: messages.parse()?,
            page: Path::new(page),
        }),
        _ => Err(format!("what is {part} with {rest:?}?").into()),
    }
}
