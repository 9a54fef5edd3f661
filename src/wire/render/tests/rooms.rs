//! Rooms: how they go on for who comes back, get other names, and end.

use super::*;

fn resumed(requested: &str, resumption: Resumption) -> ResumedRoom {
    ResumedRoom { requested: requested.into(), name: None, resumption, marks: Vec::new() }
}

#[test]
fn each_room_of_a_resume_says_how_it_goes_on() {
    let gap = Resumption::Gap { gap: (5, 9), why: GapWhy::Pruned, from: 10, to: 12 };
    let refused = Resumption::Refused(Refusal::new(Code::NotMember, "you are not a member"));
    let welcome = Reply::Welcome {
        user: user("ann"),
        session: "s9f".into(),
        time: 1,
        resumed: true,
        may_invite: false,
        is_admin: false,
        rooms: vec![
            ResumedRoom {
                marks: vec![(user("bob"), 122)],
                ..resumed("lobby", Resumption::From { from: 124, to: 140 })
            },
            resumed("old", gap),
            resumed("new", Resumption::Reset { epoch: epoch(), seq: 4 }),
            resumed("left", refused),
            ResumedRoom {
                name: Some(den()),
                ..resumed("lair", Resumption::From { from: 2, to: 1 })
            },
        ],
        invitations: Vec::new(),
        more_invitations: false,
    };
    let (limits, mut out) = (Limits::default(), Vec::new());
    let context = Context { viewer: None, limits: &limits, stated: "", server: "x" };
    assert!(reply(&mut out, &request(Some("1"), Op::Hello), &welcome, &context));
    let rooms = concat!(
        r#""resumed":true,"rooms":{"lobby":{"from":124,"to":140,"marks":{"bob":122}},"#,
        r#""old":{"gap":[5,9],"why":"pruned","from":10,"to":12},"#,
        r#""new":{"reset":true,"epoch":"k3f9","seq":4},"#,
        r#""left":{"code":3003,"message":"you are not a member","data":{"error":"not_member"}},"#,
        r#""lair":{"from":2,"to":1,"room":"den"}},"#,
    );
    let line = String::from_utf8(out).unwrap();
    assert!(line.contains(rooms) && serde_json::from_str::<Value>(&line).is_ok(), "{line}");
}

#[test]
fn another_name_is_told_as_news_and_as_a_record_under_the_new_one() {
    check_event(
        &Event::Renamed { room: room(), name: den() },
        r#"{"ev":"renamed","room":"lobby","name":"den"}"#,
    );
    let body = Body::Rename { name: den(), was: room() };
    let record = Record { body, ..message("") };
    let head = r#"{"ev":"rename","room":"den","seq":123,"from":"bob","at":1763700002001"#;
    check(&format!(r#"{head},"name":"den","was":"lobby"}}"#), |out| {
        record_event(out, &den(), &record);
    });
}

#[test]
fn the_end_of_a_room_says_by_whom_and_why() {
    let gone =
        |reason: &str| Event::Gone { room: room(), from: user("ann"), reason: reason.into() };
    check_event(&gone(""), r#"{"ev":"gone","room":"lobby","from":"ann"}"#);
    check_event(
        &gone("moved \"on\""),
        r#"{"ev":"gone","room":"lobby","from":"ann","reason":"moved \"on\""}"#,
    );
}
