//! `fulldisk`: the disk has no room, or no inodes, or refuses to write or to sync; then it does
//! again.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::json;

use crate::Outcome;
use crate::client::{Behaviour, Client, room_name};
use crate::clients::{Clients, Size};
use crate::final_checks::{BACK_WITHIN, check_memberships, judge, read_back, wait_until_settled};
use crate::observed::user_name;
use crate::prober::Prober;
use crate::server::{Server, Setup};

const SIZE: Size = Size { clients: 6, users: 6, rooms: 2, rooms_each: 1 };
/// Slow enough that the conversation itself never fills the disk.
const BEHAVIOUR: Behaviour = Behaviour { window: 1, text_bytes: 200, change_once_in: 0 };
/// Bytes that the ballast leaves, which the conversation then takes.
const LEFT_BYTES: u64 = 300 * 1024;
/// How long it may take until the conversation has filled the disk.
const FULL_WITHIN: Duration = Duration::from_secs(20);
/// How long the trouble lasts.
const TROUBLE: Duration = Duration::from_millis(400);
/// How long after the end of the trouble sends must be taken again.
const SERVICE_WITHIN: Duration = Duration::from_secs(5);
/// How long clients that were told to retry may take until they have sent.
const RETRIED_WITHIN: Duration = Duration::from_secs(10);
/// Which syncs fail: from which one on, counted from the start, and how many.
const FAILED_SYNCS: [(u64, u64); 6] = [(2, 1), (5, 1), (17, 1), (60, 1), (150, 1), (40, 6)];

/// A server in trouble, with those who talk to it.
struct Run {
    setup: Setup,
    clients: Clients,
    server: Server,
    ballast: PathBuf,
    slowest: Duration,
    /// A message that may be deleted.
    spare: Option<u64>,
}

/// Fills and frees the disk so often, then makes the other kinds of trouble. `disk` is a small file
/// system of its own.
pub(crate) fn run(binary: &str, folder: &Path, disk: &Path, times: u32, seed: u64) -> Outcome<()> {
    let mut setup = Setup::new(folder, binary, "tests/torture/fulldisk.toml")?;
    setup.data = disk.join("data");
    let server = setup.start_well()?;
    let clients = Clients::new(SIZE, BEHAVIOUR, seed)?;
    let ballast = disk.join("ballast");
    let mut run = Run { setup, clients, server, ballast, slowest: Duration::ZERO, spare: None };
    run.everybody_is_here()?;
    for time in 1..=times {
        run.fill_and_free().map_err(|error| format!("the {time}. time: {error}"))?;
    }
    run.tell(&format!("the disk was full {times} times"));
    run.start_full()?;
    run.tell("the disk was full at the start");
    run.limit_file_size()?;
    run.tell("no file might grow (RLIMIT_FSIZE)");
    run.refuse_writes()?;
    run.tell("the files were read-only (EROFS)");
    run.without_inodes()?;
    run.tell("there was no inode");
    for (from, count) in FAILED_SYNCS {
        run.fail_syncs(from, count)
            .map_err(|error| format!("{count} syncs from the {from}. failed: {error}"))?;
    }
    run.tell("syncs failed (EIO)");
    run.end()
}

impl Run {
    fn tell(&mut self, what: &str) {
        let slowest = std::mem::take(&mut self.slowest);
        println!("  {what}: service again after at most {} ms", slowest.as_millis());
    }

    fn everybody_is_here(&mut self) -> Outcome<()> {
        self.clients.set_addresses(self.server.http, self.server.tcp);
        self.clients.until(Instant::now() + BACK_WITHIN, "here", Client::is_here)?;
        self.service(Instant::now() + BACK_WITHIN)
    }

