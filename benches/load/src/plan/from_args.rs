//! From the command line to a plan: fills in what was left open, and refuses what cannot be.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Dialect, Layout, Load, Plan, ReconnectMode};
use crate::args::Args;
use crate::choices::{Kind, Senders};
use crate::pattern::Pattern;
use crate::target::Target;
use crate::zipf::Zipf;
use chinwag::client::Framing;
use chinwag::rng::Rng;

/// Connections from one address, beside those that are still closing: it has some 28,000 ports.
const PER_SOURCE: u32 = 25_000;
/// Addresses for who connects again and again: each port rests for a minute.
const SOURCES_OF_LIVES: u32 = 250;

/// Connections that are opened at a time.
const AT_A_TIME: u32 = 64;

/// What a scenario is like if nothing else is said.
struct Usual {
    connections: u32,
    rooms: u32,
    senders: Senders,
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
            Self { connections: 1_000, rooms: 10, senders: Senders::One, window: 8, seconds: 5.0 };
        match kind {
            Kind::Fanout => fanout,
            Kind::Idle => Self { connections: 10_000, rooms: 100, ..fanout },
            Kind::Echo => {
                Self { connections: 100, rooms: 100, senders: Senders::All, window: 1, ..fanout }
            }
            Kind::Handshake | Kind::Churn => Self { connections: 64, rooms: 8, ..fanout },
            Kind::Direct => Self { connections: 200, window: 1, senders: Senders::All, ..fanout },
            Kind::Slow => Self { connections: 1_000, rooms: 1, ..fanout },
            Kind::Storm => Self { seconds: 10.0, ..fanout },
            Kind::History => Self { connections: 100, rooms: 10, window: 1, ..fanout },
            Kind::Mixed => Self { connections: 1_000, rooms: 200, ..fanout },
        }
    }
}

/// Decides everything, for a target whose address is known.
pub(crate) fn from_args(args: &Args, target: &Target) -> Result<Plan, String> {
    let kind = args.scenario;
    let usual = Usual::of(kind);
    let is_plain = args.plain || args.lines || kind == Kind::Echo;
    check_speech(args, target, is_plain)?;
    if args.events && (kind != Kind::Fanout || target.framing != Framing::WebSocket) {
        return Err("--events is for fanout, over HTTP".to_owned());
    }
    let crowd = Crowd::of(args, &usual)?;
    let senders = args.senders.unwrap_or(usual.senders);
    Ok(Plan {
        addr: target.addr,
        host: target.host.clone(),
        path: path(args, target, is_plain),
        framing: target.framing,
        dialect: if is_plain { Dialect::Plain } else { Dialect::Chinwag },
        pattern: pattern(args, is_plain, (&crowd, senders))?,
        greeting: args.greeting.clone(),
        room_prefix: args.room_prefix.clone(),
        senders,
        load: load(args, &usual)?,
        // Where members come and go, the answer tells that a message has been taken.
        // The bytes of an event of WebSocket would not be those that all others get.
        echo: !args.no_echo && !args.events && !matches!(kind, Kind::Churn | Kind::Mixed),
        events: args.events,
        warm_up_us: micros(args.warm_up.unwrap_or(1.0)),
        measured_us: micros(args.seconds.unwrap_or(usual.seconds)),
        at_a_time: args.at_a_time.unwrap_or(AT_A_TIME),
        sources: args.sources.unwrap_or_else(|| match kind {
            Kind::Handshake | Kind::Churn => SOURCES_OF_LIVES,
            _ => crowd.connections.div_ceil(PER_SOURCE),
        }),
        crawl_per_s: args.crawl.unwrap_or(0),
        crawlers: args.crawlers.unwrap_or(crowd.slow),
        slow: crowd.slow,
        patience_us: micros(args.patience),
        reconnect_mode: match kind {
            Kind::Churn => ReconnectMode::NewUsers,
            Kind::Slow => ReconnectMode::SameUsers,
            Kind::Storm | Kind::Mixed => ReconnectMode::Both,
            _ => ReconnectMode::None,
        },
        background_per_s: match crowd.background {
            0 => 0.0,
            _ => args.background_rate.unwrap_or(20.0),
        },
        seed: args.seed,
        message_len_max: 16 * 1024 * 1024,
        connections: crowd.connections,
        first_peer: 0,
        first_room: 0,
        rooms: crowd.rooms,
        layout: crowd.layout,
    })
}

