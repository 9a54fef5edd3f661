//! Threads.

use super::*;
use crate::chat::model::command::ThreadWish;

#[test]
fn requests_about_threads_are_read() {
    let mark = |wish, epoch: Option<&'static str>| Command::MarkThread {
        room: "lobby".into(),
        thread: 3,
        wish,
        epoch: epoch.map(Cow::from),
    };
    for (text, expect) in [
        (
            r#"{"op":"thread","room":"lobby","thread":3,"before":9,"limit":2}"#,
            Command::Thread { room: "lobby".into(), thread: 3, before: Some(9), limit: Some(2) },
        ),
        (r#"{"op":"follow","room":"lobby","thread":3}"#, mark(ThreadWish::Follow, None)),
        (r#"{"op":"unfollow","room":"lobby","thread":3}"#, mark(ThreadWish::Unfollow, None)),
        (r#"{"op":"ack","room":"lobby","thread":3,"read":9}"#, mark(ThreadWish::Read(9), None)),
        (
            r#"{"op":"ack","room":"lobby","thread":3,"read":9,"epoch":"k3f9"}"#,
            mark(ThreadWish::Read(9), Some("k3f9")),
        ),
    ] {
        check(text, None, &expect);
    }
}

#[test]
fn what_was_received_is_not_told_of_a_thread() {
    let text = r#"{"op":"ack","room":"a","thread":3,"recv":4}"#;
    check_refused(text, 1003, Some("recv"), "read alone, of a thread");
}
