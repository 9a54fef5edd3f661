//! What `chinwag export` prints: a room, or what is kept of a user. The work is done in
//! [`crate::store::tools::export`].

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::people::Failure;
use crate::chat::model::name::{RoomName, UserName};
use crate::store::tools::export::{self, Export, Exported};
use crate::wire::render;

/// Prints a room, a line for each record.
pub(super) fn print_room(
    out: &mut dyn io::Write,
    data: &Path,
    (room, flag): (&Option<RoomName>, &Option<RoomName>),
) -> Result<ExitCode, Failure> {
    let room = room.as_ref().or(flag.as_ref()).ok_or("the room has no name")?;
    let export = Export::open(data, room)?;
    // Neither a room's name nor an epoch has anything to escape.
    let head = format!(r#"{{"room":"{room}","epoch":"{}","#, export.epoch());
    let (mut item, mut bad) = (Vec::new(), 0_u64);
    export.run(|step| {
        match step {
            Exported::Record(record) => {
                item.clear();
                render::item(&mut item, record, Some(&record.from));
                out.write_all(head.as_bytes())?;
                out.write_all(item.strip_prefix(b"{").unwrap_or(&item))?;
                out.write_all(b"\n")?;
            }
            // The other records are worth having, so that one that is damaged does not end it.
            Exported::Bad(seq, why) => {
                bad += 1;
                writeln!(io::stderr(), "error: record {seq} cannot be read: {why}")?;
            }
        }
        Ok::<_, Failure>(())
    })?;
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what is kept of a user, a line for each part of it.
pub(super) fn print_user(
    out: &mut dyn io::Write,
    data: &Path,
    user: &UserName,
) -> Result<ExitCode, Failure> {
    let mut line = Vec::new();
    let bad = export::user(data, user, |part| {
        line.clear();
        line.push(b'{');
        render::export_part(&mut line, user, part);
        line.extend_from_slice(b"}\n");
        out.write_all(&line)?;
        Ok::<_, Failure>(())
    })?;
    if bad > 0 {
        writeln!(io::stderr(), "error: {bad} records cannot be read; chinwag verify lists them")?;
    }
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
