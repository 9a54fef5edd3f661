//! A thousand clients at 200 descriptors: those inside are served, nothing spins, and places that
//! become free are taken at once.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;

use super::sources;
use crate::canary::Canary;
use crate::connections::{ConnectionId, Connections, Next};
use crate::prober::Prober;
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

const CLIENTS: usize = 1_000;
const DESCRIPTORS: u64 = 200;
/// Those who leave.
const LEAVE: usize = 50;
/// For so long its processor time is measured.
const MEASURED: Duration = Duration::from_secs(5);
/// Of the measured time, at most one in so many.
const BUSY_ONE_IN: u32 = 20;
/// From a place's becoming free to its being taken.
const TAKEN_WITHIN: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs it twice: the server knows its limit from the start, or is given it when it has begun.
pub(super) fn run(binary: &str, folder: &Path) -> Outcome<()> {
    let setup = Setup::new(folder, binary, CONFIG)?;
    let script = format!("ulimit -n {DESCRIPTORS} && exec \"$0\" \"$@\"");
    let limited = setup.under(&["sh", "-c", &script].map(str::to_owned));
    once("a limit that it knows", &limited.start_well()?)?;
    let server = setup.start_well()?;
    let few = Rlimit { current: Some(DESCRIPTORS), maximum: Some(DESCRIPTORS) };
    prlimit(Pid::from_raw(i32::try_from(server.pid())?), Resource::Nofile, few)?;
    once("a limit that comes later", &server)?;
    drop(server);
    setup.assert_no_panic()
}

fn once(what: &str, server: &Server) -> Outcome<()> {
    let canary = Canary::start(server.tcp, &json!({"op": "hello", "name": "canary"}))?;
    let mut crowd = Crowd::new(server)?;
    let mut inside = 0;
    // Until a second has passed in which nobody came in.
    loop {
        crowd.take(Instant::now() + Duration::from_secs(1))?;
        if crowd.inside.len() == inside {
            break;
        }
        inside = crowd.inside.len();
    }
    let (before, began) = (server.processor_time()?, Instant::now());
    crowd.take(began + MEASURED)?;
    let (used, passed) = (server.processor_time()?.saturating_sub(before), began.elapsed());
    let latencies = canary.stop()?;
    let leaving: Vec<_> = crowd.inside.drain(..LEAVE.min(inside)).collect();
    let (known, begin) = (crowd.inside.len(), Instant::now());
    for id in leaving {
        crowd.connections.cut(id);
    }
    let mut newcomers = 0;
    let taken_after = loop {
        if begin.elapsed() > PATIENCE {
            return Err(format!("{what}: nobody is let in any more").into());
        }
        crowd.take(Instant::now() + Duration::from_millis(5))?;
        newcomers += 1;
        // Where those who were too many were sent away, somebody else comes.
        let is_in =
            crowd.inside.len() > known || crowd.waiting == 0 && comes_in(newcomers, server).is_ok();
        if is_in {
            break begin.elapsed();
        }
    };
    println!(
        "  {what}: {inside} of {CLIENTS} inside; a canary's p99 {:.1} ms; {} ms of processor time in {} s; {LEAVE} left, and the next was in after {} ms",
        latencies.percentile(99),
        used.as_millis(),
        passed.as_secs(),
        taken_after.as_millis()
    );
    for (holds, fault) in [
        (inside > LEAVE && inside < CLIENTS, "the limit was not what kept them out"),
        (used * BUSY_ONE_IN <= passed, "it spins"),
        (taken_after <= TAKEN_WITHIN, "a place that is free is taken too late"),
    ] {
        if !holds {
            return Err(format!("{what}: {fault}").into());
        }
    }
    Ok(())
}

/// Somebody new says hello.
fn comes_in(number: u32, server: &Server) -> Outcome<()> {
    let mut prober = Prober::over(sources::connect(number, server.tcp)?)?;
    prober.ask(&json!({"op": "hello", "name": format!("new{number}")})).map(drop)
}

/// Those who come.
struct Crowd {
    connections: Connections,
    /// Those whose hello was answered.
    inside: Vec<ConnectionId>,
    /// Those who wait to be let in.
    waiting: usize,
}

impl Crowd {
    fn new(server: &Server) -> Outcome<Self> {
        let mut connections = Connections::new()?;
        for number in 0..CLIENTS {
            let id = connections.connect(Framing::Lines, server.tcp)?;
            let hello = format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"c{number}\"}}");
            connections.send(id, &hello);
        }
        Ok(Self { connections, inside: Vec::new(), waiting: CLIENTS })
    }

    /// Takes what comes until then.
    fn take(&mut self, deadline: Instant) -> Outcome<()> {
        let mut message = String::new();
        while Instant::now() < deadline {
            let ready = self.connections.wait(deadline)?;
            for &id in &ready {
                while self.take_next(id, &mut message)? {}
            }
            self.connections.done(ready);
        }
        Ok(())
    }
    /// Takes the next message of one of them; whether there may be another.
    fn take_next(&mut self, id: ConnectionId, message: &mut String) -> Outcome<bool> {
        match self.connections.next(id, message)? {
            Next::Message => {
                if message.starts_with("{\"id\":1,\"code\":0,") {
                    self.inside.push(id);
                    self.waiting -= 1;
                }
                Ok(true)
            }
            Next::Nothing => Ok(false),
            Next::Ended if self.inside.contains(&id) => {
                Err("one who was inside was cut off".into())
            }
            Next::Ended => {
                self.waiting -= 1;
                Ok(false)
            }
        }
    }
}
