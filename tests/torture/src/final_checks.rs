//! The end of a run: everything is answered, everybody is brought up to date, the log is read back,
//! and judged.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::checker::{Findings, Wrong, plant, prove};
use crate::client::{Client, club_name, room_name};
use crate::clients::Clients;
use crate::observed::{ServerMessage, Sighting, user_name};
use crate::prober::Prober;
use crate::server::Server;

/// How long all clients may take to be back, and up to date.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(20);

/// Nothing new is said; everything is answered, and everybody has everything.
pub(crate) fn wait_until_settled(clients: &mut Clients, server: &Server) -> Outcome<()> {
    let deadline = Instant::now() + BACK_WITHIN;
    clients.set_addresses(server.http, server.tcp);
    clients.until(deadline, "back", Client::is_here)?;
    clients.run_until(Instant::now() + Duration::from_millis(300))?;
    clients.may_send_new = false;
    clients.until(deadline, "answered", |client| client.unanswered() == 0)?;
    for room in 0..clients.size.rooms {
        let mut prober = member(clients, server, room)?;
        let head = prober.ask(&json!({"op": "history", "room": room_name(room), "limit": 1}))?;
        let head = head["last"].as_u64().unwrap_or(0);
        clients.until(deadline, "up to date", |client| {
            client.seq(room).is_none_or(|seq| seq >= head)
        })?;
    }
    Ok(())
}

/// A new session of some member of a room.
pub(crate) fn member(clients: &Clients, server: &Server, room: usize) -> Outcome<Prober> {
    let client = clients.clients.iter().find(|client| client.seq(room).is_some());
    Prober::connect(server.tcp, &user_name(client.ok_or("an empty room")?.user()))
}

/// Reads each room's log.
pub(crate) fn read_back(clients: &mut Clients, server: &Server) -> Outcome<()> {
    for room in 0..clients.size.rooms {
        let items = member(clients, server, room)?.log(&room_name(room))?;
        let mut log: Vec<Sighting> = Vec::new();
        for item in &items {
            let text = item.to_string();
            log.push(ServerMessage::parse(&text)?.sighting()?.ok_or("an item that is no record")?);
        }
        clients.context.observed.logs.push(log);
    }
    Ok(())
}

/// Every membership that was answered is there.
pub(crate) fn check_memberships(clients: &mut Clients, server: &Server) -> Outcome<()> {
    for client in &clients.clients {
        let name = user_name(client.user());
        let inbox = Prober::connect(server.tcp, &name)?.ask(&json!({"op": "rooms"}))?;
        let rooms = inbox["rooms"].as_array().ok_or("no rooms")?;
        let has = |name: &str| rooms.iter().any(|row| row["room"] == name);
        let clubs = client.clubs.iter().filter(|(_, answered)| **answered);
        let expected = client.rooms().map(room_name).chain(clubs.map(|(club, _)| club_name(*club)));
        for room in expected.filter(|room| !has(room)) {
            clients.context.observed.faults.push(format!("{name} is no member of {room} any more"));
        }
    }
    Ok(())
}

/// Says what the checker says; it must be nothing. What was seen is tampered with first if asked
/// to.
pub(crate) fn judge(clients: &Clients, planted: Option<&str>) -> Outcome<()> {
    let observed = &clients.context.observed;
    let mut findings = Findings::of(observed);
    if findings.is_clean() {
        prove(observed)?;
        println!("  the checker finds each of {} planted faults", Wrong::PLANTS.len());
    }
    if let Some(name) = planted {
        let wrong = Wrong::PLANTS.iter().find(|(known, _)| *known == name);
        let (_, wrong) = wrong.ok_or("--plant lost, doubled, reordered or renumbered")?;
        findings = Findings::of(&plant(observed, *wrong).ok_or("too little to tamper with")?);
    }
    for line in findings.lines() {
        println!("  {line}");
    }
    let count = |wrong| findings.count(wrong);
    println!(
        "  {} lost, {} doubled, {} reordered, {} renumbered",
        count(Wrong::Lost),
        count(Wrong::Doubled),
        count(Wrong::Reordered),
        count(Wrong::Renumbered)
    );
    if findings.is_clean() { Ok(()) } else { Err("a promise was broken".into()) }
}
