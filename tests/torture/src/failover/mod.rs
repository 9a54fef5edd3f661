//! `failover`: several nodes on a PostgreSQL with two synchronous standbys, whose primary is
//! killed, frozen and restarted, whose nodes are killed, and whose network is cut; and nothing that
//! was acknowledged or shown is lost.

mod free_port;
mod postgres;
mod proxy;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chinwag::rng::Rng;

use self::postgres::Trio;
use self::proxy::{Mode, Proxy};
use crate::client::{Behaviour, Client, room_name};
use crate::clients::{Clients, Size};
use crate::final_checks::{BACK_WITHIN, judge, member, read_back, wait_until_settled};
use crate::observed::{ServerMessage, Sighting};
use crate::server::{Server, Setup, get};
use crate::{CONFIG, Outcome};

/// Two devices for some of the users; each device at one node, and after a loss at the next one.
const SIZE: Size = Size { clients: 12, users: 9, rooms: 4, rooms_each: 2 };
const BEHAVIOUR: Behaviour = Behaviour { window: 4, text_bytes: 120, change_once_in: 40 };
/// Load before each fault.
const BEFORE: Duration = Duration::from_millis(1_500);
/// How long something is away that comes back by itself.
const AWAY: Duration = Duration::from_secs(4);
/// How long a node may take until clients are let in.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long all clients may take to be back and answered after a fault.
const HEALED_WITHIN: Duration = Duration::from_mins(1);

/// What is done to the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The primary is killed, and a standby promoted.
    Primary,
    /// A node is killed, and started again.
    Node,
    /// The primary and a node are killed at once.
    Both,
    /// The primary is frozen, a standby is promoted, and the old primary wakes up.
    Pause,
    /// The primary is killed and started again in place.
    Restart,
    /// Both standbys are frozen for a while: nothing can be committed.
    Standbys,
    /// A node is cut off from all engines.
    Cut,
    /// What a node and the engines say to each other stays on its way for a while.
    Stop,
    /// What a node and the engines say to each other comes late and in pieces.
    Slow,
}

impl Fault {
    /// All of them by their names, in the order of the rounds: those that matter most first.
    const ALL: [(&str, Self); 9] = [
        ("primary", Self::Primary),
        ("node", Self::Node),
        ("pause", Self::Pause),
        ("cut", Self::Cut),
        ("restart", Self::Restart),
        ("standbys", Self::Standbys),
        ("both", Self::Both),
        ("stop", Self::Stop),
        ("slow", Self::Slow),
    ];

    /// Those of a short run: each is what another cannot tell.
    const SHORT: [Self; 3] = [Self::Both, Self::Pause, Self::Cut];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, fault)| *fault == self).map_or("", |(name, _)| name)
    }
}

/// What is to be done.
pub(crate) struct Plan<'a> {
    pub(crate) binary: &'a str,
    pub(crate) folder: &'a Path,
    /// How many nodes.
    pub(crate) nodes: usize,
    /// How many faults.
    pub(crate) rounds: usize,
    pub(crate) seed: u64,
    /// Only this fault, "all" for one after the other, "short" for those of a short run.
    pub(crate) fault: &'a str,
    /// What is planted, so that the checker has to find it.
    pub(crate) planted: Option<&'a str>,
}

/// A node with the ways to each engine.
struct Node {
    setup: Setup,
    server: Server,
    proxies: Vec<Proxy>,
}

/// Everything that runs.
struct Cluster {
    engines: Trio,
    nodes: Vec<Node>,
}

/// Builds it, breaks it, and checks.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome<()> {
    let is_asynchronous = plan.planted == Some("asynchronous");
    println!("  seed {}", plan.seed);
    let mut cluster = Cluster::start(plan, is_asynchronous)?;
    let mut clients = Clients::new(SIZE, BEHAVIOUR, plan.seed)?;
    let mut rng = Rng::new(plan.seed ^ 0x6661_696c);
    clients.set_nodes(cluster.addresses());
    clients.until(Instant::now() + BACK_WITHIN, "in", Client::is_here)?;
    for round in 0..plan.rounds {
        let fault = match Fault::ALL.iter().find(|(name, _)| *name == plan.fault) {
            Some((_, fault)) => *fault,
            None if plan.fault == "short" => Fault::SHORT[round % Fault::SHORT.len()],
            None => Fault::ALL[round % Fault::ALL.len()].1,
        };
        let victim = rng.index(cluster.nodes.len());
        one_round(&mut cluster, &mut clients, (fault, victim, is_asynchronous))?;
    }
    // Clients are back when they are at any node: the one that was cut off may need a moment more.
    cluster.nodes.iter().try_for_each(|node| await_ready(&node.server))?;
    let [first, others @ ..] = &*cluster.nodes else { return Err("no node".into()) };
    wait_until_settled(&mut clients, &first.server)?;
    read_back(&mut clients, &first.server)?;
    for node in others {
        compare(&mut clients, &node.server)?;
    }
    clients.disconnect_all()?;
    report(&clients)?;
    for node in &mut cluster.nodes {
        node.server.stop()?;
        node.setup.assert_no_panic()?;
    }
    judge(&clients, plan.planted.filter(|_| !is_asynchronous))
}

