//! The reactor without sockets: connections in slots, deadlines in the real wheel, effects applied
//! in order, and transports that take everything at once.

use std::net::SocketAddr;

use chinwag::net::{
    CloseReason, ConnId, Effect, Effects, Handler as _, Input, ListenerId, SharedFrame,
};
use chinwag::server::Server;
use chinwag::time::Tick;
use chinwag::time::clock::{Clock, Now};
use chinwag::time::wheel::IndexWheel;

/// The wall time at the beginning.
const BEGAN_MS: u64 = 1_763_700_000_000;
/// How a ping without a payload looks on the wire.
const PING: &[u8] = &[0x89, 0];

/// A connection: as large as the real one, its deadline armed as lazily.
#[repr(align(64))]
struct Conn {
    id: ConnId,
    deadline: Tick,
    is_open: bool,
    wants_drained: bool,
}

/// What has been done since it was asked for last.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    /// Frames that transports took.
    pub(crate) frames: usize,
    pub(crate) bytes: usize,
    pub(crate) turns: usize,
    /// Of real time.
    pub(crate) us: u64,
    pub(crate) longest_us: u64,
}

/// The server, and all that a reactor keeps for it.
pub(crate) struct Reactor {
    server: Server,
    conns: Vec<Conn>,
    wheel: IndexWheel,
    alarm: Tick,
    effects: Effects,
    /// What waits for the flush.
    outbound: Vec<(u32, SharedFrame)>,
    urgent: Vec<u32>,
    ended: Vec<(u32, CloseReason)>,
    /// Who was pinged and has not been asked for.
    pub(crate) pinged: Vec<u32>,
    scratch: Vec<u8>,
    millis: u64,
    clock: Clock,
    closed: usize,
    done: Done,
}

impl Reactor {
    pub(crate) fn new(server: Server, connections: usize) -> Self {
        Self {
            server,
            conns: Vec::with_capacity(connections),
            wheel: IndexWheel::with_capacity(connections),
            alarm: Tick::MAX,
            effects: Effects::new(),
            outbound: Vec::new(),
            urgent: Vec::new(),
            ended: Vec::new(),
            pinged: Vec::new(),
            scratch: Vec::new(),
            millis: 0,
            clock: Clock::start(),
            closed: 0,
            done: Done::default(),
        }
    }

    /// When all began.
    pub(crate) const fn began() -> Now {
        Now { tick: Tick::ZERO, wall_ms: BEGAN_MS }
    }

    /// Lets time pass.
    pub(crate) const fn advance(&mut self, millis: u64) {
        self.millis += millis;
    }

    /// Milliseconds that have passed.
    pub(crate) const fn millis(&self) -> u64 {
        self.millis
    }

    /// How many connections have been closed.
    pub(crate) const fn closed(&self) -> usize {
        self.closed
    }

    /// What has been done since the last asking.
    pub(crate) fn take_done(&mut self) -> Done {
        std::mem::take(&mut self.done)
    }

    /// One turn, in the order of the real one, with what `inputs` brings.
    pub(crate) fn turn(&mut self, inputs: impl FnOnce(&mut Self)) {
        let began = self.clock.micros();
        inputs(self);
        self.expire();
        for slot in std::mem::take(&mut self.urgent) {
            let conn = &mut self.conns[slot as usize];
            if std::mem::take(&mut conn.wants_drained) && conn.is_open {
                let conn = conn.id;
                self.tell(Input::Drained { conn });
            }
        }
        self.tell(Input::TurnEnd);
        self.flush();
        for (slot, reason) in std::mem::take(&mut self.ended) {
            let conn = &mut self.conns[slot as usize];
            self.wheel.cancel(slot);
            let conn = conn.id;
            self.closed += 1;
            self.tell(Input::Closed { conn, reason });
        }
        let us = self.clock.micros() - began;
        self.done.turns += 1;
        self.done.us += us;
        self.done.longest_us = self.done.longest_us.max(us);
    }

