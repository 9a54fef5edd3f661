//! `chinwag top`: a running server, looked at every few seconds.
//!
//! Where the admin API's token is known, the numbers are those of `/api/v1/stats` and rooms and
//! connections are listed; without it they are those of `/metrics`. Where the output is no
//! terminal, one look is printed.

mod draw;
mod fetch;
mod sample;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};

use self::draw::{Look, draw};
use self::fetch::Source;
use self::sample::Sample;
use super::Style;
use crate::time::clock::Clock;

/// The size of what is printed where there is no terminal.
const PRINTED: (u16, u16) = (100, 40);
/// How often what is looked at is in the order of something else.
const CONNECTIONS_BY: &[&str] = &["lag", "bytes", "idle", "since"];
const ROOMS_BY: &[&str] = &["subscribers", "members", "seq", "name"];

/// What `chinwag top` was asked for.
#[derive(Debug)]
pub struct Top {
    /// The address of the admin listener.
    pub url: String,
    /// The token of the admin API.
    pub token: Option<String>,
    /// The time between two looks.
    pub every: Duration,
    /// How to show it.
    pub style: Style,
}

/// Watches until it is told to end.
///
/// # Errors
///
/// Why it could not begin, for people.
pub fn run(top: &Top) -> Result<(), String> {
    let source = Source::parse(&top.url, top.token.clone())?;
    let mut watched = Watched::new(source, top.style);
    // A server that is not there at the beginning is a mistake; later it is news.
    watched.look()?;
    let outcome = if io::stdout().is_terminal() {
        watch(&mut watched, top.every)
    } else {
        watched.print(top.every)
    };
    outcome.map_err(|error| format!("cannot use this terminal: {error}"))
}

fn watch(watched: &mut Watched, every: Duration) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let outcome = watch_in(&mut terminal, watched, every);
    ratatui::restore();
    outcome
}

fn watch_in(
    terminal: &mut ratatui::DefaultTerminal,
    watched: &mut Watched,
    every: Duration,
) -> io::Result<()> {
    let mut looked = watched.clock.micros();
    loop {
        terminal.draw(|frame| draw(frame, &watched.seen()))?;
        let since = Duration::from_micros(watched.clock.micros().saturating_sub(looked));
        if event::poll(every.saturating_sub(since))? {
            let Event::Key(key) = event::read()? else { continue };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if is_control => return Ok(()),
                KeyCode::Char('c') => watched.connections_by += 1,
                KeyCode::Char('r') => watched.rooms_by += 1,
                KeyCode::Char(' ') => watched.is_paused = !watched.is_paused,
                _ => continue,
            }
        }
        if !watched.is_paused {
            looked = watched.clock.micros();
            // What is wrong is on the screen until it is not wrong any more.
            watched.trouble = watched.look().err();
        }
    }
}

/// The server, as far as it was looked at.
struct Watched {
    source: Source,
    style: Style,
    clock: Clock,
    last: Sample,
    before: Option<Sample>,
    trouble: Option<String>,
    connections_by: usize,
    rooms_by: usize,
    is_paused: bool,
}

impl Watched {
    fn new(source: Source, style: Style) -> Self {
        Self {
            source,
            style,
            clock: Clock::start(),
            last: Sample::default(),
            before: None,
            trouble: None,
            connections_by: 0,
            rooms_by: 0,
            is_paused: false,
        }
    }

    fn orders(&self) -> (&'static str, &'static str) {
        let nth = |all: &[&'static str], nth: usize| all.get(nth % all.len()).copied();
        let connections = nth(CONNECTIONS_BY, self.connections_by);
        (connections.unwrap_or("lag"), nth(ROOMS_BY, self.rooms_by).unwrap_or("name"))
    }

    fn look(&mut self) -> Result<(), String> {
        // At 0 nothing was looked at.
        let at = self.clock.micros().max(1);
        let sample = self.source.look(self.orders())?;
        let sample = Sample { at_us: at, ..sample };
        // A server that was started again counts from nothing.
        let is_same = self.last.at_us > 0 && sample.uptime_ms >= self.last.uptime_ms;
        let last = std::mem::replace(&mut self.last, sample);
        self.before = is_same.then_some(last);
        Ok(())
    }

    fn seen(&self) -> Look<'_> {
        Look {
            server: self.source.host(),
            now: &self.last,
            before: self.before.as_ref(),
            orders: self.orders(),
            trouble: self.trouble.as_deref(),
            is_paused: self.is_paused,
            has_colours: self.style.has_colours,
        }
    }

    /// Prints one look: two, since a rate needs them, a second apart or less.
    fn print(&mut self, every: Duration) -> io::Result<()> {
        /// A rate of less is a guess.
        const APART_MAX: Duration = Duration::from_secs(1);
        std::thread::park_timeout(every.min(APART_MAX));
        self.look().map_err(io::Error::other)?;
        let (width, height) = PRINTED;
        let mut terminal =
            Terminal::new(TestBackend::new(width, height)).map_err(io::Error::other)?;
        terminal.draw(|frame| draw(frame, &self.seen())).map_err(io::Error::other)?;
        let mut out = io::stdout().lock();
        let mut rows = text(terminal.backend());
        // The keys are for who has a screen, and so is the room above them.
        rows.pop();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        for row in rows {
            match writeln!(out, "{row}") {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                outcome => outcome?,
            }
        }
        Ok(())
    }
}

/// The rows of a screen that nobody sees, without what is empty at their ends.
fn text(screen: &TestBackend) -> Vec<String> {
    let buffer = screen.buffer();
    let width = usize::from(buffer.area.width.max(1));
    let rows = buffer.content.chunks(width);
    let rows = rows.map(|row| row.iter().map(Cell::symbol).collect::<String>());
    let mut rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
    while rows.last().is_some_and(String::is_empty) {
        rows.pop();
    }
    rows
}
