//! Starts the thread that serves the webhooks and tells devices, once there is something to do.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Server;
use super::engine::Engine;
use crate::chat::model::account::Hidden;
use crate::chat::model::push::{PushOrder, PushOutcome, PushTerms};
use crate::cluster::node::PushSending;
use crate::config;
use crate::metrics::{PushMetrics, WebhookMetrics};
use crate::reactor::Waker;
use crate::store::{Outbox, Wake};
use crate::time::clock::{Clock, Now};
use crate::time::wall_watch::WallWatch;
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
    /// What was known of the clock at the start.
    wall: WallWatch,
    metrics: Arc<WebhookMetrics>,
    running: Option<Webhooks>,
    pushes: Option<PushWay>,
    awaited: Option<AwaitedPushes>,
}

/// What it takes to tell devices, and the way to the thread while it runs.
struct PushWay {
    setup: Setup,
    wake: Wake,
    orders: Option<Orders>,
    is_used: bool,
    /// Those that could not be handed over, in a cluster.
    refused: VecDeque<PushOutcome>,
    /// It is to be told what becomes of each push: of a cluster, which keeps what is to be told.
    tells_all: bool,
}

/// What it takes to tell devices once the key of the cluster is known.
struct AwaitedPushes {
    settings: config::Push,
    metrics: Arc<PushMetrics>,
    wake: Wake,
    /// One was made, which may be kept by now.
    is_offered: bool,
}

impl std::fmt::Debug for PushWay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PushWay").field("is_used", &self.is_used).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AwaitedPushes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AwaitedPushes").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How pushes begin: what the domain is told, and the key, if it is new and to be kept.
pub(super) type BegunPushes = (PushTerms, Option<Hidden>);

impl WebhookStart {
    pub(super) fn new(
        outbox: Arc<Outbox>,
        settings: &config::Webhooks,
        (clock, wall): (Clock, Option<WallWatch>),
        metrics: Arc<WebhookMetrics>,
    ) -> Self {
        let settings = settings.clone();
        let wall = wall.unwrap_or_else(|| WallWatch::new(clock.now(), None, None));
        Self { outbox, settings, clock, wall, metrics, running: None, pushes: None, awaited: None }
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
        let (refused, tells_all) = (VecDeque::new(), false);
        let (orders, is_used) = (None, false);
        self.pushes = Some(PushWay { setup, wake, orders, is_used, refused, tells_all });
        Ok((terms, is_new.then_some(key)))
    }

    /// Lets devices be told once the key of the cluster is known, if that is wanted.
    pub(super) fn await_pushes(
        &mut self,
        settings: &config::Push,
        (metrics, wake): (Arc<PushMetrics>, Wake),
    ) {
        let is_offered = false;
        let awaited = AwaitedPushes { settings: settings.clone(), metrics, wake, is_offered };
        self.awaited = settings.enabled.then_some(awaited);
    }

    /// Hands an order about devices to the thread, which is started for the first push.
    pub(super) fn push(&mut self, order: PushOrder) {
        let Some(way) = &mut self.pushes else { return };
        // Before the first push there is nothing that another order could be about.
        if !way.is_used && !matches!(order, PushOrder::Send(_)) {
            return;
        }
        way.is_used = true;
        self.look();
        let Some(way) = &mut self.pushes else { return };
        let device = match &order {
            PushOrder::Send(push) => Some(push.to.id),
            PushOrder::Read(..) | PushOrder::End(_) | PushOrder::Forget => None,
        };
        if way.orders.as_ref().is_some_and(|orders| orders.send(order)) {
            self.outbox.note_push();
        } else {
            // The queue is full, or the thread is dead: the loop loses a push rather than wait.
            way.setup.metrics.lost.add(1);
            let device = device.filter(|_| way.tells_all);
            way.refused.extend(device.map(PushOutcome::GivenUp));
        }
    }

    /// What has become of a push.
    pub(super) fn poll_push_outcome(&mut self) -> Option<PushOutcome> {
        let way = self.pushes.as_mut()?;
        way.refused.pop_front().or_else(|| way.orders.as_ref()?.poll_outcome())
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
            let (orders, inbox) = push::way(Arc::clone(&way.wake), way.tells_all);
            way.orders = Some(orders);
            (way.setup.clone(), inbox)
        });
        let clock = (self.clock, self.wall);
        match Webhooks::start(outbox, &self.settings, clock, (metrics, pushes)) {
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
            Err(BadKey) => log::error!("{BAD_KEY}"),
        }
    }

    /// What is kept of people in a cluster was read, with the key by which push services know it:
    /// this node may tell devices from then on. Where there is none yet, one is made.
    pub(super) fn take_push_key(&mut self, now: Now, key: Option<Hidden>) {
        let Some(key) = key else { return self.offer_push_key(now, false) };
        let Some(webhooks) = &mut self.webhooks else { return };
        let Some(AwaitedPushes { settings, metrics, wake, .. }) = webhooks.awaited.take() else {
            return;
        };
        match webhooks.begin_pushes(Some(key), &settings, (metrics, wake)) {
            Ok((terms, _)) => {
                // The engine keeps a push until it is told what became of it.
                webhooks.pushes.iter_mut().for_each(|way| way.tells_all = true);
                self.chat.begin_pushes(now, terms, None);
                if let Engine::Shared(shared) = &mut self.logs {
                    let (timeout, texts) = (webhooks.settings.timeout, settings.texts);
                    let grace = self.chat.limits().leave_grace;
                    shared.send_pushes(PushSending { timeout, grace, texts });
                }
            }
            Err(BadKey) => log::error!("{BAD_KEY}"),
        }
    }

    /// Has a key kept for the cluster, if none is known: once, or `again`, since it may not have
    /// been kept.
    pub(super) fn offer_push_key(&mut self, now: Now, again: bool) {
        let awaited = self.webhooks.as_mut().and_then(|webhooks| webhooks.awaited.as_mut());
        let Some(awaited) = awaited.filter(|awaited| awaited.is_offered == again) else { return };
        awaited.is_offered = true;
        match vapid::make() {
            Ok(key) => self.chat.offer_push_key(now, key),
            Err(BadKey) => log::error!("{BAD_KEY}"),
        }
    }

    /// Hands what devices are to be told to the thread that sends it.
    #[inline]
    pub(super) fn pass_pushes(&mut self) {
        if self.chat.has_pushes() || matches!(self.logs, Engine::Shared(_)) {
            self.pass_all_pushes();
        }
    }

    fn pass_all_pushes(&mut self) {
        let Some(webhooks) = &mut self.webhooks else {
            // Nobody sends them here, and they must not pile up.
            while self.chat.poll_push().is_some() {}
            return;
        };
        while let Some(order) = self.chat.poll_push() {
            webhooks.push(order);
        }
        if let Engine::Shared(shared) = &mut self.logs {
            while let Some(order) = shared.poll_push() {
                webhooks.push(order);
            }
        }
    }

    /// Takes up what has become of pushes, and tells the domain of devices that are over.
    pub(super) fn take_push_outcomes(&mut self, now: Now) {
        while let Some(outcome) = self.webhooks.as_mut().and_then(WebhookStart::poll_push_outcome) {
            if let PushOutcome::Ended(id) = outcome {
                self.chat.on_push_ended(now, id);
            }
            if let Engine::Shared(shared) = &mut self.logs {
                shared.take_push_outcome(outcome);
            }
        }
    }
}

/// Why no device can be told.
const BAD_KEY: &str = "nobody is told by Web Push: the key in the database is none, or the system has no random numbers";
