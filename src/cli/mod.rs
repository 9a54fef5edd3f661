//! The command line: what is to be done, and the exit code that says how it went.
//!
//! - 0: done; for `serve`: stopped in good order.
//! - 1: failed. The server could not start or go on; a command about the database could not be
//!   done, or, with `verify` and `export`, found damage.
//! - 2: the command line or the configuration is wrong.

mod cluster;
mod disk;
mod doctor;
mod erasing;
mod exports;
mod hints;
mod keys;
mod names;
mod people;
mod programs;
mod stdout;
mod terminal;
mod token;
mod tools;
mod upgrade;
mod webhook_place;
mod webhooks;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use rustix::fs::Mode;
use rustix::process::{Signal, getppid, set_parent_process_death_signal, umask};

use self::stdout::print;
use self::terminal::Terminal;
use crate::admin;
use crate::config::{self, Change, ConfigError, Environment, Flags, Loaded, Part};
use crate::log::Format;
use crate::reactor::EarlySignals;
use crate::server;
use crate::time::clock::Clock;

/// The command line or the configuration is wrong.
const WRONG: u8 = 2;

/// A small, fast chat server: rooms, direct messages and presence over WebSocket and TCP
#[derive(Debug, Parser)]
#[command(name = "chinwag", bin_name = "chinwag", version, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    command: Option<Command>,
}

const AFTER_HELP: &str = "\
Examples:
  chinwag                                  then open http://127.0.0.1:8080 in two tabs
  chinwag chat --as ann --room lobby       talk from a terminal; echo hi | chinwag chat … sends
  nc 127.0.0.1 9000                        the same without it: /nick ann, /join lobby, hello!
  websocat ws://127.0.0.1:8080/ws          speak the protocol: {\"op\":\"hello\",\"id\":1,\"name\":\"ann\"}
  chinwag check --defaults > chinwag.toml  every setting, with its default and what it means

Each setting is an environment variable too: --log-format is CHINWAG_LOG_FORMAT, and message_bytes
in the file's [limits] is CHINWAG_LIMITS_MESSAGE_BYTES. Flags win over variables, and variables over
the file. Only the file can have settings for some of the rooms ([[room_policy]]).";

/// The settings that have a flag. All are text: the configuration checks them, in the same words
/// for each source.
#[derive(Args, Debug)]
#[command(next_help_heading = "Settings")]
struct Settings {
    /// TOML file to read settings from
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// HTTP addresses, tls:ADDR for TLS [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", global = true)]
    listen: Option<String>,
    /// Plain TCP addresses, or "off" [default: 127.0.0.1:9000]
    #[arg(long, value_name = "ADDR", global = true)]
    tcp: Option<String>,
    /// Metrics/health addresses, or "off" [default: 127.0.0.1:9091]
    #[arg(long, value_name = "ADDR", global = true)]
    admin: Option<String>,
    /// Database directory [default: ./chinwag-data]
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<String>,
    /// What an answered message survives [default: disk]
    #[arg(long, value_name = "disk|os|memory", global = true)]
    durability: Option<String>,
    /// Echo WebSocket messages at /echo, for conformance suites
    #[arg(long, global = true)]
    echo: bool,
    /// Log format on standard error [default: text]
    #[arg(long, value_name = "text|json", global = true)]
    log_format: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT (the default)
    #[command(aliases = ["start", "run", "server"])]
    Serve {
        /// Be killed when the process that started this one ends
        #[arg(long, hide = true)]
        with_parent: bool,
    },
    /// Check the configuration, and show what is set and where; with --data, measure its disk
    ///
    /// With --data DIR it also writes to a file of its own in DIR for two seconds, and says how
    /// many messages a second its disk can keep. Nothing stays there.
    Check {
        /// TOML file to check, as with --config
        #[arg(conflicts_with = "config")]
        file: Option<PathBuf>,
        /// Print a file with all settings, their defaults and their meaning instead
        #[arg(long)]
        defaults: bool,
    },
    /// Say whether this host can carry the server as it is configured, and what to do if not
    ///
    /// Looks at limits, memory, kernel settings, clock, certificates, keys, addresses and the disk,
    /// to which it writes for two seconds. Fails if something is bad.
    #[command(alias = "diagnose")]
    Doctor,
    /// Prepare and look at the PostgreSQL database that several machines share
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Move everything from a database into the engine of a cluster, or back
    ///
    /// One of the two is the server's directory, the other the address of the PostgreSQL database.
    /// Where it comes from no server must run; where it goes to there must be nothing. A directory
    /// that was moved says so, and no server starts on it. What is cut off is run again.
    Import {
        #[arg(value_name = "FROM", value_parser = cluster::import::parse_place,
              help = "Where everything is: DIR or postgres://USER:PASSWORD@HOST,HOST/DATABASE")]
        from: cluster::import::Place,
        #[arg(value_name = "TO", value_parser = cluster::import::parse_place,
              help = "Where it goes: the other one of the two")]
        to: cluster::import::Place,
    },
    /// List the nodes of a cluster, and when each was heard of
    Nodes {
        #[arg(value_name = "ADDRESS", value_parser = cluster::parse_address,
              help = "Where the database is, if not at [cluster] engine")]
        engine: Option<crate::pg::Address>,
    },
    /// Print what describes the interfaces: for generators of clients and documents
    Api {
        /// The admin API (OpenAPI 3.1), or the chat's protocol (AsyncAPI 3)
        #[arg(value_name = "openapi|asyncapi", value_parser = ["openapi", "asyncapi"])]
        what: String,
    },
    /// Have the running server start its program anew, without a disconnect
    ///
    /// The program is the one at the path by which the server was started, as it is there now: put
    /// another version there first. It reads the configuration and gets ready while the server goes
    /// on; then it takes over listeners, connections and everything that is not stored, and the
    /// server before it ends. Clients notice nothing, but for those with TLS and readers of event
    /// streams: they are told when to come back, within seconds, and go on where they were.
    ///
    /// If the new version does not come up, the server goes on as it was. This waits for the
    /// outcome and says what it was; the exit code is 0 only if the server was upgraded. The same
    /// without waiting: send the server SIGUSR2.
    Upgrade,
    /// Make a token for a test, or say why one is not taken
    Token {
        #[command(subcommand)]
        what: token::TokenCommand,
    },
    #[command(flatten)]
    Terminal(Terminal),
    #[command(flatten)]
    Tool(tools::Tool),
}

