//! What each setting may be.

use super::super::raw::RawValue;
use super::super::settings::{POLICY_SETTINGS, settings, variable};
use super::super::value::Value;
use super::super::value_type::ValueType;
use super::*;

#[test]
fn a_value_is_refused_with_what_would_be_right() {
    const SIZE: &str = "must be a number of bytes such as 65536 or \"64KiB\" (units: B, KiB, MiB, GiB, KB, MB, GB)";
    const TIME: &str = "must be a time such as \"250ms\", \"10s\", \"2m\" or \"1h\"";
    const AGE: &str =
        "must be a time such as \"10m\", \"12h\", \"90d\" or \"1y\" (365 days), or \"off\"";
    const NO_WINDOW: &str = "must be a time such as \"10m\", \"12h\", \"90d\" or \"1y\" (365 days); zero \
                             never means \"no limit\", write \"off\"";
    const CREATE: &str =
        "must be \"anyone\", \"nobody\" or a list of users' names such as [\"ann\", \"bob\"]";
    const NO_USER: &str = "\"Bob\" is not a user's name: 1 to 32 bytes of lower-case letters, digits, \
                           '.', '_' or '-'";
    const ADDRESS: &str = "must be an IP address and a port such as \"127.0.0.1:8080\" or \"[::]:8080\", with tls: in \
         front for TLS, or \"unix:/PATH\" or \"systemd\", or a list of up to 64";
    for (section, setting, expect) in [
        ("limits", "message_bytes = 0", "must be between 1B and 1MiB"),
        ("limits", "message_bytes = 1048577", "must be between 1B and 1MiB"),
        ("limits", "message_bytes = -1", "must be between 1B and 1MiB"),
        ("limits", "message_bytes = \"2MiB\"", "must be between 1B and 1MiB"),
        ("limits", "message_bytes = \"64kb\"", SIZE),
        ("limits", "message_bytes = true", SIZE),
        ("limits", "rooms = \"5\"", "must be a whole number between 1 and 65536"),
        ("limits", "rooms = 9223372036854775807", "must be between 1 and 65536"),
        (
            "limits",
            "rate_per_s = 0",
            "must be between 1 and 1000000; zero never means \"no limit\", write \"off\"",
        ),
        (
            "",
            "memory = 0",
            "must be between 24MiB and 1024GiB; zero never means \"no limit\", write \"auto\" or \"off\"",
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
        ("timeouts", "head = \"18446744073709551615h\"", "must be between 10ms and 1d"),
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
        ("http", "hosts = \"a\"", "must be a list of strings such as [\"a\"]"),
        ("http", "hosts = true", "must be a list of strings such as [\"one\", \"two\"]"),
    ] {
        let text = format!("[{section}]\n{setting}").replace("[]\n", "");
        let dot = if section.is_empty() { "" } else { "." };
        check(file(&text), &[&format!("{section}{dot}{setting}: {expect}")]);
    }
}

#[test]
fn values_of_strange_types_are_shown_as_they_stand_there() {
    check(
        file(
            "[limits]\nrooms = 1.5\nburst = 1979-05-27\nreplay = 99999999999999999999\n\
             [limits.users]\n[timeouts]\nhead = [\n1]\n[http]\nfields = 0xff_ff",
        ),
        &[
            "limits.rooms = 1.5: must be a whole number between 1 and 65536",
            "limits.burst = 1979-05-27: must be a whole number between 1 and 1000000",
            "limits.replay = 99999999999999999999: must be between 1 and 16777216",
            "limits.users = a table: must be a whole number between 1 and 16777216",
            "timeouts.head = [ 1]: must be a time such as \"250ms\", \"10s\", \"2m\" or \"1h\"",
            "http.fields = 0xff_ff: must be between 16 and 1000",
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
    for (key, _) in settings() {
        for value in given {
            let line = format!("{key} = {value}");
            let shown = file(&line).map_or_else(|faults| faults.to_string(), |_| String::new());
            assert!(shown.is_empty() || shown.contains("a.toml:1:"), "{line}: {shown}");
            let mut loader = Loader::defaults();
            let text = value.trim_matches('"');
            loader.environment(&environment(&[(&variable(key), text)]));
            let named = loader.finish().map_or_else(|faults| faults.to_string(), |_| variable(key));
            assert!(named.contains(&variable(key)), "{key}: {named}");
        }
    }
}

#[test]
fn serde_takes_what_a_setting_may_be_at_its_least_and_its_most() {
    fn samples(what: ValueType) -> Vec<String> {
        match what {
            ValueType::Switch => vec!["true".to_owned(), "false".to_owned()],
            ValueType::Count(min, max) | ValueType::Bytes(min, max) => {
                vec![min.to_string(), max.to_string()]
            }
            ValueType::Time(min, max) => vec![format!("\"{min}ms\""), format!("\"{max}ms\"")],
            ValueType::Word(words) => words.iter().map(|word| format!("{word:?}")).collect(),
            ValueType::OptionalOr(word, other) => {
                [vec![format!("{word:?}")], samples(*other)].concat()
            }
            _ => Vec::new(),
        }
    }
    for (name, what) in settings() {
        for value in samples(*what) {
            let told = file(&format!("{name} = {value}"))
                .map_or_else(|e| e.to_string(), |_| String::new());
            // Some do not fit the defaults of others; each by itself is taken.
            assert!(
                told.is_empty() || told.contains(" must be at least "),
                "{name} {value}: {told}"
            );
            let mut loader = Loader::defaults();
            loader.file("a.toml", &format!("{name} = {value}"));
            assert!(
                super::super::values::read::<Config>(&loader.values).is_ok(),
                "{name} = {value}"
            );
        }
    }
    for (key, what) in POLICY_SETTINGS {
        for value in samples(*what) {
            let text = format!("[[room_policy]]\nmatch = \"a\"\n{key} = {value}");
            let told = file(&text).map_or_else(|e| e.to_string(), |_| String::new());
            assert!(told.is_empty() || told.contains(" must be at "), "{key} = {value}: {told}");
        }
    }
}

/// What comes of `word`, in a list where the type is a list.
#[track_caller]
fn check_one(what: ValueType, word: &str, expect: Option<&str>) {
    let text = toml::Value::from(word).to_string();
    let text = match what {
        ValueType::Pattern => format!("a = {text}"),
        _ => format!("a = [{text}]"),
    };
    let root = toml::de::DeTable::parse(&text).unwrap();
    let value = root.get_ref()["a"].get_ref();
    let parsed = what.parse(RawValue::Toml(value, ""));
    let expect = expect.map(|word| match what {
        ValueType::Pattern => Value::Text(word.to_owned()),
        _ => Value::List(vec![word.to_owned()]),
    });
    assert_eq!(parsed.ok(), expect, "{word:?}");
}

#[test]
fn a_host_is_a_name_without_anything_around_it() {
    check_one(ValueType::Hosts, "Chat.Example.org", Some("chat.example.org"));
    check_one(ValueType::Hosts, "localhost", Some("localhost"));
    for bad in ["", ".", "a..b", "a.", "chat.example.org:80", "http://a", "a/b", "a b", "ä.org"] {
        check_one(ValueType::Hosts, bad, None);
    }
}

#[test]
fn an_origin_is_what_a_client_could_send() {
    check_one(ValueType::Origins, "https://Chat.example.org", Some("https://chat.example.org"));
    check_one(ValueType::Origins, "http://127.0.0.1:3000", Some("http://127.0.0.1:3000"));
    check_one(ValueType::Origins, "http://[::1]", Some("http://[::1]"));
    check_one(ValueType::Origins, "http://[::1]:3000", Some("http://[::1]:3000"));
    check_one(ValueType::Origins, "Capacitor://LocalHost", Some("capacitor://localhost"));
    check_one(ValueType::Origins, "HTTP://a/Path", Some("http://a/Path"));
    for good in ["null", "file://", "ftp://a", "app://", "https://a:443", "http://a:80", "wss://a"]
    {
        check_one(ValueType::Origins, good, Some(good));
    }
    for bad in [
        "",
        "*",
        "https://",
        "https://*",
        "*://a",
        "chat.example.org",
        "https://a/",
        "app://a/",
        "https://a:",
        "https://a:0443",
        "https://a:99999",
        "https://u@a",
        "https://[::1",
        "https://[g]",
    ] {
        check_one(ValueType::Origins, bad, None);
    }
}

#[test]
fn a_pattern_is_what_some_room_may_be_called() {
    for good in
        ["lobby", "tmp/*", "*", "*-log", "a*b*c", "*/log", "a/*/b", "bücher", &"x".repeat(32)]
    {
        check_one(ValueType::Pattern, good, Some(good));
    }
    for bad in [
        "",
        "/",
        "/a*",
        "a*/",
        "a//b",
        "Tmp/*",
        "a b",
        "tmp/\u{202e}*",
        "e\u{301}",
        "a?",
        &"x".repeat(33),
    ] {
        check_one(ValueType::Pattern, bad, None);
    }
}
