//! What all sessions share: bounds, parsers, scratch space, cells.

use std::sync::Arc;
use std::time::Duration;

use super::batch::Batches;
use super::bucket::Rate;
use crate::admin::Health;
use crate::chat::Limits;
use crate::config::Config;
use crate::http::{Admission, HostPolicy, OriginPolicy, PolicyError};
use crate::log::Throttle;
use crate::metrics::Metrics;
use crate::net::SharedFrame;
use crate::page::Pages;
use crate::wire;
use crate::ws::{self, CompressPolicy, Compressor};

/// Bytes of the largest message that the echo takes.
const ECHO_LEN_MAX: usize = 16 << 20;
/// Frames in one message of the echo.
const ECHO_FRAGMENTS_MAX: u32 = 65_536;
/// Bytes that may wait for one connection of the echo: an answer and the one before it, compressed badly.
pub(super) const ECHO_OUTBOUND_MAX: usize = 3 * ECHO_LEN_MAX;
/// The server's name in the welcome.
const SERVER: &str = concat!("chinwag ", env!("CARGO_PKG_VERSION"));

/// Deadlines of a session.
#[derive(Clone, Debug)]
pub(super) struct Deadlines {
    pub head: Duration,
    pub hello: Duration,
    pub ping_after: Duration,
    pub pong: Duration,
    pub stall: Duration,
    pub keep_alive: Duration,
}

/// What all sessions share.
#[derive(Debug)]
pub(super) struct Edge {
    pub admission: Admission,
    pub pages: Pages,
    pub limits: Limits,
    pub deadlines: Deadlines,
    pub commands: Option<Rate>,
    pub controls: Option<Rate>,
    pub errors_max: u32,
    pub echo: bool,
    /// Of the chat's sockets before and after hello, and of the echo's.
    pub hello_settings: ws::Settings,
    pub settings: ws::Settings,
    pub echo_settings: ws::Settings,
    pub shared: ws::Shared,
    pub deflate: bool,
    pub compressor: Compressor,
    pub echo_compressor: Compressor,
    /// Bytes of the longest request on a plain connection.
    pub request_len_max: usize,
    /// The same before hello: strangers are not given more memory than a hello takes.
    pub hello_len_max: usize,
    /// Where a text is rendered before it is framed.
    pub text: Vec<u8>,
    /// Where what one connection gets is laid end to end.
    pub own: Vec<u8>,
    /// Where the records of one fan-out are.
    pub batches: Batches,
    pub metrics: Arc<Metrics>,
    pub health: Health,
    pub server: &'static str,
    /// Rises with each turn: what a session was given in an earlier one has been flushed.
    pub turn: u32,
    /// Bytes that the table of sessions takes.
    pub sessions_bytes: usize,
    /// Lines that clients can cause.
    pub throttle: Throttle,
}

impl Edge {
    pub(super) fn new(
        config: &Config,
        limits: Limits,
        metrics: Arc<Metrics>,
    ) -> Result<Self, PolicyError> {
        let http = &config.http;
        let admission = Admission {
            hosts: HostPolicy::new(&http.hosts)?,
            origins: OriginPolicy::new(&http.origins, http.require_origin)?,
        };
        let request_len_max = wire::request_len_max(&limits);
        let hello_len_max = wire::request_len_max(&Limits { message_bytes: 0, ..limits.clone() });
        let fragments_max = u32::try_from(config.limits.fragments).unwrap_or(u32::MAX);
        let settings = ws::Settings {
            fragments_max,
            accept_binary: false,
            ..ws::Settings::new(ws::Role::Server, request_len_max)
        };
        let hello_settings = ws::Settings { message_len_max: hello_len_max, ..settings };
        let echo_settings = ws::Settings {
            fragments_max: ECHO_FRAGMENTS_MAX,
            ..ws::Settings::new(ws::Role::Server, ECHO_LEN_MAX)
        };
        let timeouts = &config.timeouts;
        let rates = &config.limits;
        Ok(Self {
            admission,
            pages: Pages::new(),
            deadlines: Deadlines {
                head: timeouts.head,
                hello: timeouts.hello,
                ping_after: timeouts.ping_after,
                pong: timeouts.pong,
                stall: timeouts.stall,
                keep_alive: timeouts.keep_alive,
            },
            commands: Rate::new(rates.rate_per_s, rates.burst),
            controls: Rate::new(rates.control_per_s, rates.control_burst),
            errors_max: rates.errors_in_a_row,
            echo: config.echo,
            hello_settings,
            settings,
            echo_settings,
            shared: ws::Shared::default(),
            deflate: config.compression.enabled,
            compressor: Compressor::new(CompressPolicy::WherePays {
                len_min: config.compression.threshold_bytes,
            }),
            echo_compressor: Compressor::new(CompressPolicy::Always),
            request_len_max,
            hello_len_max,
            limits,
            text: Vec::new(),
            own: Vec::new(),
            batches: Batches::default(),
            metrics,
            health: Health::Serving,
            server: SERVER,
            turn: 0,
            sessions_bytes: 0,
            throttle: Throttle::new(20, Duration::from_secs(1)),
        })
    }

    /// The largest message that one connection can be sent at once besides what waits for it.
    pub(super) const fn soft(&self) -> usize {
        self.limits.outbound_soft
    }

    /// Frees what large messages left behind in the scratch space.
    pub(super) fn trim(&mut self) {
        const TEXT_KEPT: usize = 256 * 1024;
        self.shared.trim();
        self.compressor.trim();
        self.echo_compressor.trim();
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT);
    }
}

/// A frame of its own memory.
pub(super) fn frame(bytes: Vec<u8>) -> SharedFrame {
    SharedFrame::from(bytes)
}
