//! `chinwag chat`: a conversation at a terminal, or a pipe into one.
//!
//! The main thread reads lines and does what they ask for; a second one prints what the server
//! tells, above the line that is being typed. What both need is in [`View`].

mod changes;
mod commands;
mod display_names;
mod events;
mod pipe;
mod profiles;
mod show;
mod sign_in;
mod view;

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use chinwag_client::Client;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, Helper};

use self::commands::{Flow, Typed};
use self::view::{Shared, View};
use super::Style;
use crate::wire::text::command_names;

/// What `chinwag chat` was asked for.
#[derive(Debug)]
pub struct Chat {
    /// The address of the server.
    pub url: String,
    /// The name to have there.
    pub name: Option<String>,
    /// The token or key that says who one is.
    pub token: Option<String>,
    /// The rooms to enter; the last one is looked at.
    pub rooms: Vec<String>,
    /// A file with the certificates that are trusted, instead of the machine's.
    pub trusted: Option<PathBuf>,
    /// How to print.
    pub style: Style,
}

/// Chats until the end of the input.
///
/// # Errors
///
/// Why it could not go on, for people.
pub fn run(chat: &Chat) -> Result<(), String> {
    if io::stdin().is_terminal() { converse(chat) } else { pipe::send_lines(chat) }
}

fn converse(chat: &Chat) -> Result<(), String> {
    let entrance = sign_in::enter(chat, sign_in::ask)?;
    let client = Arc::new(entrance.client);
    let config = Config::builder().auto_add_history(false).build();
    let mut editor: Editor<Assistant, MemHistory> =
        Editor::with_history(config, MemHistory::new()).map_err(|error| error.to_string())?;
    let view = Shared::new(View::new(chat.style));
    let assistant = Assistant { client: Arc::clone(&client), view: view.clone() };
    editor.set_helper(Some(assistant));
    // A terminal that cannot say where the cursor is gets lines, and that is all.
    if let Ok(printer) = editor.create_external_printer() {
        view.lock().set_printer(Box::new(printer));
    }
    let user = client.user().unwrap_or_default();
    view.lock().say(&format!("-- you are {user}; /help lists the commands, /quit leaves --"));
    let typed = Typed::new(&client, &view, entrance.door);
    for room in chat.rooms.iter().chain(&entrance.rooms) {
        typed.enter(room);
    }
    typed.greet();
    let thread = events::start(Arc::clone(&client), view.clone())
        .map_err(|error| format!("cannot start a thread: {error}"))?;
    let outcome = read_lines(&mut editor, &client, &view, &typed);
    typed.leave();
    client.stop();
    // The printer goes with the editor: what still comes is printed as it is.
    _ = thread.join();
    outcome
}

fn read_lines(
    editor: &mut Editor<Assistant, MemHistory>,
    client: &Client,
    view: &Shared,
    typed: &Typed<'_>,
) -> Result<(), String> {
    loop {
        let prompt = view.lock().prompt(client);
        match editor.readline(&prompt) {
            Ok(line) => {
                if client.state().is_over() && line.trim().is_empty() {
                    return Err(events::ended(&client.state()));
                }
                // What may be a secret is not offered again.
                if !commands::is_secret(&line) && !line.trim().is_empty() {
                    _ = editor.add_history_entry(line.as_str());
                }
                if typed.run(&line) == Flow::Quit {
                    return Ok(());
                }
            }
            // Ctrl-C gives up a line, as a shell does; Ctrl-D leaves.
            Err(ReadlineError::Interrupted) => view.lock().say("-- /quit or Ctrl-D leaves --"),
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(format!("cannot read from this terminal: {error}")),
        }
    }
}

/// Watches what is typed: completes it, and tells the room that somebody is typing.
#[derive(Debug)]
struct Assistant {
    client: Arc<Client>,
    view: Shared,
}

impl Helper for Assistant {}
impl Validator for Assistant {}
impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;

    /// Nothing: it is the place that hears of each key.
    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        if !line.trim().is_empty() && !line.starts_with('/') {
            let room = self.view.lock().current.clone();
            if let Some(room) = room {
                self.client.typing(&room);
            }
        }
        None
    }
}

impl Completer for Assistant {
    type Candidate = String;

    /// Commands at the beginning, rooms and names elsewhere.
    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..at).unwrap_or_default();
        let begin = typed.rfind(char::is_whitespace).map_or(0, |blank| blank + 1);
        let word = typed.get(begin..).unwrap_or_default();
        let current = self.view.lock().current.clone();
        Ok((begin, complete(&self.client, current.as_deref(), (begin == 0, word))))
    }
}

/// What `word` may be the beginning of, at the beginning of a line or elsewhere.
fn complete(client: &Client, current: Option<&str>, (is_first, word): (bool, &str)) -> Vec<String> {
    if let Some(command) = word.strip_prefix('/').filter(|_| is_first) {
        let names = command_names().filter(|name| name.starts_with(command));
        return names.map(|name| format!("/{name} ")).collect();
    }
    if word.is_empty() {
        return Vec::new();
    }
    let here = current.and_then(|room| client.room(room)).and_then(|room| room.presence);
    let users = here.and_then(|presence| presence.users).unwrap_or_default().into_keys();
    let rooms = client.rooms().into_iter().map(|room| room.name);
    let rooms = rooms.filter(|room| !is_first && !room.starts_with('@'));
    let mut all: Vec<_> = users.chain(rooms).filter(|name| name.starts_with(word)).collect();
    all.sort();
    all.dedup();
    let end = if is_first { ": " } else { " " };
    all.into_iter().map(|name| format!("{name}{end}")).collect()
}

/// Prints a line where nobody is asked to type.
fn print(line: &str) {
    let mut out = io::stdout().lock();
    _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
