//! When the process dies: after so many boundaries more, wherever that is in a turn.

use std::cell::Cell;
use std::rc::Rc;

/// Shared by all who cross boundaries: the reactor before each input, the store at each call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doom(Rc<Cell<Fate>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Alive,
    /// Boundaries that it still crosses.
    Doomed(u64),
    Dead,
}

impl Doom {
    /// The process dies when it has crossed `more` boundaries.
    pub(crate) fn strike(&self, more: u64) {
        self.0.set(Fate::Doomed(more));
    }

    /// A boundary is crossed, unless the process is dead: then nothing that follows has happened.
    pub(crate) fn cross(&self) -> bool {
        let fate = match self.0.get() {
            Fate::Doomed(0) => Fate::Dead,
            Fate::Doomed(more) => Fate::Doomed(more - 1),
            fate @ (Fate::Alive | Fate::Dead) => fate,
        };
        self.0.set(fate);
        fate != Fate::Dead
    }

    /// Whether it is dead.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.get() == Fate::Dead
    }

    /// Whether it is about to die, or dead.
    pub(crate) fn is_struck(&self) -> bool {
        self.0.get() != Fate::Alive
    }

    /// A new process begins.
    pub(crate) fn lift(&self) {
        self.0.set(Fate::Alive);
    }
}
