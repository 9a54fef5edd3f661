//! What a client is told of a fault of the logs.

use crate::chat::model::code::Code;
use crate::chat::model::log::LogFault;
use crate::chat::model::reply::Refusal;

/// When a client should try again what the logs could not do: about as often as they try
/// themselves.
const FAULT_RETRY_MS: u64 = 1_500;

/// The refusal that tells a client of a fault of the logs.
pub(super) fn refusal_of(fault: LogFault) -> Refusal {
    let (code, message) = match fault {
        LogFault::Busy => (Code::Busy, "too many writes are waiting for the store"),
        LogFault::Full => (Code::StorageFull, "there is no room left to store this"),
        LogFault::Broken => (Code::Busy, "the store cannot write now"),
        LogFault::Corrupt => (Code::Internal, "the store cannot read this: it is damaged"),
        LogFault::Taken => {
            (Code::NameTaken, "somebody else was first: the name, or the link, has just been taken")
        }
        LogFault::TooDear => (Code::Busy, "this takes the store too long; ask for less"),
    };
    let refusal = Refusal::new(code, message);
    if code.is_transient() { refusal.retry_after_ms(FAULT_RETRY_MS) } else { refusal }
}
