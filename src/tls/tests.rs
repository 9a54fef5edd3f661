//! A client of rustls' against a [`Connection`], without a socket.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, ClientConfig, ClientConnection, Error, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};

use super::*;

/// Certificates that are all as they are.
#[derive(Debug)]
struct Fixed(Certificates);

impl ResolvesServerCert for Fixed {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.choose(hello.server_name())
    }
}

/// A certificate for each name, in PEM with its key, and what trusts them all.
fn certificates(names: &[&str]) -> (Certificates, RootCertStore) {
    let made: Vec<_> = names
        .iter()
        .map(|name| rcgen::generate_simple_self_signed([(*name).to_owned()]).unwrap())
        .collect();
    let pems: Vec<_> =
        made.iter().map(|one| (one.cert.pem(), one.signing_key.serialize_pem())).collect();
    let pairs = pems.iter().map(|(chain, key)| (chain.as_bytes(), key.as_bytes()));
    let mut roots = RootCertStore::empty();
    for one in &made {
        roots.add(one.cert.der().clone()).unwrap();
    }
    (Certificates::parse(pairs).unwrap(), roots)
}

/// A server's configuration, and that of a client which trusts it.
pub(crate) fn configs(names: &[&str]) -> (Arc<ServerConfig>, ClientConfig) {
    let (certificates, roots) = certificates(names);
    let server = server_config(Arc::new(Fixed(certificates)), ticketer().unwrap(), b"http/1.1");
    (server.unwrap(), client_config(roots, true))
}

fn client_config(roots: RootCertStore, is_13: bool) -> ClientConfig {
    let versions = if is_13 { [&TLS13] } else { [&TLS12] };
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn client(config: &ClientConfig, name: &str) -> ClientConnection {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    ClientConnection::new(Arc::new(config.clone()), name).unwrap()
}

/// Both ends, and what the server has received.
struct Pair {
    client: ClientConnection,
    server: Connection,
    received: Vec<u8>,
    /// Of those that the bound allows, after the last call; `None` if there were more.
    steps_left: Option<usize>,
}

impl Pair {
    fn new((server, client_config): &(Arc<ServerConfig>, ClientConfig), name: &str) -> Self {
        let server = Connection::new(Arc::clone(server)).unwrap();
        Self {
            client: client(client_config, name),
            server,
            received: Vec::new(),
            steps_left: Some(0),
        }
    }

    /// What the client has to send.
    fn client_says(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Gives the server bytes, and the client what is said to them.
    fn give(&mut self, bytes: &[u8]) -> Result<Progress, TlsFault> {
        let mut out = Vec::new();
        let progress = self.server.receive(&mut bytes.to_vec(), &mut self.received, &mut out);
        let records = bytes.len() / 6;
        self.steps_left = (16 + 2 * records).checked_sub(self.server.steps);
        self.client_hears(&out);
        progress
    }

    fn client_hears(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            self.client.read_tls(&mut rest).unwrap();
            // What is wrong with it is what the test asks for afterwards.
            let _state = self.client.process_new_packets();
        }
    }

    /// Both ends talk until neither has more to say, `cut` bytes at a time to the server.
    fn exchange(&mut self, cut: usize) -> Result<(), TlsFault> {
        loop {
            let bytes = self.client_says();
            if bytes.is_empty() {
                return Ok(());
            }
            for part in bytes.chunks(cut) {
                self.give(part)?;
            }
        }
    }

    fn client_has(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _would_block = self.client.reader().read_to_end(&mut bytes);
        bytes
    }
}

#[test]
fn both_versions_carry_bytes_both_ways_however_they_are_cut() {
    let (certificates, roots) = certificates(&["chat.example"]);
    let server =
        server_config(Arc::new(Fixed(certificates)), ticketer().unwrap(), b"http/1.1").unwrap();
    for is_13 in [true, false] {
        let configs = (Arc::clone(&server), client_config(roots.clone(), is_13));
        for cut in (1..40).chain([100, 1_000, 100_000]) {
            let mut pair = Pair::new(&configs, "chat.example");
            pair.client.writer().write_all(b"from the client").unwrap();
            pair.exchange(cut).unwrap();
            assert_eq!(pair.server.progress(), Progress::Open, "{is_13} {cut}");
            assert_eq!(pair.received, b"from the client", "{is_13} {cut}");
            assert_eq!(pair.server.waiting(), 0, "an idle connection holds no bytes");
            let mut out = Vec::new();
            pair.server.seal(b"from the server", &mut out).unwrap();
            assert_eq!(usize::from(out[3]) << 8 | usize::from(out[4]), out.len() - 5, "one record");
            pair.client_hears(&out);
            assert_eq!(pair.client_has(), b"from the server", "{is_13} {cut}");
        }
    }
}

#[test]
fn much_is_sealed_in_records_of_the_most_that_one_may_hold() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    pair.exchange(1_000).unwrap();
    let text = vec![b'x'; 3 * RECORD_LEN_MAX + 1];
    let mut out = Vec::new();
    pair.server.seal(&text, &mut out).unwrap();
    let mut heard = Vec::new();
    for part in out.chunks(1_000) {
        pair.client_hears(part);
        heard.extend(pair.client_has());
    }
    assert_eq!(heard, text);
    assert!(out.len() < text.len() + 4 * 30, "{}", out.len());
}

