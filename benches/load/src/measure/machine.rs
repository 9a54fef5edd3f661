//! The machine that everything ran on.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{bytes_of, read};

/// What a reader must know of the machine to make sense of a figure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, or its architecture where it has none.
    pub cpu: String,
    /// Processors that the system has.
    pub cores: u64,
    /// The kernel's name and version.
    pub kernel: String,
    /// Main memory in bytes.
    #[serde(default)]
    pub memory: u64,
}

impl Machine {
    /// This machine. What cannot be found out is called unknown: it is no reason not to measure.
    #[must_use]
    pub fn here() -> Self {
        let text = |path: &str| read(Path::new(path)).unwrap_or_default();
        let (cpu, cores) = parse_cpuinfo(&text("/proc/cpuinfo"));
        let (name, version) = (text("/proc/sys/kernel/ostype"), text("/proc/sys/kernel/osrelease"));
        let kernel = format!("{} {}", name.trim(), version.trim());
        Self {
            cpu: cpu.unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH)),
            cores,
            kernel: if kernel.trim().is_empty() { "unknown".to_owned() } else { kernel },
            memory: bytes_of(&text("/proc/meminfo"), "MemTotal").unwrap_or_default(),
        }
    }
}

/// The first processor's name, and how many there are.
fn parse_cpuinfo(text: &str) -> (Option<String>, u64) {
    let fields = || text.lines().filter_map(|line| line.split_once(':'));
    let names = ["model name", "Model", "cpu model", "uarch"];
    let name = fields().find(|(key, _)| names.contains(&key.trim()));
    let cores = fields().filter(|(key, _)| key.trim() == "processor").count();
    let name = name.map(|(_, value)| value.split_whitespace().collect::<Vec<_>>().join(" "));
    (name, u64::try_from(cores).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_and_named() {
        let check = |text: &str, expect: (Option<&str>, u64)| {
            let (name, cores) = parse_cpuinfo(text);
            assert_eq!((name.as_deref(), cores), expect);
        };
        let two = "processor\t: 0\nmodel\t\t: 207\nmodel name\t: Intel(R)  Xeon(R)\n\nprocessor\t: 1\n\
                   model name\t: Intel(R)  Xeon(R)\n";
        check(two, (Some("Intel(R) Xeon(R)"), 2));
        check("processor : 0\nBogoMIPS : 50.00\n", (None, 1));
        check("", (None, 1));
    }

    #[test]
    fn this_machine_has_a_name() {
        let here = Machine::here();
        assert!(!here.cpu.is_empty() && here.cores > 0 && here.memory > 0, "{here:?}");
        assert!(here.kernel.starts_with("Linux "), "{here:?}");
    }
}
