//! The driver: what the link asks for becomes effects of the reactor, and what the reactor says
//! becomes inputs of the link.
//!
//! ```text
//!  Connect ─▶ resolver ─▶ connect, address by address ─▶ (TLS) ─▶ Connected | Failed
//!  Send ─▶ (seal) ─▶ the reactor's ring       Received ◀─ (open) ◀─ the reactor
//! ```
//!
//! The connection to the bus, if there is one, is made in the same way.

use std::io;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;

use super::leg::{Leg, Stage};
use super::resolver::Resolver;
use crate::cluster::link::{Hop, Lane, LinkEffect, LinkInput};
use crate::net::{CloseReason, ConnId, Connect, Effect, Effects, Ending, IpAddr, Peer};
use crate::pg::{Address, Host, Security, TLS_REQUEST, TLS_YES};
use crate::store::Wake;
use crate::time::Tick;
use crate::time::clock::Now;
use crate::tls::{ClientConfig, ClientConnection, Progress, TlsFault};

/// Bytes that may wait for an engine's socket: what the link lets be under way, and more than the
/// statements of all requests that it pipelines. A connection that exceeds it is closed, and made
/// anew.
const OUTBOUND_BYTES_MAX: usize = 256 << 20;

/// What the driver drives.
pub(in crate::server) trait Driven {
    /// Takes what became of its effects, or that its deadline has passed.
    fn handle(&mut self, now: Now, input: LinkInput<'_>);

    /// Does what follows from what it has taken, and from the time.
    fn go_on(&mut self, now: Now);

    /// The next thing that is to be done.
    fn poll_effect(&mut self) -> Option<LinkEffect>;
}

/// Where a bus is, and how connections to it are sealed, if they are.
#[derive(Debug)]
pub(super) struct BusSite {
    pub(super) host: Host,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// The connections to an engine.
#[derive(Debug)]
pub(super) struct Driver {
    hosts: Vec<Host>,
    security: Security,
    tls: Option<Arc<ClientConfig>>,
    bus: Option<BusSite>,
    resolver: Resolver,
    /// Connections: two to the engine, one to the bus, and at times one more that is being made.
    legs: Vec<Leg>,
    tags: u64,
    /// What is gathered for one connection, and what came of one.
    out: Vec<u8>,
    plain: Vec<u8>,
}

impl Driver {
    /// Without a connection. `tls` is there if the address wants any host encrypted.
    ///
    /// # Errors
    ///
    /// What the system says if it has no thread to give.
    pub(super) fn new(
        address: &Address,
        tls: Option<Arc<ClientConfig>>,
        wake: Wake,
    ) -> io::Result<Self> {
        Ok(Self {
            hosts: address.hosts.clone(),
            security: address.security.clone(),
            tls,
            bus: None,
            resolver: Resolver::start(wake)?,
            legs: Vec::new(),
            tags: 0,
            out: Vec::new(),
            plain: Vec::new(),
        })
    }

    /// With a bus.
    pub(super) fn with_bus(self, bus: Option<BusSite>) -> Self {
        Self { bus, ..self }
    }

    /// Where a connection leads to.
    fn target(&self, hop: Hop, host: usize) -> Option<&Host> {
        match hop.lane {
            Lane::Writer | Lane::Reader => self.hosts.get(host),
            Lane::Bus => self.bus.as_ref().map(|bus| &bus.host),
        }
    }

    /// What a connection is sealed with, if it has to be.
    fn seal(&self, hop: Hop, is_local: bool) -> Option<&Arc<ClientConfig>> {
        match hop.lane {
            Lane::Writer | Lane::Reader => {
                self.tls.as_ref().filter(|_| is_sealed(&self.security, is_local))
            }
            Lane::Bus => self.bus.as_ref()?.tls.as_ref(),
        }
    }

    /// Whether it is a connection to the engine.
    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.legs.iter().any(|leg| leg.conn == Some(conn))
    }

    /// A host, as its address says it.
    pub(super) fn host(&self, index: usize) -> Option<String> {
        self.hosts.get(index).map(ToString::to_string)
    }

    /// When the first leg is given up, unless it comes further by then.
    pub(super) fn deadline(&self) -> Tick {
        self.legs.iter().map(|leg| leg.deadline).min().unwrap_or(Tick::MAX)
    }

