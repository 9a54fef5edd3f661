//! Accounts under any schedule: people who register, log in and change their passwords race for
//! names, with each other and with the operator's command, and the process dies between any two
//! steps.
//!
//! ```text
//!  request ─▶ Chat ─▶ job ─▶ hashed ─▶ Chat ─▶ transaction ─▶ written ─▶ reply ─▶ Chat ─▶ answer
//! ```
//!
//! A step takes one of these arrows. What holds of each name is in `claim`, what is kept over the
//! deaths of the process in `keeper`.

mod claim;
mod keeper;
mod person;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chinwag::chat::model::account::{
    HashJob, HashOf, Hashed, Hidden, SecretHash, cost_of, salt_of,
};
use chinwag::chat::model::identity::{AuthPolicy, Registration};
use chinwag::chat::model::log::{LogReply, LogRequest, Logs as _, Snapshot, Ticket};
use chinwag::chat::model::output::Output;
use chinwag::chat::model::people::PeopleChange;
use chinwag::chat::{Chat, Limits, UserName};
use chinwag::rng::Rng;
use chinwag::store::MemoryStore;
use chinwag::time::Tick;
use chinwag::time::clock::Now;

use self::claim::Claim;
pub(crate) use self::keeper::AccountFault;
use self::keeper::Keeper;
use self::person::Person;
use crate::history::Check;
use crate::world::BEGINNING_MS;

/// The names that people want: several want each.
const NAMES: &[&str] = &["ann", "bob", "cat", "dan", "eve"];
const PEOPLE: usize = 12;
/// The process dies in the middle of one transaction in so many, and between two steps in so many.
const TORN: u64 = 25;
const CRASH: u64 = 400;
/// Steps in which all that is under way comes to an end, if nobody asks for more.
const REST: u64 = 400;

/// What the checker found, and how much there was to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    /// What is wrong, `None` if nothing is.
    pub(crate) fault: Option<String>,
    pub(crate) registered: u64,
    /// Registrations that came too late.
    pub(crate) taken: u64,
    pub(crate) logged_in: u64,
    pub(crate) refused: u64,
    pub(crate) changed: u64,
    /// Accounts that the operator's command has added.
    pub(crate) added: u64,
    /// Hashes that were renewed.
    pub(crate) renewed: u64,
    /// Deaths of the process, and those in the middle of a transaction.
    pub(crate) crashes: u64,
    pub(crate) torn: u64,
    /// How many times something was broken on purpose.
    pub(crate) broken: u64,
}

impl Outcome {
    const fn counts(&self) -> [u64; 9] {
        let Self { registered, taken, logged_in, refused, changed, .. } = self;
        let Self { added, renewed, crashes, torn, .. } = self;
        [*registered, *taken, *logged_in, *refused, *changed, *added, *renewed, *crashes, *torn]
    }

    /// Adds the counts of another run.
    pub(crate) const fn add(&mut self, other: &Self) {
        self.registered += other.registered;
        self.taken += other.taken;
        self.logged_in += other.logged_in;
        self.refused += other.refused;
        self.changed += other.changed;
        self.added += other.added;
        self.renewed += other.renewed;
        self.crashes += other.crashes;
        self.torn += other.torn;
    }

    /// Whether everything that the checker looks for could have happened.
    pub(crate) fn has_everything(&self) -> bool {
        self.counts().iter().all(|count| *count > 10)
    }
}

/// Lives through `steps` steps of the world of `seed`, and its end.
pub(crate) fn run(seed: u64, steps: u64, fault: Option<AccountFault>) -> Outcome {
    let mut world = World::new(seed, fault);
    let lived = world.live(steps).and_then(|()| world.end());
    let fault = lived.err().map(|fault| format!("{}: {fault}", world.now.tick.as_millis()));
    Outcome { fault, broken: world.keeper.broken, ..world.outcome }
}

struct World {
    rng: Rng,
    now: Now,
    chat: Chat,
    people: Vec<Person>,
    claims: BTreeMap<&'static str, Claim>,
    keeper: Keeper,
    /// Logins that were ended by changes of passwords.
    ended: Vec<SecretHash>,
    /// Nothing dies any more.
    is_resting: bool,
    /// Which process it is.
    life: u64,
    /// Salts, secrets and generations of connections: none comes twice.
    unique: u64,
    jobs: VecDeque<HashJob>,
    /// Transactions that are not written, and whether they were answered.
    queue: VecDeque<(Ticket, Vec<PeopleChange>, bool)>,
    replies: VecDeque<LogReply>,
    memory: MemoryStore,
    outcome: Outcome,
}

