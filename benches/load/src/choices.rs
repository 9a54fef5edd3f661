//! What a command line chooses between, in the words that stand there.

use clap::ValueEnum;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Join, and say nothing
    Idle,
    /// Send to rooms
    Fanout,
    /// Send to /echo, or another server that sends back what it gets
    Echo,
    /// Connect, upgrade, close, again and again
    Handshake,
    /// Pairs send to each other; --background adds a busy room
    Direct,
    /// Whole lives: connect, hello, join, send, leave, close
    Churn,
    /// Send to a room in which some do not read, or crawl
    Slow,
    /// The server goes away; everybody returns and goes on
    Storm,
    /// Read pages of the log
    History,
    /// People at a chat: rooms of all sizes, typing, receipts, reconnects
    Mixed,
}

impl Kind {
    /// As it stands on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// What a sent message survives, in the words of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// The loss of power
    Disk,
    /// The end of the process
    Os,
    /// Nothing
    #[default]
    Memory,
}

impl Durability {
    /// As it stands on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Senders {
    /// The first member of each room
    One,
    /// Every member
    All,
}
