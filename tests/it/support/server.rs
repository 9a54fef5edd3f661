//! The server under test: the built binary on ports of the system's choosing.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::http;
use super::process::Process;
use super::raw::Patience;
use super::tls::Certificates;

/// How a server should be started. Its files, data included, are in a folder of its own, which is
/// deleted with it. Its rooms are of durability [`DURABILITY`] unless the test says something about
/// that.
#[derive(Debug, Default)]
pub(crate) struct Setup {
    args: Vec<String>,
    config: Option<String>,
    environment: Vec<(String, String)>,
    descriptors: Option<u32>,
    is_tls: bool,
    is_upgradable: bool,
}

/// Bytes that wait for a connection of a [`Setup::bounded`] server before its cursors fall behind.
pub(crate) const SOFT_BYTES: usize = 64 << 10;
/// Bytes that may wait for one at all.
pub(crate) const HARD_BYTES: usize = 256 << 10;
/// Bytes of its largest message.
pub(crate) const MESSAGE_BYTES: usize = 16 << 10;

/// The durability of rooms in tests that do not choose one.
const DURABILITY: &str = "disk";

impl Setup {
    /// Adds command-line arguments.
    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// Gives it a configuration file of this text.
    pub(crate) fn config(mut self, toml: &str) -> Self {
        self.config = Some(toml.to_owned());
        self
    }

    /// Sets an environment variable. Those of the test run are not inherited.
    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Changes one setting, named as in the configuration file with its section in front:
    /// `limits.rooms`.
    pub(crate) fn set(self, key: &str, value: &str) -> Self {
        let name = format!("CHINWAG_{}", key.replace('.', "_").to_uppercase());
        self.environment(&name, value)
    }

    /// Sets what may wait for one connection to [`SOFT_BYTES`], [`HARD_BYTES`] and
    /// [`MESSAGE_BYTES`].
    pub(crate) fn bounded(self) -> Self {
        self.set("limits.outbound_soft_bytes", &SOFT_BYTES.to_string())
            .set("limits.outbound_hard_bytes", &HARD_BYTES.to_string())
            .set("limits.message_bytes", &MESSAGE_BYTES.to_string())
    }

    /// Keeps its rooms in memory, for tests about what that means.
    pub(crate) fn in_memory(self) -> Self {
        self.set("durability", "memory")
    }

    /// Has it listen with TLS too, for HTTP and for TCP.
    pub(crate) fn tls(mut self, certificates: &Certificates) -> Self {
        self.is_tls = true;
        let both = "127.0.0.1:0,tls:127.0.0.1:0";
        let (certificate, key) = certificates.files();
        self.args(&["--listen", both, "--tcp", both])
            .set("tls.certificate", &certificate)
            .set("tls.key", &key)
    }

    /// Runs it by a path of its own, so that another program can be put there.
    pub(crate) const fn upgradable(mut self) -> Self {
        self.is_upgradable = true;
        self
    }

    /// Lets it have so many file descriptors and no more.
    pub(crate) fn descriptors(mut self, most: u32) -> Self {
        self.descriptors = Some(most);
        self
    }

    /// Starts it and reads where it listens.
    #[track_caller]
    pub(crate) fn start(self) -> Server {
        let folder = TempDir::new().expect("a folder for temporary files");
        let (process, listening) = self.run(folder.path());
        let [http, tcp, admin] = listening.addresses();
        let (https, tls) = (listening.https.unwrap_or(http), listening.tls.unwrap_or(tcp));
        let announced = listening.announced;
        Server {
            http,
            tcp,
            admin,
            https,
            tls,
            announced,
            process,
            successor: None,
            ended: false,
            folder,
            setup: self,
        }
    }

    /// Starts it in `folder` and reads where it listens.
    #[track_caller]
    pub(super) fn run(&self, folder: &Path) -> (Process, Listening) {
        let process = Process::start(&mut self.command(folder));
        let mut listening = Listening::default();
        while !listening.is_complete(self.is_tls) {
            let Some(line) = process.line() else {
                let log = fs::read_to_string(log_path(folder)).unwrap_or_default();
                panic!("the server ended before it listened; its log:\n{log}");
            };
            listening.note(&line);
        }
        (process, listening)
    }

    /// Starts it, expects it to leave with an error, and returns what it said on standard error.
    #[track_caller]
    pub(crate) fn refused(self) -> String {
        let folder = TempDir::new().expect("a folder for temporary files");
        let process = Process::start(&mut self.command(folder.path()));
        let status = process.end();
        let log = fs::read_to_string(log_path(folder.path())).expect("what it said");
        assert!(!status.success(), "it left with success and said:\n{log}");
        log
    }