    /// Does what the link asks for, until it asks for nothing more.
    pub(super) fn drive(&mut self, now: Now, driven: &mut dyn Driven, effects: &mut Effects) {
        // What is sent to one connection in a row leaves as one piece.
        let (mut to, mut gathered) = (None, Vec::new());
        while let Some(effect) = driven.poll_effect() {
            match effect {
                LinkEffect::Send { hop, bytes } => {
                    if to != Some(hop) {
                        self.send(to.replace(hop), &mut gathered, effects);
                    }
                    gathered.push(bytes);
                }
                LinkEffect::Connect { hop, host, deadline } => {
                    self.connect(now, (hop, host, deadline), driven, effects);
                }
                LinkEffect::Close { hop } => {
                    self.send(to.take(), &mut gathered, effects);
                    self.close(hop, effects);
                }
            }
        }
        self.send(to, &mut gathered, effects);
    }

    fn send(&mut self, hop: Option<Hop>, gathered: &mut Vec<Bytes>, effects: &mut Effects) {
        let pieces = mem::take(gathered);
        let leg = self.legs.iter_mut().find(|leg| Some(leg.hop) == hop);
        // The link may not know yet that it is gone.
        let Some(Leg { conn: Some(conn), stage, .. }) = leg else { return };
        let conn = *conn;
        let frame = match (stage, &*pieces) {
            (Stage::Plain, [piece]) => piece.clone(),
            (Stage::Plain, pieces) => Bytes::from(pieces.concat()),
            (Stage::Sealed(tls), pieces) => {
                self.out.clear();
                for piece in pieces {
                    if let Err(fault) = tls.seal(piece, &mut self.out) {
                        // The next that is received says so to the link; until then its deadline.
                        return log::warn!(fault:%; "nothing can be sealed for the engine");
                    }
                }
                Bytes::copy_from_slice(&self.out)
            }
            (
                Stage::Resolving | Stage::Connecting | Stage::TlsRequested | Stage::Handshaking(_),
                _,
            ) => {
                return;
            }
        };
        if !frame.is_empty() {
            effects.push(Effect::Send { conn, frame });
        }
    }

    fn connect(
        &mut self,
        now: Now,
        (hop, host, deadline): (Hop, usize, Tick),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        self.tags += 1;
        let mut leg = Leg {
            hop,
            host,
            tag: self.tags,
            conn: None,
            stage: Stage::Resolving,
            addresses: [].into(),
            deadline,
        };
        let why = match self.target(hop, host) {
            Some(Host::Tcp(name, port)) => match name.parse::<IpAddr>() {
                Ok(ip) => {
                    leg.addresses.push_back(Peer::Tcp((ip, *port).into()));
                    leg.stage = Stage::Connecting;
                    try_next(now, &mut leg, effects);
                    None
                }
                Err(_) => self.resolver.ask(leg.tag, name, *port).err(),
            },
            Some(Host::Unix(path)) => {
                leg.addresses.push_back(Peer::Unix(path.clone()));
                leg.stage = Stage::Connecting;
                try_next(now, &mut leg, effects);
                None
            }
            None => Some("there is no such host"),
        };
        match why {
            Some(why) => driven.handle(now, LinkInput::Failed { hop, why: why.to_owned() }),
            None => self.legs.push(leg),
        }
    }

    fn close(&mut self, hop: Hop, effects: &mut Effects) {
        let Some(at) = self.legs.iter().position(|leg| leg.hop == hop) else { return };
        let mut leg = self.legs.swap_remove(at);
        let Some(conn) = leg.conn else { return };
        if let Stage::Sealed(tls) = &mut leg.stage {
            self.out.clear();
            tls.say_goodbye(&mut self.out);
            effects.push(Effect::Send { conn, frame: Bytes::copy_from_slice(&self.out) });
        }
        // Flushed: the last statements and the goodbye of TLS are to reach the engine.
        let (reason, ending) = (CloseReason::Bye, Ending::Flush);
        effects.push(Effect::Close { conn, reason, ending });
    }

    /// Ends all connections.
    pub(super) fn close_all(&mut self, effects: &mut Effects) {
        while let Some(hop) = self.legs.first().map(|leg| leg.hop) {
            self.close(hop, effects);
        }
    }

