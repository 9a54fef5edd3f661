//! The way back from the store's threads: replies, and a call that wakes whoever polls them.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::chat::model::log::LogReply;

/// Calls the loop that polls the replies. It may be called from any thread, and as often as one likes.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Where a thread of the store leaves its replies; every clone leaves them in the same place, in order.
///
/// There are never more than requests that were taken: that is what bounds them.
#[derive(Clone)]
pub(super) struct Replies {
    sender: Sender<LogReply>,
    wake: Wake,
}

impl Replies {
    /// The way, and its end.
    pub(super) fn new(wake: Wake) -> (Self, Receiver<LogReply>) {
        let (sender, receiver) = channel();
        (Self { sender, wake }, receiver)
    }

    /// Leaves one reply and wakes the loop.
    pub(super) fn send(&self, reply: LogReply) {
        self.send_all([reply]);
    }

    /// Leaves replies and wakes the loop once, if there were any. Nothing happens if nobody is left to poll
    /// them.
    pub(super) fn send_all(&self, replies: impl IntoIterator<Item = LogReply>) {
        let mut some = false;
        for reply in replies {
            some |= self.sender.send(reply).is_ok();
        }
        if some {
            (self.wake)();
        }
    }
}

impl fmt::Debug for Replies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replies").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn many_replies_wake_once_and_none_do_not_wake() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let (replies, end) = Replies::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        replies.send_all([]);
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        replies.send_all([LogReply::Health(Ok(())), LogReply::Health(Ok(()))]);
        assert_eq!((wakes.load(Ordering::Relaxed), end.iter().take(2).count()), (1, 2));
    }
}
