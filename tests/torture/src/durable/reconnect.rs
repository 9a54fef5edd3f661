//! The return of many after a kill: each with twenty rooms, in each of which something was said
//! meanwhile.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use chinwag::client::Framing;

use super::{Plan, server};
use crate::Outcome;
use crate::load::{Entry, Load};
use crate::observed::ServerMessage;
use crate::server::Server;

/// Rooms of each client, and clients of each room.
const ROOMS_EACH: usize = 20;
const MEMBERS: usize = 200;
/// Messages that each client has missed in each room.
const MISSED: usize = 10;
/// All must be back within this time.
const BACK_WITHIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_mins(5);

/// Measures it and describes it.
pub(crate) fn run(plan: &Plan<'_>, page: &mut String) -> Outcome<()> {
    let rooms = (plan.clients * ROOMS_EACH / MEMBERS).max(ROOMS_EACH);
    let (setup, mut first) = server(plan, "returns")?;
    let epochs = join(plan, &first, rooms)?;
    speak(&first, rooms)?;
    first.kill()?;
    let mut second = setup.start_well()?;
    let (took, items) = back(plan, &second, rooms, &epochs)?;
    let reads = second.metric("chinwag_store_reads_total")?;
    second.stop()?;
    setup.assert_no_panic()?;
    writeln!(
        page,
        "## The return of {} clients after SIGKILL\n\nEach with {ROOMS_EACH} rooms of {rooms}, {MISSED} messages missed in each. The server answered again after {} ms; all were back and live in all rooms after {:.1} s, with {items} messages replayed. The store was asked {reads:.0} times, for {rooms} rooms: {:.2} questions a room, whatever the number of clients.\n",
        plan.clients,
        second.ready_after.as_millis(),
        took.as_secs_f64(),
        reads / f64::from(u32::try_from(rooms)?)
    )?;
    if took > BACK_WITHIN {
        return Err(format!("they were back only after {took:?}").into());
    }
    Ok(())
}

fn entry(count: usize, framing: Framing, server: &Server) -> Entry {
    let at = if framing == Framing::WebSocket { server.http } else { server.tcp };
    Entry { count, framing, at, deadline: Instant::now() + PATIENCE }
}

/// The rooms of a client.
fn rooms_of(client: usize, rooms: usize) -> impl Iterator<Item = usize> {
    (0..ROOMS_EACH).map(move |next| (client * 7 + next * (rooms / ROOMS_EACH).max(1)) % rooms)
}

/// Everybody joins; the rooms' epochs. Then everybody is gone.
fn join(plan: &Plan<'_>, server: &Server, rooms: usize) -> Outcome<Vec<String>> {
    let mut epochs = vec![String::new(); rooms];
    let mut load = Load::new()?;
    let requests = |client: usize| {
        let hello = format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"r{client}\"}}");
        let joins = (2..).zip(rooms_of(client, rooms));
        let joins = joins
            .map(|(id, room)| format!("{{\"op\":\"join\",\"id\":{id},\"room\":\"hall{room}\"}}"));
        [hello].into_iter().chain(joins).collect()
    };
    load.enter(entry(plan.clients, Framing::WebSocket, server), requests, |_, text| {
        if text.starts_with("{\"id\":") {
            let message = ServerMessage::parse(text)?;
            let data = message
                .data
                .map(|data| ServerMessage::parse(data.get()))
                .transpose()?
                .unwrap_or_default();
            let word = |word: &Option<chinwag::wire::client::Word<'_>>| {
                word.as_ref().and_then(|word| word.as_str().map(str::to_owned))
            };
            let number =
                |name: &str| name.strip_prefix("hall").and_then(|rest| rest.parse::<usize>().ok());
            if let (Some(room), Some(epoch)) = (word(&data.room), word(&data.epoch))
                && let Some(place) = number(&room).and_then(|room| epochs.get_mut(room))
            {
                *place = epoch;
            }
        }
        Ok(())
    })?;
    load.leave();
    Ok(epochs)
}

/// Somebody says something in each room.
fn speak(server: &Server, rooms: usize) -> Outcome<()> {
    let mut load = Load::new()?;
    let requests = |room: usize| {
        let mut requests = vec![
            format!("{{\"op\":\"hello\",\"id\":1,\"name\":\"speaker{}\"}}", room % 200),
            format!("{{\"op\":\"join\",\"id\":2,\"room\":\"hall{room}\"}}"),
        ];
        let text = "x".repeat(100);
        requests.extend((0..MISSED).map(|n| {
            format!(
                "{{\"op\":\"send\",\"id\":{},\"room\":\"hall{room}\",\"text\":\"{text}\"}}",
                n + 3
            )
        }));
        requests
    };
    // A user has at most so many sessions at a time; these are less.
    load.at_once = 100;
    load.enter(entry(rooms, Framing::Lines, server), requests, |_, _| Ok(()))
}

/// Everybody returns; how long it took, and how many messages came.
fn back(
    plan: &Plan<'_>,
    server: &Server,
    rooms: usize,
    epochs: &[String],
) -> Outcome<(Duration, usize)> {
    let begin = Instant::now();
    let mut load = Load::new()?;
    load.at_once = 1000;
    let hello = |client: usize| {
        let positions = rooms_of(client, rooms).map(|room| {
            let epoch = epochs.get(room).map_or("", String::as_str);
            format!("\"hall{room}\":[\"{epoch}\",0]")
        });
        let positions = positions.collect::<Vec<_>>().join(",");
        vec![format!(
            "{{\"op\":\"hello\",\"id\":1,\"name\":\"r{client}\",\"resume\":{{\"session\":\"gone\",\"rooms\":{{{positions}}}}}}}"
        )]
    };
    let mut recent = Told::default();
    let deadline = begin + PATIENCE;
    load.enter(entry(plan.clients, Framing::WebSocket, server), hello, |client, text| {
        recent.receive(client, text)
    })?;
    while recent.live < plan.clients * ROOMS_EACH {
        if Instant::now() > deadline {
            return Err("not everybody is back".into());
        }
        load.turn(deadline, |client, text, _| recent.receive(client, text))?;
    }
    let took = begin.elapsed();
    if recent.items != plan.clients * ROOMS_EACH * MISSED {
        return Err(format!("{} messages were replayed", recent.items).into());
    }
    Ok((took, recent.items))
}

/// How many messages and `live` events all clients have received.
#[derive(Default)]
struct Told {
    items: usize,
    live: usize,
}

impl Told {
    fn receive(&mut self, client: usize, text: &str) -> Outcome<()> {
        if text.starts_with("{\"ev\":\"replay\"") {
            self.items += ServerMessage::parse(text)?.items()?.len();
        } else if text.starts_with("{\"ev\":\"live\"") {
            self.live += 1;
        } else if ["\"gap\"", "\"reset\"", "\"error\""].iter().any(|word| text.contains(word)) {
            return Err(format!("client {client} was told {text}").into());
        }
        Ok(())
    }
}
