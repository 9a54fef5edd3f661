//! The tables of the file that say what holds for some rooms.

use std::time::Duration;

use super::super::{
    Access, Creators, DEFAULTS, Durability, PresenceMode, Retention, RoomPolicy, Rooms,
};
use super::tests::{check, file};
use super::*;

/// The example of the default file.
fn example() -> String {
    let (_, text) = DEFAULTS.split_once("\n#[[").unwrap();
    format!("[[{}", text.replace("\n#", "\n"))
}

#[test]
fn the_example_of_the_default_file_says_all_that_can_be_said() {
    let Loaded { config, changes } = file(&example()).unwrap();
    let expect = RoomPolicy {
        pattern: Some("tmp/*".to_owned()),
        name: Some("fleeting".to_owned()),
        durability: Durability::Memory,
        retention: Retention {
            age: Some(Duration::from_hours(24)),
            records: Some(10_000),
            bytes: Some(16 << 20),
        },
        create: Creators::Only(vec!["ann".to_owned(), "bob".to_owned()]),
        access: Access::Invite,
        message_bytes: 4 << 10,
        presence: PresenceMode::Count,
    };
    assert_eq!(config.room_policies, [expect]);
    let rendered = |change: &Change| format!("{} = {}\n", change.key.name, change.value);
    let rendered: String = changes.iter().map(rendered).collect();
    let example = example();
    let written: Vec<_> = example.lines().skip(1).filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(rendered.trim_end(), written.join("\n"), "in order, in its natural unit");
    let mut keys = policies::keys(&Config::default());
    keys.retain(|key| key.section == SECTION);
    let said: Vec<_> = changes.iter().map(|change| change.key.name).collect();
    assert_eq!(keys.iter().map(|key| key.name).collect::<Vec<_>>(), said, "every key");
}

#[test]
fn what_a_table_does_not_say_is_as_for_all_other_rooms() {
    let text = "[[room_policy]]\nmatch = \"a*\"\nkeep_records = \"off\"\n\
                [[room_policy]]\nname = \"b\"\ndurability = \"disk\"\n\
                [rooms]\nkeep_for = \"30d\"\nkeep_records = 7\ncreate = \"nobody\"\n";
    let mut loader = Loader::default();
    loader.file("a.toml", text).unwrap();
    // What wins over the file holds for its tables, too.
    let variables = [("CHINWAG_DURABILITY", "os"), ("CHINWAG_LIMITS_MESSAGE_BYTES", "1000")];
    loader
        .environment(&variables.iter().map(|(name, value)| (name.into(), value.into())).collect());
    let config = loader.finish().unwrap().config;
    let [a, b] = config.room_policies.as_slice() else { panic!("{:?}", config.room_policies) };
    let Rooms { create, retention, .. } = config.rooms;
    assert_eq!(
        (create, retention.age),
        (Creators::Only(Vec::new()), Some(Duration::from_hours(720)))
    );
    let expect = RoomPolicy {
        pattern: Some("a*".to_owned()),
        name: None,
        durability: Durability::Os,
        retention: Retention { records: None, ..retention },
        create: Creators::Only(Vec::new()),
        access: Access::Open,
        message_bytes: 1_000,
        presence: PresenceMode::Names,
    };
    assert_eq!(*a, expect);
    let name = Some("b".to_owned());
    assert_eq!(
        *b,
        RoomPolicy { pattern: None, name, durability: Durability::Disk, retention, ..expect }
    );
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
    const BYTES: &str = "must be a number of bytes such as 65536 or \"64KiB\" (units: B, KiB, MiB, GiB), or \"off\"";
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
            "must be at most limits.message_bytes = 16384",
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
    assert_eq!(config.room_policies.len(), 2);
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
    let Faults(faults) = file(text).unwrap_err();
    let Some(Origin::File(place)) = &faults[0].origin else { panic!("no place: {faults:?}") };
    assert_eq!((place.line, place.column), (5, 17));
    let mut loader = Loader::default();
    let name = "CHINWAG_ROOM_POLICY_1_MATCH";
    loader.environment(&[(name.into(), "a".into())].into_iter().collect());
    check(
        loader.finish(),
        &[
            "unknown variable CHINWAG_ROOM_POLICY_1_MATCH; room policies can be set in the file only",
        ],
    );
}

#[test]
fn what_was_set_is_told_with_its_table() {
    let changes =
        file("[[room_policy]]\nmatch = \"a\"\n[[room_policy]]\nname = \"b\"\n").unwrap().changes;
    let shown: Vec<_> = changes
        .iter()
        .map(|change| format!("{} = {} ({})", change.key, change.value, change.origin))
        .collect();
    assert_eq!(
        shown,
        ["room_policy 1: match = \"a\" (a.toml:2:9)", "room_policy 2: name = \"b\" (a.toml:4:8)",]
    );
}
