//! A connection against an engine of a few lines, which says what it is told to say.

use proptest::prelude::*;

use super::*;
use crate::pg::WrongType;

const ONE: Statement = Statement { name: "one", sql: "SELECT 1" };
const TWO: Statement = Statement { name: "two", sql: "SELECT 2" };

/// A message of the engine.
fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &len.to_be_bytes(), body].concat()
}

fn authentication(kind: u32, rest: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes(), rest].concat())
}

fn error(code: &str, text: &str) -> Vec<u8> {
    message(b'E', format!("SERROR\0C{code}\0M{text}\0\0").as_bytes())
}

fn row(columns: &[Option<&[u8]>]) -> Vec<u8> {
    let mut body = u16::try_from(columns.len()).unwrap().to_be_bytes().to_vec();
    for column in columns {
        let len = column.map_or(-1, |bytes| i32::try_from(bytes.len()).unwrap());
        body.extend(len.to_be_bytes());
        body.extend(column.unwrap_or_default());
    }
    message(b'D', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// What an engine says that trusts us.
fn welcome() -> Vec<u8> {
    [
        authentication(0, b""),
        message(b'S', b"server_version\x0015.18\0"),
        message(b'K', &[0, 0, 0, 7, 0, 0, 0, 8]),
        ready(),
    ]
    .concat()
}

fn login(password: Option<&str>, is_private: bool) -> Login {
    let password = password.map(Into::into);
    Login { user: "chat".into(), password, database: "log".into(), is_private }
}

fn connected() -> Client {
    let mut client = Client::new(login(None, true), &[]);
    client.receive(&welcome()).unwrap();
    client.outgoing().clear();
    assert_eq!(client.poll(), Some(Reply::Ready { process: 7, version: "15.18".into() }));
    client
}

fn polled(client: &mut Client) -> Vec<Reply> {
    std::iter::from_fn(|| client.poll()).collect()
}

fn refused(code: &str, message: &str) -> EngineError {
    EngineError { code: code.into(), message: message.into(), detail: "".into() }
}

/// The tags of the messages in it.
fn tags(mut bytes: &[u8]) -> String {
    let mut tags = String::new();
    while let Some((&[tag, a, b, c, d], _)) = bytes.split_first_chunk::<5>() {
        tags.push(char::from(tag));
        bytes = &bytes[1 + usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap()..];
    }
    tags
}

#[test]
fn a_startup_message_says_who_and_with_which_settings() {
    let mut client = Client::new(login(None, true), &[("jit", "off")]);
    let sent = client.outgoing().to_vec();
    assert_eq!(&sent[4..8], [0, 3, 0, 0]);
    let text = String::from_utf8(sent[8..].to_vec()).unwrap();
    let expect = "user\0chat\0database\0log\0client_encoding\0UTF8\0application_name\0chinwag\0\
                  jit\0off\0\0";
    assert_eq!(text, expect);
}

#[test]
fn an_engine_that_cannot_be_trusted_or_understood_is_a_fault() {
    let scram = authentication(10, b"SCRAM-SHA-256\0\0");
    for (password, is_private, said, expect) in [
        (None, true, scram.clone(), Fault::NoPassword),
        (None, true, authentication(3, b""), Fault::NoPassword),
        (Some("x"), false, authentication(3, b""), Fault::Exposed),
        (Some("x"), true, authentication(5, b"salt"), Fault::Authentication("an MD5 password")),
        (Some("x"), true, authentication(7, b""), Fault::Authentication("Kerberos or the like")),
        (
            Some("x"),
            true,
            authentication(10, b"SCRAM-SHA-1\0\0"),
            Fault::Authentication("a mechanism other than SCRAM-SHA-256"),
        ),
        // Whoever asks for a proof has to give one.
        (
            Some("x"),
            true,
            [scram.clone(), authentication(0, b"")].concat(),
            Fault::Malformed("the login is answered out of order"),
        ),
        (None, true, error("28P01", "no"), Fault::Refused(refused("28P01", "no"))),
        (
            None,
            true,
            b"HTTP/1.1 400 Bad Request".to_vec(),
            Fault::Malformed("a message is longer than any of a login"),
        ),
        (None, true, vec![b'Z', 0, 0, 0, 3], Fault::Malformed("a message is shorter than it is")),
        (None, true, message(b'?', b""), Fault::Malformed("an unknown message has come")),
        (None, true, ready(), Fault::Malformed("the login is answered out of order")),
    ] {
        let mut client = Client::new(login(password, is_private), &[]);
        assert_eq!(client.receive(&said), Err(expect), "{said:?}");
    }
    let mut client = Client::new(login(Some("x"), true), &[]);
    client.receive(&scram).unwrap();
    let said = authentication(11, b"r=short,s=QSXCR+Q6sek8bf92,i=4096");
    assert_eq!(client.receive(&said), Err(Fault::Scram("invalid nonce".into())));
}

#[test]
fn requests_are_answered_in_their_order_and_fail_alone() {
    let mut client = connected();
    for statement in [ONE, TWO, ONE] {
        client.request(statement, &[Param::Int(1), Param::Null]).unwrap();
    }
    client.script("BEGIN; COMMIT").unwrap();
    // Each is prepared once.
    assert_eq!(tags(client.outgoing()), "PBESPBESBESQ");
    let done = message(b'C', b"SELECT 1\0");
    let number = 5_i64.to_be_bytes();
    let said = [
        message(b'1', b""),
        message(b'2', b""),
        row(&[Some(&number), None]),
        row(&[Some(b"x"), Some(b"")]),
        done.clone(),
        ready(),
        error("42601", "no"),
        ready(),
        message(b'A', b"\0\0\0\x09grown\x003,4\0"),
        message(b'2', b""),
        done.clone(),
        ready(),
        done.clone(),
        done,
        ready(),
    ]
    .concat();
    // It comes in pieces as it likes.
    for byte in said {
        client.receive(&[byte]).unwrap();
    }
    let replies = polled(&mut client);
    let [Reply::Rows(rows), rest @ ..] = &replies[..] else { panic!("{replies:?}") };
    assert_eq!((rows[0].int(0), rows[0].int_or_null(1)), (Ok(5), Ok(None)));
    assert_eq!((rows[1].text(0), rows[1].text(1)), (Ok("x"), Ok("")));
    assert_eq!(
        (rows[1].int(1), rows[1].int(2)),
        (Err(WrongType { column: 1 }), Err(WrongType { column: 2 }))
    );
    let told = Reply::Notified { process: 9, channel: "grown".into(), payload: "3,4".into() };
    let expect =
        [Reply::Failed(refused("42601", "no")), told, Reply::Rows(vec![]), Reply::Rows(vec![])];
    assert_eq!(rest, expect);
    assert_eq!(client.waiting(), 0);
    // What could not be prepared is prepared anew.
    client.outgoing().clear();
    client.request(TWO, &[]).unwrap();
    client.request(ONE, &[]).unwrap();
    assert_eq!(tags(client.outgoing()), "PBESBES");
}

#[test]
fn what_answers_nothing_ends_the_connection() {
    for (said, expect) in [
        (ready(), Fault::Malformed("an answer has come to nothing")),
        (row(&[]), Fault::Malformed("an answer has come to nothing")),
        (error("57P01", "shutting down"), Fault::Refused(refused("57P01", "shutting down"))),
    ] {
        assert_eq!(connected().receive(&said), Err(expect));
    }
    let mut client = connected();
    client.request(ONE, &[]).unwrap();
    let expect = Fault::Malformed("a message has come that answers no request");
    assert_eq!(client.receive(&message(b's', b"")), Err(expect));
}

#[test]
fn requests_and_rows_have_their_bounds() {
    let mut client = connected();
    for _ in 0..REQUESTS_MAX {
        client.request(ONE, &[]).unwrap();
    }
    let sent = client.outgoing().len();
    assert_eq!(client.request(TWO, &[]), Err(Busy));
    assert_eq!(client.script("SELECT 1"), Err(Busy));
    assert_eq!(client.outgoing().len(), sent);

    let big = row(&[Some(&vec![b'x'; MESSAGE_LEN_MAX - 64])]);
    let rows = REPLY_BYTES_MAX / big.len();
    for _ in 0..rows {
        client.receive(&big).unwrap();
    }
    assert!(matches!(client.receive(&big), Err(Fault::TooLong(len)) if len > REPLY_BYTES_MAX));
}

proptest! {
    #[test]
    fn no_bytes_of_an_engine_panic_or_take_more_than_came(
        parts in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..30),
        is_ready in any::<bool>(),
    ) {
        let mut client = if is_ready { connected() } else { Client::new(login(Some("x"), true), &[]) };
        client.request(ONE, &[]).unwrap();
        for (tag, body) in parts {
            let tags = b"12ACDEKNRSTZn";
            let tag = tags[usize::from(tag) % tags.len()];
            if client.receive(&message(tag, &body)).is_err() {
                break;
            }
        }
        polled(&mut client);
    }
}
