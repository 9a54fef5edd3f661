//! The tables of the file that say what holds for some rooms.

use std::time::Duration;

use super::super::settings::POLICY_SETTINGS;
use super::*;
use crate::chat::model::name::{RoomName, UserName};
use crate::chat::model::policy::{Access, Creators, PresenceMode, Retention, RoomCallers, Rule};
use crate::chat::model::reply::Durability;

/// The example of the default file.
fn example() -> String {
    let (_, text) = DEFAULTS.split_once("\n#[[room_policy").unwrap();
    format!("[[room_policy{}", text.replace("\n#", "\n"))
}

#[test]
fn the_example_of_the_default_file_says_all_that_can_be_said() {
    let Loaded { config, policy_changes, .. } = file(&example()).unwrap();
    let policy = Policy {
        durability: Durability::Memory,
        retention: Retention {
            age: Some(Duration::from_hours(24)),
            records: Some(10_000),
            bytes: Some(16 << 20),
        },
        create: Creators::Only(["ann", "bob"].map(|name| UserName::parse(name).unwrap()).to_vec()),
        access: Access::Invite,
        message_bytes: Some(4 << 10),
        presence: PresenceMode::Count,
        mention_room: RoomCallers::Moderators,
    };
    let (name, pattern) = (Some("fleeting".into()), Some("tmp/*".into()));
    assert_eq!(config.policies.rules, [Rule { name, pattern, policy }]);
    let set = |change: &Change| {
        let key = change.name.strip_prefix("room_policy 1: ").unwrap();
        format!("{key} = {}", change.value)
    };
    let set: Vec<_> = policy_changes.iter().map(set).collect();
    let example = example();
    let written: Vec<_> = example.lines().skip(1).filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(set, written, "in order, in its natural unit");
    assert_eq!(set.len(), POLICY_SETTINGS.len(), "every key");
}

#[test]
fn what_a_table_does_not_say_is_as_for_all_other_rooms() {
    let mut loader = Loader::defaults();
    loader.file(
        "a.toml",
        "[[room_policy]]\nmatch = \"tmp/*\"\nkeep_records = \"off\"\n\
         create = [\"ann\"]\npresence = \"off\"\nmessage_bytes = 100\n\
         [[room_policy]]\nname = \"secret\"\ndurability = \"disk\"\naccess = \"private\"\n\
         create = \"anyone\"\nmessage_bytes = 1000\n\
         [rooms]\nkeep_for = \"30d\"\nkeep_records = 7\ncreate = \"nobody\"\n",
    );
    // What wins over the file holds for its tables, too.
    let variables = [("CHINWAG_DURABILITY", "os"), ("CHINWAG_LIMITS_MESSAGE_BYTES", "1000")];
    loader.environment(&environment(&variables));
    let policies = loader.finish().unwrap().config.policies;
    let room = |name: &str| RoomName::parse(name).unwrap();
    let month = Some(Duration::from_hours(720));
    let direct = Policy {
        durability: Durability::Os,
        retention: Retention { age: month, records: Some(7), bytes: None },
        ..Policy::default()
    };
    let lobby = Policy { create: Creators::Only(Vec::new()), ..direct };
    let tmp = Policy {
        retention: Retention { records: None, ..direct.retention },
        create: Creators::Only(vec![UserName::parse("ann").unwrap()]),
        message_bytes: Some(100),
        presence: PresenceMode::Off,
        ..direct
    };
    let (durability, access) = (Durability::Disk, Access::Private);
    let secret = Policy { durability, access, ..direct.clone() };
    assert_eq!(*policies.of(&room("lobby"), None), lobby);
    assert_eq!(*policies.of(&room("tmp/a"), None), tmp);
    assert_eq!(*policies.of(&room("tmp/a"), Some("secret")), secret);
    assert_eq!(*policies.of(&room("@ann:bob"), None), direct);
}

