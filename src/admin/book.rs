//! The documentation as readable pages: the chapters of the book, rendered when they are asked for.
//! No chapter takes a millisecond.
//!
//! Operators find them on the admin listener; everybody, if the operator says so, where the chat
//! is, without the links to what is on the admin listener only.
//!
//! | path | what |
//! |---|---|
//! | `/docs` | the list of chapters, by the question that each answers |
//! | `/docs/NAME` | a chapter |
//! | `/docs/NAME.md` | the same as it is written, with links to such pages |
//! | `/docs/asyncapi.json` | what describes the chat's protocol to programs |
//! | `/llms.txt` | the list for programs that read for people |

use std::fmt::Write as _;

use super::asyncapi;
use pulldown_cmark::{CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

/// The type of all pages.
const HTML: &str = "text/html; charset=utf-8";
/// The type of what is written for programs.
const MARKDOWN: &str = "text/markdown; charset=utf-8";

/// What each chapter is called, and its text.
const CHAPTERS: &[(&str, &str)] = &[
    ("across_nodes", include_str!("../docs/across_nodes.md")),
    ("admin", include_str!("../docs/admin.md")),
    ("behind_a_proxy", include_str!("../docs/behind_a_proxy.md")),
    ("clients", include_str!("../docs/clients.md")),
    ("cluster", include_str!("../docs/cluster.md")),
    ("configuration", include_str!("../docs/configuration.md")),
    ("durable_send", include_str!("../docs/durable_send.md")),
    ("files", include_str!("../docs/files.md")),
    ("glossary", include_str!("../docs/glossary.md")),
    ("http", include_str!("../docs/http.md")),
    ("identity", include_str!("../docs/identity.md")),
    ("invariants", include_str!("../docs/invariants.md")),
    ("known_failures", include_str!("../docs/known_failures.md")),
    ("lessons", include_str!("../docs/lessons.md")),
    ("life_of_a_message", include_str!("../docs/life_of_a_message.md")),
    ("measurements", include_str!("../docs/measurements.md")),
    ("memory", include_str!("../docs/memory.md")),
    ("messages", include_str!("../docs/messages.md")),
    ("new_operation", include_str!("../docs/new_operation.md")),
    ("on_demand", include_str!("../docs/on_demand.md")),
    ("packages", include_str!("../docs/packages.md")),
    ("promises", include_str!("../docs/promises.md")),
    ("protocol", include_str!("../docs/protocol.md")),
    ("threads", include_str!("../docs/threads.md")),
    ("push", include_str!("../docs/push.md")),
    ("resume", include_str!("../docs/resume.md")),
    ("rights", include_str!("../docs/rights.md")),
    ("security", include_str!("../docs/security.md")),
    ("sign_in", include_str!("../docs/sign_in.md")),
    ("slow_reader", include_str!("../docs/slow_reader.md")),
    ("store", include_str!("../docs/store.md")),
    ("terminal", include_str!("../docs/terminal.md")),
    ("tls", include_str!("../docs/tls.md")),
    ("upgrade", include_str!("../docs/upgrade.md")),
    ("webhooks", include_str!("../docs/webhooks.md")),
];

/// The paths of what is no chapter.
const FRONT: [&str; 4] = ["/docs", "/docs/docs.css", ASYNCAPI, "/llms.txt"];

/// Where the description of the chat's protocol is.
const ASYNCAPI: &str = "/docs/asyncapi.json";

/// Who reads the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Who runs the server.
    Operator,
    /// Anybody.
    Public,
}

/// The paths of all pages.
pub fn paths() -> impl Iterator<Item = String> {
    let chapters = CHAPTERS.iter().flat_map(|(name, _)| {
        let path = format!("/docs/{name}");
        [format!("{path}.md"), path]
    });
    FRONT.iter().map(|path| (*path).to_owned()).chain(chapters)
}

/// The first page of the book, which has the questions.
const INDEX: &str = include_str!("../docs/mod.rs");

/// The page at a path for somebody: its type and its text.
#[must_use]
pub fn page(path: &str, reader: Reader) -> Option<(&'static str, String)> {
    match path {
        "/docs" => return Some((HTML, document("Documentation", &index(reader), reader))),
        "/docs/docs.css" => {
            return Some(("text/css; charset=utf-8", include_str!("book.css").to_owned()));
        }
        ASYNCAPI => return Some(("application/json", asyncapi())),
        "/llms.txt" => return Some((MARKDOWN, llms(reader))),
        _ => {}
    }
    let name = path.strip_prefix("/docs/")?;
    if let Some(name) = name.strip_suffix(".md") {
        return Some((MARKDOWN, written(chapter(name)?)));
    }
    let text = chapter(name)?;
    Some((HTML, document(title(text), &render(text), reader)))
}

