//! The server as a node of a cluster: what it does with the connections to the engine, and how it
//! begins once it knows what the engine has.

use std::io::Write as _;

use super::engine::{Engine, Shared};
use super::webhook_start::WebhookStart;
use super::{ListenerKind, Server, rejection};
use crate::admin::{Health, responses};
use crate::auth::secret;
use crate::chat::UserName;
use crate::chat::model::log::Snapshot;
use crate::cluster::check::Level;
use crate::cluster::link::{Health as LinkHealth, LinkState};
use crate::metrics::ClusterFigures;
use crate::net::{CloseReason, ConnId, Effect, Effects, Ending, Input};
use crate::time::clock::Now;
use crate::time::{Tick, millis};

/// What is done once it is known what the engine has.
#[derive(Debug)]
pub(super) struct Beginning {
    /// As whom the admin API speaks.
    pub(super) admin_name: UserName,
    /// Where the page is, if the first administrator is to be told by which link to come in.
    pub(super) invites_to: Option<String>,
}

impl Server {
    /// Goes on with logs that are shared, which say later what they have.
    pub(super) fn set_shared(&mut self, shared: Shared, beginning: Beginning) {
        self.logs = Engine::Shared(Box::new(shared));
        self.beginning = Some(beginning);
        self.sessions.set_health(Health::Cut(NOT_REACHED.into()));
    }

    /// Takes an input that is about the engine, or about somebody who comes too early. `false` if
    /// it is for the chat; something may have been done beside it then.
    pub(super) fn take_engine_input(
        &mut self,
        now: Now,
        input: &mut Input<'_>,
        effects: &mut Effects,
    ) -> bool {
        let Engine::Shared(shared) = &mut self.logs else { return false };
        if let Input::Opened { conn, listener, .. } = input
            && !shared.has_begun()
        {
            let kind = self.listeners.get(usize::from(listener.0)).copied();
            let kind = kind.unwrap_or(ListenerKind::Http);
            return kind != ListenerKind::Admin && refuse_early(now, (*conn, kind), effects);
        }
        if let Input::StoreReady = input {
            shared.on_woken(now, effects);
        } else if !shared.take(now, input, effects) {
            return false;
        }
        self.on_engine(now, effects);
        !matches!(input, Input::StoreReady)
    }

    /// The engine may have answered.
    fn on_engine(&mut self, now: Now, effects: &mut Effects) {
        if let Engine::Shared(shared) = &mut self.logs
            && let Some(snapshot) = shared.poll_begun()
        {
            self.begin(now, snapshot);
        }
        self.take_replies(now);
        self.pass_requests(now);
        self.drive_engine(now, effects);
        // It may be this node's turn to send, from now on.
        self.webhooks.iter_mut().for_each(WebhookStart::look);
    }

    /// Lets everybody in, with what the engine has.
    fn begin(&mut self, now: Now, snapshot: Snapshot) {
        let suspended = std::sync::Arc::clone(&snapshot.suspended);
        self.chat.restore(now, snapshot);
        self.banned = suspended.addresses_at(now.wall_ms);
        self.barred = Some(suspended.addresses_until());
        // People and suspensions come as replies.
        self.take_replies(now);
        self.offer_push_key(now, false);
        let Some(Beginning { admin_name, invites_to }) = self.beginning.take() else { return };
        if self.sessions.has_admin_token() && !self.chat.reserve_operator(now, &admin_name) {
            log::warn!(
                name:% = admin_name;
                "admin_name is somebody's: the admin API cannot speak or act in rooms"
            );
        }
        if let Some(place) = invites_to {
            self.invite_first(now, &place);
        }
        self.look_at_engine(now, true);
        log::info!("the shared log is reached: clients are let in");
    }

    /// Says on standard output by which link the first administrator comes in, if there is
    /// none yet: at each start another one, since only its hash is kept.
    pub(super) fn invite_first(&mut self, now: Now, place: &str) {
        let mut bits = [0; 32];
        if let Err(error) = getrandom::fill(&mut bits) {
            return log::error!(error:%; "no link can be made for the first administrator");
        }
        let link = secret::make(secret::ADMIN, bits);
        if self.invite_admin(now, &link) {
            let line = format!("first administrator {place}/#invite={} (for one use)", link.text());
            let mut out = std::io::stdout().lock();
            if let Err(error) = writeln!(out, "{line}").and_then(|()| out.flush()) {
                log::warn!(error:%; "standard output cannot be written: the link of the first administrator is not said there");
            }
        }
    }

    /// Does what the node asks for, if there is one.
    pub(super) fn drive_engine(&mut self, now: Now, effects: &mut Effects) {
        let Engine::Shared(shared) = &mut self.logs else { return };
        // What is asked goes out by this, and what has come is passed on at once.
        let mut pass = |shared: &mut Shared| {
            if let Some(desk) = &mut self.file_desk {
                desk.pass(now, shared);
            }
        };
        pass(shared);
        shared.drive(now, effects);
        pass(shared);
        self.look_at_engine(now, false);
    }