    /// A peer connects; its slot is the next one.
    pub(crate) fn open(&mut self) {
        let slot = self.conns.len();
        let generation = u64::try_from(slot).expect("few") + 1;
        let id = ConnId::new(slot, generation).expect("a slot that can be named");
        let deadline = Tick::MAX;
        self.conns.push(Conn { id, deadline, is_open: true, wants_drained: false });
        let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
        self.tell(Input::Opened { conn: id, listener: ListenerId(0), peer });
    }

    /// A peer has sent bytes.
    pub(crate) fn receive(&mut self, slot: usize, bytes: &[u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(bytes);
        let conn = self.conns[slot].id;
        self.tell(Input::Received { conn, bytes: &mut scratch });
        self.scratch = scratch;
    }

    fn tell(&mut self, input: Input<'_>) {
        let wall_ms = BEGAN_MS + self.millis;
        let now = Now { tick: Tick::from_millis(self.millis), wall_ms };
        let mut effects = std::mem::take(&mut self.effects);
        self.server.handle(now, input, &mut effects);
        for effect in effects.drain(..) {
            self.apply(effect);
        }
        self.effects = effects;
    }

    fn apply(&mut self, effect: Effect) {
        match effect {
            Effect::Send { conn, frame } => self.push(conn, frame),
            Effect::Broadcast { to, frame } => {
                for conn in to {
                    self.push(conn, frame.clone());
                }
            }
            Effect::Arm { conn, deadline } => {
                let conn = &mut self.conns[conn.slot()];
                conn.deadline = deadline;
                ensure_timer(&mut self.wheel, conn);
            }
            Effect::Wake { conn } => {
                self.conns[conn.slot()].wants_drained = true;
                self.urgent.push(slot_of(conn));
            }
            Effect::Close { conn, reason, .. } => {
                if std::mem::take(&mut self.conns[conn.slot()].is_open) {
                    self.ended.push((slot_of(conn), reason));
                }
            }
            Effect::Alarm { deadline } => self.alarm = deadline,
            Effect::Pause { .. } | Effect::Resume { .. } | Effect::OutboundMax { .. } => {}
            other => panic!("nobody has asked for {other:?}"),
        }
    }

    fn push(&mut self, conn: ConnId, frame: SharedFrame) {
        if self.conns[conn.slot()].is_open {
            self.outbound.push((slot_of(conn), frame));
        }
    }

    /// The transports take everything.
    fn flush(&mut self) {
        for (slot, frame) in self.outbound.drain(..) {
            self.done.frames += 1;
            self.done.bytes += frame.len();
            if frame == PING {
                self.pinged.push(slot);
            }
        }
        // As the real one gives the nodes of a burst back.
        self.outbound.shrink_to(1 << 16);
        self.effects.shrink_to(1 << 16);
    }

    fn expire(&mut self) {
        let now = Tick::from_millis(self.millis);
        while let Some(slot) = self.wheel.poll(now) {
            let conn = &mut self.conns[slot as usize];
            if conn.deadline > now {
                ensure_timer(&mut self.wheel, conn);
            } else if conn.is_open {
                conn.deadline = Tick::MAX;
                let conn = conn.id;
                self.tell(Input::Expired { conn });
            }
        }
        if self.alarm <= now {
            self.alarm = Tick::MAX;
            self.tell(Input::Alarm);
        }
    }
}

fn slot_of(conn: ConnId) -> u32 {
    u32::try_from(conn.slot()).expect("few")
}

fn ensure_timer(wheel: &mut IndexWheel, conn: &mut Conn) {
    if conn.deadline == Tick::MAX {
        return;
    }
    let slot = slot_of(conn.id);
    if wheel.deadline(slot).is_none_or(|armed| armed > conn.deadline) {
        wheel.arm(conn.deadline, slot);
    }
}
