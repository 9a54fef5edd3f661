//! The server as a process: started, killed, asked how it is.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;
use crate::prober::Prober;
use crate::tls::Trust;

/// How long a server may take to say where it listens, and to end: far above what is promised,
/// which is measured.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every start of a server has in common.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    /// The server's program.
    pub(crate) binary: PathBuf,
    /// Its configuration.
    pub(crate) config: PathBuf,
    /// The directory of its store.
    pub(crate) data: PathBuf,
    /// Where it logs; all starts append.
    pub(crate) log: PathBuf,
    /// A program and its arguments in front of the server's.
    pub(crate) wrapper: Vec<String>,
    /// Variables of its environment.
    pub(crate) environment: Vec<(String, String)>,
    /// Whether it listens for WebSocket over TLS, too.
    is_sealed: bool,
}

/// A server that runs, or has ended.
pub(crate) struct Server {
    /// Where WebSocket is served.
    pub(crate) http: SocketAddr,
    /// Where plain TCP is served.
    pub(crate) tcp: SocketAddr,
    /// Where metrics are served.
    pub(crate) admin: SocketAddr,
    /// Where WebSocket is served over TLS; as `http` if it is not.
    pub(crate) https: SocketAddr,
    /// From its start to the first answer to a client.
    pub(crate) ready_after: Duration,
    child: Child,
    log: PathBuf,
}

impl Setup {
    /// Everything in `folder`, with this configuration.
    pub(crate) fn new(folder: &Path, binary: &str, config: &str) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            binary: fs::canonicalize(binary)?,
            config: fs::canonicalize(config)?,
            data: folder.join("data"),
            log: folder.join("log"),
            wrapper: Vec::new(),
            environment: Vec::new(),
            is_sealed: false,
        })
    }

    /// With this variable of a setting, such as `MEMORY`.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((format!("CHINWAG_{name}"), value.to_owned()));
        self
    }

    /// With a listener for TLS.
    pub(crate) fn sealed(mut self, trust: &Trust) -> Self {
        self.is_sealed = true;
        self.set("TLS_CERTIFICATE", &trust.certificate.display().to_string())
            .set("TLS_KEY", &trust.key.display().to_string())
    }

    /// The same server, run by another program such as `strace`.
    pub(crate) fn under(&self, wrapper: &[String]) -> Self {
        Self { wrapper: wrapper.to_vec(), ..self.clone() }
    }

    /// Starts it; `None` if it ended before it answered, which only a server that is to be killed
    /// may do.
    pub(crate) fn start(&self) -> Outcome<Option<Server>> {
        let begin = Instant::now();
        let Some(mut server) = self.start_unasked()? else { return Ok(None) };
        if Prober::connect(server.tcp, "probe").is_err() {
            // A server that is to be killed may be dead by now; one that lives must answer.
            if server.await_end(Duration::from_secs(1))?.is_none() {
                return Err("the server listens and does not answer".into());
            }
            return Ok(None);
        }
        server.ready_after = begin.elapsed();
        Ok(Some(server))
    }

    /// Starts it; `None` if it ended before it listened.
    pub(crate) fn start_unasked(&self) -> Outcome<Option<Server>> {
        let mut words = self.wrapper.iter().map(Path::new).chain([self.binary.as_path()]);
        let mut command = Command::new(words.next().ok_or("no program")?);
        command.args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let here = "127.0.0.1:0";
        let both = format!("{here},tls:{here}");
        command.args(["--tcp", here, "--admin", here]);
        command.args(["--listen", if self.is_sealed { &both } else { here }]);
        command.arg("--config").arg(&self.config).arg("--data").arg(&self.data);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(OpenOptions::new().create(true).append(true).open(&self.log)?);
        let mut child = command.spawn()?;
        let lines = lines_of(child.stdout.take().ok_or("no standard output")?);
        let Some([http, tcp, admin, https]) = addresses(&lines, self.is_sealed)? else {
            child.wait()?;
            return Ok(None);
        };
        let (ready_after, log) = (Duration::ZERO, self.log.clone());
        Ok(Some(Server { http, tcp, admin, https, ready_after, child, log }))
    }

    /// Starts it; it must get as far as to answer.
    pub(crate) fn start_well(&self) -> Outcome<Server> {
        match self.start()? {
            Some(server) => Ok(server),
            None => Err(format!("the server ended at once:\n{}", tail(&self.log)?).into()),
        }
    }

    /// Runs another command of the server's program on the same directory, and returns what it
    /// said.
    pub(crate) fn command(&self, words: &[&str]) -> Outcome<(ExitStatus, String)> {
        let (config, data) = (self.config.to_string_lossy(), self.data.to_string_lossy());
        self.bare_command(&[words, &["--config", &config, "--data", &data]].concat())
    }

    /// Runs another command of the server's program, and returns what it said.
    pub(crate) fn bare_command(&self, words: &[&str]) -> Outcome<(ExitStatus, String)> {
        let mut child = Command::new(&self.binary);
        child.args(words);
        let output = child.stdin(Stdio::null()).output()?;
        let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
        said.push_str(&String::from_utf8_lossy(&output.stderr));
        Ok((output.status, said))
    }

    /// Neither `SQLite` nor `chinwag verify` must find anything.
    pub(crate) fn verify(&self) -> Outcome<()> {
        let database = Connection::open(self.data.join("chinwag.db"))?;
        let state: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        if state != "ok" {
            return Err(format!("integrity_check: {state}").into());
        }
        drop(database);
        if !self.command(&["--help"])?.1.contains("\n  verify") {
            println!("  (this server has no verify: SQLite's integrity_check only)");
            return Ok(());
        }
        let (status, said) = self.command(&["verify"])?;
        if status.success() { Ok(()) } else { Err(format!("chinwag verify: {said}").into()) }
    }

    /// Fails if any start has logged a panic.
    pub(crate) fn assert_no_panic(&self) -> Outcome<()> {
        let log = fs::read_to_string(&self.log)?;
        let panic = log.lines().find(|line| line.contains("panicked"));
        panic.map_or(Ok(()), |line| Err(format!("a panic in the log: {line}").into()))
    }
}

