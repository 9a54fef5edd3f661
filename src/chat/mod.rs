//! The domain: a room is a log, a member is a cursor. It knows no bytes, no sockets and no JSON.
//!
//! # The order of calls
//!
//! [`Chat`] is the door. In one turn of the loop:
//!
//! 1. `handle_*` takes what has happened: [`handle_hello`](Chat::handle_hello) and
//!    [`handle_command`](Chat::handle_command) what connections say,
//!    [`handle_blocked`](Chat::handle_blocked), [`handle_drained`](Chat::handle_drained) and
//!    [`handle_closed`](Chat::handle_closed) what becomes of them,
//!    [`on_log_reply`](Chat::on_log_reply) the answers of the logs,
//!    [`handle_timers`](Chat::handle_timers) the time.
//! 2. [`fan_out_next`](Chat::fan_out_next) hands what the turn has added to the rooms to their
//!    readers, room by room; [`end_turn`](Chat::end_turn) does the rest.
//! 3. `poll_*` hands out: [`poll_output`](Chat::poll_output) what is to be sent,
//!    [`poll_request`](Chat::poll_request) what the logs are asked. Both may be polled at any time,
//!    and must be after each step.
//!
//! It never calls out, and the same inputs at the same times give the same outputs.
//!
//! # The parts
//!
//! ```text
//!  Chat, operations   the door: each command, answer and timer, over all of the parts below
//!   ├─ pending        operations that wait for the log: one PendingOp each, resumed by its answer
//!   ├─ ephemeral      presence, typing, receipts told to others
//!   ├─ delivery       cursors, pages, fan-out, catch-up, the send credit of each connection
//!   ├─ rooms          a room's head and ring, membership, roles, restrictions, edits
//!   ├─ directory      users, sessions, names
//!   ├─ accounts       passwords, logins, invite links
//!   ├─ context        time, bounds, timers, outputs and requests
//!   └─ model          the plain data that every layer above speaks
//! ```
//!
//! Each part has its own state and names only parts below it, which `tests/tidy` checks. Keys are
//! generational: a stale one finds nothing.

mod accounts;
mod context;
mod delivery;
mod directory;
mod ephemeral;
mod inspection;
mod keys;
pub mod model;
mod operations;
mod pending;
mod rooms;
#[cfg(test)]
mod tests;

pub use model::code::Code;
pub use model::command::{Command, Op, RequestId};
pub use model::event::Event;
pub use model::hello::Hello;
pub use model::limits::Limits;
pub use model::name::{RoomName, UserName};
pub use model::record::{Body, Epoch, Record, SharedRecord};
pub use model::reply::{Refusal, Reply};
pub use model::stats::Stats;

use self::accounts::Accounts;
use self::context::{Context, Timer};
use self::delivery::{Delivery, DeliveryMut};
use self::directory::{Directory, Quotas};
use self::ephemeral::{Ephemeral, EphemeralMut};
use self::keys::RoomKey;
use self::model::account::{Extra, HashJob, Hashed, NewSecret, SecretHash};
use self::model::identity::Identity;
use self::model::limits::PRESENCE_NAMES_MAX;
use self::model::log::{LogReply, LogRequest, Query, Snapshot, Ticket};
use self::model::output::{Fanout, Output, Request};
use self::model::watch::{Watch, Watched};
use self::operations::{
    Answer, absence, ack, credentials, forget, log_replies, other_nodes, outsiders, reports,
    restore, room_end, session_lifecycle, watch,
};
use self::pending::{EXCLUSIVE_WEIGHT, Pending, PendingOp, Requester};
use self::rooms::{Lookup, Rooms};
use crate::net::ConnId;
use crate::time::Tick;
use crate::time::clock::Now;

