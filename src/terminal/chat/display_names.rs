//! Display names: of whom one is known, and how it stands beside the name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chinwag_client::model::{fields, object, text};
use chinwag_client::{Client, Item};
use serde_json::Value;

use crate::chat::model::limits::PROFILES_PAGE_MAX;
use crate::time::Tick;
use crate::wire::text::{safe_line, safe_name};

/// Users whose display names are kept. Beyond that all are asked for anew.
const KNOWN_MAX: usize = 10_000;
/// For how long one is good, since in large rooms nobody is told of changes: as on the page.
const GOOD_FOR: Duration = Duration::from_mins(5);
/// Letters of a display name that stand beside a name: a line has to have room for what is said.
const SHOWN_MAX: usize = 24;

/// The display name of a user.
#[derive(Debug)]
struct Known {
    /// Empty for who has none.
    display: String,
    /// When it was told.
    at: Tick,
    /// What had been told by then.
    told: Told,
}

/// How much had been told when something was asked: an answer is older than what was told since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told(u64);

/// The display names of those whose messages are shown, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct Displays {
    known: BTreeMap<String, Known>,
    /// Counts what the server tells unasked.
    told: Told,
    /// When all was forgotten: what was asked before is not taken any more.
    forgotten: Told,
    /// Of whom it is being asked, while their messages are shown without it.
    awaited: BTreeSet<String>,
}

impl Displays {
    /// Whose display names are to be asked for, to show these records: those of the authors that
    /// are not known, or of all, since in large rooms nobody is told of changes.
    pub(super) fn to_ask(&self, records: &[Value], again: bool) -> BTreeSet<String> {
        let records = records.iter().filter_map(Value::as_object);
        let authors = records.filter(|item| text(item, "ev") == Some("message"));
        let authors = authors.filter_map(|item| text(item, "from"));
        let wanted = authors.filter(|name| again || !self.known.contains_key(*name));
        let wanted: BTreeSet<_> = wanted.collect();
        wanted.into_iter().take(PROFILES_PAGE_MAX).map(str::to_owned).collect()
    }

    /// The author of a record, if its display name is not known, or has been for long, and is not
    /// being asked for; from now on it is.
    pub(super) fn wanted_author(&mut self, record: &Item, now: Tick) -> Option<String> {
        let author = text(record, "from").filter(|_| text(record, "ev") == Some("message"))?;
        let known = self.known.get(author);
        let is_wanted = known.is_none_or(|known| now >= known.at.after(GOOD_FOR));
        (is_wanted && self.awaited.insert(author.to_owned())).then(|| author.to_owned())
    }

    /// It is not being asked for any more.
    pub(super) fn give_up(&mut self, user: &str) {
        self.awaited.remove(user);
    }

    /// Notes what the server tells of users.
    pub(super) fn note(&mut self, profiles: &Item, now: Tick) {
        self.told.0 += 1;
        self.note_answer(profiles, self.told, now);
    }

    /// How much has been told, for [`Self::note_answer`].
    pub(super) const fn told(&self) -> Told {
        self.told
    }

    /// Notes the answer to a question that was put when so much had been told. Of whom something
    /// was told since, that stays: it may be newer, and would be told again if it were not.
    pub(super) fn note_answer(&mut self, profiles: &Item, as_of: Told, now: Tick) {
        if as_of < self.forgotten {
            return;
        }
        if self.known.len() > KNOWN_MAX {
            self.forget();
            return;
        }
        for (user, profile) in profiles {
            if self.known.get(user).is_some_and(|known| known.told > as_of) {
                continue;
            }
            let display = profile.get("display").and_then(Value::as_str).unwrap_or_default();
            let known = Known { display: display.to_owned(), at: now, told: as_of };
            self.known.insert(user.clone(), known);
        }
    }

    /// Nobody is told of changes while there is no connection.
    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.told.0 += 1;
        self.forgotten = self.told;
    }

    /// What stands after a name, such as ` ~Ann Smith`; never in its place, since anybody may be
    /// called anything.
    pub(super) fn beside(&self, name: &str) -> String {
        let display = self.known.get(name).map_or("", |known| &*known.display);
        if display.is_empty() {
            return String::new();
        }
        let mut shown: String = display.chars().take(SHOWN_MAX).collect();
        if shown.len() < display.len() {
            shown.push('…');
        }
        format!(" ~{}", safe_name(&safe_line(&shown)))
    }
}