fn limits() -> Limits {
    let registration = Registration::Open;
    let auth = AuthPolicy { accounts: true, registration, ..AuthPolicy::default() };
    Limits { auth, leave_grace: Duration::from_secs(1), ..Limits::default() }
}

impl World {
    fn new(seed: u64, fault: Option<AccountFault>) -> Self {
        let now = Now { tick: Tick::from_millis(1), wall_ms: BEGINNING_MS };
        let mut world = Self {
            rng: Rng::new(seed),
            now,
            chat: Chat::new(limits(), now),
            people: (0..PEOPLE).map(|id| Person::new(id, NAMES[id % NAMES.len()])).collect(),
            claims: NAMES.iter().map(|name| (*name, Claim::default())).collect(),
            keeper: Keeper { fault, ..Keeper::default() },
            ended: Vec::new(),
            is_resting: false,
            life: 0,
            unique: 0,
            jobs: VecDeque::new(),
            queue: VecDeque::new(),
            replies: VecDeque::new(),
            memory: MemoryStore::new(),
            outcome: Outcome::default(),
        };
        world.keeper.people.proved = true;
        world.begin();
        world
    }

    /// A number that nothing else has.
    const fn unique(&mut self) -> u64 {
        self.unique += 1;
        self.unique
    }

    fn live(&mut self, steps: u64) -> Check {
        for _ in 0..steps {
            let pause = *self.rng.pick(&[1, 50, 4_000]);
            self.pass(pause);
            match self.rng.below(100) {
                0..40 => {
                    let id = self.rng.index(PEOPLE);
                    self.act(id)?;
                }
                40..97 => self.work()?,
                97 => self.add_user()?,
                _ => {}
            }
            self.take()?;
            if self.rng.once_in(CRASH) {
                self.crash()?;
            }
        }
        Ok(())
    }

    fn pass(&mut self, ms: u64) {
        self.now.tick = self.now.tick.after(Duration::from_millis(ms));
        self.now.wall_ms += ms;
        if self.chat.next_deadline() <= self.now.tick {
            self.chat.handle_timers(self.now);
        }
    }

    /// One of the threads beside the loop does something, or the loop hears of it.
    fn work(&mut self) -> Check {
        match self.rng.below(3) {
            0 => self.hash(),
            1 if self.is_resting || self.queue.is_empty() || !self.rng.once_in(TORN) => {
                self.write()?;
            }
            1 => self.crash()?,
            _ => {
                if let Some(reply) = self.replies.pop_front() {
                    if matches!(reply, LogReply::People(_)) {
                        self.claims.values_mut().for_each(Claim::on_noticed);
                    }
                    self.chat.on_log_reply(self.now, reply);
                }
            }
        }
        Ok(())
    }

