//! An engine of a few lines: it answers what a link asks, and can be wrong in each way.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::super::boundary::Hop;

/// What it is and does. All of it may change at any time.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is another way to be wrong")]
pub(super) struct Engine {
    /// Nobody listens at its port.
    pub(super) refuses: bool,
    /// It takes connections and bytes, and does nothing: it is paused.
    pub(super) is_paused: bool,
    pub(super) is_standby: bool,
    pub(super) version: i64,
    pub(super) system: i64,
    pub(super) timeline: u32,
    pub(super) started: i64,
    pub(super) standby_names: &'static str,
    pub(super) fsync: bool,
    /// Standbys that are connected.
    pub(super) connected: i64,
    /// Sessions that wait for one.
    pub(super) waiting: i64,
    /// What somebody holds for whom they wait.
    pub(super) locked: Option<&'static str>,
    pub(super) schema: Option<&'static str>,
    /// Its time; that of the node is always 0.
    pub(super) wall_ms: i64,
    pub(super) is_pooler: bool,
    /// Commits wait: no standby answers.
    pub(super) holds_commits: bool,
    /// Commits wait after so many.
    pub(super) commits_left: Option<usize>,
    /// A session that listens does nothing, and hears nothing.
    pub(super) holds_reads: bool,
    /// What is told does not arrive.
    pub(super) is_deaf: bool,
    /// Said before the answer to the next write.
    pub(super) warning: Option<(&'static str, &'static str)>,
    /// All writes are refused with this code.
    pub(super) write_error: Option<&'static str>,
    /// The other nodes.
    pub(super) nodes: Vec<i64>,
    /// The number that this node gets, and has.
    pub(super) next_node: i64,
    pub(super) own_node: Option<i64>,
    /// What nodes have told each other by it.
    pub(super) told: Vec<String>,
    /// The statements that were done, in order.
    pub(super) done: Vec<String>,
    pub(super) sessions: BTreeMap<Hop, Session>,
    pub(super) processes: i32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    input: Vec<u8>,
    has_begun: bool,
    is_listening: bool,
    parsed: usize,
    bound: Option<(String, Vec<Vec<u8>>)>,
    requests: VecDeque<(usize, String, Vec<Vec<u8>>)>,
    output: Vec<u8>,
    process: i32,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            refuses: false,
            is_paused: false,
            is_standby: false,
            version: 150_018,
            system: 77,
            timeline: 1,
            started: 1_000,
            standby_names: "ANY 1 (*)",
            fsync: true,
            connected: 2,
            waiting: 0,
            locked: None,
            schema: Some("1.8"),
            wall_ms: 0,
            is_pooler: false,
            holds_commits: false,
            commits_left: None,
            holds_reads: false,
            is_deaf: false,
            warning: None,
            write_error: None,
            nodes: Vec::new(),
            next_node: 1,
            own_node: None,
            told: Vec::new(),
            done: Vec::new(),
            sessions: BTreeMap::new(),
            processes: 0,
        }
    }
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &len.to_be_bytes(), body].concat()
}

fn row(columns: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        let len = column.as_ref().map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap());
        body.extend(len.to_be_bytes());
        body.extend(column.iter().flatten());
    }
    message(b'D', &body)
}

#[expect(clippy::unnecessary_wraps, reason = "a column may be NULL")]
fn int(value: i64) -> Option<Vec<u8>> {
    Some(value.to_be_bytes().to_vec())
}

#[expect(clippy::unnecessary_wraps, reason = "a column may be NULL")]
fn boolean(value: bool) -> Option<Vec<u8>> {
    Some(vec![u8::from(value)])
}

#[expect(clippy::unnecessary_wraps, reason = "a column may be NULL")]
fn text(value: &str) -> Option<Vec<u8>> {
    Some(value.into())
}

fn error(tag: u8, code: &str, text: &str) -> Vec<u8> {
    message(tag, format!("SERROR\0C{code}\0M{text}\0\0").as_bytes())
}

/// The texts of an array.
fn texts(array: &[u8]) -> Vec<String> {
    let (mut rest, mut texts) = (&array[20..], Vec::new());
    while let Some((len, tail)) = rest.split_first_chunk::<4>() {
        let len = usize::try_from(i32::from_be_bytes(*len)).unwrap();
        texts.push(String::from_utf8(tail[..len].to_vec()).unwrap());
        rest = &tail[len..];
    }
    texts
}