    fn command(&self, folder: &Path) -> Command {
        let binary = self.program(folder);
        let mut command = if let Some(most) = self.descriptors {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &format!("ulimit -n {most}; exec \"$0\" \"$@\"")]).arg(binary);
            shell
        } else {
            Command::new(binary)
        };
        self.set_environment(&mut command);
        for listener in ["--listen", "--tcp", "--admin"] {
            if !self.args.iter().any(|arg| arg == listener) {
                command.args([listener, "127.0.0.1:0"]);
            }
        }
        command.arg("--data").arg(folder.join("data"));
        if let Some(config) = &self.config {
            let path = folder.join("chinwag.toml");
            fs::write(&path, config).expect("a configuration file");
            command.arg("--config").arg(path);
        }
        command.args(&self.args).current_dir(folder);
        // Appended to, so that the log of the process before a restart stays.
        let log = OpenOptions::new().create(true).append(true).open(log_path(folder));
        command.stderr(log.expect("a file for the log"));
        command
    }

    /// The program, at the place by which it is started.
    fn program(&self, folder: &Path) -> PathBuf {
        let built = PathBuf::from(env!("CARGO_BIN_EXE_chinwag"));
        if !self.is_upgradable {
            return built;
        }
        let link = folder.join("chinwag");
        if !link.exists() {
            std::os::unix::fs::symlink(built, &link).expect("a link to the program");
        }
        link
    }

    pub(super) fn set_environment(&self, command: &mut Command) {
        command.env_clear().env("RUST_BACKTRACE", "1");
        if !self.says_durability() {
            command.env("CHINWAG_DURABILITY", DURABILITY);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    fn says_durability(&self) -> bool {
        self.args.iter().any(|arg| arg == "--durability")
            || self.config.as_ref().is_some_and(|config| config.contains("durability"))
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("log")
}

/// The addresses that were announced so far.
#[derive(Default)]
pub(super) struct Listening {
    http: Option<SocketAddr>,
    tcp: Option<SocketAddr>,
    admin: Option<SocketAddr>,
    https: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    /// Every line, in its order.
    announced: Vec<String>,
}

impl Listening {
    fn note(&mut self, line: &str) {
        self.announced.push(line.to_owned());
        let address = |text: &str| text.parse().ok();
        if let Some(rest) = line.strip_prefix("listening http://") {
            // One in the file system has no address.
            self.http = rest.strip_suffix(" (WebSocket at /ws)").and_then(address).or(self.http);
        } else if let Some(rest) = line.strip_prefix("listening https://") {
            self.https = rest.strip_suffix(" (WebSocket at /ws)").and_then(address);
        } else if let Some(rest) = line.strip_prefix("listening tls://") {
            self.tls = address(rest);
        } else if let Some(rest) = line.strip_prefix("listening tcp://") {
            self.tcp = address(rest);
        } else if let Some(rest) = line.strip_prefix("listening admin http://") {
            self.admin = address(rest);
        }
    }

    fn is_complete(&self, is_tls: bool) -> bool {
        let has_tls = self.https.is_some() && self.tls.is_some();
        (has_tls || !is_tls) && self.http.is_some() && self.tcp.is_some() && self.admin.is_some()
    }

    pub(super) fn addresses(&self) -> [SocketAddr; 3] {
        [self.http, self.tcp, self.admin].map(|address| address.expect("an announced address"))
    }
}

/// A running server.
///
/// When it goes out of scope after a test that passed, it must hold no connection any more, leave
/// with 0 on SIGTERM, and have no panic in its log; so every test ends with these checks. Clients
/// that were made after it are dropped before it.
#[derive(Debug)]
pub(crate) struct Server {
    /// Where HTTP and WebSocket are served.
    pub(crate) http: SocketAddr,
    /// Where lines, frames and people are served.
    pub(crate) tcp: SocketAddr,
    /// Where metrics are served.
    pub(crate) admin: SocketAddr,
    /// Where HTTP and WebSocket are served over TLS, if they are.
    pub(crate) https: SocketAddr,
    /// Where lines and frames are served over TLS, if they are.
    pub(crate) tls: SocketAddr,
    /// The lines that say where it listens.
    pub(crate) announced: Vec<String>,
    pub(super) process: Process,
    /// The process that has taken its place.
    pub(super) successor: Option<Pid>,
    ended: bool,
    pub(super) folder: TempDir,
    pub(super) setup: Setup,
}

impl Server {
    /// A server with the default configuration.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Setup::default().start()
    }

    /// Everything that it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(log_path(self.folder.path())).expect("a readable log")
    }

    /// Ends the process by `KILL`, or in good order by `TERM`, and starts it again on what it has
    /// kept. It listens elsewhere then.
    #[track_caller]
    pub(crate) fn restart(&mut self, signal: Signal) {
        self.restart_after(signal, |_| {});
    }

    /// The same, with one setting changed, named as by [`Setup::set`].
    #[track_caller]
    pub(crate) fn restart_with(&mut self, signal: Signal, (key, value): (&str, &str)) {
        let name = format!("CHINWAG_{}", key.replace('.', "_").to_uppercase());
        self.setup.environment.push((name, value.to_owned()));
        self.restart(signal);
    }

    /// The same, with something done to its data directory in between.
    #[track_caller]
    pub(crate) fn restart_after(&mut self, signal: Signal, between: impl FnOnce(&Path)) {
        self.signal(signal);
        if signal == Signal::KILL {
            self.process.end();
        } else {
            self.assert_left_in_order();
        }
        between(&self.data());
        let (process, listening) = self.setup.run(self.folder.path());
        (self.process, self.ended) = (process, false);
        [self.http, self.tcp, self.admin] = listening.addresses();
        self.https = listening.https.unwrap_or(self.http);
        self.tls = listening.tls.unwrap_or(self.tcp);
        self.announced = listening.announced;
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything that it has logged, once that is enough: the log is written by a thread of its
    /// own.
    #[track_caller]
    pub(crate) fn log_when(&self, enough: impl Fn(&str) -> bool) -> String {
        let patience = Patience::begin();
        loop {
            let log = self.log();
            if enough(&log) {
                return log;
            }
            assert!(patience.is_left(), "the log is:\n{log}");
        }
    }

    /// Whether it was stopped in good order.
    pub(crate) const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The number of the process, for `/proc`.
    pub(crate) fn pid(&self) -> i32 {
        self.successor.map_or_else(|| self.process.id(), |pid| pid.as_raw_nonzero().get())
    }

    /// The processor time that the process has used, in the kernel's ticks of 10 ms.
    pub(crate) fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("a status");
        // After the name in parentheses: the state is the first field, utime and stime the 12th
        // and 13th.
        let fields = stat.rsplit_once(") ").expect("fields").1.split(' ');
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
    }

    /// Bytes of the process's resident memory.
    pub(crate) fn resident(&self) -> u64 {
        let maps = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).expect("a map");
        let line = maps.lines().find_map(|line| line.strip_prefix("Rss:")).expect("Rss");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        match self.successor {
            // One that has ended by itself is what `assert_left_in_order` reports.
            Some(pid) => drop(kill_process(pid, signal)),
            None => self.process.signal(signal),
        }
    }

    /// The present value of a series, named with its labels as on the metrics page:
    /// `name{label="value"}`.
    #[track_caller]
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let page = http::get(self.admin, "/metrics").text();
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        let value = value.unwrap_or_else(|| panic!("no series {series} in:\n{page}"));
        value.trim().parse().expect("a number")
    }

    /// Waits until `series` has the value `expected`.
    #[track_caller]
    pub(crate) fn await_metric(&self, series: &str, expected: f64) {
        self.await_that(series, |value| (value - expected).abs() < 0.5);
    }

    /// Waits until `series` has a value that is as it should be.
    #[track_caller]
    pub(crate) fn await_that(&self, series: &str, is_expected: impl Fn(f64) -> bool) {
        // Each look is a round trip through the server's loop, which is what there is to wait for.
        let patience = Patience::begin();
        loop {
            let value = self.metric(series);
            if is_expected(value) {
                return;
            }
            assert!(patience.is_left(), "{series} is still {value}");
        }
    }

    /// Waits until every connection but the one that asks is gone.
    #[track_caller]
    pub(crate) fn assert_no_connection_left(&self) {
        // The one that asks is counted, too.
        self.await_metric(CONNECTIONS, 1.0);
    }

    /// Waits for the process to leave with 0, which a signal has asked for.
    #[track_caller]
    pub(crate) fn assert_left_in_order(&mut self) {
        self.ended = true;
        if let Some(pid) = self.successor {
            let patience = Patience::begin();
            while Self::runs(pid) {
                assert!(patience.is_left(), "it does not end; its log:\n{}", self.log());
                thread::yield_now();
            }
            let log = self.log();
            assert!(log.trim_end().ends_with("stopped"), "not in order; its log:\n{log}");
            return assert!(!log.contains("panicked"), "a panic in the log:\n{log}");
        }
        let status = self.process.end();
        let log = self.log();
        assert!(status.success(), "left with {status}; its log:\n{log}");
        assert!(!log.contains("panicked"), "a panic in the log:\n{log}");
    }
}

/// The gauge of open connections of clients.
const CONNECTIONS: &str = "chinwag_connections";

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            if self.successor.is_some() {
                self.signal(Signal::KILL);
            }
            let mut report = String::from("the server's log:\n");
            report.extend(fs::read_to_string(log_path(self.folder.path())));
            report.write_str("(end of the log)").expect("a string takes all");
            println!("{report}");
        } else if !self.ended {
            self.assert_no_connection_left();
            self.signal(Signal::TERM);
            self.assert_left_in_order();
        }
    }
}
