//! The thread that writes the lines, and the bounded way to it.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use log::kv::Value;
use log::{Level, Record};

use super::{Format, Output, line, timestamp};

/// Lines that may wait for the writer; the next one is dropped and counted.
const QUEUE_LINES_MAX: usize = 2048;
/// Bytes after which the writer stops collecting lines and writes them.
const BATCH_BYTES: usize = 64 * 1024;
/// The name of the thread.
const THREAD_NAME: &str = "log";
/// How long the end of the process, or a panic, waits for the queue to take its job, and again for
/// the writer to have done it.
pub(super) const PATIENCE: Duration = Duration::from_millis(if cfg!(test) { 3_000 } else { 500 });
/// Attempts at a full queue in that time.
const ATTEMPTS: u32 = 50;

/// Lines dropped since the process began. The log is the process's, and so is its count.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that were dropped since the process began, because the writer could not keep up or
/// standard error could not be written.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// A job of the thread.
enum Job {
    Write(Vec<u8>),
    /// Write all, then answer.
    WriteNow(Vec<u8>, SyncSender<()>),
    /// Write what was asked for until now, then open the file anew.
    Reopen,
    /// Write what was asked for until now, and end.
    Stop,
}

/// A way to the thread: never waits.
#[derive(Clone)]
pub(super) struct Sink {
    jobs: SyncSender<Job>,
    /// Lines dropped since the log last said so.
    lost: Arc<AtomicU64>,
}

impl Sink {
    /// Writes the line before all later ones and waits for that, within bounds. `false` if the
    /// thread did not take it: the caller must then write it by other means.
    pub(super) fn write_now(&self, line: &[u8]) -> bool {
        // The log thread would wait for itself.
        if thread::current().name() == Some(THREAD_NAME) {
            return false;
        }
        let (answer, answered) = sync_channel(1);
        if !self.insist(Job::WriteNow(line.to_vec(), answer), &answered) {
            return false;
        }
        // A timeout means that the reader of standard error has stopped. Writing there directly
        // would fare no better, so the line counts as taken.
        answered.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Disconnected)
    }

    /// Has the file opened anew, after all lines so far.
    pub(super) fn reopen(&self) {
        // Where the queue is full the file is not opened: whoever rotates asks again.
        _ = self.jobs.try_send(Job::Reopen);
    }

    /// Hands over a job even if the queue is full for a while. Between two attempts it waits
    /// on `answered`, which also ends early when the writer has gone.
    fn insist(&self, mut job: Job, answered: &Receiver<()>) -> bool {
        for _ in 0..ATTEMPTS {
            job = match self.jobs.try_send(job) {
                Ok(()) => return true,
                Err(TrySendError::Full(job)) => job,
                Err(TrySendError::Disconnected(_)) => return false,
            };
            _ = answered.recv_timeout(PATIENCE / ATTEMPTS);
        }
        false
    }
}

