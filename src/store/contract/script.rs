//! Scripts of cases: a line is something that is asked, and what comes of it.
//!
//! ```text
//! ann say hi cid=c1 -> stored 1      also: edit N TEXT, delete N, react N EMOJI, unreact N EMOJI,
//!                                    topic TEXT, kick WHO, ban WHO, role WHO ROLE,
//!                                    rename NAME OLDEST,…,PRESENT
//! page 1 9 9 -> 1:ann:hi @1          from, to, limit -> the records @ the head
//! below 9 2 -> 1:ann:hi @1           the seq, limit
//! inbox bob 0 9 -> 1 1:ann:hi        who, read, head -> unread, the last message
//! search Hello wor -> 2 1            the seqs that are found, before and after all is indexed
//! written ann 2 -> 1 3               what a user has written, by pages of so many; `all`: and
//!                                    whatever is in the room
//! fact member ann owner 3            also: access 1 1 POLICY, topic TEXT WHO, leave WHO,
//!                                    ban|mute|invite|reader|return WHO, lift KIND WHO
//! sync -> ok
//! reopen                             forgotten, loaded, opened
//! room -> 1..1 member:ann:owner:3    loaded: oldest and head, the facts; also by another name
//! people bind:ann account:ann -> ok  changes of people, all or none
//! acts 9 -> act2 act1                what was noted, at most so many; `+` if there is more
//! thread ann 1 9 9 -> 1:ann:hi       who, thread, below, limit -> the page; `+`, and the mark
//! threads ann -> 1-3:bob:hi read1 new2   those that are followed, with the last seq
//! rooms 9 -> lobby:1:tea            open rooms: members, topic; also text=, after=
//! ```

use super::{PATIENCE, Subject, room, user};
use crate::chat::model::account::{Account, Hidden, Invite, Key, Login, SecretHash};
use crate::chat::model::color::Color;
use crate::chat::model::identity::{Bound, Grant, Rights, Source};
use crate::chat::model::listed_rooms::{DirectoryQuery, StoredRoom};
use crate::chat::model::load::Begun;
use crate::chat::model::log::{
    Answer, Appended, Draft, Expiry, InboxFound, InboxQuery, LogFault, LogId, LogReply, LogRequest,
    MemberMeta, Query, Restriction, RestrictionMeta, RoomMeta, TargetCheck,
};
use crate::chat::model::name::RoomName;
use crate::chat::model::people::{AuditedAct, Block, PeopleChange, Report};
use crate::chat::model::profile::ProfileChange;
use crate::chat::model::record::{Act, Body, Record};
use crate::chat::model::reply::Role;
use crate::chat::model::suspensions::Suspended;
use crate::chat::model::thread::{FollowedThread, ThreadChange, ThreadMark, ThreadQuery};

/// Runs a script: the first line of which comes something else than it says.
///
/// # Errors
///
/// That line, with what has come.
pub(super) fn run(store: &mut Subject, script: &str) -> Result<(), String> {
    let mut log = store.open("lobby", None);
    for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (request, expect) = line.split_once("->").unwrap_or((line, ""));
        let words: Vec<&str> = request.split_whitespace().collect();
        let found = match words[0] {
            "page" | "below" => read(store, log, &words),
            "inbox" => inbox(store, log, &words),
            "search" => search(store, log, request)?,
            "written" => written(store, log, &words),
            "fact" => {
                store.put(log, fact(&words[1..]));
                String::new()
            }
            "sync" => {
                let ticket = store.ticket();
                store.request(LogRequest::Sync { log, ticket });
                synced(&store.reply())
            }
            "reopen" => {
                store.forget(log);
                let begun = store.load_room("lobby").unwrap();
                log = store.open("lobby", Some(&begun));
                String::new()
            }
            "drop" => {
                store.request(LogRequest::Drop { log });
                log = store.open("lobby", None);
                String::new()
            }
            "room" => {
                let name = words.get(1).unwrap_or(&"lobby");
                about(&store.load_room(name).unwrap())
            }
            "people" => {
                let ticket = store.ticket();
                let changes = words[1..].iter().map(|word| change(word)).collect();
                store.request(LogRequest::People { ticket, changes });
                synced(&store.reply())
            }
            "acts" => acts(store, &words),
            "thread" => thread(store, log, &words),
            "threads" => threads(store, log, &words),
            "rooms" => rooms(store, &words),
            _ => append(store, log, &words),
        };
        let expect = expect.split_whitespace().collect::<Vec<_>>().join(" ");
        if found != expect {
            return Err(format!("{}: {line}, but: {found}", store.name));
        }
    }
    Ok(())
}

