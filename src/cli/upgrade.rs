//! `chinwag upgrade`: asks the running server for an upgrade, and waits for what becomes of it.

use std::fs;
use std::io::{self, ErrorKind, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::config::Config;
use crate::server::upgrade::{Answer, answer_file};
use crate::store;
use crate::time::clock::Clock;

/// Between two looks at the answer.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// An upgrade is over after so many times `timeouts.upgrade`, one way or the other.
const TIMEOUTS: u32 = 9;
/// Nearly all upgrades are over by then: from there on it is said what is waited for.
const QUIET: Duration = Duration::from_secs(2);
/// For what the server does before and after it.
const MARGIN: Duration = Duration::from_secs(5);

/// Asks the server of the data directory, and prints what became of it.
pub(super) fn run(config: &Config) -> ExitCode {
    match ask(config) {
        Ok(text) => super::print(&format!("{text}\n")),
        Err(error) => {
            _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn ask(config: &Config) -> Result<String, String> {
    let data = &config.data;
    let found = store::server_of(data);
    let pid = found.map_err(|error| format!("cannot look into {}: {error}", data.display()))?;
    let pid = pid.and_then(Pid::from_raw).ok_or_else(|| {
        format!(
            "no server has its database in {}: name the directory of the one that runs (--data). \
             One whose rooms are all in memory has none: send it SIGUSR2",
            data.display()
        )
    })?;
    let path = answer_file(data);
    let written = Answer::Requested.write(&path).and_then(|()| store::give_to_owner(&path));
    written.map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::PermissionDenied => "; become its owner, or root",
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free space on its disk",
            _ => "",
        };
        format!("cannot write {}: {error}{remedy}", path.display())
    })?;
    let answer = signal(pid).and_then(|()| await_answer(&path, pid, config.timeouts.upgrade));
    // The next one asks anew.
    _ = fs::remove_file(&path);
    match answer? {
        Answer::Done(text) => Ok(text),
        Answer::Failed(why) => Err(format!("not upgraded, and the server goes on: {why}")),
        Answer::Requested => {
            Err("the server has not answered; what it has logged says more".to_owned())
        }
    }
}

fn signal(pid: Pid) -> Result<(), String> {
    kill_process(pid, Signal::USR2).map_err(|error| {
        format!("process {} cannot be asked: {error}; become its user, or root", pid.as_raw_pid())
    })
}

/// Waits for the server's answer; [`Answer::Requested`] if there is none in time.
fn await_answer(path: &Path, pid: Pid, timeout: Duration) -> Result<Answer, String> {
    let clock = Clock::start();
    let (begin, longest) = (clock.now().tick, timeout * TIMEOUTS + MARGIN);
    let (deadline, mut line_at) = (begin.after(longest), Some(begin.after(QUIET)));
    while clock.now().tick < deadline {
        if line_at.take_if(|at| *at <= clock.now().tick).is_some() {
            let (pid, seconds) = (pid.as_raw_pid(), longest.saturating_sub(QUIET).as_secs());
            _ = writeln!(
                io::stderr(),
                "waiting for process {pid} to hand over, or to say why not, for at most {seconds} s \
                 more; if it hangs, its log says since when"
            );
        }
        let is_there = test_kill_process(pid).is_ok();
        match Answer::read(path) {
            Ok(Answer::Requested) if !is_there => return Err("the server has ended".to_owned()),
            Ok(Answer::Requested) => {}
            Ok(answer) => return Ok(answer),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err("somebody else has asked for an upgrade at the same time".to_owned());
            }
            Err(error) => return Err(format!("cannot read {}: {error}", path.display())),
        }
        // A command has nothing else to do meanwhile.
        thread::park_timeout(LOOK_EVERY);
    }
    Ok(Answer::Requested)
}
