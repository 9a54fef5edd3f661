//! Presence, typing and receipts as one connection has been told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, items, names, number, text};

/// What one connection knows of the people in a room.
#[derive(Debug, Default)]
pub(crate) struct People {
    /// The version of the presence.
    v: Option<u64>,
    /// Who is there, and whether away; `None` before it was told.
    pub(crate) users: Option<BTreeMap<String, bool>>,
    pub(crate) typing: BTreeSet<String>,
    pub(crate) receipts: BTreeMap<String, u64>,
}

impl People {
    /// The connection has joined at version `v`. Who is there it does not know yet.
    pub(crate) fn at(v: u64) -> Self {
        Self { v: Some(v), ..Self::default() }
    }

    /// Everyone who is there: the answer to `presence`, or an event after some were left out.
    pub(crate) fn state(&mut self, value: &Value) -> Check {
        let v = number(value, "v")?;
        if self.v.is_some_and(|known| v < known) {
            return Err(format!("presence goes back to v {v} from {:?}", self.v));
        }
        self.v = Some(v);
        let mut users = BTreeMap::new();
        for pair in items(value, "users")? {
            let name = pair.get(0).and_then(Value::as_str);
            let away = match pair.get(1).and_then(Value::as_str) {
                Some("online") => Some(false),
                Some("away") => Some(true),
                _ => None,
            };
            let (Some(name), Some(away)) = (name, away) else {
                return Err(format!("{pair} is no presence"));
            };
            if users.insert(name.to_owned(), away).is_some() {
                return Err(format!("{name} is there twice"));
            }
        }
        self.users = Some(users);
        self.check_count(value)
    }

    /// A presence event.
    pub(crate) fn presence(&mut self, value: &Value) -> Check {
        if value.get("users").is_some() {
            return self.state(value);
        }
        let v = number(value, "v")?;
        if self.v.is_some_and(|known| known + 1 != v) {
            return Err(format!("presence v {v} does not follow {:?}", self.v));
        }
        self.v = Some(v);
        let (on, away, off) = (names(value, "on")?, names(value, "away")?, names(value, "off")?);
        let mut named = BTreeSet::new();
        if !on.iter().chain(&away).chain(&off).all(|name| named.insert(*name)) {
            return Err(format!("a name is there twice in {value}"));
        }
        let Some(users) = &mut self.users else { return Ok(()) };
        for name in off {
            users.remove(name);
        }
        users.extend(on.into_iter().map(|name| (name.to_owned(), false)));
        users.extend(away.into_iter().map(|name| (name.to_owned(), true)));
        self.check_count(value)
    }

    fn check_count(&self, value: &Value) -> Check {
        let there = self.users.as_ref().map(|users| users.len() as u64);
        if there.is_some_and(|there| Ok(there) != number(value, "count")) {
            return Err(format!("{there:?} users are there after {value}"));
        }
        Ok(())
    }

    /// A typing event for `viewer`.
    pub(crate) fn typing(&mut self, value: &Value, viewer: &str) -> Check {
        let users = names(value, "users")?;
        if users.contains(&viewer) {
            return Err(format!("{viewer} is told that it types itself"));
        }
        self.typing = users.into_iter().map(str::to_owned).collect();
        Ok(())
    }

    /// A receipts event for `viewer`.
    pub(crate) fn receipts(&mut self, value: &Value, viewer: &str) -> Check {
        let read = value.get("read").and_then(Value::as_object);
        for (user, seq) in read.ok_or_else(|| format!("no receipts in {value}"))? {
            let seq = seq.as_u64().ok_or_else(|| format!("{seq} is no seq"))?;
            if user == viewer {
                return Err(format!("{viewer} is told its own receipt"));
            }
            let known = self.receipts.entry(user.clone()).or_default();
            if seq < *known {
                return Err(format!("the receipt of {user} goes back from {known} to {seq}"));
            }
            *known = seq;
        }
        Ok(())
    }

    /// How far others have read, as a join or a resume says for `viewer`. None is told less later.
    pub(crate) fn marks(&mut self, value: &Value, viewer: &str) -> Check {
        let Some(marks) = value.get("marks") else { return Ok(()) };
        self.receipts(&serde_json::json!({ "read": marks }), viewer)
    }

    /// Whether `name` is told to be there, and away.
    pub(crate) fn find(&self, name: &str) -> Option<bool> {
        self.users.as_ref()?.get(name).copied()
    }

    /// The room that an event names.
    pub(crate) fn room(value: &Value) -> Check<&str> {
        text(value, "room")
    }
}

/// The mark of `viewer` itself rises.
pub(crate) fn rise(known: &mut BTreeMap<String, u64>, value: &Value, viewer: &str) -> Check {
    let known = known.entry(text(value, "room")?.to_owned()).or_default();
    let read = value.get("read").and_then(Value::as_object);
    let own = read.filter(|read| read.len() == 1).and_then(|read| read.get(viewer));
    let seq = own.and_then(Value::as_u64).ok_or_else(|| format!("no own receipt in {value}"))?;
    if seq < *known {
        return Err(format!("the own receipt goes back from {known} to {seq}"));
    }
    *known = seq;
    Ok(())
}
