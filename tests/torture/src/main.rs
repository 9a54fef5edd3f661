//! What torments the real server from outside and checks what it has promised: the work of
//! `scripts/crash`, `powerloss`, `fulldisk`, `slow`, `durable`, `soak`, `upgrade` and `failover`,
//! and one participant of `scripts/clients`.
//!
//! usage: `chinwag-torture PART ARGUMENT…`
//!
//! | file | |
//! |---|---|
//! | `server` | the server as a process: started, killed, asked how it is |
//! | `connections`, `blocking` | the sockets: many on one thread, or one that is waited for |
//! | `prober` | one client that asks one thing after the other |
//! | `load` | many clients that do little |
//! | `canary` | one that is to be served whatever others do |
//! | `follower` | what a member of a room is told, checked |
//! | `tls`, `tokens` | certificates and tokens of the run's own |
//! | `kernel` | memory of sockets, and control groups |
//! | `client`, `clients` | clients that remember their positions and repeat what was not answered |
//! | `observed`, `checker`, `final_checks` | what was seen, and what is wrong with it |
//! | `latencies` | how long something took, many times |
//! | `kills`, `powerloss`, `fulldisk`, `slow_reader`, `durable`, `soak`, `upgrade`, `failover`, `limits` | the parts |
//! | `tungstenite` | a client that nobody here wrote |

#![expect(clippy::print_stdout, reason = "it reports on its standard output")]
#![expect(clippy::disallowed_methods, reason = "it is a client: it may wait and start threads")]

mod blocking;
mod canary;
mod checker;
mod client;
mod clients;
mod connections;
mod durable;
mod failover;
mod final_checks;
mod follower;
mod fulldisk;
mod kernel;
mod kills;
mod latencies;
mod limits;
mod load;
mod observed;
mod powerloss;
mod prober;
mod server;
mod slow_reader;
mod soak;
mod tls;
mod tokens;
mod tungstenite;
mod upgrade;

use std::error::Error;
use std::path::Path;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The configuration of most parts: nothing is limited, so that nothing is ever a gap.
const CONFIG: &str = "tests/torture/server.toml";

fn main() -> Outcome<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["kills", server, folder, kills, seed, plant @ ..] => {
            let (kills, seed) = (kills.parse()?, seed.parse()?);
            kills::run(server, Path::new(folder), kills, seed, plant.first().copied())
        }
        ["powerloss", server, folder, config, shim, images, seed, may_lose @ ..] => {
            powerloss::run(&powerloss::Plan {
                binary: server,
                folder: Path::new(folder),
                config,
                shim,
                images: images.parse()?,
                seed: seed.parse()?,
                must_fail: !may_lose.is_empty(),
            })
        }
        ["fulldisk", server, folder, disk, times, seed] => {
            let (times, seed) = (times.parse()?, seed.parse()?);
            fulldisk::run(server, Path::new(folder), Path::new(disk), times, seed)
        }
        ["slow", server, folder, seconds, members, rate] => {
            let (seconds, members, rate) = (seconds.parse()?, members.parse()?, rate.parse()?);
            slow_reader::run(server, Path::new(folder), seconds, members, rate)
        }
        ["durable", server, folder, rounds, seconds, clients, messages, page] => {
            durable::run(&durable::Plan {
                binary: server,
                folder: Path::new(folder),
                rounds: rounds.parse()?,
                seconds: seconds.parse()?,
                clients: clients.parse()?,
                messages: messages.parse()?,
                page: Path::new(page),
            })
        }
        ["soak", server, folder, cycles, slope_max, sealed @ ..] => {
            let (cycles, slope_max) = (cycles.parse()?, slope_max.parse()?);
            soak::run(server, Path::new(folder), cycles, slope_max, sealed == ["sealed"])
        }
        ["limits", part, server, folder, arguments @ ..] => {
            limits::run(part, server, Path::new(folder), arguments)
        }
        ["upgrade", server, folder, connections, upgrades, rate, silence_ms_max] => {
            upgrade::run(&upgrade::Plan {
                binary: server,
                folder: Path::new(folder),
                connections: connections.parse()?,
                upgrades: upgrades.parse()?,
                rate: rate.parse()?,
                silence_ms_max: silence_ms_max.parse()?,
            })
        }
        ["failover", server, folder, nodes, rounds, seed, fault, plant @ ..] => {
            failover::run(&failover::Plan {
                binary: server,
                folder: Path::new(folder),
                nodes: nodes.parse()?,
                rounds: rounds.parse()?,
                seed: seed.parse()?,
                fault,
                planted: plant.first().copied(),
            })
        }
        ["tungstenite", url, room, name, count, peers] => {
            tungstenite::run(url, room, name, count.parse()?, peers)
        }
        _ => Err(format!("not understood: {}", words.join(" ")).into()),
    }
}
