//! What users and rooms are called.

use crate::plan::Plan;

/// The user that a connection is.
pub(crate) fn name_of(plan: &Plan, index: u32) -> String {
    format!("u{}", plan.first_peer + index)
}

/// The connection that a user is; one of another process may be behind the last.
pub(crate) fn index_of(plan: &Plan, name: &str) -> Option<u32> {
    let number: u32 = name.strip_prefix('u')?.parse().ok()?;
    let index = number.checked_sub(plan.first_peer)?;
    (name_of(plan, index) == name).then_some(index)
}

/// The number of a room of the target.
pub(super) const fn room_number(plan: &Plan, room: u32) -> u32 {
    plan.first_room + room
}

/// The name of a room of the target.
pub(super) fn room_name(plan: &Plan, room: u32) -> String {
    match plan.pair(room) {
        Some((one, other)) => {
            let mut names = [name_of(plan, one), name_of(plan, other)];
            names.sort();
            format!("@{}", names.join(":"))
        }
        None if plan.is_chinwag() => format!("{}{}", plan.room_prefix, room_number(plan, room)),
        None => room_number(plan, room).to_string(),
    }
}