impl From<Settings> for Flags {
    fn from(settings: Settings) -> Self {
        let given = [
            ("listen", settings.listen),
            ("tcp", settings.tcp),
            ("admin", settings.admin),
            ("data", settings.data),
            ("durability", settings.durability),
            ("echo", settings.echo.then(|| "true".to_owned())),
            ("log_format", settings.log_format),
        ];
        let settings_given = given.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Self { config: settings.config, settings: settings_given.collect() }
    }
}

/// Does what the command line asks for. `args` begins with the program's name.
pub fn run(args: impl IntoIterator<Item = OsString>, environment: &Environment) -> ExitCode {
    let program: Vec<OsString> = args.into_iter().collect();
    let mut cli = match parse(program.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => {
            match hints::explain(&error) {
                Some(explained) => _ = write!(io::stderr(), "{explained}"),
                // The texts of --help and --version come this way too, and go to standard output.
                None => _ = error.print(),
            }
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG));
        }
    };
    // What this process writes holds people's words: its files, SQLite's and backups are for their
    // owner alone.
    umask(Mode::RWXG | Mode::RWXO);
    // Before anything is read: it must work, and help, when the configuration is wrong.
    if let Some(Command::Check { defaults: true, .. }) = cli.command {
        return print(config::DEFAULTS);
    }
    if let Some(Command::Terminal(Terminal::Chat(chat))) = cli.command {
        return terminal::chat(chat, environment);
    }
    if let Some(Command::Api { what }) = &cli.command {
        let is_admin = what == "openapi";
        return print(&if is_admin { admin::openapi() } else { admin::asyncapi() });
    }
    if let Some(Command::Check { file: Some(file), .. }) = &cli.command {
        cli.settings.config = Some(file.clone());
    }
    let names_data = cli.settings.data.is_some();
    let flags = cli.settings.into();
    // Only what serves has an answer to them: all else they end.
    let serves = matches!(cli.command, Some(Command::Serve { .. }) | None);
    let early_signals = serves.then(EarlySignals::note).and_then(Result::ok).unwrap_or_default();
    let sources =
        server::Sources { flags, program, environment: environment.clone(), early_signals };
    let loaded = match config::load(&sources.flags, &sources.environment) {
        Ok(loaded) => loaded.with_whole_paths(),
        Err(faults) => {
            if sources.environment.takes_over() {
                server::upgrade::refuse(&faults.to_string());
            }
            _ = writeln!(io::stderr(), "{faults}");
            return ExitCode::from(WRONG);
        }
    };
    match cli.command {
        Some(Command::Check { .. }) => match check(&loaded) {
            ExitCode::SUCCESS if names_data => disk::check(&loaded.config),
            outcome => outcome,
        },
        // Printed before anything was read.
        Some(Command::Api { .. }) => ExitCode::SUCCESS,
        Some(Command::Upgrade) => upgrade::run(&loaded.config),
        Some(Command::Doctor) => doctor::run(&loaded.config),
        // Who is to take the place of its parent outlives it.
        Some(Command::Serve { with_parent: true }) if !sources.environment.takes_over() => {
            match follow_parent() {
                Ok(()) => serve(&loaded, sources),
                Err(error) => {
                    _ = writeln!(io::stderr(), "error: cannot follow the parent process: {error}");
                    ExitCode::FAILURE
                }
            }
        }
        Some(Command::Serve { .. }) | None => serve(&loaded, sources),
        Some(Command::Cluster(what)) => cluster::run(&what),
        Some(Command::Import { from, to }) => cluster::import::run(&from, &to),
        Some(Command::Nodes { engine }) => cluster::nodes::run(engine.as_ref(), &loaded.config),
        Some(Command::Token { what }) => token::run(&what, &loaded.config),
        Some(Command::Terminal(Terminal::Top(top))) => {
            terminal::top(&top, &loaded.config, environment)
        }
        Some(Command::Terminal(Terminal::Chat(chat))) => terminal::chat(chat, environment),
        Some(Command::Tool(tool)) => tools::run(&tool, &loaded.config),
    }
}

