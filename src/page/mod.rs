//! The chat page's files, built into the binary.
//!
//! Each is served with an entity tag of its contents and `no-cache`: a browser keeps its copy and
//! asks each time whether it is still valid, so that a new server never runs with an old page. Who
//! takes gzip gets them compressed, and scripts without their comments and indentation: each is
//! made so when it is asked for first. Each names the version of all of them together, so that the
//! worker in a browser that has them has to ask for the document alone.
//!
//! | file | holds |
//! |---|---|
//! | `index.html`, `style.css`, `favicon.svg` | the document, its look, its icon |
//! | `app.js` | the page: draws the client's state, wires the parts below |
//! | `client.js` | the protocol client: connection, resume, outbox, gaps, presence; no DOM |
//! | `early.js` | the connection of who comes back, opened and greeted while the rest is loaded |
//! | `welcome.js` | the way in: by a name, with an account, with an invitation |
//! | `account.js` | the dialogs of an account: devices, password, invite links |
//! | `log-window.js` | which entries of each room are there to be shown, and fetching others |
//! | `log-entry.js` | one entry of the log: a message or a notice |
//! | `text.js`, `markdown.js` | the words of a message: a small part of Markdown, mentions, links |
//! | `quotes.js` | finds the message that another one answers |
//! | `threads.js` | the threads that the user follows, and what is unread there; no DOM |
//! | `thread-view.js`, `threads.css` | a thread beside the log, and the list of threads |
//! | `lists.js` | conversations, invitations, people |
//! | `tab-icon.js` | the icon of the tab, which counts what is new |
//! | `kept.js` | for how long a room keeps what is said |
//! | `composer.js` | the message field: drafts, edits, hints |
//! | `complete.js`, `emoji.js` | completion of names, commands and emoji, and the emoji to choose |
//! | `dialogs.html` | the dialogs that are loaded with what first uses one |
//! | `later.css` | the look of what is not seen before something is chosen |
//! | `directory.js` | the directory: rooms that everybody may find, and people |
//! | `members.js` | the dialog with all members of a room |
//! | `switcher.js` | leads to any conversation by a few letters |
//! | `connection.js` | the bar that says what becomes of the connection |
//! | `commands.js`, `run-command.js` | slash commands: what was typed, and what it does |
//! | `asking.js` | asks before what the user could not take back |
//! | `actions.js` | the toolbar of a message: react, edit, delete, moderate |
//! | `personal.js`, `reports.js` | the dialogs to block or report a person, and to settle reports |
//! | `audit.js` | the dialog with what was done over others |
//! | `roles.js` | what members of a room may do |
//! | `moderation.js` | the dialogs that moderate a person and describe a room |
//! | `files.js`, `files.css` | files of messages: those that are about to be sent, and those shown |
//! | `transfer.js` | sends and fetches files, over lost connections; no DOM |
//! | `pictures.js` | draws pictures anew before they are sent |
//! | `search.js` | the search dialog |
//! | `preferences.js`, `settings.js` | what the user prefers in this browser, and the dialog |
//! | `notices.js` | notices of the desktop, and a sound |
//! | `toasts.js` | short messages over the page; catches files that are dropped or pasted |
//! | `device.js` | this device: installs the worker, has notices pushed to it |
//! | `worker.js` | the service worker: the page without a connection, and pushed notices |
//! | `manifest.json`, `icon.svg` | what an installed page is called and looks like |
//! | `words.js`, `en.js`, `zh.js` | the words of the page, a file for each language |
//! | `storage.js` | what the browser keeps for a reload or the next visit |
//! | `dom.js` | helpers for the document |
//! | `admin/index.html`, `admin.css`, `admin.js`, `chart.js` | the operator's dashboard |

mod comments;

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::http::{Condition, ETag, Head, Refusal, Response, Status, coding};

/// One file of the page.
#[derive(Clone, Debug)]
pub struct Asset {
    /// The path at which it is served.
    pub path: Cow<'static, str>,
    /// Its media type.
    pub content_type: &'static str,
    /// Its contents.
    pub body: Cow<'static, [u8]>,
    /// The tag of its contents.
    pub etag: ETag,
    /// How a browser may store it.
    pub cache_control: &'static str,
    /// The version of the page that it is a file of.
    version: Option<ETag>,
    /// The contents compressed, a script without comments and indentation, with the tag of that.
    compressed: OnceLock<(Vec<u8>, ETag)>,
}

impl Asset {
    /// A file of the page, or what is to be served as if it were one.
    #[must_use]
    pub fn new(
        path: impl Into<Cow<'static, str>>,
        content_type: &'static str,
        body: impl Into<Cow<'static, [u8]>>,
    ) -> Self {
        let body = body.into();
        Self {
            path: path.into(),
            content_type,
            etag: ETag::of(&body),
            body,
            cache_control: "no-cache",
            version: None,
            compressed: OnceLock::new(),
        }
    }

