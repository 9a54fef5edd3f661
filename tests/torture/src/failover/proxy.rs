//! TCP proxies between the nodes and the engines: each link can be delayed, split, stopped and cut.

#![expect(clippy::disallowed_types, reason = "what becomes of the bytes, told to their threads")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::Outcome;

/// Bytes that are handed on at once while they are split.
const PIECE_LEN: usize = 5;

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// They go on at once.
    Pass,
    /// They go on so much later.
    Delay(Duration),
    /// They go on a few at a time.
    Split,
    /// They stay where they are, and nobody is told.
    Stop,
    /// Connections are ended, and no other ones are made.
    Cut,
}

/// The way from one node to one engine.
pub(crate) struct Proxy {
    /// Where it listens.
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    mode: Mutex<Mode>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Begins to listen, for an engine at this port.
    pub(crate) fn start(target: u16) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            mode: Mutex::new(Mode::Pass),
            changed: Condvar::new(),
            streams: Mutex::new(Vec::new()),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                shared.carry(stream, target);
            }
        });
        Ok(Self { port, state })
    }

    /// Changes what becomes of the bytes.
    pub(crate) fn set(&self, mode: Mode) {
        *self.state.mode.lock().unwrap_or_else(PoisonError::into_inner) = mode;
        self.state.changed.notify_all();
        if mode == Mode::Cut {
            self.state.cut();
        }
    }
}

impl State {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        for stream in self.streams.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Begins to carry bytes both ways. A connection that cannot be made ends at once.
    fn carry(self: &Arc<Self>, near: TcpStream, target: u16) {
        if self.mode() == Mode::Cut {
            return;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", target)) else { return };
        for (from, to) in [(&near, &far), (&far, &near)] {
            let _ = from.set_nodelay(true);
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
            let state = Arc::clone(self);
            thread::spawn(move || state.copy(from, to));
        }
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.peer_addr().is_ok());
        streams.extend([near, far]);
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(len @ 1..) = from.read(&mut buffer) {
            let bytes = buffer.get(..len).unwrap_or_default();
            let mode = self.await_way();
            if let Mode::Delay(delay) = mode {
                thread::park_timeout(delay);
            }
            let piece_len = if mode == Mode::Split { PIECE_LEN } else { len };
            if bytes.chunks(piece_len).any(|piece| to.write_all(piece).is_err()) {
                break;
            }
        }
        // The end goes the same way as the bytes.
        self.await_way();
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    /// Waits until bytes may go on.
    fn await_way(&self) -> Mode {
        let mode = self.mode.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(mode, |mode| *mode == Mode::Stop);
        *waited.unwrap_or_else(PoisonError::into_inner)
    }
}
