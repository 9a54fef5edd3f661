//! A pipe into a room: each line is a message.

use std::io::{self, BufRead as _};
use std::time::Duration;

use chinwag_client::{Client, Event};

use super::{Chat, show, sign_in};

/// For an answer to what was sent, over lost connections too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages that may wait for their answer: whoever writes faster is read more slowly.
const WAITING_MAX: usize = 64;

/// Sends each line of standard input to the rooms. Returns once the server has answered all.
pub(super) fn send_lines(chat: &Chat) -> Result<(), String> {
    if chat.rooms.is_empty() {
        return Err("say where the lines are to go: --room lobby, or --room @bob".to_owned());
    }
    // Standard input has the messages: nobody can be asked.
    let client = sign_in::enter(chat, |_| None)?.client;
    let mut rooms = Vec::new();
    for room in &chat.rooms {
        rooms.push(match room.strip_prefix('@') {
            Some(user) if !user.contains(':') => client.open(user),
            _ => {
                let why = |error| format!("{room}: {}", show::refusal(&error));
                client.join(room).map_err(why)?;
                room.clone()
            }
        });
    }
    let mut failed = Ok(());
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| format!("standard input: {error}"))?;
        if line.trim().is_empty() {
            continue;
        }
        for room in &rooms {
            client.post(room, &line).map_err(|error| format!("{room}: {error}"))?;
        }
        await_answers(&client, WAITING_MAX, &mut failed)?;
    }
    await_answers(&client, 0, &mut failed)?;
    failed
}

/// Waits until at most so many messages have no answer, and keeps the first refusal.
fn await_answers(
    client: &Client,
    most: usize,
    failed: &mut Result<(), String>,
) -> Result<(), String> {
    loop {
        let waiting = client.outbox().len();
        // What is there already has to be looked at as well.
        let wait = if waiting > most { ANSWER_TIMEOUT } else { Duration::ZERO };
        match client.next_event_within(wait) {
            Some(Event::Outbox { entry, outcome: Err(error) }) if failed.is_ok() => {
                *failed = Err(format!("{}: {}", entry.room, show::refusal(&error)));
            }
            Some(_) => {}
            None if waiting <= most => return Ok(()),
            None => return Err(format!("no answer to {waiting} messages")),
        }
    }
}