    /// Until each client has had one more send taken.
    fn service(&mut self, deadline: Instant) -> Outcome<()> {
        let before: Vec<_> = self.clients.clients.iter().map(|client| client.acked).collect();
        loop {
            let mut pairs = self.clients.clients.iter().zip(&before);
            if pairs.all(|(client, before)| client.acked > *before) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err("sends are not taken".into());
            }
            self.clients.turn(deadline)?;
        }
    }

    /// The trouble is over: service must be back soon.
    fn recovered(&mut self) -> Outcome<()> {
        let begin = Instant::now();
        let mut prober = Prober::connect(self.server.tcp, "prober")?;
        loop {
            self.spare = taken(&mut prober)?;
            if self.spare.is_some() {
                break;
            }
            if begin.elapsed() > SERVICE_WITHIN {
                return Err("sends are not taken".into());
            }
            self.clients.turn(Instant::now() + Duration::from_millis(20))?;
        }
        self.slowest = self.slowest.max(begin.elapsed());
        self.service(Instant::now() + RETRIED_WITHIN)?;
        self.is_alive()
    }

    fn is_alive(&mut self) -> Outcome<()> {
        if self.server.has_ended()? { Err("the server has ended".into()) } else { Ok(()) }
    }

    /// Sends refused so far, with these codes or any.
    fn refusals(&self, codes: &[u16]) -> u64 {
        let counts = self.clients.clients.iter().flat_map(|client| &client.refusals);
        let is_one = |code: &u16| codes.is_empty() || codes.contains(code);
        counts.filter(|(code, _)| is_one(code)).map(|(_, count)| count).sum()
    }

    /// Talks until somebody is refused, then on for a while in which nothing else may stop.
    fn in_trouble(&mut self, codes: &[u16]) -> Outcome<()> {
        let (before, of_others) = (self.refusals(codes), self.refusals(&[]) - self.refusals(codes));
        let deadline = Instant::now() + FULL_WITHIN;
        while self.refusals(codes) == before {
            self.is_alive()?;
            if Instant::now() > deadline {
                return Err(format!("nobody was refused with {codes:?}").into());
            }
            self.clients.turn((Instant::now() + Duration::from_millis(50)).min(deadline))?;
        }
        self.others_go_on()?;
        self.clients.run_until(Instant::now() + TROUBLE)?;
        self.others_go_on()?;
        match self.refusals(&[]) - self.refusals(codes) - of_others {
            0 => Ok(()),
            count => {
                Err(format!("{count} sends were refused with another code than {codes:?}").into())
            }
        }
    }

    /// What needs no place on the disk is done: history, presence, the inbox, rooms in memory.
    fn others_go_on(&mut self) -> Outcome<()> {
        let mut prober = Prober::connect(self.server.tcp, &user_name(0))?;
        let room = room_name(0);
        let page = prober.ask(&json!({"op": "history", "room": room, "limit": 20}))?;
        if page["items"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("an empty page: {page}").into());
        }
        prober.ask(&json!({"op": "presence", "room": room}))?;
        prober.ask(&json!({"op": "rooms"}))?;
        prober.ask(&json!({"op": "join", "room": "memory/lobby"}))?;
        let sent =
            prober.ask(&json!({"op": "send", "room": "memory/lobby", "text": "still here"}))?;
        if sent["durable"] == "memory" { Ok(()) } else { Err(format!("memory? {sent}").into()) }
    }

    fn fill_and_free(&mut self) -> Outcome<()> {
        fill(&self.ballast)?;
        self.in_trouble(&[5005])?;
        self.make_room_by_deletion()?;
        File::create(&self.ballast)?;
        self.recovered()
    }

    /// What makes room can be done without any.
    fn make_room_by_deletion(&mut self) -> Outcome<()> {
        let Some(seq) = self.spare.take() else { return Ok(()) };
        let mut prober = Prober::connect(self.server.tcp, "prober")?;
        let deadline = Instant::now() + SERVICE_WITHIN;
        let deletion = json!({"op": "delete", "room": "probe", "target": seq});
        loop {
            let reply = prober.request(&deletion)?;
            match reply["code"].as_u64() {
                Some(0) => break,
                Some(5005) if Instant::now() < deadline => {}
                _ => return Err(format!("a deletion was answered with {reply}").into()),
            }
            self.clients.turn(Instant::now() + Duration::from_millis(20))?;
        }
        let sent = prober.request(&json!({"op": "send", "room": "probe", "text": "no"}))?;
        if sent["code"] == 5005 { Ok(()) } else { Err(format!("there is no room: {sent}").into()) }
    }

    /// A server that is started without room serves what needs none, and so does `erase-user`.
    fn start_full(&mut self) -> Outcome<()> {
        fill(&self.ballast)?;
        self.in_trouble(&[5005])?;
        self.clients.disconnect_all()?;
        self.server.stop()?;
        let (status, said) = self.setup.command(&["erase-user", "prober", "--yes"])?;
        if !said.contains("erased") {
            return Err(format!("erase-user: {status}: {said}").into());
        }
        fill(&self.ballast)?;
        self.server = self.setup.start_well()?;
        self.clients.set_addresses(self.server.http, self.server.tcp);
        self.clients.until(Instant::now() + BACK_WITHIN, "here", Client::is_here)?;
        self.in_trouble(&[5005])?;
        File::create(&self.ballast)?;
        self.recovered()
    }

    /// Files may not grow any more: `EFBIG`, and a signal that must not kill it.
    fn limit_file_size(&mut self) -> Outcome<()> {
        let pid = Pid::from_raw(i32::try_from(self.server.pid())?);
        let small = Rlimit { current: Some(4096), maximum: None };
        prlimit(pid, Resource::Fsize, small)?;
        self.in_trouble(&[5004, 5005])?;
        prlimit(pid, Resource::Fsize, Rlimit { current: None, maximum: None })?;
        self.recovered()
    }

    /// A file system on which files are open for writing cannot be made read-only, so that its
    /// answer is given instead.
    fn refuse_writes(&mut self) -> Outcome<()> {
        let calls = "pwrite64,ftruncate,fdatasync,fsync,unlink";
        let mut words = vec!["-e".to_owned(), format!("inject={calls}:error=EROFS")];
        for file in ["chinwag.db", "chinwag.db-wal"] {
            words.extend([
                "-P".to_owned(),
                self.setup.data.join(file).to_string_lossy().into_owned(),
            ]);
        }
        let mut strace = attach(self.server.pid(), calls, &words)?;
        self.in_trouble(&[5004, 5005])?;
        kill_process(Pid::from_child(&strace), Signal::INT)?;
        strace.wait()?;
        self.recovered()
    }

    /// No file has to be made, neither while it serves nor when it starts.
    fn without_inodes(&mut self) -> Outcome<()> {
        let folder = self.ballast.with_file_name("empty");
        fs::create_dir_all(&folder)?;
        take_inodes(&folder)?;
        self.service(Instant::now() + SERVICE_WITHIN)?;
        self.clients.disconnect_all()?;
        self.server.stop()?;
        self.server = self.setup.start_well()?;
        let begin = Instant::now();
        self.everybody_is_here()?;
        self.slowest = self.slowest.max(begin.elapsed());
        fs::remove_dir_all(&folder)?;
        Ok(())
    }

    /// Starts it anew so that some of its syncs fail.
    fn fail_syncs(&mut self, from: u64, count: u64) -> Outcome<()> {
        self.clients.disconnect_all()?;
        self.server.stop()?;
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={from}..{}", from + count - 1);
        let trace = self.setup.log.with_file_name("strace");
        let to = trace.to_string_lossy();
        let calls = "trace=fdatasync,fsync";
        let words = ["strace", "-D", "-f", "-qq", "-o", &to, "-e", calls, "-e", &inject];
        let wrapped = self.setup.under(&words.map(str::to_owned));
        let started = wrapped.start()?;
        // It may refuse to start if it cannot write; then it is started again, as whoever runs it
        // would.
        let is_wrapped = started.is_some();
        self.server = match started {
            Some(server) => server,
            None => self.setup.start_well()?,
        };
        self.clients.set_addresses(self.server.http, self.server.tcp);
        let deadline = Instant::now() + BACK_WITHIN;
        self.clients.until(deadline, "here", Client::is_here)?;
        while is_wrapped && injected(&trace)? < count {
            if Instant::now() > deadline {
                return Err(format!("only {} syncs have failed", injected(&trace)?).into());
            }
            self.is_alive()?;
            self.clients.turn((Instant::now() + Duration::from_millis(50)).min(deadline))?;
        }
        self.recovered()
    }

    fn end(mut self) -> Outcome<()> {
        wait_until_settled(&mut self.clients, &self.server)?;
        read_back(&mut self.clients, &self.server)?;
        check_memberships(&mut self.clients, &self.server)?;
        self.clients.disconnect_all()?;
        self.server.stop()?;
        self.setup.assert_no_panic()?;
        println!("  {} sends acknowledged, {} refused", self.clients.acked().0, self.refusals(&[]));
        judge(&self.clients, None)?;
        self.setup.verify()
    }
}