/// Asks what these users say of themselves; of one of whom nothing is to be known, that is nothing.
/// Nothing at all if the server does not answer.
pub(super) fn ask(client: &Client, users: BTreeSet<String>) -> Item {
    if users.is_empty() {
        return Item::new();
    }
    let names: Vec<Value> = users.iter().map(|user| user.as_str().into()).collect();
    let Ok(data) = client.request("whois", fields([("users", names.into())])) else {
        return Item::new();
    };
    let told = object(&data, "profiles");
    let nothing = users.into_iter().map(|user| (user, Value::Null));
    nothing.chain(told).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_display_name_stands_beside_the_name_of_who_has_one_and_leaves_room_for_what_is_said() {
        let item = |value: Value| value.as_object().unwrap().clone();
        let mut displays = Displays::default();
        displays.note(
            &item(json!({
                "ann": {"display": "Ann \u{1b}S"},
                "bob": {"text": "tea"},
                "eve": {"display": "x".repeat(60)},
                "kit": null,
            })),
            Tick::ZERO,
        );
        let long = format!(" ~{}…\u{200e}", "x".repeat(SHOWN_MAX));
        for (name, expect) in
            [("ann", " ~Ann ?S"), ("bob", ""), ("eve", &*long), ("kit", ""), ("zoe", "")]
        {
            assert_eq!(displays.beside(name), expect, "{name}");
        }
        let said = |from| json!({"ev": "message", "from": from});
        let records =
            [said("bob"), said("zoe"), said("zoe"), json!({"ev": "topic", "from": "una"})];
        assert_eq!(Vec::from_iter(displays.to_ask(&records, false)), ["zoe"]);
        assert_eq!(Vec::from_iter(displays.to_ask(&records, true)), ["bob", "zoe"]);
        displays.note(&item(json!({"ann": {}})), Tick::ZERO);
        assert_eq!(displays.beside("ann"), "");
        displays.forget();
        assert_eq!(Vec::from_iter(displays.to_ask(&records, false)), ["bob", "zoe"]);
    }

    #[test]
    fn an_answer_takes_no_place_from_what_was_told_since_it_was_asked_for() {
        let item = |value: Value| value.as_object().unwrap().clone();
        let called = |display: &str| item(json!({"ann": {"display": display}, "bob": null}));
        let mut displays = Displays::default();
        displays.note(&called("Ann"), Tick::ZERO);
        let as_of = displays.told();
        displays.note_answer(&called("Ann S"), as_of, Tick::ZERO);
        assert_eq!(displays.beside("ann"), " ~Ann S", "nothing was told since");
        displays.note(&item(json!({"ann": {"display": "Ann T"}})), Tick::ZERO);
        displays.note_answer(
            &item(json!({"ann": {"display": "Ann S"}, "bob": {"display": "B"}})),
            as_of,
            Tick::ZERO,
        );
        assert_eq!(displays.beside("ann"), " ~Ann T");
        assert_eq!(displays.beside("bob"), " ~B", "of whom nothing was told");
        displays.forget();
        displays.note_answer(&called("Ann S"), as_of, Tick::ZERO);
        assert_eq!(displays.beside("ann"), "", "of another connection");
    }

    #[test]
    fn who_speaks_is_asked_for_once_and_again_when_it_has_been_known_for_long() {
        let record = json!({"ev": "message", "from": "zoe"});
        let record = record.as_object().unwrap();
        let mut displays = Displays::default();
        let wanted = Some("zoe".to_owned());
        assert_eq!(displays.wanted_author(record, Tick::ZERO), wanted);
        assert_eq!(displays.wanted_author(record, Tick::ZERO), None, "it is being asked for");
        displays.give_up("zoe");
        assert_eq!(displays.wanted_author(record, Tick::ZERO), wanted);
        displays.give_up("zoe");
        displays.note(json!({"zoe": {}}).as_object().unwrap(), Tick::ZERO);
        let soon = Tick::ZERO.after(GOOD_FOR.saturating_sub(Duration::from_millis(1)));
        assert_eq!(displays.wanted_author(record, soon), None);
        assert_eq!(displays.wanted_author(record, Tick::ZERO.after(GOOD_FOR)), wanted);
    }
}
