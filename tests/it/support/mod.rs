//! What black-box tests stand on: the built server as a process, and clients that can misbehave.
//!
//! Nothing here sleeps. Each wait is a read with a deadline ([`PATIENCE`]) that no healthy run
//! comes near, and each failure says what was seen instead.

pub(crate) mod admin;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod description;
pub(crate) mod disk;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod library;
pub(crate) mod process;
pub(crate) mod raw;
pub(crate) mod relay;
pub(crate) mod server;
pub(crate) mod stream;
pub(crate) mod terminal;
pub(crate) mod tls;
mod upgrade;
pub(crate) mod webhook;
pub(crate) mod ws;

use std::time::Duration;

pub(crate) use client::{Client, Transport};
pub(crate) use json::assert_subset;
pub(crate) use raw::Raw;
pub(crate) use relay::Relay;
pub(crate) use server::{Server, Setup};
pub(crate) use stream::Stream;
pub(crate) use ws::{Frame, RawWs};

/// A receive buffer that holds little. Below a segment of the loopback's, the kernel would wait for
/// its own timers between any two of them.
pub(crate) const SMALL_BUFFER: usize = 32 * 1024;

/// How long a test waits for what must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