/// Load, a fault, and load until all is as before.
fn one_round(
    cluster: &mut Cluster,
    clients: &mut Clients,
    (fault, victim, is_asynchronous): (Fault, usize, bool),
) -> Outcome<()> {
    clients.run_until(Instant::now() + BEFORE)?;
    let mut silence = Silence::begin(clients);
    let engine_took = thread::scope(|scope| -> Outcome<Duration> {
        let breaking = scope.spawn(|| cluster.inflict(fault, victim, is_asynchronous));
        while !breaking.is_finished() {
            clients.turn(Instant::now() + Duration::from_millis(20))?;
            silence.look(clients);
        }
        breaking.join().map_err(|_panic| "the thread that breaks things has panicked")?
    })?;
    clients.set_nodes(cluster.addresses());
    let deadline = Instant::now() + HEALED_WITHIN;
    let (acked, _) = clients.acked();
    let is_back = |clients: &Clients| {
        clients.clients.iter().all(Client::is_here) && clients.acked().0 > acked + 100
    };
    while !is_back(clients) {
        if Instant::now() > deadline {
            let away = clients.clients.iter().filter(|client| !client.is_here()).count();
            let more = clients.acked().0 - acked;
            return Err(format!(
                "{}: {away} clients are not back after {HEALED_WITHIN:?}, {more} more sends were \
                 acknowledged",
                fault.name()
            )
            .into());
        }
        clients.turn(Instant::now() + Duration::from_millis(20))?;
        silence.look(clients);
    }
    println!(
        "  {:9} node {victim}: nothing was acknowledged for {:5} ms, of which the engine took {:5} ms",
        fault.name(),
        silence.longest.as_millis(),
        engine_took.as_millis()
    );
    Ok(())
}

/// How long nothing was acknowledged.
struct Silence {
    acked: u64,
    since: Instant,
    longest: Duration,
}

impl Silence {
    fn begin(clients: &Clients) -> Self {
        Self { acked: clients.acked().0, since: Instant::now(), longest: Duration::ZERO }
    }

    fn look(&mut self, clients: &Clients) {
        let (acked, _) = clients.acked();
        self.longest = self.longest.max(self.since.elapsed());
        if acked != self.acked {
            (self.acked, self.since) = (acked, Instant::now());
        }
    }
}

impl Cluster {
    fn start(plan: &Plan<'_>, is_asynchronous: bool) -> Outcome<Self> {
        let engines = Trio::start(&plan.folder.join("engines"), is_asynchronous)?;
        let ports = engines.ports();
        let setup = Setup::new(plan.folder, plan.binary, CONFIG)?;
        let primary = format!("postgres://chat@127.0.0.1:{}/chat", ports[0]);
        let (status, said) = setup.bare_command(&["cluster", "init", &primary])?;
        if !status.success() {
            return Err(format!("chinwag cluster init: {said}").into());
        }
        let mut nodes = Vec::new();
        for number in 0..plan.nodes {
            let ports = ports.iter();
            let proxies: Vec<_> = ports.map(|port| Proxy::start(*port)).collect::<Outcome<_>>()?;
            let hosts: Vec<_> =
                proxies.iter().map(|proxy| format!("127.0.0.1:{}", proxy.port)).collect();
            let mut setup =
                Setup::new(&plan.folder.join(format!("node{number}")), plan.binary, CONFIG)?;
            let set = |name: &str, value: String| (format!("CHINWAG_CLUSTER_{name}"), value);
            let level = if is_asynchronous { "disk" } else { "replicated" };
            setup.environment = vec![
                set("ENGINE", format!("postgres://chat@{}/chat", hosts.join(","))),
                set("NAME", format!("node{number}")),
                set("LEVEL", level.to_owned()),
            ];
            let server = start_node(&setup)?;
            nodes.push(Node { setup, server, proxies });
        }
        Ok(Self { engines, nodes })
    }

    /// Where clients find the nodes.
    fn addresses(&self) -> Vec<[std::net::SocketAddr; 2]> {
        self.nodes.iter().map(|node| [node.server.http, node.server.tcp]).collect()
    }

