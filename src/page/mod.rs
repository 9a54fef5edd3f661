//! The chat page's files, built into the binary.
//!
//! Each is served with an entity tag of its contents and `no-cache`: a browser keeps its copy and
//! asks each time whether it is still valid, so that a new server never runs with an old page.
//!
//! | file | holds |
//! |---|---|
//! | `index.html`, `style.css`, `favicon.svg` | the document, its look, its icon |
//! | `app.js` | the page: draws the client's state, wires the parts below |
//! | `client.js` | the protocol client: connection, resume, outbox, gaps, presence; no DOM |
//! | `welcome.js` | the way in: by a name, with an account, with an invitation |
//! | `account.js` | the dialogs of an account: devices, password, invite links |
//! | `log-window.js` | which entries of each room are there to be shown, and fetching others |
//! | `log-entry.js` | one entry of the log: a message or a notice |
//! | `lists.js` | conversations, invitations, people |
//! | `composer.js` | the message field: drafts, edits, hints |
//! | `connection.js` | the bar that says what becomes of the connection |
//! | `commands.js`, `run-command.js` | slash commands: what was typed, and what it does |
//! | `asking.js` | asks before what the user could not take back |
//! | `actions.js` | the toolbar of a message: react, edit, delete, moderate |
//! | `personal.js`, `reports.js` | the dialogs to block or report a person, and to settle reports |
//! | `moderation.js` | the dialogs that moderate a person and describe a room |
//! | `search.js` | the search dialog |
//! | `toasts.js` | short messages over the page; catches files that are dropped |
//! | `storage.js` | what the browser keeps for a reload or the next visit |
//! | `dom.js` | helpers for the document |

use crate::http::{ETag, Head, Response, Status};

/// One file of the page.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// The path at which it is served.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its contents.
    pub body: &'static [u8],
    /// The tag of its contents.
    pub etag: ETag,
    /// How a browser may store it.
    pub cache_control: &'static str,
}

impl Asset {
    /// The answer to GET or HEAD: the file, or `304` if the client's copy is still valid.
    #[must_use]
    pub fn response(&self, head: &Head<'_>) -> Response {
        let respond = |status| {
            Response::new(status).field("Cache-Control", self.cache_control).etag(self.etag)
        };
        if self.etag.is_known_to(head) {
            return respond(Status::NotModified);
        }
        respond(Status::Ok).body(self.content_type, self.body)
    }
}

/// All files of the page.
#[derive(Clone, Debug)]
pub struct Pages {
    assets: [Asset; FILES.len()],
}

impl Pages {
    /// All files, with the tags of their contents.
    #[must_use]
    pub fn new() -> Self {
        let assets = FILES.map(|(path, content_type, body)| Asset {
            path,
            content_type,
            body,
            etag: ETag::of(body),
            cache_control: "no-cache",
        });
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

/// Path, type and contents of each file.
const FILES: [(&str, &str, &[u8]); 24] = [
    ("/", "text/html; charset=utf-8", include_bytes!("index.html")),
    ("/style.css", "text/css; charset=utf-8", include_bytes!("style.css")),
    ("/account.js", "text/javascript; charset=utf-8", include_bytes!("account.js")),
    ("/actions.js", "text/javascript; charset=utf-8", include_bytes!("actions.js")),
    ("/app.js", "text/javascript; charset=utf-8", include_bytes!("app.js")),
    ("/asking.js", "text/javascript; charset=utf-8", include_bytes!("asking.js")),
    ("/client.js", "text/javascript; charset=utf-8", include_bytes!("client.js")),
    ("/commands.js", "text/javascript; charset=utf-8", include_bytes!("commands.js")),
    ("/composer.js", "text/javascript; charset=utf-8", include_bytes!("composer.js")),
    ("/connection.js", "text/javascript; charset=utf-8", include_bytes!("connection.js")),
    ("/dom.js", "text/javascript; charset=utf-8", include_bytes!("dom.js")),
    ("/lists.js", "text/javascript; charset=utf-8", include_bytes!("lists.js")),
    ("/log-entry.js", "text/javascript; charset=utf-8", include_bytes!("log-entry.js")),
    ("/log-window.js", "text/javascript; charset=utf-8", include_bytes!("log-window.js")),
    ("/moderation.js", "text/javascript; charset=utf-8", include_bytes!("moderation.js")),
    ("/personal.js", "text/javascript; charset=utf-8", include_bytes!("personal.js")),
    ("/reports.js", "text/javascript; charset=utf-8", include_bytes!("reports.js")),
    ("/run-command.js", "text/javascript; charset=utf-8", include_bytes!("run-command.js")),
    ("/search.js", "text/javascript; charset=utf-8", include_bytes!("search.js")),
    ("/storage.js", "text/javascript; charset=utf-8", include_bytes!("storage.js")),
    ("/toasts.js", "text/javascript; charset=utf-8", include_bytes!("toasts.js")),
    ("/welcome.js", "text/javascript; charset=utf-8", include_bytes!("welcome.js")),
    ("/favicon.svg", "image/svg+xml", ICON),
    ("/favicon.ico", "image/svg+xml", ICON),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeadParser, Limits, Parsed, PartialHead};

    /// Upper bound for all files together, in bytes: 1.8 s at 750 kbit/s. Accounts took 24 KB:
    /// signing in, devices and invitations, in the client and in the page; reports took 6 KB.
    const PAGE_LEN_MAX: usize = 168_000;

    #[test]
    fn the_page_is_small() {
        let len: usize = FILES.iter().map(|(_, _, body)| body.len()).sum();
        assert!(len < PAGE_LEN_MAX, "{len} bytes");
    }

    #[test]
    fn each_file_is_found_at_its_path_alone() {
        let pages = Pages::new();
        for (path, content_type, body) in FILES {
            let asset = pages.find(path).unwrap();
            assert_eq!((asset.content_type, asset.body), (content_type, body));
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
