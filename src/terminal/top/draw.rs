//! One look on the screen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Row, Table, Wrap};
use serde_json::Value;

use super::sample::{Durations, Sample};
use crate::time::span::in_words;
use crate::wire::text::{safe_line, safe_name};

/// What is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look<'a> {
    pub server: &'a str,
    pub now: &'a Sample,
    pub before: Option<&'a Sample>,
    /// By what connections and rooms are ordered.
    pub orders: (&'static str, &'static str),
    /// Why there is nothing newer.
    pub trouble: Option<&'a str>,
    pub is_paused: bool,
    pub has_colours: bool,
}

/// A column: its title, its field, its width, and whether a narrow screen goes without it.
type Column = (&'static str, &'static str, u16, bool);

const CONNECTIONS: &[Column] = &[
    ("user", "user", 16, false),
    ("address", "address", 21, true),
    ("speaks", "protocol", 9, true),
    ("rooms", "rooms", 5, true),
    ("lag", "lag", 7, false),
    ("waits", "queued_bytes", 8, false),
    ("idle", "idle_ms", 7, false),
];
const ROOMS: &[Column] = &[
    ("room", "room", 24, false),
    ("members", "members", 7, true),
    ("here", "subscribers", 6, false),
    ("records", "seq", 9, false),
    ("kept", "durability", 6, true),
];
/// Columns from which on nothing is left out.
const WIDE: u16 = 80;
/// Columns of a number with its name.
const NUMBER_WIDTH: u16 = 26;
/// How many numbers there are.
const NUMBERS: u16 = 16;

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, look: &Look<'_>) {
    // The connections take what they need, and half of the screen at most.
    let listed = look.now.connections_list.as_ref().map_or(0, Vec::len);
    let upper = u16::try_from(listed).unwrap_or(u16::MAX).saturating_add(3);
    let height = NUMBERS.div_ceil(in_a_row(frame.area().width));
    let upper = upper.min(frame.area().height.saturating_sub(height) / 2);
    let rows = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(height),
        Constraint::Length(upper),
        Constraint::Fill(1),
        Constraint::Length(1),
    ]);
    let [head, numbers, connections, rooms, foot] = rows.areas(frame.area());
    frame.render_widget(Paragraph::new(title(look)), head);
    frame.render_widget(Paragraph::new(figures(look, numbers.width)), numbers);
    if let (Some(all), Some(listed)) = (&look.now.connections_list, &look.now.rooms_list) {
        let (by, rooms_by) = look.orders;
        table(frame, connections, look, (&format!("connections by {by}"), CONNECTIONS, all));
        table(frame, rooms, look, (&format!("rooms by {rooms_by}"), ROOMS, listed));
    } else {
        let hint = "Rooms and connections are listed with the token of the admin API: set \
                    admin_token in the server's configuration, and give it with --token @FILE.";
        frame.render_widget(Paragraph::new(hint).wrap(Wrap { trim: true }), connections);
    }
    let keys = "q quits · c, r order connections, rooms · space stops and goes on";
    frame.render_widget(Paragraph::new(Line::styled(keys, faint(look))), foot);
}

fn faint(look: &Look<'_>) -> Style {
    if look.has_colours { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
}

fn strong(look: &Look<'_>) -> Style {
    if look.has_colours { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() }
}

fn alarming(look: &Look<'_>) -> Style {
    if look.has_colours { Style::new().fg(Color::Red) } else { Style::new() }
}

fn title<'a>(look: &Look<'a>) -> Line<'a> {
    let Sample { version, ready, uptime_ms, .. } = look.now;
    let mut spans = vec![Span::styled(format!("chinwag {version}"), strong(look))];
    spans.push(Span::raw(format!(" at {}", look.server)));
    if let Some(trouble) = look.trouble {
        spans.push(Span::styled(format!(" · {trouble}"), alarming(look)));
        return Line::from(spans);
    }
    if *uptime_ms > 0 {
        // In whole minutes, so that it can be read.
        let up = if *uptime_ms < 60_000 { *uptime_ms } else { uptime_ms / 60_000 * 60_000 };
        spans.push(Span::raw(format!(" · up {}", in_words(up))));
    }
    if ready != "ok" {
        spans.push(Span::styled(format!(" · {ready}"), alarming(look)));
    }
    if look.is_paused {
        spans.push(Span::styled(" · stopped", strong(look)));
    }
    Line::from(spans)
}

