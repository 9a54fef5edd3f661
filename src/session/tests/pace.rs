//! Who sends faster than the rate is read at the rate: nothing is refused, and nothing is lost.

use super::{Harness, frame, ids, ping, text};
use crate::net::{CloseReason, ConnId, Ending};
use crate::session::ListenerKind;
use crate::ws::Opcode;

/// Requests at once, and from one request to the next.
const BURST: u64 = 40;
const INTERVAL_MS: u64 = 50;

/// How a client talks.
#[derive(Clone, Copy, Debug)]
enum Talk {
    Frames,
    OneMessage,
    Lines,
    Lengths,
}

const ALL: [Talk; 4] = [Talk::Frames, Talk::OneMessage, Talk::Lines, Talk::Lengths];

impl Talk {
    fn encode(self, requests: &[String]) -> Vec<u8> {
        let length = |request: &String| u32::try_from(request.len()).unwrap().to_be_bytes();
        match self {
            Self::Frames => requests.iter().flat_map(|request| text(request)).collect(),
            Self::OneMessage => text(&requests.join("\n")),
            Self::Lines => requests.join("\n").into_bytes().into_iter().chain(*b"\n").collect(),
            Self::Lengths => requests
                .iter()
                .flat_map(|request| length(request).into_iter().chain(request.bytes()))
                .collect(),
        }
    }

