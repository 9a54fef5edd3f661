//! One connection to an engine, as its client.

#![warn(clippy::as_conversions, clippy::indexing_slicing, clippy::panic_in_result_fn)]

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{self, Message};
use postgres_protocol::message::frontend;

use crate::pg::error::{EngineError, Fault};
use crate::pg::param::Param;
use crate::pg::row::Row;

/// Bytes of one message of the engine: a row of it is a record, or less.
pub const MESSAGE_LEN_MAX: usize = 4 << 20;

/// Bytes of one message before the login is done: an error with all its fields.
const GREETING_LEN_MAX: usize = 64 << 10;

/// Bytes of the rows of one answer.
pub const REPLY_BYTES_MAX: usize = 32 << 20;

/// Requests that may wait for their answers.
pub const REQUESTS_MAX: usize = 1_024;

const _: () = assert!(REPLY_BYTES_MAX >= MESSAGE_LEN_MAX);

/// Who logs in, and to what.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The role that logs in.
    pub user: Box<str>,
    /// The password, if there is one.
    pub password: Option<Box<str>>,
    /// The name of the database.
    pub database: Box<str>,
    /// Nobody can read along: TLS, or a socket of this machine.
    pub is_private: bool,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({} to {})", self.user, self.database)
    }
}

/// A statement that is prepared on each connection when it is first used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its name, which no other statement has.
    pub name: &'static str,
    /// What it says.
    pub sql: &'static str,
}

/// What comes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The login is done: these are the engine's number of this connection, and its version.
    Ready {
        /// What `pg_stat_activity` and notifications call it.
        process: i32,
        /// Such as `15.18 (Debian 15.18-0+deb12u1)`.
        version: Box<str>,
    },
    /// A request was done: its rows.
    Rows(Vec<Row>),
    /// A request was refused, and nothing of it was done.
    Failed(EngineError),
    /// Somebody has told those who listen.
    Notified {
        /// The number of the connection that did.
        process: i32,
        /// On which channel.
        channel: Box<str>,
        /// What.
        payload: Box<str>,
    },
    /// The engine remarks something beside its answers.
    Noticed(EngineError),
}

/// [`REQUESTS_MAX`] requests wait already: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The protocol of one connection.
///
/// Invariants:
/// - `waiting` has the requests that were sent and have not been answered, oldest first.
/// - `rows` are those of the first of them, and weigh `rows_len`.
#[derive(Debug)]
pub struct Client {
    login: Login,
    phase: Phase,
    input: BytesMut,
    outgoing: BytesMut,
    waiting: VecDeque<Waiting>,
    prepared: BTreeSet<&'static str>,
    rows: Vec<Row>,
    rows_len: usize,
    failed: Option<EngineError>,
    replies: VecDeque<Reply>,
    process: i32,
    version: Box<str>,
}

/// A request without an answer.
#[derive(Debug)]
struct Waiting {
    /// The statement that it prepares.
    prepares: Option<&'static str>,
}

/// How far a connection is.
enum Phase {
    /// The engine is asked to let us in.
    Greeted,
    /// It was told the first, or the second message of SCRAM.
    Proving(Box<ScramSha256>),
    /// It has proved that it knows the password; or none was asked for.
    Proved,
    /// It lets us in, and tells of itself.
    Starting,
    /// Requests are answered.
    Ready,
}

impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Greeted => "Greeted",
            Self::Proving(_) => "Proving",
            Self::Proved => "Proved",
            Self::Starting => "Starting",
            Self::Ready => "Ready",
        })
    }
}

impl Client {
    /// A new connection, which says `settings` of its session (such as `jit`, `off`) at once.
    #[must_use]
    pub fn new(login: Login, settings: &[(&str, &str)]) -> Self {
        let mut outgoing = BytesMut::new();
        let own = [
            ("user", &*login.user),
            ("database", &*login.database),
            ("client_encoding", "UTF8"),
            ("application_name", "chinwag"),
        ];
        let parameters = own.into_iter().chain(settings.iter().copied());
        // It fails only for a parameter with a NUL, which the address cannot have: an engine that
        // is told nothing ends the connection.
        let _ = frontend::startup_message(parameters, &mut outgoing);
        Self {
            login,
            phase: Phase::Greeted,
            input: BytesMut::new(),
            outgoing,
            waiting: VecDeque::new(),
            prepared: BTreeSet::new(),
            rows: Vec::new(),
            rows_len: 0,
            failed: None,
            replies: VecDeque::new(),
            process: 0,
            version: Box::default(),
        }
    }

    /// What is to be sent: whoever sends it takes it out.
    pub const fn outgoing(&mut self) -> &mut BytesMut {
        &mut self.outgoing
    }

    /// How many requests have not been answered.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The next reply.
    pub fn poll(&mut self) -> Option<Reply> {
        self.replies.pop_front()
    }

