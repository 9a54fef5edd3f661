//! What one process of the server hands to the next of a connection's protocol stack.

use super::backlog::{Backlog, PeerEnd, Unread};
use super::encode::Format;
use super::errors_in_a_row::ErrorsInARow;
use super::exchange::refused;
use super::peers::Peer;
use super::state::{Flag, PlainTcp, Protocol, SessionState};
use super::text_client::{Progress, TextClient};
use super::{ListenerKind, Sessions, Turn};
use crate::chat::model::identity::Identity;
use crate::chat::{Code, Refusal, UserName};
use crate::http::{Method, PartialHead};
use crate::line::{self, Framing};
use crate::net::{CloseReason, ConnId, Ending, IpAddr};
use crate::pack::{pack_enum, pack_struct};
use crate::time::Tick;
use crate::time::rate::Bucket;
use crate::ws::{self, CloseCode, WindowBits};

/// When a client should repeat a request of which the body had come in part.
const RETRY_MS: u64 = 1_000;

/// One connection's protocol stack, without what follows from the bytes that wait for its socket.
#[derive(Debug)]
pub struct Carried {
    protocol: CarriedProtocol,
    since: Tick,
    /// Its hello counts for the rate of all; it was pinged.
    marks: (bool, bool),
    /// Of requests, and of control frames.
    buckets: (Bucket, Bucket),
    errors: ErrorsInARow,
    has_finished: bool,
    backlog: Option<Box<Backlog>>,
    address: Option<IpAddr>,
    /// Who it is by its upgrade, until its hello.
    proven: Option<Box<Identity>>,
    /// What the operator is told of it: from where, since when, by which listener, whose.
    peer: Option<Box<CarriedPeer>>,
}

type CarriedPeer = ((IpAddr, u64), (ListenerKind, Option<UserName>));

/// What it speaks.
#[derive(Debug)]
enum CarriedProtocol {
    /// HTTP, and as much of a head as has come.
    Http {
        head: Vec<u8>,
        kind: ListenerKind,
        is_proxy: bool,
        is_idle: bool,
    },
    /// HTTP in the middle of a body, which the client has to send again.
    Interrupted {
        kind: ListenerKind,
        is_proxy: bool,
    },
    WebSocket {
        decoder: ws::Decoder,
        format: Format,
        is_greeted: bool,
    },
    Tcp {
        plain: Box<PlainTcp>,
    },
    Closing,
}

impl Sessions {
    /// A connection's stack, for another process. `None` for a connection that cannot go on
    /// elsewhere: the echo's, whose messages are huge, one by which a file is sent, and a stream of
    /// events, whose reader comes back by itself to where it was.
    pub fn carry(&self, conn: ConnId) -> Option<Carried> {
        let (address, proven) = (
            self.context.addresses.get(&conn).copied(),
            self.context.tokens.proven(conn).cloned().map(Box::new),
        );
        let state = self.states.get(conn.slot()).filter(|state| state.conn == conn)?;
        // What the other process would say stood in the middle of a file.
        if state.is_sending_file()
            || matches!(state.protocol, Protocol::Echo { .. } | Protocol::Events(_))
        {
            return None;
        }
        let peer = self.context.peers.as_ref().and_then(|peers| peers.get(conn));
        let peer =
            peer.map(|peer| ((peer.address(), peer.since()), (peer.kind, peer.user.clone())));
        Some(Carried {
            protocol: carry_protocol(state)?,
            since: state.since(),
            marks: (state.flags.has(Flag::Counted), state.flags.has(Flag::Pinged)),
            buckets: (state.commands, state.controls),
            errors: state.errors(),
            has_finished: state.flags.has(Flag::Finished),
            backlog: state.backlog().map(|backlog| Box::new(backlog.copy())),
            address,
            proven,
            peer: peer.map(Box::new),
        })
    }

    /// Goes on with a connection's stack of another process.
    pub fn adopt(&mut self, conn: ConnId, carried: Carried, turn: &mut Turn<'_>) {
        let Carried { protocol, since, marks, buckets, errors, has_finished, backlog, .. } =
            carried;
        let (mut begun, mut is_interrupted) = (Vec::new(), false);
        let (mut has_greeted, mut was_idle) = (false, false);
        let http = |kind, is_proxy| SessionState::http(conn, (kind, is_proxy), since);
        let other = |protocol| SessionState::new(conn, protocol, since);
        let mut state = match protocol {
            CarriedProtocol::Http { head, kind, is_proxy, is_idle } => {
                (begun, was_idle) = (head, is_idle);
                http(kind, is_proxy)
            }
            CarriedProtocol::Interrupted { kind, is_proxy } => {
                is_interrupted = true;
                http(kind, is_proxy)
            }
            CarriedProtocol::WebSocket { decoder, is_greeted, .. } => {
                has_greeted = is_greeted;
                other(Protocol::WebSocket { decoder })
            }
            CarriedProtocol::Tcp { plain } => other(Protocol::Tcp(plain)),
            CarriedProtocol::Closing => other(Protocol::Closing),
        };
        let flags = [
            (Flag::Counted, marks.0),
            (Flag::Pinged, marks.1),
            (Flag::Finished, has_finished),
            (Flag::Greeted, has_greeted),
            (Flag::Idle, was_idle),
        ];
        for (flag, is_true) in flags {
            state.flags.set(flag, is_true);
        }
        (state.commands, state.controls) = buckets;
        state.set_errors(errors);
        if let Some(backlog) = backlog {
            *state.begin_backlog() = *backlog;
        }
        let held = state.held();
        // Booked before anything else happens to it: whatever becomes of it takes this off again.
        self.context.inbound.change(0, held);
        self.states.insert(conn.slot(), state);
        self.context.sessions_bytes += self.row_bytes();
        if let (Some(peers), Some(peer)) = (&mut self.context.peers, carried.peer) {
            let ((address, since), (kind, user)) = *peer;
            let mut peer = Peer::new(conn, kind, (address, since));
            peer.user = user;
            peers.opened(peer);
        }
        if let Some(address) = carried.address {
            self.context.addresses.insert(conn, address);
        }
        if let Some(proven) = carried.proven {
            self.context.tokens.keep(conn, *proven);
        }
        if is_interrupted {
            self.with(conn, turn, |session| {
                session.interrupt();
            });
        } else if !begun.is_empty() {
            self.with(conn, turn, |session| session.on_bytes(&mut begun));
        }
    }

