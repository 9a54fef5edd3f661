//! What is found by its words: in every script, in many rooms, while it is being indexed.

use super::{Subject, with_all};
use crate::chat::model::log::{Appended, Draft, LogId, LogReply, LogRequest, TargetCheck};
use crate::chat::model::record::Body;
use crate::chat::model::words::{SPELLINGS, WORD_PAIRS, Wanted};
use crate::rng::Rng;

/// Appends without waiting for each answer.
#[track_caller]
fn say_all(store: &mut Subject, log: LogId, texts: &[String]) {
    for text in texts {
        append(store, log, Body::plain(text, None));
    }
    for _ in texts {
        let reply = store.reply();
        assert!(
            matches!(&reply, LogReply::Appended { outcome: Appended::Stored(_), .. }),
            "{reply:?}"
        );
    }
}

/// Appends a message, or what is done to one, whosever and however old it is.
fn append(store: &mut Subject, log: LogId, body: Body) {
    let (others, not_before, data_max) = (true, 0, usize::MAX);
    let check = body.target().map(|target| TargetCheck { target, others, not_before, data_max });
    let draft = Draft { check, ..Draft::new(super::user("ann"), body, 300) };
    let ticket = store.ticket();
    store.request(LogRequest::Append { log, ticket, draft });
}

/// The seqs of one room that are found, before and after all is indexed.
#[track_caller]
fn check(store: &mut Subject, log: LogId, text: &str, expect: &[u64]) {
    let name = store.name;
    for _ in 0..2 {
        let found = store.search(&[log], text, 20);
        let seqs: Vec<u64> = found.iter().map(|(_, seq)| *seq).collect();
        assert_eq!(seqs, expect, "{name}: {text:?}");
        store.index();
    }
}

#[test]
fn in_every_script_a_word_is_found_and_not_another() {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let mut logs = Vec::new();
        for (nth, (one, other)) in WORD_PAIRS.iter().enumerate() {
            let log = store.open(&format!("pair{nth}"), None);
            say_all(store, log, &[format!("a {one}, x."), format!("a {other}, x.")]);
            logs.push(log);
        }
        for is_indexed in [false, true] {
            for (log, (one, other)) in logs.iter().zip(WORD_PAIRS) {
                // The last word may be a beginning: another one after it makes it whole.
                for (word, seq) in [(one, 1), (other, 2)] {
                    let found = store.search(&[*log], &format!("{word} x"), 9);
                    assert_eq!(found, [(*log, seq)], "{}: {word} {is_indexed}", store.name);
                }
            }
            store.index();
        }
        for (nth, (one, other)) in SPELLINGS.iter().enumerate() {
            let log = store.open(&format!("spelling{nth}"), None);
            say_all(store, log, &[(*one).to_owned(), (*other).to_owned()]);
            check(store, log, one, &[2, 1]);
            check(store, log, other, &[2, 1]);
        }
    });
}

#[test]
fn what_is_written_without_spaces_is_found_by_any_part_of_it() {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let log = store.open("lobby", None);
        let texts =
            ["今天天气很好。", "東京タワーへ行きます", "สวัสดีครับ", "我用 Rust写服务器", "天 今 好"];
        say_all(store, log, &texts.map(str::to_owned));
        for (text, expect) in [
            ("天气", &[1][..]),
            ("天气很好", &[1]),
            ("气天", &[]),
            ("天", &[5, 1]),
            ("天 今", &[5, 1]),
            ("タワー", &[2]),
            ("東京 行き", &[2]),
            ("วัส", &[3]),
            ("ครับ", &[3]),
            ("rust写服务", &[4]),
            ("rus 服务", &[]),
            ("服务 rust", &[4]),
        ] {
            check(store, log, text, expect);
        }
    });
}

