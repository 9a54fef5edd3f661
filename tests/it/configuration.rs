//! The configuration file, the environment and the command line: what is refused, and in which
//! words.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::client::Lines;
use crate::support::ws::upgrade_head;
use crate::support::{Client, Raw, Server, Setup, http};

/// What the binary leaves with, and says on standard output and standard error.
fn run(args: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chinwag"));
    command.args(args).env_clear().envs(environment.iter().copied()).stdin(Stdio::null());
    let output = command.output().expect("a program that can be started");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// What is said of a configuration file of this text, which must be refused.
#[track_caller]
fn checked(toml: &str) -> String {
    let folder = TempDir::new().expect("a folder for temporary files");
    let path = folder.path().join("chinwag.toml");
    fs::write(&path, toml).expect("a file");
    let (code, out, said) = run(&["check", "--config", path.to_str().expect("UTF-8")], &[]);
    assert_eq!((code, out.as_str()), (Some(2), ""), "{toml:?} → {said}");
    said
}

#[test]
fn each_mistake_is_shown_where_it_is_with_what_was_meant() {
    for (toml, hints) in [
        ("lissten = \"127.0.0.1:0\"", &["lissten", "listen", ":1:1", "^^^"][..]),
        ("[limits]\nroms = 5", &["roms", "[limits]", "rooms?", ":2:1"]),
        ("[limts]\nrooms = 5", &["limts", "limits", ":1:"]),
        ("[limits]\nrooms = 0", &["rooms", ":2:9", "^"]),
        ("[limits]\nrooms = \"many\"", &["rooms", ":2:9"]),
        ("[limits]\nrooms = -1", &["rooms", ":2:9"]),
        ("[limits]\nmessage_bytes = \"16 K\"", &["message_bytes", "KiB"]),
        ("[timeouts]\nhello = 10", &["hello", "10s"]),
        ("[timeouts]\nhello = \"10 parsecs\"", &["hello"]),
        ("[timeouts]\nhello = \"99999999999h\"", &["hello"]),
        ("listen = \"nowhere\"", &["listen", "127.0.0.1"]),
        ("[http]\nhosts = [\"*.example.org\"]", &["hosts", "*.example.org"]),
        ("[http]\norigins = [\"https://a.example/\"]", &["origins", "https://a.example/"]),
        ("log_format = \"xml\"", &["log_format", "text", "json"]),
        ("durability = \"tape\"", &["durability", "disk", "memory", ":1:14"]),
        (
            "[[room_policy]]\nmatch = \"a\"\nacess = \"open\"",
            &["1 (match = \"a\")", "access?", ":3:1"],
        ),
        ("[[room_policy]]\nkeep_for = \"1d\"", &["room_policy 1", "match", ":1:1"]),
        ("[room_policy]\nmatch = \"a\"", &["[[room_policy]]", ":1:2"]),
        ("[timeouts]\nping_after = \"9s\"", &["ping_after = \"9s\"", "pong = \"10s\"", ":2:14"]),
        ("rooms = 5\nrooms = 6", &["rooms", "2"]),
        ("[limits\nrooms = 5", &[":1:"]),
        ("a = \u{1}", &[":1:"]),
        ("[limits]\nburst = 5\nrate_per_s = 6", &["burst", "rate_per_s"]),
        ("listen = \"127.0.0.1:7001\"\ntcp = \"127.0.0.1:7001\"", &["listen", "tcp", "7001"]),
    ] {
        let said = checked(toml);
        for hint in hints {
            assert!(said.contains(hint), "no {hint:?} for {toml:?} in:\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn several_mistakes_are_all_shown() {
    let said = checked("lissten = 1\nadmn = 2\n[limits]\nrooms = 0\n");
    for hint in ["listen", "admin", "rooms"] {
        assert!(said.contains(hint), "no {hint} in:\n{said}");
    }
}

#[test]
fn hostile_files_are_refused_in_a_few_lines() {
    let deep = format!("a = {}", "[".repeat(100_000));
    let long = format!("{} = 1", "x".repeat(1 << 20));
    let many: Vec<_> = (0..10_000).map(|n| format!("key{n} = 1\n")).collect();
    let many = many.concat();
    for toml in [&deep, &long, &many] {
        let said = checked(toml);
        assert!(said.len() < 64 << 10, "{} bytes of complaint", said.len());
        assert!(!said.contains("panicked"), "{said}");
    }
    let (code, _, said) = run(&["--config", "/nowhere/at/all.toml"], &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("/nowhere/at/all.toml"), "{said}");
}

#[test]
fn the_environment_is_checked_like_the_file() {
    for (name, value, hints) in [
        ("CHINWAG_LIMITS_ROMS", "5", &["CHINWAG_LIMITS_ROMS", "CHINWAG_LIMITS_ROOMS"][..]),
        ("CHINWAG_LIMITS_ROOMS", "x", &["CHINWAG_LIMITS_ROOMS"]),
        ("CHINWAG_LISTEN", "", &["CHINWAG_LISTEN"]),
    ] {
        let (code, out, said) = run(&["check"], &[(name, value)]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{name}={value}: {said}");
        for hint in hints {
            assert!(said.contains(hint), "no {hint} in:\n{said}");
        }
    }
}

#[test]
fn check_says_what_is_set_and_where() {
    let (code, out, said) = run(&["check", "--tcp", "off"], &[("CHINWAG_LIMITS_ROOMS", "7")]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for hint in ["tcp = \"off\"  (--tcp)", "limits.rooms = 7", "CHINWAG_LIMITS_ROOMS"] {
        assert!(out.contains(hint), "no {hint} in:\n{out}");
    }
}

#[test]
fn check_shows_what_holds_for_some_rooms() {
    let folder = TempDir::new().expect("a folder for temporary files");
    let path = folder.path().join("chinwag.toml");
    let path = path.to_str().expect("UTF-8");
    let toml = "[[room_policy]]\nmatch = \"tmp/*\"\ndurability = \"memory\"\n\
                [[room_policy]]\nname = \"ours\"\ncreate = [\"ann\"]\nkeep_for = \"48h\"\n";
    fs::write(path, toml).expect("a file");
    let (code, out, said) = run(&["check", "--config", path, "--tcp", "off"], &[]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (_, shown) = out.split_once('\n').expect("lines");
    let (first, shown) = shown.split_once('\n').expect("lines");
    assert!(first.starts_with("1 of "), "{out}");
    let expected = format!(
        "  tcp = \"off\"  (--tcp)\n\
         2 room policies; what they do not set is as for all other rooms\n  \
         room_policy 1: match = \"tmp/*\"  ({path}:2:9)\n  \
         room_policy 1: durability = \"memory\"  ({path}:3:14)\n  \
         room_policy 2: name = \"ours\"  ({path}:5:8)\n  \
         room_policy 2: keep_for = \"2d\"  ({path}:7:12)\n  \
         room_policy 2: create = [\"ann\"]  ({path}:6:10)\n"
    );
    assert_eq!(shown, expected);
}

#[test]
fn the_defaults_name_every_setting_and_are_what_holds_without_a_file() {
    let (code, defaults, said) = run(&["check", "--defaults"], &[]);
    assert_eq!((code, said.as_str()), (Some(0), ""));
    let (_, with_none, _) = run(&["check"], &[]);
    let folder = TempDir::new().expect("a folder for temporary files");
    let path = folder.path().join("chinwag.toml");
    fs::write(&path, defaults).expect("a file");
    let (code, with_file, said) = run(&["check", "--config", path.to_str().expect("UTF-8")], &[]);
    assert_eq!(code, Some(0), "{said}");
    let counted = |shown: &str| {
        let (set, all) = shown.lines().nth(1)?.split_once(" settings are")?.0.split_once(" of ")?;
        Some((set.parse::<u32>().ok()?, all.parse::<u32>().ok()?))
    };
    let (none, all) = counted(&with_none).expect("numbers");
    assert_eq!((none, counted(&with_file)), (0, Some((all, all))), "{with_none}{with_file}");
}

#[test]
fn wrong_arguments_are_refused_with_what_was_meant() {
    for (args, hint) in [
        (&["--lisen", "x"][..], "--listen"),
        (&["chek"], "check"),
        (&["--listen"], "--listen"),
        (&["--durability", "tape"], "memory"),
        (&["--listen", "300.1.1.1:80"], "listen"),
    ] {
        let (code, out, said) = run(args, &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{args:?}: {said}");
        assert!(said.contains(hint), "no {hint} in:\n{said}");
    }
}

#[test]
fn an_address_that_is_taken_is_an_error_in_words() {
    let server = Server::start();
    let taken = server.http.to_string();
    let said = Setup::default().args(&["--listen", &taken]).refused();
    assert!(said.contains(&taken), "which address? {said}");
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn a_listener_that_is_off_is_not_there_and_a_flag_outweighs_the_rest() {
    let (code, out, _) = run(
        &["check", "--listen", "127.0.0.1:1"],
        &[("CHINWAG_LISTEN", "127.0.0.1:2"), ("CHINWAG_ADMIN", "off")],
    );
    assert_eq!(code, Some(0));
    assert!(out.contains("listen = \"127.0.0.1:1\"  (--listen)"), "{out}");
    assert!(out.contains("admin = \"off\""), "{out}");
}

#[test]
fn logs_go_to_standard_error_and_nothing_but_the_addresses_to_standard_output() {
    let server = Setup::default().config("log_level = \"trace\"\n").start();
    drop(Client::ws(&server).named("ann", Some("lobby")));
    http::get(server.http, "/");
    server.assert_no_connection_left();
    assert!(server.log().contains("INFO"), "{}", server.log());
    assert!(!server.log().contains("listening http://"), "announced on standard error");
}

#[test]
fn each_kind_of_listener_takes_several_addresses() {
    let server = Setup::default()
        .args(&["--listen", "127.0.0.1:0, 127.0.0.2:0"])
        .args(&["--tcp", "127.0.0.3:0,127.0.0.4:0"])
        .start();
    let places = |prefix: &str| -> Vec<std::net::SocketAddr> {
        let rests = server.announced.iter().filter_map(|line| line.strip_prefix(prefix));
        rests.map(|rest| rest.split(' ').next().unwrap_or_default().parse().unwrap()).collect()
    };
    let (listen, tcp) = (places("listening http://"), places("listening tcp://"));
    assert_eq!((listen.len(), tcp.len()), (2, 2), "{:?}", server.announced);
    for address in listen {
        assert_eq!(http::get(address, "/healthz").status, 200, "{address}");
    }
    for address in tcp {
        Client::over(Lines(Raw::connect(address))).named("ann", None);
    }
}

#[test]
fn who_listens_for_strangers_is_warned_by_the_check_and_at_the_start() {
    let exposed = [
        ("CHINWAG_LISTEN", "127.0.0.1:0,0.0.0.0:0"),
        ("CHINWAG_HTTP_ORIGINS", "null"),
        ("CHINWAG_INSECURE", "true"),
    ];
    let (code, out, _) = run(&["check"], &exposed);
    assert_eq!(code, Some(0));
    for warning in
        ["warning: listen = \"0.0.0.0:0\": everybody", "warning: [http] origins has \"null\""]
    {
        assert!(out.contains(warning), "{out}");
    }
    let (_, out, _) = run(&["check"], &[]);
    assert!(!out.contains("warning"), "{out}");
    let setup = Setup::default().args(&["--listen", "127.0.0.1:0,0.0.0.0:0"]);
    let server = setup.set("insecure", "true").start();
    server.log_when(|log| log.contains("WARN") && log.contains("everybody who can connect"));
}

/// What libraries and apps send as their origin, and nobody's page has.
#[test]
fn an_origin_of_any_scheme_can_be_allowed() {
    let origins = "capacitor://localhost,ionic://localhost,tauri://localhost,app://obsidian.md,\
                   chrome-extension://abcdefghijklmnopabcdefghijklmnop,file://,null,\
                   ws://127.0.0.1:8080,http://192.0.2.7/ws,https://Chat.Example.org:443";
    let server = Setup::default().set("http.origins", origins).start();
    for origin in origins.to_lowercase().split(',') {
        let head = upgrade_head(server.http, "/ws", &format!("Origin: {origin}\r\n"));
        assert_eq!(http::request(server.http, head.as_bytes()).status, 101, "{origin}");
    }
}

#[test]
fn the_check_refuses_what_a_start_would_of_the_files_that_are_named() {
    let temporary = TempDir::new().expect("a folder for temporary files");
    let at = |name: &str| temporary.path().join(name).to_str().expect("UTF-8").to_owned();
    let (folder, nowhere, config) = (at("."), at("nowhere"), at("chinwag.toml"));
    let (file, empty) = (at("file"), at("empty"));
    fs::write(&file, "x").expect("a file");
    fs::write(&empty, "").expect("a file");
    let jwt = "auth = \"jwt\"\n[jwt]\naudience = [\"a\"]\n[[jwt.key]]\nissuer = \"i\"\n";
    let long = "x".repeat(300);
    let deep = format!("{nowhere}{}", "/below".repeat(800));
    let key = |rest: &str| format!("{jwt}algorithm = \"RS256\"\npublic_key_file = \"{rest}\"");
    let tls = "listen = \"tls:127.0.0.1:0\"\n[tls]\n";
    let pair =
        |certificate: &str| format!("{tls}certificate = \"{certificate}\"\nkey = \"{file}\"");
    for (toml, said) in [
        (format!("log_file = \"{nowhere}/log\""), "log_file"),
        (format!("log_file = \"{folder}\""), "log_file"),
        (format!("admin_token_file = \"{nowhere}\""), "admin_token_file"),
        (format!("admin_token_file = \"{folder}\""), "admin_token_file"),
        (pair(&empty), "has no certificate"),
        (pair(&file), "has no certificate"),
        (format!("admin_token_file = \"{file}\""), "at least 16 characters"),
        (format!("data = \"{file}\""), "is not a directory"),
        (format!("data = \"{file}/below\""), "is not a directory"),
        (format!("listen = \"unix:{nowhere}/socket\""), "cannot listen on unix:"),
        (format!("listen = \"unix:{file}\""), "no socket"),
        (key(&nowhere), "jwt.key 1"),
        (key(&file), "no public key in PEM"),
        (
            format!("[cluster]\nengine = \"postgres://a@b/c\"\npassword_file = \"{nowhere}\""),
            "password_file",
        ),
        (
            format!("[cluster]\nengine = \"postgres://a@b/c?sslrootcert={file}\""),
            "[cluster] engine: no authorities",
        ),
        (format!("[webhooks]\nauthorities = \"{nowhere}\""), "[webhooks] authorities"),
        (format!("[webhooks]\nauthorities = [\"{file}\"]"), "has no certificate"),
        // Last: the server makes what of it can be made.
        (format!("data = \"{nowhere}/{long}\""), "a name of 300 bytes in it is too long"),
        (format!("data = \"{deep}\""), "too long for the file system"),
        (format!("log_file = \"{}\"", at(&long)), "too long for the file system"),
        (format!("log_file = \"{long}\""), "too long for the file system"),
    ] {
        fs::write(&config, &toml).expect("a file");
        let (code, out, error) = run(&["check", "--config", &config], &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{toml}: {error}");
        assert!(error.starts_with("error: ") && error.contains(said), "{toml}: {error}");
        assert!(error.contains(&format!("--> {config}:")), "{toml}: {error}");
        let (data, any) = (at("data"), ["--listen", "--tcp", "--admin"]);
        let mut args = vec!["serve", "--config", &config];
        let listeners = any.iter().filter(|flag| !toml.contains(flag.trim_start_matches('-')));
        args.extend(listeners.flat_map(|flag| [*flag, "127.0.0.1:0"]));
        args.extend(if toml.contains("data = ") { vec![] } else { vec!["--data", &data] });
        assert_eq!(run(&args, &[]).0, Some(1), "{toml}");
    }
    let fine = format!("log_file = \"{file}.log\"\ndata = \"{nowhere}/below\"");
    fs::write(&config, fine).expect("a file");
    assert_eq!(run(&["check", "--config", &config], &[]).0, Some(0));
    assert!(!temporary.path().join("file.log").exists(), "and nothing is made");
}
