//! `durable`: figures of the store. Sends at `disk`, the return of many after a kill, pages and
//! searches among a million messages, bytes of the database per message.

mod baseline;
mod reconnect;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chinwag::client::Framing;
use chinwag::rng::Rng;
use serde_json::json;

use crate::latencies::{Latencies, median};
use crate::load::{Entry, Load};
use crate::prober::Prober;
use crate::server::{Server, Setup};
use crate::{CONFIG, Outcome};

/// Bytes of each message's text in the first part.
const TEXT_BYTES: usize = 120;
/// Who fills the store, each a room of its own, and how many messages each has on the way.
const WRITERS: usize = 100;
const ON_THE_WAY: usize = 16;
/// Words that the messages are made of.
const WORDS: u64 = 5000;
/// How long a part may take at most.
const PATIENCE: Duration = Duration::from_mins(10);

/// How much is measured; a part of which there is none is left out.
pub(crate) struct Plan<'a> {
    pub(crate) binary: &'a str,
    pub(crate) folder: &'a Path,
    /// Rounds, each of so many seconds.
    pub(crate) rounds: u32,
    pub(crate) seconds: u64,
    /// Clients that return.
    pub(crate) clients: usize,
    /// Messages that are stored.
    pub(crate) messages: usize,
    /// Where the page with the figures goes.
    pub(crate) page: &'a Path,
}

/// Measures everything and writes the page.
pub(crate) fn run(plan: &Plan<'_>) -> Outcome<()> {
    let mut page = String::from("# The durable store: figures\n\n");
    writeln!(
        page,
        "`scripts/durable`: {} rounds of {} s; server and clients on the same {}.\n",
        plan.rounds,
        plan.seconds,
        machine()?
    )?;
    if plan.rounds > 0 {
        sends(plan, &mut page)?;
    }
    if plan.clients > 0 {
        reconnect::run(plan, &mut page)?;
    }
    if plan.messages > 0 {
        stored(plan, &mut page)?;
    }
    fs::write(plan.page, &page)?;
    for line in page.lines() {
        println!("  {line}");
    }
    Ok(())
}

/// A server on a directory of its own.
pub(crate) fn server(plan: &Plan<'_>, name: &str) -> Outcome<(Setup, Server)> {
    let setup = Setup::new(&plan.folder.join(name), plan.binary, CONFIG)?;
    let server = setup.start_well()?;
    Ok((setup, server))
}

/// The first requests of each client: hello, and one room.
fn opening(client: usize) -> Vec<String> {
    vec![
        format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"c{client}\"}}"),
        format!("{{\"op\":\"join\",\"id\":2,\"room\":\"d{client}\"}}"),
    ]
}

/// So many who speak in lines.
fn lines(server: &Server, count: usize) -> Entry {
    Entry { count, framing: Framing::Lines, at: server.tcp, deadline: Instant::now() + PATIENCE }
}

/// One round of one number of senders.
struct Round {
    per_s: f64,
    latencies: Latencies,
    batch: f64,
}

fn sends(plan: &Plan<'_>, page: &mut String) -> Outcome<()> {
    page.push_str("## Sends acknowledged at `disk`\n\nEach sender has a room of its own and one message in flight; 120 bytes of text. Beside it plain `rusqlite` inserting the same rows in batches of the server's mean size, `synchronous=FULL` and the store's other settings, in turns on the same disk; medians.\n\n| senders | a second | p50 | p99 | rows a commit | plain `rusqlite` | ratio |\n|--:|--:|--:|--:|--:|--:|--:|\n");
    for senders in [1, 64, 1000] {
        let (mut rounds, mut plains) = (Vec::new(), Vec::new());
        for number in 0..plan.rounds {
            let name = format!("sends-{senders}-{number}");
            let round = round(plan, &name, senders)?;
            plains.push(beside(plan, &name, senders, &round)?);
            rounds.push(round);
            fs::remove_dir_all(plan.folder.join(name))?;
        }
        let of = |figure: fn(&Round) -> f64| median(&rounds.iter().map(figure).collect::<Vec<_>>());
        let (ours, plain) = (of(|round| round.per_s), median(&plains));
        writeln!(
            page,
            "| {senders} | {ours:.0} | {:.2} ms | {:.2} ms | {:.1} | {plain:.0} | {:.2} |",
            of(|round| round.latencies.percentile(50)),
            of(|round| round.latencies.percentile(99)),
            of(|round| round.batch),
            plain / ours
        )?;
    }
    page.push('\n');
    Ok(())
}

