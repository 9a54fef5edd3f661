//! Whom a message names: `@name` and `@room`, as they stand in its text.
//!
//! They follow from the text alone and are kept nowhere beside it: what an edit, a deletion, an
//! erasure or retention does to the text is done to them, and every client is told the same.
//! Whether somebody of that name exists is asked where it matters, since it may change later.
//!
//! | written | names | why |
//! |---|---|---|
//! | `@ann`, `@Ann` | `ann` | names are lower case |
//! | `@room` | all of the room, also where a user has that name | |
//! | `@ann.` `@ann-` | `ann` | the end of a sentence; a name that ends so cannot be mentioned |
//! | `_to @ann_` | `ann` | the mark ends what began as such |
//! | `x@ann`, `@ann@host`, `@ann:host`, `@ann/x`, `/@ann`, `https://x/?@ann` | nobody | an address |
//! | between backquotes, or between lines of three | nobody | code |
//! | in lines that begin with `>` | nobody | another has said it |

use std::iter::Peekable;
use std::str::Lines;

use unicode_normalization::UnicodeNormalization as _;

use super::name::{NAME_LEN_MAX, UserName};

/// Mentions of one message; further ones are text.
pub const MENTIONS_MAX: usize = 16;

/// Bytes that these take at most when they are rendered.
pub const MENTIONS_BYTES_MAX: usize = LIST_LEN + MENTIONS_MAX * (NAME_LEN_MAX + 3);

/// The field's name and its brackets.
const LIST_LEN: usize = r#","mentions":[]"#.len();

/// The word after `@` that stands for all of a room.
const ROOM: &str = "room";

/// Whom a message names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mention {
    /// All of the room.
    Room,
    /// Whoever has this name.
    User(UserName),
}

impl Mention {
    /// As it stands in the protocol: a user's name, or `@room`, which no user can be called.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Room => "@room",
            Self::User(name) => name.as_str(),
        }
    }
}

/// Whom a text names, each once, in the order of the text: at most [`MENTIONS_MAX`].
#[must_use]
pub fn mentions(text: &str) -> Vec<Mention> {
    // Nearly no text has an `@`: nothing more is done for those.
    if memchr::memchr(b'@', text.as_bytes()).is_none() {
        return Vec::new();
    }
    find(text)
}

/// Whether a text names a user, or all of a room in which the user is.
#[must_use]
pub fn names(text: &str, user: &UserName) -> bool {
    mentions(text).iter().any(|mention| match mention {
        Mention::Room => true,
        Mention::User(name) => name == user,
    })
}

/// The bytes that the mentions of a text take at most when they are rendered.
#[must_use]
pub fn encoded_len_max(text: &str) -> usize {
    let marks = memchr::memchr_iter(b'@', text.as_bytes()).take(MENTIONS_MAX).count();
    if marks == 0 { 0 } else { LIST_LEN + marks * (NAME_LEN_MAX + 3) }
}

#[cold]
fn find(text: &str) -> Vec<Mention> {
    let mut found = Vec::new();
    let mut lines = text.lines().peekable();
    // Once a block is not closed, none after it is: nothing is looked for again.
    let mut may_close = true;
    while let Some(line) = lines.next() {
        if may_close && is_fence(line) {
            may_close = skip_block(&mut lines);
            if may_close {
                continue;
            }
        }
        if !is_quotation(line) {
            find_in_line(line, &mut found);
        }
        if found.len() >= MENTIONS_MAX {
            break;
        }
    }
    found
}

/// Whether a line begins a block of code: three backquotes, and perhaps what language it is.
fn is_fence(line: &str) -> bool {
    let Some(rest) = line.strip_prefix("```") else { return false };
    let language = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '#' | '.' | '-');
    rest.trim_matches([' ', '\t']).chars().all(language)
}

/// Goes after the line that ends the block; stays, and says so, if there is none.
fn skip_block(lines: &mut Peekable<Lines<'_>>) -> bool {
    // A clone looks ahead, so that the lines are still there if nothing closes the block.
    let mut ahead = lines.clone();
    let is_closed =
        ahead.any(|line| line.strip_prefix("```").is_some_and(|rest| rest.trim().is_empty()));
    if is_closed {
        *lines = ahead;
    }
    is_closed
}

