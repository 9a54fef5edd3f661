//! A source file as text, with what is not program taken out.

use std::collections::BTreeSet;

/// One file, in the three views that the rules look at. Line numbers agree in all of them.
#[derive(Debug)]
pub(crate) struct Source {
    /// Relative to the project, with `/` between the names.
    pub(crate) path: String,
    /// As it is written.
    pub(crate) text: String,
    /// Without comments and literals.
    pub(crate) code: String,
    /// `code` without what is compiled for tests only.
    pub(crate) product: String,
    is_test_only: bool,
}

/// A path such as `crate::ws::Frame`, a group spelt out, or a single identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedPath {
    /// Where it begins: a byte in the view it was read from.
    pub(crate) at: usize,
    /// Its names; the last is `*` for a glob import.
    pub(crate) names: Vec<String>,
}

impl Source {
    /// Reads `text` as the file at `path`.
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = without_comments_and_literals(text);
        let product = without_test_items(&code);
        Self { path: path.to_owned(), text: text.to_owned(), code, product, is_test_only: false }
    }

    /// The folder of the crate that the file belongs to, up to its `src/`; empty if there is none.
    pub(crate) fn root(&self) -> &str {
        self.path.find("src/").map_or("", |at| &self.path[..at + "src/".len()])
    }

    /// The file's module, `["ws", "header"]` for `src/ws/header.rs`, empty for the crate's root.
    pub(crate) fn module(&self) -> Vec<&str> {
        let within = &self.path[self.root().len()..];
        let mut names: Vec<_> = within.trim_end_matches(".rs").split('/').collect();
        if matches!(names.last(), Some(&("mod" | "lib"))) {
            names.pop();
        }
        names
    }

    /// Whether it is a file of the server.
    pub(crate) fn is_product(&self) -> bool {
        self.path.starts_with("src/")
    }

    /// Whether all of it is compiled for tests only.
    pub(crate) const fn is_test_only(&self) -> bool {
        self.is_test_only
    }

    /// The beginnings of the paths of the files that this one declares for tests only.
    pub(crate) fn test_children(&self) -> Vec<String> {
        let folder = match self.path.rsplit_once('/') {
            Some((folder, "mod.rs" | "lib.rs" | "main.rs")) => folder.to_owned(),
            _ => self.path.trim_end_matches(".rs").to_owned(),
        };
        let declared = |rest: &str| {
            let (head, _) = rest.split_once(';')?;
            let name = head.split_whitespace().last()?;
            head.contains("mod ").then(|| format!("{folder}/{name}"))
        };
        self.code.split(TEST_ONLY).skip(1).filter_map(declared).collect()
    }

    /// Takes the whole file for test code, because the file that declares it says so.
    pub(crate) fn mark_test_only(&mut self) {
        self.is_test_only = true;
        self.product = self.code.chars().map(blank).collect();
    }

    /// The line that holds the byte `at` of one of the views, counted from 1.
    pub(crate) fn line(view: &str, at: usize) -> usize {
        view[..at].split('\n').count()
    }
}

/// What marks an item that exists in tests only.
const TEST_ONLY: &str = "#[cfg(test)]";

/// Marks the files that are reached by a `#[cfg(test)] mod name;` of another.
pub(crate) fn mark_test_files(sources: &mut [Source]) {
    let children: BTreeSet<_> = sources.iter().flat_map(Source::test_children).collect();
    for source in sources {
        let below = |child: &String| {
            source.path == format!("{child}.rs") || source.path.starts_with(&format!("{child}/"))
        };
        if children.iter().any(below) {
            source.mark_test_only();
        }
    }
}

