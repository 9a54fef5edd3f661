//! What the kernel has for the server: memory of its sockets, and control groups.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// Bytes that the kernel has waiting at the server's end of all connections to this address.
pub(crate) fn bytes_at(address: SocketAddr) -> Outcome<u64> {
    Ok(sockets(&["-tmnH", "src", &address.to_string()])?.iter().sum())
}

/// Bytes that it has waiting at the server's end of the connection from this address.
pub(crate) fn bytes_from(address: SocketAddr) -> Outcome<u64> {
    let found = sockets(&["-tmnH", "dst", &address.to_string()])?;
    Ok(*found.first().ok_or_else(|| format!("no socket to {address}"))?)
}

fn sockets(words: &[&str]) -> Outcome<Vec<u64>> {
    let output = Command::new("ss").args(words).output()?;
    let said = String::from_utf8(output.stdout)?;
    // Received, waiting to be sent, and kept ahead: r, w and f. The others are limits.
    let number =
        |field: &str| field.strip_prefix(['r', 'w', 'f']).and_then(|rest| rest.parse::<u64>().ok());
    let of_one = |rest: &str| -> u64 {
        let (memory, _) = rest.split_once(')').unwrap_or((rest, ""));
        memory.split(',').filter_map(number).sum()
    };
    Ok(said.split("skmem:(").skip(1).map(of_one).collect())
}

/// A control group for memory, which goes when this does.
pub(crate) struct MemoryGroup {
    folder: PathBuf,
    /// Names of its files: what is used at most, and how often something was killed.
    peak: &'static str,
    kills: &'static str,
}

impl MemoryGroup {
    /// A new one in which so many bytes may be used.
    pub(crate) fn new(bytes: u64) -> Outcome<Self> {
        let name = format!("chinwag-soak-{}", std::process::id());
        let (old, new) = (Path::new("/sys/fs/cgroup/memory"), Path::new("/sys/fs/cgroup"));
        let is_old = old.join("memory.limit_in_bytes").exists();
        let (root, limit) =
            if is_old { (old, "memory.limit_in_bytes") } else { (new, "memory.max") };
        let folder = root.join(name);
        fs::create_dir(&folder)
            .map_err(|error| format!("no control group {}: {error}", folder.display()))?;
        let group = if is_old {
            // Memory of sockets has an account of its own there, once it is limited.
            Self { folder, peak: "memory.max_usage_in_bytes", kills: "memory.oom_control" }
        } else {
            Self { folder, peak: "memory.peak", kills: "memory.events" }
        };
        fs::write(group.folder.join(limit), bytes.to_string())?;
        if is_old {
            fs::write(group.folder.join("memory.kmem.tcp.limit_in_bytes"), bytes.to_string())?;
        }
        Ok(group)
    }

    /// What starts a program inside.
    pub(crate) fn wrapper(&self) -> Vec<String> {
        let script =
            format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", self.folder.display());
        ["sh", "-c", &script].map(str::to_owned).to_vec()
    }

    /// Bytes that were used at most, page cache included; and bytes of sockets at most, where they
    /// are counted apart.
    pub(crate) fn peaks(&self) -> Outcome<(u64, u64)> {
        let read = |name: &str| fs::read_to_string(self.folder.join(name));
        let sockets = read("memory.kmem.tcp.max_usage_in_bytes").unwrap_or_default();
        Ok((read(self.peak)?.trim().parse()?, sockets.trim().parse().unwrap_or(0)))
    }

    /// How often the kernel has killed something inside.
    pub(crate) fn kills(&self) -> Outcome<u64> {
        let text = fs::read_to_string(self.folder.join(self.kills))?;
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        Ok(count.ok_or("the group does not count kills")?.trim().parse()?)
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // It stays while something is inside, which ends with the server.
        drop(fs::remove_dir(&self.folder));
    }
}
