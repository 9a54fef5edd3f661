//! Settings that do not fit together.

use super::*;

/// The settings that are told to be too small, for a file with these lines.
#[track_caller]
fn too_small(lines: &str, expect: &[&str]) {
    let faults = file(lines).map_or_else(|error| error.0, |_| Vec::new());
    let names: Vec<_> = faults.iter().filter_map(|fault| fault.what.split(' ').next()).collect();
    assert_eq!(names, expect, "{lines}: {faults:?}");
}

#[test]
fn both_settings_of_a_conflict_are_named_with_their_values_and_the_reason() {
    check(
        file("[timeouts]\nping_after = \"9s\"\n[limits]\nring_bytes = 1024\nburst = 5\n"),
        &[
            "limits.ring_bytes = \"1KiB\" must be at least 2 times limits.message_bytes = \"16KiB\": \
             a room must be able to keep its last message",
            "limits.burst = 5 must be at least limits.rate_per_s = 20: a second's allowance must be \
             usable at once",
            "timeouts.ping_after = \"9s\" must be at least timeouts.pong = \"10s\": a ping must be \
             answered, or the peer held dead, before the next ping is due",
        ],
    );
}

#[test]
fn a_conflict_is_blamed_on_the_setting_that_was_set() {
    let text = "[limits]\noutbound_soft_bytes = \"200KiB\"\n";
    check(
        file(text),
        &["limits.outbound_hard_bytes = \"256KiB\" must be at least 546134: twice \
           limits.outbound_soft_bytes = \"200KiB\", one event with a message of \
           limits.message_bytes = \"16KiB\", escaped, and a sixteenth to spare"],
    );
    assert_eq!(position(file(text)), (2, 23));
}

#[test]
fn two_listeners_need_two_ports() {
    let same = |earlier: &str, name: &str| {
        format!("{earlier} and {name} would listen on the same port: give one of them another")
    };
    let (http, tcp) = ("listen = \"127.0.0.1:8080\"", "tcp = \"127.0.0.1:8080\"");
    check(file(tcp), &[&same(http, tcp)]);
    let any = "admin = \"0.0.0.0:8080\"";
    check(file(any), &[&same(http, any)]);
    check(file("admin = \"127.0.0.2:8080\""), &[]);
    check(file("listen = \"127.0.0.1:0\"\ntcp = \"127.0.0.1:0\""), &[]);
    check(file("tcp = \"off\""), &[]);
    check(file("listen = [\"127.0.0.1:1\", \"127.0.0.2:1\", \"[::1]:1\"]"), &[]);
    let (any, all) = ("listen = \"0.0.0.0:1\"", "listen = \"127.0.0.1:1\"");
    let insecure = "insecure = true\n";
    check(
        file(&format!("{insecure}listen = [\"0.0.0.0:1\", \"127.0.0.1:1\"]")),
        &[&same(any, all)],
    );
    check(file(&format!("{insecure}listen = [\"0.0.0.0:1\", \"[::]:1\"]")), &[]);
    let (six, four) = ("listen = \"[::]:1\"", "tcp = \"127.0.0.1:1\"");
    check(file(&format!("{insecure}{six}\n{four}")), &[&same(six, four)]);
}

#[test]
fn budgets_hold_what_they_are_for() {
    let limits = |lines: &str| format!("[limits]\n{lines}");
    let hard = &["limits.outbound_hard_bytes"];
    too_small(&limits("outbound_soft_bytes = \"70KiB\""), &[]);
    too_small(&limits("outbound_soft_bytes = 71681"), hard);
    // Twice 64 KiB, six times 32 KiB, 4 KiB, and a fifteenth of all that.
    too_small(&limits("message_bytes = \"32KiB\"\noutbound_hard_bytes = 353895"), &[]);
    too_small(&limits("message_bytes = \"32KiB\"\noutbound_hard_bytes = 353894"), hard);
    too_small(&limits("ring_bytes = \"32KiB\""), &[]);
    too_small(&limits("ring_bytes = 32767"), &["limits.ring_bytes"]);
    too_small(&limits("ring_total_bytes = \"64KiB\""), &[]);
    too_small(&limits("ring_total_bytes = 65535"), &["limits.ring_total_bytes"]);
    too_small(&limits("history_page = 10000\nreplay = 9999"), &["limits.replay"]);
    too_small(&limits("rooms_total = 255"), &["limits.rooms_total"]);
    too_small("rooms.keep_bytes = \"16KiB\"", &[]);
    too_small("rooms.keep_bytes = 16383", &["rooms.keep_bytes"]);
}

