//! The thread that resolves the names of the engine's hosts: a name server that does not answer
//! keeps nobody waiting but the connection that needs it.
//!
//! Names are resolved anew for each connection, since services that fail over by DNS change what
//! they mean.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use crate::store::Wake;

/// Questions that may wait: two connections are made at a time, and one that is given up leaves
/// its question behind.
const QUESTIONS_MAX: usize = 16;

/// A name with its port, and who asks.
struct Question {
    tag: u64,
    name: Box<str>,
    port: u16,
}

/// What became of a question: who asked, and all addresses of the name.
pub(super) type Answer = (u64, io::Result<Vec<SocketAddr>>);

/// The thread, as its owner sees it. It ends when this is dropped, after what it is doing.
#[derive(Debug)]
pub(super) struct Resolver {
    questions: SyncSender<Question>,
    answers: Receiver<Answer>,
}

impl Resolver {
    /// Starts the thread, which calls `wake` for each answer.
    ///
    /// # Errors
    ///
    /// What the system says if it has no thread to give.
    pub(super) fn start(wake: Wake) -> io::Result<Self> {
        let (questions, incoming) = sync_channel::<Question>(QUESTIONS_MAX);
        let (answer, answers) = sync_channel(QUESTIONS_MAX);
        let run = move || {
            for Question { tag, name, port } in incoming {
                let found = (&*name, port).to_socket_addrs().map(Iterator::collect);
                // The server is gone: nobody takes it.
                if answer.send((tag, found)).is_err() {
                    return;
                }
                wake();
            }
        };
        thread::Builder::new().name("resolver".to_owned()).spawn(run)?;
        Ok(Self { questions, answers })
    }

    /// Asks for the addresses of a name.
    ///
    /// # Errors
    ///
    /// In words, if too many questions wait.
    pub(super) fn ask(&self, tag: u64, name: &str, port: u16) -> Result<(), &'static str> {
        self.questions.try_send(Question { tag, name: name.into(), port }).map_err(|error| {
            match error {
                TrySendError::Full(_) => "the name server does not answer",
                TrySendError::Disconnected(_) => "the thread that resolves names has ended",
            }
        })
    }

    /// The next answer.
    pub(super) fn poll(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_name_has_its_addresses_and_one_that_is_none_has_an_error() {
        let (wake, woken) = channel();
        let resolver = Resolver::start(Arc::new(move || _ = wake.send(()))).unwrap();
        resolver.ask(1, "127.0.0.1", 5432).unwrap();
        resolver.ask(2, "no name", 5432).unwrap();
        let answer = || {
            woken.recv().unwrap();
            resolver.poll().unwrap()
        };
        let (tag, found) = answer();
        assert_eq!((tag, found.unwrap()), (1, vec!["127.0.0.1:5432".parse().unwrap()]));
        let (tag, found) = answer();
        assert_eq!((tag, found.is_err()), (2, true));
    }
}
