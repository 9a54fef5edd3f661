//! Starts the thread that serves the webhooks, once there is one.

use std::sync::Arc;

use crate::config;
use crate::metrics::WebhookMetrics;
use crate::store::Outbox;
use crate::time::clock::Clock;
use crate::webhooks::Webhooks;

/// The thread, or what it takes to start it: where there is no webhook, there is no thread either.
#[derive(Debug)]
pub(super) struct WebhookStart {
    outbox: Arc<Outbox>,
    settings: config::Webhooks,
    clock: Clock,
    metrics: Arc<WebhookMetrics>,
    running: Option<Webhooks>,
}

impl WebhookStart {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        settings: &config::Webhooks,
        clock: Clock,
        metrics: Arc<WebhookMetrics>,
    ) -> Self {
        Self { outbox, settings: settings.clone(), clock, metrics, running: None }
    }

    /// Has the thread end after what it is sending.
    pub(super) fn pause(&self) {
        if self.running.is_some() {
            self.outbox.close();
        }
    }

    /// Waits until the thread has ended, but not for long.
    pub(super) fn end(&mut self) {
        self.running = None;
    }

    /// Starts the thread, if there is a webhook and it does not run yet.
    pub(super) fn look(&mut self) {
        if self.running.is_some() || !self.outbox.is_used() {
            return;
        }
        let (outbox, metrics) = (Arc::clone(&self.outbox), Arc::clone(&self.metrics));
        match Webhooks::start(outbox, &self.settings, self.clock, metrics) {
            Ok(running) => self.running = Some(running),
            Err(error) => {
                log::error!(cause:% = error; "webhooks are not served: the system has no thread to give");
            }
        }
    }
}
