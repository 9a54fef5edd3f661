//! What all sessions share: limits, parsers, scratch space, counters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::encode::Encoder;
use super::entropy::Entropy;
use super::exchange::OperatorWish;
use super::hello_rate::HelloRate;
use super::outgoing::Outgoing;
use super::peers::Peers;
use super::proxy_header::ProxyHeader;
use super::public_docs::PublicDocs;
use super::text_client::Aside;
use super::tokens::Tokens;
use crate::admin::Health;
use crate::admin::responses::Nodes;
use crate::chat::model::account::SecretHash;
use crate::chat::model::pressure::Pressure;
use crate::chat::{Limits, UserName};
use crate::config::Config;
use crate::files::FileJob;
use crate::http::{Admission, DateClock, HostPolicy, OriginPolicy, PolicyError};
use crate::log::Throttle;
use crate::metrics::Metrics;
use crate::net::{CloseReason, ConnId, IpAddr, Network};
use crate::page::Pages;
use crate::time::rate::Rate;
use crate::wire;
use crate::ws::{self, CompressPolicy, Compressor};

/// Bytes of the largest message that the echo takes: the largest case of the Autobahn suite.
const ECHO_LEN_MAX: usize = 16 << 20;
/// Frames in one message of the echo: four times as many as the Autobahn suite sends, which cuts 4
/// MiB into 65,536 and ends them with an empty one.
const ECHO_FRAGMENTS_MAX: u32 = 1 << 18;
/// Bytes that may wait for one connection of the echo: an answer and the one before it, badly
/// compressed.
pub(super) const ECHO_OUTBOUND_MAX: usize = 3 * ECHO_LEN_MAX;
/// Log lines that clients can cause, in each second.
const CLIENT_LINES_PER_S: u32 = 20;
/// The server's name in the welcome.
const SERVER: &str = concat!("chinwag ", env!("CARGO_PKG_VERSION"));

// An answer must fit while the one before it is still on its way.
const _: () = assert!(ECHO_OUTBOUND_MAX >= 2 * ECHO_LEN_MAX);

/// How long a session may take for what.
#[derive(Clone, Debug)]
pub(super) struct Timeouts {
    pub head: Duration,
    pub hello: Duration,
    pub ping_after: Duration,
    pub pong: Duration,
    pub stall: Duration,
    pub close: Duration,
    pub keep_alive: Duration,
}

