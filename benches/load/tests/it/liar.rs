//! A server that passes messages on to everybody in the room, in frames or in lines, and lies as it
//! is told.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// What is done to the tenth message to the second member of each room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Nothing.
    Honest,
    /// It is left out.
    Drop,
    /// It comes twice.
    Twice,
    /// It comes after the next one.
    Swap,
    /// It is another one.
    Alter,
    /// The connection ends instead.
    HangUp,
}

/// How it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speech {
    WebSocket,
    Lines,
}

/// The number of the message that is lied about.
const LIED_ABOUT: usize = 10;

/// What its connections tell the one who passes messages on.
enum Said {
    Came(usize, String, TcpStream),
    Message(usize, Vec<u8>),
    Left(usize),
}

/// A member: its room, its place among the room's, and what it was sent.
struct Member {
    room: String,
    place: usize,
    stream: TcpStream,
    sent: usize,
    held: Vec<u8>,
}

/// Starts one that ends with the test.
pub(super) fn start(speech: Speech, lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || pass_on(&receiver, speech, lie));
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (sender, stream) = (sender.clone(), stream.expect("a connection"));
            if speech == Speech::Lines {
                came(number, "only", &stream, &sender);
            }
            thread::spawn(move || serve(number, stream, speech, &sender));
        }
    });
    addr
}

/// Makes a connection a member, before its client can know that it is one: so members have the
/// order in which they were opened.
fn came(number: usize, room: &str, stream: &TcpStream, sender: &Sender<Said>) {
    let writer = stream.try_clone().expect("another handle");
    let _ = sender.send(Said::Came(number, room.to_owned(), writer));
}

fn serve(number: usize, mut stream: TcpStream, speech: Speech, sender: &Sender<Said>) {
    if speech == Speech::WebSocket {
        let Some(room) = requested(&mut stream) else { return };
        came(number, &room, &stream, sender);
        if stream.write_all(ANSWER).is_err() {
            return;
        }
    }
    let next = match speech {
        Speech::WebSocket => frame,
        Speech::Lines => line,
    };
    while let Some(text) = next(&mut stream) {
        let _ = sender.send(Said::Message(number, text));
    }
    let _ = sender.send(Said::Left(number));
}

/// The answer to the sample key of RFC 6455.
const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Reads a request, and returns its path.
fn requested(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()?.split(' ').nth(1).map(str::to_owned)
}

/// The text of the next short masked frame; `None` at the end.
fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut header = [0; 6];
    stream.read_exact(&mut header).ok()?;
    let [0x81, len, mask @ ..] = header else { return None };
    let mut text = vec![0; usize::from(len & 0x7f)];
    stream.read_exact(&mut text).ok()?;
    text.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some(text)
}

fn line(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut text, mut byte) = (Vec::new(), [0]);
    loop {
        stream.read_exact(&mut byte).ok()?;
        match byte {
            [b'\n'] => return Some(text),
            [byte] => text.push(byte),
        }
    }
}

fn pass_on(receiver: &Receiver<Said>, speech: Speech, lie: Lie) {
    let mut members: BTreeMap<usize, Member> = BTreeMap::new();
    for said in receiver {
        match said {
            Said::Came(number, room, stream) => {
                let place = members.values().filter(|member| member.room == room).count();
                let member = Member { room, place, stream, sent: 0, held: Vec::new() };
                members.insert(number, member);
            }
            Said::Message(number, text) => {
                let Some(room) = members.get(&number).map(|from| from.room.clone()) else {
                    continue;
                };
                for member in members.values_mut().filter(|member| member.room == room) {
                    tell(member, &text, speech, lie);
                }
            }
            Said::Left(number) => drop(members.remove(&number)),
        }
    }
}

fn tell(member: &mut Member, text: &[u8], speech: Speech, lie: Lie) {
    member.sent += 1;
    let mut bytes = match speech {
        Speech::WebSocket => vec![0x81, u8::try_from(text.len()).expect("a short message")],
        Speech::Lines => Vec::new(),
    };
    bytes.extend_from_slice(text);
    if speech == Speech::Lines {
        bytes.push(b'\n');
    }
    if member.place == 1 && member.sent == LIED_ABOUT {
        match lie {
            Lie::Honest => {}
            Lie::Drop => return,
            Lie::Twice => bytes.extend_from_within(..),
            Lie::Swap => {
                member.held = bytes;
                return;
            }
            Lie::Alter => bytes[5] ^= 0x10,
            Lie::HangUp => {
                let _ = member.stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }
    bytes.append(&mut member.held);
    // Who has left is told by its own thread.
    let _ = member.stream.write_all(&bytes);
}
