//! The server's process, and what the system says of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::Outcome;

/// The binary that was built with this benchmark.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_chinwag");
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/load.toml");
/// How the lines about the addresses begin and end.
const ANNOUNCED: [(&str, &str); 2] =
    [("listening http://", " (WebSocket at /ws)"), ("listening admin http://", "")];
/// Where each process is pinned.
const SERVER_CORE: &str = "0";
const CLIENT_CORE: &str = "1";

/// A running server. Whoever drops it has it killed.
pub(crate) struct Server {
    child: Child,
    addr: SocketAddr,
    admin: SocketAddr,
    /// Held open, so that the server never meets a broken pipe.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Starts it on a port of the kernel's choice.
    pub(crate) fn start(program: &str, pinned: bool) -> Outcome<Self> {
        let mut command = if pinned {
            let mut command = Command::new("taskset");
            command.args(["-c", SERVER_CORE, program]);
            command
        } else {
            Command::new(program)
        };
        command.args(["serve", "--config", CONFIG, "--listen", "127.0.0.1:0"]);
        command.args(["--tcp", "off", "--admin", "127.0.0.1:0"]);
        command.env("CHINWAG_LOG_LEVEL", "warn").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut stdout = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let mut announced = |(begin, end): (&str, &str)| -> Outcome<SocketAddr> {
            let mut line = String::new();
            stdout.read_line(&mut line)?;
            let addr = line.trim().strip_prefix(begin).and_then(|rest| rest.strip_suffix(end));
            Ok(addr.ok_or_else(|| format!("no address: {line:?}"))?.parse()?)
        };
        let [addr, admin] = ANNOUNCED.map(&mut announced);
        Ok(Self { child, addr: addr?, admin: admin?, _stdout: stdout })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The time that its threads have had on a core, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> Outcome<u64> {
        let mut nanos = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(nanos)
    }

    /// How many write calls it has made.
    pub(crate) fn writes(&self) -> Outcome<u64> {
        let mut stream = TcpStream::connect(self.admin)?;
        let host = self.admin;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        let value = page.lines().find_map(|line| line.strip_prefix("chinwag_writes_total "));
        Ok(value.ok_or("no count of writes")?.parse()?)
    }

    /// Bytes of its own that are resident: what it shares with the file of the program is not counted.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        field(&format!("/proc/{}/status", self.id()), "RssAnon:")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// Bytes that the kernel holds in sockets' buffers (`/proc/net/sockstat`), and in all of its slabs: its
/// sockets, descriptors and epoll entries are there, together with those of everything else that runs.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) buffers: u64,
    pub(crate) slabs: u64,
}

impl Kernel {
    pub(crate) fn now() -> Outcome<Self> {
        let sockstat = fs::read_to_string("/proc/net/sockstat")?;
        let tcp = sockstat.lines().find(|line| line.starts_with("TCP:")).ok_or("no TCP line")?;
        let pages: u64 = tcp.rsplit(' ').next().unwrap_or_default().parse()?;
        Ok(Self { buffers: pages * 4096, slabs: field("/proc/meminfo", "Slab:")? })
    }
}

/// The bytes that a line of `kB` says.
fn field(path: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(path)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.ok_or_else(|| format!("no {name} in {path}"))?.trim().trim_end_matches(" kB");
    Ok(kib.parse::<u64>()? * 1024)
}

/// Pins this process to its core; `false` if there is no core or no `taskset` for that.
pub(crate) fn pin_this() -> Outcome<bool> {
    if std::thread::available_parallelism()?.get() < 2 {
        return Ok(false);
    }
    let id = std::process::id().to_string();
    let mut command = Command::new("taskset");
    let status = command.args(["-cp", CLIENT_CORE, &id]).stdout(Stdio::null()).status();
    Ok(status.is_ok_and(|status| status.success()))
}
