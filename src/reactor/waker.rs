//! Calling the loop from another thread.

use std::io;
use std::sync::Arc;

use mio::Registry;

use super::source::Source;

/// Wakes the reactor from another thread: its handler is then told
/// [`Input::StoreReady`](crate::net::Input::StoreReady). Wakes that come before it has turned are
/// one.
#[derive(Clone, Debug)]
pub struct Waker(Arc<mio::Waker>);

impl Waker {
    /// The waker of the poller that `registry` belongs to; there may be one.
    pub(super) fn new(registry: &Registry) -> io::Result<Self> {
        mio::Waker::new(registry, Source::Waker.token()).map(|waker| Self(Arc::new(waker)))
    }

    /// Wakes.
    ///
    /// # Errors
    ///
    /// If the system refuses, which means that the reactor is gone.
    pub fn wake(&self) -> io::Result<()> {
        self.0.wake()
    }
}