    /// What a new hash costs. It changes far more often than anybody's budget of memory, so that
    /// renewals meet changes of the password.
    const fn cost(&self) -> &'static str {
        if (self.now.wall_ms / 20_000).is_multiple_of(2) { "$small" } else { "$large" }
    }

    /// The thread that hashes: a hash is its cost, its salt and the password.
    fn hash(&mut self) {
        let Some(HashJob { ticket, password, of, costs }) = self.jobs.pop_front() else { return };
        let (password, cost) = (password.reveal(), self.cost());
        let outcome = match of {
            None => {
                let salt = self.unique();
                Hashed::Made(Hidden::new(format!("{cost}${salt}${password}")))
            }
            Some(HashOf::Nobody) => Hashed::Compared(false),
            Some(HashOf::Account(hash)) => {
                let (hash, theirs) = (hash.reveal(), cost_of(hash.reveal()));
                let is_spent = costs.is_empty() || costs.iter().any(|cost| **cost == *theirs);
                assert!(is_spent, "a login with {hash} costs {costs:?}");
                match hash.rsplit_once('$') {
                    Some((_, right)) if right == password && theirs != cost => {
                        self.outcome.renewed += 1;
                        let salt = salt_of(hash);
                        Hashed::Renewed(Hidden::new(format!("{cost}${salt}${password}")))
                    }
                    Some((_, right)) => Hashed::Compared(right == password),
                    None => Hashed::Failed,
                }
            }
        };
        self.chat.on_hashed(self.now, ticket, outcome);
    }

    /// The thread that writes.
    fn write(&mut self) -> Check {
        let Some((ticket, changes, is_answered)) = self.queue.pop_front() else { return Ok(()) };
        let outcome = self.keeper.write(&changes);
        if !is_answered {
            self.replies.push_back(LogReply::Synced { ticket, outcome });
        }
        self.keeper.check()
    }

    /// The operator's command adds an account beside the server, which is told.
    fn add_user(&mut self) -> Check {
        let name = *self.rng.pick(NAMES);
        let (salt, parsed) = (self.unique(), UserName::parse(name).expect("a name"));
        let password = format!("operator-{salt}");
        let hash = Hidden::new(format!("{}${salt}${password}", self.cost()));
        if self.keeper.add(&parsed, hash) {
            self.outcome.added += 1;
            self.claims.get_mut(name).expect("a claim").on_added(&password)?;
            let owner = self.people.iter_mut().find(|person| person.name == name);
            owner.expect("somebody wants it").learn(&password);
            self.replies.push_back(LogReply::People(Box::new(self.keeper.people.clone())));
        }
        Ok(())
    }

    /// The process dies, perhaps in the middle of a transaction, and another one takes its place.
    fn crash(&mut self) -> Check {
        self.outcome.crashes += 1;
        if let Some((_, changes, _)) = self.queue.pop_front() {
            self.outcome.torn += 1;
            let count = self.rng.index(changes.len() + 1);
            if self.keeper.fault == Some(AccountFault::Torn) {
                self.keeper.tear(&changes, count);
            } else if self.rng.once_in(2) {
                _ = self.keeper.write(&changes);
            }
        }
        if self.queue.iter().any(|(_, _, is_answered)| *is_answered) {
            self.keeper.broken += 1;
        }
        self.keeper.check()?;
        self.begin();
        for id in 0..PEOPLE {
            self.people[id].lose_connection();
            self.check_token(id)?;
        }
        self.check_ended()
    }

    fn begin(&mut self) {
        self.life += 1;
        self.chat = Chat::new(limits(), self.now);
        let people = self.keeper.people.clone();
        self.chat.restore(self.now, Snapshot { people, ..Snapshot::default() });
        self.memory = MemoryStore::new();
        self.jobs.clear();
        self.queue.clear();
        self.replies.clear();
        self.claims.values_mut().for_each(Claim::on_noticed);
    }

    /// Takes what the domain wants done and said.
    fn take(&mut self) -> Check {
        self.chat.end_turn(self.now);
        while let Some(job) = self.chat.poll_job() {
            self.jobs.push_back(job);
        }
        while let Some(request) = self.chat.poll_request() {
            if let LogRequest::People { ticket, changes } = request {
                let is_early = self.keeper.fault == Some(AccountFault::Early);
                if is_early {
                    self.replies.push_back(LogReply::Synced { ticket, outcome: Ok(()) });
                }
                self.queue.push_back((ticket, changes, is_early));
            } else {
                self.memory.request(self.now, request);
            }
        }
        while let Some(reply) = self.memory.poll() {
            self.replies.push_back(reply);
        }
        while let Some(output) = self.chat.poll_output() {
            match output {
                Output::Reply { to, result, .. } => self.answer(to, &result)?,
                Output::Close { conn, .. } => {
                    self.chat.handle_closed(self.now, conn);
                    let mut people = self.people.iter_mut();
                    if let Some(person) = people.find(|person| person.is_on(conn)) {
                        person.lose_connection();
                    }
                }
                Output::Event { .. }
                | Output::Shared { .. }
                | Output::Fanout(_)
                | Output::Wake { .. } => {}
            }
        }
        #[cfg(debug_assertions)]
        self.chat.debug_check();
        Ok(())
    }

    /// Nobody asks for anything: what is under way ends.
    fn rest(&mut self) -> Check {
        for _ in 0..REST {
            self.pass(100);
            self.work()?;
            self.take()?;
        }
        let is_idle = self.jobs.is_empty() && self.queue.is_empty() && self.replies.is_empty();
        let waits = self.people.iter().find(|person| person.is_waiting());
        match waits {
            None if is_idle => Ok(()),
            waits => Err(format!("it does not come to an end: {waits:?}")),
        }
    }

    /// At the end each name is somebody's, who can log in, or free, and then it can be registered.
    fn end(&mut self) -> Check {
        self.is_resting = true;
        self.rest()?;
        for name in NAMES {
            let id = self.people.iter().position(|person| person.name == *name);
            let id = id.expect("somebody wants it");
            self.vanish(id);
            for password in self.claims[name].candidates() {
                self.pass(60_000);
                self.ask_login(id, &password);
                self.take()?;
                self.rest()?;
            }
            if !self.claims[name].is_taken {
                self.ask_to_register(id);
                self.take()?;
                self.rest()?;
            }
            if !self.claims[name].is_taken {
                return Err(format!("{name} is free, and cannot be had"));
            }
        }
        (0..PEOPLE).try_for_each(|id| self.check_token(id))
    }
}
