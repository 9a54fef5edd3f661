//! What lies between a client and the server: two streams of bytes, and how each side ended its
//! own.

use std::collections::VecDeque;

use chinwag::net::ListenerId;
use chinwag::time::Tick;

/// Bytes that the server's kernel takes from a client before the server reads them.
const UP_MAX: usize = 64 * 1024;

/// One connection, as the kernel sees it, and what its client has done to it.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) listener: ListenerId,
    /// To which node it leads.
    pub(crate) node: usize,
    /// Sent by the client, not read by the server yet.
    pub(crate) up: VecDeque<u8>,
    pub(crate) up_fin: bool,
    pub(crate) up_reset: bool,
    /// Sent by the server, not read by the client yet.
    pub(crate) down: VecDeque<u8>,
    /// Bytes that `down` holds at most: the server's send buffer and the client's receive buffer.
    pub(crate) down_max: usize,
    pub(crate) down_fin: bool,
    pub(crate) down_reset: bool,
    pub(crate) story: Story,
}

/// What a client has done, by which the end of its connection must be explained.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) client: usize,
    pub(crate) opened: Tick,
    /// When the server last read bytes of it.
    pub(crate) heard: Tick,
    /// When it last took bytes.
    pub(crate) took: Tick,
    /// Until when it is or was not at its best: stalled, crawling, or gone for good.
    pub(crate) dull_until: Tick,
    /// It has been welcomed.
    pub(crate) greeted: bool,
    /// It has said goodbye in its protocol, or sent FIN.
    pub(crate) said_bye: bool,
    /// It has sent what no client may.
    pub(crate) hostile: bool,
    /// Its session was taken over by another connection.
    pub(crate) replaced: bool,
}

impl Link {
    pub(crate) fn new(client: usize, listener: ListenerId, down_max: usize, now: Tick) -> Self {
        Self {
            listener,
            node: 0,
            up: VecDeque::new(),
            up_fin: false,
            up_reset: false,
            down: VecDeque::new(),
            down_max,
            down_fin: false,
            down_reset: false,
            story: Story {
                client,
                opened: now,
                heard: now,
                took: now,
                dull_until: now,
                greeted: false,
                said_bye: false,
                hostile: false,
                replaced: false,
            },
        }
    }

    /// The client sends from the front of `bytes`, at most `most`; what was taken is removed.
    pub(crate) fn send(&mut self, bytes: &mut Vec<u8>, most: usize) {
        let room = UP_MAX.saturating_sub(self.up.len());
        let count = bytes.len().min(most).min(room);
        self.up.extend(bytes.drain(..count));
    }

    /// The client reads at most `most` bytes.
    pub(crate) fn take(&mut self, most: usize, now: Tick) -> Vec<u8> {
        let count = self.down.len().min(most);
        if count > 0 {
            self.story.took = now;
        }
        self.down.drain(..count).collect()
    }

    /// The client sends FIN.
    pub(crate) const fn finish(&mut self) {
        self.up_fin = true;
        self.story.said_bye = true;
    }

    /// The client resets the connection: what is under way is lost.
    pub(crate) fn reset(&mut self) {
        self.up.clear();
        self.down.clear();
        self.up_reset = true;
    }
}
