//! From the command line to a plan: what was left open is decided, and what cannot be is refused.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::args::{Args, Kind, Senders};
use super::chance::{Chance, Zipf};
use super::pattern::Pattern;
use super::plan::{Dialect, Layout, Load, Plan};
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

/// What is sent a second where a window would make no sense.
fn usual_rate(kind: Kind) -> Option<f64> {
    match kind {
        Kind::Slow | Kind::Mixed => Some(500.0),
        Kind::Storm => Some(100.0),
        Kind::Idle
        | Kind::Fanout
        | Kind::Echo
        | Kind::Handshake
        | Kind::Direct
        | Kind::Churn
        | Kind::History => None,
    }
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
            Kind::Handshake | Kind::Churn => Self { connections: 64, rooms: 8, ..fanout },
            Kind::Direct => Self { connections: 200, window: 1, all_send: true, ..fanout },
            Kind::Slow => Self { connections: 1_000, rooms: 1, ..fanout },
            Kind::Storm => Self { seconds: 10.0, ..fanout },
            Kind::History => Self { connections: 100, rooms: 10, window: 1, ..fanout },
            Kind::Mixed => Self { connections: 1_000, rooms: 200, ..fanout },
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
    let kind = args.scenario;
    let at_a_time = args.at_a_time.unwrap_or(64);
    let lives = matches!(kind, Kind::Handshake | Kind::Churn);
    let connections = args.connections.unwrap_or(if lives { at_a_time } else { usual.connections });
    let background = args.background.filter(|_| kind == Kind::Direct).unwrap_or(0);
    let (connections, layout) = match kind {
        Kind::Direct => {
            let pairs = (connections / 2).max(1);
            (2 * pairs + background, Layout::Pairs(pairs))
        }
        Kind::Mixed => {
            let zipf = Zipf::new(args.rooms.unwrap_or(usual.rooms));
            let mut chance = Chance::new(args.seed);
            let rooms = (0..connections).map(|_| zipf.pick(&mut chance)).collect();
            (connections, Layout::Listed(rooms))
        }
        _ => (connections, Layout::Even),
    };
    let rooms = match layout {
        Layout::Pairs(pairs) => pairs + u32::from(background > 0),
        Layout::Listed(_) => args.rooms.unwrap_or(usual.rooms),
        Layout::Even if kind == Kind::Echo => connections,
        Layout::Even => args.rooms.unwrap_or(usual.rooms).min(connections),
    };
    let slow = args.slow.unwrap_or(if kind == Kind::Slow { connections / 100 } else { 0 });
    if slow + rooms > connections && kind == Kind::Slow {
        return Err(format!(
            "--slow {slow}: there are only {connections} connections, and {rooms} of them send"
        ));
    }
    let all_send = args.senders.map_or(usual.all_send, |senders| senders == Senders::All);
    let rate = args.rate.or_else(|| usual_rate(kind).filter(|_| args.window.is_none()));
    let load = rate.map_or(Load::Window(args.window.unwrap_or(usual.window)), Load::Rate);
    match (kind, load) {
        (Kind::Storm | Kind::Mixed, Load::Window(_)) => {
            return Err(format!("{} takes a --rate and no --window", kind.name()));
        }
        (Kind::History, Load::Rate(_)) => {
            return Err("history takes a --window and no --rate".to_owned());
        }
        _ => {}
    }
    let path = match (&args.path, &target.path, args.scenario) {
        (Some(path), _, _) | (None, Some(path), _) => path.clone(),
        (None, None, Kind::Echo) if !args.plain => "/echo".to_owned(),
        (None, None, _) if is_plain => "/room/{room}".to_owned(),
        (None, None, _) => "/ws".to_owned(),
    };
    let sources = args.sources.unwrap_or(match args.scenario {
        Kind::Handshake | Kind::Churn => SOURCES_OF_LIVES,
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
        layout,
        all_send,
        load,
        // Where members come and go, the answer tells that a message has been taken.
        echo: !args.no_echo && !matches!(kind, Kind::Churn | Kind::Mixed),
        warm_up_us: micros(args.warm_up.unwrap_or(1.0)),
        measured_us: micros(args.seconds.unwrap_or(usual.seconds)),
        at_a_time,
        sources,
        slow,
        crawl_per_s: args.crawl.unwrap_or(0),
        crawlers: args.crawlers.unwrap_or(slow),
        patience_us: micros(args.patience),
        is_open_house: matches!(kind, Kind::Churn | Kind::Mixed | Kind::Storm),
        background_per_s: if background > 0 { args.background_rate.unwrap_or(20.0) } else { 0.0 },
        keeps_sessions: matches!(kind, Kind::Slow | Kind::Storm | Kind::Mixed),
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
        ("crawlers", json!(plan.crawlers)),
        ("seed", json!(plan.seed)),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn micros(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::from_secs_f64(seconds).as_micros()).unwrap_or(u64::MAX)
}