/// What all sessions share.
#[derive(Debug)]
pub(super) struct SessionContext {
    pub admission: Admission,
    /// Of the admin listener.
    pub admin_admission: Admission,
    /// Whose word is taken on whom they speak for.
    pub proxies: Vec<Network>,
    pub dates: DateClock,
    pub pages: Pages,
    /// The files of the admin listener.
    pub dashboard: Pages,
    pub limits: Limits,
    /// As each welcome states them.
    pub stated_limits: String,
    pub timeouts: Timeouts,
    /// How fast one connection may send requests.
    pub command_rate: Option<Rate>,
    /// How fast hellos are taken of all.
    pub hellos: HelloRate,
    /// How fast one connection may send pings and pongs.
    pub control_rate: Option<Rate>,
    pub errors_max: u16,
    /// Bytes that may wait on one connection to be taken apart.
    pub read_ahead: usize,
    pub is_echo_on: bool,
    /// The documentation, where everybody may read it.
    pub docs: PublicDocs,
    /// Of the chat over WebSocket before hello.
    pub hello_settings: ws::Settings,
    /// Of the chat over WebSocket after hello.
    pub settings: ws::Settings,
    pub echo_settings: ws::Settings,
    /// Scratch space of the WebSocket decoders. Boxed, since it is taken out for each message.
    pub decoding: Option<Box<ws::Shared>>,
    pub is_deflate_on: bool,
    pub echo_compressor: Compressor,
    /// Bytes of the longest request on a plain connection.
    pub request_len_max: usize,
    /// The same before hello: strangers are not given more memory than a hello takes.
    pub hello_len_max: usize,
    pub encoder: Encoder,
    /// What is on its way from the domain to connections.
    pub outgoing: Outgoing,
    pub entropy: Entropy,
    pub metrics: Arc<Metrics>,
    pub health: Health,
    /// What the operator is told of the cluster.
    pub nodes: Nodes,
    pub server: &'static str,
    /// Rises with each turn: what a session was given in an earlier one has been flushed.
    pub turn: u32,
    /// Bytes of all connections that have come in part or wait for their turn.
    pub inbound: Pressure,
    /// Bytes that the table of sessions takes.
    pub sessions_bytes: usize,
    /// To be ended once what the domain has said to them is on its way.
    pub closing: Vec<(ConnId, CloseReason)>,
    /// To be asked of the domain for people at terminals, in this order.
    pub asides: Vec<(ConnId, Aside)>,
    /// Programs whose visits have begun: what they ask for is to be asked of the domain.
    pub visits: Vec<ConnId>,
    /// Connections that send files.
    pub uploading: BTreeSet<ConnId>,
    /// What is to be asked of the thread that keeps files, in this order.
    pub file_jobs: Vec<FileJob>,
    /// Their peers have said their last word: to be ended when all that they asked for is answered.
    pub finished: Vec<ConnId>,
    /// Who connections are by what a proxy says.
    pub proxy_header: ProxyHeader,
    /// Who connections are by their tokens.
    pub tokens: Tokens,
    /// What the admin API wants to see; `None`: it is off.
    pub admin_token: Option<SecretHash>,
    /// As whom the operator speaks and acts.
    pub operator: UserName,
    /// The filter of the log, as it was configured.
    pub log_level: String,
    /// What the operator wants of the server.
    pub wishes: Vec<OperatorWish>,
    /// Who connections are to an operator; `None` where nobody can ask.
    pub peers: Option<Peers>,
    /// From where connections come that have not said hello.
    pub addresses: BTreeMap<ConnId, IpAddr>,
    /// Limits the log lines that clients can cause.
    pub throttle: Throttle,
}

impl SessionContext {
    pub(super) fn new(
        config: &Config,
        limits: Limits,
        metrics: Arc<Metrics>,
        entropy: Entropy,
    ) -> Result<Self, PolicyError> {
        let admission = admission(config)?;
        let request_len_max = wire::request_len_max(&limits);
        let hello_len_max = wire::request_len_max(&Limits { message_bytes: 0, ..limits.clone() });
        let settings = ws::Settings {
            fragments_max: config.limits.fragments,
            accept_binary: false,
            ..ws::Settings::new(ws::Role::Server, request_len_max)
        };
        let compressor = Compressor::new(CompressPolicy::WherePays {
            len_min: config.compression.threshold_bytes,
        });
        let rates = &config.limits;
        Ok(Self {
            // Whoever reaches the admin listener was let in by its address; scrapers name it by any
            // host.
            admin_admission: Admission { is_local_only: false, ..admission.clone() },
            admission,
            proxies: config.proxies.clone(),
            dates: DateClock::default(),
            pages: Pages::new(),
            dashboard: Pages::dashboard(),
            timeouts: timeouts(config),
            command_rate: Rate::new(rates.rate_per_s, rates.burst),
            hellos: HelloRate::new(
                Rate::new(rates.hellos_per_s, rates.hellos_burst),
                rates.per_address_loopback,
            ),
            control_rate: Rate::new(rates.control_per_s, rates.control_burst),
            errors_max: rates.errors_in_a_row,
            read_ahead: rates.read_ahead,
            is_echo_on: config.echo,
            docs: PublicDocs::new(config.http.docs),
            // Strangers are given no more memory than a hello takes.
            hello_settings: ws::Settings { message_len_max: hello_len_max, ..settings },
            settings,
            echo_settings: ws::Settings {
                fragments_max: ECHO_FRAGMENTS_MAX,
                ..ws::Settings::new(ws::Role::Server, ECHO_LEN_MAX)
            },
            decoding: None,
            is_deflate_on: config.compression.enabled,
            echo_compressor: Compressor::new(CompressPolicy::Always),
            request_len_max,
            hello_len_max,
            stated_limits: wire::render::stated_limits(&limits),
            limits,
            encoder: Encoder::new(compressor, Arc::clone(&metrics)),
            outgoing: Outgoing::default(),
            entropy,
            metrics,
            health: Health::Serving,
            nodes: Nodes { engine: None, bus: None, apart: Vec::new(), nodes: Vec::new() },
            server: SERVER,
            turn: 0,
            inbound: Pressure::new(rates.inbound_total_bytes),
            sessions_bytes: 0,
            closing: Vec::new(),
            asides: Vec::new(),
            visits: Vec::new(),
            uploading: BTreeSet::new(),
            file_jobs: Vec::new(),
            finished: Vec::new(),
            proxy_header: ProxyHeader::new(config),
            tokens: Tokens::new(None),
            admin_token: None,
            operator: config.admin_name.clone(),
            log_level: config.log_level.to_string(),
            wishes: Vec::new(),
            peers: None,
            addresses: BTreeMap::new(),
            throttle: Throttle::new(CLIENT_LINES_PER_S, Duration::from_secs(1)),
        })
    }