fn is_quotation(line: &str) -> bool {
    line.strip_prefix('>').is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// What a line has been up to a place.
#[derive(Default)]
struct Line {
    /// The characters just before, the last one first.
    before: [Option<char>; 2],
    /// An address has begun, and no space was since.
    in_address: bool,
    /// A `_` stands at the beginning of a word, and none at the end of one since.
    is_slanted: bool,
    /// No run of so many backquotes, less one, is in the rest of the line.
    unclosed: [bool; RUN_MAX],
}

/// Backquotes that begin a piece of code together, at most.
const RUN_MAX: usize = 3;

impl Line {
    const fn pass(&mut self, c: char) {
        self.before = [Some(c), self.before[0]];
    }

    /// Whether what follows cannot be a mention.
    fn is_inside(&self) -> bool {
        self.in_address || self.before[0].is_some_and(|c| c == '/' || is_word(c))
    }
}

const fn is_mark(c: char) -> bool {
    matches!(c, '.' | '_' | '-')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

fn find_in_line(line: &str, found: &mut Vec<Mention>) {
    let mut state = Line::default();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let behind = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '`' => {
                rest = skip_code(rest, &mut state);
                state.pass('`');
                continue;
            }
            '@' => {
                let name = name_at_start(behind);
                let after = behind.get(name.len()..).unwrap_or_default();
                if !state.is_inside() && !goes_on(after) {
                    push(found, without_end(name, &mut state));
                    if found.len() >= MENTIONS_MAX {
                        return;
                    }
                }
                // A name that is none for this place is passed over whole: `x@ann@bob` has no
                // mention in its middle.
                state.pass('@');
                name.chars().for_each(|c| state.pass(c));
                rest = after;
                continue;
            }
            '_' if !state.before[0].is_some_and(is_word) => {
                state.is_slanted = behind.starts_with(|next: char| !next.is_whitespace());
            }
            '_' if !behind.starts_with(is_word) => state.is_slanted = false,
            ':' if behind.starts_with("//") => state.in_address = true,
            c if c.is_whitespace() => state.in_address = false,
            _ => {}
        }
        state.pass(c);
        rest = behind;
    }
}

/// What follows a piece of code, or the backquotes that begin none.
fn skip_code<'a>(text: &'a str, state: &mut Line) -> &'a str {
    let run = text.bytes().take_while(|&byte| byte == b'`').count();
    let (len, behind) = (run.min(RUN_MAX), text.get(run..).unwrap_or_default());
    let Some(unclosed) = state.unclosed.get_mut(len - 1).filter(|unclosed| !**unclosed) else {
        return behind;
    };
    let mut from = 0;
    while let Some(at) = behind.get(from..).and_then(|rest| rest.find('`')) {
        let start = from + at;
        let other = behind.bytes().skip(start).take_while(|&byte| byte == b'`').count();
        from = start + other;
        // As in Markdown, a run of another length is part of the code.
        if other == len {
            return behind.get(from..).unwrap_or_default();
        }
    }
    *unclosed = true;
    behind
}

/// The letters and marks of which names are made that `text` begins with.
fn name_at_start(text: &str) -> &str {
    let is_of_name =
        |c: char| is_word(c) || is_mark(c) || unicode_normalization::char::is_combining_mark(c);
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// Whether the name is the beginning of an address.
fn goes_on(after: &str) -> bool {
    let mut chars = after.chars();
    match chars.next() {
        Some('@') => true,
        Some(':' | '/') => chars.next().is_some_and(|c| is_word(c) || c == '/'),
        _ => false,
    }
}

/// The name without what ends the sentence, or what is emphasised.
fn without_end<'a>(name: &'a str, state: &mut Line) -> &'a str {
    let name = name.trim_end_matches(['.', '-']);
    match name.strip_suffix('_').filter(|_| state.is_slanted) {
        Some(bare) => {
            state.is_slanted = false;
            bare
        }
        None => name,
    }
}

