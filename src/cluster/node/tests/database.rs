//! A database of an engine, for tests.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};

use super::super::webhooks::Ask;
use crate::cluster::{SCHEMA, SETTINGS};
use crate::pg::{Address, Client, Host, Login, Param, Reply, Row, Statement, WrongType};

/// A database of its own, removed at the end.
#[derive(Debug)]
pub(crate) struct Database {
    admin: Address,
    /// Where it is.
    pub(crate) address: Address,
}

impl Database {
    /// A new one with our schema, if there is an engine.
    pub(crate) fn new() -> Option<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let named = std::env::var_os("CHINWAG_TEST_ENGINE")?;
        let admin: Address = named.to_str().unwrap().parse().unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chinwag_test_{}_{count}", std::process::id());
        // One that has our schema already, and tables of which the engine knows something else.
        let template = std::env::var_os("CHINWAG_TEST_TEMPLATE");
        let template = template.map(|name| name.into_string().unwrap());
        let from = template.as_deref().unwrap_or("template0");
        run(&admin, &[&format!("CREATE DATABASE {name} TEMPLATE {from} ENCODING 'UTF8'")]);
        let address = Address { database: name.into(), ..admin.clone() };
        if template.is_none() {
            run(&address, &[SCHEMA]);
        }
        Some(Self { admin, address })
    }

    /// Has statements done.
    pub(crate) fn run(&self, statements: &[&str]) {
        run(&self.address, statements);
    }

    /// A connection of its own.
    pub(crate) fn session(&self) -> Session {
        Session::open(&self.address)
    }

    /// Asks for one number.
    pub(crate) fn number(&self, sql: &'static str) -> i64 {
        let mut session = Session::open(&self.address);
        session.client.request(Statement { name: "number", sql }, &[] as &[Param<'_>]).unwrap();
        match session.wait() {
            Reply::Rows(rows) => rows[0].int(0).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// How much of the logs is not in the index of words.
    pub(crate) fn unindexed(&self) -> i64 {
        self.number(
            "SELECT (SELECT count(*) FROM chinwag.room r LEFT JOIN chinwag.search s ON s.room = r.id \
             WHERE r.head > coalesce(s.upto, 0) AND r.oldest <= r.head) \
             + (SELECT count(*) FROM chinwag.word w WHERE w.words IS NULL)",
        )
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        run(&self.admin, &[&format!("DROP DATABASE {} WITH (FORCE)", self.address.database)]);
    }
}

/// A connection to a host of the engine.
pub(super) fn connect(address: &Address, host: usize) -> TcpStream {
    let Host::Tcp(name, port) = &address.hosts[host] else { panic!("no TCP address") };
    let stream = TcpStream::connect((&**name, *port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Has statements done, each by itself.
fn run(address: &Address, statements: &[&str]) {
    let mut session = Session::open(address);
    for statement in statements {
        session.run(statement);
    }
}

/// A connection to the engine that waits for each answer.
pub(crate) struct Session {
    stream: TcpStream,
    client: Client,
}

impl Session {
    fn open(address: &Address) -> Self {
        let stream = connect(address, 0);
        let (user, password) = (address.user.clone(), address.password.clone());
        let login = Login { user, password, database: address.database.clone(), is_private: true };
        let mut session = Self { stream, client: Client::new(login, SETTINGS) };
        session.wait();
        session
    }

    /// Has a statement done, or several.
    pub(crate) fn run(&mut self, statements: &str) {
        self.client.script(statements).unwrap();
        self.wait();
    }

    fn wait(&mut self) -> Reply {
        loop {
            let out = self.client.outgoing().split();
            self.stream.write_all(&out).unwrap();
            match self.client.poll() {
                Some(Reply::Noticed(_) | Reply::Notified { .. }) => {}
                Some(Reply::Failed(error)) => panic!("{error}"),
                Some(reply) => return reply,
                None => {
                    let mut bytes = [0; 16 << 10];
                    let count = self.stream.read(&mut bytes).unwrap();
                    assert!(count > 0, "the engine has closed the connection");
                    self.client.receive(&bytes[..count]).unwrap();
                }
            }
        }
    }
}

impl Ask for Session {
    type Error = WrongType;

    fn ask_for(
        &mut self,
        statement: Statement,
        params: &[Param<'_>],
    ) -> Result<Vec<Row>, WrongType> {
        self.client.request(statement, params).unwrap();
        match self.wait() {
            Reply::Rows(rows) => Ok(rows),
            other => panic!("{other:?}"),
        }
    }
}