/// How many numbers stand side by side.
fn in_a_row(width: u16) -> u16 {
    (width / NUMBER_WIDTH).clamp(2, 4)
}

/// The numbers, each a name and a value; as many in a row as fit.
fn figures<'a>(look: &Look<'_>, width: u16) -> Vec<Line<'a>> {
    let (now, before) = (look.now, look.before);
    let rate =
        |name: &str| now.rate(before, name).map_or_else(none, |rate| format!("{}/s", count(rate)));
    let number = |name: &str| count(now.number(name));
    let bytes_rate =
        |name: &str| now.rate(before, name).map_or_else(none, |rate| format!("{}/s", bytes(rate)));
    let times = |of: &Durations, then: Option<&Durations>| {
        let at = |per_mille| of.quantile(then, per_mille).map_or_else(none, micros);
        let (half, most) = (at(500), at(990));
        // A narrow screen has no space for both.
        let both = format!("{half}–{most}").replace(' ', "");
        if width < WIDE { most } else { both }
    };
    let lagging = now.number("lagging");
    let turns = times(&now.turns, before.map(|before| &before.turns));
    let commits = times(&now.commits, before.map(|before| &before.commits));
    let all = [
        ("connections", number("connections"), false),
        ("new", rate("accepted"), false),
        ("sessions", number("sessions"), false),
        ("lagging", count(lagging), lagging > 0),
        ("messages", rate("records"), false),
        ("deliveries", rate("deliveries"), false),
        ("in", bytes_rate("received_bytes"), false),
        ("out", bytes_rate("sent_bytes"), false),
        ("turns", turns, false),
        ("commits", commits, false),
        ("rooms", number("rooms"), false),
        ("users", number("users"), false),
        ("memory", bytes(now.memory_bytes), false),
        ("waits", bytes(now.number("queued_bytes")), false),
        ("database", bytes(now.number("store_bytes")), false),
        ("to store", number("store_waiting"), false),
    ];
    let columns = in_a_row(width);
    let cell = usize::from(width / columns).saturating_sub(13);
    let lines = all.chunks(usize::from(columns)).map(|row| {
        let spans = row.iter().flat_map(|(name, value, is_alarming)| {
            let style = if *is_alarming { alarming(look) } else { strong(look) };
            [
                Span::styled(format!("{name:<11} "), faint(look)),
                Span::styled(format!("{value:<cell$} "), style),
            ]
        });
        spans.collect()
    });
    lines.collect()
}

fn table(
    frame: &mut Frame<'_>,
    area: Rect,
    look: &Look<'_>,
    (title, columns, rows): (&str, &[Column], &[Value]),
) {
    let [head, below] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    frame.render_widget(Paragraph::new(Line::styled(title.to_owned(), strong(look))), head);
    let is_narrow = area.width < WIDE;
    let shown: Vec<_> = columns.iter().filter(|column| !(is_narrow && column.3)).collect();
    let titles = Row::new(shown.iter().map(|column| column.0)).style(faint(look));
    let body = rows.iter().map(|row| Row::new(shown.iter().map(|column| cell(row, column.1))));
    let widths = shown.iter().enumerate().map(|(nth, column)| match nth {
        0 => Constraint::Min(column.2.min(12)),
        _ => Constraint::Length(column.2),
    });
    frame.render_widget(Table::new(body, widths).header(titles), below);
}

fn cell(row: &Value, field: &str) -> String {
    let value = row.get(field);
    match (field, value.and_then(Value::as_u64), value.and_then(Value::as_str)) {
        ("idle_ms", Some(idle), _) => micros(idle.saturating_mul(1_000)),
        ("queued_bytes", Some(queued), _) => bytes(queued),
        (_, Some(number), _) => count(number),
        (_, _, Some(text)) => safe_name(&safe_line(text)),
        _ => none(),
    }
}

