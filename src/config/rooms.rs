//! The policy of rooms that do not say otherwise, and WebSocket compression.

use super::kind::{Kind, Size, Switch, quote};
use super::setting::{Given, Section};

/// What a record must survive before it is shown to anyone and its sender is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing: the room's log is lost with the process, and begins a new epoch at each start.
    Memory,
}

/// The word for a [`Durability`]; those that this version does not keep are refused by name.
pub(super) struct DurabilityWord;

impl Kind<Durability> for DurabilityWord {
    fn parse(&self, given: &Given) -> Result<Durability, String> {
        match given.text() {
            Some("memory") => Ok(Durability::Memory),
            Some(level @ ("os" | "disk")) => Err(format!(
                "{level:?} needs a store, which this version does not have yet: rooms live in \
                 memory and are lost when the server stops; write \"memory\" to accept that"
            )),
            _ => Err("must be \"memory\"".to_owned()),
        }
    }

    fn render(&self, value: &Durability) -> String {
        match value {
            Durability::Memory => quote("memory"),
        }
    }
}

/// The policy of rooms that do not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rooms {
    /// Whether `join` makes an open room that does not exist; otherwise it is 3001.
    pub open_join_creates: bool,
}

impl Default for Rooms {
    fn default() -> Self {
        Self { open_join_creates: true }
    }
}

impl Rooms {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("open_join_creates", &mut self.open_join_creates, Switch);
    }
}

/// WebSocket compression: RFC 7692, always without context takeover.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compression {
    /// Whether permessage-deflate is accepted when a client offers it.
    pub enabled: bool,
    /// Bytes from which on a message is compressed; below, it costs more than it saves.
    pub threshold_bytes: usize,
}

impl Default for Compression {
    fn default() -> Self {
        Self { enabled: true, threshold_bytes: 512 }
    }
}

impl Compression {
    pub(super) fn visit(&mut self, mut section: Section<'_, '_>) {
        section.setting("enabled", &mut self.enabled, Switch);
        section.setting("threshold_bytes", &mut self.threshold_bytes, Size(0..=1 << 20));
    }
}