    /// Asks for a statement to be done, as a transaction of its own.
    ///
    /// # Errors
    ///
    /// [`Busy`] if too many requests wait, or the parameters are more than a message can hold.
    pub fn request(&mut self, statement: Statement, params: &[Param<'_>]) -> Result<(), Busy> {
        if self.waiting.len() >= REQUESTS_MAX {
            return Err(Busy);
        }
        let Statement { name, sql } = statement;
        let before = self.outgoing.len();
        // Marked at once, since requests are pipelined: the next one must not prepare it again
        // before the answer.
        let prepares = self.prepared.insert(name).then_some(name);
        if let Err(error) = self.write_request((name, sql), params, prepares.is_some()) {
            log::error!(error:%, statement = name; "a request to the engine cannot be written");
            self.outgoing.truncate(before);
            if let Some(name) = prepares {
                self.prepared.remove(name);
            }
            return Err(Busy);
        }
        self.waiting.push_back(Waiting { prepares });
        Ok(())
    }

    fn write_request(
        &mut self,
        (name, sql): (&str, &str),
        params: &[Param<'_>],
        prepares: bool,
    ) -> std::io::Result<()> {
        let out = &mut self.outgoing;
        if prepares {
            frontend::parse(name, sql, [], out)?;
        }
        let encode = |param: &Param<'_>, out: &mut BytesMut| Ok(param.encode(out)?);
        // One format for all: binary.
        frontend::bind("", name, [1], params, encode, [1], out)
            .map_err(|_error| std::io::ErrorKind::InvalidInput)?;
        frontend::execute("", 0, out)?;
        // One for each request: an error then ends this one only, and not those that are sent
        // after it.
        frontend::sync(out);
        Ok(())
    }

    /// Asks for several statements, separated by semicolons, to be done in one transaction; their
    /// rows are not told.
    ///
    /// # Errors
    ///
    /// [`Busy`] if too many requests wait.
    pub fn script(&mut self, sql: &str) -> Result<(), Busy> {
        if self.waiting.len() >= REQUESTS_MAX || frontend::query(sql, &mut self.outgoing).is_err() {
            return Err(Busy);
        }
        self.waiting.push_back(Waiting { prepares: None });
        Ok(())
    }

    /// Takes leave of the engine.
    pub fn end(&mut self) {
        frontend::terminate(&mut self.outgoing);
    }

    /// Takes what has come.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the connection is of no use any more; what was not answered may have been done.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.input.extend_from_slice(bytes);
        loop {
            // The header alone, to judge a length before the bytes for it are kept.
            let header = backend::Header::parse(&self.input);
            let header =
                header.map_err(|_error| Fault::Malformed("a message is shorter than it is"))?;
            let Some(header) = header else { return Ok(()) };
            let len = usize::try_from(header.len()).unwrap_or(usize::MAX);
            // By the announced length, before anything is gathered: nobody has proved yet who is at
            // the other end.
            if !matches!(self.phase, Phase::Ready) && len > GREETING_LEN_MAX {
                return Err(Fault::Malformed("a message is longer than any of a login"));
            }
            if len > MESSAGE_LEN_MAX {
                return Err(Fault::TooLong(len));
            }
            let message = Message::parse(&mut self.input);
            let message =
                message.map_err(|_error| Fault::Malformed("an unknown message has come"))?;
            let Some(message) = message else { return Ok(()) };
            self.take(message)?;
        }
    }

    fn take(&mut self, message: Message) -> Result<(), Fault> {
        match message {
            Message::ParameterStatus(status) => {
                if status.name().is_ok_and(|name| name == "server_version") {
                    self.version = status.value().unwrap_or_default().into();
                }
                Ok(())
            }
            Message::NoticeResponse(notice) => {
                let notice = EngineError::read(notice.fields()).map_err(malformed)?;
                self.replies.push_back(Reply::Noticed(notice));
                Ok(())
            }
            message if matches!(self.phase, Phase::Ready) => self.take_answer(message),
            message => self.take_greeting(message),
        }
    }

    /// A message before the login is done.
    fn take_greeting(&mut self, message: Message) -> Result<(), Fault> {
        let phase = std::mem::replace(&mut self.phase, Phase::Proved);
        self.phase = match (phase, message) {
            (_, Message::ErrorResponse(error)) => {
                let error = EngineError::read(error.fields()).map_err(malformed)?;
                return Err(Fault::Refused(error));
            }
            // Also right after the greeting: the engine may trust this address. In the middle of
            // SCRAM it is refused, or an impostor could leave out the proof that it knows the
            // password.
            (Phase::Greeted | Phase::Proved, Message::AuthenticationOk) => Phase::Starting,
            (Phase::Greeted, Message::AuthenticationSasl(offered)) => {
                let has = offered.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !has.map_err(malformed)? {
                    return Err(Fault::Authentication("a mechanism other than SCRAM-SHA-256"));
                }
                let password = self.login.password.as_deref().ok_or(Fault::NoPassword)?;
                let scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut self.outgoing)
                    .map_err(malformed)?;
                Phase::Proving(Box::new(scram))
            }
            (Phase::Proving(mut scram), Message::AuthenticationSaslContinue(body)) => {
                scram.update(body.data()).map_err(|error| scram_fault(&error))?;
                frontend::sasl_response(scram.message(), &mut self.outgoing).map_err(malformed)?;
                Phase::Proving(scram)
            }
            (Phase::Proving(mut scram), Message::AuthenticationSaslFinal(body)) => {
                // The engine's part of the proof: only one that has the password's verifier can
                // give it.
                scram.finish(body.data()).map_err(|error| scram_fault(&error))?;
                Phase::Proved
            }
            (Phase::Greeted, Message::AuthenticationCleartextPassword) => {
                if !self.login.is_private {
                    return Err(Fault::Exposed);
                }
                let password = self.login.password.as_deref().ok_or(Fault::NoPassword)?;
                frontend::password_message(password.as_bytes(), &mut self.outgoing)
                    .map_err(malformed)?;
                Phase::Proved
            }
            (Phase::Greeted, Message::AuthenticationMd5Password(_)) => {
                return Err(Fault::Authentication("an MD5 password"));
            }
            (
                Phase::Greeted,
                Message::AuthenticationGss
                | Message::AuthenticationSspi
                | Message::AuthenticationKerberosV5
                | Message::AuthenticationScmCredential,
            ) => return Err(Fault::Authentication("Kerberos or the like")),
            (Phase::Starting, Message::BackendKeyData(data)) => {
                self.process = data.process_id();
                Phase::Starting
            }
            (Phase::Starting, Message::ReadyForQuery(_)) => {
                let (process, version) = (self.process, self.version.clone());
                self.replies.push_back(Reply::Ready { process, version });
                Phase::Ready
            }
            _ => return Err(Fault::Malformed("the login is answered out of order")),
        };
        Ok(())
    }

