//! What a client is told of a fault of the logs.

use crate::chat::model::code::Code;
use crate::chat::model::log::LogFault;
use crate::chat::model::reply::Refusal;

/// When a client should try again what the logs could not do: about as often as they try
/// themselves.
const FAULT_RETRY_MS: u64 = 1_500;
/// Likewise, where somebody has to put a backup in place.
const DAMAGE_RETRY_MS: u64 = 60_000;

/// When a client should try again what there is no memory for: slow readers lag within a turn, and
/// take what waits for them within moments, or never.
const MEMORY_RETRY_MS: u64 = 1_000;

/// Likewise, where the logs have not answered in time: by then they have, or have been given up.
const UNDECIDED_RETRY_MS: u64 = 1_000;

/// The refusal of what may be in the log, or not: repeated with its `cid` it is there once.
pub(super) fn undecided() -> Refusal {
    let message =
        "the log has not answered in time, and may have this: send it again, with its cid";
    Refusal::new(Code::Busy, message).retry_after_ms(UNDECIDED_RETRY_MS)
}

/// The refusal of a long answer while the budget for what waits for sockets is used up.
pub(super) fn no_memory() -> Refusal {
    let message = "too much waits for slow readers; this answer is long";
    Refusal::new(Code::Busy, message).retry_after_ms(MEMORY_RETRY_MS)
}

/// The refusal that tells a client of a fault of the logs.
pub(super) fn refusal_of(fault: LogFault) -> Refusal {
    let (code, message) = match fault {
        LogFault::Busy => (Code::Busy, "too many writes are waiting for the store"),
        LogFault::Full => (Code::StorageFull, "there is no room left to store this"),
        LogFault::Broken => (Code::Busy, "the store cannot write now"),
        LogFault::Corrupt => {
            (Code::Busy, "the store is damaged here; its administrator can restore a backup")
        }
        LogFault::Taken => {
            (Code::NameTaken, "somebody else was first: the name, or the link, has just been taken")
        }
        LogFault::TooDear => (Code::Busy, "this takes the store too long; ask for less"),
    };
    let refusal = Refusal::new(code, message);
    let retry_ms = if fault == LogFault::Corrupt { DAMAGE_RETRY_MS } else { FAULT_RETRY_MS };
    if code.is_transient() { refusal.retry_after_ms(retry_ms) } else { refusal }
}
