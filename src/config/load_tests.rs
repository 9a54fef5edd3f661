//! The sources of a configuration, held against each other.

use std::time::Duration;

use proptest::prelude::*;

use super::super::{Creators, DEFAULTS};
use super::*;

const LOAD: &str = include_str!("../../benches/load.toml");

pub(super) fn file(text: &str) -> Result<Loaded, Faults> {
    let mut loader = Loader::default();
    loader.file("a.toml", text)?;
    loader.finish()
}

fn environment(variables: &[(&str, &str)]) -> Environment {
    variables.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

/// What the sources complain about, one fault a line without its place.
#[track_caller]
pub(super) fn check(loaded: Result<Loaded, Faults>, expect: &[&str]) {
    let faults = loaded.map_or_else(|faults| faults.0, |_| Vec::new());
    let found: Vec<_> = faults.iter().map(|fault| fault.what.as_str()).collect();
    assert_eq!(found, expect);
}

#[test]
fn the_default_file_says_what_the_defaults_are() {
    let loaded = file(DEFAULTS).unwrap();
    assert_eq!(loaded.config, Config::default());
    let mut section = String::new();
    let mut written = Vec::new();
    for line in DEFAULTS.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix('['), line.split_once(" = ")) {
            (Some(name), _) => section = name.replace(']', "."),
            (None, Some((name, value))) => written.push(format!("{section}{name} = {value}")),
            (None, None) => assert_eq!(line, ""),
        }
    }
    let all = Config::default().settings();
    let all: Vec<_> = all.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    assert_eq!(written, all, "every setting, in order, in its natural unit");
}

#[test]
fn every_key_of_the_default_file_has_a_comment() {
    let mut previous = "";
    for line in DEFAULTS.lines() {
        if line.contains('=') && !line.starts_with('#') {
            assert!(previous.starts_with("# "), "no comment above: {line}");
        }
        assert!(line.len() <= 110, "too long: {line}");
        previous = line;
    }
}