/// The same handshake message in records of one byte each.
fn in_records_of_one_byte(record: &[u8]) -> Vec<u8> {
    let bytes = record[5..].iter();
    bytes.flat_map(|&byte| [record[0], record[1], record[2], 0, 1, byte]).collect()
}

#[test]
fn a_client_hello_in_records_of_one_byte_is_understood_and_costs_a_step_for_each() {
    for cut in [1, 6, 7, 100_000] {
        let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
        let hello = in_records_of_one_byte(&pair.client_says());
        for part in hello.chunks(cut) {
            pair.give(part).unwrap();
            assert!(pair.steps_left.is_some(), "more than two steps a record");
        }
        pair.exchange(cut).unwrap();
        assert_eq!(pair.server.progress(), Progress::Open, "{cut}");
    }
}

#[test]
fn a_goodbye_right_after_the_client_hello_ends_without_a_spin() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    let hello = pair.client_says();
    let alert = [21, 3, 3, 0, 2, 1, 0];
    let both = [&hello[..], &alert].concat();
    pair.give(&both).unwrap_err();
    assert!(pair.server.seal(b"nobody is there", &mut Vec::new()).is_err());
    // Before any hello nobody has proven anything, so that it is no end (RFC 8446 section 6.1): the
    // deadline is. But there are not many of these.
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    assert_eq!(pair.give(&alert), Ok(Progress::Handshaking));
    assert!((0..16).any(|_| pair.give(&alert).is_err()));
}

#[test]
fn goodbyes_are_said_once_and_heard() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    pair.client.writer().write_all(b"last words").unwrap();
    pair.exchange(1_000).unwrap();
    pair.client.send_close_notify();
    pair.exchange(1_000).unwrap();
    assert_eq!(pair.server.progress(), Progress::Finished);
    assert_eq!(pair.received, b"last words");
    // The other half still carries what is said.
    let mut out = Vec::new();
    pair.server.seal(b"answer", &mut out).unwrap();
    pair.server.say_goodbye(&mut out);
    let len = out.len();
    pair.server.say_goodbye(&mut out);
    assert_eq!(out.len(), len, "said once");
    pair.client_hears(&out);
    let mut text = String::new();
    // Without the goodbye this would be an unexpected end.
    pair.client.reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, "answer");
}

#[test]
fn before_the_handshake_there_is_nothing_to_be_said() {
    let mut server = Connection::new(configs(&["chat.example"]).0).unwrap();
    let mut out = Vec::new();
    assert!(server.seal(b"too early", &mut out).is_err());
    server.say_goodbye(&mut out);
    assert!(out.is_empty());
}