#[test]
fn a_burst_is_at_least_a_second_of_its_rate_unless_that_is_off() {
    too_small("limits.burst = 20", &[]);
    too_small("limits.burst = 19", &["limits.burst"]);
    too_small("limits.control_burst = 9", &["limits.control_burst"]);
    too_small("[limits]\nburst = 1\nrate_per_s = \"off\"", &[]);
}

#[test]
fn deadlines_come_in_their_order() {
    too_small("timeouts.stall = \"10s\"", &[]);
    too_small("timeouts.stall = \"9s\"", &["timeouts.stall"]);
    too_small("timeouts.ping_after = \"10s\"", &[]);
    too_small("timeouts.ping_after = \"9999ms\"", &["timeouts.ping_after"]);
    too_small("timeouts.leave_grace = \"601s\"", &["timeouts.guest_membership"]);
}

#[test]
fn tls_needs_a_certificate_and_each_certificate_its_key() {
    check(
        file("listen = \"tls:127.0.0.1:1\""),
        &[
            "listen = \"tls:127.0.0.1:1\" needs a certificate and its key: set certificate and key in \
           [tls]",
        ],
    );
    check(
        file("[tls]\ncertificate = [\"a.pem\", \"b.pem\"]\nkey = \"a.key\""),
        &[
            "tls.certificate names 2 files and tls.key 1: each certificate needs its key, in the same \
             order",
        ],
    );
    check(
        file("tls.certificate = \"a.pem\""),
        &["tls.certificate is set and tls.key is not: each certificate needs its key"],
    );
    check(
        file("tls.key = \"a.key\""),
        &["tls.key is set and tls.certificate is not: each key is a certificate's"],
    );
}

#[test]
fn a_push_service_can_ask_at_an_address_of_mail_or_of_the_web() {
    for contact in ["mailto:a@example.org", "https://example.org/about", "off"] {
        check(file(&format!("[push]\ncontact = \"{contact}\"\n")), &[]);
    }
    check(
        file("[push]\ncontact = \"a@example.org\"\n"),
        &["push.contact = \"a@example.org\" must begin with mailto: or https://, such as \
           \"mailto:admin@example.org\""],
    );
}

#[test]
fn a_bus_has_an_address_and_one_password_and_stands_beside_an_engine() {
    const ENGINE: &str = "[cluster]\nengine = \"postgres://chat@db/chat\"\n";
    for bus in ["redis://bus", "rediss://:secret@bus:7", "unix:///run/bus.sock", "off"] {
        check(file(&format!("{ENGINE}bus = \"{bus}\"\n")), &[]);
    }
    check(file(&format!("{ENGINE}bus = \"redis://bus\"\nbus_password_file = \"p\"\n")), &[]);
    for (more, expect) in [
        (
            "bus = \"bus:6379\"",
            "cluster.bus does not begin with redis://, rediss:// or unix://: such as \
             \"redis://bus.internal:6379\", or \"off\"",
        ),
        (
            "bus = \"redis://:secret@bus\"\nbus_password_file = \"p\"",
            "cluster.bus has a password, and cluster.bus_password_file is set: keep one of them",
        ),
        (
            "bus = \"redis://ann@bus\"",
            "cluster.bus has the user \"ann\" without a password: write \
             redis://USER:PASSWORD@…, or set cluster.bus_password_file",
        ),
        (
            "bus_password_file = \"p\"",
            "cluster.bus_password_file is set, but cluster.bus is not: nobody is asked for a \
             password",
        ),
    ] {
        check(file(&format!("{ENGINE}{more}\n")), &[expect]);
    }
    check(
        file("[cluster]\nbus = \"redis://bus\"\n"),
        &["cluster.bus is set, but cluster.engine is not: a server that is alone needs no bus"],
    );
}

#[test]
fn a_folder_of_files_is_shared_by_the_nodes_of_a_cluster_and_is_the_same_path_everywhere() {
    let engine = "[cluster]\nengine = \"postgres://chat@db/chat\"\n";
    for (text, expect) in [
        (format!("{engine}[files]\ndir = \"/srv/files\"\n"), None),
        (engine.to_owned(), None),
        (
            format!("{engine}[files]\ndir = \"files\"\n"),
            Some(
                "files.dir = \"files\" has to be an absolute path: it is the same share on every node",
            ),
        ),
        (
            "[files]\ndir = \"/srv/files\"\n".to_owned(),
            Some(
                "files.dir is set, but cluster.engine is not: a server that is alone keeps files \
                 beside its database",
            ),
        ),
    ] {
        check(file(&text), expect.as_slice());
    }
}
