//! What is wrong with a file that is not TOML, for somebody who has never seen TOML.

use std::ops::Range;

/// Words that other formats have for true and false.
const SWITCHES: [&str; 8] = ["yes", "no", "on", "True", "False", "TRUE", "FALSE", "None"];
/// Quotes that word processors and web pages put in the place of `"` and `'`.
const OTHER_QUOTES: [char; 8] = ['“', '”', '„', '‟', '‘', '’', '«', '»'];

/// The complaint about `text`, which stops being TOML at `span`: what was probably meant, where
/// that is plain, otherwise what the `parser` says.
pub(super) fn complaint(text: &str, span: Range<usize>, parser: &str) -> String {
    let line = Line::at(text, span.start);
    let slip = if parser.starts_with("duplicate key") { line.twice() } else { line.slip() };
    format!("not TOML: {}", slip.unwrap_or_else(|| parser.trim().replace('\n', ", ")))
}

/// The line in which a file stops being TOML.
struct Line<'a> {
    /// What stands above it.
    above: &'a str,
    text: &'a str,
    /// Its part from the place on.
    rest: &'a str,
}

impl<'a> Line<'a> {
    fn at(text: &'a str, place: usize) -> Self {
        let (before, after) = text.split_at_checked(place).unwrap_or((text, ""));
        let (above, text) =
            text.split_at_checked(before.rfind('\n').map_or(0, |at| at + 1)).unwrap_or((text, ""));
        let line = |text: &'a str| text.split('\n').next().unwrap_or_default();
        Self { above, text: line(text).trim_end_matches('\r'), rest: line(after) }
    }

    /// What was probably meant by the line alone.
    fn slip(&self) -> Option<String> {
        let text = self.text.trim();
        let bare = outside_text(text);
        if let Some(quote) = bare.chars().find(|c| OTHER_QUOTES.contains(c)) {
            return Some(format!("{quote} is another character than the quote \" of TOML"));
        }
        let is_odd = |c: &char| (c.is_whitespace() || *c == '\u{feff}') && !" \t\r".contains(*c);
        if let Some(blank) = bare.chars().find(is_odd) {
            let code = u32::from(blank);
            return Some(format!("U+{code:04X} only looks like a blank: write a blank"));
        }
        let is_control = |c: &char| c.is_ascii_control() && !"\t\r".contains(*c);
        if let Some(odd) = text.chars().find(is_control) {
            let code = u32::from(odd);
            return Some(format!("U+{code:04X} is a control character: remove it"));
        }
        if text.contains('\r') {
            return Some("lines end with LF, or with CR LF: save the file in this form".to_owned());
        }
        let is_comment = |text: &str| text.starts_with(';') || text.starts_with("//");
        if is_comment(text) || is_comment(self.rest.trim_start()) {
            return Some("a comment begins with #".to_owned());
        }
        let Some((key, value)) = text.split_once('=') else {
            let (key, _) = text.split_once(':').filter(|(key, _)| is_bare_key(key.trim()))?;
            return Some(format!("a key and its value have = between them: {} = …", key.trim()));
        };
        let (key, value) = (key.trim(), value.trim());
        let code = value.split('#').next().unwrap_or_default().trim();
        match code {
            _ if value.starts_with('=') => Some("one = is enough".to_owned()),
            _ if !value.contains('"') && value.contains(" //") => {
                Some("a comment begins with #".to_owned())
            }
            _ if self.rest.starts_with(',') => Some("no comma stands after a value".to_owned()),
            "" => Some(format!("{key} has no value: write one, or remove the line")),
            "off" => Some(format!("off stands in quotes: {key} = \"off\"")),
            _ if SWITCHES.contains(&code) => Some(format!("write {key} = true or {key} = false")),
            _ if value.starts_with('"') && value.contains('\\') => Some(
                r"a \ in text is written twice, or the text has ' around it, not quotes".to_owned(),
            ),
            _ if value.starts_with('"') && value.matches('"').count() == 1 => {
                Some("the text has no quote at its end".to_owned())
            }
            // The text itself is not repeated: it may be a secret.
            _ if value.starts_with(|c: char| c.is_alphanumeric() || "/.*@:".contains(c)) => {
                Some(format!("text stands in quotes: {key} = \"…\""))
            }
            _ => {
                let first = value.strip_prefix('[')?.trim_start();
                let is_bare = first.starts_with(|c: char| c.is_alphabetic() || c == '/');
                is_bare.then(|| format!("text stands in quotes: {key} = [\"…\"]"))
            }
        }
    }