fn round(plan: &Plan<'_>, name: &str, senders: usize) -> Outcome<Round> {
    let (_setup, mut server) = server(plan, name)?;
    let mut load = Load::new()?;
    load.enter(lines(&server, senders), opening, |_, _| Ok(()))?;
    let text = "x".repeat(TEXT_BYTES);
    let request = |client: usize, id: u64| {
        format!(
            "{{\"op\":\"send\",\"id\":{id},\"room\":\"d{client}\",\"cid\":\"c{client}-{id}\",\"text\":\"{text}\"}}"
        )
    };
    let (batches, records) = (batches(&server)?, server.metric("chinwag_store_records_total")?);
    let mut since = vec![Instant::now(); senders];
    let mut ids = vec![3_u64; senders];
    for client in 0..senders {
        load.send(client, &request(client, 3));
    }
    let (begin, mut latencies) = (Instant::now(), Latencies::default());
    let until = begin + Duration::from_secs(plan.seconds);
    while Instant::now() < until {
        load.turn(until, |client, text, requests| {
            if !text.starts_with("{\"id\":") {
                return Ok(());
            }
            if !text.contains("\"code\":0,") || !text.contains("\"durable\":\"disk\"") {
                return Err(format!("a send was answered with {text}").into());
            }
            let now = Instant::now();
            latencies.add(now.duration_since(since[client]));
            since[client] = now;
            ids[client] += 1;
            requests.push((client, request(client, ids[client])));
            Ok(())
        })?;
    }
    let per_s = f64::from(u32::try_from(latencies.count)?) / begin.elapsed().as_secs_f64();
    let records = server.metric("chinwag_store_records_total")? - records;
    let batch = records / (self::batches(&server)? - batches).max(1.0);
    server.stop()?;
    Ok(Round { per_s, latencies, batch })
}

fn batches(server: &Server) -> Outcome<f64> {
    server.metric("chinwag_store_commit_seconds_count")
}

/// Plain `rusqlite` for as long as the round took.
fn beside(plan: &Plan<'_>, name: &str, senders: usize, round: &Round) -> Outcome<f64> {
    let path = plan.folder.join(name).join("plain.db");
    let batch = format!("{:.0}", round.batch.max(1.0)).parse()?;
    let (rooms, text) = (u64::try_from(senders)?, "x".repeat(TEXT_BYTES));
    baseline::rows_per_s(&path, batch, rooms, &text, Duration::from_secs(plan.seconds))
}

/// Pages and searches among many messages, and what they weigh.
fn stored(plan: &Plan<'_>, page: &mut String) -> Outcome<()> {
    let (setup, mut server) = server(plan, "stored")?;
    let begin = Instant::now();
    fill(plan, &server)?;
    let filled = begin.elapsed().as_secs_f64();
    let mut prober = Prober::connect(server.tcp, "reader")?;
    for room in 0..WRITERS {
        prober.ask(&json!({"op": "join", "room": format!("d{room}")}))?;
    }
    let indexed = await_index(&mut prober, begin)?;
    let (pages, searches) = (ask_pages(plan, &mut prober)?, ask_searches(&mut prober)?);
    server.stop()?;
    let bytes = fs::metadata(database(&setup))?.len() / u64::try_from(plan.messages)?;
    writeln!(
        page,
        "## With {} messages stored\n\nIn {WRITERS} rooms, of one to sixteen words each; filled by sends at `disk` in {filled:.0} s, {indexed:.0} s until the last one was found by search.\n",
        plan.messages
    )?;
    page.push_str("| | p50 | p99 |\n|---|--:|--:|\n");
    for (name, latencies) in [
        ("`history`, 50 items anywhere in a room", &pages),
        ("`search`, one word in all rooms", &searches),
    ] {
        writeln!(
            page,
            "| {name} | {:.2} ms | {:.2} ms |",
            latencies.percentile(50),
            latencies.percentile(99)
        )?;
    }
    writeln!(
        page,
        "\n{bytes} bytes of database per message, the index of words and the `cid`s included."
    )?;
    Ok(())
}

