//! The committed figures, and what has become of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde::Deserialize;

use crate::Outcome;

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/counts.toml");

/// How much worse a figure may be: the seeds of hash maps and what `malloc` finds free vary from
/// run to run.
const TOLERANCE: f64 = 0.03;
/// What is too little to be told from nothing.
const SLACK: f64 = 0.1;

const HEADER: &str = "\
# Instructions, allocations and system calls of one operation each, in user space, as callgrind counts them.
# What a message at `disk` takes of the disk: bytes a message, syncs a batch, as strace counts them.
# `scripts/bench counts` compares with these, `scripts/bench counts --accept` writes them anew.
";

/// What one operation takes.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Counts {
    pub(crate) instructions: f64,
    /// Calls of `malloc` and its kin.
    pub(crate) allocations: f64,
    /// Readings of the clock are among them: under valgrind there is no vDSO.
    pub(crate) system_calls: f64,
}

/// The same, named.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) counts: Counts,
}

/// What a message takes of the disk.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiskCounts {
    /// Bytes that are written for one message.
    pub(crate) bytes: f64,
    /// How often a batch waits for the disk.
    pub(crate) syncs: f64,
}

/// The same, named.
#[derive(Clone, Debug)]
pub(crate) struct DiskFigure {
    pub(crate) name: String,
    pub(crate) counts: DiskCounts,
}

/// What figures can only be compared under.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Conditions {
    rustc: String,
    valgrind: String,
    libc: String,
    cpu: String,
}

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Committed {
    conditions: Conditions,
    counts: BTreeMap<String, Counts>,
    disk: BTreeMap<String, DiskCounts>,
}

impl Counts {
    /// The same for one of so many operations.
    pub(crate) fn each(self, operations: u32) -> Self {
        let each = |total| total / f64::from(operations);
        Self {
            instructions: each(self.instructions),
            allocations: each(self.allocations),
            system_calls: each(self.system_calls),
        }
    }

    const fn columns(self) -> [f64; 3] {
        [self.instructions, self.allocations, self.system_calls]
    }
}

impl Conditions {
    fn here() -> Outcome<Self> {
        let cpu = fs::read_to_string("/proc/cpuinfo")?;
        let avx2 = if cpu.contains(" avx2 ") { "with AVX2" } else { "without AVX2" };
        Ok(Self {
            rustc: first_line("rustc", "--version")?,
            valgrind: first_line("valgrind", "--version")?,
            libc: first_line("ldd", "--version")?,
            cpu: format!("{} {avx2}", std::env::consts::ARCH),
        })
    }
}

fn first_line(program: &str, argument: &str) -> Outcome<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8(output.stdout)?.lines().next().unwrap_or_default().to_owned())
}

/// Writes the figures down.
pub(crate) fn accept(figures: &[Figure], disk: &[DiskFigure]) -> Outcome<()> {
    let Conditions { rustc, valgrind, libc, cpu } = Conditions::here()?;
    let mut text = HEADER.to_owned();
    write!(text, "\n[conditions]\nrustc = {rustc:?}\nvalgrind = {valgrind:?}\n")?;
    write!(text, "libc = {libc:?}\ncpu = {cpu:?}\n\n[counts]\n")?;
    for Figure { name, counts } in figures {
        let Counts { instructions, allocations, system_calls } = counts;
        write!(text, "{name:?} = {{ instructions = {instructions:.1}")?;
        writeln!(text, ", allocations = {allocations:.2}, system_calls = {system_calls:.2} }}")?;
    }
    text.push_str("\n[disk]\n");
    for DiskFigure { name, counts: DiskCounts { bytes, syncs } } in disk {
        writeln!(text, "{name:?} = {{ bytes = {bytes:.0}, syncs = {syncs:.2} }}")?;
    }
    Ok(fs::write(PATH, text)?)
}

/// Prints the figures beside the committed ones. `false` if one is worse by more than the
/// tolerance, or is not known.
#[expect(clippy::print_stdout, reason = "it reports on its standard output")]
pub(crate) fn compare(figures: &[Figure]) -> Outcome<bool> {
    let Committed { conditions, counts, .. } = committed()?;
    let here = Conditions::here()?;
    if here != conditions {
        println!("note: the committed figures are of {conditions:?}, these of {here:?}");
    }
    println!("{:<52}{:>24}{:>20}{:>20}", "", "instructions", "allocations", "system calls");
    let mut is_good = true;
    for Figure { name, counts: now } in figures {
        print!("{name:<52}");
        let Some(before) = counts.get(name) else {
            println!("  not in the committed figures");
            is_good = false;
            continue;
        };
        let columns = before.columns().into_iter().zip(now.columns());
        is_good &= compare_columns(&columns.zip([8, 6, 6]).collect::<Vec<_>>());
    }
    Ok(is_good)
}

/// Likewise what messages take of the disk.
#[expect(clippy::print_stdout, reason = "it reports on its standard output")]
pub(crate) fn compare_disk(figures: &[DiskFigure]) -> Outcome<bool> {
    let Committed { disk, .. } = committed()?;
    println!("{:<52}{:>24}{:>20}", "", "bytes a message", "syncs a batch");
    let mut is_good = true;
    for DiskFigure { name, counts: now } in figures {
        print!("{name:<52}");
        let Some(before) = disk.get(name) else {
            println!("  not in the committed figures");
            is_good = false;
            continue;
        };
        let columns = [((before.bytes, now.bytes), 8), ((before.syncs, now.syncs), 6)];
        is_good &= compare_columns(&columns);
    }
    Ok(is_good)
}

fn committed() -> Outcome<Committed> {
    let text = fs::read_to_string(PATH).map_err(|error| format!("{PATH}: {error}"))?;
    Ok(toml::from_str(&text)?)
}

/// Prints figures of before and now, each so wide: `false` if one is worse.
#[expect(clippy::print_stdout, reason = "it reports on its standard output")]
fn compare_columns(columns: &[((f64, f64), usize)]) -> bool {
    let (mut is_good, mut verdict) = (true, "");
    for &((before, now), width) in columns {
        let change = if before == 0.0 { 0.0 } else { (now - before) / before * 100.0 };
        print!("  {before:>width$.1} {now:>width$.1} {change:>+5.1}%");
        if now > before * (1.0 + TOLERANCE) + SLACK {
            verdict = "  worse";
            is_good = false;
        } else if verdict.is_empty() && now < before * (1.0 - TOLERANCE) - SLACK {
            verdict = "  better";
        }
    }
    println!("{verdict}");
    is_good
}