/// What a connection owes whose `hello` is not answered yet: nothing more is taken from it.
const HELD_OWES: u32 = EXCLUSIVE_WEIGHT as u32 + 1;
/// Timers that are done in one turn, as absences that end: 0.8 ms.
const TIMER_WORK_MAX: usize = 512;
/// Subscribers who are told of presence in the time of one such timer.
const SUBSCRIBERS_PER_WORK: usize = 32;
/// Members whose names are told in that time.
const NAMES_PER_WORK: usize = 4;
/// Connections that are brought up again by one timer.
const RETRIES_MAX: usize = 128;

/// All users, rooms and cursors.
#[derive(Debug)]
pub struct Chat {
    context: Context,
    accounts: Accounts,
    directory: Directory,
    rooms: Rooms,
    delivery: Delivery,
    ephemeral: Ephemeral,
    pending: Pending,
    quotas: Quotas,
    /// The operator has changed who may not use the server.
    resuspended: bool,
}

impl Chat {
    /// Nobody, nowhere. `now` tells this start's epochs from those of others.
    #[must_use]
    pub fn new(limits: Limits, now: Now) -> Self {
        let ring_bytes_max = limits.ring_total_bytes;
        let quotas = Quotas::new(&limits);
        let context = Context::new(limits, now);
        let rev = context.rev;
        Self {
            context,
            accounts: Accounts::default(),
            directory: Directory::default(),
            rooms: Rooms::new(ring_bytes_max, now.wall_ms, rev),
            delivery: Delivery::new(ring_bytes_max),
            ephemeral: Ephemeral::default(),
            pending: Pending::default(),
            quotas,
            resuspended: false,
        }
    }

    /// Makes this start's epochs, and the `rev`s of inboxes, differ from those of another start at
    /// the same wall time, as it comes without a clock that outlives the power. To be called before
    /// anything else.
    pub fn vary_epochs(&mut self, random: u128) {
        self.context.vary_revs(random);
        self.rooms.vary_epochs(random, self.context.rev);
    }

    /// Lets other bounds hold from now on, which must not differ in what was shared out at the
    /// start: the bytes of messages, rings and queues, durability, retention and presence of rooms.
    pub fn set_limits(&mut self, limits: Limits) {
        self.quotas.set_limits(&limits);
        self.context.limits = limits;
    }

    /// Takes up the store's snapshot of the rooms, before anybody comes.
    pub fn restore(&mut self, now: Now, snapshot: Snapshot) {
        self.context.now = now;
        restore::restore(self, snapshot);
    }

    /// Something begins at this moment: mostly the one of what came before it in its turn.
    #[inline]
    fn arrive_at(&mut self, now: Now) {
        if now != self.context.now {
            self.go_on_to(now);
        }
    }

    #[inline(never)]
    fn go_on_to(&mut self, now: Now) {
        self.context.now = now;
        if let Some(step_ms) = self.context.wall.look(now) {
            self.shift_terms(step_ms);
        }
    }

    /// The wall clock was set: what was to end in an hour still ends in an hour.
    #[cold]
    fn shift_terms(&mut self, step_ms: i64) {
        self.rooms.shift_terms(&mut self.context, step_ms);
        self.accounts.shift_invites(step_ms);
        self.directory.profiles.shift_ends(step_ms, self.context.node.is_some());
    }

    /// A connection says who it is. Refused if it has said so already.
    pub fn handle_hello(&mut self, now: Now, conn: ConnId, request: Request, hello: Hello<'_>) {
        self.arrive_at(now);
        session_lifecycle::hello(self, conn, request, hello);
    }

    /// A connection asks for something; [`Code::HelloFirst`] if it has not said who it is. Whether
    /// it has to wait for a log.
    pub fn handle_command(
        &mut self,
        now: Now,
        conn: ConnId,
        request: Request,
        mut command: Command<'_>,
    ) -> bool {
        self.arrive_at(now);
        let begun = self.pending.begun;
        operations::handle_command(self, conn, request, &mut command);
        self.pending.begun != begun
    }