/// The value of `key=…` among the words.
fn option<'a>(words: &[&'a str], key: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn number(word: &str) -> u64 {
    word.parse().unwrap()
}

fn role(word: &str) -> Role {
    let all = [Role::Reader, Role::Member, Role::Moderator, Role::Owner];
    all.into_iter().find(|role| role.name() == word).unwrap()
}

fn body(words: &[&str]) -> Body {
    let seq = |key| option(words, key).map(number);
    match words[1] {
        "say" => Body::Message {
            text: words[2].into(),
            data: option(words, "data").map(Into::into),
            cid: option(words, "cid").map(Into::into),
            reply_to: seq("reply"),
            thread: seq("thread"),
            edited: None,
        },
        "edit" => Body::Edit { target: number(words[2]), text: Some(words[3].into()) },
        "delete" => Body::Deletion { target: number(words[2]) },
        "react" | "unreact" => {
            let (target, remove) = (number(words[2]), words[1] == "unreact");
            Body::Reaction { target, emoji: words[3].into(), remove }
        }
        "topic" => Body::Topic { text: words[2].into() },
        "rename" => Body::Rename { name: room(words[2]), was: former(words).pop().unwrap() },
        what => {
            let act = match what {
                "kick" => Act::Kick,
                "ban" => Act::Ban { until: seq("until") },
                "role" => Act::Role(role(words[3])),
                _ => panic!("{words:?}"),
            };
            Body::Moderation { act, target: user(words[2]), reason: "why".into() }
        }
    }
}

/// The names that a room will have had when it gets another one.
fn former(words: &[&str]) -> Vec<RoomName> {
    words[3].split(',').map(room).collect()
}

fn append(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let body = body(words);
    let has = |flag| words.contains(&flag);
    let check = body.target().map(|target| TargetCheck {
        target,
        others: has("others"),
        not_before: if has("late") { u64::MAX >> 1 } else { 0 },
        data_max: option(words, "max").map_or(usize::MAX, |max| max.parse().unwrap()),
    });
    let with = option(words, "with").map(|with| fact(&with.split(':').collect::<Vec<_>>()));
    let topic =
        (words[1] == "topic").then(|| RoomMeta::Topic(words[2].into(), Some(user(words[0]))));
    let name = (words[1] == "rename").then(|| RoomMeta::Name(room(words[2]), former(words)));
    let weight = option(words, "weight").map_or(300, |weight| weight.parse().unwrap());
    let draft = Draft {
        check,
        meta: with.into_iter().chain(topic).chain(name).collect(),
        is_question: has("?"),
        ..Draft::new(user(words[0]), body, weight)
    };
    let ticket = store.ticket();
    store.request(LogRequest::Append { log, ticket, draft });
    match store.reply() {
        LogReply::Appended { ticket: of, outcome } if of == ticket => outcome_text(&outcome),
        other => panic!("{other:?}"),
    }
}

fn outcome_text(outcome: &Appended) -> String {
    match outcome {
        Appended::Stored(record) => format!("stored {}", record.seq),
        Appended::Duplicate { seq, .. } => format!("duplicate {seq}"),
        Appended::Conflict { seq } => format!("conflict {seq}"),
        Appended::TooLarge(bytes) => format!("too-large {bytes}"),
        Appended::NoSuchReference(field) => format!("no {field}"),
        Appended::InThread(root) => format!("in thread {root}"),
        Appended::Refused(fault) => format!("refused {fault:?}"),
        other => format!("{other:?}"),
    }
}

fn record_text(record: &Record) -> String {
    let (seq, from) = (record.seq, &record.from);
    let what = match &record.body {
        Body::Message { text, data, edited, .. } => {
            let data = data.as_deref().map_or(String::new(), |data| format!("+{data}"));
            format!("{text}{data}{}", if edited.is_some() { "*" } else { "" })
        }
        Body::Deleted => "deleted".to_owned(),
        Body::Edit { target, text } => format!("edit{target}={}", text.as_deref().unwrap_or("")),
        Body::Deletion { target } => format!("delete{target}"),
        Body::Reaction { target, emoji, remove: false } => format!("react{target}={emoji}"),
        Body::Reaction { target, emoji, remove: true } => format!("unreact{target}={emoji}"),
        Body::Topic { text } => format!("topic={text}"),
        Body::Rename { name, was } => format!("rename={name}/{was}"),
        Body::Moderation { act, target, reason } => {
            let until = match act {
                Act::Ban { until: Some(until) } => until.to_string(),
                Act::Role(role) => role.name().to_owned(),
                _ => String::new(),
            };
            format!("{}={target}{until}/{reason}", act.name())
        }
    };
    format!("{seq}:{from}:{what}")
}