    /// Lets other settings hold from now on: those that are read again while the server runs.
    ///
    /// # Errors
    ///
    /// As [`SessionContext::new`]; nothing has changed then.
    pub(super) fn set_config(
        &mut self,
        config: &Config,
        limits: Limits,
    ) -> Result<(), PolicyError> {
        self.admission = admission(config)?;
        self.admin_admission = Admission { is_local_only: false, ..self.admission.clone() };
        let rates = &config.limits;
        self.command_rate = Rate::new(rates.rate_per_s, rates.burst);
        self.hellos.set_rate(Rate::new(rates.hellos_per_s, rates.hellos_burst));
        self.control_rate = Rate::new(rates.control_per_s, rates.control_burst);
        self.errors_max = rates.errors_in_a_row;
        self.timeouts = timeouts(config);
        self.is_echo_on = config.echo;
        self.docs.set(config.http.docs);
        self.log_level = config.log_level.to_string();
        self.stated_limits = wire::render::stated_limits(&limits);
        self.limits = limits;
        Ok(())
    }

    /// The request of a connection is over, or the connection is: nothing more comes of what it was
    /// sending.
    pub(super) fn abandon_upload(&mut self, conn: ConnId) {
        if self.uploading.remove(&conn) {
            self.file_jobs.push(FileJob::Abandon(conn));
        }
    }

    /// Whether hellos from this address count for the rate of all.
    pub(super) fn is_counted(&self, address: IpAddr) -> bool {
        self.hellos.counts_loopback || !address.to_canonical().is_loopback()
    }

    /// Begins the next turn, and frees what large messages left behind in the scratch space.
    pub(super) fn on_turn_end(&mut self) {
        self.turn = self.turn.wrapping_add(1);
        self.tokens.on_turn_end();
        if let Some(decoding) = &mut self.decoding {
            decoding.trim();
        }
        self.encoder.trim();
        self.echo_compressor.trim();
    }
}

/// Who may connect by HTTP.
fn admission(config: &Config) -> Result<Admission, PolicyError> {
    let http = &config.http;
    Ok(Admission {
        hosts: HostPolicy::new(&http.hosts)?,
        origins: OriginPolicy::new(&http.origins, http.require_origin)?,
        is_local_only: config.is_local_only(),
    })
}

const fn timeouts(config: &Config) -> Timeouts {
    let timeouts = &config.timeouts;
    Timeouts {
        head: timeouts.head,
        hello: timeouts.hello,
        ping_after: timeouts.ping_after,
        pong: timeouts.pong,
        stall: timeouts.stall,
        close: timeouts.close,
        keep_alive: timeouts.keep_alive,
    }
}

/// What a request head may be.
pub(super) const fn head_limits(config: &Config) -> crate::http::Limits {
    crate::http::Limits {
        head_len_max: config.http.head_bytes,
        fields_max: config.http.fields,
        ..crate::http::Limits::DEFAULT
    }
}
