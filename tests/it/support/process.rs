//! A child process whose lines and end are awaited with a deadline.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use super::PATIENCE;

/// A running process, which is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    pid: Pid,
    lines: Receiver<String>,
    end: Receiver<ExitStatus>,
}

impl Process {
    /// Starts `command` with its standard output read line by line.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a program that can be started");
        let pid = Pid::from_child(&child);
        let stdout = child.stdout.take().expect("a piped standard output");
        Self { pid, lines: lines_of(stdout), end: end_of(child) }
    }

    /// Watches one that was started otherwise, and whose standard output nobody reads.
    pub(crate) fn of(child: Child) -> Self {
        let (_none, lines) = mpsc::channel();
        Self { pid: Pid::from_child(&child), lines, end: end_of(child) }
    }

    /// The next line of its standard output, or `None` when that has ended.
    #[track_caller]
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no line on standard output"),
        }
    }

    /// Its number, for `/proc`.
    pub(crate) fn id(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Sends it `signal`; nothing happens if it has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        // A process that has ended by itself meanwhile is what `end` reports.
        let _ = kill_process(self.pid, signal);
    }

    /// Waits until it has ended.
    #[track_caller]
    pub(crate) fn end(&self) -> ExitStatus {
        self.end.recv_timeout(PATIENCE).expect("the process to end")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Once the process was waited for, the kernel may give its number to another one.
        if matches!(self.end.try_recv(), Err(mpsc::TryRecvError::Empty)) {
            self.signal(Signal::KILL);
        }
    }
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Read on when nobody listens any more, so that the process never meets a full pipe.
            drop(sender.send(line));
        }
    });
    receiver
}

fn end_of(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let status = child.wait().expect("a child to wait for");
        let _ = sender.send(status);
    });
    receiver
}