fn ask(store: &mut Subject, query: Query) -> Answer {
    let ticket = store.ticket();
    store.request(LogRequest::Read { ticket, query });
    match store.reply() {
        LogReply::Answer { ticket: of, outcome: Ok(answer) } if of == ticket => answer,
        other => panic!("{other:?}"),
    }
}

fn read(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let numbers: Vec<u64> = words[1..].iter().map(|word| number(word)).collect();
    let limit = u32::try_from(*numbers.last().unwrap()).unwrap();
    let query = match words[0] {
        "page" => Query::Page { log, from: numbers[0], to: numbers[1], limit },
        _ => Query::Below { log, seq: numbers[0], limit },
    };
    let Answer::Records { records, as_of } = ask(store, query) else { panic!("no records") };
    let mut texts: Vec<String> = records.iter().map(|record| record_text(record)).collect();
    texts.push(format!("@{as_of}"));
    texts.join(" ")
}

fn inbox(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let (read, head) = (number(words[2]), number(words[3]));
    let rows = vec![InboxQuery { log, read, head, last: !words.contains(&"bare") }];
    let Answer::Inbox(rows) = ask(store, Query::Inbox { user: user(words[1]), rows }) else {
        panic!("no inbox")
    };
    let [InboxFound { unread, mentions, in_threads, last }] = &rows[..] else { panic!("{rows:?}") };
    let last = last.as_ref().map_or(String::new(), |last| format!(" {}", record_text(last)));
    let mentions = if *mentions > 0 { format!(" @{mentions}") } else { String::new() };
    let threads = if *in_threads > 0 { format!(" #{in_threads}") } else { String::new() };
    format!("{unread}{mentions}{threads}{last}")
}

fn search(store: &mut Subject, log: LogId, request: &str) -> Result<String, String> {
    let text = request.trim().strip_prefix("search").unwrap();
    let mut found = || {
        let found = store.search(&[log], text, 2);
        found.iter().map(|(_, seq)| seq.to_string()).collect::<Vec<_>>().join(" ")
    };
    let before = found();
    store.index();
    let after: Vec<_> = store.search(&[log], text, 2).iter().map(|it| it.1.to_string()).collect();
    let after = after.join(" ");
    if before != after {
        let name = store.name;
        return Err(format!("{name}: {request}: {before}, but {after} when it is indexed"));
    }
    Ok(after)
}

fn written(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let (name, limit) = (user(words[1]), words[2].parse().unwrap());
    let logs = if words.contains(&"all") { vec![log] } else { Vec::new() };
    let (mut seqs, mut above) = (Vec::new(), 0);
    loop {
        let (user, logs) = (name.clone(), logs.clone());
        let Answer::Written { items, next } =
            ask(store, Query::Written { user, logs, above, limit })
        else {
            panic!("nothing is written")
        };
        assert!(items.len() <= usize::try_from(limit).unwrap() && next.is_none_or(|it| it > above));
        seqs.extend(items.iter().map(|(room, record)| format!("{room}:{}", record.seq)));
        let Some(next) = next else { return seqs.join(" ") };
        above = next;
    }
}

fn acts(store: &mut Subject, words: &[&str]) -> String {
    let limit = words[1].parse().unwrap();
    let room = option(words, "room").map(room);
    let query = Query::Audit { user: user("ann"), room, before: None, limit };
    let Answer::Acts { acts, more } = ask(store, query) else { panic!("no acts") };
    let mut texts: Vec<String> = acts.iter().map(|(_, act)| act.act.to_string()).collect();
    texts.extend(more.then(|| "+".to_owned()));
    texts.join(" ")
}

