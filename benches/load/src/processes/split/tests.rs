//! Parts of a run: together they are the whole, and no two of them meet.

use super::*;
use crate::plan;
use crate::target::Target;

fn planned(line: &str) -> (Args, Plan) {
    let words = line.split(' ').filter(|word| !word.is_empty());
    let args = Args::read(words.map(Into::into)).unwrap();
    let plan = plan::from_args(&args, &Target::parse("ws://127.0.0.1:1").unwrap()).unwrap();
    (args, plan)
}

/// The connections and rooms of each part; they lie end to end, with as many members in each room
/// as in the whole.
#[track_caller]
fn parts(line: &str, count: u32) -> Vec<(u32, u32)> {
    let (args, whole) = planned(line);
    let part = |index| take(args.scenario, whole.clone(), Share::new(index, count));
    let parts: Vec<_> = (0..count).map(part).collect();
    let (mut peer, mut room, mut sizes) = (0, 0, vec![0; whole.rooms as usize]);
    for part in &parts {
        assert_eq!(part.first_peer, peer, "{line}");
        if args.scenario != Kind::Handshake {
            assert_eq!(part.first_room, room, "{line}");
            for member in 0..part.connections {
                sizes[(part.first_room + part.room_of(member)) as usize] += 1;
            }
        }
        peer += part.connections;
        room += part.rooms;
    }
    assert_eq!(peer, whole.connections, "{line}");
    if args.scenario != Kind::Handshake {
        let mut expect = vec![0; whole.rooms as usize];
        (0..whole.connections).for_each(|peer| expect[whole.room_of(peer) as usize] += 1);
        sizes.sort_unstable();
        expect.sort_unstable();
        assert_eq!(sizes, expect, "{line}");
    }
    parts.iter().map(|part| (part.connections, part.rooms)).collect()
}

#[test]
fn parts_are_the_whole_and_do_not_meet() {
    assert_eq!(parts("fanout -c 1000 --rooms 10", 2), [(500, 5), (500, 5)]);
    assert_eq!(parts("fanout -c 1003 --rooms 10", 3), [(403, 4), (300, 3), (300, 3)]);
    assert_eq!(parts("idle -c 7 --rooms 7", 3), [(3, 3), (2, 2), (2, 2)]);
    assert_eq!(parts("echo -c 5", 2), [(3, 3), (2, 2)]);
    assert_eq!(parts("direct -c 10", 2), [(6, 3), (4, 2)]);
    assert_eq!(parts("handshake -c 5 --rooms 2", 2), [(3, 2), (2, 2)]);
    assert_eq!(parts("fanout -c 12 --rooms 4", 1), [(12, 4)]);
}

#[test]
fn a_rate_is_shared_by_who_sends_and_a_window_is_each_senders() {
    #[track_caller]
    fn check(line: &str, expect: &[Load]) {
        let (args, whole) = planned(line);
        let count = u32::try_from(expect.len()).unwrap();
        let part = |index| take(args.scenario, whole.clone(), Share::new(index, count));
        let loads: Vec<_> = (0..count).map(|index| part(index).load).collect();
        assert_eq!(loads, expect, "{line}");
    }
    let rates = |rates: [f64; 2]| rates.map(Load::Rate);
    check("fanout -c 30 --rooms 3 --rate 600", &rates([400.0, 200.0]));
    check("fanout -c 5 --rooms 2 --senders all --rate 500", &rates([300.0, 200.0]));
    check("direct -c 6 --rate 600", &rates([400.0, 200.0]));
    check("fanout -c 30 --rooms 3 --window 7", &[Load::Window(7); 3]);
}

#[test]
fn there_are_as_many_processes_as_were_asked_for_or_as_few_as_do() {
    #[track_caller]
    fn check(line: &str, fit: u64, expect: Result<u32, &str>) {
        let (args, plan) = planned(line);
        let found = super::check(&args).and_then(|()| processes(&args, &plan, fit));
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect, "{line}"),
            (Err(failure), Err(expect)) => {
                assert!(format!("{failure:?}").contains(expect), "{line}: {failure:?}");
            }
            (found, expect) => panic!("{line}: {found:?}, not {expect:?}"),
        }
    }
    check("fanout -c 100 --rooms 10", 100, Ok(1));
    check("fanout -c 100 --rooms 10", 99, Ok(2));
    check("fanout -c 100 --rooms 10", 10, Ok(10));
    // Three rooms of ten: two of them do not fit into one process.
    check("fanout -c 30 --rooms 3", 19, Ok(3));
    check("fanout -c 30 --rooms 3", 9, Err("Wrong(\"30 connections are more than the 9"));
    check("fanout -c 30 --rooms 1", 29, Err("Wrong(\"30 connections are more than the 29"));
    check("fanout -c 100 --rooms 10 --processes 3", 100, Ok(3));
    check("fanout -c 100 --rooms 10 --processes 3", 39, Err("Failed(\"100 connections in 3"));
    let refused = Err("Wrong(\"--processes 11 is more than there are rooms (10)");
    check("fanout -c 100 --rooms 10 --processes 11", 100, refused);
    check("direct -c 10 --processes 6", 100, Err("pairs (5)"));
    check("direct -c 10 --background 5 --processes 2", 100, Err("--background"));
    check("handshake -c 10 --rooms 1 --processes 10", 1, Ok(10));
    check("storm --processes 2", 10_000, Err("Wrong(\"--processes is for idle"));
    check("storm --processes 1", 10_000, Ok(1));
    check("storm -c 100", 99, Err("Failed(\"100 connections are more than the 99 that this"));
}
