//! Where the memory is.

use super::Gauge;

/// Bytes held, by account. They are the books of the parts themselves, not the allocator's; what
/// waits for sockets is in [`ReactorMetrics::queued_bytes`](super::ReactorMetrics::queued_bytes).
#[derive(Debug, Default)]
pub struct MemoryMetrics {
    /// Records in the rooms' recent rings.
    pub rings: Gauge,
    /// Rooms without their rings.
    pub rooms: Gauge,
    /// What the domain keeps of users, whether they are connected or not, in bytes.
    pub users: Gauge,
    /// What each connection's session takes by itself, in bytes.
    pub sessions: Gauge,
    /// What has come in part, or waits for its turn.
    pub inbound: Gauge,
}

impl MemoryMetrics {
    /// Every label with its bytes.
    pub fn labelled(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let accounts = [
            ("rings", &self.rings),
            ("rooms", &self.rooms),
            ("users", &self.users),
            ("sessions", &self.sessions),
            ("inbound", &self.inbound),
        ];
        accounts.into_iter().map(|(account, cell)| (account, cell.value()))
    }
}