/// Parses the command line.
fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let matches: ArgMatches = definition().try_get_matches_from(args)?;
    Cli::from_arg_matches(&matches)
}

/// The definition of the command line. The help of a command about the database names only the
/// settings that have to do with it.
fn definition() -> clap::Command {
    let all = Cli::command();
    let is_needed = |id: &str| matches!(id, "config" | "data");
    let hidden: Vec<_> = all
        .get_arguments()
        .filter(|arg| arg.is_global_set() && !is_needed(arg.get_id().as_str()))
        .map(|arg| arg.clone().hide(true))
        .collect();
    // A command that has an argument of its own is not given the global one of the same name.
    let every = all.get_arguments().filter(|arg| arg.is_global_set());
    let every: Vec<_> = every.map(|arg| arg.clone().hide(true)).collect();
    all.mut_subcommands(|sub| match sub.get_name() {
        "serve" | "check" | "doctor" => sub,
        "chat" => sub.args(&every),
        _ => sub.args(&hidden),
    })
}

/// Has the kernel kill this process when its parent ends: a server that is started for a
/// measurement must not outlive it, even if what measures is killed.
fn follow_parent() -> io::Result<()> {
    let parent = getppid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have ended before the kernel was asked.
    if getppid() == parent { Ok(()) } else { Err(io::Error::other("it has ended")) }
}

fn serve(loaded: &Loaded, sources: server::Sources) -> ExitCode {
    let config = &loaded.config;
    // Kept to the end, since dropping it writes the last lines.
    let (file, mut format) = (config.log_file.as_deref(), config.log_format);
    if format == Format::Text && file.is_none() && sources.environment.is_journal(io::stderr()) {
        format = Format::Journal;
    }
    let _log = match crate::log::start(format, &config.log_level, file) {
        Ok(guard) => guard,
        Err(error) => {
            let what = match file {
                Some(path) => {
                    format!("log_file = \"{}\" cannot be opened: {error}", path.display())
                }
                None => format!(
                    "the log has no thread: {error}; raise the limit of processes and threads \
                     (ulimit -u, TasksMax, pids)"
                ),
            };
            _ = writeln!(io::stderr(), "{}", loaded.fault("log_file", what));
            return ExitCode::FAILURE;
        }
    };
    match server::serve(loaded, sources) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // As where the configuration is read again: the place, without what stands there.
            let setting = error.setting().and_then(|name| loaded.fault(name, String::new()).origin);
            match setting {
                Some(at) => log::error!(at:%, cause:% = error; "cannot serve"),
                None => log::error!(cause:% = error; "cannot serve"),
            }
            ExitCode::FAILURE
        }
    }
}

/// Prints what `check` has found, the files of certificates included.
fn check(loaded: &Loaded) -> ExitCode {
    let faults = server::refused_files(loaded);
    if !faults.is_empty() {
        _ = writeln!(io::stderr(), "{}", ConfigError(faults));
        return ExitCode::from(WRONG);
    }
    match server::inspect_certificates(&loaded.config.tls, Clock::start().now().wall_ms) {
        Ok(lines) => {
            let certificates = lines.iter().map(|line| format!("{line}\n"));
            print(&(summary(loaded) + &certificates.collect::<String>()))
        }
        Err(error) => {
            _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(WRONG)
        }
    }
}

/// What `check` prints about a configuration without faults.
fn summary(loaded: &Loaded) -> String {
    let Loaded { config, changes, policy_changes, settings_count, .. } = loaded;
    let line =
        |Change { name, value, origin }: &Change| format!("  {name} = {value}  ({origin})\n");
    let (set, all) = (changes.len(), settings_count);
    let mut text =
        format!("configuration ok\n{set} of {all} settings are set, the others are defaults\n");
    text.extend(changes.iter().map(line));
    let count = config.policies.rules.len();
    if count > 0 {
        _ = writeln!(text, "{count} room policies; what they do not set is as for all other rooms");
    }
    text.extend(policy_changes.iter().map(line));
    if let Some(memory) = config.memory {
        _ = writeln!(text, "memory, at most:");
        text.push_str(&Part::account(&config.account, memory));
    }
    text.extend(config.warnings().iter().map(|warning| format!("warning: {warning}\n")));
    text
}

