//! The file, the environment and the flags, and which of them wins.

use std::os::unix::ffi::OsStringExt as _;

use proptest::prelude::*;

use super::super::settings::settings;
use super::*;

const LOAD: &str = include_str!("../../../benches/load.toml");

#[test]
fn the_default_file_has_every_setting_in_order_in_its_natural_unit() {
    let mut loader = Loader::defaults();
    assert_eq!(loader.faults, []);
    loader.file("a.toml", DEFAULTS);
    let all = loader.finish().unwrap().changes;
    assert_eq!(all.len(), settings().count());
    let mut section = String::new();
    let mut written = Vec::new();
    for line in DEFAULTS.lines().filter(|line| !line.starts_with('#')) {
        match (line.strip_prefix('['), line.split_once(" = ")) {
            (Some(name), _) => section = name.replace(']', "."),
            (None, Some((name, value))) => written.push(format!("{section}{name} = {value}")),
            (None, None) => assert_eq!(line, ""),
        }
    }
    let all: Vec<_> =
        all.iter().map(|change| format!("{} = {}", change.name, change.value)).collect();
    assert_eq!(written, all);
}

#[test]
fn every_key_of_the_default_file_has_a_comment() {
    let mut previous = "";
    for line in DEFAULTS.lines() {
        if line.contains('=') && !line.starts_with('#') {
            assert!(previous.starts_with("# "), "no comment above: {line}");
        }
        assert!(line.len() <= 100, "too long: {line}");
        previous = line;
    }
}

#[test]
fn what_is_shown_is_read_back() {
    for line in [
        "limits.rate_per_s = \"off\"",
        "limits.message_bytes = 1001",
        "limits.message_bytes = \"20KiB\"",
        "compression.threshold_bytes = 0",
        "timeouts.head = \"1500ms\"",
        "http.hosts = [\"chat.example.org\", \"b\"]",
        "data = 'a \"quoted\" \\ place'",
        "rooms.edit_window = \"36h\"",
        "rooms.keep_for = \"1y\"",
        "rooms.create = [\"ann\"]",
    ] {
        let mut loader = Loader::defaults();
        loader.file("a.toml", line);
        assert_eq!(loader.faults, []);
        let set = |loader: &Loader| {
            let mut set = loader.values.iter().filter(|(_, assigned)| assigned.origin.is_some());
            set.next().map(|(name, assigned)| format!("{name} = {}", assigned.value))
        };
        assert_eq!(set(&loader).as_deref(), Some(line));
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let mut loader = Loader::defaults();
    let text = "tcp = \"127.0.0.1:1\"\necho = true\nlog_format = \"json\"\n[limits]\nburst = 30";
    loader.file("a.toml", text);
    loader.environment(&environment(&[
        ("CHINWAG_TCP", "off"),
        ("CHINWAG_LOG_FORMAT", "text"),
        ("CHINWAG_LIMITS_BURST", "31"),
        ("CHINWAG_HTTP_HOSTS", "one, two"),
    ]));
    loader.flags(&Flags { config: None, settings: vec![("tcp", "[::1]:3".to_owned())] });
    let Loaded { config, changes, .. } = loader.finish().unwrap();
    assert_eq!(config.tcp, ["[::1]:3".parse().unwrap()]);
    assert_eq!(config.limits.burst, 31);
    assert_eq!(config.http.hosts, ["one", "two"]);
    assert_eq!(
        shown(&changes),
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
        (
            "CHINWAG_LIMITS_ROOMS = 1",
            "CHINWAG_LIMITS_ROOMS is the name in the environment; in a file it is limits.rooms",
        ),
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
    for (text, at) in [("a = \n", (1, 5)), ("a = 1\na = 2\n", (2, 1)), ("x", (1, 2))] {
        let ConfigError(faults) = file(text).unwrap_err();
        assert!(faults[0].what.starts_with("not TOML: "), "{faults:?}");
        assert_eq!(position(file(text)), at);
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
        let mut loader = Loader::defaults();
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
fn bytes_that_are_no_text_are_refused_by_name() {
    let latin1 = std::ffi::OsString::from_vec(b"\xfc".to_vec());
    let variables = [("CHINWAG_DATA".into(), latin1.clone()), ("HOME".into(), latin1)];
    let mut loader = Loader::defaults();
    loader.environment(&variables.into_iter().collect());
    check(loader.finish(), &["CHINWAG_DATA is not UTF-8"]);
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
    for (bytes, what, place) in [
        (&b"\xc3\xa4 = 1\na = \"\xff\""[..], "not UTF-8", "a.toml:2:6\n"),
        (b"\xff\xfea\0", "UTF-16", "a.toml:1:1\n"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let shown = refused(path.clone());
        assert!(shown.contains(&format!("the file is {what} here: save it as UTF-8")), "{shown}");
        assert!(shown.contains(place), "{shown}");
    }
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

#[test]
fn a_file_that_cannot_be_read_is_said_with_the_variable_that_names_it() {
    let named = ("CHINWAG_CONFIG".into(), "/nowhere/chinwag.toml".into());
    let environment: Environment = [named].into_iter().collect();
    let refused = |flags: &Flags| load(flags, &environment).unwrap_err().to_string();
    let said = refused(&Flags::default());
    assert!(said.contains("/nowhere/chinwag.toml: No such file"), "{said}");
    assert!(said.ends_with("--> environment variable CHINWAG_CONFIG"), "{said}");
    let flags = Flags { config: Some("/nowhere/other.toml".into()), ..Flags::default() };
    assert!(!refused(&flags).contains("CHINWAG_CONFIG"));
}
