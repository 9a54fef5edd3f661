//! Starts the thread that serves the webhooks and tells devices, once there is something to do.

use std::sync::Arc;

use super::Server;
use crate::chat::model::account::Hidden;
use crate::chat::model::push::{PushOrder, PushTerms};
use crate::config;
use crate::metrics::{PushMetrics, WebhookMetrics};
use crate::reactor::Waker;
use crate::store::{Outbox, Wake};
use crate::time::clock::{Clock, Now};
use crate::webhooks::Webhooks;
use crate::webhooks::push::vapid::{self, BadKey, Vapid};
use crate::webhooks::push::{self, Orders, Setup};

/// The thread, or what it takes to start it: where there is no webhook and nobody is told, there is
/// no thread either.
#[derive(Debug)]
pub(super) struct WebhookStart {
    outbox: Arc<Outbox>,
    settings: config::Webhooks,
    clock: Clock,
    metrics: Arc<WebhookMetrics>,
    running: Option<Webhooks>,
    pushes: Option<PushWay>,
}

/// What it takes to tell devices, and the way to the thread while it runs.
struct PushWay {
    setup: Setup,
    wake: Wake,
    orders: Option<Orders>,
    is_used: bool,
}

impl std::fmt::Debug for PushWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushWay").field("is_used", &self.is_used).finish_non_exhaustive()
    }
}

/// How pushes begin: what the domain is told, and the key, if it is new and to be kept.
pub(super) type BegunPushes = (PushTerms, Option<Hidden>);

impl WebhookStart {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        settings: &config::Webhooks,
        clock: Clock,
        metrics: Arc<WebhookMetrics>,
    ) -> Self {
        let settings = settings.clone();
        Self { outbox, settings, clock, metrics, running: None, pushes: None }
    }

    /// Lets devices be told, by the key that is `kept` or a new one.
    ///
    /// # Errors
    ///
    /// [`BadKey`] if the one that is kept is none.
    pub(super) fn begin_pushes(
        &mut self,
        kept: Option<Hidden>,
        settings: &config::Push,
        (metrics, wake): (Arc<PushMetrics>, Wake),
    ) -> Result<BegunPushes, BadKey> {
        let (key, is_new) = match kept {
            Some(key) => (key, false),
            None => (vapid::make()?, true),
        };
        let vapid = Arc::new(Vapid::new(&key, settings.contact.clone())?);
        let (hosts, texts) = (settings.hosts.clone(), settings.texts);
        let terms = PushTerms { key: vapid.public().into(), hosts, texts };
        let setup = Setup { vapid, settings: settings.clone(), metrics };
        self.pushes = Some(PushWay { setup, wake, orders: None, is_used: false });
        Ok((terms, is_new.then_some(key)))
    }

    /// Hands an order about devices to the thread, which is started for the first push.
    pub(super) fn push(&mut self, order: PushOrder) {
        let Some(way) = &mut self.pushes else { return };
        if !way.is_used && !matches!(order, PushOrder::Send(_)) {
            return;
        }
        way.is_used = true;
        self.look();
        let Some(way) = &self.pushes else { return };
        if way.orders.as_ref().is_some_and(|orders| orders.send(order)) {
            self.outbox.note_push();
        } else {
            way.setup.metrics.lost.add(1);
        }
    }

    /// The next device that its service does not know any more.
    pub(super) fn poll_ended(&self) -> Option<u64> {
        self.pushes.as_ref()?.orders.as_ref()?.poll_ended()
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

    /// Starts the thread, if there is something to do and it does not run yet.
    pub(super) fn look(&mut self) {
        let has_pushes = self.pushes.as_ref().is_some_and(|way| way.is_used);
        if self.running.is_some() || !(self.outbox.is_used() || has_pushes) {
            return;
        }
        let (outbox, metrics) = (Arc::clone(&self.outbox), Arc::clone(&self.metrics));
        let pushes = self.pushes.as_mut().map(|way| {
            let (orders, inbox) = push::way(Arc::clone(&way.wake));
            way.orders = Some(orders);
            (way.setup.clone(), inbox)
        });
        match Webhooks::start(outbox, &self.settings, self.clock, (metrics, pushes)) {
            Ok(running) => self.running = Some(running),
            Err(error) => {
                log::error!(cause:% = error; "webhooks are not served: the system has no thread to give");
            }
        }
    }
}

impl Server {
    /// Lets devices be told by the key that is `kept` or a new one, if that is wanted.
    pub(super) fn begin_pushes(
        &mut self,
        now: Now,
        webhooks: &mut WebhookStart,
        (kept, settings): (Option<Hidden>, &config::Push),
        waker: Waker,
    ) {
        if !settings.enabled {
            return;
        }
        // It fails only if the poller is gone, and the loop with it.
        let wake = Arc::new(move || _ = waker.wake());
        let counted = Arc::clone(&self.metrics.pushes);
        match webhooks.begin_pushes(kept, settings, (counted, wake)) {
            Ok((terms, new_key)) => {
                self.chat.begin_pushes(now, terms, new_key);
                self.pass_requests(now);
            }
            Err(BadKey) => log::error!(
                "nobody is told by Web Push: the key in the database is none, or the system has no random numbers"
            ),
        }
    }

    /// Hands what devices are to be told to the thread that sends it.
    pub(super) fn pass_pushes(&mut self) {
        while let Some(order) = self.chat.poll_push() {
            if let Some(webhooks) = &mut self.webhooks {
                webhooks.push(order);
            }
        }
    }

    /// Tells the domain of devices that are over.
    pub(super) fn take_ended_pushes(&mut self, now: Now) {
        while let Some(id) = self.webhooks.as_ref().and_then(WebhookStart::poll_ended) {
            self.chat.on_push_ended(now, id);
        }
    }
}