#[test]
fn a_flipped_bit_ends_the_connection_or_changes_nothing_that_is_received() {
    let configs = configs(&["chat.example"]);
    let len = Pair::new(&configs, "chat.example").client_says().len();
    for at in 0..len {
        let mut pair = Pair::new(&configs, "chat.example");
        let mut hello = pair.client_says();
        hello[at] ^= 1 << (at % 8);
        let _refused = pair.give(&hello).and_then(|_| pair.exchange(1_000));
        // The version in the header of a record means nothing (RFC 8446 section 5.1).
        let is_open = pair.server.progress() == Progress::Open;
        assert!(!is_open || at < 3, "byte {at}");
        assert!(pair.received.is_empty());
    }
    let sealed_len = {
        let mut pair = Pair::new(&configs, "chat.example");
        pair.exchange(1_000).unwrap();
        pair.client.writer().write_all(b"sealed").unwrap();
        pair.client_says().len()
    };
    for at in 0..sealed_len {
        let mut pair = Pair::new(&configs, "chat.example");
        pair.exchange(1_000).unwrap();
        pair.client.writer().write_all(b"sealed").unwrap();
        let mut sealed = pair.client_says();
        sealed[at] ^= 1 << (at % 8);
        // A greater length waits for more.
        let result = pair.give(&sealed);
        let is_whole = pair.received == b"sealed";
        assert!(result.is_err() || pair.received.is_empty() || (at < 3 && is_whole), "byte {at}");
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_before_it_has_come() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    pair.exchange(1_000).unwrap();
    let result = pair.give(&[23, 3, 3, 0xff, 0xff]);
    assert!(result.is_err(), "{result:?}");
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    // A hello of 60,000 bytes, of which only records of the longest kind come.
    let record = [&[22, 3, 1, 0x40, 0, 1, 0, 0xea, 0x60][..], &[0; RECORD_LEN_MAX - 4]].concat();
    let mut result = Ok(Progress::Handshaking);
    for _ in 0..4 {
        result = result.and_then(|_| pair.give(&record));
        assert!(pair.server.waiting() <= INCOMING_LEN_MAX + record.len());
    }
    assert!(result.is_err(), "{result:?}");
}

#[test]
fn what_is_no_tls_at_all_is_refused() {
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\0\0\0\0", b"\x80\x2e\x01\x03\x01", &[0xff; 64]]
    {
        let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
        assert!(pair.give(bytes).is_err() || pair.server.waiting() <= bytes.len());
        assert_ne!(pair.server.progress(), Progress::Open);
    }
}

#[test]
fn each_name_has_its_certificate_and_any_other_the_first() {
    let configs = configs(&["one.example", "*.two.example"]);
    for (name, is_known) in [
        ("one.example", true),
        ("a.two.example", true),
        ("two.example", false),
        ("x.example", false),
    ] {
        let mut pair = Pair::new(&configs, name);
        let _refused = pair.exchange(1_000);
        let has_one = pair.client.peer_certificates().map(<[CertificateDer<'_>]>::len);
        assert_eq!(has_one == Some(1), is_known, "{name}");
    }
}

#[test]
fn other_protocols_are_refused_as_the_rfc_says() {
    let (server, config) = configs(&["chat.example"]);
    for (offered, expect) in [
        (&[][..], None),
        (&["http/1.1"][..], Some(b"http/1.1".to_vec())),
        (&["h2", "http/1.1"][..], Some(b"http/1.1".to_vec())),
    ] {
        let mut config = config.clone();
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut pair = Pair::new(&(Arc::clone(&server), config), "chat.example");
        pair.exchange(1_000).unwrap();
        assert_eq!(pair.client.alpn_protocol().map(<[u8]>::to_vec), expect);
    }
    let mut only_h2 = config;
    only_h2.alpn_protocols = vec![b"h2".to_vec()];
    let mut pair = Pair::new(&(server, only_h2), "chat.example");
    let mut hello = pair.client_says();
    let mut out = Vec::new();
    pair.server.receive(&mut hello, &mut Vec::new(), &mut out).unwrap_err();
    pair.client.read_tls(&mut &out[..]).unwrap();
    let told = pair.client.process_new_packets().unwrap_err();
    assert_eq!(told, Error::AlertReceived(AlertDescription::NoApplicationProtocol));
}

#[test]
fn a_ticket_resumes_with_a_server_that_remembers_nothing() {
    let (certificates, roots) = certificates(&["chat.example"]);
    let server =
        server_config(Arc::new(Fixed(certificates)), ticketer().unwrap(), b"http/1.1").unwrap();
    for is_13 in [true, false] {
        let mut config = client_config(roots.clone(), is_13);
        config.resumption = Resumption::in_memory_sessions(4);
        let configs = (Arc::clone(&server), config);
        for expect in [false, true, true] {
            let mut pair = Pair::new(&configs, "chat.example");
            pair.exchange(1_000).unwrap();
            assert_eq!(pair.server.is_resumed(), expect, "{is_13}");
        }
    }
}

#[test]
fn new_keys_that_a_client_asks_for_are_made_before_more_is_sealed() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    pair.exchange(1_000).unwrap();
    for nth in 0..5u8 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.client.writer().write_all(&[nth]).unwrap();
        pair.exchange(7).unwrap();
        let mut out = Vec::new();
        pair.server.seal(&[nth], &mut out).unwrap();
        pair.client_hears(&out);
        assert_eq!(pair.client_has(), [nth]);
    }
    assert_eq!(pair.received, [0, 1, 2, 3, 4]);
}

#[test]
fn files_that_are_no_certificate_and_key_are_refused_with_what_is_wrong() {
    let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (one, other) = (made("one.example"), made("other.example"));
    let (chain, key) = (one.cert.pem(), one.signing_key.serialize_pem());
    let check = |chain: &str, key: &str, part: Part, expect: &str| {
        let fault = Certificates::parse([(chain.as_bytes(), key.as_bytes())]).unwrap_err();
        assert_eq!(fault.part, part, "{fault}");
        assert!(fault.what.contains(expect), "{fault} instead of {expect}");
    };
    check("", &key, Part::Certificate, "has no certificate");
    check(&key, &key, Part::Certificate, "has no certificate");
    check(&chain, "", Part::Key, "has no key");
    check(&chain, &chain, Part::Key, "has no key");
    check(&chain, &other.signing_key.serialize_pem(), Part::Key, "not the key of the certificate");
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    check(&chain, encrypted, Part::Key, "encrypted with a password");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    check(broken, &key, Part::Certificate, "cannot be read");
    check(chain.trim_end_matches("-\n"), &key, Part::Certificate, "is no PEM");
    let certificates = Certificates::parse([(chain.as_bytes(), key.as_bytes())]).unwrap();
    // What rcgen makes is good until 4096-01-01.
    assert_eq!(certificates.expire().collect::<Vec<_>>(), [67_090_118_400]);
    assert_eq!(Certificates::parse([]).unwrap_err().part, Part::Certificate);
}

#[test]
fn debug_output_has_no_keys() {
    let mut pair = Pair::new(&configs(&["chat.example"]), "chat.example");
    pair.exchange(1_000).unwrap();
    assert_eq!(format!("{:?}", pair.server), "Connection { progress: Open, waiting: 0, .. }");
}

/// A client's end and a server's, both of which are ours.
#[test]
fn both_of_our_ends_understand_each_other_and_only_the_right_name_is_taken() {
    let made = rcgen::generate_simple_self_signed(["db.internal".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let pair = [(chain.as_bytes(), key.as_bytes())];
    let certificates = Certificates::parse(pair).unwrap();
    let server =
        server_config(Arc::new(Fixed(certificates)), ticketer().unwrap(), b"postgresql").unwrap();
    let config = super::client_config(chain.as_bytes()).unwrap();
    for (name, is_right) in [("db.internal", true), ("other.internal", false)] {
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        let mut server = Connection::new(Arc::clone(&server)).unwrap();
        let mut client =
            super::ClientConnection::connect(Arc::clone(&config), name, &mut to_server).unwrap();
        let (mut heard, mut answered) = (Vec::new(), Vec::new());
        let mut result = Ok(Progress::Handshaking);
        while !to_server.is_empty() || !to_client.is_empty() {
            let mut bytes = std::mem::take(&mut to_server);
            // A client that has given up says so, which is no fault of the server's.
            _ = server.receive(&mut bytes, &mut heard, &mut to_client);
            let mut bytes = std::mem::take(&mut to_client);
            result = client.receive(&mut bytes, &mut answered, &mut to_server);
            if result.is_err() {
                break;
            }
        }
        assert_eq!(result.is_ok(), is_right, "{name}: {result:?}");
        if is_right {
            assert_eq!((client.progress(), server.progress()), (Progress::Open, Progress::Open));
            client.seal(b"question", &mut to_server).unwrap();
            server.receive(&mut to_server, &mut heard, &mut to_client).unwrap();
            server.seal(b"answer", &mut to_client).unwrap();
            client.receive(&mut to_client, &mut answered, &mut Vec::new()).unwrap();
            assert_eq!((&*heard, &*answered), (&b"question"[..], &b"answer"[..]));
        }
    }
    super::client_config(b"no certificate").unwrap_err();
}