/// Whether a send is taken, in a room of its own: its seq.
fn taken(prober: &mut Prober) -> Outcome<Option<u64>> {
    let joined = prober.request(&json!({"op": "join", "room": "probe"}))?;
    let sent = prober.request(&json!({"op": "send", "room": "probe", "text": "there?"}))?;
    let is_taken = joined["code"] == 0 && sent["code"] == 0 && sent["data"]["durable"] == "disk";
    Ok(sent["data"]["seq"].as_u64().filter(|_| is_taken))
}

/// Takes all the room that there is, but for a little.
fn fill(ballast: &Path) -> Outcome<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(ballast)?;
    let block = vec![0; 64 * 1024];
    loop {
        match file.write(&block) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => return Err(error.into()),
        }
    }
    let len = file.metadata()?.len();
    let left = len.checked_sub(LEFT_BYTES).ok_or("the conversation itself has filled the disk")?;
    Ok(file.set_len(left)?)
}

fn take_inodes(folder: &Path) -> Outcome<()> {
    for number in 0.. {
        match File::create(folder.join(format!("{number}"))) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// How many calls `strace` has made fail so far.
fn injected(trace: &Path) -> Outcome<u64> {
    let lines = fs::read_to_string(trace)?;
    Ok(u64::try_from(lines.lines().filter(|line| line.contains("(INJECTED)")).count())?)
}

/// Starts `strace` on a process that runs, and waits until it has all of its threads.
fn attach(pid: u32, calls: &str, words: &[String]) -> Outcome<Child> {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("trace={calls}")]).args(words);
    command.args(["-p", &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?).lines();
    loop {
        let line = lines.next().ok_or("strace has ended")??;
        if line.contains("attached") {
            break;
        }
    }
    // What it says later must find somebody who reads.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(child)
}
