//! Acts of moderation: who may be where, and what nobody may have said.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, History, LogKey, number, text};

/// An act as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Act {
    name: String,
    pub(super) target: String,
    /// It ends by itself.
    ends: bool,
}

impl History {
    /// A client is about to do this to a user, or, with `create`, to make the room itself.
    pub(crate) fn ask_act(&mut self, op: &'static str, user: &str) {
        self.acts_asked.insert((op, user.to_owned()));
    }

    /// Whether anybody has asked for it.
    pub(crate) fn is_act_asked(&self, op: &'static str, user: &str) -> bool {
        self.acts_asked.contains(&(op, user.to_owned()))
    }

    /// Whether anybody has asked for it to be done to anyone.
    pub(crate) fn is_any_asked(&self, op: &'static str) -> bool {
        self.acts_asked.iter().any(|(asked, _)| *asked == op)
    }

    /// Somebody is in a private room, or sees what is said there.
    pub(crate) fn check_invited(&self, user: &str) -> Check {
        let is_welcome = ["invite", "create"].into_iter().any(|op| self.is_act_asked(op, user));
        is_welcome.then_some(()).ok_or_else(|| format!("{user} was never invited"))
    }

    /// Somebody sees an act.
    pub(super) fn note_act(&mut self, key: LogKey, item: &Value) -> Check {
        let act = Act {
            name: text(item, "act")?.to_owned(),
            target: text(item, "target")?.to_owned(),
            ends: item.get("until").is_some(),
        };
        let acts = &mut self.logs[key.0].acts;
        let known = acts.entry(number(item, "seq")?).or_insert_with(|| act.clone());
        (*known == act).then_some(()).ok_or_else(|| format!("{item} was {known:?} before"))
    }

    /// Nobody who was banned for good has done anything until that was taken back, and nobody who
    /// was muted has said anything: the log's order decides. What lies behind a record that nobody
    /// has seen is not judged.
    pub(crate) fn check_order(&self) -> Check {
        for log in self.logs.iter().filter(|log| !self.cut.contains(&log.room)) {
            let (mut banned, mut muted) = (BTreeMap::new(), BTreeMap::new());
            let mut due = 0;
            for (&seq, entry) in &log.records {
                let act = log.acts.get(&seq);
                // One that is known by its author only, as of an answer to the act, may have been
                // any act.
                let is_vague = entry.kind == "moderation" && act.is_none();
                if seq != due || is_vague {
                    banned.clear();
                    muted.clear();
                }
                due = seq + 1;
                let silenced = act.is_none().then(|| muted.get(&entry.from)).flatten();
                if let Some(by) = banned.get(&entry.from).or(silenced) {
                    return Err(format!("{} has {entry:?} at {seq}, behind {by}", log.room));
                }
                let Some(Act { name, target, ends }) = act else { continue };
                let list = match name.as_str() {
                    "ban" | "unban" => &mut banned,
                    "mute" | "unmute" => &mut muted,
                    _ => continue,
                };
                // The last one counts: one that ends by itself takes the place of one that does
                // not.
                if matches!(name.as_str(), "ban" | "mute") && !ends {
                    list.insert(target.clone(), seq);
                } else {
                    list.remove(target);
                }
            }
        }
        Ok(())
    }
}
