//! Somebody who wants a name, alone or with others, and what they make of answers.

use chinwag::chat::model::account::{Extra, Hidden, NewSecret, SecretHash};
use chinwag::chat::model::output::{Encoding, Request};
use chinwag::chat::{Command, Hello, Op, Refusal, Reply, RequestId};
use chinwag::net::ConnId;

use super::World;
use crate::history::Check;

const UNAUTHORIZED: u16 = 2001;
const NAME_TAKEN: u16 = 2005;
const RATE_LIMITED: u16 = 5001;

/// What somebody waits for.
#[derive(Clone, Debug)]
enum Asked {
    Register {
        password: String,
        secret: SecretHash,
    },
    /// With the version of the claim when it was asked for.
    Login {
        password: String,
        secret: SecretHash,
        version: u64,
    },
    Hello,
    Change {
        password: String,
    },
}

/// A login that was answered.
#[derive(Clone, Copy, Debug)]
struct Token {
    secret: SecretHash,
    /// How many logins of the name had been asked for.
    nth: u64,
    /// A change of the password that was not answered may have ended it.
    is_certain: bool,
}

#[derive(Debug)]
pub(super) struct Person {
    id: usize,
    pub(super) name: &'static str,
    /// Passwords that were asked for, the latest last.
    passwords: Vec<String>,
    conn: Option<ConnId>,
    is_in: bool,
    asked: Option<Asked>,
    token: Option<Token>,
}

impl Person {
    pub(super) const fn new(id: usize, name: &'static str) -> Self {
        Self { id, name, passwords: Vec::new(), conn: None, is_in: false, asked: None, token: None }
    }

    pub(super) fn is_on(&self, conn: ConnId) -> bool {
        self.conn == Some(conn)
    }

    pub(super) const fn is_waiting(&self) -> bool {
        self.asked.is_some()
    }

    /// Is told a password by the operator.
    pub(super) fn learn(&mut self, password: &str) {
        self.passwords.push(password.to_owned());
    }

    /// Whatever was asked for is not answered any more.
    pub(super) fn lose_connection(&mut self) {
        (self.conn, self.is_in, self.asked) = (None, false, None);
    }
}

impl World {
    /// Somebody does something of their own accord.
    pub(super) fn act(&mut self, id: usize) -> Check {
        self.check_token(id)?;
        let person = &self.people[id];
        if person.is_waiting() {
            if self.rng.once_in(30) {
                self.vanish(id);
            }
            return Ok(());
        }
        if person.is_in {
            match self.rng.below(3) {
                0 => self.ask_to_change(id),
                1 => self.vanish(id),
                _ => {}
            }
            return Ok(());
        }
        match self.rng.below(6) {
            0 => self.ask_to_register(id),
            1..4 if self.people[id].token.is_some() => self.say_hello(id),
            _ if !self.people[id].passwords.is_empty() => {
                let passwords = &self.people[id].passwords;
                let latest = passwords.last().filter(|_| self.rng.once_in(2));
                let password = latest.unwrap_or_else(|| self.rng.pick(passwords)).clone();
                self.ask_login(id, &password);
            }
            _ => {}
        }
        Ok(())
    }

    /// Ends its connection without a word.
    pub(super) fn vanish(&mut self, id: usize) {
        if let Some(conn) = self.people[id].conn {
            self.chat.handle_closed(self.now, conn);
            self.people[id].lose_connection();
        }
    }

    /// The connection of somebody, a new one if there is none.
    fn connection(&mut self, id: usize) -> ConnId {
        let generation = self.unique();
        let new = ConnId::new(id, generation).expect("a simulation has few connections");
        *self.people[id].conn.get_or_insert(new)
    }

