//! What users and rooms are called.

use crate::bench::plan::Plan;

/// The user that a connection is.
pub(crate) fn name_of(index: u32) -> String {
    format!("u{index}")
}

/// The connection that a user is.
pub(crate) fn index_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('u')?;
    digits.parse().ok().filter(|index: &u32| name_of(*index) == name)
}

/// The name of a room of the target.
pub(super) fn room_name(plan: &Plan, room: u32) -> String {
    match plan.pair(room) {
        Some((one, other)) => {
            let mut names = [name_of(one), name_of(other)];
            names.sort();
            format!("@{}", names.join(":"))
        }
        None if plan.is_chinwag() => format!("{}{room}", plan.room_prefix),
        None => room.to_string(),
    }
}
