//! A scrape of the metrics beside many connections and rooms: how long it takes, and what somebody
//! who is served feels of it.

use std::path::Path;
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use serde_json::json;

use crate::canary::Canary;
use crate::latencies::Latencies;
use crate::load::{Entry, Load};
use crate::server::{Setup, get};
use crate::{CONFIG, Outcome};

const SCRAPES: u32 = 200;
/// What one may take at the median, the way there and back included.
const MEDIAN_MAX_MS: f64 = 5.0;
const PATIENCE: Duration = Duration::from_mins(3);

/// Scrapes a server of so many connections and rooms.
pub(super) fn run(binary: &str, folder: &Path, connections: usize, rooms: usize) -> Outcome<()> {
    // Nobody is pinged meanwhile.
    let setup = Setup::new(folder, binary, CONFIG)?.set("TIMEOUTS_PING_AFTER", "1h");
    let mut server = setup.start_well()?;
    let mut load = Load::new()?;
    let requests = |client: usize| {
        let room = client % rooms;
        vec![
            format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"m{client}\"}}"),
            format!("{{\"op\":\"join\",\"id\":2,\"room\":\"hall{room}\"}}"),
        ]
    };
    let deadline = Instant::now() + PATIENCE;
    let entry = Entry { count: connections, framing: Framing::Lines, at: server.tcp, deadline };
    load.enter(entry, requests, |_, _| Ok(()))?;
    let canary = Canary::start(server.tcp, &json!({"op": "hello", "name": "canary"}))?;
    let (mut scrapes, mut bytes) = (Latencies::default(), 0);
    let before = server.processor_time()?;
    for _ in 0..SCRAPES {
        let begin = Instant::now();
        bytes = get(server.admin, "/metrics")?.len();
        scrapes.add(begin.elapsed());
    }
    let used = server.processor_time()?.saturating_sub(before) / SCRAPES;
    let latencies = canary.stop()?;
    let counted = server.metric("chinwag_connections")?;
    load.leave();
    server.stop()?;
    setup.assert_no_panic()?;
    let [half, most, longest] = [50, 99, 100].map(|share| scrapes.percentile(share));
    println!(
        "  {counted:.0} connections in {rooms} rooms: a scrape of {bytes} bytes takes {half:.2} ms (p99 {most:.2}, at most {longest:.2}), {:.2} ms of processor time, the canary's included",
        used.as_secs_f64() * 1e3
    );
    println!(
        "  a canary beside them: p50 {:.2} ms, p99 {:.2} ms",
        latencies.percentile(50),
        latencies.percentile(99)
    );
    if half > MEDIAN_MAX_MS { Err("a scrape takes too long".into()) } else { Ok(()) }
}