    fn extra(&mut self) -> (SecretHash, Extra) {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&self.unique().to_be_bytes());
        let secret = SecretHash(hash);
        (secret, Extra { new: NewSecret::new(secret, "secret"), given: None, address: None })
    }

    /// Asks to register, with a password that nobody else has.
    pub(super) fn ask_to_register(&mut self, id: usize) {
        let (conn, (secret, extra)) = (self.connection(id), self.extra());
        let password = format!("first-{id}-{}", self.unique());
        let (name, life) = (self.people[id].name, self.life);
        self.claim(id).ask(&password, life, true);
        let command = Command::Register {
            name: name.into(),
            password: Hidden::new(password.clone()),
            invite: None,
            agent: None,
        };
        self.people[id].learn(&password);
        self.people[id].asked = Some(Asked::Register { password, secret });
        self.chat.handle_account(self.now, conn, request(Op::Register), (command, extra));
    }

    /// Asks to log in.
    pub(super) fn ask_login(&mut self, id: usize, password: &str) {
        let (conn, (secret, extra)) = (self.connection(id), self.extra());
        let name = self.people[id].name;
        let claim = self.claim(id);
        claim.logins += 1;
        let version = claim.version;
        let (hidden, password) = (Hidden::new(password), password.to_owned());
        let command = Command::Login { name: name.into(), password: hidden, agent: None };
        self.people[id].asked = Some(Asked::Login { password, secret, version });
        self.chat.handle_account(self.now, conn, request(Op::Login), (command, extra));
    }

    fn say_hello(&mut self, id: usize) {
        let Some(Token { secret, .. }) = self.people[id].token else { return };
        // Its session could not be had by what is no token any more.
        let Some(identity) = self.chat.bearer(&secret) else { return };
        let conn = self.connection(id);
        let hello = Hello {
            name: None,
            resume: None,
            secret: self.unique().into(),
            encoding: Encoding::default(),
            identity: Some(identity),
            is_visit: false,
        };
        self.people[id].asked = Some(Asked::Hello);
        self.chat.handle_hello(self.now, conn, request(Op::Hello), hello);
    }

    fn ask_to_change(&mut self, id: usize) {
        let (conn, life) = (self.connection(id), self.life);
        let old = self.people[id].passwords.last().cloned().unwrap_or_default();
        let new = format!("new-{id}-{}", self.unique());
        self.claim(id).ask(&new, life, false);
        // Whether it ends the others' logins is not known until it is answered.
        let name = self.people[id].name;
        for person in self.people.iter_mut().filter(|person| person.name == name) {
            person.token.iter_mut().for_each(|token| token.is_certain = false);
        }
        let command = Command::Password { old: Hidden::new(old), new: Hidden::new(new.clone()) };
        self.people[id].learn(&new);
        self.people[id].asked = Some(Asked::Change { password: new });
        self.chat.handle_command(self.now, conn, request(Op::Password), command);
    }

    fn claim(&mut self, id: usize) -> &mut super::Claim {
        self.claims.get_mut(self.people[id].name).expect("a claim for each name")
    }

    /// Somebody is answered.
    pub(super) fn answer(&mut self, to: ConnId, result: &Result<Reply, Refusal>) -> Check {
        let Some(id) = self.people.iter().position(|person| person.is_on(to)) else {
            return Ok(());
        };
        let asked = self.people[id].asked.take().ok_or("an answer to nothing")?;
        let code = result.as_ref().err().map_or(0, |refusal| refusal.code.number());
        let told = format!("{id} of {}: {asked:?} is answered with {code}", self.people[id].name);
        match asked {
            Asked::Register { password, secret } => match code {
                0 => {
                    self.outcome.registered += 1;
                    self.claim(id).on_registered(&password, true)?;
                    self.note_token(id, secret);
                }
                NAME_TAKEN => {
                    self.outcome.taken += 1;
                    self.claim(id).on_registered(&password, false)?;
                }
                RATE_LIMITED => self.claim(id).forget(&password),
                _ => return Err(told),
            },
            Asked::Login { password, secret, version } => match code {
                0 | UNAUTHORIZED => {
                    let life = self.life;
                    self.claim(id).on_login(&password, (code == 0, version, life))?;
                    if code == 0 {
                        self.tell_devices(id, &password);
                        self.outcome.logged_in += 1;
                        self.note_token(id, secret);
                    } else {
                        self.outcome.refused += 1;
                    }
                }
                RATE_LIMITED => {}
                _ => return Err(told),
            },
            Asked::Hello if code == 0 => self.people[id].is_in = true,
            Asked::Hello => return Err(told),
            Asked::Change { password } => match code {
                0 => {
                    self.outcome.changed += 1;
                    self.claim(id).on_changed(&password);
                    self.tell_devices(id, &password);
                    self.end_other_tokens(id)?;
                }
                UNAUTHORIZED | RATE_LIMITED => self.claim(id).forget(&password),
                _ => return Err(told),
            },
        }
        Ok(())
    }

    /// Some of those who want a name are one user's devices: they learn what is right.
    fn tell_devices(&mut self, id: usize, password: &str) {
        let name = self.people[id].name;
        let others = self.people.iter_mut().filter(|other| other.name == name);
        for other in others.filter(|other| other.id == id || !other.id.is_multiple_of(4)) {
            other.passwords.retain(|known| known != password);
            other.learn(password);
        }
    }

    fn note_token(&mut self, id: usize, secret: SecretHash) {
        let claim = self.claim(id);
        let (nth, is_certain) = (claim.logins, !claim.is_changing());
        self.people[id].token = Some(Token { secret, nth, is_certain });
    }

    /// A changed password ends all other logins of the account.
    fn end_other_tokens(&mut self, id: usize) -> Check {
        let name = self.people[id].name;
        let others = self.people.iter_mut().filter(|other| other.name == name && other.id != id);
        self.ended.extend(others.filter_map(|other| other.token.take()).map(|token| token.secret));
        self.check_ended()
    }

    /// A login that a changed password has ended is over for good.
    pub(super) fn check_ended(&self) -> Check {
        match self.ended.iter().find_map(|secret| self.chat.bearer(secret)) {
            Some(identity) => Err(format!("{} is in by a former password", identity.subject)),
            None => Ok(()),
        }
    }

    /// A login that was answered is good, whatever has died since.
    pub(super) fn check_token(&mut self, id: usize) -> Check {
        /// Logins after which the first of them may have made room: see `LOGINS_MAX`.
        const LOGINS: u64 = 30;
        let logins = self.claim(id).logins;
        let person = &self.people[id];
        let Some(token) = person.token.filter(|token| logins < token.nth + LOGINS) else {
            return Ok(());
        };
        match self.chat.bearer(&token.secret) {
            Some(identity) if *identity.subject == *person.name => Ok(()),
            None if !token.is_certain => Ok(()),
            found => Err(format!("the login of {id} as {} is {found:?}", person.name)),
        }
    }
}

fn request(op: Op) -> Request {
    Request { id: Some(RequestId("1".into())), op }
}
