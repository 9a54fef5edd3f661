//! A layer between server and clients that breaks promises on purpose, to see that the checker notices.

use std::collections::BTreeMap;

use chinwag::rng::Rng;

use serde_json::{Value, json};

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident,)+) => {
        /// What is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Fault {
            $($(#[$doc])* $variant,)+
        }

        impl Fault {
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)+];
        }
    };
}

faults! {
    /// A live record is lost.
    LostEvent,
    /// A live record comes twice.
    DoubledEvent,
    /// A record comes after what was said behind it.
    SwappedEvents,
    /// A record is shown that was never said: it could still be taken back.
    EarlyEvent,
    /// Two clients see different records at one seq.
    OtherText,
    /// An answer to a `send` comes behind the record after it.
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
    /// Who was put out of a room still hears what is said there.
    PutOutStillHears,
}

/// The layer. Without a fault it lets everything pass.
#[derive(Debug)]
pub(crate) struct Tamper {
    fault: Option<Fault>,
    rng: Rng,
    /// A message that is kept back, by client.
    kept: BTreeMap<usize, String>,
    /// The room that a client was put out of, and what it is to hear of it.
    put_out: BTreeMap<usize, (String, Vec<String>)>,
    /// How many messages were tampered with.
    pub(crate) done: u64,
}

impl Tamper {
    pub(crate) const fn new(fault: Option<Fault>, seed: u64) -> Self {
        Self {
            fault,
            rng: Rng::new(seed),
            kept: BTreeMap::new(),
            put_out: BTreeMap::new(),
            done: 0,
        }
    }

    /// Hands on what the server has said to a client.
    pub(crate) fn pass(&mut self, client: usize, text: String, out: &mut Vec<String>) {
        let Some(fault) = self.fault else { return out.push(text) };
        if fault == Fault::PutOutStillHears {
            return self.overhear(client, text, out);
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

    /// Lets those who were put out hear on.
    fn overhear(&mut self, client: usize, text: String, out: &mut Vec<String>) {
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
        fault: Fault,
        (client, text): (usize, &str),
        mut value: Value,
        out: &mut Vec<String>,
    ) -> bool {
        let Some(is_frequent) = applies(fault, &value) else { return false };
        if is_frequent && !self.rng.once_in(20) {
            return false;
        }
        match fault {
            Fault::LostEvent
            | Fault::LostReply
            | Fault::LostLive
            | Fault::LostPresence
            | Fault::PutOutStillHears
            | Fault::LostLeft => {}
            Fault::DoubledEvent | Fault::DoubledReply => {
                out.extend([text.to_owned(), text.to_owned()]);
            }
            Fault::SwappedEvents | Fault::LateReply => {
                self.kept.insert(client, text.to_owned());
            }
            Fault::EarlyEvent => {
                out.push(text.to_owned());
                shift(&mut value, "/seq", 1);
                value["text"] = json!("said by nobody");
                out.push(value.to_string());
            }
            Fault::OtherText => {
                value["at"] = json!(value["at"].as_u64().unwrap_or(0) + 1);
                out.push(value.to_string());
            }
            Fault::FalseGap => {
                let (room, seq) = (&value["room"], &value["seq"]);
                out.extend([
                    json!({"ev":"gap","room":room,"from":seq,"to":seq,"why":"pruned"}).to_string(),
                    json!({"ev":"live","room":room,"seq":seq}).to_string(),
                ]);
            }
            Fault::WrongSeq | Fault::Respent => {
                shift(&mut value, "/data/seq", 1);
                out.push(value.to_string());
            }
            Fault::HoleInReplay => {
                let items = value["items"].as_array_mut().map_or(0, |items| {
                    items.remove(0);
                    items.len()
                });
                if items > 0 {
                    out.push(value.to_string());
                }
            }
            Fault::SilentGap => {
                let items = value["items"].as_array_mut().into_iter().flatten();
                for item in items {
                    shift(item, "/seq", 1);
                }
                shift(&mut value, "/to", 1);
                out.push(value.to_string());
            }
            Fault::WrongPresence => {
                if let Some(on) = value.get_mut("on").and_then(Value::as_array_mut) {
                    on.push(json!("nobody"));
                } else if let Some(users) = value.get_mut("users").and_then(Value::as_array_mut) {
                    users.push(json!(["nobody", "online"]));
                }
                out.push(value.to_string());
            }
            Fault::ReceiptBack => {
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
fn applies(fault: Fault, value: &Value) -> Option<bool> {
    let event = value.get("ev").and_then(Value::as_str).unwrap_or_default();
    let is_sent = value.pointer("/data/durable").is_some()
        && value.pointer("/data/seq").is_some()
        && value.pointer("/data/epoch").is_none();
    let is_dup = value.pointer("/data/dup").is_some();
    let applies = match fault {
        Fault::LostEvent
        | Fault::DoubledEvent
        | Fault::SwappedEvents
        | Fault::EarlyEvent
        | Fault::OtherText
        | Fault::FalseGap => event == "message",
        Fault::LateReply | Fault::LostReply | Fault::DoubledReply | Fault::WrongSeq => {
            is_sent && !is_dup
        }
        Fault::Respent => is_dup,
        Fault::HoleInReplay | Fault::SilentGap => event == "replay",
        Fault::LostLive => event == "live",
        Fault::LostPresence | Fault::WrongPresence => event == "presence",
        Fault::ReceiptBack => event == "receipts",
        Fault::LostLeft => event == "left",
        Fault::PutOutStillHears => false,
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
