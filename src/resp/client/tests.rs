//! A connection against a server of a few lines, which says what it is told to say.

use proptest::prelude::*;

use super::*;

/// What a server answers to `HELLO`.
const HELLO: &[u8] = b"%3\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n8.1.1\r\n\
    $5\r\nproto\r\n:3\r\n";
const SUBSCRIBED: &[u8] = b">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";

fn login(user: Option<&str>, password: Option<&str>) -> Login {
    let (user, password) = (user.map(Into::into), password.map(Into::into));
    Login { user, password, channel: "c".into() }
}

fn sent(client: &mut Client) -> String {
    String::from_utf8(client.outgoing().split().to_vec()).unwrap()
}

fn connected() -> Client {
    let mut client = Client::new(login(None, None));
    client.outgoing().clear();
    client.receive(HELLO).unwrap();
    assert_eq!(sent(&mut client), "*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\nc\r\n");
    assert_eq!((client.is_ready(), client.publish(b"early")), (false, Err(Busy)));
    client.receive(SUBSCRIBED).unwrap();
    assert_eq!(client.poll(), Some(Reply::Ready { server: "valkey 8.1.1".into() }));
    client
}

fn message(channel: &str, payload: &str) -> Vec<u8> {
    let (channel_len, len) = (channel.len(), payload.len());
    format!(">3\r\n$7\r\nmessage\r\n${channel_len}\r\n{channel}\r\n${len}\r\n{payload}\r\n")
        .into_bytes()
}

#[test]
fn a_greeting_says_who_and_with_which_password() {
    for (user, password, expect) in [
        (None, None, "*4\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$7\r\nSETNAME\r\n$7\r\nchinwag\r\n"),
        (
            None,
            Some("p w"),
            "*7\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$3\r\np w\r\n\
             $7\r\nSETNAME\r\n$7\r\nchinwag\r\n",
        ),
        (
            Some("ann"),
            Some("é"),
            "*7\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$3\r\nann\r\n$2\r\né\r\n\
             $7\r\nSETNAME\r\n$7\r\nchinwag\r\n",
        ),
    ] {
        assert_eq!(sent(&mut Client::new(login(user, password))), expect);
    }
    assert!(!format!("{:?}", login(None, Some("hidden"))).contains("hidden"));
}

#[test]
fn what_is_published_is_sent_and_what_is_told_is_heard() {
    let mut client = connected();
    client.publish(b"hi").unwrap();
    client.publish(b"").unwrap();
    let publish = "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$2\r\nhi\r\n\
                   *3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$0\r\n\r\n";
    assert_eq!(sent(&mut client), publish);
    // Answers and messages come in any order, and in pieces.
    let said = [
        &message("c", "hi")[..],
        b":1\r\n:1\r\n",
        &message("other", "no"),
        b">2\r\n$10\r\ninvalidate\r\n_\r\n",
        &message("c", "ho"),
    ]
    .concat();
    for byte in said {
        client.receive(&[byte]).unwrap();
    }
    assert_eq!(client.poll(), Some(Reply::Message("hi".into())));
    assert_eq!(client.poll(), Some(Reply::Message("ho".into())));
    assert_eq!((client.poll(), client.waiting), (None, 0));
}

#[test]
fn a_server_that_refuses_or_cannot_be_understood_is_a_fault() {
    let odd = Fault::Malformed("it answers what was not asked");
    for (said, expect) in [
        (&b"-WRONGPASS no\r\n"[..], Fault::Refused("WRONGPASS no".into())),
        (b"+OK\r\n", odd.clone()),
        (b":1\r\n", odd.clone()),
        (b"HTTP/1.1 400 Bad Request\r\n", Fault::Malformed("it answers otherwise than RESP does")),
        (b"$70000\r\n", Fault::TooLong),
    ] {
        assert_eq!(Client::new(login(None, None)).receive(said), Err(expect));
    }
    for (said, expect) in [
        (&b":1\r\n"[..], odd.clone()),
        (b"*0\r\n", odd),
        (b"-NOPERM no\r\n", Fault::Refused("NOPERM no".into())),
        (
            b">3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n",
            Fault::Malformed("it has ended the subscription"),
        ),
    ] {
        assert_eq!(connected().receive(said), Err(expect));
    }
}

#[test]
fn no_more_is_published_than_may_wait() {
    let mut client = connected();
    for _ in 0..PUBLICATIONS_MAX {
        client.publish(b"x").unwrap();
    }
    let sent = client.outgoing().len();
    assert_eq!((client.publish(b"y"), client.outgoing().len()), (Err(Busy), sent));
    client.receive(b":0\r\n").unwrap();
    assert_eq!(client.publish(b"y"), Ok(()));
}

proptest! {
    #[test]
    fn no_answers_of_a_server_panic(
        parts in prop::collection::vec(0_usize..10, 0..40),
        piece in 1_usize..30,
        is_ready in any::<bool>(),
    ) {
        let said: [&[u8]; 10] = [HELLO, SUBSCRIBED, b":1\r\n", b"_\r\n", b"*-1\r\n", b">0\r\n",
            b">1\r\n+x\r\n", b"+OK\r\n", b">3\r\n+message\r\n+c\r\n+p\r\n", b"%1\r\n:1\r\n:2\r\n"];
        let mut client = if is_ready { connected() } else { Client::new(login(Some("u"), Some("x"))) };
        let bytes = parts.iter().flat_map(|nth| said[*nth]).copied().collect::<Vec<_>>();
        for piece in bytes.chunks(piece) {
            if client.receive(piece).is_err() {
                break;
            }
            _ = client.publish(b"x");
        }
        while client.poll().is_some() {}
    }
}
