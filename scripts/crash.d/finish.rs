//! The end of a run: everything is answered, everybody is brought up to date, the log is read back, and judged.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::Outcome;
use crate::asker::Asker;
use crate::device::{Device, club_name, room_name};
use crate::fleet::Fleet;
use crate::observed::{Heard, Sighting, user_name};
use crate::server::Server;
use crate::verdict::{Verdict, Wrong, plant, prove};

/// How long all clients may take to be back, and up to date.
pub(crate) const BACK_WITHIN: Duration = Duration::from_secs(20);

/// Nothing new is said; everything is answered, and everybody has everything.
pub(crate) fn settle(fleet: &mut Fleet, server: &Server) -> Outcome<()> {
    let deadline = Instant::now() + BACK_WITHIN;
    fleet.go_to(server.http, server.tcp);
    fleet.until(deadline, "back", Device::is_here)?;
    fleet.run_until(Instant::now() + Duration::from_millis(300))?;
    fleet.may_begin = false;
    fleet.until(deadline, "answered", |device| device.unanswered() == 0)?;
    for room in 0..fleet.size.rooms {
        let mut asker = member(fleet, server, room)?;
        let head = asker.ask(&json!({"op": "history", "room": room_name(room), "limit": 1}))?;
        let head = head["last"].as_u64().unwrap_or(0);
        fleet.until(deadline, "up to date", |device| {
            device.seq(room).is_none_or(|seq| seq >= head)
        })?;
    }
    Ok(())
}

/// A new session of some member of a room.
pub(crate) fn member(fleet: &Fleet, server: &Server, room: usize) -> Outcome<Asker> {
    let device = fleet.devices.iter().find(|device| device.seq(room).is_some());
    Asker::connect(server.tcp, &user_name(device.ok_or("an empty room")?.user()))
}

/// Reads each room's log.
pub(crate) fn read_back(fleet: &mut Fleet, server: &Server) -> Outcome<()> {
    for room in 0..fleet.size.rooms {
        let items = member(fleet, server, room)?.log(&room_name(room))?;
        let mut log: Vec<Sighting> = Vec::new();
        for item in &items {
            let text = item.to_string();
            log.push(Heard::parse(&text)?.sighting()?.ok_or("an item that is no record")?);
        }
        fleet.stage.observed.logs.push(log);
    }
    Ok(())
}

/// Every membership that was answered is there.
pub(crate) fn check_memberships(fleet: &mut Fleet, server: &Server) -> Outcome<()> {
    for device in &fleet.devices {
        let name = user_name(device.user());
        let inbox = Asker::connect(server.tcp, &name)?.ask(&json!({"op": "rooms"}))?;
        let rooms = inbox["rooms"].as_array().ok_or("no rooms")?;
        let has = |name: &str| rooms.iter().any(|row| row["room"] == name);
        let clubs = device.clubs.iter().filter(|(_, answered)| **answered);
        let expected = device.rooms().map(room_name).chain(clubs.map(|(club, _)| club_name(*club)));
        for room in expected.filter(|room| !has(room)) {
            fleet.stage.observed.faults.push(format!("{name} is no member of {room} any more"));
        }
    }
    Ok(())
}

/// Says what the checker says; it must be nothing. What was seen is tampered with first if asked to.
pub(crate) fn judge(fleet: &Fleet, planted: Option<&str>) -> Outcome<()> {
    let observed = &fleet.stage.observed;
    let mut verdict = Verdict::of(observed);
    if verdict.is_clean() {
        prove(observed)?;
        println!("  the checker finds each of {} planted faults", Wrong::PLANTS.len());
    }
    if let Some(name) = planted {
        let wrong = Wrong::PLANTS.iter().find(|(known, _)| *known == name);
        let (_, wrong) = wrong.ok_or("--plant lost, doubled, reordered or renumbered")?;
        verdict = Verdict::of(&plant(observed, *wrong).ok_or("too little to tamper with")?);
    }
    for line in verdict.lines() {
        println!("  {line}");
    }
    let count = |wrong| verdict.count(wrong);
    println!(
        "  {} lost, {} doubled, {} reordered, {} renumbered",
        count(Wrong::Lost),
        count(Wrong::Doubled),
        count(Wrong::Reordered),
        count(Wrong::Renumbered)
    );
    if verdict.is_clean() { Ok(()) } else { Err("a promise was broken".into()) }
}
