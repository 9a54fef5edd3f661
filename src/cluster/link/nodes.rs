//! Who else there is: the registry of nodes, as beats answer with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::boundary::{LinkEvent, NodeRow};
use super::bounds::NODES_MAX;
use crate::chat::model::other_nodes::NodeId;
use crate::pg::{Row, WrongType};
use crate::time::Tick;

/// Reads a row of [`BEAT`](super::statements::BEAT).
fn read_node(row: &Row) -> Result<NodeRow, WrongType> {
    let column = |column| move |_error| WrongType { column };
    Ok(NodeRow {
        id: NodeId(row.int(0)?.try_into().map_err(column(0))?),
        name: row.text(1)?.into(),
        address: row.text(2)?.into(),
        version: row.text(3)?.into(),
        // The engine's clock may have gone back.
        age: Duration::from_millis(row.int(4)?.try_into().unwrap_or(0)),
        is_own: row.bool(5)?,
    })
}

/// The settings of the engine, and its time.
type OfEngine = (Box<str>, i64);

/// Reads the answer to a beat: the nodes, ascending, and what is said of the engine.
pub(super) fn read(rows: &[Row]) -> Result<(Vec<NodeRow>, OfEngine), WrongType> {
    let first = rows.first().ok_or(WrongType { column: 6 })?;
    let engine = (first.text(6)?.into(), first.int(7)?);
    let mut nodes = rows.iter().map(read_node).collect::<Result<Vec<_>, _>>()?;
    nodes.sort_by_key(|node| node.id);
    Ok((nodes, engine))
}

/// The nodes besides this one.
///
/// Invariant: `others` has neither this node nor its number before, and at most [`NODES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// As of the last beat.
    rows: Vec<NodeRow>,
    /// This one, and the number that it had before.
    own: Option<NodeId>,
    former: Option<NodeId>,
    /// When it got its number.
    own_since: Tick,
    /// Those of which it was said that they have the same name.
    namesakes: BTreeSet<NodeId>,
    /// Those that were reported, and when each was certainly there.
    others: BTreeMap<NodeId, Tick>,
}

impl Nodes {
    pub(super) const fn own(&self) -> Option<NodeId> {
        self.own
    }

    pub(super) fn rows(&self) -> &[NodeRow] {
        &self.rows
    }

