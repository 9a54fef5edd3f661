//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Parser;

use super::choices::{Durability, Kind, Senders};
use super::share::{PROCESSES_MAX, Share};
use chinwag::chat::model::name::RoomName;

/// Load a chat server, verify every delivery, and measure both ends
#[derive(Clone, Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of a command line")]
#[command(name = "chinwag-bench", bin_name = "chinwag-bench", version, after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// What to do
    #[arg(value_enum, default_value_t = Kind::Fanout)]
    pub(crate) scenario: Kind,
    /// Where to: ws://HOST:PORT/PATH or tcp://HOST:PORT [default: a server of its own]
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The target's process, to be measured
    #[arg(long, value_name = "PID")]
    pub(crate) pid: Option<u32>,
    /// Connections
    #[arg(long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    pub(crate) connections: Option<u32>,
    /// Rooms that they are spread over
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=16_000_000))]
    pub(crate) rooms: Option<u32>,
    /// What their names begin with: two generators with different ones never meet
    #[arg(long, value_name = "NAME", default_value = "r", value_parser = prefix)]
    pub(crate) room_prefix: String,
    /// Who sends: one member of each room, or all
    #[arg(long, value_enum, value_name = "one|all")]
    pub(crate) senders: Option<Senders>,
    /// Messages that each sender keeps under way
    #[arg(long, value_name = "N", conflicts_with = "rate", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) window: Option<u64>,
    /// Messages a second from all senders together, on schedule whatever becomes of them
    #[arg(long, value_name = "PER_S", value_parser = positive)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a message's text
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) text_len: Option<u32>,
    /// How long is measured
    #[arg(long, value_name = "S", value_parser = positive)]
    pub(crate) seconds: Option<f64>,
    /// How long it runs before
    #[arg(long, value_name = "S", value_parser = not_negative)]
    pub(crate) warm_up: Option<f64>,
    /// All but the senders listen to Server-Sent Events (fanout)
    #[arg(long, conflicts_with_all = ["plain", "lines", "senders"])]
    pub(crate) events: bool,
    /// Senders get the reply to a message instead of the message
    #[arg(long)]
    pub(crate) no_echo: bool,
    /// The target is another WebSocket server, which sends what it gets to all of a room
    #[arg(long, conflicts_with_all = ["lines", "no_echo"])]
    pub(crate) plain: bool,
    /// The same for a target that speaks lines over TCP
    #[arg(long, conflicts_with = "no_echo")]
    pub(crate) lines: bool,
    /// The path of a room, with {room} for its number
    #[arg(long, value_name = "T")]
    pub(crate) path: Option<String>,
    /// A message to another server, with {from}, {n}, {room} and {fill}
    #[arg(long, value_name = "T")]
    pub(crate) message: Option<String>,
    /// What a connection says first to another server, with {from} and {room}
    #[arg(long, value_name = "T")]
    pub(crate) greeting: Option<String>,
    /// Slow readers [default: one in a hundred]
    #[arg(long, value_name = "K")]
    pub(crate) slow: Option<u32>,
    /// Bytes a second that they read; 0: they do not read [default: 0]
    #[arg(long, value_name = "BYTES_PER_S")]
    pub(crate) crawl: Option<u64>,
    /// How many of them read that much, while the others do not read [default: all]
    #[arg(long, value_name = "K", requires = "crawl")]
    pub(crate) crawlers: Option<u32>,
    /// What messages survive on a server of its own [default: memory, as elsewhere]
    #[arg(long, value_enum, value_name = "disk|os|memory")]
    pub(crate) durability: Option<Durability>,
    /// The stall deadline of a server of its own [default: a third of what is measured]
    #[arg(long, value_name = "S", value_parser = positive)]
    pub(crate) stall: Option<f64>,
    /// How long nothing may come of what is under way
    #[arg(long, value_name = "S", default_value_t = 10.0, value_parser = positive)]
    pub(crate) patience: f64,
    /// Connections of a room that is sent to meanwhile (direct)
    #[arg(long, value_name = "N")]
    pub(crate) background: Option<u32>,
    /// Messages a second to that room
    #[arg(long, value_name = "PER_S", value_parser = positive)]
    pub(crate) background_rate: Option<f64>,
    /// The server is asked to stop instead of killed (storm)
    #[arg(long)]
    pub(crate) stop: bool,
    /// How a server that is not ours is restarted (storm)
    #[arg(long, value_name = "COMMAND", requires = "target", conflicts_with = "stop")]
    pub(crate) restart_command: Option<String>,
    /// What random choices follow from
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Addresses 127.0.0.1, .2, … to connect from
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub(crate) sources: Option<u32>,
    /// Connections that are opened at a time
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) at_a_time: Option<u32>,
    /// Processes that share the connections [default: as few as have descriptors for them]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PROCESSES_MAX)))]
    pub(crate) processes: Option<u32>,
    /// This is one of several processes: do this part, and wait for the word to begin
    #[arg(long, value_name = "INDEX/COUNT", hide = true, requires = "target", value_parser = Share::parse)]
    pub(crate) share: Option<Share>,
    /// Write the results as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with pictures
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Say nothing but what went wrong
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Leave it to the system on which cores both run
    #[arg(long)]
    pub(crate) no_pin: bool,
}

const AFTER_HELP: &str = "\
Examples:
  chinwag-bench                             10 rooms of 100, every delivery verified
  chinwag-bench fanout -c 10000 --rooms 1   one room of 10,000
  chinwag-bench fanout -c 10000 --rooms 1 --events
                                            the same over SSE, to compare with --no-echo
  chinwag-bench fanout --rate 800           so many messages a second; how late are they?
  chinwag-bench idle -c 19000               what a connection costs that says nothing
  chinwag-bench --plain --path '/room/{room}' --target ws://127.0.0.1:9999
                                            another server, with the same load
  chinwag-bench report a.json b.json --out compared.html
                                            a page of what --json has written

Exit code: 0 good, 1 something was lost, came twice or out of order, or the target cannot be
reached, 2 the command line is wrong.";

impl Args {
    /// Reads the arguments after the program's name.
    pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(std::iter::once("chinwag-bench".into()).chain(args))
    }
}

/// The beginning of a room's name.
fn prefix(text: &str) -> Result<String, String> {
    RoomName::parse(&format!("{text}4294967295")).map(|_| text.to_owned()).map_err(|_wrong| {
        "a room's name begins with a letter or digit and has few of them".to_owned()
    })
}

fn positive(text: &str) -> Result<f64, String> {
    let value = not_negative(text)?;
    if value > 0.0 { Ok(value) } else { Err("it must be more than 0".to_owned()) }
}

fn not_negative(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_wrong| "not a number".to_owned())?;
    if (0.0..=1e9).contains(&value) { Ok(value) } else { Err("from 0 to 1e9".to_owned()) }
}