    /// Takes the addresses that were asked for.
    pub(super) fn on_resolved(&mut self, now: Now, driven: &mut dyn Driven, effects: &mut Effects) {
        while let Some((tag, found)) = self.resolver.poll() {
            let is_it = |leg: &Leg| leg.tag == tag && matches!(leg.stage, Stage::Resolving);
            // A connection that was given up meanwhile has no leg any more.
            let Some(at) = self.legs.iter().position(is_it) else { continue };
            let Some(leg) = self.legs.get_mut(at) else { continue };
            let why = match found {
                Ok(addresses) => {
                    leg.addresses = addresses.into_iter().map(Peer::Tcp).collect();
                    leg.stage = Stage::Connecting;
                    if try_next(now, leg, effects) { None } else { Some(String::new()) }
                }
                Err(error) => Some(format!(": {error}")),
            };
            if let Some(why) = why {
                self.fail(now, (at, format!("the name has no address{why}")), driven, effects);
            }
        }
    }

    /// A connection is there. `false` if it is not one that this driver has begun.
    pub(super) fn on_connected(
        &mut self,
        now: Now,
        (conn, tag): (ConnId, u64),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        let Some(leg) = self.legs.iter_mut().find(|leg| leg.tag == tag) else {
            // It was given up meanwhile.
            let (reason, ending) = (CloseReason::Bye, Ending::Abort);
            return effects.push(Effect::Close { conn, reason, ending });
        };
        leg.conn = Some(conn);
        effects.push(Effect::OutboundMax { conn, bytes_max: OUTBOUND_BYTES_MAX });
        let (hop, host) = (leg.hop, leg.host);
        let is_local = self.target(hop, host).is_some_and(Host::is_local);
        let is_sealed = self.seal(hop, is_local).is_some();
        let Some(at) = self.legs.iter().position(|leg| leg.hop == hop) else { return };
        let Some(leg) = self.legs.get_mut(at) else { return };
        if !is_sealed {
            // From here on the link's own deadlines hold, those of its questions.
            (leg.stage, leg.deadline) = (Stage::Plain, Tick::MAX);
            return driven.handle(now, LinkInput::Connected { hop, is_private: is_local });
        }
        if hop.lane == Lane::Bus {
            // There is nothing to ask: TLS begins at once.
            if let Err(fault) = self.shake_hands(at, conn, effects) {
                self.fail(now, (at, fault), driven, effects);
            }
            return;
        }
        leg.stage = Stage::TlsRequested;
        let frame = Bytes::from_static(&TLS_REQUEST);
        effects.push(Effect::Send { conn, frame });
    }

    /// Begins a TLS handshake.
    fn shake_hands(
        &mut self,
        at: usize,
        conn: ConnId,
        effects: &mut Effects,
    ) -> Result<(), String> {
        let Some((hop, host)) = self.legs.get(at).map(|leg| (leg.hop, leg.host)) else {
            return Ok(());
        };
        let name = match self.target(hop, host) {
            Some(Host::Tcp(name, _)) => name.clone(),
            Some(Host::Unix(_)) | None => return Err("a Unix socket has no TLS".to_owned()),
        };
        let Some(config) = self.seal(hop, false).cloned() else { return Ok(()) };
        self.out.clear();
        let tls = ClientConnection::connect(config, &name, &mut self.out);
        let tls = tls.map_err(|fault| tls_words(&fault))?;
        if let Some(leg) = self.legs.get_mut(at) {
            leg.stage = Stage::Handshaking(Box::new(tls));
        }
        let frame = Bytes::copy_from_slice(&self.out);
        effects.push(Effect::Send { conn, frame });
        Ok(())
    }

    /// A connection cannot be made.
    pub(super) fn on_unreachable(
        &mut self,
        now: Now,
        (tag, why): (u64, String),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        let Some(at) = self.legs.iter().position(|leg| leg.tag == tag) else { return };
        let Some(leg) = self.legs.get_mut(at) else { return };
        // All addresses of a name are tried: the engine may have moved.
        if !try_next(now, leg, effects) {
            self.fail(now, (at, why), driven, effects);
        }
    }

    /// Bytes came from the engine.
    pub(super) fn on_received(
        &mut self,
        now: Now,
        (conn, bytes): (ConnId, &mut [u8]),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        let Some(at) = self.legs.iter().position(|leg| leg.conn == Some(conn)) else { return };
        let Some(leg) = self.legs.get_mut(at) else { return };
        let hop = leg.hop;
        let fault = match &mut leg.stage {
            Stage::Plain => return driven.handle(now, LinkInput::Received { hop, bytes }),
            Stage::TlsRequested if bytes == [TLS_YES] => {
                match self.shake_hands(at, conn, effects) {
                    Ok(()) => return,
                    Err(fault) => fault,
                }
            }
            Stage::TlsRequested if bytes.len() == 1 => NO_TLS.to_owned(),
            // More than one byte would be what somebody between has put in front of the handshake.
            Stage::TlsRequested | Stage::Resolving | Stage::Connecting => {
                "it answers otherwise than PostgreSQL does".to_owned()
            }
            Stage::Handshaking(tls) | Stage::Sealed(tls) => {
                self.out.clear();
                self.plain.clear();
                let result = tls.receive(bytes, &mut self.plain, &mut self.out);
                if !self.out.is_empty() {
                    let frame = Bytes::copy_from_slice(&self.out);
                    effects.push(Effect::Send { conn, frame });
                }
                match result {
                    Ok(progress) => return self.on_plain(now, (at, progress), driven, effects),
                    Err(fault) => tls_words(&fault),
                }
            }
        };
        self.fail(now, (at, fault), driven, effects);
    }