    /// The connection goes on in another process, or is gone.
    pub fn forget(&mut self, conn: ConnId) {
        self.context.addresses.remove(&conn);
        self.context.tokens.forget(conn);
        let held = self.states.remove(conn.slot()).map_or(0, |state| state.held());
        self.context.inbound.change(held, 0);
        self.context.sessions_bytes -= self.row_bytes();
    }
}

impl super::input::Session<'_, '_> {
    /// The rest of a body comes whose beginning another process has had.
    fn interrupt(&mut self) {
        let message = "the server was upgraded in the middle of the request; send it again";
        let refusal = Refusal::new(Code::ShuttingDown, message).retry_after_ms(RETRY_MS);
        let response = refused(refusal.into());
        let response = response.date(self.context.dates.at(self.turn.now.wall_ms));
        let mut out = Vec::new();
        response.render(&mut out, Method::Post, false);
        self.context.metrics.http.count_response(response.status().code());
        self.close(out, (CloseReason::HttpRefused, Ending::Linger));
    }
}

fn carry_protocol(state: &SessionState) -> Option<CarriedProtocol> {
    let (kind, is_proxy) = (state.http_kind(), state.flags.has(Flag::Proxy));
    Some(match &state.protocol {
        Protocol::Http { exchange: Some(_) } => CarriedProtocol::Interrupted { kind, is_proxy },
        Protocol::Http { exchange: None } => {
            let head = state.head().map_or(&[][..], PartialHead::bytes).to_vec();
            CarriedProtocol::Http { head, kind, is_proxy, is_idle: state.flags.has(Flag::Idle) }
        }
        Protocol::WebSocket { decoder } => CarriedProtocol::WebSocket {
            decoder: copy(decoder)?,
            format: Format::of_deflate(decoder.deflate()),
            is_greeted: state.flags.has(Flag::Greeted),
        },
        Protocol::Tcp(plain) => CarriedProtocol::Tcp { plain: Box::new(copy(&**plain)?) },
        Protocol::Closing => CarriedProtocol::Closing,
        Protocol::Echo { .. } | Protocol::Events(_) => return None,
    })
}

/// The same again, by way of its bytes: nothing here is copied but for a process that ends, so that
/// no decoder need be able to.
fn copy<T: crate::pack::Pack>(value: &T) -> Option<T> {
    crate::pack::unpack_whole(&crate::pack::packed(value))
}

impl Backlog {
    fn copy(&self) -> Self {
        let Unread { lines, lines_done, bytes, bytes_done } = &self.unread;
        // Only what is left: what was done already would be done twice.
        let lines = lines.get(*lines_done..).unwrap_or_default().to_owned();
        let bytes = bytes.get(*bytes_done..).unwrap_or_default().to_vec();
        let unread = Unread { lines, lines_done: 0, bytes, bytes_done: 0 };
        Self { unread, end: self.end, is_cut: self.is_cut }
    }
}

pack_struct!(Carried {
    protocol: CarriedProtocol,
    since: Tick,
    marks: (bool, bool),
    buckets: (Bucket, Bucket),
    errors: ErrorsInARow,
    has_finished: bool,
    backlog: Option<Box<Backlog>>,
    address: Option<IpAddr>,
    proven: Option<Box<Identity>>,
    peer: Option<Box<CarriedPeer>>,
});
pack_enum!(CarriedProtocol {
    0: Http { head: Vec<u8>, kind: ListenerKind, is_proxy: bool, is_idle: bool },
    1: Interrupted { kind: ListenerKind, is_proxy: bool },
    2: WebSocket { decoder: ws::Decoder, format: Format, is_greeted: bool },
    3: Tcp { plain: Box<PlainTcp> },
    4: Closing,
});
pack_enum!(ListenerKind { 0: Http, 1: Https, 2: Tcp, 3: Admin });
pack_enum!(Format { 0: WebSocket, 1: Deflate(window: WindowBits), 2: Lines, 3: Lengths, 4: Text, 5: Events, 6: ManyEvents });
pack_struct!(PlainTcp {
    decoder: line::Decoder,
    framing: Option<Framing>,
    is_greeted: bool,
    wants_pings: bool,
    text: Option<Box<TextClient>>,
});
pack_struct!(Backlog { unread: Unread, end: Option<PeerEnd>, is_cut: bool });
pack_struct!(Unread { lines: String, lines_done: usize, bytes: Vec<u8>, bytes_done: usize });
pack_enum!(PeerEnd { 0: Fin, 1: Close(code: Option<CloseCode>), 2: Quit });
pack_enum!(Progress { 0: Greeted, 1: Typed, 2: Spoken });