    /// A connection whose user is in `lobby`, and which has its whole burst.
    fn enter(self, harness: &mut Harness) -> ConnId {
        let conn = match self {
            Self::Frames | Self::OneMessage => harness.open_websocket(),
            Self::Lines | Self::Lengths => harness.open(ListenerKind::Tcp),
        };
        let hello = [r#"{"op":"hello","id":1}"#, r#"{"op":"join","id":2,"room":"lobby"}"#];
        for request in hello {
            harness.receive(conn, &self.encode(&[request.to_owned()]));
            harness.end_turn();
        }
        harness.millis += 2 * INTERVAL_MS;
        harness.take(conn);
        conn
    }

    /// What the connection was told since it was last asked, a text for each.
    fn told(self, harness: &mut Harness, conn: ConnId) -> Vec<String> {
        match self {
            Self::Frames | Self::OneMessage => harness.frames(conn),
            Self::Lines => {
                let sent = String::from_utf8(harness.take(conn)).unwrap();
                sent.lines().map(str::to_owned).collect()
            }
            Self::Lengths => {
                let sent = harness.take(conn);
                let (mut rest, mut told) = (&*sent, Vec::new());
                while let Some((len, following)) = rest.split_first_chunk::<4>() {
                    let len = usize::try_from(u32::from_be_bytes(*len)).unwrap();
                    told.push(String::from_utf8(following[..len].to_vec()).unwrap());
                    rest = &following[len..];
                }
                told
            }
        }
    }
}

/// Lets turns and time pass until the connection is read again, or has ended.
fn until_read(harness: &mut Harness, conn: ConnId) {
    harness.end_turn();
    while harness.see(conn).is_paused && harness.closed(conn).is_none() {
        if harness.see(conn).is_paced {
            assert!(harness.wait(conn, 2 * INTERVAL_MS), "nothing wakes it");
        } else {
            harness.drain(conn);
        }
        harness.end_turn();
    }
}

fn pings(count: usize) -> Vec<String> {
    (0..count).map(ping).collect()
}

#[test]
fn a_burst_of_any_framing_is_answered_whole_and_in_order() {
    for talk in ALL {
        let mut harness = Harness::new();
        let conn = talk.enter(&mut harness);
        let began = harness.millis;
        harness.receive(conn, &talk.encode(&pings(200)));
        assert!(harness.see(conn).is_paced, "{talk:?}");
        until_read(&mut harness, conn);
        let told = talk.told(&mut harness, conn);
        assert_eq!(ids(&told), (0..200).collect::<Vec<_>>(), "{talk:?}");
        assert!(told.iter().all(|answer| answer.contains(r#""code":0"#)), "{talk:?}");
        assert_eq!(harness.closed(conn), None, "{talk:?}");
        // The last one has waited for its turn, and no longer.
        assert_eq!(harness.millis - began, (200 - BURST) * INTERVAL_MS, "{talk:?}");
    }
}

#[test]
fn all_lines_that_a_person_pastes_are_said() {
    let mut harness = Harness::new();
    let reader = harness.enter("bob");
    let person = harness.open(ListenerKind::Tcp);
    let pasted: Vec<String> = (0..500).map(|nth| format!("line {nth}\n")).collect();
    harness.receive(person, format!("/join lobby\n{}", pasted.concat()).as_bytes());
    until_read(&mut harness, person);
    let said = harness.frames(reader);
    let said = said.iter().filter(|frame| frame.contains(r#""text":"line "#));
    assert_eq!(said.count(), 500);
    assert_eq!(harness.closed(person), None);
}

#[test]
fn what_comes_in_pieces_while_others_wait_is_done_after_them() {
    let mut harness = Harness::new();
    let conn = harness.enter("ann");
    let bytes = Talk::Frames.encode(&pings(100));
    for piece in bytes.chunks(7) {
        harness.receive(conn, piece);
    }
    until_read(&mut harness, conn);
    assert_eq!(ids(&harness.frames(conn)), (0..100).collect::<Vec<_>>());
}

#[test]
fn whoever_waits_for_the_rate_is_not_blamed_for_silence() {
    let mut harness = Harness::with(|config, limits| {
        (config.limits.rate_per_s, config.limits.burst) = (Some(1), 1);
        (limits.rate_per_s, limits.burst) = (Some(1), 1);
    });
    let conn = harness.open_websocket();
    harness.receive(conn, &text(r#"{"op":"hello","id":1}"#));
    // The pong that is asked for meanwhile is behind requests for five minutes.
    harness.receive(conn, &[Talk::Frames.encode(&pings(300)), frame(Opcode::Pong, b"")].concat());
    while harness.see(conn).is_paused {
        assert!(harness.wait(conn, 1_000));
        harness.end_turn();
        assert_eq!(harness.closed(conn), None, "at {} ms", harness.millis);
    }
    let frames = harness.frames(conn);
    assert_eq!(ids(&frames[1..]), (0..300).collect::<Vec<_>>());
}

#[test]
fn what_was_asked_before_a_close_frame_is_answered_before_it() {
    for talk in [Talk::Frames, Talk::OneMessage] {
        let mut harness = Harness::new();
        let conn = talk.enter(&mut harness);
        let close = frame(Opcode::Close, &[0x03, 0xe8]);
        harness.receive(conn, &[talk.encode(&pings(100)), close].concat());
        until_read(&mut harness, conn);
        let frames = harness.frames(conn);
        assert_eq!(ids(&frames), (0..100).collect::<Vec<_>>(), "{talk:?}");
        assert_eq!(frames.last().unwrap(), "close 1000", "{talk:?}");
        assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Flush)));
    }
}

#[test]
fn what_was_asked_before_fin_is_answered_before_the_end() {
    for talk in ALL {
        let mut harness = Harness::new();
        let conn = talk.enter(&mut harness);
        harness.receive(conn, &talk.encode(&pings(100)));
        harness.finish(conn);
        until_read(&mut harness, conn);
        let told = talk.told(&mut harness, conn);
        assert_eq!(ids(&told), (0..100).collect::<Vec<_>>(), "{talk:?}");
        let reason = match talk {
            Talk::Frames | Talk::OneMessage => CloseReason::PeerGone,
            Talk::Lines | Talk::Lengths => CloseReason::Bye,
        };
        assert_eq!(harness.closed(conn), Some((reason, Ending::Flush)), "{talk:?}");
    }
}

#[test]
fn before_fin_so_much_is_done_as_is_read_ahead_and_the_client_learns_of_the_rest() {
    for talk in ALL {
        let mut harness = Harness::with(|config, _| config.limits.read_ahead = 4_000);
        let conn = talk.enter(&mut harness);
        for _ in 0..10 {
            harness.receive(conn, &talk.encode(&pings(50)));
        }
        harness.finish(conn);
        until_read(&mut harness, conn);
        let mut told = talk.told(&mut harness, conn);
        let farewell = told.pop().unwrap();
        match talk {
            Talk::Frames | Talk::OneMessage => assert_eq!(farewell, "close 4102"),
            Talk::Lines | Talk::Lengths => {
                assert!(farewell.starts_with(r#"{"ev":"bye","close":4102"#), "{farewell}");
                assert!(farewell.contains("read_ahead"), "{farewell}");
            }
        }
        let answered = ids(&told).len();
        // A message that is not whole is no request.
        let least = if matches!(talk, Talk::OneMessage) { 50 } else { 110 };
        assert!((least..=300).contains(&answered), "{talk:?}: {answered}");
        assert!(told.iter().all(|answer| answer.contains(r#""code":0"#)), "{talk:?}: {told:?}");
        assert_eq!(harness.closed(conn), Some((CloseReason::Unread, Ending::Flush)));
    }
}

#[test]
fn what_was_read_is_done_however_little_is_read_ahead() {
    for talk in ALL {
        let mut harness = Harness::with(|config, _| config.limits.read_ahead = 10);
        let conn = talk.enter(&mut harness);
        harness.receive(conn, &talk.encode(&pings(100)));
        until_read(&mut harness, conn);
        let told = talk.told(&mut harness, conn);
        assert_eq!(ids(&told), (0..100).collect::<Vec<_>>(), "{talk:?}");
    }
}

#[test]
fn the_answers_of_the_logs_come_before_the_close_frame_if_they_come_in_time() {
    let send = text(r#"{"op":"send","id":7,"room":"lobby","text":"last words"}"#);
    let close = frame(Opcode::Close, &[0x03, 0xe8]);
    for in_time in [true, false] {
        let mut harness = Harness::new();
        let conn = harness.enter("ann");
        harness.are_logs_slow = true;
        harness.receive(conn, &[&*send, &*close].concat());
        // What comes after the close frame means nothing.
        harness.receive(conn, &text(&ping(8)));
        harness.end_turn();
        assert_eq!((harness.closed(conn), harness.frames(conn)), (None, vec![]));
        if in_time {
            harness.take_replies();
        } else {
            assert!(!harness.wait(conn, 4_999));
            assert!(harness.wait(conn, 1));
        }
        harness.end_turn();
        let frames = harness.frames(conn);
        assert_eq!(ids(&frames), if in_time { vec![7] } else { vec![] });
        assert_eq!(frames.last().unwrap(), "close 1000");
        assert_eq!(harness.closed(conn), Some((CloseReason::Bye, Ending::Flush)));
        harness.take_replies();
        harness.end_turn();
    }
}

#[test]
fn what_is_empty_takes_its_turn_like_a_request() {
    let websocket: [(&str, Vec<u8>); 4] = [
        ("messages", text("")),
        ("blank messages", text(" \n")),
        ("blank lines", text("\n\n")),
        ("fragments", [&[0x01, 0x80, 0, 0, 0, 0][..], &[0x80, 0x80, 0, 0, 0, 0]].concat()),
    ];
    let mut cases: Vec<(&str, Talk, Vec<u8>)> = Vec::new();
    cases.extend(websocket.map(|(what, bytes)| (what, Talk::Frames, bytes)));
    cases.push(("lines", Talk::Lines, b"\n".to_vec()));
    cases.push(("lines of CR LF", Talk::Lines, b"\r\n".to_vec()));
    cases.push(("blank lines", Talk::Lines, b"  \n".to_vec()));
    cases.push(("lengths", Talk::Lengths, vec![0; 4]));
    for (what, talk, bytes) in cases {
        let mut harness = Harness::with(|config, _| config.limits.errors_in_a_row = u16::MAX);
        let conn = talk.enter(&mut harness);
        let began = harness.millis;
        harness.receive(conn, &[bytes.repeat(100), talk.encode(&pings(1))].concat());
        assert!(harness.see(conn).is_paced, "{what}");
        until_read(&mut harness, conn);
        assert_eq!(
            talk.told(&mut harness, conn).last().map(|told| ids(std::slice::from_ref(told))),
            Some(vec![0])
        );
        assert!(harness.millis - began >= (100 - BURST) * INTERVAL_MS, "{what}");
    }
}

#[test]
fn control_frames_are_read_at_their_own_rate() {
    for (opcode, answers) in [(Opcode::Ping, 200), (Opcode::Pong, 0)] {
        let mut harness = Harness::new();
        let conn = harness.enter("ann");
        let began = harness.millis;
        harness.receive(conn, &[frame(opcode, b"").repeat(200), text(&ping(1))].concat());
        assert!(harness.see(conn).is_paced);
        until_read(&mut harness, conn);
        let frames = harness.frames(conn);
        assert_eq!(frames.len(), answers + 1);
        assert_eq!(ids(&frames), [1]);
        assert_eq!(harness.closed(conn), None);
        // 60 at once, ten a second.
        assert_eq!(harness.millis - began, (200 - 60 + 1) * 100);
    }
}
