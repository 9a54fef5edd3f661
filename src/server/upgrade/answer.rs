//! What became of an upgrade, for who has asked for it: a file in the data directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What became of an upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was asked for, and is not done yet.
    Requested,
    /// Another process serves.
    Done(String),
    /// The process that was asked goes on itself, and why.
    Failed(String),
}

/// The file in which the answer stands.
#[must_use]
pub fn answer_file(data: &Path) -> PathBuf {
    data.join("chinwag.upgrade")
}

impl Answer {
    /// Reads the answer.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or holds no answer.
    pub fn read(path: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(path)?;
        let (word, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let rest = rest.trim_end().to_owned();
        match word {
            "asked" => Ok(Self::Requested),
            "done" => Ok(Self::Done(rest)),
            "failed" => Ok(Self::Failed(rest)),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no answer to an upgrade")),
        }
    }

    /// Puts it in the place of the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = match self {
            Self::Requested => "asked\n".to_owned(),
            Self::Done(text) => format!("done\n{text}\n"),
            Self::Failed(text) => format!("failed\n{text}\n"),
        };
        // Whole or not at all: it is read while it is written.
        let new = path.with_extension("upgrade.new");
        fs::write(&new, text)?;
        fs::rename(&new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = answer_file(folder.path());
        for answer in [
            Answer::Requested,
            Answer::Done("process 7".to_owned()),
            Answer::Failed("two\nlines".to_owned()),
        ] {
            answer.write(&path).unwrap();
            assert_eq!(Answer::read(&path).unwrap(), answer);
        }
        fs::write(&path, "else").unwrap();
        Answer::read(&path).unwrap_err();
    }
}
