//! What a record is asked for with once more, if its sender's rights were changed meanwhile.

use crate::chat::keys::UserKey;
use crate::chat::model::record::Body;

/// A record that is asked for once more, as a command.
#[derive(Debug)]
pub(in crate::chat) struct Again {
    pub user: UserKey,
    pub body: Body,
    /// As the command had it.
    pub weight: u32,
}
