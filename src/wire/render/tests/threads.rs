//! Threads: a page of one, and the list of those that are followed.

use super::*;
use crate::chat::model::thread::{ThreadPage, ThreadRow};

#[test]
fn a_page_of_a_thread_and_the_list_of_threads_stand_as_the_protocol_has_them() {
    let page = ThreadPage { records: vec![Arc::new(message("hi"))], more: true, mark: None };
    let thread = |page| Reply::Thread { room: room(), epoch: epoch(), thread: 7, page };
    let items =
        r#"[{"ev":"message","seq":123,"from":"bob","at":1763700002001,"text":"hi","cid":"c-1"}]"#;
    let start =
        r#"{"id":5,"code":0,"message":"ok","data":{"room":"lobby","epoch":"k3f9","thread":7,"#;
    check_reply(
        "5",
        &thread(page.clone()),
        &format!(r#"{start}"items":{items},"more":true,"following":false}}}}"#),
    );
    check_reply(
        "5",
        &thread(ThreadPage { mark: Some((8, 1)), more: false, ..page }),
        &format!(r#"{start}"items":{items},"more":false,"following":true,"read":8,"unread":1}}}}"#),
    );
    let thread = ThreadRow {
        room: room(),
        thread: 7,
        from: user("bob"),
        text: "hi".into(),
        seq: 9,
        read: 8,
        unread: 1,
    };
    check_reply(
        "5",
        &Reply::Threads { items: vec![thread] },
        concat!(
            r#"{"id":5,"code":0,"message":"ok","data":{"items":[{"room":"lobby","thread":7,"#,
            r#""from":"bob","text":"hi","seq":9,"read":8,"unread":1}]}}"#,
        ),
    );
}
