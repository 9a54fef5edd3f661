//! A layer between server and clients that breaks promises on purpose, to see that the checker
//! notices.

use std::collections::BTreeMap;

use chinwag::rng::Rng;

use serde_json::{Value, json};

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident,)+) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum NetworkFault {
            $($(#[$doc])* $variant,)+
        }

        impl NetworkFault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

faults! {
    /// A live record is lost.
    LostEvent,
    /// A live record comes twice.
    DoubledEvent,
    /// A record comes after its successor.
    SwappedEvents,
    /// A record is shown before it is committed, and a crash could take it back.
    EarlyEvent,
    /// Two clients see different records at one seq.
    OtherText,
    /// The answer to a `send` comes after the record that follows it.
    LateReply,
    /// An answer is lost.
    LostReply,
    /// An answer comes twice.
    DoubledReply,
    /// An answer names another seq.
    WrongSeq,
    /// A repeated message is answered as if it were another one.
    Respent,
    /// A record is missing from a replay.
    HoleInReplay,
    /// The end of a replay is not said.
    LostLive,
    /// Records are skipped, and the gap is not said.
    SilentGap,
    /// A gap is told where nothing is missing.
    FalseGap,
    /// A presence event is lost.
    LostPresence,
    /// A presence event names somebody who is not there.
    WrongPresence,
    /// A receipt goes back.
    ReceiptBack,
    /// A room that was left goes on.
    LostLeft,
    /// A user who was put out of a room still gets its messages.
    PutOutStillHears,
}

/// The layer. Without a fault it lets everything pass.
#[derive(Debug)]
pub(crate) struct Tamper {
    fault: Option<NetworkFault>,
    rng: Rng,
    /// A message that is kept back, by client.
    kept: BTreeMap<usize, String>,
    /// The room that a client was put out of, and what it is to hear of it.
    put_out: BTreeMap<usize, (String, Vec<String>)>,
    /// How many messages were tampered with.
    pub(crate) done: u64,
}

impl Tamper {
    pub(crate) const fn new(fault: Option<NetworkFault>, seed: u64) -> Self {
        Self {
            fault,
            rng: Rng::new(seed),
            kept: BTreeMap::new(),
            put_out: BTreeMap::new(),
            done: 0,
        }
    }

    /// Passes a message of the server's on to a client.
    pub(crate) fn pass(&mut self, client: usize, text: String, out: &mut Vec<String>) {
        let Some(fault) = self.fault else { return out.push(text) };
        if fault == NetworkFault::PutOutStillHears {
            return self.inspect(client, text, out);
        }
        let kept = self.kept.remove(&client);
        if kept.is_none()
            && let Ok(value) = serde_json::from_str(&text)
            && self.break_one(fault, (client, &text), value, out)
        {
            self.done += 1;
            return;
        }
        out.push(text);
        out.extend(kept);
    }

    /// Also delivers messages to those who were put out of a room.
    fn inspect(&mut self, client: usize, text: String, out: &mut Vec<String>) {
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let room = word("room").to_owned();
        match (word("ev"), word("reason")) {
            ("left", "kicked" | "banned") => {
                self.put_out.insert(client, (room, Vec::new()));
                return;
            }
            ("message" | "topic" | "moderation", _) => {
                let others = self.put_out.iter_mut().filter(|(other, _)| **other != client);
                for (_, (_, heard)) in others.filter(|(_, (of, _))| *of == room) {
                    heard.push(text.clone());
                }
            }
            _ => {}
        }
        out.push(text);
        if let Some((_, heard)) = self.put_out.get_mut(&client) {
            self.done += heard.len() as u64;
            out.append(heard);
        }
    }

    #[expect(clippy::too_many_lines, reason = "one arm a fault")]
    /// Breaks a message if it is one to which the fault applies.
    fn break_one(
        &mut self,
        fault: NetworkFault,
        (client, text): (usize, &str),
        mut value: Value,
        out: &mut Vec<String>,
    ) -> bool {
        let Some(is_frequent) = applies(fault, &value) else { return false };
        if is_frequent && !self.rng.once_in(20) {
            return false;
        }
        match fault {
            NetworkFault::LostEvent
            | NetworkFault::LostReply
            | NetworkFault::LostLive
            | NetworkFault::LostPresence
            | NetworkFault::PutOutStillHears
            | NetworkFault::LostLeft => {}
            NetworkFault::DoubledEvent | NetworkFault::DoubledReply => {
                out.extend([text.to_owned(), text.to_owned()]);
            }
            NetworkFault::SwappedEvents | NetworkFault::LateReply => {
                self.kept.insert(client, text.to_owned());
            }
            NetworkFault::EarlyEvent => {
                out.push(text.to_owned());
                shift(&mut value, "/seq", 1);
                value["text"] = json!("said by nobody");
                out.push(value.to_string());
            }
            NetworkFault::OtherText => {
                value["at"] = json!(value["at"].as_u64().unwrap_or(0) + 1);
                out.push(value.to_string());
            }
            NetworkFault::FalseGap => {
                let (room, seq) = (&value["room"], &value["seq"]);
                out.extend([
                    json!({"ev":"gap","room":room,"from":seq,"to":seq,"why":"pruned"}).to_string(),
                    json!({"ev":"live","room":room,"seq":seq}).to_string(),
                ]);
            }
            NetworkFault::WrongSeq | NetworkFault::Respent => {
                shift(&mut value, "/data/seq", 1);
                out.push(value.to_string());
            }
            NetworkFault::HoleInReplay => {
                let items = value["items"].as_array_mut().map_or(0, |items| {
                    items.remove(0);
                    items.len()
                });
                if items > 0 {
                    out.push(value.to_string());
                }
            }
            NetworkFault::SilentGap => {
                let items = value["items"].as_array_mut().into_iter().flatten();
                for item in items {
                    shift(item, "/seq", 1);
                }
                shift(&mut value, "/to", 1);
                out.push(value.to_string());
            }
            NetworkFault::WrongPresence => {
                if let Some(on) = value.get_mut("on").and_then(Value::as_array_mut) {
                    on.push(json!("nobody"));
                } else if let Some(users) = value.get_mut("users").and_then(Value::as_array_mut) {
                    users.push(json!(["nobody", "online"]));
                }
                out.push(value.to_string());
            }
            NetworkFault::ReceiptBack => {
                out.push(text.to_owned());
                for seq in
                    value["read"].as_object_mut().into_iter().flat_map(|read| read.values_mut())
                {
                    *seq = json!(seq.as_u64().unwrap_or(0).saturating_sub(1));
                }
                out.push(value.to_string());
            }
        }
        true
    }
}

/// Whether the fault applies to a message, and then whether there are many such messages.
fn applies(fault: NetworkFault, value: &Value) -> Option<bool> {
    let event = value.get("ev").and_then(Value::as_str).unwrap_or_default();
    let is_sent = value.pointer("/data/durable").is_some()
        && value.pointer("/data/seq").is_some()
        && value.pointer("/data/epoch").is_none();
    let is_dup = value.pointer("/data/dup").is_some();
    let applies = match fault {
        NetworkFault::LostEvent
        | NetworkFault::DoubledEvent
        | NetworkFault::SwappedEvents
        | NetworkFault::EarlyEvent
        | NetworkFault::OtherText
        | NetworkFault::FalseGap => event == "message",
        NetworkFault::LateReply
        | NetworkFault::LostReply
        | NetworkFault::DoubledReply
        | NetworkFault::WrongSeq => is_sent && !is_dup,
        NetworkFault::Respent => is_dup,
        NetworkFault::HoleInReplay | NetworkFault::SilentGap => event == "replay",
        NetworkFault::LostLive => event == "live",
        NetworkFault::LostPresence | NetworkFault::WrongPresence => event == "presence",
        NetworkFault::ReceiptBack => event == "receipts",
        NetworkFault::LostLeft => event == "left",
        NetworkFault::PutOutStillHears => false,
    };
    let is_frequent = event == "message" || is_sent;
    applies.then_some(is_frequent)
}

/// Adds to a number.
fn shift(value: &mut Value, pointer: &str, by: u64) {
    if let Some(number) = value.pointer_mut(pointer) {
        *number = json!(number.as_u64().unwrap_or(0) + by);
    }
}
