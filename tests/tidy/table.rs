//! The layers, as data: what each module may use, and what it refuses to know.

/// Each module of the crate and the modules that it may name, lowest first.
///
/// The order is the proof that nothing depends upwards: a module names only those above it here.
pub(crate) const LAYERS: &[(&str, &[&str])] = &[
    // The book: texts without code.
    ("docs", &[]),
    // Leaves.
    ("collections", &[]),
    ("time", &[]),
    ("rng", &[]),
    ("log", &["time"]),
    ("metrics", &["log"]),
    // The boundary.
    ("net", &["time"]),
    // The same values in another process.
    ("pack", &["net", "time"]),
    // Bytes in, bytes out: what the reactor's bytes are sealed with.
    ("tls", &[]),
    ("reactor", &["net", "time", "collections", "metrics", "log", "tls", "pack"]),
    // The domain.
    ("chat", &["net", "collections", "time"]),
    // Bytes in, values out.
    ("http", &["collections", "time"]),
    ("ws", &["collections", "time", "pack"]),
    ("line", &["collections", "time", "pack"]),
    ("wire", &["chat", "net", "collections", "time"]),
    ("auth", &["chat", "collections", "time"]),
    // The client's side of PostgreSQL's protocol, and what is written to an engine by it.
    ("pg", &["http"]),
    // The client's side of the protocol of Valkey and Redis: its hosts are written as an engine's.
    ("resp", &["http", "pg"]),
    ("cluster", &["pg", "resp", "chat", "net", "collections", "time", "rng"]),
    // Beside the server: the other end of the protocol.
    ("client", &["net", "ws", "http", "wire", "chat", "collections", "time"]),
    // The edge.
    ("config", &["time", "log", "auth", "chat", "http", "net", "pg", "resp"]),
    ("page", &["http"]),
    ("admin", &["http", "net", "metrics", "time", "chat", "wire", "docs"]),
    ("store", &["chat", "collections", "time", "metrics", "log"]),
    // Beside the loop, on a thread of its own: what people send.
    ("files", &["chat", "log", "net", "store", "time"]),
    // Beside the loop, on a thread of its own: the only one that connects to others.
    ("webhooks", &["chat", "config", "log", "metrics", "store", "time", "wire"]),
    (
        "session",
        &[
            "collections",
            "time",
            "rng",
            "metrics",
            "log",
            "net",
            "pack",
            "auth",
            "chat",
            "http",
            "ws",
            "line",
            "wire",
            "config",
            "page",
            "admin",
            "files",
        ],
    ),
    // The composition root and the entry.
    (
        "server",
        &[
            "collections",
            "time",
            "metrics",
            "log",
            "net",
            "pack",
            "tls",
            "reactor",
            "auth",
            "chat",
            "http",
            "ws",
            "line",
            "wire",
            "config",
            "page",
            "admin",
            "store",
            "webhooks",
            "files",
            "pg",
            "resp",
            "cluster",
            "session",
        ],
    ),
    // For people at a terminal: what they type and read, in the words of the text client.
    ("terminal", &["chat", "wire", "time"]),
    (
        "cli",
        &[
            "admin", "auth", "cluster", "pg", "resp", "config", "server", "log", "store", "chat",
            "wire", "time", "reactor", "terminal", "webhooks",
        ],
    ),
    ("main", &["cli", "config"]),
];

/// Where a module may name a part of another only: the module, the other one, and the part.
pub(crate) const PARTS: &[(&str, &str, &str)] = &[("config", "chat", "model")];
/// What the other members of the workspace may name of the server's library: the folder of each,
/// and the beginnings of paths below `chinwag`. They see the server from outside, so that it can be
/// rebuilt without them.
pub(crate) const MEMBERS: &[(&str, &[&str])] = &[
    (
        "benches/load/",
        &[
            "chat::model",
            "cli::run",
            "client",
            "config::Environment",
            "http",
            "log",
            "net",
            "reactor",
            "rng",
            "time",
            "wire",
            "ws",
        ],
    ),
    // The client is anybody's: it stands without the server.
    ("clients/rust/", &[]),
    ("tests/torture/", &["auth", "client", "http", "rng", "wire", "ws"]),
];

/// What a group of modules must not name.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// The modules that refuse.
    pub(crate) modules: &'static [&'static str],
    /// The beginnings of paths that they refuse.
    pub(crate) paths: &'static [&'static str],
    /// Why.
    pub(crate) reason: &'static str,
}