fn push(found: &mut Vec<Mention>, written: &str) {
    // A character becomes at most a few bytes shorter: what is much longer than a name is none.
    if written.is_empty() || written.len() > 4 * NAME_LEN_MAX {
        return;
    }
    // Twice, since a letter in lower case may be another form than the one that it came from.
    let name: String = written.nfkc().flat_map(char::to_lowercase).nfkc().collect();
    let mention = if name == ROOM {
        Mention::Room
    } else if let Some(name) = UserName::stored(&name) {
        Mention::User(name)
    } else {
        return;
    };
    if !found.contains(&mention) {
        found.push(mention);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(text: &str) -> String {
        let found = mentions(text);
        found.iter().map(Mention::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_text_names_whom_the_table_says() {
        for (text, expect) in [
            ("hi", ""),
            ("@", ""),
            ("@ ann", ""),
            ("@ann", "ann"),
            ("hi @ann, @bob!", "ann bob"),
            ("@Ann and @ANN", "ann"),
            ("(@ann) \"@bob\" @cat: hi @dan; @eve/@fay", "ann bob cat dan eve"),
            ("@room", "@room"),
            ("@Room: lunch", "@room"),
            ("@rooms @roo", "rooms roo"),
            ("thanks @ann.", "ann"),
            ("thanks @ann...", "ann"),
            ("so, @ann - what?", "ann"),
            ("@ann.b-c_9", "ann.b-c_9"),
            ("@ann_", "ann_"),
            ("_@ann_", "ann"),
            ("_hello @ann_ and @bob_", "ann bob_"),
            ("snake_case @ann_", "ann_"),
            ("_hello_ @ann_", "ann_"),
            ("**@ann** ~~@bob~~ *@cat*", "ann bob cat"),
            ("@jürgen @名前 @ёж", "jürgen 名前 ёж"),
            ("@JÜRGEN", "jürgen"),
            ("@ﬁsh", "fish"),
            ("@e\u{301}va", "éva"),
            ("@👍", ""),
            ("@@ann", "ann"),
            ("@ann\n@bob\r\n@cat", "ann bob cat"),
            // Addresses.
            ("ann@example.org", ""),
            ("é@ann", ""),
            ("@ann@example.org", ""),
            ("@ann:example.org", ""),
            ("@ann:bob", ""),
            ("@types/node", ""),
            ("medium.com/@ann", ""),
            ("https://example.org/?@ann", ""),
            ("https://example.org/(@ann) @bob", "bob"),
            ("ssh://@ann", ""),
            ("see: // @ann", "ann"),
            // Code.
            ("`@ann` @bob", "bob"),
            ("``a ` @ann`` @bob", "bob"),
            ("```@ann``` @bob", "bob"),
            ("`@ann", "ann"),
            ("``@ann` @bob", "ann bob"),
            ("````@ann``` @bob", "bob"),
            ("`a` @ann `b` @bob `", "ann bob"),
            ("```\n@ann\n```\n@bob", "bob"),
            ("```rust\n@ann\n``` \n@bob", "bob"),
            ("```\n@ann", "ann"),
            ("```\n@ann\n```x\n@bob", "ann bob"),
            ("``` not code @ann\n@bob\n```", "ann bob"),
            // What others have said.
            ("> @ann said\n@bob", "bob"),
            (">\n>@ann", "ann"),
            // Names that are none.
            ("@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", ""),
            ("@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
            ("@...", ""),
        ] {
            assert_eq!(shown(text), expect, "{text:?}");
        }
    }

    #[test]
    fn a_message_names_no_more_than_its_bound() {
        let names: Vec<_> = (0..100).map(|number| format!("@u{number}")).collect();
        let text = names.join(" ");
        let found = mentions(&text);
        assert_eq!(found.len(), MENTIONS_MAX);
        assert_eq!(found.last().map(Mention::as_str), Some("u15"), "the first ones");
        assert_eq!(shown(&"@ann ".repeat(100)), "ann", "each once");
    }

    #[test]
    fn a_hostile_text_takes_no_longer_than_it_is_long() {
        // Each of these would take minutes if something were looked for again from every place.
        for piece in ["`", "``a`", "```a\n", "```\n", "@", "_@", "://@", "@a`", "`a``b```c"] {
            let text = piece.repeat(1_000_000 / piece.len());
            assert!(mentions(&text).len() <= MENTIONS_MAX, "{piece:?}");
        }
    }

    #[test]
    fn who_is_named_is_so_by_name_or_with_the_room() {
        let ann = UserName::parse("ann").unwrap();
        for (text, expect) in
            [("@ann", true), ("@room", true), ("@bob", false), ("ann", false), ("`@ann`", false)]
        {
            assert_eq!(names(text, &ann), expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_has_longer_mentions_than_are_counted(text in "([@_`. a-z\n:/>]|\\PC){0,200}") {
            let found = mentions(&text);
            let rendered: usize = found.iter().map(|mention| mention.as_str().len() + 3).sum();
            let rendered = if found.is_empty() { 0 } else { rendered + LIST_LEN };
            prop_assert!(rendered <= encoded_len_max(&text), "{found:?}");
            prop_assert!(encoded_len_max(&text) <= MENTIONS_BYTES_MAX);
            for mention in &found {
                if let Mention::User(name) = mention {
                    prop_assert!(UserName::stored(name.as_str()).is_some());
                }
            }
        }
    }
}
