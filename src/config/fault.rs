//! What is wrong with a configuration, and where it was written.

use std::fmt;
use std::ops::Range;

/// Complaints that are shown. Who has more has mistaken something larger, and would not read them
/// all.
const SHOWN_MAX: usize = 20;
/// Characters of a source line that are shown around the place.
const EXCERPT_CHARS: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The complaint, as one sentence.
    pub what: String,
    /// Where; `None` if no single place is to blame.
    pub origin: Option<Origin>,
}

impl ConfigFault {
    pub(super) fn new(what: impl Into<String>, origin: Option<&Origin>) -> Self {
        Self { what: what.into(), origin: origin.cloned() }
    }
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the file.
    File(FilePosition),
    /// In the environment, under this name.
    Variable(String),
    /// On the command line, with this flag.
    Flag(String),
}

/// A place in a file, with what stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePosition {
    /// The path as it was given.
    pub path: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// The part of the line around the place, without control characters.
    excerpt: String,
    /// Characters of the excerpt before the place.
    indent: usize,
    /// Characters of the place, at least one.
    width: usize,
}

impl Origin {
    /// The same place, without showing what stands there.
    pub(super) fn without_text(&self) -> Self {
        match self {
            Self::File(position) => {
                let (excerpt, indent) = ("(hidden)".to_owned(), 0);
                Self::File(FilePosition {
                    width: excerpt.len(),
                    excerpt,
                    indent,
                    ..position.clone()
                })
            }
            Self::Variable(_) | Self::Flag(_) => self.clone(),
        }
    }
}

impl FilePosition {
    /// The place of the bytes `span` in `text`.
    pub(super) fn new(path: &str, text: &str, span: Range<usize>) -> Self {
        let start = span.start.min(text.len());
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let line_text = rest.split('\n').next().unwrap_or_default();
        let indent = before.get(line_start..).unwrap_or_default().chars().count();
        let width = text.get(start..span.end).unwrap_or_default();
        let width = width.chars().take_while(|c| *c != '\n').count().max(1);
        // A window that keeps the place in sight, however long the line is.
        // Ten characters before the place are enough to recognise it.
        let skipped = if indent + width > EXCERPT_CHARS { indent.saturating_sub(10) } else { 0 };
        let shown = line_text.trim_end().chars().skip(skipped).take(EXCERPT_CHARS);
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: indent + 1,
            // One column each, so that the caret stays under the place; and a terminal obeys none.
            excerpt: shown.map(|c| if c.is_control() { ' ' } else { c }).collect(),
            indent: indent - skipped,
            width: width.min(EXCERPT_CHARS - (indent - skipped).min(EXCERPT_CHARS - 1)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => write!(f, "{}:{}:{}", place.path, place.line, place.column),
            Self::Variable(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name in the file may contain control characters, which a terminal would obey.
        let what = self.what.replace(char::is_control, "\u{fffd}");
        write!(f, "error: {what}")?;
        match &self.origin {
            None => Ok(()),
            Some(Origin::Variable(name)) => write!(f, "\n  --> environment variable {name}"),
            Some(Origin::Flag(name)) => write!(f, "\n  --> flag {name}"),
            Some(origin @ Origin::File(FilePosition { line, excerpt, indent, width, .. })) => {
                let margin = line.to_string().len();
                write!(f, "\n{:margin$}--> {origin}\n{:margin$} |\n{line} | {excerpt}\n", "", "")?;
                write!(f, "{:margin$} | {:indent$}{:^<width$}", "", "", "")
            }
        }
    }
}

/// Everything that is wrong: at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<ConfigFault>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.0.iter().take(SHOWN_MAX).enumerate() {
            let separator = if at == 0 { "" } else { "\n\n" };
            write!(f, "{separator}{fault}")?;
        }
        match self.0.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\n\nand {more} more"),
        }
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, span: Range<usize>, expect: &str) {
        let origin = Some(Origin::File(FilePosition::new("a.toml", text, span)));
        let shown = ConfigFault { what: "no".to_owned(), origin }.to_string();
        assert_eq!(shown, expect);
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        check("a = 1\nbcd = 2\n", 6..9, "error: no\n --> a.toml:2:1\n  |\n2 | bcd = 2\n  | ^^^");
        check("a = 1\n", 4..5, "error: no\n --> a.toml:1:5\n  |\n1 | a = 1\n  |     ^");
    }

    #[test]
    fn columns_count_characters_and_tabs_keep_their_column() {
        check("ä\t= 1\n", 5..6, "error: no\n --> a.toml:1:5\n  |\n1 | ä = 1\n  |     ^");
    }

    #[test]
    fn a_place_at_or_beyond_the_end_still_has_a_caret() {
        for span in [5..5, 5..9, 99..100] {
            let place = FilePosition::new("a.toml", "a = 1", span);
            assert_eq!((place.line, place.column, place.width), (1, 6, 1));
        }
        check("", 0..0, "error: no\n --> a.toml:1:1\n  |\n1 | \n  | ^");
    }

    #[test]
    fn a_span_over_lines_is_marked_on_its_first() {
        check("a = [\n1]\n", 4..8, "error: no\n --> a.toml:1:5\n  |\n1 | a = [\n  |     ^");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place_and_shows_no_control_characters() {
        let text = format!("{}\u{1b}[2Jx", "a".repeat(500));
        let place = FilePosition::new("a.toml", &text, 504..505);
        assert_eq!(place.column, 505);
        assert_eq!(place.excerpt, "aaaaaa [2Jx");
        assert_eq!(place.excerpt.chars().nth(place.indent), Some('x'));
        let wide = FilePosition::new("a.toml", &text, 0..500);
        assert_eq!(
            (wide.indent, wide.width, wide.excerpt.len()),
            (0, EXCERPT_CHARS, EXCERPT_CHARS)
        );
    }

    #[test]
    fn no_control_character_reaches_the_terminal() {
        let shown =
            ConfigFault { what: "unknown key \u{1b}[2J\n".to_owned(), origin: None }.to_string();
        assert_eq!(shown, "error: unknown key \u{fffd}[2J\u{fffd}");
    }

    #[test]
    fn a_flood_of_faults_is_counted_instead_of_shown() {
        let faults =
            ConfigError(vec![ConfigFault { what: "no".to_owned(), origin: None }; SHOWN_MAX + 3]);
        let shown = faults.to_string();
        assert_eq!(shown.matches("error: no").count(), SHOWN_MAX);
        assert!(shown.ends_with("and 3 more"), "{shown}");
    }
}
