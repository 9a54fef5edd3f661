//! A server whose process is replaced by another one, without an end.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::Server;
use super::raw::Patience;

impl Server {
    /// Asks for an upgrade as a person would: what that says, and whether it succeeds.
    pub(crate) fn try_upgrade(&self) -> (bool, String) {
        let output = self.upgrade_command().output().expect("a command that can be run");
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// The command by which a person asks for an upgrade.
    fn upgrade_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
        self.setup.set_environment(&mut command);
        command.arg("upgrade").arg("--data").arg(self.data());
        command
    }

    /// Has another process take its place; what was said about that.
    #[track_caller]
    pub(crate) fn upgrade(&mut self) -> String {
        if !self.data().exists() {
            // Where everything is in memory, nobody finds it by its data.
            let count = |log: &str| log.matches("upgraded to").count();
            let before = count(&self.log());
            self.signal(Signal::USR2);
            let log = self.log_when(|log| count(log) > before);
            self.follow();
            return log;
        }
        let (is_done, said) = self.try_upgrade();
        assert!(is_done, "{said}; the log:\n{}", self.log());
        let pid = said.split("process ").nth(1).and_then(|rest| rest.split(' ').next());
        let pid = pid.and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        if self.successor.is_none() {
            let status = self.process.end();
            assert!(status.success(), "it left with {status}; the log:\n{}", self.log());
        }
        self.successor = Some(pid.expect("the number of a process"));
        said
    }

    /// Asks for an upgrade and waits for nothing; what goes wrong is on its standard error.
    #[track_caller]
    pub(crate) fn begin_upgrade(&self) -> Child {
        let mut command = self.upgrade_command();
        let asked = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
        asked.expect("a command that can be run")
    }

    /// Has another process take its place while signals come all the way: the old one waits for the
    /// new one several times, on two threads.
    #[track_caller]
    pub(crate) fn upgrade_amid(&mut self, signal: Signal) {
        let mut asked = self.begin_upgrade();
        while asked.try_wait().expect("whether it has ended").is_none() {
            self.signal(signal);
            thread::park_timeout(Duration::from_millis(1));
        }
        let asked = asked.wait_with_output().expect("what it has said");
        assert!(asked.status.success(), "{asked:?}; the log:\n{}", self.log());
        self.follow();
    }

    /// Puts a shell script in the place of its program, or the program itself again.
    pub(crate) fn set_program(&self, script: Option<&str>) {
        let (place, new) = (self.folder.path().join("chinwag"), self.folder.path().join("new"));
        if let Some(script) = script {
            // By another process: a child that another test starts just now would have the file
            // open for writing, and for so long nobody can run it.
            let mut shell = Command::new("/bin/sh");
            shell.args([
                "-c",
                "umask 022; printf '#!/bin/sh\\n%s\\n' \"$0\" >\"$1\" && chmod 755 \"$1\"",
            ]);
            let status = shell.arg(script).arg(&new).status().expect("a shell");
            assert!(status.success(), "{status}");
        } else {
            let built = env!("CARGO_BIN_EXE_chinwag");
            std::os::unix::fs::symlink(built, &new).expect("a link to the program");
        }
        fs::rename(new, place).expect("another program in its place");
    }

    /// Another process serves its data from now on.
    pub(crate) fn set_successor(&mut self, pid: Pid) {
        if pid.as_raw_nonzero().get() != self.process.id() {
            self.successor = Some(pid);
        }
    }

    /// Notes which process has taken its place, by what it has logged.
    #[track_caller]
    pub(crate) fn follow(&mut self) {
        let log = self.log();
        let pid = log.rsplit("upgraded to").next().and_then(|text| text.split("process ").nth(1));
        let pid = pid.and_then(|rest| rest.split(' ').next()).and_then(|pid| pid.parse().ok());
        let is_first = self.successor.is_none();
        assert!(!is_first || self.process.end().success(), "the end of the old one; log:\n{log}");
        self.successor = Some(pid.and_then(Pid::from_raw).expect("the number of a process"));
    }

    /// The one process that serves its data, once nothing is under way any more; `None` if none
    /// does.
    #[track_caller]
    pub(crate) fn who_serves(&self) -> Option<Pid> {
        let place = self.folder.path().to_str().expect("a path").to_owned();
        let patience = Patience::begin();
        loop {
            let (mut servers, mut others) = (Vec::new(), 0);
            for entry in fs::read_dir("/proc").expect("processes").flatten() {
                let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
                let command = fs::read_to_string(entry.path().join("cmdline")).unwrap_or_default();
                let Some(pid) = Pid::from_raw(pid).filter(|&pid| Self::runs(pid)) else { continue };
                if !command.contains(&place) {
                    continue;
                }
                if command.starts_with("/bin/sh") { others += 1 } else { servers.push(pid) }
            }
            let log = self.log();
            let serves = |pid: &Pid| log.contains(&format!("pid={}\n", pid.as_raw_nonzero()));
            match servers.as_slice() {
                [] if others == 0 => return None,
                [pid] if others == 0 && serves(pid) => return Some(*pid),
                _ => assert!(patience.is_left(), "{servers:?} and {others} others; log:\n{log}"),
            }
            thread::yield_now();
        }
    }

    /// Starts it again after all its processes were killed. It listens elsewhere then.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.set_program(None);
        let (process, listening) = self.setup.run(self.folder.path());
        (self.process, self.successor) = (process, None);
        [self.http, self.tcp, self.admin] = listening.addresses();
    }

    /// Writes its configuration file anew.
    pub(crate) fn write_config(&self, toml: &str) {
        fs::write(self.folder.path().join("chinwag.toml"), toml).expect("a configuration file");
    }

    /// Whether a process of that number runs.
    pub(super) fn runs(pid: Pid) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        // One that nobody has waited for is there, and does nothing.
        stat.is_ok_and(|stat| !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z")))
    }
}