#[test]
fn all_of_many_messages_in_many_rooms_are_found_once_latest_first_whatever_is_indexed() {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let logs: Vec<LogId> = (0..40).map(|nth| store.open(&format!("room{nth}"), None)).collect();
        for round in 0..4 {
            for log in &logs {
                let text = |nth| format!("hi {}", if nth % 10 == 0 { "needle" } else { "hay" });
                let texts: Vec<String> = (0..20).map(text).collect();
                say_all(store, *log, &texts);
            }
            let per_room = (round + 1) * 2;
            for _ in 0..2 {
                let found = store.search(&logs, "hi needle", 7);
                let mut all = found.clone();
                all.sort_unstable();
                all.dedup();
                let counts = (found.len(), all.len());
                assert_eq!(counts, (40 * per_room, 40 * per_room), "{} {round}", store.name);
                let ones: Vec<u64> =
                    found.iter().filter(|(log, _)| *log == logs[0]).map(|it| it.1).collect();
                assert!(ones.is_sorted_by(|one, next| one > next), "{ones:?}");
                store.index();
            }
        }
        assert_eq!(store.search(&logs[..1], "hay", 50).len(), 72);
        // One is changed: the others of its block are found as before.
        append(store, logs[0], Body::Edit { target: 1, text: Some("lost".into()) });
        store.reply();
        for _ in 0..2 {
            assert_eq!(store.search(&logs[..1], "needle", 3).len(), 7);
            assert_eq!(store.search(&logs[..1], "lost", 3), [(logs[0], 1)]);
            store.index();
        }
    });
}

/// Words of which the texts below are made.
const VOCABULARY: [&str; 8] = ["tea", "teapot", "Caf\u{e9}", "天气", "很好", "好", "x", "needle"];

#[test]
fn whatever_is_said_changed_and_deleted_is_found_as_its_text_says() {
    with_all(|store| {
        if !store.keeps {
            return;
        }
        let logs: Vec<LogId> = (0..3).map(|nth| store.open(&format!("room{nth}"), None)).collect();
        // The texts of each room by their seqs; `None`: no message, or not any more.
        let mut texts: Vec<Vec<Option<String>>> = vec![Vec::new(); 3];
        let mut rng = Rng::new(7);
        for step in 0..600 {
            let room = rng.index(3);
            let words: Vec<&str> = (0..=rng.index(3)).map(|_| VOCABULARY[rng.index(8)]).collect();
            let text = words.join(" ");
            let (said, target) = (&mut texts[room], rng.index(1_000));
            let target = target % said.len().max(1);
            let is_there = said.get(target).is_some_and(Option::is_some);
            let seq = u64::try_from(target + 1).unwrap();
            match rng.index(8) {
                0 if is_there => {
                    append(store, logs[room], Body::Deletion { target: seq });
                    said[target] = None;
                    said.push(None);
                    store.reply();
                }
                1 if is_there && said[target].as_ref() != Some(&text) => {
                    let edit = Body::Edit { target: seq, text: Some((&*text).into()) };
                    append(store, logs[room], edit);
                    said[target] = Some(text);
                    said.push(None);
                    store.reply();
                }
                2..=5 => {
                    said.push(Some(text.clone()));
                    say_all(store, logs[room], &[text]);
                }
                _ => {
                    let limit = u32::try_from(1 + rng.index(9)).unwrap();
                    let found = store.search(&logs, &text, limit);
                    compare(&found, (&logs, &texts), &text, store.name, step);
                }
            }
            if step % 200 == 199 {
                store.index();
            }
        }
    });
}

/// Each room's messages that have the words, latest first, and nothing else.
#[track_caller]
fn compare(
    found: &[(LogId, u64)],
    (logs, texts): (&[LogId], &[Vec<Option<String>>]),
    text: &str,
    name: &str,
    step: u32,
) {
    let wanted = Wanted::of(text);
    for (log, said) in logs.iter().zip(texts) {
        let found: Vec<u64> = found.iter().filter(|(of, _)| of == log).map(|it| it.1).collect();
        let has = |text: &Option<String>| text.as_ref().is_some_and(|text| wanted.are_in(text));
        let mut expect: Vec<u64> =
            (1..).zip(said).filter(|(_, text)| has(text)).map(|(seq, _)| seq).collect();
        expect.reverse();
        assert_eq!(found, expect, "{name}, step {step}: {text:?}");
    }
}
