//! PostgreSQL of Debian: a primary and its standbys, which can be killed, paused and promoted.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::free_port::free_port;

/// One PostgreSQL.
#[derive(Debug)]
pub(crate) struct Postgres {
    folder: PathBuf,
    pub(crate) port: u16,
}

/// A primary and two standbys, of which each commit waits for one.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) members: Vec<Postgres>,
    /// Removed at the end.
    _folder: TempDir,
}

/// The folder of the newest version's programs.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL is installed");
    let version = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().parse::<u32>().ok();
    let newest = versions.filter_map(Result::ok).max_by_key(version);
    newest.expect("a version of PostgreSQL").path().join("bin")
}

/// The user that PostgreSQL runs as: it refuses to run as root.
fn account() -> Option<(u32, u32)> {
    if !rustix::process::getuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect("a user postgres");
    let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

/// Runs a program of PostgreSQL to its end; what it prints.
fn run(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(programs().join(program));
    command.args(arguments).env_clear().current_dir("/").stdin(Stdio::null());
    command.env("PATH", "/usr/bin:/bin");
    if let Some((user, group)) = account() {
        command.uid(user).gid(group);
    }
    // A daemon would hold a pipe open.
    let output = if program == "pg_ctl" {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().map(|status| (status, String::new(), String::new()))
    } else {
        command.output().map(|output| {
            let text = |bytes| String::from_utf8(bytes).unwrap();
            (output.status, text(output.stdout), text(output.stderr))
        })
    };
    let (status, printed, complaint) = output.unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}: {complaint}");
    printed
}

impl Postgres {
    fn start_new(folder: &Path, name: &str, copy_of: Option<&Self>) -> Self {
        let port = free_port();
        let postgres = Self { folder: folder.join(name), port };
        let data = postgres.folder.to_str().unwrap();
        match copy_of {
            None => {
                let options = ["--no-sync", "-E", "UTF8", "--locale", "C", "--auth", "trust"];
                run("initdb", &[&["-D", data, "-U", "boss"][..], &options].concat());
            }
            Some(primary) => {
                let from = format!("{} application_name={name}", primary.place());
                run("pg_basebackup", &["-D", data, "-R", "-c", "fast", "-d", &from]);
            }
        }
        let path = postgres.folder.join("postgresql.conf");
        let text = fs::read_to_string(&path).unwrap();
        let settings = format!(
            "{text}\nport = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = ''\n\
             shared_buffers = 16MB\nwal_receiver_status_interval = 1\nwal_retrieve_retry_interval = 100ms\n"
        );
        fs::write(&path, settings).unwrap();
        postgres.start();
        postgres
    }

    fn place(&self) -> String {
        format!("host=127.0.0.1 port={} user=boss", self.port)
    }

    pub(crate) fn start(&self) {
        let log = self.folder.with_extension("log");
        let (data, log) = (self.folder.to_str().unwrap(), log.to_str().unwrap());
        run("pg_ctl", &["-D", data, "-l", log, "-w", "start"]);
    }

    pub(crate) fn stop(&self) {
        run("pg_ctl", &["-D", self.folder.to_str().unwrap(), "-m", "immediate", "-w", "stop"]);
    }

    pub(crate) fn promote(&self) {
        run("pg_ctl", &["-D", self.folder.to_str().unwrap(), "-w", "promote"]);
    }

    /// Has a standby follow another primary.
    pub(crate) fn follow(&self, primary: &Self) {
        let to = primary.place();
        self.sql(&format!("ALTER SYSTEM SET primary_conninfo = '{to}'"));
        self.sql("SELECT pg_reload_conf()");
    }

    /// What a statement answers.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let place = format!("{} dbname=postgres", self.place());
        run("psql", &["-XqAt", "-d", &place, "-c", statement]).trim().to_owned()
    }

    /// The same in the database of the chat.
    pub(crate) fn chat_sql(&self, statement: &str) -> String {
        let place = format!("{} dbname=chat", self.place());
        run("psql", &["-XqAt", "-d", &place, "-c", statement]).trim().to_owned()
    }

    /// All its processes, the first one first, so that it makes no more.
    fn processes(&self) -> Vec<Pid> {
        let text = fs::read_to_string(self.folder.join("postmaster.pid")).unwrap_or_default();
        let Some(first) = text.lines().next().and_then(|line| line.parse::<i32>().ok()) else {
            return Vec::new();
        };
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
        std::iter::once(first).chain(children).filter_map(Pid::from_raw).collect()
    }

    fn signal(&self, signal: Signal) {
        // Once more, for what was made in between.
        for _ in 0..2 {
            for process in self.processes() {
                // It may have ended by itself.
                _ = kill_process(process, signal);
            }
        }
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let folder = TempDir::new().unwrap();
        if let Some((user, group)) = account() {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let primary = Postgres::start_new(folder.path(), "one", None);
        // Nodes have no more rights than they need.
        primary.sql("CREATE ROLE chat LOGIN");
        primary.sql("CREATE DATABASE chat OWNER chat");
        let mut cluster = Self { members: vec![primary], _folder: folder };
        cluster.init();
        for name in ["two", "three"] {
            let folder = cluster._folder.path();
            let standby = Postgres::start_new(folder, name, cluster.members.first());
            cluster.members.push(standby);
        }
        // Standbys have it as well: it is set before they are copied only in part.
        for member in &cluster.members {
            member.sql("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (*)'");
            member.sql("SELECT pg_reload_conf()");
        }
        cluster
    }

    fn init(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        command.env_clear().args(["cluster", "init", &self.address()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// All of them, in one address.
    pub(crate) fn address(&self) -> String {
        let hosts = self.members.iter().map(|member| format!("127.0.0.1:{}", member.port));
        format!("postgres://chat@{}/chat", hosts.collect::<Vec<_>>().join(","))
    }

    pub(crate) fn standbys(&self) -> impl Iterator<Item = &Postgres> {
        self.members.iter().skip(1)
    }

    /// Which standby is the primary from now on: the one that has received more, since a commit
    /// waits for any one of them. The other one follows it.
    pub(crate) fn promote(&self) -> usize {
        let received = |member: &Postgres| {
            let bytes = member.sql("SELECT pg_last_wal_receive_lsn() - '0/0'");
            bytes.parse::<u64>().expect("bytes of the log")
        };
        let is_third = received(&self.members[2]) > received(&self.members[1]);
        let (first, other) = if is_third { (2, 1) } else { (1, 2) };
        self.members[first].promote();
        self.members[other].follow(&self.members[first]);
        first
    }
}