/// Takes each buffer as a line, or drops and counts it.
impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.jobs.try_send(Job::Write(line.to_vec())).is_err() {
            count(&self.lost, 1);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn count(lost: &AtomicU64, lines: u64) {
    lost.fetch_add(lines, Ordering::Relaxed);
    DROPPED.fetch_add(lines, Ordering::Relaxed);
}

/// Holds the log open. When it is dropped, what waits is written, for at most a second.
pub struct Guard {
    sink: Sink,
    ended: Receiver<()>,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

impl Guard {
    /// Starts the thread, which writes to `out`.
    pub(super) fn start(format: Format, out: impl Output + Send + 'static) -> io::Result<Self> {
        let (jobs, queue) = sync_channel(QUEUE_LINES_MAX);
        let (end, ended) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let mut writer = Writer::new(format, out, Arc::clone(&lost));
        thread::Builder::new().name(THREAD_NAME.to_owned()).spawn(move || {
            writer.run(&queue);
            // If this fails, the guard was dropped without waiting.
            _ = end.send(());
        })?;
        Ok(Self { sink: Sink { jobs, lost }, ended })
    }

    pub(super) fn sink(&self) -> Sink {
        self.sink.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.sink.insist(Job::Stop, &self.ended) {
            _ = self.ended.recv_timeout(PATIENCE);
        }
    }
}

/// What is to be done after a write.
enum Then {
    GoOn,
    Answer(SyncSender<()>),
    Reopen,
    End,
}

/// What the thread works with.
struct Writer<W> {
    format: Format,
    out: W,
    lost: Arc<AtomicU64>,
    /// Lines that go out in one write.
    batch: Vec<u8>,
    /// Their number.
    lines: u64,
    /// The last line was written in part: its disk is full, or was.
    is_torn: bool,
}

impl<W: Output> Writer<W> {
    fn new(format: Format, out: W, lost: Arc<AtomicU64>) -> Self {
        let is_torn = out.is_torn().unwrap_or(false);
        Self { format, out, lost, batch: Vec::new(), lines: 0, is_torn }
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let then = self.fill_batch(first, queue);
            self.write_batch();
            match then {
                Then::GoOn => {}
                // The caller may have stopped waiting.
                Then::Answer(answer) => _ = answer.try_send(()),
                Then::Reopen => self.reopen(),
                Then::End => return,
            }
        }
    }

    /// Goes on in a file of the same name, which may be another one. If there can be none, the
    /// lines go where they went.
    fn reopen(&mut self) {
        let reopened = self.out.reopen();
        // The rest of a line that was cut has no place in another file.
        self.is_torn = self.out.is_torn().unwrap_or(self.is_torn);
        let Err(error) = reopened else { return };
        let error = error.to_string();
        let pairs = [("error", Value::from(error.as_str()))];
        self.say(
            &pairs,
            format_args!("the log file cannot be opened anew: lines go where they went"),
        );
        self.write_batch();
    }

    /// Adds a line of the log about itself.
    fn say(&mut self, pairs: &[(&str, Value<'_>)], what: fmt::Arguments<'_>) {
        let mut builder = Record::builder();
        builder.level(Level::Warn).target(module_path!()).key_values(&pairs);
        let line = line::record(self.format, timestamp::now(), &builder.args(what).build());
        self.batch.extend_from_slice(line.as_bytes());
    }

    /// Takes jobs until one wants something done after the write, the batch is full or the queue is
    /// empty.
    fn fill_batch(&mut self, first: Job, queue: &Receiver<Job>) -> Then {
        let mut next = Some(first);
        while let Some(job) = next {
            match job {
                Job::Write(line) => self.push(&line),
                Job::WriteNow(line, answer) => {
                    self.push(&line);
                    return Then::Answer(answer);
                }
                Job::Reopen => return Then::Reopen,
                Job::Stop => return Then::End,
            }
            next = if self.batch.len() < BATCH_BYTES { queue.try_recv().ok() } else { None };
        }
        Then::GoOn
    }

    fn push(&mut self, line: &[u8]) {
        self.batch.extend_from_slice(line);
        self.lines += 1;
    }

    fn write_batch(&mut self) {
        // The note about dropped lines comes where they would have been, after the batch.
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            self.say(&[("dropped", Value::from(lost))], format_args!("log lines were dropped"));
        }
        if self.is_torn && !self.batch.is_empty() {
            // So that the next line is one of its own.
            self.batch.insert(0, b'\n');
        }
        let written = self.write_all().and_then(|()| self.out.flush());
        // Nothing can be reported here, since the report would go the same way: the lines are
        // counted.
        if written.is_err() {
            count(&self.lost, self.lines);
            self.lost.fetch_add(lost, Ordering::Relaxed);
        }
        self.batch.clear();
        self.lines = 0;
    }

    fn write_all(&mut self) -> io::Result<()> {
        let mut rest = &*self.batch;
        while !rest.is_empty() {
            match self.out.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    let (done, left) = rest.split_at(written);
                    self.is_torn = done.last() != Some(&b'\n');
                    rest = left;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::super::output::LogFile;
    use super::*;

    /// Says when a write begins, waits for leave, and hands on what was written.
    struct Gate {
        entered: Sender<()>,
        leave: Receiver<()>,
        written: Sender<String>,
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            _ = self.entered.send(());
            self.leave.recv().map_err(io::Error::other)?;
            self.written.send(String::from_utf8_lossy(bytes).into_owned()).unwrap();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Gate {
        fn reopen(&mut self) -> io::Result<()> {
            Err(io::Error::other("nowhere"))
        }
    }

    /// The test's side of a gate.
    struct Keeper {
        entered: Receiver<()>,
        leave: Sender<()>,
        written: Receiver<String>,
    }

    fn gated() -> (Guard, Keeper) {
        let (entered, told) = channel();
        let (leave, gate) = channel();
        let (written, seen) = channel();
        let guard = Guard::start(Format::Text, Gate { entered, leave: gate, written }).unwrap();
        (guard, Keeper { entered: told, leave, written: seen })
    }

    #[test]
    fn a_writer_that_stands_still_makes_nobody_wait_and_what_is_dropped_is_said() {
        let (guard, keeper) = gated();
        let mut sink = guard.sink();
        sink.write_all(b"line\n").unwrap();
        keeper.entered.recv().unwrap();
        for _ in 0..QUEUE_LINES_MAX + 1_000 {
            sink.write_all(b"line\n").unwrap();
        }
        assert!(dropped() >= 1_000);
        keeper.leave.send(()).unwrap();
        keeper.leave.send(()).unwrap();
        drop(guard);
        let all: String = keeper.written.try_iter().collect();
        assert_eq!(all.matches("line\n").count(), 1 + QUEUE_LINES_MAX);
        let said = "WARN  log::sink log lines were dropped dropped=1000\n";
        assert!(all.ends_with(said), "{:?}", all.lines().last());
    }

    #[test]
    fn the_guard_waits_until_everything_is_written() {
        let (guard, keeper) = gated();
        let mut sink = guard.sink();
        let lines: Vec<_> = (0..100).map(|n| format!("{n}\n")).collect();
        for line in &lines {
            sink.write_all(line.as_bytes()).unwrap();
            keeper.leave.send(()).unwrap();
        }
        drop(guard);
        assert_eq!(keeper.written.try_iter().collect::<String>(), lines.concat());
    }

    #[test]
    fn the_guard_does_not_wait_for_a_writer_that_never_comes_back() {
        let (guard, keeper) = gated();
        guard.sink().write_all(b"line\n").unwrap();
        drop(guard);
        assert_eq!(keeper.written.try_iter().count(), 0);
    }

    #[test]
    fn an_urgent_line_comes_after_those_before_it_and_is_written_when_the_call_returns() {
        let (guard, keeper) = gated();
        let mut sink = guard.sink();
        sink.write_all(b"first\n").unwrap();
        keeper.leave.send(()).unwrap();
        keeper.leave.send(()).unwrap();
        assert!(sink.write_now(b"panicked\n"));
        let all: String = keeper.written.try_iter().collect();
        assert_eq!(all, "first\npanicked\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_anew_is_said_where_the_lines_go() {
        let (guard, keeper) = gated();
        guard.sink().reopen();
        // The write of what came before, which is nothing, has no bytes and passes no gate.
        keeper.leave.send(()).unwrap();
        drop(guard);
        let all: String = keeper.written.try_iter().collect();
        assert!(all.contains("cannot be opened anew") && all.ends_with("error=nowhere\n"), "{all}");
    }

    #[test]
    fn an_urgent_line_is_refused_when_the_writer_has_ended() {
        let (guard, _keeper) = gated();
        let sink = guard.sink();
        drop(guard);
        assert!(!sink.write_now(b"panicked\n"));
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (guard, keeper) = gated();
        let before = dropped();
        drop(keeper.leave);
        guard.sink().write_all(b"line\n").unwrap();
        drop(guard);
        assert!(dropped() > before);
    }

    /// A disk with so many free bytes.
    struct Disk(usize, String);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = &bytes[..bytes.len().min(self.0)];
            self.0 -= taken.len();
            self.1.push_str(&String::from_utf8_lossy(taken));
            if taken.is_empty() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(taken.len()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Output for Disk {
        fn reopen(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_was_cut_is_ended_where_it_was_begun_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let open = || Writer::new(Format::Text, LogFile::open(&path).unwrap(), Arc::default());
        let say = |writer: &mut Writer<LogFile>, line: &str| {
            writer.push(line.as_bytes());
            writer.write_batch();
            std::fs::read_to_string(&path).unwrap()
        };
        // The last process has left half a line.
        std::fs::write(&path, "ha").unwrap();
        let mut writer = open();
        assert_eq!(say(&mut writer, "first\n"), "ha\nfirst\n");
        // As if the disk had been full.
        say(&mut writer, "ha");
        writer.reopen();
        assert_eq!(say(&mut writer, "second\n"), "ha\nfirst\nha\nsecond\n");
        say(&mut writer, "ha");
        std::fs::remove_file(&path).unwrap();
        writer.reopen();
        assert_eq!(say(&mut writer, "third\n"), "third\n");
        assert_eq!(say(&mut open(), "fourth\n"), "third\nfourth\n");
    }

    #[test]
    fn a_line_that_a_full_disk_has_cut_does_not_run_into_the_next_one() {
        let mut writer = Writer::new(Format::Text, Disk(8, String::new()), Arc::default());
        for line in ["first\n", "second\n", "third\n", "fourth\n"] {
            writer.push(line.as_bytes());
            writer.write_batch();
            if line == "third\n" {
                writer.out.0 = 1_000;
            }
        }
        writer.push(b"fifth\n");
        writer.write_batch();
        let lines: Vec<_> = writer.out.1.lines().filter(|line| !line.contains("dropped")).collect();
        assert_eq!(lines, ["first", "se", "fourth", "fifth"]);
    }
}