    /// A connection brings another token for the user that it is; its answer.
    ///
    /// # Errors
    ///
    /// [`Code::TokenNotForUs`] if it is of another user: the connection goes on as it was.
    pub fn handle_refresh(
        &mut self,
        now: Now,
        conn: ConnId,
        identity: Identity,
    ) -> Result<Reply, Refusal> {
        self.arrive_at(now);
        credentials::refresh(self, conn, identity)
    }

    /// A visit begins to read these rooms. How each begins; what follows is told after that.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`], and for each room why it may not be read.
    pub fn handle_watch(
        &mut self,
        now: Now,
        conn: ConnId,
        rooms: &[Watch<'_>],
    ) -> Result<Vec<Result<Watched, Refusal>>, Refusal> {
        self.arrive_at(now);
        watch::watch(self, conn, rooms)
    }

    /// Time has passed on a stream: what it may not read any more is ended.
    pub fn handle_watching(&mut self, now: Now, conn: ConnId) {
        self.arrive_at(now);
        outsiders::recheck(self, conn);
    }

    /// A flush has left `queued` bytes of this connection waiting.
    pub fn handle_blocked(&mut self, conn: ConnId, queued: usize) {
        if let Some(reader) = self.delivery.reader_mut(conn) {
            reader.credit.set_queued(queued);
        }
    }

    /// So many bytes wait for all connections together, as the last flush has left them.
    pub const fn handle_waiting(&mut self, bytes: usize) {
        self.context.pressure.set_used(bytes);
    }

    /// Nothing waits for this connection any more: its lagging cursors go on.
    pub fn handle_drained(&mut self, now: Now, conn: ConnId) {
        self.arrive_at(now);
        if let Some(reader) = self.delivery.reader_mut(conn) {
            reader.credit.set_queued(0);
            self.bring_up(conn);
        }
    }

    /// The connection is gone. Nothing happens if it never said hello.
    pub fn handle_closed(&mut self, now: Now, conn: ConnId) {
        self.arrive_at(now);
        self.pending.held.remove(&conn);
        self.accounts.live.remove(&conn);
        session_lifecycle::end_session(self, conn);
    }

    /// A connection asks for something about accounts, with what comes along.
    pub fn handle_account(
        &mut self,
        now: Now,
        conn: ConnId,
        request: Request,
        (command, extra): (Command<'_>, Extra),
    ) {
        self.arrive_at(now);
        operations::accounts::handle(self, (conn, request), command, extra);
    }

    /// The next password to be hashed or compared; answered by [`Chat::on_hashed`].
    pub fn poll_job(&mut self) -> Option<HashJob> {
        self.accounts.jobs.pop_front()
    }

    /// A password was hashed or compared.
    pub fn on_hashed(&mut self, now: Now, ticket: u64, outcome: Hashed) {
        self.arrive_at(now);
        operations::accounts::on_hashed(self, Ticket(ticket), outcome);
    }

    /// Who the secret of a login or a key is of.
    #[must_use]
    pub fn bearer(&self, secret: &SecretHash) -> Option<Identity> {
        if let Some(key) = self.accounts.key(secret) {
            return Some(Identity::key(key));
        }
        let login = self.accounts.login(secret)?;
        Some(Identity::account(login.name.clone(), login.id))
    }

    /// Has a link made for the first administrator, `false` if there is one already.
    pub fn invite_admin(&mut self, now: Now, secret: &NewSecret) -> bool {
        self.arrive_at(now);
        operations::invite_links::invite_admin(self, secret)
    }

    /// A log has answered.
    pub fn on_log_reply(&mut self, now: Now, reply: LogReply) {
        self.arrive_at(now);
        log_replies::on_log_reply(self, reply);
    }

    /// Does what is due, or so much of it as may hold up a turn; to be called when
    /// [`Chat::next_deadline`] has passed, which it still has if there is more to do.
    pub fn handle_timers(&mut self, now: Now) {
        self.arrive_at(now);
        let mut work = 0;
        // One at a time, since what one does may cancel another that is due as well.
        while work < TIMER_WORK_MAX
            && let Some(timer) = self.context.wheel.poll(now.tick)
        {
            work += 1;
            match timer {
                Timer::UserAbsent(user) => absence::on_user_absent(self, user),
                Timer::EphemeralDue(room) => {
                    // Counted by whom it tells of how many: a large room is many small ones.
                    let count = self.delivery.subscribers(room);
                    work += count / SUBSCRIBERS_PER_WORK;
                    work += count.min(PRESENCE_NAMES_MAX) / NAMES_PER_WORK;
                    self.ephemeral_mut().on_timer(room);
                }
                Timer::RoomEmpty(room) => room_end::on_room_empty(self, room),
                Timer::SaveReceipts => ack::save(self),
                Timer::TokenDue(conn) => credentials::on_due(self, conn),
                Timer::LookAgain(user) => other_nodes::look_again(self, user),
                Timer::ReportsDue => reports::on_due(self),
                Timer::RetryPages => work += self.retry_pages(),
                Timer::SweepRooms => forget::sweep(self),
            }
        }
    }

    /// Brings up some of the connections whose pages could not be read; returns how many.
    fn retry_pages(&mut self) -> usize {
        let stuck = &mut self.delivery.stuck;
        let later = stuck.split_off(stuck.len().min(RETRIES_MAX));
        let retried = std::mem::replace(stuck, later);
        if !self.delivery.stuck.is_empty() {
            self.context.wheel.arm(self.context.now.tick, Timer::RetryPages);
        }
        for &conn in &retried {
            self.bring_up(conn);
        }
        retried.len()
    }

    /// The earliest moment at which [`Chat::handle_timers`] has something to do.
    #[must_use]
    pub fn next_deadline(&self) -> Tick {
        self.context.wheel.next_deadline().unwrap_or(Tick::MAX)
    }

    /// All of a turn's inputs have been handed over: what it has added to the next room is fanned
    /// out. `false` if that was all; [`Chat::end_turn`] follows. Room by room, so that what is said
    /// is still in the cache when it is sent.
    pub fn fan_out_next(&mut self, now: Now) -> bool {
        self.arrive_at(now);
        let Some(room) = self.delivery.dirty.pop() else { return false };
        // The room may have been dropped since; then its senders were answered.
        if self.rooms.table.get(room).is_some() {
            self.delivery_mut().fan_out(room);
        }
        true
    }

    /// A turn ends: what it has added to the rooms and was not fanned out yet is.
    pub fn end_turn(&mut self, now: Now) {
        self.arrive_at(now);
        while !self.delivery.dirty.is_empty() && self.fan_out_next(now) {}
        self.context.turn = self.context.turn.wrapping_add(1);
    }

    /// The server is stopping: no record is taken any more ([`Code::ShuttingDown`]), and the
    /// gathered receipts are handed to the logs. What the logs have been asked for is still
    /// answered.
    pub fn stop(&mut self, now: Now) {
        self.arrive_at(now);
        self.end_turn(now);
        ack::save(self);
        self.context.stopping = true;
    }

    /// Tells a session that the server is stopping, and when to come back: within `window_ms`.
    pub fn drain(&mut self, to: ConnId, (reconnect_after_ms, window_ms): (u64, u64)) {
        if self.delivery.reader(to).is_some() {
            let reason = "restart";
            self.context.tell(to, Event::Drain { reconnect_after_ms, window_ms, reason });
        }
    }

    /// The next thing to be sent or done, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.context.outputs.pop_front()
    }

    /// Takes back a fan-out that was sent, so that its lists are used again.
    pub fn recycle(&mut self, fanout: &mut Fanout) {
        self.delivery.recycle(fanout);
    }

    /// Whether there is a request to the logs, a password to be hashed or a push to be sent.
    #[inline]
    #[must_use]
    pub fn is_asking(&self) -> bool {
        !(self.context.requests.is_empty() && self.accounts.jobs.is_empty() && !self.has_pushes())
    }

    /// The next request to the logs, in order.
    pub fn poll_request(&mut self) -> Option<LogRequest> {
        self.context.next_request()
    }
}

/// What the operations use: each room with what it may see below it.
impl Chat {
    /// Questions about rooms and users.
    const fn lookup(&self) -> Lookup<'_> {
        Lookup { context: &self.context, directory: &self.directory, rooms: &self.rooms }
    }

