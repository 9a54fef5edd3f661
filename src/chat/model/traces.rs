//! What there is of a user, for who erases it: counted by the store and by the engine alike.

/// How much there is of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Messages that are not deleted.
    pub messages: u64,
    /// Records that contain the name, these messages included.
    pub records: u64,
    /// Rooms of which the user is a member, conversations included.
    pub memberships: u64,
    /// Bans, mutes and invitations in rooms, blocks and reports, and devices that are told.
    pub restrictions: u64,
    /// Direct conversations.
    pub conversations: u64,
    /// Whether the name is bound to an account, a token's subject or a key.
    pub is_bound: bool,
    /// An erasure of the user was cut off, and is to be finished.
    pub is_unfinished: bool,
}
