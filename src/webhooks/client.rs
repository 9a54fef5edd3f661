//! The client: one request to one webhook, within a deadline, to an address that was checked.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use ureq::config::Config;
use ureq::http::{Request, Response, Uri};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector as _, NextTimeout, RustlsConnector, TcpConnector};
use ureq::{Agent, Body, Error};

use super::address;
use super::schedule::retry_after;
use crate::chat::model::webhook::WEBHOOK_URL_LEN_MAX;
use crate::config;

/// Where systems keep the certificates of the authorities that they trust.
const AUTHORITIES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
    "/etc/ssl/ca-bundle.pem",
];
/// Bytes of an answer's head, and of its body, which is not looked at: a connection with more to
/// come is not used again.
const ANSWER_HEAD_MAX: usize = 16 * 1024;
const ANSWER_BODY_MAX: u64 = 16 * 1024;
/// How long that body is waited for: what it is about is said by the status, and one without an end
/// would keep all webhooks waiting until the deadline.
const ANSWER_BODY_WAIT: Duration = Duration::from_millis(500);
/// Connections that are kept for the next request, and for how long: many servers close them after
/// five seconds.
const IDLE_MAX: usize = 16;
const IDLE_AGE: Duration = Duration::from_secs(4);

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it: the status.
    Delivered(u16),
    /// The receiver wants nothing any more (410).
    Gone,
    /// It has to be made again.
    Failed {
        /// Why.
        why: String,
        /// How long the receiver asks to wait.
        retry_in: Option<Duration>,
        /// The receiver works, and does not take these very events.
        is_refused: bool,
    },
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The field `webhook-id`.
    pub id: &'a str,
    /// The field `webhook-timestamp`: seconds since 1970.
    pub timestamp: u64,
    /// The field `webhook-signature`.
    pub signatures: &'a str,
    /// JSON, exactly these bytes: they are what was signed.
    pub body: &'a [u8],
}

/// A push to a device.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// The field `Authorization`.
    pub authorization: &'a str,
    /// The field `Topic`.
    pub topic: &'a str,
    /// The field `TTL`: seconds.
    pub ttl: &'a str,
    /// The body, which only the device can read.
    pub body: &'a [u8],
}

/// What became of a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushAnswer {
    /// The service has it.
    Delivered,
    /// The service does not know the device any more: the status, 404 or 410.
    Gone(u16),
    /// It was not taken.
    Failed {
        /// Why.
        why: String,
        /// How long the service asks to wait.
        retry_in: Option<Duration>,
        /// It is not to be sent again.
        is_refused: bool,
    },
}

/// Makes requests.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    allowed: Allowed,
}

/// The hosts that are reached by `http`, too, and at addresses that are not public; and the setting
/// that names them.
#[derive(Clone, Debug)]
struct Allowed {
    hosts: Arc<[String]>,
    setting: &'static str,
}

impl Allowed {
    fn has(&self, host: &str) -> bool {
        self.hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host))
    }
}

impl Client {
    /// A client with these settings, which asks the system for addresses.
    #[must_use]
    pub fn new(settings: &config::Webhooks) -> Self {
        Self::with_resolver(settings, Box::new(DefaultResolver::default()))
    }

    /// A client for push services: what is allowed for webhooks, which the operator names, is not
    /// for these, which users name.
    pub(super) fn for_pushes(settings: &config::Webhooks, pushes: &config::Push) -> Self {
        let allowed = Allowed { hosts: pushes.hosts.as_slice().into(), setting: "[push] hosts" };
        Self::with(settings, allowed, Box::new(DefaultResolver::default()))
    }

    /// The same with another source of addresses.
    pub(super) fn with_resolver(settings: &config::Webhooks, names: Box<dyn Resolver>) -> Self {
        let allowed =
            Allowed { hosts: settings.hosts.as_slice().into(), setting: "[webhooks] hosts" };
        Self::with(settings, allowed, names)
    }