/// Every path and identifier in `code`, in order, with `a::{b, c}` spelt out.
pub(crate) fn paths(code: &str) -> Vec<NamedPath> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < code.len() {
        if is_ident(code, at) && (at == 0 || !is_ident(code, at - 1)) {
            at = read_tree(code, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path or group at `at` below `prefix` and returns where it ends.
fn read_tree(code: &str, at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut names = prefix.to_vec();
    let mut end = at;
    loop {
        let here = skip_space(code, end);
        match code.as_bytes().get(here) {
            Some(b'{') if end > at => return read_group(code, here + 1, &names, found),
            Some(b'*') if end > at || !prefix.is_empty() => {
                names.push("*".to_owned());
                end = here + 1;
                break;
            }
            Some(_) if is_ident(code, here) => {
                let len = code.as_bytes()[here..].iter().take_while(|byte| ident(**byte)).count();
                names.push(code[here..here + len].to_owned());
                end = here + len;
            }
            _ => break,
        }
        let after = skip_space(code, end);
        if !code[after..].starts_with("::") {
            break;
        }
        end = after + 2;
    }
    if names.len() > prefix.len() {
        found.push(NamedPath { at, names });
    }
    end.max(at + 1)
}

/// Reads the members of a group up to its closing brace.
fn read_group(code: &str, from: usize, names: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut at = from;
    while let Some(byte) = code.as_bytes().get(at) {
        match byte {
            b'}' => return at + 1,
            b',' | b' ' | b'\n' => at += 1,
            _ => {
                at = read_tree(code, at, names, found);
                // Behind a member stands at most its new name, which says nothing about layers.
                at += code[at..].find([',', '}']).unwrap_or(code.len() - at);
            }
        }
    }
    at
}

fn skip_space(code: &str, at: usize) -> usize {
    at + code.as_bytes()[at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count()
}

fn ident(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

fn is_ident(code: &str, at: usize) -> bool {
    code.as_bytes().get(at).is_some_and(|byte| ident(*byte))
}

fn blank(letter: char) -> char {
    if letter == '\n' { '\n' } else { ' ' }
}

/// Replaces comments and literals by blanks. What remains is ASCII: the lints refuse other names.
pub(crate) fn without_comments_and_literals(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let in_word = code.as_bytes().last().is_some_and(|byte| ident(*byte));
        let len = opaque_len(rest, in_word).unwrap_or(0);
        if len == 0 {
            code.push(if letter.is_ascii() { letter } else { ' ' });
            rest = &rest[letter.len_utf8()..];
        } else {
            code.extend(rest[..len].chars().map(blank));
            rest = &rest[len..];
        }
    }
    code
}

/// The length of the comment or literal that `rest` begins with.
fn opaque_len(rest: &str, in_word: bool) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_len(rest));
    }
    let prefix = if in_word { 0 } else { rest.bytes().take_while(|b| b"bcr".contains(b)).count() };
    let body = rest.get(prefix..)?;
    if prefix > 0 && rest[..prefix].ends_with('r') {
        let hashes = body.bytes().take_while(|byte| *byte == b'#').count();
        let open = body.get(hashes..)?.strip_prefix('"')?;
        let close = format!("\"{}", "#".repeat(hashes));
        let end = open.find(&close).map_or(open.len(), |end| end + close.len());
        return Some(prefix + hashes + 1 + end);
    }
    match body.bytes().next()? {
        b'"' => Some(prefix + quoted_len(body, b'"')),
        b'\'' if is_char_literal(body) => Some(prefix + quoted_len(body, b'\'')),
        _ => None,
    }
}

/// Tells `'x'` and `'\n'` from the lifetime `'x`.
fn is_char_literal(body: &str) -> bool {
    let mut letters = body.chars().skip(1);
    letters.next() == Some('\\') || letters.next() == Some('\'')
}

fn quoted_len(body: &str, quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = body.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            byte if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    body.len()
}

fn block_comment_len(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Blanks each item after `#[cfg(test)]`, up to its `;` or closing brace.
fn without_test_items(code: &str) -> String {
    let mut product = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(TEST_ONLY) {
        product.push_str(&rest[..start]);
        let end = start + TEST_ONLY.len() + item_len(&rest[start + TEST_ONLY.len()..]);
        product.extend(rest[start..end].chars().map(blank));
        rest = &rest[end..];
    }
    product + rest
}

/// The length of the item at the beginning of `code`, its attributes included.
pub(crate) fn item_len(code: &str) -> usize {
    let mut nested = 0_usize;
    let mut braces = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => nested += 1,
            b')' | b']' => nested = nested.saturating_sub(1),
            b'{' => braces += 1,
            b'}' if braces <= 1 => return if braces == 1 { at + 1 } else { at },
            b'}' => braces -= 1,
            b';' if nested == 0 && braces == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}