    /// Does something to it, waits, and repairs it. For how long the engine could not serve because
    /// of it, as far as that is not our doing.
    fn inflict(&mut self, fault: Fault, victim: usize, is_asynchronous: bool) -> Outcome<Duration> {
        let begin = Instant::now();
        let old = self.engines.primary;
        match fault {
            Fault::Primary | Fault::Both => {
                if is_asynchronous {
                    // What is acknowledged meanwhile is on the primary alone.
                    self.engines.pause_standbys()?;
                    thread::park_timeout(BEFORE);
                }
                self.engines.kill_primary()?;
                if fault == Fault::Both {
                    self.node(victim)?.server.kill()?;
                }
                self.engines.resume_standbys()?;
                self.engines.promote()?;
                let took = begin.elapsed();
                if fault == Fault::Both {
                    self.restart_node(victim)?;
                }
                self.engines.rebuild(old)?;
                Ok(took)
            }
            Fault::Node => {
                self.node(victim)?.server.kill()?;
                thread::park_timeout(Duration::from_secs(1));
                self.restart_node(victim)?;
                Ok(Duration::ZERO)
            }
            Fault::Pause => {
                self.engines.pause_primary()?;
                thread::park_timeout(Duration::from_secs(2));
                self.engines.promote()?;
                let took = begin.elapsed();
                // It believes that it is the primary, until somebody ends it.
                self.engines.resume(old)?;
                thread::park_timeout(Duration::from_secs(2));
                self.engines.rebuild(old)?;
                Ok(took)
            }
            Fault::Restart => {
                self.engines.restart_primary()?;
                Ok(begin.elapsed())
            }
            Fault::Standbys => {
                self.engines.pause_standbys()?;
                thread::park_timeout(AWAY);
                self.engines.resume_standbys()?;
                Ok(begin.elapsed())
            }
            Fault::Cut | Fault::Stop | Fault::Slow => {
                let modes: &[Mode] = match fault {
                    Fault::Cut => &[Mode::Cut],
                    Fault::Stop => &[Mode::Stop],
                    _ => &[Mode::Delay(Duration::from_millis(80)), Mode::Split],
                };
                for mode in modes {
                    self.node(victim)?.proxies.iter().for_each(|proxy| proxy.set(*mode));
                    thread::park_timeout(AWAY);
                }
                self.node(victim)?.proxies.iter().for_each(|proxy| proxy.set(Mode::Pass));
                Ok(Duration::ZERO)
            }
        }
    }

    fn node(&mut self, index: usize) -> Outcome<&mut Node> {
        Ok(self.nodes.get_mut(index).ok_or("no such node")?)
    }

    fn restart_node(&mut self, index: usize) -> Outcome<()> {
        let node = self.node(index)?;
        node.server = start_node(&node.setup)?;
        Ok(())
    }
}

/// Starts a node, and waits until clients are let in.
fn start_node(setup: &Setup) -> Outcome<Server> {
    let server = setup.start_unasked()?.ok_or("a node ended at once")?;
    await_ready(&server)?;
    Ok(server)
}

/// Waits until clients are let in.
fn await_ready(server: &Server) -> Outcome<()> {
    let deadline = Instant::now() + READY_WITHIN;
    loop {
        let answer = get(server.admin, "/readyz")?;
        if answer.starts_with("HTTP/1.1 200 ") {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("a node is not ready: {answer}").into());
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Each room's log is the same at this node.
fn compare(clients: &mut Clients, server: &Server) -> Outcome<()> {
    for room in 0..clients.size.rooms {
        let items = member(clients, server, room)?.log(&room_name(room))?;
        let mut log: Vec<Sighting> = Vec::new();
        for item in &items {
            let text = item.to_string();
            log.push(ServerMessage::parse(&text)?.sighting()?.ok_or("an item that is no record")?);
        }
        let observed = &mut clients.context.observed;
        if observed.logs.get(room) != Some(&log) {
            let len = log.len();
            observed.faults.push(format!("room{room} is another at another node: {len} records"));
        }
    }
    Ok(())
}

fn report(clients: &Clients) -> Outcome<()> {
    let (acked, duplicates) = clients.acked();
    let observed = &clients.context.observed;
    let records: usize = observed.logs.iter().map(Vec::len).sum();
    let seen: usize = observed.streams.iter().map(|stream| stream.seen.len()).sum();
    let refusals: u64 = clients.clients.iter().flat_map(|client| client.refusals.values()).sum();
    println!(
        "  {acked} sends acknowledged, {duplicates} of them by a repetition, {refusals} were told to \
         come later; {records} records, seen {seen} times by {} clients",
        clients.clients.len()
    );
    if acked == 0 || records == 0 {
        return Err("nothing was said".into());
    }
    Ok(())
}
