//! PostgreSQL as Debian packages it: a primary and its standbys, killed, promoted and built anew.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, getuid, kill_process};

use super::free_port::free_port;
use crate::Outcome;

/// What all of them are set to. Standbys look for their primary again soon, so that a run is short;
/// all else is as an operator would have it.
const SETTINGS: &str = "listen_addresses = '127.0.0.1'\n\
                        shared_buffers = 32MB\n\
                        wal_keep_size = 512MB\n\
                        wal_retrieve_retry_interval = 200ms\n\
                        max_connections = 60\n";

/// Whom a commit waits for: one standby, whichever it is.
const SYNCHRONOUS: &str = "synchronous_standby_names = 'ANY 1 (*)'\n";

/// One PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    /// Where it listens.
    pub(crate) port: u16,
    name: String,
    data: PathBuf,
    shared: Shared,
}

/// What all of them have in common.
#[derive(Clone, Debug)]
struct Shared {
    bin: PathBuf,
    folder: PathBuf,
    /// User and group that they run as; `None`: ours. PostgreSQL refuses to run as root.
    account: Option<(u32, u32)>,
}

/// A primary and two standbys.
pub(crate) struct Trio {
    all: Vec<Postgres>,
    /// Which one is the primary.
    pub(crate) primary: usize,
}

impl Postgres {
    fn new(shared: &Shared, name: &str) -> Self {
        let data = shared.folder.join(name);
        Self { port: free_port(), name: name.to_owned(), data, shared: shared.clone() }
    }

    /// Runs a program of PostgreSQL; what it says on standard output.
    fn run(&self, program: &str, words: &[&str]) -> Outcome<String> {
        let mut command = Command::new(self.shared.bin.join(program));
        command.args(words).current_dir("/").stdin(Stdio::null());
        if let Some((user, group)) = self.shared.account {
            command.uid(user).gid(group);
        }
        // A server that it leaves behind must not keep a pipe of ours open.
        let said = self.shared.folder.join(format!("{}.{program}", self.name));
        let errors = said.with_extension("errors");
        command.stdout(fs::File::create(&said)?).stderr(fs::File::create(&errors)?);
        let status = command.status()?;
        if status.success() {
            return Ok(fs::read_to_string(said)?);
        }
        let why = fs::read_to_string(errors)?;
        Err(format!("{program} {words:?} of {}: {status}: {why}", self.name).into())
    }

    fn data(&self) -> &str {
        self.data.to_str().unwrap_or_default()
    }

    fn configure(&self, lines: &str) -> Outcome<()> {
        let path = self.data.join("postgresql.conf");
        let mut file = OpenOptions::new().append(true).open(path)?;
        Ok(file.write_all(lines.as_bytes())?)
    }

    fn start(&self) -> Outcome<()> {
        let log = self.shared.folder.join(format!("{}.log", self.name));
        let log = log.to_str().unwrap_or_default();
        self.run("pg_ctl", &["-D", self.data(), "-l", log, "-w", "-t", "60", "start"]).map(drop)
    }

    fn stop(&self, how: &str) -> Outcome<()> {
        self.run("pg_ctl", &["-D", self.data(), "-m", how, "-w", "-t", "60", "stop"]).map(drop)
    }

    /// Asks it something, as an administrator would.
    pub(crate) fn sql(&self, database: &str, statement: &str) -> Outcome<String> {
        let place = format!("host=127.0.0.1 port={} user=chat dbname={database}", self.port);
        Ok(self.run("psql", &["-XqAt", &place, "-c", statement])?.trim().to_owned())
    }

    /// The numbers of its processes, that of all others first.
    fn processes(&self) -> Outcome<Vec<i32>> {
        let text = fs::read_to_string(self.data.join("postmaster.pid"))?;
        let first: i32 = text.lines().next().ok_or("an empty postmaster.pid")?.parse()?;
        let mut found = vec![first];
        for entry in fs::read_dir("/proc")?.filter_map(Result::ok) {
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            // The name stands in brackets and may have blanks.
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            if parent.and_then(|word| word.parse().ok()) == Some(first) {
                found.extend(entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
            }
        }
        Ok(found)
    }

    fn signal(&self, signal: Signal) -> Outcome<()> {
        for process in self.processes()? {
            // It may have ended meanwhile.
            let _ = Pid::from_raw(process).map(|pid| kill_process(pid, signal));
        }
        Ok(())
    }

    /// Makes it a copy of `primary`, which it follows.
    fn follow(&self, primary: &Self) -> Outcome<()> {
        if self.data.exists() {
            fs::remove_dir_all(&self.data)?;
        }
        self.run(
            "pg_basebackup",
            &["-D", self.data(), "-R", "-c", "fast", "-d", &primary.place(self)],
        )?;
        self.configure(&format!("port = {}\n", self.port))?;
        self.start()
    }

    /// Where `standby` finds it.
    fn place(&self, standby: &Self) -> String {
        format!("host=127.0.0.1 port={} user=chat application_name={}", self.port, standby.name)
    }

    /// Bytes of the log that it has.
    fn received(&self) -> Outcome<u64> {
        let lsn = "SELECT pg_wal_lsn_diff(greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), \
                   pg_last_wal_replay_lsn()), '0/0')::bigint";
        Ok(self.sql("postgres", lsn)?.parse()?)
    }
}

impl Trio {
    /// A primary with two standbys, of which a commit waits for one unless `is_asynchronous`.
    pub(crate) fn start(folder: &Path, is_asynchronous: bool) -> Outcome<Self> {
        let bin = newest_bin()?;
        let account = if getuid().is_root() { Some(account("postgres")?) } else { None };
        fs::create_dir_all(folder)?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
        if let Some((user, group)) = account {
            chown(folder, Some(user), Some(group))?;
        }
        let shared = Shared { bin, folder: folder.to_owned(), account };
        let names = ["one", "two", "three"];
        let all: Vec<_> = names.iter().map(|name| Postgres::new(&shared, name)).collect();
        let trio = Self { all, primary: 0 };
        let [one, standbys @ ..] = &*trio.all else { return Err("none".into()) };
        let locale = ["--encoding", "UTF8", "--locale", "C"];
        let words = ["-D", one.data(), "-U", "chat", "--auth", "trust", "--no-sync"];
        one.run("initdb", &[&words[..], &locale].concat())?;
        let sockets = format!("unix_socket_directories = '{}'\n", folder.display());
        one.configure(&format!("{SETTINGS}{sockets}port = {}\n", one.port))?;
        one.start()?;
        one.sql("postgres", "CREATE DATABASE chat")?;
        if !is_asynchronous {
            // It holds here once the standbys are there: until then nothing would be committed.
            one.configure(SYNCHRONOUS)?;
        }
        for standby in standbys {
            standby.follow(one)?;
        }
        one.run("pg_ctl", &["-D", one.data(), "reload"])?;
        Ok(trio)
    }

