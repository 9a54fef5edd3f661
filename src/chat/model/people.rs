//! What is kept of people beside the rooms, and how it changes.

use super::identity::Bound;

/// A change of what is kept of people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeopleChange {
    /// A name that was nobody's belongs to somebody.
    Bind(Bound),
    /// Whether names are proved. Those of members that are not bound are of a time in which none
    /// was, unless this is so.
    Proved(bool),
}

/// What is kept of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whose the names are.
    pub bound: Vec<Bound>,
    /// See [`PeopleChange::Proved`].
    pub proved: bool,
}