fn thread(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let (user, limit) = (user(words[1]), words[4].parse().unwrap());
    let (thread, below) = (number(words[2]), number(words[3]));
    let query = Query::Thread(ThreadQuery { user, log, thread, below, limit });
    let Answer::Thread(page) = ask(store, query) else { panic!("no thread") };
    let mut texts: Vec<String> = page.records.iter().map(|record| record_text(record)).collect();
    texts.extend(page.more.then(|| "+".to_owned()));
    texts.extend(page.mark.map(|(read, unread)| format!("read{read} new{unread}")));
    texts.join(" ")
}

fn threads(store: &mut Subject, log: LogId, words: &[&str]) -> String {
    let query = Query::Threads { user: user(words[1]), logs: vec![log] };
    let Answer::Threads(found) = ask(store, query) else { panic!("no threads") };
    let texts = found.iter().map(|thread| {
        let FollowedThread { root, last, read, unread, .. } = thread;
        let root = record_text(root).replacen(':', &format!("-{last}:"), 1);
        format!("{root} read{read} new{unread}")
    });
    texts.collect::<Vec<_>>().join(" ")
}

fn rooms(store: &mut Subject, words: &[&str]) -> String {
    let limit = words[1].parse().unwrap();
    let (text, after) = (option(words, "text"), option(words, "after"));
    let (text, after) = (text.unwrap_or_default().into(), after.unwrap_or_default().into());
    let query = DirectoryQuery { user: user("ann"), text, after, limit };
    let Answer::Rooms { rooms, next } = ask(store, Query::Directory(query)) else {
        panic!("no rooms")
    };
    let text = |row: &StoredRoom| format!("{}:{}:{}", row.room, row.members, row.topic);
    let mut texts: Vec<String> = rooms.iter().map(text).collect();
    texts.extend(next.map(|next| format!("+{next}")));
    texts.join(" ")
}

fn synced(reply: &LogReply) -> String {
    match reply {
        LogReply::Synced { outcome: Ok(()), .. } => "ok".to_owned(),
        LogReply::Synced { outcome: Err(LogFault::Taken), .. } => "taken".to_owned(),
        other => panic!("{other:?} within {PATIENCE:?}"),
    }
}

const RESTRICTIONS: [(&str, Restriction); 5] = [
    ("ban", Restriction::Banned),
    ("mute", Restriction::Muted),
    ("invite", Restriction::Invited),
    ("reader", Restriction::Reader),
    ("return", Restriction::MayReturn),
];

fn restriction(word: &str) -> Restriction {
    RESTRICTIONS.iter().find(|(name, _)| *name == word).unwrap().1
}

fn fact(words: &[&str]) -> RoomMeta {
    match words[0] {
        "access" => RoomMeta::Access {
            private: words[1] == "1",
            owned: words[2] == "1",
            policy: words.get(3).map(|policy| (*policy).into()),
        },
        "topic" => RoomMeta::Topic(words[1].into(), words.get(2).map(|by| user(by))),
        "member" => {
            let read = words.get(3).map_or(0, |read| number(read));
            // A membership that begins anew has a number of its own.
            let joined = words.get(4).map_or(4, |joined| number(joined));
            let meta = MemberMeta { role: role(words[2]), recv: read, read, joined };
            RoomMeta::Member(user(words[1]), Some(meta))
        }
        "leave" => RoomMeta::Member(user(words[1]), None),
        "lift" => RoomMeta::Restriction(user(words[2]), restriction(words[1]), None),
        kind => {
            let until = words.get(2).map(|until| number(until));
            let expiry = Expiry { until, reason: "why".into() };
            let meta = RestrictionMeta { expiry, ..RestrictionMeta::default() };
            RoomMeta::Restriction(user(words[1]), restriction(kind), Some(meta))
        }
    }
}

/// A room as it was loaded: its facts in their order.
fn about(begun: &Begun) -> String {
    let mut texts = vec![format!("{}..{}", begun.oldest, begun.head)];
    let mut facts: Vec<String> = begun.meta.iter().filter_map(fact_text).collect();
    facts.sort();
    texts.extend(facts);
    texts.join(" ")
}

