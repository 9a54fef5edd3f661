//! `chinwag erase-user` of a user whose messages are in an engine.

use std::io::Write;
use std::process::ExitCode;

use super::import::primary;
use crate::chat::model::name::UserName;
use crate::chat::model::record::Epoch;
use crate::chat::model::traces::Traces;
use crate::cli::erasing;
use crate::cluster::node::erasure::{self, Erased};
use crate::config::Config;
use crate::pg::Address;
use crate::server;

type Failure = Box<dyn std::error::Error>;

/// The engine that is meant: the one that is named, or that of the configuration; `None` if the
/// server is alone.
pub(in crate::cli) fn engine_of(
    given: Option<&Address>,
    config: &Config,
) -> Result<Option<Address>, Failure> {
    match given {
        Some(address) => Ok(Some(address.clone())),
        None => Ok(server::engine_address(config)?),
    }
}

/// Erases the user.
pub(in crate::cli) fn run(
    out: &mut dyn Write,
    address: &Address,
    name: &UserName,
    (yes, wall_ms): (bool, u64),
) -> Result<ExitCode, Failure> {
    let mut session = primary(address)?;
    let traces = erasure::traces(&mut session, name)?;
    if traces == Traces::default() {
        return Err(format!("the engine has nothing of {name}; nothing was changed").into());
    }
    if !erasing::is_to_be_erased(out, name, (&traces, yes))? {
        return Ok(ExitCode::FAILURE);
    }
    let Erased { placeholder, heirs, ownerless } =
        erasure::run(&mut session, name, wall_ms, &mut placeholder)?;
    erasing::print_erased(out, name, (&placeholder, &heirs))?;
    for room in ownerless {
        writeln!(out, "{room} has no owner now: nobody in it could follow")?;
    }
    writeln!(
        out,
        "the rooms have new epochs, so that nodes and clients read them anew; the engine keeps old \
         versions of rows until it is vacuumed"
    )?;
    Ok(ExitCode::SUCCESS)
}

/// A name that nobody has or can guess.
fn placeholder() -> Option<UserName> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).ok()?;
    UserName::parse(&format!("erased-{}", Epoch(u64::from_ne_bytes(bytes)))).ok()
}