    /// The answer to GET or HEAD: the file, or `304` if the client's copy is still valid.
    #[must_use]
    pub fn response(&self, head: &Head<'_>) -> Response {
        let compressed = coding::accepts_gzip(head).then(|| self.compressed());
        let etag = compressed.map_or(self.etag, |(_, etag)| *etag);
        let respond = |status| {
            let response = Response::new(status)
                .field("Cache-Control", self.cache_control)
                .field("Vary", "Accept-Encoding")
                .etag(etag);
            // Also of a copy that is still good: it may have come with another version.
            match self.version {
                Some(version) => response.page_version(version),
                None => response,
            }
        };
        match etag.condition(head) {
            Condition::Met => {}
            Condition::Known => return respond(Status::NotModified),
            Condition::Failed => return Refusal::OtherVersion.into(),
        }
        match compressed {
            Some((body, _)) => respond(Status::Ok)
                .field("Content-Encoding", "gzip")
                .body(self.content_type, body.clone()),
            None => respond(Status::Ok).body(self.content_type, self.body.clone()),
        }
    }

    fn compressed(&self) -> &(Vec<u8>, ETag) {
        self.compressed.get_or_init(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let short = match std::str::from_utf8(&self.body) {
                // Of other documents the indentation may be an example's.
                Ok(text)
                    if self.content_type.starts_with("text/javascript") || self.path == "/" =>
                {
                    Cow::Owned(comments::without(text).into_bytes())
                }
                _ => Cow::Borrowed(&*self.body),
            };
            // Memory takes all that is written.
            let body = encoder.write_all(&short).and_then(|()| encoder.finish());
            let body = body.unwrap_or_default();
            let etag = ETag::of(&body);
            (body, etag)
        })
    }
}

/// Path, type and contents of a file.
type File = (&'static str, &'static str, &'static [u8]);

/// All files of a page.
#[derive(Clone, Debug)]
pub struct Pages {
    assets: Vec<Asset>,
}

impl Pages {
    /// All files of the chat, with the tags of their contents.
    #[must_use]
    pub fn new() -> Self {
        Self::of(&FILES)
    }

    /// All files of the operator's dashboard.
    #[must_use]
    pub fn dashboard() -> Self {
        Self::of(&DASHBOARD)
    }

    fn of(files: &[File]) -> Self {
        let assets = files.iter();
        let assets = assets.map(|&(path, content_type, body)| Asset::new(path, content_type, body));
        let mut assets: Vec<_> = assets.collect();
        // By the program, too: what it leaves out of scripts on the way is not in their tags.
        let tags = assets.iter().map(|asset| asset.etag.as_str());
        let tags: String = std::iter::once(env!("CARGO_PKG_VERSION")).chain(tags).collect();
        let version = ETag::of(tags.as_bytes());
        for asset in &mut assets {
            asset.version = Some(version);
        }
        Self { assets }
    }

    /// The file at `path`.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.path == path)
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self::new()
    }
}

/// Served at `/favicon.ico` too, which browsers request without being asked to.
const ICON: &[u8] = include_bytes!("favicon.svg");

/// The files of the operator's dashboard, on the admin listener.
const DASHBOARD: [File; 6] = [
    ("/admin", "text/html; charset=utf-8", include_bytes!("admin/index.html")),
    ("/admin/admin.css", "text/css; charset=utf-8", include_bytes!("admin/admin.css")),
    ("/admin/admin.js", "text/javascript; charset=utf-8", include_bytes!("admin/admin.js")),
    ("/admin/chart.js", "text/javascript; charset=utf-8", include_bytes!("admin/chart.js")),
    ("/favicon.svg", "image/svg+xml", ICON),
    ("/favicon.ico", "image/svg+xml", ICON),
];

