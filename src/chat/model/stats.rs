//! What the domain counts.

/// Numbers for the metrics page. Those that rise are since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records that the logs have taken.
    pub records: u64,
    /// Messages that had been sent before.
    pub duplicates: u64,
    /// Records handed to live cursors, one for each recipient.
    pub deliveries: u64,
    /// Records handed to cursors that were behind.
    pub replayed: u64,
    /// Cursors that have fallen behind because their connection was slow.
    pub lagged: u64,
    /// Gaps that were told.
    pub gaps: u64,
    /// Presence, typing and receipts events, one for each recipient.
    pub ephemeral: u64,
    /// Those that were dropped because their recipient was slow.
    pub ephemeral_dropped: u64,
    /// Cursors that are behind now.
    pub behind: u64,
    /// Subscriptions that there are now.
    pub subs: u64,
    /// Sessions that there are now.
    pub sessions: u64,
    /// Rooms that were loaded.
    pub rooms_loaded: u64,
    /// Rooms that were forgotten because nobody used them.
    pub rooms_forgotten: u64,
    /// Requests that had to wait for rooms or users.
    pub waits: u64,
    /// Those that wait now.
    pub waiting: u64,
    /// Rooms that are in the store only.
    pub rooms_elsewhere: u64,
    /// Streams of events that there are now.
    pub streams: u64,
}
