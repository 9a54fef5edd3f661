//! One run from the command line to the exit code.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::args::Args;
use super::choices::Kind;
use super::engine::{Core, Engine, Scenario};
use super::failure::Failure;
use super::measure::{Meter, Process};
use super::plan::{self, Plan};
use super::processes::{self, Job, StartSignal};
use super::progress::Progress;
use super::results::Results;
use super::scenario::{Churn, Handshakes, History, Idle, Mixed, Outage, Slow, Storm, Traffic};
use super::spawn::{Options, Server};
use super::target::Target;
use super::{report, summary};
use chinwag::client::Framing;
use chinwag::config::Environment;
use chinwag::log::Timestamp;
use chinwag::reactor::{Reactor, ReactorConfig, descriptors};
use chinwag::time::clock::Clock;

/// The command line is wrong.
const WRONG: u8 = 2;
/// Bytes that may wait for a server that does not read: the schedule goes on.
const OUTBOUND_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Does what the command line says. `args` begins with the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<_> = args.into_iter().collect();
    match args.get(1) {
        Some(word) if word == "report" => return report::run(args.into_iter().skip(2)),
        // The server that is started when there is no target: the same code as the `chinwag`
        // command's.
        Some(word) if word == "serve" => return chinwag::cli::run(args, &Environment::read()),
        _ => {}
    }
    let args: Vec<_> = args.into_iter().skip(1).collect();
    let words = args.clone();
    let args = match Args::read(args) {
        Ok(args) => args,
        Err(error) => {
            // Help comes this way too, and goes to standard output.
            _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG));
        }
    };
    match measure(&args, words).and_then(|results| show(&args, &results).map(|()| results.ok)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            let (code, text) = match failure {
                Failure::Wrong(text) => (ExitCode::from(WRONG), text),
                Failure::Failed(text) => (ExitCode::FAILURE, text),
            };
            _ = writeln!(io::stderr(), "error: {text}");
            code
        }
    }
}

fn measure(args: &Args, words: Vec<OsString>) -> Result<Results, Failure> {
    processes::check(args)?;
    let given = args.target.as_deref().map(Target::parse).transpose().map_err(Failure::Wrong)?;
    let server = match given {
        // One of several processes has the flags of who has started the server.
        Some(_) if args.durability.is_some() && args.share.is_none() => {
            return Err(Failure::Wrong(
                "--durability is for a server of its own, which --target is not".to_owned(),
            ));
        }
        Some(_) => None,
        None => Some(start_server(args)?),
    };
    let target = match (&given, &server) {
        (Some(target), _) => target.clone(),
        (None, Some(server)) => target_of(server, args),
        (None, None) => return Err(Failure::Wrong("there is no target".to_owned())),
    };
    let plan = plan::from_args(args, &target).map_err(Failure::Wrong)?;
    // Raised before anything is planned, since the limit decides how many processes there must be.
    let fit = descriptors::raise(std::fs::read_to_string(descriptors::LIMITS).ok().as_deref())
        .connections_max();
    let (plan, count, start_signal) = if let Some(share) = args.share {
        (processes::take(args.scenario, plan, share), 1, Some(StartSignal::new()))
    } else {
        let count = processes::processes(args, &plan, fit)?;
        (plan, count, None)
    };
    let start_signal = start_signal.transpose().map_err(failed)?;
    let meter = meter(args, server.as_ref())?;
    let scheme = if plan.framing == Framing::WebSocket { "ws" } else { "tcp" };
    let path = if plan.framing == Framing::WebSocket { &*plan.path } else { "" };
    let mut results =
        Results::new(&args.scenario.name(), &format!("{scheme}://{}{path}", plan.host));
    let clock = Clock::start();
    results.date = Timestamp(clock.now().wall_ms).to_string();
    results.command = command_line(&words);
    results.settings = plan::settings(&plan);
    if server.is_some() {
        let durability = args.durability.unwrap_or_default().name();
        results.settings.insert("durability".to_owned(), durability.into());
    }
    let progress = Progress::new(args.quiet || start_signal.is_some());
    if count > 1 {
        let job = job(args, words, (&plan, count), server.as_ref())?;
        return processes::run(&job, clock, (meter, progress), results);
    }
    let begin = Begin { plan, clock, meter, progress, results, start_signal };
    match args.scenario {
        Kind::Idle => begin.run(Idle),
        Kind::Fanout | Kind::Echo | Kind::Direct => begin.run(Traffic::default()),
        Kind::Handshake => begin.run(Handshakes::default()),
        Kind::Churn => begin.run(Churn::default()),
        Kind::Slow => begin.run(Slow::default()),
        Kind::Storm => begin.run(Storm::new(outage(args, server)?, args.seed)),
        Kind::History => begin.run(History::new(args.seed)),
        Kind::Mixed => begin.run(Mixed::new(args.seed)),
    }
}

/// What is measured: both ends, if both run here. One of several processes leaves the server to who
/// has started it.
fn meter(args: &Args, server: Option<&Server>) -> Result<Meter, Failure> {
    let pid = match server {
        Some(server) => server.pid().ok(),
        None => args.pid.filter(|_| args.share.is_none()),
    };
    let process = pid.map(Process::of).transpose().map_err(failed)?;
    Meter::new(process).map_err(failed)
}