    /// A message once the login is done.
    fn take_answer(&mut self, message: Message) -> Result<(), Fault> {
        match message {
            Message::NotificationResponse(told) => {
                let channel = told.channel().map_err(malformed)?.into();
                let payload = told.message().map_err(malformed)?.into();
                let process = told.process_id();
                self.replies.push_back(Reply::Notified { process, channel, payload });
                return Ok(());
            }
            // The engine ends a connection by an error that answers nothing.
            Message::ErrorResponse(error) if self.waiting.is_empty() => {
                let error = EngineError::read(error.fields()).map_err(malformed)?;
                return Err(Fault::Refused(error));
            }
            _ if self.waiting.is_empty() => {
                return Err(Fault::Malformed("an answer has come to nothing"));
            }
            _ => {}
        }
        match message {
            Message::ParseComplete => {
                if let Some(first) = self.waiting.front_mut() {
                    first.prepares = None;
                }
                Ok(())
            }
            Message::BindComplete
            | Message::RowDescription(_)
            | Message::NoData
            | Message::CommandComplete(_)
            | Message::EmptyQueryResponse => Ok(()),
            Message::DataRow(row) => self.take_row(&row),
            Message::ErrorResponse(error) => {
                let error = EngineError::read(error.fields()).map_err(malformed)?;
                // Kept until `ReadyForQuery`, which alone ends a request.
                self.failed.get_or_insert(error);
                Ok(())
            }
            Message::ReadyForQuery(_) => {
                self.finish();
                Ok(())
            }
            _ => Err(Fault::Malformed("a message has come that answers no request")),
        }
    }

    fn take_row(&mut self, row: &backend::DataRowBody) -> Result<(), Fault> {
        let columns = row.ranges().collect::<Vec<_>>().map_err(malformed)?;
        // The bytes are shared and not copied: a row keeps the buffer that it came in alive.
        let row = Row { bytes: row.buffer_bytes().clone(), columns: columns.into() };
        self.rows_len = self.rows_len.saturating_add(row.weight());
        if self.rows_len > REPLY_BYTES_MAX {
            return Err(Fault::TooLong(self.rows_len));
        }
        self.rows.push(row);
        Ok(())
    }

    /// The first request is answered.
    fn finish(&mut self) {
        if let Some(Waiting { prepares: Some(name) }) = self.waiting.pop_front() {
            // It was refused before it was prepared.
            self.prepared.remove(name);
        }
        let rows = std::mem::take(&mut self.rows);
        self.rows_len = 0;
        self.replies.push_back(match self.failed.take() {
            Some(error) => Reply::Failed(error),
            None => Reply::Rows(rows),
        });
    }
}

fn malformed(_: std::io::Error) -> Fault {
    Fault::Malformed("a message of the engine cannot be read")
}

fn scram_fault(error: &std::io::Error) -> Fault {
    Fault::Scram(error.to_string().into())
}

#[cfg(test)]
mod tests;