    /// Where the section or the key that it begins with is already.
    fn twice(&self) -> Option<String> {
        let text = self.text.trim();
        // The last one: other sections have keys of the same name.
        let number_of = |is_it: &dyn Fn(&str) -> bool| {
            let lines = self.above.lines().enumerate().filter(|(_, line)| is_it(line.trim()));
            lines.last().map(|(at, _)| at + 1)
        };
        let Some(name) = text.strip_prefix('[').and_then(|rest| rest.split(']').next()) else {
            let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
            let first = number_of(&|line| line.contains('=') && key(line) == key(text))?;
            return Some(format!("{} is set in line {first}, too: keep one of them", key(text)));
        };
        let header = format!("[{name}]");
        if let Some(first) = number_of(&|line| line.starts_with(&header)) {
            return Some(format!(
                "the section {header} begins in line {first} already: put its keys together there"
            ));
        }
        let dotted = format!("{name}.");
        let first = number_of(&|line| line.starts_with(&dotted))?;
        Some(format!(
            "line {first} sets a key of {header} as {dotted}…: write all of them so, or all below {header}"
        ))
    }
}

/// What of a line is neither in quotes nor a comment.
fn outside_text(line: &str) -> String {
    let mut quote = None;
    let code = line.chars().take_while(|&c| {
        if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && matches!(c, '"' | '\'') {
            quote = Some(c);
        }
        quote.is_some() || c != '#'
    });
    let code: String = code.collect();
    let parts = code.split(['"', '\'']);
    parts.step_by(2).collect()
}

fn is_bare_key(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use crate::config::file;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let fault = file::parse("a.toml", text).unwrap_err();
        assert_eq!(fault.what, format!("not TOML: {expect}"), "{text:?}: {fault}");
        assert!(fault.origin.is_some(), "{fault}");
    }

    #[test]
    fn a_slip_is_answered_with_what_would_be_right() {
        for (text, expect) in [
            ("listen = 127.0.0.1:8080", "text stands in quotes: listen = \"…\""),
            ("a = [x, y]", "text stands in quotes: a = [\"…\"]"),
            ("data = /var/lib/chinwag # here", "text stands in quotes: data = \"…\""),
            ("memory = 64MB", "text stands in quotes: memory = \"…\""),
            ("echo = yes", "write echo = true or echo = false"),
            ("tcp = off", "off stands in quotes: tcp = \"off\""),
            ("listen: \"127.0.0.1:8080\"", "a key and its value have = between them: listen = …"),
            ("a == 3", "one = is enough"),
            ("a = 3,", "no comma stands after a value"),
            ("a =", "a has no value: write one, or remove the line"),
            ("; a comment", "a comment begins with #"),
            ("a = 3 // a comment", "a comment begins with #"),
            ("a = \"b\nc = 3", "the text has no quote at its end"),
            (
                r#"a = "C:\chat""#,
                r"a \ in text is written twice, or the text has ' around it, not quotes",
            ),
            ("a = “b”", "“ is another character than the quote \" of TOML"),
            ("a\u{a0}= 3", "U+00A0 only looks like a blank: write a blank"),
            ("a = 3 # \u{1}", "U+0001 is a control character: remove it"),
            ("\0", "U+0000 is a control character: remove it"),
            ("a = yes # that’s it", "write a = true or a = false"),
            ("a = \"L’été", "the text has no quote at its end"),
            ("a = 3\rb = 4\r", "lines end with LF, or with CR LF: save the file in this form"),
        ] {
            check(text, expect);
            check(&format!("first = 1\r\n{text}"), expect);
        }
    }

    #[test]
    fn what_is_there_twice_is_said_with_its_first_line() {
        for (text, expect) in [
            ("a = 1\n\na = 2", "a is set in line 1, too: keep one of them"),
            ("[x]\nb.a = 1\nb.a=2", "b.a is set in line 2, too: keep one of them"),
            ("[x]\na = 1\n[y]\na = 2\na = 3", "a is set in line 4, too: keep one of them"),
            (
                "[x]\na = 1\n[y]\n[x]\nb = 2",
                "the section [x] begins in line 1 already: put its keys together there",
            ),
            (
                "tls.key = \"k\"\n[tls]\ncertificate = \"c\"",
                "line 1 sets a key of [tls] as tls.…: write all of them so, or all below [tls]",
            ),
        ] {
            check(text, expect);
        }
    }

    #[test]
    fn what_nobody_can_guess_is_said_as_the_parser_says_it() {
        for text in ["= 3", "a = [\n  \"127.0.0.1:8080\"\n  \"[::1]:8080\",\n]"] {
            let what = file::parse("a.toml", text).unwrap_err().what;
            assert!(what.starts_with("not TOML: ") && !what.contains('\n'), "{what}");
            assert!(!what.contains("have = between them"), "{what}");
        }
    }
}