fn database(setup: &Setup) -> PathBuf {
    setup.data.join("chinwag.db")
}

/// One to sixteen words, the low ones more often.
fn words(rng: &mut Rng) -> String {
    let count = 1 + rng.below(16);
    let word = |rng: &mut Rng| {
        let most = 1 + rng.below(WORDS);
        format!("word{}", rng.below(most))
    };
    (0..count).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
}

fn fill(plan: &Plan<'_>, server: &Server) -> Outcome<()> {
    let mut load = Load::new()?;
    load.enter(lines(server, WRITERS), opening, |_, _| Ok(()))?;
    let mut rng = Rng::new(1);
    let mut request = |client: usize, id: usize| {
        let (text, id) = (words(&mut rng), id + 3);
        format!(
            "{{\"op\":\"send\",\"id\":{id},\"room\":\"d{client}\",\"cid\":\"{id}\",\"text\":\"{text}\"}}"
        )
    };
    let (mut left, mut done) = (plan.messages, 0);
    for number in 0..(WRITERS * ON_THE_WAY).min(left) {
        load.send(number % WRITERS, &request(number % WRITERS, left));
        left -= 1;
    }
    let deadline = Instant::now() + PATIENCE;
    while done < plan.messages {
        if Instant::now() > deadline {
            return Err(format!("only {done} messages are stored").into());
        }
        load.turn(deadline, |client, text, requests| {
            if !text.starts_with("{\"id\":") {
                return Ok(());
            }
            if !text.contains("\"code\":0,") {
                return Err(format!("a send was answered with {text}").into());
            }
            done += 1;
            if left > 0 {
                left -= 1;
                requests.push((client, request(client, left)));
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Until the message that was stored last is found.
fn await_index(prober: &mut Prober, begin: Instant) -> Outcome<f64> {
    let deadline = Instant::now() + PATIENCE;
    prober.ask(&json!({"op": "send", "room": "d0", "text": "theverylast"}))?;
    loop {
        let found = prober.ask(&json!({"op": "search", "text": "theverylast"}))?;
        if found["items"].as_array().is_some_and(|items| !items.is_empty()) {
            return Ok(begin.elapsed().as_secs_f64());
        }
        if Instant::now() > deadline {
            return Err("the last message is not found".into());
        }
    }
}

fn ask_pages(plan: &Plan<'_>, prober: &mut Prober) -> Outcome<Latencies> {
    let (mut rng, mut latencies) = (Rng::new(2), Latencies::default());
    let each = u64::try_from(plan.messages / WRITERS)?;
    for _ in 0..2000 {
        let (room, before) = (rng.index(WRITERS), 51 + rng.below(each.saturating_sub(50)));
        let begin = Instant::now();
        let page = prober.ask(
            &json!({"op": "history", "room": format!("d{room}"), "before": before, "limit": 50}),
        )?;
        latencies.add(begin.elapsed());
        if page["items"].as_array().is_none_or(Vec::is_empty) {
            return Err(format!("an empty page: {page}").into());
        }
    }
    Ok(latencies)
}

fn ask_searches(prober: &mut Prober) -> Outcome<Latencies> {
    let (mut rng, mut latencies, mut found) = (Rng::new(3), Latencies::default(), 0);
    for _ in 0..500 {
        let word = format!("word{}", rng.below(WORDS));
        let begin = Instant::now();
        let page = prober.ask(&json!({"op": "search", "text": word, "limit": 20}))?;
        latencies.add(begin.elapsed());
        found += page["items"].as_array().map_or(0, Vec::len);
    }
    if found == 0 { Err("nothing was found".into()) } else { Ok(latencies) }
}

fn machine() -> Outcome<String> {
    let processors = fs::read_to_string("/proc/cpuinfo")?;
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let count = processors.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    Ok(format!("{count} cores ({}), Linux {}", model.map_or("", |(_, name)| name), kernel.trim()))
}