/// Refuses what does not go with how the target speaks.
fn check_speech(args: &Args, target: &Target, is_plain: bool) -> Result<(), String> {
    let only = [("--message", &args.message), ("--greeting", &args.greeting)];
    let given = only.into_iter().find(|(_, given)| given.is_some());
    match (given, target.framing) {
        (Some((flag, _)), _) if !is_plain => {
            Err(format!("{flag} is for other servers: it needs --plain or --lines"))
        }
        (_, Framing::WebSocket) if args.lines => {
            Err("--lines needs a --target that begins with tcp://".to_owned())
        }
        (_, Framing::Lines) if args.plain => {
            Err("--plain needs a --target that begins with ws://; for tcp:// it is --lines"
                .to_owned())
        }
        _ => Ok(()),
    }
}

/// How many there are, and where.
struct Crowd {
    connections: u32,
    rooms: u32,
    layout: Layout,
    background: u32,
    slow: u32,
}

impl Crowd {
    fn of(args: &Args, usual: &Usual) -> Result<Self, String> {
        let kind = args.scenario;
        let is_lives = matches!(kind, Kind::Handshake | Kind::Churn);
        let lives = args.at_a_time.filter(|_| is_lives);
        let connections = args.connections.or(lives).unwrap_or(usual.connections);
        let rooms = args.rooms.unwrap_or(usual.rooms);
        let even = Self {
            connections,
            rooms: if kind == Kind::Echo { connections } else { rooms.min(connections) },
            layout: Layout::Even,
            background: 0,
            slow: 0,
        };
        match kind {
            Kind::Direct => {
                let pairs = (connections / 2).max(1);
                let background = args.background.unwrap_or(0);
                let rooms = pairs + u32::from(background > 0);
                let layout = Layout::Pairs(pairs);
                Ok(Self { connections: 2 * pairs + background, rooms, layout, background, ..even })
            }
            Kind::Mixed => {
                let (zipf, mut rng) = (Zipf::new(rooms), Rng::new(args.seed));
                let places = (0..connections).map(|_| zipf.pick(&mut rng)).collect();
                Ok(Self { rooms, layout: Layout::Listed(places), ..even })
            }
            Kind::Slow => {
                let slow = args.slow.unwrap_or(connections / 100);
                let senders = even.rooms;
                if slow.saturating_add(senders) > connections {
                    return Err(format!(
                        "--slow {slow}: there are only {connections} connections, and {senders} of them send"
                    ));
                }
                Ok(Self { slow, ..even })
            }
            _ => Ok(even),
        }
    }
}

fn load(args: &Args, usual: &Usual) -> Result<Load, String> {
    let kind = args.scenario;
    let rate = args.rate.or_else(|| usual_rate(kind).filter(|_| args.window.is_none()));
    match (kind, rate) {
        (Kind::Storm | Kind::Mixed, None) => {
            Err(format!("{} takes a --rate and no --window", kind.name()))
        }
        (Kind::History, Some(_)) => Err("history takes a --window and no --rate".to_owned()),
        (_, Some(rate)) => Ok(Load::Rate(rate)),
        (_, None) => Ok(Load::Window(args.window.unwrap_or(usual.window))),
    }
}

fn path(args: &Args, target: &Target, is_plain: bool) -> String {
    let usual = match args.scenario {
        Kind::Echo if !args.plain => "/echo",
        _ if is_plain => "/room/{room}",
        _ => "/ws",
    };
    args.path.as_ref().or(target.path.as_ref()).map_or_else(|| usual.to_owned(), Clone::clone)
}

/// What messages say.
fn pattern(args: &Args, is_plain: bool, who: (&Crowd, Senders)) -> Result<Pattern, String> {
    let (&Crowd { connections, rooms, .. }, senders) = who;
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
    if senders == Senders::All && rooms < connections && !pattern.has_from() {
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
        ("senders", json!(if plan.senders == Senders::All { "all" } else { "one" })),
        ("window", window),
        ("rate", rate),
        ("text_len", json!(plan.pattern.text_len())),
        ("echo", json!(plan.echo)),
        ("events", json!(plan.events)),
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