/// What is not known.
fn none() -> String {
    "–".to_owned()
}

/// A number that fits: `999`, `12.3k`.
fn count(number: u64) -> String {
    scaled(number, 1_000, &["", "k", "M", "G", "T", "P", "E"])
}

fn bytes(number: u64) -> String {
    scaled(number, 1_024, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// A number with three digits or so and a unit.
fn scaled(number: u64, step: u64, units: &[&str]) -> String {
    let (mut whole, mut rest, mut nth) = (number, 0, 0);
    while whole >= step && nth + 1 < units.len() {
        (whole, rest, nth) = (whole / step, whole % step, nth + 1);
    }
    let unit = units.get(nth).copied().unwrap_or_default();
    if nth == 0 || whole >= 100 {
        return format!("{whole}{unit}");
    }
    format!("{whole}.{}{unit}", rest * 10 / step)
}

/// A duration that fits.
fn micros(us: u64) -> String {
    match us {
        u64::MAX => "more".to_owned(),
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        1_000_000..60_000_000 => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
        _ => in_words(us / 60_000_000 * 60_000)
            .replace(" minutes", " min")
            .replace(" minute", " min"),
    }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;
    use serde_json::json;

    use super::*;

    fn shown(width: u16, sample: &Sample, before: Option<&Sample>) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, 24)).unwrap();
        let look = Look {
            server: "127.0.0.1:9091",
            now: sample,
            before,
            orders: ("lag", "subscribers"),
            trouble: None,
            is_paused: false,
            has_colours: false,
        };
        terminal.draw(|frame| draw(frame, &look)).unwrap();
        super::super::text(terminal.backend()).join("\n")
    }

    fn sample(at_us: u64, records: u64) -> Sample {
        let stats = json!({
            "version": "0.1.0", "ready": "ok", "uptime_ms": 7_200_000, "connections": 1_234,
            "lagging": 2, "records": records, "store_bytes": 3_000_000,
            "turns": {"bounds_us": [50, 100_000], "counts": [9, 1, 0]},
        });
        let connection = json!({
            "user": "ann\u{1b}[2J", "address": "10.0.0.1:4711", "protocol": "websocket",
            "rooms": 3, "lag": 40, "queued_bytes": 65_536, "idle_ms": 1_500,
        });
        let room = json!({"room": "lobby", "members": 5, "subscribers": 3, "seq": 12_345,
            "durability": "disk"});
        Sample {
            at_us,
            connections_list: Some(vec![connection]),
            rooms_list: Some(vec![room]),
            ..Sample::of_stats(stats.as_object().unwrap())
        }
    }

    #[test]
    fn a_look_has_numbers_rates_connections_and_rooms_on_any_screen() {
        for width in [40, 80, 120] {
            let screen = shown(width, &sample(3_000_000, 30), Some(&sample(1_000_000, 10)));
            let parts =
                ["connections", "1.2k", "10/s", "2.8 MiB", "ann?[2J", "64.0 KiB", "lobby", "12.3k"];
            for part in parts {
                assert!(screen.contains(part), "{part} at {width}:\n{screen}");
            }
            assert!(!screen.contains('\u{1b}'), "{screen}");
        }
        let wide = shown(100, &sample(1, 1), None);
        assert!(wide.contains("10.0.0.1:4711") && wide.contains("up 2 hours"), "{wide}");
    }

    #[test]
    fn without_the_api_it_is_said_how_to_have_it() {
        let sample = Sample::of_metrics("chinwag_connections 7\n");
        let screen = shown(80, &sample, None);
        assert!(screen.contains("admin_token"), "{screen}");
    }

    #[test]
    fn numbers_fit() {
        for (number, expect) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0k"),
            (12_345, "12.3k"),
            (999_999, "999k"),
            (u64::MAX, "18.4E"),
        ] {
            assert_eq!(count(number), expect);
        }
        for (us, expect) in [
            (7, "7 µs"),
            (1_500, "1.5 ms"),
            (2_000_000, "2.0 s"),
            (120_000_000, "2 min"),
            (u64::MAX, "more"),
        ] {
            assert_eq!(micros(us), expect);
        }
    }
}
