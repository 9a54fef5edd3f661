//! What is asked and said about the erasure of a user, wherever its messages are.

use std::io::{self, BufRead as _};

use crate::chat::model::name::UserName;
use crate::chat::model::traces::Traces;

/// Says how much there is of a user, and whether that is to be erased.
pub(super) fn is_to_be_erased(
    out: &mut dyn io::Write,
    name: &UserName,
    (traces, yes): (&Traces, bool),
) -> io::Result<bool> {
    writeln!(out, "{name}: {} messages, {} records", traces.messages, traces.records)?;
    writeln!(
        out,
        "{} memberships, {} bans, mutes and invitations in rooms, {} direct conversations",
        traces.memberships, traces.restrictions, traces.conversations
    )?;
    if traces.is_unfinished {
        writeln!(out, "an earlier erasure of {name} was cut off and is finished by this one")?;
    }
    if yes || is_confirmed(out, name)? {
        return Ok(true);
    }
    writeln!(out, "nothing was changed")?;
    Ok(false)
}

/// Says what was done: what stands for the user, and who has its rooms.
pub(super) fn print_erased(
    out: &mut dyn io::Write,
    name: &UserName,
    (placeholder, heirs): (&UserName, &[(String, String)]),
) -> io::Result<()> {
    writeln!(out, "erased; in the records that remain {name} is {placeholder}")?;
    for (room, heir) in heirs {
        writeln!(out, "{heir} is the owner of {room} now")?;
    }
    Ok(())
}

/// Asks for the name to be typed again, and tells whether it was.
fn is_confirmed(out: &mut dyn io::Write, name: &UserName) -> io::Result<bool> {
    write!(out, "This cannot be undone. Type the name to erase it: ")?;
    out.flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim() == name.as_str())
}
