//! A server of our own, configured for load: started, pinned, stopped, killed and started again.

mod announce;
mod error;
mod folder;
mod pin;

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{CpuSet, sched_getaffinity};

use announce::{Announced, Lines};
use folder::Folder;
use pin::spread;

pub use error::SpawnError;
pub use pin::{Cores, pin};

/// How long a server may take to say where it listens, and to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a server is started with.
const CONFIG: &str = include_str!("load.toml");
/// Bytes of its log that are passed on when it fails.
const LOG_TAIL: usize = 4096;

/// How a server is to be started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Another program than this one, to compare builds.
    pub program: Option<PathBuf>,
    /// Settings besides those for load, such as `("timeouts.ping_after", "5m")`; they win.
    pub settings: Vec<(String, String)>,
    /// Also listen for plain TCP.
    pub tcp: bool,
    /// Leave it to the system on which cores both run.
    pub no_pin: bool,
}

/// A server with a configuration and files of its own. Whoever drops it has it killed, and its
/// files removed. If this process is killed, the server ends as well, and only the files stay.
#[derive(Debug)]
pub struct Server {
    /// `None` between a kill and a restart.
    running: Option<Running>,
    program: PathBuf,
    /// Whether the program is this one, and so knows how to end with us.
    is_own: bool,
    announced: Announced,
    cores: Option<Cores>,
    /// Where this thread could run before it was pinned.
    allowed: Option<CpuSet>,
    patience: Duration,
    folder: Folder,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Held open, so that it never meets a broken pipe; ends when the server does.
    stdout: Lines,
}

impl Server {
    /// Starts a server on ports of the system's choice and waits until it listens, at most 20
    /// seconds.
    ///
    /// Where there are two cores, the server gets the first and this thread the second.
    ///
    /// # Errors
    ///
    /// If it does not start; with the end of its log.
    pub fn start(options: &Options) -> Result<Self, SpawnError> {
        Self::start_within(options, PATIENCE)
    }

    fn start_within(options: &Options, patience: Duration) -> Result<Self, SpawnError> {
        let program = match &options.program {
            Some(program) => program.clone(),
            None => std::env::current_exe()
                .map_err(|error| SpawnError::System { what: "find this program", error })?,
        };
        let folder = Folder::new()?;
        folder.write("chinwag.toml", &config(&options.settings))?;
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let announced = Announced { http: any, tcp: options.tcp.then_some(any), admin: any };
        let cores = if options.no_pin { None } else { Cores::two() };
        let allowed = sched_getaffinity(None).ok();
        let is_own = options.program.is_none();
        let mut server =
            Self { running: None, program, is_own, announced, cores, allowed, patience, folder };
        server.restart()?;
        Ok(server)
    }

    /// Its process.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NotRunning`] between [`Server::kill`] and [`Server::restart`].
    pub fn pid(&self) -> Result<u32, SpawnError> {
        Ok(self.running.as_ref().ok_or(SpawnError::NotRunning)?.child.id())
    }

    /// Where it serves HTTP and WebSocket, the latter at `/ws`. It stays the same over restarts.
    #[must_use]
    pub const fn http(&self) -> SocketAddr {
        self.announced.http
    }

