//! `chinwag-bench report`: files of results to a page and pictures.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fmt, fs};

use clap::Parser;

use super::{Picture, html, picture};
use crate::results::Results;

/// The command line is wrong.
const WRONG: u8 = 2;

/// Make a page, or pictures, of the results that bench wrote with --json
///
/// Several files are compared: each has a colour, in the order in which they are given.
#[derive(Debug, Parser)]
#[command(name = "report", bin_name = "chinwag-bench report", after_help = AFTER_HELP)]
struct Arguments {
    /// What bench wrote; NAME=FILE to choose what a run is called
    #[arg(required = true, value_name = "[NAME=]RESULT.json")]
    files: Vec<String>,
    /// Write the page here
    #[arg(long, value_name = "FILE.html", required_unless_present = "svg")]
    out: Option<PathBuf>,
    /// Write one picture here; may be repeated
    #[arg(long, num_args = 2, value_names = ["PICTURE", "FILE.svg"])]
    svg: Vec<String>,
}

const AFTER_HELP: &str = "\
Pictures:
  latency, histogram, latency-over-time, throughput, cpu, memory,
  memory-over-connections, connections; to compare: rates, costs, footprints

Example:
  chinwag-bench report chinwag=a.json floor=b.json --out compared.html --svg latency latency.svg";

/// Why there is no page.
#[derive(Debug)]
enum Fault {
    /// There is no picture of this name.
    NoSuchPicture(String),
    /// No file has measured what this picture shows.
    NothingToShow(String),
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// A file is not what bench writes.
    NotResults(PathBuf, serde_json::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPicture(name) => {
                let names: Vec<_> = Picture::NAMES.iter().map(|(name, _)| *name).collect();
                write!(f, "there is no picture {name:?}; there are {}", names.join(", "))
            }
            Self::NothingToShow(name) => {
                write!(f, "these results have nothing that the picture {name} shows")
            }
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::NotResults(path, error) => {
                write!(f, "{} is not what bench writes: {error}", path.display())
            }
        }
    }
}

/// Does what the arguments after `chinwag-bench report` say.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = std::iter::once(OsString::from("report")).chain(args);
    let arguments = match Arguments::try_parse_from(args) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help comes this way too, and goes to standard output.
            _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(WRONG));
        }
    };
    match write(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            _ = writeln!(io::stderr(), "error: {fault}");
            match fault {
                Fault::NoSuchPicture(_) => ExitCode::from(WRONG),
                Fault::NothingToShow(_) | Fault::File(..) | Fault::NotResults(..) => {
                    ExitCode::FAILURE
                }
            }
        }
    }
}

fn write(arguments: &Arguments) -> Result<(), Fault> {
    let mut results = Vec::new();
    for file in &arguments.files {
        results.extend(read(file, arguments.files.len() > 1)?);
    }
    for pair in arguments.svg.chunks_exact(2) {
        if let [name, path] = pair {
            let known = Picture::NAMES.iter().find(|(known, _)| known == name);
            let (_, kind) = known.ok_or_else(|| Fault::NoSuchPicture(name.clone()))?;
            let svg = picture(*kind, &results);
            let svg = svg.ok_or_else(|| Fault::NothingToShow(name.clone()))?;
            save(Path::new(path), &svg)?;
        }
    }
    arguments.out.as_ref().map_or(Ok(()), |path| save(path, &html(&results)))
}

/// Reads the results of a file, which may have a name before it. Among several, a run that has no
/// name is called like its file.
fn read(file: &str, several: bool) -> Result<Vec<Results>, Fault> {
    let named = file.split_once('=').filter(|_| !Path::new(file).exists());
    let (name, path) = named.map_or((None, file), |(name, path)| (Some(name), path));
    let path = Path::new(path);
    let stem = path.file_stem().filter(|_| several).map(|stem| stem.to_string_lossy().into_owned());
    let text = fs::read_to_string(path).map_err(|error| Fault::File(path.to_owned(), error))?;
    let mut results = parse(&text).map_err(|error| Fault::NotResults(path.to_owned(), error))?;
    for run in &mut results {
        let own = run.label.take();
        run.label = name.map(str::to_owned).or(own).or_else(|| stem.clone());
    }
    Ok(results)
}

/// Reads one run, or a list of them.
fn parse(text: &str) -> Result<Vec<Results>, serde_json::Error> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text);
    }
    serde_json::from_str(text).map(|results| vec![results])
}

fn save(path: &Path, text: &str) -> Result<(), Fault> {
    fs::write(path, text).map_err(|error| Fault::File(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use tempfile::TempDir;

    use super::*;

    /// A folder with the results `a.json` and a list of them in `b.json`, and others.
    fn folder() -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let run = r#"{"scenario":"fanout","target":"ws://a","latency_us":{"values":[[250,10]]}}"#;
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("a.json", run);
        put("b.json", &format!("[{run},{run}]"));
        put("bad.json", "{\n\"scenario\":5}");
        put("x=y.json", run);
        folder
    }

    /// Runs the command in which `@` stands for the folder.
    fn command(folder: &TempDir, line: &str) -> Result<(), String> {
        let place = format!("{}/", folder.path().display());
        let line = line.replace('@', &place);
        let arguments = Arguments::try_parse_from(line.split(' ')).map_err(|e| e.to_string())?;
        write(&arguments).map_err(|fault| fault.to_string().replace(&place, "@"))
    }

    #[test]
    fn the_definition_holds_and_the_help_names_every_picture() {
        Arguments::command().debug_assert();
        let help = Arguments::command().render_long_help().to_string();
        assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
        assert!(Picture::NAMES.iter().all(|(name, _)| help.contains(name)), "{help}");
    }

    #[test]
    fn a_page_compares_all_runs_of_all_files() {
        let folder = folder();
        let line = "report one=@a.json @b.json @x=y.json --out @p.html --svg latency @l.svg";
        assert_eq!(command(&folder, line), Ok(()));
        let text = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        let page = text("p.html");
        assert!(page.contains("fanout: 4 runs") && page.contains(">one</th>"), "{page}");
        assert!(page.contains(">b</th>") && page.contains(">x=y</th>"), "{page}");
        assert!(text("l.svg").starts_with("<svg"));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let folder = folder();
        let check = |line: &str, expect: &str| {
            let error = command(&folder, line).unwrap_err();
            assert!(error.contains(expect), "{error}");
        };
        check(
            "report @a.json --svg nonsense @l.svg",
            "no picture \"nonsense\"; there are latency, ",
        );
        check("report @a.json --svg memory @l.svg", "have nothing that the picture memory shows");
        check("report @none.json --out @p.html", "@none.json: No such file");
        check("report @a.json --out @no/p.html", "@no/p.html: No such file");
        check("report @bad.json --out @p.html", "@bad.json is not what bench writes: invalid type");
        check("report @bad.json --out @p.html", "at line 2");
        check("report @a.json", "--out <FILE.html>");
        check("report --out @p.html", "RESULT.json");
        check("report @a.json --svg latency", "2 values");
    }
}