impl Engine {
    pub(super) fn standby() -> Self {
        Self { is_standby: true, ..Self::default() }
    }

    /// From so many commits on, they wait.
    pub(super) const fn holds_after(&mut self, commits: usize) {
        (self.holds_commits, self.commits_left) = (false, Some(commits));
    }

    /// Commits wait, or do not any more.
    pub(super) const fn hold_writes(&mut self, holds: bool) {
        self.holds_commits = holds;
    }

    /// A read takes long, during which a session hears nothing, either.
    pub(super) const fn hold_reads(&mut self, holds: bool) {
        self.holds_reads = holds;
    }

    pub(super) fn connect(&mut self, hop: Hop) {
        self.processes += 1;
        let process = self.processes;
        self.sessions.insert(hop, Session { process, ..Session::default() });
    }

    /// All its connections are gone.
    pub(super) fn break_all(&mut self) -> Vec<Hop> {
        std::mem::take(&mut self.sessions).into_keys().collect()
    }

    pub(super) fn close(&mut self, hop: Hop) {
        self.sessions.remove(&hop);
    }

    pub(super) fn receive(&mut self, hop: Hop, bytes: &[u8]) {
        if let Some(session) = self.sessions.get_mut(&hop) {
            session.input.extend(bytes);
        }
    }

    /// Tells who listens, as another node does.
    pub(super) fn notify(&mut self, payload: &str) {
        for session in self.sessions.values_mut().filter(|session| session.is_listening) {
            let body = [&9_i32.to_be_bytes()[..], b"chinwag_1\0", payload.as_bytes(), b"\0"];
            session.output.extend(message(b'A', &body.concat()));
        }
    }

    /// What it sends next.
    pub(super) fn poll(&mut self) -> Option<(Hop, Vec<u8>)> {
        if self.is_paused {
            return None;
        }
        let mut next = self.sessions.keys().next().copied();
        while let Some(hop) = next {
            let behind = (Bound::Excluded(hop), Bound::Unbounded);
            next = self.sessions.range(behind).next().map(|(hop, _)| *hop);
            let Some(mut session) = self.sessions.remove(&hop) else { continue };
            session.read();
            if session.has_begun && session.output.is_empty() && session.parsed == usize::MAX {
                session.parsed = 0;
                session.output = self.welcome(session.process);
            }
            let mut told = Vec::new();
            if self.holds_reads && session.is_listening {
                self.sessions.insert(hop, session);
                continue;
            }
            while let Some((parsed, name, params)) = session.requests.front() {
                let is_write = matches!(&**name, "beat" | "append" | "leave");
                if is_write && self.commits_left == Some(0) {
                    (self.holds_commits, self.commits_left) = (true, None);
                }
                if is_write && self.holds_commits {
                    break;
                }
                if is_write {
                    self.commits_left = self.commits_left.map(|left| left - 1);
                }
                let mut output = message(b'1', b"").repeat(*parsed);
                output.extend(message(b'2', b""));
                if is_write && let Some((code, text)) = self.warning.take() {
                    output.extend(error(b'N', code, text));
                }
                output.extend(self.answer(session.process, name, params));
                output.extend(message(b'Z', b"I"));
                session.output.extend(output);
                match &**name {
                    "listen" => session.is_listening = true,
                    "notify" if !self.is_deaf => told.extend(texts(&params[0])),
                    _ => {}
                }
                self.done.push(name.clone());
                session.requests.pop_front();
            }
            let output = std::mem::take(&mut session.output);
            self.sessions.insert(hop, session);
            for payload in told {
                self.told.push(payload.clone());
                self.notify(&payload);
            }
            if !output.is_empty() {
                return Some((hop, output));
            }
        }
        None
    }

    fn welcome(&self, process: i32) -> Vec<u8> {
        // A pooler has numbers of its own.
        let process = process + i32::from(self.is_pooler);
        let key = [process.to_be_bytes(), [0; 4]].concat();
        [
            message(b'R', &[0; 4]),
            message(b'S', b"server_version\x0015.18\0"),
            message(b'K', &key),
            message(b'Z', b"I"),
        ]
        .concat()
    }