    fn with(settings: &config::Webhooks, allowed: Allowed, names: Box<dyn Resolver>) -> Self {
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::Specific(Arc::new(authorities(&settings.authorities))))
            .build();
        let config = Config::builder()
            .http_status_as_error(false)
            // A redirect could lead to an address that was not checked.
            .max_redirects(0)
            .max_redirects_will_error(false)
            // That of the environment would connect where nothing was checked.
            .proxy(None)
            .timeout_global(Some(settings.timeout))
            .timeout_recv_body(Some(ANSWER_BODY_WAIT))
            .max_response_header_size(ANSWER_HEAD_MAX)
            .max_idle_connections(IDLE_MAX)
            // There is one request at a time.
            .max_idle_connections_per_host(1)
            .max_idle_age(IDLE_AGE)
            .user_agent(concat!("chinwag/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        let connector = ().chain(TcpConnector::default()).chain(RustlsConnector::default());
        let resolver = Checked { names, allowed: allowed.clone() };
        Self { agent: Agent::with_parts(config, connector, resolver), allowed }
    }

    /// Sends a push to a device and waits for the answer of its service, likewise.
    pub(super) fn push(&self, url: &str, sealed: Sealed<'_>, wall_ms: u64) -> PushAnswer {
        let failed = |why, is_refused| PushAnswer::Failed { why, retry_in: None, is_refused };
        // Also what was checked when it was named: the settings may have changed since.
        if let Err(why) = check(url, &self.allowed) {
            return failed(why, true);
        }
        let request = Request::post(url)
            .header("content-type", "application/octet-stream")
            .header("content-encoding", "aes128gcm")
            .header("authorization", sealed.authorization)
            .header("topic", sealed.topic)
            .header("ttl", sealed.ttl)
            .header("urgency", "high")
            .body(sealed.body);
        match request.map_err(Error::from).and_then(|request| self.agent.run(request)) {
            Ok(answer) => push_answer(answer, wall_ms),
            Err(error) => {
                // At an address that nothing is sent to there will be no other service.
                let is_refused = matches!(&error, Error::Io(io)
                    if io.kind() == io::ErrorKind::PermissionDenied);
                failed(error.to_string(), is_refused)
            }
        }
    }

    /// Makes a request and waits for the answer, for no longer than the deadline.
    pub fn post(&self, url: &str, signed: Signed<'_>, wall_ms: u64) -> Outcome {
        if let Err(why) = check(url, &self.allowed) {
            return Outcome::Failed { why, retry_in: None, is_refused: false };
        }
        let request = Request::post(url)
            .header("content-type", "application/json")
            .header("webhook-id", signed.id)
            .header("webhook-timestamp", signed.timestamp.to_string())
            .header("webhook-signature", signed.signatures)
            .body(signed.body);
        let answer = request.map_err(Error::from).and_then(|request| self.agent.run(request));
        match answer {
            Ok(answer) => outcome(answer, wall_ms),
            Err(error) => {
                let why = error.to_string();
                Outcome::Failed { why, retry_in: None, is_refused: false }
            }
        }
    }
}

fn push_answer(mut answer: Response<Body>, wall_ms: u64) -> PushAnswer {
    _ = answer.body_mut().with_config().limit(ANSWER_BODY_MAX).read_to_vec();
    let status = answer.status().as_u16();
    match status {
        200..=299 => PushAnswer::Delivered,
        404 | 410 => PushAnswer::Gone(status),
        _ => {
            // Too slow, too many, and what is wrong at the service itself: the push is good.
            let is_refused = !matches!(status, 408 | 429 | 500..);
            let retry_in = retry_in(&answer, wall_ms);
            PushAnswer::Failed { why: format!("HTTP {status}"), retry_in, is_refused }
        }
    }
}

fn outcome(mut answer: Response<Body>, wall_ms: u64) -> Outcome {
    // Read, so that the connection can be used again.
    _ = answer.body_mut().with_config().limit(ANSWER_BODY_MAX).read_to_vec();
    let status = answer.status().as_u16();
    match status {
        200..=299 => Outcome::Delivered(status),
        410 => Outcome::Gone,
        _ => {
            let why = match status {
                300..=399 => format!("HTTP {status}: redirects are not followed"),
                _ => format!("HTTP {status}"),
            };
            // Only these are about the events: any other may be about the address, the receiver's
            // state or what stands in front of it, and ends when that is mended.
            let is_refused = matches!(status, 400 | 413 | 415 | 422);
            Outcome::Failed { why, retry_in: retry_in(&answer, wall_ms), is_refused }
        }
    }
}

/// How long the one who has answered asks to wait.
fn retry_in(answer: &Response<Body>, wall_ms: u64) -> Option<Duration> {
    let value = answer.headers().get("retry-after")?.to_str().ok()?;
    retry_after(value, wall_ms)
}

/// Whether something may be sent there: by `https`, or to one of these hosts.
///
/// # Errors
///
/// What is wrong with it, as a sentence.
pub fn check_url(url: &str, hosts: &[String]) -> Result<(), String> {
    check(url, &Allowed { hosts: hosts.into(), setting: "[webhooks] hosts" })
}

fn check(url: &str, allowed: &Allowed) -> Result<(), String> {
    if url.len() > WEBHOOK_URL_LEN_MAX {
        return Err(format!("the address has more than {WEBHOOK_URL_LEN_MAX} bytes"));
    }
    let parsed: Uri = url.parse().map_err(|error| format!("the address is none: {error}"))?;
    let host = parsed.host().filter(|host| !host.is_empty());
    let host = host.ok_or("the address names no host: write https://host/path")?;
    if parsed.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(
            "the address has a user or a password, which would be sent: leave it out".into()
        );
    }
    if url.contains('#') {
        return Err("the address has a fragment (#), which is never sent".into());
    }
    // A name may come to stand for another address; one that is written out stays what it is.
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    if let Some(what) = literal.and_then(address::refusal).filter(|_| !allowed.has(host)) {
        let setting = allowed.setting;
        return Err(format!("nothing is sent to {host}, which is {what}; {setting} can allow it"));
    }
    match parsed.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if allowed.has(host) => Ok(()),
        Some("http") => Err(format!(
            "the address must begin with https://, unless {} names {host}",
            allowed.setting
        )),
        _ => Err("the address must begin with https://".into()),
    }
}