#[test]
fn a_table_is_refused_by_its_number_and_what_it_matches() {
    const NEITHER: &str = "has neither match nor name, so that no room could have it";
    const MATCH: &str = "can match no room: write a room's name, such as \"tmp/*\", where * stands for \
                         any text and the rest is at most 32 bytes of lower-case letters, digits, '.', \
                         '_', '-', or '/' inside";
    const DIRECT: &str = "must be a room's name: direct conversations follow durability and [rooms], \
                          whatever their names";
    const NAME: &str = "must be 1 to 32 bytes of lower-case letters, digits, '.', '_' or '-'";
    const BYTES: &str = "must be a number of bytes such as 65536 or \"64KiB\" (units: B, KiB, MiB, GiB, KB, MB, GB), or \"off\"";
    for (named, rest, wrong, expect) in [
        ("", "", "", NEITHER),
        ("", "access = \"open\"", "", NEITHER),
        ("match = \"\"", "", "match = \"\": ", MATCH),
        ("match = \"Tmp\"", "", "match = \"Tmp\": ", MATCH),
        ("match = \"@a:*\"", "", "match = \"@a:*\": ", DIRECT),
        ("name = \"x y\"", "", "name = \"x y\": ", NAME),
        ("name = \"a\"", "match = 1", "match = 1: ", "must be a room's name, such as \"tmp/*\""),
        (
            "match = \"a\"",
            "keep_fro = 1",
            UNKNOWN,
            "keep_fro in [[room_policy]]; did you mean keep_for?",
        ),
        (
            "name = \"a\"",
            "rate_per_s = 1",
            UNKNOWN,
            "rate_per_s in [[room_policy]]; it belongs in [limits]",
        ),
        ("name = \"a\"", "limits.rooms = 1", UNKNOWN, "limits in [[room_policy]]"),
        ("match = \"a\"", "keep_bytes = \"1TB\"", "keep_bytes = \"1TB\": ", BYTES),
        (
            "match = \"a\"",
            "access = \"closed\"",
            "access = \"closed\": ",
            "must be \"open\" or \"invite\" or \"private\"",
        ),
        (
            "match = \"a\"",
            "presence = true",
            "presence = true: ",
            "must be \"names\" or \"count\" or \"off\"",
        ),
        (
            "match = \"a\"",
            "message_bytes = 16385",
            "message_bytes = 16385 ",
            "must be at most limits.message_bytes = \"16KiB\"",
        ),
        (
            "match = \"a\"",
            "keep_bytes = 999\nmessage_bytes = 1000",
            "keep_bytes = 999 ",
            "must be at least message_bytes = 1000: a room must be able to keep its last message",
        ),
    ] {
        let text = format!("[[room_policy]]\nname = \"first\"\n[[room_policy]]\n{named}\n{rest}\n");
        let label = if named.is_empty() { String::new() } else { format!(" ({named})") };
        check(file(&text), &[&format!("room_policy 2{label}: {wrong}{expect}")]);
    }
    check(file("[[room_policy]]\nname = \"a\"\nkeep_bytes = 1000\nmessage_bytes = 1000"), &[]);
}

const UNKNOWN: &str = "unknown key ";

