//! What one process of the generator counts.

use serde::{Deserialize, Serialize};

use crate::latency::Latency;

/// What the generator has counted; several processes' counts add up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Connections that are open.
    pub connections: u64,
    /// Connections that were opened and upgraded.
    pub handshakes: u64,
    /// Messages that arrived, each counted at each recipient.
    pub deliveries: u64,
    /// Messages that were sent.
    pub sends: u64,
    /// The process's time on a core, in µs.
    pub cpu_us: u64,
    /// How long the deliveries took.
    pub latency: Latency,
    /// What went wrong.
    pub faults: Faults,
}

/// What can go wrong with deliveries, and how often it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Faults {
    /// Messages that were skipped, as the next one's number shows.
    pub gaps: u64,
    /// Messages that came again.
    pub duplicates: u64,
    /// Messages that came after a later one.
    pub reordered: u64,
    /// Messages that had not come at the end.
    pub lost: u64,
    /// Messages and replies that nobody waited for.
    pub unexpected: u64,
    /// Connections that were closed by the other end.
    pub disconnected: u64,
}

impl Counts {
    /// Adds what another process has counted.
    pub fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        self.handshakes += other.handshakes;
        self.deliveries += other.deliveries;
        self.sends += other.sends;
        self.cpu_us += other.cpu_us;
        self.latency.merge(&other.latency);
        self.faults.merge(other.faults);
    }
}

impl Faults {
    /// Adds what went wrong elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.gaps += other.gaps;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.lost += other.lost;
        self.unexpected += other.unexpected;
        self.disconnected += other.disconnected;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_several_processes_add_up_and_can_be_sent() {
        let faults = Faults {
            gaps: 1,
            duplicates: 2,
            reordered: 3,
            lost: 4,
            unexpected: 5,
            disconnected: 6,
        };
        let mut one = Counts {
            connections: 1,
            handshakes: 2,
            deliveries: 3,
            sends: 4,
            cpu_us: 5,
            latency: Latency::new(),
            faults,
        };
        one.latency.record_n(100, 3);
        let sent = serde_json::to_string(&one).unwrap();
        one.merge(&serde_json::from_str(&sent).unwrap());
        let Counts { connections, handshakes, deliveries, sends, cpu_us, latency, faults } = one;
        assert_eq!([connections, handshakes, deliveries, sends, cpu_us], [2, 4, 6, 8, 10]);
        assert_eq!(latency.values(), [(100, 6)]);
        let Faults { gaps, duplicates, reordered, lost, unexpected, disconnected } = faults;
        let all = [gaps, duplicates, reordered, lost, unexpected, disconnected];
        assert_eq!(all, [2, 4, 6, 8, 10, 12]);
    }
}