/// Bytes in, values out: no sockets, no clock, no files, no threads.
const SANS_IO: &[&str] =
    &["tls", "http", "ws", "line", "wire", "auth", "pg", "cluster", "chat", "net"];

/// Who refuses what.
pub(crate) const REFUSALS: &[Refusal] = &[
    Refusal {
        modules: SANS_IO,
        paths: &[
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::net::ToSocketAddrs",
            "std::os",
            "std::io::stdin",
            "std::io::stdout",
            "std::io::stderr",
            "mio",
            "socket2",
            "rustix",
        ],
        reason: "a sans-io layer knows no sockets",
    },
    Refusal {
        modules: SANS_IO,
        paths: &[
            "std::fs",
            "std::thread",
            "std::sync::Mutex",
            "std::sync::RwLock",
            "std::sync::Condvar",
            "std::sync::mpsc",
            "std::sync::atomic",
            "std::process",
            "getrandom",
        ],
        reason: "a sans-io layer knows no files, threads or dice: it is told what it needs",
    },
    Refusal {
        modules: SANS_IO,
        paths: &["crate::time::clock::Clock"],
        reason: "time is an argument",
    },
    Refusal {
        modules: &["chat"],
        paths: &["bytes", "serde", "serde_json", "std::net", "simdutf8", "flate2", "base64"],
        reason: "the domain knows no bytes, no sockets, no JSON",
    },
    Refusal {
        modules: &["config", "page", "admin", "session", "store"],
        paths: &["std::net::TcpStream", "std::net::TcpListener", "std::net::UdpSocket", "mio"],
        reason: "only the reactor owns sockets",
    },
    Refusal {
        modules: &["reactor"],
        paths: &["serde", "serde_json", "std::fs::read", "std::fs::write"],
        reason: "the reactor knows bytes and deadlines",
    },
];

/// The modules that see bytes from the network: there a panic would be a peer's to cause.
pub(crate) const NETWORK_PATHS: &[&str] =
    &["tls", "http", "ws", "line", "wire", "auth", "pg", "session", "chat", "reactor"];

/// Assertions on network paths that are meant: the file, a part of the line, and why it cannot be
/// met.
pub(crate) const MEANT_ASSERTIONS: &[(&str, &str, &str)] = &[(
    "src/reactor/outbound/mod.rs",
    "four billion frames wait",
    "the books would hold 160 GiB by then, and every connection's share of them is bounded",
)];

/// What an ignored test has to say: another test runs it.
pub(crate) const RUN_BY_ANOTHER: &str = "run by the test above in a process of its own\"]";

/// The modules whose files must ask for the lints of hostile bytes, where they handle bytes.
pub(crate) const HOSTILE_BYTES: &[&str] = &["tls", "http", "ws", "line", "wire", "pg"];

/// The lints that [`HOSTILE_BYTES`] ask for.
pub(crate) const HOSTILE_BYTES_LINTS: &str =
    "#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]";

/// The one file that reads the clock.
pub(crate) const CLOCK_FILE: &str = "src/time/clock.rs";

/// The one file that reads the environment.
pub(crate) const ENVIRONMENT_FILE: &str = "src/config/env.rs";

/// The most files of one part of the domain that may name each other in a circle.
pub(crate) const CYCLE_IN_A_ROOM_MAX: usize = 4;

/// The parts of the domain and those that each may name, lowest first. Operations and the door,
/// `chat/mod.rs` with its `inspection`, stand above all of them.
pub(crate) const CHAT_ROOMS: &[(&str, &[&str])] = &[
    ("keys", &[]),
    ("model", &[]),
    ("context", &["keys", "model"]),
    ("directory", &["keys", "model", "context"]),
    ("accounts", &["model"]),
    ("inspection", &["model"]),
    ("rooms", &["keys", "model", "context", "directory"]),
    ("delivery", &["keys", "model", "context", "directory", "rooms"]),
    ("ephemeral", &["keys", "model", "context", "directory", "rooms", "delivery"]),
    ("pending", &["keys", "model", "context", "directory", "rooms", "delivery"]),
    (
        "operations",
        &[
            "keys",
            "model",
            "context",
            "directory",
            "accounts",
            "rooms",
            "delivery",
            "ephemeral",
            "pending",
        ],
    ),
];

/// The most columns of a line of a comment.
pub(crate) const COMMENT_COLUMNS_MAX: usize = 100;

/// The most lines that a file may have.
pub(crate) const LINES_MAX: usize = 500;

/// From here on a file is named in the test's output, as one that may hold two nouns.
pub(crate) const LINES_WARN: usize = 300;
