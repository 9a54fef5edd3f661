//! What the operator does from outside, by the admin API.

use super::account::Key;
use super::name::UserName;
use super::suspensions::{Expiry, Suspended};

/// An act of the operator over people. Each is noted for the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorAct {
    /// There is such a key, or hook.
    AddKey(Key),
    /// A key, or a hook, is over: its connections end.
    EndKey {
        /// Its name.
        name: UserName,
        /// Which of the two it is.
        is_hook: bool,
    },
    /// Somebody may not use the server: who is here ends.
    Suspend(Suspended, Expiry),
    /// Somebody may use the server again.
    Unsuspend(Suspended),
    /// All logins and sessions of a user end.
    EndSessions(UserName),
}