fn chapter(name: &str) -> Option<&'static str> {
    CHAPTERS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

fn title(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or("Documentation")
}

/// The questions, each with the chapter that answers it.
fn questions() -> impl Iterator<Item = (&'static str, &'static str)> {
    INDEX.lines().filter_map(|line| {
        let (question, rest) = line.strip_prefix("//! | ")?.split_once(" | [`")?;
        Some((question, rest.strip_suffix("`] |")?))
    })
}

fn index(reader: Reader) -> String {
    let mut text =
        "# Documentation\n\nHow the server works, a chapter for each question.\n\n".to_owned();
    for (question, name) in questions() {
        _ = writeln!(text, "- [{question}](/docs/{name})");
    }
    text.push_str(match reader {
        Reader::Operator => {
            "\nFor programs: [OpenAPI](/api/v1/openapi.json) of the admin API, \
             [AsyncAPI](/docs/asyncapi.json) of the chat's protocol, [llms.txt](/llms.txt).\n"
        }
        Reader::Public => {
            "\nFor programs: [AsyncAPI](/docs/asyncapi.json) of the chat's protocol, \
             [llms.txt](/llms.txt).\n"
        }
    });
    render(&text)
}

fn llms(reader: Reader) -> String {
    let mut text =
        "# Chinwag\n\n> A small, fast chat server: rooms, direct messages and presence over \
                    WebSocket and plain TCP, one binary.\n\n## Documentation\n\n"
            .to_owned();
    for (question, name) in questions() {
        _ = writeln!(text, "- [{question}](/docs/{name}.md)");
    }
    text.push_str(
        "\n## Interfaces\n\n\
         - [The chat's protocol](/docs/asyncapi.json): AsyncAPI 3\n",
    );
    if reader == Reader::Operator {
        text.push_str(
            "- [Admin API](/api/v1/openapi.json): OpenAPI 3.1\n\
             - [Metrics](/metrics): the exposition format of Prometheus\n",
        );
    }
    text
}

/// A chapter as HTML. HTML that stands in it is shown as text, and links lead to chapters, to
/// places in the same one, or out over HTTPS; what leads into the code is no link here.
fn render(text: &str) -> String {
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut links: Vec<bool> = Vec::new();
    let mut heading: Option<(usize, HeadingLevel)> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => events.push(Event::Text(html)),
            Event::Start(Tag::Link { dest_url, .. }) => {
                let target = target(&dest_url);
                links.push(target.is_some());
                events.extend(target.map(|dest_url| {
                    let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
                    let dest_url = CowStr::from(dest_url);
                    Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url, title, id })
                }));
            }
            Event::End(TagEnd::Link) => {
                if links.pop() == Some(true) {
                    events.push(event);
                }
            }
            Event::Start(Tag::Heading { level, .. }) => {
                heading = Some((events.len(), level));
                events.push(event);
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((at, level)) = heading.take() {
                    let anchor = Some(CowStr::from(anchor(events.get(at..).unwrap_or_default())));
                    let (classes, attrs) = (Vec::new(), Vec::new());
                    if let Some(place) = events.get_mut(at) {
                        *place = Event::Start(Tag::Heading { level, id: anchor, classes, attrs });
                    }
                }
                events.push(event);
            }
            other => events.push(other),
        }
    }
    let mut out = String::with_capacity(2 * text.len());
    html::push_html(&mut out, events.into_iter());
    // What is wider than the page can be scrolled by the keyboard, too.
    out.replace("<table>", "<div class=\"wide\" tabindex=\"0\"><table>")
        .replace("</table>", "</table></div>")
        .replace("<pre>", "<pre tabindex=\"0\">")
}

/// A chapter as Markdown, whose links to others lead to those as Markdown.
fn written(text: &str) -> String {
    let mut parts = text.split("](crate::docs::");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([')', '#']).unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        _ = write!(out, "](/docs/{name}.md{rest}");
    }
    out
}

/// Where a link leads, if it leads anywhere here.
fn target(link: &str) -> Option<String> {
    if let Some(rest) = link.strip_prefix("crate::docs::") {
        let (name, place) = rest.split_once('#').unwrap_or((rest, ""));
        chapter(name)?;
        let place = if place.is_empty() { String::new() } else { format!("#{place}") };
        return Some(format!("/docs/{name}{place}"));
    }
    let is_good = link.starts_with('#') || link.starts_with('/') || link.starts_with("https://");
    is_good.then(|| link.to_owned())
}

