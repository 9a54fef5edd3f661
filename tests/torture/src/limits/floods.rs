//! Handshakes, logins and tokens without end, each for some seconds, and somebody who is served
//! meanwhile.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::StreamOwned;
use serde_json::{Value, json};

use super::sources;
use crate::Outcome;
use crate::canary::Canary;
use crate::prober::Prober;
use crate::server::{Server, Setup};
use crate::tls::Trust;
use crate::tokens::Tokens;

/// Who makes a flood, at a time.
const THREADS: u32 = 4;
/// What the canary's p99 must be below, in milliseconds.
const P99_MAX_MS: f64 = 50.0;
const PASSWORD: &str = "a password of some length";

/// What a flood is made of: one of it, by its number.
type Drop = dyn Fn(u32) -> Outcome<()> + Send + Sync;

/// Runs each flood for so many seconds.
pub(super) fn run(binary: &str, folder: &Path, seconds: u64) -> Outcome<()> {
    let (trust, tokens) = (Trust::new(folder)?, Tokens::of_pair(folder)?);
    let config = folder.join("floods.toml");
    let text = format!(
        "auth = [\"accounts\", \"jwt\"]\n[accounts]\nregistration = \"open\"\n[limits]\nrate_per_s = \"off\"\n{}",
        tokens.config()
    );
    std::fs::write(&config, text)?;
    let config = config.to_str().ok_or("a folder that is no text")?;
    let setup = Setup::new(folder, binary, config)?.sealed(&trust);
    let Some(mut server) = setup.start_unasked()? else { return Err("it did not start".into()) };
    let mut first = Prober::over(sources::connect(0, server.tcp)?)?;
    first.ask(&json!({"op": "register", "name": "ann", "password": PASSWORD}))?;
    let hello = json!({"op": "hello", "token": tokens.of("canary")?});
    let time = Duration::from_secs(seconds);
    let (tcp, https) = (server.tcp, server.https);
    let trust = trust.without_resumption();
    let floods: [(&str, Arc<Drop>); 4] = [
        (
            "nothing",
            Arc::new(|_| {
                thread::park_timeout(Duration::from_millis(20));
                Ok(())
            }),
        ),
        ("handshakes", Arc::new(move |number| shake_hands(&trust, number, https))),
        ("logins", Arc::new(move |number| log_in(number, tcp))),
        ("tokens", Arc::new(move |number| say_hello(&tokens, number, tcp))),
    ];
    let mut late = Vec::new();
    for (name, flood) in floods {
        let p99 = measure(name, &flood, (&server, &hello), time)?;
        if p99 >= P99_MAX_MS {
            late.push(name);
        }
    }
    server.stop()?;
    setup.assert_no_panic()?;
    if late.is_empty() { Ok(()) } else { Err(format!("felt: {}", late.join(", ")).into()) }
}

/// Runs one flood; the canary's p99 in milliseconds.
fn measure(
    name: &str,
    flood: &Arc<Drop>,
    (server, hello): (&Server, &Value),
    time: Duration,
) -> Outcome<f64> {
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(1)));
    let canary = Canary::start(server.tcp, hello)?;
    let (busy, began) = (server.processor_time()?, Instant::now());
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (flood, stop, count) = (Arc::clone(flood), Arc::clone(&stop), Arc::clone(&count));
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    flood(count.fetch_add(1, Ordering::Relaxed))?;
                }
                Outcome::Ok(())
            })
        })
        .collect();
    thread::park_timeout(time);
    stop.store(true, Ordering::Relaxed);
    let (passed, used) = (began.elapsed(), server.processor_time()?.saturating_sub(busy));
    let latencies = canary.stop()?;
    for thread in threads {
        thread.join().map_err(|_panic| "a flood panicked")??;
    }
    let [half, most, longest] = [50, 99, 100].map(|share| latencies.percentile(share));
    println!(
        "  {name:<10} {:6.0} a second, the server busy for {:3.0} %; a canary's p50 {half:.2} ms, p99 {most:.2} ms, at most {longest:.1} ms",
        f64::from(count.load(Ordering::Relaxed)) / passed.as_secs_f64(),
        100.0 * used.as_secs_f64() / passed.as_secs_f64()
    );
    Ok(most)
}

/// A whole handshake of TLS.
fn shake_hands(trust: &Trust, number: u32, at: SocketAddr) -> Outcome<()> {
    let mut stream = StreamOwned::new(trust.client()?, sources::connect(number, at)?);
    stream.flush()?;
    Ok(())
}

/// A login, with a wrong password of a known or of an unknown name, from an address of its own.
fn log_in(number: u32, at: SocketAddr) -> Outcome<()> {
    let mut prober = Prober::over(sources::connect(number, at)?)?;
    let name = if number.is_multiple_of(8) { "ann".to_owned() } else { format!("nobody{number}") };
    let reply =
        prober.request(&json!({"op": "login", "name": name, "password": "wrong, and long"}))?;
    match reply["code"].as_u64() {
        Some(2001 | 5001 | 5004) => Ok(()),
        _ => Err(format!("a login was answered with {reply}").into()),
    }
}

/// A hello with a token that was never seen.
fn say_hello(tokens: &Tokens, number: u32, at: SocketAddr) -> Outcome<()> {
    let mut prober = Prober::over(sources::connect(number, at)?)?;
    prober.ask(&json!({"op": "hello", "token": tokens.of(&format!("user{number}"))?})).map(drop)
}