impl Server {
    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it and waits for its end.
    pub(crate) fn kill(&mut self) -> Outcome<()> {
        // It may have ended by itself meanwhile.
        let _ = kill_process(Pid::from_child(&self.child), Signal::KILL);
        self.child.wait()?;
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Outcome<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Stops it as an operator would: it must leave with 0.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        self.terminate()?;
        self.assert_left_well()
    }

    /// Asks it to stop.
    pub(crate) fn terminate(&self) -> Outcome<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::TERM)?)
    }

    /// It must leave with 0 by itself.
    pub(crate) fn assert_left_well(&mut self) -> Outcome<()> {
        match self.await_end(PATIENCE)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("it left with {status}:\n{}", tail(&self.log)?).into()),
            None => Err("it does not stop".into()),
        }
    }

    /// The value of a series, named with its labels as on the metrics page.
    pub(crate) fn metric(&self, series: &str) -> Outcome<f64> {
        let page = get(self.admin, "/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no series {series}"))?.trim().parse()?)
    }

    /// Resident memory in bytes.
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        // `status` has it, too, but as a sum that lags by up to 256 KiB.
        let maps = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid()))?;
        let line = maps.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or("no Rss")?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kib * 1024)
    }

    /// Processor time that it has used.
    pub(crate) fn processor_time(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid()))?;
        let (_, fields) = stat.rsplit_once(") ").ok_or("no fields")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>()?;
        // A hundredth of a second each, as everywhere on Linux.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Descriptors that it holds, but for those of the database itself: SQLite keeps those of
    /// connections that have ended for the next ones, as long as any of the process is open.
    pub(crate) fn descriptors(&self) -> Outcome<usize> {
        let held = fs::read_dir(format!("/proc/{}/fd", self.pid()))?;
        let targets = held.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
        Ok(targets.filter(|target| !target.ends_with("chinwag.db")).count())
    }

    fn await_end(&mut self, within: Duration) -> Outcome<Option<ExitStatus>> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() > deadline {
                return Ok(None);
            }
            thread::park_timeout(Duration::from_millis(2));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A failed run leaves nothing behind.
        drop(self.kill());
    }
}

/// The body of the answer to a GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    Ok(page)
}

/// The last lines of a log.
fn tail(log: &Path) -> Outcome<String> {
    let text = fs::read_to_string(log)?;
    let before = text.lines().count().saturating_sub(20);
    Ok(text.lines().skip(before).collect::<Vec<_>>().join("\n"))
}

fn lines_of(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Goes on reading after the receiver is dropped: a full pipe would block the server.
            drop(sender.send(line));
        }
    });
    receiver
}

/// Where the server says that it listens, by HTTP, TCP, for admins and by HTTPS, which stands for
/// HTTP where it is not awaited; `None` if it ended before.
fn addresses(lines: &Receiver<String>, is_sealed: bool) -> Outcome<Option<[SocketAddr; 4]>> {
    let deadline = Instant::now() + PATIENCE;
    let mut found = [None; 4];
    loop {
        if let [Some(http), Some(tcp), Some(admin), https] = found
            && (https.is_some() || !is_sealed)
        {
            return Ok(Some([http, tcp, admin, https.unwrap_or(http)]));
        }
        let line = match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => return Err("it does not say where it listens".into()),
        };
        let starts = [
            "listening http://",
            "listening tcp://",
            "listening admin http://",
            "listening https://",
        ];
        for (place, start) in found.iter_mut().zip(starts) {
            if let Some(rest) = line.strip_prefix(start) {
                *place = rest.split(' ').next().and_then(|word| word.parse().ok());
            }
        }
    }
}