/// The name of a heading in the address, as rustdoc makes it.
fn anchor(heading: &[Event<'_>]) -> String {
    let mut name = String::new();
    for event in heading {
        let (Event::Text(text) | Event::Code(text)) = event else { continue };
        for letter in text.chars() {
            match letter {
                ' ' => name.push('-'),
                '-' | '_' => name.push(letter),
                _ if letter.is_alphanumeric() => name.extend(letter.to_lowercase()),
                _ => {}
            }
        }
    }
    name
}

/// A whole document around a text.
fn document(title: &str, body: &str, reader: Reader) -> String {
    let escaped = escaped(title);
    let other = match reader {
        Reader::Operator => "<a href=\"/admin\">Dashboard</a>",
        Reader::Public => "<a href=\"/\">Chat</a>",
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{escaped} · Chinwag</title>\n\
         <link rel=\"icon\" href=\"/favicon.svg\" type=\"image/svg+xml\">\n\
         <link rel=\"stylesheet\" href=\"/docs/docs.css\">\n</head>\n<body>\n\
         <nav aria-label=\"Book\"><a href=\"/docs\">Documentation</a> {other}</nav>\n\
         <main>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// A text that is shown as it stands, without marks of code.
fn escaped(text: &str) -> String {
    let plain = text.replace('`', "").replace('&', "&amp;");
    plain.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

    #[test]
    fn every_chapter_is_served_and_answers_a_question() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .filter_map(|entry| {
                entry.unwrap().file_name().to_str()?.strip_suffix(".md").map(str::to_owned)
            })
            .collect();
        let known: BTreeSet<String> = CHAPTERS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let linked: BTreeSet<String> = questions().map(|(_, name)| name.to_owned()).collect();
        assert_eq!(files, known);
        assert_eq!(linked, known);
    }

    /// Whether each link of a page leads to a page, and each place in one is there. `others` begin
    /// the paths of what there is besides the book.
    #[track_caller]
    fn check_links(path: &str, reader: Reader, others: &[&str]) {
        let (kind, text) = page(path, reader).unwrap();
        if kind != HTML {
            return;
        }
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let (to, place) = link.split_once('#').unwrap_or((link, ""));
            let to = if to.is_empty() { path } else { to };
            if others.iter().any(|other| to == *other || to.starts_with(&format!("{other}/"))) {
                continue;
            }
            let there = page(to, reader).unwrap_or_else(|| panic!("{path}: {link}")).1;
            let id = format!("id=\"{place}\"");
            assert!(place.is_empty() || there.contains(&id), "{path}: {link}");
        }
    }

    #[test]
    fn every_link_of_a_chapter_leads_somewhere() {
        for path in paths() {
            let everywhere = ["/favicon.svg", "https:"];
            check_links(&path, Reader::Public, &["/", everywhere[0], everywhere[1]]);
            let others = ["/admin", "/api/v1", everywhere[0], everywhere[1]];
            check_links(&path, Reader::Operator, &others);
        }
    }

    #[test]
    fn every_link_of_a_chapter_that_is_read_as_it_is_written_leads_to_another() {
        for (name, _) in CHAPTERS {
            let (_, text) = page(&format!("/docs/{name}.md"), Reader::Public).unwrap();
            assert!(!text.contains("crate::docs::"), "{name}");
            for link in
                text.split("](/docs/").skip(1).filter_map(|rest| rest.split([')', '#']).next())
            {
                assert!(page(&format!("/docs/{link}"), Reader::Public).is_some(), "{name}: {link}");
            }
        }
    }

    #[test]
    fn what_programs_read_leads_nobody_to_what_they_cannot_reach() {
        for (reader, is_named) in [(Reader::Operator, true), (Reader::Public, false)] {
            let (_, text) = page("/llms.txt", reader).unwrap();
            assert!(text.contains("(/docs/protocol.md)"), "{text}");
            for other in ["/api/v1/", "/metrics"] {
                assert_eq!(text.contains(other), is_named, "{reader:?} {other}");
            }
        }
    }

    #[test]
    fn markup_in_a_chapter_is_shown_and_not_obeyed() {
        let shown =
            render("a <script>alert(1)</script> <b>c</b>\n\n<img src=x>\n\n[x](javascript:a)\n");
        assert!(!shown.contains("<script") && !shown.contains("<b>") && !shown.contains("<img"));
        assert!(!shown.contains("href"), "{shown}");
    }

    #[test]
    fn what_is_no_page_is_none() {
        for path in ["/docs/", "/docs/nothing", "/docs/../admin", "/docs/admin.md.md", "/doc"] {
            assert!(page(path, Reader::Public).is_none(), "{path}");
        }
    }
}
