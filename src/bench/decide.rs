//! From the command line to a plan: what was left open is decided, and what cannot be is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::{Args, Kind, Senders};
use super::pattern::Pattern;
use super::plan::{Dialect, Load, Plan};
use super::target::Target;
use crate::client::Framing;

/// Connections from one address, beside those that are still closing: it has some 28,000 ports.
const PER_SOURCE: u32 = 25_000;
/// Addresses for who connects again and again: each port rests for a minute.
const SOURCES_OF_LIVES: u32 = 250;

/// What a scenario is like if nothing else is said.
struct Usual {
    connections: u32,
    rooms: u32,
    all_send: bool,
    window: u64,
    seconds: f64,
}

impl Usual {
    const fn of(kind: Kind) -> Self {
        let fanout =
            Self { connections: 1_000, rooms: 10, all_send: false, window: 8, seconds: 5.0 };
        match kind {
            Kind::Fanout => fanout,
            Kind::Idle => Self { connections: 10_000, rooms: 100, ..fanout },
            Kind::Echo => {
                Self { connections: 100, rooms: 100, all_send: true, window: 1, ..fanout }
            }
            Kind::Handshake => Self { connections: 64, rooms: 1, ..fanout },
        }
    }
}

/// Decides everything, for a target whose address is known.
pub(crate) fn plan(args: &Args, target: &Target) -> Result<Plan, String> {
    let usual = Usual::of(args.scenario);
    let is_plain = args.plain || args.lines || args.scenario == Kind::Echo;
    if !is_plain {
        let only = [("--message", &args.message), ("--greeting", &args.greeting)];
        if let Some((flag, _)) = only.into_iter().find(|(_, given)| given.is_some()) {
            return Err(format!("{flag} is for other servers: it needs --plain or --lines"));
        }
    }
    if args.lines && target.framing == Framing::WebSocket {
        return Err("--lines needs a --target that begins with tcp://".to_owned());
    }
    if args.plain && target.framing == Framing::Lines {
        return Err(
            "--plain needs a --target that begins with ws://; for tcp:// it is --lines".to_owned()
        );
    }
    let at_a_time = args.at_a_time.unwrap_or(64);
    let connections = match args.scenario {
        Kind::Handshake => args.connections.unwrap_or(at_a_time),
        _ => args.connections.unwrap_or(usual.connections),
    };
    let rooms = match args.scenario {
        Kind::Echo => connections,
        _ => args.rooms.unwrap_or(usual.rooms).min(connections),
    };
    let all_send = args.senders.map_or(usual.all_send, |senders| senders == Senders::All);
    let load = args.rate.map_or(Load::Window(args.window.unwrap_or(usual.window)), Load::Rate);
    let path = match (&args.path, &target.path, args.scenario) {
        (Some(path), _, _) | (None, Some(path), _) => path.clone(),
        (None, None, Kind::Echo) if !args.plain => "/echo".to_owned(),
        (None, None, _) if is_plain => "/room/{room}".to_owned(),
        (None, None, _) => "/ws".to_owned(),
    };
    let sources = args.sources.unwrap_or(match args.scenario {
        Kind::Handshake => SOURCES_OF_LIVES,
        _ => connections.div_ceil(PER_SOURCE),
    });
    Ok(Plan {
        addr: target.addr,
        host: target.host.clone(),
        path,
        framing: target.framing,
        dialect: if is_plain { Dialect::Plain } else { Dialect::Chinwag },
        pattern: pattern(args, is_plain, (connections, rooms, all_send))?,
        greeting: args.greeting.clone(),
        connections,
        rooms,
        room_prefix: args.room_prefix.clone(),
        all_send,
        load,
        echo: !args.no_echo,
        warm_up_us: micros(args.warm_up.unwrap_or(1.0)),
        measured_us: micros(args.seconds.unwrap_or(usual.seconds)),
        at_a_time,
        sources,
        slow: args.slow.unwrap_or(0),
        crawl_per_s: args.crawl.unwrap_or(0),
        joins: true,
        keeps_sessions: false,
        seed: args.seed,
        message_len_max: 16 * 1024 * 1024,
    })
}

/// What messages say.
fn pattern(args: &Args, is_plain: bool, crowd: (u32, u32, bool)) -> Result<Pattern, String> {
    let (connections, rooms, all_send) = crowd;
    let text_len = args.text_len.unwrap_or(64) as usize;
    if !is_plain {
        return Ok(Pattern::numbered(text_len));
    }
    let usual = if args.scenario == Kind::Echo { "{from} {n} {fill}" } else { "{from} {fill}" };
    let text = args.message.as_deref().unwrap_or(usual);
    let pattern = Pattern::parse(text, text_len, connections);
    let excess = pattern.excess(&rooms.saturating_sub(1).to_string());
    if excess > 0 {
        return Err(format!(
            "--text-len {text_len} is too short for the message {text:?}: it takes {} bytes",
            text_len + excess
        ));
    }
    if all_send && rooms < connections && !pattern.has_from() {
        return Err(format!("--message {text:?} needs {{from}}, since everybody sends"));
    }
    Ok(pattern)
}

/// The settings as they stand in the results.
pub(crate) fn settings(plan: &Plan) -> BTreeMap<String, Value> {
    let (window, rate) = match plan.load {
        Load::Window(window) => (json!(window), Value::Null),
        Load::Rate(rate) => (Value::Null, json!(rate)),
    };
    let pairs = [
        ("connections", json!(plan.connections)),
        ("rooms", json!(plan.rooms)),
        ("senders", json!(if plan.all_send { "all" } else { "one" })),
        ("window", window),
        ("rate", rate),
        ("text_len", json!(plan.pattern.text_len())),
        ("echo", json!(plan.echo)),
        ("protocol", json!(if plan.is_chinwag() { "chinwag.v1" } else { "plain" })),
        ("at_a_time", json!(plan.at_a_time)),
        ("sources", json!(plan.sources)),
        ("slow", json!(plan.slow)),
        ("crawl", json!(plan.crawl_per_s)),
        ("seed", json!(plan.seed)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn micros(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::from_secs_f64(seconds).as_micros()).unwrap_or(u64::MAX)
}