/// Says on standard error why something is not done.
fn complain(why: &str) -> io::Result<()> {
    writeln!(io::stderr(), "error: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flags that a command line sets, as `key=value` separated by spaces.
    fn parse(line: &str) -> Result<(Option<Command>, String), String> {
        let cli = super::parse(line.split(' ').map(OsString::from));
        let cli = cli.map_err(|error| error.to_string())?;
        let flags = Flags::from(cli.settings);
        let mut shown: Vec<_> =
            flags.settings.iter().map(|(key, value)| format!("{key}={value}")).collect();
        shown.extend(flags.config.map(|path| format!("config={}", path.display())));
        Ok((cli.command, shown.join(" ")))
    }

    #[track_caller]
    fn check(line: &str, expect: &str) {
        assert_eq!(parse(line).map(|(_, shown)| shown), Ok(expect.to_owned()), "{line}");
    }

    #[test]
    fn the_definition_holds() {
        definition().debug_assert();
    }

    #[test]
    fn flags_may_stand_before_and_after_the_command() {
        check("chinwag", "");
        check("chinwag serve", "");
        check("chinwag --echo --listen [::]:80", "listen=[::]:80 echo=true");
        check("chinwag serve --echo --listen [::]:80", "listen=[::]:80 echo=true");
        check("chinwag --echo serve --tcp off", "tcp=off echo=true");
        check("chinwag serve --with-parent --tcp off", "tcp=off");
        check("chinwag --config a.toml check", "config=a.toml");
        check("chinwag check --config=a.toml", "config=a.toml");
        check("chinwag start --tcp off", "tcp=off");
    }

    #[test]
    fn every_flag_reaches_its_setting() {
        check(
            "chinwag --config F --listen L --tcp T --admin A --data D --durability U --log-format X",
            "listen=L tcp=T admin=A data=D durability=U log_format=X config=F",
        );
        let line = "c --listen [::1]:1 --tcp off --admin off --data D --durability os --echo \
                    --log-format json";
        let cli = Cli::try_parse_from(line.split(' ')).unwrap();
        let loaded = config::load(&cli.settings.into(), &Environment::default()).unwrap();
        let names: Vec<_> = loaded.changes.iter().map(|change| change.name.as_str()).collect();
        let expect = ["listen", "tcp", "admin", "data", "durability", "echo", "log_format"];
        assert_eq!(names, expect);
    }

    #[test]
    fn an_unknown_argument_is_refused_with_the_one_that_was_meant() {
        let refused = |line: &str| parse(line).unwrap_err();
        assert!(refused("chinwag --lisen x").contains("--listen"));
        assert!(refused("chinwag chek").contains("check"));
        assert!(refused("chinwag --listen").contains("--listen <ADDR>"));
        assert!(refused("chinwag --listen a --listen b").contains("multiple times"));
    }

    #[test]
    fn the_help_of_a_command_says_what_a_person_needs_and_no_more() {
        let help = |name: &str| {
            let error = super::parse(["c", name, "--help"].map(OsString::from)).unwrap_err();
            assert_eq!(error.exit_code(), 0, "{error}");
            let same = super::parse(["c", "help", name].map(OsString::from)).unwrap_err();
            assert_eq!(error.to_string(), same.to_string());
            error.to_string()
        };
        for name in [
            "ban",
            "unban",
            "bans",
            "verify",
            "export",
            "backup",
            "restore",
            "erase-user",
            "compact",
        ] {
            let help = help(name);
            assert!(help.contains("--data") && !help.contains("--listen"), "{help}");
        }
        assert!(help("ban").contains("chinwag ban user bob --for 1d"), "{}", help("ban"));
        assert!(help("serve").contains("--listen"));
    }

    #[test]
    fn the_help_fits_a_terminal_and_names_everything() {
        let help = definition().render_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        for part in ["serve", "check", "--durability <disk|os|memory>", "nc 127", "CHINWAG_"] {
            assert!(help.contains(part), "{part} in {help}");
        }
    }

    #[test]
    fn the_summary_names_each_setting_with_its_source() {
        let flags = Flags { config: None, settings: vec![("tcp", "off".to_owned())] };
        let loaded = config::load(&flags, &Environment::default()).unwrap();
        let summary = summary(&loaded);
        assert!(summary.starts_with("configuration ok\n1 of "), "{summary}");
        assert!(summary.ends_with("\n  tcp = \"off\"  (--tcp)\n"), "{summary}");
    }
}
