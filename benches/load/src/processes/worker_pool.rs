//! The processes that do a run together: started, read from, told to begin, ended.

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use mio::unix::pipe::Receiver;
use mio::{Events, Interest, Poll, Token};

use super::start_signal::{GO, OPENED, READY};
use crate::results::Results;
use crate::share::Share;

/// Bytes of what a process says on its standard error that are kept: the last ones.
const WORDS_MAX: usize = 4096;

/// How far a process has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// It was started.
    Begun,
    /// All of its connections are open.
    Opened,
    /// It waits for the word to begin.
    Ready,
    /// It has said what came of it.
    Done,
}

/// All processes of a run. They are killed when it is dropped.
#[derive(Debug)]
pub(super) struct WorkerPool {
    poll: Poll,
    events: Events,
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    child: Child,
    /// Held open to the end: the process ends when it is closed.
    stdin: Option<ChildStdin>,
    out: Stream,
    err: Stream,
    step: Step,
    results: Option<Results>,
    /// Why there will be none.
    failure: Option<String>,
}

impl WorkerPool {
    /// Starts `count` processes of `program`, each with its share of what `words` say.
    pub(super) fn start(program: &Path, words: &[OsString], count: u32) -> io::Result<Self> {
        let poll = Poll::new()?;
        let start = |index| Worker::start(program, words, Share::new(index, count), &poll);
        let workers = (0..count).map(start).collect::<io::Result<_>>()?;
        Ok(Self { poll, events: Events::with_capacity(64), workers })
    }

    /// Waits at most `patience` for a process to write something.
    pub(super) fn poll(&mut self, patience: Duration) {
        // Interrupted or not, the reads tell.
        _ = self.poll.poll(&mut self.events, Some(patience));
        for worker in &mut self.workers {
            worker.poll();
        }
    }

    /// Has all of them begin.
    pub(super) fn begin(&mut self) {
        for stdin in self.workers.iter_mut().filter_map(|worker| worker.stdin.as_mut()) {
            // The failure of a process that has ended is found when its output is read.
            _ = writeln!(stdin, "{GO}");
        }
    }

    /// Whether everybody has come so far.
    pub(super) fn has_reached(&self, step: Step) -> bool {
        self.workers.iter().all(|worker| worker.step >= step)
    }

    /// Whether anybody is through.
    pub(super) fn has_one_through(&self) -> bool {
        self.workers.iter().any(|worker| worker.step == Step::Done)
    }

    /// Which of them has ended without results, and how.
    pub(super) fn failure(&self) -> Option<String> {
        let count = self.workers.len();
        let mut failures = (1..).zip(&self.workers);
        failures.find_map(|(nth, worker)| {
            let (failure, pid) = (worker.failure.as_ref()?, worker.child.id());
            Some(format!("process {nth} of {count} (pid {pid}) {failure}"))
        })
    }

    /// What each has said to have come of it.
    pub(super) fn into_results(mut self) -> Vec<Option<Results>> {
        self.workers.iter_mut().map(|worker| worker.results.take()).collect()
    }
}

impl Worker {
    fn start(program: &Path, words: &[OsString], share: Share, poll: &Poll) -> io::Result<Self> {
        let mut command = Command::new(program);
        command.arg(format!("--share={share}")).args(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let out = Stream::new(child.stdout.take().map(Receiver::from), poll);
        let err = Stream::new(child.stderr.take().map(Receiver::from), poll);
        let stdin = child.stdin.take();
        let mut worker = Self {
            child,
            stdin,
            out: Stream::default(),
            err: Stream::default(),
            step: Step::Begun,
            results: None,
            failure: None,
        };
        // From here on it is killed if something fails.
        (worker.out, worker.err) = (out?, err?);
        Ok(worker)
    }

    fn poll(&mut self) {
        self.err.read();
        self.err.forget_but(WORDS_MAX);
        self.out.read();
        while let Some(line) = self.out.line() {
            self.take(&line);
        }
        if self.out.pipe.is_none() && self.step < Step::Done && self.failure.is_none() {
            self.failure = Some(self.last_words());
        }
    }

    fn take(&mut self, line: &[u8]) {
        let is = |word: &str| line == word.as_bytes();
        if is(OPENED) {
            self.step = self.step.max(Step::Opened);
        } else if is(READY) {
            self.step = self.step.max(Step::Ready);
        } else if let Ok(results) = serde_json::from_slice(line) {
            self.step = Step::Done;
            self.results = Some(results);
        } else {
            // Whatever it is, it is no protocol of ours: enough of it is shown to recognize it.
            let said: String = String::from_utf8_lossy(line).chars().take(200).collect();
            self.failure = Some(format!("said {said:?}"));
        }
    }

    /// How it has ended, and what it said.
    fn last_words(&mut self) -> String {
        let status =
            self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        self.err.read();
        self.err.forget_but(WORDS_MAX);
        let said = String::from_utf8_lossy(&self.err.bytes);
        let said = said.trim();
        if said.is_empty() {
            format!("ended before it was through ({status})")
        } else {
            format!("ended before it was through ({status}) and said: {said}")
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What a process writes to one of its standard streams.
#[derive(Debug, Default)]
struct Stream {
    /// `None` after its end.
    pipe: Option<Receiver>,
    bytes: Vec<u8>,
}

impl Stream {
    fn new(mut pipe: Option<Receiver>, poll: &Poll) -> io::Result<Self> {
        if let Some(pipe) = &mut pipe {
            pipe.set_nonblocking(true)?;
            // One token for all: each wake-up reads from every process.
            poll.registry().register(pipe, Token(0), Interest::READABLE)?;
        }
        Ok(Self { pipe, bytes: Vec::new() })
    }

    /// Reads all that is there.
    fn read(&mut self) {
        let mut chunk = [0; 16 * 1024];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut chunk) {
                Ok(len @ 1..) => {
                    self.bytes.extend_from_slice(chunk.get(..len).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(_) | Err(_) => self.pipe = None,
            }
        }
    }

    /// The next line that is complete.
    fn line(&mut self) -> Option<Vec<u8>> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.truncate(end);
        Some(line)
    }

    /// Forgets all but the last `len` bytes.
    fn forget_but(&mut self, len: usize) {
        let excess = self.bytes.len().saturating_sub(len);
        self.bytes.drain(..excess);
    }
}
