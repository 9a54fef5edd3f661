//! Standard output.

use std::io::{self, Write as _};
use std::process::ExitCode;

/// Prints to standard output. It is no failure if the reader, such as `head`, has closed it.
pub(super) fn print(text: &str) -> ExitCode {
    let mut out = Stdout(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            _ = super::complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Standard output, whose errors say that they are its own: a full disk there is none of the
/// database's.
#[derive(Debug)]
pub(super) struct Stdout<W>(pub(super) W);

impl<W: io::Write> io::Write for Stdout<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(|error| of_stdout(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(|error| of_stdout(&error))
    }
}

fn of_stdout(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot write to standard output: {error}"))
}
