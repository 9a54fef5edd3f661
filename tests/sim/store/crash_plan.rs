//! When the process dies: after so many boundaries more, wherever that is in a turn.

use std::cell::Cell;
use std::rc::Rc;

/// Shared by all who cross boundaries: the reactor before each input, the store at each call.
#[derive(Clone, Debug, Default)]
pub(crate) struct CrashPlan(Rc<Cell<State>>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Alive,
    /// Boundaries that it still crosses.
    CrashesAfter(u64),
    Dead,
}

impl CrashPlan {
    /// The process dies when it has crossed `more` boundaries.
    pub(crate) fn crash_after(&self, more: u64) {
        self.0.set(State::CrashesAfter(more));
    }

    /// A boundary is crossed, unless the process is dead: then nothing that follows has happened.
    pub(crate) fn cross(&self) -> bool {
        let fate = match self.0.get() {
            State::CrashesAfter(0) => State::Dead,
            State::CrashesAfter(more) => State::CrashesAfter(more - 1),
            fate @ (State::Alive | State::Dead) => fate,
        };
        self.0.set(fate);
        fate != State::Dead
    }

    /// Whether it is dead.
    pub(crate) fn is_dead(&self) -> bool {
        self.0.get() == State::Dead
    }

    /// Whether it is about to die, or dead.
    pub(crate) fn is_scheduled(&self) -> bool {
        self.0.get() != State::Alive
    }

    /// A new process begins.
    pub(crate) fn cancel(&self) {
        self.0.set(State::Alive);
    }
}