    fn answer(&mut self, process: i32, name: &str, params: &[Vec<u8>]) -> Vec<u8> {
        let done = message(b'C', b"DONE\0");
        let rows = match name {
            "look" => vec![self.look(process)],
            "identify" => vec![vec![int(self.system), int(self.started), int(self.waiting)]],
            "version" => match self.schema {
                Some(version) => vec![vec![text(version)]],
                None => return error(b'E', "42P01", "there is no chinwag.meta"),
            },
            "beat" | "append" => {
                if let Some(code) = self.write_error {
                    return error(b'E', code, "it cannot");
                }
                if name == "beat" { self.beat(params) } else { vec![vec![int(1)]] }
            }
            "echo" => vec![params.iter().map(|bytes| Some(bytes.clone())).collect()],
            "bad" => return error(b'E', "42601", "it is no SQL"),
            "leave" => {
                self.own_node = None;
                vec![]
            }
            _ => vec![],
        };
        let rows = rows.iter().flat_map(|columns| row(columns)).collect::<Vec<_>>();
        [rows, done].concat()
    }

    fn look(&self, process: i32) -> Vec<Option<Vec<u8>>> {
        let timeline = (!self.is_standby).then(|| format!("{:08X}", self.timeline));
        vec![
            int(self.version),
            boolean(self.is_standby),
            boolean(self.is_standby),
            text(self.standby_names),
            text("on"),
            boolean(self.fsync),
            boolean(true),
            text("UTF8"),
            boolean(true),
            int(self.connected),
            int(self.connected),
            boolean(self.schema.is_some()),
            boolean(self.schema.is_some()),
            int(process.into()),
            timeline.map(String::into_bytes),
            self.locked.and_then(text),
        ]
    }

    fn beat(&mut self, params: &[Vec<u8>]) -> Vec<Vec<Option<Vec<u8>>>> {
        let id = i64::from_be_bytes(params[0][..].try_into().unwrap());
        if self.own_node != Some(id) {
            self.own_node = Some(self.next_node);
            self.next_node += 1;
        }
        let settings = format!("{}/on/{}", self.standby_names, self.fsync);
        let own = self.own_node;
        let nodes = self.nodes.iter().copied().chain(own);
        let row = |node| {
            vec![
                int(node),
                text("n"),
                text("a"),
                text("v"),
                int(5),
                boolean(own == Some(node)),
                text(&settings),
                int(self.wall_ms),
            ]
        };
        nodes.map(row).collect()
    }
}

impl Session {
    fn read(&mut self) {
        if !self.has_begun {
            let Some(len) = self.input.first_chunk::<4>() else { return };
            let len = usize::try_from(u32::from_be_bytes(*len)).unwrap();
            if self.input.len() < len {
                return;
            }
            self.input.drain(..len);
            (self.has_begun, self.parsed) = (true, usize::MAX);
        }
        while let Some((&[tag, a, b, c, d], rest)) = self.input.split_first_chunk::<5>() {
            let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap() - 4;
            if rest.len() < len {
                return;
            }
            let body = rest[..len].to_vec();
            self.input.drain(..5 + len);
            match tag {
                b'P' => self.parsed += 1,
                b'B' => self.bound = Some(bound(&body)),
                b'S' => {
                    let parsed = std::mem::take(&mut self.parsed);
                    let (name, params) = self.bound.take().unwrap();
                    self.requests.push_back((parsed, name, params));
                }
                b'E' | b'X' => {}
                other => panic!("a message {other}"),
            }
        }
    }
}

/// The name of the statement and the parameters.
fn bound(body: &[u8]) -> (String, Vec<Vec<u8>>) {
    let mut parts = body.splitn(3, |byte| *byte == 0);
    assert_eq!(parts.next(), Some(&b""[..]));
    let name = String::from_utf8(parts.next().unwrap().to_vec()).unwrap();
    let rest = parts.next().unwrap();
    assert_eq!(rest[..4], [0, 1, 0, 1], "one format: binary");
    let count = u16::from_be_bytes([rest[4], rest[5]]);
    let (mut rest, mut params) = (&rest[6..], Vec::new());
    for _ in 0..count {
        let (len, tail) = rest.split_first_chunk::<4>().unwrap();
        let len = usize::try_from(i32::from_be_bytes(*len)).unwrap();
        params.push(tail[..len].to_vec());
        rest = &tail[len..];
    }
    (name, params)
}
