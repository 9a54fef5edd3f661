//! Which nodes hear the bus: it is of use only while all do.

use std::collections::BTreeMap;

use super::boundary::NodeRow;
use super::bounds::HEARS_FOR;
use crate::chat::model::other_nodes::NodeId;
use crate::time::Tick;

/// What is known of another node.
#[derive(Clone, Copy, Debug)]
struct Peer {
    /// Since when it is known.
    since: Tick,
    /// What it says by the engine: whether it hears its bus; `None` if it has none.
    says: Option<bool>,
    /// When it was heard on our bus last.
    heard_at: Option<Tick>,
}

/// What is known of the other nodes.
///
/// Invariant: only nodes that [`Peers::keep`] was told of lately, or that were heard since.
#[derive(Debug, Default)]
pub(super) struct Peers {
    all: BTreeMap<NodeId, Peer>,
}

impl Peers {
    fn peer(&mut self, now: Tick, node: NodeId) -> &mut Peer {
        self.all.entry(node).or_insert(Peer { since: now, says: None, heard_at: None })
    }

    /// Forgets all nodes but these.
    pub(super) fn keep(&mut self, nodes: impl Iterator<Item = NodeId>) {
        let nodes = nodes.collect::<std::collections::BTreeSet<_>>();
        self.all.retain(|node, _| nodes.contains(node));
    }

    /// A node says by the engine how its bus is.
    pub(super) fn on_said(&mut self, now: Tick, node: NodeId, says: Option<bool>) {
        let peer = self.peer(now, node);
        peer.says = says;
        if says != Some(true) {
            peer.heard_at = None;
        }
    }

    /// A node was heard on our bus.
    pub(super) fn on_heard(&mut self, now: Tick, node: NodeId) {
        self.peer(now, node).heard_at = Some(now);
    }

    /// Our bus is lost: whoever was heard on it has to be heard again.
    pub(super) fn forget_heard(&mut self) {
        for peer in self.all.values_mut() {
            peer.heard_at = None;
        }
    }

    fn hears(&self, now: Tick, node: NodeId) -> bool {
        let heard_at = self.all.get(&node).and_then(|peer| peer.heard_at);
        heard_at.is_some_and(|at| now < at.after(HEARS_FOR))
    }

    /// Whether each of these nodes hears our bus.
    pub(super) fn all_hear(&self, now: Tick, mut nodes: impl Iterator<Item = NodeId>) -> bool {
        nodes.all(|node| self.hears(now, node))
    }

    /// What is wrong, in sentences, of nodes that had the time to say what they have. `is_up`: our
    /// own bus is, `None` if we have none.
    pub(super) fn apart(&self, now: Tick, is_up: Option<bool>, rows: &[NodeRow]) -> Vec<String> {
        let mut sentences = Vec::new();
        for row in rows.iter().filter(|row| !row.is_own) {
            let Some(peer) = self.all.get(&row.id) else { continue };
            if now < peer.since.after(HEARS_FOR) {
                continue;
            }
            let what = match (is_up, peer.says) {
                (None, Some(_)) => "has a bus, and this node has none",
                (Some(_), None) => "has no bus",
                (Some(true), Some(true)) if !self.hears(now, row.id) => "has another bus",
                _ => continue,
            };
            sentences.push(format!(
                "node {} ({}) {what}: the engine carries everything; set [cluster] bus alike at \
                 all nodes",
                row.id.0, row.name
            ));
        }
        sentences
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NODE: NodeId = NodeId(8);

    fn at(millis: u64) -> Tick {
        Tick::from_millis(millis)
    }

    fn rows() -> [NodeRow; 2] {
        [(5, true), (8, false)].map(|(id, is_own)| NodeRow {
            id: NodeId(id),
            name: "n".into(),
            address: "a".into(),
            version: "v".into(),
            age: Duration::ZERO,
            is_own,
        })
    }

    #[test]
    fn a_node_hears_the_bus_for_a_while_after_it_was_heard_on_it() {
        let mut peers = Peers::default();
        let hears = |peers: &Peers, millis| peers.all_hear(at(millis), [NODE].into_iter());
        assert!(peers.all_hear(at(0), [].into_iter()) && !hears(&peers, 0));
        peers.on_heard(at(100), NODE);
        assert_eq!((hears(&peers, 5_099), hears(&peers, 5_100)), (true, false));
        peers.on_said(at(200), NODE, Some(true));
        assert!(hears(&peers, 300));
        peers.on_said(at(200), NODE, Some(false));
        assert!(!hears(&peers, 300));
        peers.on_heard(at(400), NODE);
        peers.forget_heard();
        assert!(!hears(&peers, 400));
        peers.on_heard(at(500), NODE);
        peers.keep([NodeId(9)].into_iter());
        assert!(!hears(&peers, 500));
    }

    #[test]
    fn nodes_that_are_not_set_up_alike_are_told_of_when_they_had_the_time_to_say_so() {
        for (is_up, says, heard, expect) in [
            (None, None, false, None),
            (None, Some(true), false, Some("has a bus, and this node has none")),
            (None, Some(false), false, Some("has a bus, and this node has none")),
            (Some(true), None, false, Some("has no bus")),
            (Some(false), None, false, Some("has no bus")),
            (Some(true), Some(true), true, None),
            (Some(true), Some(true), false, Some("has another bus")),
            // Whichever is away, that is said elsewhere.
            (Some(false), Some(true), false, None),
            (Some(true), Some(false), false, None),
        ] {
            let mut peers = Peers::default();
            peers.on_said(at(0), NODE, says);
            if heard {
                peers.on_heard(at(4_000), NODE);
            }
            assert!(peers.apart(at(4_999), is_up, &rows()).is_empty(), "{is_up:?} {says:?}");
            let said = peers.apart(at(5_000), is_up, &rows());
            let shown = format!("{is_up:?} {says:?} {heard} {said:?}");
            assert_eq!(said.len(), usize::from(expect.is_some()), "{shown}");
            assert!(expect.is_none_or(|text| said[0].contains(text)), "{shown}");
        }
    }
}