#[test]
fn tables_that_get_in_each_other_s_way_are_refused() {
    let tables = |each: &[&str]| -> String {
        each.iter().flat_map(|keys| ["[[room_policy]]\n", keys, "\n"]).collect()
    };
    check(
        file(&tables(&["match = \"a/*\"", "match = \"a*\"", "name = \"a\"", "match = \"b\""])),
        &[],
    );
    check(
        file(&tables(&[
            "match = \"a*\"\nname = \"x\"",
            "match = \"a/*\"",
            "match = \"b\"\nname = \"x\"",
        ])),
        &[
            "room_policy 2 (match = \"a/*\"): room_policy 1 (match = \"a*\") stands before it and matches \
             all of its rooms: put this one first",
            "room_policy 3 (match = \"b\"): room_policy 1 (match = \"a*\") has the same name",
        ],
    );
    let many: Vec<_> = (0..1_002).map(|n| format!("match = \"r{n}\"")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    check(
        file(&tables(&many)),
        &["room_policy 1001 (match = \"r1000\"): there may be 1000 of them"],
    );
}

#[test]
fn a_pattern_that_takes_all_rooms_of_a_later_one_hides_it() {
    for (earlier, later, expect) in [
        ("*", "a", true),
        ("*", "a*b", true),
        ("a*", "a", true),
        ("a*", "ab*", true),
        ("a*b", "a*b*b", true),
        ("a*", "*", false),
        ("ab*", "a*", false),
        ("a", "a*", false),
        ("a", "a", true),
        ("a*b*c", "a*c", false),
        ("ab*ba", "aba", false),
    ] {
        let text =
            format!("[[room_policy]]\nmatch = \"{earlier}\"\n[[room_policy]]\nmatch = \"{later}\"");
        assert_eq!(file(&text).is_err(), expect, "{earlier} {later}");
    }
}

#[test]
fn what_is_no_list_of_tables_is_refused_in_words() {
    const EXPECTED: &str =
        "room_policy is a list of tables: write [[room_policy]] above each of them";
    for text in [
        "[room_policy]\nmatch = \"a\"",
        "room_policy = 1",
        "room_policy = [1]",
        "room_policy = [{ match = \"a\" }, \"b\"]",
    ] {
        check(file(text), &[EXPECTED]);
    }
    check(file("room_policy = []"), &[]);
    let config = file("room_policy = [{ match = \"a\" }, { name = \"b\" }]").unwrap().config;
    assert_eq!(config.policies.rules.len(), 2);
}

#[test]
fn faults_of_tables_stand_among_the_others_with_their_places() {
    let text = "lisen = 1\n[[room_policy]]\nacess = \"open\"\n\n[limits]\nroms = 1\n";
    let shown = file(text).unwrap_err().to_string();
    assert_eq!(
        shown,
        "error: unknown key lisen before the first section; did you mean listen?\n \
         --> a.toml:1:1\n  |\n1 | lisen = 1\n  | ^^^^^\n\n\
         error: room_policy 1: has neither match nor name, so that no room could have it\n \
         --> a.toml:2:1\n  |\n2 | [[room_policy]]\n  | ^^^^^^^^^^^^^^^\n\n\
         error: room_policy 1: unknown key acess in [[room_policy]]; did you mean access?\n \
         --> a.toml:3:1\n  |\n3 | acess = \"open\"\n  | ^^^^^\n\n\
         error: unknown key roms in [limits]; did you mean rooms?\n \
         --> a.toml:6:1\n  |\n6 | roms = 1\n  | ^^^^"
    );
}

#[test]
fn a_conflict_is_blamed_on_the_key_of_its_table_and_variables_say_that_there_are_none() {
    let text =
        "[[room_policy]]\nmatch = \"a\"\n[[room_policy]]\nmatch = \"b\"\nmessage_bytes = 20000\n";
    assert_eq!(position(file(text)), (5, 17));
    let mut loader = Loader::defaults();
    loader.environment(&environment(&[("CHINWAG_ROOM_POLICY_1_MATCH", "a")]));
    check(
        loader.finish(),
        &[
            "unknown variable CHINWAG_ROOM_POLICY_1_MATCH; room policies can be set in the file only",
        ],
    );
}

#[test]
fn what_was_set_is_told_with_its_table() {
    let text = "[[room_policy]]\nmatch = \"a\"\n[[room_policy]]\nname = \"b\"\n";
    assert_eq!(
        shown(&file(text).unwrap().policy_changes),
        ["room_policy 1: match = \"a\" (a.toml:2:9)", "room_policy 2: name = \"b\" (a.toml:4:8)"]
    );
}
