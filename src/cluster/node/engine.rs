//! What a node needs of its engine, whoever carries the bytes.

use std::fmt;

use crate::chat::model::others::NodeId;
use crate::pg::{EngineError, Param, Row, Statement};
use crate::time::Tick;
use crate::time::clock::Now;

/// On which connection something is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// What is written, in order.
    Writer,
    /// What is read; nothing there waits for a standby.
    Reader,
}

/// The engine cannot be asked now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Down;

/// What comes of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A statement was done, or refused.
    Answered {
        /// Which.
        tag: u64,
        /// Its rows.
        outcome: Result<Vec<Row>, EngineError>,
    },
    /// A statement was done, or not: no answer comes any more. Those of a lane are said in the
    /// order in which they were asked.
    Lost {
        /// Which.
        tag: u64,
    },
    /// Statements are done from now on.
    Up {
        /// It may be another engine than before, or one that has forgotten something.
        is_changed: bool,
    },
    /// Nothing is done until [`Event::Up`].
    Down,
    /// It takes long: what is asked waits.
    Slow,
    /// Other nodes have changed these rooms, by the numbers of their rows.
    Grew {
        /// Which.
        rooms: Vec<i64>,
    },
    /// A node tells something.
    Bus {
        /// Which.
        node: NodeId,
        /// What.
        payload: Box<str>,
    },
    /// A node has begun to tell.
    NodeBegun {
        /// Which.
        node: NodeId,
    },
    /// A node is heard no more.
    NodeGone {
        /// Which.
        node: NodeId,
    },
}

/// The engine as a node sees it.
pub trait Engine: fmt::Debug {
    /// Asks for a statement to be done behind those before on its lane.
    ///
    /// # Errors
    ///
    /// [`Down`] if it cannot be asked: nothing was sent.
    fn ask(
        &mut self,
        now: Now,
        (lane, tag): (Lane, u64),
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<(), Down>;

    /// What has come.
    fn poll(&mut self) -> Option<Event>;

    /// Tells the other nodes, at leisure; it may be lost.
    fn tell(&mut self, now: Now, payload: &str);

    /// Tells the other nodes that these rooms have changed, behind what was asked before on the
    /// lane of the writer.
    fn grew(&mut self, now: Now, rooms: &[i64]);

    /// The number of this node; `None` before it has one.
    fn node(&self) -> Option<NodeId>;

    /// When it has to be looked at again though nothing has come.
    fn deadline(&self) -> Tick;
}