fn fact_text(meta: &RoomMeta) -> Option<String> {
    Some(match meta {
        RoomMeta::Access { private: false, owned: false, policy: None } => return None,
        RoomMeta::Access { private, owned, policy } => {
            let policy = policy.as_deref().unwrap_or("");
            format!("access:{}:{}:{policy}", u8::from(*private), u8::from(*owned))
        }
        RoomMeta::Topic(text, by) => {
            format!("topic:{text}:{}", by.as_ref().map_or("", |by| by.as_str()))
        }
        RoomMeta::Name(name, former) => format!("name:{name}:{former:?}"),
        RoomMeta::Member(user, meta) => {
            let meta = meta.unwrap();
            format!("member:{user}:{}:{}", meta.role.name(), meta.read)
        }
        RoomMeta::Restriction(user, kind, meta) => {
            let meta = meta.as_ref().unwrap();
            let kind = RESTRICTIONS.iter().find(|(_, known)| known == kind).unwrap().0;
            let until = meta.expiry.until.map_or(String::new(), |until| until.to_string());
            let by = meta.by.as_ref().map_or("", |by| by.as_str());
            format!("{kind}:{user}:{until}:{by}")
        }
    })
}

/// `kind:name` and what else it takes.
#[expect(clippy::too_many_lines, reason = "it is a table: one arm for each word")]
fn change(word: &str) -> PeopleChange {
    let words: Vec<&str> = word.split(':').collect();
    let name = || user(words[1]);
    let hash = || SecretHash([words[1].bytes().next().unwrap(); 32]);
    match words[0] {
        "bind" => PeopleChange::Bind(Bound {
            name: name(),
            source: Source::Account,
            issuer: "".into(),
            subject: words.get(2).unwrap_or(&words[1]).to_owned().into(),
            display: None,
            at: 1,
        }),
        "account" => {
            let hash = Hidden::new(words[1]);
            PeopleChange::Account(Account { name: name(), hash, is_admin: false })
        }
        "rehash" => {
            let (name, [from, to]) = (name(), [words[2], words[3]].map(Hidden::new));
            PeopleChange::Rehash { name, from, to }
        }
        "login" => {
            let (agent, hash) = ("agent".into(), hash());
            PeopleChange::Login(Login { id: 7, name: name(), hash, agent, at: 1, used: 1 })
        }
        "used" => PeopleChange::Used(7, 2),
        "logout" => PeopleChange::EndLogin(7),
        "invite" => {
            let (uses, until, rooms) = (words[2].parse().unwrap(), u64::MAX >> 1, Vec::new());
            let hash = hash();
            PeopleChange::Invite(Invite { hash, uses, until, rooms, by: None, is_admin: false })
        }
        "use" => PeopleChange::UseInvite(hash()),
        "key" => {
            let rights = Rights { read: true, send: true };
            let grants = vec![Grant { rooms: "*".into(), rights }];
            let (hash, until) = (hash(), None);
            PeopleChange::Key(Key { name: name(), hash, grants, until, at: 1, is_hook: false })
        }
        "endkey" => PeopleChange::EndKey(name()),
        "suspend" => PeopleChange::Suspend(Suspended::User(name()), Expiry::default()),
        "unsuspend" => PeopleChange::Unsuspend(Suspended::User(name())),
        "block" => PeopleChange::Block(Block { user: name(), blocked: user("eve"), at: 1 }),
        "unblock" => PeopleChange::Unblock(name(), user("eve")),
        "profile" | "status" | "color" => {
            let is = |word| words[0] == word;
            let display = is("profile").then(|| words[2].into());
            let status = is("status").then(|| (words[2].into(), None));
            let color = is("color").then(|| Color::parse(words[2]).expect("a colour"));
            let change = ProfileChange { display, status, color, at: 1, keeps_empty: false };
            PeopleChange::Profile(name(), change)
        }
        "report" => PeopleChange::Report(Report {
            id: 3,
            by: name(),
            whom: user("eve"),
            room: None,
            seq: None,
            text: "".into(),
            reason: "".into(),
            at: 1,
        }),
        "settle" => PeopleChange::Settle(3),
        "follow" | "unfollow" | "readthread" => {
            let seq = || number(words[3]);
            let change = match words[0] {
                "follow" => ThreadChange::Follow(seq()),
                "unfollow" => ThreadChange::Unfollow(seq()),
                _ => ThreadChange::Read(seq()),
            };
            let (room, thread) = (room("lobby"), number(words[2]));
            PeopleChange::Thread(ThreadMark { user: name(), room, thread, change, at: 1 })
        }
        "proved" => PeopleChange::Proved(true),
        "audit" => PeopleChange::Audit(AuditedAct {
            by: Some(user("ann")),
            act: words[1].to_owned().into(),
            whom: "".into(),
            room: words.get(2).map(|name| room(name)),
            at: 1,
        }),
        _ => panic!("{word}"),
    }
}