#[test]
fn what_is_rendered_is_parsed_back() {
    let mut config = Config::default();
    config.limits.rate_per_s = None;
    config.limits.message_bytes = 1001;
    config.timeouts.head = Duration::from_millis(1500);
    config.http.hosts = vec!["chat.example.org".to_owned(), "b".to_owned()];
    config.data = PathBuf::from("a \"quoted\" \\ place\u{7f}");
    config.rooms.edit_window = Some(Duration::from_hours(36));
    config.rooms.retention.age = Some(Duration::from_hours(24 * 365));
    config.rooms.retention.records = Some(1);
    config.rooms.create = Creators::Only(vec!["ann".to_owned()]);
    for (key, value) in config.settings() {
        let mut loader = Loader::default();
        let section =
            if key.section.is_empty() { String::new() } else { format!("[{}]\n", key.section) };
        loader.file("a.toml", &format!("{section}{} = {value}", key.name)).unwrap();
        let read_back = loader.config.settings().into_iter().find(|(other, _)| *other == key);
        assert_eq!(read_back, Some((key, value)));
        assert!(loader.faults.is_empty(), "{:?}", loader.faults);
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut loader = Loader::default();
    let text = "tcp = \"127.0.0.1:1\"\necho = true\nlog_format = \"json\"\n[limits]\nburst = 30";
    loader.file("a.toml", text).unwrap();
    loader.environment(&environment(&[
        ("CHINWAG_TCP", "off"),
        ("CHINWAG_LOG_FORMAT", "text"),
        ("CHINWAG_LIMITS_BURST", "31"),
        ("CHINWAG_HTTP_HOSTS", "one, two"),
    ]));
    loader.flags(&Flags { config: None, settings: vec![("tcp", "[::1]:3".to_owned())] });
    let Loaded { config, changes } = loader.finish().unwrap();
    assert_eq!(config.tcp, "[::1]:3".parse().ok());
    assert_eq!(config.limits.burst, 31);
    assert_eq!(config.http.hosts, ["one", "two"]);
    let said: Vec<_> = changes
        .iter()
        .map(|change| format!("{} = {} ({})", change.key, change.value, change.origin))
        .collect();
    assert_eq!(
        said,
        [
            "tcp = \"[::1]:3\" (--tcp)",
            "echo = true (a.toml:2:8)",
            "log_format = \"text\" (CHINWAG_LOG_FORMAT)",
            "http.hosts = [\"one\", \"two\"] (CHINWAG_HTTP_HOSTS)",
            "limits.burst = 31 (CHINWAG_LIMITS_BURST)",
        ]
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
    for (text, expect) in [
        ("lisen = 1", "unknown key lisen before the first section; did you mean listen?"),
        (
            "[limits]\nmesage_bytes = 1",
            "unknown key mesage_bytes in [limits]; did you mean message_bytes?",
        ),
        ("limits.bursts = 1", "unknown key bursts in [limits]; did you mean burst?"),
        ("burst = 1", "unknown key burst before the first section; it belongs in [limits]"),
        ("[limits]\ntcp = 1", "unknown key tcp in [limits]; it belongs before the first section"),
        (
            "[limits]\nping_aftr = 1",
            "unknown key ping_aftr in [limits]; did you mean ping_after, in [timeouts]?",
        ),
        ("[limit]\nx = 1\ny = 1", "unknown section [limit]; did you mean [limits]?"),
        ("[colours]", "unknown section [colours]"),
        ("[[colours]]", "unknown section [colours]"),
        ("[[room_polcy]]", "unknown section [room_polcy]; did you mean [[room_policy]]?"),
        ("[room_polcy]", "unknown section [room_polcy]; did you mean [[room_policy]]?"),
        ("[rooms]\naccess = 1", "unknown key access in [rooms]; it belongs in [[room_policy]]"),
        ("limits = 1", "limits is a section: write [limits] above its keys"),
        ("[[limits]]", "limits is a section: write [limits] above its keys"),
        ("colour = 1", "unknown key colour before the first section"),
    ] {
        check(file(text), &[expect]);
    }
}

#[test]
fn a_fault_in_the_file_is_shown_with_its_line_and_a_caret() {
    let shown = file("# ours\n[limits]\nburst = 40\nmesage_bytes = 16384\nrooms = 0\n");
    assert_eq!(
        shown.unwrap_err().to_string(),
        "error: unknown key mesage_bytes in [limits]; did you mean message_bytes?\n \
         --> a.toml:4:1\n  |\n4 | mesage_bytes = 16384\n  | ^^^^^^^^^^^^\n\n\
         error: limits.rooms = 0: must be between 1 and 65536\n \
         --> a.toml:5:9\n  |\n5 | rooms = 0\n  |         ^"
    );
}

#[test]
fn what_is_no_toml_is_shown_where_it_stops_being_it() {
    for (text, line, column) in [("a = \n", 1, 5), ("a = 1\na = 2\n", 2, 1), ("x", 1, 2)] {
        let Faults(faults) = file(text).unwrap_err();
        let Some(Origin::File(place)) = &faults[0].origin else { panic!("no place: {faults:?}") };
        assert!(faults[0].what.starts_with("not TOML: "), "{faults:?}");
        assert_eq!((place.line, place.column), (line, column), "{faults:?}");
    }
}

#[test]
fn a_value_is_refused_with_what_would_be_right() {
    const SIZE: &str =
        "must be a number of bytes such as 65536 or \"64KiB\" (units: B, KiB, MiB, GiB)";
    const TIME: &str = "must be a time such as \"250ms\", \"10s\", \"2m\" or \"1h\"";
    const AGE: &str =
        "must be a time such as \"10m\", \"12h\", \"90d\" or \"1y\" (365 days), or \"off\"";
    const NO_WINDOW: &str = "must be a time such as \"10m\", \"12h\", \"90d\" or \"1y\" (365 days); zero \
                             never means \"no limit\", write \"off\"";
    const CREATE: &str =
        "must be \"anyone\", \"nobody\" or a list of users' names such as [\"ann\", \"bob\"]";
    const NO_USER: &str = "\"Bob\" is not a user's name: 1 to 32 bytes of lower-case letters, digits, \
                           '.', '_' or '-'";
    const ADDRESS: &str =
        "must be an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\"";
    for (section, setting, expect) in [
        ("limits", "message_bytes = 0", "must be between 1 and 1048576"),
        ("limits", "message_bytes = 1048577", "must be between 1 and 1048576"),
        ("limits", "message_bytes = -1", "must be between 1 and 1048576"),
        ("limits", "message_bytes = \"2MiB\"", "must be between 1 and 1048576"),
        ("limits", "message_bytes = \"64KB\"", SIZE),
        ("limits", "message_bytes = true", SIZE),
        ("limits", "rooms = \"5\"", "must be a whole number between 1 and 65536"),
        ("limits", "rooms = 9223372036854775807", "must be between 1 and 65536"),
        (
            "limits",
            "rate_per_s = 0",
            "must be between 1 and 1000000; zero never means \"no limit\", write \"off\"",
        ),
        ("limits", "rate_per_s = -3", "must be between 1 and 1000000, or \"off\""),
        (
            "limits",
            "rate_per_s = \"none\"",
            "must be a whole number between 1 and 1000000, or \"off\"",
        ),
        ("timeouts", "head = 10", TIME),
        ("timeouts", "head = \"10\"", TIME),
        ("timeouts", "head = \"-10s\"", TIME),
        ("timeouts", "head = \"1 day\"", TIME),
        ("timeouts", "head = \"18446744073709551615h\"", TIME),
        ("timeouts", "head = \"25h\"", "must be between 10ms and 1d"),
        ("timeouts", "head = \"0s\"", "must be between 10ms and 1d"),
        ("rooms", "keep_for = \"0s\"", "must be between 1s and 100y, or \"off\""),
        ("rooms", "keep_for = \"1 month\"", AGE),
        ("rooms", "edit_window = 0", NO_WINDOW),
        ("rooms", "keep_records = -1", "must be between 1 and 9007199254740992, or \"off\""),
        ("rooms", "create = \"ann\"", CREATE),
        ("rooms", "create = []", CREATE),
        ("rooms", "create = [\"ann\", \"Bob\"]", NO_USER),
        ("", "durability = \"tape\"", "must be \"disk\" or \"os\" or \"memory\""),
        ("", "listen = \"localhost:8080\"", ADDRESS),
        ("", "listen = \"off\"", ADDRESS),
        ("", "log_format = \"xml\"", "must be \"text\" or \"json\""),
        ("", "echo = \"true\"", "must be true or false, without quotes"),
        ("", "echo = 1", "must be true or false"),
        ("", "data = \"\"", "must be the path of a directory"),
        ("http", "hosts = \"a\"", "must be a list of strings such as [\"one\", \"two\"]"),
    ] {
        let text = format!("[{section}]\n{setting}").replace("[]\n", "");
        let dot = if section.is_empty() { "" } else { "." };
        check(file(&text), &[&format!("{section}{dot}{setting}: {expect}")]);
    }
}

#[test]
fn values_of_strange_types_are_named() {
    check(
        file("[limits]\nrooms = 1.5\nburst = 1979-05-27\n[limits.users]\n[timeouts]\nhead = [1]"),
        &[
            "limits.rooms = a number with a fraction: must be a whole number between 1 and 65536",
            "limits.burst = a date: must be a whole number between 1 and 1000000",
            "limits.users = a table: must be a whole number between 1 and 16777216",
            "timeouts.head = a list of other things than strings: must be a time such as \
             \"250ms\", \"10s\", \"2m\" or \"1h\"",
        ],
    );
}

#[test]
fn no_number_is_too_strange_for_any_setting() {
    let given = [
        "0",
        "1",
        "-1",
        "9223372036854775807",
        "-9223372036854775808",
        "1e308",
        "-inf",
        "nan",
        "0x7f",
        "\"0\"",
        "\"18446744073709551616\"",
        "\"9223372036854775807GiB\"",
        "\"9999999999999h\"",
        "\"0ms\"",
        "\"1.5s\"",
        "\"off\"",
        "\"\"",
        "[]",
        "[[]]",
        "{}",
        "true",
    ];
    for (key, _) in Config::default().settings() {
        for value in given {
            let line = format!("{key} = {value}");
            let shown = file(&line).map_or_else(|faults| faults.to_string(), |_| String::new());
            assert!(shown.is_empty() || shown.contains("a.toml:1:"), "{line}: {shown}");
            let mut loader = Loader::default();
            let text = value.trim_matches('"');
            loader.environment(&environment(&[(&key.variable(), text)]));
            let named =
                loader.finish().map_or_else(|faults| faults.to_string(), |_| key.variable());
            assert!(named.contains(&key.variable()), "{key}: {named}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange_for_a_file(
        text in "([a-z_]{1,9}|[\\[\\]{}=\"'.,#\n\t 0-9]|limits|burst|\\PC){0,40}",
    ) {
        let shown = file(&text).map_or_else(|faults| faults.to_string(), |_| String::new());
        prop_assert!(shown.is_empty() || shown.starts_with("error: "));
    }
}

#[test]
fn a_variable_that_nobody_knows_is_refused_and_a_stranger_s_is_not() {
    let refused = |name: &str| {
        let mut loader = Loader::default();
        loader.environment(&environment(&[(name, "1"), ("PATH", "/bin")]));
        loader.finish().map_or_else(|faults| faults.to_string(), |_| String::new())
    };
    assert_eq!(
        refused("CHINWAG_LIMITS_BURTS"),
        "error: unknown variable CHINWAG_LIMITS_BURTS; did you mean CHINWAG_LIMITS_BURST?\n  \
         --> environment variable CHINWAG_LIMITS_BURTS"
    );
    assert!(refused("CHINWAG_CONFG").contains("did you mean CHINWAG_CONFIG?"));
    assert_eq!(refused("CHINWAG_CONFIG"), "");
    assert!(refused("CHINWAG_PORT_8080_TCP").contains("enableServiceLinks"));
    assert_eq!(refused("CHINWAGGLE"), "");
}

#[test]
fn a_conflict_is_blamed_on_the_setting_that_was_set() {
    let Faults(faults) = file("[limits]\noutbound_soft_bytes = \"200KiB\"\n").unwrap_err();
    assert_eq!(
        faults[0].what,
        "limits.outbound_hard_bytes = 262144 must be at least 546134: twice the 204800 of \
         limits.outbound_soft_bytes, one event with a message of limits.message_bytes = 16384, \
         escaped, and a sixteenth to spare"
    );
    let Some(Origin::File(place)) = &faults[0].origin else { panic!("no place: {faults:?}") };
    assert_eq!((place.line, place.column), (2, 23));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let refused = |path: PathBuf| {
        let flags = Flags { config: Some(path), settings: Vec::new() };
        load(&flags, &Environment::default()).unwrap_err().to_string()
    };
    let path = directory.path().join("a.toml");
    assert!(refused(path.clone()).contains("No such file"));
    assert!(refused(directory.path().to_owned()).contains("Is a directory"));
    assert!(refused("/dev/zero".into()).contains("larger than 1048576 bytes"));
    std::fs::write(&path, b"a = \"\xff\"").unwrap();
    assert!(refused(path.clone()).contains("byte 5 is not UTF-8"));
    std::fs::write(&path, "echo = true").unwrap();
    let variables = [("CHINWAG_CONFIG", path.to_str().unwrap())];
    assert!(load(&Flags::default(), &environment(&variables)).unwrap().config.echo);
}

#[test]
fn the_load_tests_file_lifts_the_rates_and_says_nothing_about_durability() {
    let loaded = file(LOAD).unwrap();
    assert_eq!((loaded.config.limits.rate_per_s, loaded.config.limits.control_per_s), (None, None));
    assert_eq!(loaded.config.limits.per_address, None);
    assert!(!LOAD.contains("durability"));
}