    /// Where they listen.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.all.iter().map(|one| one.port).collect()
    }

    fn primary(&self) -> Outcome<&Postgres> {
        Ok(self.all.get(self.primary).ok_or("no primary")?)
    }

    fn standbys(&self) -> impl Iterator<Item = (usize, &Postgres)> {
        self.all.iter().enumerate().filter(|(index, _)| *index != self.primary)
    }

    /// Ends the primary without a word.
    pub(crate) fn kill_primary(&self) -> Outcome<()> {
        self.primary()?.signal(Signal::KILL)
    }

    /// Has the primary do nothing, as a machine that is frozen.
    pub(crate) fn pause_primary(&self) -> Outcome<()> {
        self.primary()?.signal(Signal::STOP)
    }

    /// Has the primary of this number go on.
    pub(crate) fn resume(&self, index: usize) -> Outcome<()> {
        self.all.get(index).ok_or("no such engine")?.signal(Signal::CONT)
    }

    /// Ends the primary without a word, and starts it again.
    pub(crate) fn restart_primary(&self) -> Outcome<()> {
        self.primary()?.stop("immediate")?;
        self.primary()?.start()
    }

    /// Has both standbys do nothing.
    pub(crate) fn pause_standbys(&self) -> Outcome<()> {
        self.standbys().try_for_each(|(_, standby)| standby.signal(Signal::STOP))
    }

    /// Has both standbys go on.
    pub(crate) fn resume_standbys(&self) -> Outcome<()> {
        self.standbys().try_for_each(|(_, standby)| standby.signal(Signal::CONT))
    }

    /// Makes the standby that has most the primary, as a supervisor does that has lost the other
    /// one; the third follows it.
    pub(crate) fn promote(&mut self) -> Outcome<()> {
        let mut best = None;
        for (index, standby) in self.standbys() {
            let received = standby.received()?;
            if best.is_none_or(|(most, _)| received > most) {
                best = Some((received, index));
            }
        }
        let (_, next) = best.ok_or("no standby")?;
        let old = std::mem::replace(&mut self.primary, next);
        let primary = self.primary()?.clone();
        primary.run("pg_ctl", &["-D", primary.data(), "-w", "promote"])?;
        for (_, standby) in self.standbys().filter(|(index, _)| *index != old) {
            let place = primary.place(standby);
            let set = format!("ALTER SYSTEM SET primary_conninfo = '{place}'");
            standby.sql("postgres", &set)?;
            standby.sql("postgres", "SELECT pg_reload_conf()")?;
        }
        Ok(())
    }

    /// Builds the engine that was the primary anew, as a standby.
    pub(crate) fn rebuild(&self, index: usize) -> Outcome<()> {
        let old = self.all.get(index).ok_or("no such engine")?;
        // It may have ended already.
        let _ = old.stop("immediate");
        old.follow(self.primary()?)
    }
}

impl Drop for Trio {
    fn drop(&mut self) {
        for one in &self.all {
            // A failed run leaves nothing behind, also if it was paused.
            let _ = one.signal(Signal::CONT);
            let _ = one.stop("immediate");
        }
    }
}

/// The programs of the newest version that is installed.
fn newest_bin() -> Outcome<PathBuf> {
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let found = fs::read_dir("/usr/lib/postgresql")?.filter_map(Result::ok).map(|it| it.path());
    let newest = found.filter(|path| version(path).is_some()).max_by_key(version);
    Ok(newest.ok_or("no PostgreSQL is installed")?.join("bin"))
}

/// User and group of an account of this machine.
fn account(name: &str) -> Outcome<(u32, u32)> {
    let text = fs::read_to_string("/etc/passwd")?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let row = fields.into_iter().find(|row| row.first() == Some(&name));
    let row = row.ok_or_else(|| format!("no account {name}"))?;
    let number = |at: usize| row.get(at).and_then(|word| word.parse().ok());
    Ok(number(2).zip(number(3)).ok_or("an account without a number")?)
}