    /// All others that are known.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> {
        self.others.keys().copied()
    }

    /// A beat that was sent `asked_at` is answered: pushes who is gone, and who is new.
    pub(super) fn on_rows(
        &mut self,
        asked_at: Tick,
        rows: Vec<NodeRow>,
        mut push: impl FnMut(LinkEvent),
    ) {
        let own = rows.iter().find(|row| row.is_own).map(|row| row.id);
        if own != self.own {
            if let (Some(former), Some(own)) = (self.own, own) {
                log::warn!(former = former.0, own = own.0; "this node was not heard of for so long that it counted as gone, and has another number: was it stopped, or cut off?");
            }
            self.former = self.own;
            self.own = own;
            self.own_since = asked_at;
        }
        self.note_namesakes(asked_at, &rows);
        // Who was heard since may not have been in the registry yet when it was read.
        let is_gone = |node: &NodeId, seen_at: &Tick| {
            *seen_at < asked_at && rows.binary_search_by_key(node, |row| row.id).is_err()
        };
        self.others.retain(|node, seen_at| {
            let gone = is_gone(node, seen_at);
            if gone {
                push(LinkEvent::NodeGone { node: *node });
            }
            !gone
        });
        for row in rows.iter().filter(|row| !row.is_own) {
            if self.see(asked_at, row.id) {
                push(LinkEvent::NodeBegun { node: row.id });
            }
        }
        self.rows = rows;
    }

    /// Says which nodes have the name of this one, of each once: those that were heard since this
    /// one is there, and so are not what it was before its start.
    fn note_namesakes(&mut self, asked_at: Tick, rows: &[NodeRow]) {
        let Some(own) = rows.iter().find(|row| row.is_own) else { return };
        let here_for = asked_at.since(self.own_since);
        let is_namesake = |row: &&NodeRow| {
            !row.is_own && row.name == own.name && row.age < here_for && !row.age.is_zero()
        };
        let found: BTreeSet<_> = rows.iter().filter(is_namesake).map(|row| row.id).collect();
        for row in rows.iter().filter(|row| found.contains(&row.id)) {
            if !self.namesakes.contains(&row.id) {
                let (name, address) = (&*row.name, &*row.address);
                log::warn!(name, address; "another node has this one's name: set another [cluster] name here or there");
            }
        }
        self.namesakes = found;
    }

    /// A node tells something; `is_hello` that it begins to listen. Whether what it tells counts.
    pub(super) fn on_heard(
        &mut self,
        now: Tick,
        node: NodeId,
        is_hello: bool,
        mut push: impl FnMut(LinkEvent),
    ) -> bool {
        let is_new = self.see(now, node);
        if is_new || (is_hello && self.others.contains_key(&node)) {
            push(LinkEvent::NodeBegun { node });
        }
        self.others.contains_key(&node)
    }

    /// The node is there; whether it is new.
    fn see(&mut self, at: Tick, node: NodeId) -> bool {
        if let Some(seen_at) = self.others.get_mut(&node) {
            *seen_at = at.max(*seen_at);
            return false;
        }
        // The number that this node had before is not another node: what it has told under that
        // number may still come back.
        let counts =
            Some(node) != self.own && Some(node) != self.former && self.others.len() < NODES_MAX;
        if counts {
            self.others.insert(node, at);
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u64, is_own: bool) -> NodeRow {
        NodeRow {
            id: NodeId(id),
            name: "a".into(),
            address: "b".into(),
            version: "c".into(),
            age: Duration::ZERO,
            is_own,
        }
    }

    const fn begun(node: u64) -> LinkEvent {
        LinkEvent::NodeBegun { node: NodeId(node) }
    }

    const fn gone(node: u64) -> LinkEvent {
        LinkEvent::NodeGone { node: NodeId(node) }
    }

    /// A node of number 5 at 100 ms, with 3 and 9 beside it.
    fn nodes() -> Nodes {
        let mut nodes = Nodes::default();
        let mut events = Vec::new();
        let rows = vec![row(3, false), row(5, true), row(9, false)];
        nodes.on_rows(Tick::from_millis(100), rows, |event| events.push(event));
        assert_eq!((nodes.own(), events), (Some(NodeId(5)), vec![begun(3), begun(9)]));
        nodes
    }

    #[test]
    fn a_registry_reports_each_node_once_when_it_comes_and_when_it_goes() {
        for (asked_at, rows, expect) in [
            (200, vec![row(3, false), row(5, true), row(9, false)], vec![]),
            (200, vec![row(3, false), row(5, true)], vec![gone(9)]),
            (200, vec![row(5, true), row(7, false), row(9, false)], vec![gone(3), begun(7)]),
            // It was too long away, and has a new number.
            (200, vec![row(11, true)], vec![gone(3), gone(9)]),
            // What was asked before is answered late.
            (50, vec![row(5, true)], vec![]),
        ] {
            let (mut nodes, mut events) = (nodes(), Vec::new());
            let shown = format!("{rows:?}");
            nodes.on_rows(Tick::from_millis(asked_at), rows, |event| events.push(event));
            assert_eq!(events, expect, "{asked_at} {shown}");
        }
    }

    #[test]
    fn who_is_heard_is_there_before_the_registry_says_so() {
        for (node, is_hello, counts, expect) in [
            (3, false, true, vec![]),
            (3, true, true, vec![begun(3)]),
            (12, false, true, vec![begun(12)]),
            (12, true, true, vec![begun(12)]),
            (5, true, false, vec![]),
        ] {
            let (mut nodes, mut events) = (nodes(), Vec::new());
            let at = Tick::from_millis(300);
            let heard = nodes.on_heard(at, NodeId(node), is_hello, |event| events.push(event));
            assert_eq!((heard, events), (counts, expect), "{node} {is_hello}");
        }
        let (mut nodes, mut events) = (nodes(), Vec::new());
        let all = || vec![row(3, false), row(5, true), row(9, false)];
        nodes.on_heard(Tick::from_millis(300), NodeId(12), false, |_| ());
        // The registry was read before it was written there, and then it is gone.
        nodes.on_rows(Tick::from_millis(300), all(), |event| events.push(event));
        nodes.on_rows(Tick::from_millis(301), all(), |event| events.push(event));
        assert_eq!(events, [gone(12)]);
    }

    #[test]
    fn what_was_told_under_an_earlier_number_of_our_own_is_of_no_other_node() {
        let mut nodes = nodes();
        nodes.on_rows(Tick::from_millis(200), vec![row(11, true)], |_| ());
        for node in [5, 11] {
            let heard = nodes.on_heard(Tick::from_millis(300), NodeId(node), true, |event| {
                panic!("{event:?}");
            });
            assert!(!heard);
        }
    }

    #[test]
    fn a_node_of_the_same_name_is_known_unless_it_is_what_this_one_was_before() {
        let mut nodes = nodes();
        let aged = |id, name: &str, millis| NodeRow {
            name: name.into(),
            age: Duration::from_millis(millis),
            ..row(id, false)
        };
        // 3 was not heard since this one began, 9 was, and 11 has another name.
        // The engine's clock went back: how old what was heard of 7 is nobody knows.
        let rows = vec![
            aged(3, "a", 5_000),
            row(5, true),
            aged(7, "a", 0),
            aged(9, "a", 900),
            aged(11, "b", 900),
        ];
        nodes.on_rows(Tick::from_millis(2_100), rows, |_| ());
        assert_eq!(Vec::from_iter(nodes.namesakes), [NodeId(9)]);
    }

    #[test]
    fn more_nodes_than_there_may_be_are_not_kept() {
        let mut nodes = nodes();
        let mut begun = 0;
        for node in 100..3_000 {
            nodes.on_heard(Tick::ZERO, NodeId(node), true, |_| begun += 1);
        }
        assert_eq!(begun, NODES_MAX - 2);
    }
}