    /// Where it serves plain TCP, if that was asked for.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        self.announced.tcp
    }

    /// Where it serves `/metrics`.
    #[must_use]
    pub const fn admin(&self) -> SocketAddr {
        self.announced.admin
    }

    /// Whether the server and this thread have each a core of their own.
    #[must_use]
    pub const fn is_pinned(&self) -> bool {
        self.cores.is_some()
    }

    /// Leaves this thread, and what it starts from now on, all cores but the server's, as far as
    /// they were free before. Nothing happens if they share their cores.
    ///
    /// # Errors
    ///
    /// If the system refuses.
    pub fn spread(&self) -> Result<(), SpawnError> {
        self.cores.zip(self.allowed).map_or(Ok(()), |(cores, allowed)| spread(cores, &allowed))
    }

    /// Kills it at once (`SIGKILL`). Nothing happens if it does not run.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Both fail only if it has ended already.
            _ = running.child.kill();
            _ = running.child.wait();
        }
    }

    /// Asks it to stop (`SIGTERM`) and waits for that.
    ///
    /// # Errors
    ///
    /// [`SpawnError::Stuck`] if it takes longer than 20 seconds; it is then killed.
    pub fn stop(&mut self) -> Result<ExitStatus, SpawnError> {
        let mut running = self.running.take().ok_or(SpawnError::NotRunning)?;
        // It may have ended by itself.
        _ = kill_process(Pid::from_child(&running.child), Signal::TERM);
        let ended = running.stdout.end(self.patience);
        if !ended {
            _ = running.child.kill();
        }
        let status = running.child.wait();
        let status =
            status.map_err(|error| SpawnError::System { what: "await the server", error })?;
        if ended { Ok(status) } else { Err(SpawnError::Stuck { log: self.log() }) }
    }

    /// Starts it on the addresses that it had; kills it before, if it runs.
    ///
    /// # Errors
    ///
    /// If it does not start.
    pub fn restart(&mut self) -> Result<(), SpawnError> {
        self.kill();
        let child = self.spawn()?;
        let mut running = Running { child, stdout: Lines::default() };
        let listening = match running.child.stdout.take() {
            Some(stdout) => running.stdout.open(stdout).and_then(|()| {
                Announced::read(&mut running.stdout, self.announced.tcp.is_some(), self.patience)
            }),
            None => Err(SpawnError::NotRunning),
        };
        self.running = Some(running);
        match listening {
            Ok(announced) => {
                self.announced = announced;
                Ok(())
            }
            Err(error) => {
                self.kill();
                let log = self.log();
                Err(match error {
                    SpawnError::Silent { what, .. } => SpawnError::Silent { what, log },
                    other => other,
                })
            }
        }
    }

    /// The end of what it has logged since its start.
    #[must_use]
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.path("log")).unwrap_or_default();
        let tail = bytes.get(bytes.len().saturating_sub(LOG_TAIL)..).unwrap_or_default();
        String::from_utf8_lossy(tail).into_owned()
    }

    fn spawn(&self) -> Result<Child, SpawnError> {
        let log = self.folder.create("log")?;
        let mut command = Command::new(&self.program);
        // The surroundings are not inherited: a variable would change what is measured.
        command.args(self.arguments()).env_clear();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        // Who interrupts the generator at its terminal wants its results, and not a server that
        // goes.
        command.process_group(0);
        // A child begins where its parent is: so no thread of it has ever been elsewhere.
        if let Some(cores) = &self.cores {
            pin(cores.server)?;
        }
        let child = command.spawn();
        if let Some(cores) = &self.cores {
            pin(cores.generator)?;
        }
        child.map_err(|error| SpawnError::Start { path: self.program.clone(), error })
    }

    fn arguments(&self) -> Vec<OsString> {
        let Announced { http, tcp, admin } = &self.announced;
        let tcp = tcp.map_or_else(|| "off".to_owned(), |addr| addr.to_string());
        let path = |name: &str| self.folder.path(name).into_os_string();
        let mut arguments = vec![
            "serve".into(),
            "--config".into(),
            path("chinwag.toml"),
            "--listen".into(),
            http.to_string().into(),
            "--tcp".into(),
            tcp.into(),
            "--admin".into(),
            admin.to_string().into(),
            "--data".into(),
            path("data"),
        ];
        if self.is_own {
            arguments.push("--with-parent".into());
        }
        arguments
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The configuration for load, with `settings` in the place of or beside what it has.
fn config(settings: &[(String, String)]) -> String {
    let mut table: toml::Table = CONFIG.parse().unwrap_or_default();
    for (key, value) in settings {
        insert(&mut table, key, value);
    }
    table.to_string()
}

/// Sets the dotted `key`. A value is what TOML takes it for, or else text: the server judges both.
fn insert(table: &mut toml::Table, key: &str, value: &str) {
    let Some((section, rest)) = key.split_once('.') else {
        let parsed = format!("v = {value}").parse::<toml::Table>().ok();
        let parsed = parsed.and_then(|mut parsed| parsed.remove("v"));
        table.insert(key.to_owned(), parsed.unwrap_or_else(|| value.into()));
        return;
    };
    let inner = table.entry(section).or_insert_with(|| toml::Table::new().into());
    if let Some(inner) = inner.as_table_mut() {
        insert(inner, rest, value);
    }
}

#[cfg(test)]
mod tests;
