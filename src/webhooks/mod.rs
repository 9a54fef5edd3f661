//! Outgoing webhooks: what happens in rooms is told to other servers by HTTP.
//!
//! ```text
//!  store: Outbox ── events above a webhook's position ──▶ Worker ─ sign ─ Client ──▶ https://…
//!      ▲                                                     │
//!      └──────────── position, dead letters ◀── 2xx, or not ─┘
//! ```
//!
//! One thread serves all webhooks, a request at a time, so that a slow one costs the others its
//! deadline (`webhooks.timeout`) at the most: those that work come first, and one that fails waits
//! longer after each attempt ([`schedule`]). The loop and the writer of the store never wait for
//! it.
//!
//! - At least once, also over restarts and kills; each event has an `id` of its own.
//! - In order in each room: nothing is sent to a webhook before what was there earlier was taken,
//!   or given up as a dead letter.
//! - Signed as Standard Webhooks has it ([`sign`]).
//! - The same thread tells devices by Web Push ([`push`]).
//! - Only to addresses of the public internet, checked after the name was resolved and connected to
//!   as they were checked ([`client`], [`public_address`]); no redirects, no proxies.

mod authorities;
pub mod client;
mod endpoint;
pub mod payload;
pub mod public_address;
pub mod push;
pub mod schedule;
pub mod sign;
mod worker;

pub use authorities::{AuthoritiesError, check as check_authorities};
pub use worker::Webhooks;

use self::client::{Client, Outcome};
use crate::chat::model::webhook::Webhook;
use crate::time::clock::Now;

/// Sends a webhook a request without events.
#[must_use]
pub fn test(client: &Client, webhook: &Webhook, now: Now) -> Outcome {
    let body = payload::test_body(&webhook.name, now.wall_ms);
    let id = format!("test_{}", now.wall_ms);
    worker::post(client, &webhook.url, [&webhook.secret].into_iter(), (&id, &body), now)
}
