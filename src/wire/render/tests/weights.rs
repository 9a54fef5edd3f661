//! What a rendered record takes at most.

use super::*;

proptest! {
    #[test]
    fn a_rendered_record_is_no_longer_than_its_weight_and_reads_as_it_was(
        text in "(\\PC|[\\x00-\\x7f]){0,60}",
        cid in prop::option::of("[\\x01-\\x7f]{1,64}"),
        reply_to in prop::option::of(0u64..1 << 53),
        at in any::<u64>(),
    ) {
        let data = Some("{\"a\":\n1}");
        let weight = encoded_len_max(&text, data, cid.as_deref());
        let (room, from) = (RoomName::parse(&"r".repeat(32)).unwrap(), user(&"u".repeat(32)));
        let bound = RECORD_OVERHEAD + room.as_str().len() + from.as_str().len()
            + usize::try_from(weight).unwrap();
        let body = Body::Message {
            text: text.as_str().into(),
            data: data.map(Into::into),
            cid: cid.clone().map(Into::into),
            reply_to,
            thread: Some((1 << 53) - 1),
            edited: Some((1 << 53) - 1),
        };
        let record = Record { seq: (1 << 53) - 1, at, from, body, weight: 0 };
        let (mut live, mut own) = (Vec::new(), Vec::new());
        record_event(&mut live, &room, &record);
        item(&mut own, &record, Some(&record.from));
        // The longest framing is a WebSocket header of ten bytes.
        prop_assert!(live.len() + 10 <= bound && own.len() < bound);
        prop_assert!(!live.contains(&b'\n') && !own.contains(&b'\n'));
        let value: Value = serde_json::from_slice(&own).unwrap();
        let text = text.replace(|c| c < ' ' && !"\n\r\t\u{8}\u{c}".contains(c), "?");
        prop_assert_eq!(value["text"].as_str(), Some(text.as_str()));
        prop_assert_eq!(value["cid"].as_str(), cid.as_deref());
        prop_assert_eq!(value["reply_to"].as_u64(), reply_to);
        prop_assert_eq!(value["data"]["a"].as_u64(), Some(1));
        let live: Value = serde_json::from_slice(&live).unwrap();
        prop_assert_eq!(live["text"].as_str(), Some(text.as_str()));
        prop_assert!(live.get("cid").is_none());
    }

    #[test]
    fn no_other_record_is_longer_than_its_weight(text in any::<String>(), number in 0u64..1 << 53) {
        let (room, from) = (RoomName::parse(&"r".repeat(32)).unwrap(), user(&"u".repeat(32)));
        let names = room.as_str().len() + from.as_str().len();
        let own = usize::try_from(encoded_len_max(&text, None, None)).unwrap();
        let until = Some((1 << 53) - 1);
        let moderation = |act| {
            let body = Body::Moderation { act, target: from.clone(), reason: text.as_str().into() };
            (body, own + from.as_str().len())
        };
        for (body, own) in [
            (Body::Topic { text: text.as_str().into() }, own),
            (
                Body::Rename { name: room.clone(), was: room.clone() },
                // Once more for the room that it is told of, which may have had a shorter one.
                2 * room.as_str().len(),
            ),
            (Body::Edit { target: number, text: Some(text.as_str().into()) }, own),
            (Body::Edit { target: number, text: None }, 0),
            (Body::Deleted, 0),
            (Body::Deletion { target: number }, 0),
            (Body::Reaction { target: number, emoji: text.as_str().into(), remove: true }, own),
            moderation(Act::Ban { until }),
            moderation(Act::Mute { until }),
            moderation(Act::Unmute),
            moderation(Act::Role(Role::Moderator)),
        ] {
            let seq = (1 << 53) - 1;
            let record = Record { seq, at: u64::MAX, from: from.clone(), body, weight: 0 };
            let (mut live, mut text_line) = (Vec::new(), Vec::new());
            record_event(&mut live, &room, &record);
            crate::wire::text::record_event(&mut text_line, &room, &record, None);
            let bound = RECORD_OVERHEAD + names + own;
            prop_assert!(live.len() + 10 <= bound && text_line.len() <= bound, "{record:?}");
            let value: Value = serde_json::from_slice(&live).unwrap();
            prop_assert_eq!(value["seq"].as_u64(), Some(seq));
        }
    }
}
