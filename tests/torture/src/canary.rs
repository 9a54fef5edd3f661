//! Somebody who is served while others make trouble, and measures for how long an answer lets
//! itself be waited for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Outcome;
use crate::latencies::Latencies;
use crate::prober::Prober;

/// From one answer to the next question.
const PAUSE: Duration = Duration::from_millis(5);

/// A thread that asks until it is told to stop.
pub(crate) struct Canary {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome<Latencies>>,
}

impl Canary {
    /// Says this hello, and asks from now on.
    pub(crate) fn start(at: SocketAddr, hello: &Value) -> Outcome<Self> {
        let mut prober = Prober::connect_as(at, hello)?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut latencies = Latencies::default();
            while !told.load(Ordering::Relaxed) {
                let asked = Instant::now();
                prober.ask(&json!({"op": "ping"}))?;
                latencies.add(asked.elapsed());
                thread::park_timeout(PAUSE);
            }
            Ok(latencies)
        });
        Ok(Self { stop, thread })
    }

    /// How long its answers took.
    pub(crate) fn stop(self) -> Outcome<Latencies> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_panic| "the canary panicked")?
    }
}