    /// Does what is due of the connections to the engine.
    pub(super) fn expire_engine(&mut self, now: Now, effects: &mut Effects) {
        let Engine::Shared(shared) = &mut self.logs else { return };
        shared.expire(now, effects);
        self.on_engine(now, effects);
    }

    /// Ends the connections to the engine, if the server stops and nobody needs them any more:
    /// otherwise it would wait for them. When it has to be looked at again.
    pub(super) fn leave_engine(&mut self, now: Now, effects: &mut Effects) -> Tick {
        let Engine::Shared(shared) = &mut self.logs else { return Tick::MAX };
        let Some(answers_by) = self.stopping else { return Tick::MAX };
        // A client that ignores the close must not delay this: other nodes have to learn that this
        // one is gone before the process exits.
        let leaves_by = answers_by.after(self.stop_timeout / 8);
        let is_needed = !self.sessions.is_empty() || self.chat.pending() > 0;
        if is_needed && now.tick < leaves_by {
            return leaves_by;
        }
        shared.close(now, effects)
    }

    /// Tells monitors and load balancers how the engine is.
    pub(super) fn look_at_engine(&mut self, now: Now, at_once: bool) {
        let Engine::Shared(shared) = &mut self.logs else { return };
        let Some(health) = shared.look(now, at_once) else { return };
        let host = health.host.and_then(|index| shared.host(index));
        self.metrics.cluster.set(&figures(&health));
        let is_ready = health.state == LinkState::Up && shared.has_begun();
        let refused = shared.refused(now);
        let refused = refused.map(|why| format!("the shared log takes no records: {why}"));
        self.sessions.set_health(match refused {
            None if is_ready => Health::Serving,
            Some(why) if is_ready => Health::Cut(why.into()),
            _ => Health::Cut(why(&health).into()),
        });
        self.sessions.set_nodes(told_of(&health, host));
    }
}

/// What is said before the engine has answered for the first time.
const NOT_REACHED: &str = "the shared log is not reached yet";

/// Tells a client that comes before it is known what the engine has to come again, and lets it go.
fn refuse_early(now: Now, (conn, kind): (ConnId, ListenerKind), effects: &mut Effects) -> bool {
    let frame = rejection::early(kind, now);
    effects.push(Effect::Send { conn, frame });
    let (reason, ending) = (CloseReason::Overloaded, Ending::Linger);
    effects.push(Effect::Close { conn, reason, ending });
    true
}

/// Why the engine cannot be written to.
fn why(health: &LinkHealth) -> String {
    match (health.state, &*health.faults) {
        (LinkState::Slow, []) => "the shared log does not answer".to_owned(),
        (_, []) => NOT_REACHED.to_owned(),
        (_, faults) => format!("the shared log cannot be written: {}", faults.join("; ")),
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn figures(health: &LinkHealth) -> ClusterFigures {
    ClusterFigures {
        is_up: health.state == LinkState::Up,
        is_replicated: health.level == Some(Level::Replicated),
        nodes: count(health.nodes.len()),
        write_ms: health.beat_ms.unwrap_or(0),
        waiting: count(health.waiting),
        losses: health.losses,
        dropped: health.dropped,
        is_bus_up: health.bus.as_ref().is_some_and(|bus| bus.is_up),
        is_bus_used: health.bus.as_ref().is_some_and(|bus| bus.is_used),
        bus_losses: health.bus.as_ref().map_or(0, |bus| bus.losses),
        apart: count(health.apart.len()),
    }
}

/// What the operator is told.
fn told_of(health: &LinkHealth, host: Option<String>) -> responses::Nodes {
    let engine = responses::EngineState {
        state: health.state.name(),
        level: health.level.map(Level::name),
        host,
        version: health.version.to_string(),
        faults: health.faults.clone(),
        write_ms: health.beat_ms,
        waiting: count(health.waiting),
        losses: health.losses,
    };
    let nodes = health.nodes.iter().map(|row| responses::NodeState {
        id: row.id.0,
        name: row.name.to_string(),
        address: row.address.to_string(),
        version: row.version.to_string(),
        silent_ms: millis(row.age),
        own: row.is_own,
    });
    let bus = health.bus.as_ref().map(|bus| responses::BusState {
        up: bus.is_up,
        used: bus.is_used,
        host: bus.host.clone(),
        server: bus.server.to_string(),
        fault: bus.fault.clone(),
        losses: bus.losses,
    });
    let apart = health.apart.clone();
    responses::Nodes { engine: Some(engine), bus, apart, nodes: nodes.collect() }
}
