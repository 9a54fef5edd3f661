//! The channel of replies from the store's threads to the loop, and the call that wakes it.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::chat::model::log::LogReply;

/// Wakes the loop that polls the replies. Any thread may call it, any number of times.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// The sending end; all clones send into the same channel, in order.
///
/// The channel itself needs no bound: there are never more replies than requests that were taken.
#[derive(Clone)]
pub(super) struct ReplySender {
    sender: Sender<LogReply>,
    wake: Wake,
}

impl ReplySender {
    /// Both ends of a new channel.
    pub(super) fn new(wake: Wake) -> (Self, Receiver<LogReply>) {
        let (sender, receiver) = channel();
        (Self { sender, wake }, receiver)
    }

    /// Sends one reply and wakes the loop.
    pub(super) fn send(&self, reply: LogReply) {
        self.send_all([reply]);
    }

    /// Sends replies and wakes the loop once, if there were any. Nothing happens when the other end
    /// is gone.
    pub(super) fn send_all(&self, replies: impl IntoIterator<Item = LogReply>) {
        let mut is_sent = false;
        for reply in replies {
            is_sent |= self.sender.send(reply).is_ok();
        }
        if is_sent {
            self.wake();
        }
    }

    /// Wakes the loop without a reply.
    pub(super) fn wake(&self) {
        (self.wake)();
    }
}

impl fmt::Debug for ReplySender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplySender").finish_non_exhaustive()
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
        let (replies, end) = ReplySender::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        replies.send_all([]);
        assert_eq!(wakes.load(Ordering::Relaxed), 0);
        replies.send_all([LogReply::Health(Ok(())), LogReply::Health(Ok(()))]);
        assert_eq!((wakes.load(Ordering::Relaxed), end.iter().take(2).count()), (1, 2));
    }
}