    const fn delivery_mut(&mut self) -> DeliveryMut<'_> {
        let Self { context, rooms, delivery, .. } = self;
        DeliveryMut { context, rooms, delivery }
    }

    const fn ephemeral_mut(&mut self) -> EphemeralMut<'_> {
        let Self { context, directory, rooms, delivery, ephemeral, .. } = self;
        EphemeralMut { context, directory, rooms, delivery, ephemeral }
    }

    /// Begins an operation that waits for the log.
    fn begin(&mut self, op: PendingOp) -> Ticket {
        self.pending.begin(&mut self.rooms, &mut self.delivery, op)
    }

    /// Begins an operation that waits for something to be read.
    fn begin_read(&mut self, op: PendingOp, query: Query) {
        let ticket = self.begin(op);
        self.context.requests.push_back(LogRequest::Read { ticket, query });
    }

    /// The log has answered a ticket: the operation that waited for it.
    fn finish(&mut self, ticket: Ticket) -> Option<PendingOp> {
        self.pending.finish(&mut self.rooms, (&mut self.context, &mut self.delivery), ticket)
    }

    /// Defers a reading until everything that its connection has sent before is answered.
    fn defer(&mut self, conn: ConnId, request: Request, command: Command<'static>) {
        self.pending.defer(&mut self.rooms, &mut self.delivery, (conn, request, command));
    }

    /// Takes back the deferred reading of a connection, if there is one.
    fn take_deferred(&mut self, conn: ConnId) -> Option<PendingOp> {
        self.pending.take_deferred(&mut self.rooms, (&mut self.context, &mut self.delivery), conn)
    }

    /// Answers a request, unless its operation does so itself.
    fn answer(&mut self, by: Requester, result: Result<Answer, Refusal>) {
        match result {
            Ok(Answer::Now(reply)) => self.context.reply(by.conn, by.request, Ok(reply)),
            Ok(Answer::Later) => {}
            Err(refusal) => self.context.reply(by.conn, by.request, Err(refusal)),
        }
    }

    /// Brings the lagging cursors of a connection as far up as they go.
    fn catch_up(&mut self, conn: ConnId) {
        self.delivery_mut().catch_up(conn);
        self.request_pages();
    }

    /// As [`Self::catch_up`]; once all cursors are live, the connection is told what was left out
    /// meanwhile, since its socket may have drained long ago.
    fn bring_up(&mut self, conn: ConnId) {
        self.catch_up(conn);
        self.ephemeral_mut().refresh(conn);
    }

    /// The same for one of its cursors, for which a page has come.
    fn bring_up_room(&mut self, conn: ConnId, room: RoomKey) {
        self.delivery_mut().catch_up_room(conn, room);
        self.ephemeral_mut().refresh(conn);
    }

    /// Has the pages read that lagging cursors wait for.
    fn request_pages(&mut self) {
        while let Some(wanted) = self.delivery.pages.next_to_read() {
            let head = self.rooms.of_log(wanted.log).map_or(0, |key| self.rooms[key].head);
            let (log, from, to) = (wanted.log, wanted.from, wanted.to.min(head));
            self.begin_read(
                PendingOp::Page((log, from)),
                Query::Page { log, from, to, limit: u32::MAX },
            );
        }
    }
}