/// Gives out addresses of the public internet only, but for hosts that are listed. What it gives
/// out is what is connected to: names are not resolved again.
#[derive(Debug)]
struct Checked {
    names: Box<dyn Resolver>,
    allowed: Allowed,
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        // By address and not by name: a name of the outside can be given one of the inside (DNS
        // rebinding).
        let found = self.names.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        if self.allowed.has(host) {
            return Ok(found);
        }
        let mut public = self.empty();
        let mut refused = None;
        for address in &found {
            match address::refusal(address.ip()) {
                None => public.push(*address),
                Some(what) => refused = Some((*address, what)),
            }
        }
        match refused {
            Some((address, what)) if public.is_empty() => {
                Err(not_public(host, (address, what), self.allowed.setting))
            }
            _ => Ok(public),
        }
    }
}

fn not_public(host: &str, (address, what): (SocketAddr, &str), setting: &str) -> Error {
    let ip = address.ip();
    let why = format!("{host} is {ip}, which is {what}; {setting} can allow it");
    Error::Io(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// The certificates of these files; without any, those that the system trusts.
fn authorities(files: &[std::path::PathBuf]) -> Vec<Certificate<'static>> {
    let system = || AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    let mut found = Vec::new();
    for path in files.iter().map(|path| &**path).chain(system().filter(|_| files.is_empty())) {
        match fs::read(path) {
            Ok(pem) => {
                let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
                found.extend(certificates.map(|der| Certificate::from_der(&der).to_owned()));
            }
            Err(error) => {
                let file = path.display();
                log::error!(file:%, error:%; "webhooks: certificates of authorities cannot be read");
            }
        }
    }
    if found.is_empty() {
        log::warn!(
            "webhooks: no certificate of an authority was found: [webhooks] authorities names files with some"
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers each question about a name with these addresses.
    #[derive(Debug)]
    struct Names(Vec<SocketAddr>);

    impl Resolver for Names {
        fn resolve(
            &self,
            _uri: &Uri,
            _config: &Config,
            _timeout: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut found = self.empty();
            self.0.iter().for_each(|address| found.push(*address));
            Ok(found)
        }
    }

    fn settings(hosts: &[&str]) -> config::Webhooks {
        config::Webhooks {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            authorities: Vec::new(),
            timeout: Duration::from_secs(5),
            give_up: Duration::from_mins(1),
        }
    }

    #[track_caller]
    fn resolve(hosts: &[&str], names: &[&str]) -> Result<Vec<String>, String> {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let found = names.iter().map(|address| address.parse().unwrap()).collect();
        let allowed = Allowed { hosts: hosts.into(), setting: "[webhooks] hosts" };
        let checked = Checked { names: Box::new(Names(found)), allowed };
        let uri: Uri = "https://hooks.example.org/in".parse().unwrap();
        let found = checked.resolve(&uri, &Config::default(), NextTimeout::default());
        let found = found.map_err(|error| error.to_string())?;
        Ok(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn of_what_a_name_stands_for_only_public_addresses_are_connected_to() {
        let public = "8.8.8.8:443";
        assert_eq!(resolve(&[], &[public]), Ok(vec![public.to_owned()]));
        let mixed = ["127.0.0.1:443", public, "[::ffff:10.0.0.1]:443", "[fe80::1]:443"];
        assert_eq!(resolve(&[], &mixed), Ok(vec![public.to_owned()]));
        for (address, what) in [
            ("10.0.0.1:443", "10.0.0.1, which is private"),
            ("[::1]:443", "::1, which is loopback"),
            ("[64:ff9b::7f00:1]:443", "which is loopback"),
            ("100.64.0.1:443", "which is shared by a provider"),
        ] {
            let refused = resolve(&[], &[address]).unwrap_err();
            assert!(refused.contains(what) && refused.contains("hooks.example.org"), "{refused}");
            assert!(resolve(&["hooks.example.org"], &[address]).is_ok(), "it is listed");
            assert!(resolve(&["example.org"], &[address]).is_err(), "another one is listed");
        }
    }

    #[test]
    fn a_name_that_stands_for_this_machine_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let names = Names(vec![listener.local_addr().unwrap()]);
        let client = Client::with_resolver(&settings(&[]), Box::new(names));
        let signed = Signed { id: "msg_1", timestamp: 1, signatures: "v1,x", body: b"{}" };
        let outcome = client.post("https://rebinding.example.org/", signed, 0);
        let Outcome::Failed { why, is_refused: false, retry_in: None } = outcome else {
            panic!("{outcome:?}");
        };
        assert!(why.contains("which is loopback"), "{why}");
        assert!(listener.accept().is_err(), "nobody has connected");
    }

    #[test]
    fn an_address_is_checked_before_anything_is_sent() {
        let hosts = ["localhost".to_owned(), "10.0.0.5".to_owned()];
        for url in [
            "https://example.org",
            "https://example.org:8443/a?b=c",
            "http://localhost/",
            "http://LOCALHOST:80/x",
            "http://10.0.0.5/",
            "https://10.0.0.5/",
            "https://8.8.8.8/",
            "https://[2600::1]/",
        ] {
            assert_eq!(check_url(url, &hosts), Ok(()), "{url}");
        }
        for url in [
            "",
            "example.org",
            "/in",
            "http://example.org/",
            "http://localhost.example.org/",
            "http://10.0.0.50/",
            "https://10.0.0.50/",
            "https://127.0.0.1:8443/",
            "https://[::1]/",
            "ftp://localhost/",
            "https://a:b@example.org/",
            "https://a@localhost/",
            "https://example.org/#x",
            "https:///x",
            "https://exa mple.org/",
            &format!("https://example.org/{}", "x".repeat(WEBHOOK_URL_LEN_MAX)),
        ] {
            assert!(check_url(url, &hosts).is_err(), "{url}");
        }
    }
}
