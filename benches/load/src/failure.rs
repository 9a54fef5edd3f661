//! Why there is no result.

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The command line asks for what cannot be.
    Wrong(String),
    /// It was tried and failed.
    Failed(String),
}