/// The files of the chat.
const FILES: [File; 56] = [
    ("/", "text/html; charset=utf-8", include_bytes!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_bytes!("style.css")),
    ("/account.js", "text/javascript; charset=utf-8", include_bytes!("account.js")),
    ("/actions.js", "text/javascript; charset=utf-8", include_bytes!("actions.js")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("app.js")),
    ("/asking.js", "text/javascript; charset=utf-8", include_bytes!("asking.js")),
    ("/audit.js", "text/javascript; charset=utf-8", include_bytes!("audit.js")),
    ("/client.js", "text/javascript; charset=utf-8", include_bytes!("client.js")),
    ("/commands.js", "text/javascript; charset=utf-8", include_bytes!("commands.js")),
    ("/complete.js", "text/javascript; charset=utf-8", include_bytes!("complete.js")),
    ("/composer.js", "text/javascript; charset=utf-8", include_bytes!("composer.js")),
    ("/connection.js", "text/javascript; charset=utf-8", include_bytes!("connection.js")),
    ("/device.js", "text/javascript; charset=utf-8", include_bytes!("device.js")),
    ("/dialogs.html", "text/html; charset=utf-8", include_bytes!("dialogs.html")),
    ("/directory.js", "text/javascript; charset=utf-8", include_bytes!("directory.js")),
    ("/dom.js", "text/javascript; charset=utf-8", include_bytes!("dom.js")),
    ("/early.js", "text/javascript; charset=utf-8", include_bytes!("early.js")),
    ("/emoji.js", "text/javascript; charset=utf-8", include_bytes!("emoji.js")),
    ("/files.css", "text/css; charset=utf-8", include_bytes!("files.css")),
    ("/files.js", "text/javascript; charset=utf-8", include_bytes!("files.js")),
    ("/kept.js", "text/javascript; charset=utf-8", include_bytes!("kept.js")),
    ("/later.css", "text/css; charset=utf-8", include_bytes!("later.css")),
    ("/lists.js", "text/javascript; charset=utf-8", include_bytes!("lists.js")),
    ("/log-entry.js", "text/javascript; charset=utf-8", include_bytes!("log-entry.js")),
    ("/log-window.js", "text/javascript; charset=utf-8", include_bytes!("log-window.js")),
    ("/markdown.js", "text/javascript; charset=utf-8", include_bytes!("markdown.js")),
    ("/members.js", "text/javascript; charset=utf-8", include_bytes!("members.js")),
    ("/moderation.js", "text/javascript; charset=utf-8", include_bytes!("moderation.js")),
    ("/notices.js", "text/javascript; charset=utf-8", include_bytes!("notices.js")),
    ("/personal.js", "text/javascript; charset=utf-8", include_bytes!("personal.js")),
    ("/pictures.js", "text/javascript; charset=utf-8", include_bytes!("pictures.js")),
    ("/preferences.js", "text/javascript; charset=utf-8", include_bytes!("preferences.js")),
    ("/quotes.js", "text/javascript; charset=utf-8", include_bytes!("quotes.js")),
    ("/reports.js", "text/javascript; charset=utf-8", include_bytes!("reports.js")),
    ("/roles.js", "text/javascript; charset=utf-8", include_bytes!("roles.js")),
    ("/run-command.js", "text/javascript; charset=utf-8", include_bytes!("run-command.js")),
    ("/search.js", "text/javascript; charset=utf-8", include_bytes!("search.js")),
    ("/settings.js", "text/javascript; charset=utf-8", include_bytes!("settings.js")),
    ("/storage.js", "text/javascript; charset=utf-8", include_bytes!("storage.js")),
    ("/switcher.js", "text/javascript; charset=utf-8", include_bytes!("switcher.js")),
    ("/tab-icon.js", "text/javascript; charset=utf-8", include_bytes!("tab-icon.js")),
    ("/text.js", "text/javascript; charset=utf-8", include_bytes!("text.js")),
    ("/thread-view.js", "text/javascript; charset=utf-8", include_bytes!("thread-view.js")),
    ("/threads.css", "text/css; charset=utf-8", include_bytes!("threads.css")),
    ("/threads.js", "text/javascript; charset=utf-8", include_bytes!("threads.js")),
    ("/toasts.js", "text/javascript; charset=utf-8", include_bytes!("toasts.js")),
    ("/transfer.js", "text/javascript; charset=utf-8", include_bytes!("transfer.js")),
    ("/welcome.js", "text/javascript; charset=utf-8", include_bytes!("welcome.js")),
    ("/worker.js", "text/javascript; charset=utf-8", include_bytes!("worker.js")),
    ("/icon.svg", "image/svg+xml", include_bytes!("icon.svg")),
    ("/manifest.json", "application/manifest+json", include_bytes!("manifest.json")),
    ("/words.js", "text/javascript; charset=utf-8", include_bytes!("words.js")),
    ("/en.js", "text/javascript; charset=utf-8", include_bytes!("en.js")),
    ("/zh.js", "text/javascript; charset=utf-8", include_bytes!("zh.js")),
    ("/favicon.svg", "image/svg+xml", ICON),
    ("/favicon.ico", "image/svg+xml", ICON),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadParser, Limits, Parsed, PartialHead};

    /// Upper bound for all files that are loaded at first, in bytes as they are sent: 0.6 s at
    /// 750 kbit/s.
    const PAGE_LEN_MAX: usize = 60_000;

    /// Those that are loaded when they are used first, or, for the worker, when the page is there;
    /// and the icon's second address, which no browser asks for that has read the page.
    const LATER: [&str; 33] = [
        "/account.js",
        "/actions.js",
        "/asking.js",
        "/audit.js",
        "/complete.js",
        "/device.js",
        "/dialogs.html",
        "/directory.js",
        "/emoji.js",
        "/favicon.ico",
        "/files.css",
        "/files.js",
        "/icon.svg",
        "/kept.js",
        "/later.css",
        "/members.js",
        "/moderation.js",
        "/notices.js",
        "/personal.js",
        "/pictures.js",
        "/quotes.js",
        "/reports.js",
        "/run-command.js",
        "/search.js",
        "/settings.js",
        "/switcher.js",
        "/tab-icon.js",
        "/thread-view.js",
        "/threads.css",
        "/threads.js",
        "/transfer.js",
        "/worker.js",
        "/zh.js",
    ];

    #[test]
    fn the_page_is_small() {
        let pages = Pages::new();
        let first = pages.assets.iter().filter(|asset| !LATER.contains(&&*asset.path));
        let len: usize = first.map(|asset| asset.compressed().0.len()).sum();
        assert!(len < PAGE_LEN_MAX, "{len} bytes");
    }

    #[test]
    fn all_that_is_loaded_at_first_is_named_in_the_document_so_that_nothing_waits_for_another() {
        let document = include_str!("index.html");
        for (path, ..) in FILES.iter().filter(|(_, kind, _)| kind.starts_with("text/javascript")) {
            let is_named = document.contains(&format!("\"{path}\""));
            assert_eq!(is_named, !LATER.contains(path), "{path}");
        }
    }

    #[test]
    fn the_worker_keeps_all_files_for_when_there_is_no_connection() {
        let worker = include_str!("worker.js");
        let list = worker.split_once("FILES = [").and_then(|(_, rest)| rest.split_once("];"));
        let list = list.map(|(list, _)| list).unwrap();
        let kept: Vec<&str> = list.split('"').filter(|part| part.starts_with('/')).collect();
        // The browser keeps the worker itself.
        let others = ["/worker.js", "/favicon.ico"];
        let mut all: Vec<&str> = FILES.iter().map(|(path, ..)| *path).collect();
        all.retain(|path| !others.contains(path));
        let sorted = |mut list: Vec<&'static str>| {
            list.sort_unstable();
            list
        };
        assert_eq!(sorted(kept), sorted(all));
    }

    #[test]
    fn no_script_has_a_text_over_several_lines() {
        let scripts = FILES.iter().filter(|(_, kind, _)| kind.starts_with("text/javascript"));
        for (path, _, body) in scripts {
            let script = comments::without(std::str::from_utf8(body).unwrap());
            // Fences of Markdown and lists of quotation marks stand in regular expressions.
            let script = script.replace("```", "").replace("\"'`", "");
            for line in script.lines() {
                assert_eq!(line.matches('`').count() % 2, 0, "{path}: {line}");
            }
        }
    }

    #[test]
    fn each_file_is_found_at_its_path_alone() {
        let pages = Pages::new();
        for (path, content_type, body) in FILES {
            let asset = pages.find(path).unwrap();
            assert_eq!((asset.content_type, &*asset.body), (content_type, body));
        }
        for path in ["", "/index.html", "//", "/style.css/", "/STYLE.css", "/..", "/%2e", "*"] {
            assert!(pages.find(path).is_none(), "{path:?}");
        }
    }

    /// The status of the answer for the first file to a client that has a copy tagged `known`.
    fn status(known: &str) -> Status {
        let pages = Pages::new();
        let asset = pages.find("/").unwrap();
        let known = known.replace("TAG", asset.etag.as_str());
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: {known}\r\n\r\n");
        let mut parser = HeadParser::new(Limits::DEFAULT);
        match parser.parse(&mut PartialHead::default(), request.as_bytes()) {
            Ok(Parsed::Head { head, .. }) => asset.response(&head).status(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_is_sent_unless_the_client_has_it() {
        for (known, expect) in [
            ("TAG", Status::NotModified),
            ("W/TAG", Status::NotModified),
            ("*", Status::NotModified),
            ("\"a\", TAG\r\nIf-None-Match: \"b\"", Status::NotModified),
            ("\"b\"\r\nIf-None-Match: TAG", Status::NotModified),
            ("\"a\"", Status::Ok),
            ("", Status::Ok),
            ("\"a\"\r\nIf-Match: \"b\", TAG", Status::Ok),
            ("TAG\r\nIf-Match: *", Status::NotModified),
            ("TAG\r\nIf-Match: \"b\"", Status::PreconditionFailed),
            ("\"a\"\r\nIf-Match: W/TAG", Status::PreconditionFailed),
        ] {
            assert_eq!(status(known), expect, "{known:?}");
        }
    }

    #[test]
    fn all_files_are_text_of_a_known_kind() {
        for (path, content_type, body) in FILES {
            assert!(std::str::from_utf8(body).is_ok(), "{path}");
            assert!(!body.is_empty() && !content_type.is_empty(), "{path}");
        }
    }
}