    /// What was sealed is in `plain`.
    fn on_plain(
        &mut self,
        now: Now,
        (at, progress): (usize, Progress),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        let Some(leg) = self.legs.get_mut(at) else { return };
        let hop = leg.hop;
        if progress != Progress::Handshaking
            && let Stage::Handshaking(_) = leg.stage
            && let Stage::Handshaking(tls) = mem::replace(&mut leg.stage, Stage::Connecting)
        {
            // Before the bytes: one read may bring the end of the handshake and the first answer.
            (leg.stage, leg.deadline) = (Stage::Sealed(tls), Tick::MAX);
            driven.handle(now, LinkInput::Connected { hop, is_private: true });
        }
        if !self.plain.is_empty() {
            driven.handle(now, LinkInput::Received { hop, bytes: &self.plain });
        }
        if progress == Progress::Finished {
            self.fail(now, (at, String::new()), driven, effects);
        }
    }

    /// A connection has ended, or the engine says that nothing more comes.
    pub(super) fn on_ended(
        &mut self,
        now: Now,
        conn: ConnId,
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        if let Some(at) = self.legs.iter().position(|leg| leg.conn == Some(conn)) {
            let why = "the connection broke during the TLS handshake".to_owned();
            self.fail(now, (at, why), driven, effects);
        }
    }

    /// Gives up what has not come in time.
    pub(super) fn expire(&mut self, now: Now, driven: &mut dyn Driven, effects: &mut Effects) {
        while let Some(at) = self.legs.iter().position(|leg| leg.deadline <= now.tick) {
            let why = self.legs.get(at).map_or("", Leg::why_late).to_owned();
            self.fail(now, (at, why), driven, effects);
        }
    }

    /// Removes a connection and tells the link.
    fn fail(
        &mut self,
        now: Now,
        (at, why): (usize, String),
        driven: &mut dyn Driven,
        effects: &mut Effects,
    ) {
        // Removed before the link is told, which may ask for a new connection on the same lane at
        // once.
        let leg = self.legs.swap_remove(at);
        if let Some(conn) = leg.conn {
            // Aborted: the link asks everything anew over another connection, and nothing late may
            // reach the engine.
            let (reason, ending) = (CloseReason::PeerGone, Ending::Abort);
            effects.push(Effect::Close { conn, reason, ending });
        }
        let hop = leg.hop;
        let input =
            if leg.is_open() { LinkInput::Closed { hop } } else { LinkInput::Failed { hop, why } };
        driven.handle(now, input);
    }
}

/// What an engine without TLS is told of in the log.
const NO_TLS: &str = "it does not speak TLS: set ssl = on there, or write ?sslmode=disable if \
                      nobody else can read along";

fn tls_words(fault: &TlsFault) -> String {
    format!("TLS failed: {fault}; write ?sslrootcert=FILE if its authority is one of your own")
}

/// Whether connections to a host are sealed.
pub(super) const fn is_sealed(security: &Security, is_local: bool) -> bool {
    match security {
        Security::Plain => false,
        Security::AsNeeded => !is_local,
        Security::Tls(_) => true,
    }
}

/// Begins to connect to the next address, if there is one. It may take its share of the time that
/// is left, so that one that swallows everything does not take it all.
fn try_next(now: Now, leg: &mut Leg, effects: &mut Effects) -> bool {
    let shares = u32::try_from(leg.addresses.len()).unwrap_or(u32::MAX);
    let Some(peer) = leg.addresses.pop_front() else { return false };
    let share = leg.deadline.since(now.tick) / shares.max(1);
    effects.push(Effect::Connect(Connect {
        peer,
        source: None,
        receive_buffer_len: None,
        deadline: now.tick.after(share),
        tag: leg.tag,
    }));
    true
}