/// What several processes are told, and where they may run.
fn job(
    args: &Args,
    mut words: Vec<OsString>,
    (plan, count): (&Plan, u32),
    server: Option<&Server>,
) -> Result<Job, Failure> {
    if let Some(server) = server {
        server.spread().map_err(failed)?;
        words.insert(0, format!("--target=ws://{}", server.http()).into());
    }
    let Plan { warm_up_us, measured_us, .. } = *plan;
    Ok(Job { words, count, kind: args.scenario, warm_up_us, measured_us })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

/// How the server is to go away.
fn outage(args: &Args, server: Option<Server>) -> Result<Outage, Failure> {
    match (server, &args.restart_command) {
        (Some(server), _) if args.stop => Ok(Outage::Stop(server)),
        (Some(server), _) => Ok(Outage::Kill(server)),
        (None, Some(command)) => Ok(Outage::Command(command.clone())),
        (None, None) => Err(Failure::Wrong(
            "storm restarts the server: with --target it needs --restart-command".to_owned(),
        )),
    }
}

/// All that a run begins with.
struct Begin {
    plan: Plan,
    clock: Clock,
    meter: Meter,
    progress: Progress,
    results: Results,
    start_signal: Option<StartSignal>,
}

impl Begin {
    fn run<S: Scenario>(self, scenario: S) -> Result<Results, Failure> {
        let Self { plan, clock, meter, progress, results, start_signal } = self;
        let config = ReactorConfig {
            connections_max: plan.connections as usize,
            outbound_bytes_max: OUTBOUND_BYTES_MAX,
            read_per_turn_max: 4 * 1024 * 1024,
            ..ReactorConfig::default()
        };
        let mut engine = Engine::new(Core::new(plan, clock), scenario, (meter, progress), results);
        engine.await_signal(start_signal);
        let mut reactor = Reactor::bind(&config).map_err(failed)?;
        // Nothing else would make the first turn come.
        reactor.waker().wake().map_err(failed)?;
        reactor.run(&clock, &mut engine).map_err(failed)?;
        Ok(engine.into_results())
    }
}

fn start_server(args: &Args) -> Result<Server, Failure> {
    let mut settings = Vec::new();
    let mut set = |key: &str, value: String| settings.push((key.to_owned(), value));
    set("durability", args.durability.unwrap_or_default().name());
    match args.scenario {
        Kind::Echo => set("echo", "true".to_owned()),
        // Who does not read is to be cut while that is looked at.
        Kind::Slow => {
            let stall = format!("{}ms", slow_stall_ms(args));
            set("timeouts.ping_after", stall.clone());
            set("timeouts.pong", stall.clone());
            set("timeouts.stall", stall);
        }
        _ => {}
    }
    let options = Options { settings, no_pin: args.no_pin, ..Options::default() };
    Server::start(&options).map_err(failed)
}

/// A stall deadline that passes in the window in which slow readers are slow: the verdict falls
/// within twice that time.
fn slow_stall_ms(args: &Args) -> u64 {
    let stall_s = args.stall.unwrap_or_else(|| (args.seconds.unwrap_or(5.0) / 3.0).max(1.0));
    let stall = std::time::Duration::from_secs_f64(stall_s);
    u64::try_from(stall.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn target_of(server: &Server, _args: &Args) -> Target {
    let addr = server.http();
    Target { framing: Framing::WebSocket, addr, host: addr.to_string(), path: None }
}

fn show(args: &Args, results: &Results) -> Result<(), Failure> {
    let failed =
        |what: &Path, error: io::Error| Failure::Failed(format!("{}: {error}", what.display()));
    let mut out = io::stdout().lock();
    if args.share.is_some() {
        // Who has started this process makes one result of all, and shows that.
        let text = serde_json::to_string(results).unwrap_or_default();
        return writeln!(out, "{text}").map_err(self::failed);
    }
    let to_stdout = args.json.as_deref() == Some(Path::new("-"));
    if !args.quiet && !to_stdout {
        _ = out.write_all(summary::render(results).as_bytes());
    }
    if args.quiet && !results.ok {
        let mut err = io::stderr().lock();
        for failure in &results.failures {
            _ = writeln!(err, "{failure}");
        }
    }
    if let Some(path) = &args.json {
        let text = serde_json::to_string(results).unwrap_or_default() + "\n";
        if to_stdout {
            out.write_all(text.as_bytes()).map_err(|error| failed(path, error))?;
        } else {
            std::fs::write(path, text).map_err(|error| failed(path, error))?;
        }
    }
    if let Some(path) = &args.report {
        let page = report::html(std::slice::from_ref(results));
        std::fs::write(path, page).map_err(|error| failed(path, error))?;
    }
    Ok(())
}

/// The command as it could be typed again.
fn command_line(args: &[OsString]) -> String {
    let quoted = |arg: &OsString| {
        let text = arg.to_string_lossy().into_owned();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
        if !text.is_empty() && text.chars().all(is_plain) {
            text
        } else {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
    };
    let words = args.iter().map(quoted);
    std::iter::once("chinwag-bench".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}
